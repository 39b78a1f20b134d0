//go:build unix

package control

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what takes a moment.
const patience = 60 * time.Second

// short is a folder whose path leaves room for a socket.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// failing is a listener that has no descriptors left for a while.
type failing struct {
	net.Listener
	times int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.times > 0 {
		f.times--
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

// greeting is what a socket says first.
func greeting(t *testing.T, path string) (string, net.Conn) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line, conn
}

// TestNoDescriptors: a socket that cannot be accepted for a while is answered afterwards.
func TestNoDescriptors(t *testing.T) {
	dir := short(t)
	s, err := Listen(dir, "a.sock", "den")
	if err != nil {
		t.Fatal(err)
	}
	s.l = &failing{s.l, 5}
	ended := make(chan struct{})
	go func() { s.Serve(nil); close(ended) }()
	line, conn := greeting(t, filepath.Join(dir, "a.sock"))
	if conn.Close(); !strings.Contains(line, `"room":"den"`) {
		t.Errorf("it says %q", line)
	}
	s.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("it goes on when it is closed")
	}
}

// TestShares: one process has its share of visits and no more, and all have theirs; a visit
// that ends makes room for another.
func TestShares(t *testing.T) {
	s := &Server{visits: make(map[int]int), most: maxVisits, each: maxShare}
	for pid := range maxVisits / maxShare {
		for range maxShare {
			if !s.enter(pid) {
				t.Fatalf("process %d has not got its share", pid)
			}
		}
		if s.enter(pid) {
			t.Errorf("process %d got more than its share", pid)
		}
	}
	if s.enter(1000) {
		t.Error("more than all were let in")
	}
	s.leave(3)
	if !s.enter(1000) {
		t.Error("nobody is let in any more")
	}
	for pid, n := range s.visits {
		for range n {
			s.leave(pid)
		}
	}
	if s.all != 0 || len(s.visits) != 0 {
		t.Errorf("left: %d, %v", s.all, s.visits)
	}
}

// TestVisitors: who opens many connections and asks nothing is let in as far as its share
// goes; the rest are closed at once, and take no descriptors.
func TestVisitors(t *testing.T) {
	dir := short(t)
	s, err := Listen(dir, "a.sock", "den")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go s.Serve(nil)
	greeted := 0
	for range 5 * maxShare {
		line, conn := greeting(t, filepath.Join(dir, "a.sock"))
		defer conn.Close()
		if line != "" {
			greeted++
		}
	}
	if greeted != maxShare {
		t.Errorf("%d visits of one process at a time", greeted)
	}
}

// TestLongPath: where the path is too long for a socket it is said, and what to do.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(short(t), strings.Repeat("long/", 30))
	if _, err := Listen(dir, "a.sock", "den"); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
}

// TestCaller: the system says which user and which process is at the other end of a socket; FreeBSD
// tells no process.
func TestCaller(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(short(t), "a.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	want := os.Getpid()
	if runtime.GOOS == "freebsd" {
		want = 0
	}
	for _, end := range []net.Conn{conn, far} {
		if uid, pid, err := peer(end.(*net.UnixConn)); err != nil || uid != os.Geteuid() || pid != want {
			t.Errorf("user %d, process %d, %v", uid, pid, err)
		}
	}
	if _, err := caller(conn, os.Geteuid()+1); err == nil && os.Geteuid() != 0 {
		t.Error("somebody else's socket is believed")
	}
}
