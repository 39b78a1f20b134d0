package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/time/rate"
)

// Fellow members that are reached through a relay are tried directly, again and
// again, ever more rarely: at the addresses that they say they have, and by punching
// a hole, for which both ends dial at once, each the address by which others see the
// other. What the other end says of itself is not believed beyond a few dials, and
// gater.go says of which addresses.

const (
	directLook    = 500 * time.Millisecond
	directFirst   = 2 * time.Second // for an answer, at the first trial; the next have dialTime
	directSecond  = time.Second     // after the other end, which begins
	directAgain   = time.Second     // .. after a trial, twice that after the next, up to
	directRarely  = 10 * time.Minute
	directAtOnce  = 4 // trials
	directAddrs   = 8 // dialled of one peer
	punchTime     = 4 * time.Second
	punchRate     = 1.0 / 60 // that one peer may have us begin
	punchBurst    = 6
	maxObserved   = 4         // addresses by which others see us
	observedRate  = 1.0 / 300 // .. with which a presence is made
	observedBurst = 6
	relayedAfter  = 3 * time.Second // there is a direct connection, the other ends ..
	relayedAtLast = 20 * time.Second
)

// directs is what a node knows of direct connections that it has not, or has besides
// those through relays.
type directs struct {
	mu sync.Mutex
	// observed are our addresses as those see them whom we dialled, by connection.
	observed map[network.Conn]ma.Multiaddr
	peers    map[peer.ID]*directPeer
	punch    *holepunch.Service // nil: others see no address of ours
	trials   int                // under way
}

// A directPeer is one that is, or was, connected through a relay.
type directPeer struct {
	trials  int
	next    time.Time
	trying  bool
	why     Why
	punched time.Time     // last, whoever began
	seen    time.Time     // last connected through one
	both    time.Time     // since when there is a direct connection as well
	paces   *rate.Limiter // of the holes that it wants punched
}

// A Why says why a member is reached through a relay and not directly.
type Why string

const (
	// NotTried: the direct way has not been tried yet.
	NotTried Why = "not-tried"
	// TryingDirect: it is being tried for the first time.
	TryingDirect Why = "trying"
	// NoAddress: nobody sees an address of ours, or the peer has told none that can be
	// dialled from here.
	NoAddress Why = "no-address"
	// NoAnswer: neither end gets through to the other. Address translators or
	// firewalls are between them.
	NoAnswer Why = "no-answer"
)

// Reached is how a peer is reached now and, if that is through a relay, why.
func (n *Node) Reached(p peer.ID) (PathKind, Why) {
	kind := n.Path(p).Kind
	if kind != Relayed {
		return kind, ""
	}
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	d := n.direct.peers[p]
	switch {
	case d == nil || d.why == "" && d.punched.IsZero():
		return kind, NotTried
	case d.why == NoAnswer || d.punched.IsZero():
		return kind, d.why
	case time.Since(d.punched) > 2*punchTime && !d.trying: // the other end has tried
		return kind, NoAnswer
	}
	return kind, TryingDirect
}

