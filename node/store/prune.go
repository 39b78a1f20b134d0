package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Limits bound what a room keeps, whatever its age. 0 stands for no limit.
type Limits struct {
	// Messages is how many messages a room keeps.
	Messages int
	// Bytes is how many bytes a room keeps, as they are on disk, without the
	// database's own pages.
	Bytes int64
	// AuthorMessages is how many messages of one author in one epoch are kept.
	AuthorMessages int
}

// Pruned says what Prune removed.
type Pruned struct {
	// Epochs went as a whole, with their messages.
	Epochs [][32]byte
	// Cut are the logs that lost their first messages.
	Cut []Cut
}

// Cut is a log of which everything below Counter is gone.
type Cut struct {
	Epoch   [32]byte
	Author  uint32
	Counter uint64
}

// Prune removes the epochs of which nothing is younger than before, as a whole,
// and then what is above the limits: of authors with too many messages the
// lowest counters; of a room with too many, the epochs that came first, and of
// the last epoch, which stays, the messages that came first. It returns when that
// is durable. Whoever prunes must not ask others for what it returned.
//
// The records leave the file's tree. Their sealed bytes stay in free pages until
// others are written there; the file does not shrink.
func (s *Store) Prune(before time.Time, limits Limits) (Pruned, error) {
	return s.prune(func(x *index, folded uint64) plan { return x.plan(before.UnixMilli(), limits, folded) })
}

// Forget removes epochs as a whole. It returns when that is durable.
func (s *Store) Forget(epochs [][32]byte) error {
	_, err := s.prune(func(x *index, folded uint64) plan {
		p := plan{gone: make(map[uint64]int64)}
		drop := make(map[*epochLog]bool)
		for _, id := range epochs {
			if l := x.byID[id]; l != nil && !drop[l] {
				drop[l] = true
				p.Epochs = append(p.Epochs, id)
				if l.described {
					p.gone[l.seq] = l.size
				}
			}
		}
		for _, i := range x.order {
			if drop[i.epoch] && i.seq < folded {
				p.gone[i.seq] = i.size
			}
		}
		return p
	})
	return err
}

// prune carries out what a plan says is to go.
func (s *Store) prune(plan func(x *index, folded uint64) plan) (Pruned, error) {
	s.folding.Lock()
	defer s.folding.Unlock()
	if err := s.usable(); err != nil {
		return Pruned{}, err
	}
	// Everything is in the database then; what is appended meanwhile is too new
	// to go.
	if err := s.foldLocked(); err != nil {
		return Pruned{}, fmt.Errorf("pruning history: %w", err)
	}
	s.mu.RLock()
	p := plan(s.index, s.st.folded)
	s.mu.RUnlock()
	if len(p.gone) == 0 {
		return Pruned{}, nil
	}
	st := s.st
	err := guard(s.cfg.Path, func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			entries := tx.Bucket(bucketEntries)
			for seq := range p.gone {
				if err := entries.Delete(seqKey(seq)); err != nil {
					return err
				}
				st.set.toggle(s.seal, seq, nil)
			}
			return putState(tx, s.seal, st)
		})
	})
	if err != nil {
		return Pruned{}, fmt.Errorf("pruning history: %w", full(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
	s.index.remove(p)
	return p.Pruned, nil
}

// plan is what is to go.
type plan struct {
	Pruned
	gone map[uint64]int64 // numbers and sizes
}

// plan decides what goes; of what has a number from folded on, nothing.
func (x *index) plan(before int64, limits Limits, folded uint64) plan {
	p := plan{gone: make(map[uint64]int64)}
	dropped := make(map[*epochLog]bool)
	perEpoch := make(map[*epochLog][]item)
	for _, i := range x.order {
		perEpoch[i.epoch] = append(perEpoch[i.epoch], i)
	}
	messages, bytes := len(x.order), x.bytes
	remove := func(i item) {
		if _, ok := p.gone[i.seq]; !ok {
			p.gone[i.seq] = i.size
			messages--
			bytes -= i.size
		}
	}
	drop := func(l *epochLog) {
		dropped[l] = true
		p.Epochs = append(p.Epochs, l.id)
		for _, i := range perEpoch[l] {
			remove(i)
		}
		if l.described {
			p.gone[l.seq] = l.size
			bytes -= l.size
		}
	}
	settled := func(l *epochLog) bool {
		of := perEpoch[l]
		return (len(of) == 0 || of[len(of)-1].seq < folded) && (!l.described || l.seq < folded)
	}
	for _, l := range x.epochs {
		if l.newest < before && settled(l) {
			drop(l)
		}
	}

	cut := make(map[Cut]uint64) // the first counter that stays, by log
	cutAt := func(l *epochLog, author uint32, counter uint64) {
		k := Cut{Epoch: l.id, Author: author}
		cut[k] = max(cut[k], counter)
	}
	if limits.AuthorMessages > 0 {
		for _, l := range x.epochs {
			if dropped[l] {
				continue
			}
			size := make(map[uint64]int64)
			for _, i := range perEpoch[l] {
				size[i.seq] = i.size
			}
			for author, places := range l.authors {
				for _, pl := range places[:max(0, len(places)-limits.AuthorMessages)] {
					if pl.seq < folded {
						remove(item{seq: pl.seq, size: size[pl.seq]})
						cutAt(l, author, pl.counter+1)
					}
				}
			}
		}
	}

	over := func() bool {
		return limits.Messages > 0 && messages > limits.Messages || limits.Bytes > 0 && bytes > limits.Bytes
	}
	for n, l := range x.epochs {
		if !over() {
			break
		}
		if dropped[l] {
			continue
		}
		if n < len(x.epochs)-1 && settled(l) {
			drop(l)
			continue
		}
		for _, i := range perEpoch[l] {
			if !over() || i.seq >= folded {
				break
			}
			remove(i)
			cutAt(l, i.author, i.counter+1)
		}
	}
	for k, counter := range cut {
		if !slices.Contains(p.Epochs, k.Epoch) {
			k.Counter = counter
			p.Cut = append(p.Cut, k)
		}
	}
	slices.SortFunc(p.Cut, func(a, b Cut) int {
		return cmp.Or(slices.Compare(a.Epoch[:], b.Epoch[:]), cmp.Compare(a.Author, b.Author))
	})
	return p
}

// remove carries out a plan. An epoch that got something new since it was made
// keeps that.
func (x *index) remove(p plan) {
	for _, size := range p.gone {
		x.bytes -= size
	}
	goneItem := func(i item) bool { _, ok := p.gone[i.seq]; return ok }
	order := make([]item, 0, len(x.order))
	for _, i := range x.order {
		if !goneItem(i) {
			order = append(order, i)
		}
	}
	x.order = order
	epochs := x.epochs[:0:0]
	for _, l := range x.epochs {
		if _, ok := p.gone[l.seq]; ok && l.described {
			l.described, l.size = false, 0
		}
		for author, places := range l.authors {
			places = slices.DeleteFunc(places, func(pl place) bool { _, ok := p.gone[pl.seq]; return ok })
			if len(places) == 0 {
				delete(l.authors, author)
			} else {
				l.authors[author] = places
			}
		}
		if !l.described && len(l.authors) == 0 {
			delete(x.byID, l.id)
			continue
		}
		epochs = append(epochs, l)
	}
	x.epochs = epochs
}
