package room

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// asksOutside is a room that takes questions from outside, and somebody who has none.
func asksOutside(t *testing.T, seed uint64, names ...string) (*network, []*simNode, *spy) {
	n := newNetwork(t, seed)
	n.takesQuestions()
	all := n.party(names...)
	x := n.addSpy("asker", nil)
	for _, s := range all {
		n.connect(x.node, s)
	}
	n.run(time.Second)
	return n, all, x
}

func (n *network) takesQuestions() {
	d := *n.desc // others share it
	d.Questions = true
	n.desc = &d
}

// asker makes a question for a room, as of a day.
func (n *network) asker(d *Descriptor, also, text string) (*Inquiry, *record.Outside) {
	n.t.Helper()
	q := &record.Outside{Period: dayOf(n.now), For: also}
	in, err := inquire(source{rand.NewChaCha8(n.seed32())}, d, q, text, func(seed ake.Secret, c *ake.OutsideContext) ([]byte, ake.WordsKey, error) {
		enc, key := fakeOutside(seed, c)
		return enc, key, nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return in, q
}

func topicOf(d *Descriptor) [32]byte {
	id := d.ID()
	return ake.Sum("coterie/2 topic", id[:])
}

// hand hands a question to a member.
func (x *spy) hand(to *simNode, q *record.Outside) StreamID {
	return x.open(to, ProtocolOutside, record.EncodeOutside(topicOf(x.node.net.desc), q.Append(nil)))
}

// fetch asks a member for the answers.
func (x *spy) fetch(to *simNode, in *Inquiry) (state byte, said []string) {
	x.node.net.t.Helper()
	id := x.open(to, ProtocolOutside, record.EncodeFetch(topicOf(x.node.net.desc), in.Token))
	x.node.net.run(time.Second)
	state, boxes := x.replied(id)
	for _, b := range boxes {
		if s, err := in.Read(b); err == nil {
			said = append(said, s)
		}
	}
	return state, said
}

// secret draws one.
func (n *network) secret() ake.Secret {
	s, err := ake.NewSecret(source{rand.NewChaCha8(n.seed32())})
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

const noReply = 255

func (x *spy) replied(id StreamID) (state byte, boxes [][]byte) {
	got := x.got(id, record.FrameReply)
	if len(got) == 0 {
		return noReply, nil
	}
	state, boxes, err := record.ParseReply(got[0])
	if err != nil {
		x.node.net.t.Fatal(err)
	}
	return state, boxes
}

func (s *simNode) replies(number int, text string) error {
	err := s.room.AnswerOutside(s.clock(), number, text)
	s.net.drain(s)
	return err
}

// outsiders are the questions that a node shows, by their texts.
func (s *simNode) outsiders() (out []string) {
	for _, q := range s.room.OutsideQuestions() {
		out = append(out, q.Text)
	}
	return out
}

// TestOutside: somebody without a key asks; who satisfies the policy reads it, and answers; the
// asker reads that at any member. Those who satisfy the room's policy alone read none of it.
func TestOutside(t *testing.T) {
	n, all, x := asksOutside(t, 800, "ann", "prof", "kari")
	ann, prof, kari := all[0], all[1], all[2]
	prof.holds(professor)
	every, q := n.asker(n.desc, "", "when is the exam?")
	some, narrow := n.asker(n.desc, professor, "may I come late?")
	id := x.hand(ann, q)
	n.run(time.Second)
	if state, _ := x.replied(id); state != record.ReplyTaken {
		t.Fatalf("state %d", state)
	}
	x.hand(kari, narrow)
	n.run(10 * time.Second)
	for s, want := range map[*simNode][]string{ann: {"when is the exam?"}, prof: {"when is the exam?", "may I come late?"},
		kari: {"when is the exam?"}} {
		if got := s.outsiders(); !slices.Equal(got, want) {
			t.Errorf("%s reads %q", s.name, got)
		}
		if len(s.messages) > 0 {
			t.Errorf("%s was shown messages: %+v", s.name, s.messages)
		}
	}
	if state, said := x.fetch(kari, every); state != record.ReplyTaken || len(said) > 0 {
		t.Errorf("before an answer: %d, %q", state, said)
	}
	if err := prof.replies(1, "on Monday"); err != nil {
		t.Fatal(err)
	}
	if err := prof.replies(2, "yes"); err != nil {
		t.Fatal(err)
	}
	if err := kari.replies(2, "no"); !errors.Is(err, ErrNoOutside) {
		t.Errorf("an answer to what one cannot read: %v", err)
	}
	if err := kari.replies(0, "no"); !errors.Is(err, ErrNoOutside) {
		t.Errorf("an answer to none: %v", err)
	}
	n.run(10 * time.Second)
	for _, s := range all {
		if _, said := x.fetch(s, every); !slices.Equal(said, []string{"on Monday"}) {
			t.Errorf("of %s the asker has %q", s.name, said)
		}
		if _, said := x.fetch(s, some); !slices.Equal(said, []string{"yes"}) {
			t.Errorf("of %s the asker has %q", s.name, said)
		}
		answers := shown[OutsideAnswer](s)
		if want := map[*simNode]int{ann: 1, prof: 2, kari: 1}[s]; len(answers) != want || answers[0].Text != "on Monday" ||
			answers[0].By.Peer != prof.room.self || answers[0].Number != 1 || answers[0].Self != (s == prof) {
			t.Errorf("%s was shown %+v", s.name, answers)
		}
	}
	// With another's token nobody is given anything.
	if state, said := x.fetch(ann, &Inquiry{Token: n.secret()}); state != record.ReplyUnknown || said != nil {
		t.Errorf("another's token: %d, %q", state, said)
	}
}

// TestOutsideTwice: one question that is handed to two members is one, and costs one opening;
// handed over once more, it is answered the same, and nothing is said.
func TestOutsideTwice(t *testing.T) {
	n, all, x := asksOutside(t, 801, "ann", "bob", "cyn")
	in, q := n.asker(n.desc, "", "once?")
	x.hand(all[0], q)
	x.hand(all[1], q)
	n.run(10 * time.Second)
	counted := func() (said int) {
		for _, tr := range all[2].room.logs.transcripts {
			said += tr.count
		}
		return said
	}
	before := counted()
	id := x.hand(all[2], q)
	n.run(10 * time.Second)
	if state, _ := x.replied(id); state != record.ReplyTaken {
		t.Errorf("state %d", state)
	}
	for _, s := range all {
		if got := s.outsiders(); len(got) != 1 || len(shown[OutsideQuestion](s)) != 1 {
			t.Errorf("%s has %q", s.name, got)
		}
		if opened := s.room.cfg.Encapsulator.(*fakeSuite).openedOutside; opened != 1 {
			t.Errorf("%s opened %d", s.name, opened)
		}
	}
	if after := counted(); after != before || before == 0 {
		t.Errorf("it was passed on again: %d, %d", before, after)
	}
	_ = in
}

// TestOutsideOtherRoom: a question for another room of the same policy opens in none but its own,
// and one that names another room is not taken.
func TestOutsideOtherRoom(t *testing.T) {
	n, all, x := asksOutside(t, 802, "ann", "bob")
	other := *n.desc
	other.Name = "another"
	_, q := n.asker(&other, "", "for another room")
	x.hand(all[0], q)
	named := x.open(all[0], ProtocolOutside, record.EncodeOutside(topicOf(&other), q.Append(nil)))
	x2 := n.addSpy("another asker", nil)
	n.connect(x2.node, all[1])
	n.run(time.Second)
	other2 := x2.open(all[1], ProtocolOutside, record.EncodeOutside(topicOf(&other), q.Append(nil)))
	n.run(10 * time.Second)
	if state, _ := x2.replied(other2); state != record.ReplyUnknown {
		t.Errorf("state %d", state)
	}
	if state, _ := x.replied(named); state == record.ReplyTaken {
		t.Errorf("a second stream of one peer: %d", state)
	}
	for _, s := range all {
		if got := s.outsiders(); len(got) > 0 || len(shown[OutsideQuestion](s)) > 0 {
			t.Errorf("%s reads %q", s.name, got)
		}
		if s.room.cfg.Encapsulator.(*fakeSuite).openedOutside != 1 {
			t.Errorf("%s did not try: the test shows nothing", s.name)
		}
	}
	// A day that is long over, or far ahead.
	for _, days := range []int{-2, 2} {
		_, q := n.asker(n.desc, "", "when?")
		q.Period = abe.PeriodOf(0, abe.Day(int(q.Period.Day())+days))
		id := x.hand(all[0], q)
		n.run(time.Second)
		if state, _ := x.replied(id); state != record.ReplyUnknown {
			t.Errorf("%d days: state %d", days, state)
		}
	}
}

// TestOutsideNotAllowed: a room without the option has neither the stream nor the messages.
func TestOutsideNotAllowed(t *testing.T) {
	n := newNetwork(t, 803)
	all := n.party("ann", "bob")
	x := n.addSpy("asker", nil)
	n.connect(x.node, all[0])
	n.run(time.Second)
	with := *n.desc
	with.Questions = true
	in, q := n.asker(&with, "", "may I?")
	if _, err := inquire(source{rand.NewChaCha8(n.seed32())}, n.desc, &record.Outside{}, "x", nil); !errors.Is(err, ErrNoQuestions) {
		t.Error(err)
	}
	id := x.hand(all[0], q)
	n.run(time.Second)
	if state, _ := x.replied(id); state != noReply || !x.over[id] {
		t.Errorf("state %d", state)
	}
	// An insider says it all the same.
	eve := all[1]
	if err := eve.room.seal(held{kind: record.KindQuestion, text: string(q.Append(nil))}); err != nil {
		t.Fatal(err)
	}
	n.drain(eve)
	eve.say("afterwards")
	n.run(30 * time.Second)
	if len(all[0].room.outside.byID) > 0 || all[0].room.cfg.Encapsulator.(*fakeSuite).openedOutside > 0 {
		t.Error("it was kept")
	}
	_ = in
}

// TestOutsideAlone: while nobody else is in the room, a question is not taken: nobody says that
// it was.
func TestOutsideAlone(t *testing.T) {
	n := newNetwork(t, 804)
	n.takesQuestions()
	ann := n.add("ann", true)
	x := n.addSpy("asker", nil)
	n.connect(x.node, ann)
	n.run(10 * time.Second)
	_, q := n.asker(n.desc, "", "anybody?")
	id := x.hand(ann, q)
	n.run(time.Second)
	if state, _ := x.replied(id); state != record.ReplyLater {
		t.Errorf("state %d", state)
	}
}

// TestOutsideFlood: strangers hand over 10,000 questions. What they cost the room is bounded, what
// members say arrives, and somebody who goes on asking is heard.
func TestOutsideFlood(t *testing.T) {
	n, all, honest := asksOutside(t, 805, "ann", "bob")
	ann, bob := all[0], all[1]
	var flood []*spy
	for i := range 20 {
		x := n.addSpy(fmt.Sprint("stranger", i), nil)
		n.connect(x.node, ann)
		flood = append(flood, x)
	}
	n.run(time.Second)
	in, mine := n.asker(n.desc, "", "and I?")
	taken, asked := 0, 0
	var mineAt int
	for round := range 500 { // almost three hours
		var ids []StreamID
		for i, x := range flood {
			_, q := n.asker(n.desc, "", fmt.Sprint("spam ", round, " ", i))
			ids = append(ids, x.hand(ann, q))
			asked++
		}
		id := honest.hand(ann, mine)
		n.run(21 * time.Second)
		for i, x := range flood {
			switch state, _ := x.replied(ids[i]); state {
			case record.ReplyTaken:
				taken++
			case noReply:
				t.Fatal("no word")
			}
		}
		if state, _ := honest.replied(id); state == record.ReplyTaken && mineAt == 0 {
			mineAt = round + 1
		}
	}
	minutes := 500 * 21 / 60
	t.Logf("%d asked, %d taken in %d minutes; the other in round %d", asked, taken, minutes, mineAt)
	if taken > outsideAtOnce+minutes+1 || taken < outsideAtOnce {
		t.Errorf("%d were taken", taken)
	}
	if mineAt == 0 {
		t.Error("who went on asking was not heard")
	}
	if len(bob.room.outside.byID) > maxOutside || len(ann.room.outside.queue) > maxWaitingOutside {
		t.Errorf("%d are kept, %d wait", len(bob.room.outside.byID), len(ann.room.outside.queue))
	}
	if opened := bob.room.cfg.Encapsulator.(*fakeSuite).openedOutside; opened > outsideAtOnce+minutes+2 {
		t.Errorf("%d were opened", opened)
	}
	ann.say("we go on")
	n.allHear(5*time.Second, "we go on", all...)
	if i := slices.Index(bob.outsiders(), "and I?"); i >= 0 {
		if err := bob.replies(bob.room.OutsideQuestions()[i].Number, "yes"); err != nil {
			t.Fatal(err)
		}
		n.run(5 * time.Second)
		if _, said := honest.fetch(ann, in); !slices.Equal(said, []string{"yes"}) {
			t.Errorf("answered %q", said)
		}
	} else {
		t.Error("it is not kept")
	}
}

// TestOutsideInsider: one member makes up 10,000 questions. Another's are kept and read, words for
// some are opened in between, and no more is opened than the pace allows.
func TestOutsideInsider(t *testing.T) {
	n, all, x := asksOutside(t, 806, "ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	in, mine := n.asker(n.desc, "", "and I?")
	x.hand(ann, mine)
	n.run(10 * time.Second)
	for i := range 10_000 {
		_, q := n.asker(n.desc, "", fmt.Sprint("spam ", i))
		if err := eve.room.seal(held{kind: record.KindQuestion, text: string(q.Append(nil))}); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			n.drain(eve)
			n.run(10 * time.Second)
		}
	}
	_, second := n.asker(n.desc, "", "and we?")
	x.hand(bob, second)
	bob.holds(professor)
	n.run(2 * time.Second)
	ann.sayTo(professor, "for you alone")
	began := n.now
	n.until(time.Minute, "the other question is read", func() bool { return slices.Contains(ann.outsiders(), "and we?") })
	t.Logf("after %v", n.now.Sub(began))
	n.until(time.Minute, "the words are read", func() bool {
		got := bob.wordsOf(ann)
		return len(got) == 1 && got[0] == "for you alone"
	})
	for _, s := range []*simNode{ann, bob} {
		if got := s.outsiders(); !slices.Contains(got, "and I?") || len(s.room.outside.byID) > maxOutside {
			t.Errorf("%s keeps %d, reads %d", s.name, len(s.room.outside.byID), len(got))
		}
		if opened := s.room.cfg.Encapsulator.(*fakeSuite).openedOutside; opened > 20+int(n.now.Sub(began)/(3*time.Second))+80 {
			t.Errorf("%s opened %d", s.name, opened)
		}
	}
	// Nor does she fill up what is kept of answers.
	for i := range 100 {
		a := &record.OutsideAnswer{Question: in.ID, Box: make([]byte, 1120+256+16)}
		a.Box[0] = byte(i)
		if err := eve.room.seal(held{kind: record.KindAnswer, text: string(a.Append(nil))}); err != nil {
			t.Fatal(err)
		}
	}
	n.drain(eve)
	n.run(10 * time.Second)
	number := 0
	for _, q := range bob.room.OutsideQuestions() {
		if q.Text == "and I?" {
			number = q.Number
		}
	}
	if err := bob.replies(number, "yes"); err != nil {
		t.Fatal(err)
	}
	n.run(10 * time.Second)
	if _, said := x.fetch(ann, in); !slices.Equal(said, []string{"yes"}) {
		t.Errorf("the asker has %q", said)
	}
}

// TestOutsideProbing: who asks cannot tell by what a member says, nor when, whether its key opens
// the question; not even with the help of a member who plants answers.
func TestOutsideProbing(t *testing.T) {
	n, all, x := asksOutside(t, 807, "prof", "kari", "eve")
	prof, kari, eve := all[0], all[1], all[2]
	n.jitter = 0
	prof.holds(professor)
	n.work = func(s *simNode, _ any) time.Duration { // opening takes long where it succeeds
		if s == prof {
			return 3 * time.Second
		}
		return 50 * time.Millisecond
	}
	type reaction struct {
		took  time.Duration
		frame string
		spoke int
	}
	var ids []ake.Hash
	var inquiries []*Inquiry
	react := func(s *simNode) (r reaction) {
		in, q := n.asker(n.desc, professor, "?")
		ids, inquiries = append(ids, in.ID), append(inquiries, in)
		began, topic := n.now, len(x.traffic)
		id := x.hand(s, q)
		for len(x.frames[id]) == 0 && n.now.Sub(began) < 10*time.Second {
			n.run(time.Millisecond)
		}
		r.took = n.now.Sub(began)
		for _, f := range x.frames[id] {
			r.frame += string(f)
		}
		n.run(10 * time.Second)
		for _, p := range x.traffic[topic:] {
			if p[0] == record.TypeMessage {
				r.spoke += len(p)
			}
		}
		return r
	}
	if a, b := react(prof), react(kari); a != b {
		t.Errorf("prof: %+v\nkari: %+v", a, b)
	} else if a.spoke == 0 {
		t.Error("nothing was passed on: the test shows nothing")
	}
	if len(prof.outsiders()) != 2 || len(kari.outsiders()) != 0 {
		t.Fatal("the test shows nothing")
	}
	for _, id := range ids {
		a := &record.OutsideAnswer{Question: id, Box: make([]byte, 1120+256+16)}
		if err := eve.room.seal(held{kind: record.KindAnswer, text: string(a.Append(nil))}); err != nil {
			t.Fatal(err)
		}
	}
	n.drain(eve)
	n.run(5 * time.Second)
	for _, s := range []*simNode{prof, kari} {
		for _, in := range inquiries {
			id := x.open(s, ProtocolOutside, record.EncodeFetch(topicOf(n.desc), in.Token))
			n.run(time.Second)
			if state, boxes := x.replied(id); state != record.ReplyTaken || len(boxes) != 1 {
				t.Errorf("%s: %d, %d answers", s.name, state, len(boxes))
			}
		}
	}
	if len(shown[OutsideAnswer](prof)) > 0 {
		t.Error("a planted answer was shown")
	}
}

// TestOutsideForged: what others make up for an answer does not open at the asker, nor is it shown:
// an outsider's or a relay's, who has neither key; a member's who cannot read the question; and a
// member's who shows the room something else than the asker would read.
func TestOutsideForged(t *testing.T) {
	n, all, x := asksOutside(t, 808, "prof", "kari")
	prof, kari := all[0], all[1]
	prof.holds(professor)
	in, q := n.asker(n.desc, professor, "may I?")
	x.hand(kari, q)
	n.run(10 * time.Second)
	var stranger ake.WordsKey // of who has seen all that went over the wire
	forge := func(k ake.WordsKey) *record.OutsideAnswer {
		seed, box, err := k.Reply(n.secret(), in.ID, kari.own(), q.ReplyKey, "yes, of course")
		if err != nil {
			t.Fatal(err)
		}
		return &record.OutsideAnswer{Question: in.ID, Seed: [ake.ReplySeedSize]byte(seed), Box: box}
	}
	forged := forge(stranger)
	if _, err := in.Read(forged.Box); !errors.Is(err, ake.ErrNotOpened) {
		t.Errorf("a stranger's answer: %v", err)
	}
	k := prof.room.outside.byID[in.ID].key
	honest, other := forge(k), forge(k)
	honest.Seed = other.Seed // it shows what is in the one, and gives the other
	for _, a := range []*record.OutsideAnswer{forged, honest} {
		if err := kari.room.seal(held{kind: record.KindAnswer, text: string(a.Append(nil))}); err != nil {
			t.Fatal(err)
		}
	}
	n.drain(kari)
	n.run(10 * time.Second)
	if got := shown[OutsideAnswer](prof); len(got) > 0 {
		t.Errorf("shown: %+v", got)
	}
	if got := prof.room.outside.byID[in.ID].replies; len(got) != 2 {
		t.Errorf("%d are kept: the test shows nothing", len(got))
	}
	// Another's inquiry has neither.
	another, _ := n.asker(n.desc, professor, "may I?")
	if _, err := another.Read(other.Box); !errors.Is(err, ake.ErrNotOpened) {
		t.Errorf("another asker: %v", err)
	}
	if said, err := in.Read(other.Box); err != nil || said != "yes, of course" {
		t.Errorf("the test shows nothing: %q, %v", said, err)
	}
}

// TestOutsideStays: after a restart a question and its answers are there, are not opened again, and
// are fetched; answers that came before their question find it.
func TestOutsideStays(t *testing.T) {
	n := newNetwork(t, 809)
	n.takesQuestions()
	var disks [2]memJournal
	names := [2]string{"ann", "prof"}
	var identities [2][32]byte
	for i := range identities {
		identities[i] = n.seed32()
	}
	start := func(i int) *simNode {
		return n.startOn(&disks[i], names[i], always, newIdentity(identities[i]), n.seed32(), 0)
	}
	all := []*simNode{start(0), start(1)}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	x := n.addSpy("asker", nil)
	n.connect(x.node, all[0])
	n.run(helloTime)
	in, q := n.asker(n.desc, "", "when?")
	x.hand(all[0], q)
	n.run(10 * time.Second)
	if err := all[1].replies(1, "on Monday"); err != nil {
		t.Fatal(err)
	}
	n.run(10 * time.Second)
	for _, s := range all {
		n.stop(s)
	}
	n.run(10 * time.Minute)
	for i := range all {
		all[i] = start(i)
		questions, answers := shown[OutsideQuestion](all[i]), shown[OutsideAnswer](all[i])
		if len(questions) != 1 || len(answers) != 1 || questions[0].Text != "when?" || answers[0].Text != "on Monday" ||
			!questions[0].History || !answers[0].History || answers[0].Self != (i == 1) {
			t.Errorf("%s: %+v %+v", names[i], questions, answers)
		}
		if len(all[i].messages) > 0 {
			t.Errorf("%s was shown %+v", names[i], all[i].messages)
		}
	}
	n.connect(x.node, all[1])
	n.run(time.Second)
	if _, said := x.fetch(all[1], in); !slices.Equal(said, []string{"on Monday"}) {
		t.Errorf("the asker has %q", said)
	}
	for _, s := range all {
		if s.room.cfg.Encapsulator.(*fakeSuite).openedOutside > 0 {
			t.Errorf("%s opened it once more", s.name)
		}
	}
	var back []Delivered
	if _, err := ReadBack(&disks[0], n.desc.ID(), all[0].room.self, func(*record.Signed) bool { return true },
		func(d Delivered) bool { back = append(back, d); return true }); err != nil || len(back) > 0 {
		t.Errorf("read back: %+v, %v", back, err)
	}
	// After its time it is forgotten.
	a := all[0].room.outside.byID[in.ID]
	if got := a.until.Sub(n.now); got < 6*24*time.Hour || got > 8*24*time.Hour {
		t.Errorf("kept for %v", got)
	}
	all[0].room.now = a.until.Add(time.Second)
	all[0].room.expireOutside()
	if len(all[0].room.outside.byID) > 0 {
		t.Error("it is kept for ever")
	}
}

// TestOutsideNotice: a question that is not for the keys of the newest notice is not taken; its asker
// is told the notice, and what is made anew is.
func TestOutsideNotice(t *testing.T) {
	n, all, x := asksOutside(t, 810, "ann", "bob")
	notice := noticeAt(n.now, 77)
	for _, s := range all {
		s.bring(notice)
	}
	n.run(2 * time.Minute)
	_, q := n.asker(n.desc, "", "when?")
	id := x.hand(all[0], q)
	n.run(time.Second)
	state, _ := x.replied(id)
	if got := x.got(id, record.FrameNotice); state != record.ReplyUnknown || len(got) != 1 ||
		string(got[0]) != string(notice.Append(nil)) {
		t.Fatalf("state %d, %d notices", state, len(got))
	}
	q.Period = abe.PeriodOf(notice.Number, q.Period.Day())
	id = x.hand(all[0], q)
	n.run(time.Second)
	if state, _ := x.replied(id); state != record.ReplyTaken {
		t.Errorf("state %d", state)
	}
}

// TestInquiry: what cannot be asked is an error; what is kept of a question reads its answers.
func TestInquiry(t *testing.T) {
	m, err := abe.Setup(shake("inquiry"), "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(s string) *abe.Policy {
		p, err := abe.ParsePolicy(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	d, err := NewDescriptor(m.Domain(), "exam", parse(`"NTNU"`), 0)
	if err != nil {
		t.Fatal(err)
	}
	day := abe.DayOf(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	ask := func(also *abe.Policy, text string) error {
		_, err := Inquire(shake("coins"), m.Domain(), d, also, day, nil, text)
		return err
	}
	if err := ask(nil, "x"); !errors.Is(err, ErrNoQuestions) {
		t.Error(err)
	}
	d.Questions = true
	many := make([]string, 32)
	for i := range many {
		many[i] = fmt.Sprintf("%q", fmt.Sprint("a", i))
	}
	for text, want := range map[string]error{strings.Repeat("x", 1022): nil, strings.Repeat("x", 1023): ErrTooLong, "\xff": ErrText} {
		if err := ask(nil, text); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	if err := ask(parse(strings.Join(many, " or ")), "x"); !errors.Is(err, ErrOutsidePolicy) {
		t.Error(err)
	}
	attribute, err := abe.ParseAttribute("NTNU")
	if err != nil {
		t.Fatal(err)
	}
	key, err := m.Issue(shake("key"), abe.Grant{Attributes: []abe.Attribute{attribute}, Serial: 1, From: day, Expires: day + 1})
	if err != nil {
		t.Fatal(err)
	}
	parsed := func(in *Inquiry) *record.Outside {
		q, err := record.ParseOutside(in.Question)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	in, err := Inquire(shake("coins"), m.Domain(), d, nil, day, nil, "when?")
	if err != nil {
		t.Fatal(err)
	}
	q := parsed(in)
	suite := NewABE(key, d.Policy)
	k, err := suite.OpenOutside("", q.Context(d.ID()), nil, q.Encapsulation)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := k.Open(q.Sealed); err != nil || text != "when?" {
		t.Errorf("%q, %v", text, err)
	}
	r, err := ake.NewSecret(shake("r"))
	if err != nil {
		t.Fatal(err)
	}
	_, box, err := k.Reply(r, q.ID(d.ID()), ake.Hash{}, q.ReplyKey, "on Monday")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := ParseInquiry(in.Bytes())
	if err != nil || !bytes.Equal(kept.Bytes(), in.Bytes()) {
		t.Fatal(err)
	}
	if said, err := kept.Read(box); err != nil || said != "on Monday" {
		t.Errorf("%q, %v", said, err)
	}
	if _, err := ParseInquiry(in.Bytes()[1:]); !errors.Is(err, ErrInquiry) {
		t.Error(err)
	}
	// For those alone who satisfy another policy too: this key does not.
	in, err = Inquire(shake("coins"), m.Domain(), d, parse(professor), day, nil, "when?")
	if err != nil {
		t.Fatal(err)
	}
	q = parsed(in)
	if _, err := suite.OpenOutside(q.For, q.Context(d.ID()), nil, q.Encapsulation); !errors.Is(err, ake.ErrNotOpened) {
		t.Error(err)
	}
}

// lacksOutside says what a node lacks of a question from outside, or of an answer, that it holds.
func (s *simNode) lacksOutside(t *transcript, index int, counter uint64) string {
	m := s.room.body(t, index, counter)
	if m == nil {
		return ""
	}
	if a, err := record.ParseOutsideAnswer([]byte(m.Text)); m.Kind == record.KindAnswer && err == nil {
		of := s.room.outside.byID[a.Question]
		if of != nil && len(of.replies) == record.MaxReplies {
			return "" // more were said than are kept, and another may have been shown first
		}
		if of == nil || !slices.ContainsFunc(of.replies, func(o reply) bool { return string(o.Box) == string(a.Box) }) {
			return "an answer that is not kept"
		}
		if n := len(of.shown.Answers); of.shown.Number > 0 && n != len(of.replies) {
			return "an answer to a question that opens, and not all of these are shown"
		}
		return ""
	}
	q, err := record.ParseOutside([]byte(m.Text))
	if err != nil {
		return "no question"
	}
	switch a := s.room.outside.byID[q.ID(s.room.id)]; {
	case a == nil || a.question == nil:
		return "a question that is not kept"
	case a.reading == NotOpened:
		return "a question that was not opened"
	case (a.reading == Read) != (a.shown.Number > 0):
		return "a question that opens and is not shown"
	}
	return ""
}

// TestSimulateOutside runs schedules in which somebody outside asks, and members answer: whoever
// comes and goes, all who can read a question have it at the end, and its answers.
func TestSimulateOutside(t *testing.T) {
	read := 0
	for i := range uint64(20) {
		s := generate(firstAskSeed + i)
		w, f := s.runWatched()
		if f != nil {
			s.report(t, f)
		}
		for _, p := range w.peers {
			if p.running() && p.proc.room != nil {
				for _, q := range p.proc.room.OutsideQuestions() {
					read += 1 + len(q.Answers)
				}
			}
		}
	}
	if read < 50 {
		t.Errorf("%d questions and answers were read: the test shows little", read)
	}
	t.Logf("%d questions and answers were read", read)
}

// TestOutsideIsDrawn: of questions that wait, whoever asked first is not taken first.
func TestOutsideIsDrawn(t *testing.T) {
	places := make(map[int]bool)
	for seed := range uint64(8) {
		n, all, _ := asksOutside(t, 8100+seed, "ann", "bob")
		ann := all[0]
		var askers []*spy
		for i := range outsideAtOnce + 6 {
			x := n.addSpy(fmt.Sprint("asker", i), nil)
			n.connect(x.node, ann)
			askers = append(askers, x)
		}
		n.run(helloTime + time.Second)
		hand := func(x *spy) StreamID {
			_, q := n.asker(n.desc, "", "by "+x.node.name)
			return x.hand(ann, q)
		}
		for _, x := range askers[:outsideAtOnce] {
			hand(x)
		}
		n.run(50 * time.Second)
		var ids []StreamID
		for _, x := range askers[outsideAtOnce:] {
			ids = append(ids, hand(x))
			n.run(500 * time.Millisecond)
		}
		n.run(15 * time.Second)
		for i, x := range askers[outsideAtOnce:] {
			if state, _ := x.replied(ids[i]); state == record.ReplyTaken {
				places[i] = true
			}
		}
	}
	if len(places) < 2 {
		t.Errorf("taken were those at %v", places)
	}
}
