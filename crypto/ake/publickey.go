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
// small order (RFC 7748, 6.1: their shared secret is zero for every scalar).
func PublicX25519(b []byte) (*ecdh.PublicKey, error) {
	pub, err := ecdh.X25519().NewPublicKey(b)
	if err != nil {
		return nil, ErrPublicKey
	}
	if _, err := probe.ECDH(pub); err != nil {
		return nil, ErrPublicKey
	}
	return pub, nil
}

// probe is any scalar: clamping makes each a multiple of the cofactor, so it
// takes exactly the points of small order to zero, which ECDH reports.
var probe = func() *ecdh.PrivateKey {
	k, err := ecdh.X25519().NewPrivateKey(append(make([]byte, 31), 1))
	if err != nil {
		panic(err)
	}
	return k
}()

// PublicEd25519 takes an Ed25519 public key from bytes, which must be the one
// encoding of a point that is not of small order.
func PublicEd25519(b []byte) (ed25519.PublicKey, error) {
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil || string(p.Bytes()) != string(b) {
		return nil, ErrPublicKey
	}
	if new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return nil, ErrPublicKey
	}
	return ed25519.PublicKey(append([]byte(nil), b...)), nil
}

// SigningInput is what a signature of the given type covers: PROTOCOL.md §1. It
// begins with "coterie/1/", as nothing else that libp2p signs does.
func SigningInput(typ string, room Hash, body []byte) []byte {
	b := make([]byte, 0, len("coterie/1/")+len(typ)+1+len(room)+len(body))
	b = append(b, "coterie/1/"...)
	b = append(b, typ...)
	b = append(b, 0)
	b = append(b, room[:]...)
	return append(b, body...)
}
