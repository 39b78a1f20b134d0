package chat

import (
	"context"
	"errors"
	"slices"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// retryHeld is how often a full queue of held messages is tried again.
const retryHeld = 100 * time.Millisecond

// An outgoing message is one that was typed and has not gone out yet. The room gives it back
// as the ref of what became of it.
type outgoing struct {
	ref  any // the user's own; a room.HeldNumber: it was typed in an earlier run
	at   time.Time
	held bool
}

// earlier reports whether it was typed in an earlier run.
func (o *outgoing) earlier() bool {
	_, ok := o.ref.(room.HeldNumber)
	return ok
}

// An outbox has what was typed, until it is sent or given up: every message is answered once.
// It belongs to the room's goroutine.
type outbox struct {
	waiting []*outgoing
	lost    int // given up, since nobody came
}

// restore takes in what waits from an earlier run.
func (b *outbox) restore(all []room.HeldMessage) {
	for _, m := range all {
		b.waiting = append(b.waiting, &outgoing{ref: m.Ref, at: m.At, held: true})
	}
}

// outgoing is what the room gave back as a ref.
func (b *outbox) outgoing(ref any) (*outgoing, bool) {
	if n, ok := ref.(room.HeldNumber); ok {
		i := slices.IndexFunc(b.waiting, func(o *outgoing) bool { return o.ref == n })
		if i < 0 {
			return nil, false
		}
		return b.waiting[i], true
	}
	o, ok := ref.(*outgoing)
	return o, ok
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

// ours are those of this run.
func (b *outbox) ours() (n int) {
	for _, o := range b.waiting {
		if !o.earlier() {
			n++
		}
	}
	return n
}

// say hands a message to the room, as soon as that can take it.
func (r *Room) say(ctx context.Context, c Say) {
	o := &outgoing{ref: c.Ref, at: r.cfg.Now()}
	var target ake.Hash
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
	var bad *cli.Error
	if c.About != 0 {
		send = func(byte) error { return r.node.SendAbout(o, c.About, target, c.Text) }
	}
	// It is in the outbox before anything can become of it.
	if r.inside(ctx, func() {
		if c.About != 0 {
			target, c.Text, bad = r.target(c)
		}
		if ctx.Err() == nil && bad == nil {
			r.box.waiting = append(r.box.waiting, o)
		}
	}) != nil {
		r.post(func() { r.box.remove(o) })
		return
	}
	if bad != nil {
		r.tell(Rejected{c.Ref, bad})
		return
	}
	for {
		err := send(kind)
		if errors.Is(err, room.ErrHeldFull) {
			select {
			case <-time.After(retryHeld):
				continue
			case <-ctx.Done(): // whoever said it is gone
				r.post(func() { r.box.remove(o) })
				return
			}
		}
		if err == nil || errors.Is(err, node.ErrEnded) || errors.Is(err, room.ErrLeft) {
			return // what was not sent is answered at the end
		}
		if c.About != 0 {
			r.reject(o, aboutError(c.About, err, c.Text))
		} else {
			r.reject(o, sendError(err, c.Text))
		}
		return
	}
}

// reject answers a message that is not sent, unless it was answered before.
func (r *Room) reject(o *outgoing, err *cli.Error) {
	r.post(func() { r.rejected(o, err) })
}

func (r *Room) rejected(o *outgoing, err *cli.Error) {
	if !r.box.remove(o) {
		return
	}
	if err.Code == codeAlone {
		r.box.lost++
	}
	r.count()
	r.show(Rejected{o.ref, err})
	r.judgeSoon()
}

const codeAlone = "alone"

// giveUp drops what nobody came to read in time, once nobody is there any more who could say
// that it is to go out all the same.
func (r *Room) giveUp() {
	limit, now := r.cfg.Hold, r.cfg.Now()
	if r.quit == nil || !r.quit.End || limit <= 0 || len(r.box.waiting) == 0 {
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
	r.post(func() { r.unsaid = 0 })
	for _, h := range all {
		r.post(func() {
			if o, ok := r.box.outgoing(h.Ref); ok {
				r.rejected(o, cli.Fail(codeDropped, "dropped as you asked"))
			}
		})
	}
	r.tell(Dropped{len(all)})
}

// sendHeld sends what has waited for a word.
func (r *Room) sendHeld() {
	n := r.node.SendHeld()
	r.post(func() {
		r.unsaid = 0
		r.count()
		r.show(SendingHeld{n})
	})
}

// showHeld says what waits.
func (r visit) showHeld(c ShowHeld) {
	all := r.node.Held()
	r.post(func() { r.show(r.state.Waits(c, all, r.cfg.Now())) })
}
