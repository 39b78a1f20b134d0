//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
	"coterie/cmd/internal/screen"
)

// An upProcess is coterie up as a process.
type upProcess struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	out    bytes.Buffer
	exited chan struct{}
}

func (u *upProcess) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.out.Write(b)
}

func (u *upProcess) said() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.out.String()
}

// begun starts a command as a process that goes on.
func begun(t *testing.T, env []string, args ...string) *upProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	u := &upProcess{cmd: exec.Command(exe, args...), exited: make(chan struct{})}
	u.cmd.Env = append(append(os.Environ(), asProcess+"=1"), env...)
	u.cmd.Stdout, u.cmd.Stderr = u, u
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { u.cmd.Wait(); close(u.exited) }()
	t.Cleanup(func() { u.cmd.Process.Kill(); <-u.exited })
	return u
}

// up starts coterie up, and waits until its rooms are open.
func up(t *testing.T, env []string, args ...string) *upProcess {
	t.Helper()
	u := begun(t, env, append([]string{"up"}, args...)...)
	for until := time.Now().Add(patience); !strings.Contains(u.said(), "Ctrl+C ends"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("it does not come up: %s", u.said())
		}
	}
	return u
}

// ends has the process end after a signal, with status 0.
func (u *upProcess) ends(t *testing.T, s os.Signal) {
	t.Helper()
	if err := u.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-u.exited:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if status := u.cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("status %d: %s", status, u.said())
	}
}

// roomsOf has a profile remember rooms, each of which has been open for a moment.
func roomsOf(t *testing.T, dir, at string, names ...string) {
	t.Helper()
	for _, name := range names {
		if stdout, stderr, status := runAt(t, dir, at, "", "join", name, "--plain", "--key", "ann.key", "--nick", "ann",
			"--policy", thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0", "--linger", "0s"); status != 0 {
			t.Fatal(stdout, stderr)
		}
	}
}

// TestUpEndsAway: each signal that ends coterie up has its rooms away, and not left: the others
// wait for us; the next time the remembered rooms are open again, and what waits goes out.
func TestUpEndsAway(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	short := shortDir(t)
	roomsOf(t, dir, short, "den", "lab")
	env := home(short)
	for i, s := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP, os.Interrupt} {
		u := up(t, env)
		if !strings.Contains(u.said(), "2 rooms open") {
			t.Fatal(u.said())
		}
		ann := windowOn(ctx, t, env, "den")
		ready, err := ann.Ready(ctx)
		if err != nil {
			t.Fatal(err)
		}
		bob := peerAt(ctx, t, dir, filepath.Join(dir, "bob", s.String()), "bob", "--bootstrap", ready.Addrs[0])
		aliveIn(ctx, t, ann, bob)
		if err := ann.Say("hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Heard(ctx, "hello"); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // a window that is killed is none of the room's business
			ann.Kill()
			if err := bob.Say("still there?"); err != nil {
				t.Fatal(err)
			}
			again := windowOn(ctx, t, env, "den")
			if _, err := again.Heard(ctx, "still there?"); err != nil {
				t.Error(err)
			}
			ann = again
		}
		u.ends(t, s)
		if _, err := bob.Wait(ctx, "ann goes away", func(e drive.Event) bool {
			return e.Event == "member" && e.Nick == "ann" && e.State == "away"
		}); err != nil {
			t.Error(err)
		}
		if bye, err := ann.Wait(ctx, "bye", func(e drive.Event) bool { return e.Event == "bye" }); err != nil {
			t.Error(bye, err)
		}
		finish(ctx, t, bob)
	}
}

// windowOn is a window of coterie up on a room, as JSON lines.
func windowOn(ctx context.Context, t *testing.T, env []string, name string) *drive.Peer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return started(ctx, t, "window on "+name, append([]string{asProcess + "=1"}, env...), exe, "join", name, "--json")
}

