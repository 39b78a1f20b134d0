package ui

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"coterie/cmd/coterie/chat"
	"coterie/crypto/ake"
)

// unread is the mark before what one has not seen, and who is told about it.
type unread struct {
	focused bool
	// armed: what comes next is new, since this time.
	armed bool
	since time.Time
	// mark is the sequence number of the first new entry; 0: no mark. byHand: it
	// was put there with /unread, and looking does not take it away.
	mark   uint64
	byHand bool
	// seenSince is since when the newest line has been on a screen with focus.
	seenSince time.Time
	count     int // new messages
	mentions  int // of them, those that name the user
	mentioned *entry
	bell      *entry // the last one to be told about
}

// seenTime is how long the newest line must have been seen.
const seenTime = 2 * second

// arm begins to count as new what comes next.
func (u *unread) arm(m *Model) {
	if !u.armed && u.mark == 0 {
		u.armed, u.since, u.count, u.mentions = true, m.now(), 0, 0
	}
}

// leave: one scrolls up.
func (u *unread) leave(m *Model) { u.arm(m) }

func (u *unread) blur(m *Model) {
	u.focused = false
	u.arm(m)
}

func (u *unread) focus(m *Model) {
	u.focused = true
	u.seenSince = time.Time{}
	if u.mark == 0 && m.log.anchor == nil {
		u.armed = false
	}
}

// typed: who types has seen what is there.
func (u *unread) typed(m *Model) {
	if m.log.anchor == nil && !u.byHand {
		u.clear(m)
	}
}

func (u *unread) clear(m *Model) {
	if u.mark != 0 {
		m.out.Do(chat.MarkUnread{})
	}
	u.armed, u.mark, u.count, u.mentions, u.byHand = false, 0, 0, 0, false
}

// lost: what was read back is all here, and the message that the mark is before may not be. Then
// it is before the first that came after that.
func (u *unread) lost(m *Model) {
	if m.cfg.Unread == (ake.Hash{}) {
		return
	}
	m.cfg.Unread = ake.Hash{}
	for _, e := range m.log.entries {
		if e.id != (ake.Hash{}) && !e.self && !e.at.Before(m.cfg.UnreadSince) {
			u.mark, u.since = e.seq, m.cfg.UnreadSince
			return
		}
	}
	m.out.Do(chat.MarkUnread{})
}

// arrived takes a new message.
func (u *unread) arrived(m *Model, e *entry) {
	if !u.armed && u.mark == 0 || u.mark == 0 && !m.past.IsZero() {
		return
	}
	if u.mark == 0 {
		u.mark, u.armed = e.seq, false
		m.out.Do(chat.MarkUnread{ID: e.id, At: u.since})
	}
	u.count++
	if e.namesMe {
		u.mentions++
	}
	if !u.focused && m.past.IsZero() && (m.cfg.Notify == "all" || m.cfg.Notify == "names" && e.namesMe) {
		u.bell = e
	}
}

// seen takes the mark away when the newest line has been seen for a while.
func (u *unread) seen(m *Model) {
	if u.mark == 0 || u.byHand || !u.focused || m.log.anchor != nil || m.panel != nil {
		u.seenSince = time.Time{}
		return
	}
	if u.seenSince.IsZero() {
		u.seenSince = m.now()
	}
	if m.now().Sub(u.seenSince) >= seenTime {
		u.clear(m)
	}
}

// hand puts the mark before the newest message, or the first on the screen.
func (u *unread) hand(m *Model) {
	e := m.log.newest()
	if m.log.anchor != nil {
		e = m.log.anchor
	}
	if e == nil {
		return
	}
	u.mark, u.since, u.byHand, u.armed = e.seq, m.now(), true, false
	m.out.Do(chat.MarkUnread{ID: e.id, At: u.since})
}

// first goes to the mark.
func (u *unread) first(m *Model) {
	if u.mark == 0 {
		return
	}
	for _, e := range m.log.entries {
		if e.seq == u.mark {
			m.show(e)
			return
		}
	}
}

func (m *Model) unreadRow() row {
	dashes := 12
	if m.layout() == narrow {
		dashes = 2
	}
	return m.row(warn(m.style.titled(dashes, "new since "+m.clock(m.unread.since), m.bodyWidth())))
}

// title is the window's.
func (u *unread) title(m *Model) string {
	switch {
	case m.cfg.NoTitle:
		return ""
	case u.mentions > 0:
		return fmt.Sprintf("(%d!) %s", u.mentions, m.cfg.Name)
	case u.count > 0 && u.mark != 0:
		return fmt.Sprintf("(%d) %s", u.count, m.cfg.Name)
	}
	return m.cfg.Name
}

// ring tells the terminal of a message, if one is to be told of.
func (u *unread) ring(m *Model) tea.Cmd {
	e := u.bell
	if e == nil {
		return nil
	}
	u.bell = nil
	m.out.Run(Notified{Nick: m.name(e.peer), Count: u.count})
	words := m.cfg.Name + ": " + m.name(e.peer)
	if m.cfg.NotifyText {
		words += ": " + strings.ReplaceAll(e.text, "\n", " ")
	}
	return tea.Raw(m.notification(words))
}

// notification is what asks a terminal for one; words are clean.
func (m *Model) notification(words string) string {
	if utf8.RuneCountInString(words) > 200 {
		words = string([]rune(words)[:199]) + "…"
	}
	seq := ""
	switch m.cfg.Desktop {
	case "9":
		seq = ansi.Notify(words)
	case "99":
		seq = ansi.DesktopNotification(words)
	case "777":
		seq = ansi.URxvtExt("notify", strings.ReplaceAll(m.cfg.Name, ";", ","), strings.ReplaceAll(words, ";", ","))
	}
	if seq != "" && m.cfg.Tmux {
		seq = ansi.TmuxPassthrough(seq)
	}
	return "\a" + seq
}
