package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A style has the characters that lines are drawn with, and how they look.
// Colours only repeat what words and places say: without them nothing is lost.
type style struct {
	across, down, above, below string // ─ │ ┬ ┴
	dot, more                  string // · …
	ascii                      bool
}

func newStyle(ascii bool) style {
	if ascii {
		return style{across: "-", down: "|", above: "+", below: "+", dot: "-", more: "...", ascii: true}
	}
	return style{across: "─", down: "│", above: "┬", below: "┴", dot: "·", more: "…"}
}

// paint wraps a text into the sequences of a style; ours are the only ones that
// are ever drawn.
func paint(s string, attrs ...ansi.Attr) string {
	if s == "" {
		return s
	}
	return ansi.NewStyle(attrs...).Styled(s)
}

func bold(s string) string { return paint(s, ansi.AttrBold) }
func dim(s string) string  { return paint(s, ansi.AttrFaint) }
func mark(s string) string { return paint(s, ansi.AttrReverse) }
func warn(s string) string { return tint(s, amber, ansi.AttrBold) }
func bad(s string) string  { return tint(s, red, ansi.AttrBold) }

// Colours are of the 256 that terminals have alike, and can be read on black and on white: a
// terminal's own yellow cannot.
const amber, red = ansi.IndexedColor(136), ansi.IndexedColor(160)

// nickColours: blue, green, magenta, brown, teal, violet, pink, olive.
var nickColours = [...]ansi.IndexedColor{33, 28, 163, 130, 30, 99, 168, 64}

func tint(s string, c ansi.IndexedColor, attrs ...ansi.Attr) string {
	if s == "" {
		return s
	}
	return ansi.NewStyle(attrs...).ForegroundColor(c).Styled(s)
}

// maxColoured is how many peers keep the colour they had.
const maxColoured = 4096

// nick colours a name by whose it is. Who comes has the colour that fewest of those here have.
func (m *Model) nick(name string, p peer.ID) string {
	if p == m.cfg.Self {
		return bold(name)
	}
	c, ok := m.colours[p]
	if !ok {
		var taken [len(nickColours)]int
		for _, r := range m.room.Readers() {
			if c, ok := m.colours[r.Peer]; ok {
				taken[c]++
			}
		}
		for i := range taken {
			if taken[i] < taken[c] {
				c = i
			}
		}
		if m.colours == nil || len(m.colours) >= maxColoured {
			m.colours = make(map[peer.ID]int)
		}
		m.colours[p] = c
	}
	return tint(name, nickColours[c])
}

// rule is a line across.
func (s *style) rule(width int) string { return strings.Repeat(s.across, max(width, 0)) }

// titled is a line across with words in it, after so many dashes.
func (s *style) titled(dashes int, words string, width int) string {
	head := s.rule(dashes) + " " + words + " "
	return head + s.rule(width-ansi.StringWidth(head))
}
