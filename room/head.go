package room

import (
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// chooseHead moves the head to the greatest accepted commit that lists us. It
// never goes back.
func (r *Room) chooseHead() {
	best := r.head
	for _, e := range r.commits {
		if e.status == accepted && e.keys != nil && (best == nil || better(e, best)) {
			best = e
		}
	}
	for _, e := range r.commits {
		if e != best && e.keys != nil && e.superseded.IsZero() {
			e.superseded = r.now
		}
	}
	if best == r.head {
		return
	}
	previous := r.head
	r.head = best
	r.stamp++
	r.turn, r.dirty = turn{last: r.now}, true
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
	case len(ev.Joined) > 1 && len(e.commit.Prevs) > 1:
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

// loose reports whether the next commit should name this one as prev: no
// accepted one does, and it is not a lesser one of the head's day with nobody in
// it who is not in the head's.
func (r *Room) loose(e *epoch) bool {
	if e.status != accepted || e.named {
		return false
	}
	h := r.head
	if h == nil || e == h || e.commit.Day != h.commit.Day || better(e, h) {
		return true
	}
	if e.within != h {
		for i := range e.list {
			if !h.lists(e.list[i].CID) {
				return true
			}
		}
		e.within = h
	}
	return false
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

// foundations are the commits that the next ones rest on: the loose ones, and
// those these name.
func (r *Room) foundations() []*epoch {
	take := make(map[ake.Hash]bool)
	for id, e := range r.commits {
		if r.loose(e) {
			take[id] = true
			for _, p := range e.commit.Prevs {
				take[p] = true
			}
		}
	}
	var out []*epoch
	for _, id := range sortedHashes(take) {
		if e := r.commits[id]; e != nil && e.list != nil {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b *epoch) int {
		if better(a, b) {
			return 1
		}
		return -1
	})
	return out
}

// expireCommits drops what stayed pending too long, keys that are over, and
// commits that nothing rests on any more.
func (r *Room) expireCommits() {
	needed := make(map[ake.Hash]bool)
	for _, e := range r.foundations() {
		needed[e.commit.ID()] = true
		for _, p := range e.commit.Prevs {
			needed[p] = true
		}
	}
	for id, e := range r.commits {
		if !e.superseded.IsZero() && r.now.Sub(e.superseded) > keysKept {
			e.erase()
		}
		switch {
		case e == r.head || needed[id]:
		case r.now.Sub(e.since) > pendingTime:
			r.drop(e)
		}
	}
}

// drop forgets a commit.
func (r *Room) drop(e *epoch) {
	if e.status == accepted && e.mine >= 0 {
		r.spend(e)
	}
	e.erase()
	delete(r.commits, e.commit.ID())
	r.stamp++
}

// isNamed reports whether an accepted commit names this one as prev, also when
// this one comes back after it was dropped.
func (r *Room) isNamed(id ake.Hash) bool {
	_, ok := r.named[id]
	return ok
}

// spend remembers an epoch of ours whose keys and log are over: should its
// commit come back, neither must.
func (r *Room) spend(e *epoch) {
	if len(r.spent) < maxNamed {
		r.spent[e.commit.ID()] = e.commit.Day
	}
}
