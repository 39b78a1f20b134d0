package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	udpLook   = 2 * time.Second // for somebody to try UDP with
	udpTime   = 5 * time.Second // for one to answer
	udpAgain  = 5 * time.Minute // the same one
	udpAtOnce = 3               // different ones
)

// udp is whether UDP gets out of this network. Some networks let TCP out alone;
// libp2p then uses it without a word. So where a peer answers over TCP, its QUIC
// address on the same host is dialled too, as long as no QUIC connection has ever
// been there: that it is silent tells no more than that UDP is blocked somewhere
// between here and there, but of several one would answer.
type udp struct {
	worked  atomic.Bool // there was a QUIC connection, in either direction
	blocked atomic.Bool // as long as it has not
}

// Connected and the like are those of network.Notifiee.
func (u *udp) Connected(_ network.Network, c network.Conn) {
	if transportOf(c.RemoteMultiaddr()) == "quic" && !isRelayed(c) {
		u.works()
	}
}
func (*udp) Disconnected(network.Network, network.Conn) {}
func (*udp) Listen(network.Network, ma.Multiaddr)       {}
func (*udp) ListenClose(network.Network, ma.Multiaddr)  {}

func (u *udp) works() { u.worked.Store(true) }

// A quicDialler is what dials one address, whatever connections there are. It is
// part of libp2p's swarm.
type quicDialler interface {
	TransportForDialing(ma.Multiaddr) transport.Transport
}

// watchUDP tries UDP until it works.
func (n *Node) watchUDP(ctx context.Context) {
	dialler, ok := n.host.Network().(quicDialler)
	if !ok {
		return
	}
	n.host.Network().Notify(&n.udp)
	defer n.host.Network().StopNotify(&n.udp)
	for _, c := range n.host.Network().Conns() {
		n.udp.Connected(n.host.Network(), c) // it was there before
	}
	tried := make(map[peer.ID]time.Time)
	tick := time.NewTicker(udpLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		silent := 0
		for _, p := range n.host.Network().Peers() {
			if n.udp.worked.Load() {
				return
			}
			at, was := tried[p]
			if was && time.Since(at) < udpAgain {
				silent++
				continue
			}
			if a := n.quicBeside(p); a != nil && silent < udpAtOnce {
				tried[p] = time.Now()
				if answers(ctx, dialler, a, p) {
					n.udp.works()
					return
				}
				silent++
			}
		}
		n.udp.blocked.Store(silent > 0 && ctx.Err() == nil)
	}
}

// quicBeside is a QUIC address of a peer on the host at which it answers over
// TCP; nil for none.
func (n *Node) quicBeside(p peer.ID) ma.Multiaddr {
	for _, c := range n.host.Network().ConnsToPeer(p) {
		if c.Stat().Direction != network.DirOutbound || isRelayed(c) || transportOf(c.RemoteMultiaddr()) != "tcp" {
			continue
		}
		at := c.RemoteMultiaddr()[0]
		for _, a := range n.host.Peerstore().Addrs(p) {
			if transportOf(a) == "quic" && a[0].Equal(&at) && relayOf(a) == "" {
				return a
			}
		}
	}
	return nil
}

// answers reports whether a peer answers at an address.
func answers(ctx context.Context, d quicDialler, a ma.Multiaddr, p peer.ID) bool {
	t := d.TransportForDialing(a)
	if t == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, udpTime)
	defer cancel()
	c, err := t.Dial(ctx, a, p)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
