package keyfile

import (
	"bytes"
	"errors"

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

// recipients names the public halves of ids, for messages.
func recipients(ids []age.Identity) []string {
	var names []string
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			names = append(names, ShortRecipient(id.Recipient().String()))
		case *age.HybridIdentity:
			names = append(names, ShortRecipient(id.Recipient().String()))
		}
	}
	return names
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
