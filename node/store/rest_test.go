package store

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
)

var (
	killRounds = flag.Int("store.kills", 0, "how many times a process is killed at work; 0: a few")
	million    = flag.Bool("store.million", false, "open a room with a million messages")
)

func rest(epoch [32]byte, author uint32, counter uint64) Entry {
	return Entry{Kind: RestEntry, Epoch: epoch, Author: author, Counter: counter,
		Data: fmt.Appendf(nil, "rest %d of author %d", counter, author)}
}

// stateText is all that a store has, as text.
func stateText(t testing.TB, s *Store) string {
	t.Helper()
	var b bytes.Buffer
	each := func(e Entry) bool {
		fmt.Fprintf(&b, "%d %x %d %d %s\n", e.Kind, e.Epoch[0], e.Author, e.Counter, e.Data)
		return true
	}
	must(t, s.Epochs(each))
	must(t, s.Rests(each))
	must(t, s.Forward(each))
	return b.String()
}

// TestRests: messages go with what stays of them, and come back in no state in which the
// files can be found: not after a crash before or after a fold, nor when they are appended
// again; what is forgotten takes along what stayed.
func TestRests(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	type author struct {
		epoch  byte
		author uint32
	}
	gone, next := make(map[author]uint64), make(map[author]uint64)
	forgotten := make(map[byte]bool)
	check := func(s *Store) {
		t.Helper()
		for a := range next {
			var want []uint64
			if next[a] > 0 {
				want = append(want, 0) // a name
			}
			for c := gone[a] + 1; c <= next[a]; c++ {
				want = append(want, c)
			}
			if got := counters(t, s, [32]byte{a.epoch}, a.author); !slices.Equal(got, want) {
				t.Fatalf("%v has %d, want %d", a, got, want)
			}
		}
		for e := range forgotten {
			if l := s.index.byID[[32]byte{e}]; l != nil && next[author{e, 0}]+next[author{e, 1}] == 0 {
				t.Fatalf("epoch %d is still there", e)
			}
		}
	}
	for range 250 {
		a := author{byte(rng.IntN(3)), uint32(rng.IntN(2))}
		id := [32]byte{a.epoch}
		switch rng.IntN(12) {
		case 0, 1:
			if next[a] == 0 {
				break
			}
			upto := 1 + rng.Uint64N(next[a])
			must(t, s.Append([]Entry{rest(id, a.author, upto)}))
			gone[a] = max(gone[a], upto)
		case 2:
			if next[a] > 0 {
				must(t, s.Append([]Entry{message(id, a.author, 1+rng.Uint64N(next[a]))})) // it was there
			}
		case 3:
			roll(t, s)
			if rng.IntN(2) == 0 {
				must(t, s.tidy())
			}
		case 4:
			must(t, s.Close())
			s = mustOpen(t, cfg)
		case 5:
			must(t, s.Forget([][32]byte{id}))
			for i := range uint32(2) {
				delete(gone, author{a.epoch, i})
				delete(next, author{a.epoch, i})
			}
			forgotten[a.epoch] = true
		case 6: // as a process leaves it that dies here
			before := stateText(t, s)
			other, err := Open(copyFiles(t, cfg))
			must(t, err)
			check(other)
			if after := stateText(t, other); after != before {
				t.Fatalf("after a crash there is\n%s, want\n%s", after, before)
			}
			must(t, other.Close())
		default:
			if next[a]++; next[a] == 1 {
				must(t, s.Append([]Entry{message(id, a.author, 0)}))
			}
			must(t, s.Append([]Entry{message(id, a.author, next[a])}))
			forgotten[a.epoch] = false
		}
		check(s)
	}
}

// TestKilledShortening: a process that is killed while messages go and come leaves all
// that it said was there, and nothing twice.
func TestKilledShortening(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds := 6
	if *killRounds > 0 {
		rounds = *killRounds
	}
	cfg := testConfig(t.TempDir())
	told := uint64(0)
	for range rounds {
		cmd, lines := startChild(t, cfg.Path, childVar+"_REST=1")
		for range 1 + rng.IntN(300) {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatal(lines.Text())
			}
			told = n
		}
		must(t, cmd.Process.Kill())
		cmd.Wait()
		s, err := Open(cfg)
		must(t, err)
		got := counters(t, s, epochA, 1)
		if len(got) == 0 || got[len(got)-1] < told {
			t.Fatalf("it said %d, and there is %d", told, got)
		}
		gone := s.index.byID[epochA].rest(1)
		for i, c := range got {
			if c != gone+1+uint64(i) {
				t.Fatalf("up to %d they are gone, and there is %d", gone, got)
			}
		}
		told = got[len(got)-1]
		must(t, s.Close())
	}
}

// TestSpaceIsUsedAgain: where messages go as others come, the files stay as large as what
// they hold at once.
func TestSpaceIsUsedAgain(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.LogSize = 1 << 20
	s := mustOpen(t, cfg)
	const kept, size = 600, 16 << 10 // 10 MiB
	rounds := uint64(4)
	data := make([]byte, size)
	upto := uint64(0)
	for c := uint64(1); c <= rounds*kept; c++ {
		e := message(epochA, 1, c)
		e.Data = data
		must(t, s.Append([]Entry{e, message(epochA, 2, c)}))
		if c-upto >= kept {
			upto += kept / 64
			must(t, s.Append([]Entry{rest(epochA, 1, upto)}))
			must(t, s.tidy())
		}
	}
	if n, most := s.Size(), int64(kept*size+rounds*kept*300)*4/3; n > most {
		t.Errorf("the files have %d bytes for %d that are kept, and at most %d was meant", n, kept*size, most)
	}
	must(t, s.Close())
	s = mustOpen(t, cfg)
	if n := len(counters(t, s, epochA, 2)); n != int(rounds*kept) {
		t.Errorf("%d of the short messages are there", n)
	}
}

