//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"coterie/cmd/internal/drive"
	"coterie/cmd/internal/screen"
)

// onScreen starts coterie join in a terminal, in a folder of its own.
func onScreen(t *testing.T, dir, name string, width, height int, env []string, args ...string) *screen.Screen {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	env = append([]string{asProcess + "=1", "HOME=" + home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_RUNTIME_DIR=" +
		home, "XDG_STATE_HOME=",
		"TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=", "EDITOR=true", "VISUAL="}, env...)
	all := []string{"join", "den", "--ephemeral", "--key", filepath.Join(dir, name+".key"), "--nick", name,
		"--policy", `((ONE or THREE) and (TWO or FOUR))`, "--listen", "/ip4/127.0.0.1/tcp/0"}
	return screen.Start(t, width, height, env, exe, append(all, args...)...)
}

// TestTerminalStory: the finished lines, then the interface with them at its top;
// what one types is read by the other and the other way round; a carriage return
// from outside forges nothing; /quit leaves and gives the terminal back.
func TestTerminalStory(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	a, at := first(ctx, t, dir, "ann")
	for i, c := range []struct {
		width, height int
		env           []string
	}{
		{40, 24, nil}, {80, 24, nil}, {120, 30, nil}, {80, 24, []string{"NO_COLOR=1"}}, {80, 24, []string{"LC_ALL=C"}},
	} {
		t.Run(fmt.Sprintf("%dx%d%s", c.width, c.height, strings.Join(c.env, "")), func(t *testing.T) {
			s := onScreen(t, dir, "bob", c.width, c.height, c.env, "--bootstrap", at)
			s.Shows("ok   policy")
			s.Shows("2 can read")
			rows := s.Shows("; 2 can read")
			if c.width >= 80 {
				for y, want := range []string{"ok   key            FOUR, THREE, TWO; ",
					`ok   policy         you satisfy it through "`, "ok   listening      tcp "} {
					if got := rows[2+y]; !strings.HasPrefix(got, want) {
						t.Errorf("row %d is %q, want %q", 2+y, got, want)
					}
				}
			}
			hello := fmt.Sprintf("hello %d", i)
			s.Keys(hello + "\r")
			if _, err := a.Heard(ctx, hello); err != nil {
				t.Fatal(err)
			}
			s.Shows(hello)
			for _, text := range []string{"ok\r09:00      bob  transfer approved", "\x1b[2J\x1b]0;x\x07gone?", "æøå to bob"} {
				if err := a.Say(text); err != nil {
					t.Fatal(err)
				}
			}
			rows = s.Shows("to bob")
			for _, r := range rows {
				if regexp.MustCompile(`^09:00 +bob`).MatchString(r) {
					t.Errorf("forged: %q", r)
				}
			}
			all := strings.Join(rows, "\n")
			if !strings.Contains(all, hello) || !strings.Contains(all, "gone?") {
				t.Errorf("got\n%s", all)
			}
			if len(c.env) > 0 && c.env[0] == "LC_ALL=C" && strings.IndexFunc(all, func(r rune) bool { return r > '~' }) >= 0 {
				t.Errorf("not ASCII:\n%s", all)
			}
			s.Keys("/quit\r")
			if status := s.Exit(); status != 0 {
				t.Errorf("status %d", status)
			}
			if w := s.Written(); !strings.Contains(w, "\x1b[?1049l") || !strings.Contains(w, "you left") {
				t.Errorf("it ended with %q", w[max(0, len(w)-300):])
			}
		})
	}
	if err := a.Quit(); err != nil {
		t.Fatal(err)
	}
}

// TestTerminalHangUp: who closes the window has left the room, and not vanished
// from it.
func TestTerminalHangUp(t *testing.T) {
	ctx, dir := stage(t)
	a, at := first(ctx, t, dir, "ann")
	s := onScreen(t, dir, "bob", 80, 24, nil, "--bootstrap", at)
	s.Shows("; 2 can read")
	s.HangUp()
	if _, err := a.Wait(ctx, "bob's leave", func(e drive.Event) bool {
		return e.Event == "member" && e.State == "left"
	}); err != nil {
		t.Error(err)
	}
	if err := a.Quit(); err != nil {
		t.Fatal(err)
	}
}

