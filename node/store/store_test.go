package store

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(childVar+"_PIECES") != "":
		piecesChild()
		return
	case os.Getenv(childVar) != "":
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	testRoom = [32]byte{1, 'r', 'o', 'o', 'm'}
	testKey  = [32]byte{2, 'k', 'e', 'y'}
	epochA   = [32]byte{0xaa, 'e', 'p', 'o', 'c', 'h', '-', 'a', 'a', 'a', 'a'}
	epochB   = [32]byte{0xbb, 'e', 'p', 'o', 'c', 'h', '-', 'b', 'b', 'b', 'b'}
)

// testConfig is that of a store that does nothing by itself.
func testConfig(dir string) Config {
	return Config{Path: filepath.Join(dir, "room.db"), Key: testKey, Room: testRoom, manual: true}
}

func mustOpen(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func message(epoch [32]byte, author uint32, counter uint64) Entry {
	return Entry{Kind: MessageEntry, Epoch: epoch, Author: author, Counter: counter, Time: int64(1000 + counter),
		Data: fmt.Appendf(nil, "text %d of author %d", counter, author)}
}

func texts(t testing.TB, s *Store) []string {
	t.Helper()
	var all []string
	must(t, s.Forward(func(e Entry) bool { all = append(all, string(e.Data)); return true }))
	return all
}

// TestReadBack: what was appended reads the same at once, when it was folded, and
// when the file was opened again with and without a fold before.
func TestReadBack(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	if _, err := s.Identity(); !errors.Is(err, ErrNotExist) {
		t.Fatalf("identity of a new room: %v", err)
	}
	_, id, err := ed25519.GenerateKey(nil)
	must(t, err)
	must(t, s.SetIdentity(id))
	must(t, s.Append([]Entry{
		{Kind: EpochEntry, Epoch: epochB, Time: 1, Data: []byte("description b")},
		{Kind: EpochEntry, Epoch: epochA, Time: 2, Data: []byte("description a")},
		{Kind: EpochEntry, Epoch: epochA, Time: 3, Data: []byte("another")},
		message(epochA, 1, 2), message(epochA, 1, 1), message(epochA, 0, 1), message(epochA, 1, 7), message(epochB, 1, 1),
		{Kind: MetaEntry, Name: "unread", Data: []byte("5")},
		{Kind: MetaEntry, Name: "held/2", Data: []byte("x")},
		{Kind: MetaEntry, Name: "held/1", Data: []byte("y")},
	}))
	check := func(when string, s *Store) {
		t.Helper()
		if got, err := s.Identity(); err != nil || !got.Equal(id) {
			t.Errorf("%s: identity: %v", when, err)
		}
		var epochs []string
		must(t, s.Epochs(func(e Entry) bool { epochs = append(epochs, string(e.Data)); return true }))
		if want := []string{"description b", "description a"}; !slices.Equal(epochs, want) {
			t.Errorf("%s: epochs %q, want %q", when, epochs, want)
		}
		got, err := s.Messages(epochA, 1, 1, 6)
		must(t, err)
		if len(got) != 2 || got[0].Counter != 1 || got[1].Counter != 2 {
			t.Fatalf("%s: messages 1 to 6: %v", when, got)
		}
		want := message(epochA, 1, 2)
		want.Arrival = got[1].Arrival
		if fmt.Sprint(got[1]) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", when, got[1], want)
		}
		for author, want := range [][]uint64{{1}, {1, 2, 7}, nil} {
			if found := counters(t, s, epochA, uint32(author)); !slices.Equal(found, want) {
				t.Errorf("%s: of author %d there is %v, want %v", when, author, found, want)
			}
		}
		all := texts(t, s)
		if want := []string{
			"text 2 of author 1", "text 1 of author 1", "text 1 of author 0", "text 7 of author 1", "text 1 of author 1",
		}; !slices.Equal(all, want) {
			t.Errorf("%s: all %q, want %q", when, all, want)
		}
		for name, want := range map[string]string{"unread": "5", "held/1": "y", "held/2": "x"} {
			if v, err := s.Meta(name); err != nil || string(v) != want {
				t.Errorf("%s: meta %s: %q %v, want %q", when, name, v, err, want)
			}
		}
		if n := len(s.index.metas); n != 3+1 { // and the identity
			t.Errorf("%s: %d metas", when, n)
		}
		if _, err := s.Meta(identityName); !errors.Is(err, ErrNotExist) {
			t.Errorf("%s: the identity is a meta", when)
		}
	}
	check("at once", s)
	copied := copyFiles(t, cfg)
	roll(t, s)
	check("in a closed log", s)
	before := copyFiles(t, cfg)
	must(t, s.Close())
	check("opened again", mustOpen(t, cfg))
	check("opened with a closed log", mustOpen(t, before))
	check("opened with an open one", mustOpen(t, copied))
	if err := s.Forward(func(Entry) bool { return true }); !errors.Is(err, ErrClosed) {
		t.Errorf("reading when closed: %v", err)
	}
	if err := s.Forget([][32]byte{epochA}); !errors.Is(err, ErrClosed) {
		t.Errorf("forgetting when closed: %v", err)
	}
	if err := s.Append([]Entry{message(epochA, 1, 9)}); !errors.Is(err, ErrClosed) {
		t.Errorf("appending when closed: %v", err)
	}
}

