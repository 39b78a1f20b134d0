package room

import (
	"crypto/ed25519"
	"testing"
	"time"

	"coterie/crypto/abe"
)

// TestAnyHour: at whatever hour of the day, two make a room and a third comes in
// within seconds, and nobody opens anything of a stranger's. After midnight, keys
// are valid on the day before, too, or are not, as the user's happens to be.
func TestAnyHour(t *testing.T) {
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	from := func(d abe.Day) bool { return d >= abe.DayOf(midnight) }
	seed, times := uint64(9000), 8
	if testing.Short() {
		times = 2
	}
	for _, at := range []time.Duration{
		-6*time.Hour - time.Minute, -6*time.Hour + time.Second, -30 * time.Minute, -2*time.Minute - time.Second, -time.Second,
		0, time.Second, 4 * time.Minute, 10 * time.Minute, 59 * time.Minute, 61 * time.Minute, 12 * time.Hour,
	} {
		for _, keys := range []struct {
			name  string
			valid func(abe.Day) bool
		}{{"valid yesterday", nil}, {"valid from today", from}} {
			valid := keys.valid
			if at < 0 && valid != nil {
				continue
			}
			t.Run(at.String()+" "+keys.name, func(t *testing.T) {
				for range times {
					seed++
					n := newNetwork(t, seed)
					n.now, n.knows = midnight.Add(at), true
					ann := n.arrive("ann", valid, 0)
					n.run(500 * time.Millisecond)
					bob := n.arrive("bob", valid, 0)
					n.until(2*time.Second, "one epoch of two", func() bool { return together(ann, bob) })
					n.run(5 * time.Second) // the next day is seen to, too
					opens := ann.opens + bob.opens
					n.knows = false
					n.arrive("eve", func(abe.Day) bool { return false }, 0)
					n.run(12 * time.Second)
					if more := ann.opens + bob.opens - opens; more > 0 {
						t.Errorf("seed %d: %d openings for a stranger", seed, more)
					}
					opens = ann.opens + bob.opens
					n.knows = true
					cyn := n.arrive("cyn", valid, 0)
					n.until(2*time.Second, "one epoch of three", func() bool { return together(ann, bob, cyn) })
					n.run(5 * time.Second)
					if more := ann.opens + bob.opens - opens; more > 2 {
						t.Errorf("seed %d: %d openings for one newcomer", seed, more)
					}
				}
			})
		}
	}
}

// TestStrangerAtOnce: a stranger who comes while a room that has just met has still to see to
// the next day finds nobody who opens anything for it.
func TestStrangerAtOnce(t *testing.T) {
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(60) {
		n := newNetwork(t, 9500+seed)
		n.now = midnight.Add(-6 * time.Hour).Add(time.Duration(seed) * 6 * time.Minute)
		n.knows = true
		n.work = func(*simNode, any) time.Duration { return 300 * time.Millisecond } // a slow computer
		all := []*simNode{n.arrive("ann", nil, 0), n.arrive("bob", nil, 0), n.arrive("cyn", nil, 0)}
		n.until(5*time.Second, "one epoch of three", func() bool { return together(all...) })
		n.knows = false
		eve := n.arrive("eve", func(abe.Day) bool { return false }, 0)
		w := &openingsOf{frames: func(*simNode, []byte) {}, of: Identity(eve.room.Self())}
		n.watch = w
		n.run(12 * time.Second)
		if w.seen > 0 {
			t.Errorf("seed %d, at %v: %d openings for a stranger", 9500+seed, n.now, w.seen)
		}
	}
}

// TestKeyOfTomorrow: whose key is valid from tomorrow on proves itself in the evening, and does not
// come with all others at midnight.
func TestKeyOfTomorrow(t *testing.T) {
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	n := newNetwork(t, 9600)
	n.now, n.knows = midnight.Add(-10*time.Minute), true
	ann, bob := n.arrive("ann", nil, 0), n.arrive("bob", nil, 0)
	n.until(5*time.Second, "one epoch of two", func() bool { return together(ann, bob) })
	n.run(10 * time.Second)
	new := n.arrive("new", func(d abe.Day) bool { return d >= abe.DayOf(midnight) }, 0)
	tomorrow := dayOf(midnight)
	n.until(2*time.Minute, "it is a member of tomorrow's", func() bool {
		own := new.room.days[tomorrow]
		return own != nil && own.own != nil && ann.room.days[tomorrow].members()[own.own.cid]
	})
}

// openingsOf counts who opens what is of one identity.
type openingsOf struct {
	frames
	of   [32]byte
	seen int
}

func (w *openingsOf) opening(_ *simNode, of [32]byte) {
	if of == w.of {
		w.seen++
	}
}

// TestClocksBehind: whose clock is past midnight, and those whose clocks are not, hear
// each other; and they are in one epoch at the latest when it is midnight for all.
func TestClocksBehind(t *testing.T) {
	for _, behind := range []time.Duration{12 * time.Minute, 40 * time.Minute, 55 * time.Minute} {
		t.Run(behind.String(), func(t *testing.T) {
			for seed := range uint64(8) {
				n := newNetwork(t, 9500+seed)
				n.now = time.Date(2026, 11, 24, 0, 10, 0, 0, time.UTC)
				ann, bob := n.arrive("ann", nil, -behind), n.arrive("bob", nil, -behind)
				n.until(2*time.Second, "one epoch of two", func() bool { return together(ann, bob) })
				n.run(10 * time.Second)
				cyn := n.arrive("cyn", nil, 0)
				n.run(3 * time.Second)
				for _, x := range []*simNode{ann, bob, cyn} {
					x.sayAt("by " + x.name)
				}
				for _, x := range []*simNode{ann, bob, cyn} {
					for _, y := range []*simNode{ann, bob, cyn} {
						if x != y {
							n.allHear(5*time.Second, "by "+x.name, y)
						}
					}
				}
				n.until(max(0, behind-10*time.Minute)+5*time.Second, "one epoch of three", func() bool { return together(ann, bob, cyn) })
			}
		})
	}
}

// arrive starts a peer, connected to all others. valid is nil for a key that is
// valid on each day.
func (n *network) arrive(name string, valid func(abe.Day) bool, skew time.Duration) *simNode {
	if valid == nil {
		valid = func(abe.Day) bool { return true }
	}
	identity := n.seed32()
	s := n.startValid(name, valid, ed25519.NewKeyFromSeed(identity[:]), n.seed32(), skew)
	n.connectAll()
	return s
}

// TestYesterdayToo: who comes shortly after midnight takes part in yesterday as well, for those
// whose clocks are behind.
func TestYesterdayToo(t *testing.T) {
	n := newNetwork(t, 9600)
	n.now = time.Date(2026, 11, 24, 0, 10, 0, 0, time.UTC)
	ann := n.arrive("ann", nil, 0)
	n.run(5 * time.Second)
	if g := ann.room.days[ann.room.today()-1]; g == nil || g.own == nil {
		t.Error("ann has nothing of yesterday")
	}
}
