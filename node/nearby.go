package node

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/zeroconf/v2"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	// nearbyService is what all of coterie is called on a local network: the name
	// tells nothing of a room.
	nearbyService = "_coterie._udp"
	nearbyDomain  = "local"
	nearbyPort    = 4001 // it has to be some; the addresses are in the text

	maxNearby      = 16               // peers found that are tried at once
	maxFound       = 512              // that are remembered
	maxNearbyAddrs = 8                // dialled of one peer
	nearbyAgain    = 10 * time.Minute // the same one
	nearbyRetry    = 30 * time.Second // .. if it was not reached
	nearbyTrial    = 10 * time.Second // to turn out to be of use
	// nearbyWait is how long the one of two with the higher peer id waits for the other, who
	// may have found it as well: else there are two connections for ever.
	nearbyWait = 300 * time.Millisecond

	// Everybody's question is answered by everybody to all, so who has company hardly
	// asks, and who has enough of it does not.
	nearbyAnswers = 2 * time.Second // time for answers to a question
	nearbyFirst   = 2 * time.Second // to the next, then twice that, up to
	nearbyLast    = time.Minute
	nearbyCompany = 5 * time.Minute // to the next in company, times so many: all have their turn
)

// nearby tries peers that were found on the local network, or far away. Most may be
// strangers: who is found is dialled, at most so many at a time, and hung up on unless it is in the room, or
// in another of its name.
type nearby struct {
	n      *Node
	ctx    context.Context
	found  map[peer.ID]time.Time // when each was last tried
	slots  map[peer.ID]bool      // those that are tried now
	again  time.Duration         // after which the same one is
	direct bool                  // also if there is a connection through a relay
	mu     sync.Mutex
	on     bool
	trials sync.WaitGroup // added to while it is on
}

// begin lets those be tried who are found.
func (l *nearby) begin(ctx context.Context, n *Node, again time.Duration, direct bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n, l.ctx, l.again, l.direct, l.on = n, ctx, again, direct, true
	l.found, l.slots = make(map[peer.ID]time.Time), make(map[peer.ID]bool)
}

// status is whether the local network is looked at, and how many peers were found
// there.
func (l *nearby) status() (on bool, found int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.on, len(l.found)
}

// lookNearby looks around on the local network until ctx ends, and anew whenever that
// is another one. Who listens on this machine alone is not looked for and does not look.
func (n *Node) lookNearby(ctx context.Context) {
	l := &n.nearby
	l.begin(ctx, n, nearbyAgain, true)
	l.set(false)
	if !n.listensBeyond() {
		return
	}
	var server *zeroconf.Server
	defer func() {
		l.set(false)
		if server != nil {
			server.Shutdown()
		}
		l.trials.Wait()
	}()
	var q questions
	links := "unknown"
	tick := time.NewTicker(linksLook)
	defer tick.Stop()
	for {
		if now := linksText(); now != links {
			links = now
			if server != nil {
				server.Shutdown()
			}
			server = l.answer()
			l.set(server != nil)
			l.forget()
			q = questions{}
		}
		if server != nil && q.due(time.Now(), n.company()) {
			l.ask(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// questions is when to ask who is there.
type questions struct {
	next  time.Time
	pause time.Duration // that before next; 0: none was asked
	alone bool          // when next was set
}

// due reports whether to ask now, in so much company.
func (q *questions) due(now time.Time, company int) bool {
	switch {
	case q.pause == 0 || company == 0 && !q.alone:
		q.pause = nearbyFirst
	case company >= wantPeers || now.Before(q.next):
		return false
	case company > 0:
		q.pause = time.Duration(company) * (nearbyCompany/2 + rand.N(nearbyCompany))
	default:
		q.pause = min(2*q.pause, nearbyLast)
	}
	q.next, q.alone = now.Add(q.pause), company == 0
	return true
}

// answer has questions answered; nil: there is no network that has them.
func (l *nearby) answer() *zeroconf.Server {
	own, err := l.n.interfaceAddrs()
	if err != nil {
		return nil
	}
	var text, ips []string
	kinds := make(map[int]bool)
	for _, a := range own {
		if t := transportOf(a); t != "tcp" && t != "quic" {
			continue
		}
		// Of each kind the library wants one, and nobody looks at it.
		if ip, err := manet.ToIP(a); err == nil && !kinds[len(a[0].RawValue())] {
			kinds[len(a[0].RawValue())], ips = true, append(ips, ip.String())
		}
		if !manet.IsIPLoopback(a) && len(text) < maxNearbyAddrs {
			text = append(text, "dnsaddr="+a.String()+"/p2p/"+l.n.host.ID().String())
		}
	}
	// It has to have some name; one for each time tells nothing.
	name := crand.Text()
	s, err := zeroconf.RegisterProxy(name, nearbyService, nearbyDomain, nearbyPort, name, ips, text, nil)
	if err != nil {
		return nil
	}
	return s
}

// ask asks once who is there.
func (l *nearby) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, nearbyAnswers)
	defer cancel()
	found, over := make(chan *zeroconf.ServiceEntry, maxNearby), make(chan struct{})
	take := func(e *zeroconf.ServiceEntry) {
		for _, info := range peersIn(e.Text) {
			if info.ID != l.n.host.ID() {
				go l.HandlePeerFound(info)
			}
		}
	}
	go func() {
		zeroconf.Browse(ctx, nearbyService, nearbyDomain, found) // without a network, it is tried again
		close(over)
	}()
	for {
		select {
		case e, ok := <-found:
			if !ok {
				found = nil
				continue
			}
			take(e)
		case <-over:
			return
		}
	}
}

// peersIn are the peers that an answer names.
func peersIn(text []string) []peer.AddrInfo {
	var addrs []ma.Multiaddr
	for _, t := range text {
		if a, err := ma.NewMultiaddr(strings.TrimPrefix(t, "dnsaddr=")); err == nil && strings.HasPrefix(t, "dnsaddr=") {
			addrs = append(addrs, a)
		}
	}
	out, err := peer.AddrInfosFromP2pAddrs(addrs...)
	if err != nil {
		return nil
	}
	return out
}

// forget lets all be tried again: who was found was somewhere else.
func (l *nearby) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.found)
}

