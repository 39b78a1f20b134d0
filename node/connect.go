package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	dialTime       = 5 * time.Second
	firstRetry     = time.Second
	lastRetry      = 30 * time.Second
	connectEvery   = time.Second
	fellowsAge     = time.Second
	recheckMembers = 5 * time.Second // at fellow members, when enough are connected
	otherDials     = 3 * time.Second
	dialsAtOnce    = 3
	lostAtOnce     = 2
	// wantPeers is how many fellow members a peer keeps connections to, so that
	// a room does not hang on one peer.
	wantPeers = 8
	// lostShare is the part of the time for which a member has not been connected after
	// which it is dialled again, and lostLast the longest such time.
	lostShare = 6
	lostLast  = 5 * time.Minute
)

var (
	// ErrWrongPeer is returned when an address belongs to another peer.
	ErrWrongPeer = errors.New("the address is a different peer's")
	// ErrNeedsPeer is returned for a bootstrap address without /p2p/ID outside
	// loopback and private networks; of a name, if its records have none either.
	ErrNeedsPeer = errors.New("the address needs a peer id")
)

// CheckBootstrap reports whether an address can be used for bootstrapping. Of a name
// that is seen when it is looked up.
func CheckBootstrap(a ma.Multiaddr) error {
	transport, id := peer.SplitAddr(a)
	if len(transport) == 0 {
		return fmt.Errorf("%v: no address to dial", a)
	}
	if id == "" && !IsName(a) && !manet.IsIPLoopback(transport) && !manet.IsPrivateAddr(transport) {
		return fmt.Errorf("%v: %w", a, ErrNeedsPeer)
	}
	return nil
}

// fellows are the other members, as of a moment ago: to list them takes time in which
// the room stands still.
type fellows struct {
	mu   sync.Mutex
	list []peer.AddrInfo
	at   time.Time
}

func (f *fellows) now(n *Node) []peer.AddrInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) >= fellowsAge {
		n.do(func() { f.list = n.room.OtherMembers() })
		f.at = time.Now()
	}
	return f.list
}

// keepConnected dials the bootstrap addresses, again for as long as nobody is
// there, and fellow members.
func (n *Node) keepConnected(ctx context.Context) {
	retry := firstRetry
	next := time.Now()
	reported := nothingReported
	missing := make(absentees)
	off := offTopic{since: make(map[peer.ID]time.Time), met: make(map[peer.ID]bool)}
	reached := make(map[string]peer.ID) // by bootstrap address
	var looked time.Time
	enough := false
	moves := n.moves.Load()
	tick := time.NewTicker(connectEvery)
	defer tick.Stop()
	for {
		off.update(n)
		if now := n.moves.Load(); now != moves {
			moves, retry, next = now, firstRetry, time.Now()
			clear(missing)
		}
		if len(n.topic.topic.ListPeers()) > 0 {
			retry, reported = firstRetry, nothingReported
		} else if len(n.cfg.Bootstrap) > 0 && !time.Now().Before(next) {
			// Also while somebody is connected who is not in the room.
			if failed := n.bootstrap(ctx, reached); failed != nil && len(n.host.Network().Peers()) == 0 {
				if what := failed.worst(); what > reported && n.do(func() { n.emit(*failed) }) {
					reported = what
				}
			}
			next = time.Now().Add(retry)
			retry = min(2*retry, lastRetry)
		}
		n.useRelays(ctx)
		if !enough || time.Since(looked) >= recheckMembers {
			enough = n.connectMembers(ctx, missing)
			looked = time.Now()
		}
		select {
		case <-tick.C:
		case <-n.membersChanged:
			// To list a thousand at each epoch is work for nothing once enough are near.
			enough = enough && n.nearEnough()
		case <-ctx.Done():
			return
		}
	}
}

// What was told of one outage: each once, and what is worse after what is not.
const (
	nothingReported = iota
	nobodyAnswers
	refusedThere
	otherClockThere
	wrongPeerThere
)

