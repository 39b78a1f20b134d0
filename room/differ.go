package room

import (
	"time"

	"coterie/crypto/ake"
)

const (
	// differTime is how long a neighbour's head must differ from ours to be told:
	// the protocol's own repair takes less.
	differTime = 20 * time.Second
	// differKept is for how long its last word on that counts.
	differKept = 5 * time.Minute
)

// A difference is what a neighbour's hellos say of its head, for people; nothing
// follows from it.
type difference struct {
	head        ake.Hash // ours, from which its differed
	since, last time.Time
}

// note takes what a hello says.
func (d *difference) note(own *epoch, theirs ake.Hash, now time.Time) {
	switch {
	case own == nil || own.commit.ID() == theirs:
		*d = difference{}
	case d.since.IsZero() || d.head != own.commit.ID():
		*d = difference{head: own.commit.ID(), since: now, last: now}
	default:
		d.last = now
	}
}

// lasts reports whether the neighbour had another head than this one of ours for
// differTime.
func (d *difference) lasts(own *epoch, now time.Time) bool {
	return !d.since.IsZero() && d.head == own.commit.ID() && d.last.Sub(d.since) >= differTime &&
		now.Sub(d.last) < differKept
}
