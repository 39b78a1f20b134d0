package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// filled is a closed store with enough in it for a tree of some pages, and some
// that are free.
func filled(t testing.TB, messages int) (cfg Config, want []string) {
	cfg = testConfig(t.TempDir())
	s, err := Open(cfg)
	must(t, err)
	var batch []Entry
	old := [32]byte{0xcc}
	for i := range messages {
		epoch := epochA
		if i < messages/3 {
			epoch = old
		}
		batch = append(batch, message(epoch, uint32(i%3), uint64(i+1)))
	}
	must(t, s.Append(batch))
	must(t, s.SetMeta("n", []byte("meta")))
	must(t, s.Sync())
	must(t, s.Append([]Entry{{Kind: EpochEntry, Epoch: epochB, Data: bytes.Repeat([]byte("d"), 20_000)}}))
	must(t, s.Sync())
	must(t, s.Forget([][32]byte{old}))
	want = texts(t, s)
	must(t, s.Close())
	return cfg, want
}

// damagedOpen opens files that are not as they were left. It returns what can be
// read, or the error, and makes sure that the files are untouched.
func damagedOpen(t testing.TB, cfg Config, database []byte) ([]string, error) {
	t.Helper()
	must(t, os.WriteFile(cfg.Path, database, 0o600))
	s, err := Open(cfg)
	var all []string
	if err == nil {
		all = texts(t, s)
		must(t, s.Epochs(func(Entry) bool { return true }))
		must(t, s.Close())
	}
	if now, readErr := os.ReadFile(cfg.Path); readErr != nil || !bytes.Equal(now, database) {
		t.Fatalf("the file was changed (%v)", readErr)
	}
	return all, err
}

func isTyped(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign)
}

