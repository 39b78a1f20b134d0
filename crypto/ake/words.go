package ake

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"golang.org/x/crypto/chacha20poly1305"

	"coterie/crypto/abe"
)

// A WordsContext is what words for some are bound to: PROTOCOL.md §9.6. The epoch
// binds the day, too.
type WordsContext struct {
	Room    Hash
	Epoch   Hash
	Author  Hash // cid
	Counter uint64
	Policy  string // canonical text
}

// A Sealing is what an encapsulation is bound to whose seed yields a WordsKey.
type Sealing interface{ hash() []byte }

func (c *WordsContext) hash() []byte {
	h := Sum("coterie/2 to", c.Room[:], c.Epoch[:], c.Author[:], binary.BigEndian.AppendUint64(nil, c.Counter),
		[]byte(c.Policy))
	return h[:]
}

// A WordsKey opens the words of one message.
type WordsKey struct{ Secret }

// WordsPlain is the size of what the encapsulation of words for some holds.
const WordsPlain = openedSize

// MakeWords encapsulates a fresh seed for whoever satisfies a policy on the epoch's
// day. It costs one ABE encryption. The caller erases the seed.
func MakeWords(seed Secret, dp *abe.DayPolicy, c Sealing) (enc []byte, key WordsKey, err error) {
	if enc, err = encryptWords(dp, c, seed); err != nil {
		return nil, WordsKey{}, err
	}
	return enc, wordsKey(c, seed), nil
}

// OpenWords opens the encapsulation of words for some, makes it again and compares
// every byte, as Open does and for the same reasons. The error is ErrNotOpened.
func OpenWords(k *abe.Key, dp *abe.DayPolicy, c Sealing, enc []byte) (WordsKey, error) {
	seed, err := openSeed(k, dp, enc, func(seed Secret) ([]byte, error) { return encryptWords(dp, c, seed) })
	defer seed.Erase()
	if err != nil {
		return WordsKey{}, err
	}
	return wordsKey(c, seed), nil
}

func encryptWords(dp *abe.DayPolicy, c Sealing, seed Secret) ([]byte, error) {
	bind := Sum("coterie/2 to bind", c.hash())
	return encryptSeed(dp, seed, bind, Expand(seed, "coterie/2 to coins", c.hash()))
}

func wordsKey(c Sealing, seed Secret) WordsKey {
	return WordsKey{Expand(seed, "coterie/2 to key", c.hash())}
}

// The sizes of words before they are sealed, with their length and padding.
const (
	minWords = 256
	maxWords = 8192
	// MaxWords is the greatest size in bytes of words that can be sealed.
	MaxWords = maxWords - 2
)

// SealedWords reports whether words for some have this size once they are sealed.
func SealedWords(n int) bool {
	n -= chacha20poly1305.Overhead
	return n >= minWords && n <= maxWords && n&(n-1) == 0
}

// WordsThatFit is how many bytes of words can be sealed into so much; negative if none.
func WordsThatFit(n int) int {
	size := minWords
	if n < size+chacha20poly1305.Overhead {
		return -1
	}
	for size < maxWords && 2*size+chacha20poly1305.Overhead <= n {
		size *= 2
	}
	return size - 2
}

// ErrWords is returned for words that cannot be sealed.
var ErrWords = errors.New("not words that can be sealed")

// Seal pads and encrypts words. The key is used for no others.
func (k *WordsKey) Seal(words string) ([]byte, error) {
	size := minWords
	for size < 2+len(words) {
		size *= 2
	}
	if size > maxWords || !utf8.ValidString(words) {
		return nil, ErrWords
	}
	plain := make([]byte, size)
	binary.BigEndian.PutUint16(plain, uint16(len(words)))
	copy(plain[2:], words)
	aead, err := chacha20poly1305.New(k.b[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), plain, nil), nil
}

// Open decrypts words, and takes them in the one form that Seal gives them. The error
// is ErrNotOpened.
func (k *WordsKey) Open(sealed []byte) (string, error) {
	aead, err := chacha20poly1305.New(k.b[:])
	if err != nil || !SealedWords(len(sealed)) {
		return "", ErrNotOpened
	}
	plain, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), sealed, nil)
	if err != nil {
		return "", ErrNotOpened
	}
	n := 2 + int(binary.BigEndian.Uint16(plain))
	if n > len(plain) || len(plain) > minWords && n <= len(plain)/2 || !utf8.Valid(plain[2:n]) {
		return "", ErrNotOpened
	}
	for _, z := range plain[n:] {
		if z != 0 {
			return "", ErrNotOpened
		}
	}
	return string(plain[2:n]), nil
}
