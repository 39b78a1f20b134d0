package node

import (
	"context"
	"fmt"
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
	l := nearby{found: make(map[peer.ID]time.Time), slots: make(map[peer.ID]bool), on: true, again: nearbyAgain}
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
	l.failed(tried[1]) // it was not reached
	if l.mayTry(tried[1], now.Add(nearbyRetry-1)) || !l.mayTry(tried[1], now.Add(nearbyRetry)) {
		t.Error("who was not reached is tried again at another time")
	}
	l.free(tried[1])
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
		l := &nearby{n: ann.Node, ctx: ctx, direct: true}
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

// lan is a network without a way out.
func (w *internet) lan(what string) string {
	w.t.Helper()
	ns := w.space(what)
	w.in(ns, "link add br0 type bridge mcast_snooping 0")
	w.in(ns, "link set br0 up")
	return ns
}

// TestNearbyFollows: members on one network find each other without an address, also
// if one comes onto it later, and when they have gone to another together.
func TestNearbyFollows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(w *internet, ann, bob string, start func(string, string) *player){
		"an interface that comes later": func(w *internet, ann, bob string, start func(string, string) *player) {
			a := start("ann", ann)
			w.plug(w.lan("x"), ann, "eth0", "192.168.50.10/24", "")
			b := start("bob", bob)
			a.await(w.t, "alone")
			b.await(w.t, "alone")
			began := time.Now()
			w.plug(w.name("x"), bob, "eth0", "192.168.50.11/24", "")
			a.together(2)
			w.t.Log("together after", time.Since(began).Round(10*time.Millisecond))
		},
		"another network": func(w *internet, ann, bob string, start func(string, string) *player) {
			w.plug(w.lan("x"), ann, "eth0", "192.168.50.10/24", "")
			w.plug(w.name("x"), bob, "eth0", "192.168.50.11/24", "")
			a, b := start("ann", ann), start("bob", bob)
			w.t.Log("together", a.together(2))
			b.together(2)
			y := w.lan("y")
			for i, ns := range []string{ann, bob} {
				w.in(ns, "link del eth0")
				w.plug(y, ns, "eth0", fmt.Sprintf("192.168.60.%d/24", 20+i), "")
			}
			began := time.Now()
			a.tell("say from the other network")
			b.await(w.t, "heard from the other network")
			w.t.Log("heard after", time.Since(began).Round(10*time.Millisecond))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newInternet(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			test(w, w.space("ann"), w.space("bob"), func(name, ns string) *player {
				return w.play(ctx, ns, part{Name: name, MDNS: true})
			})
		})
	}
}

// TestNearbyQuestions: who is alone asks soon, and then ever more rarely; who has some
// company seldom, who has enough never; and who has lost it at once.
func TestNearbyQuestions(t *testing.T) {
	var q questions
	now := time.Now()
	asked := func(company int, d time.Duration) (n int) {
		for end := now.Add(d); now.Before(end); now = now.Add(linksLook) {
			if q.due(now, company) {
				n++
			}
		}
		return n
	}
	if n := asked(0, 10*time.Minute); n < 10 || n > 20 {
		t.Errorf("alone %d times in ten minutes", n)
	}
	if n := asked(3, time.Hour); n < 2 || n > 9 {
		t.Errorf("in company %d times in an hour", n)
	}
	if n := asked(wantPeers, time.Hour); n != 0 {
		t.Errorf("in enough company %d times", n)
	}
	if n := asked(0, 10*time.Second); n < 2 {
		t.Errorf("alone again %d times in ten seconds", n)
	}
	q = questions{}
	if n := asked(wantPeers, time.Minute); n != 1 {
		t.Errorf("on another network %d times, with enough company", n)
	}
}

// TestNearbyEnough: who has enough company dials no more members that it finds; but others,
// who may be another part of the room.
func TestNearbyEnough(t *testing.T) {
	if raceDetector {
		t.Skip("it takes minutes on one processor under the race detector")
	}
	virtual(t, func(s *sim) {
		s.formed(40)
		for _, m := range s.members {
			m.begin()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		ann := s.members[0]
		l := &nearby{}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		l.begin(ctx, ann.Node, nearbyAgain, true)
		tried := 0
		for _, m := range append(s.members[1:], s.make()) {
			if len(ann.host.Network().ConnsToPeer(m.Self())) > 0 {
				continue
			}
			go l.try(peer.AddrInfo{ID: m.Self(), Addrs: m.host.Addrs()})
			time.Sleep(time.Second)
			fellow := m.begun
			if connected := len(ann.host.Network().ConnsToPeer(m.Self())) > 0; connected == fellow {
				t.Errorf("%s, a member: %v, is connected: %v", m.name, fellow, connected)
			}
			tried++
		}
		if tried < 5 {
			t.Errorf("%d others were found: the test shows nothing", tried)
		}
		cancel()
		time.Sleep(nearbyTrial)
	})
}
