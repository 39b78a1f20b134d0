// Command svg draws what a terminal shows as SVG: it reads what
// `tmux capture-pane -e -p` writes, text with the escape sequences of its
// colours, and writes the picture to standard output.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

const (
	cellWidth, lineHeight = 8.4, 18.0
	margin                = 12.0
	foreground            = "#d8dee9"
	background            = "#1d2330"
)

// The sixteen colours of a terminal, as these pictures have them.
var palette = []string{
	"#3b4252", "#bf616a", "#a3be8c", "#ebcb8b", "#81a1c1", "#b48ead", "#88c0d0", "#e5e9f0",
	"#616e88", "#d08770", "#b4d19a", "#f0d8a0", "#9dbbdb", "#c9a6c4", "#9fd5e3", "#ffffff",
}

// A style is how a run of cells is drawn.
type style struct {
	fg, bg              string
	bold, dim, reversed bool
}

func main() {
	columns := flag.Int("columns", 100, "width in cells")
	title := flag.String("title", "", "what the picture is of, for those who cannot see it")
	flag.Parse()
	if err := draw(os.Stdout, os.Stdin, *columns, *title); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func draw(w io.Writer, r io.Reader, columns int, title string) error {
	in := bufio.NewScanner(r)
	var lines []string
	for in.Scan() {
		lines = append(lines, in.Text())
	}
	if err := in.Err(); err != nil {
		return err
	}
	for len(lines) > 0 && strings.TrimSpace(ansi.Strip(lines[len(lines)-1])) == "" {
		lines = lines[:len(lines)-1]
	}
	width, height := 2*margin+float64(columns)*cellWidth, 2*margin+float64(len(lines))*lineHeight
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	fmt.Fprintf(w, `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="%s" xml:space="preserve">`+"\n", foreground)
	for i, line := range lines {
		drawLine(w, line, margin+lineHeight*(float64(i)+0.75))
	}
	_, err := fmt.Fprintln(w, "</g>\n</svg>")
	return err
}

// drawLine draws each run of one style, at the place of its first cell.
func drawLine(w io.Writer, line string, y float64) {
	var s style
	column := 0
	for line != "" {
		if rest, ok := strings.CutPrefix(line, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= 0x40 && r <= 0x7e })
			if end < 0 {
				return
			}
			if rest[end] == 'm' {
				s.apply(rest[:end])
			}
			line = rest[end+1:]
			continue
		}
		end := strings.IndexByte(line, '\x1b')
		if end < 0 {
			end = len(line)
		}
		if end == 0 {
			line = line[1:]
			continue
		}
		text := line[:end]
		s.draw(w, text, column, y)
		column += ansi.StringWidth(text)
		line = line[end:]
	}
}

func (s *style) draw(w io.Writer, text string, column int, y float64) {
	fg, bg := s.fg, s.bg
	if s.reversed {
		fg, bg = background, foreground
		if s.fg != "" {
			bg = s.fg
		}
	}
	x, width := margin+float64(column)*cellWidth, float64(ansi.StringWidth(text))*cellWidth
	if bg != "" {
		fmt.Fprintf(w, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y-lineHeight*0.75, width,
			lineHeight, bg)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	attrs := ""
	if fg != "" {
		attrs += fmt.Sprintf(` fill="%s"`, fg)
	}
	if s.bold {
		attrs += ` font-weight="bold"`
	}
	if s.dim {
		attrs += ` opacity="0.6"`
	}
	fmt.Fprintf(w, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n", x, y,
		width, attrs, html.EscapeString(text))
}

// apply takes the parameters of one SGR sequence.
func (s *style) apply(params string) {
	fields := strings.FieldsFunc(params, func(r rune) bool { return r == ';' || r == ':' })
	if len(fields) == 0 {
		*s = style{}
	}
	for i := 0; i < len(fields); i++ {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return
		}
		switch {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 7:
			s.reversed = true
		case n == 22:
			s.bold, s.dim = false, false
		case n == 27:
			s.reversed = false
		case n >= 30 && n <= 37:
			s.fg = palette[n-30]
		case n >= 90 && n <= 97:
			s.fg = palette[n-90+8]
		case n == 39:
			s.fg = ""
		case n >= 40 && n <= 47:
			s.bg = palette[n-40]
		case n >= 100 && n <= 107:
			s.bg = palette[n-100+8]
		case n == 49:
			s.bg = ""
		case n == 38 || n == 48:
			colour, used := extended(fields[i+1:])
			i += used
			if n == 38 {
				s.fg = colour
			} else {
				s.bg = colour
			}
		}
	}
}

// extended is a colour of the 256, or of all; used is how many parameters it has.
func extended(fields []string) (colour string, used int) {
	number := func(i int) int {
		if i >= len(fields) {
			return 0
		}
		n, _ := strconv.Atoi(fields[i])
		return min(max(n, 0), 255)
	}
	switch {
	case len(fields) >= 2 && fields[0] == "5":
		n := number(1)
		switch {
		case n < 16:
			return palette[n], 2
		case n >= 232:
			v := 8 + 10*(n-232)
			return fmt.Sprintf("#%02x%02x%02x", v, v, v), 2
		}
		level := func(v int) int {
			if v == 0 {
				return 0
			}
			return 55 + 40*v
		}
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6)), 2
	case len(fields) >= 4 && fields[0] == "2":
		return fmt.Sprintf("#%02x%02x%02x", number(1), number(2), number(3)), 4
	}
	return "", len(fields)
}
