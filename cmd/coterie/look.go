package main

import (
	"maps"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/health"
	"coterie/node"
	"coterie/room"
)

// A view is how things stood at one moment.
type view struct {
	status node.Status
	taken  bool
}

// pathChanged: a peer is reached otherwise than before.
type pathChanged struct{ path node.Path }

// memberState: nothing was heard of a member for a while, or something again.
type memberState struct {
	member  room.Member
	suspect bool
}

// look takes a view, beside the session.
func (s *session) look() {
	s.errand(func() {
		st := s.node.Status()
		s.post(func() { s.compare(view{st, true}) })
	})
}

// compare tells what differs from the view before.
func (s *session) compare(v view) {
	before := make(map[peer.ID]node.Path)
	for _, p := range s.last.status.Peers {
		before[p.Peer] = p
	}
	for _, p := range v.status.Peers {
		old, had := before[p.Peer]
		delete(before, p.Peer)
		measured := old.RTT == 0 && p.RTT > 0
		if !had || measured || old.Kind != p.Kind || old.Transport != p.Transport || old.Relay != p.Relay {
			s.show(pathChanged{p})
		}
	}
	gone := make([]peer.ID, 0, len(before))
	for p := range before {
		gone = append(gone, p)
	}
	slices.Sort(gone)
	for _, p := range gone {
		s.show(pathChanged{node.Path{Peer: p, Kind: node.NoPath}})
	}
	suspect := make(map[peer.ID]bool)
	for _, m := range s.last.status.Room.Members {
		suspect[m.Peer] = m.Suspect
	}
	for _, m := range v.status.Room.Members {
		if was, had := suspect[m.Peer]; m.Suspect && !was || had && was && !m.Suspect {
			s.out.event(s, memberState{m.Member, m.Suspect})
		}
	}
	s.last = v
	s.lookAround(v.status)
	s.compareHealth(v.status)
}

// healthChanged: something is wrong, or is so no more.
type healthChanged struct {
	item health.Item
	on   bool
}

// compareHealth tells which items of health are new, and which are over.
func (s *session) compareHealth(st node.Status) {
	before := make(map[health.Code]health.Item)
	for _, i := range s.watch.Shown() {
		before[i.Code] = i
	}
	for _, i := range s.watch.Step(s.app.now(), s.facts(st)) {
		old, had := before[i.Code]
		delete(before, i.Code)
		if !had || old.Text != i.Text || old.Hint != i.Hint {
			s.show(healthChanged{i, true})
		}
		s.warnOf(i)
	}
	for _, code := range slices.Sorted(maps.Keys(before)) {
		s.show(healthChanged{before[code], false})
	}
}

// facts are all that is known of the session's health.
func (s *session) facts(st node.Status) health.Facts {
	f := facts(s.plan, st, s.app.now())
	f.Refusals = len(s.refusals)
	return f
}
