package room

import (
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// turn is whose turn it is to commit, and when: PROTOCOL.md §8.3.
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
	prevs := r.prevs(g, list)
	if len(list) < 2 || len(r.neighbours) == 0 || !r.needed(g, list, prevs) {
		r.turn.first, r.turn.sponsor = time.Time{}, false
		return
	}
	if want := ake.Sum("coterie/1 want", cidBytes(list)); r.turn.first.IsZero() || want != r.turn.want {
		if r.turn.first.IsZero() {
			r.turn.first = r.now
		}
		r.turn.want, r.turn.latest = want, r.now
	}
	at := maxTime(r.dueAt(g, list, prevs), r.toldBy(list, prevs))
	if at.After(r.now) {
		if at.Before(r.considerAt) {
			r.considerAt = at
		}
		r.wakeAt(r.considerAt)
		return
	}
	r.turn.first, r.turn.sponsor = time.Time{}, false
	if err := r.commit(g, list, prevs); err != nil {
		r.emit(Failed{Doing: "starting a new epoch", Err: err})
	}
}

// dueAt is when it is our turn: a sponsor's at once, the others' after a quiet
// time and by rank; nobody's too soon after the last epoch.
func (r *Room) dueAt(g *graph, list record.List, prevs []*epoch) time.Time {
	n := len(list)
	var earliest time.Time
	if !r.turn.last.IsZero() {
		earliest = r.turn.last.Add(leastDistance(n))
	}
	if calm := r.turn.last.IsZero() || r.turn.first.Sub(r.turn.last) > tail(n); calm && r.turn.sponsor {
		return maxTime(r.turn.first, earliest)
	}
	wait := quiet
	if !r.hurry(prevs) {
		wait = tail(n) / 2
	}
	at := r.turn.latest.Add(wait)
	if longest := r.turn.first.Add(2 * tail(n)); at.After(longest) {
		at = longest
	}
	at = maxTime(at, earliest.Add(quiet))
	return at.Add(time.Duration(r.rank(g, list, prevs)) * 2 * tail(n))
}

// hurry reports whether somebody waits for the next epoch: all of a room that
// has none yet, or that may not send under the last. Otherwise those who are
// about to come may come into the same one.
func (r *Room) hurry(prevs []*epoch) bool {
	return len(prevs) == 0 || r.head != nil && !r.maySend()
}

