package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// passes has a node say something that is of questions from outside, whatever it knows.
func (s *simNode) passes(kind byte, text []byte) {
	s.net.t.Helper()
	if err := s.room.seal(held{kind: kind, text: string(text)}); err != nil {
		s.net.t.Fatal(err)
	}
}

// TestOutsideTaken: a member who takes what another took, as her own, and then makes up hundreds,
// does not have the other's give way with hers.
func TestOutsideTaken(t *testing.T) {
	n, all, x := asksOutside(t, 811, "ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	_, mine := n.asker(n.desc, "", "and I?")
	x.hand(ann, mine)
	n.run(10 * time.Second)
	_, another := n.asker(n.desc, "", "and we?") // which she has first
	for _, q := range []*record.Outside{mine, another} {
		eve.passes(record.KindQuestion, q.Append(nil))
	}
	n.drain(eve)
	n.run(time.Second)
	ann.passes(record.KindQuestion, another.Append(nil))
	n.drain(ann)
	n.run(time.Second)
	for i := range 300 {
		_, q := n.asker(n.desc, "", fmt.Sprint("spam ", i))
		eve.passes(record.KindQuestion, q.Append(nil))
	}
	n.drain(eve)
	n.run(10 * time.Second)
	for _, s := range []*simNode{ann, bob} {
		for _, q := range []*record.Outside{mine, another} {
			if got := s.room.outside; len(got.byID) != maxOutside || got.byID[q.ID(n.desc.ID())] == nil {
				t.Errorf("%s keeps %d, and not the other's", s.name, len(got.byID))
			}
		}
	}
}

// TestOutsideCopied: a member who cannot read a question passes on another's answer as her own, as it
// is and spoilt, before the other's comes: it is shown once, as the other's, and the asker reads it.
func TestOutsideCopied(t *testing.T) {
	n, all, x := asksOutside(t, 812, "prof", "bob", "eve")
	prof, bob, eve := all[0], all[1], all[2]
	prof.holds(professor)
	bob.holds(professor)
	in, q := n.asker(n.desc, professor, "may I?")
	x.hand(eve, q)
	n.run(10 * time.Second)
	if err := prof.room.AnswerOutside(prof.clock(), prof.room.OutsideQuestions()[0].Number, "yes"); err != nil {
		t.Fatal(err)
	}
	copied := prof.room.outside.byID[in.ID].replies[0].OutsideAnswer
	eve.passes(record.KindAnswer, copied.Append(nil))
	spoilt := *copied
	spoilt.Seed[0] ^= 1
	eve.passes(record.KindAnswer, spoilt.Append(nil))
	n.drain(eve)
	n.run(100 * time.Millisecond)
	n.drain(prof)
	n.run(5 * time.Second)
	if got := shown[OutsideAnswer](bob); len(got) != 1 || got[0].By.Peer != prof.room.self || got[0].Text != "yes" {
		t.Errorf("shown: %+v", got)
	}
	if _, said := x.fetch(bob, in); !slices.Equal(slices.Compact(said), []string{"yes"}) {
		t.Errorf("the asker has %q", said)
	}
}

// TestOutsideReplyWork: whoever asks has the question's key, and so can have members of the room work
// on answers that they plant. Each is worked on once, and by those as well whose key does not open
// the question: how busy they are shows nobody who satisfies a policy.
func TestOutsideReplyWork(t *testing.T) {
	n, all, x := asksOutside(t, 813, "prof", "kari", "eve")
	prof, kari, eve := all[0], all[1], all[2]
	prof.holds(professor)
	in, q := n.asker(n.desc, professor, "?")
	x.hand(kari, q)
	n.run(10 * time.Second)
	for i := range 20 {
		seed, box, err := in.key.Reply(n.secret(), in.ID, eve.own(), q.ReplyKey, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		box[len(box)-1] ^= 1
		a := &record.OutsideAnswer{Question: in.ID, Seed: [ake.ReplySeedSize]byte(seed), Box: box}
		eve.passes(record.KindAnswer, a.Append(nil))
	}
	n.drain(eve)
	n.run(10 * time.Second)
	if len(prof.outsiders()) != 1 || len(kari.outsiders()) != 0 {
		t.Fatal("the test shows nothing")
	}
	for _, s := range []*simNode{prof, kari} {
		a := s.room.outside.byID[in.ID]
		if len(a.replies) != record.MaxReplies || slices.ContainsFunc(a.replies, func(o reply) bool { return !o.tried }) {
			t.Errorf("%s works on other answers, or again", s.name)
		}
		if len(shown[OutsideAnswer](s)) > 0 {
			t.Errorf("%s is shown one", s.name)
		}
	}
}

// TestOutsideAnswersAlone: answers to questions that are not kept any more, as a program that starts
// again may read from its disk, give way to questions.
func TestOutsideAnswersAlone(t *testing.T) {
	n, all, x := asksOutside(t, 814, "ann", "bob")
	ann, bob := all[0], all[1]
	for range maxOutside {
		id := n.secret()
		a := &record.OutsideAnswer{Question: ake.Hash(id.Bytes()), Box: make([]byte, 1120+256+16)}
		ann.passes(record.KindAnswer, a.Append(nil))
	}
	n.drain(ann)
	n.run(time.Second)
	if len(bob.room.outside.byID) != maxOutside {
		t.Fatal("the test shows nothing")
	}
	for i := range 3 {
		_, q := n.asker(n.desc, "", fmt.Sprint("question ", i))
		x.hand(ann, q)
		n.run(10 * time.Second)
	}
	if got := bob.outsiders(); len(got) != 3 {
		t.Errorf("bob reads %q", got)
	}
}

// TestOutsideCrowd: where many members are asked without end, all together take no more than a few
// would.
func TestOutsideCrowd(t *testing.T) {
	const members, askers = 32, 4
	n := newNetwork(t, 815)
	n.takesQuestions()
	n.maxSteps = 50_000_000
	all := n.crowd(members)
	n.until(time.Minute, "one epoch", func() bool { return together(all...) })
	taken := 0
	var spies []*spy
	for i := range members * askers {
		x := n.addSpy(fmt.Sprint("asker ", i), nil)
		n.connect(x.node, all[i%members])
		spies = append(spies, x)
	}
	n.run(5 * time.Second)
	var ids []StreamID
	for i, x := range spies {
		_, q := n.asker(n.desc, "", fmt.Sprint("spam ", i))
		ids = append(ids, x.hand(all[i%members], q))
	}
	n.run(outsideTurn + 2*time.Second)
	for i, x := range spies {
		if state, _ := x.replied(ids[i]); state == record.ReplyTaken {
			taken++
		}
	}
	t.Logf("%d of %d are taken", taken, members*askers)
	if most := outsideAtOnce*fewTakers + members; taken > most || taken < members {
		t.Errorf("%d are taken, %d at most", taken, most)
	}
}

// TestMuteStrangers: forty strangers are near, and say nothing: members hear of each other as often as
// they must, and nobody is left out.
func TestMuteStrangers(t *testing.T) {
	n := newNetwork(t, 816)
	all := n.party("ann", "bob", "cyn")
	for i := range 40 {
		x := n.addSpy(fmt.Sprint("stranger ", i), nil)
		for _, s := range all {
			n.connect(x.node, s)
		}
	}
	n.run(time.Minute)
	before := n.commits
	for range 30 {
		n.run(time.Minute)
		if !together(all...) {
			t.Fatalf("they are apart:\n%s", n.describe())
		}
	}
	if n.commits != before {
		t.Errorf("%d commits", n.commits-before)
	}
}
