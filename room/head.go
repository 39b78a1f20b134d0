package room

import (
	"bytes"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// chooseHead moves the head to the greatest commit that may be it. It never goes
// back. (PROTOCOL.md §8.3)
func (r *Room) chooseHead() {
	best := r.head
	for _, e := range r.above() {
		if e.isReadable() && (best == nil || better(e, best)) && r.mayHead(e) {
			best = e
		}
	}
	if best == r.head {
		return
	}
	previous := r.head
	r.noteStop(previous)
	r.readers.noteHead(r.now)
	r.head = best
	if r.logs.transcripts[best.commit.ID()] == nil {
		r.beginTranscript(best) // being empty, it made room meanwhile
	}
	r.version++
	for _, n := range best.nodes {
		n.wasInHead = true
	}
	if previous == nil && len(best.list) == record.MaxMembers {
		r.committing.lateSince = r.now
	}
	best.takeSeniority(previous, r.now)
	for _, g := range r.days {
		g.head, g.cachedOrder = best, nil
	}
	r.turn, r.reconsider = turn{last: r.now, since: r.turn.since, letIn: r.turn.letIn}, true
	r.emit(r.epochStarted(previous))
	for p := range r.neighbours {
		if n := r.neighbours[p]; len(best.list) <= 8 {
			// In a small room gossip forgives least, and a comparison costs little.
			n.compareAt = r.now.Add(time.Second)
		}
	}
	r.markBehind(best.viaSync || r.proofs.bridged)
	r.proofs.bridged = false
}

// mayHead reports whether a commit that we can read may be our head: its day has
// come, it lists nobody who is gone, and it leaves out nobody of our present head
// who is here, or away.
func (r *Room) mayHead(e *epoch) bool {
	if abe.DayOf(r.now.Add(dayTurn)) < e.commit.Period.Day() {
		r.recheckHead(e.commit.Period.Start().Add(-dayTurn))
		return false
	}
	if w := &e.against; w.head == r.head && r.head != nil &&
		(w.left != nil && r.misses(e, w.left, w.last) || w.left == nil && r.bringsBackAt(e, w.at)) {
		return false
	}
	return !r.bringsBack(e) && r.leavesOut(e) == nil
}

// A witness is somebody for whose sake a commit was not to be the head. It is looked at
// before all others: an insider can make hundreds of such commits, of a thousand members.
type witness struct {
	head *epoch        // in whose place it was not to be
	left *record.Entry // of that, whom it leaves out ..
	last abe.Day       // .. and who was last here that day; or ..
	at   int           // .. the place in its list, or behind it among those away, of somebody who is gone
}

// bringsBack reports whether a commit lists somebody whom we cut, or who is gone and
// was in an earlier head of ours, but not in this one: who left does not come back by
// another's word. Others may have left since the commit was made; they stop us.
func (r *Room) bringsBack(e *epoch) bool {
	from := 0
	if !r.listsGone(r.days[e.commit.Period], e) {
		from = len(e.nodes)
	}
	for i := from; i < len(e.nodes)+len(e.away); i++ {
		if r.bringsBackAt(e, i) {
			e.against = witness{head: r.head, at: i}
			return true
		}
	}
	return false
}

func (r *Room) bringsBackAt(e *epoch, i int) bool {
	if i >= len(e.nodes) {
		return r.cut[e.away[i-len(e.nodes)].Identity]
	}
	ev, gone := r.gone(r.days[e.commit.Period], e.nodes[i])
	return gone && (ev.Kind == record.EvidenceCut ||
		e.nodes[i].wasInHead && !r.head.lists(e.list[i].Identity, e.list[i].CID))
}

// recheckHead sees to looking at the head again at a time.
func (r *Room) recheckHead(at time.Time) {
	r.committing.considerAt = minTime(r.committing.considerAt, at)
	r.wakeAt(at)
}

// leavesOut finds somebody in our head's list whom a commit leaves out, though
// they are here for all we know, or away (omits). In a full room only those count of whom we would
// keep most others out ourselves.
func (r *Room) leavesOut(e *epoch) *record.Entry {
	if r.head == nil {
		return r.firstLeavesOut(e)
	}
	if w := &e.against; w.head == r.head && w.left != nil && r.misses(e, w.left, w.last) {
		return w.left
	}
	// In a full room those are spare who come late in our own list, or never: the ones
	// who hang on nobody have no turn.
	spare := func(ake.Hash) bool { return false }
	if len(e.list) == record.MaxMembers {
		g := r.days[e.commit.Period]
		order := g.order()
		counts := make(map[ake.Hash]bool)
		for _, cid := range order[:min(len(order), maxSeniors)] {
			counts[cid] = true
		}
		spare = func(cid ake.Hash) bool { return g.nodes[cid] != nil && !counts[cid] }
	}
	list := e.list
	for i := range r.head.list {
		entry := &r.head.list[i]
		for len(list) > 0 && bytes.Compare(list[0].Identity[:], entry.Identity[:]) < 0 {
			list = list[1:] // both are in the order of identities
		}
		if len(list) > 0 && list[0].Identity == entry.Identity {
			continue
		}
		cid, stays := r.stays(entry, e.commit.Period)
		if stays && !spare(cid) || !stays && r.omits(e, entry.Identity, r.head.commit.Period.Day()) {
			if len(e.list) < record.MaxMembers { // in a full one, turns change
				e.against = witness{head: r.head, left: entry, last: r.head.commit.Period.Day()}
			}
			return entry
		}
	}
	for i := range r.head.away {
		if a := &r.head.away[i]; e.list.Of(a.Identity) < 0 && r.omits(e, a.Identity, a.Day) {
			e.against = witness{head: r.head, left: &record.Entry{Identity: a.Identity}, last: a.Day}
			return e.against.left
		}
	}
	return nil
}

// misses reports whether somebody whom a commit does not list is still here, or away
// and not listed as that.
func (r *Room) misses(e *epoch, entry *record.Entry, last abe.Day) bool {
	if entry.CID != (ake.Hash{}) {
		if _, stays := r.stays(entry, e.commit.Period); stays {
			return true
		}
	}
	return r.omits(e, entry.Identity, last)
}

// firstLeavesOut finds somebody whom we would list and a commit does not. While we
// have no head yet, and the commit has just come, that keeps it from being the first:
// who is about to let us in lists everybody, and one insider would otherwise choose
// who hears a newcomer.
func (r *Room) firstLeavesOut(e *epoch) *record.Entry {
	until := e.since.Add(tail(len(e.list)))
	g := r.days[e.commit.Period]
	if g == nil || g.own == nil || !until.After(r.now) {
		return nil
	}
	for _, entry := range r.nextList(g) {
		if e.list.Of(entry.Identity) < 0 {
			r.recheckHead(until)
			return &entry
		}
	}
	return nil
}

// stays reports whether somebody listed is still here, for the list of a day, and
// by which contribution. From turnOver on those who have none for the new day do not
// count. Nor does one that nobody can list who knows what we do:
// else whoever comes back as a process that withholds its term would keep all others
// from committing.
func (r *Room) stays(entry *record.Entry, day abe.Period) (ake.Hash, bool) {
	g := r.days[day]
	c := g.newest[entry.Identity]
	if c == nil || !g.members()[c.ID()] || !r.listable(g.nodes[c.ID()]) {
		if day == r.head.commit.Period {
			return ake.Hash{}, false
		}
		over := r.turnOver(day)
		if r.now.After(over) {
			return ake.Hash{}, false
		}
		r.recheckHead(over.Add(time.Millisecond))
		old := r.days[r.head.commit.Period]
		if old == nil || old.contribution(entry.CID) == nil {
			return ake.Hash{}, false
		}
		_, absent := r.absent(old, old.node(entry.CID))
		return entry.CID, !absent
	}
	_, absent := r.absent(g, g.node(c.ID()))
	return c.ID(), !absent
}

// turnOver is from when on those of our head do not count who have not proved themselves for
// the period p.
func (r *Room) turnOver(p abe.Period) time.Time {
	if p.Notice() != r.head.commit.Period.Notice() {
		return r.begins(p).Add(noticeTurn)
	}
	return r.begins(p).Add(dayTurn)
}

// reportOmissions tells the user, once for each, of commits that leave somebody out who
// is here or away, ourselves included. It waits a while: the reason may be on its way.
func (r *Room) reportOmissions() {
	if r.head == nil {
		return
	}
	for _, e := range r.above() {
		if e.omissionReported || !e.fits() {
			continue
		}
		left := r.leavesOut(e)
		if left == nil || left.CID == (ake.Hash{}) && e.away.Of(left.Identity) >= 0 {
			continue // they differ in nothing but since when somebody is away
		}
		if at := e.since.Add(omissionTime); at.After(r.now) {
			r.recheckHead(at)
			continue
		}
		e.omissionReported = true
		by := r.memberOf(e.nodes[e.list.Index(e.commit.By)])
		r.committing.omissions[by.Peer]++
		if !r.committing.omissionsReported.spend(1, r.now, 1/omissionTime.Seconds(), maxOmissionsReported) {
			continue // people cannot read hundreds; it is counted
		}
		r.emit(LeftOut{By: by, Member: r.member(left.CID, left.Identity), Times: r.committing.omissions[by.Peer]})
	}
}

// epochStarted tells the user of the new head.
func (r *Room) epochStarted(previous *epoch) EpochStarted {
	e := r.head
	ev := EpochStarted{ID: e.commit.ID(), SID: e.sid, Reason: ReasonRotated, Members: make([]Member, len(e.list))}
	var was record.List
	if previous != nil {
		ev.Previous, was = previous.commit.ID(), previous.list
	}
	var left []ake.Hash
	gone := func(entry *record.Entry) {
		m := r.member(entry.CID, entry.Identity)
		if left = append(left, entry.CID); e.away.Of(entry.Identity) >= 0 {
			ev.WentAway = append(ev.WentAway, m)
		} else {
			ev.Left = append(ev.Left, m)
		}
	}
	for i, n := range e.nodes {
		m, entry := r.memberOf(n), &e.list[i]
		ev.Members[i] = m
		if entry.CID == e.commit.By {
			ev.Committer = m.Peer
		}
		for len(was) > 0 && bytes.Compare(was[0].Identity[:], entry.Identity[:]) < 0 {
			gone(&was[0]) // both lists are in the order of identities
			was = was[1:]
		}
		if len(was) > 0 && was[0].Identity == entry.Identity {
			was = was[1:]
		} else if entry.Identity != r.identity {
			ev.Joined = append(ev.Joined, m)
			if previous != nil && previous.away.Of(entry.Identity) >= 0 {
				ev.Back = append(ev.Back, m)
			}
		}
	}
	for i := range was {
		gone(&was[i])
	}
	for i := range e.away {
		ev.Away = append(ev.Away, Member{Peer: peerOf(e.away[i].Identity)})
	}
	switch {
	case previous == nil:
		ev.Reason, ev.WasAway = ReasonFirst, r.absence.fresh
	case len(ev.Joined) > 1:
		ev.Reason = ReasonHealed
	case len(ev.Joined) > 0:
		ev.Reason = ReasonJoined
	case len(left) > 0:
		ev.Reason = r.whyLeft(previous, left)
	case previous.commit.Period == e.commit.Period && r.now.Sub(previous.since) < rotatePeriod-rotateSlack:
		ev.Reason = ReasonRekey
	}
	return ev
}

// whyLeft is the most deliberate reason for which some are not listed any more.
func (r *Room) whyLeft(previous *epoch, left []ake.Hash) string {
	g := r.days[previous.commit.Period]
	if g == nil {
		return ReasonExpired
	}
	why := ReasonLapsed
	for _, cid := range left {
		ev, absent := r.absent(g, g.node(cid))
		switch {
		case absent && ev.Kind == record.EvidenceCut:
			return ReasonCut
		case absent && ev.Kind == record.EvidenceLeft && r.processOf(g.node(cid)).newest.Away:
			if why == ReasonLapsed {
				why = ReasonAway
			}
		case absent && ev.Kind != record.EvidenceSilent:
			why = ReasonLeft
		case !absent && previous.commit.Period.Notice() != r.head.commit.Period.Notice():
			if why == ReasonLapsed || why == ReasonExpired {
				why = ReasonNotice
			}
		case !absent && previous.commit.Period != r.head.commit.Period && why == ReasonLapsed:
			why = ReasonExpired
		}
	}
	return why
}

// takeSeniority notes since when heads without a break have listed each member.
func (e *epoch) takeSeniority(previous *epoch, now time.Time) {
	e.listedSince = make([]time.Time, len(e.list))
	for i := range e.list {
		e.listedSince[i] = now
		if previous == nil {
			continue
		}
		if j := previous.list.Of(e.list[i].Identity); j >= 0 {
			e.listedSince[i] = previous.listedSince[j]
		}
	}
}

// lists reports whether a contribution is in an epoch's list.
func (e *epoch) lists(identity [32]byte, cid ake.Hash) bool {
	i := e.list.Of(identity)
	return i >= 0 && e.list[i].CID == cid
}

// expireCommits drops what stayed incomplete too long, secrets and keys that are
// over, and commits of which nothing is needed any more.
func (r *Room) expireCommits() {
	for _, e := range r.commits {
		if e.wasRead() && r.now.Sub(e.readAt) > keysKept {
			e.eraseSecret()
		}
		switch {
		case e.status == commitRead && r.head != nil && better(r.head, e):
			e.supersede(r.now)
		case e.status == commitSuperseded && r.now.Sub(e.supersededAt) > keysKept:
			e.erase()
		}
		if !e.isReadable() && (e.wasRead() || r.now.Sub(e.since) > pendingTime) && !r.restsOn(e) {
			r.dropCommit(e)
		}
	}
}

// dropCommit forgets a commit. Should it come back, its keys and its log do not; and for
// a while it is not taken at all, so that two members do not hand each other for
// ever what neither can keep.
func (r *Room) dropCommit(e *epoch) {
	id := e.commit.ID()
	if e.wasRead() && len(r.retired) < maxRemembered {
		r.retired[id] = e.commit.Period
	}
	r.droppedCommits.add(id, r.now)
	e.erase()
	r.countPresences(e, -1)
	delete(r.commits, e.commit.ID())
	r.version++
}
