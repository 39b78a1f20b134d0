package chat

import (
	"coterie/cmd/internal/cli"
	"coterie/node"
)

// dialled says of each trouble what happened, and what to do. Those without a text have it in
// the error.
var dialled = map[node.Trouble]struct{ text, hint string }{
	node.BadName: {"", "is the name spelled right? on some networks names are known only after a login page"},
	node.BadForm: {"this kind of address cannot be dialled",
		"HOST:PORT will do, or /ip4/HOST/tcp/PORT/p2p/PEER"},
	node.BadPort: {"connection refused: nobody listens on that port",
		"is a peer running there, and is the port right?"},
	node.Silence: {"no answer",
		"is it running? a firewall may be in between, or a network that lets out few ports; 443 most often gets out"},
	node.NoNetwork: {"there is no way there from this network", "is the network up?"},
	node.Portal: {"something answers that is no peer",
		"a login page perhaps: open a web page first; or another program has that port"},
	node.BadClock: {"this computer's clock and theirs are more than an hour apart",
		"set the clock of whichever is wrong; certificates are valid by the clock"},
	node.BadProtocol: {"it answers, and has no protocol in common with coterie", "is it a coterie peer?"},
	node.BadIdentity: {"another peer answers there", "get a fresh link, or leave out /p2p/... on your own network"},
	node.TurnedAway: {"",
		"it may be full, or have as many connections as it takes from your network; another address helps"},
}

// Dialled says why an address could not be dialled, and what to do.
func Dialled(err error) (text, hint string) {
	d := dialled[node.TroubleIn(err)]
	if d.text == "" {
		d.text = cli.Clean(LastLine(err))
	}
	if d.hint == "" {
		d.hint = "is a peer running there, and is the port right?"
	}
	return d.text, d.hint
}

func isClock(err error) bool { return err != nil && node.TroubleIn(err) == node.BadClock }
