package node

import (
	"fmt"
	"net"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"
)

// deafUDP starts a host that can be reached over TCP and says that it listens on
// a UDP port on which nothing ever answers, as behind a firewall.
func deafUDP(t *testing.T) host.Host {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	deaf := ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", c.LocalAddr().(*net.UDPAddr).Port))
	h, err := libp2p.New(libp2p.ListenAddrs(loopback()...), libp2p.DisableMetrics(),
		libp2p.AddrsFactory(func(a []ma.Multiaddr) []ma.Multiaddr { return append(a, deaf) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// TestUDPBlocked: where TCP answers and UDP does not, it is known; and as soon as
// there was one QUIC connection, no more.
func TestUDPBlocked(t *testing.T) {
	a := join(t, descriptor(t, "ONE"), "ann", issue(t, "ONE"))
	a.connect(t, deafUDP(t))
	a.until(t, "that UDP is blocked", func(st Status) bool { return st.UDPBlocked })
	open, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1"), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	a.connect(t, open)
	a.until(t, "that it is not", func(st Status) bool { return !st.UDPBlocked })
}

// TestUDPWorks: a peer that answers over both is tried over QUIC, and no word is
// said.
func TestUDPWorks(t *testing.T) {
	a := join(t, descriptor(t, "ONE"), "ann", issue(t, "ONE"))
	both, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"),
		libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	for _, addr := range both.Addrs() {
		if transportOf(addr) == "tcp" {
			if _, err := a.dial(t.Context(), addr.Encapsulate(ma.StringCast("/p2p/"+both.ID().String()))); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.until(t, "that UDP works", func(Status) bool { return a.udp.worked.Load() })
	if st := a.Status(); st.UDPBlocked || a.Path(both.ID()).Transport != "tcp" {
		t.Errorf("blocked %v; connected over %s, so that the test shows nothing", st.UDPBlocked, a.Path(both.ID()).Transport)
	}
}
