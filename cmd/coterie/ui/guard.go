package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/text"
	"coterie/room"
)

// A guardKind is what stands between the input and the room.
type guardKind uint8

const (
	guardNone   guardKind = iota
	guardPaste            // several lines were pasted: they are one message
	guardYes              // much was pasted: it wants a yes
	guardSecret           // it looks like a secret
)

// guard asks before what nobody may have meant is sent.
type guard struct {
	kind  guardKind
	lines int
	bytes int
	lost  int       // bytes of the paste that a message has no room for
	word  string    // what was typed for an answer
	ended time.Time // when the last paste did
}

const (
	// After a paste, an Enter that comes so soon was part of it.
	enterAfterPaste = 300 * time.Millisecond
	// More than these want a yes.
	askLines, askBytes = 40, 4000
)

// pasted takes note of a paste: the input as it is now.
func (g *guard) pasted(s string, now time.Time) {
	g.ended = now
	g.lines = strings.Count(strings.TrimRight(s, "\n"), "\n") + 1
	g.bytes = len(s)
	switch {
	case g.lines > askLines || g.bytes > askBytes:
		g.kind, g.word = guardYes, ""
	case g.lines > 1:
		g.kind = guardPaste
	}
}

func (g *guard) drop() { *g = guard{ended: g.ended} }

// block reports whether an Enter is part of a paste.
func (g *guard) block(now time.Time) bool {
	return !g.ended.IsZero() && now.Sub(g.ended) < enterAfterPaste
}

// line is what is said above the input; empty for nothing.
func (g *guard) line() string {
	switch g.kind {
	case guardPaste:
		return fmt.Sprintf("%d lines pasted: one message.  Enter sends   Alt+E editor   Esc drops", g.lines)
	case guardYes:
		if g.lost > 0 {
			return fmt.Sprintf("%s pasted; only %s of %s fit.  Type yes to send those, Alt+E editor, Esc drops",
				text.Plural(g.lines, "line"), text.Size(g.bytes), text.Size(g.bytes+g.lost))
		}
		return fmt.Sprintf("%s (%s) pasted: one message.  Type yes to send, Alt+E editor, Esc drops",
			text.Plural(g.lines, "line"), text.Size(g.bytes))
	case guardSecret:
		return "This looks like a secret key. Type send to send it anyway."
	}
	return ""
}

// wants is the word that sends it.
func (g *guard) wants() string {
	switch g.kind {
	case guardYes:
		return "yes"
	case guardSecret:
		return "send"
	}
	return ""
}

// key takes a key while a word is asked for; it returns false for those that go
// elsewhere.
func (g *guard) key(k tea.KeyPressMsg) bool {
	if g.wants() == "" {
		return false
	}
	switch name := k.String(); {
	case name == "backspace":
		g.word = g.word[:max(len(g.word)-1, 0)]
	case k.Text != "" && isASCII(k.Text):
		if g.word += k.Text; len(g.word) > 20 {
			g.word = g.word[:20]
		}
	default:
		return false
	}
	return true
}

// confirmed is Enter while a word is asked for.
func (m *Model) confirmed() tea.Cmd {
	if strings.TrimSpace(strings.ToLower(m.guard.word)) != m.guard.wants() {
		m.guard.word = ""
		return nil
	}
	s := m.input.String()
	if m.guard.kind == guardYes && m.secret(s) {
		m.guard.kind, m.guard.word = guardSecret, ""
		return nil
	}
	if m.guard.kind != guardSecret && len(s) <= askBytes {
		m.own.add(s)
	}
	m.input.clear()
	m.guard.drop()
	m.speak(strings.TrimRight(s, " \n"), false)
	return nil
}

// secret reports whether a text looks like one.
func (m *Model) secret(s string) bool {
	if i := strings.Index(s, "-----BEGIN "); i >= 0 && strings.Contains(s[i:min(len(s), i+64)], "PRIVATE KEY") {
		return true
	}
	upper := strings.ToUpper(s)
	if strings.Contains(upper, "AGE-SECRET-KEY-") || strings.Contains(s, "coterie-key") {
		return true
	}
	return m.cfg.OwnSecret != nil && m.cfg.OwnSecret(s)
}

// paste puts text into the input; it is never sent by itself.
func (m *Model) paste(s string) {
	m.unread.typed(m)
	defer m.begins(m.input.empty())
	// Terminals send the ends of pasted lines as the Enter key would.
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	clean, _ := text.Clean(s)
	before := m.input.String()
	m.input.insert(clean, false)
	if before == "" || strings.Contains(clean, "\n") || m.guard.kind != guardNone || len(clean) > askBytes {
		m.guard.pasted(m.input.String(), m.now())
		m.guard.lost = 0
		if all := len(before) + len(s); len(s) > text.MaxSize/2 && all > m.guard.bytes && m.guard.bytes > text.MaxSize-64 {
			m.guard.lost = all - m.guard.bytes
		}
	} else {
		m.guard.ended = m.now()
	}
}

// An ask is a question that is answered by y or n on the input line.
type ask struct {
	text  string
	yes   func()
	no    func()
	from  peer.ID   // who asks; empty: Coterie itself
	first time.Time // when it was the first of all, and so on the screen
}

// readTime is how long a member's question stands before anything that is begun then is an
// answer: what was begun before was meant for the room, or for another question.
const readTime = time.Second

// begins notes when what stands on the input line was begun; was tells whether that was empty.
func (m *Model) begins(was bool) {
	if was && !m.input.empty() {
		m.begun = m.now()
	}
}

// asking makes a question the first one, or the last.
func (m *Model) asking(at int, a ask) {
	m.asks = slices.Insert(m.asks, at, a)
	m.firstAsk()
}

// firstAsk notes when the first question came to be that.
func (m *Model) firstAsk() {
	for i := range m.asks {
		if i > 0 {
			m.asks[i].first = time.Time{}
		} else if m.asks[0].first.IsZero() {
			m.asks[0].first = m.now()
		}
	}
}

// answered takes an answer; it returns false for what is none.
func (m *Model) answered(s string) bool {
	yes := false
	switch strings.ToLower(s) {
	case "y", "yes":
		yes = true
	case "n", "no":
	default:
		return false
	}
	q := m.asks[0]
	if q.from != "" && m.begun.Before(q.first.Add(readTime)) {
		m.trouble(Trouble{Text: "a question came while you were typing", Hints: []string{"read it, then y or n"}})
		return true
	}
	m.asks = m.asks[1:]
	m.firstAsk()
	if yes {
		q.yes()
	} else if q.no != nil {
		q.no()
	}
	return true
}

func (m *Model) question(q room.Asked, said []chat.Line) {
	for _, l := range said {
		m.asking(len(m.asks), ask{
			text: m.shown(l.Text) + " Allow? [y/N]",
			yes:  func() { m.out.Do(chat.Allow{ID: q.ID, Allow: true}) },
			no:   func() { m.out.Do(chat.Allow{ID: q.ID}) },
			from: q.Member.Peer,
		})
	}
}
