package ui

import (
	"slices"

	"coterie/cmd/coterie/chat"
)

// scroll is the log: entries, oldest first, and where one looks at it. What is
// on the screen ends with an entry's row; a nil anchor follows the newest.
type scroll struct {
	entries []*entry
	limit   int
	seq     uint64
	// anchor is the entry whose row skip from its end is the last on the screen.
	anchor *entry
	skip   int
	// drawn are the entries with rows in memory.
	drawn []*entry
	// noOlder: there is nothing before the first entry, here or on disk.
	noOlder, asked bool
}

// maxDrawn bounds the entries with rows in memory.
const maxDrawn = 2000

// add appends an entry.
func (s *scroll) add(e *entry) *entry {
	s.seq++
	e.seq = s.seq
	s.entries = append(s.entries, e)
	s.trim()
	return e
}

// insert puts an entry before the one with index i.
func (s *scroll) insert(i int, e *entry) {
	s.seq++
	e.seq = s.seq
	s.entries = slices.Insert(s.entries, i, e)
	s.trim()
}

// moveToEnd puts an entry behind all others.
func (s *scroll) moveToEnd(e *entry) {
	i := s.index(e)
	if i < 0 || i == len(s.entries)-1 {
		return
	}
	if s.anchor == e {
		s.anchor, s.skip = s.entries[i+1], 0
	}
	s.entries = slices.Delete(s.entries, i, i+1)
	s.add(e)
}

// trim drops the oldest entries, in blocks, unless one is looking at them.
func (s *scroll) trim() {
	over := len(s.entries) - s.limit
	if over < s.limit/10+1 {
		return
	}
	if s.anchor != nil {
		// A page before the anchor stays; with it, at most twice as many entries.
		if at := s.index(s.anchor) - 500; over > at && len(s.entries) < 2*s.limit {
			over = max(at, 0)
		}
	}
	if over <= 0 {
		return
	}
	if s.anchor != nil && s.index(s.anchor) < over {
		s.anchor, s.skip = s.entries[over], 0
	}
	for _, e := range s.entries[:over] {
		e.gone = true
	}
	s.entries = append(make([]*entry, 0, s.limit+s.limit/8+64), s.entries[over:]...)
	s.noOlder = false
}

// index is where an entry is, from the newest on; -1 for nowhere.
func (s *scroll) index(e *entry) int {
	for i := len(s.entries) - 1; i >= 0; i-- {
		if s.entries[i] == e {
			return i
		}
	}
	return -1
}

func (s *scroll) newest() *entry {
	if len(s.entries) == 0 {
		return nil
	}
	return s.entries[len(s.entries)-1]
}

// below is how many entries are after the last on the screen.
func (s *scroll) below() int {
	if s.anchor == nil {
		return 0
	}
	return len(s.entries) - 1 - s.index(s.anchor)
}

// rows are the rows of an entry for how the screen is now.
func (m *Model) rows(e *entry) []row {
	key := drawKey{m.bodyWidth(), m.layout(), m.room.Names.Version(), e.version, m.method}
	if e.rows != nil && e.key == key {
		return e.rows
	}
	if e.rows == nil {
		if len(m.log.drawn) >= maxDrawn {
			for _, d := range m.log.drawn {
				d.rows = nil
			}
			m.log.drawn = m.log.drawn[:0]
		}
		m.log.drawn = append(m.log.drawn, e)
	}
	e.rows, e.key = m.draw(e), key
	return e.rows
}

// visible are the rows for a body of so many, top to bottom, and whether the
// oldest entry is the first of them.
func (m *Model) visible(height int) (out []row, top bool) {
	s := &m.log
	last, skip := len(s.entries)-1, 0
	if s.anchor != nil {
		last, skip = s.index(s.anchor), s.skip
	}
	blocks := make([][]row, 0, height)
	n := 0
	i := last
	for ; i >= 0 && n < height; i-- {
		rows := m.block(i)
		if i == last {
			rows = rows[:max(len(rows)-skip, 0)]
		}
		blocks = append(blocks, rows)
		n += len(rows)
	}
	out = make([]row, 0, n)
	for j := len(blocks) - 1; j >= 0; j-- {
		out = append(out, blocks[j]...)
	}
	return out[max(len(out)-height, 0):], i < 0 && n <= height
}

