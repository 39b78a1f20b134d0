package keyfile

import (
	"bytes"
	"errors"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"

	"coterie/crypto/abe"
)

// LoadKey reads the attribute key at path. A plain key must be private, as
// ReadSecret has it. For a sealed one, and only then, ids is called; it may be
// nil if there are no identities, and its error is returned as it is.
//
// It returns *KindError, *DamagedError, *VersionError, *SealedError,
// *NotForYouError and what ReadSecret returns.
func LoadKey(path string, ids func() ([]age.Identity, error)) (*abe.Key, error) {
	data, info, err := read(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	switch kind := KindOf(data); kind {
	case Key:
		if err := CheckPrivate(path, info); err != nil {
			return nil, err
		}
		return parseKey(path, data)
	case Sealed:
		return unsealKey(path, data, ids)
	case UTF16:
		return nil, &DamagedError{Path: path, Size: len(data), UTF16: true}
	default:
		return nil, &KindError{path, kind, Key}
	}
}

func unsealKey(path string, data []byte, ids func() ([]age.Identity, error)) (*abe.Key, error) {
	if ids == nil {
		return nil, &SealedError{path}
	}
	identities, err := ids()
	if err != nil {
		return nil, err
	}
	if len(identities) == 0 {
		return nil, &SealedError{path}
	}
	body, err := Unseal(path, data, identities)
	if err != nil {
		return nil, err
	}
	defer clear(body)
	if kind := KindOf(body); kind != Key {
		return nil, &KindError{path, kind, Key}
	}
	return parseKey(path, body)
}

// Unseal opens the age file data, read from path. It returns a *NotForYouError
// or a *DamagedError.
func Unseal(path string, data []byte, identities []age.Identity) ([]byte, error) {
	src, _ := dearmor(data)
	plain, err := age.Decrypt(src, identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		e := &NotForYouError{Path: path, Yours: shortRecipients(identities)}
		if h, err := ReadAgeHeader(data); err == nil && h.Label != nil {
			e.For = h.Label.Recipient
		}
		return nil, e
	} else if err != nil {
		return nil, &DamagedError{Path: path, Size: len(data), Err: err}
	}
	body, err := io.ReadAll(io.LimitReader(plain, MaxSize+1))
	if err != nil {
		clear(body)
		return nil, &DamagedError{Path: path, Size: len(data), Err: err}
	}
	return body, nil
}

func parseKey(path string, data []byte) (*abe.Key, error) {
	k, err := abe.ParseKey(data)
	if err != nil {
		return nil, Unreadable(path, Key, len(data), err)
	}
	return k, nil
}

// LoadDomain reads the domain's public parameters at path.
func LoadDomain(path string) (*abe.Domain, error) {
	data, err := ReadPublic(path)
	if err != nil {
		return nil, err
	}
	switch kind := KindOf(data); kind {
	case Domain:
	case UTF16:
		return nil, &DamagedError{Path: path, Size: len(data), UTF16: true}
	default:
		return nil, &KindError{path, kind, Domain}
	}
	d, err := abe.ParseDomain(data)
	if err != nil {
		return nil, Unreadable(path, Domain, len(data), err)
	}
	return d, nil
}

// LoadNotice reads the notice at path. Whose it is, is for others to check.
func LoadNotice(path string) (*abe.Notice, error) {
	data, err := ReadPublic(path)
	if err != nil {
		return nil, err
	}
	switch kind := KindOf(data); kind {
	case Notice:
	case UTF16:
		return nil, &DamagedError{Path: path, Size: len(data), UTF16: true}
	default:
		return nil, &KindError{path, kind, Notice}
	}
	n, err := abe.ParseNoticeFile(data)
	if err != nil {
		return nil, Unreadable(path, Notice, len(data), err)
	}
	return n, nil
}

// Unreadable names the file at path, of kind want and size bytes, in an error
// of abe's parsers.
func Unreadable(path string, want Kind, size int, err error) error {
	if errors.Is(err, abe.ErrVersion) {
		return &VersionError{path, want, err}
	}
	return &DamagedError{Path: path, Size: size, Err: err}
}

// dearmor returns a reader of the binary age file in b.
func dearmor(b []byte) (src io.Reader, armored bool) {
	if bytes.HasPrefix(b, []byte(ageMagic)) {
		return bytes.NewReader(b), false
	}
	return armor.NewReader(bytes.NewReader(bytes.TrimLeft(b, " \t\r\n"))), true
}
