package room

import (
	"errors"
	"slices"
	"testing"
	"time"

	"coterie/room/record"
)

// TestCutInCrowd: where many are here, and others have just left again and again,
// nobody says a word under a list with somebody in it whom they cut, however long the
// next one takes.
func TestCutInCrowd(t *testing.T) {
	n := newNetwork(t, 62)
	all := n.party("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "eve")
	ann := all[0]
	ann.room.outbox.stops = []stop{{n.now, time.Minute}}
	alone := slices.IndexFunc(all, func(s *simNode) bool { return s != ann && len(s.day().nodes[s.own()].out) == 1 })
	if err := ann.room.Cut(n.now, all[alone].room.self, true); err != nil {
		t.Fatal(err)
	}
	if g := ann.day(); len(g.members()) != 9 {
		t.Fatalf("%d are left: the test shows nothing", len(g.members()))
	}
	for range 10 {
		ann.room.now = ann.room.now.Add(time.Second)
		if ann.room.maySend() {
			t.Fatal("ann sends under a list with somebody in it whom she cut")
		}
	}
	// Taken back, it does not count as a stop: whoever leaves now stops her.
	ann.room.outbox.stops = nil
	if err := ann.room.Cut(ann.room.now, all[alone].room.self, false); err != nil {
		t.Fatal(err)
	}
	if !ann.room.maySend() {
		t.Fatal("ann is stopped: the test shows nothing")
	}
	left := &record.Presence{Serial: 1 << 40, Left: true}
	left.Sign(n.desc.ID(), all[alone].room.working)
	if ann.room.add(left); ann.room.maySend() {
		t.Error("who leaves after a cut was taken back does not stop ann")
	}
}

// TestCut: who is cut, and who came in by them alone, read no more of what is said
// by whoever cut them; others, who keep them, read all of everybody; and it can be
// taken back.
func TestCut(t *testing.T) {
	n := newNetwork(t, 61)
	all := n.party("ann", "bob", "cyn", "eve")
	ann, bob, cyn, eve := all[0], all[1], all[2], all[3]
	fay := n.add("fay", true)
	n.connect(fay, eve) // and to nobody else
	all = append(all, fay)
	n.until(30*time.Second, "five", func() bool { return together(all...) })

	if err := ann.room.Cut(n.now, ann.room.self, true); !errors.Is(err, ErrYourself) {
		t.Errorf("ann cuts herself: %v", err)
	}
	for _, s := range []*simNode{ann, bob} {
		if err := s.room.Cut(n.now, eve.room.self, true); err != nil {
			t.Fatal(err)
		}
		if s.room.maySend() {
			t.Errorf("%s sends under a list with eve in it", s.name)
		}
		n.drain(s)
		if told := events[Cut](s); len(told) != 1 || len(told[0].With) != 1 || told[0].With[0].Peer != fay.room.self {
			t.Fatalf("%s is told %+v", s.name, told)
		}
	}
	lists := func(s *simNode, who *simNode) bool {
		h := s.room.head
		return h != nil && h.lists(who.room.identity, who.own())
	}
	n.until(5*time.Second, "an epoch without eve", func() bool {
		return ann.room.head.commit.ID() == bob.room.head.commit.ID() && !lists(ann, eve) && !lists(ann, fay) && lists(ann, cyn)
	})
	// Bob may have begun another at the same time.
	if !slices.ContainsFunc(ann.epochs, func(e EpochStarted) bool { return e.Reason == ReasonCut && len(e.Left) == 2 }) {
		t.Errorf("ann is told %+v", ann.epochs)
	}
	ann.say("without eve")
	cyn.say("cyn to all")
	n.run(time.Minute)
	for s, texts := range map[*simNode][]string{
		ann: {"cyn to all"}, bob: {"without eve", "cyn to all"}, cyn: {"without eve"}, eve: {"cyn to all"}, fay: {"cyn to all"},
	} {
		for _, text := range texts {
			if s.times(text) != 1 {
				t.Errorf("%s was shown %q %d times", s.name, text, s.times(text))
			}
		}
	}
	for _, s := range []*simNode{eve, fay} {
		if s.heard("without eve") {
			t.Errorf("%s reads what ann says", s.name)
		}
	}
	told := events[LeftOut](cyn)
	if len(told) == 0 || told[0].Member.Peer != eve.room.self && told[0].Member.Peer != fay.room.self {
		t.Errorf("cyn was told %+v", told)
	}
	if lists(ann, eve) || lists(bob, eve) || !lists(cyn, eve) || !lists(cyn, ann) {
		t.Errorf("after a minute:\n%s", n.describe())
	}

	// Who came in by eve alone comes back by somebody else, and she does not.
	n.connect(fay, ann)
	n.until(2*time.Minute, "fay is back", func() bool { return lists(ann, fay) && !lists(ann, eve) })

	for _, s := range []*simNode{ann, bob} {
		if err := s.room.Cut(n.now, eve.room.self, false); err != nil {
			t.Fatal(err)
		}
		n.drain(s)
	}
	n.until(2*time.Minute, "one room again", func() bool { return together(all...) })
	ann.say("all again")
	n.run(5 * time.Second)
	if !eve.heard("all again") {
		t.Error("eve was not given what is said after she was taken back")
	}
}

// TestCutHangersOn: an edge of their own does not keep here those who hang on one
// that was cut.
func TestCutHangersOn(t *testing.T) {
	n := newNetwork(t, 64)
	all := n.party("ann", "bob", "eve")
	ann, eve := all[0], all[2]
	fay := n.add("fay", true)
	n.connect(fay, eve)
	n.until(30*time.Second, "four", func() bool { return together(append(all, fay)...) })
	edge := &record.Edge{Period: ann.day().period, From: fay.own(), To: ann.own()}
	edge.Sign(ann.room.id, fay.room.working)
	if ann.room.add(edge) != kept {
		t.Fatal("the edge is not taken")
	}
	if err := ann.room.Cut(n.now, eve.room.self, true); err != nil {
		t.Fatal(err)
	}
	n.drain(ann)
	if told := events[Cut](ann); len(told) != 1 || len(told[0].With) != 1 {
		t.Errorf("ann is told %+v", told)
	}
}

// TestCutOverMidnight: it holds for the next day, too.
func TestCutOverMidnight(t *testing.T) {
	n, midnight := near(t, 62, time.Hour)
	ann, bob, eve := n.add("ann", true), n.add("bob", true), n.add("eve", true)
	n.connectAll()
	n.until(20*time.Second, "three", func() bool { return together(ann, bob, eve) })
	if err := ann.room.Cut(n.now, eve.room.self, true); err != nil {
		t.Fatal(err)
	}
	n.drain(ann)
	n.run(midnight.Sub(n.now) + 5*time.Minute)
	if h := ann.room.head; h.commit.Period != ann.room.today() || h.lists(eve.room.identity, eve.own()) || !h.lists(bob.room.identity, bob.own()) {
		t.Errorf("the next day:\n%s", n.describe())
	}
}

// TestCutComesBack: nobody proves themselves to the next process of one that was
// cut, nor opens what it sends.
func TestCutComesBack(t *testing.T) {
	n := newNetwork(t, 63)
	all := n.party("ann", "bob", "eve")
	ann, eve := all[0], all[2]
	if err := ann.room.Cut(n.now, eve.room.self, true); err != nil {
		t.Fatal(err)
	}
	n.drain(ann)
	n.stop(eve)
	again := n.start("eve again", true, eve.room.cfg.Identity)
	n.connect(again, ann)
	before := len(events[Proved](ann))
	n.run(time.Minute)
	if proofs := events[Proved](ann); len(proofs) != before {
		t.Errorf("ann proved herself to %v", proofs[before:])
	}
	if len(again.day().members()) != 1 {
		t.Error("eve is not alone")
	}
}
