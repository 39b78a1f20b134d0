package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestEpochReplay: join, leave, join gives new keys each time, and whoever plays
// back what was once published, commits and messages alike, changes nothing:
// even when all members have dropped the old epochs' logs.
func TestEpochReplay(t *testing.T) {
	n := newNetwork(t, 51)
	x := n.addSpy("recorder", nil)
	all := []*simNode{n.add("ann", true), n.add("bob", true)}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(3 * time.Second)
	seen := make(map[ake.Hash]bool)
	var said []string
	cyn := n.add("cyn", true)
	key := cyn.room.cfg.Identity
	for i := range 12 {
		if i > 0 {
			cyn = n.start("cyn", true, key)
		}
		n.connect(cyn, all[0])
		n.connect(cyn, all[1])
		n.until(20*time.Second, "cyn is in", func() bool { return together(all[0], all[1], cyn) })
		h := all[0].room.head
		if seen[h.commit.ID()] {
			t.Fatal("an epoch came back")
		}
		seen[h.commit.ID()] = true
		text := fmt.Sprint("round ", i)
		said = append(said, text)
		all[0].say(text)
		n.allHear(2*time.Second, text, all[0], all[1], cyn)
		n.run(2 * time.Second)
		cyn.leave()
		n.until(20*time.Second, "cyn is out", func() bool { return together(all...) })
		n.stop(cyn)
	}
	n.run(3 * time.Minute)
	head := all[0].room.head
	for _, s := range all {
		if k := len(s.room.commits); k > 30 {
			t.Fatalf("%d commits are held: the test shows nothing", k)
		}
	}
	// Everything once more, in order, and the other way round.
	for _, backwards := range []bool{false, true} {
		traffic := append([][]byte(nil), x.traffic...)
		for i := range traffic {
			b := traffic[i]
			if backwards {
				b = traffic[len(traffic)-1-i]
			}
			for _, s := range all {
				s.room.Publication(s.clock(), x.self, b)
				n.drain(s)
			}
			n.run(5 * time.Millisecond)
		}
		n.run(20 * time.Second)
	}
	for _, s := range all {
		for _, text := range said {
			if k := s.times(text); k != 1 {
				t.Errorf("%s was given %q %d times", s.name, text, k)
			}
		}
		if s.room.head.commit.ID() != head.commit.ID() {
			t.Errorf("%s: another head", s.name)
		}
		for id, e := range s.room.commits {
			if e.keys != nil && e != s.room.head {
				t.Errorf("%s has the keys of an old epoch again: %x, height %d", s.name, id[:4], e.commit.Height)
			}
		}
	}
}

// TestLeaveSecrecy: a leaver who keeps everything he had, and hears everything
// that is published after, reads nothing of it.
func TestLeaveSecrecy(t *testing.T) {
	n := newNetwork(t, 52)
	x := n.addSpy("recorder", nil)
	all := n.party("ann", "bob", "dan")
	for _, s := range all {
		n.connect(x.node, s)
	}
	n.run(time.Second)
	dan, others := all[2], all[:2]
	old := dan.room.head
	before := len(x.traffic)
	dan.leave()
	// All at once, while the next epoch is not there yet.
	for i := range 20 {
		others[i%2].say(fmt.Sprint("after ", i))
		n.run(40 * time.Millisecond)
	}
	n.until(20*time.Second, "an epoch without dan", func() bool { return together(others...) })
	for i := range 20 {
		n.allHear(5*time.Second, fmt.Sprint("after ", i), others...)
	}
	n.run(time.Second)
	// What ann and bob said before they could know is dan's, as it was.
	knew := func(m *record.Message) bool { return m.Epoch != old.commit.ID() }
	var after []*record.Message
	for _, m := range messages(t, x.traffic[before:]) {
		if knew(m) {
			after = append(after, m)
		}
	}
	if len(after) < 17 {
		t.Errorf("only %d of 20 messages waited for the next epoch", len(after))
	}
	terms := others[0].terms(others[0].room.head) // he had them all
	for _, m := range after {
		for _, e := range dan.room.commits {
			if reads(n.desc.ID(), e.keys, m) {
				t.Fatal("the leaver's keys open what was said after")
			}
		}
		if reads(n.desc.ID(), guess(others[0].room.head, terms, ake.Secret{}), m) {
			t.Fatal("the terms alone open what was said after")
		}
	}
	// He asks for the secrets of the epochs after, as the process he was.
	if len(commits(t, x.traffic[before:])) == 0 {
		t.Fatal("no commit was recorded: the test shows nothing")
	}
	for _, s := range others {
		if s.room.Admits(dan.room.self, dan.room.workingID) {
			t.Errorf("%s would have a channel with him", s.name)
		}
		for _, c := range commits(t, x.traffic[before:]) {
			s.room.Ready()
			s.given(dan, true, record.EncodeWant([]ake.Hash{c.ID()}))
			s.given(dan, false, record.EncodeWant([]ake.Hash{c.ID()}))
			for _, f := range s.room.Ready().Send {
				if f.Data[0] == record.FrameSecret || f.Data[0] == record.FrameTerms {
					t.Errorf("%s hands him a secret", s.name)
				}
			}
		}
	}
}

