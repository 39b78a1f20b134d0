package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coterie/cmd/internal/drive"
)

// do has a peer do something.
func do(t *testing.T, p *drive.Peer, command map[string]string) {
	t.Helper()
	b, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(string(b)); err != nil {
		t.Fatal(err)
	}
}

// wait waits for an event.
func wait(ctx context.Context, t *testing.T, p *drive.Peer, what string, holds func(drive.Event) bool) drive.Event {
	t.Helper()
	e, err := p.Wait(ctx, what, holds)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// waitForFile waits until a peer was shown a file.
func waitForFile(ctx context.Context, t *testing.T, p *drive.Peer, name string) drive.Event {
	t.Helper()
	return wait(ctx, t, p, "the file "+name, func(e drive.Event) bool { return e.File != nil && e.File.Name == name })
}

// waitSaved waits until a peer has saved a file, and returns what is in it.
func waitSaved(ctx context.Context, t *testing.T, p *drive.Peer, id string) (path string, data []byte) {
	t.Helper()
	e := wait(ctx, t, p, "a saved file", func(e drive.Event) bool {
		return e.Event == "file" && e.Target == id && e.Path != ""
	})
	data, err := os.ReadFile(e.Path)
	if err != nil {
		t.Fatal(err)
	}
	return e.Path, data
}

// randomFile makes a file of so many bytes.
func randomFile(t *testing.T, path string, size int) []byte {
	t.Helper()
	data := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(data)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFiles: ann sends a file of 3 MiB, and leaves. Cyn has fetched it before, and bob gets it
// from her: the same bytes, in a file that only he reads, beside what had the name before.
func TestFiles(t *testing.T) {
	ctx, dir := stage(t)
	ann, bob, cyn, _ := party(ctx, t, dir)
	data := randomFile(t, filepath.Join(dir, "plan.pdf"), 3<<20)
	do(t, ann, map[string]string{"file": filepath.Join(dir, "plan.pdf"), "ref": "the plan"})
	wait(ctx, t, ann, "sent", func(e drive.Event) bool { return e.Event == "sent" && e.Ref == "the plan" })
	id := waitForFile(ctx, t, cyn, "plan.pdf").ID
	if e := waitForFile(ctx, t, bob, "plan.pdf"); e.File.State != "there" || e.File.Size != 3<<20 {
		t.Errorf("bob is shown %+v", e.File)
	}
	do(t, cyn, map[string]string{"fetch": id})
	wait(ctx, t, cyn, "the file here", func(e drive.Event) bool { return e.Event == "file" && e.State == "here" })
	finish(ctx, t, ann)
	aliveIn(ctx, t, bob, cyn)

	to := filepath.Join(dir, "bob's")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "plan.pdf"), []byte("his own"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, bob, map[string]string{"save": id, "path": to + "/"})
	path, got := waitSaved(ctx, t, bob, id)
	if !bytes.Equal(got, data) || path != filepath.Join(to, "plan (2).pdf") {
		t.Errorf("%d bytes in %s", len(got), path)
	}
	if own, err := os.ReadFile(filepath.Join(to, "plan.pdf")); err != nil || string(own) != "his own" {
		t.Errorf("what was there is %q, %v", own, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(to)
	if err != nil || len(left) != 2 {
		t.Errorf("%d files are there, %v", len(left), err)
	}
	finish(ctx, t, bob, cyn)
	// Nothing of it lies on a disk as it is.
	for _, name := range []string{"ann", "bob", "cyn"} {
		found := 0
		filepath.WalkDir(filepath.Join(homeOf(dir, name), "data"), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				found++
				b, err := os.ReadFile(path)
				if err != nil || bytes.Contains(b, data[:64]) || bytes.Contains(b, []byte("plan.pdf")) ||
					strings.Contains(path, id[:8]) {
					t.Errorf("%s: %v; it has the file, or its name", path, err)
				}
			}
			return nil
		})
		if found < 24 {
			t.Errorf("%s has %d files on disk: where are the pieces?", name, found)
		}
	}
}

// TestFilesAgain: a file that came is there for the next process; one that a process was killed
// over is fetched on.
func TestFilesAgain(t *testing.T) {
	ctx, dir := stage(t)
	ann, bob, at := pair(ctx, t, dir)
	data := randomFile(t, filepath.Join(dir, "small.txt"), 200_000)
	do(t, ann, map[string]string{"file": filepath.Join(dir, "small.txt")})
	id := waitForFile(ctx, t, bob, "small.txt").ID
	wait(ctx, t, bob, "the file here", func(e drive.Event) bool {
		return e.Event == "file" && e.State == "here" || e.File != nil && e.File.State == "here"
	})
	bob.Kill()
	finish(ctx, t, ann)
	bob = peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
	if e := waitForFile(ctx, t, bob, "small.txt"); e.File.State != "here" || !e.History {
		t.Errorf("he is shown %+v", e)
	}
	do(t, bob, map[string]string{"save": id, "path": filepath.Join(dir, "saved")})
	if path, got := waitSaved(ctx, t, bob, id); !bytes.Equal(got, data) || path != filepath.Join(dir, "saved") {
		t.Errorf("%d bytes in %s", len(got), path)
	}
	for what, command := range map[string]map[string]string{
		"no-file":   {"fetch": strings.Repeat("00", 31) + "01"},
		"bad-input": {"save": id},
	} {
		do(t, bob, command)
		wait(ctx, t, bob, what, func(e drive.Event) bool { return e.Event == "error" && e.Code == what })
	}
	for what, path := range map[string]string{
		"a folder": dir, "nothing": filepath.Join(dir, "no such file"), "a device": "/dev/null",
	} {
		do(t, bob, map[string]string{"file": path, "ref": what})
		wait(ctx, t, bob, what, func(e drive.Event) bool {
			return e.Event == "rejected" && e.Ref == what && e.Code == "file"
		})
	}
	finish(ctx, t, bob)
}

// TestStopFetching: a file that nobody who is there has is waited for, until its user stops that. What is
// not being fetched cannot be stopped, and of one's own file it is said what can be done.
func TestStopFetching(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	ann, bob, _ := pair(ctx, t, dir)
	randomFile(t, filepath.Join(dir, "talk.mp4"), 2<<20)
	do(t, ann, map[string]string{"file": filepath.Join(dir, "talk.mp4")})
	id := waitForFile(ctx, t, bob, "talk.mp4").ID
	own := waitForFile(ctx, t, ann, "talk.mp4").ID
	do(t, ann, map[string]string{"stop": own})
	wait(ctx, t, ann, "what can be done", func(e drive.Event) bool {
		return e.Event == "error" && strings.Contains(e.Text, "talk.mp4 is yours")
	})
	finish(ctx, t, ann)
	path := filepath.Join(dir, "saved")
	do(t, bob, map[string]string{"save": id, "path": path})
	wait(ctx, t, bob, "that it is fetched", func(e drive.Event) bool {
		return e.Event == "file" && e.State == "fetching"
	})
	do(t, bob, map[string]string{"stop": id})
	wait(ctx, t, bob, "that it is stopped", func(e drive.Event) bool { return e.Event == "file" && e.State == "there" })
	for _, c := range []string{id, strings.Repeat("00", 32)} {
		do(t, bob, map[string]string{"stop": c})
		wait(ctx, t, bob, "a refusal", func(e drive.Event) bool {
			return e.Event == "error" && (e.Code == "file" || e.Code == "bad-input")
		})
	}
	finish(ctx, t, bob)
	if _, err := os.Stat(path); err == nil {
		t.Error("it was saved")
	}
}
