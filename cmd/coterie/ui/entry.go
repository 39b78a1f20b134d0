package ui

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/room"
)

// A kind is what an entry is.
type kind uint8

const (
	kindIntro   kind = iota // a finished line of the beginning
	kindMessage             // what a member said
	kindNote                // -- from Coterie itself
	kindAside               // -- the same, without a time: about the line before
	kindGap                 // ?  messages that are missing
	kindAlarm               // !! to look at
)

// A state is what became of a message of one's own.
type state uint8

const (
	stateNone    state = iota // another's
	stateSending              // … until it is in an epoch with another reader
	stateHeld                 // - nobody is there
	stateSent                 // n/m of them have it; nothing when all have
	stateFailed               // ! nobody can read it
)

// An entry is a line of the log, and those that belong to it.
type entry struct {
	seq     uint64
	version int // changes with what is drawn
	kind    kind
	state   state
	flags   text.Flags
	action  bool
	self    bool
	late    bool
	namesMe bool
	gone    bool      // no longer in the log
	absence time.Time // of a line about an absence: when that began

	at   time.Time // as shown
	peer peer.ID
	to   string // clean: the policy of words for some
	text string // clean; what is drawn
	raw  string // as it came, where that is another

	id       ake.Hash
	epoch    ake.Hash
	counter  uint64
	lamport  uint64
	received time.Time
	file     *room.FileInfo // nil: it is no file
	own      *delivery      // for one's own

	replyTo           ake.Hash // the message that it answers; zeros: none
	quote             *room.Quote
	edited, withdrawn bool
	reactions         []room.Reaction

	rows []row
	key  drawKey
}

// A delivery is who could read a message of ours, and who has it.
type delivery struct {
	ref      uint64
	readers  []peer.ID
	missing  []peer.ID
	have, of int
	since    time.Time
}

// A drawKey is what rows depend on besides their entry.
type drawKey struct {
	width   int
	layout  layout
	names   int
	version int
	method  text.Method
}

// A row is one line of the screen: styled, and how many cells it takes.
type row struct {
	s string
	w int
}

const (
	// foldLines is how many lines of a message are shown.
	foldLines = 12
	// headWidth is what state and name take, right aligned.
	headWidth = 9
)

func (m *Model) row(s string) row { return row{s, m.method.StringWidth(s)} }

func (m *Model) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(m.room.Clock)
}

// draw makes the rows of an entry.
func (m *Model) draw(e *entry) []row {
	switch {
	case e.kind == kindIntro:
		return m.flow("", 0, e.text, m.bodyWidth(), 5)
	case m.layout() == narrow:
		return m.drawNarrow(e)
	case e.kind == kindMessage:
		return m.drawMessage(e)
	}
	return m.drawNote(e)
}

// flow draws a text behind a head of so many cells; further lines begin at
// indent.
func (m *Model) flow(head string, headCells int, s string, width, indent int) []row {
	var rows []row
	for i, line := range strings.Split(s, "\n") {
		first := width - headCells
		if i > 0 {
			first = width - indent
		}
		for _, part := range text.Wrap(line, first, width-indent, m.method) {
			w := m.method.StringWidth(part)
			part = dimEscapes(part)
			if len(rows) == 0 {
				rows = append(rows, row{head + part, headCells + w})
			} else {
				rows = append(rows, row{strings.Repeat(" ", indent) + part, indent + w})
			}
		}
	}
	return rows
}

var escapes = regexp.MustCompile(`\\u\{[0-9a-f]+\}`)

// dimEscapes takes the numbers of what cannot be shown back a little.
func dimEscapes(s string) string {
	if !strings.Contains(s, `\u{`) {
		return s
	}
	return escapes.ReplaceAllStringFunc(s, dim)
}

// stateText is what stands before the name.
func (m *Model) stateText(e *entry) string {
	switch {
	case e.state == stateSending:
		return m.style.more
	case e.state == stateHeld:
		return "-"
	case e.state == stateFailed:
		return "!"
	case e.state == stateSent && e.own != nil && e.own.have < e.own.of:
		return strconv.Itoa(e.own.have) + "/" + strconv.Itoa(e.own.of)
	case m.suspicious(e):
		return "!"
	case e.late:
		return "<"
	case e.namesMe:
		return "@"
	}
	return ""
}

// suspicious reports whether one should look twice at a line: at its text, or at
// the name.
func (m *Model) suspicious(e *entry) bool {
	if e.flags.Suspicious() {
		return true
	}
	if e.kind != kindMessage || e.self {
		return false
	}
	_, like := m.room.Names.Like(e.peer)
	return like
}

func (m *Model) paintState(s string, e *entry) string {
	switch {
	case s == "!" && (e.state == stateFailed || e.state == stateNone):
		return bad(s)
	case s == "-":
		return warn(s)
	case s == "@":
		return bold(s)
	}
	return dim(s)
}

// sayer is who said something, and to whom if not to all: bare, and as it is painted. No name
// can look like that, since policies have quotes or comparisons in them.
func (m *Model) sayer(e *entry) (bare, painted string) {
	name := m.name(e.peer)
	bare, painted = name, m.nick(name, e.peer)
	if e.to != "" {
		to := text.Truncate(" to "+e.to, max(m.bodyWidth()/2, 16), m.method)
		bare, painted = bare+to, painted+dim(to)
	}
	return bare, painted
}

