package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
)

func identities(t *testing.T) (x, hybrid []age.Identity) {
	t.Helper()
	a, err := age.GenerateX25519Identity()
	must(t, err)
	b, err := age.GenerateHybridIdentity()
	must(t, err)
	return []age.Identity{a}, []age.Identity{b}
}

// TestDataKey: drawn once, the same afterwards; sealed for an identity, or plain
// and said so.
func TestDataKey(t *testing.T) {
	x, hybrid := identities(t)
	for name, ids := range map[string][]age.Identity{"X25519": x, "hybrid": hybrid, "plain": nil} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "deep", "room.db")
			key, plain, err := DataKey(path, testRoom, ids)
			must(t, err)
			again, plainAgain, err := DataKey(path, testRoom, ids)
			must(t, err)
			if key != again || key == [32]byte{} || plain != (ids == nil) || plainAgain != plain {
				t.Errorf("plain %v, %v; equal %v", plain, plainAgain, key == again)
			}
			data, err := os.ReadFile(prefix(path) + keySuffix)
			must(t, err)
			if bytes.Contains(data, key[:]) != plain {
				t.Error("the key is in the file, or is not, against what was said")
			}
			cfg := Config{Path: path, Key: key, Room: testRoom}
			must(t, mustOpen(t, cfg).Close())
			must(t, os.Remove(prefix(path)+keySuffix))
			if _, _, err := DataKey(path, testRoom, ids); !errors.Is(err, ErrKeyMissing) {
				t.Errorf("key lost: %v", err)
			}
		})
	}
}

// TestWrongIdentity: the history of somebody else's identity is not opened, and
// the file stays.
func TestWrongIdentity(t *testing.T) {
	x, hybrid := identities(t)
	other, _ := identities(t)
	path := filepath.Join(t.TempDir(), "room.db")
	_, _, err := DataKey(path, testRoom, x)
	must(t, err)
	name := prefix(path) + keySuffix
	whole, err := os.ReadFile(name)
	must(t, err)
	for name, ids := range map[string][]age.Identity{"another": other, "another kind": hybrid, "none": nil} {
		key, _, err := DataKey(path, testRoom, ids)
		if !errors.Is(err, ErrIdentity) || !strings.Contains(err.Error(), "cannot be opened with this identity") ||
			key != [32]byte{} {
			t.Errorf("%s: %v", name, err)
		}
	}
	otherRoom := testRoom
	otherRoom[0]++
	if _, _, err := DataKey(path, otherRoom, x); !errors.Is(err, ErrForeign) {
		t.Errorf("another room: %v", err)
	}
	for cut := range len(whole) {
		must(t, os.WriteFile(name, whole[:cut], 0o600))
		if _, _, err := DataKey(path, testRoom, x); !isTyped(err) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	for i := range whole {
		data := bytes.Clone(whole)
		data[i] ^= 1
		must(t, os.WriteFile(name, data, 0o600))
		if _, _, err := DataKey(path, testRoom, x); !isTyped(err) && !errors.Is(err, ErrIdentity) {
			t.Errorf("byte %d: %v", i, err)
		}
		if now, _ := os.ReadFile(name); !bytes.Equal(now, data) {
			t.Fatal("the file was changed")
		}
	}
}

// TestErase: nothing of a room is left, whatever it was, and there may be nothing; of
// another room all is left. Afterwards the room is a new one.
func TestErase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [a-z] * folder", "rooms")
	path := filepath.Join(dir, "room.db")
	key, _, err := DataKey(path, testRoom, nil)
	must(t, err)
	must(t, mustOpen(t, Config{Path: path, Key: key, Room: testRoom}).Close())
	must(t, os.WriteFile(path+".copy", []byte("a copy"), 0o600))
	must(t, os.MkdirAll(filepath.Join(dir, "room.more", "deep"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "other.db"), nil, 0o600))
	for range 2 {
		l, err := LockRoom(path)
		must(t, err)
		must(t, l.Erase())
		left, err := os.ReadDir(dir)
		must(t, err)
		if len(left) != 1 || left[0].Name() != "other.db" {
			t.Errorf("left: %v", left)
		}
		must(t, l.Close())
	}
	again, _, err := DataKey(path, testRoom, nil)
	must(t, err)
	if again == key {
		t.Error("the key is what it was")
	}
	mustOpen(t, Config{Path: path, Key: again, Room: testRoom})
}

// TestErasedWhileWriting: who goes on writing while a room is closed and erased writes nothing any more
// once it is closed: neither what is appended, nor what is tidied, forgotten or made durable.
func TestErasedWhileWriting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "room.db")
	for round := range 10 {
		key, _, err := DataKey(path, testRoom, nil)
		must(t, err)
		cfg := Config{Path: path, Key: key, KeyBeside: true, Room: testRoom, SyncEvery: time.Millisecond, LogSize: 4096}
		s, err := Open(cfg)
		must(t, err)
		var all sync.WaitGroup
		var closed, late atomic.Int32
		work := func(f func(n uint64) error) {
			all.Go(func() {
				for n := uint64(1); n < 1<<20; n++ {
					before := closed.Load() > 0
					if err := f(n); errors.Is(err, ErrClosed) {
						late.Add(1)
						if before && n > 3 {
							return
						}
					} else if before {
						t.Errorf("it was closed, and says %v", err)
						return
					}
				}
			})
		}
		work(func(n uint64) error { return s.Append([]Entry{message(epochA, 1, n)}) })
		work(func(n uint64) error { return s.SetMeta("n", []byte{byte(n)}) })
		work(func(uint64) error { return s.Forget([][32]byte{epochA}) })
		work(func(uint64) error { return s.tidy() })
		work(func(uint64) error { return s.Sync() })
		time.Sleep(time.Duration(round) * time.Millisecond)
		must(t, s.Close())
		closed.Add(1)
		l, err := LockRoom(path)
		must(t, err)
		must(t, l.Erase())
		all.Wait()
		must(t, l.Close())
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatalf("left: %v, %v", left, err)
		}
		if late.Load() == 0 {
			t.Error("nobody was late")
		}
	}
}

// TestLockOfAnErasedRoom: of those who want a room's lock one has it, though whoever had it
// last took its file away; who opened that file before is not fooled.
func TestLockOfAnErasedRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "room.db")
	var holders, twice, had atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				l, err := lockRoom(path)
				if err != nil {
					if !errors.Is(err, ErrRunning) {
						t.Error(err)
					}
					continue
				}
				had.Add(1)
				if holders.Add(1) > 1 {
					twice.Add(1)
				}
				runtime.Gosched()
				holders.Add(-1)
				if err := removeLocked(l); err != nil {
					t.Error(err)
				}
				l.Close()
			}
		})
	}
	all.Wait()
	if n := twice.Load(); n > 0 || had.Load() == 0 {
		t.Errorf("of %d times the room was locked, it was %d times by two", had.Load(), n)
	}
}
