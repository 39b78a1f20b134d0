package room

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// holds gives a node's key what satisfies policies of words for some.
func (s *simNode) holds(policies ...string) {
	suite := s.room.cfg.Encapsulator.(*fakeSuite)
	suite.holds = make(map[string]bool)
	for _, p := range policies {
		suite.holds[p] = true
	}
}

func (s *simNode) sayTo(policy, text string) {
	s.net.t.Helper()
	p, err := abe.ParsePolicy(policy)
	if err == nil {
		err = s.room.SendTo(s.clock(), text, p, text)
	}
	if err != nil {
		s.net.t.Fatal(err)
	}
	s.net.drain(s)
}

// wordsOf are the words for some that a node knows by an author, as it sees them last: the
// text, or what keeps it from reading.
func (s *simNode) wordsOf(author *simNode) (out []string) {
	at := make(map[ake.Hash]int)
	take := func(d Delivered) {
		if d.To == "" || d.Author.Peer != author.room.self {
			return
		}
		text := map[Reading]string{Read: d.Message.Text, Unread: "unread", NotOpened: "not opened"}[d.Reading]
		if d.Reading != Read && d.Message.Text != "" {
			text += " but " + d.Message.Text
		}
		if i, ok := at[d.ID]; ok {
			out[i] = text
			return
		}
		at[d.ID] = len(out)
		out = append(out, text)
	}
	for _, e := range s.shown {
		switch e := e.(type) {
		case Delivered:
			take(e)
		case Opened:
			take(e.Delivered)
		}
	}
	return out
}

// TestWords: who satisfies the policy reads the words, and so does their author; all
// others see that there are some, and for whom. The author sees that all have them.
func TestWords(t *testing.T) {
	n := newNetwork(t, 700)
	all := n.party("ann", "prof", "kari")
	ann, prof, kari := all[0], all[1], all[2]
	prof.holds(professor)
	ann.sayTo(professor, "for you alone")
	ann.say("for all")
	n.allHear(5*time.Second, "for all", all...)
	n.run(10 * time.Second)
	for s, want := range map[*simNode]string{ann: "for you alone", prof: "for you alone", kari: "unread"} {
		if got := s.wordsOf(ann); len(got) != 1 || got[0] != want {
			t.Errorf("%s has %q, want %q", s.name, got, want)
		}
		last := s.messages[len(s.messages)-2:]
		if last[0].To != professor || last[0].Message.Kind != record.KindTo || last[1].Message.Text != "for all" {
			t.Errorf("%s was shown %+v", s.name, last)
		}
	}
	if late := len(events[Opened](prof)) + len(events[Opened](kari)); late > 0 {
		t.Errorf("%d were shown before they were opened", late)
	}
	if got := ann.sent[0]; got.To != professor || len(got.Readers) != 2 {
		t.Errorf("sent: %+v", got)
	}
	reached := events[Reached](ann)
	if len(reached) == 0 || reached[len(reached)-1].Have != 2 {
		t.Errorf("reached: %+v", reached)
	}
	// A secret of the words is nowhere but with those who read them.
	if w := kari.room.logs.transcripts[ann.room.head.commit.ID()].log(ann.room.head.ownIndex).words[1]; w == nil ||
		w.reading != Unread || !w.key.IsZero() {
		t.Errorf("kari keeps %+v", w)
	}
}

