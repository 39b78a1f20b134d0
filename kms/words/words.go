// Package words writes bits as English words, for what people say, hear, type
// and put on paper: passphrases and the codes of requests. It has 2,048 words of
// three to eight lower-case letters, told apart by their first four: the English
// list of BIP 39 (MIT licence). A word is 11 bits.
package words

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

//go:embed words.txt
var text string

// list is sorted, as BIP 39 has it.
var list = sync.OnceValue(func() []string { return strings.Fields(text) })

// Bits is what a word stands for.
const Bits = 11

// Passphrase is how many words a made passphrase has: 110 bits. Nobody guesses
// that, even without scrypt's help.
const Passphrase = 10

// Random returns n random words joined by hyphens.
func Random(rand io.Reader, n int) (string, error) {
	chosen := make([]string, n)
	for i := range chosen {
		var b [2]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return "", err
		}
		// 2,048 divides 65,536, so every word is as likely as another.
		chosen[i] = list()[int(binary.BigEndian.Uint16(b[:]))%len(list())]
	}
	return strings.Join(chosen, "-"), nil
}

// Of returns the first n*11 bits of b, highest bit first, as n words joined by
// hyphens. b must have so many.
func Of(b []byte, n int) string {
	chosen := make([]string, n)
	for i := range chosen {
		index := 0
		for bit := i * Bits; bit < (i+1)*Bits; bit++ {
			index = index<<1 | int(b[bit/8]>>(7-bit%8)&1)
		}
		chosen[i] = list()[index]
	}
	return strings.Join(chosen, "-")
}

// UnknownError says that a word is not in the list.
type UnknownError struct {
	Word string // as typed; may hold anything
	Like []string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("%q is not one of the words", e.Word) }

// Normal returns words that somebody typed as Of and Random write them: in any
// case, with spaces or hyphens between, each cut to its first four letters if they
// like. It returns an *UnknownError for the first that is no word.
func Normal(s string) (string, error) {
	typed := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == '-' || r == ' ' || r == '\t' })
	for i, w := range typed {
		if full := Complete(w); len(w) >= 4 && len(full) == 1 {
			typed[i] = full[0]
		} else if _, ok := slices.BinarySearch(list(), w); !ok {
			return "", &UnknownError{w, Near(w, list(), 3)}
		}
	}
	return strings.Join(typed, "-"), nil
}

// Complete returns the words that begin with prefix.
func Complete(prefix string) []string {
	from, _ := slices.BinarySearch(list(), prefix)
	to := from
	for to < len(list()) && strings.HasPrefix(list()[to], prefix) {
		to++
	}
	return list()[from:to]
}