// TestOnce: a message is stored once, an equivocation beside it, a third not; in
// one batch, over a fold and over a restart.
func TestOnce(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	one := message(epochA, 1, 1)
	two, three := one, one
	two.Data, three.Data = []byte("two"), []byte("three")
	must(t, s.Append([]Entry{one, one}))
	must(t, s.Append([]Entry{one}))
	roll(t, s)
	must(t, s.Append([]Entry{one, two, three}))
	must(t, s.Close())
	s = mustOpen(t, cfg)
	must(t, s.Append([]Entry{three, two, one}))
	if all := texts(t, s); !slices.Equal(all, []string{string(one.Data), "two"}) {
		t.Errorf("stored %q", all)
	}
}

// TestMetaReplaced: the last value counts, over folds and restarts, and an empty
// one removes.
func TestMetaReplaced(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	for i, v := range []string{"a", "b", "", "c", "d"} {
		must(t, s.SetMeta("n", []byte(v)))
		must(t, s.SetMeta("gone", []byte("x")))
		if i%2 == 1 {
			must(t, s.SetMeta("gone", nil))
			must(t, s.Sync())
			must(t, s.Close())
			s = mustOpen(t, cfg)
			if got, err := s.Meta("n"); string(got) != v {
				t.Errorf("step %d: %q %v, want %q", i, got, err, v)
			}
			if _, err := s.Meta("gone"); !errors.Is(err, ErrNotExist) {
				t.Errorf("step %d: removed meta: %v", i, err)
			}
		}
	}
}

// TestBounds: what is too large or no entry is refused, and nothing of its batch
// is stored.
func TestBounds(t *testing.T) {
	s := mustOpen(t, testConfig(t.TempDir()))
	good := message(epochA, 1, 1)
	large := message(epochA, 1, 2)
	large.Data = make([]byte, MaxData+1)
	named := good
	named.Name = "x"
	many := make([]Entry, MaxBatch/MaxData+1)
	for i := range many {
		many[i] = message(epochA, 2, uint64(i))
		many[i].Data = make([]byte, MaxData)
	}
	metas := make([]Entry, MaxMetas+1)
	for i := range metas {
		metas[i] = Entry{Kind: MetaEntry, Name: fmt.Sprint(i), Data: []byte{1}}
	}
	for name, c := range map[string]struct {
		batch []Entry
		want  error
	}{
		"data":      {[]Entry{good, large}, ErrTooLarge},
		"meta":      {[]Entry{good, {Kind: MetaEntry, Name: "n", Data: make([]byte, MaxMeta+1)}}, ErrTooLarge},
		"name":      {[]Entry{good, {Kind: MetaEntry, Name: strings.Repeat("n", MaxName+1)}}, ErrEntry},
		"no name":   {[]Entry{good, {Kind: MetaEntry}}, ErrEntry},
		"named":     {[]Entry{named}, ErrEntry},
		"kind":      {[]Entry{good, {Kind: 9}}, ErrEntry},
		"batch":     {many, ErrTooLarge},
		"all metas": {metas, ErrTooLarge},
	} {
		if err := s.Append(c.batch); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if all := texts(t, s); len(all) > 0 || len(s.index.metas) > 0 {
		t.Errorf("stored %d, %d", len(all), len(s.index.metas))
	}
	// Above what may be read whole, Append begins another log by itself.
	s.work.Lock() // nobody else does
	for range maxLog/4/MaxBatch + 1 {
		must(t, s.Append(many[:MaxBatch/MaxData-1]))
		for i := range many {
			many[i].Counter += 100
		}
	}
	s.work.Unlock()
	must(t, s.Append(many[:MaxBatch/MaxData-1]))
	if n := s.segments[len(s.segments)-1].size; n > 2*MaxBatch {
		t.Errorf("%d bytes in the last log", n)
	}
}

// TestReadMeanwhile: whoever reads may append, fold and forget; what arrives is not seen, what is
// forgotten comes no more.
func TestReadMeanwhile(t *testing.T) {
	s := mustOpen(t, testConfig(t.TempDir()))
	for i := range uint64(3 * chunk) {
		epoch := epochA
		if i >= 2*chunk {
			epoch = epochB
		}
		must(t, s.Append([]Entry{message(epoch, 1, i+1)}))
	}
	n := uint64(0)
	must(t, s.Forward(func(e Entry) bool {
		if n++; e.Counter != n {
			t.Fatalf("%d, want %d", e.Counter, n)
		}
		if n == 10 {
			must(t, s.Append([]Entry{message(epochA, 1, 10_000)}))
			must(t, s.Sync())
			must(t, s.Forget([][32]byte{epochB}))
		}
		return true
	}))
	if n != 2*chunk {
		t.Errorf("%d messages, want %d", n, 2*chunk)
	}
	n = 0
	must(t, s.Forward(func(Entry) bool { n++; return n < chunk+5 }))
	if n != chunk+5 {
		t.Errorf("stopped after %d messages, want %d", n, chunk+5)
	}
}

// TestSyncsByItself: by time, and another log is begun when there is much.
func TestSyncsByItself(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"time": func(c *Config) { c.SyncEvery = time.Millisecond },
		"much": func(c *Config) { c.LogSize = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			cfg.manual, cfg.SyncEvery = false, time.Hour
			change(&cfg)
			s := mustOpen(t, cfg)
			must(t, s.Append([]Entry{message(epochA, 1, 1)}))
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				s.mu.RLock()
				waits := s.dirty
				s.mu.RUnlock()
				if !waits {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("never durable")
				}
			}
		})
	}
}

