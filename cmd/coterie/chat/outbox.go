package chat

import (
	"context"
	"errors"
	"slices"
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
// It belongs to the room's goroutine.
type outbox struct {
	waiting []*outgoing
	lost    int // given up, since nobody came
}

// remove takes a message out. It returns false if it was out already.
func (b *outbox) remove(o *outgoing) bool {
	n := len(b.waiting)
	b.waiting = slices.DeleteFunc(b.waiting, func(w *outgoing) bool { return w == o })
	return len(b.waiting) < n
}

// held is how many of them wait for a reader.
func (b *outbox) held() (n int) {
	for _, o := range b.waiting {
		if o.held {
			n++
		}
	}
	return n
}

// undelivered is how many have not gone out, and will not if the room is left now.
func (b *outbox) undelivered() int { return len(b.waiting) + b.lost }

// say hands a message to the room, as soon as that can take it.
func (r *Room) say(ctx context.Context, c Say) {
	o := &outgoing{ref: c.Ref, at: r.cfg.Now()}
	send := func(kind byte) error { return r.node.Send(o, kind, c.Text) }
	kind := byte(record.KindText)
	if c.Action {
		kind = record.KindAction
	}
	if c.To != "" {
		policy, bad := ToPolicy(c.To, c.Text)
		if bad != nil {
			r.tell(Rejected{c.Ref, bad})
			return
		}
		send = func(byte) error { return r.node.SendTo(o, policy, c.Text) }
	}
	// It is in the outbox before anything can become of it.
	if r.inside(ctx, func() { r.box.waiting = append(r.box.waiting, o) }) != nil {
		return
	}
	for {
		err := send(kind)
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
			r.box.lost++
		}
		r.count()
		r.show(Rejected{o.ref, err})
		r.judgeSoon()
	})
}

const codeAlone = "alone"

// giveUp drops what nobody came to read in time.
func (r *Room) giveUp() {
	limit, now := r.cfg.Hold, r.cfg.Now()
	if limit <= 0 || len(r.box.waiting) == 0 || now.Sub(r.box.waiting[0].at) < limit {
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
