package house

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
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

// settle waits until something has become of all messages, at most for a time.
func settle(ctx context.Context, pending func() []any, linger time.Duration) {
	for until := time.Now().Add(linger); time.Now().Before(until) && len(pending()) > 0 && ctx.Err() == nil; {
		time.Sleep(settleEvery)
	}
}

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
	settle(ctx, w.Pending, q.Linger)
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

// Shut closes the window, when the room has all that was typed. Only the first reason counts.
func (w *Window) Shut(why string) {
	w.once.Do(func() {
		w.mu.Lock()
		w.why = why
		w.mu.Unlock()
		w.part()
	})
}

// A parting is a window that is closed since nobody can be shown anything: what was typed goes out.
type parting struct{ *Window }

func (p parting) Close() { p.part() }

// Follow shows a face what happens in the room until that is left or the window is closed. What
// was said and is not sent stays with the room. The exit status is in the error.
func (w *Window) Follow(face chat.Face, now func() time.Time) error {
	defer w.Close()
	seen := &seen{Face: face, first: w.shown, now: now, left: w.left}
	err := Follow(parting{w}, seen, now)
	w.mu.Lock()
	why := w.why
	w.mu.Unlock()
	if seen.bye {
		return err
	}
	s := chat.NewState(w.About, now())
	kept := seen.answer(s)
	seen.bye = true
	switch {
	case err != nil && why == "":
		return err
	case errors.Is(face.Broken(), io.EOF):
		why = "eof"
	case why == "":
		why = "signal" // nobody looks any more
	}
	code := 0
	if why == "eof" && seen.refused > 0 {
		code = cli.StatusFailed
	}
	seen.show(s, chat.Bye{Reason: why, Code: code, Away: true, Kept: kept, Stays: true})
	if broken := chat.CannotShow(face); broken != nil {
		return broken.Hint("the room goes on; what was said from then on was not shown")
	}
	if code != 0 {
		return cli.Silent(code)
	}
	return nil
}

// seen notes what a face was shown: all that was before it came, what was refused, and that the
// room said goodbye. Every message is answered before that.
type seen struct {
	chat.Face
	first   chan struct{} // nil: it was
	now     func() time.Time
	left    func() (kept, unsure []any) // messages that nothing has become of
	refused int
	bye     bool
}

// Show is of chat.Face.
func (f *seen) Show(s *chat.State, e chat.Event, said []chat.Line) {
	switch e.What.(type) {
	case chat.NotDone, chat.Rejected:
		if e.When == chat.Now {
			f.refused++
		}
	case chat.Bye:
		if !f.bye {
			f.bye = true
			f.answer(s)
		}
	}
	f.Face.Show(s, e, said)
	if _, last := e.What.(chat.Waiting); last && f.first != nil { // the last of what was before
		close(f.first)
		f.first = nil
	}
}

// answer answers messages that nothing has become of. It returns how many wait in the room.
func (f *seen) answer(s *chat.State) (waits int) {
	kept, unsure := f.left()
	for _, ref := range unsure {
		f.show(s, chat.Rejected{Ref: ref, Err: errUnsure()})
	}
	for _, ref := range kept {
		f.show(s, chat.Kept{Ref: ref})
	}
	return len(kept)
}

func (f *seen) show(s *chat.State, what any) {
	e := chat.Event{Room: s.ID, At: f.now(), What: what}
	f.Show(s, e, s.Take(e))
}
