package room

import (
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

func (r *Room) sortedNeighbours() []peer.ID {
	ids := make([]peer.ID, 0, len(r.neighbours))
	for p := range r.neighbours {
		ids = append(ids, p)
	}
	slices.Sort(ids)
	return ids
}

// schedule begins the comparisons that are due and sees to being woken for the
// next: PROTOCOL.md §11.2.
func (r *Room) schedule() {
	ready := false
	for _, g := range r.days {
		ready = ready || g.own != nil
	}
	if !ready {
		return // nothing to say yet
	}
	if !r.now.Before(r.compareAt) {
		if ids := r.sortedNeighbours(); len(ids) > 0 {
			n := r.neighbours[ids[r.random(len(ids))]]
			n.compareAt = r.now
		}
		r.compareAt = r.now.Add(comparePeriod)
	}
	busy := r.comparing()
	for _, n := range r.neighbours {
		if n.behind {
			r.catchUp(maps.Clone(busy))
			break
		}
	}
	for _, p := range r.sortedNeighbours() {
		n := r.neighbours[p]
		if n.compareAt.IsZero() || busy[p] {
			continue // it is tried again when the one under way has ended
		}
		due := maxTime(n.compareAt, n.lastTime.Add(compareSoon))
		if due.After(r.now) {
			r.wakeAt(due)
			continue
		}
		x := r.open(n.id, ProtocolCompare)
		n.lastTime, n.compareAt = r.now, time.Time{}
		r.send(x, r.hello(x.identity))
		r.tellBeats(x)
	}
	r.wakeAt(r.compareAt)
	r.wakeAt(r.beatAt)
	for _, x := range r.exchanges {
		r.wakeAt(x.limit())
	}
	for _, t := range r.renewAt {
		if t.After(r.now) {
			r.wakeAt(t)
		}
	}
}

// askSoon makes sure that a peer is compared with soon, since it sent something
// that refers to what we do not know; or, if it is no neighbour, any other.
func (r *Room) askSoon(p peer.ID) {
	n := r.neighbours[p]
	if n == nil {
		ids := r.sortedNeighbours()
		if len(ids) == 0 {
			return
		}
		n = r.neighbours[ids[r.random(len(ids))]]
	}
	if n.compareAt.IsZero() || n.compareAt.After(r.now) {
		n.compareAt = r.now
	}
}

// puzzled reports whether there is a commit that refers to what we do not know.
func (r *Room) puzzled() bool {
	for _, e := range r.commits {
		if e.status != accepted {
			return true
		}
	}
	return false
}

// spread compares at once with the neighbours that may need us to understand the
// head: those that asked too early, and all that have another, if it did not come
// over the topic or joins two components.
func (r *Room) spread(all bool) {
	id := r.head.commit.ID()
	for _, n := range r.neighbours {
		n.behind = n.waits || all && n.hello != nil && n.hello.Head != id
		n.waits = false
	}
}

// catchUp lets those who are behind be compared with at once, a few at a time:
// these help the others.
func (r *Room) catchUp(busy map[peer.ID]bool) {
	ids := r.sortedNeighbours()
	ids = slices.DeleteFunc(ids, func(p peer.ID) bool { return !r.neighbours[p].behind })
	for len(ids) > 0 && len(busy) < maxSpread {
		i := r.random(len(ids))
		if n := r.neighbours[ids[i]]; n.hello != nil && n.hello.Head == r.head.commit.ID() {
			n.behind = false
		} else if !busy[n.id] {
			n.behind, n.compareAt, n.lastTime = false, r.now, time.Time{}
			busy[n.id] = true
		}
		ids = slices.Delete(ids, i, i+1)
	}
}

// comparing are the peers with which a comparison is under way.
func (r *Room) comparing() map[peer.ID]bool {
	busy := make(map[peer.ID]bool)
	for _, x := range r.exchanges {
		if x.protocol == ProtocolCompare && (x.dialler && x.wants == ake.Hash{} || x.theirHello != nil) {
			busy[x.peer] = true
		}
	}
	return busy
}

// hello is what we say to one peer. The signature shows that we are the process
// we say we are: the stream alone shows no more than our identity key, which is
// on a disk.
func (r *Room) hello(to [32]byte) []byte {
	h := &record.Hello{Room: r.id, Digest: r.offer(true).digest, Logs: r.logsDigest(to)}
	for _, d := range r.sortedDays() {
		if g := r.days[d]; g.own != nil && r.proves(d) {
			h.Days = append(h.Days, record.HelloDay{Day: d, CID: g.own.cid, Size: uint32(len(g.members()))})
		}
	}
	if r.head != nil {
		h.Head = r.head.commit.ID()
	}
	h.Sign(to, r.working)
	return h.Encode()
}

// records is the set we offer: what is kept of each day, each contribution
// after an edge to it (§6.1), then presences, names if they may be told, and
// the commits on which the next would rest, with those these name.
func (r *Room) records(names bool) []record.Record {
	var out []record.Record
	var workings [][32]byte
	seen := make(map[[32]byte]bool)
	for _, d := range r.sortedDays() {
		r.days[d].walk(func(c *record.Contribution) {
			out = append(out, c)
			if !seen[c.Working] {
				seen[c.Working] = true
				workings = append(workings, c.Working)
			}
		}, func(e *record.Edge) { out = append(out, e) })
	}
	for _, w := range workings {
		p := r.processes[w]
		if p == nil {
			continue
		}
		for _, id := range sortedHashes(p.bodies) {
			out = append(out, p.bodies[id])
		}
		if names && p.name != nil {
			out = append(out, p.name)
		}
	}
	for _, e := range r.foundations() {
		out = append(out, e.commit.Whole(e.list))
	}
	return out
}

// An offer is records, their ids in the same order, and their digest.
type offer struct {
	stamp   uint64
	records []record.Record
	ids     []ake.Hash
	digest  ake.Hash
}

// offer is what we offer, worked out anew when something has changed.
func (r *Room) offer(names bool) *offer {
	o := &r.offers[0]
	if names {
		o = &r.offers[1]
	}
	if o.records != nil && o.stamp == r.stamp && !r.changed {
		return o
	}
	*o = offer{stamp: r.stamp, records: r.records(names)}
	o.ids = make([]ake.Hash, len(o.records))
	for i, rec := range o.records {
		o.ids[i] = rec.ID()
	}
	o.digest = digest(o.ids)
	return o
}

func digest(ids []ake.Hash) ake.Hash {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, compareHashes)
	joined := make([]byte, 0, len(sorted)*ake.HashSize)
	for i := range sorted {
		joined = append(joined, sorted[i][:]...)
	}
	return ake.Sum("coterie/1 digest", joined)
}