// goDirect looks for direct ways until ctx ends.
func (n *Node) goDirect(ctx context.Context) {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted),
		eventbus.Name("coterie-direct"), eventbus.BufSize(64))
	if err != nil {
		return
	}
	defer sub.Close()
	d := &n.direct
	defer func() {
		if d.punch != nil {
			d.punch.Close()
		}
	}()
	// What others see is theirs to say: it is passed on now and then.
	reports := rate.NewLimiter(observedRate, observedBurst)
	last := n.forwarded()
	tick := time.NewTicker(directLook)
	defer tick.Stop()
	for {
		select {
		case e := <-sub.Out():
			if e, ok := e.(event.EvtPeerIdentificationCompleted); ok {
				d.observe(n.host, e)
			}
		case <-tick.C:
			if now := n.forwarded(); !slices.EqualFunc(now, last, ma.Multiaddr.Equal) && reports.Allow() {
				last = now
				n.announce()
			}
			n.tryDirect(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// tryAgain lets all be tried soon: our addresses have changed.
func (n *Node) tryAgain() {
	n.direct.mu.Lock()
	defer n.direct.mu.Unlock()
	for _, p := range n.direct.peers {
		p.trials, p.next = 0, time.Now().Add(directLook)
	}
}

// observe notes how one whom we dialled sees us: from the port on which we listen,
// so that others may find us there. It need not be true.
func (d *directs) observe(h host.Host, e event.EvtPeerIdentificationCompleted) {
	c, a := e.Conn, e.ObservedAddr
	if a == nil || c == nil || isRelayed(c) || c.Stat().Direction != network.DirOutbound || relayOf(a) != "" ||
		!manet.IsPublicAddr(a) {
		return
	}
	if transportOf(a) != transportOf(c.LocalMultiaddr()) || !listensAt(h, c.LocalMultiaddr()) {
		a = a[:1] // from another port than we listen at, as over WebSocket: where we are, and no more
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.observed == nil {
		d.observed = make(map[network.Conn]ma.Multiaddr)
	}
	d.observed[c] = a
}

// listensAt reports whether a host listens on the port of an address.
func listensAt(h host.Host, a ma.Multiaddr) bool {
	t, port := portOf(a)
	return port != "" && slices.ContainsFunc(h.Network().ListenAddresses(), func(l ma.Multiaddr) bool {
		lt, lport := portOf(l)
		return lt == t && lport == port
	})
}

// portOf is the transport and port of an address, if it is one of TCP or QUIC.
func portOf(a ma.Multiaddr) (transport, port string) {
	switch t := transportOf(a); t {
	case "tcp":
		port, _ = a.ValueForProtocol(ma.P_TCP)
		return t, port
	case "quic":
		port, _ = a.ValueForProtocol(ma.P_UDP)
		return t, port
	}
	return "", ""
}

// seen are our addresses as others see them now, those that most do first; of some the IP
// address alone.
func (d *directs) seen() []ma.Multiaddr {
	d.mu.Lock()
	defer d.mu.Unlock()
	of := make(map[string]int)
	for c, a := range d.observed {
		if c.IsClosed() {
			delete(d.observed, c)
			continue
		}
		of[string(a.Bytes())]++
	}
	all := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b))
	})
	var out []ma.Multiaddr
	for _, b := range all[:min(len(all), maxObserved)] {
		if a, err := ma.NewMultiaddrBytes([]byte(b)); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// forwarded are the addresses at which routers may forward to us: those of the
// internet by which others see us, with the ports that the user chose.
func (n *Node) forwarded() []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, s := range n.direct.seen() {
		for _, l := range n.cfg.Listen {
			if _, port := portOf(l); port == "" || port == "0" || l[0].Protocol().Code != s[0].Protocol().Code ||
				manet.IsIPLoopback(l) {
				continue
			}
			out = append(out, append(ma.Multiaddr{s[0]}, l[1:]...))
		}
	}
	return unique(out)
}

// guessed are addresses of ours by ports that a translator may have kept: over TCP where it
// kept that of UDP, by which others see us; and over both where they see us at another port
// than we listen at. So whoever UDP does not reach may be met.
func (n *Node) guessed() []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, s := range n.direct.seen() {
		kept := transportOf(s) == "quic" && listensAt(n.host, s)
		for _, l := range n.host.Network().ListenAddresses() {
			t := transportOf(l)
			if (kept && t == "tcp" || len(s) == 1 && (t == "tcp" || t == "quic")) &&
				l[0].Protocol().Code == s[0].Protocol().Code && !manet.IsIPLoopback(l) {
				out = append(out, append(ma.Multiaddr{s[0]}, l[1:]...))
			}
		}
	}
	return out
}

// public are the addresses of the internet at which others may find us, if they dial
// while we do.
func (n *Node) public() []ma.Multiaddr {
	all := slices.Concat(n.host.Addrs(), n.forwarded(), n.direct.seen(), n.guessed())
	return slices.DeleteFunc(unique(all), func(a ma.Multiaddr) bool {
		return transportOf(a) == "" || !manet.IsPublicAddr(a) || relayOf(a) != ""
	})
}

// tryDirect looks at which members are connected through relays, and begins what is
// due.
func (n *Node) tryDirect(ctx context.Context) {
	n.beginPunching()
	relayed := make(map[peer.ID][]network.Conn)
	direct := make(map[peer.ID]bool)
	for _, c := range n.host.Network().Conns() {
		if p := c.RemotePeer(); isRelayed(c) {
			relayed[p] = append(relayed[p], c)
		} else {
			direct[p] = true
		}
	}
	var members []peer.AddrInfo
	if len(relayed) > 0 {
		members = n.fellows.now(n)
	}
	now := time.Now()
	for _, m := range members {
		conns := relayed[m.ID]
		if len(conns) == 0 {
			continue
		}
		switch both := n.direct.meet(m.ID, now, direct[m.ID]); {
		case direct[m.ID]:
			n.endRelayed(m.ID, conns, both)
		default:
			first := slices.ContainsFunc(conns, func(c network.Conn) bool { return c.Stat().Direction == network.DirInbound })
			n.tryOne(ctx, m, now, first)
		}
	}
	n.direct.forget(now)
}

// meet notes that a member is connected through a relay; direct: and directly. It
// returns for how long the latter.
func (d *directs) meet(p peer.ID, now time.Time, direct bool) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.peers[p]
	if s == nil {
		if d.peers == nil {
			d.peers = make(map[peer.ID]*directPeer)
		}
		s = &directPeer{paces: rate.NewLimiter(punchRate, punchBurst)}
		d.peers[p] = s
	}
	s.seen = now
	if !direct {
		s.both = time.Time{}
		return 0
	}
	s.why = ""
	if s.both.IsZero() {
		s.both = now
	}
	return now.Sub(s.both)
}

