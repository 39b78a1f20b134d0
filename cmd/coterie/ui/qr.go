package ui

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
	"rsc.io/qr"

	"coterie/cmd/internal/cli"
)

// QR draws a text as a QR code, with half blocks: two rows of modules a line, dark on light in
// whatever colours the terminal has, with the quiet zone that readers need. It fails if out is a
// window that is too small for it, beside the columns and rows that are taken.
func QR(out io.Writer, text string, columns, rows int) ([]string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, cli.Fail("qr", "the link is too long for a QR code").Because(err)
	}
	const quiet = 2
	side := code.Size + 2*quiet
	if f, ok := out.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && (w-columns < side || h-rows < side/2) {
			return nil, cli.Fail("qr", "too large for this window: it takes %d columns and %d rows",
				side+columns, side/2+1+rows).Hint("make the window larger, or leave out --qr")
		}
	}
	light := func(x, y int) bool {
		x, y = x-quiet, y-quiet
		return x < 0 || y < 0 || x >= code.Size || y >= code.Size || !code.Black(x, y)
	}
	var drawn []string
	for y := 0; y < side; y += 2 {
		var b strings.Builder
		for x := range side {
			switch top, bottom := light(x, y), y+1 >= side || light(x, y+1); {
			case top && bottom:
				b.WriteRune('█')
			case top:
				b.WriteRune('▀')
			case bottom:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		drawn = append(drawn, b.String())
	}
	return drawn, nil
}
