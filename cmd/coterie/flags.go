package main

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// flagsOf says what is odd in a text from the network: names for programs. The
// text itself is passed on as it came.
func flagsOf(text string) []string {
	seen := make(map[string]bool)
	marks := 0
	for _, r := range text {
		if unicode.Is(unicode.M, r) {
			if marks++; marks > 4 {
				seen["stacked"] = true
			}
			continue
		}
		marks = 0
		switch {
		case r == '\n' || r == '\t':
		case unicode.IsControl(r):
			seen["control"] = true
		case r == 0x61c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			seen["bidi"] = true
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			seen["invisible"] = true
		}
	}
	if !utf8.ValidString(text) {
		seen["utf8"] = true
	}
	out := []string{}
	for f := range seen {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// namesMe reports whether a text has one's own name in it, as a word.
func (s *session) namesMe(text string) bool {
	nick := strings.ToLower(s.names.nick(s.node.Self()))
	if nick == "" {
		return false
	}
	text = strings.ToLower(text)
	for at := 0; ; {
		i := strings.Index(text[at:], nick)
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at+i])
		after, _ := utf8.DecodeRuneInString(text[at+i+len(nick):])
		if !wordRune(before) && !wordRune(after) {
			return true
		}
		at += i + len(nick)
	}
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r))
}
