package node

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	ma "github.com/multiformats/go-multiaddr"
)

// TestNoiseFirst: over TCP no certificate is looked at, and so nobody's clock: who
// is an hour off or more is connected, and can be told.
func TestNoiseFirst(t *testing.T) {
	listen := []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}
	var hosts []host.Host
	for range 2 {
		h, err := newHost(drawIdentity(t), listen)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		hosts = append(hosts, h)
	}
	if err := hosts[0].Connect(t.Context(), peer.AddrInfo{ID: hosts[1].ID(), Addrs: hosts[1].Addrs()}); err != nil {
		t.Fatal(err)
	}
	conns := hosts[0].Network().ConnsToPeer(hosts[1].ID())
	if len(conns) == 0 {
		t.Fatal("no connection")
	}
	for _, c := range conns {
		if s := c.ConnState().Security; s != noise.ID {
			t.Errorf("%v is secured by %s", c.RemoteMultiaddr(), s)
		}
	}
}
