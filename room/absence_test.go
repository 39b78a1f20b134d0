package room

import (
	"fmt"
	"testing"
	"time"
)

// lastAbsence is what a node was told last of having been away; how often it was told.
func lastAbsence(s *simNode) (Absence, int) {
	all := events[Absence](s)
	if len(all) == 0 {
		return Absence{}, 0
	}
	return all[len(all)-1], len(all)
}

// about reports whether a time is that, to two minutes.
func about(at, want time.Time) bool { return at.Sub(want).Abs() <= 2*time.Minute }

// threeOnDisks are ann, bob and cyn in one epoch, each with a disk.
func threeOnDisks(t *testing.T, seed uint64) (n *network, all []*simNode, back func(i int) *simNode) {
	n = newNetwork(t, seed)
	disks := []*memJournal{new(memJournal), new(memJournal), new(memJournal)}
	for i, name := range []string{"ann", "bob", "cyn"} {
		all = append(all, n.startOn(disks[i], name, always, newIdentity(n.seed32()), n.seed32(), 0))
	}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(2 * time.Minute)
	return n, all, func(i int) *simNode {
		s := n.startOn(disks[i], all[i].name+"'", always, all[i].room.cfg.Identity, n.seed32(), 0)
		n.connectAll()
		return s
	}
}

// TestAbsenceTold: who was away, in whatever way, is told from when to when, and how much was
// said meanwhile; that nothing is missing is for who was here all the time to say.
func TestAbsenceTold(t *testing.T) {
	for _, how := range []string{"asleep", "closed", "killed", "cut off"} {
		t.Run(how, func(t *testing.T) {
			n, all, back := threeOnDisks(t, 720)
			ann, bob, cyn := all[0], all[1], all[2]
			from := n.now
			switch how {
			case "asleep":
				n.pause(cyn)
			case "closed":
				cyn.goAway()
			case "killed":
				n.stop(cyn)
			case "cut off":
				n.disconnect(cyn, ann)
				n.disconnect(cyn, bob)
			}
			n.run(20 * time.Minute)
			for i := range 4 {
				ann.say(fmt.Sprint("meanwhile ", i))
				bob.say(fmt.Sprint("and also ", i))
			}
			n.run(20 * time.Minute)
			to := n.now
			switch how {
			case "asleep":
				n.resume(cyn)
			case "closed", "killed":
				cyn = back(2)
			case "cut off":
				n.connectAll()
			}
			n.until(time.Minute, "all are here", func() bool { return together(ann, bob, cyn) })
			n.run(2 * time.Minute)
			e, times := lastAbsence(cyn)
			if e.Missing || e.Lost || e.Count != 8 || !about(e.From, from) || !about(e.To, to) || times != 1 {
				t.Errorf("told %d times, last %+v", times, e)
			}
			for _, s := range []*simNode{ann, bob} {
				if e, times := lastAbsence(s); times > 0 {
					t.Errorf("%s was here, and is told %+v", s.name, e)
				}
			}
		})
	}
}

// TestAbsenceMissing: where nobody is here who knows what was said, it is said that something may
// be missing, and since when; and taken back when they have come.
func TestAbsenceMissing(t *testing.T) {
	n, all, back := threeOnDisks(t, 721)
	ann, bob, cyn := all[0], all[1], all[2]
	from := n.now
	cyn.goAway()
	n.run(10 * time.Minute)
	ann.say("after cyn")
	n.run(10 * time.Minute)
	bob.goAway()
	n.run(time.Hour)
	ann.goAway()
	n.run(time.Hour)

	cyn = back(2)
	n.run(time.Minute)
	if e, _ := lastAbsence(cyn); !e.Missing || !about(e.From, from) || !e.To.IsZero() || e.Count != 0 {
		t.Errorf("alone, cyn is told %+v", e)
	}
	bob = back(1)
	n.until(time.Minute, "two are here", func() bool { return together(bob, cyn) })
	n.run(time.Minute)
	// bob has what was said until it went; what ann said since may be missing.
	if e, _ := lastAbsence(cyn); !e.Missing || e.Count != 1 || !about(e.MissingFrom, from.Add(20*time.Minute)) ||
		!about(e.From, from) {
		t.Errorf("with bob, cyn is told %+v", e)
	}
	if e, _ := lastAbsence(bob); !e.Missing || !about(e.From, from.Add(20*time.Minute)) {
		t.Errorf("bob is told %+v", e)
	}
	ann = back(0)
	n.until(time.Minute, "all are here", func() bool { return together(ann, bob, cyn) })
	n.run(time.Minute)
	for _, s := range []*simNode{ann, bob, cyn} {
		if e, times := lastAbsence(s); e.Missing || e.Lost || s != ann && times < 2 {
			t.Errorf("in the end %s is told %+v", s.name, e)
		}
	}
	// And it stays so: the next time nothing is said of this one.
	cyn.goAway()
	n.run(2 * time.Minute)
	cyn = back(2)
	n.run(2 * time.Minute)
	if e, times := lastAbsence(cyn); times > 0 {
		t.Errorf("later cyn is told %+v", e)
	}
}