// worst is the worst of what went wrong.
func (e *BootstrapFailed) worst() int {
	worst := nobodyAnswers
	for _, err := range e.Errors {
		switch {
		case errors.Is(err, ErrWrongPeer):
			worst = wrongPeerThere
		case errors.Is(err, ErrRefused):
			worst = max(worst, refusedThere)
		case TroubleIn(err) == BadClock:
			worst = max(worst, otherClockThere)
		}
	}
	return worst
}

// unique leaves out addresses that stand twice.
func unique(addrs []ma.Multiaddr) (out []ma.Multiaddr) {
	for _, a := range addrs {
		if !slices.ContainsFunc(out, a.Equal) {
			out = append(out, a)
		}
	}
	return out
}

// bootstrap dials all bootstrap addresses at once, but those that are connected.
// It returns what went wrong if none of them answered.
func (n *Node) bootstrap(ctx context.Context, reached map[string]peer.ID) *BootstrapFailed {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	addrs := n.cfg.Bootstrap
	errs := make([]error, len(addrs))
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, a := range addrs {
		if id, ok := reached[string(a.Bytes())]; ok && n.host.Network().Connectedness(id) == network.Connected {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			began := time.Now()
			id, err := n.dial(ctx, a)
			errs[i] = err
			if err == nil {
				mu.Lock()
				reached[string(a.Bytes())] = id
				mu.Unlock()
				n.do(func() {
					n.room.AddFirstPeer(id)
					n.emit(Bootstrapped{Address: a, Peer: id, Took: time.Since(began)})
				})
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	if ctx.Err() == context.Canceled {
		return nil
	}
	return &BootstrapFailed{Addresses: addrs, Errors: errs}
}

// dial connects to an address, or to where a name leads: to one of those that its
// records name.
func (n *Node) dial(ctx context.Context, a ma.Multiaddr) (peer.ID, error) {
	targets, err := resolve(ctx, n.names(), a)
	if err != nil {
		return "", err
	}
	// Of one peer all addresses are dialled together; of several one is enough.
	of := make(map[peer.ID][]ma.Multiaddr)
	var order []peer.ID
	for _, t := range targets {
		transport, id := peer.SplitAddr(t)
		if id == "" {
			if id, err = n.dialUnknown(ctx, t); err == nil {
				return id, nil
			}
			continue
		}
		if of[id] == nil {
			order = append(order, id)
		}
		of[id] = append(of[id], transport)
	}
	for _, id := range order {
		if err = n.dialKnown(ctx, a, peer.AddrInfo{ID: id, Addrs: of[id]}); err == nil {
			return id, nil
		}
	}
	return "", err
}

// names is who looks names up.
func (n *Node) names() names {
	if n.dns != nil {
		return n.dns
	}
	return net.DefaultResolver
}

// dialKnown connects to a peer whose id is known.
func (n *Node) dialKnown(ctx context.Context, a ma.Multiaddr, to peer.AddrInfo) error {
	if to.ID == n.host.ID() {
		return fmt.Errorf("%v is this peer itself", a)
	}
	if s, ok := n.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(to.ID) // when to try again is for us to say
	}
	n.gate.name(to.ID, true)
	for _, a := range to.Addrs {
		if r := relayOf(a); r != "" {
			n.gate.name(r, true)
		}
	}
	err := connect(ctx, n.host, to)
	var wrong sec.ErrPeerIDMismatch
	if errors.As(err, &wrong) {
		return fmt.Errorf("%w: expected %s, found %s", ErrWrongPeer, to.ID, wrong.Actual)
	}
	return refusal(err)
}

// dialUnknown connects to whoever is at an address. Their id is learnt by dialling
// for one that nobody has, and reading who answered instead.
func (n *Node) dialUnknown(ctx context.Context, transport ma.Multiaddr) (peer.ID, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return "", err
	}
	nobody, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return "", err
	}
	n.gate.name(nobody, true)
	defer n.gate.name(nobody, false)
	n.host.Peerstore().AddAddr(nobody, transport, dialTime)
	_, err = n.host.Network().DialPeer(ctx, nobody)
	n.host.Peerstore().RemovePeer(nobody)
	n.host.Peerstore().ClearAddrs(nobody)
	var found sec.ErrPeerIDMismatch
	if !errors.As(err, &found) {
		if err == nil {
			err = errors.New("no peer answered")
		}
		return "", refusal(err)
	}
	if found.Actual == n.host.ID() {
		return "", fmt.Errorf("%v is this peer itself", transport)
	}
	n.gate.name(found.Actual, true)
	return found.Actual, refusal(connect(ctx, n.host, peer.AddrInfo{ID: found.Actual, Addrs: []ma.Multiaddr{transport}}))
}

