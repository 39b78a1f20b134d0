package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// The ways of a commit: PROTOCOL.md §8.1.
const (
	pending  = iota // refers to something unknown
	onHold          // held: form, signature and list are right
	accepted        // valid, for ever and for everybody alike
)

// An epoch is a commit and what we know of it.
type epoch struct {
	commit *record.Commit
	status int
	list   record.List // nil until rebuilt
	sid    ake.Hash
	since  time.Time // when it arrived
	// signed: the committer's signature was checked.
	signed bool
	// barred: held for those who rest on it, and for nothing else.
	barred bool
	// void: barred for ever, since it does not give us what it gives others.
	void bool
	// slander: barred since it drops as silent somebody of whom we know better.
	slander bool
	// named: an accepted commit names it as prev.
	named   bool
	readers []peer.ID // the other members, when somebody asked
	checked uint64    // the stamp of what misses says
	misses  bool      // one of its members is gone
	// within is the head in whose list all of this one's members are.
	within *epoch
	cids   map[ake.Hash]bool // of the list, when somebody asked
	// compared: it came among other records, not over the topic.
	compared bool
	// superseded is when another became the head; zero for the head.
	superseded time.Time

	mine   int // our place in the list, or -1
	keys   *ake.Keys
	chains []ake.Chain
}

// erase forgets the epoch's keys; what was said in it stays in the log.
func (e *epoch) erase() {
	if e.keys == nil {
		return
	}
	e.keys.Erase()
	for i := range e.chains {
		e.chains[i].Erase()
	}
	e.keys, e.chains = nil, nil
}

// better orders commits: by day, then height, then epoch id. (PROTOCOL.md §8.2)
func better(a, b *epoch) bool {
	switch {
	case a.commit.Day != b.commit.Day:
		return a.commit.Day > b.commit.Day
	case a.commit.Height != b.commit.Height:
		return a.commit.Height > b.commit.Height
	}
	return compareHashes(a.commit.ID(), b.commit.ID()) > 0
}

// addCommit takes a commit; judge decides later what it is worth.
func (r *Room) addCommit(c *record.Commit) outcome {
	if r.graph(c.Day) == nil || r.now.Add(earlyDay).Before(c.Day.Start()) {
		return foreign
	}
	if c.Base == record.WholeList {
		// The list is not signed, only its hash: what does not fit is a garbled copy.
		if _, err := c.Rebuild(nil); err != nil {
			return refused
		}
	}
	e := r.commits[c.ID()]
	if e != nil && e.list != nil {
		return known
	}
	if by := r.graph(c.Day).contribution(c.By); by != nil && c.Verify(r.id, by) != nil {
		return refused
	}
	if e != nil {
		// As long as the list could not be rebuilt, nobody knows which copy is good.
		if c.Base != record.WholeList && e.commit.Base == record.WholeList {
			return known
		}
		e.commit, e.signed = c, false
		return kept
	}
	if !r.roomForCommit(c) {
		return foreign
	}
	r.commits[c.ID()] = &epoch{commit: c, since: r.now, mine: -1, named: r.isNamed(c.ID())}
	if r.wanted[c.ID()] {
		r.payAll()
	}
	return kept
}

// roomForCommit makes room for a commit, if need be in place of the least of its
// committer's, or of whoever has most. So an insider who makes commits without
// end keeps nobody else's out.
func (r *Room) roomForCommit(c *record.Commit) bool {
	all, ofAuthor := 0, 0 // of those that wait
	of := make(map[ake.Hash]int)
	for _, e := range r.commits {
		of[e.commit.By]++
		if e.status == pending || e.barred {
			all++
			if e.commit.By == c.By {
				ofAuthor++
			}
		}
	}
	if all >= maxPending || ofAuthor >= maxPendingAuthor {
		return false
	}
	by := c.By
	if of[by] < maxCommitsAuthor {
		if len(r.commits) < maxCommits {
			return true
		}
		for cid, n := range of {
			if n > of[by] || n == of[by] && compareHashes(cid, by) > 0 {
				by = cid
			}
		}
	}
	var least *epoch
	for _, e := range r.commits {
		if e.commit.By == by && e != r.head && (least == nil || better(least, e)) {
			least = e
		}
	}
	if least == nil || by == c.By && !better(&epoch{commit: c}, least) {
		return false
	}
	r.drop(least)
	return true
}

