//go:build unix

package ui

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/internal/screen"
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
		msg = a.stage.enveloped(attack(a.step, a.all[from:min(from+perStep, len(a.all))], a.stage.now))
		a.step++
	}
	_, cmd := a.Model.Update(msg)
	return a, cmd
}

// TestHostileTextOnATerminal: through bubbletea, a pty and a terminal emulator,
// the cells are those that the interface meant, whatever was said.
func TestHostileTextOnATerminal(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := hostile(t)
	s := screen.Start(t, 80, 24, []string{asProgram + "=1", "TERM=xterm-256color", "COLORTERM=", "NO_COLOR=1"}, exe)
	s.Shows("kari>")
	mine := hostileStage(t, 80, 24)
	for step := 0; step*perStep < len(all); step++ {
		from := step * perStep
		texts := all[from:min(from+perStep, len(all))]
		s.Keys("\x14")
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
		rows := s.Wait(fmt.Sprintf("step %d: %.30q as it was meant:\n%s\n", step, texts, strings.Join(want[1], "\n")),
			func(rows []string) bool {
				return slices.Equal(rows, want[0]) || slices.Equal(rows, want[1])
			})
		harmless(t, fmt.Sprintf("step %d", step), rows)
		if t.Failed() {
			t.FailNow()
		}
	}
	// No sequence of another's came out: the window's title is ours.
	for _, bad := range []string{"\x1b]52;", "\x1b]8;;http", "\x1b[8m", "\x1bP1$r0m", "\x1b_G", "\x1b]0;", "\x1b]2;title",
		"\u009b", "\u009d"} {
		if strings.Contains(s.Written(), bad) {
			t.Errorf("%q was written to the terminal", bad)
		}
	}
	s.Keys("\x03")
	s.Shows("> /quit")
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
		s := screen.Start(t, 80, 24, []string{asProgram + "=1", "TERM=xterm-256color", "COLORTERM=truecolor", env}, exe)
		s.Shows("kari>")
		s.Keys("\x14")
		s.Shows(marker(0))
		if got, want := colour.MatchString(s.Written()), env == "NO_COLOR="; got != want {
			t.Errorf("%s: colours %v", env, got)
		}
		if !strings.Contains(s.Written(), "\x1b[1m") {
			t.Errorf("%s: nothing is bold", env)
		}
	}
}