// compareFrame takes the frames of PROTOCOL.md §11.2, on a stream of either
// protocol. It returns false for what does not belong there.
func (r *Room) compareFrame(x *exchange, typ byte, body []byte) bool {
	switch typ {
	case record.FrameHello:
		return x.protocol == ProtocolCompare && r.tookHello(x, body)
	case record.FrameAsk:
		return x.protocol == ProtocolCompare && r.tookAsk(x, body)
	case record.FrameRecords:
		return r.tookRecords(x, body)
	case record.FrameBeats:
		return r.tookBeats(body)
	case record.FrameWant:
		return x.protocol == ProtocolCompare && r.tookWant(x, body)
	case record.FrameTerms:
		terms, err := record.ParseTerms(body)
		if err != nil || !r.isMember(x.identity) {
			return err == nil
		}
		for i := range terms {
			r.addTerm(&terms[i])
		}
		return true
	case record.FrameTranscript:
		return x.protocol == ProtocolCompare && r.tookTranscript(x, body)
	case record.FrameLog:
		return x.protocol == ProtocolCompare && r.tookLog(x, body)
	case record.FrameHave:
		return x.protocol == ProtocolCompare && r.tookHave(x, body)
	case record.FrameTold:
		if x.haves == 0 {
			return false
		}
		x.haves = 0
		r.compared(x)
		return true
	case record.FrameDone:
		if x.done {
			return false
		}
		x.done = true
		if x.protocol == ProtocolProve {
			return r.toldAll(x)
		}
		r.compared(x)
		return true
	}
	return false
}

func (r *Room) tookHello(x *exchange, body []byte) bool {
	h, err := record.ParseHello(body)
	if err != nil || h.Room != r.id || x.theirHello != nil {
		return false
	}
	x.theirHello = h
	if n := r.neighbours[x.peer]; n != nil {
		n.hello, n.compared = h, false
		n.differs.note(r.head, h.Head, r.now)
		if !x.dialler {
			n.waits = r.puzzled()
			n.compareAt, n.lastTime = time.Time{}, r.now
		}
	}
	if !x.dialler {
		r.send(x, r.hello(x.identity))
		r.tellBeats(x)
	}
	if n := r.neighbours[x.peer]; n != nil && h.Digest == r.offer(true).digest {
		n.beatsTold = x.began // it knows all whose beats it was told, and so could take them
	}
	r.send(x, r.ask(x).Encode())
	return true
}

