package main

import (
	"io"
	"strings"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
)

// table is rows of cells, the first row the heads and the first column numbers.
type table [][]string

func (t table) print(w io.Writer) error {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for c := range row {
			row[c] = cli.Clean(row[c])
			widths[c] = max(widths[c], text.Width(row[c]))
		}
	}
	var b strings.Builder
	for _, row := range t {
		for c, cell := range row {
			pad := strings.Repeat(" ", widths[c]-text.Width(cell))
			switch c {
			case 0:
				b.WriteString(" " + pad + cell)
			case len(row) - 1:
				b.WriteString("  " + cell)
			default:
				b.WriteString("  " + cell + pad)
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
