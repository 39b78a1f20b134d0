package node

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/node/store"
	"coterie/room"
)

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
