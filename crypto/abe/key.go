package abe

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
	"golang.org/x/crypto/cryptobyte"
)

// Key is a member's attribute key. It is secret, and so are its attributes to
// everybody but its holder: it prints as neither. tkn20 has no way to erase it
// from memory.
type Key struct {
	_       [0]func() // not comparable by ==
	domain  *Domain
	grant   Grant
	secret  tkn20.AttributeKey
	encoded []byte            // the secret's, since encoding costs a tenth of issuing
	labels  map[string]string // grant.labels()
}

// Domain is the domain that the key is of.
func (k *Key) Domain() *Domain { return k.domain }

// Serial is the number of the key in the authority's ledger; notices name it.
func (k *Key) Serial() uint64 { return k.grant.Serial }

// Attributes are sorted; the slice is the caller's.
func (k *Key) Attributes() []Attribute { return slices.Clone(k.grant.Attributes) }

// Generation is the authority's number, PROTOCOL.md §2.4.
func (k *Key) Generation() uint32 { return k.grant.Generation }

// From is the first day on which the key is valid.
func (k *Key) From() Day { return k.grant.From }

// Expires is the first day on which the key is no longer valid.
func (k *Key) Expires() Day { return k.grant.Expires }

// ValidOn reports whether From <= d < Expires.
func (k *Key) ValidOn(d Day) bool { return k.grant.From <= d && d < k.grant.Expires }

// holds reports whether the key holds what a leaf asks for, as tkn20 sees it.
func (k *Key) holds(w wire) bool {
	value, ok := k.labels[w.label]
	return ok && (value == w.value) != w.negated
}

// MarshalBinary gives the key's file (PROTOCOL.md §3.3): the domain's file,
// serial, generation, span, the attributes as text, the tkn20 key.
func (k *Key) MarshalBinary() ([]byte, error) {
	if k == nil || k.domain == nil {
		return nil, errNoKey
	}
	domain, err := k.domain.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return seal(KindKey, func(b *cryptobyte.Builder) {
		addBytes24(b, domain)
		b.AddUint64(k.grant.Serial)
		b.AddUint32(k.grant.Generation)
		b.AddUint32(uint32(k.grant.From))
		b.AddUint32(uint32(k.grant.Expires))
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, a := range k.grant.Attributes {
				addBytes16(b, []byte(a.String()))
			}
		})
		addBytes24(b, k.encoded)
	})
}

// ParseKey reads what MarshalBinary wrote. Errors are *FileError.
//
// The labels and hashed values of the tkn20 key are compared with those that
// the file's attributes, generation and span amount to, so a file that claims
// another set than its key holds is refused. Whether the points of the key
// belong to the domain is not checked; a key whose points do not opens nothing.
func ParseKey(file []byte) (*Key, error) {
	body, err := unseal(KindKey, file)
	if err != nil {
		return nil, err
	}
	var domain, attributes, secret cryptobyte.String
	var from, expires uint32
	k := &Key{}
	if !body.ReadUint24LengthPrefixed(&domain) ||
		!body.ReadUint64(&k.grant.Serial) || !body.ReadUint32(&k.grant.Generation) ||
		!body.ReadUint32(&from) || !body.ReadUint32(&expires) ||
		!body.ReadUint24LengthPrefixed(&attributes) ||
		!body.ReadUint24LengthPrefixed(&secret) || !body.Empty() {
		return nil, damaged(KindKey, "its fields do not fill it")
	}
	k.grant.From, k.grant.Expires = Day(from), Day(expires)
	for !attributes.Empty() {
		var text cryptobyte.String
		if len(k.grant.Attributes) == MaxAttributes || !attributes.ReadUint16LengthPrefixed(&text) {
			return nil, damaged(KindKey, "its list of attributes is malformed")
		}
		a, err := ParseAttribute(string(text))
		if err != nil || a.String() != string(text) {
			return nil, damaged(KindKey, "an attribute is malformed")
		}
		k.grant.Attributes = append(k.grant.Attributes, a)
	}
	checked, err := k.grant.check()
	if err != nil || !slices.Equal(checked.Attributes, k.grant.Attributes) {
		return nil, damaged(KindKey, "what it grants is malformed")
	}
	k.labels = checked.labels()
	if s := keySkeleton(k.labels); !s.fits(secret) {
		return nil, damaged(KindKey, "it does not hold what it says")
	}
	if k.domain, err = ParseDomain(domain); err != nil {
		return nil, damaged(KindKey, "its domain is damaged")
	}
	// Points have one encoding, so encoding again would give the same bytes.
	k.encoded = bytes.Clone(secret)
	if err := k.secret.UnmarshalBinary(k.encoded); err != nil {
		return nil, damaged(KindKey, "it has a bad point")
	}
	return k, nil
}

const redactedKey = "abe.Key(redacted)"

// Format prints no secret, whatever the verb.
func (Key) Format(s fmt.State, _ rune) { io.WriteString(s, redactedKey) }

func (Key) String() string       { return redactedKey }
func (Key) GoString() string     { return redactedKey }
func (Key) LogValue() slog.Value { return slog.StringValue(redactedKey) }
