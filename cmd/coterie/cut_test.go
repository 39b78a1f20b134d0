//go:build unix

package main

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
)

// TestOneWayCut: what one process sends to another is lost from some moment on,
// and that never heals. A third one is between the two: all hear all, and nobody
// begins epochs for it.
func TestOneWayCut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	w := newStorm(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	for _, p := range w.peers {
		p.start(ctx, w)
	}
	all := w.running()
	aliveIn(ctx, t, all...)
	talk(ctx, t, "before the cut", all...)
	epochs := func() (n int) {
		events, _ := all[0].Events()
		for _, e := range events {
			if e.Event == "epoch" {
				n++
			}
		}
		return n
	}
	before := epochs()
	if out, err := exec.Command("ip", "-n", w.peers[0].ns, "route", "add", "blackhole", w.peers[1].addr).
		CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	talk(ctx, t, "right after it", all...)
	select { // until the connection that was cut is given up
	case <-time.After(40 * time.Second):
	case <-ctx.Done():
	}
	talk(ctx, t, "long after it", all...)
	aliveIn(ctx, t, all...)
	if n := epochs() - before; n > 2 {
		t.Errorf("%d epochs began", n)
	}
	finish(ctx, t, all...)
}

// TestCutCommand: who is cut reads nothing of what is said by whoever cut them,
// until that is taken back. A third one, who keeps both, hears all, and is told.
func TestCutCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ann, bob, cyn, _ := party(ctx, t, t.TempDir())
	ready, err := cyn.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wait := func(p *drive.Peer, what string, holds func(drive.Event) bool) {
		t.Helper()
		if _, err := p.Wait(ctx, what, holds); err != nil {
			t.Fatal(err)
		}
	}
	say := func(from *drive.Peer, text string, to ...*drive.Peer) {
		t.Helper()
		if err := from.Say(text); err != nil {
			t.Fatal(err)
		}
		for _, p := range to {
			if _, err := p.Heard(ctx, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ann.Write(fmt.Sprintf(`{"cut":%q}`, ready.Peer)); err != nil {
		t.Fatal(err)
	}
	wait(ann, "being told", func(e drive.Event) bool { return e.Event == "cut" && e.Peer == ready.Peer })
	wait(ann, "an epoch of two", func(e drive.Event) bool {
		return e.Event == "epoch" && e.Size == 2 &&
			e.Reason == "cut"
	})
	say(ann, "without cyn", bob)
	say(bob, "bob to all", ann, cyn)
	wait(bob, "being told who leaves out whom", func(e drive.Event) bool {
		return e.Event == "left_out" &&
			e.Peer == ready.Peer
	})
	events, _ := cyn.Events()
	for _, e := range events {
		if e.Event == "message" && e.Text == "without cyn" {
			t.Error("cyn reads what ann says")
		}
	}
	if err := ann.Write(fmt.Sprintf(`{"uncut":%q}`, ready.Peer)); err != nil {
		t.Fatal(err)
	}
	aliveIn(ctx, t, ann, bob, cyn)
	say(ann, "with cyn again", bob, cyn)
	finish(ctx, t, ann, bob, cyn)
}
