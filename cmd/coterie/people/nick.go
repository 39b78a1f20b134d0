package people

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"coterie/cmd/internal/text"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

const (
	// MaxNick is the longest nickname, in cells.
	MaxNick = 24
	// maxNickRaw bounds what is looked at, in bytes.
	maxNickRaw = 256
	// maxNickMarks is how many marks may stand on one letter of a name.
	maxNickMarks = 2
)

// reserved are the words that only Coterie itself may seem to say.
var reserved = []string{"system", "coterie", "authority", "relay", "admin", "you"}

// Why a nickname cannot be.
var (
	ErrNickEmpty     = errors.New("is empty")
	ErrNickLong      = fmt.Errorf("is longer than %d", MaxNick)
	ErrNickCharacter = errors.New("has a character other than letters, digits, single spaces and -_.'")
	ErrNickControl   = errors.New("has a control character")
	ErrNickMarks     = fmt.Errorf("has more than %d marks on a letter", maxNickMarks)
	ErrNickBegin     = errors.New("begins with a character that no name may begin with")
)

// A ReservedError: a name is, or looks like, a word that is Coterie's own.
type ReservedError struct{ Word string }

func (e *ReservedError) Error() string { return fmt.Sprintf("looks like %q", e.Word) }

// Nick is a nickname as it is shown: PRECIS Nickname (RFC 8266), and then only
// letters, marks, digits, single spaces and -_.' , so that no name can carry a
// badge. What a peer calls itself is shown only if Nick(name) has no error and
// gives it back; whoever chooses a name gets what Nick makes of it.
func Nick(s string) (string, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return "", ErrNickEmpty
	case len(s) > maxNickRaw:
		return "", ErrNickLong
	case !utf8.ValidString(s):
		return "", ErrNickControl
	}
	for _, r := range s {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) {
			return "", ErrNickControl
		}
	}
	name, err := precis.Nickname.String(s)
	if err != nil {
		return "", ErrNickCharacter
	}
	if err := checkNick(name); err != nil {
		return "", err
	}
	shape := fold(skeleton(name))
	lower := skeleton(fold(name))
	for _, word := range reserved {
		if bare := skeleton(word); shape == bare || lower == bare {
			return "", &ReservedError{word}
		}
	}
	return name, nil
}

func checkNick(name string) error {
	marks, prev := 0, rune(0)
	for i, r := range norm.NFD.String(name) {
		isMark := unicode.Is(unicode.M, r)
		switch {
		case i == 0 && (isMark || strings.ContainsRune("-!*~/@#", r)):
			return ErrNickBegin
		case text.IsInvisible(r), r == 0x2800:
			return ErrNickControl
		case isMark:
			if marks++; marks > maxNickMarks {
				return ErrNickMarks
			}
			continue
		case unicode.In(r, unicode.L, unicode.Nd), strings.ContainsRune("-_.'", r):
		case r == ' ' && prev != ' ':
		default:
			return ErrNickCharacter
		}
		marks, prev = 0, r
	}
	if max(text.ByRune.StringWidth(name), text.ByCluster.StringWidth(name)) > MaxNick {
		return ErrNickLong
	}
	if text.Width(name) == 0 {
		return ErrNickControl
	}
	return nil
}

// fold is a name without the difference of case.
func fold(s string) string {
	key, err := precis.Nickname.CompareKey(s)
	if err != nil {
		return strings.ToLower(s)
	}
	return key
}
