package ake

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"errors"

	"filippo.io/edwards25519"
)

// ErrPublicKey is returned for bytes that are no public key, or one of small
// order: under such a key one signature fits every message, and one secret
// every peer.
var ErrPublicKey = errors.New("not a usable public key")

// PublicX25519 takes an X25519 public key from bytes and refuses points of
// small order: their shared secret is zero for every scalar (RFC 7748, 6.1). It
// compares with the list instead of multiplying, since each record that carries
// a key is checked when it is parsed, long before it is worth a multiplication.
func PublicX25519(b []byte) (*ecdh.PublicKey, error) {
	pub, err := ecdh.X25519().NewPublicKey(b)
	if err != nil {
		return nil, ErrPublicKey
	}
	u := [32]byte(b)
	u[31] &= 0x7f // X25519 ignores the highest bit
	for i := range smallOrder {
		if u == smallOrder[i] {
			return nil, ErrPublicKey
		}
	}
	return pub, nil
}

// smallOrder are the u-coordinates of the points of small order on Curve25519
// and its twist: 0, 1, -1 and two of order 8, and p and p+1, which are 0 and 1
// written otherwise. A test multiplies each of them to zero.
var smallOrder = [...][32]byte{
	{},
	{1},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d,
		0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c,
		0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	primePlus(-1),
	primePlus(0),
	primePlus(1),
}

// primePlus is 2^255 - 19 + d in little-endian bytes.
func primePlus(d int) (u [32]byte) {
	for i := range u {
		u[i] = 0xff
	}
	u[0], u[31] = byte(0xed+d), 0x7f
	return u
}

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
