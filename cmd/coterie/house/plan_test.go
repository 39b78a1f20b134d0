package house

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
	h := &House{Now: time.Now, Stdout: &printed, Stderr: &printed}
	forget := func(expr string) int {
		f, err := h.Forgetting(func(r profile.Room) bool { return r.Name == "hall" && r.Policy == mustPolicy(t, expr) })
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Erase(); err != nil {
			t.Fatal(err)
		}
		return len(f.Rooms)
	}
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
		if err := h.Remember(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.fill(&Plan{Flags: Flags{Given: typed}}, "hall"); err == nil ||
		!strings.Contains(err.Error(), "2 rooms called hall") {
		t.Errorf("the name alone: %v", err)
	}
	for what, f := range map[string]Flags{
		"the policy":         {Policy: "TWO"},
		"a third":            {Policy: "ONE and TWO"},
		"policy and history": {Policy: "ONE", History: "7d"},
		"policy and key":     {Policy: "ONE", Key: key},
	} {
		f.Given = typed
		p := &Plan{Flags: f, keyPath: f.Key}
		if _, err := h.fill(p, "hall"); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if p.keyPath != key || !slices.Contains(p.Flags.Bootstrap, one) || !slices.Contains(p.Flags.Bootstrap, two) {
			t.Errorf("%s: key %q, addresses %q", what, p.keyPath, p.Flags.Bootstrap)
		}
	}
	p := &Plan{Flags: Flags{Policy: "ONE", Key: "other.key", Given: func(name string) bool { return name == "key" }},
		keyPath: "other.key"}
	if _, err := h.fill(p, "hall"); err != nil || p.keyPath != "other.key" || len(p.Flags.Bootstrap) > 0 {
		t.Errorf("another key: %q, %q, %v", p.keyPath, p.Flags.Bootstrap, err)
	}
	if n := forget("THREE"); n != 0 {
		t.Error("a policy that none of them has")
	}
	forget("ONE")
	if rooms, err := h.Rooms(); err != nil || len(rooms) != 1 || rooms[0].Policy != mustPolicy(t, "TWO") {
		t.Errorf("left: %+v, %v", rooms, err)
	}
	if _, err := h.fill(&Plan{Flags: Flags{Given: typed}}, "hall"); err != nil {
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