// TestWordsCannotBeSaid: what cannot be sent is an error, and nothing is done.
func TestWordsCannotBeSaid(t *testing.T) {
	n := newNetwork(t, 701)
	all := n.party("ann", "bob")
	ann := all[0]
	parse := func(s string) *abe.Policy {
		p, err := abe.ParsePolicy(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprintf("%q", fmt.Sprint("a", i))
	}
	same := make([]string, 16)
	for i := range same {
		same[i] = fmt.Sprintf("dept = d%d", i)
	}
	for _, c := range []struct {
		policy, text string
		want         error
	}{
		{professor, strings.Repeat("x", 8190), nil},
		{professor, strings.Repeat("x", 8191), ErrTooLong},
		{"age >= 18", strings.Repeat("x", 1022), nil},
		{"age >= 18", strings.Repeat("x", 1023), ErrTooLong},
		{professor, "\xff", ErrText},
		{strings.Join(many, " or "), "x", ErrWordsPolicy},
		{strings.Join(many[:32], " or "), "x", nil},
		{strings.Join(same, " or "), "x", ErrWordsPolicy},
		{`"` + strings.Repeat("x", 128) + `" or "` + strings.Repeat("y", 128) + `" or "` + strings.Repeat("z", 128) +
			`" or "` + strings.Repeat("w", 128) + `"`, "x", ErrWordsPolicy},
	} {
		before := ann.room.Held()
		if err := ann.room.SendTo(n.now, nil, parse(c.policy), c.text); !errors.Is(err, c.want) {
			t.Errorf("%.40s, %d bytes: %v, want %v", c.policy, len(c.text), err, c.want)
		} else if err != nil && ann.room.Held() != before {
			t.Error("it waits all the same")
		}
		n.drain(ann)
	}
	n.run(10 * time.Second)
	if len(ann.sent) != 3 || len(ann.failed) > 0 {
		t.Errorf("%d were sent, want 3; %v", len(ann.sent), ann.failed)
	}
}

// A wire is all that reaches anybody, and when.
type wire struct {
	traffic
	n   *network
	sum uint64
	all int
}

func (w *wire) arriving(s *simNode, data []byte) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d %s ", w.sum, w.n.now.UnixNano(), s.name)
	h.Write(data)
	w.sum, w.all = h.Sum64(), w.all+1
}

// TestWordsTellNothing plays somebody who says words to a policy to learn who satisfies it:
// well made ones, and some that are spoilt so that they open for a part of the policy's
// readers alone. What everybody sends, and when, is the same to the byte whether the others
// can read it or not, live, asked for, and after a restart.
func TestWordsTellNothing(t *testing.T) {
	run := func(holds ...string) (sum uint64, all int, read int) {
		n := newNetwork(t, 702)
		n.holds = map[string]map[string]bool{"bob": {}}
		for _, p := range holds {
			n.holds["bob"][p] = true
		}
		eve, kari := n.add("eve", true), n.add("kari", true)
		var disk memJournal
		identity := newIdentity(n.seed32())
		start := func() *simNode {
			bob := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
			n.connect(bob, eve)
			n.connect(bob, kari)
			return bob
		}
		bob := start()
		n.connect(eve, kari)
		n.until(20*time.Second, "one epoch", func() bool { return together(eve, bob, kari) })
		n.run(10 * time.Second)
		w := &wire{n: n}
		n.watch = w
		for i := range 30 { // more than are opened at once
			eve.sayTo(professor, fmt.Sprint("who reads this? ", i))
			n.run(100 * time.Millisecond)
		}
		eve.say("a word after them")
		bob.say("and what I say")
		n.run(20 * time.Second)
		n.stop(bob)
		n.run(time.Second)
		bob = start()
		n.until(2*time.Minute, "one epoch", func() bool { return together(eve, bob, kari) })
		eve.sayTo(professor, "once more")
		bob.say("back")
		n.run(2 * time.Minute)
		for _, text := range bob.wordsOf(eve) {
			if strings.HasPrefix(text, "who reads") {
				read++
			}
		}
		return w.sum, w.all, read
	}
	can, frames, read := run(professor)
	cannot, others, none := run()
	if read != 30 || none != 0 {
		t.Fatalf("%d and %d are read: the test shows nothing", read, none)
	}
	if can != cannot || frames != others {
		t.Errorf("who can read them sends %d frames, who cannot %d; or others, or at other times", frames, others)
	}
	if again, _, _ := run(professor); again != can {
		t.Fatal("another run is another: the test shows nothing")
	}
}

