// Package control is the socket of an open room, through which other processes of the same
// user ask it: how it does, how far a member is, what its link is. By it a second process
// also sees that the room is open. Only the user may open it: a folder with mode 0700, a
// socket with 0600.
package control

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

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
)

const (
	visitTime   = 10 * time.Second // for one question
	maxQuestion = 4 << 10          // bytes
	maxAnswer   = 4 << 20
)

// Name is the name of a room's socket: a profile has one process in it that keeps anything,
// and any number of those that do not.
func Name(room ake.Hash, ephemeral bool) string {
	name := hex.EncodeToString(room[:8])
	if ephemeral {
		name += "-" + strconv.Itoa(os.Getpid())
	}
	return name + ".sock"
}

// A Greeting is what a socket says first.
type Greeting struct {
	PID  int    `json:"pid"`
	Room string `json:"room"`
}

// A Question is what can be asked: one of these.
type Question struct {
	Status bool   `json:"status,omitempty"`
	Ping   string `json:"ping,omitempty"`
	Link   bool   `json:"link,omitempty"`
}

// An Answer has what people read, and what programs read.
type Answer struct {
	Lines  []string        `json:"lines,omitempty"`
	Event  json.RawMessage `json:"event,omitempty"`
	Link   string          `json:"link,omitempty"`
	OK     bool            `json:"ok"`
	Direct bool            `json:"direct,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// A Server answers for an open room.
type Server struct {
	l    net.Listener
	name string
}

// Listen makes the socket of a room in a folder. The error says if another process has the room
// open with this key. Where there can be no socket, there is none.
func Listen(dir, socket, name string) (*Server, error) {
	path := filepath.Join(dir, socket)
	if pid := PID(path); pid != 0 {
		return nil, cli.Fail("room-running", "%s is already open in another process (pid %d)", cli.Clean(name), pid).
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
	return &Server{l: l, name: name}, nil
}

// PID is the process that has the socket open; 0: none.
func PID(path string) int {
	conn, hello, err := visit(path)
	if err != nil {
		return 0
	}
	conn.Close()
	return hello.PID
}

// Close takes the socket away. A nil server has none.
func (s *Server) Close() {
	if s != nil {
		s.l.Close()
	}
}

// Serve answers for a room until the server is closed.
func (s *Server) Serve(r *chat.Room) {
	if s == nil {
		return
	}
	for {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		go s.attend(r, conn)
	}
}

func (s *Server) attend(r *chat.Room, conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(visitTime))
	enc := json.NewEncoder(conn)
	enc.SetEscapeHTML(false)
	if enc.Encode(Greeting{os.Getpid(), s.name}) != nil {
		return
	}
	line, err := bufio.NewReaderSize(conn, maxQuestion).ReadSlice('\n')
	var q Question
	if err != nil || json.Unmarshal(line, &q) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), visitTime)
	defer cancel()
	if a, ok := answer(ctx, r, q); ok {
		enc.Encode(a)
	}
}

func answer(ctx context.Context, r *chat.Room, q Question) (a Answer, ok bool) {
	switch {
	case q.Ping != "":
		text, path, err := r.Ping(ctx, q.Ping)
		if err != nil {
			return Answer{Error: cli.Describe(err).Text}, true
		}
		return Answer{Lines: []string{text}, OK: true, Direct: path.Kind == node.Direct}, true
	case q.Link:
		return Answer{Link: r.Link(), OK: true}, true
	}
	answers := make(chan Answer, 1)
	r.WithStatus(func(s *chat.State) {
		answers <- Answer{Lines: s.StatusLines(r.Now()), Event: lines.Status(s).Close(), OK: wellEnough(s.Wrong)}
	})
	select {
	case a = <-answers:
		return a, true
	case <-ctx.Done():
		return a, false
	}
}

// wellEnough reports whether nothing is worse than worth knowing.
func wellEnough(items []health.Item) bool {
	return !slices.ContainsFunc(items, func(i health.Item) bool { return i.Severity != health.Info })
}

// visit connects to a socket and reads its greeting.
func visit(path string) (net.Conn, Greeting, error) {
	var g Greeting
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil, g, err
	}
	conn.SetDeadline(time.Now().Add(visitTime))
	// The reader must not take more than the greeting.
	var line []byte
	for b := make([]byte, 1); len(line) < maxQuestion; {
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

// An OpenRoom is one that another process has open.
type OpenRoom struct {
	Greeting
	path string
}

// Ask asks one question.
func (r *OpenRoom) Ask(q Question) (Answer, error) {
	var out Answer
	conn, _, err := visit(r.path)
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

// Open finds the rooms that are open, all or those of a name, by their sockets in a folder.
func Open(dir, name string) ([]OpenRoom, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var out []OpenRoom
	for _, p := range paths {
		conn, g, err := visit(p)
		if err != nil {
			sweep(p, err)
			continue
		}
		conn.Close()
		if name == "" || g.Room == name {
			out = append(out, OpenRoom{g, p})
		}
	}
	slices.SortStableFunc(out, func(x, y OpenRoom) int { return strings.Compare(x.Room, y.Room) })
	return out, nil
}

// sweep takes away the socket of a process that is no more. One that is young may
// be about to answer.
func sweep(path string, err error) {
	if info, statErr := os.Lstat(path); errors.Is(err, syscall.ECONNREFUSED) && statErr == nil &&
		time.Since(info.ModTime()) > time.Minute {
		os.Remove(path)
	}
}
