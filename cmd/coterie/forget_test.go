//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"coterie/cmd/internal/screen"
)

// keptOnScreen starts coterie join in a terminal, with what it keeps in a folder.
func keptOnScreen(t *testing.T, dir, at string, args ...string) *screen.Screen {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := append([]string{asProcess + "=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=", "EDITOR=true", "VISUAL="},
		home(at)...)
	all := []string{"join", "den", "--key", filepath.Join(dir, "ann.key"), "--policy", thePolicy}
	return screen.Start(t, 100, 24, env, exe, append(all, args...)...)
}

// TestSettingsAreKept: what is set in the room is so the next time, and is said to
// be; the log as it runs is on the screen.
func TestSettingsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	s := keptOnScreen(t, dir, dir, "--listen", "/ip4/127.0.0.1/tcp/0", "--nick", "ann")
	s.Shows("OFFLINE")
	for line, want := range map[string]string{
		"/set mouse on":       "mouse: on; for this run and the next ones in this room",
		"/set nick kari":      "nick: kari; for this run and the next ones in this room",
		"/set time 15:04:05":  "time: 15:04:05; for this run and the next ones in this room",
		"/notify all":         "notify: all; for this run and the next ones in this room",
		"/set listen nowhere": `"nowhere" is not an address`,
	} {
		s.Keys(line + "\r")
		s.Shows(want)
	}
	s.Keys("/debug\r")
	s.Shows("level=INFO msg=watched")
	s.Keys("/rekey\r")
	s.Shows("level=WARN msg=\"not done\" code=alone")
	s.Keys("\x1b")
	s.Keys("/quit\r")
	s.Exit()
	stdout, stderr, status := run(t, dir, "", "config")
	for _, want := range []string{"rooms.den.mouse     true", "rooms.den.nick      kari", "rooms.den.notify    all"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s%s", want, stdout, stderr)
		}
	}
	s = keptOnScreen(t, dir, dir)
	s.Shows("kari>")
	s.Keys("/nosuch\r")
	s.Wait("a time with seconds", func(rows []string) bool {
		return regexp.MustCompile(`\d\d:\d\d:\d\d +(--|!!) `).MatchString(strings.Join(rows, "\n"))
	})
	if w := s.Written(); !strings.Contains(w, "\x1b[?1000h") && !strings.Contains(w, "\x1b[?1002h") {
		t.Error("the mouse is not taken")
	}
	s.Keys("/quit\r")
	s.Exit()
}

// TestForgetInAWindow: /forget in a window of a room that coterie up has open is answered in that window,
// when all is erased, and not in the log of coterie up.
func TestForgetInAWindow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	short, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	roomsOf(t, dir, short, "den")
	env := home(short)
	u := up(t, env)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := screen.Start(t, 80, 24, append([]string{asProcess + "=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX="},
		env...), exe, "join", "den")
	s.Shows("F1 help")
	s.Keys("/forget\r")
	s.Shows("be undone. [y/N]")
	s.Keys("y\r")
	if status := s.Exit(); status != 0 {
		t.Errorf("status %d: %s", status, s.Written())
	}
	left, err := filepath.Glob(filepath.Join(short, "data/coterie/rooms/*"))
	if w := s.Written(); !strings.Contains(w, "Forgot den: its history here and the history's key are erased.") ||
		err != nil || len(left) > 0 {
		t.Errorf("left %q, %v; it ended with %q", left, err, w[max(0, len(w)-300):])
	}
	if strings.Contains(u.said(), "Forgot") || strings.Contains(u.said(), "erased") {
		t.Errorf("coterie up says %s", u.said())
	}
	u.ends(t, os.Interrupt)
}

// TestForgetInARoom: /forget leaves and takes away the history, its key and what is
// remembered, and nothing else; another process cannot take them from under a room
// that is open.
func TestForgetInARoom(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	files := func() (out []string) {
		for _, pattern := range []string{"data/coterie/rooms/*", "run/coterie/*"} {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, found...)
		}
		return out
	}
	s := keptOnScreen(t, dir, dir, "--listen", "/ip4/127.0.0.1/tcp/0")
	s.Shows("OFFLINE")
	if _, stderr, status := run(t, dir, "", "forget", "den", "--yes"); status != 1 ||
		!strings.Contains(stderr, "error: den is open in another process (pid ") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if len(files()) < 2 {
		t.Fatalf("there are %q", files())
	}
	s.Keys("/forget\r")
	s.Shows("and leave? It cannot be undone. [y/N]")
	s.Keys("y\r")
	if status := s.Exit(); status != 0 {
		t.Errorf("status %d: %s", status, s.Written())
	}
	if w := s.Written(); !strings.Contains(w, "Forgot den: its history here and the history's key are erased.") {
		t.Errorf("it ended with %q", w[max(0, len(w)-300):])
	}
	if left := files(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if stdout, _, _ := run(t, dir, "", "rooms"); !strings.Contains(stdout, "No room was joined yet.") {
		t.Errorf("remembered: %s", stdout)
	}
	if _, err := os.Stat(filepath.Join(dir, "ann.key")); err != nil {
		t.Error(err)
	}
}