// TestAbsenceAgain: what may be missing is so for the next process, too; also if one was among others
// meanwhile, who do not have it.
func TestAbsenceAgain(t *testing.T) {
	n, all, back := threeOnDisks(t, 722)
	ann, bob, cyn := all[0], all[1], all[2]
	dan := n.add("dan", true)
	n.connectAll()
	n.until(time.Minute, "dan is here", func() bool { return together(ann, bob, cyn, dan) })
	ann.say("so that all know who is here")
	n.run(time.Minute)
	from := n.now
	cyn.goAway()
	bob.goAway()
	n.run(10 * time.Minute)
	ann.say("after cyn")
	n.run(time.Minute)
	ann.goAway()
	dan.goAway()
	n.run(time.Hour)
	for i := range 2 {
		cyn = back(2)
		if i == 0 {
			bob = back(1)
			n.until(time.Minute, "two are here", func() bool { return together(bob, cyn) })
		}
		n.run(5 * time.Minute)
		if e, _ := lastAbsence(cyn); !e.Missing || !about(e.From, from) {
			t.Errorf("%d: cyn is told %+v", i, e)
		}
		cyn.goAway()
		bob.goAway()
		n.run(time.Hour)
	}
	ann, cyn = back(0), back(2)
	n.until(time.Minute, "two are here", func() bool { return together(ann, cyn) })
	n.run(time.Minute)
	if e, _ := lastAbsence(cyn); e.Count != 1 || !about(e.From, from) {
		t.Errorf("with ann, cyn is told %+v", e)
	}
}

// TestAbsenceLost: who was away for longer than what is said is kept is told that something may be
// missing for good, and claims nothing else to others.
func TestAbsenceLost(t *testing.T) {
	n, all, back := threeOnDisks(t, 723)
	from := n.now
	for _, s := range all {
		s.goAway()
	}
	n.run(3*24*time.Hour - 10*time.Minute)
	ann, bob := back(0), back(1)
	n.run(10 * time.Minute)
	ann.say("days later")
	n.run(time.Second)
	cyn := back(2)
	n.until(time.Minute, "all are here", func() bool { return together(ann, bob, cyn) })
	n.run(2 * time.Minute)
	if e, times := lastAbsence(cyn); !e.Lost || e.Missing || times == 0 || !about(e.From, from) || !about(e.To, n.now.Add(-2*time.Minute)) {
		t.Errorf("told %+v", e)
	}
	if w := cyn.room.absence.whole; !about(w, n.now) && n.now.Sub(w) > 4*time.Minute {
		t.Errorf("cyn claims to have all since %v", w)
	}
}

// TestAbsenceLater: somebody who came after we went knows nothing of what was said before that.
func TestAbsenceLater(t *testing.T) {
	n, all, back := threeOnDisks(t, 724)
	ann, bob, cyn := all[0], all[1], all[2]
	from := n.now
	cyn.goAway()
	n.run(10 * time.Minute)
	ann.say("before dan")
	n.run(10 * time.Minute)
	dan := n.add("dan", true)
	n.connectAll()
	n.until(time.Minute, "dan is here", func() bool { return together(ann, bob, dan) })
	came := n.now
	n.run(2 * time.Minute)
	dan.say("hello")
	n.run(5 * time.Second)
	ann.goAway()
	bob.goAway()
	n.run(time.Minute)
	cyn = back(2)
	n.until(time.Minute, "two are here", func() bool { return together(dan, cyn) })
	n.run(time.Minute)
	if e, _ := lastAbsence(cyn); !e.Missing || e.Count != 1 || !about(e.MissingFrom, from) || e.MissingTo.Before(came.Add(-time.Minute)) {
		t.Errorf("with dan, cyn is told %+v", e)
	}
	back(1)
	n.run(time.Minute)
	if e, _ := lastAbsence(cyn); e.Count != 2 {
		t.Errorf("with bob, cyn is told %+v", e)
	}
}

// TestAbsenceAll: where all come back, none of whom was here all the time, nothing is missing once
// each has said what they have, and not before.
func TestAbsenceAll(t *testing.T) {
	n, all, back := threeOnDisks(t, 725)
	all[0].say("so that all know who is here")
	n.run(10 * time.Second)
	for i, s := range all {
		s.goAway()
		n.run(time.Duration(i+2) * time.Minute)
	}
	n.run(time.Hour)
	ann, bob, cyn := back(0), back(1), back(2)
	wait := true
	n.rewrite = func(s *simNode, data []byte) []byte {
		if wait && s == cyn {
			return nil // whatever it has to say
		}
		return data
	}
	n.run(time.Minute)
	for _, s := range []*simNode{ann, bob} {
		if e, times := lastAbsence(s); times == 0 || !e.Missing {
			t.Errorf("before cyn speaks %s is told %+v", s.name, e)
		}
	}
	wait = false
	n.until(time.Minute, "all are here", func() bool { return together(ann, bob, cyn) })
	n.run(time.Minute)
	for _, s := range []*simNode{ann, bob, cyn} {
		if e, _ := lastAbsence(s); e.Missing {
			t.Errorf("in the end %s is told %+v", s.name, e)
		}
	}
}
