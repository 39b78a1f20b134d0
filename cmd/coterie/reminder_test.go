package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExpiringOnceADay: that a key expires soon is said once a day, of each key;
// a run that keeps nothing always says it, and notes nothing.
func TestExpiringOnceADay(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	b, err := os.ReadFile(filepath.Join(dir, "soon.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other.key"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "state", "coterie", "reminded.toml")
	says := func(what, key string, want bool, more ...string) {
		t.Helper()
		args := append([]string{"join", "den", "--plain", "--key", key, "--policy", "ONE and TWO", "--listen",
			"/ip4/127.0.0.1/tcp/0", "--linger", "0s"}, more...)
		_, stderr, status := run(t, dir, "", args...)
		if status != 0 || strings.Contains(stderr, "warning: "+key+" expires in 3 days") != want {
			t.Errorf("%s: status %d, said %v: %s", what, status, !want, stderr)
		}
	}
	says("nothing kept", "soon.key", true, "--ephemeral")
	says("the first time", "soon.key", true)
	says("the second time", "soon.key", false)
	says("another key", "other.key", true)
	says("nothing kept", "soon.key", true, "--ephemeral")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if b, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	day := b[:strings.IndexByte(string(b), '\n')]
	yesterday := strings.Replace(string(b), string(day), `day = "2001-01-01"`, 1)
	for what, text := range map[string]string{"another day": yesterday, "a damaged file": "\x00",
		"far too much": strings.Repeat("#", (64<<10)+1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		says(what, "soon.key", true)
	}
}
