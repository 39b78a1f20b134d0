package house

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

func readerOf(b []byte) io.Reader { return bytes.NewReader(b) }

// A Home is a house in another process of this profile.
type Home struct {
	path    string
	PID     int
	Version string
}

// FindHome finds the house that runs; nil: none does.
func FindHome(p *profile.Profile) (*Home, error) {
	dir, err := p.RuntimeDir()
	if err != nil {
		return nil, nil // there can be none
	}
	path := filepath.Join(dir, socketName)
	conn, g, err := control.Visit(path)
	var silent *control.SilentError
	if errors.As(err, &silent) {
		return nil, cli.Fail("no-answer", "coterie up does not answer").Because(err)
	}
	if err != nil {
		return nil, nil
	}
	conn.Close()
	return &Home{path, g.PID, g.Version}, nil
}

// ask asks, and has more take each line of the answer until it returns true.
func (h *Home) ask(q request, within time.Duration, more func(answer) bool) (net.Conn, *bufio.Reader, error) {
	conn, _, err := control.Visit(h.path)
	if err != nil {
		return nil, nil, err
	}
	conn.SetDeadline(time.Now().Add(within))
	line, err := json.Marshal(q)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	in := bufio.NewReaderSize(conn, 1<<20)
	for err == nil {
		var a answer
		if line, err = in.ReadSlice('\n'); err != nil {
			break
		}
		if err = json.Unmarshal(line, &a); err != nil {
			break
		}
		if a.Error != nil {
			err = a.Error.err()
			break
		}
		if more(a) {
			return conn, in, nil
		}
	}
	conn.Close()
	if e := (*cli.Error)(nil); !errors.As(err, &e) {
		err = cli.Fail("no-answer", "coterie up did not answer").Because(err)
	}
	return nil, nil, err
}

// List are the rooms that are open there.
func (h *Home) List() (out []Entry, err error) {
	conn, _, err := h.ask(request{List: true}, askTime, func(a answer) bool { out = a.Rooms; return true })
	if err == nil {
		conn.Close()
	}
	return out, err
}

// Find is the room of a name or an id; false: it is not open there.
func (h *Home) Find(name string) (Entry, bool, error) {
	all, err := h.List()
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Room == name || e.ID == name })
	if err != nil || i < 0 {
		return Entry{}, false, err
	}
	return all[i], true, nil
}

// Open has a room opened there, and says how that goes. It asks for the passphrase if one is
// needed. It returns the room's id, and whether it was not open before.
func (h *Home) Open(name string, f Flags, out Joiner) (id string, fresh bool, err error) {
	q := openRequest{Room: name, Flags: f}
	for _, flag := range []string{"key", "policy", "bootstrap", "listen", "nick", "history", "keep", "identity",
		"passphrase-file", "notice", "time", "color", "log", "metrics"} {
		if f.Given(flag) {
			q.Given = append(q.Given, flag)
		}
	}
	for _, path := range []*string{&q.Flags.Key, &q.Flags.Identity, &q.Flags.PassphraseFile, &q.Flags.Notice,
		&q.Flags.Log} {
		if *path != "" {
			if *path, err = filepath.Abs(*path); err != nil {
				return "", false, err
			}
		}
	}
	try := func() error {
		conn, _, err := h.ask(request{Open: &q}, openTime, func(a answer) bool {
			switch {
			case a.Step != "":
				out.Step(a.Step, a.Text)
			case a.Warning != nil:
				out.Warn(a.Warning.err())
			}
			id, fresh = a.ID, a.Fresh
			return a.OK
		})
		if err == nil {
			conn.Close()
		}
		return err
	}
	err = try()
	if e := cli.Describe(err); err != nil && e.Code == codePassphrase {
		word, bad := cli.Passphrase("Passphrase of your identity:", cli.PassphraseOptions{})
		if bad != nil {
			return "", false, bad
		}
		q.Passphrase = string(word)
		clear(word)
		err = try()
	}
	return id, fresh, err
}

// Close has a room closed there: it goes away.
func (h *Home) Close(name string) error {
	conn, _, err := h.ask(request{Close: name}, openTime, func(a answer) bool { return a.OK })
	if err == nil {
		conn.Close()
	}
	return err
}

// Say says something in a room there, and waits until it is sent.
func (h *Home) Say(ctx context.Context, name, text, to string, linger time.Duration) error {
	r, err := h.Attach(name, false)
	if err != nil {
		return err
	}
	defer r.Close()
	late := time.AfterFunc(linger, func() { r.flush(); r.Close() })
	defer late.Stop()
	const ref = "said"
	r.Do(ctx, chat.Say{Ref: ref, Text: text, To: to})
	for {
		events, err := r.Next()
		if errors.Is(err, io.EOF) {
			return cli.Fail("waits", "nobody can read it yet: it waits, and is sent when somebody can").
				Hint("coterie status %s", cli.Quote(name))
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			switch w := e.What.(type) {
			case room.Sent:
				if w.Ref == ref {
					return nil
				}
			case chat.Rejected:
				if w.Ref == ref {
					return w.Err
				}
			case chat.Kept:
				if w.Ref == ref {
					return cli.Fail("waits", "the room was closed before it was sent: it waits on the disk")
				}
			}
		}
	}
}

