package node

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// A connFrom is a connection from an address.
type connFrom struct {
	network.Conn
	from ma.Multiaddr
}

func (c connFrom) RemoteMultiaddr() ma.Multiaddr { return c.from }

// TestSurveyOwnComputer: a peer that runs on this computer tells nothing of the
// network, whether the survey found it or it found the survey.
func TestSurveyOwnComputer(t *testing.T) {
	own := ""
	for _, l := range linkNets() {
		if ip := l.IP.To4(); ip != nil && !ip.IsLoopback() {
			own = "/ip4/" + ip.String()
		}
	}
	if own == "" {
		t.Skip("this computer has no address but loopback")
	}
	running, stranger := peer.ID("running"), peer.ID("stranger")
	seen := ma.StringCast("/ip4/198.51.100.9/udp/4001/quic-v1")
	for _, test := range []struct {
		what   string
		peer   peer.ID
		from   string
		counts bool
	}{
		{"a peer elsewhere", stranger, "/ip4/192.0.2.7/udp/4001/quic-v1", true},
		{"the room that runs here, by any way", running, "/ip4/192.0.2.7/udp/4001/quic-v1", false},
		{"another program of this computer", stranger, own + "/udp/4001/quic-v1", false},
		{"one that was given on loopback", stranger, "/ip4/127.0.0.1/udp/4001/quic-v1", true},
	} {
		l := &surveyor{cfg: SurveyConfig{Not: []peer.ID{running}}, observed: make(map[string]*Observed)}
		l.observe(event.EvtPeerIdentificationCompleted{
			Peer: test.peer, Conn: connFrom{from: ma.StringCast(test.from)}, ObservedAddr: seen,
		})
		if got := len(l.observed) > 0; got != test.counts {
			t.Errorf("%s counts: %v", test.what, got)
		}
	}
}