// block are the rows of entry i, with what goes before it: the day, and the
// unread mark.
func (m *Model) block(i int) []row {
	e := m.log.entries[i]
	rows := m.rows(e)
	var before []row
	if m.unread.mark != 0 && e.seq == m.unread.mark {
		before = append(before, m.unreadRow())
	}
	if d := m.dayRow(i); d != nil {
		before = append(before, *d)
	}
	if before == nil {
		return rows
	}
	return append(before, rows...)
}

// up scrolls n rows back.
func (m *Model) up(n int) {
	s := &m.log
	if len(s.entries) == 0 {
		return
	}
	followed := s.anchor == nil
	if followed {
		s.anchor, s.skip = s.newest(), 0
	}
	// The first screen stays full.
	height := m.bodyHeight()
	i := s.index(s.anchor)
	for ; n > 0; n-- {
		if _, top := m.visible(height); top {
			m.wantOlder()
			break
		}
		if len(m.block(i))-s.skip > 1 {
			s.skip++
		} else if i > 0 {
			i--
			s.anchor, s.skip = s.entries[i], 0
		} else {
			break
		}
	}
	if s.anchor == s.newest() && s.skip == 0 {
		s.anchor = nil
	} else if followed {
		m.unread.leave(m)
	}
}

// down scrolls n rows forward, and follows the newest again at the end.
func (m *Model) down(n int) {
	s := &m.log
	if s.anchor == nil {
		return
	}
	i := s.index(s.anchor)
	for ; n > 0; n-- {
		switch {
		case s.skip > 0:
			s.skip--
		case i < len(s.entries)-1:
			i++
			s.anchor = s.entries[i]
			s.skip = max(len(m.block(i))-1, 0)
		default:
			s.anchor = nil
			return
		}
	}
	if i == len(s.entries)-1 && s.skip == 0 {
		s.anchor = nil
	}
}

// oldest goes to the first entry in memory, newest to the last.
func (m *Model) oldest() {
	s := &m.log
	if len(s.entries) == 0 {
		return
	}
	m.unread.leave(m)
	height, n := m.bodyHeight(), 0
	for i := range s.entries {
		rows := len(m.block(i))
		if n+rows >= height {
			s.anchor, s.skip = s.entries[i], n+rows-height
			m.wantOlder()
			return
		}
		n += rows
	}
	s.anchor = nil
}

func (m *Model) newest() { m.log.anchor = nil }

// show scrolls so that an entry is in the upper half of the screen.
func (m *Model) show(e *entry) {
	s := &m.log
	i := s.index(e)
	if i < 0 {
		return
	}
	if s.anchor == nil {
		m.unread.leave(m)
	}
	half := max(m.bodyHeight()/2, 1)
	n := 0
	for ; i < len(s.entries); i++ {
		n += len(m.block(i))
		if n >= half {
			s.anchor, s.skip = s.entries[i], 0
			if i == len(s.entries)-1 {
				s.anchor = nil
			}
			return
		}
	}
	s.anchor = nil
}

// wantOlder asks for what is on disk.
func (m *Model) wantOlder() {
	s := &m.log
	if s.noOlder || s.asked || !m.cfg.Kept {
		return
	}
	before := m.now()
	for _, e := range s.entries {
		if e.kind == kindMessage {
			before = e.at
			break
		}
	}
	s.asked = true
	m.out.Do(chat.Older{Before: before, Count: olderCount})
}

// olderCount is how many messages are fetched at a time.
const olderCount = 500
