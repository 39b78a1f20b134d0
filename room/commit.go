package room

import (
	"errors"
	"math/bits"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// errCommitsFull is returned when the table of commits has no room for our own.
var errCommitsFull = errors.New("too many commits are known")

// turn is whose turn it is to commit, and when: PROTOCOL.md §8.4.
type turn struct {
	since  map[ake.Hash]time.Time // when each came up whom the head has not and the next list would have, or the reverse
	first  time.Time              // when the first of them did; zero: no commit is needed
	latest time.Time              // when the last of them did
	list   record.List            // the next list
	rank   int                    // ours in it; negative: to be worked out
	last   time.Time              // when the head came
	letIn  map[ake.Hash]bool      // whom we let in since a commit was needed
}

// committing is what besides turns decides when we commit, and what is held against
// others who did, or did not.
type committing struct {
	considerAt   time.Time              // when to consider it in any case
	lateSince    time.Time              // when a full room let us in
	awaiting     map[[32]byte]time.Time // until when we wait for what who has just proved itself knows
	patience     time.Time              // until when we do not commit for want of a secret ..
	patienceStep time.Duration          // .. and how long that was
	missed       map[ake.Hash]int       // how often a member let its turn go by, a day
	omissions    map[peer.ID]int        // how often a member's commits left somebody out, a day ..
	// omissionsReported is at what pace people are told.
	omissionsReported pace
}

// considerCommit commits if the members are not those of the head, and it is
// our turn.
func (r *Room) considerCommit() {
	if !r.reconsider && r.now.Before(r.committing.considerAt) {
		r.wakeAt(r.committing.considerAt)
		return
	}
	r.reconsider, r.committing.considerAt = false, r.now.Add(considerPeriod)
	r.chooseHead()
	r.reportOmissions()
	day := r.today()
	if r.head != nil {
		// Somebody's clock is ahead of ours: never back to the day before the head's.
		day = max(day, r.head.commit.Period)
	}
	g := r.days[day]
	if g == nil || g.own == nil {
		return
	}
	if ev, gone := r.gone(g, g.node(g.own.cid)); gone {
		if ev.Kind == record.EvidenceSuperseded && !r.supersededReported {
			r.supersededReported = true
			r.emit(Failed{Doing: "taking part", Err: ErrSuperseded})
		}
		return
	}
	list := r.nextList(g)
	if len(list) < 2 || len(r.neighbours) == 0 || !r.needed(g, list) || r.wouldLeaveOut(g, list) {
		r.turn.first, r.turn.since, r.turn.letIn = time.Time{}, nil, nil
		return
	}
	if r.turn.first.IsZero() || !slices.EqualFunc(list, r.turn.list, sameCID) {
		r.noteChanges(g, list)
	}
	at := maxTime(r.dueAt(g, list), r.waitUntil(list))
	if at.After(r.now) {
		if at.Before(r.committing.considerAt) {
			r.committing.considerAt = at
		}
		r.wakeAt(r.committing.considerAt)
		return
	}
	if !r.sponsors(list) {
		r.noteMissedTurns(g, list)
	}
	r.turn.first, r.turn.since, r.turn.letIn = time.Time{}, nil, nil
	if err := r.commit(g, list); err != nil {
		r.emit(Failed{Doing: "starting a new epoch", Err: err})
	}
}

// noteChanges notes since when the next list is not the head's. A head that leaves
// a change undone does not make it a new one.
func (r *Room) noteChanges(g *graph, list record.List) {
	t := &r.turn
	since := make(map[ake.Hash]time.Time)
	note := func(_ int, e *record.Entry) {
		if at, ok := t.since[e.CID]; ok {
			since[e.CID] = at
		} else {
			since[e.CID] = r.now
		}
	}
	var of record.List
	if h := r.head; h != nil && h.commit.Period == g.period {
		of = h.list
	}
	list.WithoutCID(of, note)
	of.WithoutCID(list, note)
	t.first, t.latest = r.now, time.Time{}
	for _, at := range since {
		t.first, t.latest = minTime(t.first, at), maxTime(t.latest, at)
	}
	if len(since) == 0 {
		t.latest = r.now
	}
	t.since, t.list, t.rank = since, list, -1
}

// wouldLeaveOut reports whether our next list would be nobody's head, ours
// included: around midnight, before all are to have proved themselves for the new
// day.
func (r *Room) wouldLeaveOut(g *graph, list record.List) bool {
	c := &record.Commit{Brief: record.Brief{Header: record.Header{Period: g.period}}}
	return r.head != nil && r.leavesOut(&epoch{commit: c, list: list, away: r.nextAway(g, list)}) != nil
}

// dueAt is when it is our turn: a sponsor's at once, the others' after a quiet
// time and by rank; nobody's too soon after the last epoch. What mends a head, or
// stands for a commit that cannot be read, does not wait for others to come along.
func (r *Room) dueAt(g *graph, list record.List) time.Time {
	n := len(list)
	var earliest time.Time
	longest := r.turn.first.Add(2 * tail(n))
	if earliest = r.turn.last; !earliest.IsZero() && earliest.Before(r.turn.first) {
		earliest = earliest.Add(leastDistance(n)) // a head that leaves a change undone does not put it off
	}
	sponsor := r.sponsors(list)
	if calm := r.turn.last.IsZero() || r.turn.first.Sub(r.turn.last) > tail(n); calm && sponsor {
		return maxTime(r.turn.first, earliest)
	}
	wait, unit := tail(n)/2, 2*tail(n)
	if r.hurry() {
		wait = quiet
	}
	at := r.turn.latest.Add(wait)
	at = minTime(at, longest)
	mends := r.mendAt(g, list)
	if !mends.IsZero() {
		at = mends
	}
	if h := r.head; !mends.IsZero() || h != nil && (r.listsGone(r.days[h.commit.Period], h) || r.listedBeside(h, list)) {
		unit = tail(n) / 4
	}
	at = maxTime(at, earliest.Add(quiet))
	if !r.differs(g, list) {
		at = maxTime(at, r.committing.patience)
	}
	if sponsor {
		return at // whom it let in is listed, whoever else withholds what is needed
	}
	if r.turn.rank < 0 {
		r.turn.rank = r.rank(g, list)
	}
	return at.Add(time.Duration(r.slot(r.turn.rank)) * unit)
}

// listedBeside reports whether a commit of the same height as our head, and less than it,
// lists somebody whom our head leaves out. Those who took that one need no other, and let
// their turns go by.
func (r *Room) listedBeside(h *epoch, list record.List) (yes bool) {
	for _, e := range r.commits {
		if e.fits() && e.commit.Period == h.commit.Period && e.commit.Height == h.commit.Height && better(h, e) {
			list.WithoutCID(h.list, func(_ int, entry *record.Entry) { yes = yes || e.lists(entry.Identity, entry.CID) })
		}
	}
	return yes
}

// sponsors reports whether a list has somebody whom we let in and the head does not
// list.
func (r *Room) sponsors(list record.List) bool {
	for i := range list {
		if e := &list[i]; r.turn.letIn[e.CID] && (r.head == nil || !r.head.lists(e.Identity, e.CID)) {
			return true
		}
	}
	return false
}

// slot is when, in units of dueAt's, those of a rank commit: one at first, then two,
// then four. Those who never do hold the others up for a time that grows with the
// logarithm of their number.
func (r *Room) slot(rank int) int { return bits.Len(uint(rank+1)) - 1 }

// hurry reports whether somebody waits for the next epoch: all of a room that
// has none yet, or that may not send under the last. Otherwise those who are
// about to come may come into the same one.
func (r *Room) hurry() bool { return r.head == nil || !r.maySend() }

// waitUntil is until when we wait for somebody who has just proved itself, and is
// telling us of those it knows: they belong into the same commit. So does what
// another's commit refers to that we do not know yet. Whoever
// makes up such commits makes nobody wait for ever.
func (r *Room) waitUntil(list record.List) (at time.Time) {
	underway := unread(len(list))
	for _, e := range r.commits {
		// What comes among other records may rest on what nobody keeps any more.
		if !e.viaSync && e.mayBeUnread() && r.isAbove(e) {
			at = maxTime(at, e.since.Add(underway))
		}
	}
	for w, until := range r.committing.awaiting {
		if at = maxTime(at, until); !until.After(r.now) {
			delete(r.committing.awaiting, w)
		}
	}
	return minTime(at, r.turn.first.Add(2*underway))
}

func sameCID(a, b record.Entry) bool { return a.CID == b.CID }

// A nextList is what we would list, as long as that holds.
type nextList struct {
	list    record.List
	version uint64
	until   time.Time

	away        record.Away // who would be away
	awayOf      int         // .. besides a list of so many
	awayVersion uint64
	awayUntil   time.Time
}

// nextList is what we would list: the living members whose terms and presences
// we hold. It stays what it is until something was kept, or somebody may have fallen
// silent. The caller does not change it.
func (r *Room) nextList(g *graph) record.List {
	c := &g.next
	if c.list != nil && c.version == r.version && !r.newRecords && !r.now.After(c.until) {
		return c.list
	}
	of := g.roster()
	full := len(of) > record.MaxMembers
	if full {
		of = nil // who is left out is decided by turns (§7.3)
		for _, cid := range g.order() {
			of = append(of, g.nodes[cid])
		}
		if h := r.head; h != nil && r.now.Before(r.committing.lateSince.Add(juniorTime)) {
			// Who has just come does not know who was here before: it drops nobody.
			var listed, others []*node
			for _, n := range of {
				if h.list.Of(n.contribution.Identity) >= 0 {
					listed = append(listed, n)
				} else {
					others = append(others, n)
				}
			}
			of = append(listed, others...)
		}
	}
	list, until := make(record.List, 0, min(len(of), record.MaxMembers)), r.now.Add(leastSilence)
	for _, n := range of {
		if len(list) == record.MaxMembers {
			break
		}
		p := r.processOf(n)
		if !r.listable(n) {
			continue
		}
		if _, absent := r.absent(g, n); absent {
			continue
		}
		if at := p.heardAt.Add(leastSilence); at.Before(until) && n.contribution.Working != r.workingID {
			until = at
		}
		list = append(list, record.Entry{Identity: n.contribution.Identity, CID: n.contribution.ID(),
			Presence: p.newest.ID()})
	}
	if full {
		list.Sort()
	}
	g.next = nextList{list: list, version: r.version, until: until}
	return list
}

// listable reports whether we hold what it takes to list somebody: the term and a
// presence.
func (r *Room) listable(n *node) bool {
	p := r.processOf(n)
	return n.term != nil && p != nil && p.newest != nil
}

// needed reports whether a commit would change anything: the members differ from
// the head's, the head is old, or others may have a head that we cannot read.
func (r *Room) needed(g *graph, list record.List) bool {
	if r.differs(g, list) {
		return true
	}
	at := r.mendAt(g, list)
	if at.After(r.now) {
		r.committing.considerAt = minTime(r.committing.considerAt, at)
		r.wakeAt(r.committing.considerAt)
	}
	return !at.IsZero() && !at.After(r.now)
}

// differs reports whether the members are not those of the head, or it is old.
func (r *Room) differs(g *graph, list record.List) bool {
	h := r.head
	return h == nil || h.commit.Period != g.period || !slices.EqualFunc(list, h.list, sameCID) ||
		!slices.Equal(r.nextAway(g, list), h.away) || r.isOld(h)
}

// mendAt is when one is to commit for the sake of a commit above the head that cannot
// become it, and that others may have as theirs; zero if there is none. Either it lists us
// and we were not told its secret or a term; or it leaves somebody out, where we would
// change nothing else, and so others may not either.
func (r *Room) mendAt(g *graph, list record.List) (first time.Time) {
	differs := r.differs(g, list)
	for _, e := range r.above() {
		var long time.Duration
		switch {
		case e.commit.Period != g.period:
			continue
		case e.isUnread():
			long = unread(len(e.list))
			if e.d != nil {
				long *= 2 // a term can be opened
			}
		case !differs && e.isReadable() && r.leavesOut(e) != nil:
			long = 2 * omissionTime
		default:
			continue
		}
		if at := e.since.Add(long); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// rank is our place in the order in which members commit: those of the head
// first, since who is new may not hear of everything yet, and last those who
// missed their turn.
func (r *Room) rank(g *graph, list record.List) (rank int) {
	turns := r.commitOrder(list)
	i := list.Index(g.own.cid)
	if i < 0 {
		return len(list)
	}
	for _, p := range turns {
		if p.before(turns[i]) {
			rank++
		}
	}
	return rank
}

// A place is where somebody stands in that order.
type place struct {
	class int
	draw  ake.Hash
	cid   ake.Hash
}

func (p place) before(o place) bool {
	if p.class != o.class {
		return p.class < o.class
	}
	return compareHashes(p.draw, o.draw) < 0
}

// commitOrder gives those in a list their places.
func (r *Room) commitOrder(list record.List) []place {
	var seed ake.Hash
	if r.head != nil {
		seed = r.head.commit.ID()
	}
	out := make([]place, len(list))
	for i := range list {
		cid := list[i].CID
		out[i] = place{draw: ake.Sum("coterie/2 rank", seed[:], cid[:]), cid: cid}
		if r.committing.missed[cid] >= maxMissed {
			out[i].class = 2
		}
	}
	if r.head != nil {
		list.WithoutCID(r.head.list, func(i int, _ *record.Entry) { out[i].class = max(out[i].class, 1) })
	}
	return out
}

// commit makes the next commit, takes it, and publishes it: PROTOCOL.md §8.
func (r *Room) commit(g *graph, list record.List) error {
	mends := r.mendAt(g, list)
	c := &record.Commit{Brief: record.Brief{Header: record.Header{
		Period: g.period, Height: g.height + 1, By: g.own.cid, Members: uint32(len(list)), List: list.Hash(),
	}}}
	away := r.nextAway(g, list)
	c.Away = away.Hash()
	var base *epoch
	if h := r.head; h != nil && h.commit.Period == g.period {
		base, c.Base = h, h.commit.ID()
	}
	c.SetEvidence(r.removals(list))
	d := r.draw()
	c.Secret = ake.CommitSecret(c.Core(), d)
	c.ComputeID()
	c.Sign(r.id, r.working)
	if base != nil {
		c = c.Change(base.list, list, base.away, away)
	} else {
		c = c.Whole(list, away)
	}
	e := newEpoch(c, r.now)
	e.d = &d
	e.takeList(list, away)
	e.takeNodes(make([]*node, len(list)), g.own) // derive finds them
	if !r.roomForCommit(g, c) {
		return errCommitsFull
	}
	r.derive(e)
	if !e.isReadable() {
		e.erase()
		return nil
	}
	g.height = c.Height
	r.commits[c.ID()] = e
	r.countPresences(e, 1)
	data := record.Encode(c)
	if len(data) > maxPublishedCommit {
		data = record.Encode(c.Bare())
	}
	r.publish(data)
	if !mends.IsZero() && !mends.After(r.now) {
		// Whoever withholds secrets makes us commit less and less often for it, until
		// nobody has for a while.
		if r.now.Sub(r.committing.patience) > maxPatience {
			r.committing.patienceStep = 0
		}
		r.committing.patienceStep = min(max(2*r.committing.patienceStep, tail(len(list))), maxPatience)
		r.committing.patience = r.now.Add(r.committing.patienceStep)
	}
	r.handOver(e)
	r.chooseHead()
	r.flush()
	return nil
}

// noteMissedTurns notes who let their turn to commit go by: all whose slot was before ours.
func (r *Room) noteMissedTurns(g *graph, list record.List) {
	if len(r.committing.missed) > maxNodes {
		return
	}
	mine := r.slot(r.rank(g, list))
	if mine == 0 {
		return
	}
	order := r.commitOrder(list)
	slices.SortFunc(order, func(a, b place) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	for rank, p := range order {
		if p.cid != g.own.cid && r.slot(rank) < mine {
			r.committing.missed[p.cid]++
		}
	}
}

// removals says why those of the head are not listed any more.
func (r *Room) removals(list record.List) []record.Evidence {
	if r.head == nil {
		return nil
	}
	g := r.days[r.head.commit.Period]
	if g == nil {
		return nil
	}
	var out []record.Evidence
	r.head.list.WithoutCID(list, func(_ int, e *record.Entry) {
		if ev, absent := r.absent(g, g.node(e.CID)); absent {
			out = append(out, ev)
		}
	})
	return out
}

// isOld reports whether the head is old enough to be renewed: what was said under
// it until then can be read with what members' processes hold.
func (r *Room) isOld(h *epoch) bool { return r.now.Sub(h.since) >= rotatePeriod }
