// Package request has what a member sends to the authority to ask for a key.
//
// A request is public text of lines, each ended by "\n":
//
//	coterie request 1
//	name: Kari Nordmann
//	recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
//	want: NTNU
//	want: 5th year
//	made: 2026-11-23
//	domain: 4f1c9ab277d0e31a
//
// in this order, and with one space after each colon. name and domain may be
// left out. recipient is an X25519 or hybrid recipient of age; there are up to
// 100 wants, all different, together a set that one key can hold; domain is the
// fingerprint, 16 hexadecimal digits. That is the canonical form. Mail changes
// line ends and adds empty lines, so Parse forgives those, and nothing else.
//
// Nothing signs a request: the authority does not know anybody's signature.
// What protects it is its code, which both sides compute from all of it:
//
//	code = the first 66 bits of SHA-256(canonical form), as six words of 11 bits
//
// The member says the words to the operator by voice; whoever swapped the
// recipient on the way would need another request with the same 66 bits.
package request

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/words"
)

const first = keyfile.RequestMagic + "1"

// CodeWords is how many words a code has.
const CodeWords = 6

// MaxSize bounds a request in bytes: 100 wants at their longest fit in.
const MaxSize = 64 << 10

// MaxName bounds the name of a person in bytes.
const MaxName = 200

// Sentinels for decisions.
var (
	// ErrFormat: not a request, or one that was changed.
	ErrFormat = errors.New("not a request")
	// ErrVersion: a request of a newer form.
	ErrVersion = errors.New("a request of another version")
	// ErrName: the name of a person cannot be used.
	ErrName = errors.New("not a usable name")
)

// Request is what somebody asks for.
type Request struct {
	Name      string // for the authority's record; may be empty
	Recipient string // the age recipient to seal the key for
	Want      []abe.Attribute
	Made      abe.Day
	Domain    string // the fingerprint without hyphens; may be empty
}

// check refuses what has no canonical form.
func (r *Request) check() error {
	if err := CheckName(r.Name); err != nil {
		return err
	}
	if _, err := keyfile.ParseRecipient(r.Recipient); err != nil || r.Recipient != strings.TrimSpace(r.Recipient) {
		return fmt.Errorf("%w: the recipient is no age recipient", ErrFormat)
	}
	if len(r.Want) == 0 {
		return fmt.Errorf("%w: it wants nothing", ErrFormat)
	}
	var texts []string
	for _, a := range r.Want {
		texts = append(texts, a.String())
	}
	if _, err := abe.ParseAttributes(texts); err != nil {
		return err
	}
	if day, err := abe.ParseDay(r.Made.String()); err != nil || day != r.Made {
		return fmt.Errorf("%w: it was made on no day", ErrFormat)
	}
	if r.Domain != "" && !isFingerprint(r.Domain) {
		return fmt.Errorf("%w: its domain is no fingerprint", ErrFormat)
	}
	return nil
}

func isFingerprint(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}

// Fingerprint reads a domain's fingerprint with or without hyphens.
func Fingerprint(s string) (string, error) {
	plain := strings.ToLower(strings.ReplaceAll(s, "-", ""))
	if !isFingerprint(plain) {
		return "", errors.New("not a fingerprint; one has 16 hexadecimal digits, such as 4f1c-9ab2-77d0-e31a")
	}
	return plain, nil
}

// IsFor says whether the request is for the domain with that fingerprint, or for
// none in particular.
func (r *Request) IsFor(fingerprint string) bool {
	return r.Domain == "" || r.Domain == strings.ReplaceAll(fingerprint, "-", "")
}

// Marshal returns the canonical form.
func (r *Request) Marshal() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	line := func(key, value string) { fmt.Fprintf(&b, "%s: %s\n", key, value) }
	b.WriteString(first + "\n")
	if r.Name != "" {
		line("name", r.Name)
	}
	line("recipient", r.Recipient)
	for _, a := range r.Want {
		line("want", plain(a))
	}
	line("made", r.Made.String())
	if r.Domain != "" {
		line("domain", r.Domain)
	}
	if b.Len() > MaxSize {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrFormat, MaxSize)
	}
	return b.Bytes(), nil
}

// plain writes an attribute without quotes where it reads back the same: people
// look at requests.
func plain(a abe.Attribute) string {
	text := a.Name
	if a.Named {
		text += "=" + a.Value
	}
	if again, err := abe.ParseAttribute(text); err == nil && again == a {
		return text
	}
	return a.String()
}

