package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room"
)

// epochs are the epoch in force, and the line about the last changes.
type epochs struct {
	now     room.EpochStarted
	since   time.Time
	here    map[peer.ID]time.Time // since when each member has been here
	members map[ake.Hash][]peer.ID
	order   []ake.Hash
	earlier int
	gone    map[peer.ID]bool // members that have left since

	// intro is the finished line that says who can read in the first one.
	intro     *entry
	introHead string

	// run is the line that further changes join, if they come soon and nothing was
	// said in between.
	run          *entry
	began        time.Time
	joined, left []peer.ID
	back         []peer.ID          // that left and joined again
	how          map[peer.ID]string // how each of left is gone
	head, can    string             // of the line
	healed       bool
	from         string // the reason
}

const (
	// runTime is how long changes join one line.
	runTime = 60 * second
	// nameTime is how long after somebody came its first name is no change.
	nameTime = 10 * second
	// maxEpochs is how many epochs' members are remembered, for /readers.
	maxEpochs = 256
)

// epoch takes a new epoch.
func (m *Model) epoch(e room.EpochStarted) {
	x := &m.rooms
	now := m.now()
	first := x.members == nil
	if first {
		x.members, x.here = make(map[ake.Hash][]peer.ID), make(map[peer.ID]time.Time)
	} else {
		x.earlier++
	}
	var ids []peer.ID
	for _, mb := range e.Members {
		m.names.Take(mb.Peer, mb.Name, now)
		ids = append(ids, mb.Peer)
		if x.here[mb.Peer].IsZero() {
			x.here[mb.Peer] = now
		}
	}
	for _, mb := range e.Left {
		delete(x.here, mb.Peer)
	}
	x.now, x.since, x.gone = e, now, nil
	x.members[e.ID] = ids
	if x.order = append(x.order, e.ID); len(x.order) > maxEpochs {
		delete(x.members, x.order[0])
		x.order = x.order[1:]
	}
	m.refuse = 0
	m.joined = true
	short := fmt.Sprintf("%x", e.ID[:2])
	can := fmt.Sprintf("%d can read", len(e.Members))
	switch {
	case first:
		direct := 0
		for _, p := range ids {
			if m.connected[p] {
				direct++
			}
		}
		m.state("room", fmt.Sprintf("%s, %s", plural(len(ids), "member"), plural(direct, "direct connection")))
		x.introHead = can + ": "
		x.intro = m.log.add(&entry{kind: kindIntro, text: m.introLine("epoch "+short, x.introHead+m.namesOf(ids))})
		x.intro.id = e.ID
		line := fmt.Sprintf("epoch %s  you joined; %s", short, can)
		whole := line
		if m.cfg.History == 0 {
			whole += ". You cannot read what was said before (history is off)."
		}
		x.run = nil
		m.log.add(&entry{kind: kindNote, at: now, text: line, wide: whole})
	case len(e.Joined) == 0 && len(e.Left) == 0:
		// Rotated: not shown, counted in /info. If it was asked for, that is.
		if x.from == room.ReasonRekey || e.Reason == room.ReasonRekey {
			m.log.add(&entry{kind: kindNote, at: now, text: fmt.Sprintf("epoch %s  new keys; %s from here", short, can)})
		}
		x.run = nil
	default:
		m.change(e, short, can, now)
	}
	x.from = ""
	for _, mb := range e.Members {
		m.lookTwice(mb.Peer)
	}
	m.out.Do(Look{})
}

// departed takes the leave of a member. Where others remain, the epoch without it
// says so.
func (m *Model) departed(p peer.ID) {
	x := &m.rooms
	if x.gone == nil {
		x.gone = make(map[peer.ID]bool)
	}
	if x.gone[p] {
		return
	}
	x.gone[p] = true
	if len(m.readers()) < 2 {
		m.note("%s left; nobody else is here", m.name(p))
	}
	m.out.Do(Look{})
}

// readers are the members that can read now: none before the first epoch.
func (m *Model) readers() []room.Member {
	x := &m.rooms
	if len(x.gone) == 0 {
		return x.now.Members
	}
	return slices.DeleteFunc(slices.Clone(x.now.Members), func(mb room.Member) bool { return x.gone[mb.Peer] })
}

