package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coterie/room"
)

// TestLinkOfARunningRoom: the link that another process prints has the addresses
// of the one that is in the room, so that a friend gets in with nothing else;
// when nobody is in it, it is said that there are none.
func TestLinkOfARunningRoom(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	ann := peerAt(ctx, t, dir, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	link := func(args ...string) (*room.Link, string) {
		t.Helper()
		stdout, stderr, status := run(t, dir, "", append([]string{"link"}, args...)...)
		l, err := room.ParseLink(strings.TrimSuffix(stdout, "\n"))
		if status != 0 || err != nil {
			t.Fatalf("status %d, %v: %s%s", status, err, stdout, stderr)
		}
		return l, stderr
	}
	running, stderr := link("den")
	if len(running.Addresses) == 0 || running.Addresses[0].String() != at.Addrs[0] ||
		!strings.HasPrefix(stderr, "warning: the link works on this computer alone") {
		t.Errorf("addresses %v, not %v; %s", running.Addresses, at.Addrs, stderr)
	}
	bob := peerAt(ctx, t, dir, homeOf(dir, "bob"), "bob", "--ephemeral", "--bootstrap", running.Addresses[0].String())
	if _, err := bob.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	leave(ctx, t, bob, ann)
	fresh := t.TempDir()
	stdout, stderr2, status := runAt(t, dir, fresh, "", "join", "den", "--json", "--key", "ann.key", "--policy", thePolicy,
		"--listen", "/ip4/127.0.0.1/tcp/0")
	if status != 0 {
		t.Fatal(stdout, stderr2)
	}
	stdout, stderr2, status = runAt(t, dir, fresh, "", "link", "den")
	l, err := room.ParseLink(strings.TrimSuffix(stdout, "\n"))
	if status != 0 || !strings.Contains(stderr2, "warning: the link has no addresses yet") || err != nil ||
		len(l.Addresses) > 0 || strings.Count(stderr2, "\n") != 2 {
		t.Errorf("status %d: %s%s", status, stdout, stderr2)
	}
}

// TestStatusOfAnEphemeralRoom: a room of which nothing is kept is seen by status
// and ping as any other, two of them beside each other too; its socket goes with
// it, and that of one that was killed is swept.
func TestStatusOfAnEphemeralRoom(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	ann := peerAt(ctx, t, dir, dir, "ann", "--ephemeral")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bob := peerAt(ctx, t, dir, dir, "bob", "--ephemeral", "--bootstrap", at.Addrs[0])
	if _, err := bob.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	aliveIn(ctx, t, ann, bob)
	stdout, stderr, _ := run(t, dir, "", "status", "den")
	if strings.Count(stdout, "den     ") != 2 {
		t.Errorf("%s%s", stdout, stderr)
	}
	if stdout, stderr, status := run(t, dir, "", "ping", "bob", "--room", "den"); status != 0 &&
		!strings.Contains(stderr, "itself") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if _, stderr, status := run(t, dir, "", "link", "den"); status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
	leave(ctx, t, bob, ann)
	if left := doors(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "config", "coterie", "rooms.toml")); err == nil {
		t.Error("the room is remembered")
	}
	// What a killed process leaves behind.
	dead := filepath.Join(dir, "run", "coterie", "dead-1.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Skip("too long a path for a socket")
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, age := range []time.Duration{0, time.Hour} {
		then := time.Now().Add(-age)
		if err := os.Chtimes(dead, then, then); err != nil {
			t.Fatal(err)
		}
		run(t, dir, "", "status")
		if _, err := os.Lstat(dead); (err == nil) != (age == 0) {
			t.Errorf("a dead socket of %v: %v", age, err)
		}
	}
}

// TestPortTaken: the error names the port, is the first thing that is said, and
// gives a hint that works: an address that was not typed now cannot be
// left out.
func TestPortTaken(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	listen := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)
	want := fmt.Sprintf("error: tcp %d is in use by another program", port)
	_, stderr, status := run(t, dir, "", "join", "den", "--json", "--key", "ann.key", "--policy", thePolicy, "--listen",
		listen)
	if status != 1 || !strings.HasPrefix(stderr, want+"\nhint: leave out --listen") {
		t.Errorf("status %d: %s, not %s", status, stderr, want)
	}
	config := filepath.Join(dir, "config", "coterie", "config.toml")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal([]string{listen})
	if err := os.WriteFile(config, []byte("listen = "+string(b)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, status = run(t, dir, "", "join", "den", "--json", "--key", "ann.key", "--policy", thePolicy)
	if status != 1 || !strings.HasPrefix(stderr, want+"\nhint: --listen /ip4/0.0.0.0/tcp/0") {
		t.Errorf("status %d: %s", status, stderr)
	}
}
