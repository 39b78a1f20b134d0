package main

import (
	"slices"
	"sync"
	"time"
)

// An outgoing message is one that was typed and has not gone out yet. The room
// gives it back as the ref of what became of it.
type outgoing struct {
	ref  any // the user's own
	text string
	at   time.Time
}

// An outbox has what was typed, until it is sent or given up: every message is
// answered once.
type outbox struct {
	mu      sync.Mutex
	waiting []*outgoing
	lost    int // given up, since nobody came
}

func (b *outbox) add(o *outgoing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, o)
}

// remove takes a message out; it returns false if it was out already.
func (b *outbox) remove(o *outgoing) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, o)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return true
}

func (b *outbox) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost++
}

// count is how many wait, and how many will never be read.
func (b *outbox) count() (waiting, lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting), b.lost
}

// oldest is since when the first has been waiting; zero if none is.
func (b *outbox) oldest() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return time.Time{}
	}
	return b.waiting[0].at
}

// rest empties the outbox.
func (b *outbox) rest() []*outgoing {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.waiting
	b.waiting = nil
	return out
}
