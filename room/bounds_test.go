package room

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestAwaitingEnds: who has proved itself and then tells nothing is waited for once.
func TestAwaitingEnds(t *testing.T) {
	n := newNetwork(t, 540)
	all := n.party("ann", "bob")
	r := all[0].room
	r.committing.awaiting[[32]byte{1}] = r.now
	r.waitUntil(r.head.list)
	if len(r.committing.awaiting) > 0 {
		t.Error("it is waited for for ever")
	}
}

// TestTermsOfNobody: whoever sends terms of contributions that there are not takes no
// memory with it.
func TestTermsOfNobody(t *testing.T) {
	n := newNetwork(t, 541)
	all := n.party("ann", "bob", "eve")
	ann, eve := all[0], all[2]
	n.pause(eve)
	for i := range uint32(20) {
		var terms []ake.MemberTerm
		for k := range uint32(200) {
			cid := ake.Sum("nobody", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, i), k))
			secret, err := ake.SecretFromBytes(cid[:])
			if err != nil {
				t.Fatal(err)
			}
			terms = append(terms, ake.MemberTerm{CID: cid, Term: ake.Term{Secret: secret}})
		}
		slices.SortFunc(terms, func(a, b ake.MemberTerm) int { return compareHashes(a.CID, b.CID) })
		ann.given(eve, true, record.EncodeTerms(terms))
		n.drain(ann)
	}
	if r := ann.room; len(r.waiting.terms) > maxWaitingTerms || len(r.channels.byKey[eve.room.workingID].termsKnown) > maxNodes/8 {
		t.Errorf("%d terms wait, and %d are known to be known", len(r.waiting.terms), len(r.channels.byKey[eve.room.workingID].termsKnown))
	}
}

// TestOmissionsArePaced: of hundreds of commits that leave bob out people are told of a
// few, and how many there were.
func TestOmissionsArePaced(t *testing.T) {
	n := newNetwork(t, 542)
	all := n.party("ann", "bob", "cyn", "eve")
	k := &crowd{n: n, eve: all[3], honest: all[:3]}
	n.pause(k.eve)
	for range 60 {
		k.commit(t, without(k.highest().list, all[1].own()), func(s *simNode) bool { return s != all[1] })
		n.run(250 * time.Millisecond)
	}
	n.run(time.Minute)
	told, last := len(events[LeftOut](all[0])), 0
	for _, e := range events[LeftOut](all[0]) {
		last = max(last, e.Times)
	}
	if told == 0 || told > maxOmissionsReported+5 || last <= told {
		t.Errorf("ann is told %d times, at last of %d", told, last)
	}
}

