package room

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// A spy is a peer without a room. It records the topic and whatever reaches it
// on streams, passes publications on, and sends what a test makes it send.
type spy struct {
	node     *simNode
	self     peer.ID
	identity ed25519.PrivateKey
	working  ed25519.PrivateKey
	out      Ready
	next     StreamID
	frames   map[StreamID][][]byte // what arrived, by stream
	over     map[StreamID]bool
	traffic  [][]byte                       // publications
	answer   func(id StreamID, data []byte) // to frames, if set
	opened   func(id StreamID, p peer.ID)   // to streams others open, if set
	verdict  func(data []byte) Verdict      // on publications, if set: whether it passes them on
}

// addSpy starts a peer without a room, with the identity if there is one.
func (n *network) addSpy(name string, identity ed25519.PrivateKey) *spy {
	if identity == nil {
		seed := n.seed32()
		identity = ed25519.NewKeyFromSeed(seed[:])
	}
	id := peerOf([32]byte(identity.Public().(ed25519.PublicKey)))
	seed := n.seed32()
	x := &spy{
		node: n.newNode(name, 0), self: id, identity: identity, working: ed25519.NewKeyFromSeed(seed[:]),
		next: 1, frames: make(map[StreamID][][]byte), over: make(map[StreamID]bool),
	}
	x.node.actor = x
	return x
}

func (x *spy) Self() peer.ID                         { return x.self }
func (x *spy) Tick(time.Time)                        {}
func (x *spy) PeerConnected(time.Time, peer.ID)      {}
func (x *spy) PeerDisconnected(time.Time, peer.ID)   {}
func (x *spy) Computed(time.Time, TaskID, any)       {}
func (x *spy) StreamClosed(_ time.Time, id StreamID) { x.over[id] = true }

func (x *spy) StreamOpened(_ time.Time, id StreamID, p peer.ID, _ [32]byte, _ string) {
	if x.opened != nil {
		x.opened(id, p)
	}
}

func (x *spy) StreamFrame(_ time.Time, id StreamID, data []byte) {
	x.frames[id] = append(x.frames[id], data)
	if x.answer != nil {
		x.answer(id, data)
	}
}

func (x *spy) Publication(_ time.Time, _ peer.ID, data []byte) Verdict {
	x.traffic = append(x.traffic, data)
	if x.verdict != nil {
		return x.verdict(data)
	}
	return Accept
}

func (x *spy) Ready() Ready {
	out := x.out
	x.out = Ready{}
	return out
}

// open opens a stream to a node and sends frames on it.
func (x *spy) open(to *simNode, protocol string, frames ...[]byte) StreamID {
	id := x.next
	x.next += 2
	x.out.Open = append(x.out.Open, Open{Stream: id, Peer: to.actor.Self(), Protocol: protocol})
	x.send(id, frames...)
	x.node.net.drain(x.node)
	return id
}

// hang ends a stream.
func (x *spy) hang(id StreamID) {
	x.out.Hang = append(x.out.Hang, Hang{Stream: id})
	x.node.net.drain(x.node)
}

func (x *spy) send(id StreamID, frames ...[]byte) {
	for _, f := range frames {
		x.out.Send = append(x.out.Send, Frame{Stream: id, Data: f})
	}
}

// got are the frames of one type that arrived on a stream, without the type.
func (x *spy) got(id StreamID, typ byte) [][]byte {
	var out [][]byte
	for _, f := range x.frames[id] {
		if len(f) > 0 && f[0] == typ {
			out = append(out, f[1:])
		}
	}
	return out
}

// contribute makes a contribution of the spy's, with whatever encapsulation.
func (x *spy) contribute(day abe.Period, serial uint64, enc func(*ake.Context) *ake.Encapsulated) *record.Contribution {
	ctx := &ake.Context{
		Room: x.node.net.desc.ID(), Identity: [32]byte(x.identity.Public().(ed25519.PublicKey)),
		Serial: serial, Period: day, Working: [32]byte(x.working.Public().(ed25519.PublicKey)),
	}
	c := record.NewContribution(x.identity, ctx, enc(ctx))
	c.ComputeID(ctx.Room)
	return c
}

func (x *spy) presence() *record.Presence {
	p := &record.Presence{Serial: 1}
	p.Sign(x.node.net.desc.ID(), x.working)
	return p
}

// edge is signed by the spy's working key.
func (x *spy) edge(day abe.Period, from, to ake.Hash) *record.Edge {
	e := &record.Edge{Period: day, From: from, To: to}
	e.Sign(x.node.net.desc.ID(), x.working)
	return e
}

// party starts nodes one after another, connects all of them and waits until
// they are in one epoch, in a calm room.
func (n *network) party(names ...string) []*simNode {
	n.t.Helper()
	var all []*simNode
	for _, name := range names {
		all = append(all, n.add(name, true))
	}
	for i, a := range all {
		for _, b := range all[:i] {
			n.connect(a, b)
		}
	}
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(10 * time.Second)
	return all
}

