//go:build unix

package main

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"coterie/internal/drive"
)

// TestOneWayCut: what one process sends to another is lost from some moment on,
// and that never heals. A third one is between the two: all hear all, and nobody
// begins epochs for it.
func TestOneWayCut(t *testing.T) {
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
	if _, err := drive.Together(ctx, all...); err != nil {
		t.Fatal(err)
	}
	chat(ctx, t, "before the cut", all...)
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
	if out, err := exec.Command("ip", "-n", w.peers[0].ns, "route", "add", "blackhole", w.peers[1].addr).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	chat(ctx, t, "right after it", all...)
	select { // until the connection that was cut is given up
	case <-time.After(40 * time.Second):
	case <-ctx.Done():
	}
	chat(ctx, t, "long after it", all...)
	if _, err := drive.Together(ctx, all...); err != nil {
		t.Fatal(err)
	}
	if n := epochs() - before; n > 2 {
		t.Errorf("%d epochs began", n)
	}
	finish(ctx, t, all...)
}
