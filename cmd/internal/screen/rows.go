// Package screen runs a process in a terminal that is emulated, for tests that
// look at cells: what is on the screen, not what was written to it.
package screen

import (
	"io"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
)

// Hush ends what an emulator answers: whoever reads it comes to the end.
func Hush(e *vt.Emulator) {
	// Its own Close writes what its Read reads at the same time.
	if c, ok := e.InputPipe().(io.Closer); ok {
		c.Close()
	}
}

// Cells are a screen: one that is emulated, or one that is drawn.
type Cells interface {
	Width() int
	Height() int
	CellAt(x, y int) *uv.Cell
}

// Rows are the rows of a screen, without the spaces at their ends.
func Rows(e Cells) []string {
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
