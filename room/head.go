package room

import (
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// chooseHead moves the head to the greatest commit that may be it. It never goes
// back. (PROTOCOL.md §8.3)
func (r *Room) chooseHead() {
	best := r.head
	for _, id := range sortedHashes(r.commits) {
		if e := r.commits[id]; e.fits && e.keys != nil && (best == nil || better(e, best)) && r.mayHead(e) {
			best = e
		}
	}
	if best == r.head {
		return
	}
	for _, e := range r.commits {
		if e != best && e.keys != nil && e.superseded.IsZero() {
			e.superseded = r.now
		}
	}
	previous := r.head
	r.resumed(previous)
	r.head, best.superseded = best, time.Time{} // it may have been passed over before its day came
	r.stamp++
	r.turn, r.dirty = turn{last: r.now, sponsor: r.turn.sponsor}, true
	r.emit(r.started(previous))
	for p := range r.neighbours {
		if n := r.neighbours[p]; len(best.list) <= 8 {
			// In a small room gossip forgives least, and a comparison costs little.
			n.compareAt = r.now.Add(time.Second)
		}
	}
	r.spread(best.compared || r.carrier)
	r.carrier = false
}

// mayHead reports whether a commit that we can read may be our head: its day has
// come, it lists nobody who is gone, and it leaves out nobody of our present head
// who is here.
func (r *Room) mayHead(e *epoch) bool {
	if abe.DayOf(r.now.Add(dayTurn)) < e.commit.Day {
		r.later(e.commit.Day.Start().Add(-dayTurn))
		return false
	}
	g := r.graph(e.commit.Day)
	if r.missesAny(g, e) {
		return false
	}
	return r.leavesOut(e) == nil
}

// later sees to looking at the head again at a time.
func (r *Room) later(at time.Time) {
	if r.headAt.IsZero() || at.Before(r.headAt) {
		r.headAt = at
	}
}

// leavesOut finds somebody in our head's list whom a commit leaves out, though
// they are here for all we know. In a full room only those count of whom we would
// keep most others out ourselves.
func (r *Room) leavesOut(e *epoch) *record.Entry {
	if r.head == nil {
		return nil
	}
	listed := make(map[[32]byte]bool, len(e.list))
	for i := range e.list {
		listed[e.list[i].Identity] = true
	}
	var spare map[ake.Hash]bool // in a full room: those near the end of our own list
	if len(e.list) == record.MaxMembers {
		spare = make(map[ake.Hash]bool)
		order := r.graph(e.commit.Day).order()
		for _, cid := range order[min(len(order), record.MaxMembers*3/4):] {
			spare[cid] = true
		}
	}
	for i := range r.head.list {
		entry := &r.head.list[i]
		if listed[entry.Identity] {
			continue
		}
		if cid, ok := r.stays(entry, e.commit.Day); ok && !spare[cid] {
			return entry
		}
	}
	return nil
}

// stays reports whether somebody listed is still here, for the list of a day, and
// by which contribution. From two minutes after midnight those who have none for
// the new day do not count.
func (r *Room) stays(entry *record.Entry, day abe.Day) (ake.Hash, bool) {
	g := r.graph(day)
	c := g.newest[entry.Identity]
	if c == nil || !g.members()[c.ID()] {
		if day == r.head.commit.Day {
			return ake.Hash{}, false
		}
		if r.now.After(day.Start().Add(dayTurn)) {
			return ake.Hash{}, false
		}
		r.later(day.Start().Add(dayTurn + time.Millisecond))
		old := r.graph(r.head.commit.Day)
		if old == nil || old.contribution(entry.CID) == nil {
			return ake.Hash{}, false
		}
		_, absent := r.absent(old, entry.CID)
		return entry.CID, !absent
	}
	_, absent := r.absent(g, c.ID())
	return c.ID(), !absent
}

// notice tells the user, once for each, of commits that leave somebody out who
// is here, ourselves included. It waits a while: the reason may be on its way.
func (r *Room) notice() {
	for _, id := range sortedHashes(r.commits) {
		e := r.commits[id]
		if e.omission || !e.fits || r.head == nil || !better(e, r.head) || r.now.Sub(e.since) < omissionTime {
			continue
		}
		left := r.leavesOut(e)
		if left == nil {
			continue
		}
		e.omission = true
		var by Member
		for i := range e.list {
			if e.list[i].CID == e.commit.By {
				by = r.member(e.commit.By, e.list[i].Identity)
			}
		}
		r.omissions[by.Peer]++
		r.emit(LeftOut{By: by, Member: r.member(left.CID, left.Identity), Times: r.omissions[by.Peer]})
	}
}

// started tells the user of the new head.
func (r *Room) started(previous *epoch) EpochStarted {
	e := r.head
	ev := EpochStarted{ID: e.commit.ID(), SID: e.sid, Reason: ReasonRotated}
	was := make(map[[32]byte]ake.Hash)
	if previous != nil {
		ev.Previous = previous.commit.ID()
		for _, entry := range previous.list {
			was[entry.Identity] = entry.CID
		}
	}
	for _, entry := range e.list {
		m := r.member(entry.CID, entry.Identity)
		ev.Members = append(ev.Members, m)
		if entry.CID == e.commit.By {
			ev.Committer = m.Peer
		}
		if _, ok := was[entry.Identity]; ok {
			delete(was, entry.Identity)
		} else if entry.Identity != r.own {
			ev.Joined = append(ev.Joined, m)
		}
	}
	if previous != nil {
		for _, entry := range previous.list {
			if _, ok := was[entry.Identity]; ok {
				ev.Left = append(ev.Left, r.member(entry.CID, entry.Identity))
			}
		}
	}
	switch {
	case previous == nil:
		ev.Reason = ReasonFirst
	case len(ev.Joined) > 1:
		ev.Reason = ReasonHealed
	case len(ev.Joined) > 0:
		ev.Reason = ReasonJoined
	case len(ev.Left) > 0:
		ev.Reason = r.whyLeft(previous, was)
	case previous.commit.Day == e.commit.Day && r.now.Sub(previous.since) < rotatePeriod-rotateSlack:
		ev.Reason = ReasonRekey
	}
	return ev
}

// whyLeft is the most deliberate reason for which some are not listed any more.
func (r *Room) whyLeft(previous *epoch, left map[[32]byte]ake.Hash) string {
	g := r.graph(previous.commit.Day)
	if g == nil {
		return ReasonExpired
	}
	why := ReasonLapsed
	for _, cid := range left {
		ev, absent := r.absent(g, cid)
		switch {
		case absent && ev.Kind != record.EvidenceSilent:
			return ReasonLeft
		case !absent && previous.commit.Day != r.head.commit.Day:
			why = ReasonExpired
		}
	}
	return why
}

// lists reports whether a contribution is in an epoch's list.
func (e *epoch) lists(cid ake.Hash) bool {
	if e.cids == nil {
		e.cids = make(map[ake.Hash]bool, len(e.list))
		for i := range e.list {
			e.cids[e.list[i].CID] = true
		}
	}
	return e.cids[cid]
}

// expireCommits drops what stayed incomplete too long, secrets and keys that are
// over, and commits of which nothing is needed any more.
func (r *Room) expireCommits() {
	for _, e := range r.commits {
		if e.d != nil && !e.dUntil.IsZero() && r.now.After(e.dUntil) {
			e.eraseSecret()
		}
		if e == r.head || r.head != nil && e.commit.ID() == r.head.commit.Base && e.keys == nil {
			continue
		}
		switch {
		case e.keys != nil && e.superseded.IsZero() && r.head != nil && better(r.head, e):
			e.superseded = r.now // it could be read only after a greater one
		case !e.superseded.IsZero() && r.now.Sub(e.superseded) > keysKept:
			e.erase()
			if r.head == nil || e.commit.ID() != r.head.commit.Base {
				r.drop(e)
			}
		case e.keys == nil && r.now.Sub(e.since) > pendingTime:
			r.drop(e)
		}
	}
}

// drop forgets a commit. Should it come back, its keys and its log do not; and for
// a while it is not taken at all, so that two members do not hand each other for
// ever what neither can keep.
func (r *Room) drop(e *epoch) {
	id := e.commit.ID()
	if e.sid != (ake.Hash{}) && len(r.spent) < maxNamed {
		r.spent[id] = e.commit.Day
	}
	if old := r.droppedIDs[r.nextDropped]; old != (ake.Hash{}) {
		delete(r.droppedAt, old)
	}
	r.droppedIDs[r.nextDropped], r.droppedAt[id] = id, true
	r.nextDropped = (r.nextDropped + 1) % maxDropped
	e.erase()
	delete(r.commits, e.commit.ID())
	r.stamp++
}
