package room

import (
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// A forgery is a commit of an insider who knows everything that a member knows,
// and does not keep to the rules.
type forgery struct {
	away       record.Away
	list       record.List
	after      *epoch // whose height it follows; nil: it is the first
	header     func(h *record.Header)
	evidence   []record.Evidence
	commitment func(h *ake.Hash)
	to         func(s *simNode) bool // who is handed its secret; nil: everybody
	d          ake.Secret
}

// publish makes the commit by the node's keys and publishes it, without the
// node's own room believing it; and hands its secret over.
func (f *forgery) publish(t *testing.T, s *simNode) *record.Commit {
	t.Helper()
	r := s.room
	c := f.sign(s)
	s.inject(record.Encode(c))
	for _, o := range s.net.nodes {
		if o != s && o.room != nil && !o.down && !o.paused && (f.to == nil || f.to(o)) {
			o.given(s, true, handover(c, f.d))
			s.net.drain(o)
		}
	}
	if r.commits[c.ID()] != nil {
		t.Fatal("the forger's own room believes it")
	}
	return c
}

// sign makes the commit, and draws its secret.
func (f *forgery) sign(s *simNode) *record.Commit {
	r := s.room
	g := r.days[r.today()]
	var height uint64
	if f.after != nil {
		height = f.after.commit.Height
	}
	c := &record.Commit{Brief: record.Brief{Header: record.Header{
		Period: g.period, Height: height + 1, By: g.own.cid, Members: uint32(len(f.list)), List: f.list.Hash(),
	}}}
	c.Away = f.away.Hash()
	c.SetEvidence(f.evidence)
	if f.header != nil {
		f.header(&c.Header)
	}
	f.d = r.draw()
	c.Secret = ake.CommitSecret(c.Core(), f.d)
	if f.commitment != nil {
		f.commitment(&c.Secret)
	}
	c.ComputeID()
	c.Sign(r.id, r.working)
	return c.Whole(f.list, f.away)
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
	return n, n.party("ann", "bob", "cyn", "dan")
}

// TestForgedCommits: no commit that breaks a rule becomes anybody's head, and one
// that lists whom it may not is read by nobody.
func TestForgedCommits(t *testing.T) {
	type forger func(t *testing.T, n *network, all []*simNode, f *forgery)
	for name, c := range map[string]struct {
		forge forger
		reads bool // it can be read; it is no head all the same
	}{
		// Whoever left knows all terms, and may go on to sign: nobody listens.
		"LeaverCommits": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			all[0].leave()
			n.run(10 * time.Second)
			f.after = all[1].room.head
		}},
		// She starts afresh, for the others alone, and would read along unseen.
		"committer not listed": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.list = without(f.list, all[0].own())
		}},
		"SilentOmission": {reads: true, forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.list = without(f.list, all[2].own())
		}},
		// Who is said to be away gets no keys.
		"SilentOmission, said to be away": {reads: true, forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.list = without(f.list, all[2].own())
			f.away = record.Away{{Identity: all[2].room.identity, Day: all[2].room.today().Day()}}
		}},
		"away tomorrow": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.away = record.Away{{Identity: [32]byte{1}, Day: all[2].room.today().Day() + 1}}
		}},
		"away for too long": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.away = record.Away{{Identity: [32]byte{1}, Day: all[2].room.today().Day() - 2}}
		}},
		"here and away": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.away = record.Away{{Identity: all[2].room.identity, Day: all[2].room.today().Day()}}
		}},
		// With a reason that nobody can check.
		"SilentOmission, said to be silent": {reads: true, forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.list = without(f.list, all[2].own())
			f.evidence = []record.Evidence{{Kind: record.EvidenceSilent, CID: all[2].own(), Ref: record.SilentRef(1 << 62)}}
		}},
		"SilentOmission, said to have left": {reads: true, forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.list = without(f.list, all[2].own())
			f.evidence = []record.Evidence{{Kind: record.EvidenceLeft, CID: all[2].own(), Ref: ake.Sum("left")}}
		}},
		"HeightInflation": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.header = func(h *record.Header) { h.Height = all[1].room.mostHeight(h.Period) + 60*heightsASecond }
		}},
		"SplitCommit, another commitment": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.commitment = func(h *ake.Hash) { h[3] ^= 1 }
		}},
		"another's identity": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			i := f.list.Index(all[2].own())
			f.list[i].Identity = ake.Sum("somebody")
			f.list.Sort()
		}},
		"a presence that nobody has": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			f.list[0].Presence = ake.Sum("nowhere")
		}},
		// Dan left, and is listed.
		"one who left": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			all[3].leave()
			n.run(10 * time.Second)
			f.after = all[1].room.head
		}, reads: true},
		// Ann vouches for a stranger who vouches for nobody.
		"LeakedTerms": {forge: func(t *testing.T, n *network, all []*simNode, f *forgery) {
			r := all[0].room
			g := r.days[r.today()]
			flood := makeFlood(dayOf(n.now), 1)
			c, err := record.ParseContribution(flood[0][1:])
			if err != nil {
				t.Fatal(err)
			}
			p, err := record.ParsePresence(flood[1][1:])
			if err != nil {
				t.Fatal(err)
			}
			c.ComputeID(r.id)
			e := &record.Edge{Period: g.period, From: g.own.cid, To: c.ID()}
			e.Sign(r.id, r.working)
			frames := record.EncodeRecords([]record.Record{e, c, p})
			term := ake.MemberTerm{CID: c.ID(), Term: fakeDerive(floodSeed(0), c.Context(r.id), nil).Term} // he told her
			for _, s := range all {
				s.take(append(frames, record.EncodeTerms([]ake.MemberTerm{term}))...)
				n.drain(s)
			}
			f.list = append(f.list, record.Entry{Identity: c.Identity, CID: c.ID(), Presence: p.ID()})
			f.list.Sort()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			n, all := four(t, 11)
			head := all[0].room.head
			f := &forgery{list: append(record.List(nil), head.list...), after: head}
			c.forge(t, n, all, f)
			bad := f.publish(t, all[0])
			read := false
			for range 50 {
				n.run(100 * time.Millisecond)
				for _, s := range all[1:] {
					e := s.room.commits[bad.ID()]
					if s.room.head.commit.ID() == bad.ID() {
						t.Fatalf("it is the head of %s", s.name)
					}
					if e != nil && e.keys != nil && !c.reads {
						t.Fatalf("%s can read it", s.name)
					}
					read = read || e != nil && e.keys != nil
				}
			}
			if read != c.reads {
				t.Error("nobody could have taken it: the test shows nothing")
			}
		})
	}
	t.Run("none", func(t *testing.T) { // the forger can do it right
		n, all := four(t, 11)
		head := all[0].room.head
		f := &forgery{list: append(record.List(nil), head.list...), after: head}
		c := f.publish(t, all[0])
		n.run(time.Second)
		for _, s := range all[1:] {
			if s.room.head.commit.ID() != c.ID() {
				t.Errorf("a right commit was not taken by %s", s.name)
			}
		}
	})
}

