package room

import (
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// An outcome is what became of a record: PROTOCOL.md §6.1.
type outcome int

const (
	kept    outcome = iota // new, checked, and part of the state
	known                  // nothing new
	waits                  // refers to what is not known yet
	refused                // false for everybody: a wrong signature
	foreign                // true perhaps, but none of our business
)

// add takes a record from wherever.
func (r *Room) add(rec record.Record) outcome {
	var o outcome
	switch rec := rec.(type) {
	case *record.Contribution:
		o = r.addContribution(rec)
	case *record.Edge:
		o = r.addEdge(rec)
	case *record.Presence:
		o = r.addPresence(rec)
	case *record.Name:
		o = r.addName(rec)
	case *record.Commit:
		o = r.addCommit(rec)
	default:
		return refused
	}
	switch o {
	case kept:
		r.newRecords = true
	case waits:
		r.waiting.add(rec)
	}
	return o
}

// A waitingSet is what refers to what is not known yet: PROTOCOL.md §6.1. Each kind
// has places of its own, of which the oldest makes room.
type waitingSet struct {
	records    []record.Record
	recordKeys map[recordKey]bool    // of these
	commits    []*record.Commit      // by committers that are not known
	terms      map[ake.Hash]ake.Term // by the cid of a contribution that has not come
	termOrder  []ake.Hash            // in which these came
	messages   []waitingMessage      // of epochs that are not known
}

// A recordKey names a record that waits.
type recordKey struct {
	typ byte
	id  ake.Hash
}

// add keeps a record whose time may come.
func (w *waitingSet) add(rec record.Record) {
	if c, ok := rec.(*record.Commit); ok {
		if len(w.commits) >= maxWaitingCommits {
			w.commits = w.commits[1:]
		}
		w.commits = append(w.commits, c)
		return
	}
	key := recordKey{rec.Type(), rec.ID()}
	if w.recordKeys[key] {
		return
	}
	if len(w.records) >= maxWaitingRecords {
		old := w.records[0]
		delete(w.recordKeys, recordKey{old.Type(), old.ID()})
		w.records = w.records[1:]
	}
	w.records = append(w.records, rec)
	w.recordKeys[key] = true
}

// addTerm keeps a term until its contribution comes.
func (w *waitingSet) addTerm(t *ake.MemberTerm) {
	if _, ok := w.terms[t.CID]; ok {
		return
	}
	if len(w.termOrder) >= maxWaitingTerms {
		delete(w.terms, w.termOrder[0])
		w.termOrder = w.termOrder[1:]
	}
	w.terms[t.CID] = t.Term
	w.termOrder = append(w.termOrder, t.CID)
}

// addMessage keeps a message until its epoch is known.
func (w *waitingSet) addMessage(m *record.Message, now time.Time) {
	if len(w.messages) >= maxWaitingMessages {
		w.messages = w.messages[1:]
	}
	w.messages = append(w.messages, waitingMessage{message: m, since: now})
}

// take takes out all records and commits, to be tried again.
func (w *waitingSet) take() (records []record.Record, commits []*record.Commit) {
	records, commits = w.records, w.commits
	w.records, w.commits = nil, nil
	clear(w.recordKeys)
	return records, commits
}

// retryWaiting tries what waits again, until nothing changes.
func (r *Room) retryWaiting() {
	for r.newRecords {
		r.newRecords, r.reconsider = false, true
		records, commits := r.waiting.take()
		for _, rec := range records {
			r.add(rec)
		}
		for _, c := range commits {
			r.add(c)
		}
		r.examineCommits()
		r.version++
	}
}

func (r *Room) addContribution(c *record.Contribution) outcome {
	g := r.days[c.Period]
	if g == nil {
		return foreign
	}
	c.ComputeID(r.id)
	if g.contribution(c.ID()) != nil {
		return known
	}
	e := g.promised[c.ID()]
	if e == nil || c.Serial > uint64(r.now.Add(maxAhead).UnixMilli()) {
		return waits // the serial is a time: nobody's is to be the last for ever
	}
	if !g.admits(e.From) {
		return foreign
	}
	if c.Verify(r.id) != nil {
		return refused
	}
	if len(g.nodes) >= maxNodes {
		g.makeRoom(e.From)
	}
	r.version++
	delete(g.promised, c.ID())
	if g.contribution(e.From) == nil {
		return waits // it made room itself
	}
	g.addContribution(c)
	g.addEdge(e)
	g.nodes[c.ID()].since = r.now
	r.giveWaitingTerm(c.ID())
	if r.workingKeys[c.Working] = true; len(r.workingKeys) > len(r.days)*maxNodes+maxWaitingRecords {
		r.forgetProcesses() // of those who made room
	}
	return kept
}

// addEdge takes an edge from a contribution that is kept. One to a contribution
// that has not come yet waits for it: a node exists only with a contribution.
func (r *Room) addEdge(e *record.Edge) outcome {
	g := r.days[e.Period]
	if g == nil {
		return foreign
	}
	if g.edges[e.ID()] != nil {
		return known
	}
	from := g.contribution(e.From)
	if from == nil {
		return waits
	}
	if n := g.nodes[e.From]; n.out[e.To] != nil || g.promised[e.To] != nil && g.promised[e.To].From == e.From {
		return known // another signature for the same statement
	}
	if g.contribution(e.To) == nil && !g.admits(e.From) {
		return foreign // nor would there be room for the other
	}
	there := g.contribution(e.To) != nil
	if there && len(g.edges) >= maxEdges && (g.own == nil || e.From != g.own.cid) {
		return foreign
	}
	if e.Verify(r.id, from) != nil {
		return refused
	}
	if !there {
		g.promise(e)
		return kept
	}
	g.addEdge(e)
	return kept
}

// hasWorking reports whether a working key belongs to a contribution that is
// kept, or is our own.
func (r *Room) hasWorking(w [32]byte) bool { return w == r.workingID || r.workingKeys[w] }

func (r *Room) addPresence(p *record.Presence) outcome {
	if !r.hasWorking(p.Working) {
		return waits
	}
	proc := r.process(p.Working)
	if proc.presences[p.ID()] != nil {
		return known
	}
	if proc.misbehaved && !proc.lesser(p) {
		return known // one proof is enough
	}
	if n := proc.newest; n != nil && p.Ends() <= n.Ends() && (p.Last() ||
		n.Serial-p.Serial > maxPresences && p.Serial < n.Serial && !r.presenceListed(p.ID())) {
		return known
	}
	if p.Verify(r.id) != nil {
		return refused
	}
	wasThere := !proc.ended()
	proc.takePresence(p, r.presenceListed)
	if p.Last() && wasThere {
		proc.leftSince = r.now
		r.ifListed(p.Working, func(m Member) { r.emit(Departed{Member: m, Away: p.Away}) })
	}
	return kept
}

// presenceListed reports whether a commit that we keep lists a presence: without it, the
// commit cannot be checked, however many later ones its process may have made.
func (r *Room) presenceListed(presence ake.Hash) bool { return r.presenceRefs[presence] > 0 }

// countPresences counts what a commit that we keep lists, or what one did that is gone.
func (r *Room) countPresences(e *epoch, by int) {
	for i := range e.list {
		p := e.list[i].Presence
		if r.presenceRefs[p] += by; r.presenceRefs[p] == 0 {
			delete(r.presenceRefs, p)
		}
	}
}

// ifListed calls f for the member of the head whose working key this is, unless
// it is ourselves.
func (r *Room) ifListed(w [32]byte, f func(Member)) {
	if r.head == nil || w == r.workingID || r.days[r.head.commit.Period] == nil {
		return
	}
	for _, n := range r.head.nodes {
		if n.contribution.Working == w {
			f(r.memberOf(n))
		}
	}
}

func (r *Room) addName(n *record.Name) outcome {
	if !r.hasWorking(n.Working) {
		return waits
	}
	proc := r.process(n.Working)
	if proc.name != nil && proc.name.Serial >= n.Serial {
		return known
	}
	if n.Verify(r.id) != nil {
		return refused
	}
	was := proc.name
	proc.name = n
	if len(r.names.fresh) < maxNewNames {
		r.names.fresh[n.Working] = true
	}
	if was == nil || was.Text != n.Text {
		r.ifListed(n.Working, func(m Member) { r.emit(Renamed{m}) })
	}
	return kept
}

// newNames are those that channels are to bring to others, and those that are to come.
type newNames struct {
	fresh   map[[32]byte]bool // of these processes ..
	sendAt  time.Time         // .. not before then
	awaited []logRef          // what their authors said waits for their names
}

// sendNames passes new names on over channels, every few seconds at most: what is
// above travels when members compare.
func (r *Room) sendNames() {
	if len(r.names.fresh) == 0 {
		return
	}
	if r.names.sendAt.After(r.now) {
		r.wakeAt(r.names.sendAt)
		return
	}
	r.names.sendAt = r.now.Add(nameEvery)
	names := make([]*record.Name, 0, len(r.names.fresh))
	for w := range r.names.fresh {
		if p := r.processes[w]; p != nil && p.name != nil {
			names = append(names, p.name)
		}
	}
	clear(r.names.fresh)
	slices.SortFunc(names, func(a, b *record.Name) int { return compareHashes(a.Working, b.Working) })
	for _, w := range r.channels.sorted() {
		var out []record.Record
		for _, n := range names {
			if n.Working != w {
				out = append(out, n)
			}
		}
		if ch := r.channels.byKey[w]; ch.up && len(out) > 0 {
			x := r.openChannelStream(ch, ProtocolSync)
			r.send(x, record.EncodeRecords(out)...)
			r.sendDone(x)
		}
	}
}

// addTerm takes a member's term, if it fits its contribution. One whose
// contribution has not come yet waits for it, and is passed on meanwhile: secrets
// are faster than joins. It returns whether the contribution is known.
func (r *Room) addTerm(t *ake.MemberTerm) (found bool) {
	for _, g := range r.days {
		n := g.nodes[t.CID]
		if n == nil {
			continue
		}
		found = true
		if n.term == nil && t.Term.Commitment() == n.contribution.Term {
			term := t.Term
			n.term, n.encapsulation = &term, nil
			r.newRecords = true
			if r.spreadTermsAt.IsZero() {
				r.spreadTermsAt = r.now.Add(termEvery)
			}
		}
	}
	if !found {
		r.waiting.addTerm(t)
	}
	return found
}

// giveWaitingTerm gives a contribution that has come the term that waited for it.
func (r *Room) giveWaitingTerm(cid ake.Hash) {
	if term, ok := r.waiting.terms[cid]; ok {
		delete(r.waiting.terms, cid)
		r.addTerm(&ake.MemberTerm{CID: cid, Term: term})
		term.Erase()
	}
}

// memberOf is whose a contribution is, with the name it has given itself.
func (r *Room) memberOf(n *node) Member {
	m := Member{Peer: n.peer}
	if p := r.processOf(n); p != nil && p.name != nil {
		m.Name = p.name.Text
	}
	return m
}

// member is a listed peer, with the name it has given itself.
func (r *Room) member(cid ake.Hash, identity [32]byte) Member {
	for _, g := range r.days {
		if n := g.nodes[cid]; n != nil {
			return r.memberOf(n)
		}
	}
	return Member{Peer: peerOf(identity)}
}