// An absentee is a member that is not connected.
type absentee struct {
	since time.Time
	lost  bool      // it was connected before
	next  time.Time // when it is dialled again
}

// absentees are the members that are not connected, and those that are, as if they had just
// ceased to be.
type absentees map[peer.ID]*absentee

// due are the members to dial now: some, if few are connected; and those that were connected,
// however many others are: where a network was cut in two, each part may have enough of its own.
// Of two members the one with the lower peer id dials, and the other only after a while: two TCP
// dials between the same two ports that cross make one connection on which both sides wait for
// the other. enough: there is nothing to be done soon. (PROTOCOL.md §11)
func (all absentees) due(
	now time.Time, self peer.ID, members []peer.AddrInfo, isConnected func(peer.ID) bool,
) (dial []peer.AddrInfo, enough bool) {
	connected, soon := 0, false
	var lost, others []peer.AddrInfo
	is := make(map[peer.ID]bool, len(members))
	for _, m := range members {
		is[m.ID] = true
		if isConnected(m.ID) {
			connected++
			all[m.ID] = &absentee{lost: true, since: now}
			continue
		}
		a := all[m.ID]
		if a == nil {
			a = &absentee{since: now}
			all[m.ID] = a
		}
		soon = soon || a.lost && a.next.Sub(now) < recheckMembers
		if len(m.Addrs) == 0 || now.Before(a.next) || self > m.ID && now.Sub(a.since) <= otherDials {
			continue
		}
		if a.lost {
			lost = append(lost, m)
		} else {
			others = append(others, m)
		}
	}
	maps.DeleteFunc(all, func(p peer.ID, _ *absentee) bool { return !is[p] })
	mathrand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	others = others[:min(len(others), max(0, wantPeers-connected))]
	// Members come in turns, so that those whom one has made up are in nobody's way.
	dial = append(lost[:min(len(lost), lostAtOnce)], others...)
	return dial[:min(len(dial), dialsAtOnce)], !soon && connected >= min(wantPeers, len(members))
}

// dialled notes that a member was dialled.
func (a *absentee) dialled(now time.Time) {
	a.next = now.Add(min(max(now.Sub(a.since)/lostShare, connectEvery), lostLast))
}

// connectMembers dials fellow members. It returns whether enough are connected.
func (n *Node) connectMembers(ctx context.Context, missing absentees) bool {
	var members []peer.AddrInfo
	n.do(func() { members = n.room.OtherMembers() })
	dial, enough := missing.due(time.Now(), n.host.ID(), members, func(p peer.ID) bool {
		return n.host.Network().Connectedness(p) == network.Connected
	})
	var wg sync.WaitGroup
	for _, m := range dial {
		a := missing[m.ID]
		wg.Add(1)
		go func() {
			defer wg.Done()
			n.dialMember(ctx, m)
			a.dialled(time.Now())
		}()
	}
	wg.Wait()
	return enough
}

// nearEnough reports whether as many members are near as are wanted.
func (n *Node) nearEnough() (enough bool) {
	n.do(func() { enough = n.room.LivingNear() >= wantPeers })
	return enough
}

// dialMember dials a member. If it is in vain, it is tried again.
func (n *Node) dialMember(ctx context.Context, m peer.AddrInfo) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if s, ok := n.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(m.ID) // when to try again is for us to say
	}
	n.host.Connect(ctx, m)
}
