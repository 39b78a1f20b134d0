package node

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/room"
)

// TestNearbyAddresses: whatever somebody on the local network names, what is on
// no network of ours, on this machine or behind a relay is not dialled.
func TestNearbyAddresses(t *testing.T) {
	_, link, err := net.ParseCIDR("10.1.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	_, local, _ := net.ParseCIDR("127.0.0.0/8")
	for a, want := range map[string]bool{
		"/ip4/10.1.2.3/tcp/4001":         true,
		"/ip4/10.1.2.3/udp/4001/quic-v1": true,
		"/ip4/10.1.3.3/tcp/4001":         false,
		"/ip4/84.2.1.9/tcp/4001":         false,
		"/ip4/127.0.0.1/tcp/22":          false,
		"/dns4/example.org/tcp/4001":     false,
		"/ip4/10.1.2.3/udp/53":           false,
		"/ip4/10.1.2.3/tcp/80/ws":        false,
		"/ip4/10.1.2.3/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit": false,
	} {
		if got := onLink(ma.StringCast(a), []*net.IPNet{link, local}); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}

// TestNearbyBounds: of a thousand peers that are found at once, few are tried, and
// none again for a while; nothing is remembered without bounds.
func TestNearbyBounds(t *testing.T) {
	l := nearby{found: make(map[peer.ID]time.Time), slots: make(map[peer.ID]bool), on: true}
	now := time.Now()
	var tried []peer.ID
	for i := range 1000 {
		if p := peer.ID(rune('a' + i)); l.mayTry(p, now) {
			tried = append(tried, p)
		}
	}
	if len(tried) != maxNearby {
		t.Errorf("%d are tried at once", len(tried))
	}
	for _, p := range tried {
		l.free(p)
	}
	if l.mayTry(tried[0], now.Add(nearbyAgain-1)) || !l.mayTry(tried[0], now.Add(nearbyAgain)) {
		t.Error("it is tried again at once, or never")
	}
	for i := range 3000 {
		if p := peer.ID(rune('a' + 2000 + i)); l.mayTry(p, now) {
			l.free(p)
		}
	}
	if len(l.found) > maxFound {
		t.Errorf("%d are remembered", len(l.found))
	}
}

// TestNearbyStrangers: who is found on the local network and is of no use is hung
// up on; who is in the room is kept.
func TestNearbyStrangers(t *testing.T) {
	virtual(t, func(s *sim) {
		ann, bob := s.add(), s.add()
		s.room = &room.Descriptor{Name: "another", Policy: s.room.Policy}
		stranger := s.add()
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		l := &nearby{n: ann.Node, ctx: ctx}
		for _, test := range []struct {
			who  *simMember
			want network.Connectedness
		}{{stranger, network.NotConnected}, {bob, network.Connected}} {
			found := make(chan struct{})
			go func() {
				l.try(*host.InfoFromHost(test.who.host))
				close(found)
			}()
			time.Sleep(nearbyTrial / 2)
			if got := ann.host.Network().Connectedness(test.who.host.ID()); got != network.Connected {
				t.Fatalf("%s is not dialled: the test shows nothing", test.who.name)
			}
			<-found
			if got := ann.host.Network().Connectedness(test.who.host.ID()); got != test.want {
				t.Errorf("%s: %v, want %v", test.who.name, got, test.want)
			}
		}
	})
}

// TestNearbyLoopback: who listens on this machine alone does not look around.
func TestNearbyLoopback(t *testing.T) {
	a := start(t, "ann", Config{Room: descriptor(t, "ONE"), Key: issue(t, "ONE"), MDNS: true})
	if a.listensBeyond() || a.Status().MDNS {
		t.Error("it looks around")
	}
}
