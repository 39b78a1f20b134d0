package house

import (
	"io"
	"slices"
	"sync"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/room"
)

const (
	// maxLog is how many events a face that comes is told of those before it, and maxLogBytes how
	// much they may take.
	maxLog      = 2000
	maxLogBytes = 2 << 20
	// maxQueue is how many events may wait for a face, and maxQueueBytes how much they may take:
	// one that takes nothing more goes. The room never waits.
	maxQueue      = 1 << 14
	maxQueueBytes = 16 << 20
	// maxGuests is how many faces a room has at a time.
	maxGuests = 64
)

// ErrSlow ends the visit of a face that does not take what happens.
var ErrSlow = cli.Fail("too-slow", "this window did not take what happened, and was let go; the room goes on").
	Hint("coterie join ROOM shows it again")

// A Hub is the face of a room that has many of them, or none: it remembers what happened
// lately, and tells it to whoever comes. It waits for nobody.
type Hub struct {
	room *chat.Room

	mu      sync.Mutex
	base    *chat.State // what was known before the first of log
	dropped bool        // something was: base is more than a beginning
	log     []chat.Event
	size    int // of it, in bytes
	ready   chat.Ready
	now     chat.Snapshot
	waiting chat.Waiting
	// before are messages of an earlier run that wait, unsaid what waits for a word of the user.
	before []room.HeldMessage
	unsaid room.Unsaid
	guests map[*Guest]bool
	looks  Looks
	over   error // why there is nothing more; nil: there is

	// mark is where what nobody has seen begins, and unread and mentions are how much that is.
	mark     chat.MarkUnread
	counting bool
	// later and laterMentions are those read back from the mark's time on, in case that the message
	// of the mark is not.
	later, laterMentions int
	unread, mentions     int
	readers, away        int
	word                 health.Code
}

// remembered reports whether whoever comes later is told of an event. Answers are for whoever
// asked, and of what is measured only the last counts.
func remembered(e chat.Event) bool {
	if e.For != nil {
		return false
	}
	switch w := e.What.(type) {
	case chat.Ready, chat.Snapshot, chat.Waiting, chat.PathChanged, chat.Bye, room.Reached, room.Held, room.Sent,
		room.Restored, room.Unsaid, chat.Rejected, chat.Kept, chat.Logged, chat.Found, chat.Earlier, chat.Pinged,
		chat.Exported:
		return false
	case room.FileChanged:
		return w.State != room.FileFetching
	case room.EpochStarted:
		return w.ID != (ake.Hash{})
	}
	return true
}

// weight is about how many bytes an event takes.
func weight(e chat.Event) int {
	switch w := e.What.(type) {
	case room.Delivered:
		return size(w)
	case room.Opened:
		return size(w.Delivered)
	case room.Changed:
		return 512 + len(w.Text) + len(w.Of.Text)
	case room.EpochStarted:
		return 512 + 64*(len(w.Members)+len(w.Joined)+len(w.Left)+len(w.Away))
	case chat.Found:
		return 512 + len(w.Messages)*1024
	case chat.Earlier:
		return 512 + len(w.Messages)*1024
	case chat.Snapshot:
		return 512 + 256*(len(w.Status.Room.Members)+len(w.Status.Peers))
	}
	return 512
}

func size(d room.Delivered) int {
	n := 512 + len(d.Message.Text) + 128*len(d.Reactions)
	if d.Quote != nil {
		n += len(d.Quote.Text)
	}
	return n
}

// Show is of chat.Face.
func (h *Hub) Show(s *chat.State, e chat.Event, _ []chat.Line) {
	e = s.Portable(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch w := e.What.(type) {
	case chat.Ready:
		h.ready = w
	case chat.Snapshot:
		h.now = w
	case chat.Waiting:
		if h.waiting = w; w.Unsaid < h.unsaid.Count {
			h.unsaid.Count = w.Unsaid
		}
	case room.Restored:
		h.before = slices.Clone(w.Messages)
	case room.Unsaid:
		h.unsaid = w
	case room.Sent:
		h.gone(w.Ref)
	case chat.Rejected:
		h.gone(w.Ref)
	case room.Delivered:
		h.count(s, w)
	case room.Past:
		if w.Over && w.By == "" {
			h.readBack()
		}
	case room.EpochStarted, room.Departed:
		h.readers, h.away = len(s.Readers()), len(s.Away())
	case chat.SettingKept:
		h.looks.set(w)
	case chat.HealthChanged:
		h.word = health.Word(w.Shown)
	}
	if remembered(e) {
		h.log = append(h.log, e)
		for h.size += weight(e); len(h.log) > maxLog || h.size > maxLogBytes; h.log = h.log[1:] {
			h.size -= weight(h.log[0])
			h.base.Take(h.log[0])
			h.log[0] = chat.Event{}
			h.dropped = true
		}
	}
	for g := range h.guests {
		g.put(e)
	}
}

// Broken is of chat.Face: there may be nobody, and the room goes on.
func (h *Hub) Broken() error { return nil }

// gone notes that a message of an earlier run waits no more.
func (h *Hub) gone(ref any) {
	if number, ok := ref.(room.HeldNumber); ok {
		h.before = slices.DeleteFunc(h.before, func(m room.HeldMessage) bool { return m.Ref == any(number) })
	}
}

// count notes what nobody has seen yet.
func (h *Hub) count(s *chat.State, d room.Delivered) {
	if d.ID == h.mark.ID && d.ID != (ake.Hash{}) {
		h.counting = true // what was read back from the disk has come to the mark
	}
	if d.Self || d.Reading == room.Unread {
		return
	}
	if d.History && !h.counting {
		if h.mark.ID != (ake.Hash{}) && !d.ShownAt().Before(h.mark.At) {
			h.later++
			if s.NamesMe(d.Message.Text) {
				h.laterMentions++
			}
		}
		return
	}
	if h.watched() && !h.counting {
		return
	}
	if h.mark.ID == (ake.Hash{}) {
		h.mark, h.counting = chat.MarkUnread{ID: d.ID, At: d.Received}, true
		h.room.TryDo(h.mark)
	}
	h.unread++
	if s.Concerns(d) {
		h.mentions++
	}
}

// readBack: what this computer has of what was said is here.
func (h *Hub) readBack() {
	if h.mark.ID != (ake.Hash{}) && !h.counting {
		h.counting, h.unread, h.mentions = true, h.later, h.laterMentions
	}
	h.later, h.laterMentions = 0, 0
}

// marked takes where a face has put the mark, or that there is none.
func (h *Hub) marked(m chat.MarkUnread) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mark, h.counting, h.unread, h.mentions = m, m.ID != (ake.Hash{}), 0, 0
	if h.counting {
		h.unread = 1
	}
}

