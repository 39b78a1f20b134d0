package profile

import (
	"path/filepath"
	"testing"
)

func TestFolders(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	check := func(d Profile, want ...string) {
		t.Helper()
		for i, f := range []func() (string, error){d.ConfigDir, d.DataDir, d.StateDir, d.RuntimeDir} {
			if got, err := f(); err != nil || got != want[i] {
				t.Errorf("%q, %v; want %q", got, err, want[i])
			}
		}
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{home}, parts...)...) }
	check(Profile{}, in(".config/coterie"), in(".local/share/coterie"), in(".local/state/coterie"),
		in(".local/state/coterie/run"))
	check(Profile{Name: "second"}, in(".config/coterie/profiles/second"), in(".local/share/coterie/profiles/second"),
		in(".local/state/coterie/profiles/second"), in(".local/state/coterie/profiles/second/run"))
	t.Setenv("XDG_CONFIG_HOME", in("c"))
	t.Setenv("XDG_DATA_HOME", in("d"))
	t.Setenv("XDG_STATE_HOME", "relative")
	t.Setenv("XDG_RUNTIME_DIR", in("r"))
	check(Profile{}, in("c/coterie"), in("d/coterie"), in(".local/state/coterie"), in("r/coterie"))
	check(Profile{Name: "2"}, in("c/coterie/profiles/2"), in("d/coterie/profiles/2"),
		in(".local/state/coterie/profiles/2"), in("r/coterie/profiles/2"))
}

func TestProfileIsOneFolder(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{".", "..", "../x", "a/b", `a\b`, "a b", "a\x1b", "a:b"} {
		if got, err := (&Profile{Name: name}).ConfigDir(); err == nil {
			t.Errorf("%q gives %q", name, got)
		}
	}
}
