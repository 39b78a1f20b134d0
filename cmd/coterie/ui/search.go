package ui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/text"
)

// A search is Ctrl+F: as one types, newest first.
type search struct {
	words editor
	at    *entry // the one shown; nil: none
	count int    // how many there are
	place int    // which of them at is, from the newest: 1
	was   *entry // where one was before, to return to
	skip  int
	disk  diskSearch
}

// A filter is a search as it was typed.
type filter struct {
	words         string // folded
	from          string
	before, after time.Time
}

func (m *Model) startSearch(words string) {
	if m.find == nil {
		m.find = &search{was: m.log.anchor, skip: m.log.skip}
	}
	m.panel, m.rfind = nil, nil
	if words != "" {
		m.find.words.set(words)
	}
	m.lookFor(nil)
}

func (m *Model) endSearch() {
	if m.find.at != nil {
		m.find.at.touch()
	}
	m.find = nil
}

// parseFilter takes words and from:NICK before:DATE after:DATE.
func parseFilter(s string) filter {
	var f filter
	var words []string
	for _, w := range strings.Fields(s) {
		key, value, ok := strings.Cut(w, ":")
		day, err := time.ParseInLocation("2006-01-02", value, time.Local)
		switch {
		case ok && key == "from" && value != "":
			f.from = text.Fold(value)
		case ok && key == "before" && err == nil:
			f.before = day
		case ok && key == "after" && err == nil:
			f.after = day.AddDate(0, 0, 1)
		default:
			words = append(words, w)
		}
	}
	f.words = text.Fold(strings.Join(words, " "))
	return f
}

func (f *filter) empty() bool {
	return f.words == "" && f.from == "" && f.before.IsZero() && f.after.IsZero()
}

func (m *Model) matches(f *filter, e *entry) bool {
	switch {
	case e.kind != kindMessage:
		return false
	case !f.before.IsZero() && !e.at.Before(f.before), !f.after.IsZero() && e.at.Before(f.after):
		return false
	case f.from != "" && !m.isFrom(f, e.peer):
		return false
	}
	return strings.Contains(text.Fold(e.text), f.words)
}

// isFrom reports whether a peer is the one that is asked for.
func (m *Model) isFrom(f *filter, p peer.ID) bool {
	return strings.HasPrefix(text.Fold(m.name(p)), f.from) || m.room.Names.Tag(p) == f.from
}

// lookFor finds the newest match before an entry; nil: of all.
func (m *Model) lookFor(before *entry) {
	s := m.find
	if s.at != nil {
		s.at.touch()
	}
	f := parseFilter(s.words.String())
	s.count, s.place = 0, 0
	if f.empty() {
		s.at = nil
		return
	}
	m.searchDisk(&f)
	var found *entry
	passed := before == nil
	for i := len(m.log.entries) - 1; i >= 0; i-- {
		e := m.log.entries[i]
		if m.matches(&f, e) {
			s.count++
			if passed && found == nil {
				found, s.place = e, s.count
			}
		}
		if e == before {
			passed = true
		}
	}
	if found == nil {
		if before != nil {
			found, s.place = s.at, s.count // the oldest stays
		}
		m.deeper()
	}
	s.at = found
	if found != nil {
		found.touch()
		m.show(found)
	}
}

// later goes to the next newer match.
func (m *Model) later() {
	s := m.find
	f := parseFilter(s.words.String())
	if s.at == nil || f.empty() {
		return
	}
	i := m.log.index(s.at)
	for i++; i > 0 && i < len(m.log.entries); i++ {
		if e := m.log.entries[i]; m.matches(&f, e) {
			s.at.touch()
			s.at = e
			s.place--
			e.touch()
			m.show(e)
			return
		}
	}
}

// searchKey takes a key while one searches; it returns false for those that go
// elsewhere.
func (m *Model) searchKey(k tea.KeyPressMsg) bool {
	switch name := k.String(); name {
	case "enter", "up", "ctrl+f", "ctrl+p":
		m.lookFor(m.find.at)
	case "down", "ctrl+n", "shift+enter":
		m.later()
	case "esc":
		m.endSearch()
	default:
		if !m.find.words.key(name) {
			if k.Text == "" {
				return false
			}
			m.find.words.insert(k.Text, true)
		}
		if len(m.find.words.chars) > 200 {
			m.find.words.chars = m.find.words.chars[:200]
			m.find.words.at = 200
		}
		m.lookFor(nil)
	}
	return true
}

// line is what stands where the input was.
func (s *search) line() string {
	switch {
	case s.words.empty():
		return "search: "
	case s.all() == 0 && s.disk.asking:
		return "search (looking): "
	case s.all() == 0:
		return "search (nothing): "
	}
	return fmt.Sprintf("search (%d of %d): ", s.place, s.all())
}

// An ownSearch is Ctrl+R: through one's own input.
type ownSearch struct {
	words editor
	at    int
}

func (m *Model) ownSearchKey(k tea.KeyPressMsg) bool {
	r := m.rfind
	find := func(from int) {
		words := text.Fold(r.words.String())
		for i := from; i >= 0 && i < len(m.own.lines); i-- {
			if words != "" && strings.Contains(text.Fold(m.own.lines[i]), words) {
				r.at = i
				return
			}
		}
	}
	switch name := k.String(); name {
	case "ctrl+r", "up":
		find(r.at - 1)
	case "enter":
		if r.at < len(m.own.lines) {
			m.input.set(m.own.lines[r.at])
		}
		m.rfind = nil
	case "esc", "ctrl+g":
		m.rfind = nil
	default:
		if !r.words.key(name) {
			if k.Text == "" {
				return false
			}
			r.words.insert(k.Text, true)
		}
		r.at = len(m.own.lines)
		find(len(m.own.lines) - 1)
	}
	return true
}

func (m *Model) ownSearchLine() string {
	found := ""
	if m.rfind.at < len(m.own.lines) {
		found = m.own.lines[m.rfind.at]
	}
	return fmt.Sprintf("own input `%s': %s", m.rfind.words.String(), strings.ReplaceAll(found, "\n", " "))
}
