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

// keepEncapsulation keeps one whose term is not known. If that is too much, those of
// the branch with most make room (§7.3), the newcomer's own first.
func (r *Room) keepEncapsulation(g *graph, n *node, enc []byte) bool {
	n.encapsulation = enc
	total, sizes, of := 0, make(map[ake.Hash]int), make(map[ake.Hash][]*node)
	for _, d := range r.sortedDays() {
		for _, cid := range sortedHashes(r.days[d].nodes) {
			if o := r.days[d].nodes[cid]; o.encapsulation != nil {
				b := r.days[d].branch(cid)
				total, sizes[b], of[b] = total+len(o.encapsulation), sizes[b]+len(o.encapsulation), append(of[b], o)
			}
		}
	}
	own := g.branch(n.contribution.ID())
	for total > maxEncapsulations {
		most := own
		for _, b := range sortedHashes(sizes) {
			if sizes[b] > sizes[most] {
				most = b
			}
		}
		if most == own {
			n.encapsulation = nil
			return false
		}
		gone := of[most][len(of[most])-1]
		of[most] = of[most][:len(of[most])-1]
		total, sizes[most] = total-len(gone.encapsulation), sizes[most]-len(gone.encapsulation)
		gone.encapsulation = nil
	}
	return true
}

// considerOpening opens an encapsulation whose term keeps us from reading a commit
// above our head. The branches take turns.
func (r *Room) considerOpening() {
	r.proofs.publishedOpenings = slices.DeleteFunc(r.proofs.publishedOpenings,
		func(t time.Time) bool { return r.now.Sub(t) >= time.Minute })
	for _, e := range r.above() {
		if !e.isUnread() || e.d == nil {
			continue
		}
		if at := e.since.Add(unread(len(e.list))); at.After(r.now) {
			r.wakeAt(at)
			continue
		}
		g := r.days[e.commit.Period]
		if g == nil {
			continue
		}
		for _, cid := range g.order() {
			n := g.nodes[cid]
			if !e.lists(n.contribution.Identity, cid) || n.term != nil || n.encapsulation == nil {
				continue
			}
			if len(r.proofs.publishedOpenings) >= maxOpenings {
				r.wakeAt(r.proofs.publishedOpenings[0].Add(time.Minute))
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
	r.proofs.publishedOpenings = append(r.proofs.publishedOpenings, r.now)
	ctx, revoked := c.Context(r.id), g.revoked()
	r.task(func() any {
		opened, err := r.cfg.Encapsulator.Open(ctx, revoked, enc)
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
