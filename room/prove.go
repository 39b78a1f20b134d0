package room

import (
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// proves reports whether handshakes run for a day, give or take an hour:
// PROTOCOL.md §7.1.
func (r *Room) proves(d abe.Period) bool {
	return d.Notice() == r.notices.number() && !r.now.Before(d.Start().Add(renewFrom-24*time.Hour-earlyDay)) &&
		r.now.Before((d + 1).Start().Add(earlyDay))
}

// proveFrame takes one of the five messages of PROTOCOL.md §7. It returns false
// for whatever is not as it must be: the stream then ends without a word.
func (r *Room) proveFrame(x *exchange, typ byte, body []byte) bool {
	if typ != x.step || x.opening || x.theirEncapsulation != nil {
		return false
	}
	fields, err := record.ParseFields(body)
	if err != nil {
		return false
	}
	switch {
	case typ == record.FrameProve1 && len(fields) == 2:
		return r.prove1(x, fields)
	case typ == record.FrameProve2 && len(fields) == 3:
		return r.prove2(x, fields)
	case typ == record.FrameProve3 && len(fields) == 2:
		return r.prove3(x, fields)
	case typ == record.FrameProve4 && len(fields) == 2:
		return r.prove4(x, fields)
	case typ == record.FrameProve5 && len(fields) == 1:
		return r.prove5(x, fields)
	}
	return false
}

// introduced takes contribution and presence of the peer at the other end.
func (r *Room) introduced(x *exchange, contribution, presence []byte) bool {
	c, err := record.ParseContribution(contribution)
	if err != nil || c.Identity != x.identity || !r.proves(c.Period) || r.cut[c.Identity] {
		return false
	}
	g := r.days[c.Period]
	if g == nil || g.own == nil || x.graph != nil && x.graph != g {
		return false
	}
	p, err := record.ParsePresence(presence)
	if err != nil || p.Working != c.Working || p.Last() {
		return false
	}
	c.ComputeID(r.id)
	if n := g.nodes[c.ID()]; n != nil && n.out[g.own.cid] != nil {
		return false // it let us in already: whoever does not know is not that process
	}
	if c.Verify(r.id) != nil || p.Verify(r.id) != nil || c.ID() == g.own.cid || c.Working == r.workingID {
		return false
	}
	x.graph, x.period, x.theirs, x.presence = g, c.Period, c, p
	return true
}

// prove1: a stranger introduces itself. Answering costs no opening.
func (r *Room) prove1(x *exchange, f [][]byte) bool {
	if !r.introduced(x, f[0], f[1]) {
		return false
	}
	o := x.graph.own
	r.send(x, record.EncodeFields(record.FrameProve2, o.contribution.Append(nil), r.presence.Append(nil), o.encapsulation))
	x.step = record.FrameProve3
	return true
}

// prove2: the peer we dialled introduces itself. We open its encapsulation when no
// other proof makes progress.
func (r *Room) prove2(x *exchange, f [][]byte) bool {
	if !r.introduced(x, f[0], f[1]) || ake.HashEncapsulation(f[2]) != x.theirs.Encapsulation {
		return false
	}
	x.theirEncapsulation = f[2]
	r.openNext()
	return true
}

// prove3: the stranger shows that it opened ours. Only then do we open its.
func (r *Room) prove3(x *exchange, f [][]byte) bool {
	o := x.graph.own
	if r.days[x.period] != x.graph {
		return false // the day is over
	}
	if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Newcomer, x.theirs.ID(), o.cid, ake.Hash(f[0])) {
		return false
	}
	return r.openTheirs(x, f[1], func() {
		answer := x.opened.Proof.Answer(ake.Sponsor, x.theirs.ID(), o.cid)
		x.edgeSent = r.vouch(x)
		r.send(x, record.EncodeFields(record.FrameProve4, answer[:], x.edgeSent.Append(nil)))
		x.step = record.FrameProve5
	})
}

// prove4: the peer we dialled shows that it opened ours, and lets us in.
func (r *Room) prove4(x *exchange, f [][]byte) bool {
	o := x.graph.own
	if r.days[x.period] != x.graph {
		return false // the day is over
	}
	if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Sponsor, o.cid, x.theirs.ID(), ake.Hash(f[0])) {
		return false
	}
	e := r.edgeBack(x, f[1])
	if e == nil {
		return false
	}
	x.edgeReceived, x.edgeSent = e, r.vouch(x)
	r.send(x, record.EncodeFields(record.FrameProve5, x.edgeSent.Append(nil)))
	r.admit(x)
	return true
}

// prove5: the newcomer lets us in, too.
func (r *Room) prove5(x *exchange, f [][]byte) bool {
	if r.days[x.period] != x.graph {
		return false
	}
	e := r.edgeBack(x, f[0])
	if e == nil {
		return false
	}
	x.edgeReceived = e
	r.admit(x)
	return true
}

