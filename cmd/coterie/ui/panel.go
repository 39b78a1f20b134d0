package ui

import (
	"strings"

	"coterie/cmd/internal/text"
)

// A panel is a text over the messages, until Esc.
type panel struct {
	title string
	lines []string // clean
	top   int
	rows  []row
	width int
	mark  text.Method
}

// open shows a text; it is cleaned here.
func (m *Model) open(title string, lines []string) {
	p := &panel{title: m.clean(title)}
	for _, l := range lines {
		clean, _ := text.Clean(l)
		p.lines = append(p.lines, strings.Split(m.shown(clean), "\n")...)
	}
	m.panel = p
}

// panelRows are its rows at this width.
func (m *Model) panelRows() []row {
	p := m.panel
	width := m.bodyWidth()
	if p.rows != nil && p.width == width && p.mark == m.method {
		return p.rows
	}
	p.rows, p.width, p.mark = []row{}, width, m.method
	for _, l := range p.lines {
		// What is wrapped goes on where the text of its column begins.
		indent := min(column(l), width/2)
		p.rows = append(p.rows, m.flow(" ", 1, l, width, indent+1)...)
	}
	return p.rows
}

// column is where the second column of a line begins, or its text.
func column(l string) int {
	trimmed := strings.TrimLeft(l, " ")
	lead := len(l) - len(trimmed)
	if i := strings.Index(trimmed, "  "); i >= 0 {
		rest := strings.TrimLeft(trimmed[i:], " ")
		if rest != "" {
			return text.Width(l[:len(l)-len(rest)])
		}
	}
	return lead
}

// panelKey takes a key while a panel is open; it returns false for those that go
// elsewhere.
func (m *Model) panelKey(name string) bool {
	p := m.panel
	height := max(m.bodyHeight()-1, 1)
	most := max(len(m.panelRows())-height, 0)
	switch name {
	case "esc":
		m.closePanel()
	case "pgup":
		p.top = max(p.top-height, 0)
	case "pgdown":
		p.top = min(p.top+height, most)
	case "up":
		if !m.input.empty() {
			return false
		}
		p.top = max(p.top-1, 0)
	case "down":
		if !m.input.empty() {
			return false
		}
		p.top = min(p.top+1, most)
	case "alt+home":
		p.top = 0
	case "alt+end":
		p.top = most
	case "alt+s", "alt+i", "alt+o", "f1":
		// The key that opened it closes it.
		if m.action(name) == p.opened() {
			m.panel = nil
			return true
		}
		return false
	default:
		return false
	}
	return true
}

// closePanel closes it; with its panel the log ends, too.
func (m *Model) closePanel() {
	if m.debugShown() {
		m.endDebug()
	}
	m.panel = nil
}

func (p *panel) opened() string {
	switch {
	case strings.HasPrefix(p.title, "status"):
		return "status"
	case strings.HasPrefix(p.title, "room"):
		return "info"
	case strings.HasPrefix(p.title, "help"):
		return "help"
	case strings.HasPrefix(p.title, "message"):
		return "open"
	}
	return ""
}

// openLong shows the last message on the screen that is folded.
func (m *Model) openLong() {
	from := len(m.log.entries) - 1
	if m.log.anchor != nil {
		from = m.log.index(m.log.anchor)
	}
	for i := from; i >= 0 && i > from-200; i-- {
		e := m.log.entries[i]
		if e.kind != kindMessage {
			continue
		}
		if m.folded(e) {
			m.open("message of "+m.room.Names.Show(e.peer)+", "+m.clock(e.at), strings.Split(e.text, "\n"))
			return
		}
	}
	m.open("message", []string{"No message on the screen is longer than " + text.Plural(foldLines, "line") + "."})
}

func (m *Model) folded(e *entry) bool { return len(m.rows(e)) > foldLines }
