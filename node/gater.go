package node

import (
	"net"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// A gater refuses connections whose other end has our own peer id: whoever copied
// the identity key could otherwise have us answer to our own name. (Two processes
// with one key are told of each other by third peers: PROTOCOL.md §5.)
//
// And it says where may be dialled. Members, and those whom a relay or a record
// names, say by themselves where they are: they could have others knock at any
// door, also at those that only those others can reach. So dialled are addresses of
// the internet, of the networks that this computer is on, and of a private network
// from which, or on which, somebody is connected already. Whom the user named is
// dialled anywhere.
type gater struct {
	self peer.ID

	mu    sync.Mutex
	host  host.Host // nil: anywhere may be dialled
	named map[peer.ID]bool
}

// guard has the gater judge what a host dials.
func (g *gater) guard(h host.Host) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.host, g.named = h, make(map[peer.ID]bool)
}

// name lets a peer be dialled anywhere. Its user has named it.
func (g *gater) name(p peer.ID, is bool) {
	if g == nil {
		return // the host is another's
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if is && g.named != nil {
		g.named[p] = true
	} else {
		delete(g.named, p)
	}
}

// knows reports whether the user has named a peer, or a way through it.
func (g *gater) knows(p peer.ID) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.named[p]
}

func (g *gater) InterceptPeerDial(p peer.ID) bool { return p != g.self }

func (g *gater) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	g.mu.Lock()
	h, named := g.host, g.named[p]
	g.mu.Unlock()
	// Of an address through a relay, that relay's is judged when it is dialled.
	return p != g.self && (h == nil || named || relayOf(a) != "" || mayDial(h.Network(), a))
}

func (*gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (g *gater) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return p != g.self
}

func (g *gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return c.RemotePeer() != g.self, 0
}

// mayDial reports whether an address that others named may be dialled.
func mayDial(own network.Network, a ma.Multiaddr) bool {
	ip, err := manet.ToIP(a)
	if err != nil {
		return false
	}
	if manet.IsPublicAddr(a) {
		return true
	}
	links := linkNets()
	if !ip.IsLoopback() && contains(links, ip) {
		return true
	}
	block := blockOf(ip)
	if block == nil {
		return false
	}
	for _, c := range own.Conns() {
		if isRelayed(c) {
			continue
		}
		at, err := manet.ToIP(c.RemoteMultiaddr())
		if err == nil && block.Contains(at) && (at.IsLoopback() || !contains(links, at)) {
			return true
		}
	}
	return false
}

func contains(nets []*net.IPNet, ip net.IP) bool {
	for _, l := range nets {
		if l.Contains(ip) {
			return true
		}
	}
	return false
}

// blockOf is the private network that an address is in, or this computer; nil for
// none.
func blockOf(ip net.IP) *net.IPNet {
	for _, b := range slices.Concat(manet.Private4, manet.Private6) {
		if b.Contains(ip) {
			return b
		}
	}
	return nil
}
