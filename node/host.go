package node

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"coterie/room/record"
)

// ErrPortTaken is returned when another program listens on an address.
var ErrPortTaken = errors.New("the address is in use")

// A ListenError says which address cannot be listened on.
type ListenError struct {
	Addresses []ma.Multiaddr
	Err       error // ErrPortTaken, or what the system says
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("listening on %v: %v", e.Addresses, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// anywhere is a port on every interface.
var anywhere = []string{
	"/ip4/0.0.0.0/tcp/%d", "/ip6/::/tcp/%d",
	"/ip4/0.0.0.0/udp/%d/quic-v1", "/ip6/::/udp/%d/quic-v1",
}

// usualPort is the port that a peer takes where it is free, so that addresses others remember, and
// what a router forwards, stay right from start to start. Systems give ports below 32768 to nobody
// who did not ask for one. It is drawn from the secret key, so that it shows nothing of others.
func usualPort(identity ed25519.PrivateKey) int {
	const first, beyond = 20000, 32768
	h := sha256.Sum256(append([]byte("coterie usual port"), identity.Seed()...))
	return first + int(binary.BigEndian.Uint32(h[:]))%(beyond-first)
}

// newHost makes a libp2p host over TCP, QUIC and WebSocket, with a peer's limits.
// It dials through relays and can be dialled through them.
func newHost(identity ed25519.PrivateKey, listen []ma.Multiaddr, more ...libp2p.Option) (host.Host, error) {
	m, err := newManager(Limits{}.withDefaults(), nil)
	if err != nil {
		return nil, err
	}
	return newHostWith(m, new(gater), identity, listen, more...)
}

// makeHost makes a host of the node's own.
func (n *Node) makeHost() error {
	m, err := newManager(Limits{}.withDefaults(), nil)
	if err != nil {
		return err
	}
	opts := []libp2p.Option{
		libp2p.BandwidthReporter(&n.traffic), withMetrics(n.cfg.Metrics),
		libp2p.AddrsFactory(func(own []ma.Multiaddr) []ma.Multiaddr { return slices.Concat(own, n.via()) }),
	}
	if n.cfg.MapPorts && (n.cfg.Listen == nil || slices.ContainsFunc(n.cfg.Listen, beyond)) {
		opts = append(opts, libp2p.NATPortMap())
	}
	n.gate = new(gater)
	if n.host, err = newHostWith(m, n.gate, n.cfg.Identity, n.cfg.Listen, opts...); err != nil {
		return err
	}
	n.gate.guard(n.host)
	n.ownsHost = true
	return nil
}

// newHostWith makes a host that takes what a manager lets it, and dials what a gater
// does; with more options it can be a relay.
func newHostWith(
	m *places, g *gater, identity ed25519.PrivateKey, listen []ma.Multiaddr, more ...libp2p.Option,
) (host.Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(identity)
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	g.self = self
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ConnectionGater(g),
		libp2p.ResourceManager(m),
		// Noise comes first: certificates of TLS have times, and a computer whose clock is
		// an hour off would find nobody, and not be told why.
		libp2p.Security(noise.ID, noise.New),
		libp2p.Security(tls.ID, tls.New),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(quic.NewTransport),
		// For relays on a port that portals and proxies let through.
		libp2p.Transport(websocket.New),
		libp2p.SwarmOpts(swarm.WithDialRanker(quicFirst)),
		libp2p.UserAgent("coterie/2"),
		libp2p.EnableRelay(),
		libp2p.DisableMetrics(),
		libp2p.NoListenAddrs,
	}
	h, err := libp2p.New(append(opts, more...)...)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("starting the network: %w", err)
	}
	if err := listenOn(h, identity, listen); err != nil {
		return nil, err
	}
	return h, nil
}

// tcpDelay is how much later than over QUIC a peer is dialled over TCP. The library has 30 ms on
// a local network: where many begin at once that is too little for a handshake, both come about,
// and both stay.
const tcpDelay = 500 * time.Millisecond

