package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/node/store"
	"coterie/room"
)

// TestDiskShortens: messages go with what stays of them, names and others' messages do not.
func TestDiskShortens(t *testing.T) {
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "room.db"), Key: [32]byte{1}, Room: [32]byte{2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := NewStore(s)
	id := ake.Hash{1}
	if err := d.Save([]room.Saved{
		{Epoch: id, Author: room.Head, Data: []byte("head")}, {Epoch: id, Author: 3, Data: []byte("name")},
		{Epoch: id, Author: 3, Counter: 1, Data: []byte("one")}, {Epoch: id, Author: 3, Counter: 2, Data: []byte("two")},
		{Epoch: id, Author: 3, Counter: 3, Data: []byte("three")}, {Epoch: id, Author: 4, Counter: 1, Data: []byte("other")},
		{Epoch: id, Author: 3, Counter: 2, Rest: true, Data: []byte("rest")},
	}); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := d.Load(func(m room.Saved) bool { got = append(got, string(m.Data)); return true }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"head", "rest", "name", "three", "other"}; !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	if d.Size() == 0 {
		t.Error("it has no size")
	}
}

// TestDiskKeepsTheRoom: what the room has saved comes back as it was, in order,
// by author too, and what it forgets does not.
func TestDiskKeepsTheRoom(t *testing.T) {
	cfg := store.Config{Path: filepath.Join(t.TempDir(), "room.db"), Key: [32]byte{1}, Room: [32]byte{2}}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1764000000000)
	one, two := ake.Hash{1}, ake.Hash{2}
	all := []room.Saved{
		{Epoch: one, Author: room.Head, At: at, Data: []byte("who was there")},
		{Epoch: one, Author: 3, Counter: 1, At: at, Data: []byte("first")},
		{Epoch: one, Author: 3, At: at, Data: []byte("name")},
		{Epoch: one, Author: 3, Counter: 2, At: at, Data: []byte("second")},
	}
	gone := []room.Saved{{Epoch: two, Author: room.Head, At: at, Data: []byte("another")}, {Epoch: two, Author: 0,
		Counter: 1, At: at, Data: []byte("gone")}}
	d := NewStore(s)
	if err := d.Save(append(slices.Clone(all), gone...)); err != nil {
		t.Fatal(err)
	}
	if err := d.Forget([]ake.Hash{two}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err = store.Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d = NewStore(s)
	var got []room.Saved
	if err := d.Load(func(m room.Saved) bool { got = append(got, m); return true }); err != nil {
		t.Fatal(err)
	}
	same := func(a, b room.Saved) bool {
		return a.Epoch == b.Epoch && a.Author == b.Author && a.Counter == b.Counter && a.At.Equal(b.At) &&
			string(a.Data) == string(b.Data)
	}
	if !slices.EqualFunc(got, all, same) {
		t.Errorf("got %v", got)
	}
	messages, err := d.Messages(one, 3, 1, 1)
	if err != nil || len(messages) != 1 || !same(messages[0], all[1]) {
		t.Errorf("got %v, %v", messages, err)
	}
}

// TestDiskHeld: what waits is on the disk by its name; and when it goes out, that
// is durable at once: no power cut brings it back, nor takes what was said.
func TestDiskHeld(t *testing.T) {
	cfg := store.Config{Path: filepath.Join(t.TempDir(), "room.db"), Key: [32]byte{1}, Room: [32]byte{2},
		SyncEvery: time.Hour}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := NewStore(s)
	one, two := room.HeldPrefix+"1", room.HeldPrefix+"2"
	if err := d.Save([]room.Saved{
		{Name: one, Data: []byte("first")}, {Name: two, Data: []byte("second")}, {Name: "other", Data: []byte("x")},
	}); err != nil {
		t.Fatal(err)
	}
	names := func(d Store) (out []string) {
		all, err := d.Named(room.HeldPrefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			out = append(out, m.Name+" "+string(m.Data))
		}
		slices.Sort(out)
		return out
	}
	if got := names(d); !slices.Equal(got, []string{one + " first", two + " second"}) {
		t.Errorf("there is %q", got)
	}
	// The database says how much of the log is durable.
	database := func() string {
		b, err := os.ReadFile(cfg.Path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := database()
	if err := d.Save([]room.Saved{{Name: "other", Data: []byte("y")}}); err != nil {
		t.Fatal(err)
	}
	if database() != before {
		t.Error("whatever is saved is durable at once: the test shows nothing")
	}
	id := ake.Hash{1}
	if err := d.Save([]room.Saved{
		{Epoch: id, Author: room.Head, Data: []byte("head")}, {Epoch: id, Author: 3, Counter: 1, Data: []byte("said")},
		{Name: one},
	}); err != nil {
		t.Fatal(err)
	}
	if database() == before {
		t.Error("it is not durable")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	d = NewStore(after)
	if got := names(d); !slices.Equal(got, []string{two + " second"}) {
		t.Errorf("after it there is %q", got)
	}
	if m, err := d.Messages(id, 3, 1, 1); err != nil || len(m) != 1 {
		t.Errorf("after it the message is not there: %v", err)
	}
}
