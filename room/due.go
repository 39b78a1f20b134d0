package room

import (
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// With whom, and when, we compare what we know: PROTOCOL.md §11.3.

// schedule begins the comparisons that are due and sees to being woken for the
// next: PROTOCOL.md §11.3.
func (r *Room) schedule() {
	ready := false
	for _, g := range r.days {
		ready = ready || g.own != nil
	}
	if !ready {
		return // nothing to say yet
	}
	if !r.now.Before(r.compareAt) {
		if n := r.nextInTurn(); n != nil {
			n.compareAt = r.now
		}
		r.compareAt = r.now.Add(comparePeriod)
		if !r.absence.tellAt.IsZero() {
			r.compareAt = r.now.Add(backPeriod)
		}
	}
	due, behind := false, false
	for _, n := range r.neighbours {
		behind = behind || n.behind
		if n.compareAt.IsZero() {
			continue
		}
		if at := n.compareDue(); at.After(r.now) {
			r.wakeAt(at)
		} else {
			due = true
		}
	}
	if due || behind {
		r.beginComparisons(behind)
	}
	r.wakeAt(r.compareAt)
	r.wakeAt(r.beatAt)
	for _, x := range r.streams.byID {
		r.wakeAt(x.limit())
	}
	for _, t := range r.renewAt {
		if t.After(r.now) {
			r.wakeAt(t)
		}
	}
}

// nextInTurn is the neighbour with which the last comparison is longest ago, or that
// came then and has had none: so whoever comes again and again is not always next. Every
// other turn is a member's: so strangers who come and say nothing keep no beats from us.
func (r *Room) nextInTurn() (next *neighbour) {
	if r.membersTurn = !r.membersTurn; r.membersTurn {
		if n := r.memberInTurn(); n != nil {
			return n
		}
	}
	for _, p := range r.sortedNeighbours() {
		if n := r.neighbours[p]; next == nil || n.comparedLast().Before(next.comparedLast()) {
			next = n
		}
	}
	return next
}

// memberInTurn is nextInTurn of the members that are here, if somebody else is near, too.
func (r *Room) memberInTurn() (next *neighbour) {
	g := r.days[r.today()]
	if g == nil || g.own == nil {
		return nil
	}
	members := 0
	for _, cid := range r.living(g) {
		n := r.neighbours[g.nodes[cid].peer]
		if _, absent := r.absent(g, g.nodes[cid]); n == nil || absent {
			continue
		}
		if members++; next == nil || n.comparedLast().Before(next.comparedLast()) {
			next = n
		}
	}
	if members == len(r.neighbours) {
		return nil
	}
	return next
}

func (r *Room) beginComparisons(behind bool) {
	busy := r.comparing()
	if behind {
		r.compareBehind(maps.Clone(busy))
	}
	for _, p := range r.sortedNeighbours() {
		n := r.neighbours[p]
		if n.compareAt.IsZero() || busy[p] {
			continue // it is tried again when the one under way has ended
		}
		if at := n.compareDue(); at.After(r.now) {
			r.wakeAt(at)
			continue
		}
		var x *exchange
		if ch := r.channelTo(n.id); ch != nil {
			x = r.openChannelStream(ch, ProtocolSync)
		} else {
			x = r.openStream(n.id, ProtocolSync)
		}
		n.lastCompared, n.compareAt = r.now, time.Time{}
		r.send(x, r.hello(x))
	}
}

// compareSoon makes sure that a peer is compared with soon, since it sent something
// that refers to what we do not know; or, if it is no neighbour, any other.
func (r *Room) compareSoon(p peer.ID) {
	n := r.neighbours[p]
	if n == nil {
		ids := r.sortedNeighbours()
		if len(ids) == 0 {
			return
		}
		n = r.neighbours[ids[r.random(len(ids))]]
	}
	if n.compareNow(r.now) {
		r.wakeAt(maxTime(r.now, n.lastCompared.Add(minCompareGap)))
	}
}

// hasPendingCommit reports whether there is a commit that refers to what we do not know.
func (r *Room) hasPendingCommit() bool {
	for _, e := range r.commits {
		if !e.fits() {
			return true
		}
	}
	return len(r.waiting.commits) > 0
}

// markBehind compares at once with the neighbours that may need us to understand the
// head: those that asked too early, and all that have another, if it did not come
// over the topic or joins two components.
func (r *Room) markBehind(all bool) {
	id := r.head.commit.ID()
	for _, n := range r.neighbours {
		n.behind = n.askedEarly || all && n.hello != nil && n.hello.Head != id
		n.askedEarly = false
	}
}

// compareBehind lets those who are behind be compared with at once, a few at a time:
// these help the others.
func (r *Room) compareBehind(busy map[peer.ID]bool) {
	ids := r.sortedNeighbours()
	ids = slices.DeleteFunc(ids, func(p peer.ID) bool { return !r.neighbours[p].behind })
	for len(ids) > 0 && len(busy) < maxCatchUp {
		i := r.random(len(ids))
		if n := r.neighbours[ids[i]]; n.hello != nil && n.hello.Head == r.head.commit.ID() {
			n.behind = false
		} else if !busy[n.id] {
			n.behind, n.compareAt, n.lastCompared = false, r.now, time.Time{}
			busy[n.id] = true
		}
		ids = slices.Delete(ids, i, i+1)
	}
}

// comparing are the peers with which a comparison is under way.
func (r *Room) comparing() map[peer.ID]bool {
	busy := make(map[peer.ID]bool)
	for _, x := range r.streams.byID {
		if x.protocol == ProtocolSync && (x.dialler && !x.sentDone || x.theirHello != nil) {
			busy[x.peer] = true
		}
	}
	return busy
}
