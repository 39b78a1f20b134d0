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
	if os.Getenv(childVar) != "" {
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

// testConfig folds only when told to.
func testConfig(dir string) Config {
	return Config{Path: filepath.Join(dir, "room.db"), Key: testKey, Room: testRoom, FoldEvery: time.Hour}
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
	for e, err := range s.Backward(0) {
		must(t, err)
		all = append(all, string(e.Data))
	}
	slices.Reverse(all)
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
		if held := fmt.Sprint(s.Held(epochA)); held != "[{0 1 1} {1 1 2} {1 7 7}]" {
			t.Errorf("%s: held %s", when, held)
		}
		recent, err := s.Recent(2)
		must(t, err)
		if len(recent) != 2 || recent[0].Epoch != epochB || recent[1].Counter != 7 {
			t.Errorf("%s: recent %v", when, recent)
		}
		if all := texts(t, s); len(all) != 5 || all[0] != "text 2 of author 1" {
			t.Errorf("%s: all %q", when, all)
		}
		if v, err := s.Meta("unread"); err != nil || string(v) != "5" {
			t.Errorf("%s: meta %q %v", when, v, err)
		}
		if names := s.Metas("held/"); !slices.Equal(names, []string{"held/1", "held/2"}) {
			t.Errorf("%s: names %q", when, names)
		}
		if names := s.Metas(""); len(names) != 3 {
			t.Errorf("%s: all names %q", when, names)
		}
		if _, err := s.Meta(identityName); !errors.Is(err, ErrNotExist) {
			t.Errorf("%s: the identity is a meta", when)
		}
	}
	check("at once", s)
	copied := copyFiles(t, cfg)
	must(t, s.Sync())
	check("folded", s)
	must(t, s.Close())
	check("opened again", mustOpen(t, cfg))
	check("opened without a fold", mustOpen(t, copied))
	if _, err := s.Recent(1); !errors.Is(err, ErrClosed) {
		t.Errorf("reading when closed: %v", err)
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
	must(t, s.Sync())
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
	if all := texts(t, s); len(all) > 0 || len(s.Metas("")) > 0 {
		t.Errorf("stored %d, %d", len(all), len(s.Metas("")))
	}
	// Above what may wait, Append folds by itself.
	for range 3 {
		must(t, s.Append(many[:MaxBatch/MaxData-1]))
		for i := range many {
			many[i].Counter += 100
		}
	}
	if s.waiting > 2*MaxBatch {
		t.Errorf("%d bytes wait", s.waiting)
	}
}

// TestBackwardMeanwhile: whoever scrolls back may append, fold and prune.
func TestBackwardMeanwhile(t *testing.T) {
	s := mustOpen(t, testConfig(t.TempDir()))
	for i := range uint64(3 * chunk) {
		must(t, s.Append([]Entry{message(epochA, 1, i+1)}))
	}
	n := uint64(0)
	for e, err := range s.Backward(0) {
		must(t, err)
		if want := 3*chunk - n; e.Counter != want {
			t.Fatalf("%d, want %d", e.Counter, want)
		}
		n++
		if n == 10 {
			must(t, s.Append([]Entry{message(epochA, 1, 10_000)}))
			must(t, s.Sync())
			_, err := s.Prune(time.Time{}, Limits{AuthorMessages: 2*chunk + 1})
			must(t, err)
		}
		if n == 2*chunk {
			break
		}
	}
	if n != 2*chunk {
		t.Errorf("%d messages", n)
	}
	// From a number on.
	recent, err := s.Recent(5)
	must(t, err)
	for e, err := range s.Backward(recent[3].Arrival) {
		must(t, err)
		if e.Counter != recent[4].Counter {
			t.Errorf("before %d came %d", recent[3].Counter, e.Counter)
		}
		break
	}
}

// TestFoldsByItself: by time, and when there is much.
func TestFoldsByItself(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"time": func(c *Config) { c.FoldEvery = time.Millisecond },
		"much": func(c *Config) { c.FoldBytes = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			change(&cfg)
			s := mustOpen(t, cfg)
			must(t, s.Append([]Entry{message(epochA, 1, 1)}))
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				s.mu.RLock()
				left := len(s.pending)
				s.mu.RUnlock()
				if left == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("never folded")
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
	must(t, s.Append([]Entry{{Kind: EpochEntry, Epoch: epochA, Data: []byte("description")}, message(epochA, 0x61626364, 0x6162636465666768), {Kind: MetaEntry, Name: "remembered", Data: []byte("12D3KooW")}}))
	must(t, s.Sync())
	must(t, s.Append([]Entry{message(epochA, 0x61626364, 0x6162636465666769), {Kind: MetaEntry, Name: "remembered2", Data: []byte("12D3KooW")}}))
	files := 0
	for _, path := range paths(cfg) {
		data, err := os.ReadFile(path)
		must(t, err)
		if len(data) > 0 {
			files++
		}
		for _, secret := range [][]byte{[]byte("text"), epochA[:], []byte("description"), []byte("abcdefg"), []byte("abcd"), []byte("remembered"), []byte("12D3KooW"), testKey[:], testRoom[:], id.Seed()} {
			if bytes.Contains(data, secret) {
				t.Errorf("%s has %q", filepath.Base(path), secret)
			}
		}
	}
	if files < 2 {
		t.Fatal("database and tail were to be looked at")
	}
}

// paths are the database and the tails.
func paths(cfg Config) []string {
	return []string{cfg.Path, prefix(cfg.Path) + tailSuffixes[0], prefix(cfg.Path) + tailSuffixes[1]}
}

// copyFiles copies what a crash at this moment leaves.
func copyFiles(t testing.TB, cfg Config) Config {
	t.Helper()
	to := cfg
	to.Path = filepath.Join(t.TempDir(), "room.db")
	for i, path := range paths(cfg) {
		data, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(paths(to)[i], data, 0o600))
	}
	return to
}
