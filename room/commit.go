package room

import (
	"errors"
	"math/bits"
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// errCommitsFull is returned when the table of commits has no room for our own.
var errCommitsFull = errors.New("too many commits are known")

// turn is whose turn it is to commit, and when: PROTOCOL.md §8.4.
type turn struct {
	want    ake.Hash  // hash of the members the next list would have
	first   time.Time // when they first differed from the head's
	latest  time.Time // when they last changed
	last    time.Time // when the head came
	sponsor bool      // we have just let somebody in
}

// considerCommit commits if the members are not those of the head, and it is
// our turn.
func (r *Room) considerCommit() {
	if !r.dirty && r.now.Before(r.considerAt) {
		r.wakeAt(r.considerAt)
		return
	}
	r.dirty, r.considerAt = false, r.now.Add(considerPeriod)
	if !r.headAt.IsZero() && !r.headAt.After(r.now) {
		r.headAt = time.Time{}
	}
	r.chooseHead()
	r.notice()
	day := r.today()
	if r.head != nil {
		// Somebody's clock is ahead of ours: never back to the day before the head's.
		day = max(day, r.head.commit.Day)
	}
	g := r.graph(day)
	if g == nil || g.own == nil {
		return
	}
	if ev, gone := r.gone(g, g.own.cid); gone {
		if ev.Kind == record.EvidenceSuperseded && !r.superseded {
			r.superseded = true
			r.emit(Failed{Doing: "taking part", Err: ErrSuperseded})
		}
		return
	}
	list := r.nextList(g)
	if len(list) < 2 || len(r.neighbours) == 0 || !r.needed(g, list) || r.wouldLeaveOut(g, list) {
		r.turn.first, r.turn.sponsor = time.Time{}, false
		return
	}
	if want := ake.Sum("coterie/2 want", cidBytes(list)); r.turn.first.IsZero() || want != r.turn.want {
		if r.turn.first.IsZero() {
			r.turn.first = r.now
		}
		r.turn.want, r.turn.latest = want, r.now
	}
	at := maxTime(r.dueAt(g, list), r.toldBy(list))
	if at.After(r.now) {
		if at.Before(r.considerAt) {
			r.considerAt = at
		}
		r.wakeAt(r.considerAt)
		return
	}
	r.turn.first, r.turn.sponsor = time.Time{}, false
	if err := r.commit(g, list); err != nil {
		r.emit(Failed{Doing: "starting a new epoch", Err: err})
	}
}

// wouldLeaveOut reports whether our next list would be nobody's head, ours
// included: around midnight, before all are to have proved themselves for the new
// day.
func (r *Room) wouldLeaveOut(g *graph, list record.List) bool {
	return r.head != nil && r.leavesOut(&epoch{commit: &record.Commit{Brief: record.Brief{Header: record.Header{Day: g.date}}}, list: list}) != nil
}

// dueAt is when it is our turn: a sponsor's at once, the others' after a quiet
// time and by rank; nobody's too soon after the last epoch. What mends a head, or
// stands for a commit that cannot be read, does not wait for others to come along.
func (r *Room) dueAt(g *graph, list record.List) time.Time {
	n := len(list)
	var earliest time.Time
	if !r.turn.last.IsZero() {
		earliest = r.turn.last.Add(leastDistance(n))
	}
	if calm := r.turn.last.IsZero() || r.turn.first.Sub(r.turn.last) > tail(n); calm && r.turn.sponsor {
		return maxTime(r.turn.first, earliest)
	}
	wait, unit := tail(n)/2, 2*tail(n)
	if r.hurry() {
		wait = quiet
	}
	at := r.turn.latest.Add(wait)
	if longest := r.turn.first.Add(2 * tail(n)); at.After(longest) {
		at = longest
	}
	lacks := r.lacksAt(g)
	if !lacks.IsZero() {
		at = lacks
	}
	if !lacks.IsZero() || r.stopped() {
		unit = tail(n) / 4
	}
	at = maxTime(at, earliest.Add(quiet))
	if !r.differs(g, list) {
		at = maxTime(at, r.patience)
	}
	if r.turn.sponsor {
		return at
	}
	return at.Add(time.Duration(r.slot(r.rank(g, list))) * unit)
}

// slot is when, in units of dueAt's, those of a rank commit: one at first, then two,
// then four. Those who never do hold the others up for a time that grows with the
// logarithm of their number.
func (r *Room) slot(rank int) int { return bits.Len(uint(rank+1)) - 1 }

// hurry reports whether somebody waits for the next epoch: all of a room that
// has none yet, or that may not send under the last. Otherwise those who are
// about to come may come into the same one.
func (r *Room) hurry() bool { return r.head == nil || !r.maySend() }

// toldBy is until when we wait for somebody who has just proved itself, and is
// telling us of those it knows: they belong into the same commit. So does what
// another's commit refers to that we do not know yet. Whoever
// makes up such commits makes nobody wait for ever.
func (r *Room) toldBy(list record.List) (at time.Time) {
	underway := unread(len(list))
	for _, e := range r.commits {
		// What comes among other records may rest on what nobody keeps any more.
		if e.keys == nil && !e.compared && (!e.fits || e.mine >= 0) && (r.head == nil || better(e, r.head)) {
			at = maxTime(at, e.since.Add(underway))
		}
	}
	for _, until := range r.telling {
		at = maxTime(at, until)
	}
	return minTime(at, r.turn.first.Add(2*underway))
}

func cidBytes(list record.List) []byte {
	var b []byte
	for i := range list {
		b = append(b, list[i].CID[:]...)
	}
	return b
}

// nextList is what we would list: the living members whose terms and presences
// we hold.
func (r *Room) nextList(g *graph) record.List {
	var list record.List
	of := g.cids()
	if len(of) > record.MaxMembers {
		of = g.order() // who is left out is decided by turns (§7.3)
	}
	for _, cid := range of {
		if len(list) == record.MaxMembers {
			break
		}
		n := g.nodes[cid]
		p := r.processes[n.contribution.Working]
		if n.term == nil || p == nil || p.newest == nil {
			continue
		}
		if _, absent := r.absent(g, cid); absent {
			continue
		}
		list = append(list, record.Entry{Identity: n.contribution.Identity, CID: cid, Presence: p.newest.ID()})
	}
	list.Sort()
	return list
}

// needed reports whether a commit would change anything: the members differ from
// the head's, the head is old, or others may have a head that we cannot read.
func (r *Room) needed(g *graph, list record.List) bool {
	if r.differs(g, list) {
		return true
	}
	at := r.lacksAt(g)
	if at.After(r.now) {
		r.considerAt = minTime(r.considerAt, at)
		r.wakeAt(r.considerAt)
	}
	return !at.IsZero() && !at.After(r.now)
}

// differs reports whether the members are not those of the head, or it is old.
func (r *Room) differs(g *graph, list record.List) bool {
	h := r.head
	return h == nil || h.commit.Day != g.date || string(cidBytes(list)) != string(cidBytes(h.list)) || r.stale(h)
}

// lacksAt is when one is to commit for the sake of a commit above the head, which
// lists us, since we were not told its secret or a term; zero if there is none.
func (r *Room) lacksAt(g *graph) (first time.Time) {
	for _, e := range r.commits {
		if e.commit.Day != g.date || !e.fits || e.mine < 0 || e.keys != nil || r.head != nil && !better(e, r.head) {
			continue
		}
		long := unread(len(e.list))
		if e.d != nil {
			long *= 2 // a term can be opened
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
func (r *Room) rank(g *graph, list record.List) int {
	mine, rank := r.turnOf(g.own.cid), 0
	for i := range list {
		if r.turnOf(list[i].CID).before(mine) {
			rank++
		}
	}
	return rank
}

// A place is where somebody stands in that order.
type place struct {
	class int
	draw  ake.Hash
}

func (p place) before(o place) bool {
	if p.class != o.class {
		return p.class < o.class
	}
	return compareHashes(p.draw, o.draw) < 0
}

func (r *Room) turnOf(cid ake.Hash) place {
	var seed ake.Hash
	if r.head != nil {
		seed = r.head.commit.ID()
	}
	p := place{draw: ake.Sum("coterie/2 rank", seed[:], cid[:])}
	switch {
	case r.missed[cid] >= maxMissed:
		p.class = 2
	case r.head != nil && !r.head.lists(cid):
		p.class = 1
	}
	return p
}

// commit makes the next commit, takes it, and publishes it: PROTOCOL.md §8.
func (r *Room) commit(g *graph, list record.List) error {
	c := &record.Commit{Brief: record.Brief{Header: record.Header{
		Day: g.date, Height: g.height + 1, By: g.own.cid, Members: uint32(len(list)), List: list.Hash(),
	}}}
	var base record.List
	if h := r.head; h != nil && h.commit.Day == g.date {
		c.Base, base = h.commit.ID(), h.list
	}
	c.SetEvidence(r.removals(list))
	d := r.draw()
	c.Secret = ake.CommitSecret(c.Core(), d)
	c.Settle()
	c.Sign(r.id, r.working)
	if base != nil {
		c = c.Change(base, list)
	} else {
		c = c.Whole(list)
	}
	e := &epoch{commit: c, list: list, since: r.now, fits: true, mine: list.Index(g.own.cid), d: &d, gave: make(map[[32]byte]bool)}
	if !r.roomForCommit(g, c) {
		return errCommitsFull
	}
	r.derive(e)
	if e.keys == nil {
		e.erase()
		return nil
	}
	g.height = c.Height
	r.commits[c.ID()] = e
	r.pass(g, list)
	data := record.Encode(c)
	if len(data) > maxPublishedCommit {
		data = record.Encode(c.Bare())
	}
	r.publish(data)
	if at := r.lacksAt(g); !at.IsZero() && !at.After(r.now) {
		// Whoever withholds secrets makes us commit less and less often for it.
		r.waits = min(max(2*r.waits, tail(len(list))), maxPatience)
		r.patience = r.now.Add(r.waits)
	}
	r.handOver(e)
	r.chooseHead()
	r.flush()
	return nil
}

// pass notes who let their turn to commit go by: all whose slot was before ours.
func (r *Room) pass(g *graph, list record.List) {
	if r.turn.sponsor || len(r.missed) > maxNodes {
		return
	}
	order := make([]place, len(list))
	of := make(map[ake.Hash]ake.Hash, len(list)) // by draw
	for i := range list {
		order[i] = r.turnOf(list[i].CID)
		of[order[i].draw] = list[i].CID
	}
	slices.SortFunc(order, func(a, b place) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	mine := r.slot(slices.Index(order, r.turnOf(g.own.cid)))
	for rank, p := range order {
		if cid := of[p.draw]; cid != g.own.cid && r.slot(rank) < mine {
			r.missed[cid]++
		}
	}
}

// removals says why those of the head are not listed any more.
func (r *Room) removals(list record.List) []record.Evidence {
	if r.head == nil {
		return nil
	}
	g := r.graph(r.head.commit.Day)
	if g == nil {
		return nil
	}
	listed := make(map[ake.Hash]bool, len(list))
	for i := range list {
		listed[list[i].CID] = true
	}
	var out []record.Evidence
	for i := range r.head.list {
		if cid := r.head.list[i].CID; !listed[cid] {
			if ev, absent := r.absent(g, cid); absent {
				out = append(out, ev)
			}
		}
	}
	return out
}

// stale reports whether the head is old enough to be renewed: what was said under
// it until then can be read with what members' processes hold.
func (r *Room) stale(h *epoch) bool { return r.now.Sub(h.since) >= rotatePeriod }
