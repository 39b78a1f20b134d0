package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/room/record"
)

// TestSilentPeerIsDropped: a peer that crashed is dropped after it was silent for
// long enough, by one commit, or two if two notice it at once. One that was only cut off
// comes back without anybody opening anything.
func TestSilentPeerIsDropped(t *testing.T) {
	n := newNetwork(t, 71)
	all := n.party("ann", "bob", "cyn", "dan")
	dan, others := all[3], all[:3]
	n.run(time.Minute)
	before, opens := n.commits, n.opens
	for _, s := range others {
		n.disconnect(s, dan)
	}
	n.run(silenceTime(4) - 25*time.Second)
	if n.commits != before {
		t.Errorf("dropped too early")
	}
	took := n.until(time.Minute, "dan is dropped", func() bool { return together(others...) })
	t.Logf("dropped %v later", took)
	n.run(30 * time.Second)
	if k := n.commits - before; k < 1 || k > 2 {
		t.Errorf("%d commits", k)
	}
	others[0].say("without dan")
	n.allHear(2*time.Second, "without dan", others...)
	if _, absent := dan.room.absent(dan.day(), dan.day().node(others[0].own())); absent || dan.room.head.list.Index(others[0].own()) < 0 {
		t.Error("dan, who hears nobody, called the others silent")
	}
	before = n.commits
	for _, s := range others {
		n.connect(s, dan)
	}
	took = n.until(20*time.Second, "dan is back", func() bool { return together(all...) })
	t.Logf("back %v after", took)
	n.run(time.Minute)
	if k := n.commits - before; k < 1 || k > 2 {
		t.Errorf("%d commits when it came back", k)
	}
	if n.opens != opens {
		t.Errorf("%d openings", n.opens-opens)
	}
	// One that does not come back.
	n.stop(dan)
	n.until(5*time.Minute, "dan is dropped again", func() bool { return together(others...) })
}

// TestClockSkew: a room in which clocks are up to ten minutes apart works, over
// midnight as well. (Of whoever is further ahead the others hear no beats: §7.5.)
func TestClockSkew(t *testing.T) {
	n, _ := near(t, 72, 75*time.Minute)
	var all []*simNode
	for i, skew := range []time.Duration{0, 4*time.Minute + 55*time.Second, -5 * time.Minute, 2 * time.Minute} {
		all = append(all, n.startValid(fmt.Sprint("p", i), always, newIdentity(n.seed32()), n.seed32(), skew))
	}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	before := n.commits
	for i := range 24 {
		n.run(5 * time.Minute)
		text := fmt.Sprint("number ", i)
		all[i%4].sayAt(text)
		n.allHear(10*time.Second, text, all...)
	}
	if !together(all...) {
		t.Errorf("%s", n.describe())
	}
	if k := n.commits - before; k > 16 {
		t.Errorf("%d commits in two hours", k)
	}
}

// TestClockFarOff: one whose clock is further off than that is left out, once, or
// not let in, and keeps nobody from anything.
func TestClockFarOff(t *testing.T) {
	for _, skew := range []time.Duration{29 * time.Minute, 2 * time.Hour, -2 * time.Hour, 26 * time.Hour, -26 * time.Hour} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) { clockFarOff(t, skew) })
	}
}

func clockFarOff(t *testing.T, skew time.Duration) {
	n := newNetwork(t, 73)
	all := n.party("ann", "bob", "cyn")
	off := n.startValid("off", always, newIdentity(n.seed32()), n.seed32(), skew)
	for _, s := range all {
		n.connect(s, off)
	}
	n.run(5 * time.Minute)
	before := n.commits
	for i := range 12 {
		n.run(5 * time.Minute)
		text := fmt.Sprint("number ", i)
		all[i%3].sayAt(text)
		n.allHear(2*time.Second, text, all...)
	}
	for _, s := range all[1:] {
		if s.room.head.commit.ID() != all[0].room.head.commit.ID() {
			t.Errorf("%s has another head", s.name)
		}
	}
	if k := n.commits - before; k > 8 {
		t.Errorf("%d commits in an hour", k)
	}
}

