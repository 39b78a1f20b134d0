package room

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestForkOfTheForgotten: an author who contradicts something so old that it is
// no longer in memory does not keep the room from being opened again.
func TestForkOfTheForgotten(t *testing.T) {
	n := newNetwork(t, 200)
	var disk memJournal
	identity := newIdentity(n.seed32())
	ann := n.add("ann", true)
	bob := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(ann, bob)
	n.until(20*time.Second, "one", func() bool { return together(ann, bob) })
	n.stop(ann)
	a, b := ann.signed(1, ake.Hash{}, "yes"), ann.signed(1, ake.Hash{}, "no")
	if compareHashes(a.ID(n.desc.ID()), b.ID(n.desc.ID())) < 0 {
		a, b = b, a
	}
	prev := a.ID(n.desc.ID())
	bob.takeFrom(a.AppendLog([]byte{record.FrameLog}), ann)
	for c := uint64(2); c <= 10002; c++ {
		m := ann.signed(c, prev, "x")
		prev = m.ID(n.desc.ID())
		bob.takeFrom(m.AppendLog([]byte{record.FrameLog}), ann)
	}
	bob.takeFrom(b.AppendLog([]byte{record.FrameLog}), ann)
	n.stop(bob)
	again := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	if len(again.messages) != 10002 {
		t.Errorf("%d messages are shown again", len(again.messages))
	}
}

// TestLargeFork: two who were told different things after more than is sent in
// one comparison come to know of it all the same.
func TestLargeFork(t *testing.T) {
	n := newNetwork(t, 201)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	epoch := ann.room.head.commit.ID()
	n.stop(ann)
	text := strings.Repeat("x", 16<<10)
	prev := ake.Hash{}
	var f [][]byte
	for c := uint64(1); c <= 560; c++ {
		m := ann.signed(c, prev, text)
		prev = m.ID(n.desc.ID())
		f = append(f, m.AppendLog([]byte{record.FrameLog}))
	}
	bob.take(append(f, ann.signed(561, prev, "yes").AppendLog([]byte{record.FrameLog}))...)
	cyn.take(append(f, ann.signed(561, prev, "no").AppendLog([]byte{record.FrameLog}))...)
	n.drain(bob)
	n.drain(cyn)
	w := &traffic{bytes: make(map[byte]int)}
	n.watch = w
	n.run(5 * time.Minute)
	if !agree(epoch, bob, cyn) || len(events[Equivocated](bob)) != 1 || len(events[Equivocated](cyn)) != 1 {
		t.Errorf("bob was told %d times and cyn %d, and they agree: %v", len(events[Equivocated](bob)), len(events[Equivocated](cyn)), agree(epoch, bob, cyn))
	}
	if mb := w.bytes[record.FrameLog] >> 20; mb > 200 {
		t.Errorf("that took %d MB", mb)
	}
}

// inventFor is the transcript of an epoch that never was, of a committer that does
// not exist either, and messages in it.
func inventFor(n *network, with *simNode, committer byte, serial int, msgs int) (frames [][]byte) {
	room := with.room.id
	day := with.room.today()
	var list record.List
	authors := make(map[ake.Hash]*record.Contribution)
	id := ed25519.NewKeyFromSeed(append(make([]byte, 30), committer, 9))
	w := id
	c := &record.Contribution{Identity: [32]byte(id.Public().(ed25519.PublicKey)), Serial: 1, Period: day, Working: [32]byte(w.Public().(ed25519.PublicKey))}
	made := record.NewContribution(id, c.Context(room), &ake.Encapsulated{Bytes: []byte{1}})
	for _, c := range []*record.Contribution{made, with.day().own.contribution} {
		list = append(list, record.Entry{Identity: c.Identity, CID: c.ID(), Presence: ake.Hash{byte(serial), byte(serial >> 8)}})
		authors[c.ID()] = c
	}
	list.Sort()
	commit := &record.Commit{Brief: record.Brief{Header: record.Header{Period: day, Height: uint64(serial + 1), By: made.ID(), Members: 2, List: list.Hash()}}}
	commit.SetEvidence(nil)
	commit.ComputeID()
	commit.Sign(room, w)
	head := &record.Transcript{Brief: commit.Brief, List: list}
	for _, e := range list {
		head.Authors = append(head.Authors, authors[e.CID])
	}
	frames = append(frames, head.Append([]byte{record.FrameTranscript}))
	for k := 1; k <= msgs; k++ {
		m := &record.Signed{Body: record.Body{Counter: uint64(k), Kind: record.KindText, Text: "made up"}, Epoch: commit.ID(), CID: made.ID()}
		m.Sign(room, w)
		frames = append(frames, m.AppendLog([]byte{record.FrameLog}))
	}
	return frames
}

