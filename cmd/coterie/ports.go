package main

import (
	"errors"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

func nodeError(err error) error {
	var l *node.ListenError
	if errors.As(err, &l) && errors.Is(err, node.ErrPortTaken) {
		return cli.Fail("port-taken", "%s is in use by another program", chat.Port(l.Addresses[0])).
			Hint("leave out --listen to get any free port, or stop the other one").Because(err)
	}
	if errors.As(err, &l) {
		return cli.Fail("listen", "cannot listen on %s: %s", l.Addresses[0], cli.Clean(chat.LastLine(l.Err))).
			Hint("leave out --listen to get any free port").Because(err)
	}
	return err
}
