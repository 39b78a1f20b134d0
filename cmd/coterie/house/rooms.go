package house

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
)

const (
	// maxRooms is how many rooms a process has open at a time.
	maxRooms = 64
	// partTime is how long going away from all rooms may take.
	partTime = 20 * time.Second
)

// An Open is a room of a house. It goes on whether somebody looks or not, until it is closed.
type Open struct {
	*Hub
	ID   ake.Hash
	Name string

	room *Room
	done chan struct{} // closed when it is closed
}

// An Entry is what a list says of an open room.
type Entry struct {
	ID       string `json:"id"`
	Room     string `json:"room"`
	Domain   string `json:"domain"`
	Policy   string `json:"policy"`
	Readers  int    `json:"readers"`
	Away     int    `json:"away"`
	Unread   int    `json:"unread"`
	Mentions int    `json:"mentions"`
	Faces    int    `json:"faces"`
	Health   string `json:"health"`
}

// Open opens one more room, or finds that it is open: fresh is false then.
func (h *House) Open(name string, f Flags, out Joiner) (o *Open, fresh bool, err error) {
	if f.Ephemeral {
		return nil, false, cli.Usage("--ephemeral: a room of which nothing is kept has a process of its own")
	}
	p, err := h.Plan(name, f, nil, out)
	if err != nil {
		return nil, false, err
	}
	h.opening.Lock()
	defer h.opening.Unlock()
	id := p.Descriptor.ID()
	h.mu.Lock()
	o, full, closing := h.rooms[id], len(h.rooms) >= maxRooms, h.closing
	h.mu.Unlock()
	switch {
	case o != nil:
		return o, false, nil
	case closing:
		return nil, false, cli.Fail("closing", "this process is about to end")
	case full:
		return nil, false, cli.Fail("too-many-rooms", "%d rooms are open", maxRooms).Hint("coterie close ROOM")
	}
	hub := &Hub{guests: make(map[*Guest]bool), looks: LooksOf(p), word: health.OK}
	r, err := h.Begin(p, out, hub)
	if err != nil {
		return nil, false, err
	}
	hub.room, hub.mark = r.Room, r.Unread()
	hub.base = chat.NewState(r.About(), h.Now())
	o = &Open{Hub: hub, ID: id, Name: p.Descriptor.Name, room: r, done: make(chan struct{})}
	h.mu.Lock()
	if h.rooms == nil {
		h.rooms = make(map[ake.Hash]*Open)
	}
	h.rooms[id] = o
	h.mu.Unlock()
	go h.live(o)
	return o, true, nil
}

// live takes part in a room until it is left.
func (h *House) live(o *Open) {
	defer close(o.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := o.room.Start(ctx)
	err := o.room.Run(ctx, o.room.Events(), ended, nil)
	o.room.Close()
	h.mu.Lock()
	delete(h.rooms, o.ID)
	h.mu.Unlock()
	o.end(err)
	if err != nil && h.Failed != nil {
		h.Failed(o.Name, cli.Describe(err))
	}
}

// Close goes away from a room, and returns when it is closed.
func (o *Open) Close() {
	go o.room.Do(context.Background(), chat.Quit{}) // waits only as long as the room lives
	<-o.done
}

// Shut goes away from all rooms, and opens no more.
func (h *House) Shut() {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	h.opening.Lock() // what is being opened is open, and closed too
	defer h.opening.Unlock()
	all := h.All()
	for _, o := range all {
		go o.Close()
	}
	late := time.After(partTime)
	for _, o := range all {
		select {
		case <-o.done:
		case <-late:
			return
		}
	}
}

// All are the rooms that are open, by name.
func (h *House) All() []*Open {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*Open
	for _, o := range h.rooms {
		out = append(out, o)
	}
	slices.SortFunc(out, func(x, y *Open) int {
		if c := strings.Compare(x.Name, y.Name); c != 0 {
			return c
		}
		return slices.Compare(x.ID[:], y.ID[:])
	})
	return out
}

// Find is the open room of a name, or of an id.
func (h *House) Find(name string) (*Open, error) {
	var found []*Open
	for _, o := range h.All() {
		if o.Name == name || hex.EncodeToString(o.ID[:]) == name {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return nil, cli.Fail(control.NotRunning, "%s is not open", cli.Clean(name)).Hint("coterie join %s", cli.Quote(name))
	case 1:
		return found[0], nil
	}
	var all []Entry
	for _, o := range found {
		all = append(all, o.entry())
	}
	return nil, ambiguous(name, all)
}

// ambiguous says that several rooms of a name are open.
func ambiguous(name string, all []Entry) *cli.Error {
	e := cli.Fail("ambiguous", "%d rooms called %s are open", len(all), cli.Clean(name))
	for _, o := range all {
		e.Detail(o.ID + "   " + cli.Clean(o.Policy))
	}
	return e.Hint("give the long number in the place of the name")
}

// List is what is to be said of the rooms that are open.
func (h *House) List() []Entry {
	out := []Entry{}
	for _, o := range h.All() {
		out = append(out, o.entry())
	}
	return out
}

func (o *Open) entry() Entry {
	about := o.room.About()
	o.mu.Lock()
	defer o.mu.Unlock()
	return Entry{
		ID: hex.EncodeToString(o.ID[:]), Room: o.Name, Domain: about.Domain, Policy: about.Policy, Readers: o.readers,
		Away: o.away, Unread: o.unread, Mentions: o.mentions, Faces: len(o.guests), Health: string(o.word),
	}
}

// Share has the rooms of this process share what can be shared between them: the cores that
// attribute-based work takes. Nothing that others could see.
func (h *House) Share() { h.workers = node.NewWorkers() }
