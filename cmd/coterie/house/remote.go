package house

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

// A Remote is the visit of a face to a room in another process.
type Remote struct {
	Welcome
	conn    net.Conn
	in      *chat.EventReader
	out     chan errand   // one without a line is the last
	written chan struct{} // closed when nothing more is written
	closed  chan struct{}
	once    sync.Once
	ended   error // why nothing more comes; nil: it does

	mu      sync.Mutex
	refs    map[uint64]any // of what was asked for, until it is answered
	last    uint64
	pending map[uint64]fate // messages that nothing has become of
	parting bool            // nothing more is wanted
	mine    []chat.Event    // what this end answers
}

// An errand is a line on its way, with the number of the message in it; 0: there is none.
type errand struct {
	line    []byte
	message uint64
}

// A fate is how far a message has come of which it is not known yet what becomes of it.
type fate uint8

const (
	typed  fate = iota
	sent        // it is on its way to the room
	inRoom      // the room has it
)

// Attach has a face come to a room there. watches: a person looks at it.
func (h *Home) Attach(name string, watches bool) (*Remote, error) {
	if err := h.Fits(); err != nil {
		return nil, err
	}
	r := &Remote{
		out: make(chan errand, 1024), written: make(chan struct{}), closed: make(chan struct{}),
		refs: make(map[uint64]any), pending: make(map[uint64]fate),
	}
	conn, in, err := h.ask(request{Attach: name, As: "events", Watches: watches}, askTime, func(a answer) bool {
		if a.Welcome != nil {
			r.Welcome = *a.Welcome
		}
		return a.OK
	})
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	r.conn, r.in = conn, chat.NewEventReader(in)
	go r.write()
	return r, nil
}

func (r *Remote) write() {
	defer close(r.written)
	for {
		select {
		case e := <-r.out:
			if e.line == nil {
				return // there is nothing more
			}
			if _, err := r.conn.Write(e.line); err != nil {
				return // Next tells
			}
			r.mu.Lock()
			if f, waits := r.pending[e.message]; waits && f == typed {
				r.pending[e.message] = sent
			}
			r.mu.Unlock()
		case <-r.closed:
			return
		}
	}
}

// part has all that was wanted written. The other end is to do it, and to close then: Next waits
// for that, and not for long.
func (r *Remote) part() {
	late := time.After(flushTime)
	select {
	case r.out <- errand{}:
	case <-r.written:
	case <-late:
	}
	select {
	case <-r.written:
	case <-late:
	}
	r.mu.Lock()
	r.parting = true
	r.mu.Unlock()
	c, ok := r.conn.(interface{ CloseWrite() error })
	if !ok || c.CloseWrite() != nil {
		r.Close()
		return
	}
	time.AfterFunc(2*flushTime, r.Close)
}

// flushTime is how long a window that closes waits until all that was typed is out, and how long
// the other end takes at most to answer the last of it.
const flushTime = 2 * time.Second

// left are the refs of messages that nothing has become of: those that the room has, and those of
// which that is not known.
func (r *Remote) left() (kept, unsure []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(r.pending)) {
		if r.pending[n] == inRoom {
			kept = append(kept, r.refs[n])
		} else {
			unsure = append(unsure, r.refs[n])
		}
	}
	return kept, unsure
}

// errUnsure says that nobody knows what became of a message.
func errUnsure() *cli.Error {
	return cli.Fail("unsure", "it is not known whether the room has taken it").
		Hint("coterie join ROOM shows what was said, and /held what waits")
}

// errLost ends a visit whose house is gone. That is no io.EOF, which says that all is as it is to be.
func errLost() error {
	return cli.Fail("up-ended", "coterie up has ended, or let this window go").
		Hint("coterie join ROOM opens it again")
}