// forget forgets those who have not been connected through a relay for long: not at
// once, or coming again would be a way to be dialled more often.
func (d *directs) forget(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p, s := range d.peers {
		if !s.trying && now.Sub(s.seen) > directRarely {
			delete(d.peers, p)
		}
	}
}

// tryOne begins a trial. first: it is this end that begins, since the other made the
// connection through the relay.
func (n *Node) tryOne(ctx context.Context, m peer.AddrInfo, now time.Time, first bool) {
	d := &n.direct
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.peers[m.ID]
	if s == nil || s.trying || now.Before(s.next) || d.trials >= directAtOnce {
		return
	}
	limit, wait := dialTime, time.Duration(0)
	if s.trials == 0 {
		limit, s.why = directFirst, TryingDirect
		if !first {
			wait = directSecond
		}
	}
	s.trying = true
	d.trials++
	n.spawn(func() {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		why := n.tryAddresses(ctx, m, limit, first)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.trials--
		s.trying, s.why = false, why
		s.next = time.Now().Add(min(directAgain<<min(s.trials, 10), directRarely))
		s.trials++
	})
}

// tryAddresses dials a member directly, and punches a hole if it is for this end to
// begin that.
func (n *Node) tryAddresses(ctx context.Context, m peer.AddrInfo, limit time.Duration, first bool) Why {
	why := NoAddress
	var addrs []ma.Multiaddr
	for _, a := range m.Addrs {
		if relayOf(a) == "" && transportOf(a) != "" && len(addrs) < directAddrs && mayDial(n.host.Network(), a) {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) > 0 {
		why = NoAnswer
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if n.host.Connect(network.WithForceDirectDial(ctx, "direct"), peer.AddrInfo{ID: m.ID, Addrs: addrs}) == nil {
			return ""
		}
	}
	n.direct.mu.Lock()
	punch := n.direct.punch
	n.direct.mu.Unlock()
	if !first || punch == nil || ctx.Err() != nil {
		return why
	}
	if punch.DirectConnect(m.ID) == nil {
		return ""
	}
	return NoAnswer
}

// endRelayed ends the connections through relays to a peer that is connected
// directly, when what ran there runs on the direct one: else the end of a relay would
// be felt.
func (n *Node) endRelayed(p peer.ID, conns []network.Conn, since time.Duration) {
	moved := true
	n.do(func() {
		for _, t := range n.tunnels {
			if t.peer == p && t.relayed && !t.old {
				moved = false
				if t.dialled {
					n.renewTunnel(t)
				}
			}
		}
	})
	if since < relayedAfter || !moved && since < relayedAtLast {
		return
	}
	for _, c := range conns {
		c.Close()
	}
}

// beginPunching starts the library's service once others see us. Its own way to
// start it would be too late: who is reached through a relay is connected before.
func (n *Node) beginPunching() {
	d := &n.direct
	known, ok := n.host.(interface{ IDService() identify.IDService })
	if d.punch != nil || !ok || len(n.host.Network().Peers()) == 0 {
		return
	}
	began := n.public()
	if len(began) == 0 {
		return
	}
	public := func() []ma.Multiaddr {
		if now := n.public(); len(now) > 0 {
			return now
		}
		return began // without any it would wait, and not be told to end
	}
	s, err := holepunch.NewService(punchHost{n.host}, known.IDService(), public,
		holepunch.WithAddrFilter(punchFilter{n}), holepunch.DirectDialTimeout(punchTime))
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.punch = s
}

// A punchHost is the host as that service sees it: no connections of strangers, with
// whom it would begin by itself, and no addresses that it would dial besides.
type punchHost struct{ host.Host }

func (h punchHost) Network() network.Network       { return punchNetwork{h.Host.Network()} }
func (h punchHost) Peerstore() peerstore.Peerstore { return punchPeers{h.Host.Peerstore()} }

type punchNetwork struct{ network.Network }

func (punchNetwork) Notify(network.Notifiee) {}

type punchPeers struct{ peerstore.Peerstore }

func (punchPeers) Addrs(peer.ID) []ma.Multiaddr { return nil }

// pace reports whether a hole may be punched for a member now.
func (d *directs) pace(p peer.ID, now time.Time) bool {
	d.meet(p, now, false)
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.peers[p]
	s.punched = now
	return s.paces.AllowN(now, 1)
}

// A punchFilter says what is dialled when a hole is punched: a few addresses of the
// internet, for fellow members, now and then.
type punchFilter struct{ n *Node }

func (punchFilter) FilterLocal(_ peer.ID, own []ma.Multiaddr) []ma.Multiaddr {
	return own[:min(len(own), directAddrs)]
}

func (f punchFilter) FilterRemote(p peer.ID, addrs []ma.Multiaddr) []ma.Multiaddr {
	if !f.n.isFellow(p) || !f.n.direct.pace(p, time.Now()) {
		return nil
	}
	out := slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return !manet.IsPublicAddr(a) })
	return out[:min(len(out), directAddrs)]
}
