package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"coterie/room/record"
)

// awayFrom reports whether all of some nodes have a head that lists another as away.
func awayFrom(who *simNode, of ...*simNode) bool {
	for _, s := range of {
		h := s.room.head
		if h == nil || h.list.Of(who.room.identity) >= 0 || h.away.Of(who.room.identity) < 0 {
			return false
		}
	}
	return true
}

func (s *simNode) goAway() {
	s.room.GoAway(s.clock())
	s.net.drain(s)
	s.net.at(time.Second, func() { s.net.stop(s) })
}

// wereAway are the messages that a node was given as said while it was away.
func (s *simNode) wereAway() (out []string) {
	for _, m := range s.messages {
		if m.Away {
			out = append(out, m.Message.Text)
		}
	}
	return out
}

// TestAsleep: a laptop that sleeps is away. It gets no keys, its user is listed apart,
// and when it wakes up it is told what was said meanwhile.
func TestAsleep(t *testing.T) {
	for _, d := range []time.Duration{2 * time.Minute, 20 * time.Minute, 5 * time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			n := newNetwork(t, 610)
			all := n.party("ann", "bob", "cyn")
			ann, bob, cyn := all[0], all[1], all[2]
			n.pause(cyn)
			n.until(3*time.Minute, "cyn is away", func() bool { return awayFrom(cyn, ann, bob) })
			last := ann.epochs[len(ann.epochs)-1]
			if len(last.Left) > 0 || len(last.WentAway) != 1 || len(last.Away) != 1 || last.Away[0].Peer != cyn.room.self {
				t.Errorf("ann is told %+v", last)
			}
			n.run(d)
			ann.say("while you slept")
			bob.say("and so did I")
			n.run(time.Second)
			for _, s := range cyn.room.commits {
				if s.keys != nil && awayFrom(cyn, ann) && s.commit.ID() == ann.room.head.commit.ID() {
					t.Error("cyn has keys of an epoch in which she is away")
				}
			}
			n.resume(cyn)
			n.until(time.Minute, "all are here", func() bool { return together(all...) })
			n.allHear(30*time.Second, "while you slept", cyn)
			n.allHear(30*time.Second, "and so did I", cyn)
			if got := cyn.wereAway(); len(got) != 2 {
				t.Errorf("marked as said while away: %q", got)
			}
			if past := events[Past](cyn); len(past) < 2 || !past[len(past)-1].Away {
				t.Errorf("cyn is told %+v", past)
			}
		})
	}
}

// TestAway: who goes away is waited for, and their next process is told what was said.
// Who leaves is not.
func TestAway(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		t.Run(fmt.Sprint("leaves ", leaves), func(t *testing.T) {
			n := newNetwork(t, 611)
			all := n.party("ann", "bob", "cyn")
			ann, bob, cyn := all[0], all[1], all[2]
			if leaves {
				cyn.leave()
				n.at(time.Second, func() { n.stop(cyn) })
			} else {
				cyn.goAway()
			}
			n.until(5*time.Second, "an epoch without cyn", func() bool { return together(ann, bob) })
			if awayFrom(cyn, ann, bob) == leaves {
				t.Fatal("cyn is listed as she is not")
			}
			if d := events[Departed](ann); len(d) != 1 || d[0].Away == leaves {
				t.Errorf("ann is told %+v", d)
			}
			n.run(time.Minute)
			ann.say("said to those who were here")
			n.run(time.Minute)
			again := n.start("cyn again", true, cyn.room.cfg.Identity)
			n.connectAll()
			n.until(20*time.Second, "cyn is back", func() bool { return together(ann, bob, again) })
			n.run(30 * time.Second)
			if again.heard("said to those who were here") == leaves {
				t.Errorf("cyn was told: %v", !leaves)
			}
			if len(ann.room.head.away) > 0 {
				t.Error("cyn is both here and away")
			}
		})
	}
}

