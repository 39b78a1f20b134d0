package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
)

// at is a profile with all that is its own in one folder.
func at(t *testing.T) (p *Profile, dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME"} {
		t.Setenv(name, dir)
	}
	return new(Profile), filepath.Join(dir, "coterie")
}

func named(name string) Room {
	return Room{Name: name, Domain: "NTNU", DomainID: strings.Repeat("ab", 32), Policy: `"ONE"`, Key: "/k",
		Last: time.Unix(1, 0).UTC(), Kept: Values{}}
}

// TestRoomsAtOnce: of rooms that are joined at the same time each is kept.
func TestRoomsAtOnce(t *testing.T) {
	p, dir := at(t)
	var all sync.WaitGroup
	var want []string
	for i := range 24 {
		name := fmt.Sprintf("room%02d", i)
		want = append(want, name)
		all.Go(func() {
			for range 3 {
				if err := p.Remember(named(name), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	rooms, err := p.Rooms()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rooms {
		got = append(got, r.Name)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("kept: %q", got)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("in the folder: %v, %v", left, err)
	}
}

// TestLinkedFiles: a file that is a symbolic link stays one, and what it leads to is
// changed; one that leads nowhere is said to.
func TestLinkedFiles(t *testing.T) {
	p, dir := at(t)
	stick := filepath.Join(t.TempDir(), "stick")
	for _, d := range []string{dir, stick} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, target string) (from, to string) {
		from, to = filepath.Join(dir, name), filepath.Join(stick, target)
		if err := os.Symlink(to, from); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
		return from, to
	}
	rooms, realRooms := link("rooms.toml", "rooms.toml")
	if err := os.WriteFile(realRooms, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	identity, realIdentity := link("identity", "id")
	if err := os.WriteFile(realIdentity, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Remember(named("exam"), nil); err != nil {
		t.Fatal(err)
	}
	if err := p.ReplaceSecret(identity, []byte("new")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct{ link, to, has string }{{rooms, realRooms, "exam"}, {identity, realIdentity, "new"}} {
		info, err := os.Lstat(f.link)
		if err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is a link no more: %v, %v", f.link, info, err)
		}
		b, err := os.ReadFile(f.to)
		if info, err2 := os.Lstat(f.to); err != nil || err2 != nil || !strings.Contains(string(b), f.has) ||
			info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v", f.to, b, err, err2)
		}
	}
	left, err := os.ReadDir(stick)
	if err != nil || len(left) != 2 {
		t.Errorf("beside them: %v, %v", left, err)
	}
	if err := os.Remove(realRooms); err != nil {
		t.Fatal(err)
	}
	_, err = p.Rooms()
	if err2 := p.Remember(named("exam"), nil); err == nil || err2 == nil {
		t.Errorf("a link that leads nowhere: %v, %v", err, err2)
	} else if e := cli.Describe(err); !strings.Contains(e.Text, "leads to "+realRooms) ||
		strings.Contains(fmt.Sprint(e.Hints), "did you mean") {
		t.Errorf("%q %q", e.Text, e.Hints)
	}
	if _, err := os.Lstat(realRooms); err == nil {
		t.Error("something was made where the link leads")
	}
}

// TestUnfinished: what a process that died while it wrote has left is removed by the next
// change, and said; what only looks so is left.
func TestUnfinished(t *testing.T) {
	p, dir := at(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var removed []string
	p.Removed = func(e *cli.Error) { removed = append(removed, e.Code+" "+e.Text) }
	write := func(names ...string) {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(".rooms.toml.0123456789abcdef.tmp", ".identity.0123456789abcdef.tmp", ".rooms.toml.mine.tmp", "rooms.toml.tmp")
	if err := p.Remember(named("exam"), nil); err != nil {
		t.Fatal(err)
	}
	if err := p.ReplaceSecret(filepath.Join(dir, "identity"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	var left []string
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		left = append(left, e.Name())
	}
	if want := []string{".rooms.toml.mine.tmp", "identity", "rooms.toml", "rooms.toml.tmp"}; !slices.Equal(left, want) {
		t.Errorf("left: %q", left)
	}
	if len(removed) != 2 || !strings.HasPrefix(removed[0], "leftover removed "+filepath.Join(dir, ".rooms.toml.0")) ||
		!strings.Contains(removed[1], ".identity.0") {
		t.Errorf("said: %q", removed)
	}
}

// TestRoomsFull: more than can be read again is not written.
func TestRoomsFull(t *testing.T) {
	p, _ := at(t)
	if err := p.Remember(named("exam"), nil); err != nil {
		t.Fatal(err)
	}
	large := named("large")
	large.Policy = `"` + strings.Repeat("x", keyfile.MaxSize) + `"`
	err := p.changeRooms(func(rooms []Room) ([]Room, error) { return append(rooms, large), nil })
	var e *cli.Error
	if !errors.As(err, &e) || e.Code != "rooms-full" {
		t.Errorf("got %v", err)
	}
	if rooms, err := p.Rooms(); err != nil || len(rooms) != 1 {
		t.Errorf("%d rooms, %v", len(rooms), err)
	}
}
