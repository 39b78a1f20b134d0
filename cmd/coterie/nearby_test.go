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

// TestNearby: two peers on one network that know no address of each other are in
// one room, and a third, in another room of the name, is told of theirs.
func TestNearby(t *testing.T) {
	needNamespaces(t)
	ctx, dir := stage(t)
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
	hub := fmt.Sprintf("coterie%d-nearby", os.Getpid())
	namespace(hub)
	ip("-n", hub, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	ip("-n", hub, "link", "set", "br0", "up")
	var peers []*drive.Peer
	for i, policy := range []string{"THREE", "THREE", "TWO"} {
		ns, port, addr := fmt.Sprintf("%s%d", hub, i), fmt.Sprint("v", i), fmt.Sprintf("10.78.0.%d", i+1)
		namespace(ns)
		ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		ip("-n", hub, "link", "set", port, "master", "br0", "up")
		ip("-n", ns, "addr", "add", addr+"/24", "dev", "eth0")
		ip("-n", ns, "link", "set", "eth0", "up")
		at := homeOf(dir, fmt.Sprint(i))
		if err := os.MkdirAll(at+"/run", 0o700); err != nil {
			t.Fatal(err)
		}
		p, err := drive.Start(ctx, fmt.Sprint(i), append([]string{asProcess + "=1"}, home(at)...), "ip", "netns", "exec", ns,
			os.Args[0],
			"join", "den", "--json", "--key", filepath.Join(dir, "bob.key"), "--policy", policy, "--listen", "/ip4/"+addr+
				"/tcp/0")
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, p)
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
