package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// Who dials a proof with whom, and which encapsulations are opened: PROTOCOL.md §7.

// proofs are what is remembered of handshakes beside those that are under way.
type proofs struct {
	firstPeers        map[peer.ID]bool
	openings          []time.Time           // that came of dialled proofs ..
	firstOpenings     []time.Time           // .. with first peers ..
	publishedOpenings []time.Time           // .. and of joins on the topic
	idleSince         map[peer.ID]time.Time // when those began a proof who showed nothing
	idleOrder         []peer.ID
	bridged           bool // we have just joined our component to another's
}

// considerDialling starts proofs with neighbours that are not of our component, if
// it is ours to dial and the budget allows: PROTOCOL.md §7. Those by which we came
// here do not wait for strangers, nor share a budget with them.
func (r *Room) considerDialling() {
	r.openNext()
	for _, first := range []bool{true, false} {
		for r.dialNext(first) {
		}
	}
}

// dialNext dials one of those by which we came here, or one of the others. It
// returns false if none is to be dialled now.
func (r *Room) dialNext(first bool) bool {
	if first && len(r.proofs.firstPeers) == 0 || !r.mayOpen(first) {
		return false
	}
	if at := r.dialAt(first); at.After(r.now) {
		r.wakeAt(at)
		return false
	}
	var some []peer.ID
	for p, n := range r.neighbours {
		if _, at := r.wouldDial(n); n.first == first && !at.IsZero() {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		return false
	}
	slices.Sort(some)
	busy := r.proving()
	var best *neighbour
	var bestDay abe.Period
	equal := 0 // neighbours that we would dial as soon as the best
	for _, p := range some {
		n := r.neighbours[p]
		day, at := r.wouldDial(n)
		switch {
		case busy[p]:
		case at.After(r.now):
			r.wakeAt(at)
		case best == nil || day < bestDay || day == bestDay && n.tried[day].Before(best.tried[day]):
			best, bestDay, equal = n, day, 1
		case day == bestDay && !best.tried[day].Before(n.tried[day]):
			// In random order: strangers may lead us astray.
			if equal++; r.random(equal) == 0 {
				best = n
			}
		}
	}
	if best == nil {
		return false
	}
	if best.tried == nil {
		best.tried = make(map[abe.Period]time.Time)
	}
	best.tried[bestDay] = r.now
	g := r.days[bestDay]
	x := r.openStream(best.id, ProtocolProve)
	x.graph, x.period, x.step = g, bestDay, record.FrameProve2
	r.send(x, record.EncodeFields(record.FrameProve1, g.own.contribution.Append(nil), r.presence.Append(nil)))
	return true
}

// dialAt is when another proof may be dialled: at once if none is under way. While
// those that are have not even been answered, twice as many may be after each
// stalledTime, so that strangers who say nothing lead a newcomer astray for little.
// A first message costs nobody an opening.
func (r *Room) dialAt(first bool) time.Time {
	var at time.Time
	n, stalled := 0, 0
	for _, x := range r.streams.byID {
		if x.protocol != ProtocolProve || !x.dialler {
			continue
		}
		if r.goesOn(x) {
			return r.now.Add(frameTime) // its end is looked at in any case
		}
		if x.step != record.FrameProve2 || first && !r.proofs.firstPeers[x.peer] {
			continue
		}
		if x.theirEncapsulation != nil {
			return r.now.Add(frameTime)
		}
		n++
		if !r.now.Before(x.began.Add(stalledTime)) {
			stalled++
		}
		at = maxTime(at, x.began.Add(stalledTime))
	}
	switch {
	case n == 0 || n-stalled < stalled+1 && n < maxDialling && stalled > 0:
		return time.Time{}
	case n >= maxDialling:
		return r.now.Add(frameTime)
	}
	return at
}

// goesOn reports whether a proof that we dialled makes progress: we open what the
// other sent, or have shown that we did, and wait for its word.
func (r *Room) goesOn(x *exchange) bool {
	return x.opening || x.step == record.FrameProve4 && r.now.Before(x.answerAt.Add(frameTime))
}

// mayOpen reports whether the budget allows to open what comes of a dialled proof,
// and sees to being woken when it does.
func (r *Room) mayOpen(first bool) bool {
	b := r.proofs.budget(first)
	*b = slices.DeleteFunc(*b, func(t time.Time) bool { return r.now.Sub(t) >= time.Minute })
	if len(*b) < maxDialsAMinute {
		return true
	}
	r.wakeAt((*b)[0].Add(time.Minute))
	return false
}

// budget is when we lately opened something that came of a dialled proof.
func (p *proofs) budget(first bool) *[]time.Time {
	if first {
		return &p.firstOpenings
	}
	return &p.openings
}

// openNext opens one of the encapsulations with which peers that we dialled have
// answered, if no proof makes progress. So several may be dialled, and a join costs
// two openings all the same.
func (r *Room) openNext() {
	waits := false
	for _, x := range r.streams.byID {
		waits = waits || x.theirEncapsulation != nil
	}
	if !waits {
		return
	}
	var best *exchange
	equal := 0
	for _, id := range r.streams.sorted() {
		x := r.streams.byID[id]
		if x.protocol != ProtocolProve || !x.dialler {
			continue
		}
		if r.goesOn(x) {
			if !x.opening {
				r.wakeAt(x.answerAt.Add(frameTime))
			}
			return
		}
		first := r.proofs.firstPeers[x.peer]
		switch {
		case x.theirEncapsulation == nil:
		case x.graph.members()[x.theirs.ID()]:
			r.giveUp(x) // it came to be a member meanwhile
		case !r.mayOpen(first):
		case best == nil || first && !r.proofs.firstPeers[best.peer]:
			best, equal = x, 1
		case first == r.proofs.firstPeers[best.peer]:
			if equal++; r.random(equal) == 0 { // not who is fastest
				best = x
			}
		}
	}
	if best == nil {
		return
	}
	b := r.proofs.budget(r.proofs.firstPeers[best.peer])
	*b = append(*b, r.now)
	enc := best.theirEncapsulation
	best.theirEncapsulation = nil
	r.openTheirs(best, enc, func() {
		o := best.graph.own
		answer := best.opened.Proof.Answer(ake.Newcomer, o.cid, best.theirs.ID())
		r.send(best, record.EncodeFields(record.FrameProve3, answer[:], o.encapsulation))
		best.step = record.FrameProve4
	})
}

// giveUp ends a proof that we dialled and need no more. It counts as not tried.
func (r *Room) giveUp(x *exchange) {
	r.ready.Hang = append(r.ready.Hang, Hang{Stream: x.id, Reset: true})
	if n := r.neighbours[x.peer]; n != nil {
		delete(n.tried, x.period)
	}
	r.dropExchange(x)
}

// wouldDial tells from when we may dial a neighbour and for which day; zero if
// it is not ours to do.
func (r *Room) wouldDial(n *neighbour) (day abe.Period, when time.Time) {
	if n.hello == nil || r.cut[Identity(n.id)] {
		return 0, time.Time{}
	}
	for _, theirs := range n.hello.Days {
		g := r.days[theirs.Period]
		if g == nil || g.own == nil || !r.proves(theirs.Period) || g.members()[theirs.CID] {
			continue
		}
		if theirs.Period != r.today() && !r.provedToday(n) {
			continue
		}
		alone, lonely := len(g.members()) == 1, theirs.Size <= 1
		at := n.since
		switch {
		case alone && !lonely:
		case !alone && lonely:
			continue // it dials
		case r.self > n.id:
			at = n.since.Add(otherDials)
		}
		if !alone && !lonely && !n.compared {
			continue // perhaps records alone will do
		}
		if tried, ok := n.tried[theirs.Period]; ok {
			retry := retryProof
			if alone {
				retry = retryAlone // it may have been busy, and nobody else may be there
			}
			at = maxTime(at, tried.Add(retry))
		}
		if when.IsZero() || at.Before(when) {
			day, when = theirs.Period, at
		}
	}
	return day, when
}

// provedToday reports whether a neighbour has proved itself for today, or one of us has
// not come to it. Only then is another day worth the work: strangers were
// strangers yesterday and will be tomorrow.
func (r *Room) provedToday(n *neighbour) bool {
	g := r.days[r.today()]
	if g == nil || g.own == nil {
		return true
	}
	for _, d := range n.hello.Days {
		if d.Period == r.today() {
			return g.members()[d.CID]
		}
	}
	return true
}
