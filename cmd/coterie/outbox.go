package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
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

// say hands a message to the room, as soon as that can take it.
func (s *session) say(ctx context.Context, l line) {
	o := &outgoing{ref: l.ref, text: l.text, at: s.app.now()}
	s.box.add(o)
	for {
		err := s.node.Send(o, l.kind, l.text)
		if errors.Is(err, room.ErrHeldFull) {
			select {
			case <-time.After(retryHeld):
				continue
			case <-ctx.Done():
				return
			}
		}
		if err == nil || errors.Is(err, node.ErrEnded) || errors.Is(err, room.ErrLeft) {
			return // what was not sent is answered at the end
		}
		s.reject(o, sendError(err, l.text))
		return
	}
}

func sendError(err error, text string) *cli.Error {
	switch {
	case errors.Is(err, room.ErrTooLong):
		return cli.Fail("too-long", "the message has %s bytes; the limit is %s", cli.Count(len(text)), cli.Count(record.MaxText)).
			Hint("split it, or send it as a file by other means").Because(err)
	case errors.Is(err, room.ErrText):
		return cli.Fail("bad-input", "the message is not UTF-8").Because(err)
	}
	return cli.Fail("failed", "%v", err).Because(err)
}
