package chat

import (
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

// TestLinkReach: a link has no addresses that mean another computer to whoever gets it,
// and says how far it leads; a port is named that is this process' own.
func TestLinkReach(t *testing.T) {
	const relay = "/ip4/45.10.1.2/tcp/4001/p2p/12D3KooWPsS2z6NZnZgcpz1pCuwdRtZ2JThBEQmvVcXZ1Y9RPe5A/p2p-circuit"
	for _, test := range []struct {
		what     string
		addrs    []string
		left     int
		reach    Reach
		listens  string
		warnings string
	}{
		{"on this computer alone", []string{"/ip4/127.0.0.1/tcp/7101"}, 1, OwnComputer, "tcp 7101", "this computer alone"},
		{"at home", []string{"/ip4/127.0.0.1/tcp/7101", "/ip6/::1/tcp/7102", "/ip4/192.168.11.10/tcp/7101"}, 1,
			OwnNetwork, "tcp 7101, tcp 7102", "your own network"},
		{"at home, with a place on a relay", []string{"/ip4/127.0.0.1/udp/9/quic-v1", "/ip4/192.168.11.10/udp/9/quic-v1",
			relay}, 2,
			FromAnywhere, "udp 9", ""},
		{"at a relay alone", []string{relay}, 1, FromAnywhere, "on no port: others reach this peer through a relay", ""},
		{"nowhere", nil, 0, Nowhere, "on no port: nobody can dial this peer", "no address"},
	} {
		var addrs []ma.Multiaddr
		for _, a := range test.addrs {
			addrs = append(addrs, ma.StringCast(a))
		}
		left := forLink(addrs)
		if reach := ReachOf(left); len(left) != test.left || reach != test.reach {
			t.Errorf("%s: %v, %s", test.what, left, reach)
		}
		if w := ReachOf(left).Warning(); !strings.Contains(w, test.warnings) || (w == "") != (test.warnings == "") {
			t.Errorf("%s: %q", test.what, w)
		}
		if l := Listening(addrs); l != test.listens {
			t.Errorf("%s: listens %s", test.what, l)
		}
	}
}

// TestAloneText: a relay that answered is not said to be silent.
func TestAloneText(t *testing.T) {
	at := []ma.Multiaddr{ma.StringCast("/ip4/45.10.1.2/tcp/4001")}
	for relays, want := range map[int]string{
		0: "nobody answered yet (8 s). Trying: 45.10.1.2 tcp 4001",
		1: "nobody of the room is at 1 relay that answered (8 s)",
	} {
		if got := aloneText(aloneAfter, relays, at, false); got != want {
			t.Errorf("%d relays: %q", relays, got)
		}
	}
}
