package room

import (
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// droppedCommits are those that were dropped lately, as a ring: they are not taken again
// for droppedTime. Not for ever: it may be the head of those whom we could not reach.
type droppedCommits struct {
	ring [maxDroppedCommits]ake.Hash
	has  map[ake.Hash]time.Time // when
	next int
}

func (d *droppedCommits) lately(id ake.Hash, now time.Time) bool {
	at, ok := d.has[id]
	return ok && now.Sub(at) < droppedTime
}

func (d *droppedCommits) add(id ake.Hash, now time.Time) {
	if old := d.ring[d.next]; old != (ake.Hash{}) {
		delete(d.has, old)
	}
	d.ring[d.next], d.has[id] = id, now
	d.next = (d.next + 1) % maxDroppedCommits
}

// better orders commits: by period, then height, then epoch id. (PROTOCOL.md §8.3)
func better(a, b *epoch) bool {
	switch {
	case a.commit.Period != b.commit.Period:
		return a.commit.Period > b.commit.Period
	case a.commit.Height != b.commit.Height:
		return a.commit.Height > b.commit.Height
	}
	return compareHashes(a.commit.ID(), b.commit.ID()) > 0
}

// isAbove reports whether a commit is greater than our head.
func (r *Room) isAbove(e *epoch) bool { return r.head == nil || better(e, r.head) }

// above are the commits above our head, by id: mostly none.
func (r *Room) above() (out []*epoch) {
	for _, e := range r.commits {
		if r.isAbove(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *epoch) int { return compareHashes(a.commit.ID(), b.commit.ID()) })
	return out
}

// addCommit takes a commit; judge decides later what it is worth. Only what a
// member signed is kept: who is not known may have been made up.
func (r *Room) addCommit(c *record.Commit) outcome {
	g := r.days[c.Period]
	if g == nil || r.now.Add(earlyDay).Before(c.Period.Start()) {
		return foreign
	}
	e := r.commits[c.ID()]
	if e != nil && (e.hasList() || c.Form == record.ListOmitted) {
		return known
	}
	if _, over := r.retired[c.ID()]; over || r.droppedCommits.lately(c.ID(), r.now) {
		return known
	}
	by := g.contribution(c.By)
	if by == nil || !g.members()[c.By] {
		return waits
	}
	if c.Verify(r.id, by) != nil {
		return refused
	}
	if c.Form == record.ListWhole {
		// The list is not signed, only its hash: what does not fit is a garbled copy.
		if _, _, err := c.Rebuild(nil, nil); err != nil {
			return refused
		}
	}
	if e != nil {
		e.commit = c
		return kept
	}
	if !r.roomForCommit(g, c) {
		return foreign
	}
	r.commits[c.ID()] = newEpoch(c, r.now)
	return kept
}

// roomForCommit makes room for a commit, if need be in place of the least one of
// the branch with most. So whoever makes up members without end, and commits of
// theirs, keeps nobody else's out.
func (r *Room) roomForCommit(g *graph, c *record.Commit) bool {
	if len(r.commits) < maxCommits {
		return true
	}
	of := make(map[ake.Hash][]*epoch)
	for _, id := range sortedHashes(r.commits) {
		e := r.commits[id]
		if r.restsOn(e) {
			continue
		}
		var branch ake.Hash
		if h := r.days[e.commit.Period]; h != nil {
			branch = h.branch(e.commit.By)
		}
		of[branch] = append(of[branch], e)
	}
	var least *epoch
	for _, e := range branchWithMost(g.branch(c.By), of) {
		if least == nil || better(least, e) {
			least = e
		}
	}
	if least == nil {
		return false
	}
	r.dropCommit(least)
	return true
}

// restsOn reports whether a commit is our head, or the one of which its list is a change.
func (r *Room) restsOn(e *epoch) bool {
	return r.head != nil && (e == r.head || e.commit.ID() == r.head.commit.Base)
}

// examineCommits examines the commits that do not fit yet, and reads those that can be read.
func (r *Room) examineCommits() {
	r.tooHigh = false
	for _, id := range sortedHashes(r.commits) {
		e := r.commits[id]
		if !e.fits() && r.examine(e) == refused {
			r.dropCommit(e)
			continue
		}
		if e.status == commitFits && e.d != nil {
			r.derive(e)
		}
	}
	r.chooseHead()
	r.retryMessages()
}

// examine goes on in the table of PROTOCOL.md §8.1 where addCommit ended.
func (r *Room) examine(e *epoch) outcome {
	g := r.days[e.commit.Period]
	if g == nil {
		return refused
	}
	high := e.commit.Height > r.mostHeight(e.commit.Period)
	if !high {
		g.height = max(g.height, e.commit.Height) // whether it can be read or not
	}
	if !e.hasList() {
		if o := r.rebuild(e); o != kept {
			return o
		}
	}
	if high {
		r.tooHigh = true // its list is known: whoever brings the secret is not asked for it
		return waits
	}
	return r.findListed(g, e)
}

// rebuild makes a commit's list, if need be from its Base's.
func (r *Room) rebuild(e *epoch) outcome {
	base := new(epoch)
	if e.commit.Form == record.ListChanges {
		if base = r.commits[e.commit.Base]; base == nil || !base.hasList() {
			return waits
		}
	}
	list, away, err := e.commit.Rebuild(base.list, base.away)
	if err != nil {
		e.commit = e.commit.Bare() // this copy is garbled, or has none
		return waits
	}
	for i := range away {
		if !r.mayBeAway(away[i].Day, e.commit.Period.Day()) {
			return refused
		}
	}
	e.takeList(list, away)
	r.countPresences(e, 1)
	r.handOver(e) // whether we can take it ourselves or not
	return kept
}

// findListed finds all whom a commit lists: then it fits.
func (r *Room) findListed(g *graph, e *epoch) outcome {
	g.members()
	if r.listed(g, &e.list[e.lacks]) == nil {
		return waits // the same as before: an insider can make hundreds that never fit
	}
	nodes := make([]*node, len(e.list))
	for i := range e.list {
		if nodes[i] = r.listed(g, &e.list[i]); nodes[i] == nil {
			e.lacks = i
			return waits
		}
		if nodes[i].contribution.Identity != e.list[i].Identity {
			return refused
		}
	}
	e.takeNodes(nodes, g.own)
	r.noteReaders(e)
	r.handOver(e)
	return kept
}

// listed finds whom an entry lists; nil if they, or their presence, are not known.
func (r *Room) listed(g *graph, entry *record.Entry) *node {
	n := g.nodes[entry.CID]
	if n == nil || !n.member {
		return nil
	}
	if n.contribution.Identity != entry.Identity {
		return n // that is wrong, whatever is not known
	}
	if p := r.processOf(n); p == nil || p.presences[entry.Presence] == nil {
		return nil
	}
	return n
}

// mostHeight is how high a day's commits may be by now: PROTOCOL.md §8.1. It
// depends on nothing but the time, so that two groups, of which one began many
// more epochs than the other, and newcomers take the same commits.
func (r *Room) mostHeight(d abe.Period) uint64 {
	return heightsAtOnce + heightsASecond*uint64(max(r.now.Sub(d.Start().Add(-earlyDay)), 0)/time.Second)
}

// derive derives the epoch's keys, if we are listed and all terms are known:
// PROTOCOL.md §8.
func (r *Room) derive(e *epoch) {
	g := r.days[e.commit.Period]
	if g == nil || e.ownIndex < 0 {
		return
	}
	members := make([]ake.Member, len(e.list))
	for i := range e.list {
		n := g.nodes[e.list[i].CID]
		if n == nil || n.term == nil {
			return // its term is missing, or it made room since (§7.3)
		}
		e.nodes[i] = n
		members[i] = ake.Member{Identity: e.list[i].Identity, Term: *n.term}
	}
	sid := r.sid(e)
	abe := ake.Attributes(sid, members)
	defer abe.Erase()
	secret, err := ake.EpochSecret(e.commit.ID(), abe, *e.d)
	if err != nil {
		return
	}
	defer secret.Erase()
	cids := make([]ake.Hash, len(e.list))
	for i := range e.list {
		cids[i] = e.list[i].CID
	}
	e.takeKeys(sid, ake.NewKeys(secret, cids), r.now)
	r.beginTranscript(e)
	r.version++
}

// sid is the session id: PROTOCOL.md §8.
func (r *Room) sid(e *epoch) ake.Hash {
	var addrs []byte
	for i, n := range e.nodes {
		addrs = r.processOf(n).presences[e.list[i].Presence].AppendAddresses(addrs)
	}
	return ake.Sum("coterie/2 sid", r.id[:], e.list.Bytes(), addrs)
}