// Parse reads a request. Its errors are ErrFormat, ErrVersion, ErrName and
// *abe.AttributeError.
func Parse(data []byte) (*Request, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrFormat, MaxSize)
	}
	lines := lines(data)
	if len(lines) == 0 || lines[0] != first {
		if len(lines) > 0 && strings.HasPrefix(lines[0], keyfile.RequestMagic) {
			return nil, ErrVersion
		}
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrFormat, first)
	}
	fields := fields{lines: lines[1:]}
	r := new(Request)
	r.Name, _ = fields.take("name")
	r.Recipient, _ = fields.take("recipient")
	for {
		text, ok := fields.take("want")
		if !ok {
			break
		}
		if len(r.Want) == abe.MaxAttributes {
			return nil, fmt.Errorf("%w: it wants more than %d attributes", ErrFormat, abe.MaxAttributes)
		}
		a, err := abe.ParseAttribute(text)
		if err != nil {
			return nil, err
		}
		r.Want = append(r.Want, a)
	}
	made, _ := fields.take("made")
	var err error
	if r.Made, err = abe.ParseDay(made); err != nil {
		return nil, fmt.Errorf("%w: line %d should say on which day it was made", ErrFormat, fields.at+2)
	}
	r.Domain, _ = fields.take("domain")
	if fields.at < len(fields.lines) {
		return nil, fmt.Errorf("%w: line %d is not one of a request or not in its place", ErrFormat, fields.at+2)
	}
	// What has another form than the canonical one was written by something else,
	// and its code would be another than its reader sees.
	again, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	if string(again) != strings.Join(lines, "\n")+"\n" {
		return nil, fmt.Errorf("%w: its lines are not as they should be", ErrFormat)
	}
	return r, nil
}

// lines undoes what mail does: other line ends, a byte order mark, empty lines
// around, spaces at the ends of lines.
func lines(data []byte) []string {
	text := strings.ReplaceAll(string(bytes.TrimPrefix(data, []byte("\ufeff"))), "\r\n", "\n")
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // as old mail programs end lines
	}
	lines := strings.Split(strings.Trim(text, " \t\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return lines
}

// fields reads lines in order.
type fields struct {
	lines []string
	at    int
}

func (f *fields) take(key string) (string, bool) {
	if f.at == len(f.lines) {
		return "", false
	}
	value, ok := strings.CutPrefix(f.lines[f.at], key+": ")
	if !ok {
		return "", false
	}
	f.at++
	return value, true
}

// Load reads the request at path. Besides ErrFormat, ErrVersion and what
// keyfile.ReadPublic returns, it returns *keyfile.KindError and, for text of a
// shell, *keyfile.DamagedError.
func Load(path string) (*Request, error) {
	data, err := keyfile.ReadPublic(path)
	if err != nil {
		return nil, err
	}
	switch kind := keyfile.KindOf(data); kind {
	case keyfile.Request, keyfile.Unknown:
	case keyfile.UTF16:
		return nil, &keyfile.DamagedError{Path: path, Size: len(data), UTF16: true}
	default:
		return nil, &keyfile.KindError{Path: path, Got: kind, Want: keyfile.Request}
	}
	r, err := Parse(data)
	if err != nil && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is %w", path, err)
	}
	return r, nil
}

// Code returns the six words.
func (r *Request) Code() (string, error) {
	canonical, err := r.Marshal()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return words.Of(sum[:], CodeWords), nil
}

// CheckName says whether a person's name can be printed as it is and has one
// spelling. It may be empty.
func CheckName(name string) error {
	switch {
	case len(name) > MaxName:
		return fmt.Errorf("%w: longer than %d bytes", ErrName, MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: not UTF-8", ErrName)
	case !norm.NFC.IsNormalString(name):
		return fmt.Errorf("%w: not in Unicode's normal form C", ErrName)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: spaces around it", ErrName)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%w: the character %U in it cannot be printed", ErrName, r)
		}
	}
	return nil
}

// FileName makes the beginning of a file's name out of a person's: letters and
// digits in lower case, hyphens between. It is "key" for a name without any.
func FileName(name string) string {
	const longest = 60 // bytes; file systems take 255 and something is added
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
				b.WriteByte('-')
			}
			continue
		}
		if b.Len() > longest {
			break
		}
		b.WriteRune(r)
	}
	if slug := strings.TrimRight(b.String(), "-"); slug != "" {
		return slug
	}
	return "key"
}