// A Visit is how a face has a room, in this process or in another.
type Visit interface {
	// Next waits for what happens next. The error is io.EOF when there is nothing more.
	Next() ([]chat.Event, error)
	// TryDo has the room do something, Do waits if too much is waiting.
	TryDo(c chat.Command) bool
	Do(ctx context.Context, c chat.Command)
	Hello() Welcome
	// Close ends the visit, and not the room.
	Close()
}

// Hello is what the face was told at first.
func (w Welcome) Hello() Welcome { return w }

// Follow shows a face what happens in a room until that is left, or the visit is over.
func Follow(v Visit, face chat.Face, now func() time.Time) error {
	w := v.Hello()
	s := chat.NewState(w.About, now())
	for {
		events, err := v.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			said := s.Take(e)
			face.Show(s, e, said)
			if face.Broken() != nil {
				v.Close()
				return nil
			}
			if _, over := e.What.(chat.Bye); over {
				return nil
			}
		}
	}
}

// A Remote is the visit of a face to a room in another process.
type Remote struct {
	Welcome
	conn    net.Conn
	in      *chat.EventReader
	out     chan []byte   // nil is the last
	written chan struct{} // closed when nothing more is written
	closed  chan struct{}
	once    sync.Once

	mu      sync.Mutex
	refs    map[uint64]any // of what was asked for, until it is answered
	last    uint64
	pending map[uint64]bool // messages that nothing has become of
}

// Attach has a face come to a room there. watches: a person looks at it.
func (h *Home) Attach(name string, watches bool) (*Remote, error) {
	if mine := cli.ProgramVersion(); h.Version != mine {
		return nil, cli.Fail("other-version", "coterie up is of version %s, and this is %s", cli.Clean(h.Version), mine).
			Hint("start coterie up again")
	}
	r := &Remote{
		out: make(chan []byte, 1024), written: make(chan struct{}), closed: make(chan struct{}),
		refs: make(map[uint64]any), pending: make(map[uint64]bool),
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
		case line := <-r.out:
			if line == nil {
				return // there is nothing more
			}
			if _, err := r.conn.Write(line); err != nil {
				return // Next tells
			}
		case <-r.closed:
			return
		}
	}
}

// flush has all that was wanted written. Nothing is after that.
func (r *Remote) flush() {
	late := time.After(flushTime)
	select {
	case r.out <- nil:
	case <-r.written:
	case <-late:
	}
	select {
	case <-r.written:
	case <-late:
	}
}

// flushTime is how long a window that closes waits until all that was typed is out.
const flushTime = 2 * time.Second

// errLost ends a visit whose house is gone.
func errLost(err error) error {
	return cli.Fail("up-ended", "coterie up has ended, or let this window go").
		Hint("coterie join ROOM opens it again").Because(err)
}

// Next is of Visit.
func (r *Remote) Next() ([]chat.Event, error) {
	events, err := r.in.Read()
	if err != nil {
		select {
		case <-r.closed:
			return nil, io.EOF
		default:
		}
		if e := (*cli.Error)(nil); errors.As(err, &e) {
			return nil, e
		}
		return nil, errLost(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range events {
		switch w := e.What.(type) {
		case room.Sent:
			w.Ref = r.answered(w.Ref)
			events[i].What = w
		case room.Held:
			w.Ref = r.own(w.Ref)
			events[i].What = w
		case chat.Rejected:
			w.Ref = r.answered(w.Ref)
			events[i].What = w
		case chat.Kept:
			w.Ref = r.answered(w.Ref)
			events[i].What = w
		case chat.Found:
			w.Ref = r.answered(w.Ref)
			events[i].What = w
		case chat.Answer:
			if to, ok := w.To.(chat.ShowHeld); ok {
				to.Ref = r.answered(to.Ref)
				w.To = to
				events[i].What = w
			}
		}
	}
	return events, nil
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
		r.pending[r.last] = true
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

func (r *Remote) line(c chat.Command) []byte {
	switch w := c.(type) {
	case chat.Say:
		w.Ref = r.number(w.Ref, true)
		c = w
	case chat.Search:
		w.Ref = r.number(w.Ref, false)
		c = w
	case chat.ShowHeld:
		w.Ref = r.number(w.Ref, false)
		c = w
	case chat.Notice: // the other process has another folder
		if path, err := filepath.Abs(w.File); err == nil {
			w.File = path
		}
		c = w
	}
	line, err := chat.EncodeCommand(c)
	if err != nil {
		line, _ = chat.EncodeCommand(chat.Bad{Err: cli.Fail("bad-input", "that cannot be done from here")})
	}
	return append(line, '\n')
}

// TryDo is of Visit.
func (r *Remote) TryDo(c chat.Command) bool {
	select {
	case r.out <- r.line(c):
		return true
	default:
		return false
	}
}

// Do is of Visit.
func (r *Remote) Do(ctx context.Context, c chat.Command) {
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
