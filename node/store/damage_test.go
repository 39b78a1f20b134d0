package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// filled is a closed store with several logs, of which some were written anew.
func filled(t testing.TB, messages int) (cfg Config, want []string) {
	cfg = testConfig(t.TempDir())
	s, err := Open(cfg)
	must(t, err)
	old := [32]byte{0xcc}
	for part := range 3 {
		var batch []Entry
		for i := range messages / 3 {
			epoch := epochA
			if part == 0 && i%2 == 0 {
				epoch = old
			}
			batch = append(batch, message(epoch, uint32(i%3), uint64(messages*part+i+1)))
		}
		must(t, s.Append(batch))
		must(t, s.SetMeta("n", []byte("meta")))
		if part < 2 {
			roll(t, s)
		}
	}
	must(t, s.Forget([][32]byte{old}))
	described := Entry{Kind: EpochEntry, Epoch: epochB, Data: bytes.Repeat([]byte("d"), 2000)}
	must(t, s.Append([]Entry{described, message(epochB, 1, 1)}))
	want = texts(t, s)
	must(t, s.Close())
	return cfg, want
}

// damagedOpen opens files that are not as they were left. It returns what can be
// read, or the error, and makes sure that the files are untouched, but for indexes.
func damagedOpen(t testing.TB, cfg Config, files map[string][]byte) ([]string, error) {
	t.Helper()
	c := writeFiles(t, cfg, files)
	s, err := Open(c)
	var all []string
	if err == nil {
		err = s.Forward(func(e Entry) bool { all = append(all, string(e.Data)); return true })
		err = errors.Join(err, s.Epochs(func(Entry) bool { return true }))
		crash(s)
	}
	now := readFiles(t, c)
	for name, data := range files {
		if !strings.HasSuffix(name, indexSuffix) && !bytes.Equal(now[name], data) {
			t.Fatalf("%s was changed", name)
		}
	}
	return all, err
}

func isTyped(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign)
}

// TestFlippedBytes: bytes flipped in every file are noticed, when it is opened or at the latest when
// what they are of is read; those of an index, which is made anew, change nothing.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	cfg, want := filled(t, 60)
	files := readFiles(t, cfg)
	random := rand.New(rand.NewPCG(1, 2))
	noticed := 0
	for name, whole := range files {
		for n := range 60 {
			at := n * 7
			if n >= 30 {
				at = random.IntN(len(whole))
			}
			data := slices.Clone(whole)
			data[at%len(whole)] ^= byte(1 << random.IntN(8))
			m := maps.Clone(files)
			m[name] = data
			got, err := damagedOpen(t, cfg, m)
			switch {
			case strings.HasSuffix(name, indexSuffix):
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("%s, byte %d: %d messages of %d, %v", name, at, len(got), len(want), err)
				}
			case err == nil && slices.Equal(got, want): // a meta that was replaced
			case err == nil:
				t.Fatalf("%s, byte %d: not noticed", name, at)
			case !isTyped(err):
				t.Fatalf("%s, byte %d: %v", name, at, err)
			default:
				noticed++
			}
		}
	}
	if noticed < 150 {
		t.Errorf("%d noticed", noticed)
	}
}

// TestTruncated: a database or a log that was cut, or is missing, is damaged; the last one, too, if
// whoever wrote it had closed it.
func TestTruncated(t *testing.T) {
	t.Parallel()
	cfg, want := filled(t, 60)
	files := readFiles(t, cfg)
	for name, whole := range files {
		for size := -1; size < len(whole); size += 193 {
			m := maps.Clone(files)
			if m[name] = whole[:max(size, 0)]; size < 0 {
				delete(m, name)
			}
			got, err := damagedOpen(t, cfg, m)
			switch {
			case strings.HasSuffix(name, indexSuffix):
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s cut at %d: %d messages, %v", name, size, len(got), err)
				}
			case !errors.Is(err, ErrDamaged):
				t.Errorf("%s cut at %d: %v", name, size, err)
			}
		}
	}
}

