package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"filippo.io/age"
)

// LoadIdentities reads the age identities at path: lines beginning with
// AGE-SECRET-KEY-, as age-keygen writes them, in a private file; or such lines
// encrypted with a passphrase, which is asked for by calling passphrase.
//
// Besides what ReadSecret returns, it returns *KindError, *DamagedError and, if
// the passphrase does not fit, *PassphraseError.
func LoadIdentities(path string, passphrase func() ([]byte, error)) ([]age.Identity, error) {
	data, info, err := read(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	switch kind := KindOf(data); kind {
	case Identity:
		if err := CheckPrivate(path, info); err != nil {
			return nil, err
		}
		return parseIdentities(path, data)
	case Passphrase:
		if passphrase == nil {
			return nil, &KindError{path, kind, Identity}
		}
		pass, err := passphrase()
		if err != nil {
			return nil, err
		}
		plain, err := DecryptPassphrase(path, data, pass)
		if err != nil {
			return nil, err
		}
		defer clear(plain)
		if kind := KindOf(plain); kind != Identity {
			return nil, &KindError{path, kind, Identity}
		}
		return parseIdentities(path, plain)
	case UTF16:
		return nil, &DamagedError{Path: path, Size: len(data), UTF16: true}
	default:
		return nil, &KindError{path, kind, Identity}
	}
}

func parseIdentities(path string, data []byte) ([]age.Identity, error) {
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		// age's error can quote characters of the line, and the line is secret.
		return nil, &DamagedError{Path: path, Size: len(data), Err: errors.New("a line is no age identity")}
	}
	return ids, nil
}

// Recipients returns the public halves of ids.
func Recipients(ids []age.Identity) []string {
	var names []string
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			names = append(names, id.Recipient().String())
		case *age.HybridIdentity:
			names = append(names, id.Recipient().String())
		}
	}
	return names
}

// shortRecipients is Recipients for messages.
func shortRecipients(ids []age.Identity) []string {
	names := Recipients(ids)
	for i := range names {
		names[i] = ShortRecipient(names[i])
	}
	return names
}

// MakeIdentity returns the text of a new identity file, as age-keygen writes it,
// and its recipient. hybrid makes it one of ML-KEM-768 and X25519 together.
func MakeIdentity(hybrid bool, made time.Time) (text []byte, recipient string, err error) {
	var secret string
	if hybrid {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return nil, "", err
		}
		secret, recipient = id.String(), id.Recipient().String()
	} else {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, "", err
		}
		secret, recipient = id.String(), id.Recipient().String()
	}
	return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", made.UTC().Format(time.RFC3339), recipient,
		secret), recipient, nil
}

// ShortRecipient shortens a recipient for people: age1ql3z…cac8p.
func ShortRecipient(r string) string {
	if len(r) <= 16 {
		return r
	}
	return r[:8] + "…" + r[len(r)-5:]
}

// ParseRecipient parses an X25519 or hybrid recipient of age.
func ParseRecipient(s string) (age.Recipient, error) {
	rs, err := age.ParseRecipients(bytes.NewReader([]byte(s)))
	if err != nil || len(rs) != 1 {
		return nil, errors.New("not an age recipient")
	}
	return rs[0], nil
}
