package node

import (
	"time"

	"golang.org/x/sys/unix"
)

// asleep is a clock that goes while the computer sleeps; nil: there is none.
func asleep() func() time.Duration {
	if _, ok := sleptUntilNow(); !ok {
		return nil
	}
	return func() time.Duration {
		d, _ := sleptUntilNow()
		return d
	}
}

// sleptUntilNow is how long it slept since it was started.
func sleptUntilNow() (time.Duration, bool) {
	var all, awake unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &all) != nil {
		return 0, false
	}
	return time.Duration(all.Nano() - awake.Nano()), true
}
