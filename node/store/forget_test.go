package store

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

// counters are those of an author's messages in an epoch that are stored.
func counters(t testing.TB, s *Store, epoch [32]byte, author uint32) (found []uint64) {
	t.Helper()
	messages, err := s.Messages(epoch, author, 0, math.MaxUint64)
	must(t, err)
	for _, e := range messages {
		found = append(found, e.Counter)
	}
	return found
}

// TestForget: what is forgotten is gone at once and after opening again, and
// nothing else is; Forward has the rest in the order of arrival.
func TestForget(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	must(t, s.Append([]Entry{
		{Kind: EpochEntry, Epoch: epochA, Data: []byte("a")}, message(epochA, 1, 1), message(epochA, 1, 2),
		{Kind: EpochEntry, Epoch: epochB, Data: []byte("b")}, message(epochB, 1, 2), message(epochB, 1, 1),
	}))
	must(t, s.Forget([][32]byte{epochA, epochA, {9}}))
	check := func() {
		t.Helper()
		var got []string
		must(t, s.Epochs(func(e Entry) bool { got = append(got, string(e.Data)); return true }))
		must(t, s.Forward(func(e Entry) bool { got = append(got, string(e.Data)); return true }))
		if want := []string{"b", "text 2 of author 1", "text 1 of author 1"}; !slices.Equal(got, want) {
			t.Errorf("there is %q, want %q", got, want)
		}
		if m, err := s.Messages(epochA, 1, 0, 9); err != nil || len(m) > 0 {
			t.Errorf("messages of what was forgotten: %v, %v", m, err)
		}
	}
	check()
	must(t, s.Close())
	s = mustOpen(t, cfg)
	check()
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	must(t, s.Forget(nil))
	if m, err := s.Messages(epochA, 1, 0, 9); err != nil || len(m) != 1 {
		t.Errorf("it takes no more of it: %v, %v", m, err)
	}
}

// TestForgetWhole: whichever epochs are forgotten, folded or not, they go whole,
// with all authors, and the others stay whole; after a restart too.
func TestForgetWhole(t *testing.T) {
	epochs := [][32]byte{{1}, {2}, {3}, {4}} // nobody said anything in the last
	fill := func(t *testing.T, s *Store, id [32]byte) {
		batch := []Entry{{Kind: EpochEntry, Epoch: id, Data: id[:1]}}
		if id != epochs[3] {
			for author := range uint32(2) {
				for c := range uint64(10) {
					batch = append(batch, message(id, author, c+1))
				}
			}
		}
		must(t, s.Append(batch))
	}
	for name, gone := range map[string][]int{
		"nothing": {}, "the first": {0}, "one between": {1}, "the last": {3}, "two": {2, 0}, "all": {0, 1, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			s := mustOpen(t, cfg)
			for i, id := range epochs {
				fill(t, s, id)
				if i == 1 {
					roll(t, s)
				}
			}
			var forget [][32]byte
			for _, i := range gone {
				forget = append(forget, epochs[i])
			}
			must(t, s.Forget(forget))
			check := func(when string) {
				t.Helper()
				var described, want []byte
				must(t, s.Epochs(func(e Entry) bool { described = append(described, e.Data...); return true }))
				messages := 0
				for i, id := range epochs {
					stays := 10
					if slices.Contains(gone, i) {
						stays = 0
					} else {
						want = append(want, id[0])
					}
					if i == 3 {
						stays = 0
					}
					for author := range uint32(2) {
						messages += stays
						if found := counters(t, s, id, author); len(found) != stays {
							t.Errorf("%s: of epoch %d and author %d there is %v, want %d", when, id[0], author, found, stays)
						}
					}
				}
				if !slices.Equal(described, want) {
					t.Errorf("%s: epochs %v, want %v", when, described, want)
				}
				if all := texts(t, s); len(all) != messages {
					t.Errorf("%s: %d messages, want %d", when, len(all), messages)
				}
			}
			check("at once")
			must(t, s.Close())
			s = mustOpen(t, cfg)
			check("after a restart")
		})
	}
}