// TestLeavesInTheEvening: who was away, is back, and leaves for good at once has left, also while the
// next day's graph knows only the process that went away.
func TestLeavesInTheEvening(t *testing.T) {
	n := newNetwork(t, 613)
	n.now = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	tomorrow := ann.room.today() + 1
	n.until(time.Minute, "tomorrow's proofs", func() bool {
		return len(ann.room.days[tomorrow].members()) == 3 && len(bob.room.days[tomorrow].members()) == 3
	})
	cyn.goAway()
	n.until(5*time.Second, "cyn is away", func() bool { return awayFrom(cyn, ann, bob) })
	again := n.start("cyn again", true, cyn.room.cfg.Identity)
	again.room.renewAt[tomorrow] = n.now.Add(time.Hour) // it takes its time
	n.connectAll()
	n.until(20*time.Second, "cyn is back", func() bool { return together(ann, bob, again) })
	again.leave()
	n.until(20*time.Second, "cyn has left", func() bool { return together(ann, bob) })
	if len(ann.room.head.away) > 0 {
		t.Error("cyn, who left for good, is waited for")
	}
	ann.say("not for cyn")
	n.allHear(time.Second, "not for cyn", bob)
	late := n.start("cyn once more", true, cyn.room.cfg.Identity)
	n.connectAll()
	n.until(30*time.Second, "cyn is there", func() bool { return together(ann, bob, late) })
	n.run(time.Minute)
	if late.heard("not for cyn") {
		t.Error("cyn was told what was said after she left")
	}
}

// TestAwayOverNight: who is away is waited for through the whole next day, and not
// longer: what was said is not kept for longer.
func TestAwayOverNight(t *testing.T) {
	n := newNetwork(t, 612)
	n.now = time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	cyn.goAway()
	n.run(10 * time.Hour) // 8:00
	if !awayFrom(cyn, ann, bob) {
		t.Fatalf("cyn is not waited for:\n%s", n.describe())
	}
	ann.say("good morning")
	n.allHear(5*time.Second, "good morning", bob)
	n.run(15*time.Hour + 30*time.Minute) // 23:30
	if !awayFrom(cyn, ann, bob) {
		t.Fatal("cyn is not waited for in the evening")
	}
	bob.say("good night")
	n.run(time.Second)
	again := n.start("cyn again", true, cyn.room.cfg.Identity)
	n.connectAll()
	n.until(30*time.Second, "cyn is back", func() bool { return together(ann, bob, again) })
	n.allHear(time.Minute, "good morning", again)
	n.allHear(time.Minute, "good night", again)
	again.goAway()
	n.run(23 * time.Hour)
	if !awayFrom(cyn, ann, bob) {
		t.Fatal("cyn is not waited for on the next day")
	}
	n.run(2 * time.Hour)
	if h := ann.room.head; len(h.away) > 0 {
		t.Error("cyn is waited for for ever")
	}
	ann.say("later")
	n.run(time.Second)
	late := n.start("cyn once more", true, cyn.room.cfg.Identity)
	n.connectAll()
	n.until(30*time.Second, "cyn is back", func() bool { return together(ann, bob, late) })
	n.run(time.Minute)
	if late.heard("later") {
		t.Error("cyn was told what was said when nobody waited for her any more")
	}
}

// TestAllAway: when all have gone, those who come back first know from their disks who
// is waited for.
func TestAllAway(t *testing.T) {
	n := newNetwork(t, 613)
	disks, all := n.onDisks("ann", "bob", "cyn")
	for _, s := range all {
		s.goAway()
		n.run(time.Minute)
	}
	n.run(time.Hour)
	back := func(i int) *simNode {
		s := n.startOn(disks[i], all[i].name+" again", always, all[i].room.cfg.Identity, n.seed32(), 0)
		n.connectAll()
		return s
	}
	ann, bob := back(0), back(1)
	n.until(30*time.Second, "two are back", func() bool { return together(ann, bob) })
	n.until(30*time.Second, "cyn is waited for", func() bool { return awayFrom(all[2], ann, bob) })
	ann.say("where is she?")
	n.run(10 * time.Second)
	ann.goAway()
	n.run(time.Minute)
	cyn := back(2)
	n.until(30*time.Second, "cyn is back", func() bool { return together(bob, cyn) })
	n.allHear(time.Minute, "where is she?", cyn)
	if !awayFrom(ann, bob, cyn) {
		t.Error("ann is not waited for")
	}
}

// onDisks starts peers with disks of their own, in one epoch in which something was said.
func (n *network) onDisks(names ...string) (disks []*memJournal, all []*simNode) {
	for _, name := range names {
		disks = append(disks, new(memJournal))
		all = append(all, n.startOn(disks[len(all)], name, always, newIdentity(n.seed32()), n.seed32(), 0))
	}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	all[0].say("see you")
	n.allHear(time.Second, "see you", all...)
	return disks, all
}

