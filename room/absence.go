package room

import (
	"encoding/binary"
	"fmt"
	"time"

	"coterie/crypto/abe"
	"coterie/room/record"
)

// When we were away, and what we may lack of it: PROTOCOL.md §9.5.

// absentTime is for how long we hear of nobody before it counts as being away, at least;
// absenceGrace, how long after we are back it takes until it is said that something may be
// missing; saveHere, how often it is saved that we are here.
const (
	absentTime   = time.Minute
	absenceGrace = 10 * time.Second
	saveHere     = time.Minute
)

// hereName is under which name the disk has when we were here.
const hereName = "here"

// An absence is what we know of when we were here.
type absence struct {
	whole    time.Time // since when we have all that is for us, for all we know; zero: we had no head yet
	here     time.Time // when we last heard of others, in a head with them
	from, to time.Time // what was said then we may lack; zeros: nothing; to alone: we are not back yet
	lost     bool      // and some of it is not kept for us any more
	count    int       // what we were told of it
	tellAt   time.Time // when it is said that something may be missing; zero: it was
	reported bool      // it was said
	began    time.Time // when we went, whatever was filled since
	ended    time.Time // when we were back
	backAt   time.Time // and when we noticed
	equal    map[[32]byte]bool
	savedAt  time.Time
	fresh    bool // our last process was here last
}

// recallAbsence reads back when our last process was here.
func (r *Room) recallAbsence() error {
	all, err := r.cfg.Journal.Named(hereName)
	if err != nil {
		return fmt.Errorf("reading back when you were here: %w", err)
	}
	a := &r.absence
	for _, s := range all {
		if s.Name != hereName || len(s.Data) != 32 {
			continue
		}
		var at [4]time.Time
		for i := range at {
			at[i] = timeOf(binary.BigEndian.Uint64(s.Data[8*i:]))
		}
		a.whole, a.here, a.fresh = at[0], at[1], true
		if a.from = at[2]; a.from.IsZero() {
			a.from = a.here
		}
		a.began, a.tellAt = a.from, r.now.Add(absenceGrace)
	}
	return nil
}

// saveAbsence has it saved when we were here.
func (r *Room) saveAbsence() {
	a := &r.absence
	if r.cfg.Journal == nil || a.here.IsZero() {
		return
	}
	a.savedAt = r.now
	var b []byte
	for _, t := range [4]time.Time{a.whole, a.here, a.from, a.to} {
		b = binary.BigEndian.AppendUint64(b, milliseconds(t))
	}
	r.ready.Save = append(r.ready.Save, Saved{Name: hereName, At: r.now, Data: b})
}

// timeOf is the time of a number of milliseconds, milliseconds the reverse; 0 is none.
func timeOf(ms uint64) (t time.Time) {
	if ms > 0 {
		t = time.UnixMilli(int64(min(ms, 1<<52)))
	}
	return t
}

func milliseconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}

// noteHere notes that we are here, if we are, and that we are back, if we were not.
func (r *Room) noteHere() {
	a := &r.absence
	if r.maySend() {
		at := r.head.since
		if r.lastHeard.After(at) {
			at = r.lastHeard
		}
		switch {
		case a.here.IsZero():
			a.whole, a.here = at, at
			r.saveAbsence()
		case a.fresh, at.Sub(a.here) > max(absentTime, 3*beatPeriod(r.size())):
			r.back(at)
		case at.After(a.here):
			a.here = at
			if r.now.Sub(a.savedAt) >= saveHere {
				r.saveAbsence()
			}
		}
	}
	if a.tellAt.IsZero() {
		return
	}
	if a.tellAt.After(r.now) {
		r.wakeAt(a.tellAt)
		return
	}
	a.tellAt, a.reported = time.Time{}, true
	r.emit(r.describeAbsence(true))
}

