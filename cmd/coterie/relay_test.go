package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coterie/cmd/internal/drive"
)

// TestRelayKeepsItsAddress: a relay that starts again is the same peer, and so has
// the addresses that others remember; a file that is none, or that others may read,
// is no key.
func TestRelayKeepsItsAddress(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := append([]string{asProcess + "=1"}, home(dir)...)
	key := filepath.Join(dir, "relay.key")
	start := func(args ...string) *drive.Peer {
		p, err := drive.Start(ctx, "relay", env, exe, append([]string{"relay", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	self := func(args ...string) string {
		p := start(args...)
		ready, err := p.Ready(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p.Signal(syscall.SIGTERM)
		if status, err := p.Exit(ctx); err != nil || status != 0 {
			t.Errorf("status %d, %v: %s", status, err, p.Stderr())
		}
		return ready.Peer
	}
	first := self()
	if again := self(); again != first {
		t.Errorf("%s became %s", first, again)
	}
	if other := self("--identity", key); other == first {
		t.Error("another file gives the same peer")
	}
	for name, spoil := range map[string]func() error{
		"open to others": func() error { return os.Chmod(key, 0o644) },
		"cut short":      func() error { return os.WriteFile(key, []byte(relayKey+"00\n"), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		p := start("--identity", key)
		if status, err := p.Exit(ctx); err != nil || status != 1 || !strings.Contains(p.Stdout(), "relay.key") {
			t.Errorf("%s: status %d, %v: %s", name, status, err, p.Stdout())
		}
		if err := os.Chmod(key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
