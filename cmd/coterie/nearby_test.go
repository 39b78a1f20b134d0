package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
)

// A lan is a network of namespaces, one for each computer.
type lan struct {
	hub    string
	spaces []string
	ip     func(args ...string)
}

func newLAN(t *testing.T, name string, n int) *lan {
	t.Helper()
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	namespace := func(name string) {
		ip("netns", "add", name)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
		ip("-n", name, "link", "set", "lo", "up")
	}
	l := &lan{hub: fmt.Sprintf("coterie%d-%s", os.Getpid(), name), ip: ip}
	namespace(l.hub)
	ip("-n", l.hub, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	ip("-n", l.hub, "link", "set", "br0", "up")
	for i := range n {
		ns, port := fmt.Sprintf("%s%d", l.hub, i), fmt.Sprint("v", i)
		namespace(ns)
		ip("-n", l.hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		ip("-n", l.hub, "link", "set", port, "master", "br0", "up")
		ip("-n", ns, "addr", "add", l.addr(i)+"/24", "dev", "eth0")
		ip("-n", ns, "link", "set", "eth0", "up")
		l.spaces = append(l.spaces, ns)
	}
	return l
}

func (l *lan) addr(i int) string { return fmt.Sprintf("10.78.0.%d", i+1) }

// join starts a peer on one of the computers.
func (l *lan) join(ctx context.Context, t *testing.T, dir string, i int, policy string) *drive.Peer {
	t.Helper()
	at := homeOf(dir, fmt.Sprint(i))
	if err := os.MkdirAll(at+"/run", 0o700); err != nil {
		t.Fatal(err)
	}
	p := started(ctx, t, fmt.Sprint(i), append([]string{asProcess + "=1"}, home(at)...), "ip", "netns", "exec",
		l.spaces[i], os.Args[0],
		"join", "den", "--json", "--key", filepath.Join(dir, "bob.key"), "--policy", policy, "--listen",
		"/ip4/"+l.addr(i)+"/tcp/0")
	return p
}

// TestNearby: two peers on one network that know no address of each other are in
// one room, and a third, in another room of the name, is told of theirs.
func TestNearby(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lan := newLAN(t, "nearby", 3)
	var peers []*drive.Peer
	for i, policy := range []string{"THREE", "THREE", "TWO"} {
		peers = append(peers, lan.join(ctx, t, dir, i, policy))
	}
	aliveIn(ctx, t, peers[:2]...)
	if _, err := peers[2].Wait(ctx, "word of the others' room", func(e drive.Event) bool {
		return e.Event == "warning" && e.Code == "policy-differs" && strings.Contains(e.Text, `"THREE"`)
	}); err != nil {
		t.Fatal(err)
	}
	// Alone, it says what it tries.
	if _, err := peers[2].Wait(ctx, "what it tries", func(e drive.Event) bool {
		return e.Event == "state" && e.Step == "discover" && strings.HasSuffix(e.Text, "Trying: local network")
	}); err != nil {
		t.Error(err)
	}
	finish(ctx, t, peers...)
}

// TestCablePulled: two met on their network, with no address given; one's cable is pulled,
// and it says that it is offline, instead of "2 can read" and that all is well.
func TestCablePulled(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	dir := t.TempDir()
	fixtures(t, dir)
	// a dead connection is noticed after half a minute
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	lan := newLAN(t, "cable", 2)
	a, b := lan.join(ctx, t, dir, 0, "THREE"), lan.join(ctx, t, dir, 1, "THREE")
	if _, err := drive.Together(ctx, a, b); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	offline := map[*drive.Peer]func(drive.Event) bool{a: again(a, "OFFLINE"), b: again(b, "OFFLINE")}
	lan.ip("-n", lan.hub, "link", "set", "v1", "down")
	lan.ip("-n", lan.spaces[1], "addr", "flush", "dev", "eth0")
	for _, p := range []*drive.Peer{b, a} {
		if _, err := p.Wait(ctx, "OFFLINE", offline[p]); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s is told after %v", p.Name, time.Since(began).Round(time.Second))
	}
	finish(ctx, t, a, b)
}

// TestNoNetwork: on a computer without a network nothing of what libraries have to
// say about that is on the screen; it is in the log.
func TestNoNetwork(t *testing.T) {
	needNamespaces(t)
	dir := t.TempDir()
	fixtures(t, dir)
	ns := fmt.Sprintf("coterie%d-none", os.Getpid())
	for _, args := range [][]string{{"netns", "add", ns}, {"-n", ns, "link", "set", "lo", "up"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %q: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", ns, exe, "join", "den", "--plain", "--stay",
		"--key", "ann.key", "--policy", "ONE", "--log", "log")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), asProcess+"=1"), home(dir)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log []byte
	for ctx.Err() == nil && !bytes.Contains(log, []byte("zeroconf")) {
		time.Sleep(50 * time.Millisecond)
		log, _ = os.ReadFile(filepath.Join(dir, "log"))
	}
	io.WriteString(in, "/quit\n")
	if err := cmd.Wait(); err != nil || !bytes.Contains(log, []byte("zeroconf")) {
		t.Errorf("%v; the log has %s", err, log)
	}
	if bytes.Contains(out.Bytes(), []byte("zeroconf")) {
		t.Errorf("on the screen:\n%s", out.Bytes())
	}
}