// judge goes over the commits that are not accepted yet.
func (r *Room) judge() {
	r.early = false
	for again := true; again; {
		again = false
		for _, id := range sortedHashes(r.commits) {
			e := r.commits[id]
			if e.status == accepted {
				continue
			}
			was := e.status
			if !r.examine(e) {
				delete(r.commits, id)
				continue
			}
			again = again || e.status != was
		}
	}
	r.chooseHead()
	r.reopen()
}

// examine goes through the rules of PROTOCOL.md §8.1 in their order. It returns
// false if the commit is refused; otherwise it has settled its status.
func (r *Room) examine(e *epoch) bool {
	c := e.commit
	g := r.graph(c.Day)
	if g == nil {
		return false
	}
	by := g.contribution(c.By)
	if by == nil {
		return true // rule 2
	}
	if !e.signed && c.Verify(r.id, by) != nil {
		return false
	}
	e.signed = true
	if e.list == nil { // rule 4
		var base record.List
		if c.Base != record.WholeList {
			b := r.commits[c.Prevs[c.Base]]
			if b == nil || b.list == nil {
				return true
			}
			base = b.list
		}
		list, err := c.Rebuild(base)
		if err != nil {
			return false
		}
		e.list, e.mine, e.status = list, -1, onHold
		if g.own != nil {
			e.mine = list.Index(g.own.cid)
		}
	}
	if e.void {
		return true
	}
	if _, gone := r.gone(g, c.By); gone && !e.named {
		e.barred = true
		return true
	}
	e.barred = false
	var prevs []*epoch
	var height uint64
	for _, id := range c.Prevs { // rule 3
		p := r.commits[id]
		if p == nil || p.list == nil {
			return true
		}
		if p.commit.Day != c.Day {
			return false
		}
		prevs, height = append(prevs, p), max(height, p.commit.Height)
	}
	if c.Height != height+1 {
		return false
	}
	if c.Height > r.mostHeight(c.Day) {
		r.early = true
		return true
	}
	members := g.members()
	for i := range e.list { // rule 5
		entry := &e.list[i]
		m := g.contribution(entry.CID)
		if m == nil || !members[entry.CID] {
			return true
		}
		p := r.processes[m.Working]
		if m.Identity != entry.Identity {
			return false
		}
		if p == nil || p.bodies[entry.Presence] == nil || p.dead() && m.Working != r.workingID {
			return true
		}
	}
	if known, ok := r.removalsHold(g, e, prevs); !known || !ok { // rule 6
		return !known
	}
	if e.slander = !e.named && r.slanders(g, e, by); e.slander {
		e.barred = true
		return true
	}
	if _, over := r.spent[c.ID()]; over {
		e.mine = -1 // its keys were erased: they do not come back
	}
	if e.mine >= 0 { // rule 7
		if ok, known := r.derive(g, e, prevs); !ok || !known {
			e.void, e.barred = !ok, !ok
			return true
		}
	}
	e.status = accepted
	r.accepted(e)
	return true
}

// mostHeight is how high a day's commits may be by now: PROTOCOL.md §8.2. It
// depends on nothing but the time, so that two groups, of which one began many
// more epochs than the other, and newcomers take the same commits.
func (r *Room) mostHeight(d abe.Day) uint64 {
	return heightsAtOnce + heightsASecond*uint64(max(r.now.Sub(d.Start().Add(-earlyDay)), 0)/time.Second)
}

// accepted notes what an accepted commit rests on.
func (r *Room) accepted(e *epoch) {
	r.stamp++
	for _, id := range e.commit.Prevs {
		if p := r.commits[id]; p != nil {
			p.named = true
		}
		if len(r.named) < maxNamed {
			r.named[id] = e.commit.Day
		}
	}
	r.bury(r.graph(e.commit.Day), e.commit)
}

// removalsHold checks that nobody is dropped without a reason everybody can
// check. known is false as long as a reason is not known.
func (r *Room) removalsHold(g *graph, e *epoch, prevs []*epoch) (known, ok bool) {
	removed := make(map[ake.Hash]bool)
	for i := range e.commit.Removals {
		ev := &e.commit.Removals[i]
		removed[ev.CID] = true
		if e.list.Index(ev.CID) >= 0 {
			return true, false
		}
		c := g.contribution(ev.CID)
		if c == nil {
			return false, false
		}
		switch ev.Kind {
		case record.EvidenceLeft:
			p := r.processes[c.Working]
			if p == nil || p.bodies[ev.Ref] == nil {
				return false, false
			}
			if !p.bodies[ev.Ref].Left {
				return true, false
			}
		case record.EvidenceMisbehaved:
			p := r.processes[c.Working]
			if p == nil || !p.misbehaved {
				return false, false // another pair than the one named does as well
			}
		case record.EvidenceSilent:
			if ev.Serial() > uint64(r.now.Add(earlyDay).UnixMilli()) {
				return false, false // nobody beats ahead of his clock, and all must be able to answer
			}
		case record.EvidenceSuperseded:
			n := g.contribution(ev.Ref)
			if n == nil || !g.members()[ev.Ref] {
				return false, false
			}
			if n.Identity != c.Identity || !later(n, c) {
				return true, false
			}
		}
	}
	for _, p := range prevs {
		for i := range p.list {
			cid := p.list[i].CID
			if !removed[cid] && e.list.Index(cid) < 0 {
				return true, false
			}
		}
	}
	return true, true
}

