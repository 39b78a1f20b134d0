package store

import (
	"cmp"
	"slices"
)

// index is what is stored, without its data. It is made at Open and lives in
// memory, so that the file need not show which epoch, author and counter a
// record is of.
type index struct {
	epochs []*epochLog // by arrival
	byID   map[[32]byte]*epochLog
	order  []uint64 // the messages, by arrival
	metas  map[string]meta
}

// epochLog is one epoch's part.
type epochLog struct {
	id      [32]byte
	seq     uint64 // of the description, if described
	authors map[uint32][]place
	rests   map[uint32][]place // of messages that are gone, by author
	// described: an EpochEntry came; messages alone do not make an epoch known
	described bool
}

// place is where a message is; a log has them by counter, then by arrival.
type place struct{ counter, seq uint64 }

func comparePlaces(a, b place) int {
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
		l = &epochLog{id: id, authors: make(map[uint32][]place)}
		x.byID[id] = l
		x.epochs = append(x.epochs, l)
	}
	return l
}

// add takes in an entry that came after all others. It returns the numbers of those that
// go with it.
func (x *index) add(seq uint64, e *Entry) (gone []uint64) {
	if e.Kind == MetaEntry {
		if len(e.Data) == 0 {
			delete(x.metas, e.Name)
		} else {
			x.metas[e.Name] = meta{slices.Clone(e.Data), seq}
		}
		return nil
	}
	l := x.epoch(e.Epoch)
	if e.Kind == EpochEntry {
		l.seq, l.described = seq, true
		return nil
	}
	if e.Kind == RestEntry {
		return x.addRest(l, seq, e)
	}
	places := l.authors[e.Author]
	p := place{e.Counter, seq}
	at, _ := slices.BinarySearchFunc(places, p, comparePlaces)
	l.authors[e.Author] = slices.Insert(places, at, p)
	x.order = append(x.order, seq)
	return nil
}

// addRest takes in what stays of messages, and lets go of these.
func (x *index) addRest(l *epochLog, seq uint64, e *Entry) (gone []uint64) {
	if l.rests == nil {
		l.rests = make(map[uint32][]place)
	}
	l.rests[e.Author] = append(l.rests[e.Author], place{e.Counter, seq})
	places := l.authors[e.Author]
	from, _ := slices.BinarySearchFunc(places, place{1, 0}, comparePlaces) // number 0 stays
	to, _ := slices.BinarySearchFunc(places, place{e.Counter + 1, 0}, comparePlaces)
	if from == to {
		return nil
	}
	for _, p := range places[from:to] {
		gone = append(gone, p.seq)
	}
	if kept := append(slices.Clone(places[:from]), places[to:]...); len(kept) > 0 {
		l.authors[e.Author] = kept
	} else {
		delete(l.authors, e.Author)
	}
	slices.Sort(gone)
	x.order = slices.DeleteFunc(x.order, func(seq uint64) bool {
		_, ok := slices.BinarySearch(gone, seq)
		return ok
	})
	return gone
}

// rest is up to which counter an author's messages are gone.
func (l *epochLog) rest(author uint32) (upto uint64) {
	for _, p := range l.rests[author] {
		upto = max(upto, p.counter)
	}
	return upto
}

// same returns the messages of that key: none, one, or two.
func (x *index) same(e *Entry) []place {
	l := x.byID[e.Epoch]
	if l == nil {
		return nil
	}
	places := l.authors[e.Author]
	from, _ := slices.BinarySearchFunc(places, place{e.Counter, 0}, comparePlaces)
	to := from
	for to < len(places) && places[to].counter == e.Counter {
		to++
	}
	return places[from:to]
}

// before returns up to n messages that arrived before seq, the newest first.
func (x *index) before(seq uint64, n int) []uint64 {
	at, _ := slices.BinarySearch(x.order, seq)
	seqs := slices.Clone(x.order[max(0, at-n):at])
	slices.Reverse(seqs)
	return seqs
}
