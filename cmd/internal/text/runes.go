package text

import (
	"unicode"
)

// bidi are the controls that reorder what is around them.
var bidi = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x061c, Hi: 0x061c, Stride: 1}, {Lo: 0x200e, Hi: 0x200f, Stride: 1},
	{Lo: 0x202a, Hi: 0x202e, Stride: 1}, {Lo: 0x2066, Hi: 0x2069, Stride: 1},
}}

// pictographs are the characters that joiners and variation selectors make
// emoji of: Extended_Pictographic of emoji-data.txt, in ranges that also hold a
// few others, for which a joiner is as harmless.
var pictographs = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00a9, Hi: 0x00ae, Stride: 5}, {Lo: 0x203c, Hi: 0x2049, Stride: 13}, {Lo: 0x2122, Hi: 0x2122, Stride: 1},
		{Lo: 0x2139, Hi: 0x2139, Stride: 1}, {Lo: 0x2194, Hi: 0x21aa, Stride: 1}, {Lo: 0x231a, Hi: 0x23ff, Stride: 1},
		{Lo: 0x24c2, Hi: 0x24c2, Stride: 1}, {Lo: 0x25aa, Hi: 0x25fe, Stride: 1}, {Lo: 0x2600, Hi: 0x27bf, Stride: 1},
		{Lo: 0x2934, Hi: 0x2935, Stride: 1}, {Lo: 0x2b05, Hi: 0x2b55, Stride: 1}, {Lo: 0x3030, Hi: 0x303d, Stride: 13},
		{Lo: 0x3297, Hi: 0x3299, Stride: 2},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f000, Hi: 0x1f1e5, Stride: 1}, {Lo: 0x1f200, Hi: 0x1f3fa, Stride: 1}, {Lo: 0x1f400, Hi: 0x1faff, Stride: 1},
	},
}

func isPictograph(r rune) bool { return unicode.Is(pictographs, r) }

// takesSelector reports whether a variation selector after r chooses between
// text and emoji, as keyboards put it: removing it changes nothing to look at
// twice.
func takesSelector(r rune) bool {
	return isPictograph(r) || r >= '0' && r <= '9' || r == '#' || r == '*'
}

func isSkinTone(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }

// joining are the scripts whose spelling needs joiners and non-joiners.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Mandaic, unicode.Hanifi_Rohingya,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
	unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese,
	unicode.Javanese,
}

// needsJoiner reports whether a joiner between two letters of r's script is
// spelling.
func needsJoiner(r rune) bool { return unicode.In(r, joining...) }

// IsInvisible reports whether Unicode draws r as nothing.
func IsInvisible(r rune) bool {
	switch {
	case r == 0x200c, r == 0x200d, r >= 0xfff9 && r <= 0xfffb:
		return true
	case unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return true
	case unicode.Is(unicode.Cf, r):
		// These few are drawn: they stand before numbers and verses.
		return !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
	}
	return false
}

// isAssigned reports whether r is a character of the version of Unicode that
// this program knows.
func isAssigned(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf)
}

// The three flags that are spelt in tag characters.
var tagFlags = []string{
	"\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", // England
	"\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", // Scotland
	"\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", // Wales
}
