package chat

import (
	"slices"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"coterie/node"
	"coterie/room"
)

// A Reach is from where a link leads to a room.
type Reach string

// The reaches.
const (
	Nowhere      Reach = "none"     // there is no address in it
	OwnComputer  Reach = "computer" // for programs on this computer alone
	OwnNetwork   Reach = "network"  // on this network
	FromAnywhere Reach = "internet"
)

// ReachOf is from where somebody at one of the addresses can be reached.
func ReachOf(addrs []ma.Multiaddr) Reach {
	reach := Nowhere
	for _, a := range addrs {
		switch {
		case node.IsName(a), manet.IsPublicAddr(a):
			return FromAnywhere
		case !manet.IsIPLoopback(a):
			reach = OwnNetwork
		case reach == Nowhere:
			reach = OwnComputer
		}
	}
	return reach
}

// Warning says what a link that does not lead everywhere is good for; empty: it does.
func (r Reach) Warning() string {
	switch r {
	case Nowhere:
		return "There is no address in it: whoever uses it needs --bootstrap, or the same network."
	case OwnComputer:
		return "It works on this computer alone: it has no other address. Joining without --listen gives others."
	case OwnNetwork:
		return "It has private addresses only: it works on your own network. For others, begin at a relay: --bootstrap RELAY."
	}
	return ""
}

// linkReach is that of a link's text.
func linkReach(link string) Reach {
	l, err := room.ParseLink(link)
	if err != nil {
		return FromAnywhere // nothing is known against it
	}
	return ReachOf(l.Addresses)
}

// forLink leaves out the addresses that mean something else on every computer, unless there
// are no others.
func forLink(addrs []ma.Multiaddr) []ma.Multiaddr {
	if beyond := slices.DeleteFunc(slices.Clone(addrs), manet.IsIPLoopback); len(beyond) > 0 {
		return beyond
	}
	return addrs
}
