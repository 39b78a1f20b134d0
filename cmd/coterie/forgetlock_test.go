//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// contents are the files below a folder, with what is in them.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out
}

// TestForgetAsksTheLock: coterie forget does not erase a room that is open, whether its
// socket is found and answers or not; nothing else opens the room beside it; and when
// nobody has it open, it goes as a whole.
func TestForgetAsksTheLock(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	ann := peerAt(ctx, t, dir, dir, "ann")
	if _, err := ann.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	rooms := filepath.Join(dir, "data", "coterie", "rooms")
	before := contents(t, rooms)
	pid := ""
	for name, text := range before {
		if filepath.Ext(name) == ".lock" {
			pid = text
		}
	}
	if n, err := strconv.Atoi(pid); err != nil || n < 2 {
		t.Fatalf("the lock has %q", pid)
	}
	forget := func(what string, env ...string) {
		t.Helper()
		for _, kept := range []string{"forget", "join"} {
			args := []string{"forget", "den", "--yes"}
			if kept == "join" {
				args = []string{"join", "den", "--plain", "--key", "ann.key", "--policy", thePolicy, "--listen",
					"/ip4/127.0.0.1/tcp/0"}
			}
			_, stderr, status := runWith(t, dir, dir, "", env, args...)
			if want := "open in another process (pid " + pid + ")"; status != 1 || !strings.Contains(stderr, want) {
				t.Errorf("%s: %s: status %d: %s", what, kept, status, stderr)
			}
		}
		if after := contents(t, rooms); len(after) != len(before) {
			t.Errorf("%s: of %d files there are %d", what, len(before), len(after))
		}
	}
	forget("as it is")
	other := filepath.Join(dir, "run2")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	forget("another XDG_RUNTIME_DIR", "XDG_RUNTIME_DIR="+other)
	if err := ann.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	forget("a stopped process")
	if err := ann.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, s := range doors(t, dir) {
		if err := os.Remove(s); err != nil {
			t.Fatal(err)
		}
	}
	forget("no socket")
	if events, _ := ann.Events(); events[len(events)-1].Event == "bye" {
		t.Error("the open room has ended")
	}
	leave(ctx, t, ann)
	if stdout, stderr, status := run(t, dir, "", "forget", "den", "--yes"); status != 0 ||
		!strings.Contains(stdout, "Forgot den.") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if left := contents(t, rooms); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

// TestForgetTwoRooms: of two rooms of one name, one of which is open, neither is erased.
func TestForgetTwoRooms(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	join := []string{"join", "den", "--plain", "--key", "ann.key", "--listen", "/ip4/127.0.0.1/tcp/0", "--policy"}
	if _, stderr, status := run(t, dir, "", append(join, "ONE and TWO")...); status != 0 {
		t.Fatal(stderr)
	}
	ann := peerAt(ctx, t, dir, dir, "ann")
	if _, err := ann.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	rooms := filepath.Join(dir, "data", "coterie", "rooms")
	before := len(contents(t, rooms))
	_, stderr, status := runWith(t, dir, dir, "", []string{"XDG_RUNTIME_DIR=" + filepath.Join(dir, "run2")}, "forget",
		"den", "--yes")
	if status != 1 || !strings.Contains(stderr, "open in another process") || len(contents(t, rooms)) != before {
		t.Errorf("status %d, %d files of %d: %s", status, len(contents(t, rooms)), before, stderr)
	}
	if stdout, stderr, status := run(t, dir, "", "forget", "den", "--policy", "ONE and TWO", "--yes"); status != 0 {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	leave(ctx, t, ann)
	if stdout, _, _ := run(t, dir, "", "rooms"); strings.Count(stdout, "den ") != 1 {
		t.Errorf("remembered: %s", stdout)
	}
}

// TestForgetInOddFolders: a folder whose name has the characters of a pattern is one like
// others; a lock that is none of ours keeps the room from being erased, and is said.
func TestForgetInOddFolders(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	at := filepath.Join(dir, "a[b]*?c")
	join := func() {
		t.Helper()
		if _, stderr, status := runAt(t, dir, at, "", "join", "den", "--plain", "--key", "ann.key", "--policy", thePolicy,
			"--listen", "/ip4/127.0.0.1/tcp/0"); status != 0 {
			t.Fatal(stderr)
		}
	}
	join()
	rooms := filepath.Join(at, "data", "coterie", "rooms")
	locks, err := os.ReadDir(rooms)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range locks {
		if filepath.Ext(l.Name()) != ".lock" {
			continue
		}
		if err := os.Chmod(filepath.Join(rooms, l.Name()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	_, stderr, status := runAt(t, dir, at, "", "forget", "den", "--yes")
	if status != 1 || !strings.Contains(stderr, "hint: chmod 600 ") || len(contents(t, rooms)) != len(locks) {
		t.Errorf("status %d: %s", status, stderr)
	}
	private(t, at)
	if _, stderr, status := runAt(t, dir, at, "", "forget", "den", "--yes"); status != 0 || len(contents(t, rooms)) > 0 {
		t.Errorf("status %d: %s; %d files are left", status, stderr, len(contents(t, rooms)))
	}
	if stdout, _, _ := runAt(t, dir, at, "", "rooms"); !strings.Contains(stdout, "No room was joined yet.") {
		t.Error(stdout)
	}
}
