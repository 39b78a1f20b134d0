package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/text/unicode/norm"
)

// Flags say what was found in a text.
type Flags uint8

// The flags. All but UTF8 make a line one to look at twice.
const (
	UTF8       Flags = 1 << iota // bytes that are not UTF-8
	Control                      // control characters
	Bidi                         // controls of the writing direction
	Invisible                    // characters that are drawn as nothing
	Stacked                      // too many marks on one letter
	Confusable                   // a name that looks like another's
)

var flagNames = []string{"utf8", "control", "bidi", "invisible", "stacked", "confusable"}

// Names are the flags as JSON has them.
func (f Flags) Names() []string {
	var out []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// Suspicious reports whether people should look twice.
func (f Flags) Suspicious() bool { return f&^UTF8 != 0 }

const (
	// MaxSize is the longest clean text, in bytes: that of a message.
	MaxSize = 16 << 10
	// maxRaw is how much of a text is looked at.
	maxRaw = 4 * MaxSize
	// maxMarks is how many marks may stand on one letter: more than any language
	// needs, fewer than it takes to cover the lines above.
	maxMarks = 4
	tabStop  = 4

	cut    = "… cut"
	circle = '\u25cc' // what carries a mark that has no letter
)

// Clean makes text from elsewhere harmless, and says what it found. Lines stay
// lines. Clean text comes back as it is, so cleaning twice does nothing more.
func Clean(s string) (string, Flags) { return clean(s, false) }

// Line is Clean for what must stay on one line: a line feed becomes a picture.
func Line(s string) (string, Flags) { return clean(s, true) }

func clean(s string, one bool) (string, Flags) {
	if isPlain(s, one) {
		return s, 0
	}
	var flags Flags
	tooLong := false
	if len(s) > maxRaw {
		end := maxRaw
		for end > maxRaw-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		s, tooLong = s[:end], true
	}
	// What one pass takes out can bring others together: a letter and a mark, two
	// joiners. Each pass that changes anything removes something or replaces it by
	// what stays, so there are few.
	for {
		p := pass{in: s, one: one}
		next := norm.NFC.String(p.run())
		flags |= p.flags
		if len(next) > MaxSize || tooLong {
			next, tooLong = shorten(next), false
		}
		if next == s {
			return s, flags
		}
		s = next
	}
}

// isPlain is the common case: printable ASCII.
func isPlain(s string, one bool) bool {
	if len(s) > MaxSize {
		return false
	}
	for i := range len(s) {
		if (s[i] < ' ' || s[i] > '~') && (one || s[i] != '\n') {
			return false
		}
	}
	return true
}

// shorten cuts s between two clusters, and says so.
func shorten(s string) string {
	n := 0
	for n < len(s) {
		cluster, _ := ansi.FirstGraphemeCluster(s[n:], ansi.GraphemeWidth)
		if len(cluster) == 0 || n+len(cluster) > MaxSize-len(cut) {
			break
		}
		n += len(cluster)
	}
	return s[:n] + cut
}

// A pass goes over a text once.
type pass struct {
	in    string
	one   bool
	out   strings.Builder
	flags Flags

	prev  rune // the last one written; 0 at the beginning of a line
	base  rune // the last one written that is no mark
	marks int  // on it
	col   int  // how many cells the line has up to seen
	seen  int  // up to where in out col counts
}

func (p *pass) run() string {
	for i := 0; i < len(p.in); {
		r, size := utf8.DecodeRuneInString(p.in[i:])
		rest := p.in[i+size:]
		if r == utf8.RuneError && size == 1 {
			p.flags |= UTF8
			p.put(utf8.RuneError)
			i++
			continue
		}
		if flag := tagFlag(p.in[i:]); flag != "" {
			p.out.WriteString(flag)
			p.prev, p.base, p.marks = 0xe007f, 0x1f3f4, 0
			i += len(flag)
			continue
		}
		p.take(r, rest)
		i += size
	}
	return p.out.String()
}

func tagFlag(s string) string {
	for _, f := range tagFlags {
		if strings.HasPrefix(s, f) {
			return f
		}
	}
	return ""
}

// take takes one character; rest is what follows it.
func (p *pass) take(r rune, rest string) {
	switch {
	case r == '\n' && !p.one:
		p.newline()
	case r == '\t':
		p.tab()
	case r == '\r' && strings.HasPrefix(rest, "\n"):
		// The line feed says it.
	case r < ' ':
		p.flags |= Control
		p.put(0x2400 + r)
	case r == 0x7f:
		p.flags |= Control
		p.put(0x2421)
	case r >= 0x80 && r < 0xa0:
		p.flags |= Control
		p.escape(r)
	case unicode.Is(bidi, r):
		p.flags |= Bidi
		p.escape(r)
	case r == 0x2028 || r == 0x2029:
		if p.one {
			p.put(0x240a)
		} else {
			p.newline()
		}
	case (r == 0x200c || r == 0x200d) && p.joins(r, rest):
		p.out.WriteRune(r)
		p.prev = r
	case (r == 0xfe0e || r == 0xfe0f) && takesSelector(p.base):
		// The terminal decides how it draws the character.
	case IsInvisible(r):
		p.flags |= Invisible
	case unicode.Is(unicode.M, r):
		p.mark(r)
	case r == 0x3000:
		p.put(' ')
		p.put(' ')
	case unicode.Is(unicode.Zs, r), r == 0x2800: // the Braille pattern without a dot
		p.put(' ')
	case !isAssigned(r):
		p.put(utf8.RuneError)
	default:
		p.put(r)
	}
}

func (p *pass) put(r rune) {
	p.out.WriteRune(r)
	p.prev, p.base, p.marks = r, r, 0
}

func (p *pass) newline() {
	p.out.WriteByte('\n')
	p.prev, p.base, p.marks = 0, 0, 0
	p.col, p.seen = 0, p.out.Len()
}

// tab goes to the next column that is a multiple of four.
func (p *pass) tab() {
	p.col += Width(p.out.String()[p.seen:])
	n := tabStop - p.col%tabStop
	for range n {
		p.put(' ')
	}
	p.col, p.seen = p.col+n, p.out.Len()
}

// escape writes the number of r.
func (p *pass) escape(r rune) {
	fmt.Fprintf(&p.out, `\u{%x}`, r)
	p.prev, p.base, p.marks = '}', '}', 0
}

// mark puts a mark on the letter before it. Where there is none, a circle
// carries it: it must not land on what we wrote before the text.
func (p *pass) mark(r rune) {
	if p.base == 0 || p.base == ' ' {
		p.put(circle)
	}
	if p.marks == maxMarks {
		p.flags |= Stacked
		return
	}
	p.marks++
	p.out.WriteRune(r)
	p.prev = r
}

// joins reports whether a joiner is part of an emoji, or spelling.
func (p *pass) joins(r rune, rest string) bool {
	next, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == 0x200d && isPictograph(next) && (isPictograph(p.base) || isSkinTone(p.base)):
		return p.prev != r
	case !unicode.In(p.prev, unicode.L, unicode.M):
		return false
	}
	return needsJoiner(p.base) && needsJoiner(next) && unicode.Is(unicode.L, next)
}
