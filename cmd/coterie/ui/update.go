package ui

import (
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"coterie/cmd/internal/text"
	"coterie/room"
)

// Update takes a message: a key, an event of the room, a word of the backend.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.dirty = true
	return m, m.take(msg)
}

func (m *Model) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case Events:
		var cmds []tea.Cmd
		for _, e := range msg {
			if c := m.take(e); c != nil {
				cmds = append(cmds, c)
			}
		}
		return tea.Batch(cmds...)
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.ModeReportMsg:
		// As the renderer does: from here on the terminal counts clusters.
		if msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			m.method = text.ByCluster
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		if m.bare {
			m.bare = false
		}
		m.paste(msg.Content)
	case tea.FocusMsg:
		m.unread.focus(m)
	case tea.BlurMsg:
		m.unread.blur(m)
	case tea.MouseWheelMsg:
		m.wheel(msg)
	case burstOver:
		return m.endBurst(msg)
	case tick:
		m.everySecond()
		return m.nextTick()
	default:
		return m.outside(msg)
	}
	return nil
}

// outside takes what the room and the backend say.
func (m *Model) outside(msg any) tea.Cmd {
	if m.event(msg) {
		return m.unread.ring(m)
	}
	switch msg := msg.(type) {
	case Rejected:
		m.rejected(msg)
	case Snapshot:
		m.snap = msg
		m.health()
	case Note:
		m.note("%s", m.clean(msg.Text))
	case Trouble:
		m.trouble(msg)
	case State:
		m.state(msg.Step, msg.Text)
	case Answer:
		m.open(msg.Title, msg.Lines)
	case Past:
		m.past(msg)
		if !msg.Since.IsZero() {
			m.arrived()
		}
	case Found:
		m.found(msg)
	case Question:
		m.question(msg)
	case Proof:
		m.proof(msg)
	case Edited:
		m.edited(msg)
	case Files:
		m.tab.files(m, msg)
	case Logged:
		m.logged(msg.Line)
	case Copy:
		m.note("copied")
		return tea.SetClipboard(msg.Text)
	}
	return nil
}

// everySecond is what time does.
func (m *Model) everySecond() {
	m.health()
	m.unread.seen(m)
}

// health takes stock.
func (m *Model) health() {
	f := m.snap.Facts
	f.Held = m.heldCount()
	if m.joined {
		f.Members = len(m.readers())
	}
	f.Refusals = m.refuse
	m.watch.Step(m.now(), f)
}

// past puts older messages before the others.
func (m *Model) past(p Past) {
	s := &m.log
	s.asked, s.noOlder = false, p.All
	if len(p.Messages) == 0 {
		return
	}
	at := 0
	for at < len(s.entries) && s.entries[at].kind == kindIntro {
		at++
	}
	have := make(map[[32]byte]bool)
	for _, e := range s.entries {
		if e.kind == kindMessage {
			have[e.id] = true
		}
	}
	var older []*entry
	for _, d := range p.Messages {
		if have[d.ID] || m.ignored[d.Author.Peer] {
			continue
		}
		d.History = true
		m.nameFromBefore(d)
		s.seq++
		e := m.message(d)
		e.seq = s.seq
		older = append(older, e)
	}
	entries := make([]*entry, 0, len(s.entries)+len(older))
	entries = append(entries, s.entries[:at]...)
	entries = append(entries, older...)
	s.entries = append(entries, s.entries[at:]...)
}

// nameFromBefore notes what somebody called itself who is not here by another
// name.
func (m *Model) nameFromBefore(d room.Delivered) {
	if d.Author.Name != "" && m.names.Nick(d.Author.Peer) == "" {
		m.names.Take(d.Author.Peer, d.Author.Name, m.now())
	}
}

func (m *Model) edited(e Edited) {
	if e.Err != "" {
		m.trouble(Trouble{Text: e.Err})
		return
	}
	m.input.set(e.Text)
	m.guard.kind = guardNone
	m.guard.pasted(m.input.String(), m.now())
	m.guard.ended = m.now().Add(-second)
}

func (m *Model) wheel(w tea.MouseWheelMsg) {
	switch w.Button {
	case tea.MouseWheelUp:
		m.up(3)
	case tea.MouseWheelDown:
		m.down(3)
	}
}
