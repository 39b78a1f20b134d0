package main

import (
	"time"

	"coterie/cmd/coterie/health"
	"coterie/crypto/abe"
	"coterie/node"
)

// facts are what a node's status tells of its health. What only whoever follows
// the events knows (refusals, what is held by whom) is added there.
func facts(p *plan, st node.Status, now time.Time) health.Facts {
	f := health.Facts{
		KeyDays: int(p.key.Expires()) - int(abe.DayOf(now)), Expires: p.key.Expires().String(),
		Bootstraps: len(p.beginAt()), Members: len(st.Room.Members), MaySend: st.Room.MaySend, Held: st.Room.Held,
		Others: st.Room.Heard, Skew: st.Ahead.Round(time.Second), SkewOf: st.Clocks,
		Newer: st.Newer, Peers: st.Speaking, Version: st.Version, UDPBlocked: st.UDPBlocked,
	}
	for _, e := range elsewhere(p, st) {
		f.Elsewhere = append(f.Elsewhere, e.Text+"; "+e.Hints[0])
	}
	names := newNames("")
	for _, m := range st.Room.Members {
		names.take(m.Peer, m.Name)
	}
	for _, m := range st.Room.Members {
		if m.Differs {
			f.Differ = append(f.Differ, names.show(m.Peer))
		}
		if !m.Self && m.Known > m.Have {
			f.Missing += int(m.Known - m.Have)
		}
	}
	for _, path := range st.Peers {
		switch {
		case path.IsRelay:
			f.Relays++
		case path.Kind == node.Relayed:
			f.Relayed++
		case path.Kind == node.Direct:
			f.Direct++
		}
	}
	return f
}
