package house

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/node/store"
)

// The socket of a house: one line that asks, and what answers it. A face that attaches gets
// events from then on, and sends commands. docs/INTERFACE.md has what programs may use.

const (
	// socketName is that of a house's socket, beside those of rooms.
	socketName = "home"
	// askTime is for one question and its answer, openTime for opening a room.
	askTime  = 10 * time.Second
	openTime = 2 * time.Minute
	// writeTime is how long a face may take to take what was written.
	writeTime = 30 * time.Second
	// maxCommand is how long a line with a command of a face's may be: any message goes into one.
	maxCommand = 128 << 10
	// maxVisits is how many visitors there are at a time, maxShare how many of one process.
	maxVisits, maxShare = 256, 80
)

// A request is what can be asked: one of these.
type request struct {
	List   bool         `json:"list,omitempty"`
	Open   *openRequest `json:"open,omitempty"`
	Attach string       `json:"attach,omitempty"` // a room's name or id
	As     string       `json:"as,omitempty"`     // what it gets: lines; or events, for this program's own faces
	// Watches: a person looks at the face, and has seen what it shows.
	Watches bool   `json:"watches,omitempty"`
	Close   string `json:"close,omitempty"`
}

type openRequest struct {
	Room       string   `json:"room"`
	Flags      Flags    `json:"flags"`
	Given      []string `json:"given"`
	Passphrase string   `json:"passphrase,omitempty"`
}

// An answer is one line of what answers a request: the last one has OK, or Error.
type answer struct {
	OK      bool     `json:"ok,omitempty"`
	Error   *problem `json:"error,omitempty"`
	Warning *problem `json:"warning,omitempty"`
	Step    string   `json:"step,omitempty"`
	Text    string   `json:"text,omitempty"`
	Rooms   []Entry  `json:"rooms,omitempty"`
	ID      string   `json:"id,omitempty"`
	Fresh   bool     `json:"fresh,omitempty"`
	Welcome *Welcome `json:"welcome,omitempty"`
}

