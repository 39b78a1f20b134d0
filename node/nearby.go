package node

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	// nearbyService is what all of coterie is called on a local network: the name
	// tells nothing of a room.
	nearbyService = "_coterie._udp"

	maxNearby      = 16               // peers found that are tried at once
	maxFound       = 512              // that are remembered
	maxNearbyAddrs = 8                // dialled of one peer
	nearbyAgain    = 10 * time.Minute // the same one
	nearbyTrial    = 10 * time.Second // to turn out to be of use
)

// nearby finds peers on the local network. Most may be strangers: who is found is
// dialled, at most so many at a time, and hung up on unless it is in the room, or
// in another of its name.
type nearby struct {
	n      *Node
	ctx    context.Context
	found  map[peer.ID]time.Time // when each was last tried
	slots  map[peer.ID]bool      // those that are tried now
	mu     sync.Mutex
	on     bool
	trials sync.WaitGroup // added to while it is on
}

// status is whether the local network is looked at, and how many peers were found
// there.
func (l *nearby) status() (on bool, found int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.on, len(l.found)
}

// lookNearby looks around on the local network until ctx ends. Who listens on this
// machine alone is not looked for and does not look.
func (n *Node) lookNearby(ctx context.Context) {
	l := &n.nearby
	l.mu.Lock()
	l.n, l.ctx = n, ctx
	l.found, l.slots = make(map[peer.ID]time.Time), make(map[peer.ID]bool)
	l.mu.Unlock()
	if !n.listensBeyond() {
		return
	}
	s := mdns.NewMdnsService(n.host, nearbyService, l)
	l.set(true)
	if err := s.Start(); err != nil {
		l.set(false)
		return // there is no network that has it
	}
	<-ctx.Done()
	l.set(false)
	s.Close()
	l.trials.Wait()
}

func (l *nearby) set(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = on
}

// listensBeyond reports whether others than those on this machine can connect.
func (n *Node) listensBeyond() bool {
	for _, a := range n.host.Network().ListenAddresses() {
		if transportOf(a) != "" && !manet.IsIPLoopback(a) {
			return true
		}
	}
	return false
}

// HandlePeerFound takes what anybody on the local network may say. It runs in a
// goroutine of its own.
func (l *nearby) HandlePeerFound(info peer.AddrInfo) {
	if !l.mayTry(info.ID, time.Now()) {
		return
	}
	defer l.free(info.ID)
	l.try(peer.AddrInfo{ID: info.ID, Addrs: onLinks(info.Addrs)})
}

// mayTry reports whether a peer is to be tried.
func (l *nearby) mayTry(p peer.ID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.found[p]; !l.on || ok && now.Sub(at) < nearbyAgain || len(l.slots) >= maxNearby || l.slots[p] {
		return false
	}
	if len(l.found) >= maxFound {
		clear(l.found)
	}
	l.found[p], l.slots[p] = now, true
	l.trials.Add(1)
	return true
}

func (l *nearby) free(p peer.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.slots, p)
	l.trials.Done()
}

// try dials a peer, and hangs up if it turns out to be of no use.
func (l *nearby) try(info peer.AddrInfo) {
	n := l.n
	if n.host.Network().Connectedness(info.ID) == network.Connected {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialTime)
	defer cancel()
	if len(info.Addrs) == 0 || n.host.Connect(ctx, info) != nil {
		return
	}
	n.wakeConnector()
	trial := time.NewTimer(nearbyTrial)
	defer trial.Stop()
	select {
	case <-trial.C:
	case <-l.ctx.Done():
		return
	}
	if !n.worthDialling(info.ID) {
		n.host.Network().ClosePeer(info.ID)
	}
}

// worthDialling reports whether a peer that was found is worth a connection: it is in the
// room, in another of its name, or speaks a protocol that we should know of.
func (n *Node) worthDialling(p peer.ID) bool {
	if v := n.versionOf(p); v > Version {
		return true
	}
	for _, on := range n.topic.topic.ListPeers() {
		if on == p {
			return true
		}
	}
	return n.reports.knows(p)
}

// onLinks are the addresses, of those that a peer is said to have, that are
// dialled.
func onLinks(all []ma.Multiaddr) []ma.Multiaddr {
	links := linkNets()
	var out []ma.Multiaddr
	for _, a := range all {
		if len(out) < maxNearbyAddrs && onLink(a, links) {
			out = append(out, a)
		}
	}
	return out
}

// onLink reports whether an address is on a network that this machine is on, and
// of a kind that is dialled. Anybody on the local network can name any address.
func onLink(a ma.Multiaddr, links []*net.IPNet) bool {
	if t := transportOf(a); t != "tcp" && t != "quic" || relayOf(a) != "" {
		return false
	}
	ip, err := manet.ToIP(a)
	if err != nil || ip.IsLoopback() {
		return false
	}
	for _, l := range links {
		if l.Contains(ip) {
			return true
		}
	}
	return false
}

// linkNets are the networks that this machine is on.
func linkNets() []*net.IPNet {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []*net.IPNet
	for _, a := range all {
		if l, ok := a.(*net.IPNet); ok {
			out = append(out, l)
		}
	}
	return out
}
