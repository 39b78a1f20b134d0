package room

import (
	"container/heap"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/room/record"
)

// A network runs rooms over a simulated network in virtual time: everything is
// an event in one queue, ordered by time, and all randomness is from one seed.
// Tests written by hand use it directly; the simulator (sim_*_test.go) drives
// it from schedules.
type network struct {
	t     testing.TB // nil in the simulator
	seed  uint64
	rng   *rand.Rand
	now   time.Time
	queue eventQueue
	order uint64
	nodes []*simNode
	desc  *Descriptor

	loss   float64       // of each copy of a publication, on each link
	dup    float64       // of a publication to arrive once more, later
	delay  time.Duration // of whatever is sent
	jitter time.Duration // more, at random
	notice time.Duration // until a broken link is noticed

	opens, made, commits int // openings, encapsulations and commits so far
	steps, maxSteps      int

	hold time.Duration // of what is held
	// knows: a peer takes part on no day on which its key does not satisfy the policy.
	knows bool
	// holds are the policies of words for some that whoever has a name satisfies.
	holds map[string]map[string]bool
	// hostile are the publications that an honest node never made.
	hostile map[string]bool
	// watch, if set, is called after whatever happens to a node, and sees its
	// events and what arrives.
	watch watcher
	// only, if set, tells who hears the topic.
	only func(to *simNode) bool
	// work, if set, tells how long a task takes that had a result; else 50 ms.
	work func(s *simNode, result any) time.Duration
	// rewrite, if set, changes what is sent on streams; nil: it is not sent.
	rewrite func(s *simNode, data []byte) []byte
	// bytes are what was published, and sent on streams outside channels and inside.
	bytes struct{ topic, plain, inside int }
	// configure, if set, changes how a room begins.
	configure func(s *simNode, c *Config)
	// failed, if set, takes what breaks a rule of the protocol.
	failed func(rule, format string, args ...any)
}

// A watcher looks on.
type watcher interface {
	stepped(s *simNode)
	took(s *simNode, e Event)
	saved(s *simNode, m Saved)
	arriving(s *simNode, data []byte)
	opening(s *simNode, of [32]byte)
}

// An actor is a room, or somebody who pretends to have one.
type actor interface {
	Self() peer.ID
	Tick(now time.Time)
	PeerConnected(now time.Time, p peer.ID)
	PeerDisconnected(now time.Time, p peer.ID)
	StreamOpened(now time.Time, id StreamID, p peer.ID, working [32]byte, protocol string)
	StreamClosed(now time.Time, id StreamID)
	StreamFrame(now time.Time, id StreamID, data []byte)
	Publication(now time.Time, from peer.ID, data []byte) Verdict
	Computed(now time.Time, id TaskID, result any)
	Ready() Ready
}

// A tunneller is an actor that takes part in channels: in the simulator an ideal,
// which ends in the process that has the working key.
type tunneller interface {
	WorkingKey() ed25519.PrivateKey
	Admits(p peer.ID, working [32]byte) bool
	ChannelOpened(now time.Time, p peer.ID, working [32]byte)
	ChannelClosed(now time.Time, p peer.ID, working [32]byte)
}

func workingOf(t tunneller) [32]byte { return [32]byte(t.WorkingKey().Public().(ed25519.PublicKey)) }

// A simNode is one process.
type simNode struct {
	net     *network
	name    string
	peer    int // in the simulator: which peer's process
	actor   actor
	room    *Room // nil if the actor is none
	skew    time.Duration
	links   map[*simNode]*link
	streams map[StreamID]*simStream
	tunnels map[*simNode]*link     // over which a channel stands
	toldAt  map[*simNode]time.Time // when it is told that a channel stands
	next    StreamID               // even
	wake    time.Time
	wokenAt time.Time
	woken   int       // times, at that instant
	ticked  time.Time // when it was last woken, by its own clock
	seen    map[string]bool
	down    bool
	paused  bool
	backlog []func() // what arrived while it was paused
	crash   string   // "before", "amid" or "after": ends at its next publication; "unwritten" or "written": when it next saves
	journal *memJournal
	opens   int

	epochs   []EpochStarted
	messages []Delivered
	sent     []Sent
	held     []Held
	shown    []Event
	refused  int
	failed   []Failed
}

