package chat

import (
	"time"

	"coterie/cmd/internal/text"
	"coterie/room"
)

// absenceText says from when to when we were away, what was said meanwhile, and what may be
// missing of it.
func (s *State) absenceText(a room.Absence, now time.Time) string {
	when := "away since " + s.dayClock(a.From, now)
	if !a.To.IsZero() {
		when = "away from " + s.dayClock(a.From, now) + " to " + s.dayClock(a.To, now)
	}
	said := text.Plural(a.Count, "message")
	switch {
	case !a.Missing && !a.Lost:
		return when + ": " + said
	case !a.Missing, a.Lost && a.To.IsZero():
		return when + ", for longer than what is said is kept: " + said + "; what else was said is not for you any more"
	case a.To.IsZero():
		return when + ": what was said meanwhile is not here: nobody who may have it is"
	}
	missing := s.dayClock(a.MissingFrom, now) + " to " + s.dayClock(a.MissingTo, now)
	return when + ": " + said + "; what was said from " + missing + " may be missing: not all who may have it are here"
}
