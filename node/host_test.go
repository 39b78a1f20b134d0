package node

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
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

// slowToTake holds up a host that takes a connection: those that come meanwhile
// stand, and wait.
type slowToTake struct {
	swarm.MetricsTracer
	goOn chan struct{}
}

func (s slowToTake) OpenedConnection(network.Direction, crypto.PubKey, network.ConnectionState, ma.Multiaddr) {
	<-s.goOn
}

func (slowToTake) ClosedConnection(network.Direction, time.Duration, network.ConnectionState, ma.Multiaddr) {
}

// inbound is how many connections from others count with a host's resource manager.
func inbound(t *testing.T, h host.Host) (n int) {
	t.Helper()
	err := h.Network().ResourceManager().ViewSystem(func(s network.ResourceScope) error {
		n = s.Stat().NumConnsInbound
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEndedConnectionsDoNotCount: a connection that ended counts no more, however
// early that was, or else the resource manager would in time let nobody in.
func TestEndedConnectionsDoNotCount(t *testing.T) {
	const each = 8 // fewer than those for which libp2p stops to listen
	identity, goOn := drawIdentity(t), make(chan struct{})
	h, err := newHost(identity, []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
		libp2p.SwarmOpts(swarm.WithMetricsTracer(slowToTake{goOn: goOn})))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	taken := sync.OnceFunc(func() { close(goOn) })
	defer taken() // before the host closes, which waits for it
	addr := h.Addrs()[0]
	other, self := bareTCP(t, drawIdentity(t)), bareTCP(t, identity)
	for range each {
		// No handshake; and refused, since it has the host's own name.
		c, err := manet.Dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("hello"))
		c.Close()
		if c, err := self.Dial(t.Context(), addr, h.ID()); err == nil {
			c.Close()
		}
	}
	// These stand, and wait to be taken: all but the first.
	var standing []io.Closer
	for range each {
		c, err := other.Dial(t.Context(), addr, h.ID())
		if err != nil {
			t.Fatal(err)
		}
		standing = append(standing, c)
	}
	await := func(n int) {
		t.Helper()
		for end := time.Now().Add(patience); inbound(t, h) != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d connections count, and not %d", inbound(t, h), n)
			}
		}
	}
	await(each) // the host's side of the handshake may end later than the other's
	for _, c := range standing {
		c.Close()
	}
	time.Sleep(100 * time.Millisecond) // for the host to see that they are closed
	taken()
	await(0)
}

// TestUsualPort: a peer has the same port from start to start, over TCP and UDP, and another where
// a program has that one.
func TestUsualPort(t *testing.T) {
	identity := drawIdentity(t)
	ports := func() (out []string) {
		h, err := newHost(identity, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		for _, a := range h.Network().ListenAddresses() {
			if _, err := a.ValueForProtocol(ma.P_IP4); err != nil {
				continue
			}
			_, port, err := manet.DialArgs(a)
			if err != nil {
				t.Fatal(err)
			}
			_, port, err = net.SplitHostPort(port)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, port)
		}
		return out
	}
	usual := strconv.Itoa(usualPort(identity))
	first := ports()
	if len(first) != 2 || first[0] != usual || first[1] != usual {
		t.Errorf("listens on %q, want %s", first, usual)
	}
	for _, p := range ports() { // the first has them
		if p == usual {
			t.Error("two have one port")
		}
	}
}
