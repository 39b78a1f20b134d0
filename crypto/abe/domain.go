package abe

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
	"golang.org/x/crypto/cryptobyte"
)

// Domain is the public half of an authority: its name and parameters. It is
// immutable.
type Domain struct {
	name      string
	params    []byte
	public    tkn20.PublicKey
	authority ed25519.PublicKey // of its notices
	id        [32]byte
	relays    []string
}

// maxDomainName is in bytes.
const maxDomainName = 64

// checkDomainName takes names that can be file names everywhere they are used.
func checkDomainName(name string) error {
	if name == "" || len(name) > maxDomainName {
		return fmt.Errorf("a domain's name has 1 to %d bytes", maxDomainName)
	}
	if checked, err := checkName(name); err != nil {
		return fmt.Errorf("domain name: %w", err)
	} else if checked != name {
		return errors.New("a domain's name is written in Unicode NFC")
	}
	for _, r := range name {
		if !bareRune(r) {
			return errors.New("a domain's name has letters, digits and _ - . @ only")
		}
	}
	if name[0] == '.' || name[0] == '-' {
		return errors.New("a domain's name cannot begin with . or -")
	}
	return nil
}

// newDomain checks and takes over params, tkn20's encoding of a public key, and the key
// of its notices.
func newDomain(name string, params, authority []byte) (*Domain, error) {
	if err := checkDomainName(name); err != nil {
		return nil, err
	}
	if s := publicSkeleton(); !s.fits(params) {
		return nil, errors.New("public parameters of the wrong shape")
	}
	d := &Domain{name: name, params: params, authority: authority, id: domainID(name, params, authority)}
	if err := d.public.UnmarshalBinary(params); err != nil {
		return nil, errors.New("public parameters with a bad point")
	}
	if again, err := d.public.MarshalBinary(); err != nil || !bytes.Equal(again, params) {
		return nil, errors.New("public parameters not in canonical form")
	}
	if err := checkElements(params); err != nil {
		return nil, err
	}
	if !checkAuthority(authority) {
		return nil, errors.New("a bad key for notices")
	}
	return d, nil
}

// domainID is H("coterie/2 domain", name, parameters, authority), 32 bytes (PROTOCOL.md
// §3.4): SHA-256 over the label behind its length in 8 bits and the fields
// behind theirs in 32, big endian.
func domainID(name string, params, authority []byte) [32]byte {
	const label = "coterie/2 domain"
	b := append([]byte{byte(len(label))}, label...)
	for _, field := range [][]byte{[]byte(name), params, authority} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field))) // both are bounded
		b = append(b, field...)
	}
	return sha256.Sum256(b)
}

// Name is what the authority calls itself. Anybody can choose any; compare IDs.
func (d *Domain) Name() string { return d.name }

// ID identifies the domain.
func (d *Domain) ID() [32]byte { return d.id }

// Fingerprint is the first eight bytes of the ID, for people to compare:
// "4f1c-9ab2-77d0-e31a".
func (d *Domain) Fingerprint() string {
	return fmt.Sprintf("%x-%x-%x-%x", d.id[0:2], d.id[2:4], d.id[4:6], d.id[6:8])
}

func (d *Domain) String() string { return d.name + " " + d.Fingerprint() }

// Equal reports whether both have the same name and parameters.
func (d *Domain) Equal(e *Domain) bool { return d != nil && e != nil && d.id == e.id }

// MarshalBinary gives the domain's file: name, parameters, the key of its
// notices, relays (PROTOCOL.md §3.3).
func (d *Domain) MarshalBinary() ([]byte, error) {
	return seal(KindDomain, func(b *cryptobyte.Builder) {
		addBytes16(b, []byte(d.name))
		addBytes16(b, d.params)
		b.AddBytes(d.authority)
		d.addRelays(b)
	})
}

// ParseDomain reads what MarshalBinary wrote. Errors are *FileError.
func ParseDomain(file []byte) (*Domain, error) {
	body, err := unseal(KindDomain, file)
	if err != nil {
		return nil, err
	}
	var name, params, list cryptobyte.String
	var authority [ed25519.PublicKeySize]byte
	if !body.ReadUint16LengthPrefixed(&name) || !body.ReadUint16LengthPrefixed(&params) ||
		!body.CopyBytes(authority[:]) || !body.ReadUint16LengthPrefixed(&list) || !body.Empty() {
		return nil, damaged(KindDomain, "its fields do not fill it")
	}
	d, err := newDomain(string(name), bytes.Clone(params), authority[:])
	if err != nil {
		return nil, damaged(KindDomain, err.Error())
	}
	if d.relays, err = readRelays(list); err != nil {
		return nil, damaged(KindDomain, "its relays are malformed")
	}
	return d, nil
}
