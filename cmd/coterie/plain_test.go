package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExitStatus: 0 done, 1 it failed, 2 wrong usage, whatever the command.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	for _, test := range []struct {
		status int
		args   string
	}{
		{0, "version"}, {0, "help"}, {0, "help join"}, {0, "help policies"}, {0, "join --help"}, {0, "config"}, {0, "rooms"},
		{0, "rooms --json"},
		{0, "completion bash"}, {0, "key ann.key"}, {0, "man pages"},
		{1, "key old.key"}, {1, "key nobody.key"}, {1, "link exam"}, {1, "forget exam"}, {1, "rooms --move exam"},
		{1, "doctor --key damaged.key"},
		{2, ""}, {2, "jion"}, {2, "join"}, {2, "join a b"}, {2, "key"}, {2, "link"}, {2, "ping"}, {2, "forget"},
		{2, "relay x"}, {2, "demo x"}, {2, "status"},
		{2, "join den --linger x"}, {2, "join den --time noon --key ann.key --policy ONE"}, {2, "version --x"},
		{2, "help nothing"}, {2, "--profile ../x config"}, {2, "link --qr --json ann.key"},
	} {
		_, stderr, status := run(t, dir, "", strings.Fields(test.args)...)
		if status != test.status {
			t.Errorf("coterie %s: status %d, not %d\n%s", test.args, status, test.status, stderr)
		}
		if status != 0 && test.args != "" && !strings.HasPrefix(stderr, "error: ") &&
			!strings.HasPrefix(test.args, "doctor") {
			t.Errorf("coterie %s says %q", test.args, stderr)
		}
	}
	pages, err := os.ReadDir(filepath.Join(dir, "pages"))
	if err != nil || len(pages) < 15 {
		t.Errorf("%d man pages, %v", len(pages), err)
	}
}

// TestHelpFits: at most 24 lines, examples first.
func TestHelpFits(t *testing.T) {
	dir := t.TempDir()
	for _, word := range []string{"demo", "relay", "rooms", "status", "ping", "doctor", "link", "passphrase", "forget",
		"say", "save", "read",
		"config", "policies", "links", "security", "environment", "exit-codes"} {
		stdout, _, _ := run(t, dir, "", "help", word)
		if n := strings.Count(stdout, "\n"); n > 24 || n < 2 {
			t.Errorf("coterie help %s has %d lines", word, n)
		}
	}
}

// TestCompletion: rooms, key files and one's own attributes, and never a name of
// somebody's.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	if _, stderr, status := run(t, dir, "", "join", "den", "--key", "ann.key", "--policy", thePolicy, "--listen",
		"/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Fatal(stderr)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"join", "d"}, "den\n"}, {[]string{"forget", ""}, "den\n"}, {[]string{"join", "x"}, ":4\n"},
		{[]string{"join", "den", "--key", ""}, "key\n"}, {[]string{"join", "den", "--time", ""}, "short\nfull\nnone\n"},
		{[]string{"join", "den", "--key", "ann.key", "--policy", "ONE and T"}, "ONE and THREE\nONE and TWO\n"},
	} {
		stdout, _, status := run(t, dir, "", append([]string{"__complete"}, test.args...)...)
		if status != 0 || !strings.Contains(stdout, test.want) {
			t.Errorf("%q: %q", test.args, stdout)
		}
	}
}

// TestPassphraseCommand: the settings may say where the passphrase comes from.
func TestPassphraseCommand(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	config := filepath.Join(dir, "config", "coterie")
	if err := os.MkdirAll(config, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("passphrase_command = [\"cat\", %q]\nidentity = %q\n", filepath.Join(dir, "right"),
		filepath.Join(dir, "identity"))
	if err := os.WriteFile(filepath.Join(config, "config.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := run(t, dir, "", "join", "den", "--key", "sealed.key", "--policy", thePolicy, "--listen",
		"/ip4/127.0.0.1/tcp/0"); status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
	for _, args := range [][]string{{"key", "sealed.key"}, {"request", "--name", "Kari", "--want", "ONE"}} {
		if _, stderr, status := run(t, dir, "", args...); status != 0 {
			t.Errorf("%q: status %d: %s", args, status, stderr)
		}
	}
}
