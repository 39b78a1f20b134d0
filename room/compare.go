package room

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

func (r *Room) sortedNeighbours() []peer.ID {
	return slices.Sorted(maps.Keys(r.neighbours))
}

// MembersNear are the neighbours that are members, of whichever day.
func (r *Room) MembersNear() map[peer.ID]bool {
	out := make(map[peer.ID]bool)
	for p, n := range r.neighbours {
		if r.inComponent(n.identity) {
			out[p] = true
		}
	}
	return out
}

// hello is what we say at the beginning of a comparison. Of what was said we speak
// inside a channel alone.
func (r *Room) hello(x *exchange) []byte {
	x.digest = r.offer(x.inside()).digest
	h := &record.Hello{Room: r.id, Notice: r.notices.number(), Digest: x.digest}
	if x.inside() {
		h.Logs = r.logsDigest(x.identity)
		r.lacks(h)
	}
	for _, d := range r.sortedDays() {
		if g := r.days[d]; g.own != nil && r.proves(d) {
			h.Days = append(h.Days, record.HelloDay{Period: d, CID: g.own.cid, Size: uint32(len(g.members()))})
		}
	}
	if r.head != nil {
		h.Head = r.head.commit.ID()
	}
	return h.Encode()
}

// inside reports whether a stream is in a channel, and so ends in a process that
// has proved itself, and not only in whoever has its identity key.
func (x *exchange) inside() bool { return x.working != [32]byte{} }

// records is the set we offer: what is kept of each day, each contribution
// after an edge to it (§6.1), then presences, names if they may be told, and
// our head.
func (r *Room) records(names bool) []record.Record {
	var out []record.Record
	var workings [][32]byte
	seen := make(map[[32]byte]bool)
	for _, d := range r.sortedDays() {
		all := r.days[d].walk()
		out = append(out, all...)
		for _, rec := range all {
			if c, ok := rec.(*record.Contribution); ok && !seen[c.Working] {
				seen[c.Working] = true
				workings = append(workings, c.Working)
			}
		}
	}
	for _, w := range workings {
		p := r.processes[w]
		if p == nil {
			continue
		}
		for _, b := range p.offered() {
			out = append(out, b)
		}
		if names && p.name != nil {
			out = append(out, p.name)
		}
	}
	if h := r.head; h != nil {
		out = append(out, h.whole())
	}
	return out
}

// An offer is records, their ids in the same order, and their digest; and the working
// keys of their contributions, ascending.
type offer struct {
	version  uint64
	records  []record.Record
	ids      []ake.Hash
	digest   ake.Hash
	workings [][32]byte
}

// offer is what we offer, worked out anew when something has changed.
func (r *Room) offer(names bool) *offer {
	o := &r.offers[0]
	if names {
		o = &r.offers[1]
	}
	if o.records != nil && o.version == r.version && !r.newRecords {
		return o
	}
	*o = offer{version: r.version, records: r.records(names)}
	o.ids = make([]ake.Hash, len(o.records))
	for i, rec := range o.records {
		o.ids[i] = rec.ID()
		if c, ok := rec.(*record.Contribution); ok {
			o.workings = append(o.workings, c.Working)
		}
	}
	slices.SortFunc(o.workings, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	o.workings = slices.Compact(o.workings)
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
	return ake.Sum("coterie/2 digest", joined)
}

// compareFrame takes the frames of PROTOCOL.md §11.3, on a stream of either
// protocol. It returns false for what does not belong there.
func (r *Room) compareFrame(x *exchange, typ byte, body []byte) bool {
	switch typ {
	case record.FrameHello:
		return x.protocol == ProtocolSync && r.tookHello(x, body)
	case record.FrameAsk:
		return x.protocol == ProtocolSync && r.tookAsk(x, body)
	case record.FrameRecords:
		return r.tookRecords(x, body)
	case record.FrameNotice:
		return x.protocol == ProtocolSync && r.tookNotice(x, body)
	case record.FrameBeats:
		return r.tookBeats(x, body)
	case record.FrameWant:
		return x.protocol == ProtocolSync && r.tookWant(x, body)
	case record.FrameTerms:
		terms, err := record.ParseTerms(body)
		if err != nil || !x.inside() {
			return false
		}
		ch := r.channels.byKey[x.working]
		for i := range terms {
			if r.addTerm(&terms[i]) && ch != nil && ch.up {
				ch.termsKnown[terms[i].CID] = true
			}
			terms[i].Term.Erase()
		}
		return true
	case record.FrameSecret:
		return r.tookSecret(x, body)
	case record.FrameTranscript:
		return x.inside() && r.tookTranscript(x, body)
	case record.FrameLog:
		return x.inside() && r.tookLog(x, body)
	case record.FrameHave:
		return x.inside() && r.tookHave(x, body)
	case record.FrameTold:
		if x.sentHaves == 0 || len(body) > 0 {
			return false
		}
		x.sentHaves = 0
		r.endComparison(x)
		return true
	case record.FrameDone:
		if x.gotDone || len(body) > 0 {
			return false
		}
		x.gotDone = true
		if x.theirHello == nil {
			r.pushEnded(x)
			return true
		}
		r.endComparison(x)
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
			n.askedEarly = r.hasPendingCommit()
			n.compareAt, n.lastCompared = time.Time{}, r.now
		}
	}
	if !x.dialler {
		r.send(x, r.hello(x))
	}
	r.tellNotice(x)
	r.send(x, r.ask(x).Encode())
	return true
}