// A problem is a cli.Error on its way.
type problem struct {
	Code    string   `json:"code"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	Hints   []string `json:"hints,omitempty"`
	Status  int      `json:"status,omitempty"`
}

func wire(err error) *problem {
	e := cli.Describe(err)
	return &problem{e.Code, e.Text, e.Details, e.Hints, e.Status}
}

func (p *problem) err() *cli.Error {
	return &cli.Error{Code: p.Code, Text: p.Text, Details: p.Details, Hints: p.Hints, Status: p.Status}
}

// A Server answers for a house.
type Server struct {
	house *House
	at    *control.Server
}

// Listen makes the house's socket: by it other processes find the house.
func (h *House) Listen() (*Server, error) {
	dir, err := h.RuntimeDir()
	if err != nil {
		return nil, err
	}
	s, err := control.Listen(dir, socketName, "")
	var other *store.RunningError
	if errors.As(err, &other) {
		e := cli.Fail("up-running", "coterie up runs already").Because(err).Hint("coterie status")
		if other.PID != 0 {
			e.Text += fmt.Sprintf(" (pid %d)", other.PID)
		}
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	s.Admit(maxVisits, maxShare)
	return &Server{h, s}, nil
}

// Serve answers until the server is closed.
func (s *Server) Serve() { s.at.Accept(s.attend) }

// Close takes the socket away.
func (s *Server) Close() { s.at.Close() }

// Finish is Close, once those who visit rooms that are closed have been told.
func (s *Server) Finish() {
	s.at.Close()
	s.at.Drain(2 * flushTime)
}

// attend answers one visitor.
func (s *Server) attend(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(askTime))
	out := json.NewEncoder(conn)
	out.SetEscapeHTML(false)
	if out.Encode(control.Greeting{PID: os.Getpid(), Version: cli.ProgramVersion()}) != nil {
		return
	}
	in := bufio.NewReaderSize(conn, lines.MaxLine)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return
	}
	var q request
	if err := strict(line, &q); err != nil {
		out.Encode(answer{Error: wire(cli.Fail("bad-input", "no question of this version").
			Hint("docs/INTERFACE.md has all"))})
		return
	}
	switch {
	case q.List:
		out.Encode(answer{OK: true, Rooms: s.house.List()})
	case q.Close != "":
		o, err := s.house.Find(q.Close)
		if err != nil {
			out.Encode(answer{Error: wire(err)})
			return
		}
		conn.SetDeadline(time.Now().Add(openTime))
		o.Close()
		out.Encode(answer{OK: true, ID: lines.ID(o.ID)})
	case q.Open != nil:
		conn.SetDeadline(time.Now().Add(openTime))
		s.open(out, q.Open)
	case q.Attach != "":
		s.visit(conn, in, out, q)
	default:
		out.Encode(answer{Error: wire(cli.Fail("bad-input", "a question with nothing in it"))})
	}
}

func strict(line []byte, to any) error {
	var one json.RawMessage
	if err := json.Unmarshal(line, &one); err != nil {
		return err
	}
	dec := json.NewDecoder(readerOf(one))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

// A teller is a Joiner that tells a visitor.
type teller struct{ out *json.Encoder }

func (t teller) Hello()                 {}
func (t teller) Step(step, text string) { t.out.Encode(answer{Step: step, Text: text}) }
func (t teller) Warn(err *cli.Error)    { t.out.Encode(answer{Warning: wire(err)}) }
func (t teller) Fatal(err error) error  { return err }

// codePassphrase is that of the error where the visitor is to ask for a passphrase.
const codePassphrase = "no-terminal"

func (s *Server) open(out *json.Encoder, q *openRequest) {
	f := q.Flags
	f.Given = func(name string) bool {
		for _, g := range q.Given {
			if g == name {
				return true
			}
		}
		return false
	}
	f.Ask = func() ([]byte, error) {
		if q.Passphrase == "" {
			return nil, cli.Fail(codePassphrase, "a passphrase is needed and there is no terminal to ask on").
				Hint("--passphrase-file FILE")
		}
		return []byte(q.Passphrase), nil
	}
	if q.Room == "-" {
		out.Encode(answer{Error: wire(cli.Usage("a room or a link is needed"))})
		return
	}
	o, fresh, err := s.house.Open(q.Room, f, teller{out})
	if err != nil {
		out.Encode(answer{Error: wire(err)})
		return
	}
	out.Encode(answer{OK: true, ID: lines.ID(o.ID), Fresh: fresh})
}

// patient is a connection each write on which may take a while, and no longer.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	p.SetWriteDeadline(time.Now().Add(writeTime))
	return p.Conn.Write(b)
}

// visit has a face of another process come to a room, until it goes.
func (s *Server) visit(conn net.Conn, in *bufio.Reader, out *json.Encoder, q request) {
	o, err := s.house.Find(q.Attach)
	var g *Guest
	if err == nil && q.As != "events" && q.As != "lines" {
		err = cli.Fail("bad-input", "as is events or lines")
	}
	if err == nil {
		g, err = o.Visit(q.Watches)
	}
	if err != nil {
		out.Encode(answer{Error: wire(err)})
		return
	}
	defer g.Close()
	if q.As == "events" && out.Encode(answer{OK: true, Welcome: &g.Welcome}) != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listened := make(chan string, 1)
	go func() {
		why := listenTo(ctx, g, in, q.As)
		late, stop := context.WithTimeout(ctx, flushTime)
		o.room.Answered(late)
		stop()
		g.Close() // whoever says nothing more has gone
		listened <- why
	}()
	// heard is when all is done that was written by whoever went.
	heard := func() (why string) {
		conn.SetReadDeadline(time.Now().Add(flushTime))
		defer time.AfterFunc(flushTime, cancel).Stop()
		return <-listened
	}
	if q.As == "lines" {
		s.lines(g, patient{conn}, heard)
		return
	}
	defer heard()
	w := chat.NewEventWriter(patient{conn})
	for {
		events, err := g.Next()
		if err == nil {
			err = w.Write(events)
		} else if !errors.Is(err, io.EOF) {
			w.End(cli.Describe(err))
		}
		if err != nil {
			g.Close()
			return
		}
	}
}

// lines shows a guest's room as JSON lines. heard waits until nothing more is wanted.
func (s *Server) lines(g *Guest, conn net.Conn, heard func() string) {
	j := lines.NewJSON(conn, s.house.Now)
	j.Hello()
	kept := func() ([]any, []any) { return g.Pending(), nil }
	lost := func() ([]any, []any) { return nil, g.Pending() }
	seen := &seen{Face: j, now: s.house.Now, left: lost}
	err := Follow(g, seen, s.house.Now)
	why := heard()
	if seen.bye {
		return
	}
	if err == nil {
		seen.left = kept
	}
	waits := seen.answer(chat.NewState(g.About, s.house.Now()))
	if err != nil {
		j.Fatal(err)
		return
	}
	code := 0
	if why == "eof" && seen.refused > 0 {
		code = cli.StatusFailed
	}
	j.Bye(why, 0, waits, code)
}

// listenTo does what a visitor wants, in its order, until it says nothing more. It returns why.
func listenTo(ctx context.Context, g *Guest, in *bufio.Reader, as string) (why string) {
	if as == "lines" {
		r := lines.NewReader(in, true)
		for {
			c, ok := r.Next()
			if !ok {
				return "eof"
			}
			if q, quit := c.(chat.Quit); quit && !q.Leave {
				settle(ctx, g.Pending, q.Linger)
				return "quit"
			}
			g.Do(ctx, c)
		}
	}
	in = bufio.NewReaderSize(in, maxCommand)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return "eof" // also what is too long: no face of ours writes that
		}
		c, err := chat.DecodeCommand(line)
		if err != nil {
			c = chat.Bad{Err: cli.Fail("bad-input", "no command of this version")}
		}
		g.Do(ctx, c)
	}
}