// derive unwraps the secret, checks that all others got the same, and derives
// the epoch's keys. ok is false if the commit is void, known is false as long
// as a term is missing.
func (r *Room) derive(g *graph, e *epoch, prevs []*epoch) (ok, known bool) {
	c := e.commit
	p := r.listedPresence(g, &e.list[e.mine])
	if p.Working != r.workingID {
		return false, false
	}
	recipients := r.recipients(g, e.list, c.By)
	mine := slices.IndexFunc(recipients, func(to ake.Recipient) bool { return to.CID == e.list[e.mine].CID })
	key := r.ephemeral[p.Ephemeral]
	if key == nil || mine < 0 {
		// It was erased, or was our own commit: it is good for others, and
		// unreadable for us.
		e.mine = -1
		return true, true
	}
	e.sid = r.sid(g, e.list)
	core := &ake.Core{SID: e.sid, Height: c.Height, Prevs: c.Prevs, By: c.By}
	h := c.Header.Hash()
	d, err := ake.Unwrap(c.Wraps, mine, key, core, c.OneTime, h, recipients)
	if err != nil {
		return false, false
	}
	defer d.Erase()
	terms, err := ake.OpenSeal(d, h, c.Sealed)
	if err != nil {
		return false, false
	}
	missing := missingCIDs(e.list, prevs)
	if len(terms) != len(missing) {
		return false, false
	}
	for i := range terms {
		n := g.nodes[terms[i].CID]
		if terms[i].CID != missing[i] || terms[i].Term.Commitment() != n.contribution.Term {
			return false, false
		}
		r.addTerm(&terms[i])
	}
	secret, known, err := r.epochSecret(g, e, d)
	if !known || err != nil {
		return err == nil, false
	}
	defer secret.Erase()
	if !ake.CheckConfirm(secret, c.ID(), c.Tag) {
		return false, false
	}
	r.useSecret(e, secret)
	return true, true
}

// epochSecret joins the members' terms and d. known is false if a term is
// missing.
func (r *Room) epochSecret(g *graph, e *epoch, d ake.Secret) (secret ake.Secret, known bool, err error) {
	members := make([]ake.Member, len(e.list))
	for i := range e.list {
		n := g.nodes[e.list[i].CID]
		if n.term == nil {
			return secret, false, nil
		}
		members[i] = ake.Member{Identity: e.list[i].Identity, Term: *n.term}
	}
	abe := ake.Attributes(e.sid, members)
	defer abe.Erase()
	secret, err = ake.EpochSecret(e.commit.ID(), abe, d)
	return secret, true, err
}

func (r *Room) useSecret(e *epoch, secret ake.Secret) {
	cids := make([]ake.Hash, len(e.list))
	for i := range e.list {
		cids[i] = e.list[i].CID
	}
	e.keys, e.chains = ake.NewKeys(secret, cids)
	r.transcribe(r.graph(e.commit.Day), e)
}

// recipients are the ephemeral keys of those listed but the committer, who has
// the secret, as their listed presences have them.
func (r *Room) recipients(g *graph, list record.List, by ake.Hash) []ake.Recipient {
	out := make([]ake.Recipient, 0, len(list))
	for i := range list {
		if list[i].CID != by {
			out = append(out, ake.Recipient{CID: list[i].CID, Ephemeral: r.listedPresence(g, &list[i]).Ephemeral})
		}
	}
	return out
}

func (r *Room) listedPresence(g *graph, e *record.Entry) *record.Presence {
	return r.processes[g.contribution(e.CID).Working].bodies[e.Presence]
}

// sid is the session id: PROTOCOL.md §8.
func (r *Room) sid(g *graph, list record.List) ake.Hash {
	var addrs []byte
	for i := range list {
		addrs = r.listedPresence(g, &list[i]).AppendAddresses(addrs)
	}
	return ake.Sum("coterie/1 sid", r.id[:], list.Bytes(), addrs)
}