// TestSuspendAndResume: a process that was suspended, as a closed laptop is,
// calls nobody silent when it goes on, is back soon, and is given what was said
// meanwhile in epochs it was in.
func TestSuspendAndResume(t *testing.T) {
	for _, long := range []time.Duration{30 * time.Second, 10 * time.Minute, 3 * time.Hour} {
		t.Run(long.String(), func(t *testing.T) {
			n := newNetwork(t, 73)
			all := n.party("ann", "bob", "cyn")
			cyn := all[2]
			n.run(time.Minute)
			n.pause(cyn)
			n.run(5 * time.Second)
			all[0].say("while cyn slept")
			n.run(long)
			opens, before := n.opens, n.commits
			// Ann's beat comes first: it says nothing about bob.
			ann, bob := all[0].room, all[1].own()
			cyn.room.Tick(cyn.clock())
			cyn.room.tookBeats(new(exchange), record.EncodeFields(record.FrameBeats, ann.process(ann.workingID).beat.Append(nil))[1:])
			if _, absent := cyn.room.absent(cyn.day(), cyn.day().node(bob)); absent {
				t.Error("cyn calls bob silent, who could not be heard")
			}
			for _, s := range all[:2] { // connections did not outlive it
				n.disconnect(s, cyn)
			}
			n.resume(cyn)
			n.run(time.Second)
			for _, s := range all[:2] {
				n.connect(s, cyn)
			}
			took := n.until(time.Minute, "one epoch", func() bool { return together(all...) })
			t.Logf("together again after %v", took)
			n.allHear(20*time.Second, "while cyn slept", all...)
			n.run(time.Minute)
			if n.opens != opens {
				t.Errorf("%d openings", n.opens-opens)
			}
			if k := n.commits - before; k > 3 {
				t.Errorf("%d commits", k)
			}
			if !together(all...) {
				t.Errorf("not for long:\n%s", n.describe())
			}
		})
	}
}

// TestCrashedCommitter: the process whose turn it is to commit crashes right
// before its commit goes out, after one neighbour has it, or right after: the
// others are soon in one epoch, and drop it when it was silent for long enough.
func TestCrashedCommitter(t *testing.T) {
	for _, when := range []string{"before", "amid", "after"} {
		t.Run(when, func(t *testing.T) {
			n := newNetwork(t, 78)
			all := n.party("ann", "bob", "cyn", "dan", "eve")
			eve, head := all[4], all[0].room.head
			list := without(head.list, eve.own())
			var first *simNode
			var others []*simNode
			for _, s := range all[:4] {
				if s.room.rank(s.day(), list) == 0 {
					first = s
				} else {
					others = append(others, s)
				}
			}
			first.crash = when
			before := n.commits
			eve.leave()
			took := n.until(20*time.Second, "an epoch without eve", func() bool {
				h := others[0].room.head
				for _, s := range others {
					if s.room.head.commit.ID() != h.commit.ID() {
						return false
					}
				}
				return h.list.Index(eve.own()) < 0
			})
			if !first.down {
				t.Fatalf("%s did not crash", first.name)
			}
			if others[0].room.head.commit.By == first.own() {
				t.Errorf("the commit of %s counts, of which nobody was handed the secret", first.name)
			}
			if limit := 3 * tail(4); took > limit {
				t.Errorf("it took %v, the limit is %v", took, limit)
			}
			others[0].say("going on")
			n.allHear(2*time.Second, "going on", others...)
			n.until(3*time.Minute, "an epoch of those who are there", func() bool { return together(others...) })
			n.run(time.Minute)
			// Its own, two of the second turn, and the one that drops it.
			if k := n.commits - before; k > 4 {
				t.Errorf("%d commits", k)
			}
		})
	}
}

