package room

import (
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// A process is what is known of one working key.
type process struct {
	newest    *record.Presence
	presences map[ake.Hash]*record.Presence // those that commits may name
	name      *record.Name

	beat    *record.Beat // the one with the greatest serial; nil: none heard
	heardAt time.Time    // when that was
	silent  bool         // it was silent, and was not heard since

	pace pace // of its messages on the topic

	leftSince        time.Time // when we heard that it left
	misbehaved       bool
	misbehaviourRef  ake.Hash            // of two presences with one serial
	misbehaviourPair [2]*record.Presence // these two
	pairs            int                 // how often a lesser pair came
}

// process is what is known of a working key; it begins to be if need be.
func (r *Room) process(w [32]byte) *process {
	p := r.processes[w]
	if p == nil {
		p = &process{presences: make(map[ake.Hash]*record.Presence), heardAt: r.now}
		r.processes[w] = p
	}
	return p
}

// ended reports whether the process said that it takes part no more.
func (p *process) ended() bool { return p != nil && p.newest != nil && p.newest.Last() }

// takePresence keeps a presence, in place of the oldest that no commit names.
// A last one is absorbing, and "left" beats "away"; otherwise the greatest serial counts. Of two with one
// serial, and of several such pairs, all keep the same: PROTOCOL.md §6.
func (p *process) takePresence(n *record.Presence, named func(ake.Hash) bool) {
	nid := n.ID()
	for id, b := range p.presences {
		if b.Serial == n.Serial && id != nid {
			if ref := record.MisbehaviourRef(id, nid); !p.misbehaved || compareHashes(ref, p.misbehaviourRef) < 0 {
				p.misbehaved, p.misbehaviourRef = true, ref
				p.pairs++
				p.misbehaviourPair = [2]*record.Presence{b, n}
			}
		}
	}
	if len(p.presences) >= maxPresences {
		oldest := n
		for id, b := range p.presences {
			if b.Serial < oldest.Serial && !b.Last() && !named(id) {
				oldest = b
			}
		}
		delete(p.presences, oldest.ID())
	}
	p.presences[nid] = n
	switch {
	case p.newest == nil, n.Ends() > p.newest.Ends():
		p.newest = n
	case n.Ends() == p.newest.Ends() && n.Serial > p.newest.Serial:
		p.newest = n
	}
}

// lesser reports whether a presence makes a pair of which the proof is less than
// the one that is kept. Only a few times: one proof is as good as another.
func (p *process) lesser(n *record.Presence) bool {
	for id, b := range p.presences {
		if b.Serial == n.Serial && p.pairs < maxPairs &&
			compareHashes(record.MisbehaviourRef(id, n.ID()), p.misbehaviourRef) < 0 {
			return true
		}
	}
	return false
}

// offered are the presences that others are told of: of a process that misbehaved
// those alone that show it, so that all offer the same.
func (p *process) offered() []*record.Presence {
	if p.misbehaved {
		return p.misbehaviourPair[:]
	}
	var out []*record.Presence
	for _, id := range sortedHashes(p.presences) {
		out = append(out, p.presences[id])
	}
	return out
}

// processOf is what is known of the process of a contribution; nil: nothing yet.
func (r *Room) processOf(n *node) *process {
	if n.process == nil {
		n.process = r.processes[n.contribution.Working]
	}
	return n.process
}