// A link joins two processes, in both directions or in one.
type link struct {
	ends [2]*simNode
	rng  [2]*rand.Rand // by direction
	lost [2]bool       // nothing arrives in this direction
	up   bool
	over func() // tells both ends that it is down, once
}

func (l *link) from(s *simNode) int {
	if l.ends[0] == s {
		return 0
	}
	return 1
}

// carries reports whether anything sent by s arrives now.
func (l *link) carries(s *simNode) bool { return l.up && !l.lost[l.from(s)] }

// both reports whether streams can be had.
func (l *link) both() bool { return l.up && !l.lost[0] && !l.lost[1] }

// A simStream is one end's view of a stream.
type simStream struct {
	link  *link
	far   *simNode
	farID StreamID
	last  time.Time // arrival of the last thing sent: streams keep their order

	inside bool // it is in a channel
}

type event struct {
	at    time.Time
	order uint64
	run   func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1].run = nil
	*q = old[:len(old)-1]
	return e
}

func newNetwork(t testing.TB, seed uint64) *network {
	if t != nil {
		t.Logf("seed %d", seed)
	}
	return &network{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)),
		now:   time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
		delay: 25 * time.Millisecond, jitter: 5 * time.Millisecond,
		desc: simDescriptor(), maxSteps: 2_000_000, hostile: make(map[string]bool),
	}
}

// fail reports a broken rule.
func (n *network) fail(rule, format string, args ...any) {
	if n.failed != nil {
		n.failed(rule, format, args...)
		return
	}
	n.t.Errorf(rule+": "+format, args...)
}

func (n *network) at(d time.Duration, run func()) time.Time {
	n.order++
	t := n.now.Add(d)
	heap.Push(&n.queue, event{at: t, order: n.order, run: run})
	return t
}

// latency of what s sends over l. Each direction has randomness of its own, so
// that to leave out one event of a schedule changes little else.
func (n *network) latency(l *link, s *simNode) time.Duration {
	return n.delay + time.Duration(l.rng[l.from(s)].Int64N(int64(n.jitter)+1))
}

// source reads a seeded generator as randomness.
type source struct{ rng *rand.ChaCha8 }

func (s source) Read(p []byte) (int, error) { return s.rng.Read(p) }

func (n *network) seed32() (seed [32]byte) {
	for i := range seed {
		seed[i] = byte(n.rng.Uint32())
	}
	return seed
}

// add starts a node; it is connected to nobody.
func (n *network) add(name string, satisfies bool) *simNode {
	seed := n.seed32()
	return n.start(name, satisfies, ed25519.NewKeyFromSeed(seed[:]))
}

// start starts a process of a peer.
func (n *network) start(name string, satisfies bool, identity ed25519.PrivateKey) *simNode {
	return n.startValid(name, func(abe.Day) bool { return satisfies }, identity, n.seed32(), 0)
}

// startValid starts a process whose clock is off by skew. A peer whose key does
// not satisfy the policy on a day takes part as if it did.
func (n *network) startValid(name string, satisfies func(abe.Day) bool, identity ed25519.PrivateKey, seed [32]byte, skew time.Duration) *simNode {
	return n.startOn(nil, name, satisfies, identity, seed, skew)
}

// startOn starts a process that has a disk.
func (n *network) startOn(disk *memJournal, name string, satisfies func(abe.Day) bool, identity ed25519.PrivateKey, seed [32]byte, skew time.Duration) *simNode {
	s := n.newNode(name, skew)
	s.journal = disk
	var journal Journal
	if disk != nil {
		journal = disk
	}
	knows := n.knows
	suite := &fakeSuite{node: s, satisfies: satisfies, holds: n.holds[name]}
	cfg := Config{
		Journal: journal, Replay: 1 << 20, Hold: n.hold,
		Descriptor: n.desc, Identity: identity, Encapsulator: suite,
		ValidOn: func(d abe.Day) bool { return !knows || satisfies(d) },
		Rand:    source{rand.NewChaCha8(seed)}, Now: s.clock(), Name: name, CheckNotice: checkNotice,
	}
	if n.configure != nil {
		n.configure(s, &cfg)
	}
	suite.serial = cfg.Serial
	r, err := New(cfg)
	if err != nil {
		panic(err)
	}
	s.room, s.actor = r, r
	n.drain(s)
	return s
}

