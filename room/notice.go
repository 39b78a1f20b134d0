package room

import (
	"errors"
	"time"

	"coterie/crypto/abe"
	"coterie/room/record"
)

// What the domain says of keys that are good no more: PROTOCOL.md §7.7. A notice begins
// new periods, as midnight does, and whoever has a key that it names has no part in them.

// ErrTwoNotices: the domain's authority signed two notices with one number. Those who
// have the one and those who have the other do not find together before a later one.
var ErrTwoNotices = errors.New("the domain signed two different notices with one number")

// ErrRevoked: the domain has revoked the key of this process, which takes part no more.
var ErrRevoked = errors.New("the domain has revoked this key")

// NoticeTaken: the domain's newest notice is another one; Own says that it names the key
// of this process, which takes part no more.
type NoticeTaken struct {
	Notice *abe.Notice
	Own    bool
}

// notices are what is known of the domain's.
type notices struct {
	newest  *abe.Notice // nil: none
	takenAt time.Time   // when; zero: it was known at the start, or there is none
	waits   *abe.Notice // a newer one, for which it is too early
	forked  bool        // that there are two with its number was told
}

func (s *notices) number() uint32 {
	if s.newest == nil {
		return 0
	}
	return s.newest.Number
}

// TakeNotice takes a notice that our user brings. It returns whether it is the domain's:
// an older one changes nothing.
func (r *Room) TakeNotice(now time.Time, n *abe.Notice) bool {
	r.advance(now)
	o := r.addNotice(n)
	r.finish()
	return o != refused
}

// addNotice takes a notice from wherever. Of two the greater number counts.
func (r *Room) addNotice(n *abe.Notice) outcome {
	s := &r.notices
	switch {
	case r.cfg.CheckNotice == nil || r.closed:
		return foreign
	case n.Number < s.number() || n.Equal(s.newest) || n.Equal(s.waits):
		return known
	case r.cfg.CheckNotice(n) != nil:
		return refused
	case n.Number == s.number():
		if !s.forked {
			s.forked = true
			r.emit(Failed{Doing: "taking a notice", Err: ErrTwoNotices})
		}
		return known
	case n.Time().After(r.now.Add(maxAhead)):
		return foreign // by a clock that is far ahead: not yet
	}
	if at := s.takenAt.Add(noticeEvery); !s.takenAt.IsZero() && at.After(r.now) {
		if s.waits == nil || n.Number > s.waits.Number {
			s.waits = n
		}
		r.wakeAt(at)
		return kept
	}
	r.takeNotice(n)
	return kept
}

// takeWaiting takes the notice that came too early, when its time has come.
func (r *Room) takeWaiting() {
	s := &r.notices
	if s.waits == nil {
		return
	}
	if at := s.takenAt.Add(noticeEvery); at.After(r.now) {
		r.wakeAt(at)
		return
	}
	r.takeNotice(s.waits)
}

// takeNotice begins the periods after a notice. What the last ones hold is kept until all
// can have come over; what was before that is over.
func (r *Room) takeNotice(n *abe.Notice) {
	s := &r.notices
	was := s.number()
	for _, p := range r.sortedDays() {
		if p.Notice() != was {
			r.forgetDay(p)
		}
	}
	renewAt := make(map[abe.Period]time.Time)
	for p, at := range r.renewAt {
		renewAt[abe.PeriodOf(n.Number, p.Day())] = at
	}
	r.renewAt = renewAt
	*s = notices{newest: n, takenAt: r.now}
	r.version++
	r.reconsider = true
	for _, nb := range r.neighbours {
		nb.compareAt, nb.compared = r.now, false
	}
	r.emit(NoticeTaken{Notice: n, Own: r.revoked()})
}

// revoked reports whether the domain's newest notice names our own key.
func (r *Room) revoked() bool { return r.notices.newest.Names(r.cfg.Serial) }

// begins is when a period does, as far as we know: with its day, or later, with its
// notice.
func (r *Room) begins(p abe.Period) time.Time {
	if g := r.days[p]; g != nil {
		return maxTime(p.Start(), g.began)
	}
	return p.Start()
}

// isOver reports whether what was kept of a period is to be forgotten.
func (r *Room) isOver(p abe.Period) bool {
	// Records of a day are taken until an hour after it; those of before a notice for a while,
	// since others may not have heard of it.
	return p.Day() < r.today().Day() && r.now.After((p+1).Start().Add(earlyDay)) ||
		p.Notice() != r.notices.number() && r.now.After(r.notices.takenAt.Add(dayGrace))
}

// tellNotice sends the newest notice to whoever says that it knows an older one, or none.
func (r *Room) tellNotice(x *exchange) {
	if n := r.notices.newest; n != nil && x.theirHello.Notice < n.Number {
		r.send(x, n.Append([]byte{record.FrameNotice}))
	}
}

// tookNotice takes the frame. It returns false for what the domain did not sign.
func (r *Room) tookNotice(x *exchange, body []byte) bool {
	n, err := abe.ParseNotice(body)
	if err != nil || x.gotNotice {
		return false
	}
	x.gotNotice = true
	return r.addNotice(n) != refused
}