// drawMessage draws HH:MM STATE NICK  TEXT.
func (m *Model) drawMessage(e *entry) []row {
	at := m.clock(e.at)
	margin := len(at) + headWidth + 2 // where texts begin
	width := m.bodyWidth()
	state := m.stateText(e)
	name, shown := m.sayer(e)
	if e.action {
		name, shown = "*", "*"
	}
	stateCells, nameCells := m.method.StringWidth(state), m.method.StringWidth(name)
	var head string
	cells := len(at)
	switch {
	case state == "" && nameCells <= headWidth-1:
		head = strings.Repeat(" ", headWidth-nameCells) + shown
		cells += headWidth
	case state == "":
		head = " " + shown
		cells += 1 + nameCells
	case nameCells <= headWidth-5 && stateCells <= 3:
		left := (3 - stateCells + 1) / 2
		gap := headWidth - 1 - left - stateCells - nameCells
		head = strings.Repeat(" ", 1+left) + m.paintState(state, e) + strings.Repeat(" ", gap) + shown
		cells += headWidth
	default:
		head = " " + m.paintState(state, e) + " " + shown
		cells += 2 + stateCells + nameCells
	}
	sep := "  "
	if cells+2 > margin {
		sep = " "
	}
	cells += len(sep)
	if cells > width-8 { // a name that leaves no room has its own line
		name := m.row(text.Truncate(dim(at)+head, width, m.method))
		return m.withBeside(e, append([]row{name}, m.body(e, strings.Repeat(" ", min(margin, width/2)), min(margin, width/2),
			min(margin, width/2))...), min(margin, width/2))
	}
	line := dim(at) + head + mirror(e.text) + sep
	if e.action {
		line += m.nick(m.name(e.peer), e.peer) + " "
		cells += m.method.StringWidth(m.name(e.peer)) + 1
	}
	return m.withBeside(e, m.body(e, line, cells, min(margin, width/2)), min(margin, width/2))
}

// body is a message's text, folded if it is long.
func (m *Model) body(e *entry, head string, cells, indent int) []row {
	said := e.text
	if e.edited {
		said += " (edited)"
	}
	rows := m.flow(head, cells, said, m.bodyWidth(), indent)
	if m.find != nil && m.find.at == e || m.picked == e {
		for i := range rows {
			rows[i].s = mark(ansi.Strip(rows[i].s))
		}
	}
	if len(rows) > foldLines+1 {
		more := fmt.Sprintf("... %d more lines (Alt+O opens)", len(rows)-foldLines)
		rows = append(rows[:foldLines:foldLines], row{strings.Repeat(" ", indent) +
			dim(text.Truncate(more, m.bodyWidth()-indent, m.method)), indent + min(len(more), m.bodyWidth()-indent)})
	}
	return rows
}

// drawNote draws a line from Coterie itself.
func (m *Model) drawNote(e *entry) []row {
	at := m.clock(e.at)
	sign := "--"
	paintSign := dim
	switch e.kind {
	case kindGap:
		sign = "?"
	case kindAlarm:
		sign, paintSign = "!!", bad
	}
	// The column of signs is that of names where the screen is narrower; a wide one
	// has them apart.
	column := len(m.clock(m.now())) + headWidth
	sep := "  "
	if m.layout() == wide {
		column -= 2
		sep = " "
	}
	head := dim(at) + strings.Repeat(" ", column-len(at)-len(sign)) + paintSign(sign) + sep
	cells := column + len(sep)
	return m.flow(head, cells, e.text, m.bodyWidth(), cells)
}

// drawNarrow has time and name on a line of their own.
func (m *Model) drawNarrow(e *entry) []row {
	width := m.bodyWidth()
	head := dim(m.clock(e.at))
	if e.at.IsZero() {
		head = strings.Repeat(" ", len(m.clock(m.now())))
	}
	if e.kind == kindMessage {
		if s := m.stateText(e); s != "" {
			head += " " + m.paintState(s, e)
		}
		_, shown := m.sayer(e)
		head += " " + shown
		if e.action {
			head += " *"
		}
		head += mirror(e.text)
	} else {
		sign := map[kind]string{kindGap: "?", kindAlarm: "!!"}[e.kind]
		if sign == "" {
			sign = "--"
		}
		head += " " + sign
	}
	rows := []row{m.row(text.Truncate(head, width, m.method))}
	return append(rows, m.withBeside(e, m.body(e, " ", 1, 1), 1)...)
}

// mirror is one U+200E of ours, where a text has letters that are written from
// right to left: a terminal that reorders cannot move the name before it.
func mirror(s string) string {
	for _, r := range s {
		if r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff || r >= 0x10800 &&
			r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff {
			return "\u200e"
		}
	}
	return ""
}

// dayRow is the line between two days, before entry i.
func (m *Model) dayRow(i int) *row {
	e := m.log.entries[i]
	if e.at.IsZero() {
		return nil
	}
	for j := i - 1; j >= 0; j-- {
		if before := m.log.entries[j].at; !before.IsZero() {
			a, b := before.Local(), e.at.Local()
			if a.YearDay() == b.YearDay() && a.Year() == b.Year() {
				return nil
			}
			r := m.row("   " + bold(e.at.Local().Format("Mon 2 Jan")))
			return &r
		}
	}
	if m.layout() != wide {
		return nil
	}
	r := m.row("   " + bold(e.at.Local().Format("Mon 2 Jan")))
	return &r
}

// touch says that an entry is to be drawn anew.
func (e *entry) touch() { e.version++ }
