package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	proto "coterie/room"
)

const (
	// watchEvery is how often is looked for rooms that were opened or closed elsewhere.
	watchEvery = 2 * time.Second
	// maxSent is of how many messages of ours it is known who has them.
	maxSent = 1000
)

// A room is one that pages show, all by one visit: what they want goes to it, and what it tells goes
// into the feed.
type room struct {
	id    string
	visit house.Visit
	s     *Server

	mu    sync.Mutex // of what is below: a page asks, too
	state *chat.State
	sent  map[ake.Hash]*chat.Receipt
	order []ake.Hash // of sent, the oldest first
	// mark is where what nobody has seen begins, unread and named are how much that is.
	mark          ake.Hash
	counts        bool
	unread, named int
	over          string // why there is nothing more; empty: there is
	// viewed is how the room stood, unless something has changed it since; names are their version.
	viewed []byte
	names  int

	asked []asked // what pages want to be told, the oldest first

	uploads map[string][]string    // folders of files that are sent, by their refs
	saves   map[string]chan string // whom a saved file is for, by its folder

	asking  sync.Mutex        // one question at a time for older messages
	earlier chan chat.Earlier // what answers it
}

// watch visits rooms that are open, until the server is closed.
func (s *Server) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s.look()
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
	}
}

// look visits the rooms that are open and not visited yet.
func (s *Server) look() {
	s.looking.Lock()
	defer s.looking.Unlock()
	open, err := s.cfg.Source.Open()
	if err != nil {
		return // the visits tell
	}
	for _, id := range open {
		s.mu.Lock()
		r := s.rooms[id]
		known := r != nil && !r.ended()
		s.mu.Unlock()
		if known || s.ctx.Err() != nil {
			continue
		}
		v, err := s.cfg.Source.Visit(id)
		if err != nil {
			continue // it was closed just now
		}
		w := v.Hello()
		r = &room{id: id, visit: v, s: s, state: chat.NewState(w.About, s.cfg.Now()), mark: w.Mark.ID,
			sent: make(map[ake.Hash]*chat.Receipt), earlier: make(chan chat.Earlier, 1),
			uploads: make(map[string][]string), saves: make(map[string]chan string)}
		s.mu.Lock()
		s.rooms[id] = r
		s.mu.Unlock()
		view, counts := r.stands()
		s.feed.begin(id, view, counts)
		go r.follow()
	}
}

// find is the room of an id.
func (s *Server) find(id string) (*room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[id]; r != nil {
		return r, nil
	}
	return nil, cli.Fail("not-open", "this room is not open").Hint("coterie join ROOM opens it")
}

func (r *room) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over != ""
}