// TestCutAfterClose: what was durable when the room was closed is missed, whether the last thing
// that happened was a write or not; of what was not, a process that was killed may have left anything.
func TestCutAfterClose(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(s *Store) error
		missed bool
	}{
		"closed":               {(*Store).Close, true},
		"durable, then closed": {func(s *Store) error { return errors.Join(s.tidy(), s.Close()) }, true},
		"durable on demand":    {(*Store).Sync, true},
		"killed":               {func(s *Store) error { return s.tidy() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			s := mustOpen(t, cfg)
			must(t, s.Append([]Entry{message(epochA, 1, 1)}))
			must(t, s.Append([]Entry{message(epochA, 1, 2)}))
			must(t, c.end(s))
			copied := copyFiles(t, cfg)
			must(t, os.Truncate(copied.path(1, logSuffix), s.segments[0].size-1))
			o, err := Open(copied)
			if err == nil {
				must(t, o.Close())
			}
			if missed := errors.Is(err, ErrDamaged); missed != c.missed {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestSpoiltFiles: what a lost power or a bad disk leaves of a file: nothing, zeros, half of it, other bytes, a
// sector of zeros or of other bytes. It is damage, or an index, which is made anew; no room begins empty
// without a word.
func TestSpoiltFiles(t *testing.T) {
	t.Parallel()
	cfg, want := filled(t, 60)
	files := readFiles(t, cfg)
	random := rand.New(rand.NewPCG(5, 6))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	for name, whole := range files {
		n := len(whole)
		sector := func(at int, with []byte) []byte {
			return slices.Replace(slices.Clone(whole), at, at+len(with), with...)
		}
		for what, data := range map[string][]byte{
			"nothing": {}, "zeros": make([]byte, n), "half": whole[:n/2], "half, then zeros": append(slices.Clone(whole[:n/2]),
				make([]byte, n-n/2)...), "other bytes": noise(n), "its beginning zeros": sector(0, make([]byte, min(n, 512))),
			"other bytes in it": sector(n/3, noise(min(n/3, 512))), "more after it": append(slices.Clone(whole), noise(100)...),
		} {
			m := maps.Clone(files)
			m[name] = data
			got, err := damagedOpen(t, cfg, m)
			switch {
			case strings.HasSuffix(name, indexSuffix):
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: %s: %d messages, %v", name, what, len(got), err)
				}
			case what == "more after it" && err == nil && slices.Equal(got, want):
			case !isTyped(err):
				t.Errorf("%s: %s: %d messages, %v", name, what, len(got), err)
			}
		}
	}
}

// TestShortenedWhileOpen: a log becomes shorter while it is open.
func TestShortenedWhileOpen(t *testing.T) {
	cfg, _ := filled(t, 60)
	s := mustOpen(t, cfg)
	must(t, os.Truncate(cfg.path(s.segments[0].number, logSuffix), 100))
	if err := s.Forward(func(Entry) bool { return true }); !errors.Is(err, ErrDamaged) {
		t.Errorf("reading: %v", err)
	}
}

// TestDamageInOnePlace: a record that does not open costs itself. What lies elsewhere is read, and the
// error names the file.
func TestDamageInOnePlace(t *testing.T) {
	cfg, want := filled(t, 60)
	s := mustOpen(t, cfg)
	g := s.segments[1]
	path := cfg.path(g.number, logSuffix)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 50), int64(g.places[0].at)+40)
	must(t, errors.Join(err, f.Close()))
	must(t, s.Close())
	s = mustOpen(t, cfg)
	var damaged *DamagedError
	if err := s.Forward(func(Entry) bool { return true }); !errors.As(err, &damaged) || damaged.Path != path {
		t.Errorf("reading: %v, want that %s is damaged", err, path)
	}
	read, failed := 0, 0
	must(t, s.Notes(func(e Entry) bool { read++; return true }))
	for seq := range s.next {
		if e, err := s.readAll([]uint64{seq}); err != nil {
			failed++
		} else if len(e) > 0 && e[0].Kind == MessageEntry {
			read++
		}
	}
	if failed != 1 || read != 2*len(want)-1 {
		t.Errorf("%d failed, %d read", failed, read)
	}
	// Written anew it stays where it is, as damaged as it was.
	s.work.Lock()
	err = s.rewrite(s.segments[1:2:2])
	s.work.Unlock()
	must(t, err)
	if err := s.Forward(func(Entry) bool { return true }); !errors.Is(err, ErrDamaged) {
		t.Errorf("written anew: %v", err)
	}
}

// TestForeign: another program's file, another room's file, another key.
func TestForeign(t *testing.T) {
	cfg, _ := filled(t, 9)
	files := readFiles(t, cfg)
	m := maps.Clone(files)
	m[databaseSuffix] = bytes.Repeat([]byte("not a database\n"), 2000)
	if _, err := damagedOpen(t, cfg, m); !errors.Is(err, ErrForeign) {
		t.Errorf("text: %v", err)
	}
	other := cfg
	other.Room[0]++
	if _, err := damagedOpen(t, other, files); !errors.Is(err, ErrForeign) {
		t.Errorf("another room's: %v", err)
	}
	wrong := cfg
	wrong.Key[0]++
	if _, err := damagedOpen(t, wrong, files); !errors.Is(err, ErrKey) || errors.Is(err, ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
	if _, err := damagedOpen(t, cfg, files); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// TestFilesMoved: records swapped or repeated, files exchanged, put back from an older copy, or taken
// from another store of the same room and key.
func TestFilesMoved(t *testing.T) {
	cfg, want := filled(t, 60)
	older := readFiles(t, cfg)
	s := mustOpen(t, cfg)
	for c := range uint64(20) {
		must(t, s.Append([]Entry{message(epochB, 2, c+1)}))
	}
	roll(t, s)
	s.work.Lock()
	must(t, s.rewrite(s.segments[:2:2]))
	s.work.Unlock()
	must(t, s.Append([]Entry{message(epochB, 1, 1000)}))
	first, second := s.segments[0], s.segments[1]
	must(t, s.Close())
	files := readFiles(t, cfg)
	twin, _ := filled(t, 60)
	theirs := readFiles(t, twin)
	name := func(g *segment, suffix string) string { return fmt.Sprintf(".%d%s", g.number, suffix) }
	log := files[name(first, logSuffix)]
	last := name(s.segments[len(s.segments)-1], logSuffix)
	swapped := slices.Clone(log)
	a, b := first.places[0], first.places[1]
	if a.size != b.size {
		t.Fatal("two of one size were to be swapped")
	}
	copy(swapped, log[b.at:b.end()])
	copy(swapped[b.at:], log[a.at:a.end()])
	for what, f := range map[string]func(m map[string][]byte){
		"two swapped":         func(m map[string][]byte) { m[name(first, logSuffix)] = swapped },
		"one of another file": func(m map[string][]byte) { copy(m[name(first, logSuffix)], theirs[".2.log"][:a.end()]) },
		"logs exchanged": func(m map[string][]byte) {
			m[name(first, logSuffix)], m[name(second, logSuffix)] = m[name(second, logSuffix)], log
		},
		"an older database":      func(m map[string][]byte) { m[databaseSuffix] = older[databaseSuffix] },
		"another store's":        func(m map[string][]byte) { m[databaseSuffix] = theirs[databaseSuffix] },
		"another's log":          func(m map[string][]byte) { m[last] = theirs[".4.log"] },
		"a log of a later state": func(m map[string][]byte) { m[".99.log"] = m[last] },
	} {
		m := make(map[string][]byte)
		for k, v := range files {
			m[k] = slices.Clone(v)
		}
		f(m)
		if _, err := damagedOpen(t, cfg, m); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want damaged", what, err)
		}
	}
	want = append(want[:len(want):len(want)], "")
	got, err := damagedOpen(t, cfg, files)
	if err != nil || len(got) != len(want)+20 {
		t.Errorf("the right ones: %d messages, %v", len(got), err)
	}
	m := maps.Clone(files)
	m[name(first, indexSuffix)] = files[name(second, indexSuffix)]
	if again, err := damagedOpen(t, cfg, m); err != nil || !slices.Equal(again, got) {
		t.Errorf("another's index: %d messages, %v", len(again), err)
	}
}

// TestLogDamaged: a record of the last log that is changed, taken out, repeated, out of
// order or another file's is damage, and the log stays as it is.
func TestLogDamaged(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	var ends []int64
	for i := range uint64(4) {
		must(t, s.Append([]Entry{message(epochA, 1, i+1)}))
		ends = append(ends, s.segments[0].size)
	}
	base := copyFiles(t, cfg)
	at := base.path(1, logSuffix)
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
	theirs, err := os.ReadFile(twin.path(1, logSuffix))
	must(t, err)

	attempt := func(name string, data []byte) {
		t.Helper()
		must(t, os.WriteFile(at, data, 0o600))
		if _, err := Open(base); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if now, _ := os.ReadFile(at); !bytes.Equal(now, data) {
			t.Errorf("%s: the log was changed", name)
		}
	}
	attempt("one taken out", slices.Concat(r(0), r(2), r(3)))
	attempt("one repeated", slices.Concat(r(0), r(1), r(1), r(2)))
	attempt("out of order", slices.Concat(r(1), r(0), r(2), r(3)))
	attempt("another file's", theirs)
	attempt("text", bytes.Repeat([]byte("not a log\n"), 100))
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

// TestDatabaseMissing: a log without its database is not thrown away.
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