// TestFlippedBytes: bytes flipped in every page are noticed, or nothing rests on
// them. A meta page that is no good is what a crash leaves there, and then the
// other one is in force.
func TestFlippedBytes(t *testing.T) {
	cfg, want := filled(t, 300)
	whole, err := os.ReadFile(cfg.Path)
	must(t, err)
	noticed, unused := 0, 0
	flip := func(at int, with byte) {
		data := slices.Clone(whole)
		data[at] ^= with
		got, err := damagedOpen(t, cfg, data)
		switch {
		case err != nil && !isTyped(err):
			t.Fatalf("byte %d: %v", at, err)
		case err != nil:
			noticed++
		case at < 2*pageSize: // what was before the last write: a read above shows that it opens
			unused++
		case !slices.Equal(got, want):
			t.Fatalf("byte %d: opened with %d messages of %d", at, len(got), len(want))
		default:
			unused++
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for page := 0; page < len(whole); page += pageSize {
		for at := range pageHeader + 3*elementSize {
			flip(page+at, byte(1<<random.IntN(8)))
		}
		for range 24 {
			flip(page+random.IntN(pageSize), byte(1+random.IntN(255)))
		}
	}
	if noticed < 500 || unused == 0 {
		t.Errorf("%d noticed, %d without effect", noticed, unused)
	}
}

// TestTruncated: a database cut at any multiple of 512 bytes is damaged.
func TestTruncated(t *testing.T) {
	cfg, want := filled(t, 300)
	whole, err := os.ReadFile(cfg.Path)
	must(t, err)
	meta, err := readMeta(bytes.NewReader(whole))
	must(t, err)
	for size := 0; size < len(whole); size += 512 {
		got, err := damagedOpen(t, cfg, whole[:size])
		if uint64(size) >= meta.pages*pageSize { // bbolt makes the file larger than it uses
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("cut at %d, behind all that is used: %v", size, err)
			}
			continue
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v", size, err)
		}
	}
}

// TestShortenedWhileOpen: the file becomes shorter while it is mapped. Reading
// faults then, and that is an error too.
func TestShortenedWhileOpen(t *testing.T) {
	cfg, _ := filled(t, 300)
	s := mustOpen(t, cfg)
	must(t, os.Truncate(cfg.Path, 2*pageSize))
	if err := s.Forward(func(Entry) bool { return true }); !errors.Is(err, ErrDamaged) {
		t.Errorf("reading: %v", err)
	}
}

// TestForeign: another program's file, another bbolt file, another room's file.
func TestForeign(t *testing.T) {
	cfg, _ := filled(t, 10)
	whole, err := os.ReadFile(cfg.Path)
	must(t, err)

	if _, err := damagedOpen(t, cfg, bytes.Repeat([]byte("not a database\n"), 2000)); !errors.Is(err, ErrForeign) {
		t.Errorf("text: %v", err)
	}

	other := cfg
	other.Room[0]++
	if _, err := damagedOpen(t, other, whole); !errors.Is(err, ErrForeign) {
		t.Errorf("another room's: %v", err)
	}

	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize})
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }))
	must(t, db.Close())
	theirs, err := os.ReadFile(path)
	must(t, err)
	if _, err := damagedOpen(t, cfg, theirs); !errors.Is(err, ErrForeign) {
		t.Errorf("another program's: %v", err)
	}

	wrong := cfg
	wrong.Key[0]++
	if _, err := damagedOpen(t, wrong, whole); !errors.Is(err, ErrKey) || errors.Is(err, ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
	if _, err := damagedOpen(t, cfg, whole); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// edit changes the database with bbolt, as an attacker can who has no key.
func edit(t testing.TB, path string, f func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	must(t, err)
	must(t, db.Update(f))
	must(t, db.Close())
}

// TestRecordsMoved: records swapped, moved, taken out, put back, or taken from an
// older copy or from another file of the same room and key.
func TestRecordsMoved(t *testing.T) {
	cfg, _ := filled(t, 30)
	s := mustOpen(t, cfg)
	must(t, s.SetMeta("serial", []byte("1")))
	must(t, s.Append([]Entry{message(epochB, 1, 1)}))
	must(t, s.Close())
	older := copyFiles(t, cfg)
	s = mustOpen(t, cfg)
	must(t, s.SetMeta("serial", []byte("2")))
	must(t, s.Forget([][32]byte{epochA}))
	must(t, s.Close())
	twin := testConfig(t.TempDir()) // same room, same key, same numbers
	s = mustOpen(t, twin)
	for i := range uint64(60) {
		must(t, s.Append([]Entry{message(epochB, 3, i+1)}))
	}
	must(t, s.SetMeta("serial", []byte("9")))
	must(t, s.Close())

	value := func(cfg Config, bucket, key []byte) (v []byte) {
		edit(t, cfg.Path, func(tx *bbolt.Tx) error { v = bytes.Clone(tx.Bucket(bucket).Get(key)); return nil })
		return v
	}
	keys := func(cfg Config, bucket []byte) (all [][]byte) {
		edit(t, cfg.Path, func(tx *bbolt.Tx) error {
			return tx.Bucket(bucket).ForEach(func(k, _ []byte) error { all = append(all, bytes.Clone(k)); return nil })
		})
		return all
	}
	serial := newSealer(testKey, testRoom, [32]byte{}).metaKey("serial")
	live, old := keys(cfg, bucketEntries), keys(older, bucketEntries)
	for name, f := range map[string]func(tx *bbolt.Tx) error{
		"swapped": func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketEntries)
			x, y := bytes.Clone(b.Get(live[0])), bytes.Clone(b.Get(live[1]))
			return errors.Join(b.Put(live[0], y), b.Put(live[1], x))
		},
		"moved": func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketEntries).Put(seqKey(1<<40), bytes.Clone(tx.Bucket(bucketEntries).Get(live[0])))
		},
		"taken out":      func(tx *bbolt.Tx) error { return tx.Bucket(bucketEntries).Delete(live[0]) },
		"meta taken out": func(tx *bbolt.Tx) error { return tx.Bucket(bucketMetas).Delete(serial) },
		"forgotten one put back": func() func(tx *bbolt.Tx) error {
			v := value(older, bucketEntries, old[0])
			return func(tx *bbolt.Tx) error { return tx.Bucket(bucketEntries).Put(old[0], v) }
		}(),
		"older meta put back": func() func(tx *bbolt.Tx) error {
			v := value(older, bucketMetas, serial)
			return func(tx *bbolt.Tx) error { return tx.Bucket(bucketMetas).Put(serial, v) }
		}(),
		"older state put back": func() func(tx *bbolt.Tx) error {
			v := value(older, bucketAbout, keyState)
			return func(tx *bbolt.Tx) error { return tx.Bucket(bucketAbout).Put(keyState, v) }
		}(),
		"another file's entry": func() func(tx *bbolt.Tx) error {
			v := value(twin, bucketEntries, live[0])
			if v == nil {
				t.Fatal("no such number in the other file")
			}
			return func(tx *bbolt.Tx) error { return tx.Bucket(bucketEntries).Put(live[0], v) }
		}(),
		"another file's meta": func() func(tx *bbolt.Tx) error {
			v := value(twin, bucketMetas, serial)
			return func(tx *bbolt.Tx) error { return tx.Bucket(bucketMetas).Put(serial, v) }
		}(),
		"a bucket in the place of a record": func(tx *bbolt.Tx) error {
			_, err := tx.Bucket(bucketEntries).CreateBucket(seqKey(1 << 41))
			return err
		},
		"a bucket gone": func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketMetas) },
	} {
		t.Run(name, func(t *testing.T) {
			c := copyFiles(t, cfg)
			edit(t, c.Path, f)
			if _, err := Open(c); !errors.Is(err, ErrDamaged) {
				t.Errorf("%v, want damaged", err)
			}
		})
	}
	// The attacker's tool itself changes nothing.
	c := copyFiles(t, cfg)
	edit(t, c.Path, func(*bbolt.Tx) error { return nil })
	mustOpen(t, c)
}