// TestInventedCommitters: a member who makes up epochs of many invented peers does
// not push out what was really said.
func TestInventedCommitters(t *testing.T) {
	n := newNetwork(t, 202)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	ann.say("honest")
	n.allHear(time.Second, "honest", bob, eve)
	old := ann.room.head.commit.ID()
	n.add("zed", true) // new epoch, so that the first is no head
	n.connectAll()
	n.run(20 * time.Second)
	if ann.room.head.commit.ID() == old {
		t.Fatal("no new epoch: the test shows nothing")
	}
	bob.room.logs.limits.transcripts = 500
	for i := range 1100 {
		f := inventFor(n, bob, byte(i/250), i, 1)
		bob.given(eve, true, f...)
		if i%50 == 0 {
			n.run(100 * time.Millisecond)
		}
	}
	n.run(30 * time.Second)
	if len(bob.room.logs.transcripts) != bob.room.logs.limits.transcripts {
		t.Fatalf("%d transcripts: the test shows nothing", len(bob.room.logs.transcripts))
	}
	n.add("new", true)
	n.connectAll()
	n.run(time.Minute)
	if bob.room.logs.transcripts[old] == nil {
		t.Error("what was really said is gone")
	}
}

// TestHaveWithoutAsk: who says what it holds, and asks for nothing, is sent
// nothing.
func TestHaveWithoutAsk(t *testing.T) {
	n := newNetwork(t, 203)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	text := strings.Repeat("x", 16<<10)
	for range 300 {
		ann.say(text)
		n.run(20 * time.Millisecond)
	}
	n.until(time.Minute, "all have them", func() bool { return len(bob.messages) == 300 && len(eve.messages) == 300 })
	epoch := ann.room.head.commit.ID()
	x := n.insider(eve, ann)
	sent := 0
	have := (&record.Have{Epoch: epoch, Held: make([]record.Held, 3)}).Encode()
	for range 100 {
		id := x.open(ann, ProtocolSync, x.helloTo(ann), have, have)
		n.run(100 * time.Millisecond)
		for _, f := range x.frames[id] {
			sent += len(f)
		}
		x.hang(id)
	}
	if sent > 1<<20 {
		t.Errorf("eve was sent %d bytes", sent)
	}
}

// TestHistoryOver: what is history no more is not sent over and over.
func TestHistoryOver(t *testing.T) {
	n := historic(t, 204, time.Hour)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	for i := range 200 {
		all[i%2].say(fmt.Sprint("number ", i, strings.Repeat("x", 1000)))
		n.run(time.Second)
	}
	_ = bob
	cyn := n.add("cyn", true)
	n.connect(cyn, ann)
	n.connect(cyn, bob)
	n.until(20*time.Second, "cyn is given it all", func() bool { return len(cyn.messages) == 200 })
	n.run(time.Minute)
	for _, wait := range []time.Duration{0, 2 * time.Hour} {
		n.run(wait)
		w := &traffic{bytes: make(map[byte]int)}
		n.watch = w
		n.run(10 * time.Minute)
		if k := w.bytes[record.FrameLog] + w.bytes[record.FrameTranscript]; k > 0 {
			t.Errorf("%d bytes of logs are sent although nothing is said, %v later", k, wait)
		}
	}
}

