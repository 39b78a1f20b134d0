package kms

import (
	"fmt"
	"regexp"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

// Where a domain's members begin to look for each other: its file names relays, and
// each key carries those that the file has when it is issued.

// The forms of a relay's address: a multiaddr, or a host, its port and its peer id.
var relayForms = []*regexp.Regexp{
	regexp.MustCompile(`^/(ip4|ip6|dns|dns4|dns6|dnsaddr)/[^/]+(/[^/]+)*$`),
	regexp.MustCompile(`^(localhost|[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)+|\[[0-9A-Fa-f:.]+\])` +
		`(:[0-9]{1,5})?(/p2p/[0-9A-Za-z]+)?$`),
}

// CheckRelays refuses what cannot be relays' addresses. Whether somebody is there is
// not looked at.
func CheckRelays(relays []string) error {
	for _, r := range relays {
		ok := false
		for _, form := range relayForms {
			ok = ok || form.MatchString(r)
		}
		if !ok {
			return fmt.Errorf("%q is not an address", r)
		}
	}
	return abe.CheckRelays(relays)
}

// SetRelays writes the domain's file anew, with these relays or with none. Keys that
// were issued keep theirs.
func SetRelays(files Files, relays []string) (*abe.Domain, error) {
	if err := CheckRelays(relays); err != nil {
		return nil, err
	}
	old, err := keyfile.LoadDomain(files.Domain())
	if err != nil {
		return nil, err
	}
	d, err := old.WithRelays(relays)
	if err != nil {
		return nil, err
	}
	data, err := d.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return d, keyfile.Replace(files.Domain(), data, 0o644)
}
