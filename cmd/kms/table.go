package main

import (
	"io"
	"strings"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
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
			widths[c] = max(widths[c], text.Width(row[c]))
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
		for c, cell := range row {
			lines[c] = breakCell(cell, widths[c])
			most = max(most, len(lines[c]))
		}
		for i := range most {
			line := ""
			for c := range row {
				cell := ""
				if i < len(lines[c]) {
					cell = lines[c][i]
				}
				pad := strings.Repeat(" ", max(widths[c]-text.Width(cell), 0))
				if c == 0 {
					line = " " + pad + cell
				} else {
					line += "  " + cell + pad
				}
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// breakCell breaks a text into lines of so many cells, after commas or at spaces where it can.
func breakCell(cell string, width int) (lines []string) {
	for text.Width(cell) > width {
		at, n, space, comma := 0, 0, 0, 0
		for i, r := range cell {
			if n += text.Width(string(r)); n > width {
				break
			}
			if at = i + len(string(r)); r == ' ' {
				if space = at; strings.HasSuffix(cell[:i], ",") {
					comma = at
				}
			}
		}
		switch {
		case strings.HasPrefix(cell[at:], " "): // it fits just so
		case comma > 0:
			at = comma
		case space > 0:
			at = space
		case at == 0:
			return append(lines, cell) // not even one fits
		}
		lines = append(lines, strings.TrimRight(cell[:at], " "))
		cell = strings.TrimLeft(cell[at:], " ")
	}
	return append(lines, cell)
}
