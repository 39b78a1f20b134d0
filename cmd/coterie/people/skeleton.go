package people

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"coterie/cmd/internal/text"

	"golang.org/x/text/unicode/norm"
)

// The table of UTS #39: each line is a character and what it looks like, in hex.
// confusables_gen.go makes it from Unicode's own confusables.txt; the licence is
// in its head.
//
//go:generate go run confusables_gen.go -from full.txt -to confusables.txt
//go:embed confusables.txt
var confusables string

var prototypes = sync.OnceValue(func() map[rune]string {
	table := make(map[rune]string, 7000)
	for line := range strings.Lines(confusables) {
		source, target, ok := strings.Cut(strings.TrimSpace(line), ";")
		if !ok || strings.HasPrefix(source, "#") {
			continue
		}
		from, err := strconv.ParseUint(source, 16, 32)
		if err != nil {
			panic("text: confusables.txt: " + err.Error()) // a file of our own
		}
		var to strings.Builder
		for _, word := range strings.Fields(target) {
			r, err := strconv.ParseUint(word, 16, 32)
			if err != nil {
				panic("text: confusables.txt: " + err.Error())
			}
			to.WriteRune(rune(r))
		}
		table[rune(from)] = to.String()
	}
	return table
})

// skeleton is the same for names that look the same: UTS #39, section 4.
func skeleton(s string) string {
	table := prototypes()
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if text.IsInvisible(r) {
			continue
		}
		if to, ok := table[r]; ok {
			b.WriteString(to)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFD.String(b.String())
}

// keys are what a name shares with those that could be taken for it: the name
// without case, and how it looks, as it is and without case.
func keys(name string) []string {
	out := []string{"=" + fold(name), "~" + skeleton(name), "~" + skeleton(fold(name))}
	slices.Sort(out)
	return slices.Compact(out)
}
