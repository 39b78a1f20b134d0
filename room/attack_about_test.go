package room

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// about says what is about a message as no room would, without asking whether it may.
func (s *simNode) about(kind byte, target ake.Hash, words string) {
	s.net.t.Helper()
	a := record.About{Target: target, Words: words}
	if err := s.room.say(s.clock(), held{ref: words, kind: kind, text: a.Text()}); err != nil {
		s.net.t.Fatal(err)
	}
	s.net.drain(s)
}

// sendAbout says it as people do.
func (s *simNode) sendAbout(kind byte, target ake.Hash, words string) error {
	err := s.room.SendAbout(s.clock(), words, kind, target, words)
	s.net.drain(s)
	return err
}

// views are the messages that a node shows, as a face has them.
func (s *simNode) views() (out []Delivered) {
	at := make(map[ake.Hash]int)
	for _, e := range s.shown {
		switch e := e.(type) {
		case Delivered:
			at[e.ID] = len(out)
			out = append(out, e)
		case Opened:
			out[at[e.ID]] = e.Delivered
		case Changed:
			out[at[e.Target]].Change(e)
		}
	}
	return out
}

func (s *simNode) view(id ake.Hash) *Delivered {
	s.net.t.Helper()
	for _, d := range s.views() {
		if d.ID == id {
			return &d
		}
	}
	s.net.t.Fatalf("%s does not show %x", s.name, id[:4])
	return nil
}

// idOf is the id of what somebody was heard to say.
func (s *simNode) idOf(text string) ake.Hash {
	s.net.t.Helper()
	for _, m := range s.messages {
		if m.Message.Text == text {
			return m.ID
		}
	}
	s.net.t.Fatalf("%s has not heard %q", s.name, text)
	return ake.Hash{}
}

// TestAbout: a reply has its quote, reactions replace each other and are taken back, an edit
// shows new words and says so, a withdrawal leaves none; so at all, and in a process that
// starts again and in what is read back.
func TestAbout(t *testing.T) {
	n := newNetwork(t, 9800)
	var disk memJournal
	identity := newIdentity(n.seed32())
	ann := n.startOn(&disk, "ann", always, identity, n.seed32(), 0)
	bob, kari := n.add("bob", true), n.add("kari", true)
	n.connectAll()
	all := []*simNode{ann, bob, kari}
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(5 * time.Second)
	say := func(s *simNode, text string) ake.Hash {
		s.say(text)
		n.allHear(5*time.Second, text, all...)
		return s.idOf(text)
	}
	question, wrong, gone := say(ann, "when?"), say(bob, "at nien"), say(kari, "never mind")
	for _, f := range []func() error{
		func() error { return bob.sendAbout(record.KindReply, question, "at nine") },
		func() error { return kari.sendAbout(record.KindReaction, question, "👍") },
		func() error { return kari.sendAbout(record.KindReaction, question, "🎉") },
		func() error { return bob.sendAbout(record.KindReaction, question, "👍") },
		func() error { return bob.sendAbout(record.KindEdit, wrong, "at niene") },
		func() error { return bob.sendAbout(record.KindEdit, wrong, "at nine") },
		func() error { return ann.sendAbout(record.KindReaction, wrong, "👍") },
		func() error { return ann.sendAbout(record.KindReaction, wrong, "") },
		func() error { return ann.sendAbout(record.KindReaction, gone, "👍") },
		func() error { return kari.sendAbout(record.KindEdit, gone, "never, mind") },
		func() error { return kari.sendAbout(record.KindWithdrawal, gone, "") },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
		n.run(time.Second)
	}
	reply := bob.idOf("at nine")
	check := func(name string, of func(id ake.Hash) *Delivered) {
		t.Helper()
		q, w, g, r := of(question), of(wrong), of(gone), of(reply)
		if r.ReplyTo != question || r.Quote == nil || r.Quote.Text != "when?" || r.Quote.Author.Peer != ann.room.self {
			t.Errorf("%s: the reply is %+v", name, r)
		}
		if want := []Reaction{{kari.room.self, "🎉"}, {bob.room.self, "👍"}}; !slices.Equal(q.Reactions, want) || q.Edited {
			t.Errorf("%s: reactions %v, want %v", name, q.Reactions, want)
		}
		if w.Message.Text != "at nine" || !w.Edited || w.Withdrawn || len(w.Reactions) > 0 {
			t.Errorf("%s: the edited one is %+v", name, w)
		}
		if g.Message.Text != "" || !g.Withdrawn || len(g.Reactions) > 0 {
			t.Errorf("%s: the withdrawn one is %+v", name, g)
		}
	}
	for _, s := range all {
		check(s.name, s.view)
		if len(s.messages) != 4 {
			t.Errorf("%s was shown %d messages", s.name, len(s.messages))
		}
	}
	if err := ann.sendAbout(record.KindReply, gone, "why?"); !errors.Is(err, ErrWithdrawn) {
		t.Error("about what was withdrawn:", err)
	}

	self, id := ann.room.Self(), ann.room.id
	n.stop(ann)
	var back []Delivered
	if _, err := ReadBack(&disk, id, self, func(*record.Signed) bool { return true }, func(d Delivered) bool {
		back = append(back, d)
		return true
	}); err != nil || len(back) != 4 {
		t.Fatal(len(back), err)
	}
	InOrder(back)
	Quotes(back)
	check("read back", func(id ake.Hash) *Delivered {
		return &back[slices.IndexFunc(back, func(d Delivered) bool { return d.ID == id })]
	})
	again := n.startOn(&disk, "ann", always, identity, n.seed32(), 0)
	check("again", again.view)
}

