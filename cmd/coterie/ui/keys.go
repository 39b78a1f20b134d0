package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/chat"
	"coterie/room/record"
)

// The actions that have keys, and the keys: config [keys] can give others.
var bindings = map[string]string{
	"alt+home": "oldest", "alt+end": "newest", "pgup": "page-up", "pgdown": "page-down",
	"alt+u": "first-unread", "alt+n": "next-mention", "alt+p": "previous-mention",
	"ctrl+f": "search", "ctrl+r": "search-input", "alt+m": "members", "alt+s": "status", "alt+i": "info",
	"alt+up": "pick", "alt+down": "pick-next",
	"alt+o": "open", "alt+e": "editor", "alt+l": "bare", "ctrl+l": "redraw", "ctrl+z": "suspend", "f1": "help",
	"alt+a": "next-news", "alt+1": "room-1", "alt+2": "room-2", "alt+3": "room-3", "alt+4": "room-4", "alt+5": "room-5",
	"alt+6": "room-6", "alt+7": "room-7", "alt+8": "room-8", "alt+9": "room-9",
	"alt+enter": "new-line", "ctrl+j": "new-line", "shift+enter": "new-line",
}

// Actions are the names that keys can be given to.
func Actions() []string {
	seen := make(map[string]bool)
	var out []string
	for _, a := range bindings {
		if !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

// action is what a key does; a key of the user's own comes first.
func (m *Model) action(k string) string {
	for a, own := range m.cfg.Keys {
		if own == k {
			return a
		}
	}
	a := bindings[k]
	if _, moved := m.cfg.Keys[a]; moved {
		return ""
	}
	return a
}

// key takes a key.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if m.bare {
		m.bare = false
		return nil
	}
	if name == "ctrl+c" {
		return m.interrupt()
	}
	m.ctrlC = m.ctrlC.Add(-2 * second)
	if name != "tab" && name != "shift+tab" {
		m.tab = completion{}
	}
	switch {
	case m.rfind != nil && m.ownSearchKey(k):
		return nil
	case m.find != nil && m.searchKey(k):
		return nil
	case m.panel != nil && m.panelKey(name):
		return nil
	}
	if m.picked != nil {
		cmd, taken := m.pickedKey(name)
		if taken {
			return cmd
		}
		if a := m.action(name); a != "pick" && a != "pick-next" {
			m.setPicked(nil) // whoever types writes a message
		}
	}
	if name == "esc" {
		m.escape()
		return nil
	}
	if name == "alt+/" {
		// Esc and a slash that came together: without this, the rest of the command
		// would be said to the room.
		m.escape()
		k = tea.KeyPressMsg{Code: '/', Text: "/"}
		name = "/"
	}
	if a := m.action(name); a != "" {
		return m.act(a)
	}
	if m.guard.key(k) {
		return nil
	}
	m.unread.typed(m)
	defer m.begins(m.input.empty())
	switch name {
	case "enter", "kpenter":
		return m.enter()
	case "tab":
		m.tab.next(m, 1)
		return nil
	case "shift+tab":
		m.tab.next(m, -1)
		return nil
	case "up":
		m.vertical(-1)
		return nil
	case "down":
		m.vertical(1)
		return nil
	}
	if m.guard.wants() != "" {
		return nil // the text waits for its word
	}
	switch {
	case m.input.key(name):
	case k.Text != "":
		m.input.insert(k.Text, true)
	}
	if m.input.empty() {
		m.guard.drop()
	}
	return nil
}

func (m *Model) vertical(by int) {
	if m.guard.wants() != "" {
		return
	}
	if m.input.vertical(by, m.inputWidth(), m.method, m.shown) {
		return
	}
	if s, ok := m.own.move(by, m.input.String()); ok {
		m.input.set(s)
		if strings.Contains(s, "\n") {
			m.guard.lines, m.guard.kind = strings.Count(s, "\n")+1, guardNone
		}
	}
}

// interrupt is Ctrl+C: it clears the input; on an empty one it writes /quit
// there; twice within two seconds it does that.
func (m *Model) interrupt() tea.Cmd {
	now := m.now()
	twice := !m.ctrlC.IsZero() && now.Sub(m.ctrlC) < 2*second
	m.ctrlC = now
	if twice {
		return m.goAway()
	}
	if m.find != nil || m.rfind != nil || m.panel != nil {
		m.escape()
		return nil
	}
	was := m.input.String()
	m.input.clear()
	m.guard.drop()
	m.about = nil
	if was == "" {
		m.input.insert("/quit", false)
	}
	return nil
}

func (m *Model) goAway() tea.Cmd {
	if m.quit {
		return tea.Quit
	}
	m.quit = true
	m.out.Do(chat.Quit{})
	return tea.Quit
}

// escape closes what is open, or goes back to the newest.
func (m *Model) escape() {
	switch {
	case m.rfind != nil:
		m.rfind = nil
	case m.find != nil:
		m.endSearch()
	case m.panel != nil:
		m.closePanel()
	case m.who:
		m.who = false
	case m.guard.kind != guardNone:
		m.input.clear()
		m.guard.drop()
	case m.about != nil:
		if m.about.kind == record.KindEdit {
			m.input.clear()
		}
		m.about = nil
	default:
		m.newest()
	}
}

// act does an action.
func (m *Model) act(a string) tea.Cmd {
	switch a {
	case "oldest":
		m.oldest()
	case "newest":
		m.newest()
	case "pick":
		m.pick(-1)
	case "pick-next":
		m.pick(1)
	case "page-up":
		m.up(max(m.bodyHeight()-1, 1))
	case "page-down":
		m.down(max(m.bodyHeight()-1, 1))
	case "first-unread":
		m.unread.first(m)
	case "next-mention":
		m.mention(1)
	case "previous-mention":
		m.mention(-1)
	case "search":
		m.startSearch("")
	case "search-input":
		m.rfind = &ownSearch{at: len(m.own.lines)}
	case "members":
		m.who = !m.who
	case "status":
		return m.command("/status")
	case "info":
		return m.command("/info")
	case "open":
		m.openLong()
	case "editor":
		m.out.Run(Edit{Text: m.input.String()})
	case "bare":
		m.bare = true
	case "redraw":
		return tea.ClearScreen
	case "suspend":
		return tea.Suspend
	case "help":
		return m.command("/help")
	case "new-line":
		if m.guard.wants() == "" {
			m.input.insert("\n", true)
		}
	}
	return nil
}

// mention goes to the next line that names the user.
func (m *Model) mention(by int) {
	s := &m.log
	i := len(s.entries)
	if s.anchor != nil {
		if i = s.index(s.anchor); m.unread.mentioned != nil {
			if at := s.index(m.unread.mentioned); at >= 0 {
				i = at
			}
		}
	} else {
		m.unread.mentioned = nil
	}
	for i += by; i >= 0 && i < len(s.entries); i += by {
		if s.entries[i].namesMe {
			m.unread.mentioned = s.entries[i]
			m.show(s.entries[i])
			return
		}
	}
	if by > 0 {
		m.newest()
	}
}
