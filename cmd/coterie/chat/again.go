package chat

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
	"coterie/node"
	"coterie/room"
)

// Events are those by which a State of the same room comes to know what this one does, as far
// as faces show it. What was so once is known, what is so now came before.
func (s *State) Events() []Event {
	var out []Event
	at, when := s.Since, Known
	put := func(at time.Time, what any) { out = append(out, Event{Room: s.ID, At: at, What: what, When: when}) }
	s.Names.Each(func(p peer.ID, nick string, first time.Time) {
		put(first, room.Renamed{Member: room.Member{Peer: p, Name: nick}})
	})
	for _, id := range s.order {
		if id == s.Epoch.ID {
			continue
		}
		past := s.past[id]
		put(at, room.EpochStarted{ID: id, Members: s.named(past.members), Away: s.named(past.away)})
	}
	if s.Joined() {
		when = Before
		now := s.Epoch
		now.Joined, now.Left, now.Back, now.WentAway = nil, nil, nil, nil
		put(at, now)
	}
	when = Known
	for p, how := range s.Departed {
		if how != Stays {
			put(at, room.Departed{Member: s.named([]peer.ID{p})[0], Away: how == GoesAway})
		}
	}
	for p := range s.Ignored {
		put(at, Ignored{p, true})
	}
	when = Before
	for _, q := range s.Questions {
		put(at, q)
	}
	if len(s.Health) > 0 {
		put(at, HealthChanged{s.Health[0], true, s.Health})
	}
	return out
}

func (s *State) named(ids []peer.ID) []room.Member {
	out := make([]room.Member, len(ids))
	for i, p := range ids {
		out[i] = room.Member{Peer: p, Name: s.Names.Nick(p)}
	}
	return out
}

// Portable is an event as another process can take it: what is said of it is the same. An error
// there is its words alone.
func (s *State) Portable(e Event) Event {
	switch w := e.What.(type) {
	case Warning:
		w.Err = bare(w.Err)
		e.What = w
	case NotDone:
		e.What = NotDone{bare(w.Err)}
	case Rejected:
		e.What = Rejected{w.Ref, bare(w.Err)}
	case Answer:
		w.Held = slices.Clone(w.Held)
		for i := range w.Held {
			w.Held[i].Ref = nil // it is the room's own
		}
		e.What = w
	case Snapshot:
		w.Status.Elsewhere, w.Status.Fellows = nil, nil
		e.What = w
	case node.BootstrapFailed:
		err := bootstrapError(w)
		e.What = Warning{bare(err), err.Code != codeWrongPeer && err.Code != "clock"}
	default:
		if err, ok := s.Problem(e.What); ok {
			e.What = Warning{Err: bare(err)}
		}
	}
	return e
}

// bare is an error without its cause.
func bare(err *cli.Error) *cli.Error {
	if err == nil {
		return nil
	}
	out := *err
	out.Err = nil
	return &out
}
