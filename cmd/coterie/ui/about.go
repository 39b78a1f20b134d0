package ui

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// What is said about a message: it is picked with keys, and the input is about it then.

// A composing is what the input is about.
type composing struct {
	kind byte
	of   *entry
}

// pickable reports whether something can be said about an entry: it is a message, was sent, and
// is still there.
func pickable(e *entry) bool {
	return e.kind == kindMessage && e.id != (ake.Hash{}) && !e.withdrawn
}

// pick goes to the message before the one that is picked, or with 1 to the next; behind the
// newest none is.
func (m *Model) pick(by int) {
	s := &m.log
	i := len(s.entries)
	if m.picked != nil {
		i = s.index(m.picked)
	} else if s.anchor != nil {
		i = s.index(s.anchor) + 1
	}
	for i += by; i >= 0 && i < len(s.entries); i += by {
		if pickable(s.entries[i]) {
			m.setPicked(s.entries[i])
			m.show(s.entries[i])
			return
		}
	}
	switch {
	case by > 0:
		m.setPicked(nil)
		m.newest()
	case m.picked == nil:
		m.note("there is no message to pick")
	default:
		m.wantOlder()
	}
}

func (m *Model) setPicked(e *entry) {
	for _, o := range []*entry{m.picked, e} {
		if o != nil {
			o.touch()
		}
	}
	m.picked = e
}

// pickedKey takes a key while a message is picked; it returns false for those that go elsewhere.
func (m *Model) pickedKey(name string) (cmd tea.Cmd, taken bool) {
	e := m.picked
	if e.gone || !pickable(e) {
		m.setPicked(nil)
		return nil, false
	}
	switch name {
	case "up", "k":
		m.pick(-1)
	case "down", "j":
		m.pick(1)
	case "esc":
		m.setPicked(nil)
	case "r":
		m.compose(record.KindReply, e)
	case "+":
		m.compose(record.KindReaction, e)
	case "e":
		if m.mine(e) {
			m.compose(record.KindEdit, e)
		}
	case "w":
		if m.mine(e) {
			m.withdraw(e)
		}
	case "c":
		m.setPicked(nil)
		m.note("the message went to the terminal, to copy it; not every terminal does")
		return tea.SetClipboard(e.text), true
	case "o":
		m.setPicked(nil)
		m.open("message of "+m.room.Names.Show(e.peer)+", "+m.clock(e.at), strings.Split(e.text, "\n"))
	default:
		return nil, false
	}
	return nil, true
}

// mine reports whether a message is one's own, and says so if not.
func (m *Model) mine(e *entry) bool {
	if !e.self {
		m.trouble(Trouble{Text: "somebody else said that", Hints: []string{"r answers it, + reacts to it"}})
	}
	return e.self
}

// compose has the input be about a message.
func (m *Model) compose(kind byte, e *entry) {
	m.setPicked(nil)
	m.about = &composing{kind, e}
	if kind == record.KindEdit {
		m.input.set(e.said())
	}
}

// said is what somebody said, as it came.
func (e *entry) said() string {
	if e.raw != "" {
		return e.raw
	}
	return e.text
}

func (m *Model) withdraw(e *entry) {
	m.setPicked(nil)
	m.asking(0, ask{
		text: "Withdraw what you said? Who has read it has read it. [y/N]",
		yes:  func() { m.out.Do(chat.Say{About: record.KindWithdrawal, Which: hex.EncodeToString(e.id[:])}) },
	})
}

// aboutPrompt is what stands before an input that is about a message.
func (m *Model) aboutPrompt() string {
	switch m.about.kind {
	case record.KindReply:
		return " to " + m.name(m.about.of.peer) + "> "
	case record.KindEdit:
		return " instead> "
	}
	return " reaction> "
}

// sayAbout says what was typed about a message. A reaction without words takes back the one there was.
func (m *Model) sayAbout(s string) {
	a := m.about
	m.about = nil
	say := chat.Say{About: a.kind, Which: hex.EncodeToString(a.of.id[:]), Text: strings.TrimRight(s, " \n")}
	if a.kind == record.KindReply {
		m.answers = a.of
		m.tell(say)
		m.answers = nil
		return
	}
	m.send.ref++
	say.Ref = m.send.ref
	m.out.Do(say)
}

