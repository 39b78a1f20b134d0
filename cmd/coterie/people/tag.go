package people

import (
	"crypto/sha256"

	"coterie/kms/words"
)

// crockford is Crockford's base32 alphabet in lower case: no i, l, o, u.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// tagLetters is how many letters of a tag there are at least. Those are 20 bits:
// they tell people apart and prove nothing, since anybody can make a peer id
// with a given tag.
const tagLetters = 4

// letters are the hash of an id in base32, 51 letters: what tags are made of.
func letters(id string) string {
	sum := sha256.Sum256([]byte(id))
	var out []byte
	acc, bits := uint(0), 0
	for _, b := range sum {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			out = append(out, crockford[acc>>bits&31])
		}
	}
	return string(out)
}

// FingerprintWords is how many words a fingerprint has: 66 bits.
const FingerprintWords = 6

// Fingerprint is a peer id's hash as six words, for people who compare it by
// voice.
func Fingerprint(id string) string {
	sum := sha256.Sum256([]byte("coterie/2 fingerprint" + id))
	return words.Of(sum[:], FingerprintWords)
}
