package node

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gate makes a resource manager, and keeps what it refuses.
func gate(t *testing.T, l Limits) (*places, *[]Refusal) {
	t.Helper()
	var told []Refusal
	m, err := newManager(l.withDefaults(), func(r Refusal) { told = append(told, r) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, &told
}

// knock opens a connection as the library does for one that comes in, handshake
// and all.
func knock(t *testing.T, m *places, from string, port int) (network.ConnManagementScope, error) {
	t.Helper()
	s, err := m.OpenConnection(network.DirInbound, strings.Contains(from, "tcp"), ma.StringCast(fmt.Sprintf(from, port)))
	if err != nil {
		return nil, err
	}
	return s, s.SetPeer(peer.ID(fmt.Sprint("peer ", from, port)))
}

// TestCampusGetsIn: three hundred people behind one address get in where a relay
// has the memory of the smallest machines, each over TCP or QUIC, and a second time
// when all come back at once; and on a peer, whom they all dial.
func TestCampusGetsIn(t *testing.T) {
	for name, l := range map[string]Limits{"relay": LimitsFor(256 << 20), "peer": Limits{}.withDefaults()} {
		for _, from := range []string{"/ip4/192.0.2.7/tcp/%d", "/ip4/192.0.2.7/udp/%d/quic-v1",
			"/ip6/2001:db8:1:2::7/tcp/%d"} {
			m, told := gate(t, l)
			for range 2 {
				var all []network.ConnManagementScope
				for i := range 300 {
					c, err := knock(t, m, from, 1024+i)
					if err != nil {
						t.Fatalf("%s, %s: number %d: %v %v", name, from, i, err, *told)
					}
					all = append(all, c)
				}
				if m.taken() != 300 {
					t.Errorf("%d places are taken", m.taken())
				}
				for _, c := range all {
					c.Done()
					c.Done() // as the library may
				}
				if m.taken() != 0 || len(m.of) != 0 {
					t.Errorf("%d places stay taken, of %v", m.taken(), m.of)
				}
			}
		}
	}
}

// TestPlacesAreShared: one address that takes all it can has half; two more leave
// the last quarter for those with few; and each who is refused is told of, with the
// reason.
func TestPlacesAreShared(t *testing.T) {
	m, told := gate(t, Limits{Connections: 256})
	fill := func(from string) int {
		for i := range 300 {
			if _, err := knock(t, m, from, 1024+i); err != nil {
				if !errors.Is(err, errNoPlace) {
					t.Fatal(err)
				}
				return i
			}
		}
		return 300
	}
	if n := fill("/ip4/192.0.2.1/tcp/%d"); n != 128 {
		t.Errorf("one address has %d of 256 places", n)
	}
	if n := fill("/ip6/2001:db8:1:1::1/tcp/%d"); n != 64 {
		t.Errorf("a second one has %d", n)
	}
	if n := fill("/ip6/2001:db8:1:ffff::1/tcp/%d"); n != 0 {
		t.Errorf("the same site has %d more", n)
	}
	for i := range 4 {
		if n := fill(fmt.Sprintf("/ip4/192.0.2.%d", 10+i) + "/tcp/%d"); n != fewPlaces {
			t.Errorf("one of the rest has %d", n)
		}
	}
	if n := fill("/ip4/192.0.2.99/tcp/%d"); n != 0 {
		t.Errorf("%d more than all", n)
	}
	want := []string{
		"192.0.2.1: its address has all 128 connections that one may have",
		"2001:db8:1:1::1: 192 of 256 connections are taken, and the rest is for addresses with fewer than 16",
		"2001:db8:1:ffff::1: 192 of 256 connections are taken, and the rest is for addresses with fewer than 16",
		"192.0.2.10: 208 of 256 connections are taken, and the rest is for addresses with fewer than 16",
	}
	for i, w := range want {
		if r := (*told)[i]; r.What != "connection" || r.From+": "+r.Why != w {
			t.Errorf("refusal %d is %+v", i, r)
		}
	}
	if last := (*told)[len(*told)-1]; last.Why != "all 256 connections are taken" {
		t.Errorf("the last refusal is %+v", last)
	}
}

// TestPlacesOfThisComputer: who is here, such as a proxy in front of a relay, has
// no share and no rate.
func TestPlacesOfThisComputer(t *testing.T) {
	m, _ := gate(t, Limits{Connections: 128, PerAddress: 4})
	for i := range 128 {
		if _, err := knock(t, m, "/ip4/127.0.0.1/tcp/%d/ws", 1024+i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := knock(t, m, "/ip4/127.0.0.1/tcp/%d", 1); err == nil {
		t.Error("there is no bound at all")
	}
}

// TestPlacesThroughRelay: whoever comes through one relay has a share of its own,
// not that of all who are on the relay's address.
func TestPlacesThroughRelay(t *testing.T) {
	m, told := gate(t, Limits{Connections: 128, PerAddress: 32})
	via := "/ip4/127.0.0.1/tcp/%d/p2p/" + fakePeer(t).String() + "/p2p-circuit"
	n := 0
	for ; n < 128; n++ {
		if _, err := knock(t, m, via, 1024+n); err != nil {
			break
		}
	}
	if n != 32 {
		t.Errorf("%d through one relay", n)
	}
	if len(*told) != 1 || !strings.HasPrefix((*told)[0].From, "the relay ") {
		t.Errorf("told %v", *told)
	}
	if _, err := knock(t, m, "/ip4/127.0.0.1/tcp/%d", 1); err != nil {
		t.Error("the relay's own address has no place left: ", err)
	}
}

// TestPlacesPace: an address that connects again and again has to wait, and nobody
// else has.
func TestPlacesPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, told := gate(t, Limits{Connections: 128, PerAddress: 30})
		defer m.Close()
		try := func(from string) bool {
			c, err := knock(t, m, from, 1024)
			if err == nil {
				c.Done()
			}
			return err == nil
		}
		n := 0
		for ; n < 1000 && try("/ip4/192.0.2.1/tcp/%d"); n++ {
		}
		if n != 60 {
			t.Errorf("%d times at once", n)
		}
		if why := (*told)[0].Why; why != "its address connects too often" {
			t.Errorf("it was told %q", why)
		}
		if !try("/ip4/192.0.2.2/tcp/%d") {
			t.Error("another address has to wait")
		}
		time.Sleep(time.Minute)
		for n = 0; n < 1000 && try("/ip4/192.0.2.1/tcp/%d"); n++ {
		}
		if n < 29 || n > 31 {
			t.Errorf("%d times a minute later", n)
		}
		for i := range 2 * maxPaces {
			try(fmt.Sprintf("/ip6/2001:%x::1", i) + "/tcp/%d")
		}
		if len(m.paces.of) > maxPaces {
			t.Errorf("the rates of %d addresses are remembered", len(m.paces.of))
		}
	})
}

// TestPlacesUnverified: where many are on their way in over QUIC, the next ones
// show first that they are where they say.
func TestPlacesUnverified(t *testing.T) {
	m, _ := gate(t, Limits{Connections: 1024})
	stranger := func(i int) net.Addr { return &net.UDPAddr{IP: net.IPv4(198, 51, byte(i>>8), byte(i)), Port: 4001} }
	if m.VerifySourceAddress(stranger(0)) {
		t.Error("the first one has to show it")
	}
	for i := range 64 { // each from another address, and none finishes
		if _, err := m.OpenConnection(network.DirInbound, false,
			ma.StringCast(fmt.Sprintf("/ip4/203.0.113.%d/udp/4001/quic-v1", i))); err != nil {
			t.Fatal(err)
		}
	}
	if !m.VerifySourceAddress(stranger(1)) {
		t.Error("with 64 on their way in, the next one need not show it")
	}
}

// TestPlacesOneKey: one peer cannot have more than a few connections, whatever its
// addresses; that is said, too.
func TestPlacesOneKey(t *testing.T) {
	m, told := gate(t, Limits{Connections: 128})
	n := 0
	for ; n < 128; n++ {
		c, err := m.OpenConnection(network.DirInbound, true, ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/4001", n)))
		if err != nil {
			t.Fatal(err)
		}
		if c.SetPeer("one") != nil {
			break
		}
	}
	if n != 8 || len(*told) != 1 || (*told)[0].Why != "this peer has as many as one may have" {
		t.Errorf("%d connections, told %v", n, *told)
	}
}

// TestLimits: what is left out follows from the rest, and nothing is below what a
// few people need or above what can be meant.
func TestLimits(t *testing.T) {
	for _, test := range []struct{ in, want Limits }{
		{LimitsFor(1 << 30), Limits{1 << 30, 4096, 2048, 16384}},
		{LimitsFor(1 << 20), Limits{1 << 20, 64, 32, 256}},
		{LimitsFor(1 << 60), Limits{1 << 60, 65536, 32768, 262144}},
		{Limits{}.withDefaults(), Limits{192 << 20, 768, 384, 3072}},
		{Limits{Connections: 10}.withDefaults(), Limits{192 << 20, 10, 5, 40}},
		{Limits{Connections: 1}.withDefaults(), Limits{192 << 20, 1, 1, 4}},
		{Limits{Memory: 1 << 30, Connections: 100, PerAddress: 1000, Circuits: 7}.withDefaults(), Limits{1 << 30, 100, 100,
			7}},
	} {
		if test.in != test.want {
			t.Errorf("%+v, want %+v", test.in, test.want)
		}
	}
	if n := Files(); n < 0 {
		t.Errorf("%d files", n)
	}
}
