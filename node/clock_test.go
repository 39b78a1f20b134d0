package node

import (
	"sync/atomic"
	"testing"
	"time"

	"coterie/room"
	"coterie/room/record"
)

// TestClock: the room's time jumps with the wall clock when the computer slept,
// or was behind; set back, it goes on at half speed until the two meet.
func TestClock(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	wall, awake, slept := noon, time.Duration(0), time.Duration(0)
	agree := false
	c := &clock{
		wall: func() time.Time { return wall }, awake: func() time.Duration { return awake },
		asleep: func() time.Duration { return slept }, agree: func(time.Time) bool { return agree },
	}
	for _, step := range []struct {
		what               string
		wall, awake, slept time.Duration // since noon
		agree              bool
		want               time.Duration
	}{
		{"the beginning", 0, 0, 0, false, 0},
		{"a minute", time.Minute, time.Minute, 0, false, time.Minute},
		{"three hours asleep", 3*time.Hour + time.Minute, time.Minute, 3 * time.Hour, false, 3*time.Hour + time.Minute},
		{"set back by two hours", time.Hour + time.Minute, time.Minute, 3 * time.Hour, false, 3*time.Hour + time.Minute},
		{"an hour later", 2*time.Hour + time.Minute, time.Hour + time.Minute, 3 * time.Hour, false, 3*time.Hour +
			31*time.Minute},
		{"two hours later", 4*time.Hour + time.Minute, 3*time.Hour + time.Minute, 3 * time.Hour, false, 4*time.Hour +
			31*time.Minute},
		{"an hour later", 5*time.Hour + time.Minute, 4*time.Hour + time.Minute, 3 * time.Hour, false, 5*time.Hour +
			time.Minute},
		{"set back while asleep", 4 * time.Hour, 4*time.Hour + time.Minute, 4 * time.Hour, false, 5*time.Hour + time.Minute},
		{"set right", 6 * time.Hour, 5 * time.Hour, 4 * time.Hour, false, 6 * time.Hour},
		{"a day ahead", 30 * time.Hour, 5*time.Hour + time.Minute, 4 * time.Hour, false, 6*time.Hour + time.Minute},
		{"set right after a minute", 6*time.Hour + 2*time.Minute, 5*time.Hour + 2*time.Minute, 4 * time.Hour, false,
			6*time.Hour + 2*time.Minute},
		{"half an hour ahead", 7 * time.Hour, 5*time.Hour + 32*time.Minute, 4 * time.Hour, false, 7 * time.Hour},
		{"a day ahead", 31 * time.Hour, 6 * time.Hour, 4 * time.Hour, false, 7*time.Hour + 28*time.Minute},
		{"nine minutes", 31*time.Hour + 9*time.Minute, 6*time.Hour + 9*time.Minute, 4 * time.Hour, false, 7*time.Hour +
			37*time.Minute},
		{"ten", 31*time.Hour + 10*time.Minute, 6*time.Hour + 10*time.Minute, 4 * time.Hour, false, 31*time.Hour +
			10*time.Minute},
		{"a day ahead, and peers agree", 55 * time.Hour, 6*time.Hour + 11*time.Minute, 4 * time.Hour, true, 55 * time.Hour},
	} {
		wall, awake, slept, agree = noon.Add(step.wall), step.awake, step.slept, step.agree
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

// TestClockJump: a clock that goes a day ahead for a minute, and is set right again,
// does not cut its owner off.
func TestClockJump(t *testing.T) {
	virtual(t, func(s *sim) {
		a := s.add()
		var off atomic.Int64
		s.now = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
		b := s.add(a)
		s.now = nil
		c := s.add(b)
		s.together(time.Now(), 2*time.Minute)
		time.Sleep(time.Minute)

		off.Store(int64(24 * time.Hour))
		time.Sleep(time.Minute)
		off.Store(0)
		time.Sleep(3 * time.Minute)

		s.together(time.Now(), time.Second)
		if err := b.Send(nil, record.KindText, "still here"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for _, m := range []*simMember{a, c} {
			got := false
			m.each(func(_ time.Time, e Event) {
				d, ok := e.(room.Delivered)
				got = got || ok && d.Message.Text == "still here"
			})
			if !got {
				t.Errorf("%s was not told", m.name)
			}
		}
	})
}
