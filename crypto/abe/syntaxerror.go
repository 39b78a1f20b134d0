package abe

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// SyntaxError says what is wrong with a policy, and where.
type SyntaxError struct {
	Source string
	Line   int    // from 1
	Column int    // from 1, in terminal cells of the line as Excerpt shows it
	Offset int    // in bytes of Source
	Width  int    // of the offending text, in cells, at least 1; within its line
	Msg    string // one line, no capital, no full stop
	Hint   string // what to write instead; may be empty
}

func (e *SyntaxError) Error() string { return "policy: " + e.Msg }

// newSyntaxError places msg at the bytes [from, to) of source.
func newSyntaxError(source string, from, to int, msg, hint string) *SyntaxError {
	from = min(max(from, 0), len(source))
	to = min(max(to, from), len(source))
	start := strings.LastIndexByte(source[:from], '\n') + 1
	if end := strings.IndexByte(source[from:to], '\n'); end >= 0 {
		to = from + end
	}
	return &SyntaxError{
		Source: source,
		Line:   1 + strings.Count(source[:from], "\n"),
		Column: 1 + cells(source[start:from]),
		Offset: from,
		Width:  max(1, cells(source[from:to])),
		Msg:    msg,
		Hint:   hint,
	}
}

// shown is how a rune is drawn in an excerpt, and in how many cells. What could
// move the cursor or hide is drawn as the replacement character.
func shown(r rune) (rune, int) {
	switch {
	case r == '\t':
		return ' ', 1
	case !printable(r):
		return unicode.ReplacementChar, 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return r, 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return r, 2
	}
	return r, 1
}

func cells(s string) int {
	n := 0
	for _, r := range s {
		_, w := shown(r)
		n += w
	}
	return n
}

// excerptCells is how much of a long line Excerpt shows before and after the
// place; excerptBytes ends it even if it is made of marks, which take no cells.
const (
	excerptCells = 60
	excerptBytes = 1024
)

// Excerpt is the line of the error and, below it, carets under the offending
// text. It is free of control and invisible characters. Long lines are cut
// around the place.
func (e *SyntaxError) Excerpt() string {
	offset := min(max(e.Offset, 0), len(e.Source))
	start := strings.LastIndexByte(e.Source[:offset], '\n') + 1
	line := e.Source[start:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	line = strings.TrimSuffix(line, "\r")

	first, last := e.Column-1-excerptCells, e.Column-1+excerptCells
	var b strings.Builder
	caret, at := e.Column-1, 0
	if first > 0 {
		b.WriteString("...")
	}
	cut := false
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRuneInString(line[i:])
		i += size
		r, w := shown(r)
		switch {
		case at < first:
			caret -= w
		case at+w > last || b.Len() > excerptBytes:
			cut = true
		default:
			b.WriteRune(r)
		}
		at += w
		if cut {
			break
		}
	}
	if cut {
		b.WriteString("...")
	}
	if first > 0 {
		caret += len("...")
	}
	b.WriteByte('\n')
	b.WriteString(strings.Repeat(" ", max(0, caret)))
	b.WriteString(strings.Repeat("^", min(max(1, e.Width), excerptCells)))
	return b.String()
}