// TestOneWayCut: what dan sends to ann is lost for ever; others stand between
// them. Nobody is dropped, and messages reach everybody.
func TestOneWayCut(t *testing.T) {
	n := newNetwork(t, 74)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, dan := all[0], all[3]
	n.cutOff(ann.links[dan], dan, true)
	before := n.commits
	n.run(15 * time.Minute)
	if n.commits != before || !together(all...) {
		t.Errorf("%d commits:\n%s", n.commits-before, n.describe())
	}
	dan.say("round about")
	n.allHear(30*time.Second, "round about", all...)
	// Even if nobody can say a word to dan, which he can do nothing about.
	for _, s := range all[:3] {
		n.cutOff(s.links[dan], s, true)
	}
	n.run(20 * time.Minute)
	if !together(all[:3]...) {
		t.Errorf("the others are not together:\n%s", n.describe())
	}
	if k := n.commits - before; k > 3 {
		t.Errorf("%d commits", k)
	}
}

// TestStreamsWithNobody: what dan says reaches ann, and what cyn says reaches
// dan, on the topic; nobody has a stream with him. He cannot show that he is there,
// and is soon left out, once; when there are streams again, he is back.
func TestStreamsWithNobody(t *testing.T) {
	n := newNetwork(t, 77)
	all := n.party("ann", "bob", "cyn", "dan")
	dan := all[3]
	n.disconnect(all[1], dan)
	n.cutOff(all[0].links[dan], all[0], true)
	n.cutOff(all[2].links[dan], dan, true)
	before := n.commits
	n.until(5*time.Minute, "dan is out", func() bool { return together(all[:3]...) })
	n.run(30 * time.Minute)
	if k := n.commits - before; k != 1 {
		t.Errorf("%d commits", k)
	}
	if !together(all[:3]...) {
		t.Errorf("not for long:\n%s", n.describe())
	}
	if dan.room.maySend() && dan.room.head.list.Index(all[0].own()) >= 0 {
		dan.say("to whoever has that epoch") // nobody calls him wrong for it
		n.run(time.Second)
	}
	n.cutOff(all[0].links[dan], all[0], false)
	n.cutOff(all[2].links[dan], dan, false)
	n.until(30*time.Second, "dan is back", func() bool { return together(all...) })
}

// TestLargeCommit: in a room of a hundred the first commit of a day is announced
// on the topic without its list, and those that lack it get it with the secret, or
// ask for it.
func TestLargeCommit(t *testing.T) {
	n := newNetwork(t, 75)
	all := n.crowd(100)
	w := new(pulls)
	n.watch = w
	n.until(time.Minute, "one epoch", func() bool { return together(all...) })
	if w.bare == 0 || w.whole > 0 {
		t.Errorf("%d commits with a list and %d without on the topic", w.whole, w.bare)
	}
	head := all[0].room.head
	t.Logf("%d bytes, announced in %d, handed over in %d frames, %d wants", len(record.Encode(head.whole())), w.size, w.secrets, w.wants)
	if w.size > 700 {
		t.Errorf("%d bytes on the topic", w.size)
	}
	all[50].say("to all")
	n.allHear(10*time.Second, "to all", all...)
	// The next is a change of the list, and small.
	*w = pulls{}
	all[99].leave()
	n.stop(all[99])
	n.until(time.Minute, "one epoch without the last", func() bool { return together(all[:99]...) })
	if w.bare > 0 || w.whole == 0 || w.size > 700 {
		t.Errorf("%d commits with a change and %d without on the topic, of %d bytes", w.whole, w.bare, w.size)
	}
}

// pulls counts how commits travel.
type pulls struct {
	whole, bare, wants, secrets int
	size                        int // the greatest on the topic
}

func (*pulls) stepped(*simNode)           {}
func (*pulls) took(*simNode, Event)       {}
func (*pulls) opening(*simNode, [32]byte) {}
func (*pulls) saved(*simNode, Saved)      {}

