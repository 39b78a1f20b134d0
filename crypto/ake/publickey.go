package ake

import (
	"crypto/ed25519"
	"errors"

	"filippo.io/edwards25519"
)

// ErrPublicKey is returned for bytes that are no public key, or one of small
// order: under such a key one signature fits every message.
var ErrPublicKey = errors.New("not a usable public key")

// PublicEd25519 takes an Ed25519 public key from bytes, which must be the one
// encoding of a point that is not of small order.
func PublicEd25519(b []byte) (ed25519.PublicKey, error) {
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil || !reduced(b) {
		return nil, ErrPublicKey
	}
	if new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return nil, ErrPublicKey
	}
	return ed25519.PublicKey(append([]byte(nil), b...)), nil
}

// reduced reports whether y, in the lowest 255 bits, is below 2^255 - 19. The other
// points that have two encodings, those with x = 0, are of small order.
func reduced(y []byte) bool {
	for _, c := range y[1:31] {
		if c != 0xff {
			return true
		}
	}
	return y[31]&0x7f != 0x7f || y[0] < 0xed
}

// SigningInput is what a signature of the given type covers: PROTOCOL.md §1. It
// begins with "coterie/2/", as nothing else that libp2p signs does.
func SigningInput(typ string, room Hash, body []byte) []byte {
	b := make([]byte, 0, len("coterie/2/")+len(typ)+1+len(room)+len(body))
	b = append(b, "coterie/2/"...)
	b = append(b, typ...)
	b = append(b, 0)
	b = append(b, room[:]...)
	return append(b, body...)
}
