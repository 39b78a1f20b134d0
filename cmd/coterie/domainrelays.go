package main

import (
	"fmt"
	"slices"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
)

// domainRelays are the relays that a key's domain names, where we begin as well.
// What is no address, or cannot be dialled, is passed over with a warning: it is its
// authority's mistake, and no reason to stay out.
func domainRelays(d *abe.Domain, warn func(*cli.Error)) (out []ma.Multiaddr) {
	for _, r := range d.Relays() {
		all, err := addresses("relay", []string{r})
		for _, m := range all {
			if err == nil {
				err = node.CheckBootstrap(m)
			}
		}
		if err != nil {
			warn(cli.Fail("domain-relay", "the key names a relay that is of no use: %s", cli.Clean(r)).
				Hint("tell whoever runs %s: kms domain", cli.Clean(d.Name())).Because(err))
			continue
		}
		out = append(out, all...)
	}
	return out
}

// beginAt is where we begin: what was given, or is remembered, and the domain's
// relays. Those are not remembered: they come with the key.
func (p *plan) beginAt() []ma.Multiaddr { return append(slices.Clone(p.bootstrap), p.relays...) }

// relayLines are a domain's relays, as coterie key shows them.
func relayLines(d *abe.Domain) string {
	var b strings.Builder
	for _, r := range d.Relays() {
		fmt.Fprintf(&b, "relay       %s\n", cli.Clean(r))
	}
	return b.String()
}
