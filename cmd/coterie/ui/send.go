package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/room"
	"coterie/room/record"
)

// sender has what was typed and is on its way.
type sender struct {
	ref     uint64
	pending map[any]*entry // by ref, until sent, dropped or rejected
	sent    []*entry       // those that not all readers have yet
}

// maxSent bounds the messages whose readers are followed.
const maxSent = 1000

// speak sends a message and shows it as being sent.
func (m *Model) speak(s string, action bool) { m.tell(chat.Say{Text: s, Action: action}) }

func (m *Model) tell(say chat.Say) {
	s := say.Text
	m.send.ref++
	ref := m.send.ref
	e := &entry{
		kind: kindMessage, state: stateSending, self: true, action: say.Action,
		to: m.shown(cli.Clean(say.To)), at: m.now(), received: m.now(),
		peer: m.cfg.Self,
		own:  &delivery{ref: ref, since: m.now()},
	}
	e.raw = s
	d := room.Delivered{}
	d.Message.Text = s
	e.text, e.flags = m.message(d).text, 0
	if m.answers != nil {
		e.replyTo = m.answers.id
	}
	m.log.add(e)
	m.log.lamport(e)
	m.send.pending[ref] = e
	m.newest()
	m.unread.typed(m)
	say.Ref = ref
	m.out.Do(say)
}

// lamport gives a message of one's own its place among others, until it has one.
func (s *scroll) lamport(e *entry) {
	for i := len(s.entries) - 2; i >= 0; i-- {
		if o := s.entries[i]; o.kind == kindMessage {
			e.lamport = o.lamport + 1
			return
		}
	}
}

func (m *Model) pending(ref any) *entry {
	switch ref.(type) {
	case uint64, room.HeldNumber: // whatever else it is may not be a key
		return m.send.pending[ref]
	}
	return nil
}

func (m *Model) held(h room.Held) {
	if e := m.pending(h.Ref); e != nil && h.Alone {
		e.state = stateHeld
		e.touch()
	}
}

// restored shows what waits from an earlier run.
func (m *Model) restored(all []room.HeldMessage) {
	for _, h := range all {
		if record.IsAbout(h.Kind) && h.Kind != record.KindReply {
			continue // /held shows it
		}
		d := room.Delivered{Author: room.Member{Peer: m.cfg.Self}, Self: true}
		d.Message.Text, d.Message.Kind, d.Message.Time = h.Text, h.Kind, uint64(h.At.UnixMilli())
		e := m.message(d)
		e.state, e.raw, e.flags, e.received, e.own = stateHeld, h.Text, 0, h.At, &delivery{since: h.At}
		e.to, e.replyTo = m.shown(cli.Clean(h.To)), h.Target
		m.log.add(e)
		m.log.lamport(e)
		m.send.pending[h.Ref] = e
	}
}

func (m *Model) sent(s room.Sent) {
	e := m.pending(s.Ref)
	if e == nil {
		return
	}
	delete(m.send.pending, s.Ref)
	if s.To != "" {
		e.to = m.shown(cli.Clean(s.To)) // as all see it
	}
	if _, earlier := s.Ref.(room.HeldNumber); earlier { // it is said now, after what stands below it
		m.log.moveToEnd(e)
		e.at = m.now()
		m.log.lamport(e)
	}
	e.state, e.id, e.counter, e.epoch = stateSent, s.ID, s.Counter, s.Epoch
	e.own.readers, e.own.missing, e.own.of, e.own.since = s.Readers, s.Readers, len(s.Readers), m.now()
	e.touch()
	if m.send.sent = append(m.send.sent, e); len(m.send.sent) > maxSent {
		m.send.sent = m.send.sent[1:]
	}
}

func (m *Model) reached(r room.Reached) {
	for i := len(m.send.sent) - 1; i >= 0; i-- {
		e := m.send.sent[i]
		if e.id != r.ID {
			continue
		}
		e.own.have, e.own.of, e.own.missing = r.Have, r.Of, r.Missing
		e.touch()
		if r.Have >= r.Of {
			m.send.sent = append(m.send.sent[:i], m.send.sent[i+1:]...)
		}
		return
	}
}

// rejected marks a message that went nowhere. Its text is in the history of input.
func (m *Model) rejected(r chat.Rejected) {
	if e := m.pending(r.Ref); e != nil {
		delete(m.send.pending, r.Ref)
		e.state = stateFailed
		e.touch()
		if e.to != "" {
			e.raw = "/to (" + e.to + ") " + e.raw
		}
		m.own.add(e.raw)
	}
}

func (m *Model) trouble(t Trouble) {
	line := m.clean(t.Text)
	for _, h := range t.Hints {
		line += "\n" + m.clean(h)
	}
	m.log.add(&entry{kind: kindAlarm, at: m.at(), text: line})
}

// enter is the Enter key on the input line.
func (m *Model) enter() tea.Cmd {
	now := m.now()
	if m.guard.block(now) {
		return nil
	}
	s := m.input.String()
	if m.guard.kind == guardYes || m.guard.kind == guardSecret {
		return m.confirmed()
	}
	if strings.TrimSpace(s) == "" {
		m.input.clear()
		m.guard.drop()
		if m.about != nil {
			if m.about.kind == record.KindReaction {
				m.sayAbout("")
			}
			m.about = nil
		} else if len(m.asks) > 0 && !now.Before(m.asks[0].first.Add(readTime)) {
			m.begun = now
			m.answered("n") // as [y/N] says
		}
		return nil
	}
	return m.submit(s)
}

// submit takes a line: a command, or a message.
func (m *Model) submit(s string) tea.Cmd {
	if m.secret(s) {
		m.input.set(s)
		m.guard.kind, m.guard.word = guardSecret, ""
		return nil
	}
	m.input.clear()
	m.guard.drop()
	m.own.add(s)
	m.tab = completion{}
	if !m.debugShown() {
		m.closePanel() // or what comes of the line is behind it
	}
	trimmed := strings.TrimSpace(s)
	if len(m.asks) > 0 && m.answered(trimmed) {
		return nil
	}
	switch {
	case m.about != nil:
		m.sayAbout(s)
	case strings.HasPrefix(s, "//"):
		m.speak(s[1:], false)
	case strings.HasPrefix(s, "/"):
		return m.command(trimmed)
	default:
		if bad := chat.StrayTo(strings.TrimRight(s, " \n")); bad != nil {
			m.say(chat.Line{Kind: chat.Alarm, Text: bad.Text, Hints: bad.Hints})
			m.input.set(s)
			return nil
		}
		m.speak(strings.TrimRight(s, " \n"), false)
	}
	return nil
}
