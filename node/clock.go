package node

import (
	"sync"
	"time"
)

const (
	// maxJump is how far the wall clock may be set ahead and be followed at once.
	maxJump = time.Hour
	// believeAfter is after how long it is followed all the same.
	believeAfter = 10 * time.Minute
)

// A clock is the time the room goes by. It is the wall clock's, which goes on
// while a computer sleeps, as the process' own does not: whoever wakes must know
// that hours have passed. But it never goes back. Set back, the wall clock is let
// come near at half speed, since a room that has waited for a time would wait for
// it again. So a wall clock that is set far ahead, while the computer was awake, is
// not followed at once: it may be set right again in a minute, and the room would
// be days ahead of the others. Peers whose clocks agree with it end the doubt.
type clock struct {
	wall  func() time.Time
	awake func() time.Duration // grows while the computer is awake
	// asleep grows while it sleeps; nil: nobody knows, and the wall clock is believed.
	asleep func() time.Duration
	agree  func(time.Time) bool // whether peers have that time; may be nil

	mu    sync.Mutex
	last  time.Time
	at    time.Duration // awake then
	slept time.Duration // asleep then
	doubt time.Duration // since when, awake, the wall clock is not believed; 0: it is
}

func newClock(wall func() time.Time) *clock {
	began := time.Now()
	return &clock{wall: wall, awake: func() time.Duration { return time.Since(began) }, asleep: asleep()}
}

func (c *clock) now() time.Time {
	wall, awake := c.wall().Round(0), c.awake()
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := max(0, awake-c.at)
	c.at = awake
	if next := c.last.Add(passed / 2); next.After(wall) {
		c.last = next
	} else if next = c.last.Add(passed + c.sleptSince()); c.doubts(wall, next) {
		c.last = next
	} else {
		c.last = wall
	}
	return c.last
}

// setBack is how far the room's time is ahead of the wall clock.
func (c *clock) setBack() time.Duration { return c.now().Sub(c.wall().Round(0)) }

// sleptSince is how long the computer slept since it was called last.
func (c *clock) sleptSince() time.Duration {
	if c.asleep == nil {
		return 0
	}
	before := c.slept
	c.slept = c.asleep()
	return max(0, c.slept-before)
}

// doubts reports whether the wall clock, where it should be next, is not believed.
func (c *clock) doubts(wall, next time.Time) bool {
	if c.asleep == nil || c.last.IsZero() || wall.Sub(next) <= maxJump {
		c.doubt = 0
		return false
	}
	if c.doubt == 0 {
		c.doubt = max(c.at, 1)
	}
	return c.at-c.doubt < believeAfter && (c.agree == nil || !c.agree(wall))
}
