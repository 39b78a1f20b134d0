package house

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"

	"coterie/cmd/coterie/chat"
	"coterie/room"
)

// A Guest is a face's visit. Its methods wait for nothing but Next.
type Guest struct {
	Welcome
	hub     *Hub
	watches bool

	mu      sync.Mutex
	queue   []chat.Event
	size    int           // of it, in bytes
	before  int           // how many of it were before the face came
	news    chan struct{} // capacity 1
	failed  error
	ended   chan struct{} // closed when nothing is put any more
	said    int
	pending map[int]any
}

// A ref is what a message of a face's goes by in the room, where others have theirs.
type ref struct {
	of     *Guest
	number int
	own    any
}

// mine is the guest's own ref of something; false: it is another's. answered: nothing more
// becomes of that.
func (g *Guest) mine(r any, answered bool) (any, bool) {
	own, ok := r.(ref)
	if !ok {
		return r, true
	}
	if own.of == g && answered {
		g.mu.Lock()
		delete(g.pending, own.number)
		g.mu.Unlock()
	}
	return own.own, own.of == g
}

// ref is what a message goes by.
func (g *Guest) ref(own any) ref {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pending == nil {
		g.pending = make(map[int]any)
	}
	g.said++
	g.pending[g.said] = own
	return ref{g, g.said, own}
}

// Pending are the refs of messages that nothing has become of yet.
func (g *Guest) Pending() (out []any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(g.pending)) {
		out = append(out, g.pending[n])
	}
	return out
}

// sees is an event as it is for this face; false: it is not.
func (g *Guest) sees(e chat.Event) (_ chat.Event, ok bool) {
	if e.For != nil && e.For != any(g) {
		return e, false
	}
	switch ok = true; e.What.(type) {
	case room.Sent, room.Held, chat.Rejected, chat.Kept:
		_, held := e.What.(room.Held)
		e.What = chat.MapRef(e.What, func(own any) any {
			own, ok = g.mine(own, !held)
			return own
		})
	}
	return e, ok
}

func (g *Guest) put(e chat.Event) {
	e, ok := g.sees(e)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return
	}
	if g.size += weight(e); len(g.queue) >= maxQueue+g.before || g.size > maxQueueBytes {
		g.queue, g.failed = nil, ErrSlow
		close(g.ended)
		return
	}
	g.queue = append(g.queue, e)
	select {
	case g.news <- struct{}{}:
	default:
	}
}

func (g *Guest) finish(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed == nil {
		g.failed = err
		close(g.ended)
	}
}

// Next waits for what happens next. The error is io.EOF when the room was left, or the visit
// is over.
func (g *Guest) Next() ([]chat.Event, error) {
	for {
		g.mu.Lock()
		out, err := g.queue, g.failed
		g.queue, g.size, g.before = nil, 0, 0
		g.mu.Unlock()
		switch {
		case len(out) > 0:
			return out, nil
		case err != nil:
			return nil, err
		}
		select {
		case <-g.news:
		case <-g.ended:
		}
	}
}

// TryDo has the room do something. It returns false if too much is waiting.
func (g *Guest) TryDo(c chat.Command) bool {
	c, goes := g.wants(c)
	if !goes {
		return true
	}
	if g.hub.room.TryDoFor(g, c) {
		return true
	}
	switch w := c.(type) {
	case chat.Say:
		g.mine(w.Ref, true)
	case chat.File:
		g.mine(w.Ref, true)
	}
	return false
}

// Do has the room do something, and waits with a message until that has taken it.
func (g *Guest) Do(ctx context.Context, c chat.Command) {
	if c, goes := g.wants(c); goes {
		g.hub.room.DoFor(ctx, g, c)
	}
}

// wants is a command as it goes to the room; false: it does not.
func (g *Guest) wants(c chat.Command) (chat.Command, bool) {
	switch w := c.(type) {
	case chat.Say, chat.File:
		return chat.MapRef(c, func(own any) any { return g.ref(own) }), true
	case chat.MarkUnread:
		g.hub.marked(w)
	case chat.Quit:
		if !w.Leave {
			g.Close()
			return nil, false
		}
	}
	return c, true
}

// Close ends the visit. The room goes on.
func (g *Guest) Close() {
	g.hub.mu.Lock()
	delete(g.hub.guests, g)
	g.hub.mu.Unlock()
	g.finish(io.EOF)
	g.hub.room.TryDoFor(g, chat.Debug{}) // nobody watches there any more
}
