package node

import (
	"sync"
	"time"
)

// A clock is the time the room goes by. It is the wall clock's, which goes on
// while a computer sleeps, as the process' own does not: whoever wakes must know
// that hours have passed. But it never goes back. Set back, the wall clock is let
// come near at half speed, since a room that has waited for a time would wait for
// it again.
type clock struct {
	wall  func() time.Time
	awake func() time.Duration // grows while the computer is awake

	mu   sync.Mutex
	last time.Time
	at   time.Duration // awake then
}

func newClock(wall func() time.Time) *clock {
	began := time.Now()
	return &clock{wall: wall, awake: func() time.Duration { return time.Since(began) }}
}

func (c *clock) now() time.Time {
	wall, awake := c.wall().Round(0), c.awake()
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := max(0, awake-c.at)
	c.at = awake
	if next := c.last.Add(passed / 2); next.After(wall) {
		c.last = next
	} else {
		c.last = wall
	}
	return c.last
}

// setBack is how far the room's time is ahead of the wall clock.
func (c *clock) setBack() time.Duration { return c.now().Sub(c.wall().Round(0)) }
