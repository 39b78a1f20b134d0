package ui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/text"
)

// A layout is one of the ways in which a screen of some size is used.
type layout uint8

const (
	tiny   layout = iota // too small for anything
	narrow               // time and name on a line of their own
	middle               // no members
	wide                 // with members
)

const (
	minWidth, minHeight = 20, 6
	middleWidth         = 50
	wideWidth           = 90
	maxInput            = 8
)

func (m *Model) layout() layout {
	switch {
	case m.width < minWidth || m.height < minHeight:
		return tiny
	case m.width < middleWidth:
		return narrow
	case m.width < wideWidth:
		return middle
	}
	return wide
}

// bodyWidth is how wide the messages are.
func (m *Model) bodyWidth() int {
	if m.layout() == wide && !m.bare {
		return m.width - panelWidth
	}
	return max(m.width, 1)
}

// bodyHeight is how many rows the messages have.
func (m *Model) bodyHeight() int {
	input, _ := m.inputRows()
	return max(m.height-3-len(input)-len(m.notices()), 1)
}

// View draws the screen.
func (m *Model) View() tea.View {
	if !m.dirty {
		return m.frame
	}
	m.dirty = false
	v := tea.NewView("")
	v.AltScreen = true
	v.ReportFocus = true
	v.WindowTitle = m.unread.title(m)
	if m.cfg.Mouse && !m.bare {
		v.MouseMode = tea.MouseModeCellMotion
	}
	switch {
	case m.quit:
		v.Content = ""
	case m.layout() == tiny:
		rows := text.Wrap("make the window larger", max(m.width, 1), max(m.width, 1), m.method)
		v.Content = strings.Join(rows[:min(len(rows), max(m.height, 1))], "\n")
	case m.bare:
		v.Content = m.bareView()
	default:
		v.Content, v.Cursor = m.screen()
	}
	m.frame = v
	return v
}

// screen is header, messages, trouble, input.
func (m *Model) screen() (string, *tea.Cursor) {
	var b strings.Builder
	l := m.layout()
	height, width := m.bodyHeight(), m.bodyWidth()
	input, at := m.inputRows()

	b.WriteString(m.header())
	b.WriteByte('\n')
	b.WriteString(m.edge(m.style.above, m.panelTitle()))
	b.WriteByte('\n')

	var rows []row
	switch {
	case m.panel != nil:
		all := m.panelRows()
		m.panel.top = max(min(m.panel.top, len(all)-height), 0)
		rows = all[m.panel.top:min(len(all), m.panel.top+height)]
	case m.who && l != wide:
		for _, s := range m.memberRows(width, height) {
			rows = append(rows, m.row(s))
		}
	default:
		rows, _ = m.visible(height)
	}
	var side []string
	if l == wide {
		side = m.memberRows(panelWidth-1, height)
	}
	for i := range height {
		cells := 0
		if i < len(rows) {
			b.WriteString(rows[i].s)
			cells = rows[i].w
		}
		if l == wide {
			b.WriteString(strings.Repeat(" ", max(width-cells, 0)))
			b.WriteString(m.style.down)
			if i < len(side) {
				b.WriteString(side[i])
			}
		}
		b.WriteByte('\n')
	}
	below := ""
	if n := m.log.below(); n > 0 && m.panel == nil {
		below = fmt.Sprintf("%d below", n)
	}
	b.WriteString(m.edge(m.style.below, below))
	b.WriteByte('\n')
	notices := m.notices()
	for _, n := range notices {
		b.WriteString(warn(n))
		b.WriteByte('\n')
	}
	b.WriteString(strings.Join(input, "\n"))
	y := 2 + height + 1 + len(notices)
	if m.guard.wants() != "" && len(notices) > 0 {
		// The word is typed above.
		at = cell{-1, m.method.StringWidth(notices[len(notices)-1])}
	}
	c := tea.NewCursor(min(at.col, m.width-1), min(y+at.row, m.height-1))
	c.Shape = tea.CursorBar
	return b.String(), c
}

// edge is a line across, with a corner above the members and words at its
// beginning.
func (m *Model) edge(corner, words string) string {
	width := m.bodyWidth()
	line := m.style.rule(width)
	if words != "" {
		line = m.style.titled(2, text.Truncate(words, max(width-6, 1), m.method), width)
	}
	if m.layout() == wide {
		line += corner + m.style.rule(panelWidth-1)
	}
	return line
}

func (m *Model) panelTitle() string {
	if m.panel == nil {
		return ""
	}
	hint := "Esc closes"
	if len(m.panelRows()) > m.bodyHeight() {
		hint = "PgDn for more, Esc closes"
	}
	if m.layout() == narrow {
		return m.panel.title
	}
	return m.panel.title + " " + m.style.dot + " " + hint
}

// word is the health of the room.
func (m *Model) word() string {
	w := health.Word(m.room.Health)
	switch {
	case w == health.OK:
		return string(w)
	case m.room.Health[0].Severity == health.Error:
		return bad(string(w))
	}
	return warn(string(w))
}

