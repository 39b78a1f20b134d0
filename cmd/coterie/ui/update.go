package ui

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"coterie/cmd/coterie/chat"
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
		if msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet ||
			msg.Value == ansi.ModePermanentlySet) {
			m.method = text.ByCluster
		}
		if msg.Mode == ansi.ModeBracketedPaste && (msg.Value == ansi.ModeNotRecognized ||
			msg.Value == ansi.ModePermanentlyReset) {
			m.note("this terminal does not mark pastes: each line of one is sent as if it was typed. " +
				"Alt+E takes several lines")
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
	case tick:
		m.unread.seen(m)
		return m.nextTick()
	case chat.Event:
		return m.event(msg)
	default:
		m.outside(msg)
	}
	return nil
}

// outside takes what the backend says.
func (m *Model) outside(msg any) {
	switch msg := msg.(type) {
	case Note:
		m.note("%s", m.clean(msg.Text))
	case Trouble:
		m.trouble(msg)
	case Panel:
		m.open(msg.Title, msg.Lines)
	case Edited:
		m.edited(msg)
	case Files:
		m.tab.files(m, msg)
	}
}

// earlier puts older messages before the others.
func (m *Model) earlier(p chat.Earlier) {
	m.log.asked, m.log.noOlder = false, p.All
	if len(p.Messages)+len(p.Gone) > 0 {
		m.prepend(p.Messages, p.Gone)
	}
	if !p.Since.IsZero() {
		m.arrived()
	}
}

func (m *Model) prepend(messages []room.Delivered, gone []room.Shortened) {
	s := &m.log
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
	missing := func(before time.Time) {
		for ; len(gone) > 0 && gone[0].Until.Before(before); gone = gone[1:] {
			e := &entry{kind: kindGap, at: gone[0].Until, text: m.shown(m.room.ShortenedText(gone[0], m.now()))}
			if slices.ContainsFunc(s.entries, func(o *entry) bool { return o.kind == kindGap && o.text == e.text }) {
				continue
			}
			s.seq++
			e.seq = s.seq
			older = append(older, e)
		}
	}
	slices.SortStableFunc(gone, func(a, b room.Shortened) int { return a.Until.Compare(b.Until) })
	for _, d := range messages {
		missing(d.ShownAt())
		if have[d.ID] {
			continue
		}
		d.History = true
		m.nameFromBefore(d)
		s.seq++
		e := m.message(d)
		e.seq = s.seq
		older = append(older, e)
	}
	missing(m.now())
	entries := make([]*entry, 0, len(s.entries)+len(older))
	entries = append(entries, s.entries[:at]...)
	entries = append(entries, older...)
	s.entries = append(entries, s.entries[at:]...)
}

// nameFromBefore notes what somebody called itself who is not here by another
// name.
func (m *Model) nameFromBefore(d room.Delivered) {
	if d.Hearsay {
		m.room.Names.Hear(d.Author.Peer, d.Author.Name, m.now())
	} else if d.Author.Name != "" && m.room.Names.Nick(d.Author.Peer) == "" {
		m.room.Names.Take(d.Author.Peer, d.Author.Name, m.now())
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