// TestForgetTakesAgain: what was forgotten may be stored again, while it is still being erased,
// too, and then it stays.
func TestForgetTakesAgain(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	described := Entry{Kind: EpochEntry, Epoch: epochA, Data: []byte("a")}
	must(t, s.Append([]Entry{described, message(epochA, 1, 1), message(epochB, 1, 1), message(epochA, 1, 2)}))
	s.work.Lock()
	must(t, s.forgetInMemory([][32]byte{epochA}))
	s.work.Unlock()
	described.Data = []byte("again")
	must(t, s.Append([]Entry{described, message(epochA, 1, 2)}))
	check := func() {
		t.Helper()
		var got []string
		must(t, s.Epochs(func(e Entry) bool { got = append(got, string(e.Data)); return true }))
		got = append(got, texts(t, s)...)
		if want := []string{"again", "text 1 of author 1", "text 2 of author 1"}; !slices.Equal(got, want) {
			t.Errorf("there is %q, want %q", got, want)
		}
	}
	check()
	for range 2 {
		must(t, s.Close())
		s = mustOpen(t, cfg)
		check()
		must(t, s.tidy())
		check()
	}
	if len(s.st.erasing) > 0 {
		t.Errorf("still to be erased: %v", s.st.erasing)
	}
}

// TestForgottenIsErased: of what was forgotten no record is in any file, neither of what was
// gone before, and the space is given back.
func TestForgottenIsErased(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	var records [][]byte
	for c := range uint64(60) {
		must(t, s.Append([]Entry{message(epochA, 1, c+1), message(epochB, 1, c+1)}))
		if c%20 == 19 {
			roll(t, s)
		}
	}
	must(t, s.Append([]Entry{rest(epochA, 1, 30)}))
	for name, data := range readFiles(t, cfg) {
		if !strings.HasSuffix(name, logSuffix) {
			continue
		}
		for len(data) > 0 {
			r, ok := parseRecord(s.seal, data)
			if !ok {
				t.Fatal("a record does not open")
			}
			if r.entry.Epoch == epochA {
				records = append(records, data[:r.size])
			}
			data = data[r.size:]
		}
	}
	if len(records) != 61 {
		t.Fatalf("%d records", len(records))
	}
	before := s.Size()
	must(t, s.Forget([][32]byte{epochA}))
	for name, data := range readFiles(t, cfg) {
		for i, r := range records {
			if bytes.Contains(data, r[recordHeader:]) {
				t.Fatalf("%s still has record %d", name, i)
			}
		}
	}
	if after := s.Size(); after > before*6/10 {
		t.Errorf("%d bytes, and %d before", after, before)
	}
	if all := texts(t, s); len(all) != 60 {
		t.Errorf("%d messages are left", len(all))
	}
}

// TestFileStaysBounded: if what is old is forgotten, the files stop growing
// however much comes.
func TestFileStaysBounded(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.LogSize = 256 << 10
	s := mustOpen(t, cfg)
	var after5 int64
	for round := range 25 {
		var batch []Entry
		for i := range 1000 {
			e := message([32]byte{byte(round)}, 1, uint64(i+1))
			e.Data = make([]byte, 300)
			batch = append(batch, e)
		}
		must(t, s.Append(batch))
		if round >= 2 {
			must(t, s.Forget([][32]byte{{byte(round - 2)}}))
		}
		if round == 5 {
			after5 = s.Size()
		}
	}
	if all := texts(t, s); len(all) != 2000 {
		t.Errorf("%d messages, want 2000", len(all))
	}
	if now := s.Size(); now > 2*after5 {
		t.Errorf("%d bytes, %d after 5 rounds", now, after5)
	}
	onDisk := int64(0)
	for _, data := range readFiles(t, cfg) {
		onDisk += int64(len(data))
	}
	if onDisk != s.Size() {
		t.Errorf("there are %d bytes, and it says %d", onDisk, s.Size())
	}
}
