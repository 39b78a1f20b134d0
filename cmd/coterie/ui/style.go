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
func warn(s string) string { return paint(s, ansi.AttrBold, ansi.AttrYellowForegroundColor) }
func bad(s string) string  { return paint(s, ansi.AttrBold, ansi.AttrRedForegroundColor) }

var nickColours = []ansi.Attr{
	ansi.AttrCyanForegroundColor, ansi.AttrGreenForegroundColor, ansi.AttrMagentaForegroundColor,
	ansi.AttrBlueForegroundColor, ansi.AttrBrightCyanForegroundColor, ansi.AttrBrightMagentaForegroundColor,
}

// nick colours a name by whose it is.
func nick(s string, p peer.ID, self bool) string {
	if self {
		return bold(s)
	}
	sum := 0
	for i := range len(p) {
		sum = sum*31 + int(p[i])
	}
	return paint(s, nickColours[uint(sum)%uint(len(nickColours))])
}

// rule is a line across.
func (s *style) rule(width int) string { return strings.Repeat(s.across, max(width, 0)) }

// titled is a line across with words in it, after so many dashes.
func (s *style) titled(dashes int, words string, width int) string {
	head := s.rule(dashes) + " " + words + " "
	return head + s.rule(width-ansi.StringWidth(head))
}