// TestBackAndNotListed: who is back, and cannot be listed yet, as their term has not come,
// is told what the others say until then.
func TestBackAndNotListed(t *testing.T) {
	n := newNetwork(t, 617)
	disks, all := n.onDisks("ann", "bob", "cyn")
	var back []*simNode
	for _, s := range all {
		s.goAway()
		n.run(time.Second)
	}
	for i, s := range all {
		back = append(back, n.startOn(disks[i], s.name+" again", always, s.room.cfg.Identity, n.seed32(), 0))
	}
	n.connectAll()
	r, cyn := back[0].room, all[2].room.identity
	member := func() bool {
		g := r.days[r.today()]
		c := g.newest[cyn]
		return c != nil && g.members()[c.ID()]
	}
	for range 20_000 {
		if n.run(time.Millisecond); member() {
			break
		}
	}
	if !member() || r.head != nil {
		t.Fatal("the test shows nothing")
	}
	if r.nextAway(r.days[r.today()], nil).Of(cyn) < 0 {
		t.Error("cyn is in neither list")
	}
}

// TestAwayOmitted: an insider who leaves out somebody who is away gets no head, and
// people are told.
func TestAwayOmitted(t *testing.T) {
	n := newNetwork(t, 614)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, bob, cyn, dan := all[0], all[1], all[2], all[3]
	dan.goAway()
	n.until(5*time.Second, "dan is away", func() bool { return awayFrom(dan, ann, bob, cyn) })
	n.run(10 * time.Second)
	head := ann.room.head
	for _, c := range []struct {
		name string
		away record.Away
	}{
		{"left out", nil},
		{"as if long ago", record.Away{{Identity: dan.room.identity, Day: ann.room.today().Day() - 1}}},
		{"another in their place", record.Away{{Identity: [32]byte{1}, Day: ann.room.today().Day()}}},
	} {
		name := c.name
		f := &forgery{list: head.list, away: c.away, after: ann.room.head}
		c := f.publish(t, ann)
		took := make(map[*simNode]bool)
		for range 200 {
			n.run(10 * time.Millisecond)
			for _, s := range all[1:3] {
				took[s] = took[s] || s.room.head.commit.ID() == c.ID()
			}
		}
		for _, s := range all[1:3] {
			if took[s] {
				t.Errorf("%s: %s took it", name, s.name)
			}
			if e := s.room.commits[c.ID()]; e == nil || e.keys == nil {
				t.Errorf("%s: %s could not read it: the test shows nothing", name, s.name)
			}
		}
		bob.say("to dan " + name)
		n.allHear(5*time.Second, "to dan "+name, cyn)
		n.run(3 * omissionTime)
	}
	// The others are refused, and nobody is blamed: honest members may differ in a day, and
	// for the made-up one somebody commits at once.
	if told := events[LeftOut](bob); len(told) != 1 || told[0].Member.Peer != dan.room.self || told[0].By.Peer != ann.room.self {
		t.Errorf("bob is told %+v", told)
	}
	again := n.start("dan again", true, dan.room.cfg.Identity)
	n.connectAll()
	n.until(30*time.Second, "dan is back", func() bool { return together(bob, cyn, again) || together(ann, bob, cyn, again) })
	n.allHear(time.Minute, "to dan left out", again)
}

// TestAwayMeet: two parts of a room, each of which waits for somebody of its own, wait
// for both when they meet.
func TestAwayMeet(t *testing.T) {
	n := newNetwork(t, 616)
	part := make([][]*simNode, 2)
	for i, names := range [][]string{{"ann", "bob", "cyn"}, {"dan", "eve", "fay"}} {
		for _, name := range names {
			s := n.add(name, true)
			for _, other := range part[i] {
				n.connect(s, other)
			}
			part[i] = append(part[i], s)
		}
		n.until(20*time.Second, "one epoch", func() bool { return together(part[i]...) })
	}
	n.run(time.Minute)
	cyn, fay := part[0][2], part[1][2]
	cyn.goAway()
	fay.goAway()
	n.run(time.Minute)
	if !awayFrom(cyn, part[0][:2]...) || !awayFrom(fay, part[1][:2]...) {
		t.Fatalf("nobody is away:\n%s", n.describe())
	}
	for _, a := range part[0][:2] {
		for _, b := range part[1][:2] {
			n.connect(a, b)
		}
	}
	here := slices.Concat(part[0][:2], part[1][:2])
	n.until(30*time.Second, "one room", func() bool { return together(here...) && awayFrom(cyn, here...) && awayFrom(fay, here...) })
}