// reply has an entry answer another: a quote of that one stands above it.
func (e *entry) reply(d room.Delivered) {
	e.replyTo, e.quote = d.ReplyTo, d.Quote
	e.edited, e.withdrawn, e.reactions = d.Edited, d.Withdrawn, d.Reactions
}

// quoteRow is the line above a reply; nil: it is none.
func (m *Model) quoteRow(e *entry, indent int) *row {
	if e.replyTo == (ake.Hash{}) {
		return nil
	}
	quote := e.quote
	if o := m.log.find(e.replyTo); o != nil && o.to == "" {
		quote = &room.Quote{Author: room.Member{Peer: o.peer}, Self: o.self, Text: o.text, Withdrawn: o.withdrawn}
	}
	line := "> a message that is not here"
	if quote != nil && !m.room.Ignored[quote.Author.Peer] {
		line = "> " + m.shown(m.room.Said(quote))
	}
	return m.beside(line, indent)
}

// reactionsRow is the line below a message; nil: nobody reacted.
func (m *Model) reactionsRow(e *entry, indent int) *row {
	if len(e.reactions) == 0 {
		return nil
	}
	return m.beside(m.shown(m.room.ReactionsText(e.reactions)), indent)
}

func (m *Model) beside(line string, indent int) *row {
	line = text.Truncate(line, max(m.bodyWidth()-indent, 1), m.method)
	return &row{strings.Repeat(" ", indent) + dim(line), indent + m.method.StringWidth(line)}
}

// withBeside puts the rows that go with a message around it.
func (m *Model) withBeside(e *entry, rows []row, indent int) []row {
	if q := m.quoteRow(e, indent); q != nil {
		rows = slices.Insert(rows, 0, *q)
	}
	if r := m.reactionsRow(e, indent); r != nil {
		rows = append(rows, *r)
	}
	if m.picked == e {
		keys := "r reply  + react  c copy  o open"
		if e.self {
			keys = "r reply  e edit  w withdraw  + react  c copy  o open"
		}
		rows = append(rows, *m.beside(keys, indent))
	}
	return rows
}

// find is the message with an id, of the newest; nil: it is not there.
func (s *scroll) find(id ake.Hash) *entry {
	for i := len(s.entries) - 1; i >= 0 && i >= len(s.entries)-maxLate; i-- {
		if e := s.entries[i]; e.kind == kindMessage && e.id == id {
			return e
		}
	}
	return nil
}

// changed takes what was said about a message.
func (m *Model) changed(c room.Changed) {
	var e *entry
	for _, o := range m.log.entries { // all of them: nothing stays that was withdrawn
		if o.kind == kindMessage && o.id == c.Target {
			e = o
		}
		if o.quote != nil && o.replyTo == c.Target {
			of := c.Of
			o.quote = &of
			o.touch()
		}
	}
	if e == nil {
		return
	}
	d := room.Delivered{Reactions: e.reactions, Edited: e.edited}
	d.Change(c)
	e.reactions, e.edited, e.withdrawn = d.Reactions, d.Edited, d.Withdrawn
	if e.withdrawn {
		e.file = nil
	}
	if c.Kind != record.KindReaction {
		now := m.message(d)
		e.text, e.raw, e.flags = now.text, now.raw, now.flags
		e.namesMe = !e.self && !c.History && m.room.NamesMe(d.Message.Text)
	}
	e.touch()
	m.touchReplies(c.Target)
}

// touchReplies has quotes of a message drawn anew.
func (m *Model) touchReplies(id ake.Hash) {
	for i := len(m.log.entries) - 1; i >= 0 && i >= len(m.log.entries)-maxLate; i-- {
		if o := m.log.entries[i]; o.replyTo == id {
			o.touch()
		}
	}
}

// firstAnswer is where the first reply to a message stands; -1: there is none.
func (s *scroll) firstAnswer(id ake.Hash) int {
	first := -1
	for i := len(s.entries) - 1; i >= 0 && i >= len(s.entries)-maxLate; i-- {
		if s.entries[i].replyTo == id {
			first = i
		}
	}
	return first
}

// quoteText is the line above a reply in a text that is saved.
func (m *Model) quoteText(e *entry) string {
	if e.replyTo == (ake.Hash{}) {
		return ""
	}
	if q := m.quoteRow(e, 0); q != nil {
		return fmt.Sprintf("    %s\n", ansi.Strip(q.s))
	}
	return ""
}
