//go:build unix

package main

import (
	"fmt"
	"net"
	"testing"

	"coterie/cmd/internal/drive"
)

// TestQuickReturn: who leaves and is back within a minute is told as gone and as
// back, on a screen, in plain lines and in JSON: the room did not change for
// whoever compares two epochs, but for somebody who was alone in between it did.
func TestQuickReturn(t *testing.T) {
	ctx, dir := stage(t)
	ann, at := first(ctx, t, dir, "ann")
	bob := func() *drive.Peer { return peerProcess(ctx, t, dir, "bob", "--bootstrap", at) }
	first := bob()
	aliveIn(ctx, t, ann, first)
	leave(ctx, t, first)
	self, err := first.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ofBob := func(state string, n int) func(drive.Event) bool {
		return func(e drive.Event) bool {
			if e.Event == "member" && e.Peer == self.Peer && e.State == state {
				n--
			}
			return n == 0
		}
	}
	if _, err := ann.Wait(ctx, "bob goes away", ofBob("away", 1)); err != nil {
		t.Fatal(err)
	}
	second := bob()
	if _, err := ann.Wait(ctx, "bob's return", ofBob("joined", 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Wait(ctx, "the epoch that says so", func(e drive.Event) bool {
		return e.Event == "epoch" &&
			e.Reason == "joined"
	}); err != nil {
		t.Fatal(err)
	}
	leave(ctx, t, ann, second)

	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)
	l.Close()
	at = listen
	for _, args := range [][]string{nil, {"--plain"}} {
		s := onScreen(t, dir, "ann", 80, 24, nil, append(args, "--listen", listen)...)
		s.Shows("listening")
		first := bob()
		s.Shows("2 can read")
		s.Shows("bob") // a name may come a moment after the epoch
		leave(ctx, t, first)
		s.Shows("bob went away; nobody else is here")
		second := bob()
		s.Shows(" joined; 2 can read")
		leave(ctx, t, second)
		s.Keys("/quit\r")
		s.Exit()
	}
}
