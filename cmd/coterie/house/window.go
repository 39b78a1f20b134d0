package house

import (
	"context"
	"sync"
	"time"

	"coterie/cmd/coterie/chat"
)

// A Window is a visit whose user may go, which closes the window and not the room.
type Window struct {
	*Remote

	once  sync.Once
	mu    sync.Mutex
	why   string        // it was closed; empty: it was not
	shown chan struct{} // closed when what was before it came is shown
}

// NewWindow is a window on a room of another process.
func NewWindow(r *Remote) *Window { return &Window{Remote: r, shown: make(chan struct{})} }

// settleEvery is how often is looked whether all was sent.
const settleEvery = 20 * time.Millisecond

// Do is of Visit.
func (w *Window) Do(ctx context.Context, c chat.Command) {
	q, quit := c.(chat.Quit)
	if !quit || q.Leave {
		w.Remote.Do(ctx, c)
		return
	}
	select {
	case <-w.shown: // who only looks has seen something
	case <-w.closed:
	case <-ctx.Done():
	}
	for until := time.Now().Add(q.Linger); time.Now().Before(until) && len(w.Pending()) > 0 && ctx.Err() == nil; {
		time.Sleep(settleEvery)
	}
	why := "quit"
	if q.End {
		why = "eof"
	}
	w.Shut(why)
}

// TryDo is of Visit.
func (w *Window) TryDo(c chat.Command) bool {
	if q, quit := c.(chat.Quit); quit && !q.Leave {
		go w.Do(context.Background(), q)
		return true
	}
	return w.Remote.TryDo(c)
}

// Shut closes the window. Only the first reason counts.
func (w *Window) Shut(why string) {
	w.once.Do(func() {
		w.mu.Lock()
		w.why = why
		w.mu.Unlock()
		w.flush()
		w.Close()
	})
}

// Follow shows a face what happens in the room until that is left or the window is closed. What
// was said and is not sent stays with the room.
func (w *Window) Follow(face chat.Face, now func() time.Time) error {
	seen := &seen{Face: face, first: w.shown}
	err := Follow(w, seen, now)
	w.mu.Lock()
	why := w.why
	w.mu.Unlock()
	if seen.bye || err != nil && why == "" {
		return err
	}
	if why == "" {
		why = "signal" // nobody looks any more
	}
	s := chat.NewState(w.About, now())
	show := func(what any) {
		e := chat.Event{Room: s.ID, At: now(), What: what}
		face.Show(s, e, s.Take(e))
	}
	refs := w.Pending()
	for _, ref := range refs {
		show(chat.Kept{Ref: ref})
	}
	show(chat.Bye{Reason: why, Away: true, Kept: len(refs), Stays: true})
	return nil
}

// seen notes what a face was shown: all that was before it came, and that the room said goodbye.
type seen struct {
	chat.Face
	first chan struct{} // nil: it was
	bye   bool
}

func (f *seen) Show(s *chat.State, e chat.Event, said []chat.Line) {
	f.Face.Show(s, e, said)
	switch e.What.(type) {
	case chat.Waiting: // the last of what was before
		if f.first != nil {
			close(f.first)
			f.first = nil
		}
	case chat.Bye:
		f.bye = true
	}
}
