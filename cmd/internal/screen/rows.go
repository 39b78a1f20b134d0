// Package screen runs a process in a terminal that is emulated, for tests that
// look at cells: what is on the screen, not what was written to it.
package screen

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/vt"
)

// Hush ends what an emulator answers: whoever reads it comes to the end.
func Hush(e *vt.Emulator) {
	// Its own Close writes what its Read reads at the same time.
	if c, ok := e.InputPipe().(io.Closer); ok {
		c.Close()
	}
}

// Rows are the rows of an emulated screen, without the spaces at their ends.
func Rows(e *vt.Emulator) []string {
	rows := make([]string, e.Height())
	for y := range rows {
		var b strings.Builder
		for x := 0; x < e.Width(); {
			c := e.CellAt(x, y)
			if c == nil || c.Content == "" {
				b.WriteByte(' ')
				x++
				continue
			}
			b.WriteString(c.Content)
			x += max(c.Width, 1)
		}
		rows[y] = strings.TrimRight(b.String(), " ")
	}
	return rows
}
