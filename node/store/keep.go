package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"coterie/kms/keyfile"
)

// signal tells the goroutine that there is something to do.
func (s *Store) signal(c chan struct{}) {
	if s.cfg.manual {
		return
	}
	select {
	case c <- struct{}{}:
	default:
	}
}

// run makes durable, a while later, what was appended, begins another log where one is large
// enough, and gives back the space of what went. It is the store's one goroutine; Close stops it.
func (s *Store) run() {
	defer close(s.done)
	timer := time.NewTimer(s.cfg.SyncEvery)
	timer.Stop()
	defer timer.Stop()
	running := false
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
			if !running {
				timer.Reset(s.cfg.SyncEvery)
				running = true
			}
			continue
		case <-s.now:
		case <-timer.C:
			running = false
		}
		if s.tidy() == nil {
			continue
		}
		// Without space, nothing is to be had by trying at once.
		if !running {
			timer.Reset(s.cfg.SyncEvery)
			running = true
		}
	}
}

// sync makes the last log durable. The database says so when that is much, or if now is set. The
// caller holds work.
func (s *Store) sync(now bool) error {
	s.mu.Lock()
	f, dirty, size := s.file, s.dirty, s.segments[len(s.segments)-1].size
	s.dirty = false
	said := s.st.durable
	s.mu.Unlock()
	if f == nil || !dirty && (!now || said == size) {
		return nil
	}
	err := f.Sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	if more := size - s.st.durable; err == nil && (more >= s.cfg.LogSize/32 || now && more > 0) {
		st := s.st
		st.durable = size
		_, err = s.commit(st)
	}
	s.dirty = s.dirty || err != nil
	return full(err)
}

// tidy does what run does. A log of which a quarter went is closed early: it cannot be written anew
// before.
func (s *Store) tidy() error {
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.sync(false); err != nil {
		return err
	}
	s.mu.Lock()
	if g := s.segments[len(s.segments)-1]; g.size >= s.cfg.LogSize || g.size-g.live > s.cfg.LogSize/4 {
		if err := s.roll(); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	s.mu.Unlock()
	for {
		select {
		case <-s.stop:
			return nil
		default:
		}
		group := s.wasteful()
		if group == nil {
			return nil
		}
		if err := s.rewrite(group); err != nil {
			return err
		}
	}
}

// roll closes the last log and begins another. The metas go into the database: of those in the log
// none counts then. The caller holds work and mu.
func (s *Store) roll() error {
	g := s.segments[len(s.segments)-1]
	if len(g.places) == 0 {
		return nil
	}
	if s.torn {
		if err := s.file.Truncate(g.size); err != nil {
			return err
		}
		s.torn = false
	}
	if err := s.file.Sync(); err != nil {
		return full(err)
	}
	plain := encodeIndex(s.lines)
	g.digest = sha256.Sum256(plain)
	g.index = s.writeIndex(g.number, plain)
	number := s.lastNumber + 1
	st := state{active: number, first: s.next, closed: s.segments, erasing: s.st.erasing, metas: maps.Clone(s.index.metas)}
	done, err := s.commit(st)
	if !done {
		return err
	}
	s.lastNumber = number
	for i := range g.places {
		if p := &g.places[i]; p.size&isMeta != 0 {
			g.kill(p)
		}
	}
	s.file.Close()
	s.file, s.lines, s.dirty = nil, nil, false
	g.places = slices.Clip(g.places)
	s.segments = append(slices.Clip(s.segments), &segment{number: number})
	return err
}

// wasteful chooses segments next to each other that are better written anew, as one: those in
// which something is to be erased, or nothing is left; small ones; and where an eighth of all is
// of what went, the one with the greatest part of it. It returns nil if there are none.
func (s *Store) wasteful() []*segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	closed := s.segments[:len(s.segments)-1]
	var most *segment
	var size, live int64
	for i, g := range closed {
		if g.erase || g.live == 0 {
			return closed[i : i+1 : i+1]
		}
		if i > 0 && closed[i-1].live+g.live <= s.cfg.LogSize/2 {
			return closed[i-1 : i+1 : i+1]
		}
		size, live = size+g.size, live+g.live
		if most == nil || (g.size-g.live)*most.size > (most.size-most.live)*g.size {
			most = g
		}
	}
	if size-live > max(size/8, 4096) {
		return []*segment{most}
	}
	return nil
}

