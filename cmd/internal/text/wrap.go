package text

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// A Method is how a terminal counts the cells of a cluster of characters.
// Terminals differ; whoever draws says which it is.
type Method = ansi.Method

// The methods: character by character, or cluster by cluster (for terminals with
// mode 2027).
const (
	ByRune    = ansi.WcWidth
	ByCluster = ansi.GraphemeWidth
)

// Width is how many cells clean text takes on a terminal that counts clusters.
func Width(s string) int { return ByCluster.StringWidth(s) }

// Wrap breaks one line of clean text into lines of at most width cells, the
// first of at most first, between words where that is possible. The spaces at a
// break go; those that begin the line stay. A cluster that is wider than a line
// becomes U+FFFD.
func Wrap(s string, first, width int, m Method) []string {
	width, first = max(width, 1), max(first, 1)
	if len(s) <= first && isPlain(s, true) {
		return []string{s}
	}
	rest := width
	width = first
	var (
		out   []string
		line  strings.Builder
		cells int
		// brk is where the line can be broken: behind a space. breakCells is what
		// the line has up to there.
		brk, breakCells int
	)
	flush := func(n, c int) {
		all := line.String()
		out = append(out, strings.TrimRight(all[:n], " "))
		line.Reset()
		line.WriteString(all[n:])
		cells -= c
		brk, breakCells, width = 0, 0, rest
	}
	for i := 0; i < len(s); {
		var (
			cluster string
			w       int
		)
		if s[i] < 0x80 && (i+1 == len(s) || s[i+1] < 0x80) {
			cluster, w = s[i:i+1], 1
		} else {
			cluster, w = ansi.FirstGraphemeCluster(s[i:], m)
		}
		if len(cluster) == 0 {
			break
		}
		i += len(cluster)
		if w > width {
			cluster, w = "\ufffd", 1
		}
		if cells+w > width {
			if cluster == " " {
				// The space at the end of a full line is the break.
				flush(line.Len(), cells)
				continue
			}
			if brk > 0 {
				flush(brk, breakCells)
			}
			if cells+w > width {
				flush(line.Len(), cells)
			}
		}
		line.WriteString(cluster)
		cells += w
		if cluster == " " && strings.TrimLeft(line.String(), " ") != "" {
			brk, breakCells = line.Len(), cells
		}
	}
	return append(out, line.String())
}

// Truncate is s in at most width cells, with an ellipsis where something is
// missing.
func Truncate(s string, width int, m Method) string {
	if m.StringWidth(s) <= width {
		return s
	}
	return m.Truncate(s, width, "…")
}
