package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// An epoch is a commit and what we know of it.
type epoch struct {
	commit *record.Commit
	list   record.List // nil until rebuilt
	away   record.Away // with it
	nodes  []*node     // of those listed, once it fits
	sid    ake.Hash    // once its keys are derived
	since  time.Time   // when it arrived
	// fits: all that PROTOCOL.md §8.1 asks of it holds, for ever.
	fits bool
	// viaSync: it came among other records, not over the topic or a channel.
	viaSync  bool
	ownIndex int // our place in the list, or -1
	lacks    int // whose place in it was the first not to be known

	// d is its secret, from when we are told it until dUntil: then nobody is handed
	// it any more.
	d             *ake.Secret
	dUntil        time.Time
	secretHolders map[[32]byte]bool // to which processes, or by which
	chase         chase

	keys             *ake.Keys   // once it can be read; nil again when it is over
	supersededAt     time.Time   // when another became the head; zero for the head
	listedSince      []time.Time // by place: since when heads list that member; of what was a head
	stoppedSince     time.Time   // since when it keeps us from sending, as the head
	omissionReported bool        // it was told that it leaves out somebody
	against          witness     // why it was not to be the head

	readers     []peer.ID // the other members, when somebody asked
	goneVersion uint64    // the version at which listsGone was found
	listsGone   bool      // one of its members is gone
}

// whole is the commit with its lists.
func (e *epoch) whole() *record.Commit { return e.commit.Whole(e.list, e.away) }

// unread reports whether it fits and lists us, and we lack its secret or a term.
func (e *epoch) unread() bool { return e.fits && e.ownIndex >= 0 && e.keys == nil }

// mayBeUnread is unread, or may come to be.
func (e *epoch) mayBeUnread() bool { return e.keys == nil && (!e.fits || e.ownIndex >= 0) }

// erase forgets the epoch's keys; what was said in it stays in the log.
func (e *epoch) erase() {
	e.eraseSecret()
	if e.keys != nil {
		e.keys.Erase()
		e.keys = nil
	}
}

func (e *epoch) eraseSecret() {
	if e.d != nil {
		e.d.Erase()
		e.d = nil
	}
}

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
	if e != nil && (e.list != nil || c.Form == record.ListOmitted) {
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
	r.commits[c.ID()] = &epoch{commit: c, since: r.now, ownIndex: -1, secretHolders: make(map[[32]byte]bool)}
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
		if e == r.head || r.head != nil && e.commit.ID() == r.head.commit.Base {
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

// examineCommits examines the commits that do not fit yet, and reads those that can be read.
func (r *Room) examineCommits() {
	r.tooHigh = false
	for _, id := range sortedHashes(r.commits) {
		e := r.commits[id]
		if !e.fits && !r.examine(e) {
			r.dropCommit(e)
			continue
		}
		if e.fits && e.keys == nil && e.d != nil {
			r.derive(e)
		}
	}
	r.chooseHead()
	r.retryMessages()
}

// examine goes through the rules of PROTOCOL.md §8.1. It returns false for a
// commit that is false for everybody; what is only not known yet leaves fits
// unset.
func (r *Room) examine(e *epoch) bool {
	c := e.commit
	g := r.days[c.Period]
	if g == nil {
		return false
	}
	high := c.Height > r.mostHeight(c.Period)
	if !high {
		g.height = max(g.height, c.Height) // whether it can be read or not
	}
	if e.list == nil {
		base := new(epoch)
		if c.Form == record.ListChanges {
			if base = r.commits[c.Base]; base == nil || base.list == nil {
				return true
			}
		}
		list, away, err := c.Rebuild(base.list, base.away)
		if err != nil {
			e.commit = c.Bare() // this copy is garbled, or has none
			return true
		}
		for i := range away {
			if !r.mayBeAway(away[i].Day, c.Period.Day()) {
				return false
			}
		}
		e.list, e.away = list, away
		r.countPresences(e, 1)
		r.handOver(e) // whether we can take it ourselves or not
	}
	if high {
		r.tooHigh = true // its list is known: whoever brings the secret is not asked for it
		return true
	}
	g.members()
	if r.listed(g, &e.list[e.lacks]) == nil {
		return true // the same as before: an insider can make hundreds that never fit
	}
	nodes := make([]*node, len(e.list))
	for i := range e.list {
		if nodes[i] = r.listed(g, &e.list[i]); nodes[i] == nil {
			e.lacks = i
			return true
		}
		if nodes[i].contribution.Identity != e.list[i].Identity {
			return false
		}
	}
	e.fits, e.nodes = true, nodes
	r.noteReaders(e)
	if g.own != nil {
		e.ownIndex = e.list.Index(g.own.cid)
	}
	r.handOver(e)
	return true
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
	e.sid, e.keys = sid, ake.NewKeys(secret, cids)
	e.dUntil = r.now.Add(keysKept)
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
