package main

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"coterie/cmd/internal/cli"
)

// tableWidth is how many cells of a terminal a table takes. Longer names and attributes go
// on in the next line.
const tableWidth = 80

// table is rows of cells, the first row the heads and the first column numbers. The
// second and third column have texts of any length.
type table [][]string

func (t table) print(w io.Writer) error {
	widths := make([]int, len(t[0]))
	total := 1 + 2*(len(t[0])-1)
	for _, row := range t {
		for c := range row {
			row[c] = cli.Clean(row[c])
			widths[c] = max(widths[c], cells(row[c]))
		}
	}
	for _, n := range widths {
		total += n
	}
	// What is too much comes out of the longer of the two.
	for ; total > tableWidth && max(widths[1], widths[2]) > 10; total-- {
		if widths[1] > widths[2] {
			widths[1]--
		} else {
			widths[2]--
		}
	}
	var b strings.Builder
	for _, row := range t {
		lines := make([][]string, len(row))
		most := 1
		for c, text := range row {
			lines[c] = breakCell(text, widths[c])
			most = max(most, len(lines[c]))
		}
		for i := range most {
			line := ""
			for c := range row {
				text := ""
				if i < len(lines[c]) {
					text = lines[c][i]
				}
				pad := strings.Repeat(" ", max(widths[c]-cells(text), 0))
				if c == 0 {
					line = " " + pad + text
				} else {
					line += "  " + text + pad
				}
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// breakCell breaks a text into lines of so many cells, after commas or at spaces where it can.
func breakCell(text string, width int) (lines []string) {
	for cells(text) > width {
		at, n, space, comma := 0, 0, 0, 0
		for i, r := range text {
			if n += cells(string(r)); n > width {
				break
			}
			if at = i + len(string(r)); r == ' ' {
				if space = at; strings.HasSuffix(text[:i], ",") {
					comma = at
				}
			}
		}
		switch {
		case strings.HasPrefix(text[at:], " "): // it fits just so
		case comma > 0:
			at = comma
		case space > 0:
			at = space
		case at == 0:
			return append(lines, text) // not even one fits
		}
		lines = append(lines, strings.TrimRight(text[:at], " "))
		text = strings.TrimLeft(text[at:], " ")
	}
	return append(lines, text)
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
