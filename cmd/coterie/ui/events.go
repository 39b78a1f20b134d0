package ui

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// event takes what happened in the room or on the network. It returns false for
// what is no such thing.
func (m *Model) event(e any) bool {
	switch e := e.(type) {
	case room.EpochStarted:
		m.epoch(e)
	case room.Departed:
		m.departed(e.Member.Peer)
	case room.Renamed:
		m.renamed(e.Member)
	case room.Delivered:
		m.delivered(e)
	case room.Sent:
		m.sent(e)
	case room.Held:
		m.held(e)
	case room.Reached:
		m.reached(e)
	case room.Gap:
		m.gap(e)
	case room.Equivocated:
		m.alarm("%s sent two different messages as number %d", m.name(e.Author.Peer), e.Counter)
		m.learn(e.Author.Peer, fmt.Sprintf("sent two different messages as number %d of epoch %x: %x and %x", e.Counter, e.Epoch[:2], e.IDs[0][:4], e.IDs[1][:4]))
	case room.Cut:
		if m.ignored[e.Member.Peer] = e.On; !e.On {
			delete(m.ignored, e.Member.Peer)
		}
		m.note("%s", CutText(e, m.name))
	case room.LeftOut:
		m.alarm("%s tried to leave %s out, %s: you go on as before", m.name(e.By.Peer), m.name(e.Member.Peer), plural(e.Times, "time"))
	case room.Past:
		if e.Over && e.Count > 0 {
			from := "kept here"
			if e.By != "" {
				from = "from " + m.name(e.By)
			}
			m.note("%s from before, since %s (%s)", plural(e.Count, "message"), m.dayClock(e.Oldest), from)
		}
	case room.Proved:
		m.refuse = 0
		if !m.joined {
			m.state("proof", fmt.Sprintf("you and %s proved yourselves to each other in %d ms", m.names.Show(e.Peer), e.Took.Milliseconds()))
		}
	case room.Refused:
		if m.refuse++; m.refuse <= 3 {
			m.note("%s did not prove itself, or did not take your proof", m.name(e.Peer))
		}
	case room.Contributed:
	case room.Failed:
		text := e.Doing + " failed"
		if e.Err != nil {
			text += ": " + e.Err.Error()
		}
		m.alarm("%s", m.clean(text))
	case node.Connected:
		if e.Gone {
			delete(m.connected, e.Peer)
		} else {
			m.connected[e.Peer] = true
		}
		m.out.Do(Look{})
	case node.Bootstrapped:
		m.unanswered = nil
		if !m.joined {
			m.state("bootstrap", fmt.Sprintf("%s, %d ms", hostText(e.Address), e.Took.Milliseconds()))
		}
	case node.BootstrapFailed:
		m.bootstrapFailed(e)
	default:
		return false
	}
	return true
}

// maxAbout bounds what is remembered of one peer, and of how many.
const maxAbout, maxAboutPeers = 16, 1024

// learn remembers something of a peer, for /whois.
func (m *Model) learn(p peer.ID, what string) {
	if _, known := m.about[p]; !known && len(m.about) >= maxAboutPeers {
		return
	}
	all := append(m.about[p], what)
	m.about[p] = all[max(len(all)-maxAbout, 0):]
}

// Host is what people know an address by: its name, or address and port.
func Host(a ma.Multiaddr) string { return hostText(a) }

// hostText is what people know an address by: its name, or address and port.
func hostText(a ma.Multiaddr) string {
	for _, c := range a {
		switch c.Protocol().Code {
		case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
			return c.Value()
		}
	}
	var parts []string
	for _, c := range a {
		switch c.Protocol().Code {
		case ma.P_IP4, ma.P_IP6:
			parts = append(parts, c.Value())
		case ma.P_TCP, ma.P_UDP:
			parts = append(parts, c.Protocol().Name+" "+c.Value())
		}
	}
	if len(parts) == 0 {
		return a.String()
	}
	return strings.Join(parts, " ")
}

func plural(n int, thing string) string { return text.Plural(n, thing) }

// note adds a line from Coterie itself; its arguments are clean.
func (m *Model) note(format string, a ...any) *entry {
	return m.log.add(&entry{kind: kindNote, at: m.now(), text: m.shown(fmt.Sprintf(format, a...))})
}

// alarm adds a line to look at; its arguments are clean.
func (m *Model) alarm(format string, a ...any) *entry {
	return m.log.add(&entry{kind: kindAlarm, at: m.now(), text: m.shown(fmt.Sprintf(format, a...))})
}

// state adds a finished line of the beginning.
func (m *Model) state(step, s string) {
	m.log.add(&entry{kind: kindIntro, text: m.introLine(step, s)})
}