// TestMillion: a room with a million messages opens within 1.5 s and 100 MB, where the
// cores have nothing else to do: the best of three times counts. How long it takes to read
// the file plainly is measured beside it.
func TestMillion(t *testing.T) {
	if !*million {
		t.Skip("it takes half a minute and 300 MB of disk: go test ./node/store -run Million -v -store.million")
	}
	cfg := Config{Path: filepath.Join(t.TempDir(), "room.db"), Key: testKey, Room: testRoom}
	s := mustOpen(t, cfg)
	const n = 1_000_000
	var batch []Entry
	for i := range n {
		e := message([32]byte{byte(i / 10_000)}, uint32(i%20), uint64(i/20+1))
		e.Data, e.Note = fmt.Appendf(nil, "%0300d", i), make([]byte, 50)
		if batch = append(batch, e); len(batch) == 1000 {
			must(t, s.Append(batch))
			batch = batch[:0]
		}
	}
	must(t, s.Close())
	s, batch = nil, nil
	best := time.Hour
	var heap float64
	for range 3 {
		if s != nil {
			must(t, s.Close())
			s = nil
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		before := m.HeapAlloc
		began := time.Now()
		var err error
		s, err = Open(cfg)
		must(t, err)
		best = min(best, time.Since(began))
		runtime.GC()
		runtime.ReadMemStats(&m)
		heap = float64(m.HeapAlloc-before) / 1e6
	}
	defer s.Close()
	began := time.Now()
	must(t, s.Notes(func(Entry) bool { return true }))
	t.Logf("%d messages, %.0f MB on disk: opened in %v, notes in %v, %.0f MB in memory", n, float64(s.Size())/1e6, best,
		time.Since(began), heap)
	if best > 1500*time.Millisecond || heap > 100 {
		t.Error("that is more than 1.5 s, or more than 100 MB")
	}
	if got := len(texts(t, s)); got != n {
		t.Errorf("%d messages are there", got)
	}
}

// TestOpenReadsLittle: whoever opens a room reads indexes, and the last log, whatever else there is;
// notes are read from indexes, too, and of an author's messages those that are asked for.
func TestOpenReadsLittle(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	const n = 4000
	for i := range n {
		e := message(epochA, uint32(i%4), uint64(i/4+1))
		e.Data, e.Note = make([]byte, 1000), make([]byte, 50)
		must(t, s.Append([]Entry{e}))
		if i%500 == 499 {
			roll(t, s)
		}
	}
	must(t, s.Append([]Entry{message(epochB, 1, 1)}))
	must(t, s.Close())
	s = mustOpen(t, cfg)
	last := s.segments[len(s.segments)-1].size
	if got := s.reads.logs.Load(); got > last {
		t.Errorf("%d bytes of logs were read, and the last one has %d", got, last)
	}
	if index, size := s.reads.index.Load(), s.Size(); index > n*100 || index > size/8 {
		t.Errorf("%d bytes of indexes were read of %d in all", index, size)
	}
	notes := 0
	must(t, s.Notes(func(e Entry) bool { notes += len(e.Note); return true }))
	if notes != n*50 || s.reads.logs.Load() > last {
		t.Errorf("%d bytes of notes, and %d of logs", notes, s.reads.logs.Load())
	}
	if m, err := s.Messages(epochA, 2, 100, 102); err != nil || len(m) != 3 || s.reads.logs.Load() > last+20_000 {
		t.Errorf("%d messages with %d bytes of logs, %v", len(m), s.reads.logs.Load(), err)
	}
}

// TestBesideGoesToo: what is noted beside a message goes when the message goes, and is not
// taken for one that is gone.
func TestBesideGoesToo(t *testing.T) {
	s := mustOpen(t, testConfig(t.TempDir()))
	at := func(counter uint64) Entry {
		return Entry{Kind: MessageEntry, Epoch: [32]byte{1}, Author: 2, Counter: counter, Data: []byte(fmt.Sprint(counter))}
	}
	var all []Entry
	all = append(all, Entry{Kind: EpochEntry, Epoch: [32]byte{1}})
	for c := range uint64(5) {
		all = append(all, at(c+1), at(Beside|(c+1)))
	}
	must(t, s.Append(all))
	must(t, s.Append([]Entry{{Kind: RestEntry, Epoch: [32]byte{1}, Author: 2, Counter: 3}}))
	must(t, s.Append([]Entry{at(Beside | 2)}))
	for c, want := range map[uint64]int{3: 0, 4: 1, Beside | 2: 0, Beside | 3: 0, Beside | 4: 1, Beside | 5: 1} {
		if got, err := s.Messages([32]byte{1}, 2, c, c); err != nil || len(got) != want {
			t.Errorf("%x: %d entries, %v; want %d", c, len(got), err, want)
		}
	}
}