func (l *nearby) set(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = on
}

// listensBeyond reports whether others than those on this machine can connect.
func (n *Node) listensBeyond() bool {
	return slices.ContainsFunc(n.host.Network().ListenAddresses(), beyond)
}

// beyond reports whether who listens there is there for others than those on this
// machine.
func beyond(a ma.Multiaddr) bool { return transportOf(a) != "" && !manet.IsIPLoopback(a) }

// HandlePeerFound takes what anybody may say who can be found. It runs in a goroutine
// of its own.
func (l *nearby) HandlePeerFound(info peer.AddrInfo) {
	if !l.mayTry(info.ID, time.Now()) {
		return
	}
	defer l.free(info.ID)
	if l.direct {
		info.Addrs = onLinks(info.Addrs)
	}
	if !l.try(info) {
		l.failed(info.ID)
	}
}

// mayTry reports whether a peer is to be tried.
func (l *nearby) mayTry(p peer.ID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.found[p]; !l.on || ok && now.Sub(at) < l.again || len(l.slots) >= maxNearby || l.slots[p] {
		return false
	}
	if len(l.found) >= maxFound {
		clear(l.found)
	}
	l.found[p], l.slots[p] = now, true
	l.trials.Add(1)
	return true
}

// failed notes that a peer was not reached: whatever was in the way may soon be over.
func (l *nearby) failed(p peer.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.found[p]; ok {
		l.found[p] = at.Add(min(nearbyRetry-l.again, 0))
	}
}

func (l *nearby) free(p peer.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.slots, p)
	l.trials.Done()
}

// try dials a peer, and hangs up if it turns out to be of no use. Who has enough company dials
// nobody of it: in a hall of a hundred each would keep a connection to each. It returns false if
// the peer was not reached.
func (l *nearby) try(info peer.AddrInfo) bool {
	n := l.n
	if l.direct && n.host.ID() > info.ID {
		select {
		case <-time.After(nearbyWait):
		case <-l.ctx.Done():
			return true
		}
	}
	if n.company() >= wantPeers && n.isFellow(info.ID) {
		return true
	}
	if slices.ContainsFunc(n.host.Network().ConnsToPeer(info.ID),
		func(c network.Conn) bool { return !l.direct || !isRelayed(c) }) {
		return true
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialTime)
	defer cancel()
	if l.direct {
		ctx = network.WithForceDirectDial(ctx, "nearby")
	}
	if len(info.Addrs) == 0 || n.host.Connect(ctx, info) != nil {
		return false
	}
	n.wakeConnector()
	trial := time.NewTimer(nearbyTrial)
	defer trial.Stop()
	select {
	case <-trial.C:
	case <-l.ctx.Done():
		return true
	}
	if !n.worthDialling(info.ID) {
		n.host.Network().ClosePeer(info.ID)
	}
	return true
}

// isFellow reports whether a peer is a member.
func (n *Node) isFellow(p peer.ID) bool {
	return slices.ContainsFunc(n.fellows.now(n), func(m peer.AddrInfo) bool { return m.ID == p })
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
