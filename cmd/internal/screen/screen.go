//go:build unix

package screen

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// patience is how long a test waits for what should take milliseconds.
const patience = time.Minute

// A Screen is a terminal that a process runs in.
type Screen struct {
	t    testing.TB
	pty  *os.File
	cmd  *exec.Cmd
	mu   sync.Mutex
	vt   *vt.Emulator
	raw  []byte
	news chan struct{} // capacity 1
	gone chan struct{} // closed when the process has ended
}

// Start runs a program in a terminal of that size, with env beside the test's own
// environment. The process is killed when the test ends.
func Start(t testing.TB, width, height int, env []string, name string, args ...string) *Screen {
	t.Helper()
	s := &Screen{t: t, vt: vt.NewEmulator(width, height), news: make(chan struct{}, 1), gone: make(chan struct{})}
	s.cmd = exec.Command(name, args...)
	s.cmd.Env = append(os.Environ(), env...)
	var err error
	s.pty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)})
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(s.pty, s.vt) // what the terminal answers
	go func() {
		defer close(s.gone)
		b := make([]byte, 64<<10)
		for {
			n, err := s.pty.Read(b)
			s.mu.Lock()
			s.vt.Write(b[:n])
			s.raw = append(s.raw, b[:n]...)
			s.mu.Unlock()
			select {
			case s.news <- struct{}{}:
			default:
			}
			if err != nil {
				s.cmd.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.gone
		s.pty.Close()
		Hush(s.vt)
	})
	return s
}

// Rows are the rows of the screen, without the spaces at their ends.
func (s *Screen) Rows() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Rows(s.vt)
}

// Wait waits until the rows hold, and returns them.
func (s *Screen) Wait(what string, holds func([]string) bool) []string {
	s.t.Helper()
	limit := time.After(patience)
	for {
		rows := s.Rows()
		if holds(rows) {
			return rows
		}
		select {
		case <-s.news:
		case <-s.gone:
			if rows := s.Rows(); holds(rows) {
				return rows
			}
			s.t.Fatalf("ended before %s:\n%s", what, strings.Join(s.Rows(), "\n"))
		case <-limit:
			s.t.Fatalf("not seen: %s in\n%s", what, strings.Join(s.Rows(), "\n"))
		}
	}
}

// Shows waits until some words are on the screen.
func (s *Screen) Shows(words string) []string {
	s.t.Helper()
	return s.Wait(fmt.Sprintf("%q", words), func(rows []string) bool {
		return strings.Contains(strings.Join(rows, "\n"), words)
	})
}

// Written is all that was written to the terminal.
func (s *Screen) Written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.raw)
}

// Keys types.
func (s *Screen) Keys(k string) {
	s.t.Helper()
	if _, err := io.WriteString(s.pty, k); err != nil {
		s.t.Fatal(err)
	}
}

// Exit waits until the process has ended, and returns its status.
func (s *Screen) Exit() int {
	s.t.Helper()
	select {
	case <-s.gone:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		s.t.Fatalf("did not end:\n%s", strings.Join(s.Rows(), "\n"))
		return -1
	}
}

// HangUp tells the process that its terminal is gone, as when somebody closes the
// window.
func (s *Screen) HangUp() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
}
