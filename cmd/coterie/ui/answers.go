package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/text"
)

// list is a list of peers: this one first, as "you".
func (m *Model) list(ids []peer.ID) string { return m.shown(m.room.List(ids)) }

// showReaders tells of the N-th last message, or the one a search has found.
func (m *Model) showReaders(args string) {
	n, err := nth(args)
	if err != nil {
		m.trouble(Trouble{Text: "/readers: " + err.Error()})
		return
	}
	var found *entry
	if m.find != nil && m.find.at != nil && args == "" {
		found = m.find.at
	} else {
		from := len(m.log.entries) - 1
		if m.log.anchor != nil {
			from = m.log.index(m.log.anchor)
		}
		for i := from; i >= 0 && found == nil; i-- {
			if e := m.log.entries[i]; e.kind == kindMessage {
				if n--; n == 0 {
					found = e
				}
			}
		}
	}
	if found == nil {
		m.trouble(Trouble{Text: "there is no such message here"})
		return
	}
	m.open("readers", m.readersOf(found))
}

func (m *Model) readersOf(e *entry) []string {
	quote, _, cut := strings.Cut(e.text, "\n")
	if short := text.Truncate(quote, 60, m.method); short != quote {
		quote = short
	} else if cut {
		quote += m.style.more
	}
	whose := m.room.Names.Show(e.peer)
	log := "its"
	if e.self {
		whose, log = "you", "your"
	}
	where := ""
	if e.counter > 0 {
		where = fmt.Sprintf(", keys %x, message %d of %s log", e.epoch[:2], e.counter, log)
	}
	out := []string{fmt.Sprintf("%q     %s, %s%s", quote, whose, e.at.Local().Format("15:04:05"), where)}
	if d := e.received.Sub(e.at).Abs(); !e.received.IsZero() && d > 2*time.Second {
		out = append(out, "  arrived         "+e.received.Local().Format("2006-01-02 15:04:05"))
	}
	could := "  could read it   "
	if e.to != "" {
		out = append(out, "  for             "+e.to+" alone: of those below they read it whose key satisfies that")
		could = "  was given to    "
	}
	switch {
	case e.state == stateSending || e.state == stateHeld:
		out = append(out, "  could read it   nobody yet: it is held")
	case e.state == stateFailed:
		out = append(out, "  could read it   nobody: it was not sent")
	case e.own != nil:
		out = append(out, could+m.list(append([]peer.ID{m.cfg.Self}, e.own.readers...)))
		var have []peer.ID
		for _, p := range e.own.readers {
			if !slices.Contains(e.own.missing, p) {
				have = append(have, p)
			}
		}
		line := "  have it         "
		if len(have) == 0 {
			line += "nobody yet, as far as is known"
		} else {
			line += m.list(have)
		}
		if len(e.own.missing) > 0 {
			line += "          not yet: " + m.list(e.own.missing)
		}
		out = append(out, line)
	default:
		if members, _, ok := m.room.ReadersOf(e.epoch); ok {
			out = append(out, could+m.list(members))
		} else {
			out = append(out, "  could read it   those who were members before you came")
		}
	}
	later := "nobody: newcomers are told nothing from before"
	if m.cfg.History > 0 {
		later = "who joins within " + text.Span(m.cfg.History)
	}
	if _, away, _ := m.room.ReadersOf(e.epoch); len(away) > 0 {
		later = m.list(away) + ", when back; " + strings.Replace(later, "nobody", "nobody else", 1)
	}
	out = append(out, "  later           "+later)
	if e.raw != "" {
		out = append(out, "  as it came      "+text.Escape(e.raw))
		if names := e.flags.Names(); len(names) > 0 {
			out = append(out, "  flags           "+strings.Join(names, ", "))
		}
	}
	return out
}

// helpKeys are the keys, as /help has them.
const helpKeys = `Enter send              Alt+Enter, Ctrl+J new line    Tab complete
Up, Down earlier input  PgUp, PgDn scroll             Alt+Home, Alt+End oldest, newest
Alt+U first unread      Alt+N, Alt+P lines naming you Ctrl+F search, Ctrl+R own input
Alt+Up pick a message: r reply, + react, e edit, w withdraw, c copy it whole, o open
Alt+M members           Alt+S status                  Alt+I room and policy
Alt+O long message      Alt+E editor                  Alt+L bare, to select with the mouse
Alt+1 .. Alt+9 a room   Alt+A next room with news     (with several rooms)
Ctrl+C clears, then /quit; twice leaves               Esc closes, back to the newest`

const helpNot = `Not there, on purpose: read receipts, typing notices, presence beyond membership, link previews, remote images:
each tells others when you look. No edit and no delete for all: who has read has read. No kick, ban or op: there is
nobody who could; a policy decides, /ignore is yours, lapse is the authority's.`

func (m *Model) help(word string) {
	out := chat.HelpLines(plainSlashes(), word)
	if word != "" {
		m.note("%s", m.clean(strings.TrimSpace(out[0])))
		return
	}
	out = append(append(out, ""), strings.Split(helpKeys, "\n")...)
	m.open("help", append(out, "", strings.ReplaceAll(helpNot, "\n", " ")))
}
