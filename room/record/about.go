package record

import (
	"unicode/utf8"

	"coterie/crypto/ake"
)

// Limits on words about a message, in bytes: PROTOCOL.md §9.8.
const (
	MaxReaction = 64
	MaxAbout    = MaxText - ake.HashSize
)

// An About is what a body of kinds 6 to 9 has in the place of its text: PROTOCOL.md §9.8.
type About struct {
	Target ake.Hash // the id of the message that it is about
	Words  string
}

// IsAbout reports whether bodies of a kind are about another message.
func IsAbout(kind byte) bool { return kind >= KindReply && kind <= KindWithdrawal }

// Text is the encoding.
func (a *About) Text() string { return string(a.Target[:]) + a.Words }

// WordsAbout is how many bytes of words a kind may have at least and at most.
func WordsAbout(kind byte) (least, most int) {
	switch kind {
	case KindReply, KindEdit:
		return 1, MaxAbout
	case KindReaction:
		return 0, MaxReaction
	}
	return 0, 0
}

// ParseAbout takes the text of a body of such a kind.
func ParseAbout(kind byte, text string) (*About, error) {
	if !IsAbout(kind) || len(text) < ake.HashSize {
		return nil, formError("about a message")
	}
	a := &About{Target: ake.Hash([]byte(text[:ake.HashSize])), Words: text[ake.HashSize:]}
	least, most := WordsAbout(kind)
	if len(a.Words) < least || len(a.Words) > most || !utf8.ValidString(a.Words) {
		return nil, formError("about a message: words")
	}
	return a, nil
}