// TestForwardSecrecyEscrow: whoever can open every encapsulation, knows all
// terms and has recorded everything on the topic, reads nothing. Two minutes after
// a commit was taken no process can hand its secret over any more; some minutes
// later none can open the header of what was said, and an hour later nothing of
// the epoch.
func TestForwardSecrecyEscrow(t *testing.T) {
	n := newNetwork(t, 53)
	x := n.addSpy("authority", nil)
	all := n.party("ann", "bob", "cyn")
	for _, s := range all {
		n.connect(x.node, s)
	}
	n.run(time.Second)
	ann := all[0]
	if err := ann.room.Rekey(n.now); err != nil { // an epoch that begins now
		t.Fatal(err)
	}
	n.drain(ann)
	n.until(5*time.Second, "the new epoch", func() bool { return together(all...) })
	for _, s := range all {
		o := s.day().own
		suite := &fakeSuite{node: x.node, satisfies: func(abe.Day) bool { return true }}
		opened, err := suite.Open(o.contribution.Context(n.desc.ID()), nil, o.encapsulation)
		if err != nil || !opened.Term.Equal(&s.day().nodes[o.cid].term.Secret) {
			t.Fatal("the authority cannot open an encapsulation: the test shows nothing")
		}
	}
	old := ann.room.head
	id := old.commit.ID()
	if old.d == nil {
		t.Fatal("ann cannot hand the secret over: the test shows nothing")
	}
	d := *old.d
	ann.say("recorded")
	n.allHear(time.Second, "recorded", all...)
	n.run(time.Second)
	recorded := messages(t, x.traffic)
	if len(recorded) != 1 || recorded[0].Epoch != id {
		t.Fatalf("%d messages were recorded", len(recorded))
	}
	terms := ann.terms(old)
	if reads(n.desc.ID(), guess(old, terms, ake.Secret{}), recorded[0]) {
		t.Error("whoever has all terms reads")
	}
	if !reads(n.desc.ID(), guess(old, terms, d), recorded[0]) || !reads(n.desc.ID(), old.keys, recorded[0]) {
		t.Fatal("not even the secret opens it: the test shows nothing")
	}
	for _, b := range x.traffic {
		if containsBytes(b, d.Bytes()) {
			t.Fatal("the secret is on the topic")
		}
	}
	// Two minutes later nobody can hand it over, even to a member that asks.
	n.run(keysKept + 2*comparePeriod)
	if ann.room.head != old {
		t.Fatal("another epoch: the test shows nothing")
	}
	for _, s := range all {
		if e := s.room.commits[id]; e == nil || e.d != nil {
			t.Errorf("%s has the epoch's secret, or no such epoch", s.name)
		}
		s.room.Ready()
		for _, o := range all {
			if o == s {
				continue
			}
			s.given(o, true, record.EncodeWant([]ake.Hash{id}))
			s.room.Tick(s.clock())
		}
		for _, f := range s.room.Ready().Send {
			if containsBytes(f.Data, d.Bytes()) {
				t.Errorf("%s hands the secret over", s.name)
			}
		}
	}
	// What was said has no key any more; soon, no header either.
	for _, s := range all {
		if _, err := s.room.head.keys.Chain(old.ownIndex).Peek(1); err == nil {
			t.Errorf("%s has the key of a message that it was given", s.name)
		}
	}
	n.run(3 * time.Minute)
	for _, s := range all {
		if reads(n.desc.ID(), s.room.head.keys, recorded[0]) {
			t.Errorf("%s can tell who said it", s.name)
		}
	}
	// An hour and some minutes later the epoch is over.
	n.run(rotatePeriod + 10*time.Minute)
	if !together(all...) || ann.room.head.commit.ID() == id {
		t.Fatalf("no new epoch in an hour:\n%s", n.describe())
	}
	for _, s := range all {
		if e := s.room.commits[id]; e != nil && e.keys != nil {
			t.Errorf("%s still has the epoch's keys", s.name)
		}
		if s.room.head.d != nil && s.room.now.Sub(s.room.head.since) > keysKept+2*comparePeriod {
			t.Errorf("%s still has the secret of the epoch in force", s.name)
		}
	}
}