// TestClocksGoOn: whoever brings all clocks as far as they are heard has not brought them to an end: what
// is said then is still in its order.
func TestClocksGoOn(t *testing.T) {
	n := newNetwork(t, 206)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	m := eve.signed(1, ake.Hash{}, "evil")
	m.Lamport = mostLamport(ann.clock())
	m.Sign(eve.room.id, eve.room.working)
	for _, s := range []*simNode{ann, bob} {
		s.takeFrom(m.AppendLog([]byte{record.FrameLog}), eve)
		if n.drain(s); s.room.lamport != m.Lamport {
			t.Fatal("it is not heard: the test shows nothing")
		}
	}
	n.run(10 * time.Second)
	for i := range 6 {
		all[i%2].say(fmt.Sprint("after ", i))
		n.run(time.Second)
	}
	last, count := m.Lamport, 0
	for _, d := range bob.messages {
		if strings.HasPrefix(d.Message.Text, "after ") {
			if count++; d.Message.Lamport <= last {
				t.Errorf("%q has %d, after %d", d.Message.Text, d.Message.Lamport, last)
			}
			last = d.Message.Lamport
		}
	}
	if count != 6 {
		t.Errorf("bob has heard %d", count)
	}
}

// TestClaimedTime: a message that claims to be of the end of time hides nobody's
// history, and brings no clock to its end.
func TestClaimedTime(t *testing.T) {
	n := historic(t, 205, time.Hour)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	for i := range 10 {
		all[i%2].say(fmt.Sprint("number ", i))
		n.run(time.Second)
	}
	m := eve.signed(1, ake.Hash{}, "evil")
	m.Time = 1<<64 - 1
	m.Lamport = 1<<62 - 1
	m.Sign(eve.room.id, eve.room.working)
	ann.takeFrom(m.AppendLog([]byte{record.FrameLog}), eve)
	bob.takeFrom(m.AppendLog([]byte{record.FrameLog}), eve)
	n.run(10 * time.Second)
	cyn := n.add("cyn", true)
	n.connect(cyn, ann)
	n.run(time.Minute)
	ann.say("after")
	n.run(time.Second)
	if len(cyn.messages) != 12 || ann.room.lamport > 1000 {
		t.Errorf("cyn was given %d messages, want 12; ann's lamport time is %d", len(cyn.messages), ann.room.lamport)
	}
}

// TestBigGap: a disk that lost more of an author than can be missing in a log takes
// it from the others again.
func TestBigGap(t *testing.T) {
	n := newNetwork(t, 206)
	var disk memJournal
	identity := newIdentity(n.seed32())
	ann := n.add("ann", true)
	bob := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(ann, bob)
	n.until(20*time.Second, "one", func() bool { return together(ann, bob) })
	prev := ake.Hash{}
	epoch := ann.room.head.commit.ID()
	for c := uint64(1); c <= 3000; c++ {
		m := ann.signed(c, prev, "x")
		prev = m.ID(n.desc.ID())
		bob.takeFrom(m.AppendLog([]byte{record.FrameLog}), ann)
		ann.takeFrom(m.AppendLog([]byte{record.FrameLog}), bob)
	}
	n.stop(bob)
	disk.order = slices.DeleteFunc(disk.order, func(s Saved) bool { return s.Counter > 100 && s.Counter < 2900 }) // the disk was full
	again := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(ann, again)
	n.until(30*time.Second, "one", func() bool { return together(ann, again) })
	n.run(5 * time.Minute)
	tr := again.room.logs.transcripts[epoch]
	if !agree(epoch, ann, again) {
		t.Errorf("bob has %d messages, of ann's those up to %d", tr.count, tr.log(tr.List.Index(ann.own())).have())
	}
}

