package store

import (
	"maps"
	"time"

	"go.etcd.io/bbolt"
)

// signal tells the goroutine that there is something to fold, or much of it.
func (s *Store) signal() {
	c := s.wake
	if s.waiting >= s.cfg.FoldBytes {
		c = s.now
	}
	select {
	case c <- struct{}{}:
	default:
	}
}

// run folds a while after something was appended, or at once if it is much. It
// is the store's one goroutine; Close stops it.
func (s *Store) run() {
	defer close(s.done)
	timer := time.NewTimer(s.cfg.FoldEvery)
	timer.Stop()
	defer timer.Stop()
	running := false
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
			if !running {
				timer.Reset(s.cfg.FoldEvery)
				running = true
			}
			continue
		case <-s.now:
		case <-timer.C:
			running = false
		}
		if s.fold() == nil {
			continue
		}
		// Without space, nothing is to be had by trying at once.
		if !running {
			timer.Reset(s.cfg.FoldEvery)
			running = true
		}
	}
}

// fold moves what waits into the database, durably, and empties the tails.
//
// The two tails are written in turns: while one is being folded, appending goes
// on into the other, so neither ever has to give up its front. A crash anywhere
// leaves, in the tails, everything that is not in the database, and perhaps some
// that is, which its number tells.
func (s *Store) fold() error {
	s.folding.Lock()
	defer s.folding.Unlock()
	return s.foldLocked()
}

func (s *Store) foldLocked() error {
	s.mu.Lock()
	s.empty()
	batch, going := s.pending, s.going
	if len(batch) == 0 {
		s.mu.Unlock()
		return nil
	}
	if other := 1 - s.active; s.tails[other].size == 0 {
		s.active = other
	}
	s.going = make(map[uint64][]uint64)
	s.mu.Unlock()

	var st state
	var changed map[string]uint64
	err := guard(s.cfg.Path, func() error {
		return s.db.Update(func(tx *bbolt.Tx) (err error) {
			st, changed, err = foldInto(tx, s.seal, s.st, batch, going, s.inDB)
			return err
		})
	})

	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		maps.Copy(s.going, going)
		return full(err)
	}
	s.st = st
	for name, seq := range changed {
		if seq == 0 {
			delete(s.inDB, name)
		} else {
			s.inDB[name] = seq
		}
	}
	for i := range batch {
		s.waiting -= batch[i].encodedSize()
	}
	// A new slice, so that what was folded can be freed.
	s.pending = append([]Entry(nil), s.pending[len(batch):]...)
	s.empty()
	return nil
}

// empty empties the tails of which the database has everything. One that cannot
// be emptied is tried again the next time.
func (s *Store) empty() {
	for _, t := range s.tails {
		if t.size > 0 && t.end <= s.st.folded {
			t.clear()
		}
	}
}
