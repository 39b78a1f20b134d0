package ui

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// event takes what happened in the room: the state has it, and the log what is said of it.
func (m *Model) event(e chat.Event) tea.Cmd {
	if e.When == chat.Known {
		m.room.Take(e)
		return nil
	}
	if e.When == chat.Before {
		m.past = e.At
		defer func() { m.past = time.Time{} }()
	}
	renamed, named := e.What.(room.Renamed)
	named = named && m.room.Names.Nick(renamed.Member.Peer) != ""
	said := m.room.Take(e)
	switch w := e.What.(type) {
	case room.EpochStarted:
		m.epoch(w, said)
		return nil
	case room.Renamed:
		if !named && m.firstName(w.Member.Peer) {
			said = said[min(1, len(said)):]
		}
	case room.Delivered:
		m.delivered(w)
	case room.Past:
		if w.Over && w.By == "" {
			m.unread.lost(m)
		}
	case room.Opened:
		m.opened(w)
	case room.FileChanged:
		m.fileChanged(w)
	case room.Changed:
		m.changed(w)
	case room.Sent:
		m.sent(w)
	case room.Held:
		m.held(w)
	case room.Restored:
		m.restored(w.Messages)
	case room.Reached:
		m.reached(w)
	case room.Gap:
		m.gap(w, said)
		return nil
	case room.Absence:
		m.absence(w, said)
		return nil
	case room.Asked:
		m.question(w, said)
		return nil
	case room.Attested:
		m.asks = slices.DeleteFunc(m.asks, func(a ask) bool { return w.Given && a.from == w.Member.Peer })
		m.firstAsk()
	case chat.Rejected:
		m.rejected(w)
	case chat.Answer:
		m.open(w.Title, w.Lines)
	case chat.Earlier:
		m.earlier(w)
	case chat.Found:
		m.found(w)
	case chat.Logged:
		m.logged(w.Line)
	case chat.SettingKept:
		m.set(w)
	case chat.Dropped:
		if w.N > 0 {
			said[0].Text += "; Up brings the text back"
		}
	}
	for _, l := range said {
		m.say(l)
	}
	return m.unread.ring(m)
}

// say adds what is said of an event.
func (m *Model) say(l chat.Line) {
	switch l.Kind {
	case chat.Step:
		m.log.add(&entry{kind: kindIntro, text: m.introLine(l)})
	case chat.Aside:
		m.log.add(&entry{kind: kindAside, text: m.shown(l.Text)})
	case chat.Trying:
		m.note("%s; %s", l.Text, strings.Join(l.Details, "; "))
	case chat.Calm:
		m.note("%s; still trying (/peers says more)", m.clean(l.Text))
	case chat.Alarm, chat.Warn:
		m.trouble(Trouble{Text: l.Text, Hints: slices.Concat(l.Details, l.Hints)})
	case chat.Above, chat.Below: // drawn with the message
	case chat.Mark, chat.Standing: // the message has one; the header says so, and /peers
	default:
		m.note("%s", l.Text)
	}
}

// note adds a line from Coterie itself; its arguments are clean.
func (m *Model) note(format string, a ...any) *entry {
	return m.log.add(&entry{kind: kindNote, at: m.at(), text: m.shown(fmt.Sprintf(format, a...))})
}

// message makes the entry of a message.
func (m *Model) message(e room.Delivered) *entry {
	clean, flags := text.Clean(e.Message.Text)
	clean = people.MarkHosts(clean)
	out := &entry{
		kind: kindMessage, at: e.ShownAt(), peer: e.Author.Peer, text: m.shown(clean), flags: flags, self: e.Self,
		action: e.Message.Kind == record.KindAction, late: e.Late,
		to: m.shown(cli.Clean(e.To)),
		id: e.ID, epoch: e.Epoch, counter: e.Message.Counter, lamport: e.Message.Lamport, received: e.Received,
	}
	if clean != e.Message.Text {
		out.raw = e.Message.Text
	}
	if closed := chat.Closed(e); closed != "" {
		out.text = "(" + closed + ")"
	}
	if e.File != nil {
		out.file, out.action = e.File, true
		m.drawFile(out)
	}
	if out.reply(e); e.Withdrawn {
		out.text, out.raw = "(withdrawn)", ""
	}
	return out
}

// drawFile is what is said of a file, in the place of words.
func (m *Model) drawFile(e *entry) {
	clean, flags := text.Clean(chat.FileText(e.file, e.self, "/save"))
	e.text, e.raw, e.flags = m.shown(clean), "", flags
	e.touch()
}

