package room

import (
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// A forgery is a commit of an insider who knows everything that a member knows,
// and does not keep to the rules.
type forgery struct {
	list   record.List
	prevs  []*epoch
	header func(h *record.Header)
	key    func() ake.Secret // of the one-time key, in place of d
	public func(key *[32]byte)
	wraps  func(wraps []byte)
	terms  []ake.SealedTerm // in place of those that are missing
	tag    func(tag *ake.Hash)
}

// publish makes the commit by the node's keys and publishes it, without the
// node's own room believing it.
func (f *forgery) publish(t *testing.T, s *simNode) *record.Commit {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := s.room
	g := r.graph(r.today())
	var height uint64
	for _, p := range f.prevs {
		height = max(height, p.commit.Height)
	}
	c := &record.Commit{Header: record.Header{
		Day: g.date, Height: height + 1, Prevs: sortedIDs(f.prevs), By: g.own.cid,
		Members: uint32(len(f.list)), List: f.list.Hash(),
	}, Base: record.WholeList, Changes: f.list}
	c.SetEvidence(r.removals(g, f.list, f.prevs))
	if f.header != nil {
		f.header(&c.Header)
	}
	d := r.draw()
	sid := r.sid(g, f.list)
	core := &ake.Core{SID: sid, Height: c.Height, Prevs: c.Prevs, By: c.By}
	from := d
	if f.key != nil {
		from = f.key()
	}
	key := core.OneTimeKey(from)
	c.OneTime = key.Public
	if f.public != nil {
		f.public(&c.OneTime)
	}
	h := c.Header.Hash()
	var err error
	c.Wraps, err = ake.Wrap(d, key, h, r.recipients(g, f.list, c.By))
	must(err)
	c.Wraps = c.Wraps[:32*(len(f.list)-1)] // a committer that does not list itself has one more
	if f.wraps != nil {
		f.wraps(c.Wraps)
	}
	terms := f.terms
	if terms == nil {
		terms = r.missing(g, f.list, f.prevs)
	}
	c.Sealed, err = ake.Seal(d, h, terms)
	must(err)
	c.Settle()
	e := &epoch{commit: c, list: f.list, sid: sid}
	secret, known, err := r.epochSecret(g, e, d)
	must(err)
	if !known {
		t.Fatal("the forger lacks a term")
	}
	c.Tag = ake.Confirm(secret, c.ID())
	if f.tag != nil {
		f.tag(&c.Tag)
	}
	c.Sign(r.id, r.working)
	s.inject(record.Encode(c))
	return c
}

// inject publishes what the node's room did not make.
func (s *simNode) inject(data []byte) {
	s.net.hostile[string(data)] = true
	s.seen[string(data)] = true
	s.net.gossip(s, data, nil)
}

// four members in one epoch, all connected.
func four(t *testing.T, seed uint64) (*network, []*simNode) {
	n := newNetwork(t, seed)
	var all []*simNode
	for _, name := range []string{"ann", "bob", "cyn", "dan"} {
		all = append(all, n.add(name, true))
	}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(10 * time.Second)
	return n, all
}

// TestForgedCommits: no commit that breaks a rule becomes anybody's head.
func TestForgedCommits(t *testing.T) {
	without := func(l record.List, cid ake.Hash) record.List {
		var out record.List
		for _, e := range l {
			if e.CID != cid {
				out = append(out, e)
			}
		}
		return out
	}
	for name, forge := range map[string]func(t *testing.T, n *network, all []*simNode, f *forgery){
		// Whoever left knows all terms, and may go on to sign: nobody listens.
		"LeaverCommits": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			all[0].room.Leave(n.now)
			n.drain(all[0])
			n.run(10 * time.Second)
			g := all[1].room.graph(all[1].room.today())
			f.prevs = []*epoch{all[1].room.head}
			f.list = without(all[1].room.nextList(g), all[0].room.graph(g.date).own.cid)
			// He took part in the comparison that told him of the head.
			for _, s := range all[1:] {
				for id, e := range s.room.commits {
					if all[0].room.commits[id] == nil {
						all[0].room.commits[id] = e
					}
				}
			}
		},
		// She starts afresh, for the others alone, and would read along unseen.
		"committer not listed": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.prevs = nil
			f.list = without(f.list, all[0].room.graph(all[0].room.today()).own.cid)
		},
		"SilentOmission": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.list = without(f.list, all[2].room.graph(all[2].room.today()).own.cid)
		},
		"HeightInflation": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.header = func(h *record.Header) { h.Height += 5 }
		},
		"SplitCommit, one member garbage": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.wraps = func(w []byte) { w[0] ^= 1 }
		},
		"SplitCommit, another one-time key": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.key = func() ake.Secret { return all[0].room.draw() }
		},
		// X25519 drops the bit, so everybody gets the same secret, of another epoch.
		"SplitCommit, another text of the one-time key": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.public = func(key *[32]byte) { key[31] |= 0x80 }
		},
		"wrong term in the seal": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			cid := all[2].room.graph(all[2].room.today()).own.cid
			f.terms = []ake.SealedTerm{{CID: cid, Term: ake.Term{Secret: all[0].room.draw()}}}
		},
		"wrong tag": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.tag = func(tag *ake.Hash) { tag[3] ^= 1 }
		},
		// Ann vouches for a stranger who vouches for nobody.
		"LeakedTerms": func(t *testing.T, n *network, all []*simNode, f *forgery) {
			r := all[0].room
			g := r.graph(r.today())
			flood := makeFlood(abe.DayOf(n.now), 1)
			c, err := record.ParseContribution(flood[0][1:])
			if err != nil {
				t.Fatal(err)
			}
			p, err := record.ParsePresence(flood[1][1:])
			if err != nil {
				t.Fatal(err)
			}
			c.Settle(r.id)
			e := &record.Edge{Day: g.date, From: g.own.cid, To: c.ID()}
			e.Sign(r.id, r.working)
			frames := record.EncodeRecords([]record.Record{e, c, p})
			for _, s := range all {
				s.take(frames...)
				n.drain(s)
			}
			term := fakeDerive(floodSeed(0), c.Context(r.id), nil).Term // he told her
			g.nodes[c.ID()].term = &term
			f.list = append(f.list, record.Entry{Identity: c.Identity, CID: c.ID(), Presence: p.ID()})
			f.list.Sort()
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, all := four(t, 11)
			head := all[0].room.head
			f := &forgery{list: append(record.List(nil), head.list...), prevs: []*epoch{head}}
			forge(t, n, all, f)
			c := f.publish(t, all[0])
			for range 50 {
				n.run(100 * time.Millisecond)
				for _, s := range all[1:] {
					if e := s.room.commits[c.ID()]; e != nil && (e.status == accepted || e.keys != nil) {
						t.Fatalf("%s accepted it", s.name)
					}
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) { // the forger can do it right
		n, all := four(t, 11)
		head := all[0].room.head
		f := &forgery{list: append(record.List(nil), head.list...), prevs: []*epoch{head}}
		c := f.publish(t, all[0])
		n.run(time.Second)
		if all[1].room.head.commit.ID() != c.ID() {
			t.Error("a right commit was not taken")
		}
	})
}

