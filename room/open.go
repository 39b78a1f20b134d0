package room

import (
	"slices"
	"time"

	"coterie/crypto/ake"
)

// Each member publishes its encapsulation (PROTOCOL.md §10.1). Whoever is not told
// a term, because a sponsor withholds it or died, opens it itself: §8.2.

const (
	maxEncapsulations = 16 << 20 // bytes that are kept
	maxOpenings       = 6        // a minute
)

// keepEncapsulation keeps one whose term is not known, if there is room.
func (r *Room) keepEncapsulation(g *graph, n *node, enc []byte) bool {
	total := len(enc)
	for _, g := range r.days {
		for _, n := range g.nodes {
			total += len(n.encapsulation)
		}
	}
	if total > maxEncapsulations {
		return false
	}
	n.encapsulation = enc
	return true
}

// considerOpening opens an encapsulation whose term keeps us from reading a commit
// above our head. The branches take turns.
func (r *Room) considerOpening() {
	r.openings = slices.DeleteFunc(r.openings, func(t time.Time) bool { return r.now.Sub(t) >= time.Minute })
	for _, id := range sortedHashes(r.commits) {
		e := r.commits[id]
		if !e.fits || e.mine < 0 || e.keys != nil || e.d == nil || r.head != nil && !better(e, r.head) {
			continue
		}
		if at := e.since.Add(unread(len(e.list))); at.After(r.now) {
			r.wakeAt(at)
			continue
		}
		g := r.graph(e.commit.Day)
		if g == nil {
			continue
		}
		for _, cid := range g.order() {
			n := g.nodes[cid]
			if !e.lists(cid) || n.term != nil || n.encapsulation == nil {
				continue
			}
			if len(r.openings) >= maxOpenings {
				r.wakeAt(r.openings[0].Add(time.Minute))
				return
			}
			r.openPublished(g, cid)
		}
	}
}

// openPublished opens one.
func (r *Room) openPublished(g *graph, cid ake.Hash) {
	n := g.nodes[cid]
	enc, c := n.encapsulation, n.contribution
	n.encapsulation, n.opened = nil, true
	r.openings = append(r.openings, r.now)
	ctx := c.Context(r.id)
	r.task(func() any {
		opened, err := r.cfg.Suite.Open(ctx, enc)
		if err != nil {
			return nil
		}
		return opened
	}, func(result any) {
		if opened, ok := result.(*ake.Encapsulated); ok {
			opened.Proof.Erase()
			r.addTerm(&ake.MemberTerm{CID: cid, Term: opened.Term})
		}
	})
}
