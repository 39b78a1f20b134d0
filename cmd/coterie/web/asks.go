package web

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	proto "coterie/room"
)

// What a page asks. Each is a POST with one JSON object; the answer is one, with "error" in it if it
// was not done.

func badInput() error {
	return cli.Fail("bad-input", "no question of this version").Hint("docs/INTERFACE.md has all")
}

// ask reads a question about a room; nil: it was answered.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, to any, id *string) *room {
	if !read(r, to) {
		refuse(w, http.StatusBadRequest, badInput())
		return nil
	}
	found, err := s.find(*id)
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return nil
	}
	return found
}

// do does what the user wants: a command of JSON lines, or what was typed.
func (s *Server) do(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Room    string          `json:"room"`
		Command json.RawMessage `json:"command"`
		Typed   string          `json:"typed"`
		Ref     string          `json:"ref"`
		Page    string          `json:"page"` // what the page calls itself: it is answered, and no other
	}
	room := s.ask(w, r, &q, &q.Room)
	if room == nil {
		return
	}
	var c chat.Command
	switch {
	case q.Typed != "" && q.Command == nil:
		c = chat.Parse(q.Typed)
		if say, ok := c.(chat.Say); ok && q.Ref != "" {
			say.Ref = q.Ref
			c = say
		}
	case len(q.Command) > 0 && q.Command[0] == '{' && q.Typed == "":
		c = lines.ParseJSON(string(q.Command))
	default:
		refuse(w, http.StatusBadRequest, badInput())
		return
	}
	if err := notHere(c); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	if room.ended() {
		refuse(w, http.StatusGone, cli.Fail("room-closed", "this room is closed"))
		return
	}
	if len(q.Page) > maxPageName {
		refuse(w, http.StatusBadRequest, badInput())
		return
	}
	if w, is := c.(chat.Search); is {
		w.Ref = q.Page // it comes back with what is found
		c = w
	}
	room.asks(c, q.Page)
	if !room.visit.TryDo(c) {
		refuse(w, http.StatusServiceUnavailable, cli.Fail("busy", "too much is waiting").Hint("wait a moment, and once more"))
		return
	}
	answer(w, map[string]bool{"ok": true})
}

// notHere says why a command is none of a page's. Those that are one are listed: a page, or what has
// crept into it, names no files of this computer, whatever commands there will be.
func notHere(c chat.Command) error {
	switch w := c.(type) {
	case chat.Bad:
		return w.Err
	case chat.Say, chat.Nick, chat.Rekey, chat.Drop, chat.SendHeld, chat.ShowHeld, chat.Ping, chat.Prove, chat.Allow,
		chat.Ignore, chat.Cut, chat.Search, chat.Status, chat.Who, chat.Info, chat.Whois, chat.Link, chat.Help, chat.Peers,
		chat.Ignores, chat.To, chat.Questions, chat.Reply, chat.Set, chat.Recent, chat.Fetch,
		chat.Stop, chat.Files:
		return nil
	case chat.Quit:
		if w.Leave {
			return nil
		}
		return cli.Fail("not-here", "closing the page is enough: the rooms stay open").
			Hint("Ctrl+C in the terminal where coterie web runs goes away; /leave leaves this room for good")
	}
	return cli.Fail("not-here", "a page does not do that: it names no files of this computer").
		Hint("coterie join ROOM, in a terminal, does")
}

// seen takes that somebody looks at a room.
func (s *Server) seen(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Room string `json:"room"`
	}
	room := s.ask(w, r, &q, &q.Room)
	if room == nil {
		return
	}
	room.mu.Lock()
	marked := room.mark != (ake.Hash{})
	room.mark, room.counts, room.unread, room.named = ake.Hash{}, false, 0, 0
	room.mu.Unlock()
	if marked {
		room.visit.TryDo(chat.MarkUnread{})
		room.tell()
	}
	answer(w, map[string]bool{"ok": true})
}

// olderTime is how long older messages are waited for.
const olderTime = 30 * time.Second

// older gives messages from before a time, the oldest first.
func (s *Server) older(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Room   string    `json:"room"`
		Before time.Time `json:"before"`
		Count  int       `json:"count"`
	}
	room := s.ask(w, r, &q, &q.Room)
	if room == nil {
		return
	}
	room.asking.Lock()
	defer room.asking.Unlock()
	select {
	case <-room.earlier: // of who waits no more
	default:
	}
	// What was said in the same moment may be known already: the page sees to that.
	c := chat.Older{Before: q.Before.Add(time.Millisecond), Count: min(max(q.Count, 1), 5000)}
	if room.ended() || !room.visit.TryDo(c) {
		refuse(w, http.StatusServiceUnavailable, cli.Fail("busy", "older messages cannot be read now"))
		return
	}
	var got chat.Earlier
	select {
	case got = <-room.earlier:
	case <-time.After(olderTime):
		refuse(w, http.StatusServiceUnavailable, cli.Fail("busy", "older messages cannot be read now"))
		return
	case <-r.Context().Done():
		return
	}
	out := struct {
		Messages []drawn  `json:"messages"`
		Gone     []string `json:"gone"`
		All      bool     `json:"all"`
	}{[]drawn{}, []string{}, got.All}
	room.mu.Lock()
	for _, m := range got.Messages {
		m.History = true
		d := draw(room.state, m)
		d.Event = json.RawMessage(bytes.TrimSpace(lines.Escaped(lines.Message("message", room.state, m).Close())))
		out.Messages = append(out.Messages, *d)
	}
	for _, g := range got.Gone {
		out.Gone = append(out.Gone, cli.Clean(room.state.ShortenedText(g, s.cfg.Now())))
	}
	room.mu.Unlock()
	answer(w, out)
}

