package chat

import (
	"errors"
	"fmt"
	"slices"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
	"coterie/node"
)

// bootstrapRefused says who refused us, if somebody did, or which name does not lead
// to a peer; nil: neither.
func bootstrapRefused(e node.BootstrapFailed) *cli.Error {
	if i := slices.IndexFunc(e.Errors, func(err error) bool { return errors.Is(err, node.ErrNoSuchName) }); i >= 0 &&
		ofOneName(e) {
		return cli.Fail("bootstrap-name", "there is no name %s", cli.Clean(nameIn(e.Addresses[i]))).
			Hint("is it spelled right? on some networks names are known only after a login page; it is tried again")
	}
	if i := slices.IndexFunc(e.Errors, func(err error) bool { return errors.Is(err, node.ErrNeedsPeer) }); i >= 0 &&
		ofOneName(e) {
		name := cli.Clean(nameIn(e.Addresses[i]))
		return cli.Fail("bootstrap-needs-peer", "%s has no record that says which peer is there", name).
			Hint("put /p2p/PEER behind it; or whoever runs it adds a TXT record: _dnsaddr.%s", name)
	}
	for i, err := range e.Errors {
		if !errors.Is(err, node.ErrRefused) {
			continue
		}
		f := cli.Fail("bootstrap-refused", "%s refused the connection", cli.Clean(e.Addresses[i].String())).
			Hint("it is full, or has as many connections as it takes from your network; it is tried again").
			Hint("another address helps, or whoever runs it: coterie relay --per-address N")
		for j, a := range e.Addresses {
			if j != i && e.Errors[j] != nil {
				f.Detail(fmt.Sprintf("%s   %s", cli.Clean(a.String()), why(e.Errors[j])))
			}
		}
		return f
	}
	return nil
}

// ofOneName reports whether all addresses are of one name: what was typed is one thing.
func ofOneName(e node.BootstrapFailed) bool {
	for _, a := range e.Addresses {
		if !node.IsName(a) || nameIn(a) != nameIn(e.Addresses[0]) {
			return false
		}
	}
	return true
}

func why(err error) string {
	text, _ := Dialled(err)
	return text
}

func nameIn(a ma.Multiaddr) string { return a[0].Value() }