// take gives a node frames as on a stream from its first neighbour.
func (s *simNode) take(frames ...[]byte) {
	id := s.next
	s.next += 2
	from := s.room.sortedNeighbours()[0]
	s.room.StreamOpened(s.clock(), id, from, ProtocolCompare)
	for _, f := range frames {
		s.room.StreamFrame(s.clock(), id, f)
	}
	s.room.StreamClosed(s.clock(), id)
}

// TestLeaveIsAbsorbing: a later presence does not undo a leave.
func TestLeaveIsAbsorbing(t *testing.T) {
	n, all := four(t, 12)
	r := all[0].room
	r.Leave(n.now)
	n.drain(all[0])
	n.until(20*time.Second, "an epoch without ann", func() bool { return together(all[1:]...) })
	p := &record.Presence{Serial: r.presence.Serial + 1, Ephemeral: [32]byte{9}}
	p.Sign(r.id, r.working)
	for _, s := range all[1:] {
		s.take(record.EncodeRecords([]record.Record{p})...)
		n.drain(s)
	}
	n.run(20 * time.Second)
	if !together(all[1:]...) {
		t.Errorf("she is back:\n%s", n.describe())
	}
}

// TestMessageForgery: a member cannot speak in another's name, and trying to
// does not use up the other's keys.
func TestMessageForgery(t *testing.T) {
	n, all := four(t, 13)
	ann, bob, cyn := all[0], all[1], all[2]
	e := ann.room.head
	b := bob.room.head.mine
	chain := e.chains[b]
	counter, key := chain.Next()
	signed := &record.Signed{Body: record.Body{Counter: counter, Time: 1, Lamport: 1, Kind: record.KindText, Text: "forged"}, Epoch: e.commit.ID(), CID: e.list[b].CID}
	signed.Sign(ann.room.id, ann.room.working)
	m := &record.Message{Epoch: signed.Epoch}
	var err error
	if m.Sealed, err = ake.SealMessage(key, ann.room.id, m.Epoch, m.Guard, signed.Content()); err != nil {
		t.Fatal(err)
	}
	header, err := e.keys.SealHeader(ann.room.id, m.Epoch, m.Guard, m.Sealed, uint32(b), counter)
	if err != nil {
		t.Fatal(err)
	}
	copy(m.Header[:], header)
	ann.inject(m.Append([]byte{record.TypeMessage}))
	n.run(time.Second)
	cyn.take(signed.AppendLog([]byte{record.FrameLog}))
	n.drain(cyn)
	n.run(time.Second)
	bob.say("true")
	n.run(5 * time.Second)
	for _, s := range all {
		if s.heard("forged") {
			t.Errorf("%s was given the forged message", s.name)
		}
		if !s.heard("true") {
			t.Errorf("%s was not given the true one", s.name)
		}
	}
}

// TestWrongTerms: a term that does not fit its contribution is not taken, and
// the right one is, later.
func TestWrongTerms(t *testing.T) {
	f := freeze(1)
	wrong := make([]ake.SealedTerm, len(f.terms))
	for i, term := range f.terms {
		wrong[i] = ake.SealedTerm{CID: term.CID, Term: ake.Term{Secret: f.from.room.draw()}}
	}
	for _, b := range f.records {
		f.feed(record.EncodeFields(record.FrameRecords, b))
		f.feed(record.EncodeTerms(wrong))
	}
	f.feed(record.EncodeTerms(f.terms))
	if r, x := f.newcomer.room, f.from.room; r.head == nil || r.head.commit.ID() != x.head.commit.ID() {
		t.Errorf("the newcomer and its sponsor disagree: %s\n%s", f.newcomer.describe(), f.from.describe())
	}
}