// rewrite writes what is left of segments, which lie next to each other, into a new one. It holds no
// lock but work while it does. The database says in one write that the one is there and the others
// are not; only then do their files go.
func (s *Store) rewrite(group []*segment) error {
	made, err := s.copyLive(group)
	if err != nil {
		return full(err)
	}
	s.mu.Lock()
	at := slices.Index(s.segments, group[0])
	segments := slices.Clone(s.segments[:at])
	if made != nil {
		s.killCopies(made, group)
		segments = append(segments, made)
	}
	segments = append(segments, s.segments[at+len(group):]...)
	st := s.st
	st.closed = segments[:len(segments)-1]
	if !slices.ContainsFunc(segments, func(g *segment) bool { return g.erase }) {
		st.erasing = nil
	}
	done, err := s.commit(st)
	if done {
		s.segments = segments
	}
	s.mu.Unlock()
	if !done && made != nil {
		s.removeFiles(made)
	}
	if err != nil {
		return err // what is not ours any more goes at the next start
	}
	for _, g := range group {
		if removeErr := s.removeFiles(g); removeErr != nil {
			err = removeErr
		}
	}
	if err == nil {
		err = keyfile.SyncFolder(filepath.Dir(s.cfg.Path))
	}
	return err
}

// killCopies notes in a copy what went while it was made.
func (s *Store) killCopies(made *segment, group []*segment) {
	for _, g := range group {
		for _, p := range g.places {
			if p.size&isDead != 0 {
				made.kill(made.find(p.seq))
			}
		}
	}
}

func (s *Store) removeFiles(g *segment) error {
	for _, suffix := range [2]string{indexSuffix, logSuffix} {
		if err := os.Remove(s.cfg.path(g.number, suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyLive makes a segment, with its files, of what is left of others; nil if that is nothing. The
// records stay as they are: they are bound to their numbers, not to a file.
func (s *Store) copyLive(group []*segment) (*segment, error) {
	made := &segment{number: s.lastNumber + 1}
	var lines []line
	var out []byte
	for _, g := range group {
		s.mu.RLock()
		live := slices.DeleteFunc(slices.Clone(g.places), func(p place) bool { return p.size&isDead != 0 })
		s.mu.RUnlock()
		if len(live) == 0 {
			continue
		}
		path := s.cfg.path(g.number, logSuffix)
		data, err := s.readLog(path)
		if err != nil {
			return nil, err
		}
		plain, _, err := s.readIndex(g)
		if err != nil {
			return nil, err
		}
		next := 0
		decodeIndex(plain, func(l *line, _ int) {
			if next == len(live) || live[next].seq != l.seq {
				return
			}
			p := live[next]
			next++
			if p.end() > int64(len(data)) {
				err = &DamagedError{path, "it became shorter"}
				return
			}
			raw := data[p.at:p.end()]
			if size, seq, _, ok := readHeader(raw); !ok || size != len(raw) || seq != p.seq {
				err = &DamagedError{path, "a record is not where it should be"}
			}
			out = append(out, raw...)
			made.add(l.seq, l.kind, len(raw))
			lines = append(lines, *l)
		})
		if err == nil && next != len(live) {
			err = &DamagedError{path, "its index lacks something"}
		}
		if err != nil {
			return nil, err
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	index := encodeIndex(lines)
	made.digest = sha256.Sum256(index)
	s.lastNumber++
	if err := writePrivate(s.cfg.path(made.number, logSuffix), out); err != nil {
		return nil, err
	}
	made.index = s.writeIndex(made.number, index)
	return made, nil
}

// Forget removes epochs as a whole. When it returns that is durable, and their records are in no
// file any more.
func (s *Store) Forget(epochs [][32]byte) error {
	if err := s.forget(epochs); err != nil {
		return fmt.Errorf("pruning history: %w", full(err))
	}
	return nil
}

func (s *Store) forget(epochs [][32]byte) error {
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.forgetInMemory(epochs); err != nil {
		return err
	}
	// Those of which nothing is left give back space that the others may need.
	s.mu.RLock()
	var group []*segment
	for _, g := range s.segments {
		if g.erase {
			group = append(group, g)
		}
	}
	s.mu.RUnlock()
	slices.SortStableFunc(group, func(a, b *segment) int { return min(int(a.live), 1) - min(int(b.live), 1) })
	for _, g := range group {
		if err := s.rewrite([]*segment{g}); err != nil {
			return err
		}
	}
	return nil
}

// forgetInMemory has the database say that epochs are forgotten, and so it is from then on.
func (s *Store) forgetInMemory(epochs [][32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	erasing := make(map[[32]byte]uint64)
	for id, seq := range s.st.erasing {
		erasing[id] = seq
	}
	some := false
	for _, id := range epochs {
		if s.index.byID[id] != nil {
			erasing[id], some = s.next, true
		}
	}
	if !some {
		return nil
	}
	if err := s.roll(); err != nil {
		return err
	}
	st := s.st
	st.erasing = erasing
	done, err := s.commit(st)
	if !done {
		return err
	}
	for _, id := range epochs {
		l := s.index.byID[id]
		if l == nil {
			continue
		}
		for _, seq := range s.index.remove(l) {
			s.kill(seq)
		}
		for _, g := range s.segments {
			// Of what went before, too, nothing stays.
			if n := len(g.places); n > 0 && g.live < g.size && g.places[0].seq <= l.last && g.places[n-1].seq >= l.first {
				g.erase = true
			}
		}
	}
	return err
}