// change shows who joined and who left. A run of changes is one line.
func (m *Model) change(e room.EpochStarted, short, can string, now time.Time) {
	x := &m.rooms
	if x.run == nil || x.run.gone || now.Sub(x.began) > runTime || m.log.newest() != x.run {
		x.run = m.log.add(&entry{kind: kindNote, at: now})
		x.began, x.joined, x.left, x.back = now, nil, nil, nil
		x.how = make(map[peer.ID]string)
	}
	for _, mb := range e.Joined {
		i := slices.Index(x.left, mb.Peer)
		if i >= 0 {
			x.left = slices.Delete(x.left, i, i+1)
		}
		switch {
		case slices.Contains(x.joined, mb.Peer):
		case i >= 0:
			x.back = append(x.back, mb.Peer)
		default:
			x.joined = append(x.joined, mb.Peer)
		}
	}
	for _, mb := range e.Left {
		if i := slices.Index(x.back, mb.Peer); i >= 0 {
			x.back = slices.Delete(x.back, i, i+1)
		}
		if !slices.Contains(x.left, mb.Peer) {
			x.left = append(x.left, mb.Peer)
		}
		x.how[mb.Peer] = gone(e.Reason)
	}
	x.run.at = now
	x.head, x.can, x.healed = "epoch "+short, can, e.Reason == room.ReasonHealed
	m.tellRun()
}

// tellRun writes the line about the last changes.
func (m *Model) tellRun() {
	x := &m.rooms
	var parts []string
	if len(x.joined) > 0 {
		if x.healed && len(x.joined) > 1 {
			parts = append(parts, fmt.Sprintf("%d joined from another group", len(x.joined)))
		} else {
			parts = append(parts, m.namesOf(x.joined)+" joined")
		}
	}
	for _, how := range []string{gone(room.ReasonLeft), gone(room.ReasonLapsed), gone(room.ReasonExpired), gone(room.ReasonCut)} {
		if some := slices.DeleteFunc(slices.Clone(x.left), func(p peer.ID) bool { return x.how[p] != how }); len(some) > 0 {
			parts = append(parts, m.namesOf(some)+" "+how)
		}
	}
	if len(x.back) > 0 {
		parts = append(parts, m.namesOf(x.back)+" left and came back")
	}
	x.run.text = fmt.Sprintf("%s  %s; %s from here", x.head, strings.Join(parts, ", "), x.can)
	x.run.touch()
}

// firstName takes what somebody calls itself who came without a name a moment ago:
// the lines that say that it came have the name, and there is no line of its own.
// It returns false for what is a change of name.
func (m *Model) firstName(p peer.ID) bool {
	x := &m.rooms
	since := x.here[p]
	if since.IsZero() || m.now().Sub(since) > nameTime {
		return false
	}
	if x.run != nil && !x.run.gone && slices.Contains(slices.Concat(x.joined, x.left, x.back), p) {
		m.tellRun()
	}
	if members := x.members[x.order[0]]; x.intro != nil && !x.intro.gone && x.intro.id == x.order[0] && slices.Contains(members, p) {
		x.intro.text = m.introLine(fmt.Sprintf("epoch %x", x.intro.id[:2]), x.introHead+m.namesOf(members))
		x.intro.touch()
	}
	return true
}

// gone is how somebody is gone, by the reason of the epoch without them.
func gone(reason string) string {
	switch reason {
	case room.ReasonLapsed:
		return "vanished"
	case room.ReasonExpired:
		return "expired"
	case room.ReasonCut:
		return "cut off"
	}
	return "left"
}

// CutText says what it means that this user cut somebody, or no longer does.
func CutText(e room.Cut, name func(peer.ID) string) string {
	who := name(e.Member.Peer)
	if !e.On {
		return fmt.Sprintf("you go on with %s again", who)
	}
	with := ""
	if n := len(e.With); n > 0 {
		with = fmt.Sprintf(", nor can %s who came in by them alone", plural(n, "member"))
	}
	return fmt.Sprintf("you go on without %s: from now on they cannot read what you say%s. Others decide for themselves", who, with)
}

// namesOf is a list of peers for people: this peer first, as "you".
func (m *Model) namesOf(ids []peer.ID) string {
	var out []string
	for _, p := range ids {
		if p == m.cfg.Self {
			out = slices.Insert(out, 0, "you")
		} else {
			out = append(out, m.name(p))
		}
	}
	const most = 12
	if len(out) > most {
		return fmt.Sprintf("%s and %d others", strings.Join(out[:most-1], ", "), len(out)-most+1)
	}
	if n := len(out); n > 1 && out[0] != "you" {
		return strings.Join(out[:n-1], ", ") + " and " + out[n-1]
	}
	return strings.Join(out, ", ")
}

// introLine is a finished line, as join prints them.
func (m *Model) introLine(step, s string) string {
	return fmt.Sprintf("ok   %-14s %s", step, m.clean(s))
}

// lookTwice says once when a name looks like another's.
func (m *Model) lookTwice(p peer.ID) {
	first, like := m.names.Like(p)
	if !like {
		return
	}
	name := m.names.Nick(p)
	if m.looked[p] == name {
		return
	}
	m.looked[p] = name
	who := fmt.Sprintf("%s, who was here first. Another peer.", m.name(first))
	if first == m.cfg.Self {
		who = "you. Another peer."
	}
	m.log.add(&entry{kind: kindAside, text: fmt.Sprintf("%s looks like %s", m.name(p), who)})
}
