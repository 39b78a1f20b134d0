package control

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coterie/cmd/internal/cli"
)

// folder is one that others may look into, for a socket.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ct") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPrivate: the socket and its folder are the user's alone, also a folder that was there.
func TestPrivate(t *testing.T) {
	dir := folder(t)
	s, err := Listen(dir, "a.sock", "exam")
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	defer s.Close()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "a.sock"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

// TestOneMoment: of many that begin in one moment one has the socket, and keeps it.
func TestOneMoment(t *testing.T) {
	for range 20 {
		dir := folder(t)
		got := make(chan *Server)
		for range 8 {
			go func() {
				s, err := Listen(dir, "a.sock", "exam")
				var running *cli.Error
				if err != nil && (!errors.As(err, &running) || running.Code != Running) {
					t.Error(err)
				}
				if s != nil {
					go s.Serve(nil)
				}
				got <- s
			}()
		}
		var all []*Server
		for range 8 {
			if s := <-got; s != nil {
				all = append(all, s)
			}
		}
		if open, err := Open(dir, ""); len(all) != 1 || err != nil || len(open) != 1 {
			t.Fatalf("%d have the socket, and %d answer: %v", len(all), len(open), err)
		}
		all[0].Close()
	}
}

// TestOneProcess: a room that is open is not opened again, and what a process that is no more
// left is no room that is open.
func TestOneProcess(t *testing.T) {
	dir := folder(t)
	s, err := Listen(dir, "a.sock", "exam")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(nil) // it greets, and is asked nothing
	var running *cli.Error
	if _, err := Listen(dir, "a.sock", "exam"); !errors.As(err, &running) || running.Code != "room-running" {
		t.Errorf("opened twice: %v", err)
	}
	if open, err := Open(dir, ""); err != nil || len(open) != 1 || open[0].Room != "exam" || open[0].PID != os.Getpid() {
		t.Errorf("open rooms: %+v, %v", open, err)
	}
	if open, err := Open(dir, "another"); err != nil || len(open) != 0 {
		t.Errorf("open rooms of another name: %+v, %v", open, err)
	}
	s.l.(*net.UnixListener).SetUnlinkOnClose(false)
	s.Close()
	if open, err := Open(dir, ""); err != nil || len(open) != 0 {
		t.Errorf("open rooms when none is: %+v, %v", open, err)
	}
	s, err = Listen(dir, "a.sock", "exam")
	if err != nil || s == nil {
		t.Fatalf("after a process that is no more: %v", err)
	}
	s.Close()
}

// TestQuestionsAreBounded: what is no question, or too long for one, ends the visit without an
// answer; what greets without end, or with nonsense, is no room.
func TestQuestionsAreBounded(t *testing.T) {
	dir := folder(t)
	s, err := Listen(dir, "a.sock", "exam")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go s.Serve(nil)
	for _, said := range [][]byte{[]byte("what?\n"), []byte("{\"status\":\n"), bytes.Repeat([]byte{' '}, maxQuestion+1)} {
		conn, _, err := Visit(filepath.Join(dir, "a.sock"))
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(said)
		if got, _ := io.ReadAll(conn); len(got) > 0 {
			t.Errorf("%.20q is answered: %q", said, got)
		}
		conn.Close()
	}
	for name, greeting := range map[string][]byte{
		"b.sock": bytes.Repeat([]byte{'x'}, 2*maxQuestion), "c.sock": []byte("hello\n"),
		"d.sock": []byte("{\"pid\":\"no\"}\n"),
	} {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.SetDeadline(time.Now().Add(visitTime))
				conn.Write(greeting)
				conn.Close()
			}
		}()
	}
	if open, err := Open(dir, ""); err != nil || len(open) != 1 {
		t.Errorf("open rooms: %+v, %v", open, err)
	}
}