// TestDiskShows: of what was stored, no file has a word in clear: no text, epoch,
// name or key; and doc.go's list of what it does show is complete in this respect.
func TestDiskShows(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	_, id, _ := ed25519.GenerateKey(nil)
	must(t, s.SetIdentity(id))
	must(t, s.Append([]Entry{{Kind: EpochEntry, Epoch: epochA, Data: []byte("description")}, message(epochA, 0x61626364,
		0x6162636465666768), {Kind: MetaEntry, Name: "remembered", Data: []byte("12D3KooW")}}))
	roll(t, s)
	must(t, s.Append([]Entry{message(epochA, 0x61626364, 0x6162636465666769), {Kind: MetaEntry, Name: "remembered2",
		Data: []byte("12D3KooW")}}))
	files := 0
	for _, path := range paths(t, cfg) {
		data, err := os.ReadFile(path)
		must(t, err)
		if len(data) > 0 {
			files++
		}
		for _, secret := range [][]byte{[]byte("text"), epochA[:], []byte("description"), []byte("abcdefg"), []byte("abcd"),
			[]byte("remembered"), []byte("12D3KooW"), testKey[:], testRoom[:], id.Seed()} {
			if bytes.Contains(data, secret) {
				t.Errorf("%s has %q", filepath.Base(path), secret)
			}
		}
	}
	if files < 4 {
		t.Fatal("database, two logs and an index were to be looked at")
	}
}

// roll begins another log.
func roll(t testing.TB, s *Store) {
	t.Helper()
	s.work.Lock()
	defer s.work.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	must(t, s.roll())
}

// paths are all files but the lock's and the key's.
func paths(t testing.TB, cfg Config) []string {
	t.Helper()
	files, err := segmentFiles(cfg.Path)
	must(t, err)
	all := []string{cfg.Path}
	for _, f := range files {
		all = append(all, f.path)
	}
	return append(all, Unfinished(cfg.Path)...)
}

// readFiles reads them, by the ends of their names.
func readFiles(t testing.TB, cfg Config) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, path := range paths(t, cfg) {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		must(t, err)
		all[strings.TrimPrefix(path, prefix(cfg.Path))] = data
	}
	return all
}

// writeFiles makes a room of such files.
func writeFiles(t testing.TB, cfg Config, files map[string][]byte) Config {
	t.Helper()
	cfg.Path = filepath.Join(t.TempDir(), "room.db")
	for name, data := range files {
		must(t, os.WriteFile(prefix(cfg.Path)+name, data, 0o600))
	}
	return cfg
}

// copyFiles copies what a crash at this moment leaves.
func copyFiles(t testing.TB, cfg Config) Config {
	t.Helper()
	return writeFiles(t, cfg, readFiles(t, cfg))
}
