package room

import (
	"testing"
	"time"
)

// TestDrawsArePaced: who is kept waiting for secrets without end draws another channel every
// two seconds, and no faster; who is not, every five minutes.
func TestDrawsArePaced(t *testing.T) {
	n := newNetwork(t, 435)
	all := n.crowd(20)
	n.until(time.Minute, "one epoch", func() bool { return together(all...) })
	n.connectAll()
	n.run(time.Minute)
	ann := all[0].room
	seen := make(map[time.Time]bool)
	draws := func(d time.Duration, asks bool) (drawn int) {
		clear(seen)
		for _, ch := range ann.channels.byKey {
			seen[ch.drawn] = true
		}
		for end := n.now.Add(d); n.now.Before(end); n.run(100 * time.Millisecond) {
			if asks {
				ann.drawSoon()
				ann.Tick(all[0].clock())
			}
			own := 0
			for _, ch := range ann.channels.byKey {
				if ch.drawn.IsZero() {
					continue
				}
				if own++; !seen[ch.drawn] {
					seen[ch.drawn] = true
					drawn++
				}
			}
			if own > drawnChannels+1 {
				t.Fatalf("ann has drawn %d channels that she has", own)
			}
		}
		return drawn
	}
	if k := draws(10*time.Minute, false); k < 1 || k > 3 {
		t.Errorf("%d were drawn in ten quiet minutes", k)
	}
	if k := draws(20*time.Second, true); k < 5 || k > 11 {
		t.Errorf("%d were drawn in 20 s in which something was lacking", k)
	}
}