// TestDumbTerminalPlain: a terminal that cannot move the cursor gets lines, and
// no escape code.
func TestDumbTerminalPlain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	for _, c := range []struct {
		env  []string
		args []string
	}{{[]string{"TERM=dumb"}, nil}, {[]string{"TERM="}, nil}, {nil, []string{"--plain"}}} {
		s := onScreen(t, dir, "bob", 80, 24, c.env, c.args...)
		s.Shows("nobody else is here")
		s.Keys("/quit\n")
		if status := s.Exit(); status != 0 {
			t.Errorf("%v %v: status %d", c.env, c.args, status)
		}
		if strings.Contains(s.Written(), "\x1b") {
			t.Errorf("%v %v: %q", c.env, c.args, s.Written())
		}
	}
}

// TestNoTerminalPlain: without a terminal there are plain lines, also where TERM says
// otherwise.
func TestNoTerminalPlain(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p := started(ctx, t, "bob", []string{asProcess + "=1", "TERM=xterm-256color"}, exe, "join", "den", "--ephemeral",
		"--linger", "0s",
		"--key", filepath.Join(dir, "bob.key"), "--policy", `((ONE or THREE) and (TWO or FOUR))`, "--listen",
		"/ip4/127.0.0.1/tcp/0")
	if err := p.CloseInput(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Exit(ctx); err != nil {
		t.Fatal(err)
	}
	_, lines := p.Events()
	all := strings.Join(lines, "\n")
	if !strings.Contains(all, "ok   key") || strings.Contains(all, "\x1b") {
		t.Errorf("got %q", all)
	}
}

// TestDemoFits: on a narrow terminal no word of the demonstration is cut.
func TestDemoFits(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := screen.Start(t, 60, 40, []string{asProcess + "=1", "HOME=" + t.TempDir(), "TERM=xterm-256color",
		"LC_ALL=C.UTF-8"}, exe, "demo", "--check")
	rows := s.Shows("checks passed")
	for _, want := range []string{"she cannot read and", "could read nothing", "prof joined, and has what ann said"} {
		if !strings.Contains(strings.Join(strings.Fields(strings.Join(rows, " ")), " "), want) {
			t.Errorf("no %q in\n%s", want, strings.Join(rows, "\n"))
		}
	}
	s.Exit()
}

// TestDemoExplains: the demonstration waits until it was read, says what to try, one thing after the
// other, and raises no alarm, on the smallest terminal that people have.
func TestDemoExplains(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := screen.Start(t, 80, 24, []string{asProcess + "=1", "HOME=" + t.TempDir(), "TERM=xterm-256color", "NO_COLOR=1",
		"LC_ALL=C.UTF-8", "TMUX="}, exe, "demo")
	s.Shows("Press Enter to go in.")
	s.Keys("\r")
	s.Shows("F1 help")
	for _, step := range []struct{ says, typed string }{
		{"Type something", "hello"},
		{"/who lists everybody", "and more"},
		{"Nobody here can see", "what?"},
		{"Type this, and press Enter: /prove", "/prove prof Professor"},
		{"You alone saw that proof", "/to Professor hello"},
		{"I read it", "good"},
		{"That was all.", "/quit"},
	} {
		s.Shows(step.says)
		s.Keys(step.typed + "\r")
	}
	if status := s.Exit(); status != 0 {
		t.Errorf("status %d", status)
	}
	if out := s.Written(); strings.Contains(out, "RELAYED") || strings.Contains(out, "!!") {
		t.Errorf("an alarm:\n%s", out)
	}
}

// TestLinkOnATerminal: however narrow the terminal is, the link is one line, and nothing but at most
// two lines of a warning is with it.
func TestLinkOnATerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	if stdout, stderr, status := run(t, dir, "", "join", "den", "--json", "--key", "ann.key", "--policy", thePolicy,
		"--listen", "/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Fatal(stdout, stderr)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stdout, _, _ := run(t, dir, "", "link", "den")
	env := append([]string{asProcess + "=1", "TERM=xterm-256color"}, home(dir)...)
	s := screen.Start(t, 40, 24, env, exe, "link", "den")
	s.Exit()
	link := strings.TrimSuffix(stdout, "\n")
	if w := s.Written(); len(link) < 80 || !strings.HasSuffix(w, "\r\n"+link+"\r\n") {
		t.Errorf("%q, and on a terminal %q", stdout, w)
	}
}