func (w *pulls) arriving(s *simNode, data []byte) {
	switch data[0] {
	case record.TypeCommit:
		w.size = max(w.size, len(data))
		if c, err := record.ParseCommit(data[1:]); err == nil && c.Form == record.ListOmitted {
			w.bare++
		} else {
			w.whole++
		}
	case record.FrameWant:
		w.wants++
	case record.FrameSecret:
		w.secrets++
	}
}

// TestBeatsWithheld: a hostile peer is the only link between two parts of a room,
// and passes on everything on the topic. Beats and secrets have no way through it.
// Each part soon goes on by itself, and neither commits again because of the
// other; when there is a link, they are one room.
func TestBeatsWithheld(t *testing.T) {
	n := newNetwork(t, 76)
	all := n.party("ann", "bob", "cyn", "dan", "eve")
	left, right := all[:3], all[3:]
	spy := n.addSpy("mallory", nil)
	for _, s := range all {
		n.connect(spy.node, s)
	}
	for _, a := range left {
		for _, b := range right {
			n.disconnect(a, b)
		}
	}
	before := n.commits
	n.until(5*time.Minute, "two rooms", func() bool { return together(left...) && together(right...) })
	n.run(20 * time.Minute)
	if !together(left...) || !together(right...) {
		t.Errorf("not for long:\n%s", n.describe())
	}
	if k := n.commits - before; k > 6 {
		t.Errorf("%d commits", k)
	}
	n.connect(left[0], right[0])
	n.until(20*time.Second, "one room", func() bool { return together(all...) })
}

// TestDeadStaySilent: whoever was called silent, and is, is not listed again only
// because nothing was heard of anybody for a while. Else the dead are listed and
// left out again: two commits for nothing, and what is said in between is said to
// them.
func TestDeadStaySilent(t *testing.T) {
	n := newNetwork(t, 91)
	all := n.party("ann", "bob", "dan")
	ann, bob, dan := all[0], all[1], all[2]
	n.stop(dan)
	n.until(5*time.Minute, "dan is out", func() bool { return together(ann, bob) })
	n.run(time.Minute)
	before := n.commits
	n.pause(bob)
	for range 45 {
		n.run(time.Second)
		if _, absent := ann.room.absent(ann.day(), ann.day().node(dan.own())); !absent {
			t.Errorf("ann takes dan for alive, of whom nothing was heard for %v", n.now.Sub(ann.room.process(dan.room.workingID).heardAt))
			break
		}
	}
	n.resume(bob)
	n.run(time.Minute)
	if n.commits != before || !together(ann, bob) {
		t.Errorf("%d commits", n.commits-before)
	}
}

// TestClockJump: one whose clock is a day ahead for a minute, and whose time then comes back at
// half speed (package node), is out until the two are near again. The others go on meanwhile,
// also while theirs jumps, and over midnight.
func TestClockJump(t *testing.T) {
	for _, c := range []struct{ jump, before time.Duration }{
		{24 * time.Hour, 5 * time.Hour}, {70 * time.Minute, 10 * time.Minute},
	} {
		n, _ := near(t, 77, c.before)
		all := n.party("ann", "bob", "cyn")
		off := n.startValid("off", always, newIdentity(n.seed32()), n.seed32(), 0)
		for _, s := range all {
			n.connect(off, s)
		}
		n.until(20*time.Second, "everybody is in", func() bool { return together(append(all, off)...) })
		n.run(time.Minute)
		for i := range 80 {
			switch {
			case i == 0:
				off.skew = c.jump
			case i > 4:
				off.skew -= 5 * time.Second
			}
			text := fmt.Sprint(c.jump, " number ", i)
			all[i%3].sayAt(text)
			n.allHear(5*time.Second, text, all...)
			n.run(5 * time.Second)
		}
		if !together(all...) {
			t.Errorf("%v: %s", c.jump, n.describe())
		}
		if c.jump > 2*time.Hour {
			continue
		}
		for off.skew > 0 {
			n.run(30 * time.Second)
			off.skew = max(off.skew-15*time.Second, 0)
		}
		n.until(time.Minute, "it is in again", func() bool { return together(append(all, off)...) })
	}
}
