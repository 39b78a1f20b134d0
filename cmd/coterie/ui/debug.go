package ui

import (
	"math"
	"slices"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/text"
)

// A debugLog is the log as it runs: its last lines, and whether it is asked for.
type debugLog struct {
	on    bool
	lines []string // clean
}

const (
	// maxLogged is how many lines of the log are kept, maxLoggedLine how many bytes
	// of each.
	maxLogged     = 500
	maxLoggedLine = 1000

	debugTitle = "the log as it runs"
)

// toggleDebug shows the log from here on, or no more.
func (m *Model) toggleDebug() {
	d := &m.debug
	switch {
	case d.on && m.debugShown():
		m.panel = nil
		m.endDebug()
		return
	case !d.on:
		d.on, d.lines = true, nil
		m.out.Do(chat.Debug{On: true})
	}
	m.open(debugTitle, d.lines)
	m.panel.top = math.MaxInt32 // the newest: what is drawn makes it fit
}

func (m *Model) debugShown() bool { return m.panel != nil && m.panel.title == debugTitle }

func (m *Model) endDebug() {
	m.debug = debugLog{}
	m.out.Do(chat.Debug{})
}

// logged takes a line of the log. Who looks at the newest goes on doing so.
func (m *Model) logged(line string) {
	d := &m.debug
	if !d.on {
		return
	}
	clean, _ := text.Line(line[:min(len(line), maxLoggedLine)])
	if d.lines = append(d.lines, m.shown(clean)); len(d.lines) > maxLogged {
		d.lines = slices.Delete(d.lines, 0, maxLogged/10)
	}
	if !m.debugShown() {
		return
	}
	p := m.panel
	most := func() int { return max(len(m.panelRows())-m.bodyHeight(), 0) }
	follow := p.top >= most()
	p.lines, p.rows = slices.Clone(d.lines), nil
	if p.top = min(p.top, most()); follow {
		p.top = most()
	}
}