// TestLeaveIsAbsorbing: a later presence does not undo a leave.
func TestLeaveIsAbsorbing(t *testing.T) {
	n, all := four(t, 12)
	r := all[0].room
	all[0].leave()
	n.until(20*time.Second, "an epoch without ann", func() bool { return together(all[1:]...) })
	p := &record.Presence{Serial: r.presence.Serial + 1}
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
	b := bob.room.head.ownIndex
	counter, key := e.keys.Chain(b).Next()
	signed := &record.Signed{Body: record.Body{Counter: counter, Time: 1, Lamport: 1, Kind: record.KindText, Text: "forged"}, Epoch: e.commit.ID(), CID: e.list[b].CID}
	signed.Sign(ann.room.id, ann.room.working)
	m := &record.Message{Epoch: signed.Epoch, Step: e.step(n.now)}
	var err error
	if m.Sealed, err = ake.SealMessage(key, ann.room.id, m.Epoch, m.Guard, signed.Content()); err != nil {
		t.Fatal(err)
	}
	header, err := e.keys.SealHeader(ann.room.id, m.Epoch, m.Step, m.Guard, m.Sealed, uint32(b), counter)
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
	wrong := make([]ake.MemberTerm, len(f.terms))
	for i, term := range f.terms {
		wrong[i] = ake.MemberTerm{CID: term.CID, Term: ake.Term{Secret: f.from.room.draw()}}
	}
	for _, b := range f.records {
		f.feed(record.EncodeFields(record.FrameRecords, b))
		f.feed(record.EncodeTerms(wrong))
	}
	f.feed(record.EncodeTerms(f.terms))
	f.feed(f.secrets...)
	if r, x := f.newcomer.room, f.from.room; r.head == nil || r.head.commit.ID() != x.head.commit.ID() {
		t.Errorf("the newcomer and its sponsor disagree: %s\n%s", f.newcomer.describe(), f.from.describe())
	}
	for _, term := range f.terms {
		if n := f.newcomer.day().nodes[term.CID]; n == nil || n.term == nil || !n.term.Equal(&term.Term.Secret) {
			t.Errorf("the newcomer has not the term of %x", term.CID[:4])
		}
	}
}
