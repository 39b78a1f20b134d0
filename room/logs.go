package room

import (
	"encoding/binary"
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Two peers compare their transcripts: PROTOCOL.md §11.4. Each names, by digest,
// those that the other may read too. One that the other lacks is sent whole; of
// one that differs each says how much it holds, and is sent the rest.

// mayShare reports whether a transcript is for a peer, going by its identity
// alone: what is named to it; mayRead says what is sent.
func (r *Room) mayShare(t *transcript, identity [32]byte) bool {
	return t.count > 0 && (r.isHistory(t) || t.reader && t.reads(identity))
}

// logsDigest is over the transcripts that a peer may read too. Both ends come to
// the same if they hold the same.
func (r *Room) logsDigest(identity [32]byte) ake.Hash {
	var fields [][]byte
	if r.inComponent(identity) {
		for _, id := range sortedHashes(r.logs.transcripts) {
			if t := r.logs.transcripts[id]; r.mayShare(t, identity) {
				d := t.sum(r.id)
				fields = append(fields, t.id[:], d[:])
			}
		}
	}
	return ake.Sum("coterie/2 logs", fields...)
}

// mayRead reports whether the other end may be told what was said in an epoch:
// the processes it lists, and later ones of the same peers, once everybody can
// see these; and, as members of that period or a later one, who was away, and all, as
// far as the room's history goes.
func (r *Room) mayRead(t *transcript, x *exchange) bool {
	listed := t.reader && t.lists(x.identity)
	for _, g := range r.days {
		if r.livesIn(g, x) {
			wasAway := t.reader && t.Away.Of(x.identity) >= 0
			if listed || g.isNoEarlier(t.Brief.Period) && (wasAway || r.isHistory(t)) {
				return true
			}
		}
	}
	if !listed {
		return false
	}
	for _, c := range t.Authors {
		if c.Identity == x.identity {
			return c.Working == x.working
		}
	}
	return false
}

// askLogs names what we hold, if it is not what the other holds.
func (r *Room) askLogs(x *exchange, a *record.Ask) {
	h := x.theirHello
	if h.Logs == r.logsDigest(x.identity) {
		r.noteReceipts(x.identity)
		r.compareAbsence(x)
		return
	}
	a.Logs = true
	var all []*transcript
	for _, id := range sortedHashes(r.logs.transcripts) {
		if t := r.logs.transcripts[id]; t.count > 0 && r.mayRead(t, x) {
			all = append(all, t)
		}
	}
	for _, t := range r.choosePart(a, all) {
		a.Transcripts = append(a.Transcripts, record.AskTranscript{Epoch: t.id, Digest: t.sum(r.id)})
	}
	// Those that are over here are named without a digest: they are not wanted.
	for id := range r.logs.dropped {
		if a.Covers(id) && r.logs.transcripts[id] == nil {
			a.Transcripts = append(a.Transcripts, record.AskTranscript{Epoch: id})
		}
	}
	slices.SortFunc(a.Transcripts, func(x, y record.AskTranscript) int { return compareHashes(x.Epoch, y.Epoch) })
}

// choosePart chooses what to ask about, where that is not all: half are those whose
// epochs begin with bits drawn at random, so that in time every one has its turn;
// the others those of which something was heard last, of each branch in turn.
func (r *Room) choosePart(a *record.Ask, all []*transcript) []*transcript {
	if len(all)+len(r.logs.dropped) <= record.MaxTranscripts {
		return all
	}
	drawn := r.draw()
	at := binary.BigEndian.Uint32(drawn.Bytes())
	covered := record.MaxTranscripts
	for covered > record.MaxTranscripts/2 && a.Bits < 32 {
		a.Bits++
		a.Prefix = at >> (32 - a.Bits) << (32 - a.Bits)
		covered = 0
		for _, t := range all {
			if a.Covers(t.id) {
				covered++
			}
		}
		for id := range r.logs.dropped {
			if a.Covers(id) && r.logs.transcripts[id] == nil {
				covered++
			}
		}
	}
	var out, others []*transcript
	for _, t := range all {
		if a.Covers(t.id) {
			out = append(out, t)
		} else {
			others = append(others, t)
		}
	}
	slices.SortStableFunc(others, func(t, o *transcript) int { return o.heardAt.Compare(t.heardAt) })
	turns := make(map[*account]int)
	turn := make(map[*transcript]int, len(others))
	for _, t := range others {
		turn[t] = turns[t.owner]
		turns[t.owner]++
	}
	slices.SortStableFunc(others, func(t, o *transcript) int { return turn[t] - turn[o] })
	return append(out, others[:min(len(others), max(record.MaxTranscripts-covered, 0))]...)
}

// answerLogs answers what the other end named. It is long because there are four answers for a
// transcript: all of it, nothing, that we have the same, and what we have.
func (r *Room) answerLogs(x *exchange, a *record.Ask) {
	if !a.Logs {
		return
	}
	x.budget = min(x.budget, r.logAllowance(x.identity))
	named := make(map[ake.Hash]ake.Hash, len(a.Transcripts))
	for _, t := range a.Transcripts {
		named[t.Epoch] = t.Digest
	}
	for _, id := range sortedHashes(r.logs.transcripts) {
		t := r.logs.transcripts[id]
		if t.count == 0 || !r.mayRead(t, x) {
			continue
		}
		theirs, ok := named[id]
		switch {
		case !ok:
			n := r.neighbours[x.peer]
			if !a.Covers(id) && r.now.Sub(t.heardAt) > resendTranscript {
				continue // it may have it, and asks about it in its turn
			}
			if x.budget <= 0 || n != nil && r.now.Sub(n.sentWhole[id]) < resendTranscript {
				continue // at another comparison
			}
			if n != nil {
				if n.sentWhole == nil || len(n.sentWhole) >= maxTranscripts {
					n.sentWhole = make(map[ake.Hash]time.Time)
				}
				n.sentWhole[id] = r.now
				x.sentWhole = append(x.sentWhole, id)
			}
			r.sendLogs(x, t.Append([]byte{record.FrameTranscript}))
			for i := range t.logs {
				r.sendLog(x, t, i, &record.Held{})
			}
		case theirs == ake.Hash{}:
		case theirs == t.sum(r.id):
			r.noteReceipt(t, x.identity, t.ownHave())
		default:
			if x.budget > 0 {
				x.sentHaves++
				r.sendLogs(x, (&record.Have{Epoch: id, Held: t.have()}).Encode())
			}
		}
	}
}

// have is how much is held, by place in the list.
func (t *transcript) have() []record.Held {
	out := make([]record.Held, len(t.List))
	for i := range t.logs {
		out[i] = t.log(i).held()
	}
	return out
}

// tookHave sends what the other end lacks of a transcript.
func (r *Room) tookHave(x *exchange, body []byte) bool {
	h, err := record.ParseHave(body)
	if err != nil || !x.gotAsk || x.sentTold || x.gotHaves >= record.MaxTranscripts {
		return false
	}
	x.gotHaves++
	x.budget = min(x.budget, r.logAllowance(x.identity))
	t := r.logs.transcripts[h.Epoch]
	if t == nil || len(h.Held) != len(t.List) || !r.mayRead(t, x) {
		return true // dropped since it was named
	}
	for i := range t.logs {
		r.sendLog(x, t, i, &h.Held[i])
	}
	if t.ownIndex >= 0 {
		r.noteReceipt(t, x.identity, h.Held[t.ownIndex].Upto)
	}
	return true
}

// sendLog sends of one author's log what the other end does not hold.
func (r *Room) sendLog(x *exchange, t *transcript, index int, theirs *record.Held) {
	l := t.log(index)
	same := theirs.Upto <= l.have() && theirs.Chain == l.chainAt(theirs.Upto)
	if theirs.Upto > l.have() || same {
		r.sendRange(x, t, index, theirs, same, theirs.Upto+1, l.highest())
	} else {
		// The author said different things to the two of us, somewhere before. Where
		// is not known, and what they said may be more than is sent in one comparison:
		// so it begins anywhere.
		at := 1 + uint64(r.random(int(max(l.highest(), 1))))
		r.sendRange(x, t, index, theirs, false, at, l.highest())
		r.sendRange(x, t, index, theirs, false, 1, at-1)
	}
	for _, m := range l.secondMessages {
		if x.budget <= 0 {
			break
		}
		r.sendBody(x, m) // what shows that the author says different things to different people
	}
}

// sendRange sends messages with counters from .. to, but those that the other end
// holds as we do.
func (r *Room) sendRange(x *exchange, t *transcript, index int, theirs *record.Held, same bool, from, last uint64) {
	l := t.log(index)
	for from <= last && x.budget > 0 {
		to := min(last, from+sendAtOnce-1)
		var read []*record.Signed
		for c := from; c <= to; c++ {
			if _, ok := l.id(c); ok && l.bodies[c] == nil {
				read = r.bodies(t, index, from, to)
				break
			}
		}
		for c := from; c <= to && x.budget > 0; c++ {
			if theirs.Has(c) && same {
				continue
			}
			id, ok := l.id(c)
			if !ok {
				continue
			}
			m := l.bodies[c]
			for i := 0; m == nil && i < len(read); i++ {
				if read[i].Counter == c && read[i].ID(r.id) == id {
					m = read[i]
				}
			}
			if m != nil {
				r.sendBody(x, m)
			}
		}
		from = to + 1
	}
}

func (r *Room) sendBody(x *exchange, m *record.Signed) {
	r.sendLogs(x, m.AppendLog([]byte{record.FrameLog}))
}

// sendLogs sends a frame at the cost of the budget and of the peer's allowance.
func (r *Room) sendLogs(x *exchange, frame []byte) {
	x.budget -= len(frame)
	r.servedLogs(x.identity, len(frame))
	r.send(x, frame)
}

// sendTold says that all haves were answered, after the other end has sent its last.
func (r *Room) sendTold(x *exchange) {
	if x.gotDone && x.sentDone && !x.sentTold && x.gotHaves > 0 {
		x.sentTold = true
		r.send(x, []byte{record.FrameTold})
	}
}

// tookTranscript takes who was in an epoch that we do not know: one that lists
// this peer, or that the room's history gives to all. Whoever serves it may have
// made it up, but for what others say in it.
func (r *Room) tookTranscript(x *exchange, body []byte) bool {
	head, err := record.ParseTranscript(r.id, body)
	if err != nil {
		return false
	}
	id := head.Brief.ID()
	if _, over := r.logs.dropped[id]; over || r.logs.transcripts[id] != nil || !r.inComponent(x.identity) ||
		!r.keepsDay(head.Brief.Period.Day()) {
		return true
	}
	t := &transcript{Transcript: head, id: id, servedBy: x.identity}
	if !t.reads(r.identity) && r.cfg.Descriptor.History == 0 {
		return true
	}
	unknown := r.uncheckedAuthors(head)
	if !r.mayCheck(r.serverAccount(x.identity), 1+len(unknown)+len(head.Names)) {
		return true // at another comparison
	}
	if head.VerifyOf(r.id, unknown) != nil {
		return false
	}
	t.past = !t.reads(r.identity) || !r.allProved(head)
	r.keepTranscript(t)
	return true
}

// allProved reports whether everybody in an epoch is known to have proved itself.
// Of other days, and of those whom nobody remembers who is here, we have the word
// of the member that serves the transcript; what they said is shown as history,
// with its name.
func (r *Room) allProved(head *record.Transcript) bool {
	g := r.days[head.Brief.Period]
	for i := range head.List {
		if g == nil || !g.members()[head.List[i].CID] {
			return false
		}
	}
	return true
}

// uncheckedAuthors are the contributions in a transcript that were not checked before; for
// others stand those that were: the cid covers all but the signature.
func (r *Room) uncheckedAuthors(head *record.Transcript) (out []*record.Contribution) {
	g := r.days[head.Brief.Period]
	for i, c := range head.Authors {
		if known := g.contribution(c.ID()); known != nil {
			head.Authors[i] = known
		} else {
			out = append(out, c)
		}
	}
	return out
}

// tookLog takes a message that another member passes on. It returns false for
// one that its author did not sign.
func (r *Room) tookLog(x *exchange, body []byte) bool {
	m, err := record.ParseLog(body)
	if err != nil {
		return false
	}
	t := r.logs.transcripts[m.Epoch]
	if t == nil {
		return true
	}
	index := t.List.Index(m.CID)
	if index < 0 {
		return false
	}
	l := t.log(index)
	if was, ok := l.id(m.Counter); ok && was == m.ID(r.id) {
		return true
	}
	if !r.authentic(t, index, m) {
		return false
	}
	if r.logMessage(x, t, index, m) && (r.head == nil || t.id != r.head.commit.ID()) && r.logs.spreadAt.IsZero() {
		r.logs.spreadAt = r.now.Add(spreadTime)
	}
	return true
}

// spreadLogs compares with all to whom there is a channel, after a message came that was
// said in another epoch than ours: those who were with us may lack it, too.
func (r *Room) spreadLogs() {
	switch at := r.logs.spreadAt; {
	case at.IsZero():
	case at.After(r.now):
		r.wakeAt(at)
	default:
		r.logs.spreadAt = time.Time{}
		for _, w := range r.channels.sorted() {
			if ch := r.channels.byKey[w]; ch.up && r.neighbours[ch.peer] != nil {
				r.neighbours[ch.peer].compareNow(r.now)
			}
		}
	}
}

// countHistory counts the history that came over an exchange.
func (x *exchange) countHistory(r *Room, d Delivered) {
	if x.history.Count == 0 {
		r.emit(Past{By: x.peer, Away: d.Away})
	}
	x.history.Away = d.Away
	x.history.Count++
	if at := time.UnixMilli(int64(d.Message.Time)); x.history.Oldest.IsZero() || at.Before(x.history.Oldest) {
		x.history.Oldest = at
	}
}

// endHistory says that no more history comes over an exchange.
func (x *exchange) endHistory(r *Room) {
	if x.history.Count > 0 {
		r.emit(Past{Over: true, Count: x.history.Count, Oldest: x.history.Oldest, By: x.peer, Away: x.history.Away})
		x.history = Past{}
	}
}
