package room

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// withKeys gives the peers of a network keys with serials, by their names; those named in
// deaf take no notices.
func (n *network) withKeys(serials map[string]uint64, deaf ...string) {
	n.configure = func(s *simNode, c *Config) {
		c.Serial = serials[s.name]
		if slices.Contains(deaf, s.name) {
			c.CheckNotice = nil
		}
	}
}

// bring has a node's user bring it a notice.
func (s *simNode) bring(n *abe.Notice) bool {
	ok := s.room.TakeNotice(s.clock(), n)
	s.net.drain(s)
	return ok
}

// noticed are the notices that a node told its user of.
func (s *simNode) noticed() (out []NoticeTaken) {
	for _, e := range s.shown {
		if e, ok := e.(NoticeTaken); ok {
			out = append(out, e)
		}
	}
	return out
}

func after(notice *abe.Notice, nodes ...*simNode) bool {
	for _, s := range nodes {
		if s.room.head == nil || s.room.head.commit.Period.Notice() != notice.Number {
			return false
		}
	}
	return together(nodes...)
}

// TestRevokedStays: a member whose key is revoked, and who goes on as if nothing were
// known to it, reads nothing from some minutes on; nor as another process, nor as another
// peer with the same key; nor by what the room's history gives others.
func TestRevokedStays(t *testing.T) {
	for _, history := range []time.Duration{0, 24 * time.Hour} {
		t.Run(fmt.Sprint(history), func(t *testing.T) {
			n := newNetwork(t, 71)
			d := *n.desc
			d.History = history
			n.desc = &d
			n.withKeys(map[string]uint64{"eve": 17, "eve2": 17, "mallory": 17, "ann": 1}, "eve", "eve2", "mallory")
			all := n.party("ann", "bob", "cyn")
			identity := newIdentity(n.seed32())
			eve := n.start("eve", true, identity)
			for _, s := range all {
				n.connect(eve, s)
			}
			n.until(20*time.Second, "eve is in", func() bool { return together(append(all, eve)...) })
			all[0].say("before")
			n.allHear(5*time.Second, "before", append(all, eve)...)
			notice := noticeAt(n.now, 17)
			if !all[0].bring(notice) {
				t.Fatal("the notice is not taken")
			}
			n.until(5*time.Second, "all take it", func() bool {
				return len(all[0].noticed())+len(all[1].noticed())+len(all[2].noticed()) == 3
			})
			if e := all[1].noticed()[0]; e.Own || !e.Notice.Equal(notice) {
				t.Error(e)
			}
			// What is said from now on waits for an epoch without eve, who delays it.
			for _, s := range all {
				s.say("at once, " + s.name)
			}
			n.until(noticeTurn+5*time.Second, "an epoch without eve", func() bool { return after(notice, all...) })
			for _, s := range all {
				n.allHear(5*time.Second, "at once, "+s.name, all...)
				if eve.heard("at once, " + s.name) {
					t.Errorf("eve, whose key is revoked, reads what %s says after the notice", s.name)
				}
			}
			if eve.room.head.commit.Period.Notice() != 0 {
				t.Error("eve has an epoch of after the notice")
			}
			// It commits for the old period, lists everybody, and asks for what others get.
			g, heads := eve.room.days[eve.room.today()], all[0].room.head
			if err := eve.room.commit(g, eve.room.nextList(g)); err != nil {
				t.Fatal(err)
			}
			n.drain(eve)
			again := n.start("eve2", true, identity)
			other := n.start("mallory", true, newIdentity(n.seed32()))
			for _, s := range all {
				n.connect(again, s)
				n.connect(other, s)
			}
			n.connect(eve, other)
			for i := range 8 {
				text := fmt.Sprint("after ", i)
				all[i%3].say(text)
				n.run(time.Minute)
				for _, s := range all {
					if !s.heard(text) {
						t.Errorf("%s was not told %q", s.name, text)
					}
				}
				for _, s := range []*simNode{eve, again, other} {
					if s.heard(text) {
						t.Fatalf("%s, whose key is revoked, reads %q", s.name, text)
					}
				}
			}
			for _, s := range all {
				if s.room.head.commit.Period < heads.commit.Period {
					t.Errorf("%s went back to an epoch with eve", s.name)
				}
				if h := s.room.head; h.list.Of(eve.room.identity) >= 0 || h.list.Of(other.room.identity) >= 0 {
					t.Errorf("%s lists a revoked key", s.name)
				}
				if len(s.room.days) > 1 {
					t.Errorf("%s keeps %d graphs", s.name, len(s.room.days))
				}
			}
			if again.room.head != nil && again.room.head.list.Of(all[0].room.identity) >= 0 {
				t.Error("it is in an epoch with ann as another process")
			}
		})
	}
}

