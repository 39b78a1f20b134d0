package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape writes everything that is not a visible character by its number, as
// \u{202e}, and each byte that is not UTF-8 as \x{ff}: the text as it was, for
// those who want to see what was in it. It keeps no line feeds.
func Escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x{%02x}`, s[i])
		case !unicode.IsPrint(r), IsInvisible(r), unicode.Is(unicode.M, r), r == 0x2800:
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// pictures are the few characters that have the same meaning in ASCII.
var pictures = map[rune]string{
	'…': "...", '–': "-", '—': "-", '‘': "'", '’': "'", '“': `"`, '”': `"`,
}

// ASCII is clean text for a terminal that shows nothing else: pictures of
// controls become ^M, and what cannot be shown its number.
func ASCII(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] < utf8.RuneSelf
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch p, ok := pictures[r]; {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case ok:
			b.WriteString(p)
		case r >= 0x2400 && r < 0x2420:
			b.WriteByte('^')
			b.WriteByte(byte(r-0x2400) + '@')
		case r == 0x2421:
			b.WriteString("^?")
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}
