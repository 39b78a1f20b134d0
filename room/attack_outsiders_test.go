package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestSybilSurround: a stranger whom impostors surround stays alone. They vouch
// for it and for each other, and say they are many, but none can open it.
func TestSybilSurround(t *testing.T) {
	n := newNetwork(t, 21)
	victim := n.add("victim", true)
	n.run(time.Second)
	day := dayOf(n.now)
	var spies []*spy
	var contributions []*record.Contribution
	for i := range 8 {
		x := n.addSpy(fmt.Sprint("impostor ", i), nil)
		spies = append(spies, x)
		var enc []byte
		c := x.contribute(day, 1, func(ctx *ake.Context) *ake.Encapsulated {
			e := fakeDerive(floodSeed(i), ctx, fakeEncapsulation(floodSeed(i), ctx))
			enc = e.Bytes
			return e
		})
		contributions = append(contributions, c)
		x.answer = func(id StreamID, data []byte) {
			own := victim.own()
			switch data[0] {
			case record.FrameHello:
				h := &record.Hello{Room: n.desc.ID(), Days: []record.HelloDay{{Period: day, CID: c.ID(), Size: 8}}}
				x.send(id, h.Encode(), (&record.Ask{}).Encode())
			case record.FrameAsk:
				var recs []record.Record
				for j, y := range spies {
					recs = append(recs, contributions[j], y.presence(), y.edge(day, contributions[j].ID(), own))
					for k := range spies {
						if k != j {
							recs = append(recs, y.edge(day, contributions[j].ID(), contributions[k].ID()))
						}
					}
				}
				x.send(id, record.EncodeRecords(recs)...)
				x.send(id, []byte{record.FrameDone})
			case record.FrameProve1:
				x.send(id, record.EncodeFields(record.FrameProve2, c.Append(nil), x.presence().Append(nil), enc))
			case record.FrameProve3: // the victim proved itself; the impostor cannot
				h := ake.Sum("guess")
				x.send(id, record.EncodeFields(record.FrameProve4, h[:], x.edge(day, c.ID(), own).Append(nil)))
			}
		}
		n.connect(victim, x.node)
	}
	victim.say("is anybody here?")
	n.run(3 * time.Minute)
	if victim.refused == 0 {
		t.Error("nobody tried to prove himself: the test shows nothing")
	}
	g := victim.day()
	if k := len(g.members()); k != 1 || victim.room.head != nil || victim.room.Held() != 1 {
		t.Errorf("%d members, head %v, %d held", k, victim.room.head, victim.room.Held())
	}
	if len(g.nodes) != 1 || len(g.edges) != 0 {
		t.Errorf("%d nodes and %d edges are kept of peers that proved nothing", len(g.nodes), len(g.edges))
	}
}

// TestLeakedTerms: an outsider who knows every member's term, and all that is
// public, gets no edge, is nobody's member, and reads nothing.
func TestLeakedTerms(t *testing.T) {
	n := newNetwork(t, 23)
	all := n.party("ann", "bob", "cyn")
	ann := all[0]
	x := n.addSpy("outsider", nil)
	n.connect(x.node, ann)
	n.run(time.Second)
	e := ann.room.head
	leaked := ann.terms(e)
	ann.say("between us")
	n.allHear(time.Second, "between us", all...)
	n.run(time.Second)

	// It answers the proof with each of the terms in place of the proof's key.
	day := dayOf(n.now)
	var enc []byte
	c := x.contribute(day, 1, func(ctx *ake.Context) *ake.Encapsulated {
		f := fakeDerive(floodSeed(0), ctx, fakeEncapsulation(floodSeed(0), ctx))
		enc = f.Bytes
		return f
	})
	for _, m := range leaked {
		x.answer = func(id StreamID, data []byte) {
			if data[0] == record.FrameProve2 {
				proof := ake.Proof{Secret: m.Term.Secret}
				h := proof.Answer(ake.Newcomer, c.ID(), ann.own())
				x.send(id, record.EncodeFields(record.FrameProve3, h[:], enc))
			}
		}
		id := x.open(ann, ProtocolProve, record.EncodeFields(record.FrameProve1, c.Append(nil), x.presence().Append(nil)))
		n.run(time.Second)
		if len(x.got(id, record.FrameProve2)) == 0 {
			t.Fatal("the member did not introduce itself: the test shows nothing")
		}
		if len(x.got(id, record.FrameProve4)) > 0 {
			t.Error("a term was taken for a proof")
		}
		n.run(idleTime) // who showed nothing is not answered at once again
	}
	// It publishes edges, a join and a commit of its own making.
	p := x.presence()
	join := &record.Join{Contribution: c, Presence: p, In: x.edge(day, ann.own(), c.ID()), Out: x.edge(day, c.ID(), ann.own()), Encapsulation: enc}
	list := append(record.List{{Identity: c.Identity, CID: c.ID(), Presence: p.ID()}}, e.list...)
	list.Sort()
	commit := &record.Commit{Brief: record.Brief{Header: record.Header{
		Period: day, Height: e.commit.Height + 1, By: c.ID(), Members: uint32(len(list)), List: list.Hash(),
	}}}
	commit.SetEvidence(nil)
	d := ann.room.draw()
	commit.Secret = ake.CommitSecret(commit.Core(), d)
	commit.ComputeID()
	commit.Sign(n.desc.ID(), x.working)
	commit = commit.Whole(list, nil)
	x.node.inject(join.Append([]byte{record.TypeJoin}))
	x.node.inject(record.Encode(commit))
	x.open(ann, ProtocolSync, handover(commit, d))
	n.run(10 * time.Second)
	for _, s := range all {
		if !together(all...) || len(s.day().members()) != len(all) || len(s.day().edges) > len(all)*(len(all)-1) {
			t.Errorf("%s", s.describe())
		}
	}
	// It derives what it can: all but the epoch's fresh secret.
	keys := guess(e, leaked, ake.Secret{})
	recorded := messages(t, x.traffic)
	if len(recorded) == 0 {
		t.Fatal("nothing was recorded")
	}
	for _, m := range recorded {
		if !reads(n.desc.ID(), e.keys, m) {
			t.Fatal("not even members read it: the test shows nothing")
		}
		if reads(n.desc.ID(), keys, m) {
			t.Error("whoever has all terms reads")
		}
	}
}

