//go:build unix

package ui

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"coterie/cmd/internal/text"
)

// asProgram makes the test binary the interface itself, for tests with a real
// terminal: Ctrl+T lets mallory say the next few strings.
const asProgram = "COTERIE_UI_TEST_PROGRAM"

func init() {
	if os.Getenv(asProgram) != "" {
		time.Local = time.UTC
		s := hostileStage(nil, 80, 24)
		p := tea.NewProgram(&attacked{Model: s.m, stage: s, all: hostile(nil)})
		if _, err := p.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// perStep is how many strings are said at a time.
const perStep = 4

type attacked struct {
	*Model
	stage *stage
	all   []string
	step  int
}

func (a *attacked) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok && k.String() == "ctrl+t" {
		from := min(a.step*perStep, len(a.all))
		msg = attack(a.step, a.all[from:min(from+perStep, len(a.all))], a.stage.now)
		a.step++
	}
	_, cmd := a.Model.Update(msg)
	return a, cmd
}

// patience is how long a test waits for what should take milliseconds.
const patience = time.Minute

// A screen is a terminal that a process runs in.
type screen struct {
	t    *testing.T
	pty  *os.File
	cmd  *exec.Cmd
	mu   sync.Mutex
	vt   *vt.Emulator
	raw  []byte
	news chan struct{} // capacity 1
	gone chan struct{} // closed when the process has ended
}

func startScreen(t *testing.T, width, height int, env []string, name string, args ...string) *screen {
	t.Helper()
	s := &screen{t: t, vt: vt.NewEmulator(width, height), news: make(chan struct{}, 1), gone: make(chan struct{})}
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
		s.vt.Close()
	})
	return s
}

func (s *screen) rows() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return emulated(s.vt)
}

// wait waits until the rows hold.
func (s *screen) wait(what string, holds func([]string) bool) []string {
	s.t.Helper()
	limit := time.After(patience)
	for {
		rows := s.rows()
		if holds(rows) {
			return rows
		}
		select {
		case <-s.news:
		case <-s.gone:
			if rows := s.rows(); holds(rows) {
				return rows
			}
			s.t.Fatalf("ended before %s:\n%s", what, strings.Join(s.rows(), "\n"))
		case <-limit:
			s.t.Fatalf("not seen: %s in\n%s", what, strings.Join(s.rows(), "\n"))
		}
	}
}

func (s *screen) shows(words string) []string {
	s.t.Helper()
	return s.wait(fmt.Sprintf("%q", words), func(rows []string) bool {
		return strings.Contains(strings.Join(rows, "\n"), words)
	})
}

// written is all that was written to the terminal.
func (s *screen) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.raw)
}

func (s *screen) keys(k string) {
	s.t.Helper()
	if _, err := io.WriteString(s.pty, k); err != nil {
		s.t.Fatal(err)
	}
}

// TestHostileTextOnATerminal: through bubbletea, a pty and a terminal emulator,
// the cells are those that the interface meant, whatever was said.
func TestHostileTextOnATerminal(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := hostile(t)
	s := startScreen(t, 80, 24, []string{asProgram + "=1", "TERM=xterm-256color", "COLORTERM=", "NO_COLOR=1"}, exe)
	s.shows("kari>")
	mine := hostileStage(t, 80, 24)
	for step := 0; step*perStep < len(all); step++ {
		from := step * perStep
		texts := all[from:min(from+perStep, len(all))]
		s.keys("\x14")
		mine.do(attack(step, texts, mine.now))
		var want [][]string
		for _, m := range []text.Method{text.ByRune, text.ByCluster} {
			mine.m.method = m
			mine.m.dirty = true
			// The emulator has no cell for our U+200E.
			rows := mine.cells()
			for y := range rows {
				rows[y] = strings.ReplaceAll(rows[y], "\u200e", "")
			}
			want = append(want, rows)
		}
		rows := s.wait(fmt.Sprintf("step %d: %.30q as it was meant:\n%s\n", step, texts, strings.Join(want[1], "\n")), func(rows []string) bool {
			return slices.Equal(rows, want[0]) || slices.Equal(rows, want[1])
		})
		harmless(t, fmt.Sprintf("step %d", step), rows)
		if t.Failed() {
			t.FailNow()
		}
	}
	// No sequence of another's came out: the window's title is ours.
	for _, bad := range []string{"\x1b]52;", "\x1b]8;;http", "\x1b[8m", "\x1bP1$r0m", "\x1b_G", "\x1b]0;", "\x1b]2;title", "\u009b", "\u009d"} {
		if strings.Contains(s.written(), bad) {
			t.Errorf("%q was written to the terminal", bad)
		}
	}
	s.keys("\x03")
	s.shows("> /quit")
}

var colour = regexp.MustCompile(`\x1b\[[0-9;:]*\b(3[0-7]|4[0-7]|38|48|9[0-7]|10[0-7])\b[0-9;:]*m`)

// TestNoColorHasNoColour: with NO_COLOR no colour is written, and without it
// some is, or this test would prove nothing.
func TestNoColorHasNoColour(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range []string{"NO_COLOR=1", "NO_COLOR="} {
		s := startScreen(t, 80, 24, []string{asProgram + "=1", "TERM=xterm-256color", "COLORTERM=truecolor", env}, exe)
		s.shows("kari>")
		s.keys("\x14")
		s.shows(marker(0))
		if got, want := colour.MatchString(s.written()), env == "NO_COLOR="; got != want {
			t.Errorf("%s: colours %v", env, got)
		}
		if !strings.Contains(s.written(), "\x1b[1m") {
			t.Errorf("%s: nothing is bold", env)
		}
	}
}