// ask is for what we lack, as far as the other's hello shows that there may be
// something.
func (r *Room) ask(x *exchange) *record.Ask {
	a := new(record.Ask)
	if o := r.offer(true); o.digest != x.theirHello.Digest {
		for i := range o.ids[:min(len(o.ids), record.MaxAskIDs)] {
			a.Have = append(a.Have, [record.ShortID]byte(o.ids[i][:]))
		}
	}
	for _, g := range r.days {
		for _, cid := range g.cids() {
			if g.nodes[cid].term == nil && len(a.Terms) < record.MaxMembers {
				a.Terms = append(a.Terms, cid)
			}
		}
	}
	r.askLogs(x, a)
	return a
}

func (r *Room) tookAsk(x *exchange, body []byte) bool {
	a, err := record.ParseAsk(body)
	if err != nil || x.theirHello == nil || x.asked {
		return false
	}
	x.asked = true
	if r.inComponent(x.identity) {
		member, lives := false, make(map[*graph]bool)
		for _, g := range r.days {
			lives[g] = r.livesIn(g, x)
			member = member || lives[g]
		}
		if o := r.offer(member); o.digest != x.theirHello.Digest {
			has := make(map[[record.ShortID]byte]bool, len(a.Have))
			for _, id := range a.Have {
				has[id] = true
			}
			var lacks []record.Record
			for i, id := range o.ids {
				if !has[[record.ShortID]byte(id[:])] {
					lacks = append(lacks, o.records[i])
				}
			}
			r.send(x, record.EncodeRecords(lacks)...)
		}
		if member {
			var terms []ake.SealedTerm
			for _, cid := range a.Terms {
				for _, g := range r.days {
					if n := g.nodes[cid]; n != nil && n.term != nil && lives[g] && g.members()[cid] {
						terms = append(terms, ake.SealedTerm{CID: cid, Term: *n.term})
					}
				}
			}
			r.sendTerms(x, terms)
		}
	}
	// Entitlement is by epoch, whatever has become of the peer since.
	r.answerLogs(x, a)
	r.send(x, []byte{record.FrameDone})
	x.answered = true
	r.compared(x)
	return true
}

// inComponent reports whether a peer is of our component on some day, gone or
// not.
func (r *Room) inComponent(identity [32]byte) bool {
	for _, g := range r.days {
		for _, c := range g.of[identity] {
			if g.members()[c.ID()] {
				return true
			}
		}
	}
	return false
}

// speaks is the working key that the process at the other end has shown to
// have.
func (r *Room) speaks(x *exchange) (working [32]byte, ok bool) {
	if x.theirHello == nil || x.shown {
		return x.working, x.shown
	}
	for _, d := range x.theirHello.Days {
		g := r.graph(d.Day)
		if g == nil {
			continue
		}
		c := g.contribution(d.CID)
		if c != nil && c.Identity == x.identity && x.theirHello.Verify(r.own, c.Working) == nil {
			x.working, x.shown = c.Working, true
			break
		}
	}
	return x.working, x.shown
}

// livesIn reports whether the process at the other end, and not only its peer,
// is a living member of a day.
func (r *Room) livesIn(g *graph, x *exchange) bool {
	working, ok := r.speaks(x)
	if !ok {
		return false
	}
	for cid := range g.members() {
		if c := g.contribution(cid); c.Identity == x.identity && c.Working == working {
			_, gone := r.gone(g, cid)
			return !gone
		}
	}
	return false
}

func (r *Room) sendTerms(x *exchange, terms []ake.SealedTerm) {
	slices.SortFunc(terms, func(a, b ake.SealedTerm) int { return compareHashes(a.CID, b.CID) })
	for chunk := range slices.Chunk(terms, record.MaxMembers) {
		r.send(x, record.EncodeTerms(chunk))
	}
}

func (r *Room) tookRecords(x *exchange, body []byte) bool {
	fields, err := record.ParseFields(body)
	if err != nil {
		return false
	}
	for _, f := range fields {
		rec, err := record.Parse(f)
		if err != nil {
			return false
		}
		o := r.add(rec)
		if o == refused {
			return false
		}
		if c, ok := rec.(*record.Commit); ok && o == kept && !r.wanted[c.ID()] {
			r.commits[c.ID()].compared = true
		}
	}
	return true
}

// compared ends a comparison when both have said all.
func (r *Room) compared(x *exchange) {
	if !x.done || !x.answered {
		return
	}
	if r.tell(x); x.haves > 0 {
		return
	}
	if n := r.neighbours[x.peer]; n != nil {
		n.compared = true
	}
	r.hangUp(x)
}