// back notes that we are among others again.
func (r *Room) back(at time.Time) {
	a := &r.absence
	if a.from.IsZero() {
		a.from, a.began, a.count = a.here, a.here, 0
	}
	a.fresh, a.here, a.to, a.ended, a.equal = false, at, at, at, make(map[[32]byte]bool)
	a.backAt = r.now
	if a.tellAt = r.now.Add(absenceGrace); a.reported {
		a.tellAt = r.now // it is known now until when it was
	}
	if until := r.expiry(abe.DayOf(a.from)); at.After(until) || !r.keepsDay(abe.DayOf(a.from)) {
		a.lost, a.whole = true, at
	}
	r.saveAbsence()
	r.compareAt = r.now
}

// describeAbsence is what there is to say of an absence.
func (r *Room) describeAbsence(missing bool) Absence {
	a := &r.absence
	e := Absence{From: a.began, To: a.ended, Count: a.count, Missing: missing, Lost: a.lost}
	if missing {
		e.MissingFrom, e.MissingTo = a.from, a.to
	}
	return e
}

// compareAbsence learns from a peer that has what we have: we lack no more of what was said
// while we were away than it does, and than all do. It must have said so after we were back:
// what waited for us while we slept is older.
func (r *Room) compareAbsence(x *exchange) {
	a, h := &r.absence, x.theirHello
	if a.from.IsZero() || a.to.IsZero() || !x.inside() || !x.dialler || x.began.Before(a.backAt) {
		return
	}
	a.equal[x.identity] = true
	from, to := a.from, a.to
	if h.Whole > 0 {
		// It lacks what was before its whole, and its gap.
		whole, first, last := timeOf(h.Whole), timeOf(h.GapFrom), timeOf(h.GapTo)
		switch {
		case whole.After(from):
			to = minTime(to, maxTime(whole, last))
		case first.IsZero():
			to = from
		default:
			from, to = maxTime(from, first), minTime(to, last)
		}
	}
	if r.allEqual() {
		to = from
	}
	if !to.After(from) {
		r.endAbsence()
		return
	}
	if from != a.from || to != a.to {
		a.from, a.to = from, to
		r.saveAbsence()
		if a.reported {
			r.emit(r.describeAbsence(true))
		}
	}
}

// allEqual reports whether nobody is away, and all others have what we have: then nobody who
// spoke meanwhile is missing.
func (r *Room) allEqual() bool {
	if r.head == nil || len(r.head.away) > 0 {
		return false
	}
	for i := range r.head.list {
		if id := r.head.list[i].Identity; id != r.identity && !r.absence.equal[id] {
			return false
		}
	}
	return true
}

// endAbsence says what became of an absence, if there is anything to say.
func (r *Room) endAbsence() {
	a := &r.absence
	if a.reported || a.count > 0 || a.lost {
		r.emit(r.describeAbsence(false))
	}
	*a = absence{whole: a.whole, here: a.here, savedAt: a.savedAt}
	r.saveAbsence()
}

// countAbsent counts a message that was said while we were away.
func (r *Room) countAbsent(m *record.Signed, self bool) {
	a, at := &r.absence, time.UnixMilli(int64(min(m.Time, 1<<52)))
	if !a.from.IsZero() && !self && !at.Before(a.began) && (a.ended.IsZero() || !at.After(a.ended)) {
		a.count++
	}
}

// lacks is what we say of what we lack: see record.Hello.
func (r *Room) lacks(h *record.Hello) {
	a := &r.absence
	if a.whole.IsZero() || r.head == nil {
		return
	}
	h.Whole, h.GapFrom, h.GapTo = milliseconds(a.whole), milliseconds(a.from), milliseconds(a.to)
	if !a.from.IsZero() && a.to.IsZero() {
		h.GapTo = milliseconds(r.now)
	}
}

// forgetAbsence has nothing left of when we were here: who leaves is nobody's absentee.
func (r *Room) forgetAbsence() {
	r.absence = absence{}
	if r.cfg.Journal != nil {
		r.ready.Save = append(r.ready.Save, Saved{Name: hereName, At: r.now})
	}
}
