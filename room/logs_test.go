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

// events are those of one type that a node was shown.
func events[E Event](s *simNode) (out []E) {
	for _, e := range s.shown {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// signed is a message of a node in the epoch in force, made by hand.
func (s *simNode) signed(counter uint64, previous ake.Hash, text string) *record.Signed {
	e := s.room.head
	m := &record.Signed{
		Body:  record.Body{Counter: counter, Previous: previous, Time: uint64(s.clock().UnixMilli()), Lamport: counter, Kind: record.KindText, Text: text},
		Epoch: e.commit.ID(), CID: e.list[e.ownIndex].CID,
	}
	m.Sign(s.room.id, s.room.working)
	return m
}

// agree reports whether all hold the same of an epoch.
func agree(epoch ake.Hash, all ...*simNode) bool {
	for _, s := range all {
		t := s.room.logs.transcripts[epoch]
		if t == nil || t.sum(s.room.id) != all[0].room.logs.transcripts[epoch].sum(s.room.id) {
			return false
		}
	}
	return true
}

// TestEquivocation: an author who says one thing to some and another to others,
// under one counter, is shown to all of them as one who does; each goes on
// showing what it heard first, all agree on what is held, and comparing ends.
func TestEquivocation(t *testing.T) {
	n := newNetwork(t, 93)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, bob, cyn, dan := all[0], all[1], all[2], all[3]
	epoch := ann.room.head.commit.ID()
	n.stop(ann)
	yes, no := ann.signed(1, ake.Hash{}, "yes"), ann.signed(1, ake.Hash{}, "no")
	bob.take(yes.AppendLog([]byte{record.FrameLog}))
	cyn.take(no.AppendLog([]byte{record.FrameLog}))
	n.drain(bob)
	n.drain(cyn)
	honest := []*simNode{bob, cyn, dan}
	n.until(30*time.Second, "all are told", func() bool {
		return !slices.ContainsFunc(honest, func(s *simNode) bool { return len(events[Equivocated](s)) == 0 })
	})
	n.until(30*time.Second, "all agree", func() bool { return agree(epoch, honest...) })
	ids := [2]ake.Hash{yes.ID(n.desc.ID()), no.ID(n.desc.ID())}
	if compareHashes(ids[0], ids[1]) > 0 {
		ids[0], ids[1] = ids[1], ids[0]
	}
	for _, s := range honest {
		for _, e := range events[Equivocated](s) {
			if e.IDs != ids || e.Counter != 1 || e.Author.Peer != ann.room.self {
				t.Errorf("%s was told %+v", s.name, e)
			}
		}
		if s.times("yes")+s.times("no") != 1 {
			t.Errorf("%s was given %d times yes and %d times no", s.name, s.times("yes"), s.times("no"))
		}
	}
	if bob.times("yes") != 1 || cyn.times("no") != 1 {
		t.Error("what was heard first is not what is shown")
	}
	before := len(events[Equivocated](bob))
	n.run(time.Minute)
	if len(events[Equivocated](bob)) != before {
		t.Error("bob is told again and again")
	}
}

// TestManyFaces: an author with a thousand faces under every counter costs a
// bounded amount, and all agree in the end.
func TestManyFaces(t *testing.T) {
	n := newNetwork(t, 94)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	epoch := ann.room.head.commit.ID()
	n.stop(ann)
	for counter := range uint64(40) {
		for face := range 25 {
			m := ann.signed(counter+1, ake.Hash{}, fmt.Sprint("face ", face))
			s := []*simNode{bob, cyn}[(face+int(counter))%2]
			s.take(m.AppendLog([]byte{record.FrameLog}))
			n.drain(s)
		}
	}
	n.until(2*time.Minute, "bob and cyn agree", func() bool { return agree(epoch, bob, cyn) })
	l := bob.room.logs.transcripts[epoch].log(bob.room.logs.transcripts[epoch].List.Index(ann.own()))
	if len(l.secondMessages) > maxSecondMessages || l.have() != 40 {
		t.Errorf("%d second messages are kept, of %d", len(l.secondMessages), l.have())
	}
}

// TestBrokenChain: a message that does not name the one before it shows its
// author as one who says different things, once.
func TestBrokenChain(t *testing.T) {
	n := newNetwork(t, 95)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	n.stop(ann)
	first := ann.signed(1, ake.Hash{}, "one")
	for _, m := range []*record.Signed{
		first, ann.signed(2, first.ID(n.desc.ID()), "two"), ann.signed(3, ake.Hash{7}, "three"), ann.signed(4, ake.Hash{8}, "four"),
	} {
		bob.takeFrom(m.AppendLog([]byte{record.FrameLog}), ann)
	}
	if e := events[Equivocated](bob); len(e) != 1 || e[0].Counter != 2 {
		t.Errorf("told %v", e)
	}
	if len(bob.messages) != 4 {
		t.Errorf("%d messages", len(bob.messages))
	}
}

// historic is a network of a room whose newcomers get what was said within a
// time.
func historic(t *testing.T, seed uint64, history time.Duration) *network {
	n := newNetwork(t, seed)
	d := *n.desc
	d.History = history
	n.desc = &d
	return n
}

// TestHistory: where the room says so, a newcomer is given what was said within
// that time, as history and with the name of who served it, in order; and
// nothing older.
func TestHistory(t *testing.T) {
	n := historic(t, 96, time.Hour)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	ann.say("too old")
	n.allHear(time.Second, "too old", bob)
	n.run(90 * time.Minute) // the epoch with it is renewed within an hour
	for i := range 20 {
		all[i%2].say(fmt.Sprint("number ", i))
		n.run(time.Second)
	}
	cyn := n.add("cyn", true)
	n.connect(cyn, ann)
	n.until(20*time.Second, "cyn is given it all", func() bool { return len(cyn.messages) == 20 })
	n.run(30 * time.Second)
	if cyn.heard("too old") {
		t.Error("cyn was given what is too old")
	}
	last := make(map[string]uint64)
	for _, m := range cyn.messages {
		if !m.History || m.By != ann.room.self || m.Author.Name == "" {
			t.Errorf("%q by %q: history %v, served by %v", m.Message.Text, m.Author.Name, m.History, m.By)
		}
		if m.Message.Counter <= last[m.Author.Name] {
			t.Errorf("%q comes after message %d of %s", m.Message.Text, last[m.Author.Name], m.Author.Name)
		}
		last[m.Author.Name] = m.Message.Counter
	}
	if p := events[Past](cyn); len(p) != 2 || p[0].Over || !p[1].Over || p[1].Count != 20 || p[1].By != ann.room.self {
		t.Errorf("told %+v", p)
	}
	// Who got it passes it on.
	dan := n.add("dan", true)
	n.connect(dan, cyn)
	n.until(20*time.Second, "dan is given it all", func() bool { return len(dan.messages) == 20 })
}

// TestNoHistoryForStrangers: what the history option gives goes to members who
// proved themselves, and to nobody who merely asks.
func TestNoHistoryForStrangers(t *testing.T) {
	n := historic(t, 97, time.Hour)
	all := n.party("ann", "bob")
	all[0].say("for members")
	n.allHear(time.Second, "for members", all...)
	epoch := all[0].room.head.commit.ID()
	x := n.addSpy("stranger", nil)
	n.connect(x.node, all[0])
	n.run(time.Second)
	hello := &record.Hello{Room: n.desc.ID()}
	id := x.open(all[0], ProtocolSync, hello.Encode(), (&record.Ask{Logs: true}).Encode(),
		(&record.Have{Epoch: epoch, Held: make([]record.Held, 2)}).Encode(), []byte{record.FrameDone})
	n.run(5 * time.Second)
	if len(x.got(id, record.FrameDone)) != 1 {
		t.Fatal("it was not answered: the test shows nothing")
	}
	for _, typ := range []byte{record.FrameTranscript, record.FrameLog, record.FrameHave} {
		if len(x.got(id, typ)) > 0 {
			t.Errorf("it was sent frames of type %d", typ)
		}
	}
}

// madeUp is the transcript of an epoch that never was, of a peer that exists and
// of one that does not, and a message in it by each. For the last stands, if it
// is given, an identity that somebody else has.
func madeUp(t *testing.T, by *simNode, with *simNode, stolen *[32]byte, serial int) (frames [][]byte) {
	t.Helper()
	room := by.room.id
	day := by.room.today()
	var list record.List
	authors := make(map[ake.Hash]*record.Contribution)
	keys := make(map[ake.Hash]ed25519.PrivateKey)
	add := func(c *record.Contribution, w ed25519.PrivateKey) {
		list = append(list, record.Entry{Identity: c.Identity, CID: c.ID(), Presence: ake.Hash{byte(serial)}})
		authors[c.ID()], keys[c.ID()] = c, w
	}
	add(by.day().own.contribution, by.room.working)
	if with != nil {
		add(with.day().own.contribution, nil)
	}
	w := ed25519.NewKeyFromSeed(append(make([]byte, 31), byte(serial)))
	id := ed25519.NewKeyFromSeed(append(make([]byte, 30), byte(serial), 1))
	c := &record.Contribution{Identity: [32]byte(id.Public().(ed25519.PublicKey)), Serial: 1, Period: day, Working: [32]byte(w.Public().(ed25519.PublicKey))}
	ctx := c.Context(room)
	enc := &ake.Encapsulated{Bytes: []byte{byte(serial)}}
	if stolen != nil {
		ctx.Identity = *stolen
	}
	made := record.NewContribution(id, ctx, enc)
	add(made, w)
	list.Sort()
	commit := &record.Commit{Brief: record.Brief{Header: record.Header{
		Period: day, Height: uint64(serial), By: by.own(), Members: uint32(len(list)), List: list.Hash(),
	}}}
	commit.SetEvidence(nil)
	commit.ComputeID()
	commit.Sign(room, by.room.working)
	head := &record.Transcript{Brief: commit.Brief, List: list}
	for _, e := range list {
		head.Authors = append(head.Authors, authors[e.CID])
	}
	frames = append(frames, head.Append([]byte{record.FrameTranscript}))
	for _, e := range list {
		key := keys[e.CID]
		if key == nil {
			key = by.room.working // it is not theirs
		}
		m := &record.Signed{Body: record.Body{Counter: 1, Kind: record.KindText, Text: "made up"}, Epoch: commit.ID(), CID: e.CID}
		m.Sign(room, key)
		frames = append(frames, m.AppendLog([]byte{record.FrameLog}))
	}
	return frames
}

// TestMadeUpTranscript: a member who serves the transcript of an epoch that
// never was cannot put a word into another's mouth, and what it makes up is
// shown as history with its name; nor does it fill the table.
func TestMadeUpTranscript(t *testing.T) {
	n := newNetwork(t, 98)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	x := n.insider(eve, bob)
	serve := func(frames ...[]byte) {
		id := x.open(bob, ProtocolSync, append([][]byte{x.helloTo(bob)}, frames...)...)
		n.run(time.Second)
		x.hang(id)
	}
	// In it, bob and a peer that does not exist; that ann speaks in another.
	serve(madeUp(t, eve, bob, nil, 1)...)
	for _, m := range bob.messages {
		if m.Message.Text == "made up" && (!m.History || m.By != eve.room.self) {
			t.Errorf("shown as said by %v", m.Author)
		}
		if m.Author.Peer == bob.room.self || m.Author.Peer == ann.room.self {
			t.Errorf("a word was put into %s's mouth", m.Author.Name)
		}
	}
	if bob.times("made up") == 0 {
		t.Fatal("nothing came through: the test shows nothing")
	}
	// One that does not list bob is none of his business.
	before := len(bob.room.logs.transcripts)
	serve(madeUp(t, eve, bob, &ann.room.identity, 3)...)
	for _, m := range bob.messages {
		if m.Author.Peer == ann.room.self {
			t.Error("a word was put into ann's mouth, by a contribution that she did not sign")
		}
	}
	serve(madeUp(t, eve, ann, nil, 2)...)
	if len(bob.room.logs.transcripts) != before {
		t.Error("an epoch without bob was taken")
	}
	bob.room.logs.limits.transcripts = 100
	for i := range 150 {
		frames := madeUp(t, eve, bob, nil, i+3)
		serve(frames[0], frames[len(frames)-1])
	}
	if k := len(bob.room.logs.transcripts); k != 100 {
		t.Errorf("%d transcripts, want 100", k)
	}
}

// TestTranscriptBeforeItsMessages: who was in an epoch comes before what was said
// in it, on a slow path a while before; and is forgotten if nothing comes.
func TestTranscriptBeforeItsMessages(t *testing.T) {
	n := newNetwork(t, 94)
	all := n.party("bob", "eve")
	bob, eve := all[0], all[1]
	x := n.insider(eve, bob)
	before := len(bob.room.logs.transcripts)
	frames := madeUp(t, eve, bob, nil, 1)
	id := x.open(bob, ProtocolSync, x.helloTo(bob), frames[0])
	n.run(10 * time.Second)
	if len(bob.room.logs.transcripts) != before+1 {
		t.Fatal("it is not taken, or forgotten at once")
	}
	x.send(id, frames[1:]...)
	n.drain(x.node)
	n.run(time.Second)
	if bob.times("made up") == 0 {
		t.Error("what was said in it is lost")
	}
	before = len(bob.room.logs.transcripts)
	x.open(bob, ProtocolSync, x.helloTo(bob), madeUp(t, eve, bob, nil, 2)[0])
	n.run(emptyTime / 2)
	if len(bob.room.logs.transcripts) != before+1 {
		t.Fatal("the second is not taken: the test shows nothing")
	}
	n.run(emptyTime)
	if len(bob.room.logs.transcripts) != before {
		t.Error("one in which nothing was said is kept")
	}
}

// TestReached: the author of a message is told who has it, last that all have.
func TestReached(t *testing.T) {
	n := newNetwork(t, 99)
	all := n.party("ann", "bob", "cyn", "dan", "eli")
	ann := all[0]
	ann.say("hello")
	id := ann.sent[0].ID
	n.until(30*time.Second, "all have it", func() bool {
		r := events[Reached](ann)
		return len(r) > 0 && r[len(r)-1].Have == 4
	})
	last := 0
	for _, r := range events[Reached](ann) {
		if r.ID != id || r.Of != 4 || r.Have <= last || len(r.Missing) != r.Of-r.Have {
			t.Errorf("told %+v after %d", r, last)
		}
		last = r.Have
	}
	// Who is cut off has not.
	n.disconnect(all[4], all[0])
	for _, s := range all[1:4] {
		n.disconnect(all[4], s)
	}
	ann.say("without eli")
	n.run(20 * time.Second)
	r := events[Reached](ann)
	if m := r[len(r)-1]; m.ID != ann.sent[1].ID || m.Have != 3 || len(m.Missing) != 1 || m.Missing[0] != all[4].room.self {
		t.Errorf("told %+v", m)
	}
}

// TestLateGap: what is missing is spoken of, waited for, and shown in its place
// or as late, however long it took; and then said to be there.
func TestLateGap(t *testing.T) {
	n := newNetwork(t, 100)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	n.disconnect(bob, ann)
	n.disconnect(bob, cyn)
	first := ann.signed(1, ake.Hash{}, "one")
	second := ann.signed(2, first.ID(n.desc.ID()), "two")
	third := ann.signed(3, second.ID(n.desc.ID()), "three")
	bob.takeFrom(second.AppendLog([]byte{record.FrameLog}), ann)
	bob.takeFrom(third.AppendLog([]byte{record.FrameLog}), ann)
	if len(bob.messages) != 0 {
		t.Error("shown before its turn")
	}
	n.run(gapReportTime + 6*time.Second)
	if g := events[Gap](bob); len(g) != 1 || g[0].First != 1 || g[0].Last != 1 || g[0].Filled {
		t.Errorf("told %+v", g)
	}
	n.run(gapTime)
	if !bob.heard("two") || !bob.heard("three") {
		t.Fatal("what comes after a gap is not shown")
	}
	n.run(10 * time.Minute)
	bob.takeFrom(first.AppendLog([]byte{record.FrameLog}), ann)
	if m := bob.messages[len(bob.messages)-1]; m.Message.Text != "one" || !m.Late {
		t.Errorf("last was %q, late %v", m.Message.Text, m.Late)
	}
	if g := events[Gap](bob); len(g) != 2 || !g[1].Filled {
		t.Errorf("told %+v", g)
	}
}

// TestRestart: a peer that starts again from its disk is the same peer, shows
// the end of what it knew, is given what it missed, and nothing twice; wherever
// its last process ended.
func TestRestart(t *testing.T) {
	for i, crash := range []string{"unwritten", "written", "before", "amid", "after", "at once"} {
		t.Run(crash, func(t *testing.T) {
			n := newNetwork(t, 110+uint64(i))
			bob, cyn := n.add("bob", true), n.add("cyn", true)
			var disk memJournal
			identity := newIdentity(n.seed32())
			start := func() *simNode {
				ann := n.startOn(&disk, "ann", always, identity, n.seed32(), 0)
				n.connect(ann, bob)
				n.connect(ann, cyn)
				return ann
			}
			ann := start()
			n.connect(bob, cyn)
			n.until(20*time.Second, "one epoch", func() bool { return together(ann, bob, cyn) })
			n.run(10 * time.Second)
			ann.say("one")
			bob.say("two")
			n.allHear(time.Second, "two", ann, cyn)
			if crash == "at once" {
				n.stop(ann)
			} else {
				ann.crash = crash
				ann.say("three")
			}
			if !ann.down {
				t.Fatal("it is still there")
			}
			said := crash != "at once" && crash != "unwritten"
			keys := make(map[ake.Hash]bool)
			for id := range ann.room.logs.transcripts {
				keys[id] = true
			}
			bob.say("meanwhile")
			n.run(time.Second)
			again := start()
			n.until(20*time.Second, "one epoch", func() bool { return together(again, bob, cyn) })
			n.allHear(20*time.Second, "meanwhile", again)
			again.say("four")
			n.allHear(5*time.Second, "four", bob, cyn)
			if keys[again.room.head.commit.ID()] {
				t.Error("it sends in an epoch of its last process")
			}
			n.run(20 * time.Second)
			for _, s := range []*simNode{again, bob, cyn} {
				for _, text := range []string{"one", "two", "three", "meanwhile", "four"} {
					want := 1
					if text == "three" && !said {
						want = 0
					}
					if s.times(text) != want {
						t.Errorf("%s was given %q %d times", s.name, text, s.times(text))
					}
				}
			}
			for _, m := range again.messages {
				if old := m.Message.Text == "one" || m.Message.Text == "two"; old != m.History && m.Message.Text != "three" {
					t.Errorf("%q: history %v", m.Message.Text, m.History)
				}
			}
		})
	}
}

// TestNothingSecretIsSaved: what goes to disk holds no key of the process, and
// none of an epoch.
func TestNothingSecretIsSaved(t *testing.T) {
	n := newNetwork(t, 120)
	var disk memJournal
	ann := n.startOn(&disk, "ann", always, newIdentity(n.seed32()), n.seed32(), 0)
	bob := n.add("bob", true)
	n.connect(ann, bob)
	n.until(20*time.Second, "one epoch", func() bool { return together(ann, bob) })
	ann.say("hello")
	bob.say("hello yourself")
	n.allHear(time.Second, "hello yourself", ann)
	var secrets [][]byte
	secrets = append(secrets, ann.room.working.Seed(), ann.room.cfg.Identity.Seed())
	d := ann.room.head.d
	if d == nil {
		t.Fatal("the epoch's secret is gone: the test shows nothing")
	}
	secrets = append(secrets, d.Bytes())
	for _, m := range ann.terms(ann.room.head) {
		secrets = append(secrets, m.Term.Bytes())
	}
	if len(disk.order) < 3 {
		t.Fatal("little was saved: the test shows nothing")
	}
	for _, s := range disk.order {
		for _, secret := range secrets {
			if containsBytes(s.Data, secret) {
				t.Error("a secret was saved")
			}
		}
	}
}

func containsBytes(b, part []byte) bool {
	for i := 0; i+len(part) <= len(b); i++ {
		if slices.Equal(b[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// TestRetention: a transcript is dropped a day after its day, by everybody's
// clock alike, is forgotten on disk, and is not taken again.
func TestRetention(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole day")
	}
	n := newNetwork(t, 121)
	n.now = n.now.Add(14*time.Hour + 30*time.Minute)
	var disk memJournal
	ann := n.startOn(&disk, "ann", always, newIdentity(n.seed32()), n.seed32(), 0)
	bob := n.add("bob", true)
	n.connect(ann, bob)
	n.until(20*time.Second, "one epoch", func() bool { return together(ann, bob) })
	ann.say("hello")
	n.allHear(time.Second, "hello", bob)
	id := ann.room.head.commit.ID()
	head := ann.room.logs.transcripts[id].Append([]byte{record.FrameTranscript})
	end := (ann.room.today() + 2).Start()
	n.run(end.Sub(n.now) - time.Minute)
	if ann.room.logs.transcripts[id] == nil || bob.room.logs.transcripts[id] == nil {
		t.Fatal("dropped too early")
	}
	n.run(2 * time.Minute)
	if ann.room.logs.transcripts[id] != nil || bob.room.logs.transcripts[id] != nil || ann.room.logs.messages != 0 {
		t.Error("it is still there")
	}
	for _, s := range disk.order {
		if s.Epoch == id {
			t.Error("it is still on disk")
		}
	}
	ann.take(head)
	if ann.room.logs.transcripts[id] != nil {
		t.Error("it came back")
	}
}

// TestQuietLogs: in a calm room of a hundred, comparing logs costs below 1 kB a
// second and member, however much was said before.
func TestQuietLogs(t *testing.T) {
	if testing.Short() {
		t.Skip("a room of a hundred, for minutes")
	}
	n := newNetwork(t, 122)
	all := n.crowd(100)
	n.until(time.Minute, "one epoch", func() bool { return together(all...) })
	n.run(10 * time.Second)
	for i := range 200 {
		all[i%100].say(fmt.Sprint("number ", i))
	}
	n.run(time.Minute)
	w := &traffic{bytes: make(map[byte]int)}
	n.watch = w
	const span = time.Minute
	n.run(span)
	logs, sum := 0, 0
	for typ, k := range w.bytes {
		sum += k
		switch typ {
		case record.FrameTranscript, record.FrameHave, record.FrameLog, record.FrameTold:
			logs += k
		}
	}
	logs += w.frames * (ake.HashSize + 1) // what hello and ask say of logs
	rate := func(k int) float64 { return float64(k) / span.Seconds() / float64(len(all)) }
	t.Logf("%.0f B/s a member for logs, %.0f B/s for all comparing, by type: %v", rate(logs), rate(sum), w.bytes)
	if rate(logs) > 1000 {
		t.Errorf("logs cost %.0f B/s", rate(logs))
	}
}

// traffic counts what arrives on streams, by type.
type traffic struct {
	bytes  map[byte]int
	frames int // hellos
}

func (*traffic) stepped(*simNode)           {}
func (*traffic) took(*simNode, Event)       {}
func (*traffic) opening(*simNode, [32]byte) {}
func (*traffic) saved(*simNode, Saved)      {}

func (w *traffic) arriving(_ *simNode, data []byte) {
	if data[0] >= record.FrameHello {
		w.bytes[data[0]] += len(data) + 4
		if data[0] == record.FrameHello {
			w.frames++
		}
	}
}

// TestGreedy: a member who asks for everything again and again is sent a bounded
// amount; others are served all the same.
func TestGreedy(t *testing.T) {
	n := newNetwork(t, 123)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	text := strings.Repeat("x", 16<<10)
	for range 300 { // 5 MB
		ann.say(text)
		n.run(20 * time.Millisecond)
	}
	n.until(time.Minute, "all have them", func() bool { return len(bob.messages) == 300 && len(eve.messages) == 300 })
	x := n.insider(eve, ann)
	sent := 0
	epoch := ann.room.head.commit.ID()
	ask := &record.Ask{Logs: true, Transcripts: []record.AskTranscript{{Epoch: epoch, Digest: ake.Hash{1}}}}
	have := &record.Have{Epoch: epoch, Held: make([]record.Held, 3)}
	for range 100 {
		id := x.open(ann, ProtocolSync, x.helloTo(ann), ask.Encode(), have.Encode())
		n.run(100 * time.Millisecond)
		for _, f := range x.frames[id] {
			sent += len(f)
		}
		x.hang(id)
	}
	if limit := allowanceBytes + 12*allowanceRate + maxLogBytes; sent > limit || sent < allowanceBytes/2 {
		t.Errorf("eve was sent %d bytes within ten seconds", sent)
	}
	// Somebody who comes back is told what it missed.
	n.disconnect(bob, ann)
	n.disconnect(bob, eve)
	ann.say("meanwhile")
	n.connect(bob, ann)
	n.allHear(20*time.Second, "meanwhile", bob)
}

// TestBrokenOff: what was sent on a stream that broke off is sent again at the next comparison, and
// what was sent on one that came to its end is not.
func TestBrokenOff(t *testing.T) {
	n := newNetwork(t, 97)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	ann.say("something")
	n.allHear(5*time.Second, "something", all...)
	id := StreamID(1 << 20)
	sent := func(done bool) (transcripts int) {
		id += 2
		ann.room.StreamOpened(ann.clock(), id, bob.room.self, [32]byte(bob.room.working[32:]), ProtocolSync)
		ann.room.StreamFrame(ann.clock(), id, (&record.Hello{Room: ann.room.id}).Encode())
		ann.room.StreamFrame(ann.clock(), id, (&record.Ask{Logs: true}).Encode())
		if done {
			ann.room.StreamFrame(ann.clock(), id, []byte{record.FrameDone})
		}
		for _, f := range ann.room.Ready().Send {
			if f.Data[0] == record.FrameTranscript {
				transcripts++
			}
		}
		ann.room.StreamClosed(ann.clock(), id)
		return transcripts
	}
	if first, again, whole, over := sent(false), sent(false), sent(true), sent(true); first != 1 || again != 1 ||
		whole != 1 || over != 0 {
		t.Errorf("the transcript was sent %d times, again %d, then %d, and %d after it came over", first, again, whole, over)
	}
}
