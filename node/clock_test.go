package node

import (
	"testing"
	"time"
)

// TestClock: the room's time jumps with the wall clock when the computer slept,
// or was behind; set back, it goes on at half speed until the two meet.
func TestClock(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	wall, awake := noon, time.Duration(0)
	c := &clock{wall: func() time.Time { return wall }, awake: func() time.Duration { return awake }}
	for _, step := range []struct {
		what              string
		wall, awake, want time.Duration // since noon
	}{
		{"the beginning", 0, 0, 0},
		{"a minute", time.Minute, time.Minute, time.Minute},
		{"three hours asleep", 3*time.Hour + time.Minute, time.Minute, 3*time.Hour + time.Minute},
		{"set back by two hours", time.Hour + time.Minute, time.Minute, 3*time.Hour + time.Minute},
		{"an hour later", 2*time.Hour + time.Minute, time.Hour + time.Minute, 3*time.Hour + 31*time.Minute},
		{"two hours later", 4*time.Hour + time.Minute, 3*time.Hour + time.Minute, 4*time.Hour + 31*time.Minute},
		{"an hour later", 5*time.Hour + time.Minute, 4*time.Hour + time.Minute, 5*time.Hour + time.Minute},
		{"set back while asleep", 4 * time.Hour, 4*time.Hour + time.Minute, 5*time.Hour + time.Minute},
	} {
		wall, awake = noon.Add(step.wall), step.awake
		if got := c.now().Sub(noon); got != step.want {
			t.Errorf("%s: %v, want %v", step.what, got, step.want)
		}
		if got := c.setBack(); got != step.want-step.wall {
			t.Errorf("%s: set back by %v, want %v", step.what, got, step.want-step.wall)
		}
	}
	if got := newClock(time.Now).now(); time.Since(got).Abs() > time.Minute {
		t.Errorf("it is %v", got)
	}
}
