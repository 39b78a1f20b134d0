package store

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Forget removes epochs as a whole. It returns when that is durable.
//
// The records leave the file's tree. Their sealed bytes stay in free pages until
// others are written there; the file does not shrink.
func (s *Store) Forget(epochs [][32]byte) error {
	s.folding.Lock()
	defer s.folding.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	// Everything is in the database then; what is appended meanwhile is too new
	// to go.
	if err := s.foldLocked(); err != nil {
		return fmt.Errorf("pruning history: %w", err)
	}
	s.mu.RLock()
	gone := s.index.numbers(epochs, s.st.folded)
	s.mu.RUnlock()
	if len(gone) == 0 {
		return nil
	}
	st := s.st
	err := guard(s.cfg.Path, func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			entries := tx.Bucket(bucketEntries)
			for seq := range gone {
				if err := entries.Delete(seqKey(seq)); err != nil {
					return err
				}
				st.set.toggle(s.seal, seq, nil)
			}
			return putState(tx, s.seal, st)
		})
	})
	if err != nil {
		return fmt.Errorf("pruning history: %w", full(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
	s.index.remove(gone)
	return nil
}

// numbers returns those of all entries of epochs, but of none from folded on.
func (x *index) numbers(epochs [][32]byte, folded uint64) map[uint64]bool {
	found := make(map[uint64]bool)
	for _, id := range epochs {
		l := x.byID[id]
		if l == nil {
			continue
		}
		if l.described && l.seq < folded {
			found[l.seq] = true
		}
		for _, all := range [2]map[uint32][]place{l.authors, l.rests} {
			for _, places := range all {
				for _, p := range places {
					if p.seq < folded {
						found[p.seq] = true
					}
				}
			}
		}
	}
	return found
}

// remove takes out the entries of these numbers. An epoch that has others keeps
// them.
func (x *index) remove(gone map[uint64]bool) {
	x.order = slices.DeleteFunc(x.order, func(seq uint64) bool { return gone[seq] })
	x.epochs = slices.DeleteFunc(x.epochs, func(l *epochLog) bool {
		l.described = l.described && !gone[l.seq]
		for _, all := range [2]map[uint32][]place{l.authors, l.rests} {
			for author, places := range all {
				places = slices.DeleteFunc(places, func(p place) bool { return gone[p.seq] })
				if len(places) == 0 {
					delete(all, author)
				} else {
					all[author] = places
				}
			}
		}
		empty := !l.described && len(l.authors) == 0 && len(l.rests) == 0
		if empty {
			delete(x.byID, l.id)
		}
		return empty
	})
}