// readers says who could read a message.
func (s *Server) readers(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Room  string `json:"room"`
		ID    string `json:"id"`
		Epoch string `json:"epoch"`
		To    string `json:"to"`
	}
	room := s.ask(w, r, &q, &q.Room)
	if room == nil {
		return
	}
	id, bad := hashOf(q.ID)
	epoch, worse := hashOf(q.Epoch)
	if bad || worse {
		refuse(w, http.StatusBadRequest, badInput())
		return
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	answer(w, told{"", "Who can read this message", room.state.ReadersText(epoch, q.To, room.sent[id])})
}

func hashOf(s string) (h ake.Hash, bad bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, true
	}
	copy(h[:], b)
	return h, false
}

// link says what room a link is of: nothing is dialled for that.
func (s *Server) link(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Link string `json:"link"`
	}
	if !readLink(w, r, &q, &q.Link) {
		return
	}
	l, err := proto.ParseLink(q.Link)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, chat.LinkError(err))
		return
	}
	answer(w, told{"", "Join?", chat.LinkText(l)})
}

// readLink reads a request with a link in it, as it was pasted. If there is none, that is answered.
func readLink(w http.ResponseWriter, r *http.Request, q any, link *string) bool {
	if !read(r, q) {
		refuse(w, http.StatusBadRequest, badInput())
		return false
	}
	if *link = proto.Pasted(*link); !proto.IsLink(*link) {
		refuse(w, http.StatusUnprocessableEntity, cli.Fail("link-not", "that is not a link").
			Hint("a link begins with coterie: and comes from /link, or from the QR code of somebody in the room"))
		return false
	}
	return true
}

// join opens a room of a link, with a key.
func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Link       string `json:"link"`
		Key        string `json:"key"`
		Nick       string `json:"nick"`
		Passphrase string `json:"passphrase"`
	}
	if !readLink(w, r, &q, &q.Link) {
		return
	}
	f := house.Flags{Key: q.Key, Nick: q.Nick}
	f.Given = func(flag string) bool { return flag == "key" && q.Key != "" || flag == "nick" && q.Nick != "" }
	f.Ask = func() ([]byte, error) {
		if q.Passphrase == "" {
			return nil, cli.Fail("needs-passphrase", "your identity has a passphrase").Hint("give it below, and once more")
		}
		return []byte(q.Passphrase), nil
	}
	var t teller
	id, err := s.cfg.Source.Join(q.Link, f, &t)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	s.look()
	// What is warned of stands in the room: how what is said there is kept, for one.
	if warned := t.warned(); len(warned) > 0 {
		s.feed.put(id, encoded(happening{Room: id, At: lines.Stamp(s.cfg.Now()), Said: warned}), true)
	}
	answer(w, map[string]any{"room": id})
}

// keys are the key files that are known.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	keys := []string{}
	var rooms []profile.Room
	if s.cfg.Rooms != nil {
		rooms, _ = s.cfg.Rooms() // without them a key is typed
	}
	for _, known := range rooms {
		if !slices.Contains(keys, known.Key) {
			keys = append(keys, known.Key)
		}
	}
	answer(w, map[string][]string{"keys": keys})
}

// doctor looks at this computer and a room.
func (s *Server) doctor(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Room string `json:"room"`
	}
	if !read(r, &q) {
		refuse(w, http.StatusBadRequest, badInput())
		return
	}
	name := ""
	if q.Room != "" {
		room, err := s.find(q.Room)
		if err != nil {
			refuse(w, http.StatusNotFound, err)
			return
		}
		name = room.state.Name // it does not change
	}
	if s.cfg.Doctor == nil || !s.doctored.TryLock() {
		refuse(w, http.StatusServiceUnavailable, cli.Fail("busy", "the doctor looks already"))
		return
	}
	defer s.doctored.Unlock()
	var out bytes.Buffer
	err := s.cfg.Doctor(name, &out)
	checks := []json.RawMessage{}
	for o := range bytes.Lines(out.Bytes()) {
		checks = append(checks, json.RawMessage(bytes.TrimSpace(o)))
	}
	if len(checks) == 0 && err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	answer(w, map[string]any{"checks": checks})
}