// TestMadeUpAfterRestart: what only the member that served it says anything of is
// history for the next process, too.
func TestMadeUpAfterRestart(t *testing.T) {
	n := newNetwork(t, 207)
	var disk memJournal
	identity := newIdentity(n.seed32())
	eve := n.add("eve", true)
	bob := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(eve, bob)
	n.until(20*time.Second, "one", func() bool { return together(eve, bob) })
	f := inventFor(n, bob, 1, 5, 2)
	bob.take(f[:2]...)
	n.drain(bob)
	if len(bob.messages) != 1 || !bob.messages[0].History || !bob.messages[0].Hearsay {
		t.Fatalf("before: %v", bob.messages)
	}
	n.stop(bob)
	again := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(eve, again)
	n.until(20*time.Second, "one", func() bool { return together(eve, again) })
	k := len(again.messages)
	again.takeFrom(f[2], eve)
	if len(again.messages) != k+1 || !again.messages[k].History || !again.messages[k].Hearsay {
		t.Errorf("after: %v", again.messages[k:])
	}
}

// TestManyForks: an author who contradicts the first of his messages again and
// again is spoken of once.
func TestManyForks(t *testing.T) {
	n := newNetwork(t, 208)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	n.stop(ann)
	prev := ake.Hash{}
	for c := uint64(1); c <= 3000; c++ {
		m := ann.signed(c, prev, "x")
		prev = m.ID(n.desc.ID())
		bob.room.tookLog(&exchange{}, m.AppendLog(nil))
	}
	var faces []*record.Signed
	for i := range 2000 {
		faces = append(faces, ann.signed(1, ake.Hash{}, fmt.Sprint("face", i)))
	}
	id := n.desc.ID()
	slices.SortFunc(faces, func(a, b *record.Signed) int { return -compareHashes(a.ID(id), b.ID(id)) })
	for _, m := range faces {
		bob.room.tookLog(&exchange{}, m.AppendLog(nil))
	}
	ev := 0
	for _, e := range bob.room.ready.Events {
		if _, ok := e.(Equivocated); ok {
			ev++
		}
	}
	if ev != 1 {
		t.Errorf("told %d times", ev)
	}
}

// TestDroppedIsNotSent: what a peer has dropped is not sent to it over and over.
func TestDroppedIsNotSent(t *testing.T) {
	n := newNetwork(t, 210)
	all := n.party("ann", "bob", "cyn")
	ann, bob := all[0], all[1]
	for i := range 300 {
		ann.say(fmt.Sprint(i, strings.Repeat("x", 1000)))
		n.run(time.Second / 10)
	}
	old := ann.room.head.commit.ID()
	n.add("zed", true)
	n.connectAll()
	n.run(20 * time.Second)
	bob.room.dropTranscript(bob.room.logs.transcripts[old])
	w := &traffic{bytes: make(map[byte]int)}
	n.watch = w
	n.run(3 * time.Minute)
	if k := w.bytes[record.FrameLog] + w.bytes[record.FrameTranscript]; k > 0 || bob.room.logs.transcripts[old] != nil {
		t.Errorf("%d bytes of logs were sent, and bob holds it again: %v", k, bob.room.logs.transcripts[old] != nil)
	}
}

// TestBorrowedPace: headers that anybody in the room can make do not use up
// another's pace.
func TestBorrowedPace(t *testing.T) {
	n := newNetwork(t, 220)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	e := eve.room.head
	index := e.list.Index(ann.own())
	for i := range 1300 {
		b := eve.write(t, e, index, ake.Secret{}, uint64(i%1000+1), record.Body{Counter: uint64(i%1000 + 1), Kind: 1, Text: "x"})
		m, err := record.ParseMessage(b)
		if err != nil {
			m, err = record.ParseMessage(b[1:])
		}
		if err != nil {
			t.Fatal(err)
		}
		bob.room.advance(bob.clock())
		if bob.room.receive(m) == Accept {
			t.Fatal("a forged message was taken")
		}
	}
	if p := bob.room.processes[ann.room.workingID].pace; !p.at.IsZero() && p.tokens < defaultRate*burstTime {
		t.Errorf("ann has %v tokens left", p.tokens)
	}
	ann.say("hello")
	n.allHear(time.Second, "hello", bob)
}
