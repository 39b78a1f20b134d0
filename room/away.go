package room

import (
	"cmp"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/room/record"
)

// Who is away: PROTOCOL.md §8.6. They get no keys. What is said is for them all the
// same, and they are told it when they are back, and have proved themselves anew.

// readersTime is for how long it counts who was in others' epochs, and in our last
// process', besides who is in our head: as long as it takes to agree.
const readersTime = time.Minute

// A reader is somebody for whom things were said.
type reader struct {
	day   abe.Day   // on which it was last here
	until time.Time // for how long we go by that; zero: until there is a head
}

// readers are those whom our head need not list: of commits that others may have as
// their head, and of the last epoch of our last process.
type readers map[[32]byte]reader

// note notes somebody.
func (rs readers) note(identity [32]byte, day abe.Day, until time.Time) {
	if old, ok := rs[identity]; (!ok || old.day <= day) && (ok || len(rs) < maxReaders) {
		rs[identity] = reader{day, until}
	}
}

// noteAll notes those of a list, and those who were away.
func (rs readers) noteAll(day abe.Day, list record.List, away record.Away, until time.Time) {
	for i := range list {
		rs.note(list[i].Identity, day, until)
	}
	for i := range away {
		rs.note(away[i].Identity, away[i].Day, until)
	}
}

// noteReaders notes whom a commit lists and our head does not.
func (r *Room) noteReaders(e *epoch) {
	if h := r.head; h != nil {
		e.list.WithoutCID(h.list, func(_ int, entry *record.Entry) {
			r.readers.note(entry.Identity, e.commit.Period.Day(), r.now.Add(readersTime))
		})
		e.away.Without(h.away, func(_ int, a *record.Absentee) {
			r.readers.note(a.Identity, a.Day, r.now.Add(readersTime))
		})
		return
	}
	r.readers.noteAll(e.commit.Period.Day(), e.list, e.away, r.now.Add(readersTime))
}

// noteHead sees to what our last process knew counting for a while longer, since there
// is a head now.
func (rs readers) noteHead(now time.Time) {
	for identity, a := range rs {
		if a.until.IsZero() {
			a.until = now.Add(readersTime)
			rs[identity] = a
		}
	}
}

// mayBeAway reports whether a commit of a day may list as away who was last here on
// another: as long as what was said that day is kept.
func (r *Room) mayBeAway(last, day abe.Day) bool {
	return last <= day && r.expiry(last).After(day.Start())
}

// leftForGood reports whether a peer is not to be told any more what is said, as far
// as we know: its newest process left. Of one that misbehaved, what else it said is not
// passed on, so that not all would know. In the evening an older process of the peer's may
// be in the next day's graph, and the newest not yet.
func (r *Room) leftForGood(identity [32]byte) bool {
	var last *node
	days := r.sortedDays()
	for _, d := range slices.Backward(days) {
		g := r.days[d]
		c := g.newest[identity]
		if c == nil {
			continue
		}
		if !g.members()[c.ID()] {
			if last == nil && len(r.cut) > 0 {
				return true // it hangs on somebody whom our user cut
			}
			continue
		}
		if last == nil || c.Serial > last.contribution.Serial {
			last = g.nodes[c.ID()]
		}
	}
	if last == nil {
		return false
	}
	p := r.processOf(last)
	return p != nil && !p.misbehaved && p.newest != nil && p.newest.Left
}

// waitedFor reports whether a commit of a day may have somebody away for our sake.
func (r *Room) waitedFor(identity [32]byte, last, day abe.Day) bool {
	return !r.cut[identity] && r.mayBeAway(last, day)
}

// nextAway is whom we would list as away beside the next list: those of our head, and
// those noted, who are not in it and have not left. Who is away in our head stays so,
// whatever we know: so those agree who do not know the same of why somebody went. The
// caller does not change it.
func (r *Room) nextAway(g *graph, list record.List) record.Away {
	c := &g.next
	if c.awayVersion == r.version && c.awayOf == len(list) && !r.newRecords && !r.now.After(c.awayUntil) {
		return c.away
	}
	c.awayVersion, c.awayOf, c.awayUntil = r.version, len(list), r.now.Add(considerPeriod)
	c.away = nil
	unlisted := func(identity [32]byte) bool { return list.Of(identity) < 0 && identity != r.identity }
	take := func(identity [32]byte, last abe.Day) {
		last = min(last, g.period.Day()) // after a notice there may be a head of the day before
		if unlisted(identity) && r.waitedFor(identity, last, g.period.Day()) {
			c.away = append(c.away, record.Absentee{Identity: identity, Day: last})
		}
	}
	if h := r.head; h != nil {
		h.list.WithoutCID(list, func(_ int, e *record.Entry) {
			if unlisted(e.Identity) && !r.leftForGood(e.Identity) {
				take(e.Identity, h.commit.Period.Day())
			}
		})
		for i := range h.away {
			take(h.away[i].Identity, h.away[i].Day)
		}
	}
	own := len(c.away)
	for identity, a := range r.readers {
		if !a.until.IsZero() && r.now.After(a.until) {
			delete(r.readers, identity)
			continue
		}
		// Who is here, and cannot be listed yet, is about to join: what is said until then is
		// for them. Nearly all are listed.
		if unlisted(identity) && !r.leftForGood(identity) {
			take(identity, a.day)
		}
	}
	// Where not all have a place, those of our head come first.
	slices.SortFunc(c.away[own:], func(a, b record.Absentee) int {
		return cmp.Or(cmp.Compare(b.Day, a.Day), compareHashes(a.Identity, b.Identity))
	})
	seen := make(map[[32]byte]int, len(c.away))
	out := c.away[:0]
	for _, a := range c.away {
		i, ok := seen[a.Identity]
		switch {
		case ok:
			out[i].Day = max(out[i].Day, a.Day)
		case len(list)+len(out) < record.MaxMembers:
			seen[a.Identity] = len(out)
			out = append(out, a)
		}
	}
	c.away = out
	c.away.Sort()
	return c.away
}

// omits reports whether a commit leaves out somebody of our head who is not in its list
// and is to be told what is said.
func (r *Room) omits(e *epoch, identity [32]byte, last abe.Day) bool {
	last = min(last, e.commit.Period.Day())
	if len(e.list)+len(e.away) >= record.MaxMembers || !r.waitedFor(identity, last, e.commit.Period.Day()) ||
		r.leftForGood(identity) {
		return false
	}
	i := e.away.Of(identity)
	return i < 0 || e.away[i].Day < last
}