// TestTailDamaged: a record of a tail that is changed, taken out, repeated, out of
// order or another file's is damage, and the tail stays as it is.
func TestTailDamaged(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	var ends []int64
	for i := range uint64(4) {
		must(t, s.Append([]Entry{message(epochA, 1, i+1)}))
		ends = append(ends, s.tails[s.active].size)
	}
	path := s.tails[s.active].path
	base := copyFiles(t, cfg)
	at := paths(base)[slices.Index(paths(cfg), path)]
	whole, err := os.ReadFile(at)
	must(t, err)
	r := func(i int) []byte {
		if i == 0 {
			return whole[:ends[0]]
		}
		return whole[ends[i-1]:ends[i]]
	}
	twin := testConfig(t.TempDir())
	s2 := mustOpen(t, twin)
	must(t, s2.Append([]Entry{message(epochA, 1, 1)}))
	theirs, err := os.ReadFile(s2.tails[s2.active].path)
	must(t, err)

	attempt := func(name string, data []byte) {
		t.Helper()
		must(t, os.WriteFile(at, data, 0o600))
		if _, err := Open(base); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if now, _ := os.ReadFile(at); !bytes.Equal(now, data) {
			t.Errorf("%s: the tail was changed", name)
		}
	}
	attempt("one taken out", slices.Concat(r(0), r(2), r(3)))
	attempt("one repeated", slices.Concat(r(0), r(1), r(1), r(2)))
	attempt("out of order", slices.Concat(r(1), r(0), r(2), r(3)))
	attempt("another file's", theirs)
	attempt("text", bytes.Repeat([]byte("not a tail\n"), 100))
	renumbered := slices.Clone(r(1))
	binary.BigEndian.PutUint64(renumbered[4:], 3)
	attempt("renumbered", slices.Concat(r(0), r(1), renumbered))
	for i := range whole {
		data := slices.Clone(whole)
		data[i] ^= 0x40
		attempt("flipped", data)
	}
	must(t, os.WriteFile(at, whole, 0o600))
	if all := texts(t, mustOpen(t, base)); len(all) != 4 {
		t.Errorf("%d messages in the whole one", len(all))
	}
}

// TestDatabaseMissing: a tail without its database is not thrown away.
func TestDatabaseMissing(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	c := copyFiles(t, cfg)
	must(t, os.Remove(c.Path))
	if _, err := Open(c); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(c.Path); err == nil {
		t.Error("a new database was made")
	}
}

// TestMovedFile: a whole set of files opens elsewhere: a profile can be moved.
func TestMovedFile(t *testing.T) {
	cfg, want := filled(t, 30)
	if got := texts(t, mustOpen(t, copyFiles(t, cfg))); !slices.Equal(got, want) {
		t.Errorf("%d messages, want %d", len(got), len(want))
	}
}

// TestCheckPagesTakesAll: whatever bbolt writes in the way we use it passes the
// check of its pages.
func TestCheckPagesTakesAll(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	random := rand.New(rand.NewPCG(3, 4))
	next := uint64(1)
	for round := range 60 {
		var batch []Entry
		for range random.IntN(300) {
			e := message([32]byte{byte(random.IntN(4)), byte(round / 10), byte(random.IntN(8))}, uint32(random.IntN(3)), next)
			e.Data = make([]byte, random.IntN(200))
			if random.IntN(100) == 0 {
				e.Data = make([]byte, random.IntN(30_000))
			}
			next++
			batch = append(batch, e, Entry{Kind: MetaEntry, Name: string(rune('a' + random.IntN(200))),
				Data: make([]byte, random.IntN(300))})
		}
		must(t, s.Append(batch))
		must(t, s.Sync())
		if round%7 == 6 {
			var old [][32]byte // some here and there, or most of them
			for _, l := range s.index.epochs {
				if random.IntN(10) < round%10 {
					old = append(old, l.id)
				}
			}
			must(t, s.Forget(old))
		}
		f, err := os.Open(cfg.Path)
		must(t, err)
		info, err := f.Stat()
		must(t, err)
		if err := checkPages(f, info.Size()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		f.Close()
	}
	must(t, s.Close())
	mustOpen(t, cfg)
}
