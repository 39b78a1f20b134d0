package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"coterie/cmd/internal/drive"
)

// TestNobodyConnected: who is left by all others, killed or cut off, is told so,
// whether an address was given at the start or not: OFFLINE where nothing is
// connected, ALONE where only a relay is.
func TestNobodyConnected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kill := func(p *drive.Peer) {
		t.Helper()
		if err := p.Signal(os.Kill); err != nil {
			t.Fatal(err)
		}
		p.Exit(ctx)
	}
	status := func(name, want string) {
		t.Helper()
		if out, _, code := runAt(t, dir, homeOf(dir, name), "", "status"); code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit status %d: %s", code, out)
		}
	}

	ann := peerProcess(ctx, t, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at.Addrs[0])
	if _, err := drive.Together(ctx, ann, bob); err != nil {
		t.Fatal(err)
	}
	offline := again(ann, "OFFLINE")
	kill(bob)
	if _, err := ann.Wait(ctx, "OFFLINE", offline); err != nil {
		t.Fatal(err)
	}
	status("ann", "OFFLINE")
	leave(ctx, t, ann)

	relay := relayProcess(ctx, t, dir)
	there, err := relay.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ann = peerProcess(ctx, t, dir, "ann", "--bootstrap", there.Addrs[0])
	bob = peerProcess(ctx, t, dir, "bob", "--bootstrap", there.Addrs[0])
	if _, err := drive.Together(ctx, ann, bob); err != nil {
		t.Fatal(err)
	}
	kill(bob)
	w, err := ann.Wait(ctx, "ALONE", func(e drive.Event) bool {
		return e.Event == "health" && e.Code == "ALONE" && e.State == "on" && strings.Contains(e.Text, "not connected")
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.Text != "The other member is not connected." {
		t.Errorf("%q", w.Text)
	}
	status("ann", "ALONE")
	finish(ctx, t, ann)
	relay.Signal(os.Interrupt)
	if code, err := relay.Exit(ctx); err != nil || code != 0 {
		t.Errorf("relay: %d, %v", code, err)
	}
}

// again holds once a peer has told of an item of health once more than so far.
func again(p *drive.Peer, code string) func(drive.Event) bool {
	is := func(e drive.Event) bool { return e.Event == "health" && e.Code == code && e.State == "on" }
	before, n := 0, 0
	events, _ := p.Events()
	for _, e := range events {
		if is(e) {
			before++
		}
	}
	return func(e drive.Event) bool {
		if is(e) {
			n++
		}
		return n > before
	}
}

// relayProcess starts a relay on loopback.
func relayProcess(ctx context.Context, t *testing.T, dir string, args ...string) *drive.Peer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := append([]string{asProcess + "=1"}, home(homeOf(dir, "relay"))...)
	args = append([]string{"relay", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"}, args...)
	p := started(ctx, t, "relay", env, exe, args...)
	t.Cleanup(func() { p.Signal(os.Kill) })
	return p
}