// crowd starts a room of many, as if all had proved themselves to the first: then
// all know each other, and one of them commits. Each is connected to a few.
func (n *network) crowd(size int) []*simNode {
	var all []*simNode
	for i := range size {
		all = append(all, n.add(fmt.Sprint("p", i), true))
	}
	n.run(time.Second)
	day, first := all[0].room.today(), all[0].own()
	edge := func(from *simNode, to ake.Hash) *record.Edge {
		e := &record.Edge{Period: day, From: from.own(), To: to}
		e.Sign(n.desc.ID(), from.room.working)
		return e
	}
	var edges []*record.Edge
	for _, s := range all[1:] {
		edges = append(edges, edge(all[0], s.own()), edge(s, first))
	}
	for i, s := range all {
		g, r := s.day(), s.room
		for _, o := range all {
			c := o.day().own.contribution
			if o != s {
				g.addContribution(c)
			}
			g.nodes[c.ID()].term = o.day().nodes[c.ID()].term
			r.workingKeys[c.Working] = true
			r.process(c.Working).takePresence(o.room.presence, r.presenceListed)
		}
		for _, e := range edges {
			g.addEdge(e)
		}
		r.newRecords = true
		for _, j := range []int{i - 1, i / 2, i * 3 / 4} {
			if j >= 0 && j != i {
				n.connect(s, all[j])
			}
		}
		s.tick()
	}
	return all
}

// day is the graph of today, and own the node's cid in it.
func (s *simNode) day() *graph   { return s.room.days[s.room.today()] }
func (s *simNode) own() ake.Hash { return s.day().own.cid }

func (s *simNode) leave() {
	s.room.Leave(s.clock())
	s.net.drain(s)
}

// tick lets a node look at the clock, and do what it then wants done.
func (s *simNode) tick() {
	s.room.Tick(s.clock())
	s.net.drain(s)
}

// without is a list less some contributions.
func without(l record.List, cids ...ake.Hash) record.List {
	var out record.List
next:
	for _, e := range l {
		for _, cid := range cids {
			if e.CID == cid {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}

// allHear waits until all have been given a text.
func (n *network) allHear(d time.Duration, text string, all ...*simNode) {
	n.t.Helper()
	n.until(d, "all hear "+text, func() bool {
		for _, s := range all {
			if !s.heard(text) {
				return false
			}
		}
		return true
	})
}

// times counts how often a node was given a text.
func (s *simNode) times(text string) int {
	k := 0
	for _, m := range s.messages {
		if m.Message.Text == text {
			k++
		}
	}
	return k
}

// messages are the encrypted messages among publications.
func messages(t *testing.T, traffic [][]byte) []*record.Message {
	t.Helper()
	var out []*record.Message
	for _, b := range traffic {
		if b[0] != record.TypeMessage {
			continue
		}
		m, err := record.ParseMessage(b[1:])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// commits are those among publications.
func commits(t *testing.T, traffic [][]byte) []*record.Commit {
	t.Helper()
	var out []*record.Commit
	for _, b := range traffic {
		if b[0] != record.TypeCommit {
			continue
		}
		c, err := record.ParseCommit(b[1:])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// reads tells whether epoch keys open a message, of whatever author.
func reads(room ake.Hash, keys *ake.Keys, m *record.Message) bool {
	if keys == nil {
		return false
	}
	_, _, err := keys.OpenHeader(room, m.Epoch, m.Step, m.Guard, m.Sealed, m.Header[:])
	return err == nil
}

// guess are the keys of an epoch for one who takes d for its fresh secret, and
// knows all terms.
func guess(e *epoch, terms []ake.Member, d ake.Secret) *ake.Keys {
	secret, err := ake.EpochSecret(e.commit.ID(), ake.Attributes(e.sid, terms), d)
	if err != nil {
		panic(err)
	}
	return ake.NewKeys(secret, nil)
}

// terms are all members' terms of an epoch, as a member knows them.
func (s *simNode) terms(e *epoch) []ake.Member {
	g := s.room.days[e.commit.Period]
	var out []ake.Member
	for _, m := range e.list {
		out = append(out, ake.Member{Identity: m.Identity, Term: *g.nodes[m.CID].term})
	}
	return out
}

// newIdentity is the identity key of a seed.
func newIdentity(seed [32]byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed[:]) }

func always(abe.Day) bool { return true }

// sayAt is say by the node's own clock.
func (s *simNode) sayAt(text string) {
	s.net.t.Helper()
	if err := s.room.Send(s.clock(), nil, record.KindText, text); err != nil {
		s.net.t.Fatal(err)
	}
	s.net.drain(s)
}
