package room

import (
	"testing"
	"time"

	"coterie/room/record"
)

// TestTooHighForSome: an insider commits as high as the clocks of some allow, and not
// those of others, who are twenty seconds behind: these are not handed it again and
// again, and what is said under it reaches them.
func TestTooHighForSome(t *testing.T) {
	n := newNetwork(t, 513)
	var all []*simNode
	for i, name := range []string{"ann", "bob", "cyn", "eve"} {
		skew := 20 * time.Second * time.Duration(i%2)
		all = append(all, n.startValid(name, always, newIdentity(n.seed32()), n.seed32(), skew))
	}
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(10 * time.Second)
	bob, eve := all[1], all[3]
	n.pause(eve)
	before, steps := n.bytes.inside, n.steps
	k := &crowd{n: n, eve: eve, honest: all[:3]}
	f := &forgery{list: k.highest().list, after: k.highest()}
	f.header = heightOf(bob.room)
	f.publish(t, eve)
	n.run(10 * time.Second)
	t.Logf("%d bytes in channels, %d events in 10 s", n.bytes.inside-before, n.steps-steps)
	if sent := n.bytes.inside - before; sent > 256<<10 {
		t.Errorf("%d bytes in channels", sent)
	}
	bob.sayAt("under it")
	n.allHear(20*time.Second, "under it", all[:3]...)
}

// heightOf makes a commit as high as a room takes it now.
func heightOf(r *Room) func(*record.Header) {
	return func(h *record.Header) { h.Height = r.mostHeight(h.Period) }
}