// follow tells the feed what happens, until the visit is over.
func (r *room) follow() {
	defer r.visit.Close()
	for {
		events, err := r.visit.Next()
		for _, e := range events {
			r.take(e)
			if bye, ok := e.What.(chat.Bye); ok {
				r.finish("you " + map[bool]string{true: "went away", false: "left"}[bye.Away])
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			r.finish("it was closed")
			return
		case err != nil:
			r.finish(cli.Describe(err).Text)
			return
		}
		r.tell()
	}
}

// finish notes that nothing more comes.
func (r *room) finish(why string) {
	r.mu.Lock()
	r.over, r.viewed = cli.Clean(why), nil
	r.mu.Unlock()
	r.tell()
}

// stands is how the room stands, and how much of it nobody has seen, as lines of the feed.
func (r *room) stands() (view, counts []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v := r.state.Names.Version(); r.viewed == nil || v != r.names {
		r.names = v
		r.viewed = encoded(struct {
			Room string    `json:"room"`
			View chat.View `json:"view"`
			Over string    `json:"over,omitempty"`
		}{r.id, r.state.View(), r.over})
	}
	mark := ""
	if r.mark != (ake.Hash{}) {
		mark = lines.ID(r.mark)
	}
	counts = encoded(struct {
		Room   string `json:"room"`
		Unread int    `json:"unread"`
		Named  int    `json:"named"`
		Mark   string `json:"mark,omitempty"`
	}{r.id, r.unread, r.named, mark})
	return r.viewed, counts
}

// tell tells the feed how the room stands, if that has changed.
func (r *room) tell() {
	view, counts := r.stands()
	r.s.feed.stands(r.id, view, counts)
}

// encoded is a line of what can be encoded. encoding/json escapes what could be markup.
func encoded(what any) []byte {
	b, err := json.Marshal(what)
	if err != nil {
		panic("coterie: " + err.Error()) // all of it is made here
	}
	return b
}

// A line is a chat.Line, for a page.
type line struct {
	Kind    string   `json:"kind"`
	Step    string   `json:"step,omitempty"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	Hints   []string `json:"hints,omitempty"`
}

var lineKinds = map[chat.Kind]string{chat.Note: "note", chat.Aside: "aside", chat.Alarm: "alarm", chat.Step: "step",
	chat.Standing: "step", chat.Trying: "trying", chat.Warn: "warn", chat.Calm: "calm", chat.Missing: "missing",
	chat.Arrived: "arrived", chat.Mark: "mark", chat.Question: "question",
	chat.Above: "about", chat.Below: "about"} // these it shows where the message is

func linesOf(said []chat.Line) (out []line) {
	clean := func(all []string) (out []string) {
		for _, s := range all {
			out = append(out, cli.Clean(s))
		}
		return out
	}
	for _, l := range said {
		out = append(out, line{lineKinds[l.Kind], l.Step, cli.Clean(l.Text), clean(l.Details), clean(l.Hints)})
	}
	return out
}

// A happening is a line of the feed: what happened, as the objects of JSON lines, and the words that
// faces have for it.
type happening struct {
	Room   string            `json:"room"`
	At     string            `json:"at"`
	Before bool              `json:"before,omitempty"` // the page came
	Events []json.RawMessage `json:"events,omitempty"`
	Said   []line            `json:"said,omitempty"`
	Drawn  *drawn            `json:"drawn,omitempty"`
	Found  []drawn           `json:"found,omitempty"`
	Answer *told             `json:"answer,omitempty"`
	For    string            `json:"for,omitempty"` // the page that asked for the answer
}

// drawn is how a message is drawn: its words cleaned, as on every face.
type drawn struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Text   string          `json:"text"`
	At     string          `json:"at"`
	To     string          `json:"to,omitempty"`
	Closed string          `json:"closed,omitempty"` // what stands in the place of its words
	Quote  string          `json:"quote,omitempty"`  // what it answers
	React  []reaction      `json:"react,omitempty"`
	Whole  bool            `json:"whole,omitempty"` // React are all, and not the one that is new
	File   string          `json:"file,omitempty"`  // its name
	Event  json.RawMessage `json:"event,omitempty"`
}

type reaction struct {
	By   peer.ID `json:"by"`
	Text string  `json:"text"`
}

// told is an answer that is a text.
type told struct {
	To    string   `json:"to,omitempty"` // the command, by its name
	Title string   `json:"title"`
	Lines []string `json:"lines"`
}

func draw(s *chat.State, d proto.Delivered) *drawn {
	out := &drawn{ID: lines.ID(d.ID), Name: s.Names.Show(d.Author.Peer), Text: words(d.Message.Text),
		At: lines.Stamp(d.ShownAt()), To: cli.Clean(d.To), Closed: chat.Closed(d)}
	if d.ReplyTo != (ake.Hash{}) {
		out.Quote = s.QuoteLine(d)
	}
	if d.File != nil {
		out.File = chat.FileName(d.File.Name)
	}
	out.React = reactions(d.Reactions)
	return out
}

func reactions(all []proto.Reaction) (out []reaction) {
	for _, c := range chat.Reacted(all) {
		for _, p := range c.By {
			out = append(out, reaction{p, c.Text})
		}
	}
	return out
}

// drawChange is what was said about a message, in the form of that.
func drawChange(s *chat.State, c proto.Changed) *drawn {
	out := &drawn{ID: lines.ID(c.Target), Name: s.Names.Show(c.By.Peer), Text: words(c.Text), At: lines.Stamp(c.At())}
	all := c.Shown
	if out.Whole = all != nil; !out.Whole {
		all = []proto.Reaction{{By: c.By.Peer, Text: c.Text}}
	}
	out.React = reactions(all)
	return out
}

// words are what somebody said, as every face shows it.
func words(said string) string {
	all := strings.Split(strings.ReplaceAll(said, "\r\n", "\n"), "\n")
	for i := range all {
		all[i] = people.MarkHosts(cli.Clean(all[i]))
	}
	return strings.Join(all, "\n")
}

// stays are the events that who comes new is told of, by their names.
var stays = []string{`"message"`, `"opened"`, `"sent"`, `"reaction"`, `"edited"`, `"withdrawn"`, `"file"`, `"delivered"`, `"bye"`}

// take has the state take an event, and tells the feed.
func (r *room) take(e chat.Event) {
	r.mu.Lock()
	said := r.state.Take(e)
	switch e.What.(type) {
	case proto.Delivered, proto.Opened, proto.Changed, proto.Reached, proto.Sent, chat.Earlier, chat.Found:
	default:
		r.viewed = nil
	}
	if earlier, ok := e.What.(chat.Earlier); ok {
		r.mu.Unlock()
		select {
		case r.earlier <- earlier:
		default: // nobody waits for it any more
		}
		return
	}
	switch w := e.What.(type) {
	case chat.Saved:
		r.saved(w)
	case chat.NotDone:
		r.unsaved(w.Err.Code)
	}
	if _, ok := e.What.(chat.Saved); ok || e.When == chat.Known { // a page asked for the file, and has it
		r.mu.Unlock()
		return
	}
	h := happening{Room: r.id, At: lines.Stamp(e.At), Before: e.When != chat.Now, Said: linesOf(said)}
	h.Events = objects(r.state, e, r.s.cfg.Now)
	if _, first := e.What.(chat.Ready); first {
		h.Said = nil // the view has it, and goes on to be true
	}
	keep := len(h.Said) > 0
	switch w := e.What.(type) {
	case proto.Delivered:
		h.Drawn = draw(r.state, w)
		r.count(w, e.When)
	case proto.Opened:
		h.Drawn = draw(r.state, w.Delivered)
	case proto.Changed:
		h.Drawn = drawChange(r.state, w)
		for i := range h.Said {
			h.Said[i].Kind = "about"
		}
	case proto.Held:
		r.taken(w.Ref)
	case chat.Rejected:
		r.taken(w.Ref)
	case proto.Sent:
		r.taken(w.Ref)
		r.note(w.ID, &chat.Receipt{Readers: w.Readers, Missing: w.Readers})
	case proto.Reached:
		if got := r.sent[w.ID]; got != nil {
			got.Missing = w.Missing
		}
	case chat.Found:
		h.For, _ = w.Ref.(string)
		for _, d := range w.Messages {
			h.Found = append(h.Found, *draw(r.state, d))
		}
	case chat.Answer:
		h.For = r.asker(w.To)
		h.Answer = &told{strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", w.To), "chat.")), w.Title, w.Lines}
		if h.Answer.Lines == nil {
			h.Answer.Lines = []string{}
		}
	}
	r.mu.Unlock()
	for _, o := range h.Events {
		name, _, _ := bytes.Cut(bytes.TrimPrefix(o, []byte(`{"event":`)), []byte(","))
		keep = keep || slices.Contains(stays, string(name))
	}
	if len(h.Events) == 0 && len(h.Said) == 0 && h.Answer == nil {
		return
	}
	r.s.feed.put(r.id, encoded(h), keep)
}

// objects are the objects of JSON lines that an event is.
func objects(s *chat.State, e chat.Event, now func() time.Time) (out []json.RawMessage) {
	switch e.What.(type) {
	case chat.Snapshot, chat.PathChanged:
		return nil // the view has what lasts of it
	}
	var b bytes.Buffer
	lines.NewJSON(&b, now).Show(s, e, nil)
	for o := range bytes.Lines(b.Bytes()) {
		out = append(out, json.RawMessage(bytes.TrimSpace(o)))
	}
	return out
}

// note keeps who has a message of ours. The caller has the lock, as for count.
func (r *room) note(id ake.Hash, got *chat.Receipt) {
	r.sent[id] = got
	if r.order = append(r.order, id); len(r.order) > maxSent {
		delete(r.sent, r.order[0])
		r.order = r.order[1:]
	}
}

// count counts what nobody has seen.
func (r *room) count(d proto.Delivered, when chat.When) {
	r.counts = r.counts || d.ID == r.mark
	if d.Self || d.Reading == proto.Unread || !r.counts && (d.History || when != chat.Now) {
		return
	}
	if r.mark == (ake.Hash{}) {
		r.mark, r.counts = d.ID, true
	}
	r.unread++
	if r.state.NamesMe(d.Message.Text) {
		r.named++
	}
}