// withEve is a room of ann, bob and cyn, and of eve, whose key has serial 17 and whose program
// takes no notices.
func withEve(t *testing.T, seed uint64) (n *network, all []*simNode, eve *simNode) {
	n = newNetwork(t, seed)
	n.withKeys(map[string]uint64{"eve": 17}, "eve")
	all = n.party("ann", "bob", "cyn")
	eve = n.start("eve", true, newIdentity(n.seed32()))
	for _, s := range all {
		n.connect(eve, s)
	}
	n.until(20*time.Second, "eve is in", func() bool { return together(append(all, eve)...) })
	return n, all, eve
}

// TestRevokedTerms: whose key is revoked keeps channels for five minutes, and is told no terms of
// after the notice over them, though these spread for want of a commit's secret.
func TestRevokedTerms(t *testing.T) {
	n, all, eve := withEve(t, 73)
	notice := noticeAt(n.now, 17)
	all[0].bring(notice)
	n.until(noticeTurn+5*time.Second, "an epoch without eve", func() bool { return after(notice, all...) })
	n.rewrite = func(s *simNode, data []byte) []byte {
		if s == all[0] && data[0] == record.FrameSecret {
			return nil // ann lets dan in, and withholds the secret
		}
		return data
	}
	dan := n.add("dan", true)
	n.run(5 * time.Second)
	n.connect(dan, all[0])
	var cid ake.Hash
	n.until(10*time.Second, "bob knows dan's term", func() bool {
		g := all[1].room.days[all[1].room.today()]
		if c := g.newest[dan.room.identity]; c != nil {
			cid = c.ID()
		}
		return g.nodes[cid] != nil && g.nodes[cid].term != nil
	})
	n.run(time.Second)
	if ch := all[1].room.channels.byKey[eve.room.workingID]; ch == nil || !ch.up {
		t.Fatal("bob has no channel to eve: the test shows nothing")
	}
	if _, told := eve.room.waiting.terms[cid]; told {
		t.Error("eve was told dan's term")
	}
}

// TestRevokedOpens: it is the encapsulation that keeps a revoked key out: with all that
// its program can be made to do, it opens nothing of after the notice.
func TestRevokedOpens(t *testing.T) {
	n := newNetwork(t, 72)
	n.withKeys(map[string]uint64{"eve": 17})
	all := n.party("ann", "bob", "eve")
	notice := noticeAt(n.now, 17)
	all[0].bring(notice)
	eve := all[2]
	n.until(5*time.Second, "eve learns of it", func() bool { return len(eve.noticed()) == 1 })
	if !eve.noticed()[0].Own || !eve.room.revoked() || eve.room.maySend() {
		t.Error("its own key was revoked, and it goes on")
	}
	n.until(dayTurn+10*time.Second, "an epoch without it", func() bool { return after(notice, all[:2]...) })
	if eve.room.days[eve.room.today()] != nil {
		t.Error("it makes an encapsulation of after the notice")
	}
	suite := eve.room.cfg.Encapsulator
	for _, s := range all[:2] {
		o := s.day().own
		ctx := o.contribution.Context(n.desc.ID())
		for _, revoked := range [][]uint64{notice.Serials, nil, {18}} {
			if _, err := suite.Open(ctx, revoked, o.encapsulation); !errors.Is(err, ake.ErrNotOpened) {
				t.Errorf("it opens %s's", s.name)
			}
		}
	}
}