// TestCancellingReplay: an outsider publishes members' encapsulations as its
// own. Nobody who opens one takes it for the outsider's; what the outsider has
// from one member opens no door at another; and keys do not cancel.
func TestCancellingReplay(t *testing.T) {
	n := newNetwork(t, 24)
	all := n.party("ann", "bob", "cyn")
	x := n.addSpy("outsider", nil)
	day := dayOf(n.now)
	for _, s := range all {
		n.connect(x.node, s)
	}
	n.run(time.Second)
	for _, from := range all {
		// It looks exactly like the member, but for its name.
		o := from.day().own
		seed, err := ake.SecretFromBytes(o.encapsulation[4:36])
		if err != nil {
			t.Fatal(err)
		}
		c := x.contribute(day, uint64(n.now.UnixMilli()), func(*ake.Context) *ake.Encapsulated {
			return &ake.Encapsulated{Term: *from.day().nodes[o.cid].term, Bytes: o.encapsulation}
		})
		newcomer := n.add("newcomer", true) // alone: it dials whoever says he is not
		x.answer = func(id StreamID, data []byte) {
			switch data[0] {
			case record.FrameHello:
				h := &record.Hello{Room: n.desc.ID(), Days: []record.HelloDay{{Period: day, CID: c.ID(), Size: 3}}}
				x.send(id, h.Encode())
			case record.FrameProve1:
				x.send(id, record.EncodeFields(record.FrameProve2, c.Append(nil), x.presence().Append(nil), o.encapsulation))
			}
		}
		opens, refused := newcomer.opens, newcomer.refused
		n.connect(newcomer, x.node)
		n.run(10 * time.Second)
		if newcomer.opens == opens {
			t.Fatal("the newcomer opened nothing: the test shows nothing")
		}
		if newcomer.refused == refused {
			t.Errorf("the newcomer did not refuse the encapsulation of %s", from.name)
		}
		for id := range x.frames {
			if len(x.got(id, record.FrameProve3)) > 0 {
				t.Error("the newcomer answered: it is an oracle for another's encapsulation")
			}
		}
		if fakeDerive(seed, c.Context(n.desc.ID()), nil).Proof.Equal(&o.proof.Secret) {
			t.Error("another's context gives the same proof")
		}
		n.stop(newcomer)
	}
	// In a plain sum each term would now stand twice, which gives zeros.
	h := all[0].room.head
	members := all[0].terms(h)
	twice := ake.Attributes(h.sid, append(append([]ake.Member(nil), members...), members...))
	if once := ake.Attributes(h.sid, members); twice.IsZero() || twice.Equal(&once) {
		t.Error("terms cancel")
	}
	if !together(all...) {
		t.Errorf("the members were disturbed:\n%s", n.describe())
	}
}

// TestBranchProbe: to the maker of a crafted encapsulation a member looks the
// same whether nothing opened, or something did that its maker's coins would
// not have made. (What opening itself shows: packages abe and ake.)
func TestBranchProbe(t *testing.T) {
	n := newNetwork(t, 25)
	day := dayOf(n.now)
	look := func(satisfies bool, spoil int) (frames, after int) {
		victim := n.add("victim", satisfies)
		n.run(time.Second)
		x := n.addSpy("prober", nil)
		var enc []byte
		c := x.contribute(day, 1, func(ctx *ake.Context) *ake.Encapsulated {
			enc = fakeEncapsulation(floodSeed(0), ctx)
			if spoil >= 0 {
				enc[spoil] ^= 1 // the seed is there for those who satisfy the policy; its binding is wrong
			}
			return fakeDerive(floodSeed(0), ctx, enc)
		})
		var began, ended time.Time
		x.answer = func(id StreamID, data []byte) {
			switch data[0] {
			case record.FrameHello:
				h := &record.Hello{Room: n.desc.ID(), Days: []record.HelloDay{{Period: day, CID: c.ID(), Size: 3}}}
				x.send(id, h.Encode())
			case record.FrameProve1:
				x.send(id, record.EncodeFields(record.FrameProve2, c.Append(nil), x.presence().Append(nil), enc))
				began = n.now
			case record.FrameProve3:
				frames++
			}
			ended = n.now
		}
		n.connect(victim, x.node)
		n.run(10 * time.Second)
		if victim.opens == 0 {
			t.Fatal("nothing was opened: the test shows nothing")
		}
		for _, s := range n.nodes {
			n.stop(s)
		}
		return frames, int(ended.Sub(began) / time.Second)
	}
	if frames, _ := look(true, -1); frames == 0 {
		t.Fatal("an honest encapsulation was not answered: the test shows nothing")
	}
	closed, closedAfter := look(false, -1)
	for spoil := 0; spoil < fakeSize; spoil += 9 {
		if frames, after := look(true, spoil); frames != closed || after != closedAfter {
			t.Fatalf("byte %d: %d frames after %d s; whoever cannot open shows %d after %d s", spoil, frames, after, closed, closedAfter)
		}
	}
}