// openTheirs opens the other's encapsulation outside the loop, and then goes
// on; if it does not open, the stream ends without a word.
func (r *Room) openTheirs(x *exchange, enc []byte, then func()) bool {
	if ake.HashEncapsulation(enc) != x.theirs.Encapsulation {
		return false
	}
	began, wait := r.now, r.answerTime()
	x.opening, x.answerAt = true, began.Add(wait)
	ctx, revoked := x.theirs.Context(r.id), x.graph.revoked()
	r.task(func() any {
		opened, err := r.cfg.Encapsulator.Open(ctx, revoked, enc)
		if err != nil || opened.Term.Commitment() != x.theirs.Term {
			return nil
		}
		return opened
	}, func(result any) {
		if r.streams.byID[x.id] != x {
			return // it ended meanwhile
		}
		for x.answerAt.Before(r.now) {
			wait *= 2 // it took longer than that: the end of it would tell when
			x.answerAt = began.Add(wait)
		}
		opened, ok := result.(*ake.Encapsulated)
		if !ok || r.days[x.period] != x.graph {
			r.doAt(x.answerAt, func() {
				if r.streams.byID[x.id] == x {
					r.reset(x)
				}
			})
			return
		}
		x.opened = opened
		r.doAt(x.answerAt, func() {
			if r.streams.byID[x.id] == x && r.days[x.period] == x.graph {
				x.opening = false
				then()
			}
		})
	})
	return true
}

// vouch signs that the other proved itself to us.
func (r *Room) vouch(x *exchange) *record.Edge {
	e := &record.Edge{Period: x.period, From: x.graph.own.cid, To: x.theirs.ID()}
	e.Sign(r.id, r.working)
	return e
}

// edgeBack takes the other's edge to us.
func (r *Room) edgeBack(x *exchange, b []byte) *record.Edge {
	e, err := record.ParseEdge(b)
	if err != nil || e.From != x.theirs.ID() || e.To != x.graph.own.cid || e.Verify(r.id, x.theirs) != nil {
		return nil
	}
	return e
}

// admit puts what the proof showed into the state. What the two tell each other
// then goes over a channel: the stream rests on the identity keys alone.
func (r *Room) admit(x *exchange) {
	g := x.graph
	alone := len(g.members()) == 1
	// The sponsor's side hears of it on the topic.
	r.proofs.bridged = r.proofs.bridged || x.dialler && !alone && !g.members()[x.theirs.ID()]
	r.add(x.edgeSent)
	r.add(x.theirs)
	r.add(x.edgeReceived)
	r.add(x.presence)
	r.addTerm(&ake.MemberTerm{CID: x.theirs.ID(), Term: x.opened.Term})
	x.opened.Proof.Erase()
	if g.nodes[x.theirs.ID()] == nil {
		r.hangUp(x) // the day is full, or its identity has a later process
		return
	}
	r.emit(Proved{Peer: x.peer, Took: r.now.Sub(x.began)})
	if alone {
		for _, n := range r.neighbours {
			n.compared = false // before, that showed nothing: most are members now
		}
	}
	for _, id := range r.streams.sorted() {
		if o := r.streams.byID[id]; o.protocol == ProtocolProve && o.dialler && o.graph == g &&
			o.step == record.FrameProve2 && !o.opening {
			r.giveUp(o)
		}
	}
	theyAlone := r.isAlone(x)
	if x.dialler || !theyAlone || !g.own.published {
		r.publishJoin(x)
	}
	if !x.dialler {
		if r.turn.letIn == nil {
			r.turn.letIn = make(map[ake.Hash]bool)
		}
		r.turn.letIn[x.theirs.ID()], r.reconsider = true, true
	}
	if !theyAlone {
		r.committing.awaiting[x.theirs.Working] = r.now.Add(newcomerTime)
	}
	r.hangUp(x)
	if ch := r.wantChannel(g, x.theirs.ID()); ch != nil {
		ch.fresh = true
		switch {
		case ch.up:
			ch.fresh = false
			r.tellAll(ch)
		case !x.dialler:
			ch.tried = r.now // the newcomer asks for it
		}
	}
	r.retryWaiting()
}

// isAlone reports whether the other end said that it knows nobody.
func (r *Room) isAlone(x *exchange) bool {
	n := r.neighbours[x.peer]
	if n == nil || n.hello == nil {
		return true
	}
	for _, d := range n.hello.Days {
		if d.Period == x.period {
			return d.Size <= 1
		}
	}
	return true
}

// answerTime is after how long we answer what we had to open: PROTOCOL.md §7.4.
// It is well over what an opening takes here, so that whoever waits for the
// answer, or for the end of the stream, learns nothing of what opened.
func (r *Room) answerTime() time.Duration {
	return min(max(leastAnswer, 2*r.encapsulationTime), mostAnswer)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// doAt does something at a time.
func (r *Room) doAt(when time.Time, do func()) {
	if !when.After(r.now) {
		do()
		return
	}
	r.tasks.timers = append(r.tasks.timers, timer{when, do})
	r.wakeAt(when)
}

// A timer is something that is to be done at a time.
type timer struct {
	at time.Time
	do func()
}

// runTimers does what is due, in the order of its times.
func (r *Room) runTimers() {
	for {
		due := -1
		for i, t := range r.tasks.timers {
			if !t.at.After(r.now) && (due < 0 || t.at.Before(r.tasks.timers[due].at)) {
				due = i
			}
		}
		if due < 0 {
			break
		}
		t := r.tasks.timers[due]
		r.tasks.timers = slices.Delete(r.tasks.timers, due, due+1)
		t.do()
	}
	for _, t := range r.tasks.timers {
		r.wakeAt(t.at)
	}
}