func (n *network) newNode(name string, skew time.Duration) *simNode {
	s := &simNode{
		net: n, name: name, peer: len(n.nodes), skew: skew, links: make(map[*simNode]*link), next: 2,
		streams: make(map[StreamID]*simStream), tunnels: make(map[*simNode]*link), toldAt: make(map[*simNode]time.Time), seen: make(map[string]bool),
	}
	n.nodes = append(n.nodes, s)
	return s
}

// clock is the time as the node has it.
func (s *simNode) clock() time.Time { return s.net.now.Add(s.skew) }

// deliver lets something happen to a node, now or when it is awake again.
func (n *network) deliver(s *simNode, run func()) {
	switch {
	case s.down:
	case s.paused:
		s.backlog = append(s.backlog, run)
	default:
		run()
		n.drain(s)
	}
}

func (n *network) connect(a, b *simNode) *link {
	if l := a.links[b]; l != nil {
		if l.up {
			return l
		}
		l.over() // the old connection makes room
	}
	l := &link{ends: [2]*simNode{a, b}, up: true}
	for i, s := range l.ends {
		l.rng[i] = rand.New(rand.NewPCG(n.seed, uint64(s.peer)<<32|uint64(l.ends[1-i].peer)<<8|uint64(len(n.nodes))))
	}
	a.links[b], b.links[a] = l, l
	told := [2]bool{}
	for i, s := range l.ends {
		far := l.ends[1-i]
		n.at(n.latency(l, s), func() {
			if l.up {
				n.deliver(s, func() { told[i] = true; s.actor.PeerConnected(s.clock(), far.actor.Self()) })
			}
		})
	}
	done := false
	l.over = func() {
		if done {
			return
		}
		done = true
		for i, s := range l.ends {
			far := l.ends[1-i]
			if s.links[far] == l {
				delete(s.links, far)
			}
			for _, id := range s.streamsOver(l) {
				delete(s.streams, id)
				n.deliver(s, func() { s.actor.StreamClosed(s.clock(), id) })
			}
			n.endTunnel(s, far, l)
			n.deliver(s, func() {
				// Connected is who has a connection; a later process of the same
				// peer may have made one by now.
				if again, _ := n.byPeer(s, far.actor.Self()); told[i] && again == nil {
					s.actor.PeerDisconnected(s.clock(), far.actor.Self())
				}
			})
		}
	}
	return l
}

// cutOff loses what s sends over l, or does so no more. Streams end.
func (n *network) cutOff(l *link, s *simNode, lost bool) {
	l.lost[l.from(s)] = lost
	if !lost {
		return
	}
	for _, end := range l.ends {
		for _, id := range end.streamsOver(l) {
			delete(end.streams, id)
			n.at(n.notice, func() {
				n.deliver(end, func() { end.actor.StreamClosed(end.clock(), id) })
			})
		}
	}
	for i, end := range l.ends {
		far := l.ends[1-i]
		n.at(n.notice, func() { n.endTunnel(end, far, l) })
	}
}

// endTunnel tells one end that a channel is over.
func (n *network) endTunnel(s, far *simNode, l *link) {
	if s.tunnels[far] != l {
		return
	}
	delete(s.tunnels, far)
	w := workingOf(far.actor.(tunneller))
	n.deliver(s, func() { s.actor.(tunneller).ChannelClosed(s.clock(), far.actor.Self(), w) })
}

// tunnel makes a channel: a handshake of two round trips, in which each end judges
// the other.
func (n *network) tunnel(s *simNode, c Channel) {
	me := s.actor.(tunneller)
	l, far := n.byPeer(s, c.Peer)
	if c.End {
		if far != nil && s.tunnels[far] != nil && workingOf(far.actor.(tunneller)) == c.Working {
			l := s.tunnels[far]
			delete(s.tunnels, far)
			n.at(n.latency(l, s), func() { n.endTunnel(far, s, l) })
		}
		return
	}
	fail := func() {
		n.deliver(s, func() { me.ChannelClosed(s.clock(), c.Peer, c.Working) })
	}
	if far == nil || !l.both() {
		n.at(n.notice, fail)
		return
	}
	theirs, ok := far.actor.(tunneller)
	if !ok {
		n.at(n.notice, fail)
		return
	}
	back := func() time.Duration { return n.latency(l, far) }
	n.at(n.latency(l, s)+back()+n.latency(l, s), func() {
		switch {
		case far.down || far.paused || s.down || !l.both():
			n.at(n.notice, fail)
			return
		case workingOf(theirs) != c.Working || !theirs.Admits(s.actor.Self(), workingOf(me)) || !me.Admits(c.Peer, c.Working):
			n.at(back(), fail)
			return
		}
		far.tunnels[s], s.tunnels[far] = l, l
		told := back()
		s.toldAt[far], far.toldAt[s] = n.now.Add(told), n.now
		n.at(told, func() {
			if l.both() && s.tunnels[far] == l {
				n.deliver(s, func() { me.ChannelOpened(s.clock(), c.Peer, c.Working) })
			}
		})
		n.deliver(far, func() { theirs.ChannelOpened(far.clock(), s.actor.Self(), workingOf(me)) })
	})
}

