//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestColour: a flag is stronger than the settings and the environment, on a
// screen and in plain lines; what a terminal gets besides is the same.
func TestColour(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	colour := regexp.MustCompile(`\x1b\[[0-9;:]*\b(3[0-7]|4[0-7]|38|48|9[0-7])\b[0-9;:]*m`)
	for _, c := range []struct {
		env  string
		args []string
		want bool
	}{
		{"NO_COLOR=", nil, true}, {"NO_COLOR=1", nil, false}, {"NO_COLOR=1", []string{"--color", "always"}, true},
		{"NO_COLOR=", []string{"--color", "never"}, false},
	} {
		s := onScreen(t, dir, "ann", 80, 24, []string{c.env}, c.args...)
		s.Shows("OFFLINE") // in colour
		if got := colour.MatchString(s.Written()); got != c.want {
			t.Errorf("%s %q: colours %v", c.env, c.args, got)
		}
		s.Keys("/quit\r")
		s.Exit()
	}
	config := filepath.Join(dir, "config", "coterie", "config.toml")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	plain := func(args ...string) (string, string, int) {
		return run(t, dir, "", append([]string{"join", "den", "--plain", "--ephemeral", "--key", "ann.key", "--policy",
			thePolicy, "--listen", "/ip4/127.0.0.1/tcp/0", "--linger", "0s"}, args...)...)
	}
	for _, c := range []struct {
		config string
		args   []string
		want   bool
	}{
		{"", nil, false}, {"color = \"always\"\n", nil, true}, {"color = \"always\"\n", []string{"--color", "auto"}, false},
		{"", []string{"--color", "always"}, true},
	} {
		if err := os.WriteFile(config, []byte(c.config+"time = \"full\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := plain(c.args...)
		if got := strings.Contains(stdout, "\x1b["); status != 0 || got != c.want {
			t.Errorf("%q %q: status %d, escape codes %v: %s", c.config, c.args, status, got, stderr)
		}
		// So do times, which the settings say as well.
		if !strings.Contains(stdout, time.Now().Format("2006-01")) {
			t.Errorf("no full times in %q", stdout)
		}
	}
	if _, stderr, status := plain("--color", "loud"); status != 2 ||
		!strings.Contains(stderr, `--color: "loud" is not auto, always or never`) {
		t.Errorf("status %d: %s", status, stderr)
	}
	if err := os.WriteFile(config, []byte("color = \"loud\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := plain(); status != 1 ||
		!strings.Contains(stderr, `color: "loud" is not auto, always or never`) {
		t.Errorf("status %d: %s", status, stderr)
	}
}
