package room

import (
	"testing"
	"time"

	"coterie/crypto/abe"
)

// TestReasons: the user of every peer is told why an epoch began.
func TestReasons(t *testing.T) {
	n, midnight := near(t, 91, 5*time.Hour)
	day := dayOf(n.now)
	ann, bob := n.add("ann", true), n.add("bob", true)
	n.connectAll()
	n.until(20*time.Second, "two", func() bool { return together(ann, bob) })
	of := func(s *simNode) string { return s.epochs[len(s.epochs)-1].Reason }
	check := func(want string) {
		t.Helper()
		for _, s := range []*simNode{ann, bob} {
			if got := of(s); got != want {
				t.Errorf("%s is told %q, want %q", s.name, got, want)
			}
		}
	}
	check(ReasonFirst)
	come := func(name string, last abe.Period) *simNode {
		s := n.startValid(name, func(d abe.Day) bool { return d <= last.Day() }, newIdentity(n.seed32()), n.seed32(), 0)
		n.connect(s, ann)
		n.connect(s, bob)
		n.until(20*time.Second, name+" is in", func() bool { return together(ann, bob, s) })
		check(ReasonJoined)
		return s
	}
	gone := func(want string) {
		t.Helper()
		n.until(5*time.Minute, "an epoch of the two", func() bool { return together(ann, bob) })
		check(want)
	}
	cyn := come("cyn", day+9)
	cyn.leave()
	gone(ReasonLeft)
	n.stop(cyn)
	n.stop(come("dan", day+9))
	gone(ReasonLapsed)
	n.run(time.Minute)
	if err := ann.room.Rekey(n.now); err != nil {
		t.Fatal(err)
	}
	n.drain(ann)
	n.run(time.Second)
	check(ReasonRekey)
	before := len(ann.epochs)
	n.run(rotatePeriod + time.Minute)
	if len(ann.epochs) == before {
		t.Fatal("no epoch in an hour: the test shows nothing")
	}
	check(ReasonRotated)
	come("eve", day)
	n.run(midnight.Sub(n.now) + dayTurn)
	gone(ReasonExpired)
}