// ask is for what we lack, as far as the other's hello shows that there may be
// something.
func (r *Room) ask(x *exchange) *record.Ask {
	a := new(record.Ask)
	if o := r.offer(x.inside()); o.digest != x.theirHello.Digest {
		if r.mayTell(x, len(o.ids)*record.ShortID) {
			for i := range o.ids[:min(len(o.ids), record.MaxAskIDs)] {
				a.Have = append(a.Have, [record.ShortID]byte(o.ids[i][:]))
			}
		}
	} else if len(o.workings) <= record.MaxAskBeats && r.mayTell(x, len(o.workings)*4) {
		a.Beats = r.beats(o)
	}
	for _, d := range r.sortedDays() {
		for _, n := range r.days[d].roster() {
			if x.inside() && n.term == nil && len(a.Terms) < record.MaxMembers {
				a.Terms = append(a.Terms, n.contribution.ID())
			}
		}
	}
	if x.inside() {
		r.askLogs(x, a)
	}
	return a
}

// tookAsk answers an ask: records, then terms, then logs. It is long because what the other end is
// told depends on whether it is of our component, and comes through a channel; both are looked at once.
func (r *Room) tookAsk(x *exchange, body []byte) bool {
	a, err := record.ParseAsk(body)
	if err != nil || x.theirHello == nil || x.gotAsk {
		return false
	}
	x.gotAsk = true
	if r.inComponent(x.identity) {
		lives := make(map[*graph]bool)
		for _, g := range r.days {
			lives[g] = r.livesIn(g, x)
		}
		switch o := r.offer(x.inside()); {
		case len(a.Have) == 0 && len(a.Beats) > 0:
			// It has what our hello spoke of, and not what came since.
			if o.digest != x.digest {
				r.compareSoon(x.peer)
			}
		case o.digest != x.theirHello.Digest:
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
			r.sendRecords(x, lacks)
		}
		if x.inside() {
			var terms []ake.MemberTerm
			for _, cid := range a.Terms {
				for _, g := range r.days {
					if n := g.nodes[cid]; n != nil && n.term != nil && lives[g] && g.members()[cid] {
						terms = append(terms, ake.MemberTerm{CID: cid, Term: *n.term})
					}
				}
			}
			r.sendTerms(x, terms)
		}
	}
	r.tellBeats(x, a.Beats)
	if x.inside() {
		r.answerLogs(x, a)
	}
	r.send(x, []byte{record.FrameDone})
	x.sentDone = true
	r.endComparison(x)
	return true
}

// inComponent reports whether a peer is of our component on some day, gone or
// not.
func (r *Room) inComponent(identity [32]byte) bool {
	for _, g := range r.days {
		for _, c := range g.byIdentity[identity] {
			if g.members()[c.ID()] {
				return true
			}
		}
	}
	return false
}

// isKnown reports whether a contribution of a peer is kept: somebody vouched for it, whether
// we list it or not.
func (r *Room) isKnown(identity [32]byte) bool {
	for _, g := range r.days {
		if len(g.byIdentity[identity]) > 0 {
			return true
		}
	}
	return false
}

// livesIn reports whether the process at the other end of a channel is a living
// member of a day.
func (r *Room) livesIn(g *graph, x *exchange) bool {
	ch := r.channels.byKey[x.working]
	return ch != nil && r.livesAs(g, ch)
}

// pushEnded: the other end told us something unasked, and that was all. Whoever has
// just proved itself to us is no longer waited for.
func (r *Room) pushEnded(x *exchange) {
	if x.inside() && !x.dialler && x.tellsAll {
		delete(r.committing.awaiting, x.working)
	}
	r.hangUp(x)
}

func (r *Room) sendTerms(x *exchange, terms []ake.MemberTerm) {
	slices.SortFunc(terms, func(a, b ake.MemberTerm) int { return compareHashes(a.CID, b.CID) })
	for chunk := range slices.Chunk(terms, record.MaxMembers) {
		r.send(x, record.EncodeTerms(chunk))
	}
}

func (r *Room) tookRecords(x *exchange, body []byte) bool {
	fields, err := record.ParseFields(body)
	if err != nil {
		return false
	}
	pace := r.checks(x)
	for _, f := range fields {
		rec, err := record.Parse(f)
		if err != nil {
			return false
		}
		if pace.refill(r.now, recordRate, recordsAtOnce); pace.tokens < 1 {
			return true // each signature takes time: the rest waits for another comparison
		}
		if c, ok := rec.(*record.Contribution); ok && c.Identity == x.identity {
			x.tellsAll = true // it tells all it knows, itself included
		}
		o := r.add(rec)
		switch o {
		case refused:
			return false
		case kept:
			pace.tokens -= costOf(rec)
		}
		if c, ok := rec.(*record.Commit); ok && o == kept {
			if e := r.commits[c.ID()]; !e.hasList() && e.d == nil {
				e.viaSync = true
			}
		}
	}
	return true
}

// endComparison ends a comparison when both have said all.
func (r *Room) endComparison(x *exchange) {
	if !x.gotDone || !x.sentDone {
		return
	}
	if r.sendTold(x); x.sentHaves > 0 {
		return
	}
	if n := r.neighbours[x.peer]; n != nil {
		n.compared = true
	}
	r.hangUp(x)
}
