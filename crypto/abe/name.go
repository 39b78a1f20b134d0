package abe

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// keywords of the policy language. In any case, none can be a bare name.
var keywords = [...]string{"and", "or", "not", "of"}

func isKeyword(word, keyword string) bool { return strings.EqualFold(word, keyword) }

func isAnyKeyword(word string) bool {
	for _, k := range keywords {
		if isKeyword(word, k) {
			return true
		}
	}
	return false
}

// printable reports whether r may stand in a name: letters, marks, numbers,
// punctuation, symbols and the space. What cannot be seen is refused, since two
// names that look the same would be two attributes: controls, bidirectional
// controls, variation selectors, fillers, the braille blank, other spaces.
func printable(r rune) bool {
	const brailleBlank = '\u2800'
	switch {
	case r == ' ':
		return true
	case r == utf8.RuneError, r == brailleBlank:
		return false
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return false
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

// bareRune reports whether r may stand in a name without quotes.
func bareRune(r rune) bool {
	switch r {
	case '_', '-', '.', '@':
		return true
	}
	return printable(r) && unicode.In(r, unicode.L, unicode.M, unicode.Nd)
}

func allDigits(s string) bool {
	for _, r := range s {
		if !unicode.Is(unicode.Nd, r) {
			return false
		}
	}
	return s != ""
}

// isBare reports whether a checked name can be written without quotes.
func isBare(s string) bool {
	for _, r := range s {
		if !bareRune(r) {
			return false
		}
	}
	return s != "" && !allDigits(s) && !isAnyKeyword(s)
}

// checkName normalises a name or value and checks it, PROTOCOL.md §2.2. A name
// does not begin with a mark: it would attach itself to the quote or operator
// before it, and "=" with U+0338 even is another character.
func checkName(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("not valid UTF-8")
	}
	s = norm.NFC.String(s)
	if s == "" {
		return "", fmt.Errorf("a name cannot be empty")
	}
	if len(s) > maxName {
		return "", fmt.Errorf("a name of %s bytes is too long; the limit is %d", commas(uint64(len(s))), maxName)
	}
	for i, r := range s {
		if !printable(r) {
			return "", fmt.Errorf("the character %U cannot be used in a name", r)
		}
		if i == 0 && unicode.Is(unicode.M, r) {
			return "", fmt.Errorf("a name cannot begin with the mark %U", r)
		}
	}
	return s, nil
}

// integer is the number that a value also stands for: canonical decimal, 32
// bits.
func integer(value string) (uint32, bool) {
	if value == "" || len(value) > 10 || value[0] == '0' && len(value) > 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || value[0] == '+' {
		return 0, false
	}
	return uint32(n), true
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quote(s string) string { return `"` + quoter.Replace(s) + `"` }

// quoteUnlessBare writes a name as people do.
func quoteUnlessBare(s string) string {
	if isBare(s) {
		return s
	}
	return quote(s)
}

// quoteUnlessInteger writes a value: numbers bare, all else in quotes.
func quoteUnlessInteger(s string) string {
	if _, ok := integer(s); ok {
		return s
	}
	return quote(s)
}

// clip shortens and defuses foreign text for a message.
func clip(s string) string {
	const most = 40
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteString("...")
			break
		}
		if !printable(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// commas writes 2,704,156.
func commas(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if n >= saturated {
		return "more than " + s
	}
	return s
}