// quicFirst is in which order, and when, the addresses of a peer are dialled.
func quicFirst(addrs []ma.Multiaddr) []network.AddrDelay {
	ranked := swarm.DefaultDialRanker(addrs)
	over := func(transport string) func(network.AddrDelay) bool {
		return func(a network.AddrDelay) bool { return transportOf(a.Addr) == transport && relayOf(a.Addr) == "" }
	}
	if slices.ContainsFunc(ranked, over("quic")) {
		for i, a := range ranked {
			if over("tcp")(a) {
				ranked[i].Delay = max(a.Delay, tcpDelay)
			}
		}
	}
	return ranked
}

// listenOn has a host listen; nil: anywhere. It closes a host that cannot.
func listenOn(h host.Host, identity ed25519.PrivateKey, listen []ma.Multiaddr) error {
	if listen == nil {
		return listenAnywhere(h, usualPort(identity))
	}
	// Each address on its own: libp2p is content if one of many works, and the
	// user is not.
	for _, a := range listen {
		err := probe(a)
		if err == nil {
			err = h.Network().Listen(a)
		}
		if err != nil {
			h.Close()
			if errors.Is(err, syscall.EADDRINUSE) {
				err = ErrPortTaken
			}
			return &ListenError{Addresses: []ma.Multiaddr{a}, Err: err}
		}
	}
	return nil
}

// probe tries a TCP address without SO_REUSEPORT, which libp2p sets, and with
// which a second program would share the port instead of being told.
func probe(a ma.Multiaddr) error {
	network, address, err := manet.DialArgs(a)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return nil // not one of these; libp2p will say what is wrong with it
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	return l.Close()
}

// listenAnywhere has a host listen on every interface, on a port or where that is taken on any
// other. It closes a host that cannot.
func listenAnywhere(h host.Host, port int) error {
	var failed error
	var all []ma.Multiaddr
	listens := false
	for _, s := range anywhere {
		usual, free := ma.StringCast(fmt.Sprintf(s, port)), ma.StringCast(fmt.Sprintf(s, 0))
		err := probe(usual)
		if err == nil {
			err = h.Network().Listen(usual)
		}
		if err != nil {
			err = h.Network().Listen(free)
		}
		if all = append(all, free); err != nil {
			failed = err
		}
		listens = listens || err == nil
	}
	if listens { // a machine without IPv6 is no reason to stop
		return nil
	}
	h.Close()
	return &ListenError{Addresses: all, Err: failed}
}

// What goes into a presence.
const (
	maxPublic = 4 // of them of the internet
	maxVia    = 2 // .. and through relays
)

// addresses are the node's, as they go into presences: those that reach furthest
// first, as far as there is room. Those of this computer are of use to who is on it,
// and has no others.
func (n *Node) addresses() [][]byte {
	var public, via, near, here []ma.Multiaddr
	for _, a := range n.reachable() {
		switch {
		case relayOf(a) != "":
			via = append(via, a)
		case manet.IsIPLoopback(a):
			here = append(here, a)
		case manet.IsPublicAddr(a):
			public = append(public, a)
		default:
			near = append(near, a)
		}
	}
	some, more := public[:min(len(public), maxPublic)], public[min(len(public), maxPublic):]
	few, rest := via[:min(len(via), maxVia)], via[min(len(via), maxVia):]
	if len(public)+len(near) > 0 {
		here = nil
	}
	var out [][]byte
	for _, a := range slices.Concat(some, few, near, more, rest, here) {
		if b := a.Bytes(); len(b) <= record.MaxAddressSize && len(out) < record.MaxAddresses {
			out = append(out, b)
		}
	}
	return out
}

// announce tells the room where the node can be reached.
func (n *Node) announce() {
	now := n.addresses()
	n.do(func() { n.room.SetAddresses(n.now(), now) })
}

// watchAddresses tells the room when the host's addresses change.
func (n *Node) watchAddresses(ctx context.Context) {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("coterie"))
	if err != nil {
		return
	}
	defer sub.Close()
	n.announce()
	for {
		select {
		case _, ok := <-sub.Out():
			if !ok {
				return
			}
			n.announce()
		case <-ctx.Done():
			return
		}
	}
}
