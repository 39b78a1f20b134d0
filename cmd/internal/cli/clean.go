package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks may stand on one base: more than any
// language needs, fewer than it takes to cover the lines above.
const maxMarks = 4

// Clean makes text from elsewhere (a file name, a policy, an attribute, whatever
// a peer sent) fit to be printed on one line: what is not a visible character
// comes out as \u{1b}, with its number, and bytes that are not UTF-8 as U+FFFD.
// Letters of every script stay as they are, and so does clean text: Clean is
// idempotent.
func Clean(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	marks := 0
	for _, r := range s {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		if visible(r) && marks <= maxMarks {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// isPlain is the common case: printable ASCII.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// visible says whether r is drawn as itself. unicode.IsPrint refuses controls,
// format characters (bidi, zero width, tags), private use, unassigned ones and
// every space but U+0020; the rest of the list is letters and marks that Unicode
// draws as nothing.
func visible(r rune) bool {
	switch {
	case r == utf8.RuneError:
		return true
	case !unicode.IsPrint(r):
		return false
	case unicode.Is(unicode.Variation_Selector, r),
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
		r == 0x2800: // the Braille pattern without a dot
		return false
	}
	return true
}