// TestBackwardSecrecy: a newcomer who has recorded everything since the
// beginning reads nothing from before it came, and asking for it does not help.
func TestBackwardSecrecy(t *testing.T) {
	n := newNetwork(t, 54)
	x := n.addSpy("recorder", nil)
	all := n.party("ann", "bob")
	for _, s := range all {
		n.connect(x.node, s)
	}
	n.run(time.Second)
	old := all[0].room.head
	all[0].say("before")
	n.allHear(time.Second, "before", all...)
	n.run(time.Second)
	cyn := n.add("cyn", true)
	n.watch = frames(func(to *simNode, data []byte) {
		if to != cyn || data[0] != record.FrameSecret {
			return
		}
		if h, err := record.ParseHandover(data[1:]); err != nil || all[0].room.commits[h.Commit.ID()].list.Index(cyn.own()) < 0 {
			t.Error("the newcomer was handed the secret of an epoch that does not list it")
		}
	})
	n.connect(cyn, all[0])
	n.connect(cyn, all[1])
	n.until(20*time.Second, "cyn is in", func() bool { return together(all[0], all[1], cyn) })
	n.run(20 * time.Second)
	before := messages(t, x.traffic)
	if len(before) != 1 {
		t.Fatalf("%d messages were recorded", len(before))
	}
	for _, b := range x.traffic {
		cyn.room.Publication(cyn.clock(), x.self, b)
		n.drain(cyn)
	}
	terms := all[0].terms(old) // a newcomer is told these
	for _, e := range cyn.room.commits {
		if reads(n.desc.ID(), e.keys, before[0]) {
			t.Error("the newcomer's keys open what was said before")
		}
	}
	if reads(n.desc.ID(), guess(old, terms, ake.Secret{}), before[0]) {
		t.Error("the terms open what was said before")
	}
	// It asks by its own name and as the process it is.
	thief := n.insider(cyn, all[0])
	ask := &record.Ask{Logs: true, Transcripts: []record.AskTranscript{{Epoch: old.commit.ID()}}}
	have := &record.Have{Epoch: old.commit.ID(), Held: make([]record.Held, 2)}
	id := thief.open(all[0], ProtocolSync, thief.helloTo(all[0]), ask.Encode(), have.Encode())
	want := thief.open(all[0], ProtocolSync, record.EncodeWant([]ake.Hash{old.commit.ID()}))
	n.run(time.Second)
	if len(thief.got(want, record.FrameDone)) != 1 {
		t.Fatal("its want was not answered: the test shows nothing")
	}
	if len(thief.got(want, record.FrameSecret)) > 0 {
		t.Error("the newcomer was handed the secret of an epoch that does not list it")
	}
	if len(thief.got(id, record.FrameDone)) != 1 {
		t.Fatal("it was not answered: the test shows nothing")
	}
	if len(thief.got(id, record.FrameLog))+len(thief.got(id, record.FrameHave)) > 0 || cyn.heard("before") {
		t.Error("the newcomer was told what was said before")
	}
}

