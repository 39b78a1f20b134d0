package abe

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// What a domain's file may have of relays.
const (
	MaxRelays      = 8
	maxRelayLength = 255
)

// CheckRelays reports whether relays may stand in a domain's file: how many there
// are, how long and of which characters each is, and that no two are equal. Whether
// they are addresses is for others to say.
func CheckRelays(relays []string) error {
	if len(relays) > MaxRelays {
		return fmt.Errorf("a domain has at most %d relays", MaxRelays)
	}
	for i, r := range relays {
		if r == "" || len(r) > maxRelayLength {
			return fmt.Errorf("a relay's address has 1 to %d characters", maxRelayLength)
		}
		for _, c := range []byte(r) {
			if c <= ' ' || c > '~' {
				return errors.New("a relay's address has no spaces, and only the characters of ASCII")
			}
		}
		if slices.Contains(relays[:i], r) {
			return fmt.Errorf("the relay %s is there twice", r)
		}
	}
	return nil
}

// Relays are where members of the domain may begin to look for each other, as its
// authority wrote them. They are no part of its identity.
func (d *Domain) Relays() []string { return slices.Clone(d.relays) }

// WithRelays is the same domain with these relays, or with none.
func (d *Domain) WithRelays(relays []string) (*Domain, error) {
	if err := CheckRelays(relays); err != nil {
		return nil, err
	}
	with := *d
	with.relays = slices.Clone(relays)
	return &with, nil
}

// WithRelays is the same key, whose domain has these relays.
func (k *Key) WithRelays(relays []string) (*Key, error) {
	if k == nil || k.domain == nil {
		return nil, errNoKey
	}
	d, err := k.domain.WithRelays(relays)
	if err != nil {
		return nil, err
	}
	return &Key{domain: d, grant: k.grant, secret: k.secret, encoded: k.encoded, labels: k.labels}, nil
}

func (d *Domain) addRelays(b *cryptobyte.Builder) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, r := range d.relays {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(r)) })
		}
	})
}

func readRelays(list cryptobyte.String) (out []string, err error) {
	for !list.Empty() {
		var r cryptobyte.String
		if len(out) == MaxRelays || !list.ReadUint8LengthPrefixed(&r) {
			return nil, errors.New("malformed")
		}
		out = append(out, string(r))
	}
	return out, CheckRelays(out)
}
