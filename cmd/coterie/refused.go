package main

import (
	"errors"
	"fmt"

	"coterie/cmd/internal/cli"
	"coterie/node"
)

// bootstrapRefused says who refused us, if somebody did; nil: nobody did.
func bootstrapRefused(e node.BootstrapFailed) *cli.Error {
	for i, err := range e.Errors {
		if !errors.Is(err, node.ErrRefused) {
			continue
		}
		f := cli.Fail("bootstrap-refused", "%s refused the connection", cli.Clean(e.Addresses[i].String())).
			Hint("it is full, or has as many connections as it takes from your network; it is tried again").
			Hint("another address helps, or whoever runs it: coterie relay --per-address N")
		for j, a := range e.Addresses {
			if j != i && e.Errors[j] != nil {
				f.Detail(fmt.Sprintf("%s   %s", cli.Clean(a.String()), cli.Clean(lastLine(e.Errors[j]))))
			}
		}
		return f
	}
	return nil
}
