package kms

import (
	_ "embed"
	"encoding/binary"
	"io"
	"strings"
)

// The words of passphrases: 2,048 English words of three to eight lower-case
// letters, told apart by their first four. It is the English list of BIP 39.
//
//go:embed words.txt
var wordList string

// PassphraseWords is how many words a made passphrase has. Ten words of 11 bits
// are 110 bits: nobody guesses that, even without scrypt's help.
const PassphraseWords = 10

// MakePassphrase returns n random words joined by hyphens.
func MakePassphrase(rand io.Reader, n int) (string, error) {
	list := strings.Fields(wordList)
	words := make([]string, n)
	for i := range words {
		var b [2]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return "", err
		}
		// 2,048 divides 65,536, so every word is as likely as another.
		words[i] = list[int(binary.BigEndian.Uint16(b[:]))%len(list)]
	}
	return strings.Join(words, "-"), nil
}
