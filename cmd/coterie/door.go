package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

// A running session has a door: a unix socket through which coterie status and
// coterie ping ask it, and by which a second process on the same room sees that
// it is running. Only the user may open it (a folder with mode 0700, a
// socket with 0600).

const (
	doorTime  = 10 * time.Second // for one visit
	maxVisit  = 4 << 10          // bytes of a question
	maxAnswer = 4 << 20
)

type door struct {
	l    net.Listener
	path string
}

// doorName is the socket of a room: a profile has one process in it that keeps
// anything, and any number of those that do not.
func doorName(p *plan) string {
	id := p.descriptor.ID()
	name := hex.EncodeToString(id[:8])
	if p.flags.ephemeral {
		name += "-" + strconv.Itoa(os.Getpid())
	}
	return name + ".sock"
}

// greeting is what a door says first.
type greeting struct {
	PID  int    `json:"pid"`
	Room string `json:"room"`
}

// question is what a visitor may ask: one of these.
type doorQuestion struct {
	Status bool   `json:"status,omitempty"`
	Ping   string `json:"ping,omitempty"`
	Link   bool   `json:"link,omitempty"`
}

// doorAnswer has what people read, and what programs read.
type doorAnswer struct {
	Lines  []string        `json:"lines,omitempty"`
	Event  json.RawMessage `json:"event,omitempty"`
	Link   string          `json:"link,omitempty"`
	OK     bool            `json:"ok"`
	Direct bool            `json:"direct,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// openDoor makes the socket. The error says if another process is in the room
// with this key. Where there can be no socket, there is none.
func (a *app) openDoor(p *plan) (*door, error) {
	dir, err := a.runtimeDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, doorName(p))
	if conn, hello, err := visitDoor(path); err == nil {
		conn.Close()
		return nil, cli.Fail("room-running", "%s is already open in another process (pid %d)", cli.Clean(p.descriptor.Name), hello.PID).
			Hint("one process a room; or use another profile: --profile second")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	os.Remove(path) // of a process that is no more
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil // too long a path, or no sockets here: status will say that nothing runs
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return &door{l: l, path: path}, nil
}

func (d *door) close() {
	if d != nil {
		d.l.Close()
	}
}

// visit is a question that came through the door, and where its answer goes.
type visit struct {
	doorQuestion
	status node.Status // once it is there
	reply  chan doorAnswer
}

// serve answers visitors until the door is closed.
func (d *door) serve(s *session) {
	for {
		conn, err := d.l.Accept()
		if err != nil {
			return
		}
		go d.attend(s, conn)
	}
}

func (d *door) attend(s *session, conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(doorTime))
	enc := json.NewEncoder(conn)
	enc.SetEscapeHTML(false)
	if enc.Encode(greeting{os.Getpid(), s.plan.descriptor.Name}) != nil {
		return
	}
	line, err := bufio.NewReaderSize(conn, maxVisit).ReadSlice('\n')
	v := visit{reply: make(chan doorAnswer, 1)}
	if err != nil || json.Unmarshal(line, &v.doorQuestion) != nil {
		return
	}
	s.post(func() { s.receive(v) })
	select {
	case answer := <-v.reply:
		enc.Encode(answer)
	case <-time.After(doorTime):
	}
}

// receive answers a visitor, in the session's goroutine.
func (s *session) receive(v visit) {
	switch {
	case v.Ping != "":
		who, bad := s.resolve(v.Ping)
		if bad != nil {
			v.reply <- doorAnswer{Error: bad.Text}
			return
		}
		// What it is called is known here alone, how long it takes is not.
		go func() {
			path, err := s.node.Ping(context.Background(), who)
			s.post(func() { s.pong(doorPong{path, err, v.reply}) })
		}()
	case v.Link:
		// Asking the node waits for it.
		s.errand(func() { v.reply <- doorAnswer{Link: s.link(), OK: true} })
	case v.status.Uptime == 0:
		s.errand(func() {
			v.status = s.node.Status()
			s.post(func() { s.receive(v) })
		})
	default:
		lines := statusLines(s, v.status)
		j := newJSON(nil, nil, s.app.now)
		v.reply <- doorAnswer{Lines: lines, Event: j.status(s, v.status).close(), OK: wellEnough(s.shownNow(v.status))}
	}
}

// wellEnough reports whether nothing is worse than worth knowing.
func wellEnough(items []health.Item) bool {
	return !slices.ContainsFunc(items, func(i health.Item) bool { return i.Severity != health.Info })
}

// doorPong is the answer to a visitor's ping.
type doorPong struct {
	path  node.Path
	err   error
	reply chan doorAnswer
}

func (s *session) pong(p doorPong) {
	if p.err != nil {
		p.reply <- doorAnswer{Error: roomError(p.err).Text}
		return
	}
	text := "pong from " + pathText(s, p.path)
	p.reply <- doorAnswer{Lines: []string{text}, OK: true, Direct: p.path.Kind == node.Direct}
}

// visitDoor connects to a door and reads its greeting.
func visitDoor(path string) (net.Conn, greeting, error) {
	var g greeting
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil, g, err
	}
	conn.SetDeadline(time.Now().Add(doorTime))
	// The reader must not take more than the greeting.
	var line []byte
	for b := make([]byte, 1); len(line) < maxVisit; {
		if _, err := conn.Read(b); err != nil {
			conn.Close()
			return nil, g, err
		}
		if b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	if err := json.Unmarshal(line, &g); err != nil {
		conn.Close()
		return nil, g, err
	}
	return conn, g, nil
}

// An openRoom is one that runs in another process.
type openRoom struct {
	greeting
	path string
}

// ask asks one question.
func (r *openRoom) ask(q doorQuestion) (doorAnswer, error) {
	var out doorAnswer
	conn, _, err := visitDoor(r.path)
	if err != nil {
		return out, err
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return out, err
	}
	in := bufio.NewReaderSize(conn, maxAnswer)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(line, &out); err != nil {
		return out, err
	}
	if out.Error != "" {
		return out, errors.New(out.Error)
	}
	return out, nil
}

// running finds the rooms that run, all or those of a name.
func (a *app) running(name string) ([]openRoom, error) {
	dir, err := a.runtimeDir()
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var out []openRoom
	for _, p := range paths {
		conn, g, err := visitDoor(p)
		if err != nil {
			sweep(p, err)
			continue
		}
		conn.Close()
		if name == "" || g.Room == name {
			out = append(out, openRoom{g, p})
		}
	}
	slices.SortStableFunc(out, func(x, y openRoom) int { return strings.Compare(x.Room, y.Room) })
	return out, nil
}

// sweep takes away the socket of a process that is no more. One that is young may
// be about to answer.
func sweep(path string, err error) {
	if info, statErr := os.Lstat(path); errors.Is(err, syscall.ECONNREFUSED) && statErr == nil && time.Since(info.ModTime()) > time.Minute {
		os.Remove(path)
	}
}