// TestWordsAreBound: the encapsulation of words is good in their message alone: not by
// another author, under another number, in another epoch, or with another policy before it;
// and what is not as an author would make it is nobody's to read.
func TestWordsAreBound(t *testing.T) {
	n := newNetwork(t, 703)
	all := n.party("ann", "eve", "prof")
	ann, eve, prof := all[0], all[1], all[2]
	prof.holds(professor, `"Admin"`)
	eve.holds()
	ann.sayTo(professor, "the exam's questions")
	n.run(5 * time.Second)
	e := eve.room.head
	said := ann.room.logs.transcripts[e.commit.ID()].log(ann.room.head.ownIndex).bodies[1]
	in, err := record.ParseWords(said.Text)
	if err != nil {
		t.Fatal(err)
	}
	seed := eve.room.draw()
	place := eve.room.head.ownIndex
	own := func(counter uint64, policy string) (enc []byte, key ake.WordsKey) {
		return fakeWords(seed, eve.room.wordsContext(eve.room.logs.transcripts[e.commit.ID()], place, counter, policy))
	}
	text := func(policy string, enc, sealed []byte) string {
		return string((&record.Words{Policy: policy, Encapsulation: enc, Sealed: sealed}).Append(nil))
	}
	good := func(counter uint64) string {
		enc, key := own(counter, professor)
		sealed, err := key.Seal("well made")
		if err != nil {
			t.Fatal(err)
		}
		return text(professor, enc, sealed)
	}
	bad := []string{
		said.Text, // ann's, as her own
		func() string { enc, key := own(7, professor); s, _ := key.Seal("x"); return text(professor, enc, s) }(),
		func() string { enc, key := own(3, professor); s, _ := key.Seal("x"); return text(`"Admin"`, enc, s) }(),
		func() string { enc, _ := own(4, professor); return text(professor, enc, in.Sealed) }(),
		func() string {
			enc, key := own(5, professor)
			s, _ := key.Seal("x")
			s[0] ^= 1
			return text(professor, enc, s)
		}(),
		func() string { _, key := own(6, professor); s, _ := key.Seal("x"); return text(professor, nil, s) }(),
	}
	for i, b := range bad {
		counter := uint64(i + 1)
		key, err := e.keys.Chain(place).Peek(counter)
		if err != nil {
			t.Fatal(err)
		}
		data := eve.write(t, e, place, key, counter, record.Body{Counter: counter, Time: 1, Kind: record.KindTo, Text: b})
		if v := prof.room.Publication(n.now, eve.room.self, data); v != Accept {
			t.Fatalf("%d: verdict %d", i, v)
		}
		n.drain(prof)
		n.run(time.Second)
	}
	counter := uint64(len(bad) + 1)
	key, _ := e.keys.Chain(place).Peek(counter)
	prof.room.Publication(n.now, eve.room.self, eve.write(t, e, place, key, counter,
		record.Body{Counter: counter, Time: 1, Kind: record.KindTo, Text: good(counter)}))
	n.drain(prof)
	n.run(5 * time.Second)
	want := slices.Repeat([]string{"unread"}, len(bad))
	if got := prof.wordsOf(eve); !slices.Equal(got, append(want, "well made")) {
		t.Errorf("prof reads %q", got)
	}
	if got := prof.wordsOf(ann); len(got) != 1 || got[0] != "the exam's questions" {
		t.Errorf("of ann: %q", got)
	}
}

// TestWordsStay: what was read stays readable after a restart, when the day is over and the
// key is another; the author reads their own without satisfying the policy. The disk of who
// could not read it has nothing that helps whoever steals it.
func TestWordsStay(t *testing.T) {
	n := newNetwork(t, 704)
	var disks [3]memJournal
	names := [3]string{"ann", "prof", "kari"}
	var identities [3][32]byte
	for i := range identities {
		identities[i] = n.seed32()
	}
	start := func(i int) *simNode {
		return n.startOn(&disks[i], names[i], always, newIdentity(identities[i]), n.seed32(), 0)
	}
	all := []*simNode{start(0), start(1), start(2)}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(10 * time.Second)
	all[1].holds(professor)
	all[0].sayTo(professor, "the exam's questions")
	n.run(10 * time.Second)
	sealed := all[0].messages[0]
	for _, s := range all {
		n.stop(s)
	}
	n.run(20 * time.Hour) // another day
	for i, want := range []string{"the exam's questions", "the exam's questions", "unread"} {
		again := start(i)
		again.holds() // another key
		n.run(30 * time.Second)
		if got := again.wordsOf(all[0]); len(got) != 1 || got[0] != want {
			t.Errorf("%s has %q", names[i], got)
		}
		if suite := again.room.cfg.Encapsulator.(*fakeSuite); suite.openedWords > 0 {
			t.Errorf("%s opened it once more", names[i])
		}
		var back []Delivered
		if _, err := ReadBack(&disks[i], n.desc.ID(), again.room.self, func(*record.Signed) bool { return true },
			func(d Delivered) bool { back = append(back, d); return true }); err != nil {
			t.Fatal(err)
		}
		if len(back) != 1 || back[0].To != professor || back[0].ID != sealed.ID || (back[0].Message.Text == want) != (i < 2) {
			t.Errorf("%s reads back %+v", names[i], back)
		}
		n.stop(again)
	}
	key := all[1].room.logs.transcripts[sealed.Epoch].log(all[0].room.head.ownIndex).words[1].key.Bytes()
	has := func(d *memJournal) (yes bool) {
		for _, s := range d.order {
			yes = yes || containsBytes(s.Data, key) || containsBytes(s.Data, []byte("questions"))
		}
		return yes
	}
	if !has(&disks[1]) {
		t.Fatal("the key is not where it should be: the test shows nothing")
	}
	if has(&disks[2]) {
		t.Error("kari's disk has what opens the words")
	}
}