// TestAttackAbout: an insider changes what is shown of others' words in no way: not by an
// edit or a withdrawal of them, nor about what is not here, or words for some.
func TestAttackAbout(t *testing.T) {
	n := newNetwork(t, 9801)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	bob.holds(professor)
	ann.say("mine")
	ann.sayTo(professor, "for some")
	n.allHear(5*time.Second, "mine", all...)
	n.run(20 * time.Second)
	mine := ann.idOf("mine")
	some := ann.messages[1].ID
	if ann.messages[1].To == "" {
		some = ann.messages[0].ID
	}
	unknown := ake.Sum("of another room")
	for _, kind := range []byte{record.KindEdit, record.KindWithdrawal} {
		words := strings.Repeat("eve's", int(record.KindWithdrawal-kind))
		eve.about(kind, mine, words)
		eve.about(kind, some, words)
		eve.about(kind, unknown, words)
	}
	eve.about(record.KindReaction, unknown, "👍")
	eve.about(record.KindReaction, some, "👍")
	eve.about(record.KindReply, some, "to some")
	eve.about(record.KindReply, unknown, "to nothing")
	ann.about(record.KindEdit, some, "for all")
	n.allHear(5*time.Second, "to nothing", all...)
	n.run(5 * time.Second)
	for _, s := range all {
		if d := s.view(mine); d.Message.Text != "mine" || d.Edited || d.Withdrawn {
			t.Errorf("%s shows %+v", s.name, d)
		}
		if d := s.view(some); d.Message.Text == "for all" || d.Edited || d.Withdrawn || len(d.Reactions) > 0 {
			t.Errorf("%s shows %+v", s.name, d)
		}
		for _, text := range []string{"to some", "to nothing"} {
			if d := s.view(s.idOf(text)); d.Quote != nil {
				t.Errorf("%s quotes %q", s.name, d.Quote.Text)
			}
		}
		if got := len(events[Changed](s)); got > 0 {
			t.Errorf("%s was told of %d changes", s.name, got)
		}
	}
	// What an honest member would not even send.
	for _, c := range []struct {
		s      *simNode
		kind   byte
		target ake.Hash
		words  string
		want   error
	}{
		{eve, record.KindEdit, mine, "x", ErrNotYours}, {eve, record.KindWithdrawal, mine, "", ErrNotYours},
		{eve, record.KindReply, some, "x", ErrTargetTo}, {eve, record.KindReaction, some, "x", ErrTargetTo},
		{ann, record.KindEdit, some, "x", ErrTargetTo}, {eve, record.KindReply, unknown, "x", ErrNoTarget},
		{eve, record.KindReply, mine, "", ErrNoWordsLeft}, {ann, record.KindEdit, mine, "", ErrNoWordsLeft},
		{eve, record.KindReply, mine, strings.Repeat("x", record.MaxAbout+1), ErrTooLong},
		{eve, record.KindReaction, mine, strings.Repeat("x", 65), ErrTooLong},
		{eve, record.KindReaction, mine, "\xff", ErrText}, {eve, record.KindText, mine, "x", ErrTarget},
	} {
		if err := c.s.sendAbout(c.kind, c.target, c.words); !errors.Is(err, c.want) {
			t.Errorf("kind %d of %s: %v, want %v", c.kind, c.s.name, err, c.want)
		}
	}
	// One's own words for some can be withdrawn.
	if err := ann.sendAbout(record.KindWithdrawal, some, ""); err != nil {
		t.Fatal(err)
	}
	n.run(2 * time.Second)
	for _, s := range all {
		if d := s.view(some); !d.Withdrawn || d.Message.Text != "" {
			t.Errorf("%s shows %+v", s.name, d)
		}
	}
}