// header is room, domain, who reads, epoch, paths, health.
func (m *Model) header() string {
	dot := " " + m.style.dot + " "
	readers := max(len(m.room.Readers()), 1)
	word := m.word()
	if m.layout() == narrow {
		tail := fmt.Sprintf("%s%d%s%s", dot, readers, dot, word)
		name := m.cfg.Name
		if m.tabs.short != "" {
			tail = " " + m.tabs.short + tail
		}
		room := text.Truncate(name, max(m.width-1-m.method.StringWidth(tail), 1), m.method)
		return text.Truncate(" "+bold(room)+tail, m.width, m.method)
	}
	epoch := ""
	if m.room.Joined() {
		epoch = fmt.Sprintf("%x", m.room.Epoch.ID[:2])
	}
	var parts []string
	parts = append(parts, chat.CanRead(readers, len(m.room.Away())))
	trouble := len(m.room.Health) > 0 && m.room.Health[0].Trouble()
	direct, relayed := m.pathCounts()
	isWide := m.layout() == wide
	if epoch != "" && isWide {
		epoch = "keys " + epoch
	}
	paths := ""
	switch {
	case trouble:
	case direct > 0 && relayed > 0 && isWide:
		paths = fmt.Sprintf("%d direct %d relayed", direct, relayed)
	case relayed > 0:
		paths = fmt.Sprintf("%d relayed", relayed)
	case direct > 0:
		paths = fmt.Sprintf("%d direct", direct)
	}
	for _, part := range []string{epoch, paths} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	parts = append(parts, word)
	right := strings.Join(parts, dot) + " "
	rightCells := m.method.StringWidth(right)
	beside := m.cfg.Domain
	if m.tabs.long != "" {
		beside = m.tabs.long
	}
	left := " " + bold(m.cfg.Name) + dot + beside
	if room := m.width - rightCells - 2; m.method.StringWidth(left) > room {
		left = text.Truncate(" "+m.cfg.Name+dot+beside, max(room, 1), m.method)
	}
	gap := max(m.width-m.method.StringWidth(left)-rightCells, 1)
	return text.Truncate(left+strings.Repeat(" ", gap)+right, m.width, m.method)
}

// notices are the lines above the input: a question, what was pasted, or
// trouble. The last is where a word is typed that is asked for.
func (m *Model) notices() []string {
	line, most := "", 1
	switch {
	case m.guard.kind != guardNone:
		if line = m.guard.line(); m.guard.wants() != "" {
			line += "  > " + m.guard.word
		}
		most = 3
	case len(m.asks) > 0:
		line, most = m.asks[0].text, 3
	default:
		for _, i := range m.room.Health {
			if i.Trouble() {
				why := "" // it is not what is cut off
				if m.layout() != narrow {
					why = " Alt+S: why"
				}
				line = text.Truncate(m.clean(i.Text), m.width-1-len(why), m.method) + why
				break
			}
		}
	}
	if line == "" {
		return nil
	}
	rows := text.Wrap(line, m.width-1, m.width-1, m.method)
	// A low screen keeps a row for messages.
	if most = max(min(most, m.height-5), 1); len(rows) > most {
		// What is asked is at the end.
		last := rows[len(rows)-1]
		rows = rows[:most]
		if most == 1 {
			rows[0] = text.Truncate(line, m.width-1, m.method)
		} else {
			rows[most-1] = last
		}
	}
	for i := range rows {
		rows[i] = " " + rows[i]
	}
	return rows
}

// prompt is what stands before the input.
func (m *Model) prompt() string {
	switch {
	case m.rfind != nil:
		return " "
	case m.find != nil:
		return " " + m.find.line()
	case m.about != nil:
		return text.Truncate(m.aboutPrompt(), max(m.width/2, 4), m.method)
	case m.layout() == narrow:
		return "> "
	}
	return " " + text.Truncate(m.name(m.cfg.Self), max(m.width/3, 4), m.method) + "> "
}

// inputWidth is how wide the input's text is.
func (m *Model) inputWidth() int {
	return max(m.width-m.method.StringWidth(m.prompt())-1, 4)
}

// inputRows are the rows of the input that are shown, and where the cursor is.
func (m *Model) inputRows() (out []string, at cell) {
	prompt := m.prompt()
	cells := m.method.StringWidth(prompt)
	if m.rfind != nil {
		line := text.Truncate(prompt+m.shown(m.ownSearchLine()), m.width, m.method)
		return []string{line}, cell{0, min(m.method.StringWidth(line), m.width-1)}
	}
	e := &m.input
	if m.find != nil {
		e = &m.find.words
	}
	rows, places := e.layout(m.inputWidth(), m.method, m.shown)
	at = places[min(e.at, len(places)-1)]
	most := max(min(maxInput, m.height-5-len(m.notices())+1), 1)
	first := 0
	if len(rows) > most {
		first = max(min(at.row-most/2, len(rows)-most), 0)
		rows = rows[first : first+most]
	}
	for i, r := range rows {
		if i == 0 && first == 0 {
			out = append(out, prompt+r)
		} else {
			out = append(out, strings.Repeat(" ", cells)+r)
		}
	}
	hint := "F1 help"
	if m.layout() == wide {
		hint += "  Alt+S status"
	}
	if len(out) == 1 && m.find == nil {
		if used := m.method.StringWidth(out[0]); used+2+len(hint)+2 < m.width {
			out[0] += strings.Repeat(" ", m.width-used-len(hint)-2) + dim(hint)
		}
	}
	return out, cell{at.row - first, at.col + cells}
}

// bareView is the messages alone, for the terminal's own selection.
func (m *Model) bareView() string {
	rows, _ := m.visible(m.height)
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r.s
	}
	return strings.Join(lines, "\n")
}
