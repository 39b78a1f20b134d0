package words

import (
	"slices"
	"strings"
)

// Near returns those of candidates that word was probably meant to be: of file
// names, flags, commands that do not exist. The nearest come first, at most max of
// them. A candidate is near if it differs in case alone, begins with word, or is at
// most two edits away (one for words of up to four characters, where two would
// match nearly anything).
func Near(word string, candidates []string, max int) []string {
	type scored struct {
		word  string
		edits int
	}
	limit := 2
	if len([]rune(word)) <= 4 {
		limit = 1
	}
	var found []scored
	for _, c := range candidates {
		edits := Distance(strings.ToLower(word), strings.ToLower(c))
		prefix := len(word) >= 3 && strings.HasPrefix(strings.ToLower(c), strings.ToLower(word))
		if edits <= limit || prefix {
			found = append(found, scored{c, edits})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int {
		if a.edits != b.edits {
			return a.edits - b.edits
		}
		return strings.Compare(a.word, b.word)
	})
	var words []string
	for _, f := range found[:min(len(found), max)] {
		words = append(words, f.word)
	}
	return words
}

// Distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that lead from a to b (optimal string alignment).
func Distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	// Whatever is this far apart is not near, and need not be measured: the
	// candidates are names out of somebody's folder.
	if d := len(s) - len(t); d > 3 || d < -3 || len(s) > 256 {
		return 1 << 10
	}
	two := make([]int, len(t)+1)
	one := make([]int, len(t)+1)
	now := make([]int, len(t)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(s); i++ {
		now[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			now[j] = min(one[j]+1, now[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				now[j] = min(now[j], two[j-2]+1)
			}
		}
		two, one, now = one, now, two
	}
	return one[len(t)]
}