// toldBy is until when we wait for somebody who has just proved itself, and is
// telling us of those it knows: they belong into the same commit. So does what
// another's commit refers to that we do not know yet, unless somebody is kept
// from sending. Whoever makes up such commits makes nobody wait for ever.
func (r *Room) toldBy(list record.List, prevs []*epoch) (at time.Time) {
	underway := 2 * tail(len(list))
	if !r.hurry(prevs) {
		for _, e := range r.commits {
			// What comes among other records may rest on what nobody keeps any more.
			if e.status != accepted && e.signed && !e.compared && (r.head == nil || better(e, r.head)) {
				at = maxTime(at, e.since.Add(underway))
			}
		}
		for _, x := range r.exchanges {
			if x.wants != (ake.Hash{}) {
				at = maxTime(at, x.began.Add(underway))
			}
		}
	}
	for _, x := range r.exchanges {
		if !x.admitted.IsZero() {
			at = maxTime(at, x.admitted.Add(tellTime))
		}
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
	for _, cid := range r.living(g) {
		n := g.nodes[cid]
		p := r.processes[n.contribution.Working]
		if n.term == nil || p == nil || p.newest == nil || len(list) == record.MaxMembers {
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

// prevs are the accepted commits of the day that the next one builds on: the
// loose ones whose members we can keep or show the removal of, the greatest
// four.
func (r *Room) prevs(g *graph, list record.List) []*epoch {
	var out []*epoch
	listed := make(map[ake.Hash]bool, len(list))
	for i := range list {
		listed[list[i].CID] = true
	}
	for _, e := range r.commits {
		if e.commit.Day == g.date && r.loose(e) && r.covers(g, listed, e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *epoch) int {
		if better(a, b) {
			return -1
		}
		return 1
	})
	return out[:min(len(out), record.MaxPrevs)]
}

// covers reports whether everybody in e's list is listed or is gone for a
// reason.
func (r *Room) covers(g *graph, listed map[ake.Hash]bool, e *epoch) bool {
	for i := range e.list {
		cid := e.list[i].CID
		if !listed[cid] {
			if _, absent := r.absent(g, cid); !absent {
				return false
			}
		}
	}
	return true
}

// needed reports whether a commit would change anything: the members differ
// from the head's, or an accepted commit that would pass ours over is better
// than the head.
func (r *Room) needed(g *graph, list record.List, prevs []*epoch) bool {
	h := r.head
	if h == nil || h.commit.Day != g.date || string(cidBytes(list)) != string(cidBytes(h.list)) {
		return true
	}
	return r.stale(h) || len(prevs) > 0 && prevs[0] != h && better(prevs[0], h)
}

// rank is our place in the order in which members commit: those of the greatest
// prev first, since who is new may not hear of everything yet.
func (r *Room) rank(g *graph, list record.List, prevs []*epoch) int {
	var joined []byte
	for _, p := range sortedIDs(prevs) {
		joined = append(joined, p[:]...)
	}
	draw := func(cid ake.Hash) ake.Hash { return ake.Sum("coterie/1 rank", joined, cid[:]) }
	old := func(cid ake.Hash) bool { return len(prevs) == 0 || prevs[0].lists(cid) }
	mine, here := draw(g.own.cid), old(g.own.cid)
	rank := 0
	for i := range list {
		cid := list[i].CID
		if was := old(cid); was && !here || was == here && compareHashes(draw(cid), mine) < 0 {
			rank++
		}
	}
	return rank
}

func sortedIDs(es []*epoch) []ake.Hash {
	var ids []ake.Hash
	for _, e := range es {
		ids = append(ids, e.commit.ID())
	}
	slices.SortFunc(ids, compareHashes)
	return ids
}

// commit makes the next commit, takes it, and publishes it: PROTOCOL.md §8.
func (r *Room) commit(g *graph, list record.List, prevs []*epoch) error {
	var height uint64
	for _, p := range prevs {
		height = max(height, p.commit.Height)
	}
	c := &record.Commit{Header: record.Header{
		Day: g.date, Height: height + 1, Prevs: sortedIDs(prevs), By: g.own.cid,
		Members: uint32(len(list)), List: list.Hash(),
	}}
	c.SetEvidence(r.removals(g, list, prevs))
	c.Base, c.Changes = record.WholeList, list
	if len(prevs) > 0 {
		c.Base = byte(slices.Index(c.Prevs, prevs[0].commit.ID()))
		c.Changes = changes(prevs[0].list, list)
	}

	e := &epoch{commit: c, list: list, since: r.now, mine: list.Index(g.own.cid), sid: r.sid(g, list)}
	d := r.draw()
	defer d.Erase()
	core := &ake.Core{SID: e.sid, Height: c.Height, Prevs: c.Prevs, By: c.By}
	key := core.OneTimeKey(d)
	defer key.Erase()
	c.OneTime = key.Public
	h := c.Header.Hash()
	var err error
	if c.Wraps, err = ake.Wrap(d, key, h, r.recipients(g, list, c.By)); err != nil {
		return err
	}
	if c.Sealed, err = ake.Seal(d, h, r.missing(g, list, prevs)); err != nil {
		return err
	}
	c.Settle()
	secret, known, err := r.epochSecret(g, e, d)
	if err != nil || !known {
		return err
	}
	defer secret.Erase()
	c.Tag = ake.Confirm(secret, c.ID())
	c.Sign(r.id, r.working)
	r.useSecret(e, secret)
	e.status, e.signed = accepted, true
	r.commits[c.ID()] = e
	r.accepted(e)
	if data := record.Encode(c); len(data) <= maxPublishedCommit {
		r.publish(data)
	} else {
		r.publish(c.News().Append([]byte{record.TypeNews}))
	}
	r.chooseHead()
	r.flush()
	return nil
}

// removals says why those who were listed are not any more.
func (r *Room) removals(g *graph, list record.List, prevs []*epoch) []record.Evidence {
	var out []record.Evidence
	seen := make(map[ake.Hash]bool)
	for _, p := range prevs {
		for i := range p.list {
			cid := p.list[i].CID
			if seen[cid] || list.Index(cid) >= 0 {
				continue
			}
			seen[cid] = true
			if ev, absent := r.absent(g, cid); absent {
				out = append(out, ev)
			}
		}
	}
	return out
}

// missingCIDs are those listed who are missing from some prev's list,
// ascending: its members may not have been told their terms.
func missingCIDs(list record.List, prevs []*epoch) []ake.Hash {
	in := make(map[ake.Hash]int)
	for _, p := range prevs {
		for i := range p.list {
			in[p.list[i].CID]++
		}
	}
	var out []ake.Hash
	for i := range list {
		if n := in[list[i].CID]; n == 0 || n < len(prevs) {
			out = append(out, list[i].CID)
		}
	}
	slices.SortFunc(out, compareHashes)
	return out
}

// missing are their terms.
func (r *Room) missing(g *graph, list record.List, prevs []*epoch) []ake.SealedTerm {
	var out []ake.SealedTerm
	for _, cid := range missingCIDs(list, prevs) {
		out = append(out, ake.SealedTerm{CID: cid, Term: *g.nodes[cid].term})
	}
	return out
}

// changes are the entries of list that are not in base.
func changes(base, list record.List) record.List {
	had := make(map[record.Entry]bool, len(base))
	for _, e := range base {
		had[e] = true
	}
	var out record.List
	for _, e := range list {
		if !had[e] {
			out = append(out, e)
		}
	}
	return out
}
