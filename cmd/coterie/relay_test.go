package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"coterie/cmd/coterie/profile"
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
		p := started(ctx, t, "relay", env, exe, append([]string{"relay", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"},
			args...)...)
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
		checkRelayLines(t, p.Stdout())
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
		"cut short":      func() error { return os.WriteFile(key, []byte(profile.RelayKey+"00\n"), 0o600) },
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

// TestRelayAddresses: what --print-address prints is where the relay then is, also
// while it runs; and a second relay with the same key is told who has it.
func TestRelayAddresses(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := append([]string{asProcess + "=1"}, home(dir)...)
	port := freePort(t)
	args := []string{"relay", "--listen", "127.0.0.1:" + port, "--listen", "/ip4/127.0.0.1/tcp/0/ws", "--announce",
		"relay.example.org:443"}
	start := func(more ...string) *drive.Peer {
		p := started(ctx, t, "relay", env, exe, append(args, more...)...)
		return p
	}
	printed := func() string {
		p := start("--print-address")
		if status, err := p.Exit(ctx); err != nil || status != 0 {
			t.Fatalf("status %d, %v: %s", status, err, p.Stderr())
		}
		return p.Stdout()
	}
	before := printed()
	p := start("--json")
	ready, err := p.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Signal(syscall.SIGKILL)
	var want []string
	for _, at := range []string{"/dns/relay.example.org/tcp/443", "/dns/relay.example.org/udp/443/quic-v1",
		"/ip4/127.0.0.1/tcp/" + port, "/ip4/127.0.0.1/udp/" + port + "/quic-v1"} {
		want = append(want, at+"/p2p/"+ready.Peer)
	}
	if got := strings.Fields(before); !slices.Equal(got, want) {
		t.Errorf("printed %v, want %v", got, want)
	}
	if again := printed(); again != before {
		t.Errorf("while it runs: %v", again)
	}
	for _, w := range want {
		if !slices.Contains(ready.Addrs, w) {
			t.Errorf("%s is not among %v", w, ready.Addrs)
		}
	}
	if len(ready.Addrs) != len(want)+1 || !strings.Contains(strings.Join(ready.Addrs, " "), "/ws/p2p/") {
		t.Errorf("it is at %v", ready.Addrs)
	}
	second := start("--json")
	status, err := second.Exit(ctx)
	if err != nil || status != 1 || !strings.Contains(second.Stdout(), `"code":"relay-running"`) ||
		!strings.Contains(second.Stdout(), "(pid ") {
		t.Errorf("a second one: status %d, %v: %s", status, err, second.Stdout())
	}
	p.Signal(syscall.SIGTERM)
	if status, err := p.Exit(ctx); err != nil || status != 0 {
		t.Errorf("status %d, %v", status, err)
	}
	third := start("--json")
	if again, err := third.Ready(ctx); err != nil || again.Peer != ready.Peer {
		t.Errorf("after the first one: %v, %v", again.Peer, err)
	}
	third.Signal(syscall.SIGTERM)
	if _, err := third.Exit(ctx); err != nil {
		t.Error(err)
	}
}

// TestRelayFlags: what is no limit is said to be none.
func TestRelayFlags(t *testing.T) {
	dir := t.TempDir()
	for _, args := range []string{
		"--memory 5", "--memory 1MiB", "--memory 512", "--memory -1GiB", "--memory 99999999GiB", "--memory MiB",
		"--connections -1", "--connections x",
		"--per-address -5", "--circuits -1", "--listen nowhere", "--announce nowhere", "--print-address --json", "now",
		"--announce /ip4/10.0.0.7/tcp/4001/p2p/12D3KooWQpP1Td1epjYGqz4Hhuc4fcHYVwdzMeQNLxSUhCkJt6DR",
	} {
		if _, stderr, status := run(t, dir, "", append([]string{"relay"}, strings.Fields(args)...)...); status != 2 {
			t.Errorf("%s: status %d: %s", args, status, stderr)
		}
	}
}

// checkRelayLines checks what a relay wrote against the schema of its events.
func checkRelayLines(t *testing.T, out string) {
	t.Helper()
	sch, err := drive.ReadSchema("lines/testdata/relay.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		if _, err := sch.Check([]byte(l)); err != nil {
			t.Errorf("%v in %s", err, l)
		}
	}
}

// freePort is one that is free on loopback, over TCP and UDP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		u, err := net.ListenPacket("udp4", "127.0.0.1:"+port)
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("no port is free over both")
	return ""
}
