package room

import (
	"maps"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// A room proves itself anew every day: PROTOCOL.md §7.1. Handshakes for a day
// begin at renewFrom on the day before; members renew at a random time until
// renewUntil, so that a room of a thousand does not do so at once.
const (
	renewFrom  = 18 * time.Hour
	renewUntil = 23*time.Hour + 30*time.Minute
)

// renew makes our contributions for the days on which we take part, and forgets
// the days that are over.
func (r *Room) renew() {
	today := r.today()
	r.contribute(today)
	if g := r.days[today]; g != nil && g.own != nil && r.proves(today-1) {
		r.contribute(today - 1) // for those whose clocks are behind ours
	}
	if _, ok := r.renewAt[today+1]; !ok {
		at := today.Start().Add(renewFrom)
		if r.now.Before(at) {
			at = at.Add(time.Duration(r.random(int((renewUntil-renewFrom)/time.Millisecond))) * time.Millisecond)
		}
		r.renewAt[today+1] = at
	}
	if at, g := r.renewAt[today+1], r.days[today]; !r.now.Before(at) && (g == nil || g.own != nil) {
		r.contribute(today + 1) // after today's: nobody is to wait for the one because of the other
	}
	for _, d := range r.sortedDays() {
		if r.isOver(d) {
			r.forgetDay(d)
		}
	}
	for d := range r.renewAt {
		if d < today {
			delete(r.renewAt, d)
		}
	}
}

// contribute makes our encapsulation for a period, unless that was done or our key
// is not valid then.
func (r *Room) contribute(d abe.Period) {
	if r.days[d] != nil || !r.cfg.ValidOn(d.Day()) || r.revoked() {
		return
	}
	r.days[d] = newGraph(d, r.cut)
	r.days[d].head, r.days[d].began, r.days[d].notice = r.head, r.notices.takenAt, r.notices.newest
	revoked := r.days[d].revoked()
	ctx := &ake.Context{Room: r.id, Identity: r.identity, Serial: r.serial, Period: d, Working: r.workingID}
	seed := r.draw()
	started := r.now
	r.task(func() any {
		defer seed.Erase()
		enc, err := r.cfg.Encapsulator.Encapsulate(seed, ctx, revoked)
		if err != nil {
			return err
		}
		return enc
	}, func(result any) {
		enc, ok := result.(*ake.Encapsulated)
		g := r.days[d]
		if g == nil {
			return // it is over
		}
		if !ok {
			err, _ := result.(error)
			r.emit(Failed{Doing: "making the encapsulation for " + d.String(), Err: err})
			return
		}
		c := record.NewContribution(r.cfg.Identity, ctx, enc)
		g.own = &own{cid: c.ID(), contribution: c, encapsulation: enc.Bytes, proof: enc.Proof}
		g.addContribution(c)
		g.component, g.cachedTree, g.cachedOrder = nil, nil, nil // of a time without us
		r.workingKeys[c.Working] = true
		g.nodes[c.ID()].term = &enc.Term
		r.newRecords = true
		r.encapsulationTime = r.now.Sub(started)
		r.emit(Contributed{Took: r.encapsulationTime})
		for _, n := range r.neighbours {
			n.compareAt = r.now
		}
	})
}

func (r *Room) sortedDays() []abe.Period {
	return slices.Sorted(maps.Keys(r.days))
}

// forgetDay drops a period and what only it kept.
func (r *Room) forgetDay(d abe.Period) {
	delete(r.days, d)
	if r.head != nil && r.head.commit.Period == d {
		r.head.erase() // we are alone; it stays the head, so that no older one becomes it
	}
	r.version++
	r.forgetProcesses()
	clear(r.committing.missed)
	clear(r.committing.omissions)
	clear(r.waiting.terms) // of whichever day: it is asked for again
	r.waiting.termOrder = nil
	for id, day := range r.retired {
		if day == d {
			delete(r.retired, id)
		}
	}
	for id, e := range r.commits {
		if e.commit.Period == d && e != r.head {
			e.erase()
			r.countPresences(e, -1)
			delete(r.commits, id)
		}
	}
}

// forgetProcesses forgets those of which no contribution is kept any more.
func (r *Room) forgetProcesses() {
	r.workingKeys = make(map[[32]byte]bool)
	for _, g := range r.days {
		for _, n := range g.nodes {
			r.workingKeys[n.contribution.Working] = true
		}
	}
	for w := range r.processes {
		if !r.hasWorking(w) {
			delete(r.processes, w)
		}
	}
}
