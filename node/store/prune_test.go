package store

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// TestPrune: retention by age drops whole epochs; the bounds cut the flooding
// author and the oldest epochs; what is left is left after a restart too.
func TestPrune(t *testing.T) {
	epochs := [][32]byte{{1}, {2}, {3}}
	fill := func(t *testing.T, s *Store) {
		for n, id := range epochs {
			at := int64(1000 * (n + 1))
			batch := []Entry{{Kind: EpochEntry, Epoch: id, Time: at, Data: []byte{byte(n)}}}
			for author := range uint32(2) {
				for c := range uint64(10) {
					e := message(id, author, c+1)
					e.Time = at + int64(c)
					batch = append(batch, e)
				}
			}
			must(t, s.Append(batch))
		}
	}
	for name, c := range map[string]struct {
		before int64
		limits Limits
		want   string // what Prune says, then what is held of each epoch
	}{
		"nothing":         {0, Limits{}, "[] [] | [{0 1 10} {1 1 10}] [{0 1 10} {1 1 10}] [{0 1 10} {1 1 10}]"},
		"by age":          {2009, Limits{}, "[1] [] | [] [{0 1 10} {1 1 10}] [{0 1 10} {1 1 10}]"},
		"by age, all":     {99999, Limits{}, "[1 2 3] [] | [] [] []"},
		"authors":         {2009, Limits{AuthorMessages: 7}, "[1] [2/0<4 2/1<4 3/0<4 3/1<4] | [] [{0 4 10} {1 4 10}] [{0 4 10} {1 4 10}]"},
		"messages":        {0, Limits{Messages: 45}, "[1] [] | [] [{0 1 10} {1 1 10}] [{0 1 10} {1 1 10}]"},
		"messages, more":  {0, Limits{Messages: 5}, "[1 2] [3/0<11 3/1<6] | [] [] [{1 6 10}]"},
		"bytes":           {0, Limits{Bytes: 3000}, "[1 2] [] | [] [] [{0 1 10} {1 1 10}]"},
		"bytes of epochs": {0, Limits{Bytes: 1}, "[1 2] [3/0<11 3/1<11] | [] [] []"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			s := mustOpen(t, cfg)
			fill(t, s)
			p, err := s.Prune(time.UnixMilli(c.before), c.limits)
			must(t, err)
			state := func() string {
				var gone []byte
				for _, id := range p.Epochs {
					gone = append(gone, id[0])
				}
				var cuts []string
				for _, c := range p.Cut {
					cuts = append(cuts, fmt.Sprintf("%d/%d<%d", c.Epoch[0], c.Author, c.Counter))
				}
				return fmt.Sprint(gone, " ", cuts, " | ", s.Held(epochs[0]), s.Held(epochs[1]), s.Held(epochs[2]))
			}
			got := state()
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			bytes := s.index.bytes
			must(t, s.Close())
			s = mustOpen(t, cfg)
			if again := state(); again != got || s.index.bytes != bytes {
				t.Errorf("after a restart %s, %d bytes; before %d", again, s.index.bytes, bytes)
			}
		})
	}
}

// TestPruneKeepsNew: what arrives while Prune decides stays, and an epoch that
// went may be stored again.
func TestPruneKeepsNew(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	must(t, s.Sync())
	folded := s.st.folded
	must(t, s.Append([]Entry{message(epochA, 1, 2), message(epochB, 1, 1)}))
	if p := s.index.plan(1<<60, Limits{Messages: 1, AuthorMessages: 1}, folded); len(p.Epochs) != 0 || len(p.gone) != 1 {
		t.Errorf("%+v", p)
	}
	_, err := s.Prune(time.UnixMilli(1<<50), Limits{})
	must(t, err)
	must(t, s.Append([]Entry{message(epochA, 1, 1)}))
	must(t, s.Close())
	if all := texts(t, mustOpen(t, cfg)); len(all) != 1 {
		t.Errorf("%q", all)
	}
}

// TestFileStaysBounded: with bounds, the file stops growing however much comes.
func TestFileStaysBounded(t *testing.T) {
	cfg := testConfig(t.TempDir())
	s := mustOpen(t, cfg)
	size := func() int64 {
		info, err := os.Stat(cfg.Path)
		must(t, err)
		return info.Size()
	}
	var after5 int64
	for round := range 25 {
		var batch []Entry
		for i := range 1000 {
			e := message([32]byte{byte(round)}, 1, uint64(i+1))
			e.Data = make([]byte, 300)
			batch = append(batch, e)
		}
		must(t, s.Append(batch))
		_, err := s.Prune(time.Time{}, Limits{Messages: 2000})
		must(t, err)
		if round == 5 {
			after5 = size()
		}
	}
	if now := size(); now > 2*after5 {
		t.Errorf("%d bytes, %d after 5 rounds", now, after5)
	}
}