// TestAwayBounded: whatever commits say, how many are away is bounded, and those of the
// own head come first.
func TestAwayBounded(t *testing.T) {
	n := newNetwork(t, 617)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	cyn.goAway()
	n.until(5*time.Second, "cyn is away", func() bool { return awayFrom(cyn, ann, bob) })
	r := ann.room
	for i := range 3 * maxReaders {
		r.readers.note([32]byte{0: 9, 30: byte(i >> 8), 31: byte(i)}, r.today().Day(), time.Time{})
	}
	if len(r.readers) > maxReaders {
		t.Errorf("%d are remembered", len(r.readers))
	}
	r.version++
	away := r.nextAway(ann.day(), r.nextList(ann.day()))
	if len(away)+2 != record.MaxMembers || away.Of(cyn.room.identity) < 0 {
		t.Errorf("%d are away, cyn among them: %v", len(away), away.Of(cyn.room.identity) >= 0)
	}
	if !slices.IsSortedFunc(away, func(a, b record.Absentee) int { return compareHashes(a.Identity, b.Identity) }) {
		t.Error("not in order")
	}
	n.run(2 * time.Minute)
	if len(r.readers) > 0 && r.head.commit.Period == dayOf(r.now) {
		r.readers.noteHead(r.now)
	}
	n.until(30*time.Second, "bob takes it", func() bool { return bob.room.head.commit.ID() == ann.room.head.commit.ID() })
}

// TestLeftForSome: a member who tells some that she left, and others something else, does
// not part them: two parts that took each its word come together all the same.
func TestLeftForSome(t *testing.T) {
	says := func(eve *simNode, p record.Presence) []byte {
		p.Sign(eve.room.id, eve.room.working)
		return record.EncodeRecords([]record.Record{&p})[0]
	}
	for name, c := range map[string]struct{ one, other []record.Presence }{
		"a serial far ahead": {one: []record.Presence{{Serial: 5, Left: true}}, other: []record.Presence{{Serial: 1 << 40}}},
		"two of one serial": {
			one:   []record.Presence{{Serial: 5, Left: true}},
			other: []record.Presence{{Serial: 9}, {Serial: 9, Addresses: [][]byte{{1}}}},
		},
		"the same serial": {one: []record.Presence{{Serial: 5, Left: true}}, other: []record.Presence{{Serial: 5}}},
		"two, and left too": {
			one: []record.Presence{{Serial: 9}, {Serial: 9, Addresses: [][]byte{{1}}}, {Serial: 10, Left: true}},
		},
	} {
		for seed := range uint64(16) {
			n := newNetwork(t, 618+seed)
			n.t.Log(name)
			all := n.party("ann", "dan", "bob", "cyn", "eve")
			eve := all[4]
			parts := [][]*simNode{all[:2], all[2:4]}
			for _, a := range parts[0] {
				for _, b := range parts[1] {
					n.disconnect(a, b)
				}
			}
			for i, said := range [][]record.Presence{c.one, c.other} {
				for _, s := range parts[i] {
					for _, p := range said {
						s.takeFrom(says(eve, p), eve)
					}
				}
			}
			n.stop(eve)
			n.run(4 * time.Minute)
			for range 3 { // so that this part's head is the greater one
				if err := all[0].room.Rekey(n.now); err != nil {
					t.Fatal(err)
				}
				n.drain(all[0])
				n.run(10 * time.Second)
			}
			for _, a := range parts[0] {
				for _, b := range parts[1] {
					n.connect(a, b)
				}
			}
			// Nobody waits until somebody commits for the sake of a head that was refused.
			n.until(2*omissionTime-time.Second, "they are in one epoch", func() bool { return together(all[:4]...) })
			all[0].say("here we are")
			n.allHear(5*time.Second, "here we are", all[1:4]...)
		}
	}
}

// TestDayAhead: who was last seen a day ahead of a commit, as after a notice close to midnight, is
// left out by it like anybody who was seen that day.
func TestDayAhead(t *testing.T) {
	n := newNetwork(t, 83)
	ann := n.party("ann", "bob")[0].room
	day := ann.head.commit.Period.Day()
	for last := day - 1; last <= day+1; last++ {
		if !ann.omits(ann.head, [32]byte{1}, last) {
			t.Errorf("who was here on %v is not left out by a commit of %v", last, day)
		}
	}
	before := *ann.days[ann.head.commit.Period]
	before.period--
	before.next.awayVersion--
	own := record.List{ann.head.list[ann.head.list.Of(ann.identity)]}
	if away := ann.nextAway(&before, own); len(away) != 1 || away[0].Day != before.period.Day() {
		t.Errorf("for the day before, bob is not away: %v", away)
	}
}
