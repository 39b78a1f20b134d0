package main

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"coterie/cmd/internal/cli"
)

// table is rows of cells, the first row the heads and the first column numbers.
type table [][]string

func (t table) print(w io.Writer) error {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for c := range row {
			row[c] = cli.Clean(row[c])
			widths[c] = max(widths[c], cells(row[c]))
		}
	}
	var b strings.Builder
	for _, row := range t {
		for c, text := range row {
			pad := strings.Repeat(" ", widths[c]-cells(text))
			switch c {
			case 0:
				b.WriteString(" " + pad + text)
			case len(row) - 1:
				b.WriteString("  " + text)
			default:
				b.WriteString("  " + text + pad)
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cells is how many cells of a terminal clean text takes.
func cells(s string) int {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return len(s)
	}
	n := 0
	for _, r := range s {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
