package kms

import (
	"slices"
	"strings"
	"unicode"

	"coterie/crypto/abe"
	"coterie/kms/words"
)

// Spelling is an attribute that may be misspelt.
type Spelling struct {
	Attribute string
	Like      string // what others have
	Keys      int    // how many
}

// ManyKeys is how many keys with an attribute make another that differs in one
// letter suspicious. One that differs in case alone always is.
const ManyKeys = 3

// CountAttributes returns how many keys on record have each attribute. Void ones
// count, too: what was once meant is what matters.
func CountAttributes(issues []Issue) map[string]int {
	count := make(map[string]int)
	for _, issue := range issues {
		for _, a := range issue.Attributes {
			count[a]++
		}
	}
	return count
}

// CheckSpelling returns those attributes that no key has, while one that differs
// in case alone or in one letter others have. count is what CountAttributes
// gives.
func CheckSpelling(attributes []abe.Attribute, count map[string]int) []Spelling {
	var found []Spelling
	for _, a := range attributes {
		own := a.String()
		if count[own] > 0 || slices.ContainsFunc(found, func(s Spelling) bool { return s.Attribute == own }) {
			continue
		}
		best := Spelling{Attribute: own}
		for like, n := range count {
			suspicious := strings.EqualFold(like, own) || n >= ManyKeys && oneLetterApart(like, own)
			if suspicious && (n > best.Keys || n == best.Keys && like < best.Like) {
				best.Like, best.Keys = like, n
			}
		}
		if best.Keys > 0 {
			found = append(found, best)
		}
	}
	return found
}

// oneLetterApart says whether a and b differ by one letter that is missing,
// additional or another, or by two that are swapped. Digits are meant to differ:
// "4th year" is no misspelling of "5th year". Of short names every other is one
// letter apart.
func oneLetterApart(a, b string) bool {
	const short = 4
	s, t := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	if min(len(s), len(t)) < short || words.Distance(string(s), string(t)) > 1 {
		return false
	}
	for len(s) > 0 && len(t) > 0 && s[0] == t[0] {
		s, t = s[1:], t[1:]
	}
	for len(s) > 0 && len(t) > 0 && s[len(s)-1] == t[len(t)-1] {
		s, t = s[:len(s)-1], t[:len(t)-1]
	}
	return !slices.ContainsFunc(append(s, t...), func(r rune) bool { return !unicode.IsLetter(r) })
}