// write makes a message of a member by hand.
func (s *simNode) write(t *testing.T, e *epoch, index int, key ake.Secret, headerCounter uint64, body record.Body) []byte {
	t.Helper()
	signed := &record.Signed{Body: body, Epoch: e.commit.ID(), CID: e.list[index].CID}
	signed.Sign(s.room.id, s.room.working)
	m := &record.Message{Epoch: e.commit.ID(), Step: e.step(s.clock())}
	guard := s.room.draw()
	copy(m.Guard[:], guard.Bytes())
	var err error
	if m.Sealed, err = ake.SealMessage(key, s.room.id, m.Epoch, m.Guard, signed.Content()); err != nil {
		t.Fatal(err)
	}
	header, err := e.keys.SealHeader(s.room.id, m.Epoch, m.Step, m.Guard, m.Sealed, uint32(index), headerCounter)
	if err != nil {
		t.Fatal(err)
	}
	copy(m.Header[:], header)
	return m.Append([]byte{record.TypeMessage})
}

// TestJunkCounters: any member can make headers with counters far ahead in another's
// place. The keys that are stepped over for them are bounded, and the other's own
// messages arrive all the same.
func TestJunkCounters(t *testing.T) {
	n := newNetwork(t, 56)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	e := bob.room.head
	place := e.list.Index(ann.own())
	wrong, err := e.keys.Chain(place).Peek(7)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		junk := bob.write(t, e, place, wrong, 1000, record.Body{Counter: 1000, Time: uint64(i), Lamport: 1, Kind: record.KindText, Text: "junk"})
		if v := cyn.room.Publication(n.now, bob.room.self, junk); v != Ignore {
			t.Fatalf("verdict %d", v)
		}
	}
	n.drain(cyn)
	if cyn.room.maySkip(1000) {
		t.Error("300 headers with counters far ahead were tried, and there may be more")
	}
	for i := range 20 {
		text := fmt.Sprint("number ", i)
		ann.say(text)
		n.allHear(time.Second, text, all...)
	}
	n.run(10 * time.Second)
	if !cyn.room.maySkip(1000) {
		t.Error("no more are tried ever")
	}
}