func (s *simNode) streamsOver(l *link) []StreamID {
	var ids []StreamID
	for id, st := range s.streams {
		if st.link == l {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (n *network) connectAll() {
	for i, a := range n.nodes {
		for _, b := range n.nodes[:i] {
			if !a.down && !b.down {
				n.connect(a, b)
			}
		}
	}
}

// disconnect breaks a link; both ends notice after a while.
func (n *network) disconnect(a, b *simNode) {
	l := a.links[b]
	if l == nil || !l.up {
		return
	}
	l.up = false
	if n.notice == 0 {
		l.over()
		return
	}
	n.at(n.notice, l.over)
}

// stop ends a node without a word.
func (n *network) stop(s *simNode) {
	if s.down {
		return
	}
	s.down = true
	for _, far := range n.nodes {
		n.disconnect(s, far)
	}
}

// pause stops a node's clock and keeps what arrives, within bounds.
func (n *network) pause(s *simNode) { s.paused = true }

func (n *network) resume(s *simNode) {
	if !s.paused {
		return
	}
	s.paused = false
	backlog := s.backlog
	s.backlog = nil
	for _, run := range backlog {
		n.deliver(s, run)
	}
}

// byPeer is the connection with a peer: one that works, if any does.
func (n *network) byPeer(s *simNode, p peer.ID) (at *link, to *simNode) {
	for _, far := range n.nodes {
		if l := s.links[far]; l != nil && far.actor.Self() == p && (at == nil || l.up) {
			at, to = l, far
		}
	}
	return at, to
}

// drain does what a node wants done.
func (n *network) drain(s *simNode) {
	for !s.down {
		out := s.actor.Ready()
		if len(out.Save) > 0 && s.crash == "unwritten" {
			n.stop(s)
			return
		}
		if s.journal != nil {
			s.journal.save(out.Save)
			s.journal.forget(out.Forget)
			for _, m := range out.Save {
				if n.watch != nil {
					n.watch.saved(s, m)
				}
			}
		}
		if len(out.Save) > 0 && s.crash == "written" {
			n.stop(s)
			return
		}
		if len(out.Publish) > 0 && s.crash == "before" {
			n.stop(s)
			return
		}
		for _, c := range out.Channels {
			n.tunnel(s, c)
		}
		for _, o := range out.Open {
			n.openStream(s, o)
		}
		for _, f := range out.Send {
			n.sendFrame(s, f)
		}
		slices.SortStableFunc(out.Hang, func(a, b Hang) int { return int(a.Stream) - int(b.Stream) })
		for _, h := range out.Hang {
			n.closeStream(s, h.Stream)
		}
		for _, p := range out.Publish {
			s.seen[string(p)] = true
			if p[0] == record.TypeCommit && s.room != nil {
				n.commits++
			}
			if s.room == nil {
				n.hostile[string(p)] = true
			}
			n.bytes.topic += len(p)
			n.gossip(s, p, nil)
		}
		for _, task := range out.Tasks {
			result, took := task.Run(), 50*time.Millisecond
			if n.work != nil {
				took = n.work(s, result)
			}
			n.at(took, func() {
				n.deliver(s, func() { s.actor.Computed(s.clock(), task.ID, result) })
			})
		}
		for _, e := range out.Events {
			s.took(e)
			if n.watch != nil {
				n.watch.took(s, e)
			}
		}
		if len(out.Publish) > 0 && (s.crash == "amid" || s.crash == "after") {
			n.stop(s)
			return
		}
		if len(out.Channels)+len(out.Open)+len(out.Send)+len(out.Hang)+len(out.Publish)+len(out.Tasks)+len(out.Events) == 0 {
			n.wake(s, out.Wake)
			if n.watch != nil {
				n.watch.stepped(s)
			}
			return
		}
	}
}

// wake calls Tick when the node wants it.
func (n *network) wake(s *simNode, w time.Time) {
	if w.IsZero() || w.Equal(s.wake) {
		return
	}
	s.wake = w
	n.at(max(0, w.Sub(s.clock())), func() {
		if s.wake.Equal(w) {
			s.wake = time.Time{}
			if !n.now.Equal(s.wokenAt) {
				s.wokenAt, s.woken = n.now, 0
			}
			if s.woken++; s.woken > 10_000 {
				panic(fmt.Sprintf("%s wants to be woken again and again at %v", s.name, n.now))
			}
			n.deliver(s, func() {
				s.ticked = s.clock()
				s.actor.Tick(s.ticked)
			})
		}
	})
}

func (s *simNode) took(e Event) {
	s.shown = append(s.shown, e)
	switch e := e.(type) {
	case EpochStarted:
		s.epochs = append(s.epochs, e)
	case Delivered:
		s.messages = append(s.messages, e)
	case Sent:
		s.sent = append(s.sent, e)
	case Held:
		s.held = append(s.held, e)
	case Refused:
		s.refused++
	case Failed:
		s.failed = append(s.failed, e)
	}
}

// gossip floods a publication to the neighbours, as gossipsub with flood
// publishing does; a copy is lost with the network's probability.
func (n *network) gossip(s *simNode, data []byte, but *simNode) {
	first := true
	for _, far := range n.nodes {
		l := s.links[far]
		if l == nil || far == but {
			continue
		}
		if s.crash == "amid" && !first {
			return
		}
		first = false
		draw := l.rng[l.from(s)]
		d, lost, dup := n.latency(l, s), draw.Float64() < n.loss, draw.Float64() < n.dup
		if lost || !l.carries(s) || n.only != nil && !n.only(far) {
			continue
		}
		key := string(data)
		n.at(d, func() {
			if far.down || !l.carries(s) && !(s.down && !l.lost[l.from(s)]) {
				return // what whoever crashed has sent arrives
			}
			if far.paused && len(far.backlog) > 64 {
				return // its queue is full
			}
			n.deliver(far, func() {
				if !far.seen[key] {
					far.seen[key] = true
					n.publication(far, s, data)
				}
			})
		})
		if dup {
			n.at(d+time.Duration(draw.Int64N(int64(150*time.Second))), func() {
				if l.carries(s) {
					n.deliver(far, func() { n.publication(far, s, data) })
				}
			})
		}
	}
}

func (n *network) publication(far, from *simNode, data []byte) {
	if n.watch != nil {
		n.watch.arriving(far, data)
	}
	v := far.actor.Publication(far.clock(), from.actor.Self(), data)
	if v == Reject && far.room != nil && !n.hostile[string(data)] {
		n.fail("blame", "%s rejected a publication of type %d from %s", far.name, data[0], from.name)
	}
	if v == Accept {
		n.gossip(far, data, from)
	}
}

func (n *network) openStream(s *simNode, o Open) {
	l, far := n.byPeer(s, o.Peer)
	var inside [32]byte
	if far != nil && o.Working != inside {
		if s.tunnels[far] == nil || workingOf(far.actor.(tunneller)) != o.Working {
			far = nil
		} else {
			inside = workingOf(s.actor.(tunneller))
		}
	}
	if far == nil || !l.both() {
		n.at(n.notice, func() {
			n.deliver(s, func() { s.actor.StreamClosed(s.clock(), o.Stream) })
		})
		return
	}
	id := far.next
	far.next += 2
	near := &simStream{link: l, far: far, farID: id, inside: o.Working != [32]byte{}}
	d := n.latency(l, s)
	if near.inside {
		// Streams wait until the other end knows that the channel stands.
		d = max(d, far.toldAt[s].Sub(n.now)+time.Microsecond)
	}
	near.last = n.at(d, func() {
		if !far.down && l.carries(s) {
			if far.streamsFrom(s) >= maxFromPeer { // as package node has it
				n.deliver(s, func() {
					delete(s.streams, o.Stream)
					s.actor.StreamClosed(s.clock(), o.Stream)
				})
				return
			}
			far.streams[id] = &simStream{link: l, far: s, farID: o.Stream, inside: near.inside}
			n.deliver(far, func() { far.actor.StreamOpened(far.clock(), id, s.actor.Self(), inside, o.Protocol) })
		}
	})
	s.streams[o.Stream] = near
}

// maxFromPeer is how many streams a peer may have open to another.
const maxFromPeer = 16

func (s *simNode) streamsFrom(far *simNode) (n int) {
	for id, st := range s.streams {
		if st.far == far && id%2 == 0 {
			n++
		}
	}
	return n
}

// inOrder does something at the far end after all that was sent before.
func (n *network) inOrder(s *simNode, st *simStream, run func()) {
	at := n.now.Add(n.latency(st.link, s))
	if !at.After(st.last) {
		at = st.last.Add(time.Microsecond)
	}
	st.last = n.at(at.Sub(n.now), func() {
		if !st.far.down && st.link.carries(s) && st.far.streams[st.farID] != nil {
			run()
		}
	})
}

func (n *network) sendFrame(s *simNode, f Frame) {
	st := s.streams[f.Stream]
	if st == nil {
		return
	}
	if n.rewrite != nil {
		if f.Data = n.rewrite(s, f.Data); f.Data == nil {
			return
		}
	}
	if st.inside {
		n.bytes.inside += 4 + len(f.Data)
	} else {
		n.bytes.plain += 4 + len(f.Data)
	}
	n.inOrder(s, st, func() {
		n.deliver(st.far, func() {
			if n.watch != nil {
				n.watch.arriving(st.far, f.Data)
			}
			st.far.actor.StreamFrame(st.far.clock(), st.farID, f.Data)
		})
	})
}

func (n *network) closeStream(s *simNode, id StreamID) {
	st := s.streams[id]
	if st == nil {
		return
	}
	delete(s.streams, id)
	n.inOrder(s, st, func() {
		delete(st.far.streams, st.farID)
		n.deliver(st.far, func() { st.far.actor.StreamClosed(st.far.clock(), st.farID) })
	})
}

// run lets virtual time pass.
func (n *network) run(d time.Duration) {
	end := n.now.Add(d)
	for len(n.queue) > 0 && !n.queue[0].at.After(end) {
		e := heap.Pop(&n.queue).(event)
		n.now = e.at
		if n.steps++; n.steps == n.maxSteps {
			n.fail("steps", "%d events by %v: somebody is in a loop", n.steps, n.now)
			return
		}
		e.run()
	}
	n.now = end
}

// until lets virtual time pass until something holds, for d at most.
func (n *network) until(d time.Duration, what string, holds func() bool) time.Duration {
	n.t.Helper()
	start := n.now
	for !holds() {
		if n.now.Sub(start) > d {
			n.t.Fatalf("after %v still not: %s\n%s", d, what, n.describe())
		}
		n.run(10 * time.Millisecond)
	}
	return n.now.Sub(start)
}

func (n *network) describe() string {
	var s string
	for _, x := range n.nodes {
		if x.down || x.room == nil {
			continue
		}
		s += x.describe() + "\n"
	}
	return s
}

func (s *simNode) describe() string {
	r := s.room
	text := s.name
	if g := r.days[r.today()]; g != nil {
		own := "no contribution"
		if g.own != nil {
			own = fmt.Sprintf("own %x", g.own.cid.Short())
		}
		text += fmt.Sprintf(": %s, %d in component, %d living, %d nodes", own, len(g.members()), len(r.living(g)), len(g.nodes))
	}
	if h := r.head; h != nil {
		text += fmt.Sprintf(", head %x day %d height %d of %d", h.commit.ID().Short(), h.commit.Period, h.commit.Height, len(h.list))
	}
	return text + fmt.Sprintf(", %d neighbours, waiting %d, commits %d, held %d, refused %d, failed %v", len(r.neighbours), len(r.waiting.records), len(r.commits), len(r.outbox.held), s.refused, s.failed)
}

// together reports whether these nodes, and nobody else, are in one epoch.
func together(nodes ...*simNode) bool {
	h := nodes[0].room.head
	if h == nil || len(h.list) != len(nodes) {
		return false
	}
	for _, s := range nodes {
		if s.room.head == nil || s.room.head.commit.ID() != h.commit.ID() {
			return false
		}
	}
	return true
}
