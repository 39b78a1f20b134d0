package room

import (
	"container/heap"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// A network runs rooms over a simulated network in virtual time: everything is
// an event in one queue, ordered by time, and all randomness is from one seed.
type network struct {
	t      testing.TB
	rng    *rand.Rand
	now    time.Time
	queue  eventQueue
	order  uint64
	nodes  []*simNode
	loss   float64
	delay  time.Duration
	jitter time.Duration
	opens  int
	made   int
	desc   *Descriptor
}

type simNode struct {
	net     *network
	name    string
	room    *Room
	links   map[*simNode]bool
	streams map[StreamID]*simStream
	next    StreamID // even
	wake    time.Time
	seen    map[string]bool
	down    bool
	hooks   map[string]func([]byte) []byte

	epochs   []EpochStarted
	messages []Delivered
	sent     []Sent
	refused  int
	failed   []Failed
}

// A simStream is one end's view of a stream.
type simStream struct {
	far   *simNode
	farID StreamID
	last  time.Time // arrival of the last thing sent: streams keep their order
}

type event struct {
	at    time.Time
	order uint64
	run   func()
}

type eventQueue []*event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

func newNetwork(t testing.TB, seed uint64) *network {
	t.Logf("seed %d", seed)
	policy, err := abe.ParsePolicy(`"NTNU" or "admin"`)
	if err != nil {
		t.Fatal(err)
	}
	return &network{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
		delay: 25 * time.Millisecond, jitter: 5 * time.Millisecond,
		desc: &Descriptor{Name: "exam", Policy: policy},
	}
}

func (n *network) at(d time.Duration, run func()) time.Time {
	n.order++
	t := n.now.Add(d)
	heap.Push(&n.queue, &event{at: t, order: n.order, run: run})
	return t
}

func (n *network) latency() time.Duration {
	return n.delay + time.Duration(n.rng.Int64N(int64(n.jitter)+1))
}

// source reads a seeded generator as randomness.
type source struct{ rng *rand.ChaCha8 }

func (s source) Read(p []byte) (int, error) { return s.rng.Read(p) }

// A fakeSuite stands in for attribute-based encryption: a seed in the clear,
// which those with satisfying attributes are allowed to look at.
type fakeSuite struct {
	net       *network
	satisfies bool
}

func fakeDerive(seed ake.Secret, c *ake.Context, enc []byte) *ake.Encapsulated {
	h := ake.Sum("coterie/1 context", c.Bytes())
	return &ake.Encapsulated{
		Term:  ake.Term{Secret: ake.Expand(seed, "coterie/1 term", h[:])},
		Proof: ake.Proof{Secret: ake.Expand(seed, "coterie/1 proof", h[:])},
		Bytes: enc,
	}
}

func (s *fakeSuite) Encapsulate(seed ake.Secret, c *ake.Context) (*ake.Encapsulated, error) {
	s.net.made++
	return fakeDerive(seed, c, append([]byte("fake"), seed.Bytes()...)), nil
}

func (s *fakeSuite) Open(c *ake.Context, enc []byte) (*ake.Encapsulated, error) {
	s.net.opens++
	if !s.satisfies || len(enc) != 36 {
		return nil, ake.ErrNotOpened
	}
	seed, err := ake.SecretFromBytes(enc[4:])
	if err != nil {
		return nil, err
	}
	return fakeDerive(seed, c, nil), nil
}

// add starts a node; it is connected to nobody.
func (n *network) add(name string, satisfies bool) *simNode {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(n.rng.Uint32())
	}
	return n.start(name, satisfies, ed25519.NewKeyFromSeed(seed[:]))
}

