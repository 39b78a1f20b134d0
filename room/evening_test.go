package room

import (
	"testing"
	"time"
)

// TestEvening: in the hours in which a room proves itself for the next day too,
// joining takes no longer, and both days are done at once: neither waits for a
// proof of the other day to be tried again.
func TestEvening(t *testing.T) {
	n := newNetwork(t, 90)
	n.now = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	a, b := n.add("ann", true), n.add("bob", true)
	n.connectAll()
	n.until(2*time.Second, "one epoch", func() bool { return together(a, b) })
	today := a.room.today()
	n.until(2*time.Second, "tomorrow's proofs", func() bool {
		return len(a.room.days[today+1].members()) == 2 && len(b.room.days[today+1].members()) == 2
	})
	if a.opens+b.opens != 4 {
		t.Errorf("%d openings for two days", a.opens+b.opens)
	}
}
