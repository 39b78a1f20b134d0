package store

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The buckets of the database, and the places of their values in associated data.
var (
	bucketAbout   = []byte("about")
	bucketEntries = []byte("entries")
	bucketMetas   = []byte("metas")
)

const (
	placeState   = "coterie/1 store state"
	placeEntries = "coterie/1 store entries"
	placeMetas   = "coterie/1 store metas"
)

var (
	keyAbout = []byte("about")
	keyState = []byte("state")
)

// about is the one value that is not sealed. It says whose file it is:
//
//	magic (16) || room tag (32) || key check (32) || generation (32) || SHA-256 of all before (32)
const (
	aboutMagic = "coterie store 1\n"
	aboutSize  = 16 + 32 + 32 + 32 + 32
)

func makeAbout(room, check, generation [32]byte) []byte {
	tag := roomTag(room)
	b := append([]byte(aboutMagic), tag[:]...)
	b = append(b, check[:]...)
	b = append(b, generation[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// state is what the database as a whole is bound together by:
//
//	folded (8) || set (32)
//
// folded is the number of the first entry that is not in it (they count from 1),
// set the hash of all that are. So leaving out a record, or putting back one that was removed or
// replaced, shows.
type state struct {
	folded uint64
	set    setHash
}

func (st *state) bytes() []byte {
	return append(binary.BigEndian.AppendUint64(nil, st.folded), st.set[:]...)
}

// guard calls f, which uses bbolt. It is the one place where a panic of bbolt, or
// a fault in its memory map because the file became shorter under it, is caught:
// bbolt has no other way of saying that a page makes no sense. checkPages keeps
// such files away; this is for what happens to one that is open.
func guard(path string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			// The text may have bytes of the file in it.
			err = &DamagedError{path, "its pages cannot be walked"}
		}
	}()
	return f()
}

// options of every database. A process that is no coterie may have locked it.
func options(f *os.File) *bbolt.Options {
	return &bbolt.Options{
		Timeout:      time.Second,
		PageSize:     pageSize,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	}
}

// createDatabase makes an empty database. It gets its name when it is complete.
func createDatabase(cfg *Config) error {
	temp := cfg.Path + unfinished
	f, err := openPrivate(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	var generation [32]byte
	rand.Read(generation[:])
	s := newSealer(cfg.Key, cfg.Room, generation)
	err = guard(cfg.Path, func() error {
		db, err := bbolt.Open(temp, 0o600, options(f))
		if err != nil {
			f.Close()
			return err
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			var made [3]*bbolt.Bucket
			for i, name := range [][]byte{bucketAbout, bucketEntries, bucketMetas} {
				b, err := tx.CreateBucket(name)
				if err != nil {
					return err
				}
				made[i] = b
			}
			if err := made[0].Put(keyAbout, makeAbout(cfg.Room, s.check, generation)); err != nil {
				return err
			}
			return made[0].Put(keyState, s.seal(nil, placeState, keyState, (&state{folded: 1}).bytes()))
		})
		return errors.Join(err, db.Close())
	})
	if err != nil {
		return err
	}
	return publish(temp, cfg.Path)
}

// openDatabase opens the database at cfg.Path and reads all of it.
func openDatabase(cfg *Config) (db *bbolt.DB, s *sealer, st state, x *index, err error) {
	f, err := openPrivate(cfg.Path, os.O_RDWR)
	if err != nil {
		return nil, nil, st, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkPages(f, info.Size())
		if err != nil {
			err = pagesError(cfg.Path, f, err)
		}
	}
	if err != nil {
		f.Close()
		return nil, nil, st, nil, err
	}
	err = guard(cfg.Path, func() error {
		if db, err = bbolt.Open(cfg.Path, 0o600, options(f)); err != nil {
			f.Close()
			if errors.Is(err, bolterrors.ErrTimeout) {
				return &RunningError{Path: cfg.Path}
			}
			return err
		}
		db.AllocSize = 1 << 20 // the file grows by so much; bbolt's 16 MiB are a lot in a small one
		return db.View(func(tx *bbolt.Tx) error {
			s, st, x, err = load(cfg, tx)
			return err
		})
	})
	if err != nil {
		if db != nil {
			guard(cfg.Path, db.Close)
		}
		return nil, nil, st, nil, err
	}
	return db, s, st, x, nil
}

// pagesError says what is wrong with a database that checkPages does not like:
// damaged, or not even one.
func pagesError(path string, f *os.File, err error) error {
	if errors.Is(err, errNoMeta) {
		// Where bbolt's mark is on neither page, this never was a database.
		for i := range int64(2) {
			var b [4]byte
			if _, err := f.ReadAt(b[:], i*pageSize+pageHeader); err == nil && native.Uint32(b[:]) == boltMagic {
				return &DamagedError{path, errNoMeta.Error()}
			}
		}
		return &ForeignError{path, "it is no database"}
	}
	return &DamagedError{path, err.Error()}
}

// load reads a database: whose it is, and all that is in it.
func load(cfg *Config, tx *bbolt.Tx) (*sealer, state, *index, error) {
	fail := func(err error) (*sealer, state, *index, error) { return nil, state{}, nil, err }
	damaged := func(reason string) (*sealer, state, *index, error) {
		return fail(&DamagedError{cfg.Path, reason})
	}

	about, entries, metas := tx.Bucket(bucketAbout), tx.Bucket(bucketEntries), tx.Bucket(bucketMetas)
	if about == nil {
		return fail(&ForeignError{cfg.Path, "it is another program's database"})
	}
	b := about.Get(keyAbout)
	if len(b) != aboutSize || string(b[:16]) != aboutMagic {
		return fail(&ForeignError{cfg.Path, "it is another program's database, or of another format"})
	}
	if sum := sha256.Sum256(b[:aboutSize-32]); subtle.ConstantTimeCompare(sum[:], b[aboutSize-32:]) == 0 {
		return damaged("what says whose it is has changed")
	}
	if tag := roomTag(cfg.Room); subtle.ConstantTimeCompare(tag[:], b[16:48]) == 0 {
		return fail(&ForeignError{cfg.Path, "it is another room's"})
	}
	s := newSealer(cfg.Key, cfg.Room, [32]byte(b[80:112]))
	if subtle.ConstantTimeCompare(s.check[:], b[48:80]) == 0 {
		return fail(&KeyError{cfg.Path})
	}
	if entries == nil || metas == nil {
		return damaged("a part of it is missing")
	}
	plain, ok := s.open(nil, placeState, keyState, about.Get(keyState))
	if !ok || len(plain) != 40 {
		return damaged("what binds it together does not open")
	}
	st := state{binary.BigEndian.Uint64(plain), setHash(plain[8:])}

	x := newIndex()
	var set setHash
	var buf []byte
	err := loadEntries(cfg, s, entries, func(seq uint64, e *Entry) {
		set.toggle(s, seq, nil)
		x.add(seq, e)
	})
	if err != nil {
		return fail(err)
	}
	err = metas.ForEach(func(k, v []byte) error {
		plain, ok := s.open(buf[:0], placeMetas, k, v)
		if !ok || len(plain) < 8 {
			return &DamagedError{cfg.Path, "a record does not open"}
		}
		seq := binary.BigEndian.Uint64(plain)
		e, rest, ok := parseEntry(plain[8:])
		if !ok || len(rest) > 0 || e.Kind != MetaEntry || string(s.metaKey(e.Name)) != string(k) {
			return &DamagedError{cfg.Path, "a record does not open"}
		}
		set.toggle(s, seq, k)
		x.add(seq, &e)
		return nil
	})
	if err != nil {
		return fail(err)
	}
	if set != st.set {
		return damaged("a record is missing, or one that was removed is back")
	}
	return s, st, x, nil
}

// loadEntries opens all entries and has each taken, in order, without its data. Opening is
// what takes time, so as many goroutines as can run do it, a part of some thousands each.
func loadEntries(cfg *Config, s *sealer, entries *bbolt.Bucket, take func(uint64, *Entry)) error {
	type record struct {
		k, v  []byte
		entry Entry
	}
	workers := runtime.GOMAXPROCS(0)
	all := make([]record, 0, 1024*workers)
	damaged := &DamagedError{cfg.Path, "a record does not open"}
	flush := func() error {
		var wg sync.WaitGroup
		var failed atomic.Bool
		for part := range slices.Chunk(all, 1024) {
			wg.Go(func() {
				var buf []byte
				err := guard(cfg.Path, func() (err error) {
					for i := range part {
						r := &part[i]
						r.entry, err = openEntry(s, &buf, placeEntries, r.k, r.v)
						if err != nil || r.entry.Kind == MetaEntry {
							return ErrDamaged
						}
						r.entry.Data = nil // it is in buf
					}
					return nil
				})
				if err != nil {
					failed.Store(true)
				}
			})
		}
		if wg.Wait(); failed.Load() {
			return damaged
		}
		for i := range all {
			take(binary.BigEndian.Uint64(all[i].k), &all[i].entry)
		}
		all = all[:0]
		return nil
	}
	err := entries.ForEach(func(k, v []byte) error {
		if len(k) != 8 {
			return damaged
		}
		if all = append(all, record{k: k, v: v}); len(all) < cap(all) {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// openEntry opens the record of an entry. Data is in buf, which grows as needed.
func openEntry(s *sealer, buf *[]byte, place string, k, v []byte) (Entry, error) {
	plain, ok := s.open((*buf)[:0], place, k, v)
	if !ok {
		return Entry{}, ErrDamaged
	}
	*buf = plain[:0]
	e, rest, ok := parseEntry(plain)
	if !ok || len(rest) > 0 {
		return Entry{}, ErrDamaged
	}
	return e, nil
}

// seqKey is the key of an entry's record.
func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// foldInto writes entries, the first of which has the number st.folded, and
// returns the state with them. With an entry go those that going has of its number.
// old has the metas as they are in the database.
func foldInto(tx *bbolt.Tx, s *sealer, st state, pending []Entry, going map[uint64][]uint64,
	old map[string]uint64) (state, map[string]uint64, error) {
	entries, metas := tx.Bucket(bucketEntries), tx.Bucket(bucketMetas)
	// Keys only grow, so pages can be filled.
	entries.FillPercent = 0.95
	var plain []byte
	changed := make(map[string]uint64) // name to number; 0 for one that is gone
	last := make(map[string]int)       // of several values of one name the last counts
	for i := range pending {
		if pending[i].Kind == MetaEntry {
			last[pending[i].Name] = i
		}
	}
	for i := range pending {
		e, seq := &pending[i], st.folded
		st.folded++
		if e.Kind != MetaEntry {
			k := seqKey(seq)
			plain = e.appendTo(plain[:0])
			if err := entries.Put(k, s.seal(nil, placeEntries, k, plain)); err != nil {
				return st, nil, err
			}
			st.set.toggle(s, seq, nil)
			for _, gone := range going[seq] {
				k := seqKey(gone)
				if entries.Get(k) == nil {
					continue // its epoch was forgotten meanwhile
				}
				if err := entries.Delete(k); err != nil {
					return st, nil, err
				}
				st.set.toggle(s, gone, nil)
			}
			continue
		}
		if last[e.Name] != i {
			continue
		}
		k := s.metaKey(e.Name)
		if was, ok := old[e.Name]; ok {
			st.set.toggle(s, was, k)
		}
		changed[e.Name] = 0
		if len(e.Data) == 0 {
			if err := metas.Delete(k); err != nil {
				return st, nil, err
			}
			continue
		}
		plain = binary.BigEndian.AppendUint64(plain[:0], seq)
		plain = e.appendTo(plain)
		if err := metas.Put(k, s.seal(nil, placeMetas, k, plain)); err != nil {
			return st, nil, err
		}
		st.set.toggle(s, seq, k)
		changed[e.Name] = seq
	}
	clear(plain[:cap(plain)])
	return st, changed, putState(tx, s, st)
}

func putState(tx *bbolt.Tx, s *sealer, st state) error {
	return tx.Bucket(bucketAbout).Put(keyState, s.seal(nil, placeState, keyState, st.bytes()))
}

// makeFolder makes the folder of a room's files.
func makeFolder(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the history: %w", err)
	}
	return nil
}
