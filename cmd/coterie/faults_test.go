//go:build unix

package main

import (
	"context"
	"slices"
	"syscall"
	"testing"

	"coterie/cmd/internal/drive"
)

// TestSuspendAndResume: a process that was stopped, as a closed laptop is, is
// told what was said and who came meanwhile, and takes part again.
func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann, bob, cyn, at := party(ctx, t, dir)
	if err := cyn.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	said := []string{"while cyn sleeps", "and on", "and on again"}
	for _, text := range said {
		if err := ann.Say(text); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Heard(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	eve := peerProcess(ctx, t, dir, "eve", "--bootstrap", at)
	if _, err := eve.Wait(ctx, "an epoch of four", func(e drive.Event) bool {
		return e.Event == "epoch" &&
			e.Size == 4
	}); err != nil {
		t.Fatal(err)
	}
	if err := cyn.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, text := range said {
		if _, err := cyn.Heard(ctx, text); err != nil {
			t.Error(err)
		}
	}
	aliveIn(ctx, t, ann, bob, cyn, eve)
	if err := cyn.Say("awake"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*drive.Peer{ann, bob, eve} {
		if _, err := p.Heard(ctx, "awake"); err != nil {
			t.Error(err)
		}
	}
	finish(ctx, t, ann, bob, cyn, eve)
}

// TestKilledCommitter: of three that remain, whichever's turn it is to commit may
// just have been killed; the others go on, without who left.
func TestKilledCommitter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann, bob, cyn, at := party(ctx, t, dir)
	eve := peerProcess(ctx, t, dir, "eve", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob, cyn, eve)
	gone, err := eve.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := eve.Quit(); err != nil {
		t.Fatal(err)
	}
	next := func(e drive.Event) bool {
		return e.Event == "epoch" && e.Size == 3 && !slices.Contains(e.Members, gone.Peer) && e.Reason == "away"
	}
	for _, p := range []*drive.Peer{ann, cyn} {
		if _, err := p.Wait(ctx, "an epoch without eve", next); err != nil {
			t.Fatal(err)
		}
	}
	if err := ann.Say("going on"); err != nil {
		t.Fatal(err)
	}
	if _, err := cyn.Heard(ctx, "going on"); err != nil {
		t.Error(err)
	}
	if a, c := ann.Epoch(), cyn.Epoch(); a.ID != c.ID {
		t.Errorf("ann is in %s, cyn in %s", a.ID, c.ID)
	}
	finish(ctx, t, ann, cyn)
}
