package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"coterie/cmd/internal/drive"
)

// What tests with processes begin and end with.

// stage makes the fixtures in a folder; ctx ends when it takes too long.
func stage(t *testing.T) (ctx context.Context, dir string) {
	t.Helper()
	dir = t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx, dir
}

// peerProcess starts coterie join --json as a process.
func peerProcess(ctx context.Context, t *testing.T, dir, name string, args ...string) *drive.Peer {
	t.Helper()
	return peerAt(ctx, t, dir, homeOf(dir, name), name, args...)
}

// started is a process that has ended, at the latest, before the test's folders go.
func started(ctx context.Context, t *testing.T, name string, env []string, binary string, args ...string) *drive.Peer {
	t.Helper()
	p, err := drive.Start(ctx, name, env, binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// homeOf is where peerProcess lets a peer keep what it keeps.
func homeOf(dir, name string) string { return filepath.Join(dir, "home of "+name) }

// peerAt starts a peer that keeps what it keeps in a folder.
func peerAt(ctx context.Context, t *testing.T, dir, at, name string, args ...string) *drive.Peer {
	t.Helper()
	return peerWith(ctx, t, dir, home(at), name, args...)
}

// peerWith starts a peer with more in its environment.
func peerWith(ctx context.Context, t *testing.T, dir string, env []string, name string, args ...string) *drive.Peer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"join", "den", "--json", "--key", filepath.Join(dir, name+".key"), "--nick", name,
		"--policy", `((ONE or THREE) and (TWO or FOUR))`, "--listen", "/ip4/127.0.0.1/tcp/0"}
	return started(ctx, t, name, append([]string{asProcess + "=1"}, env...), exe, append(all, args...)...)
}

// home is the environment of processes that keep nothing outside a folder.
func home(dir string) []string {
	return []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir + "/config", "XDG_DATA_HOME=" + dir + "/data",
		"XDG_STATE_HOME=" + dir + "/state", "XDG_RUNTIME_DIR=" + dir + "/run"}
}

// first starts a peer, and returns where others find it.
func first(ctx context.Context, t *testing.T, dir, name string, args ...string) (p *drive.Peer, at string) {
	t.Helper()
	p = peerProcess(ctx, t, dir, name, args...)
	ready, err := p.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return p, ready.Addrs[0]
}

// pair is ann and bob as processes, in one epoch.
func pair(ctx context.Context, t *testing.T, dir string) (ann, bob *drive.Peer, at string) {
	t.Helper()
	ann, at = first(ctx, t, dir, "ann")
	bob = peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob)
	return ann, bob, at
}

// party is ann, bob and cyn as processes, in one epoch.
func party(ctx context.Context, t *testing.T, dir string) (ann, bob, cyn *drive.Peer, at string) {
	t.Helper()
	fixtures(t, dir)
	for _, name := range []string{"cyn", "eve"} { // keys may be alike, peers are not
		key, err := os.ReadFile(filepath.Join(dir, "ann.key"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".key"), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ann = peerProcess(ctx, t, dir, "ann")
	ready, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	at = ready.Addrs[0]
	bob = peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
	cyn = peerProcess(ctx, t, dir, "cyn", "--bootstrap", at)
	aliveIn(ctx, t, ann, bob, cyn)
	return ann, bob, cyn, at
}

// finish lets peers leave at once, as they should.
func finish(ctx context.Context, t *testing.T, peers ...*drive.Peer) {
	t.Helper()
	for _, p := range peers {
		if err := p.Quit(); err != nil {
			t.Error(err)
		}
	}
	for _, p := range peers {
		if status, err := p.Exit(ctx); err != nil || status != 0 {
			t.Errorf("%s: status %d, %v: %s", p.Name, status, err, p.Stderr())
		}
	}
}

// aliveIn waits until peers are in one epoch.
func aliveIn(ctx context.Context, t *testing.T, peers ...*drive.Peer) {
	t.Helper()
	if _, err := drive.Together(ctx, peers...); err != nil {
		t.Fatal(err)
	}
}

// leave lets peers leave one after the other, as they should.
func leave(ctx context.Context, t *testing.T, peers ...*drive.Peer) {
	t.Helper()
	for _, p := range peers {
		if err := p.Quit(); err != nil {
			t.Fatal(err)
		}
		if status, err := p.Exit(ctx); err != nil || status != 0 {
			t.Errorf("%s: status %d, %v\n%s", p.Name, status, err, p.Stderr())
		}
	}
}

// shortDir is a folder with a short path: that of a socket is short on every system.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