// TestWordsWhileAway: who was away gets words for some from a member that cannot read them,
// when their author has gone.
func TestWordsWhileAway(t *testing.T) {
	n := newNetwork(t, 705)
	ann, kari := n.add("ann", true), n.add("kari", true)
	var disk memJournal
	identity := newIdentity(n.seed32())
	prof := n.startOn(&disk, "prof", always, identity, n.seed32(), 0)
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(ann, prof, kari) })
	n.run(10 * time.Second)
	prof.goAway()
	n.until(time.Minute, "prof is away", func() bool { return awayFrom(prof, ann, kari) })
	ann.sayTo(professor, "while you were away")
	n.run(5 * time.Second)
	ann.leave()
	n.run(5 * time.Second)
	again := n.startOn(&disk, "prof", always, identity, n.seed32(), 0)
	again.holds(professor)
	n.connect(again, kari)
	n.until(time.Minute, "it is read", func() bool {
		got := again.wordsOf(ann)
		return len(got) == 1 && got[0] == "while you were away"
	})
	if got := kari.wordsOf(ann); len(got) != 1 || got[0] != "unread" {
		t.Errorf("kari has %q", got)
	}
	if opened := events[Opened](again); len(opened) != 1 || !opened[0].Away {
		t.Errorf("opened: %+v", opened)
	}
}

// TestWordsOfAnotherHead: words whose encapsulation was made for a head that is none any
// more are made anew, and what was typed after them stays after them.
func TestWordsOfAnotherHead(t *testing.T) {
	n := newNetwork(t, 706)
	all := n.party("ann", "prof")
	ann, prof := all[0], all[1]
	prof.holds(professor)
	slow := true
	n.work = func(s *simNode, _ any) time.Duration {
		if slow && s == ann {
			return 20 * time.Second
		}
		return 50 * time.Millisecond
	}
	ann.sayTo(professor, "one")
	ann.say("two")
	n.run(time.Second)
	if len(ann.sent) > 0 {
		t.Fatal("it is sent: the test shows nothing")
	}
	head := ann.room.head
	if err := prof.room.Rekey(prof.clock()); err != nil {
		t.Fatal(err)
	}
	n.drain(prof)
	slow = false
	n.run(10 * time.Second)
	if ann.room.head == head || len(ann.sent) > 0 {
		t.Fatal("the head is the same: the test shows nothing")
	}
	n.run(15 * time.Second)
	if got := prof.wordsOf(ann); len(got) != 1 || got[0] != "one" {
		t.Errorf("prof reads %q", got)
	}
	if made := ann.room.cfg.Encapsulator.(*fakeSuite).madeWords; made != 2 {
		t.Errorf("made %d times", made)
	}
	if m := prof.messages; len(m) != 2 || m[1].Message.Text != "two" || m[1].Message.Counter != 2 {
		t.Errorf("prof was shown %+v", m)
	}
}