func (m *Model) dayClock(t time.Time) string {
	t = t.Local()
	if n := m.now().Local(); t.YearDay() == n.YearDay() && t.Year() == n.Year() {
		return t.Format(m.cfg.Clock)
	}
	return t.Format("Mon 2 Jan " + m.cfg.Clock)
}

// bootstrapFailed says, in one line, that nobody answers yet: most often the others are
// merely offline. The panel of /peers has each address, and why.
func (m *Model) bootstrapFailed(e node.BootstrapFailed) {
	m.unanswered = nil
	for i, a := range e.Addresses {
		line := m.clean(a.String())
		if i < len(e.Errors) && e.Errors[i] != nil {
			line += "   " + m.clean(rootText(e.Errors[i]))
			if errors.Is(e.Errors[i], node.ErrWrongPeer) {
				m.alarm("another peer is at %s: get a fresh link, or leave out /p2p/... on your own network", m.clean(a.String()))
			}
		}
		m.unanswered = append(m.unanswered, line)
	}
	m.note("nobody answers yet at %s; still trying (/peers says more)", plural(len(e.Addresses), "address"))
}

// rootText is what a person can use of a nested error: its last cause.
func rootText(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			break
		}
		err = next
	}
	s := strings.TrimSpace(err.Error())
	if i := strings.LastIndex(s, "\n"); i >= 0 {
		s = s[i+1:]
	}
	if i := strings.LastIndex(s, ": "); i >= 0 {
		s = s[i+2:]
	}
	return strings.TrimRight(strings.TrimSpace(s), "]")
}

func (m *Model) renamed(mb room.Member) {
	before, had := m.name(mb.Peer), m.names.Nick(mb.Peer) != ""
	if !m.names.Take(mb.Peer, mb.Name, m.now()) {
		return
	}
	if mb.Peer == m.cfg.Self {
		m.note("you are %s now", m.name(mb.Peer))
		return
	}
	if had || !m.firstName(mb.Peer) {
		m.note("%s is %s now", before, m.name(mb.Peer))
	}
	m.lookTwice(mb.Peer)
}

// message makes the entry of a message.
func (m *Model) message(e room.Delivered) *entry {
	clean, flags := text.Clean(e.Message.Text)
	clean = people.MarkHosts(clean)
	out := &entry{
		kind: kindMessage, at: e.ShownAt(), peer: e.Author.Peer, text: m.shown(clean), flags: flags, self: e.Self,
		action: e.Message.Kind == record.KindAction, late: e.Late,
		id: e.ID, epoch: e.Epoch, counter: e.Message.Counter, lamport: e.Message.Lamport, received: e.Received,
	}
	if clean != e.Message.Text {
		out.raw = e.Message.Text
	}
	return out
}

func (m *Model) delivered(e room.Delivered) {
	if m.ignored[e.Author.Peer] {
		return
	}
	if e.Self {
		if !e.History {
			return // shown when it was sent
		}
	} else if !e.History || e.Author.Name != "" {
		m.names.Take(e.Author.Peer, e.Author.Name, m.now())
	}
	out := m.message(e)
	out.namesMe = !e.Self && !e.History && m.namesMe(e.Message.Text)
	switch {
	case e.Late || e.History && e.By != "":
		m.insertLate(out)
	default:
		m.log.add(out)
	}
	if e.ID == m.cfg.Unread && e.ID != (ake.Hash{}) {
		m.unread.mark, m.unread.since, m.cfg.Unread = out.seq, m.cfg.UnreadSince, ake.Hash{}
	}
	if !e.Self && !e.History {
		m.unread.arrived(m, out)
		m.lookTwice(e.Author.Peer)
	}
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
			if o.lamport < e.lamport || o.lamport == e.lamport && !o.at.After(e.at) {
				break
			}
			at = i
		}
	}
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

func (m *Model) gap(e room.Gap) {
	count := int(min(e.Last-e.First+1, 1<<30))
	if e.Filled {
		for i := len(m.log.entries) - 1; i >= 0; i-- {
			o := m.log.entries[i]
			if o.kind == kindGap && o.peer == e.Author.Peer && o.epoch == e.Epoch && o.counter >= e.First && o.counter <= e.Last {
				o.text = fmt.Sprintf("%s of %s were missing here, and have arrived", plural(count, "message"), m.name(e.Author.Peer))
				o.touch()
				return
			}
		}
		return
	}
	are := "are"
	if count == 1 {
		are = "is"
	}
	m.log.add(&entry{
		kind: kindGap, at: m.now(), peer: e.Author.Peer, epoch: e.Epoch, counter: e.First,
		text: fmt.Sprintf("%s of %s %s missing here; fetching", plural(count, "message"), m.name(e.Author.Peer), are),
	})
}
