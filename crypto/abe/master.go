package abe

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
	"golang.org/x/crypto/cryptobyte"
)

// MasterKey is the secret half of an authority: whoever has it can issue any
// key of the domain.
type MasterKey struct {
	_      [0]func() // not comparable by ==
	domain *Domain
	secret tkn20.SystemSecretKey
	seed   [ed25519.SeedSize]byte // of the key of notices
}

// Setup makes an authority. The name has 1 to 64 bytes of letters, digits and
// _ - . @ and does not begin with . or -.
func Setup(rand io.Reader, name string) (*MasterKey, error) {
	if rand == nil {
		return nil, errNoRandomness
	}
	if err := checkDomainName(name); err != nil {
		return nil, err
	}
	public, secret, err := tkn20.Setup(rand)
	if err != nil {
		return nil, fmt.Errorf("setting up domain: %w", err)
	}
	params, err := public.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("setting up domain: %w", err)
	}
	m := &MasterKey{secret: secret}
	if _, err := io.ReadFull(rand, m.seed[:]); err != nil {
		return nil, fmt.Errorf("setting up domain: %w", err)
	}
	if m.domain, err = newDomain(name, params, m.authority()); err != nil {
		return nil, fmt.Errorf("setting up domain: %w", err)
	}
	return m, nil
}

var (
	errNoRandomness = errors.New("abe: no source of randomness")
	errNoKey        = errors.New("abe: no key")
)

func (m *MasterKey) authority() ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(m.seed[:]).Public().(ed25519.PublicKey)
}

// Domain is the public half.
func (m *MasterKey) Domain() *Domain { return m.domain }

// Grant is what a key says.
type Grant struct {
	Serial        uint64 // the ledger's number
	Attributes    []Attribute
	Generation    uint32
	From, Expires Day // valid on From <= day < Expires; at most MaxSpan days
}

// check returns the grant with its attributes in order.
func (g Grant) check() (Grant, error) {
	var err error
	if g.Attributes, err = checkAttributes(g.Attributes); err != nil {
		return Grant{}, err
	}
	switch {
	case g.Expires > maxDay:
		return Grant{}, errors.New("a key cannot expire after the year 9999")
	case g.Expires <= g.From:
		return Grant{}, fmt.Errorf("a key that expires on %s cannot be valid from %s", g.Expires, min(g.From, maxDay))
	case g.Expires-g.From > MaxSpan:
		return Grant{}, fmt.Errorf("a key cannot be valid for %d days; the limit is %d", g.Expires-g.From, MaxSpan)
	}
	return g, nil
}

// Issue makes a key. It takes about 10 ms a label; an attribute is one, a
// number 33, a span of 90 days about 20.
func (m *MasterKey) Issue(rand io.Reader, g Grant) (*Key, error) {
	if m == nil || m.domain == nil {
		return nil, errNoKey
	}
	if rand == nil {
		return nil, errNoRandomness
	}
	g, err := g.check()
	if err != nil {
		return nil, fmt.Errorf("issuing key: %w", err)
	}
	labels := g.labels()
	var attributes tkn20.Attributes
	attributes.FromMap(labels)
	secret, err := m.secret.KeyGen(rand, attributes)
	if err != nil {
		return nil, fmt.Errorf("issuing key: %w", err)
	}
	encoded, err := secret.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("issuing key: %w", err)
	}
	if s := keySkeleton(labels); !s.fits(encoded) {
		return nil, errors.New("issuing key: tkn20 made another key than was meant")
	}
	return &Key{domain: m.domain, grant: g, secret: secret, encoded: encoded, labels: labels}, nil
}

// MarshalBinary gives the master key's file: the domain's file, the secret
// parameters, the seed of the key of notices (PROTOCOL.md §3.3). It is not encrypted.
func (m *MasterKey) MarshalBinary() ([]byte, error) {
	if m == nil || m.domain == nil {
		return nil, errNoKey
	}
	domain, err := m.domain.MarshalBinary()
	if err != nil {
		return nil, err
	}
	secret, err := m.secret.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encoding master key: %w", err)
	}
	return seal(KindMaster, func(b *cryptobyte.Builder) {
		addBytes24(b, domain)
		addBytes16(b, secret)
		b.AddBytes(m.seed[:])
	})
}

// ParseMasterKey reads what MarshalBinary wrote. Errors are *FileError.
func ParseMasterKey(file []byte) (*MasterKey, error) {
	body, err := unseal(KindMaster, file)
	if err != nil {
		return nil, err
	}
	var domain, secret cryptobyte.String
	m := &MasterKey{}
	if !body.ReadUint24LengthPrefixed(&domain) || !body.ReadUint16LengthPrefixed(&secret) ||
		!body.CopyBytes(m.seed[:]) || !body.Empty() {
		return nil, damaged(KindMaster, "its fields do not fill it")
	}
	if m.domain, err = ParseDomain(domain); err != nil || len(m.domain.relays) > 0 {
		return nil, damaged(KindMaster, "its domain is damaged")
	}
	if s := secretSkeleton(); !s.fits(secret) {
		return nil, damaged(KindMaster, "its secret has the wrong shape")
	}
	// tkn20 keeps a part of what it parses, and the caller may erase the file.
	if err := m.secret.UnmarshalBinary(bytes.Clone(secret)); err != nil {
		return nil, damaged(KindMaster, "its secret has a bad number")
	}
	if !m.authority().Equal(m.domain.authority) {
		return nil, damaged(KindMaster, "its key of notices is not its domain's")
	}
	return m, nil
}

const redactedMaster = "abe.MasterKey(redacted)"

// Format prints no secret, whatever the verb.
func (MasterKey) Format(s fmt.State, _ rune) { io.WriteString(s, redactedMaster) }

func (MasterKey) String() string       { return redactedMaster }
func (MasterKey) GoString() string     { return redactedMaster }
func (MasterKey) LogValue() slog.Value { return slog.StringValue(redactedMaster) }
