package store

import (
	"cmp"
	"slices"
)

// index is what is stored, without its data: which numbers it has. It lives in memory.
type index struct {
	epochs []*epochLog // by arrival
	byID   map[[32]byte]*epochLog
	metas  map[string]meta
}

// epochLog is one epoch's part.
type epochLog struct {
	id      [32]byte
	seq     uint64 // of the description, if described
	authors map[uint32][]numbered
	rests   map[uint32][]numbered // of messages that are gone, by author
	// described: an EpochEntry came; messages alone do not make an epoch known
	described   bool
	first, last uint64 // all that was ever of it has numbers between these
}

// numbered is a message's number; a log has them by counter, then by arrival.
type numbered struct{ counter, seq uint64 }

func compareNumbered(a, b numbered) int {
	return cmp.Or(cmp.Compare(a.counter, b.counter), cmp.Compare(a.seq, b.seq))
}

type meta struct {
	value []byte
	seq   uint64
}

func newIndex() *index {
	return &index{byID: make(map[[32]byte]*epochLog), metas: make(map[string]meta)}
}

// epoch returns the epoch's part and makes one if there is none.
func (x *index) epoch(id [32]byte) *epochLog {
	l := x.byID[id]
	if l == nil {
		l = &epochLog{id: id, authors: make(map[uint32][]numbered)}
		x.byID[id] = l
		x.epochs = append(x.epochs, l)
	}
	return l
}

// addMeta takes in a meta that came after all others. It returns the number of the one before,
// or 0, and whether the new one is a value.
func (x *index) addMeta(e *Entry) (gone uint64, stays bool) {
	gone = x.metas[e.Name].seq
	if len(e.Data) == 0 {
		delete(x.metas, e.Name)
		return gone, false
	}
	x.metas[e.Name] = meta{slices.Clone(e.Data), e.Arrival}
	return gone, true
}

// add takes in an entry that came after all others, but no meta. It returns the numbers of those
// that go with it.
func (l *epochLog) add(kind byte, author uint32, counter, seq uint64) (gone []numbered) {
	if l.first == 0 {
		l.first = seq
	}
	l.last = seq
	switch kind {
	case EpochEntry:
		l.seq, l.described = seq, true
	case RestEntry:
		return l.addRest(author, counter, seq)
	case MessageEntry:
		all, n := l.authors[author], numbered{counter, seq}
		if k := len(all); k == 0 || compareNumbered(all[k-1], n) < 0 {
			l.authors[author] = append(all, n)
			return nil
		}
		at, _ := slices.BinarySearchFunc(all, n, compareNumbered)
		l.authors[author] = slices.Insert(all, at, n)
	}
	return nil
}

// addRest takes in what stays of messages, and lets go of these.
func (l *epochLog) addRest(author uint32, counter, seq uint64) (gone []numbered) {
	if l.rests == nil {
		l.rests = make(map[uint32][]numbered)
	}
	l.rests[author] = append(l.rests[author], numbered{counter, seq})
	var kept []numbered
	for _, n := range l.authors[author] {
		if c := n.counter &^ Beside; c == 0 || c > counter { // number 0 stays
			kept = append(kept, n)
		} else {
			gone = append(gone, n)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if l.authors[author] = kept; len(kept) == 0 {
		delete(l.authors, author)
	}
	return gone
}

// rest is up to which counter an author's messages are gone.
func (l *epochLog) rest(author uint32) (upto uint64) {
	for _, n := range l.rests[author] {
		upto = max(upto, n.counter)
	}
	return upto
}

// same returns the messages of that key: none, one, or two.
func (x *index) same(e *Entry) []numbered {
	l := x.byID[e.Epoch]
	if l == nil {
		return nil
	}
	all := l.authors[e.Author]
	from, _ := slices.BinarySearchFunc(all, numbered{e.Counter, 0}, compareNumbered)
	to := from
	for to < len(all) && all[to].counter == e.Counter {
		to++
	}
	return all[from:to]
}

// remove takes an epoch out, and returns the numbers of all that was of it.
func (x *index) remove(l *epochLog) (gone []uint64) {
	delete(x.byID, l.id)
	x.epochs = slices.DeleteFunc(x.epochs, func(o *epochLog) bool { return o == l })
	if l.described {
		gone = append(gone, l.seq)
	}
	for _, all := range [2]map[uint32][]numbered{l.authors, l.rests} {
		for _, numbers := range all {
			for _, n := range numbers {
				gone = append(gone, n.seq)
			}
		}
	}
	return gone
}