// TestWordsTakeTurns: forty members of one key say words to some without end. What opening
// costs is bounded, whoever else says some has a turn before most of theirs, and nobody's
// words for all wait for it.
func TestWordsTakeTurns(t *testing.T) {
	n := newNetwork(t, 707)
	crowd := n.crowd(43)
	prof, bob, eves := crowd[0], crowd[1], crowd[2:42]
	n.until(2*time.Minute, "one epoch", func() bool { return together(crowd...) })
	prof.holds(professor)
	suite := prof.room.cfg.Encapsulator.(*fakeSuite)
	before := suite.openedWords
	began := n.now
	for range 3 {
		for _, eve := range eves {
			eve.sayTo(professor, "no end")
		}
		n.run(time.Second)
	}
	n.run(5 * time.Second)
	if len(prof.room.words.queue) < 60 {
		t.Fatalf("%d wait: the test shows nothing", len(prof.room.words.queue))
	}
	bob.sayTo(professor, "one of mine")
	bob.say("and for all")
	n.allHear(3*time.Second, "and for all", prof)
	if got := prof.wordsOf(bob); len(got) != 1 || got[0] != "not opened" {
		t.Fatalf("prof has %q: the test shows nothing", got)
	}
	n.until(2*time.Minute+30*time.Second, "bob's has its turn", func() bool { return slices.Contains(prof.wordsOf(bob), "one of mine") })
	opened, limit := suite.openedWords-before, 20+int(n.now.Sub(began).Minutes()*20)+1
	if opened > limit {
		t.Errorf("%d were opened in %v, want %d at most", opened, n.now.Sub(began), limit)
	}
	if len(prof.room.words.queue) == 0 {
		t.Error("nothing waits any more: bob had no turn before the others")
	}
}

// TestWordsQueue: branches take turns, in each its authors; of too many those of the branch
// with most make room, but none for whom more wait already.
func TestWordsQueue(t *testing.T) {
	n := newNetwork(t, 708)
	all := n.party("ann", "bob")
	r := all[0].room
	list := func(names ...string) record.List {
		var l record.List
		for _, s := range names {
			l = append(l, record.Entry{Identity: ake.Sum("identity", []byte(s))})
		}
		return l
	}
	tr := &transcript{Transcript: &record.Transcript{List: list("eve1", "eve2", "bob")}, id: ake.Sum("e")}
	r.logs.transcripts[tr.id] = tr
	eve, bob := [32]byte{1}, [32]byte{2}
	add := func(branch [32]byte, index int, counter uint64, holds bool) {
		w := &closedWords{logRef{tr, index, counter}, &words{reading: NotOpened, holds: holds}, branch, [32]byte{byte(10 + index)}, nil}
		tr.log(index).noteWords(counter, w.words)
		r.words.queue = append(r.words.queue, w)
	}
	next := func() string {
		c := &r.words
		best := c.queue[0]
		for _, w := range c.queue {
			if c.before(w, best) {
				best = w
			}
		}
		c.queue = slices.DeleteFunc(c.queue, func(w *closedWords) bool { return w == best })
		c.turn++
		if c.turns == nil {
			c.turns = make(map[[32]byte]int)
		}
		c.turns[best.branch], c.turns[best.author] = c.turn, c.turn
		return fmt.Sprint([]string{"eve1", "eve2", "bob"}[best.index], best.counter)
	}
	for c := range uint64(3) {
		add(eve, 0, c+1, false)
	}
	add(eve, 1, 1, false)
	add(bob, 2, 1, false)
	add(bob, 2, 2, false)
	add(bob, 2, 3, true)
	var got []string
	for range 7 {
		got = append(got, next())
	}
	if want := []string{"bob3", "eve11", "bob1", "eve21", "bob2", "eve12", "eve13"}; !slices.Equal(got, want) {
		t.Errorf("the turns are %q, want %q", got, want)
	}
	for c := range uint64(maxClosedWords) {
		add(eve, int(c%2), c+10, false)
	}
	if r.makeRoomForWords(eve) {
		t.Error("the branch of which most wait displaces its own")
	}
	if !r.makeRoomForWords(bob) || len(r.words.queue) != maxClosedWords-1 {
		t.Error("another finds no room")
	}
	if tr.log(1).words[maxClosedWords+9] != nil {
		t.Error("what made room is not forgotten")
	}
	r.words.queue = nil
}

