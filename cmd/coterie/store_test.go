package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coterie/cmd/internal/drive"
)

// TestCopiedProfile: a profile that runs on two computers is one peer. The one
// that started first is told that another takes part as it, and says no more.
func TestCopiedProfile(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	bob, at := first(ctx, t, dir, "bob")
	ann := peerProcess(ctx, t, dir, "ann", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob)
	// The copy is taken from a profile that is at rest, and both run then.
	leave(ctx, t, ann)
	first := homeOf(dir, "ann")
	if err := os.CopyFS(homeOf(filepath.Join(dir, "other computer"), "ann"), os.DirFS(filepath.Join(first))); err != nil {
		t.Fatal(err)
	}
	private(t, filepath.Join(dir, "other computer"))
	key, err := os.ReadFile(filepath.Join(dir, "ann.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other computer", "ann.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	ann = peerProcess(ctx, t, dir, "ann", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob)
	one, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	copied := peerProcess(ctx, t, filepath.Join(dir, "other computer"), "ann", "--bootstrap", at)
	two, err := copied.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if one.Peer != two.Peer {
		t.Fatalf("%s is not %s: the test shows nothing", two.Peer, one.Peer)
	}
	w, err := ann.Wait(ctx, "the error", func(e drive.Event) bool {
		return e.Event == "error" &&
			e.Code == "profile-twice"
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.Hint, "--profile") {
		t.Errorf("hint %q", w.Hint)
	}
	if status, err := ann.Exit(ctx); err != nil || status != 1 {
		t.Errorf("status %d, %v", status, err)
	}
	for _, p := range []*drive.Peer{copied, bob} {
		if _, err := p.Wait(ctx, "an epoch of the two", func(e drive.Event) bool {
			return e.Event == "epoch" &&
				e.Size == 2
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := copied.Say("it is me"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, "it is me"); err != nil {
		t.Fatal(err)
	}
	leave(ctx, t, copied, bob)
}

// private makes a copied profile as private as the one it is of.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDiskFullGoesOn: when there is no space for more history the user is told,
// and the room goes on; when there is, it is saved again.
func TestDiskFullGoesOn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	ctx, dir := stage(t)
	data := filepath.Join(homeOf(dir, "ann"), "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=768k,mode=700", "tmpfs", data).
		CombinedOutput(); err != nil {
		t.Skipf("no small file system to be had: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", data).Run() })
	ann, bob, _ := pair(ctx, t, dir)
	for i := range 100 {
		if err := bob.Say(fmt.Sprint(i, strings.Repeat(" and so on", 1500))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ann.Wait(ctx, "that the disk is full", func(e drive.Event) bool {
		return e.Event == "warning" &&
			e.Code == "disk-full"
	}); err != nil {
		t.Fatal(err)
	}
	if err := ann.Say("I am still here"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, "I am still here"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "remount,size=64m", data).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for i := 0; ; i++ {
		if err := bob.Say(fmt.Sprint("more ", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := ann.Heard(ctx, fmt.Sprint("more ", i)); err != nil {
			t.Fatal(err)
		}
		events, _ := ann.Events()
		if e := events[len(events)-1]; e.Event == "warning" && e.Code == "saving" {
			break
		}
		again := false
		for _, e := range events {
			again = again || e.Event == "warning" && e.Code == "saving"
		}
		if again {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("it is not said that history is saved again")
		}
	}
	leave(ctx, t, ann, bob)
}
