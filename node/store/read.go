package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
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
		for _, numbers := range l.rests {
			for _, n := range numbers {
				seqs = append(seqs, n.seq)
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
		all := l.authors[author]
		at, _ := slices.BinarySearchFunc(all, numbered{from, 0}, compareNumbered)
		for ; at < len(all) && all[at].counter <= to; at++ {
			seqs = append(seqs, all[at].seq)
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
	var seqs []uint64
	for _, g := range s.segments {
		for _, p := range g.places {
			if p.size&(isMessage|isDead) == isMessage {
				seqs = append(seqs, p.seq)
			}
		}
	}
	s.mu.RUnlock()
	return s.each(seqs, yield)
}

// Names calls yield with the messages that have the number 0, in the order of arrival, until it
// returns false.
func (s *Store) Names(yield func(Entry) bool) error {
	s.mu.RLock()
	var seqs []uint64
	for _, l := range s.index.epochs {
		for _, all := range l.authors {
			for _, n := range all {
				if n.counter > 0 {
					break
				}
				seqs = append(seqs, n.seq)
			}
		}
	}
	s.mu.RUnlock()
	slices.Sort(seqs)
	return s.each(seqs, yield)
}

// Notes calls yield with every message that has a number other than 0, in the order of arrival, until
// it returns false; Data is not there. It holds a lock meanwhile, so yield must not use the store.
func (s *Store) Notes(yield func(Entry) bool) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	for i, g := range s.segments {
		next, more := 0, true
		take := func(l *line, _ int) {
			for next < len(g.places) && g.places[next].seq < l.seq {
				next++
			}
			if !more || next == len(g.places) || g.places[next].seq != l.seq ||
				g.places[next].size&(isMessage|isDead) != isMessage || l.counter == 0 {
				return
			}
			more = yield(Entry{Kind: l.kind, Epoch: l.epoch, Author: l.author, Counter: l.counter, Time: l.time, Note: l.note,
				Arrival: l.seq})
		}
		if i == len(s.segments)-1 {
			for j := range s.lines {
				take(&s.lines[j], 0)
			}
			break
		}
		plain, _, err := s.readIndex(g)
		if err != nil {
			return fmt.Errorf("reading history: %w", err)
		}
		if decodeIndex(plain, take); !more {
			break
		}
	}
	return nil
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
	return s.readEntries(seqs)
}

// readEntries reads the entries of these numbers. The caller holds mu.
func (s *Store) readEntries(seqs []uint64) ([]Entry, error) {
	type found struct {
		g *segment
		place
	}
	all := make([]found, 0, len(seqs))
	for _, seq := range seqs {
		if g := s.segment(seq); g != nil {
			if p := g.find(seq); p != nil && p.size&isDead == 0 {
				all = append(all, found{g, *p})
			}
		}
	}
	entries := make([]Entry, 0, len(all))
	var open *segment
	var f *os.File
	defer func() {
		if f != nil && f != s.file {
			f.Close()
		}
	}()
	for len(all) > 0 {
		g := all[0].g
		run := []place{all[0].place} // what lies together is read at once
		for _, next := range all[1:] {
			gap := int64(next.at) - run[len(run)-1].end()
			if next.g != g || gap < 0 || gap > pageSize || next.end()-int64(run[0].at) > keepBuffer {
				break
			}
			run = append(run, next.place)
		}
		all = all[len(run):]
		if open != g {
			if f != nil && f != s.file {
				f.Close()
			}
			var err error
			if f, err = s.openLog(g); err != nil {
				return nil, err
			}
			open = g
		}
		var err error
		if entries, err = s.readRun(g, f, run, entries); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// pageSize is about what a disk reads at once.
const pageSize = 4096

// openLog opens the log of a segment to read it.
func (s *Store) openLog(g *segment) (*os.File, error) {
	if g == s.segments[len(s.segments)-1] {
		return s.file, nil
	}
	path := s.cfg.path(g.number, logSuffix)
	f, err := openPrivate(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		err = &DamagedError{path, "it is missing"}
	}
	return f, err
}

// readRun reads records that lie together.
func (s *Store) readRun(g *segment, f *os.File, run []place, entries []Entry) ([]Entry, error) {
	from := int64(run[0].at)
	data := make([]byte, run[len(run)-1].end()-from)
	path := s.cfg.path(g.number, logSuffix)
	if _, err := f.ReadAt(data, from); errors.Is(err, io.EOF) {
		return nil, &DamagedError{path, "it became shorter"}
	} else if err != nil {
		return nil, err
	}
	s.reads.logs.Add(int64(len(data)))
	for _, p := range run {
		r, ok := parseRecord(s.seal, data[int64(p.at)-from:p.end()-from])
		if !ok || r.entry.Arrival != p.seq {
			return nil, &DamagedError{path, "a record does not open"}
		}
		entries = append(entries, r.entry)
	}
	return entries, nil
}

// read returns one entry. The caller holds mu.
func (s *Store) read(seq uint64) (e Entry, err error) {
	entries, err := s.readEntries([]uint64{seq})
	if err == nil && len(entries) == 0 {
		err = ErrNotExist
	}
	if err != nil {
		return e, err
	}
	return entries[0], nil
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
