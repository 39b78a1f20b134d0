package chat

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// retryHeld is how often a full queue of held messages is tried again.
const retryHeld = 100 * time.Millisecond

// An outgoing message is one that was typed and has not gone out yet. The room gives it back
// as the ref of what became of it.
type outgoing struct {
	ref  any // the user's own
	at   time.Time
	held bool
}

// An outbox has what was typed, until it is sent or given up: every message is answered once.
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

// remove takes a message out. It returns false if it was out already.
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

func (b *outbox) hold(o *outgoing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.held = true
}

// held is how many of them wait for a reader.
func (b *outbox) held() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.waiting {
		if o.held {
			n++
		}
	}
	return n
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
func (r *Room) say(ctx context.Context, c Say) {
	o := &outgoing{ref: c.Ref, at: r.cfg.Now()}
	kind := byte(record.KindText)
	if c.Action {
		kind = record.KindAction
	}
	r.box.add(o)
	for {
		err := r.node.Send(o, kind, c.Text)
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
		r.reject(o, sendError(err, c.Text))
		return
	}
}

// reject answers a message that is not sent, unless it was answered before.
func (r *Room) reject(o *outgoing, err *cli.Error) {
	r.post(func() {
		if !r.box.remove(o) {
			return
		}
		if err.Code == codeAlone {
			r.box.lost++ // of the room's goroutine alone
		}
		r.count()
		r.show(Rejected{o.ref, err})
		r.judgeSoon()
	})
}

const codeAlone = "alone"

// giveUp drops what nobody came to read in time.
func (r *Room) giveUp() {
	limit, now, oldest := r.cfg.Hold, r.cfg.Now(), r.box.oldest()
	if limit <= 0 || oldest.IsZero() || now.Sub(oldest) < limit {
		return
	}
	r.beside(func() {
		for _, h := range r.node.Drop(func(h room.HeldMessage) bool {
			o, ok := h.Ref.(*outgoing)
			return ok && now.Sub(o.at) >= limit
		}) {
			r.reject(h.Ref.(*outgoing), cli.Fail(codeAlone, "nobody else was in the room for %s", text.Span(limit)).
				Hint("is the policy typed the same? /link to invite"))
		}
	})
}

// drop gives up on all that is held, and answers each.
func (r *Room) drop() {
	all := r.node.Drop(nil)
	for _, h := range all {
		if o, ok := h.Ref.(*outgoing); ok {
			r.reject(o, cli.Fail(codeDropped, "dropped as you asked"))
		}
	}
	r.tell(Dropped{len(all)})
}
