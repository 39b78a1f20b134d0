package ui

import (
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/crypto/ake"
	"coterie/room"
)

// epochs are the lines about epochs that may change later.
type epochs struct {
	// intro is the finished line that says who can read in the first one.
	intro *entry
	first ake.Hash
	// run is the line that further changes join, if they come soon and nothing was
	// said in between.
	run     *entry
	began   time.Time
	changes chat.Changes
}

const (
	// runTime is how long changes join one line.
	runTime = 60 * second
	// nameTime is how long after somebody came its first name is no change.
	nameTime = 10 * second
)

// epoch shows a new epoch. Changes that come soon after others join their line.
func (m *Model) epoch(e room.EpochStarted, said []chat.Line) {
	x := &m.epochs
	if m.room.Started == 1 || len(e.Joined) == 0 && len(e.Left) == 0 && len(e.WentAway) == 0 {
		x.run = nil
		for _, l := range said {
			m.say(l)
			if l.Kind == chat.Step {
				x.intro, x.first = m.log.newest(), e.ID
			}
		}
		return
	}
	now := m.at()
	if x.run == nil || x.run.gone || now.Sub(x.began) > runTime || m.log.newest() != x.run {
		x.run = m.log.add(&entry{kind: kindNote})
		x.began, x.changes = now, chat.Changes{}
	}
	x.run.at = now
	x.changes.Add(e)
	m.tellRun()
	for _, l := range said[1:] {
		m.say(l)
	}
}

func (m *Model) tellRun() {
	x := &m.epochs
	x.run.text = m.shown(m.room.ChangesText(&x.changes))
	x.run.touch()
}

// firstName takes what somebody calls themselves who came without a name a moment ago: the
// lines that say that they came have the name, and there is no line of its own. It
// returns false for what is a change of name.
func (m *Model) firstName(p peer.ID) bool {
	x := &m.epochs
	since := m.room.Here[p]
	if since.IsZero() || m.at().Sub(since) > nameTime {
		return false
	}
	if x.run != nil && !x.run.gone && x.changes.About(p) {
		m.tellRun()
	}
	if members, _, ok := m.room.ReadersOf(x.first); ok && x.intro != nil && !x.intro.gone && slices.Contains(members, p) {
		x.intro.text = m.introLine(m.room.FirstLine(x.first, members))
		x.intro.touch()
	}
	return true
}

// introLine is a finished line, as join prints them.
func (m *Model) introLine(l chat.Line) string {
	return fmt.Sprintf("ok   %-14s %s", l.Step, m.clean(l.Text))
}
