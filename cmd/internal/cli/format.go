package cli

import (
	"slices"
	"strings"
	"unicode"

	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
)

// Count writes n with commas: 9,412.
func Count[T ~int | ~int64 | ~uint64](n T) string { return text.Count(n) }

// Size writes a number of bytes for people: 9.4 kB.
func Size(n int) string { return text.Size(n) }

// Plural writes a count of things: 1 day, 90 days.
func Plural[T ~int | ~int64 | ~uint64](n T, thing string) string { return text.Plural(n, thing) }

// Quote puts a word into shell quotes where it needs them, for hints that are
// typed as they stand.
func Quote(word string) string {
	safe := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./:@%+,=~", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Attributes writes a list of attributes for people: those without quotes first,
// since they are what most rooms ask for and are read fastest.
func Attributes(texts []string) string {
	sorted := slices.Clone(texts)
	slices.SortStableFunc(sorted, func(a, b string) int {
		return strings.Count(a[:min(1, len(a))], `"`) - strings.Count(b[:min(1, len(b))], `"`)
	})
	return Clean(strings.Join(sorted, ", "))
}

// KeyAttributes writes the attributes of a key for people.
func KeyAttributes(k *abe.Key) string {
	var texts []string
	for _, a := range k.Attributes() {
		texts = append(texts, a.String())
	}
	return Attributes(texts)
}

// Validity writes the span of a key for people: 2026-11-23 to 2027-02-21, 90
// more days.
func Validity(k *abe.Key, today abe.Day) string {
	span := k.From().String() + " to " + k.Expires().String() + ", "
	switch {
	case today < k.From():
		return span + "in " + Plural(int(k.From()-today), "day")
	case today >= k.Expires():
		return span + "lapsed " + Plural(int(today-k.Expires()), "day") + " ago"
	}
	return span + Plural(int(k.Expires()-today), "more day")
}