// TestRevokedAlone: who is alone with a key that is revoked says nothing to it from some
// minutes on.
func TestRevokedAlone(t *testing.T) {
	n := newNetwork(t, 80)
	n.withKeys(map[string]uint64{"eve": 17}, "eve")
	all := n.party("ann", "eve")
	all[0].bring(noticeAt(n.now, 17))
	n.run(dayGrace + 2*time.Second)
	all[0].say("alone")
	n.run(10 * time.Minute)
	if all[1].heard("alone") || all[0].room.Held() != 1 {
		t.Error("eve reads it, or it is not held")
	}
}

// TestForgedNotice: what the domain did not sign is not taken, nor what is old, or of
// another domain, or far ahead; whoever sends what is forged is not listened to.
func TestForgedNotice(t *testing.T) {
	n := newNetwork(t, 73)
	all := n.party("ann", "bob")
	ann := all[0]
	x := n.addSpy("x", nil)
	n.connect(x.node, ann)
	n.run(time.Second)
	foreign, err := abe.Setup(source{rand.NewChaCha8([32]byte{2})}, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	of := func(m *abe.MasterKey, at time.Time, serials ...uint64) *abe.Notice {
		notice, err := m.Revoke(uint32(at.Unix()), serials)
		if err != nil {
			t.Fatal(err)
		}
		return notice
	}
	stolen := of(foreign, n.now, 1)
	passed := *stolen
	passed.Domain = simAuthority().Domain().ID()
	edited := *noticeAt(n.now, 1)
	edited.Serials = []uint64{2}
	ahead := noticeAt(n.now.Add(maxAhead+time.Minute), 3)
	for what, notice := range map[string]*abe.Notice{
		"of another domain": stolen, "signed by another": &passed, "edited": &edited, "far ahead": ahead,
	} {
		id := x.open(ann, ProtocolSync, (&record.Hello{Room: n.desc.ID()}).Encode(), notice.Append([]byte{record.FrameNotice}))
		n.run(time.Second)
		if len(ann.noticed()) > 0 || ann.room.notices.newest != nil || ann.room.notices.waits != nil {
			t.Fatalf("%s: it is taken", what)
		}
		if x.over[id] != (notice != ahead) {
			t.Errorf("%s: the stream is over: %v", what, x.over[id])
		}
		if ann.bring(notice) != (notice == ahead) {
			t.Errorf("%s: ann is told something else of it", what)
		}
	}
	// A new one counts, whoever brings it; then an old one does not, however often.
	old, current := noticeAt(n.now.Add(-time.Hour), 9), noticeAt(n.now, 5)
	x.open(ann, ProtocolSync, (&record.Hello{Room: n.desc.ID()}).Encode(), current.Append([]byte{record.FrameNotice}))
	n.until(20*time.Second, "all are in an epoch after it", func() bool { return after(current, all...) })
	for range 3 {
		x.open(ann, ProtocolSync, (&record.Hello{Room: n.desc.ID()}).Encode(), old.Append([]byte{record.FrameNotice}))
		x.open(ann, ProtocolSync, (&record.Hello{Room: n.desc.ID()}).Encode(), current.Append([]byte{record.FrameNotice}))
		n.run(2 * time.Minute)
	}
	if len(ann.noticed()) != 1 || ann.room.notices.number() != current.Number {
		t.Errorf("%d notices were taken", len(ann.noticed()))
	}
	// One that is malformed, or comes twice, ends the stream.
	twice := current.Append([]byte{record.FrameNotice})
	for what, frames := range map[string][][]byte{"malformed": {twice[:60]}, "twice": {twice, twice}} {
		id := x.open(ann, ProtocolSync, append([][]byte{(&record.Hello{Room: n.desc.ID()}).Encode()}, frames...)...)
		n.run(time.Second)
		if !x.over[id] {
			t.Errorf("%s: the stream goes on", what)
		}
	}
	if !together(all...) {
		t.Error("the room fell apart")
	}
}

// TestTwoNotices: if the domain signs two with one number, both are told so, and the next
// one brings them together.
func TestTwoNotices(t *testing.T) {
	n := newNetwork(t, 74)
	all := n.party("ann", "bob")
	one, two := noticeAt(n.now, 5), noticeAt(n.now, 6)
	all[0].bring(one)
	all[1].bring(two)
	n.run(30 * time.Second)
	all[0].bring(two)
	all[0].bring(two)
	if f := all[0].failed; len(f) != 1 || !errors.Is(f[0].Err, ErrTwoNotices) {
		t.Errorf("ann is told %v", f)
	}
	all[0].failed = nil
	if all[0].room.notices.newest.Names(6) {
		t.Error("the second is taken")
	}
	later := noticeAt(n.now, 5, 6)
	all[0].bring(later)
	n.until(2*noticeEvery+dayTurn, "all are in an epoch after the next", func() bool { return after(later, all...) })
}

// TestWithheldNotice: who withholds a notice keeps it from those alone who have no other
// way; what the others say, these do not get.
func TestWithheldNotice(t *testing.T) {
	n := newNetwork(t, 75)
	n.withKeys(map[string]uint64{"eve": 17}, "eve")
	ann, eve, bob, cyn := n.add("ann", true), n.add("eve", true), n.add("bob", true), n.add("cyn", true)
	n.connect(ann, eve)
	n.connect(eve, bob)
	n.connect(ann, cyn)
	n.connect(eve, cyn)
	n.until(time.Minute, "all are in", func() bool { return together(ann, eve, bob, cyn) })
	notice := noticeAt(n.now, 17)
	ann.bring(notice)
	n.until(dayTurn+20*time.Second, "an epoch of those who know", func() bool { return after(notice, ann, cyn) })
	if len(bob.noticed()) > 0 {
		t.Fatal("bob knows: the test shows nothing")
	}
	ann.say("not for eve")
	n.run(10 * time.Second)
	if !cyn.heard("not for eve") || eve.heard("not for eve") || bob.heard("not for eve") {
		t.Error("who is told what ann says")
	}
	n.connect(ann, bob)
	n.until(dayTurn+time.Minute, "bob is back", func() bool { return after(notice, ann, bob, cyn) })
	n.allHear(time.Minute, "not for eve", bob)
	if eve.heard("not for eve") {
		t.Error("eve is told in the end")
	}
}

// TestNoticesHaveAPace: whoever has stolen the authority's key can make notices without
// end. Each costs the room what a day does, so one a minute is taken, and two are kept.
func TestNoticesHaveAPace(t *testing.T) {
	n := newNetwork(t, 76)
	all := n.party("ann", "bob", "cyn")
	for i := range 300 {
		all[i%3].bring(noticeAt(n.now, uint64(100+i)))
		n.run(time.Second)
		for _, s := range all {
			if len(s.room.days) > 2 {
				t.Fatalf("%s keeps %d graphs", s.name, len(s.room.days))
			}
		}
	}
	for _, s := range all {
		if k := len(s.noticed()); k > 6 || k < 3 {
			t.Errorf("%s took %d notices in five minutes", s.name, k)
		}
	}
	n.until(2*noticeEvery+dayTurn, "all are together", func() bool {
		return together(all...) && all[0].room.head.commit.Period == all[0].room.today() && all[0].room.notices.newest.Names(399)
	})
	all[0].say("still here")
	n.allHear(5*time.Second, "still here", all...)
}

// TestRevokedReturn: what somebody typed while they were cut off does not go out to whom it
// would have gone before: they hear of the notice first, although the revoked one says hello
// as soon as the others do.
func TestRevokedReturn(t *testing.T) {
	n, all, eve := withEve(t, 79)
	ann := all[0]
	for _, s := range n.nodes {
		n.disconnect(ann, s)
	}
	n.run(time.Second)
	ann.say("typed alone")
	all[1].bring(noticeAt(n.now, 17))
	n.until(noticeTurn+time.Minute, "an epoch without eve", func() bool { return after(all[1].room.notices.newest, all[1:]...) })
	n.connect(ann, eve)
	for _, s := range all[1:] {
		n.connect(ann, s)
	}
	n.allHear(time.Minute, "typed alone", all...)
	if eve.heard("typed alone") {
		t.Error("eve, whose key is revoked, reads what ann typed before she heard of it")
	}
}

// TestNewcomerLearnsNotice: who knows no notice is told it before it takes part, and takes
// part; who knows a newer one tells it.
func TestNewcomerLearnsNotice(t *testing.T) {
	n := newNetwork(t, 77)
	all := n.party("ann", "bob")
	notice := noticeAt(n.now, 17)
	all[0].bring(notice)
	n.until(30*time.Second, "an epoch after it", func() bool { return after(notice, all...) })
	cyn := n.add("cyn", true)
	for _, s := range all {
		n.connect(cyn, s)
	}
	n.until(30*time.Second, "cyn is in", func() bool { return after(notice, append(all, cyn)...) })
	newer := noticeAt(n.now.Add(2*time.Minute), 17, 18)
	n.run(2 * time.Minute)
	n.configure = func(_ *simNode, c *Config) { c.Notice = newer }
	dan := n.add("dan", true)
	n.configure = nil
	if dan.room.notices.number() != newer.Number {
		t.Fatal("dan does not begin with it")
	}
	for _, s := range all {
		n.connect(dan, s)
	}
	n.until(dayTurn+30*time.Second, "all are together", func() bool { return after(newer, append(all, cyn, dan)...) })
	// One that is forged is no beginning.
	forged := *newer
	forged.Serials = []uint64{1}
	n.configure = func(_ *simNode, c *Config) { c.Notice = &forged }
	if eve := n.add("eve", true); eve.room.notices.newest != nil {
		t.Error("a forged notice on the disk counts")
	}
}

// TestNoticeOverNight: a notice just before midnight, and one just after, as clocks differ.
func TestNoticeOverNight(t *testing.T) {
	for _, early := range []time.Duration{3 * time.Minute, time.Minute, 30 * time.Second, -30 * time.Second, -10 * time.Minute} {
		t.Run(early.String(), func(t *testing.T) {
			n, midnight := near(t, 78, 30*time.Minute)
			n.withKeys(map[string]uint64{"eve": 17}, "eve")
			all := n.party("ann", "bob", "cyn", "eve")
			n.run(midnight.Sub(n.now) - early)
			notice := noticeAt(n.now, 17)
			all[1].bring(notice)
			n.run(dayGrace)
			if !after(notice, all[:3]...) {
				t.Fatalf("%s", n.describe())
			}
			n.run(max(midnight.Sub(n.now), 0) + dayTurn + time.Minute)
			if !after(notice, all[:3]...) || all[0].room.head.commit.Period != all[0].room.today() {
				t.Errorf("%s", n.describe())
			}
			all[0].say("good morning")
			n.allHear(5*time.Second, "good morning", all[:3]...)
			n.run(time.Minute)
			if all[3].heard("good morning") {
				t.Error("eve reads it")
			}
			n.run(70 * time.Minute)
			for _, s := range all[:3] {
				if len(s.room.days) > 2 {
					t.Errorf("%s keeps %d graphs", s.name, len(s.room.days))
				}
			}
		})
	}
}

// TestNoticeNothingLost: what members say while they come over to after a notice reaches all
// of them, and at no time are they kept from saying something for long.
func TestNoticeNothingLost(t *testing.T) {
	n := newNetwork(t, 79)
	all := n.party("ann", "bob", "cyn", "dan")
	notice := noticeAt(n.now, 17)
	all[0].bring(notice)
	var texts []string
	for i := range 60 {
		texts = append(texts, fmt.Sprint("text ", i))
		all[i%4].say(texts[i])
		n.run(time.Second)
		for _, s := range all {
			if s.room.Held() > 0 {
				t.Errorf("%s holds %d messages after %d s", s.name, s.room.Held(), i+1)
			}
		}
	}
	n.run(10 * time.Second)
	if !after(notice, all...) {
		t.Fatal("they have not come over")
	}
	for _, s := range all {
		for _, e := range s.epochs {
			if len(e.Left)+len(e.WentAway) > 0 {
				t.Errorf("%s was told that somebody is gone, while all come over", s.name)
			}
		}
		for _, text := range texts {
			if s.times(text) != 1 {
				t.Errorf("%s was told %q %d times", s.name, text, s.times(text))
			}
		}
	}
}