// watched reports whether somebody looks at the room. The caller has the lock.
func (h *Hub) watched() bool {
	for g := range h.guests {
		if g.watches {
			return true
		}
	}
	return false
}

// end tells all faces that there is nothing more, and why; nil: the room was left.
func (h *Hub) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over = err; err == nil {
		h.over = io.EOF
	}
	for g := range h.guests {
		g.finish(h.over)
	}
	clear(h.guests)
}

// Visit has a face come. It is told what happened lately, and from there on what happens.
// watches: a person looks at it, and has seen what is shown.
func (h *Hub) Visit(watches bool) (*Guest, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.over != nil:
		return nil, cli.Fail("room-closed", "the room was closed just now").Hint("once more opens it")
	case len(h.guests) >= maxGuests:
		return nil, cli.Fail("busy", "%d windows show this room already", maxGuests)
	}
	g := &Guest{hub: h, watches: watches, news: make(chan struct{}, 1), ended: make(chan struct{})}
	g.Welcome = Welcome{About: h.room.About(), Mark: h.mark, Looks: h.looks}
	events := []chat.Event{{What: chat.Ready{Addresses: h.ready.Addresses, Link: h.ready.Link, Joined: h.base.Joined()}}}
	if h.now.Link != "" {
		events[0].What = chat.Ready{Addresses: h.ready.Addresses, Link: h.now.Link, Joined: h.base.Joined()}
	}
	if h.dropped {
		events = append(events, h.base.Events()...)
	}
	for i := range events[1:] {
		if events[i+1].When == chat.Now {
			events[i+1].When = chat.Before
		}
	}
	for _, e := range h.log {
		e.When = chat.Before
		events = append(events, e)
	}
	if len(h.before) > 0 {
		events = append(events, chat.Event{What: room.Restored{Messages: slices.Clone(h.before)}, When: chat.Before})
	}
	if h.unsaid.Count > 0 {
		events = append(events, chat.Event{What: h.unsaid, When: chat.Before})
	}
	events = append(events, chat.Event{What: h.now}, chat.Event{What: h.waiting})
	for _, e := range events {
		if e.Room = g.About.ID; e.At.IsZero() {
			e.At = h.room.Now()
		}
		g.put(e)
		g.before, g.size = len(g.queue), 0 // what was before is bounded, and not counted
	}
	h.guests[g] = true
	return g, nil
}

// A Welcome is what a face is told at first.
type Welcome struct {
	About chat.About
	Mark  chat.MarkUnread // where what nobody has seen begins
	Looks
}

// Looks are the settings of a room that are a face's business.
type Looks struct {
	Notify        string
	NotifyText    bool
	NotifyCommand []string
	Mouse, Title  bool
	Clock         string // a layout of times, or a name of one
	Keys          map[string]string
}

// LooksOf are those of a plan.
func LooksOf(p *Plan) Looks {
	if p.Settings == nil {
		return Looks{Title: true} // a demonstration
	}
	v := p.Values
	return Looks{v.Text("notify"), v.On("notify_text"), v.List("notify_command"), v.On("mouse"), v.On("title"),
		p.Flags.Clock, p.Settings.Keys}
}

func (l *Looks) set(c chat.SettingKept) {
	on := c.Value == "on"
	switch c.Name {
	case "notify":
		l.Notify = c.Value
	case "notify_text":
		l.NotifyText = on
	case "mouse":
		l.Mouse = on
	case "title":
		l.Title = on
	case "time":
		l.Clock = c.Value
	}
}
