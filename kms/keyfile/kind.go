package keyfile

import (
	"bytes"

	"filippo.io/age"
	"filippo.io/age/armor"

	"coterie/crypto/abe"
)

// Kind is what a file is, judged by its first bytes alone.
type Kind int

// The kinds of files that people give to the wrong flag.
const (
	Unknown    Kind = iota
	Empty           // no bytes
	Key             // a plain attribute key
	Sealed          // an age file for a recipient: a sealed key
	Passphrase      // an age file for a passphrase: a master key or an identity
	Domain          // a domain's public parameters
	Master          // a plain master key
	Ledger          // the authority's record
	Identity        // an age identity
	Recipient       // an age recipient
	Request         // what a member asks for
	Notice          // which keys of a domain are good no more
	UTF16           // text that a shell rewrote as UTF-16
)

// String describes the kind in words that follow "is".
func (k Kind) String() string {
	switch k {
	case Empty:
		return "empty"
	case Key:
		return "a key"
	case Sealed:
		return "sealed with age for somebody"
	case Passphrase:
		return "encrypted with a passphrase, as master keys and identities are"
	case Notice:
		return "a domain's notice of revoked keys"
	case Domain:
		return "a domain's public parameters"
	case Master:
		return "a master key"
	case Ledger:
		return "a ledger"
	case Identity:
		return "an age identity"
	case Recipient:
		return "an age recipient, which is public"
	case Request:
		return "a request for a key"
	case UTF16:
		return "UTF-16 text"
	}
	return "nothing Coterie knows"
}

// LedgerMagic begins the first line of a ledger. It stands here, and not with
// the ledger, so that a ledger given as a key is recognised.
const LedgerMagic = "coterie-ledger "

// RequestMagic begins the first line of a request; see coterie/kms/request.
const RequestMagic = "coterie request "

const ageMagic = "age-encryption.org/"

// KindOf says what a file that begins with b is. It looks at no more than the
// first few hundred bytes and never fails.
func KindOf(b []byte) Kind {
	switch abe.KindOf(b) {
	case abe.KindKey:
		return Key
	case abe.KindDomain:
		return Domain
	case abe.KindMaster:
		return Master
	case abe.KindNotice:
		return Notice
	}
	switch text := bytes.TrimLeft(b, " \t\r\n"); {
	case len(b) == 0:
		return Empty
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return UTF16
	case bytes.HasPrefix(b, []byte(LedgerMagic)):
		return Ledger
	case bytes.HasPrefix(b, []byte(ageMagic)), bytes.HasPrefix(text, []byte(armor.Header)):
		if h, err := ReadAgeHeader(b); err == nil && h.WorkFactor > 0 {
			return Passphrase
		}
		return Sealed
	case isIdentity(text):
		return Identity
	case bytes.HasPrefix(text, []byte("age1")):
		return Recipient
	case bytes.HasPrefix(bytes.TrimPrefix(text, []byte("\ufeff")), []byte(RequestMagic)):
		return Request
	}
	return Unknown
}

// isIdentity says whether the first line that is neither empty nor a comment is
// an age identity, which is how age-keygen and age read such files.
func isIdentity(b []byte) bool {
	for line := range bytes.Lines(b[:min(len(b), 4096)]) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		return bytes.HasPrefix(line, []byte("AGE-SECRET-KEY-"))
	}
	return false
}

// AgeHeader is what an age file shows without being opened.
type AgeHeader struct {
	Armored bool
	Types   []string // the types of its recipients, such as X25519 or mlkem768x25519
	// WorkFactor is log2 of the scrypt cost if the file is encrypted with a
	// passphrase, otherwise 0.
	WorkFactor int
	// Label is what a sealed key says of itself, or nil.
	Label *Label
}

// ReadAgeHeader reads the header of an age file, binary or armored.
func ReadAgeHeader(b []byte) (AgeHeader, error) {
	r, armored := dearmor(b)
	header, err := age.ExtractHeader(r)
	if err != nil {
		return AgeHeader{}, err
	}
	h := AgeHeader{Armored: armored}
	for line := range bytes.Lines(header) {
		rest, ok := bytes.CutPrefix(line, []byte("-> "))
		if !ok {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		if string(fields[0]) == labelType {
			continue
		}
		h.Types = append(h.Types, string(fields[0]))
		if string(fields[0]) == "scrypt" && len(fields) == 3 {
			h.WorkFactor = workFactor(fields[2])
		}
	}
	h.Label = findLabel(header)
	return h, nil
}

// workFactor reads the decimal log2 of the scrypt cost; age itself refuses more
// than two digits.
func workFactor(digits []byte) int {
	n := 0
	for _, d := range digits[:min(len(digits), 2)] {
		if d < '0' || d > '9' {
			return 0
		}
		n = n*10 + int(d-'0')
	}
	return n
}
