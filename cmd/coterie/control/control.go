// Package control is the socket of an open room, through which other processes of the same
// user ask it: how it does, how far a member is, what its link is. By it a second process
// also sees that the room is open. Only the user may open it: a folder with mode 0700, a
// socket with 0600, and whoever connects is asked of the system. Nothing can be said or read in
// the room through it.
package control

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/node/store"
)

const (
	visitTime   = 10 * time.Second // for one question
	maxQuestion = 4 << 10          // bytes
	maxAnswer   = 4 << 20
	maxVisits   = 64 // at a time, and
	maxShare    = 8  // of one process
	longPause   = time.Second
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
	PID     int    `json:"pid"`
	Room    string `json:"room"`
	Version string `json:"version,omitempty"` // of a house
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
	lock io.Closer // of its path
	name string

	mu         sync.Mutex
	visits     map[int]int // of each process, those of now
	all        int
	most, each int // how many there may be, and of one process
}

// Running is the code of Listen's error if another process has the room open with this key.
const Running = "room-running"

// NotRunning is the code of the error that a room is not open.
const NotRunning = "not-running"

// Listen makes the socket of a room in a folder. Where there can be none, the error says why.
func Listen(dir, socket, name string) (*Server, error) {
	path := filepath.Join(dir, socket)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	// Two that begin in one moment would take each other's socket away.
	lock, err := store.LockFile(path)
	var other *store.RunningError
	if errors.As(err, &other) {
		return nil, running(name, other)
	}
	if err != nil {
		return nil, err
	}
	if pid := PID(path); pid != 0 { // a lock does not outlast somebody's rm
		lock.Close()
		return nil, running(name, &store.RunningError{Path: path, PID: pid})
	}
	s := &Server{lock: lock, name: name, visits: make(map[int]int), most: maxVisits, each: maxShare}
	if s.l, err = listen(path); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func running(name string, other *store.RunningError) error {
	who := "another process"
	if other.PID != 0 {
		who += fmt.Sprintf(" (pid %d)", other.PID)
	}
	return cli.Fail(Running, "%s is already open in %s", cli.Clean(name), who).Because(other).
		Hint("one process a room; or use another profile: --profile second")
}

// listen makes the socket, in the place of one of a process that is no more.
func listen(path string) (net.Listener, error) {
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EINVAL) {
		return nil, cli.Fail("long-path", "the path of its socket is too long (%s)", cli.Plural(len(path), "byte")).
			Hint("set XDG_RUNTIME_DIR to a folder with a shorter path").Because(err)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Admit sets how many visits there may be at a time, and of one process.
func (s *Server) Admit(all, each int) { s.most, s.each = all, each }

// PID is the process that has the socket open; 0: none.
func PID(path string) int {
	conn, hello, err := Visit(path)
	var silent *SilentError
	if errors.As(err, &silent) {
		return silent.PID
	}
	if err != nil {
		return 0
	}
	conn.Close()
	return hello.PID
}

// Close takes the socket away. A nil server has none.
func (s *Server) Close() {
	if s != nil {
		s.l.Close() // which takes it away
		s.lock.Close()
	}
}

// Drain waits until nobody visits any more, but not for longer than a time.
func (s *Server) Drain(most time.Duration) {
	for until := time.Now().Add(most); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		n := s.all
		s.mu.Unlock()
		if n == 0 {
			return
		}
	}
}

// Serve answers for a room until the server is closed.
func (s *Server) Serve(r *chat.Room) {
	s.Accept(func(conn net.Conn) { s.attend(r, conn) })
}

// Accept has f attend to each visitor, who is the user, until the server is closed.
func (s *Server) Accept(f func(net.Conn)) {
	if s == nil {
		return
	}
	for pause := time.Duration(0); ; {
		conn, err := s.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files: that passes
			pause = min(max(2*pause, 5*time.Millisecond), longPause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		pid, err := caller(conn, os.Geteuid())
		if err != nil || !s.enter(pid) {
			conn.Close()
			continue
		}
		go func() {
			defer s.leave(pid)
			defer conn.Close()
			f(conn)
		}()
	}
}

// enter lets a process in, unless it has its share of visits already, or all are taken.
func (s *Server) enter(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.most || s.visits[pid] >= s.each {
		return false
	}
	s.all++
	s.visits[pid]++
	return true
}

func (s *Server) leave(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.visits[pid]--; s.visits[pid] == 0 {
		delete(s.visits, pid)
	}
}

// caller is the process at the other end, which has to be one of the user's, or root's; 0 where
// the system does not say.
func caller(conn net.Conn, user int) (pid int, err error) {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errStranger
	}
	uid, pid, err := peer(unix)
	if err == nil && uid != user && uid != 0 {
		err = errStranger
	}
	return pid, err
}

var errStranger = errors.New("it belongs to another user")

// A SilentError says that a process has a socket open and does not answer: it is stopped, or has
// too many visitors.
type SilentError struct {
	PID int // 0: the system does not say
	err error
}

func (e *SilentError) Error() string {
	if e.PID == 0 {
		return "a process that has a room open does not answer"
	}
	return fmt.Sprintf("process %d has a room open, and does not answer", e.PID)
}
func (e *SilentError) Unwrap() error { return e.err }

func (s *Server) attend(r *chat.Room, conn net.Conn) {
	conn.SetDeadline(time.Now().Add(visitTime))
	enc := json.NewEncoder(conn)
	enc.SetEscapeHTML(false)
	if enc.Encode(Greeting{PID: os.Getpid(), Room: s.name}) != nil {
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

// Visit connects to a socket and reads its greeting.
func Visit(path string) (net.Conn, Greeting, error) {
	var g Greeting
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil, g, err
	}
	pid := 0
	if user := os.Geteuid(); user != 0 { // root may ask anybody's
		if pid, err = caller(conn, user); err != nil {
			conn.Close()
			return nil, g, fmt.Errorf("%s: %w", path, err)
		}
	} else if unix, ok := conn.(*net.UnixConn); ok {
		_, pid, _ = peer(unix)
	}
	conn.SetDeadline(time.Now().Add(visitTime))
	// The reader must not take more than the greeting.
	var line []byte
	for b := make([]byte, 1); len(line) < maxQuestion; {
		if _, err := conn.Read(b); err != nil {
			conn.Close()
			return nil, g, &SilentError{pid, err}
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
	conn, _, err := Visit(r.path)
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

// Open finds the rooms that are open, all or those of a name, by their sockets in a folder. If
// there is none, and a process that may have one does not answer, the error says so.
func Open(dir, name string) ([]OpenRoom, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for rooms that run: %w", err)
	}
	var out []OpenRoom
	var silent *SilentError
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".sock" {
			continue
		}
		p := filepath.Join(dir, f.Name())
		conn, g, err := Visit(p)
		if err != nil {
			sweep(p, err)
			errors.As(err, &silent)
			continue
		}
		conn.Close()
		if name == "" || g.Room == name {
			out = append(out, OpenRoom{g, p})
		}
	}
	if len(out) == 0 && silent != nil {
		e := cli.Fail("no-answer", "%s", silent.Error()).Because(silent)
		if silent.PID > 0 {
			e.Hint("is it stopped? kill -CONT %d lets it go on", silent.PID)
		}
		return nil, e
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