// fileChanged is what has become of a file that was shown.
func (m *Model) fileChanged(c room.FileChanged) {
	for _, e := range slices.Backward(m.log.entries) {
		if e.kind == kindMessage && e.id == c.ID && e.file != nil {
			e.file = &c.FileInfo
			m.drawFile(e)
			return
		}
	}
}

// opened is what came of words for some that were shown before.
func (m *Model) opened(e room.Opened) {
	for _, o := range slices.Backward(m.log.entries) {
		if o.kind == kindMessage && o.id == e.ID {
			now := m.message(e.Delivered)
			o.text, o.raw, o.flags, o.withdrawn = now.text, now.raw, now.flags, now.withdrawn
			o.touch()
			return
		}
	}
}

func (m *Model) delivered(e room.Delivered) {
	if e.Self && !e.History && m.shownAsSent(e.ID) {
		return
	}
	out := m.message(e)
	out.namesMe = !e.History && m.room.Concerns(e)
	if e.Late || e.Away || e.History && e.By != "" || m.log.firstAnswer(e.ID) >= 0 {
		m.insertLate(out)
	} else {
		m.log.add(out)
	}
	if e.ID == m.cfg.Unread && e.ID != (ake.Hash{}) {
		m.unread.mark, m.unread.since, m.cfg.Unread = out.seq, m.cfg.UnreadSince, ake.Hash{}
	}
	if !e.Self && !e.History && e.Reading != room.Unread {
		m.unread.arrived(m, out)
	}
}

// shownAsSent reports whether a message of one's own is here since it was typed. One that is not
// was typed in another window.
func (m *Model) shownAsSent(id ake.Hash) bool {
	for i := len(m.log.entries) - 1; i >= 0 && i >= len(m.log.entries)-maxLate; i-- {
		if m.log.entries[i].id == id {
			return true
		}
	}
	return false
}

// maxLate is how far back the place of a late message is looked for.
const maxLate = 5000

// insertLate puts a message where it belongs, and says so at the end: nothing
// appears above the reader unseen.
func (m *Model) insertLate(e *entry) {
	s := &m.log
	at := len(s.entries)
	for i := len(s.entries) - 1; i >= 0 && i > len(s.entries)-maxLate; i-- {
		o := s.entries[i]
		if o.kind == kindIntro {
			break
		}
		if o.kind == kindMessage {
			if o.lamport < e.lamport || o.lamport == e.lamport && bytes.Compare(o.id[:], e.id[:]) < 0 {
				break
			}
			at = i
		}
	}
	if question := s.find(e.replyTo); question != nil { // an answer stands below its question
		at = max(at, s.index(question)+1)
	}
	if answer := s.firstAnswer(e.id); answer >= 0 {
		at = min(at, answer)
	}
	defer m.touchReplies(e.id)
	if at == len(s.entries) {
		e.late = false
		s.add(e)
		return
	}
	s.insert(at, e)
	if !e.late {
		return // from before: room.Past says how many
	}
	last := s.newest()
	if last.kind == kindNote && last.counter > 0 {
		last.counter++
		last.text = fmt.Sprintf("%d earlier messages arrived", last.counter)
		last.touch()
		return
	}
	n := m.note("1 earlier message arrived")
	n.counter = 1
}

// gap is a line that changes when the messages have come.
func (m *Model) gap(e room.Gap, said []chat.Line) {
	for _, l := range said {
		if !e.Filled {
			m.log.add(&entry{kind: kindGap, at: m.at(), peer: e.Author.Peer, epoch: e.Epoch, counter: e.First,
				text: m.shown(l.Text)})
			continue
		}
		for _, o := range slices.Backward(m.log.entries) {
			if o.kind == kindGap && o.peer == e.Author.Peer && o.epoch == e.Epoch && o.counter >= e.First &&
				o.counter <= e.Last {
				o.text = m.shown(l.Text)
				o.touch()
				return
			}
		}
	}
}

// absence is a line where one went away. It changes as what was said meanwhile comes.
func (m *Model) absence(a room.Absence, said []chat.Line) {
	for _, l := range said {
		k := kindNote
		if l.Kind == chat.Missing {
			k = kindGap
		}
		for _, o := range slices.Backward(m.log.entries) {
			if o.absence.Equal(a.From) && !o.absence.IsZero() {
				o.kind, o.text = k, m.shown(l.Text)
				o.touch()
				return
			}
		}
		at := len(m.log.entries)
		for at > 0 && at > len(m.log.entries)-maxLate && m.log.entries[at-1].at.After(a.From) {
			at--
		}
		m.log.insert(at, &entry{kind: k, at: a.From, text: m.shown(l.Text), absence: a.From})
	}
}
