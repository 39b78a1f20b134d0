package chat

import (
	"context"
	"time"

	"coterie/room"
)

// A visit is a room as one of its faces sees it: what answers that face is for it alone. What
// happens in the room is for all.
type visit struct {
	*Room
	by any // the face; nil: the only one
}

func (v visit) show(what any) { v.Room.showTo(v.by, what) }

func (v visit) tell(what any) { v.post(func() { v.show(what) }) }

// A wish is a command, and the face that has it.
type wish struct {
	by any
	c  Command
}

// Do does what the user wants, in the order in which it was wanted, and waits with a message
// until the room has taken it. What comes of it is told by events.
func (r *Room) Do(ctx context.Context, c Command) { r.do(ctx, wish{nil, c}) }

// DoFor is Do for one of several faces: events that answer the command have it in For.
func (r *Room) DoFor(ctx context.Context, face any, c Command) { r.do(ctx, wish{face, c}) }

func (r *Room) do(ctx context.Context, w wish) {
	if say, ok := w.c.(Say); ok {
		r.say(ctx, say)
		return
	}
	r.post(func() { w.c.do(visit{r, w.by}) })
}

// TryDo is Do for whoever must not wait. It returns false if too much is waiting.
func (r *Room) TryDo(c Command) bool { return r.TryDoFor(nil, c) }

// TryDoFor is TryDo for one of several faces: events that answer the command have it in For.
func (r *Room) TryDoFor(face any, c Command) bool {
	select {
	case r.typed <- wish{face, c}:
		return true
	default:
		return false
	}
}

// Answered waits until what was wanted before is done, and what answers it is shown; not for what
// others have to answer.
func (r *Room) Answered(ctx context.Context) {
	if r.inside(ctx, func() {}) != nil { // the last of it has begun
		return
	}
	done := make(chan struct{})
	select {
	case r.background <- func() { close(done) }:
	case <-ctx.Done():
		return
	case <-r.over:
		return
	}
	select {
	case <-done:
		r.inside(ctx, func() {})
	case <-ctx.Done():
	case <-r.over:
	}
}

// Link is the room's link, with our addresses in it.
func (r *Room) Link() string {
	return (&room.Link{Descriptor: r.cfg.Descriptor, Addresses: forLink(r.node.Addresses())}).String()
}

// Now is the room's clock.
func (r *Room) Now() time.Time { return r.cfg.Now() }
