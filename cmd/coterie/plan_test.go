package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/cmd/coterie/profile"
	"coterie/crypto/abe"
)

// TestNamesakes: after a mistyped policy there are two rooms of one name. The
// right policy alone is then enough, with the key and the addresses of the other;
// and one of them can be forgotten.
func TestNamesakes(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME"} {
		t.Setenv(name, home)
	}
	var printed strings.Builder
	a := newApp(strings.NewReader(""), &printed, &printed)
	key := filepath.Join(home, "bob.key")
	domain := strings.Repeat("0a", 32)
	room := func(expr, addr string) profile.Room {
		policy := mustPolicy(t, expr)
		return profile.Room{Name: "hall", Domain: "NTNU", DomainID: domain, Policy: policy, Key: key,
			Addresses: []string{addr}, Last: time.Now()}
	}
	typed := func(string) bool { return false }
	const one, two = "/ip4/10.0.0.1/tcp/4001", "/ip4/10.0.0.2/tcp/4001"
	for _, r := range []profile.Room{room("ONE", one), room("TWO", two)} {
		if err := a.Remember(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.fill(&plan{flags: joinFlags{given: typed}}, "hall"); err == nil ||
		!strings.Contains(err.Error(), "2 rooms called hall") {
		t.Errorf("the name alone: %v", err)
	}
	for what, f := range map[string]joinFlags{
		"the policy":         {policy: "TWO"},
		"a third":            {policy: "ONE and TWO"},
		"policy and history": {policy: "ONE", history: "7d"},
		"policy and key":     {policy: "ONE", key: key},
	} {
		f.given = typed
		p := &plan{flags: f, keyPath: f.key}
		if _, err := a.fill(p, "hall"); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if p.keyPath != key || !slices.Contains(p.flags.bootstrap, one) || !slices.Contains(p.flags.bootstrap, two) {
			t.Errorf("%s: key %q, addresses %q", what, p.keyPath, p.flags.bootstrap)
		}
	}
	p := &plan{flags: joinFlags{policy: "ONE", key: "other.key", given: func(name string) bool { return name == "key" }},
		keyPath: "other.key"}
	if _, err := a.fill(p, "hall"); err != nil || p.keyPath != "other.key" || len(p.flags.bootstrap) > 0 {
		t.Errorf("another key: %q, %q, %v", p.keyPath, p.flags.bootstrap, err)
	}
	if err := a.forget("hall", "one", true); err == nil {
		t.Error("a policy that none of them has")
	}
	if err := a.forget("hall", "ONE", true); err != nil {
		t.Fatal(err)
	}
	if rooms, err := a.Rooms(); err != nil || len(rooms) != 1 || rooms[0].Policy != mustPolicy(t, "TWO") {
		t.Errorf("left: %+v, %v", rooms, err)
	}
	if _, err := a.fill(&plan{flags: joinFlags{given: typed}}, "hall"); err != nil {
		t.Error(err)
	}
}

func mustPolicy(t *testing.T, expr string) string {
	t.Helper()
	p, err := abe.ParsePolicy(expr)
	if err != nil {
		t.Fatal(err)
	}
	return p.String()
}