// Next is of Visit.
func (r *Remote) Next() ([]chat.Event, error) {
	var events []chat.Event
	if r.ended == nil {
		events, r.ended = r.in.Read()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.mine
	r.mine = nil
	switch {
	case r.ended == nil:
	case len(mine) > 0:
		return mine, nil
	default:
		return nil, r.why()
	}
	for i, e := range events {
		switch w := e.What.(type) {
		case room.Held:
			if n, ok := w.Ref.(uint64); ok {
				if _, waits := r.pending[n]; waits {
					r.pending[n] = inRoom
				}
			}
			events[i].What = chat.MapRef(w, r.own)
		case chat.Answer:
			w.To = chat.MapRef(w.To, r.answered)
			events[i].What = w
		default:
			events[i].What = chat.MapRef(e.What, r.answered)
		}
	}
	return append(events, mine...), nil
}

// why is why nothing more comes. The caller has the lock.
func (r *Remote) why() error {
	if r.parting && errors.Is(r.ended, io.EOF) {
		for n, f := range r.pending {
			if f == sent {
				r.pending[n] = inRoom // it has done all, and closed
			}
		}
		return io.EOF
	}
	select {
	case <-r.closed:
		return io.EOF
	default:
	}
	if e := (*cli.Error)(nil); errors.As(r.ended, &e) {
		return e
	}
	return errLost()
}

// own is the face's ref of what goes by a number.
func (r *Remote) own(ref any) any {
	if n, ok := ref.(uint64); ok {
		return r.refs[n]
	}
	return ref
}

func (r *Remote) answered(ref any) any {
	out := r.own(ref)
	if n, ok := ref.(uint64); ok {
		delete(r.refs, n)
		delete(r.pending, n)
	}
	return out
}

// number is what a ref of the face's goes by.
func (r *Remote) number(ref any, message bool) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.refs[r.last] = ref
	if message {
		r.pending[r.last] = typed
	}
	return r.last
}

// Pending are the refs of messages that nothing has become of yet.
func (r *Remote) Pending() (out []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(r.pending)) {
		out = append(out, r.refs[n])
	}
	return out
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func (r *Remote) line(c chat.Command) (e errand) {
	switch w := c.(type) {
	case chat.Say, chat.File:
		c = chat.MapRef(c, func(ref any) any {
			e.message = r.number(ref, true)
			return e.message
		})
	case chat.Search, chat.ShowHeld, chat.Questions:
		c = chat.MapRef(c, func(ref any) any { return r.number(ref, false) })
	case chat.Notice: // the other process has another folder
		w.File = absolute(w.File)
		c = w
	case chat.Export:
		w.File = absolute(w.File)
		c = w
	}
	line, err := chat.EncodeCommand(c)
	if err == nil && len(line) >= maxCommand {
		err = bufio.ErrTooLong
	}
	if err != nil {
		line, _ = chat.EncodeCommand(chat.Bad{Err: cli.Fail("bad-input", "that cannot be done from here")})
	}
	e.line = append(line, '\n')
	return e
}

// refused answers a message that no room takes: it goes nowhere.
func (r *Remote) refused(c chat.Command) bool {
	say, ok := c.(chat.Say)
	if !ok {
		return false
	}
	bad := say.Unsayable()
	if bad != nil {
		r.mu.Lock()
		r.mine = append(r.mine, chat.Event{Room: r.About.ID, At: time.Now(), What: chat.Rejected{Ref: say.Ref, Err: bad}})
		r.mu.Unlock()
	}
	return bad != nil
}

// TryDo is of Visit.
func (r *Remote) TryDo(c chat.Command) bool {
	if r.refused(c) {
		return true
	}
	e := r.line(c)
	select {
	case r.out <- e:
		return true
	default:
		r.mu.Lock()
		delete(r.pending, e.message)
		delete(r.refs, e.message)
		r.mu.Unlock()
		return false
	}
}

// Do is of Visit.
func (r *Remote) Do(ctx context.Context, c chat.Command) {
	if r.refused(c) {
		return
	}
	select {
	case r.out <- r.line(c):
	case <-ctx.Done():
	case <-r.closed:
	}
}

// Close is of Visit.
func (r *Remote) Close() {
	r.once.Do(func() {
		close(r.closed)
		r.conn.Close()
	})
}
