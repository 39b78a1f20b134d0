package store

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// chunk is how many entries are read at once; in between, Append has its turn.
const chunk = 256

// Epochs calls yield with every epoch's description, in the order of arrival,
// until it returns false.
func (s *Store) Epochs(yield func(Entry) bool) error {
	s.mu.RLock()
	var seqs []uint64
	for _, l := range s.index.epochs {
		if l.described {
			seqs = append(seqs, l.seq)
		}
	}
	s.mu.RUnlock()
	slices.Sort(seqs)
	return s.each(seqs, yield)
}

// Rests calls yield with what stays of messages that are gone, in the order of arrival,
// until it returns false.
func (s *Store) Rests(yield func(Entry) bool) error {
	s.mu.RLock()
	var seqs []uint64
	for _, l := range s.index.epochs {
		for _, places := range l.rests {
			for _, p := range places {
				seqs = append(seqs, p.seq)
			}
		}
	}
	s.mu.RUnlock()
	slices.Sort(seqs)
	return s.each(seqs, yield)
}

// Messages returns an author's messages in an epoch with counters from from to
// to, both included, by counter; two of one counter by arrival.
func (s *Store) Messages(epoch [32]byte, author uint32, from, to uint64) ([]Entry, error) {
	s.mu.RLock()
	var seqs []uint64
	if l := s.index.byID[epoch]; l != nil {
		places := l.authors[author]
		at, _ := slices.BinarySearchFunc(places, place{from, 0}, comparePlaces)
		for ; at < len(places) && places[at].counter <= to; at++ {
			seqs = append(seqs, places[at].seq)
		}
	}
	s.mu.RUnlock()
	found := make([]Entry, 0, len(seqs))
	err := s.each(seqs, func(e Entry) bool {
		found = append(found, e)
		return true
	})
	return found, err
}

// Forward calls yield with every message, in the order of arrival, until it
// returns false. It holds no lock meanwhile, and does not see what arrives.
func (s *Store) Forward(yield func(Entry) bool) error {
	s.mu.RLock()
	seqs := slices.Clone(s.index.order)
	s.mu.RUnlock()
	return s.each(seqs, yield)
}

// Backward yields the messages that arrived before the one with that number
// (Entry.Arrival), the newest first; 0 stands for all. It is for scrolling back
// and for searching. It holds no lock while the caller has an entry, and does not
// see what arrives meanwhile. An error ends it.
func (s *Store) Backward(before uint64) iter.Seq2[Entry, error] {
	if before == 0 {
		before = math.MaxUint64
	}
	return func(yield func(Entry, error) bool) {
		for {
			s.mu.RLock()
			seqs := s.index.before(before, chunk)
			s.mu.RUnlock()
			if len(seqs) == 0 {
				return
			}
			before = seqs[len(seqs)-1]
			stopped := false
			err := s.each(seqs, func(e Entry) bool {
				stopped = !yield(e, nil)
				return !stopped
			})
			if stopped {
				return
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
		}
	}
}

// each calls yield, without a lock, with the entries of these numbers; those
// that were forgotten meanwhile are passed over.
func (s *Store) each(seqs []uint64, yield func(Entry) bool) error {
	type read struct {
		entries []Entry
		err     error
	}
	// While the caller has one part, the next one is opened.
	begin := func() <-chan read {
		part := seqs[:min(len(seqs), chunk)]
		if seqs = seqs[len(part):]; len(part) == 0 {
			return nil
		}
		c := make(chan read, 1)
		go func() {
			entries, err := s.readAll(part)
			c <- read{entries, err}
		}()
		return c
	}
	for next := begin(); next != nil; {
		part := <-next
		if part.err != nil {
			return fmt.Errorf("reading history: %w", part.err)
		}
		next = begin()
		for _, e := range part.entries {
			if yield(e) {
				continue
			}
			if next != nil {
				<-next
			}
			return nil
		}
	}
	return nil
}

func (s *Store) readAll(seqs []uint64) ([]Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	entries := make([]Entry, 0, len(seqs))
	err := guard(s.cfg.Path, func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			in := tx.Bucket(bucketEntries).Cursor()
			var k []byte // where it is
			for _, seq := range seqs {
				want := seqKey(seq)
				var v []byte
				if k != nil {
					k, v = in.Next() // most often that is it
				}
				if !bytes.Equal(k, want) {
					if k, v = in.Seek(want); !bytes.Equal(k, want) {
						v = nil
					}
				}
				e, ok, err := s.find(seq, v)
				if err != nil {
					return err
				}
				if ok {
					entries = append(entries, e)
				}
			}
			return nil
		})
	})
	return entries, err
}

// read returns one entry. The caller holds mu.
func (s *Store) read(seq uint64) (e Entry, err error) {
	if e, ok := s.waits(seq); ok {
		return e, nil
	}
	err = guard(s.cfg.Path, func() error {
		return s.db.View(func(tx *bbolt.Tx) (err error) {
			e, _, err = s.find(seq, tx.Bucket(bucketEntries).Get(seqKey(seq)))
			return err
		})
	})
	return e, err
}

// waits returns an entry that is not in the database yet.
func (s *Store) waits(seq uint64) (Entry, bool) {
	first := s.next - uint64(len(s.pending))
	if seq < first || seq >= s.next {
		return Entry{}, false
	}
	e := s.pending[seq-first]
	e.Data = slices.Clone(e.Data)
	return e, true
}

// find returns the entry of that number and whether there is one; v is what the database
// has. The caller holds mu. All records opened when the file was, so one that does not now was
// changed under us.
func (s *Store) find(seq uint64, v []byte) (Entry, bool, error) {
	if e, ok := s.waits(seq); ok {
		return e, true, nil
	}
	if v == nil {
		return Entry{}, false, nil
	}
	var buf []byte // a new one: Data stays in it
	e, err := openEntry(s.seal, &buf, placeEntries, seqKey(seq), v)
	if err != nil {
		return Entry{}, false, &DamagedError{s.cfg.Path, "a record does not open"}
	}
	e.Arrival = seq
	return e, true, nil
}

// Meta returns the value stored under that name, or ErrNotExist.
func (s *Store) Meta(name string) ([]byte, error) {
	if strings.HasPrefix(name, "\x00") {
		return nil, ErrNotExist
	}
	return s.meta(name)
}

func (s *Store) meta(name string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	m, ok := s.index.metas[name]
	if !ok {
		return nil, ErrNotExist
	}
	return slices.Clone(m.value), nil
}

// Metas returns the values whose names begin so, by name.
func (s *Store) Metas(prefix string) (map[string][]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	out := make(map[string][]byte)
	for name, m := range s.index.metas {
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "\x00") {
			out[name] = slices.Clone(m.value)
		}
	}
	return out, nil
}

// SetMeta stores a small value under a name, as Append does; an empty one removes
// what is there. Names that begin with a zero byte are the store's own.
func (s *Store) SetMeta(name string, value []byte) error {
	return s.Append([]Entry{{Kind: MetaEntry, Name: name, Data: value}})
}
