package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Who has a message of ours shows when logs are compared; nothing else is sent
// for it (PROTOCOL.md §9.3).

// A reach says how far our own log of one epoch has come.
type reach struct {
	upto map[[32]byte]uint64 // by identity of a reader: the counter up to which it holds all
	told map[uint64]int      // by counter: how many readers the user was told of
	all  uint64              // every reader holds everything up to here
}

// ownHave is how many messages of ours there are.
func (t *transcript) ownHave() uint64 {
	if t.mine < 0 || t.count == 0 {
		return 0
	}
	return t.log(t.mine).have()
}

// reachedIn notes that a reader holds our messages up to a counter.
func (r *Room) reachedIn(t *transcript, identity [32]byte, upto uint64) {
	upto = min(upto, t.ownHave())
	if upto == 0 || identity == r.own || t.reached.upto[identity] >= upto || !t.lists(identity) {
		return
	}
	if t.reached.upto == nil {
		t.reached.upto = make(map[[32]byte]uint64)
	}
	t.reached.upto[identity] = upto
	r.farther[t.id] = true
}

// reachedAll notes that a peer holds what we hold, wherever it is a reader.
func (r *Room) reachedAll(identity [32]byte) {
	for _, t := range r.transcripts {
		r.reachedIn(t, identity, t.ownHave())
	}
}

// tellReach tells the user how far messages have come, once a second at most.
func (r *Room) tellReach() {
	if r.reachAt.After(r.now) {
		r.wakeAt(r.reachAt)
		return
	}
	for _, id := range sortedHashes(r.farther) {
		delete(r.farther, id)
		if t := r.transcripts[id]; t != nil {
			r.reachAt = r.now.Add(reachPeriod)
			r.tellReached(t)
		}
	}
}

func (r *Room) tellReached(t *transcript) {
	c := &t.reached
	l := t.log(t.mine)
	if c.told == nil {
		c.told = make(map[uint64]int)
	}
	of := len(t.List) - 1
	var upto []uint64 // of all readers, ascending
	for i := range t.List {
		if i != t.mine {
			upto = append(upto, c.upto[t.List[i].Identity])
		}
	}
	slices.Sort(upto)
	from := max(c.all, l.have()-min(l.have(), maxReach))
	for counter := from + 1; counter <= l.have(); counter++ {
		lack, _ := slices.BinarySearch(upto, counter)
		have := of - lack
		if have > c.told[counter] {
			c.told[counter] = have
			r.emit(Reached{ID: l.ids[counter-1], Have: have, Of: of, Missing: t.lacking(counter)})
		}
		if lack == 0 && counter == c.all+1 {
			c.all = counter
			delete(c.told, counter)
		}
	}
	for counter := range c.told {
		if counter <= from {
			delete(c.told, counter)
		}
	}
}

// lacking are the readers that are not known to have a message of ours.
func (t *transcript) lacking(counter uint64) (missing []peer.ID) {
	for i := range t.List {
		if i == t.mine || t.reached.upto[t.List[i].Identity] >= counter {
			continue
		}
		missing = append(missing, peerOf(t.List[i].Identity))
	}
	return missing
}

// pursue compares, soon after we said something, with those neighbours who are
// not known to have it: so its author sees early who has, and what gossip lost
// arrives early.
func (r *Room) pursue() {
	if r.pursueAt.IsZero() || r.head == nil {
		return
	}
	if r.pursueAt.After(r.now) {
		r.wakeAt(r.pursueAt)
		return
	}
	r.pursueAt = time.Time{}
	t := r.transcripts[r.head.commit.ID()]
	if t == nil || t.mine < 0 {
		return
	}
	var lack []*neighbour
	for _, p := range r.sortedNeighbours() {
		n := r.neighbours[p]
		if t.lists(n.identity) && t.reached.upto[n.identity] < t.ownHave() {
			lack = append(lack, n)
		}
	}
	for range min(len(lack), maxSpread) {
		i := r.random(len(lack))
		if n := lack[i]; n.compareAt.IsZero() || n.compareAt.After(r.now) {
			n.compareAt = r.now
		}
		lack = slices.Delete(lack, i, i+1)
		r.pursueAt = r.now.Add(pursuePeriod)
	}
}