// TestWordsAreOpenedLater: what is not opened when its process ends is opened by the next.
func TestWordsAreOpenedLater(t *testing.T) {
	n := newNetwork(t, 709)
	n.holds = map[string]map[string]bool{"prof": {professor: true}}
	ann := n.add("ann", true)
	var disk memJournal
	identity := newIdentity(n.seed32())
	prof := n.startOn(&disk, "prof", always, identity, n.seed32(), 0)
	n.connect(ann, prof)
	n.until(20*time.Second, "one epoch", func() bool { return together(ann, prof) })
	n.work = func(s *simNode, _ any) time.Duration { // it never ends
		if s == prof {
			return time.Hour
		}
		return 50 * time.Millisecond
	}
	ann.sayTo(professor, "one")
	n.run(5 * time.Second)
	if len(prof.messages) > 0 {
		t.Fatal("it is shown: the test shows nothing")
	}
	n.stop(prof)
	n.work = nil
	again := n.startOn(&disk, "prof", always, identity, n.seed32(), 0)
	n.run(10 * time.Second)
	if got := again.wordsOf(ann); len(got) != 1 || got[0] != "one" {
		t.Errorf("the next process has %q", got)
	}
	if len(again.messages) != 1 || again.messages[0].Reading != NotOpened || len(events[Opened](again)) != 1 {
		t.Errorf("it was shown %+v", again.shown)
	}
}

// TestWordsBeforeGap: what is missing behind words that are being opened is asked for at once
// and given up in time, and the words are shown all the same.
func TestWordsBeforeGap(t *testing.T) {
	n := newNetwork(t, 710)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	n.disconnect(ann, bob)
	bob.holds(professor)
	n.work = func(*simNode, any) time.Duration { return 2 * gapTime }
	e, index := ann.room.head, ann.room.head.ownIndex
	enc, key := fakeWords(ann.room.draw(), ann.room.wordsContext(ann.room.logs.transcripts[e.commit.ID()], index, 1, professor))
	sealed, err := key.Seal("one")
	if err != nil {
		t.Fatal(err)
	}
	first := ann.signed(1, ake.Hash{}, string((&record.Words{Policy: professor, Encapsulation: enc, Sealed: sealed}).Append(nil)))
	first.Kind = record.KindTo
	first.Sign(n.desc.ID(), ann.room.working)
	third := ann.signed(3, ake.Hash{}, "three")
	bob.takeFrom(first.AppendLog([]byte{record.FrameLog}), ann)
	bob.takeFrom(third.AppendLog([]byte{record.FrameLog}), ann)
	n.run(2*gapTime - time.Second)
	if len(bob.messages) > 0 {
		t.Fatalf("shown: %+v", bob.messages)
	}
	n.run(2*time.Second + gapTime)
	if m := bob.messages; len(m) != 2 || m[0].Message.Text != "one" || m[1].Message.Text != "three" {
		t.Errorf("bob was shown %+v", m)
	}
	if g := events[Gap](bob); len(g) != 1 || g[0].First != 2 || g[0].Last != 2 {
		t.Errorf("told %+v", g)
	}
}

// TestWordsInHistory: where newcomers are given what was said before, they read the words
// that their keys open, whoever serves them, and no others.
func TestWordsInHistory(t *testing.T) {
	n := historic(t, 711, time.Hour)
	n.holds = map[string]map[string]bool{"prof": {professor: true}}
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	ann.sayTo(professor, "for professors")
	ann.say("for all")
	n.allHear(5*time.Second, "for all", bob)
	n.stop(ann)
	prof, kari := n.add("prof", true), n.add("kari", true)
	n.connect(prof, bob)
	n.connect(kari, bob)
	for s, want := range map[*simNode]string{prof: "for professors", kari: "unread"} {
		n.until(2*time.Minute, s.name+" is given it", func() bool { return slices.Equal(s.wordsOf(ann), []string{want}) })
		if m := s.messages; len(m) != 2 || !m[0].History || m[0].By != bob.room.self || m[0].Reading != NotOpened {
			t.Errorf("%s was shown %+v", s.name, m)
		}
		if p := events[Past](s); len(p) != 2 || p[1].Count != 2 {
			t.Errorf("%s is told %+v", s.name, p)
		}
	}
}