func (n *network) start(name string, satisfies bool, identity ed25519.PrivateKey) *simNode {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(n.rng.Uint32())
	}
	r, err := New(Config{
		Descriptor: n.desc, Identity: identity, Suite: &fakeSuite{net: n, satisfies: satisfies},
		ValidOn: func(abe.Day) bool { return true },
		Rand:    source{rand.NewChaCha8(seed)}, Now: n.now, Name: name,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	s := &simNode{
		net: n, name: name, room: r, links: make(map[*simNode]bool), next: 2,
		streams: make(map[StreamID]*simStream), seen: make(map[string]bool),
	}
	n.nodes = append(n.nodes, s)
	n.drain(s)
	return s
}

func (n *network) connect(a, b *simNode) {
	if a.links[b] {
		return
	}
	a.links[b], b.links[a] = true, true
	for _, p := range [][2]*simNode{{a, b}, {b, a}} {
		n.at(n.latency(), func() {
			if p[0].links[p[1]] && !p[0].down {
				p[0].room.PeerConnected(n.now, p[1].room.Self())
				n.drain(p[0])
			}
		})
	}
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

// stop ends a node without a word.
func (n *network) stop(s *simNode) {
	s.down = true
	for far := range s.links {
		delete(far.links, s)
		far.room.PeerDisconnected(n.now, s.room.Self())
		n.drain(far)
	}
	for id := range s.streams {
		n.closeStream(s, id)
	}
}

func (n *network) byPeer(s *simNode, p peer.ID) *simNode {
	for far := range s.links {
		if far.room.Self() == p && !far.down {
			return far
		}
	}
	return nil
}

// drain does what a room wants done.
func (n *network) drain(s *simNode) {
	for {
		out := s.room.Ready()
		for _, o := range out.Open {
			n.openStream(s, o)
		}
		for _, f := range out.Send {
			n.sendFrame(s, f)
		}
		for _, h := range out.Hang {
			n.closeStream(s, h.Stream)
		}
		for _, p := range out.Publish {
			s.seen[string(p)] = true
			n.gossip(s, p, nil)
		}
		for _, task := range out.Tasks {
			result := task.Run()
			n.at(50*time.Millisecond, func() {
				if !s.down {
					s.room.Computed(n.now, task.ID, result)
					n.drain(s)
				}
			})
		}
		for _, e := range out.Events {
			s.took(e)
		}
		if len(out.Open)+len(out.Send)+len(out.Hang)+len(out.Publish)+len(out.Tasks)+len(out.Events) == 0 {
			if w := out.Wake; !w.IsZero() && (s.wake.IsZero() || w.Before(s.wake) || s.wake.Before(n.now)) {
				s.wake = w
				n.at(max(0, w.Sub(n.now)), func() {
					if !s.down && s.wake.Equal(w) {
						s.wake = time.Time{}
						s.room.Tick(n.now)
						n.drain(s)
					}
				})
			}
			return
		}
	}
}

func (s *simNode) took(e Event) {
	switch e := e.(type) {
	case EpochStarted:
		s.epochs = append(s.epochs, e)
	case Delivered:
		s.messages = append(s.messages, e)
	case Sent:
		s.sent = append(s.sent, e)
	case Refused:
		s.refused++
	case Failed:
		s.failed = append(s.failed, e)
	}
}

// gossip floods a publication to the neighbours, as gossipsub with flood
// publishing does; a copy is lost with the network's probability.
func (n *network) gossip(s *simNode, data []byte, but *simNode) {
	for _, far := range n.nodes {
		if !s.links[far] || far == but || n.rng.Float64() < n.loss {
			continue
		}
		n.at(n.latency(), func() {
			if far.down || far.seen[string(data)] || !far.links[s] {
				return
			}
			far.seen[string(data)] = true
			v := far.room.Publication(n.now, s.room.Self(), data)
			if v == Reject {
				n.t.Errorf("%s rejected a publication of type %d from %s", far.name, data[0], s.name)
			}
			n.drain(far)
			if v == Accept {
				n.gossip(far, data, s)
			}
		})
	}
}

func (n *network) openStream(s *simNode, o Open) {
	far := n.byPeer(s, o.Peer)
	if far == nil {
		n.at(0, func() {
			s.room.StreamClosed(n.now, o.Stream)
			n.drain(s)
		})
		return
	}
	id := far.next
	far.next += 2
	near := &simStream{far: far, farID: id}
	near.last = n.at(n.latency(), func() {
		if far.down {
			return
		}
		far.streams[id] = &simStream{far: s, farID: o.Stream}
		far.room.StreamOpened(n.now, id, s.room.Self(), o.Protocol)
		n.drain(far)
	})
	s.streams[o.Stream] = near
}

// inOrder does something at the far end after all that was sent before.
func (n *network) inOrder(st *simStream, run func()) {
	at := n.now.Add(n.latency())
	if !at.After(st.last) {
		at = st.last.Add(time.Microsecond)
	}
	st.last = n.at(at.Sub(n.now), run)
}

func (n *network) sendFrame(s *simNode, f Frame) {
	st := s.streams[f.Stream]
	if st == nil {
		return
	}
	n.inOrder(st, func() {
		if !st.far.down && st.far.streams[st.farID] != nil {
			st.far.room.StreamFrame(n.now, st.farID, f.Data)
			n.drain(st.far)
		}
	})
}

func (n *network) closeStream(s *simNode, id StreamID) {
	st := s.streams[id]
	if st == nil {
		return
	}
	delete(s.streams, id)
	n.inOrder(st, func() {
		if st.far.down || st.far.streams[st.farID] == nil {
			return
		}
		delete(st.far.streams, st.farID)
		st.far.room.StreamClosed(n.now, st.farID)
		n.drain(st.far)
	})
}

// run lets virtual time pass.
func (n *network) run(d time.Duration) {
	end := n.now.Add(d)
	for len(n.queue) > 0 && !n.queue[0].at.After(end) {
		e := heap.Pop(&n.queue).(*event)
		n.now = e.at
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
		if x.down {
			continue
		}
		g := x.room.graph(x.room.today())
		s += fmt.Sprintf("%s: %d in component, %d living, %d nodes", x.name, len(g.members()), len(x.room.living(g)), len(g.nodes))
		if h := x.room.head; h != nil {
			s += fmt.Sprintf(", head %x height %d of %d", h.commit.ID().Short(), h.commit.Height, len(h.list))
		}
		s += fmt.Sprintf(", limbo %d, commits %d, held %d, refused %d, failed %v\n", len(x.room.limbo), len(x.room.commits), len(x.room.held), x.refused, x.failed)
	}
	return s
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