// TestRoomsInATerminal: coterie alone has the remembered rooms on one screen, in its own process
// or in that of coterie up; what is said in one that is not looked at is counted, a key looks at
// it, drafts stay, and closing the window leaves rooms open where they are.
func TestRoomsInATerminal(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	short := shortDir(t)
	roomsOf(t, dir, short, "den", "lab")
	env := home(short)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	open := func(width int) *screen.Screen {
		return screen.Start(t, width, 24, append([]string{asProcess + "=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=",
			"NO_COLOR=1"}, env...), exe)
	}
	link := func() string {
		stdout, stderr, status := runAt(t, dir, short, "", "link", "den", "--json")
		_, rest, _ := strings.Cut(stdout, `"addresses":["`)
		at, _, _ := strings.Cut(rest, `"`)
		if status != 0 || at == "" {
			t.Fatal(stdout, stderr)
		}
		return at
	}
	for i, width := range []int{120, 80} {
		var u *upProcess
		if i == 1 {
			u = up(t, env)
		}
		s := open(width)
		if width > 80 {
			s.Shows(">1 den")
			s.Shows(" 2 lab")
		} else {
			s.Shows("den · 1/2")
		}
		bob := peerAt(ctx, t, dir, filepath.Join(dir, strconv.Itoa(width)), "bob", "--bootstrap", link())
		s.Shows("2 can read")
		s.Keys("a draft")
		s.Shows("ann> a draft")
		s.Keys("\x1b2")
		if width > 80 {
			s.Shows(">2 lab")
		} else {
			s.Shows("lab · 2/2")
		}
		if _, err := bob.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		if err := bob.Say("ann: come here"); err != nil {
			t.Fatal(err)
		}
		if width > 80 {
			s.Shows("1!")
		} else {
			s.Shows("1:den 1!")
		}
		s.Keys("\x1ba")
		s.Shows("ann: come here")
		s.Shows("ann> a draft")
		s.Keys(" is sent\r")
		if _, err := bob.Heard(ctx, "a draft is sent"); err != nil {
			t.Fatal(err)
		}
		s.Keys("/quit\r")
		if status := s.Exit(); status != 0 {
			t.Errorf("status %d", status)
		}
		if u == nil {
			if _, err := bob.Wait(ctx, "ann goes away", func(e drive.Event) bool {
				return e.Event == "member" && e.Nick == "ann" && e.State == "away"
			}); err != nil {
				t.Error(err)
			}
			if !strings.Contains(s.Written(), "You went away from 2 rooms.") {
				t.Error(s.Written())
			}
		} else {
			if !strings.Contains(s.Written(), "2 rooms stay open in the background") {
				t.Error(s.Written())
			}
			if err := bob.Say("and on"); err != nil {
				t.Fatal(err)
			}
			w := windowOn(ctx, t, env, "den")
			if _, err := w.Heard(ctx, "and on"); err != nil {
				t.Error(err)
			}
			w.Quit()
			w.Exit(ctx)
			u.ends(t, syscall.SIGTERM)
		}
		finish(ctx, t, bob)
	}
}

// TestUpAsksWhoJoins: for a key that is sealed the window asks for the passphrase, or has it from
// a file, and not coterie up; once it was opened nobody is asked again.
func TestUpAsksWhoJoins(t *testing.T) {
	t.Parallel()
	_, dir := stage(t)
	short := shortDir(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := home(short)
	u := up(t, env)
	args := func(name string, more ...string) []string {
		return append([]string{"join", name, "--key", filepath.Join(dir, "sealed.key"), "--identity",
			filepath.Join(dir, "identity"), "--nick", "bob", "--policy", thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0"}, more...)
	}
	stdout, stderr, status := runAt(t, dir, short, "", args("den", "--json", "--passphrase-file", "wrong")...)
	if status != 1 || !strings.Contains(stdout, `"event":"error"`) || strings.Contains(stdout+stderr+u.said(), "wrong\n") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	for i, typed := range []string{phrase, ""} {
		s := screen.Start(t, 80, 24, append([]string{asProcess + "=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX="},
			env...), exe, args([]string{"den", "lab"}[i])...)
		if typed != "" {
			s.Shows("Passphrase of your identity:")
			s.Keys(typed + "\r")
		}
		s.Shows("bob>")
		s.Keys("/quit\r")
		if status := s.Exit(); status != 0 {
			t.Errorf("status %d: %s", status, s.Written())
		}
	}
	if strings.Contains(u.said(), phrase) {
		t.Error(u.said())
	}
	u.ends(t, syscall.SIGTERM)
}

// TestUpEndsUnderAScreen: when coterie up ends, so does the screen with its rooms, and says nothing
// of rooms that stay open; when it is killed, that is said.
func TestUpEndsUnderAScreen(t *testing.T) {
	t.Parallel()
	_, dir := stage(t)
	short := shortDir(t)
	roomsOf(t, dir, short, "den", "lab")
	env := home(short)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, killed := range []bool{false, true} {
		u := up(t, env)
		s := screen.Start(t, 80, 24, append([]string{asProcess + "=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=",
			"NO_COLOR=1"}, env...), exe)
		s.Shows("den · 1/2")
		want := 0
		if killed {
			want = 1
			u.cmd.Process.Kill()
			<-u.exited
		} else {
			u.ends(t, syscall.SIGTERM)
		}
		if status := s.Exit(); status != want {
			t.Errorf("status %d", status)
		}
		if w := s.Written(); strings.Contains(w, "stay open") || killed && !strings.Contains(w, "coterie up has ended") {
			t.Error(w[max(0, len(w)-500):])
		}
	}
}

// TestUpGivesTheEchoBack: Ctrl+C where coterie up asks for a passphrase leaves a terminal that
// shows what is typed.
func TestUpGivesTheEchoBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sh", "stty"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("it needs " + name)
		}
	}
	_, dir := stage(t)
	short := shortDir(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pass, identity := filepath.Join(dir, "pass of bob"), filepath.Join(dir, "identity")
	if err := os.WriteFile(pass, []byte(phrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := runAt(t, dir, short, "", "join", "den", "--plain", "--key", "sealed.key", "--identity",
		identity, "--passphrase-file", pass, "--policy", thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0", "--linger",
		"0s"); status != 0 {
		t.Fatal(stdout, stderr)
	}
	s := screen.Start(t, 80, 24, append([]string{asProcess + "=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX="},
		home(short)...), "sh", "-c", `trap : INT; "$0" up --identity "$1"; echo "status $?"; stty -a`, exe, identity)
	s.Shows("Passphrase")
	s.Keys("\x03")
	s.Shows("status 0")
	s.Shows("iexten echo ")
	s.Exit()
}