// TestAboutOrderFree: whatever order messages come in, an edit before its target, one with an
// older Lamport time later, two under one counter, the same is shown.
func TestAboutOrderFree(t *testing.T) {
	n := newNetwork(t, 9802)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	ann.say("first")
	bob.say("second")
	n.allHear(5*time.Second, "first", all...)
	n.allHear(5*time.Second, "second", all...)
	first, second := ann.idOf("first"), ann.idOf("second")
	said := ann.room.logs.transcripts[ann.room.head.commit.ID()]
	var messages []*record.Signed
	counters := make(map[*simNode]uint64)
	for i := range said.logs {
		messages = append(messages, ann.room.body(said, i, 1))
	}
	at := func(s *simNode, counter, lamport uint64, kind byte, target ake.Hash, words string) {
		counters[s] = max(counter, counters[s])
		m := &record.Signed{Body: record.Body{Counter: counter, Time: 1, Lamport: lamport, Kind: kind,
			Text: (&record.About{Target: target, Words: words}).Text()}, Epoch: said.id, CID: s.own()}
		if kind == record.KindText {
			m.Text = words
		}
		m.Sign(s.room.id, s.room.working)
		messages = append(messages, m)
	}
	at(ann, 2, 50, record.KindEdit, first, "newest")
	at(ann, 3, 40, record.KindEdit, first, "older, said later")
	at(ann, 4, 50, record.KindReaction, second, "a")
	at(ann, 5, 50, record.KindReaction, second, "b") // at the same time: by id
	at(bob, 2, 60, record.KindEdit, first, "not mine")
	at(bob, 3, 60, record.KindReaction, first, "")
	at(bob, 4, 30, record.KindReaction, first, "c")
	at(bob, 5, 60, record.KindWithdrawal, second, "")
	at(bob, 6, 70, record.KindEdit, second, "after it was withdrawn")
	for i := range uint64(4) { // two different messages under one counter
		at(ann, 6+i, 80+i, record.KindReaction, first, "one")
		at(ann, 6+i, 90+i, []byte{record.KindReaction, record.KindText}[i%2], first, fmt.Sprint("the other", i))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var want string
	for round := range 30 {
		fresh := n.startOn(new(memJournal), fmt.Sprint("zed", round), always, newIdentity(n.seed32()), n.seed32(), 0)
		x := &transcript{Transcript: said.Transcript, id: said.id}
		fresh.room.keepTranscript(x)
		rng.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
		for _, m := range messages {
			if index := x.List.Index(m.CID); fresh.room.authentic(x, index, m) {
				fresh.room.logMessage(nil, x, index, m)
			}
		}
		n.drain(fresh)
		look := func(s *simNode) (got string) {
			for _, id := range []ake.Hash{first, second} {
				ref, ok := s.room.find(id, nil, 0)
				if !ok {
					t.Fatal("a message is not found")
				}
				d := Delivered{ID: id, Message: s.room.body(ref.t, ref.index, ref.counter).Body}
				s.room.applyChanges(&d, ref.t, ref.index)
				got += shownAs(&d) + "\n"
			}
			return got
		}
		got := look(fresh)
		if want == "" {
			want = got
			for _, has := range []string{`"newest" true false`, `"" false true`} {
				if !strings.Contains(want, has) {
					t.Errorf("%s is not in\n%s", has, want)
				}
			}
		}
		if got != want {
			t.Fatalf("round %d shows\n%s and another order shows\n%s", round, got, want)
		}
		// After a restart the same follows from the notes.
		if round == 0 {
			n.stop(fresh)
			again := n.startOn(fresh.journal, "zed", always, fresh.room.cfg.Identity, n.seed32(), 0)
			if got := look(again); got != want {
				t.Errorf("a process that starts again shows\n%s and not\n%s", got, want)
			}
		}
	}
}

// TestChangesAreTold: a change is told once its target is shown, and no more when a later one counts.
func TestChangesAreTold(t *testing.T) {
	n := newNetwork(t, 9805)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	ann.say("first")
	ann.say("second")
	n.allHear(5*time.Second, "second", all...)
	second := ann.idOf("second")
	said := ann.room.logs.transcripts[ann.room.head.commit.ID()]
	fresh := n.startOn(nil, "zed", always, newIdentity(n.seed32()), n.seed32(), 0)
	x := &transcript{Transcript: said.Transcript, id: said.id}
	fresh.room.keepTranscript(x)
	take := func(s *simNode, m *record.Signed) {
		fresh.room.logMessage(nil, x, x.List.Index(s.own()), m)
		n.drain(fresh)
	}
	at := func(s *simNode, counter, lamport uint64, kind byte, words string) *record.Signed {
		a := record.About{Target: second, Words: words}
		m := &record.Signed{Body: record.Body{Counter: counter, Time: 1, Lamport: lamport, Kind: kind, Text: a.Text()},
			Epoch: said.id, CID: s.own()}
		m.Sign(s.room.id, s.room.working)
		return m
	}
	told := func(want int, what string) {
		t.Helper()
		if got := len(events[Changed](fresh)); got != want {
			t.Errorf("%s: told of %d changes, not %d", what, got, want)
		}
	}
	take(bob, at(bob, 1, 10, record.KindReaction, "👍"))
	told(0, "the target is not here")
	take(ann, ann.room.body(said, said.ownIndex, 2))
	take(bob, at(bob, 2, 11, record.KindReaction, "🎉"))
	told(0, "it is not shown, since one before it is missing")
	take(ann, ann.room.body(said, said.ownIndex, 1))
	if d := fresh.view(second); len(d.Reactions) != 1 || d.Reactions[0].Text != "🎉" {
		t.Errorf("shown as %+v", d)
	}
	take(ann, at(ann, 3, 20, record.KindEdit, "newest"))
	told(1, "new words")
	take(ann, at(ann, 4, 15, record.KindEdit, "older"))
	take(bob, at(bob, 3, 9, record.KindReaction, "older"))
	told(1, "older ones")
	if d := fresh.view(second); d.Message.Text != "newest" || d.Reactions[0].Text != "🎉" {
		t.Errorf("shown as %+v", d)
	}
}

// TestAttackManyReactions: reactions of members that somebody made up, and one's without end,
// are bounded where they are shown, and one's own is among them.
func TestAttackManyReactions(t *testing.T) {
	target, own := ake.Sum("target"), [32]byte(ake.Sum("own"))
	of := make(changesOf)
	add := func(who string, i uint64) bool {
		l := &aboutLog{identity: [32]byte(ake.Sum(who))}
		return of.add(target, change{l, i, i, ake.Sum(who, []byte(fmt.Sprint(i))), record.KindReaction, false})
	}
	for i := range uint64(1000) {
		if !add(fmt.Sprint("made up", i), i+1) || !add("one", i+1) {
			t.Fatal("the last of a member does not count")
		}
	}
	if add("one", 5) {
		t.Error("an older one counts")
	}
	add("own", 5000)
	if got := of.reactions(target, viewer{self: own}); len(got) != MaxReactions || got[MaxReactions-1].identity != own {
		t.Errorf("%d are shown", len(got))
	}
	// All were made up by one, but that of a member of another branch: it has its turn.
	one := [32]byte(ake.Sum("one"))
	branch := func(identity [32]byte) (b [32]byte) {
		if identity == one {
			b[0] = 1
		}
		return b
	}
	got := of.reactions(target, viewer{self: own, branch: branch})
	if !slices.ContainsFunc(got, func(c change) bool { return c.identity == one }) || len(got) != MaxReactions {
		t.Errorf("of %d none is the other branch's", len(got))
	}
	if got := len(of[target]); got != 1001+maxAlike {
		t.Errorf("%d are kept", got)
	}
	of.remove(target, func(change) bool { return true })
	if len(of) != 0 {
		t.Error("what is gone is kept")
	}
}

// TestFindIsPaced: whoever names what is not here again and again has nobody look for it as often.
func TestFindIsPaced(t *testing.T) {
	n := newNetwork(t, 9803)
	all := n.party("ann", "eve")
	ann, eve := all[0], all[1]
	ann.say("here")
	n.allHear(5*time.Second, "here", eve)
	for i := range 200 {
		eve.about(record.KindReaction, ake.Sum("not here", []byte{byte(i)}), "👍")
	}
	n.run(2 * time.Second)
	b, _ := ann.room.branchOf(ann.room.today(), ake.Hash{}, eve.room.identity)
	if p := ann.room.about.paces[b]; p == nil || p.tokens > 10 {
		t.Errorf("%+v is left of what eve may have looked for", p)
	}
	if left := ann.room.about.pace.tokens; left < 20 {
		t.Errorf("%v are left for others", left)
	}
	// Who is among those shown last is found all the same.
	eve.about(record.KindReaction, ann.idOf("here"), "👍")
	n.run(time.Second)
	if got := ann.view(ann.idOf("here")).Reactions; len(got) != 1 {
		t.Errorf("reactions: %v", got)
	}
	n.run(time.Minute)
	if _, ok := ann.room.find(ake.Sum("nothing"), nil, 0); ok {
		t.Error("it is found")
	}
}

// TestReplyBelow: no reply stands above what it answers, whatever Lamport times their authors
// gave; all others stay in the order of these.
func TestReplyBelow(t *testing.T) {
	id := func(s string) ake.Hash { return ake.Sum(s) }
	var all []Delivered
	add := func(name string, lamport uint64, to string) {
		d := Delivered{ID: id(name), Message: record.Body{Text: name, Lamport: lamport}, Author: Member{Peer: peerOf([32]byte(id("by " + name)))}}
		if to != "" {
			d.ReplyTo = id(to)
		}
		all = append(all, d)
	}
	add("1", 1, "")
	add("question", 1<<62+5, "")
	add("2", 2, "not here")
	add("answer", 3, "question")
	add("answer to it", 2, "answer")
	add("4", 4, "")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		InOrder(all)
		var got []string
		for _, d := range all {
			got = append(got, d.Message.Text)
		}
		if want := []string{"1", "2", "4", "question", "answer", "answer to it"}; !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

// TestManyRepliesBelow: thousands of replies that stand before what they answer, which one member can
// write, are put in order in a few steps each.
func TestManyRepliesBelow(t *testing.T) {
	const count = 5000
	question := Delivered{ID: ake.Sum("question"), Message: record.Body{Lamport: 1 << 40}}
	all := []Delivered{question}
	for i := range count {
		d := Delivered{ID: ake.Sum("answer", []byte{byte(i), byte(i >> 8)}), ReplyTo: question.ID, Epoch: ake.Sum("another")}
		d.Message.Lamport, d.Message.Counter = 1, uint64(i+1)
		all = append(all, d)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	InOrder(all)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 200<<20 { // each copied for each would be gigabytes
		t.Errorf("it takes %d MiB", took>>20)
	}
	for i, d := range all {
		if i == 0 && d.ID != question.ID || i > 0 && d.Message.Counter != uint64(i) {
			t.Fatalf("%d stands at %d", d.Message.Counter, i)
		}
	}
}

// TestChangeIsSecond: of two messages under one counter that of the least id counts in what is read back,
// too, though it is no change and came first.
func TestChangeIsSecond(t *testing.T) {
	n := newNetwork(t, 9806)
	disks, all := n.onDisks("ann", "bob")
	ann, bob := all[0], all[1]
	ann.say("here")
	n.allHear(5*time.Second, "here", bob)
	target := ann.idOf("here")
	for i, textCounts := range []bool{true, false} {
		counter := uint64(10 + i)
		change := ann.signed(counter, ake.Hash{}, "")
		change.Kind, change.Text = record.KindEdit, string(target[:])+fmt.Sprint("edit ", i)
		change.Sign(ann.room.id, ann.room.working)
		id := change.ID(n.desc.ID())
		first := ann.signed(counter, ake.Hash{}, "")
		for k := 0; ; k++ {
			first.Text = fmt.Sprint("another ", k)
			if other := first.ID(n.desc.ID()); (compareHashes(other, id) < 0) == textCounts {
				break
			}
		}
		first.Sign(ann.room.id, ann.room.working)
		for _, m := range []*record.Signed{first, change} {
			bob.takeFrom(m.AppendLog([]byte{record.FrameLog}), ann)
		}
		n.drain(bob)
		want := "here"
		if !textCounts {
			want = "edit 1"
		}
		seen := false
		_, err := ReadBack(disks[1], n.desc.ID(), bob.room.self, func(*record.Signed) bool { return true },
			func(d Delivered) bool {
				if d.ID == target {
					if seen = true; d.Message.Text != want {
						t.Errorf("%q is read back, want %q", d.Message.Text, want)
					}
				}
				return true
			})
		must(t, err)
		ref, _ := bob.room.find(target, nil, 0)
		d := Delivered{ID: target, Message: bob.room.body(ref.t, ref.index, ref.counter).Body}
		if bob.room.applyChanges(&d, ref.t, ref.index); d.Message.Text != want || !seen {
			t.Errorf("%q is shown, want %q; read back: %v", d.Message.Text, want, seen)
		}
	}
}

// TestWithdrawnStaysSo: where less is kept than was said, what was withdrawn goes before what says so,
// though that was said in another epoch, of which there is more.
func TestWithdrawnStaysSo(t *testing.T) {
	n := newNetwork(t, 9805)
	disks, all := n.onDisks("ann", "bob")
	ann, bob := all[0], all[1]
	ann.say("oops")
	n.allHear(5*time.Second, "oops", bob)
	oops := ann.idOf("oops")
	epoch := bob.room.head.commit.ID()
	cyn := n.add("cyn", true)
	n.connectAll()
	n.until(20*time.Second, "cyn is in", func() bool { return together(ann, bob, cyn) })
	must(t, ann.sendAbout(record.KindWithdrawal, oops, ""))
	for i := range 5 {
		ann.say(fmt.Sprint(i, strings.Repeat("x", 1000)))
		n.run(2 * time.Second)
	}
	if bob.room.head.commit.ID() == epoch || !bob.view(oops).Withdrawn {
		t.Fatal("the test shows nothing")
	}
	went := 0
	for range 20 {
		a, second := bob.room.logs.largest()
		if a.bytes == 0 || !bob.room.shortenAccount(a, bob.room.logs.bytes-1, second) {
			break
		}
		n.drain(bob)
		went++
		_, err := ReadBack(disks[1], n.desc.ID(), bob.room.self, func(*record.Signed) bool { return true },
			func(d Delivered) bool {
				if d.ID == oops && !d.Withdrawn {
					t.Errorf("what was withdrawn is back when %d messages are not kept", went)
				}
				return true
			})
		must(t, err)
	}
	if went < 7 {
		t.Errorf("%d messages went: the test shows nothing", went)
	}
}

// TestOrphansGo: of a full table of transcripts that in which something was edited or withdrawn gives way before
// what that is about, since many members of one key fill the table and have few places each. Then that goes, too: it
// is on no disk, and nobody who comes is told it.
func TestOrphansGo(t *testing.T) {
	n := newNetwork(t, 9807)
	d := *n.desc
	d.History = 24 * time.Hour
	n.desc = &d
	const eves = 6
	names := []string{"ann", "bob", "cyn"}
	for i := range eves {
		names = append(names, fmt.Sprint("eve", i))
	}
	disks, all := n.onDisks(names...)
	ann, bob, cyn := all[0], all[1], all[2]
	next := func(by *simNode) {
		n.run(6 * time.Second)
		must(t, by.room.Rekey(n.now))
		n.drain(by)
		n.until(5*time.Second, "one epoch", func() bool { return together(all...) })
	}
	next(ann)
	first := bob.room.head.commit.ID()
	for _, text := range []string{"before", "oops", "wrogn", "after"} {
		ann.say(text)
	}
	cyn.say("cyn, too") // whose branch has less, and so pays for it
	n.allHear(5*time.Second, "after", bob)
	oops, wrong := ann.idOf("oops"), ann.idOf("wrogn")
	next(ann)
	change := bob.room.head.commit.ID()
	must(t, ann.sendAbout(record.KindWithdrawal, oops, ""))
	must(t, ann.sendAbout(record.KindEdit, wrong, "wrong"))
	for i := range 2 {
		next(ann)
		ann.say(fmt.Sprint("more ", i))
	}
	n.run(time.Second)
	bob.room.logs.limits.transcripts = len(bob.room.logs.transcripts) + eves
	for i := 0; bob.room.logs.transcripts[change] != nil; i++ {
		if i == 4*eves {
			t.Fatal("the withdrawal does not give way: the test shows nothing")
		}
		next(all[3+i%eves])
		all[3+i%eves].say(fmt.Sprint("spam ", i))
		n.run(time.Second)
	}
	kept := bob.room.logs.transcripts[first]
	if kept == nil || !bob.view(oops).Withdrawn || bob.view(wrong).Message.Text != "wrong" {
		t.Fatal("what was said did not stay longer: the test shows nothing")
	}
	n.run(2 * time.Second)
	texts := make(map[string]bool)
	_, err := ReadBack(disks[1], n.desc.ID(), bob.room.self, func(*record.Signed) bool { return true },
		func(d Delivered) bool {
			texts[d.Message.Text] = true
			return true
		})
	must(t, err)
	dan := n.add("dan", true)
	n.connect(dan, bob)
	n.until(20*time.Second, "dan is told of that epoch", func() bool { return dan.heard("after") })
	n.run(20 * time.Second)
	for _, gone := range []string{"oops", "wrogn"} {
		if texts[gone] {
			t.Errorf("%q is on the disk, and what takes it back is not", gone)
		}
		if dan.heard(gone) {
			t.Errorf("dan is told %q", gone)
		}
	}
	for _, stays := range []string{"after", "cyn, too"} {
		if !texts[stays] || !dan.heard(stays) {
			t.Errorf("%q went, too", stays)
		}
	}
	if !agree(first, bob, cyn) {
		t.Error("bob and cyn do not agree any more on what was said")
	}
	// What another says of it takes nothing away.
	bob.room.logs.orphans[ann.idOf("after")], bob.room.logs.orphans[oops] = cyn.room.identity, ann.room.identity
	n.run(2 * time.Second)
	if ref, ok := bob.room.find(ann.idOf("after"), nil, 0); !ok || bob.room.body(ref.t, ref.index, ref.counter) == nil {
		t.Error("ann's words went for what cyn said")
	}
	// All that is kept is looked through once a second at most.
	looked := 0
	for i := range 100 {
		bob.room.logs.orphans[oops] = ann.room.identity
		ann.say(fmt.Sprint("and ", i))
		if n.run(20 * time.Millisecond); len(bob.room.logs.orphans) == 0 {
			looked++
		}
	}
	if looked > 3 {
		t.Errorf("looked through %d times in two seconds", looked)
	}
}

// TestAboutGoes: what was said about messages is forgotten with the epoch in which it was said,
// and what is not kept any more counts no more.
func TestAboutGoes(t *testing.T) {
	n := newNetwork(t, 9804)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	ann.say("here")
	n.allHear(5*time.Second, "here", bob)
	bob.about(record.KindReaction, ann.idOf("here"), "👍")
	n.run(time.Second)
	if len(ann.room.about.of) != 1 {
		t.Fatal(len(ann.room.about.of))
	}
	x := ann.room.logs.transcripts[ann.room.head.commit.ID()]
	ann.room.dropChanges(x.log(1-x.ownIndex), 0)
	if len(ann.room.about.of) != 1 {
		t.Error("forgotten before it goes")
	}
	ann.room.dropTranscript(x)
	if len(ann.room.about.of) != 0 {
		t.Error("it stays")
	}
}

// TestManyReactions: of more reactions than are shown, those that a face has from what happened are those
// that are shown to who comes later; also when one of them is taken back, and another has its place.
func TestManyReactions(t *testing.T) {
	n := newNetwork(t, 9811)
	ann := n.add("ann", true)
	all := []*simNode{ann}
	for i := range MaxReactions + 3 {
		s := n.add(fmt.Sprint("peer", i), true)
		n.connect(ann, s)
		all = append(all, s)
	}
	n.until(time.Minute, "one epoch", func() bool { return together(all...) })
	ann.say("who comes?")
	n.allHear(10*time.Second, "who comes?", all...)
	target := ann.idOf("who comes?")
	for _, s := range all[1:] {
		must(t, s.sendAbout(record.KindReaction, target, "👍 "+s.name))
		n.run(200 * time.Millisecond)
	}
	check := func(when string, want int) {
		t.Helper()
		n.run(5 * time.Second)
		for _, s := range []*simNode{ann, all[1], all[len(all)-1]} {
			live, later := s.view(target).Reactions, s.room.Reactions(target)
			if len(later) != want || !slices.Equal(live, later) {
				t.Errorf("%s: %s has %d live and %d later:\n%v\n%v", when, s.name, len(live), len(later), live, later)
			}
		}
	}
	check("too many", MaxReactions)
	for i, s := range all[1:6] {
		must(t, s.sendAbout(record.KindReaction, target, ""))
		check(fmt.Sprint(i+1, " taken back"), min(MaxReactions, MaxReactions+2-i))
	}
}
