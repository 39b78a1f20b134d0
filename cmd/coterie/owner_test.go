//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrongOwner: a key and a history that belong to somebody else are not used,
// and whose they are is said. Giving a file away takes root.
func TestWrongOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	fixtures(t, dir)
	join := func(key string) (string, string, int) {
		return run(t, dir, "", "join", "den", "--json", "--key", key, "--policy", thePolicy, "--listen",
			"/ip4/127.0.0.1/tcp/0")
	}
	if _, stderr, status := join("ann.key"); status != 0 {
		t.Fatal(stderr)
	}
	const other = 4242
	kept, err := filepath.Glob(filepath.Join(dir, "data", "coterie", "rooms", "*.db"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q, %v", kept, err)
	}
	for _, file := range []string{filepath.Join(dir, "bob.key"), kept[0]} {
		if err := os.Chown(file, other, -1); err != nil {
			t.Skip("this system does not let files be given away: ", err)
		}
		key := "ann.key"
		if filepath.Base(file) == "bob.key" {
			key = "bob.key"
		}
		stdout, stderr, status := join(key)
		if status != 1 || errorCode(stdout) != "wrong-owner" || !strings.Contains(stderr, "belongs to ") ||
			!strings.Contains(stderr, "hint: sudo chown") {
			t.Errorf("%s: status %d, code %q: %s", file, status, errorCode(stdout), stderr)
		}
		if err := os.Chown(file, os.Geteuid(), -1); err != nil {
			t.Fatal(err)
		}
		if _, stderr, status := join(key); status != 0 {
			t.Errorf("%s, given back: %s", file, stderr)
		}
	}
}

// TestHistoryKey: a history that was kept for another identity, or has lost its
// key, is not opened and not touched; what to do is said.
func TestHistoryKey(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	join := func(key string, more ...string) (string, string, int) {
		return run(t, dir, "", append([]string{"join", "den", "--json", "--key", key, "--policy", thePolicy, "--listen",
			"/ip4/127.0.0.1/tcp/0"}, more...)...)
	}
	if _, stderr, status := join("sealed.key", "--identity", "identity", "--passphrase-file", "right"); status != 0 {
		t.Fatal(stderr)
	}
	rooms := filepath.Join(dir, "data", "coterie", "rooms")
	before, err := os.ReadDir(rooms)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, stdout, stderr string, status int) {
		t.Helper()
		if status != 1 || errorCode(stdout) != "history-key" || !strings.HasPrefix(stderr, "error: history of den cannot "+
			"be opened") || !strings.Contains(stderr, "coterie forget den") {
			t.Errorf("%s: status %d, code %q: %s", what, status, errorCode(stdout), stderr)
		}
		after, err := os.ReadDir(rooms)
		if err != nil || len(after) != len(before) {
			t.Errorf("%s: %v is now %v, %v", what, before, after, err)
		}
	}
	stdout, stderr, status := join("ann.key", "--identity", "stranger")
	check("another identity", stdout, stderr, status)
	stdout, stderr, status = join("ann.key")
	check("no identity", stdout, stderr, status)
	for _, f := range before {
		if ext := filepath.Ext(f.Name()); ext != ".db" && ext != ".lock" {
			if err := os.Rename(filepath.Join(rooms, f.Name()), filepath.Join(dir, f.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	before, _ = os.ReadDir(rooms)
	stdout, stderr, status = join("sealed.key", "--identity", "identity", "--passphrase-file", "right")
	check("no key", stdout, stderr, status)
}