// TestForgedMessages: of an insider's messages, only one text for each counter
// is shown, however many it signs; junk counters and places cost nobody
// anything; a message of one epoch or room is none in another; and a message
// played back is not shown again. (Another's ratchet: TestMessageForgery.)
func TestForgedMessages(t *testing.T) {
	n := newNetwork(t, 55)
	x := n.addSpy("recorder", nil)
	all := n.party("ann", "bob", "cyn")
	for _, s := range all {
		n.connect(x.node, s)
	}
	n.run(time.Second)
	ann, bob, cyn := all[0], all[1], all[2]
	e := ann.room.head
	me := e.ownIndex
	key := func(counter uint64) ake.Secret {
		k, err := e.keys.Chain(me).Peek(counter)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	body := func(counter uint64, text string) record.Body {
		return record.Body{Counter: counter, Time: 1, Lamport: 1, Kind: record.KindText, Text: text}
	}
	// Two bodies with one counter, one to each; then everybody is given both.
	one, two := ann.write(t, e, me, key(1), 1, body(1, "yes")), ann.write(t, e, me, key(1), 1, body(1, "no"))
	bob.room.Publication(n.now, ann.room.self, one)
	cyn.room.Publication(n.now, ann.room.self, two)
	n.drain(bob)
	n.drain(cyn)
	for _, s := range []*simNode{bob, cyn} {
		s.room.Publication(n.now, x.self, one)
		s.room.Publication(n.now, x.self, two)
		n.drain(s)
	}
	n.run(30 * time.Second)
	for _, s := range []*simNode{bob, cyn} {
		if s.times("yes")+s.times("no") != 1 {
			t.Errorf("%s was given %d times yes and %d times no", s.name, s.times("yes"), s.times("no"))
		}
	}
	if k := len(bob.room.streams.byID) + len(cyn.room.streams.byID); k > 2 {
		t.Errorf("%d exchanges: they go on comparing", k)
	}
	// Headers that say something else than the body, and counters from nowhere.
	for _, c := range []struct {
		name           string
		header, signed uint64
	}{
		{"another counter", 2, 3}, {"no counter", 0, 2}, {"too far ahead", 1 << 40, 1 << 40}, {"the greatest", 1<<64 - 1, 1<<64 - 1},
	} {
		b := ann.write(t, e, me, key(2), c.header, body(max(c.signed, 1), "junk: "+c.name))
		v := bob.room.Publication(n.now, ann.room.self, b)
		n.drain(bob)
		if v == Accept {
			t.Errorf("%s: accepted", c.name)
		}
		signed := &record.Signed{Body: body(c.signed, "junk: "+c.name), Epoch: e.commit.ID(), CID: e.list[me].CID}
		signed.Sign(n.desc.ID(), ann.room.working)
		if c.signed > 3 {
			bob.take(signed.AppendLog([]byte{record.FrameLog}))
			n.drain(bob)
		}
	}
	if bob.room.head.keys.Chain(me).Use(2); len(bob.room.commits) > 20 {
		t.Error("commits")
	}
	// A place that nobody has.
	b := ann.write(t, e, me, key(2), 2, body(2, "junk"))
	m, err := record.ParseMessage(b[1:])
	if err != nil {
		t.Fatal(err)
	}
	header, err := e.keys.SealHeader(n.desc.ID(), m.Epoch, m.Step, m.Guard, m.Sealed, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	copy(m.Header[:], header)
	if v := bob.room.Publication(n.now, ann.room.self, m.Append([]byte{record.TypeMessage})); v == Accept {
		t.Errorf("a place that nobody has: verdict %d", v)
	}
	// The next epoch: what was said in this one is no message there.
	cyn.leave()
	n.until(10*time.Second, "the next epoch", func() bool { return together(ann, bob) })
	f := ann.room.head
	m.Epoch = f.commit.ID()
	if v := bob.room.Publication(n.now, ann.room.self, m.Append([]byte{record.TypeMessage})); v == Accept {
		t.Errorf("of another epoch: verdict %d", v)
	}
	signed := &record.Signed{Body: body(1, "of another epoch"), Epoch: e.commit.ID(), CID: f.list[f.ownIndex].CID}
	signed.Sign(n.desc.ID(), ann.room.working)
	signed.Epoch = f.commit.ID()
	bob.take(signed.AppendLog([]byte{record.FrameLog}))
	other := &record.Signed{Body: body(1, "of another room"), Epoch: f.commit.ID(), CID: f.list[f.ownIndex].CID}
	other.Sign(ake.Sum("another room"), ann.room.working)
	bob.take(other.AppendLog([]byte{record.FrameLog}))
	n.drain(bob)
	ann.say("true")
	n.allHear(20*time.Second, "true", bob)
	for _, b := range x.traffic {
		bob.room.Publication(n.now, x.self, b)
		n.drain(bob)
	}
	n.run(10 * time.Second)
	for _, m := range bob.messages {
		if text := m.Message.Text; text != "true" && text != "yes" && text != "no" {
			t.Errorf("bob was given %q", text)
		}
	}
	if k := bob.times("true"); k != 1 {
		t.Errorf("bob was given the message %d times", k)
	}
}
