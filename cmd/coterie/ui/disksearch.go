package ui

import (
	"fmt"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/crypto/ake"
	"coterie/room"
)

// A diskSearch is the part of a search that goes through what is kept. What is in
// memory is found at once; what the disk has comes a moment later.
type diskSearch struct {
	n      int    // of the last question
	words  string // what it was about, as typed
	asking bool   // no answer yet
	total  int
	hits   []room.Delivered // newest first
	// going is the hit that is being fetched, with what was said since; zero: none.
	going ake.Hash
}

// maxHits is how many hits of the disk are kept.
const maxHits = 1000

// searchDisk asks what the disk has, unless it was asked. One question at a time
// is open: what was typed meanwhile is asked for after the answer.
func (m *Model) searchDisk(f *filter) {
	d := &m.find.disk
	if !m.cfg.Kept || d.asking || d.n > 0 && d.words == m.find.words.String() {
		return
	}
	m.searches++
	*d = diskSearch{n: m.searches, words: m.find.words.String(), asking: true}
	q := chat.Search{Ref: d.n, Words: f.words, From: f.from, Begin: true, OnDisk: true, Before: f.before,
		Limit: maxHits}
	if !f.after.IsZero() { // the day itself is meant, too
		q.After = f.after.Add(-time.Millisecond)
	}
	m.out.Do(q)
}

// found takes the answer.
func (m *Model) found(a chat.Found) {
	if m.find == nil || a.Ref != any(m.find.disk.n) {
		return
	}
	d := &m.find.disk
	d.asking, d.total, d.hits = false, a.Total, a.Messages
	if d.words != m.find.words.String() {
		m.lookFor(nil)
		return
	}
	if m.find.at == nil {
		m.deeper()
	}
}

// all is how many matches there are.
func (s *search) all() int { return max(s.count, s.disk.total) }

// deeper fetches the newest hit that is not in memory, with what was said since
// then: the scrollback has no holes.
func (m *Model) deeper() {
	d := &m.find.disk
	if d.asking || d.going != (ake.Hash{}) {
		return
	}
	have := make(map[ake.Hash]bool)
	before := m.now().Add(time.Hour) // other clocks may be fast
	oldest := true
	for _, e := range m.log.entries {
		if e.kind == kindMessage {
			if have[e.id] = true; oldest {
				before, oldest = e.at, false
			}
		}
	}
	for _, h := range d.hits {
		if !have[h.ID] {
			d.going = h.ID
			m.out.Do(chat.Older{Before: before, Since: h.ShownAt(), Count: olderCount})
			return
		}
	}
}

// arrived goes to the hit that was fetched. One that is too far back is shown with
// all the others, as a list.
func (m *Model) arrived() {
	if m.find == nil || m.find.disk.going == (ake.Hash{}) {
		return
	}
	d := &m.find.disk
	id := d.going
	d.going = ake.Hash{}
	for _, e := range m.log.entries {
		if e.kind == kindMessage && e.id == id {
			m.lookFor(m.find.at)
			return
		}
	}
	var lines []string
	for _, h := range d.hits {
		m.nameFromBefore(h)
		e := m.message(h)
		who, _ := m.sayer(e)
		lines = append(lines, fmt.Sprintf("%s  %s: %s", e.at.Local().Format("2006-01-02 15:04"), who,
			strings.ReplaceAll(e.text, "\n", " ")))
	}
	m.open(fmt.Sprintf("%d found; the newest %d", m.find.all(), len(d.hits)), lines)
}
