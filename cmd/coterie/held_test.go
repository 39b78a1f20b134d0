//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"coterie/cmd/internal/drive"
	"coterie/cmd/internal/screen"
)

// TestHeldRestarts: what nobody could read waits through a kill, a signal and a quit; is shown
// again in JSON, in plain lines and in the terminal, is looked at, asked about before the room is
// left for good, and sent once, in order, when somebody comes.
func TestHeldRestarts(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	ann, _ := first(ctx, t, dir, "ann")
	if err := ann.Write(`{"send":"one","ref":1}`); err != nil {
		t.Fatal(err)
	}
	held := func(p *drive.Peer, text, reason string) {
		t.Helper()
		if _, err := p.Wait(ctx, "held: "+text, func(e drive.Event) bool {
			return e.Event == "held" && e.Reason == reason && e.Text == text
		}); err != nil {
			t.Fatal(err)
		}
	}
	held(ann, "", "alone")
	ann.Kill()

	ann, _ = first(ctx, t, dir, "ann")
	held(ann, "one", "before")
	if err := ann.Write(`{"send":"two","ref":2}`); err != nil {
		t.Fatal(err)
	}
	held(ann, "", "alone")
	if err := ann.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Wait(ctx, "two is kept", func(e drive.Event) bool {
		return e.Event == "kept" && e.Ref == 2.
	}); err != nil {
		t.Fatal(err)
	}
	if status, err := ann.Exit(ctx); err != nil || status != 0 {
		t.Fatalf("status %d, %v", status, err)
	}

	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := append(home(homeOf(dir, "ann")), asProcess+"=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=")
	open := func(args ...string) *screen.Screen {
		t.Helper()
		return screen.Start(t, 100, 24, env, exe, append([]string{"join", "den", "--key", filepath.Join(dir, "ann.key"),
			"--policy", `((ONE or THREE) and (TWO or FOUR))`, "--listen", "/ip4/127.0.0.1/tcp/0"}, args...)...)
	}
	for _, args := range [][]string{nil, {"--plain"}} {
		s := open(args...)
		s.Shows("2 messages of yours from before")
		s.Keys("/held\r")
		s.Shows("one")
		s.Shows("two")
		if len(args) == 0 {
			s.Keys("\x1b") // closes the panel
		}
		s.Keys("/leave\r")
		s.Shows("2 messages wait to be sent, and leaving for good gives them up")
		s.Keys("/quit\r")
		s.Shows("2 messages wait to be sent when you are back")
		s.Exit()
	}

	ann, at := first(ctx, t, dir, "ann")
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
	if _, err := bob.Heard(ctx, "two"); err != nil {
		t.Fatal(err)
	}
	var said []string
	events, _ := bob.Events()
	for _, e := range events {
		if e.Event == "message" {
			said = append(said, e.Text)
		}
	}
	if len(said) != 2 || said[0] != "one" {
		t.Errorf("bob heard %q", said)
	}
	leave(ctx, t, bob)
	if err := ann.Say("three"); err != nil {
		t.Fatal(err)
	}
	held(ann, "", "alone")
	for range 2 { // it is asked about
		if err := ann.Leave(); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := ann.Exit(ctx); err != nil || status != 0 {
		t.Fatalf("status %d, %v", status, err)
	}
	if _, err := ann.Wait(ctx, "the question", func(e drive.Event) bool {
		return e.Event == "error" && e.Code == "held"
	}); err != nil {
		t.Error(err)
	}
	ann, _ = first(ctx, t, dir, "ann")
	leave(ctx, t, ann)
	if events, _ := ann.Events(); len(events) > 0 && events[len(events)-1].Event == "bye" {
		for _, e := range events {
			if e.Event == "held" {
				t.Error("who left for good has something to say")
			}
		}
	}
}

// TestAbsenceIsTold: who closes the window and is back is told from when to when they were away, and
// how much was said; in plain lines, too.
func TestAbsenceIsTold(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	ann, at := first(ctx, t, dir, "ann")
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
	cyn := peerAt(ctx, t, dir, homeOf(dir, "cyn"), "ann", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob, cyn)
	leave(ctx, t, cyn)
	if _, err := drive.Together(ctx, ann, bob); err != nil {
		t.Fatal(err)
	}
	if err := ann.Say("meanwhile"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	cyn = peerAt(ctx, t, dir, homeOf(dir, "cyn"), "ann", "--bootstrap", at)
	if _, err := cyn.Wait(ctx, "what was said while it was away", func(e drive.Event) bool {
		return e.Event == "absence" && e.To != "" && e.Missing == false && e.Count == 1
	}); err != nil {
		t.Fatalf("%v\n%s", err, cyn.Stdout())
	}
	leave(ctx, t, cyn, bob, ann)

	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := screen.Start(t, 120, 24, append(home(homeOf(dir, "cyn")), asProcess+"=1", "TERM=xterm-256color"), exe,
		"join", "den", "--plain", "--key", filepath.Join(dir, "ann.key"), "--policy", `((ONE or THREE) and (TWO or FOUR))`,
		"--listen", "/ip4/127.0.0.1/tcp/0")
	s.Shows("what was said meanwhile is not here: nobody who may have it is")
	s.Keys("/quit\r")
	s.Exit()
}