// TestListedBeside: of two commits of one height the greater leaves out somebody new. Those
// whose head it is do not wait for the turns of the others, who need no commit.
func TestListedBeside(t *testing.T) {
	for seed := range uint64(6) {
		n := newNetwork(t, 543+seed)
		all := n.party("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "eve")
		k := &crowd{n: n, eve: all[9], honest: all[:1]}
		for _, s := range all[1:] {
			n.pause(s)
		}
		p0, before := all[0], all[0].room.head
		k.add(1, 255)
		p := k.puppets[0]
		with := append(slices.Clone(before.list), record.Entry{Identity: p.c.Identity, CID: p.c.ID(), Presence: p.records[3].ID()})
		with.Sort()
		for {
			greater, lesser := &forgery{list: before.list, after: before}, &forgery{list: with, after: before}
			y, x := greater.sign(k.eve), lesser.sign(k.eve)
			if a, b := y.ID(), x.ID(); compareHashes(a, b) < 0 {
				continue
			}
			p0.given(k.eve, true, handover(y, greater.d), record.EncodeRecords([]record.Record{y, x})[0])
			n.drain(p0)
			if p0.room.head.commit.ID() != y.ID() || p0.room.commits[x.ID()] == nil {
				t.Fatal("they are not taken: the test shows nothing")
			}
			break
		}
		took := n.until(time.Minute, "the new one is listed", func() bool { return p0.room.head.lists(p.c.Identity, p.c.ID()) })
		if took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

// TestRecordsHaveAPace: a member that sends records and beats without end has others check
// a bounded number of them; what another sends is taken meanwhile.
func TestRecordsHaveAPace(t *testing.T) {
	n := newNetwork(t, 550)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	n.pause(eve)
	n.pause(bob)
	r := ann.room
	r.allowance(eve.room.identity).records = pace{tokens: 700, at: n.now} // as after others
	serial := uint64(n.now.UnixMilli())
	// took is how many of so many names and beats of a process ann takes from a member.
	took := func(by *simNode, count int) (took int) {
		for from := 0; from < count; from += 500 {
			var recs []record.Record
			for range 500 {
				serial++
				name := &record.Name{Serial: serial, Text: "eve"}
				name.Sign(n.desc.ID(), by.room.working)
				recs = append(recs, name)
			}
			was := serial - 500
			ann.given(by, false, record.EncodeRecords(recs)...)
			if at := r.process(by.room.workingID).name; at != nil && at.Serial > was {
				took += int(at.Serial - was)
			}
		}
		return took
	}
	if of := took(eve, 1500); of > 710 || of < 690 {
		t.Errorf("%d of eve's are taken at once, of 700", of)
	}
	if of := took(bob, 500); of != 500 {
		t.Errorf("%d of bob's are taken", of)
	}
	n.run(10 * time.Second)
	if of := took(eve, 2000); of < 9*recordRate || of > 12*recordRate {
		t.Errorf("10 s later %d of eve's are taken", of)
	}
	b := &record.Beat{Serial: uint64(n.now.UnixMilli()) + 1000}
	b.Sign(n.desc.ID(), eve.room.working)
	ann.given(eve, false, record.EncodeFields(record.FrameBeats, b.Append(nil)))
	if p := r.process(eve.room.workingID); p.beat != nil && p.beat.Serial == b.Serial {
		t.Error("a beat is taken beyond the pace")
	}
}

// TestNeverFitting: hundreds of commits that list somebody whom nobody knows, last of all,
// are looked at again with each record, at little cost.
func TestNeverFitting(t *testing.T) {
	n := newNetwork(t, 551)
	all := n.party("ann", "bob", "eve")
	k := &crowd{n: n, eve: all[2], honest: all[:2]}
	n.pause(k.eve)
	k.add(60, 255)
	k.beat(0)
	n.until(time.Minute, "they are listed", func() bool { return len(k.listed()) == 60 })
	h := k.highest()
	nobody := record.Entry{Identity: [32]byte{0: 255, 1: 255, 2: 255}, CID: ake.Hash{1}}
	for i := range 200 {
		nobody.Presence[0] = byte(i)
		f := &forgery{list: append(slices.Clone(h.list), nobody), after: h, to: func(*simNode) bool { return false }}
		f.publish(t, k.eve)
	}
	n.run(time.Second)
	r := all[0].room
	pending := 0
	for _, e := range r.commits {
		if e.status == commitListed {
			pending++
		}
	}
	if pending < 150 {
		t.Fatalf("%d commits wait: the test shows nothing", pending)
	}
	if allocs := testing.AllocsPerRun(10, r.examineCommits); allocs > float64(pending)/4 {
		t.Errorf("to look at %d commits again takes %v allocations", pending, allocs)
	}
}

// TestHandoversHaveAPace: a member that hands over commits of its own without end has
// others take a bounded number of them.
func TestHandoversHaveAPace(t *testing.T) {
	n := newNetwork(t, 552)
	all := n.party("ann", "bob", "eve")
	ann, eve := all[0], all[2]
	n.pause(eve)
	r := ann.room
	r.allowance(eve.room.identity).records = pace{tokens: 20 * commitCost, at: n.now} // as after others
	h := r.head
	taken := 0
	for range 100 {
		f := &forgery{list: h.list, after: r.head}
		c := f.sign(eve)
		ann.given(eve, true, handover(c, f.d))
		n.drain(ann)
		if r.commits[c.ID()] != nil {
			taken++
		}
	}
	if taken != 20 {
		t.Errorf("%d of 100 are taken, not 20", taken)
	}
}
