package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestHabitsAreRemembered: what was typed at the first join is so at the second,
// which is the room's name alone; the environment and flags are stronger, the
// settings weaker; coterie config says from where it comes.
func TestHabitsAreRemembered(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)
	l.Close()
	config := filepath.Join(dir, "config", "coterie", "config.toml")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("nick = \"other\"\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[rooms.den]\nnick = "+
		"\"another\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ready := func(args ...string) (nick, id, addrs string) {
		t.Helper()
		stdout, stderr, status := run(t, dir, "", append([]string{"join", "den", "--json"}, args...)...)
		if status != 0 {
			t.Fatalf("%q: status %d: %s", args, status, stderr)
		}
		for _, l := range strings.Split(stdout, "\n") {
			if strings.HasPrefix(l, `{"event":"ready"`) {
				find := func(pattern string) string {
					return append(regexp.MustCompile(pattern).FindStringSubmatch(l), "", "")[1]
				}
				return find(`"nick":"([^"]*)"`), find(`"room_id":"([^"]*)"`), find(`"addrs":\[([^\]]*)\]`)
			}
		}
		t.Fatalf("%q: not ready: %s", args, stdout)
		return
	}
	_, id, _ := ready("--key", "ann.key", "--policy", thePolicy, "--nick", "kari", "--listen", listen, "--history", "7d")
	for _, test := range []struct {
		env  string
		args []string
		nick string
		here bool // listens where it did
	}{
		{"", nil, "kari", true},
		{"env", nil, "env", true},
		{"env", []string{"--nick", "flag", "--listen", "/ip4/127.0.0.1/tcp/0"}, "flag", false},
		{"", []string{"--nick", "kari", "--listen", listen}, "kari", true},
		{"", []string{"--ephemeral"}, "another", false},
		{"", []string{"--key", "ann.key", "--policy", thePolicy, "--history", "7d"}, "kari", true},
	} {
		if test.env != "" {
			t.Setenv("COTERIE_NICK", test.env)
		} else {
			os.Unsetenv("COTERIE_NICK")
		}
		nick, again, addrs := ready(test.args...)
		if nick != test.nick || again != id || strings.Contains(addrs, listen+"/") != test.here {
			t.Errorf("%+v: nick %q, room %s and not %s, at %s", test, nick, again, id, addrs)
		}
	}
	os.Unsetenv("COTERIE_NICK")
	stdout, stderr, status := run(t, dir, "", "config")
	if status != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{`rooms.den.nick +kari +\S*rooms.toml`, `rooms.den.listen +` + listen + ` +\S*rooms.toml`,
		`rooms.den.history +7d +\S*rooms.toml`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if slices.ContainsFunc(strings.Split(stdout, "\n"), func(l string) bool {
		return strings.HasPrefix(l,
			"rooms.den.nick") && strings.Contains(l, "another")
	}) {
		t.Errorf("a nick that is not in force:\n%s", stdout)
	}
}
