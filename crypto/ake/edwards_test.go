package ake

import (
	"crypto/sha512"
	"math/big"
	"slices"

	"filippo.io/edwards25519"
)

// A lenient is a verifier of Ed25519 made from points alone, as a second opinion
// on crypto/ed25519. Its zero value follows PROTOCOL.md §1; each field is a
// check that it leaves out.
type lenient struct {
	keyEncoding bool // takes a key in a second encoding
	smallOrder  bool // takes a key of small order
	order       bool // takes s of the order and above
	encoding    bool // takes R in a second encoding: compares points, not bytes
	cofactor    bool // compares after multiplying by 8
	wide        bool // multiplies the key by all 512 bits of k, not by k modulo the order
}

// without is the verifier that lacks the checks of these names.
func without(defects ...string) (v lenient) {
	for _, d := range defects {
		switch d {
		case defectKeyEncoding:
			v.keyEncoding = true
		case defectSmallOrder:
			v.smallOrder = true
		case defectOrder:
			v.order = true
		case defectEncoding:
			v.encoding = true
		case defectCofactor:
			v.cofactor = true
		case defectWide:
			v.wide = true
		}
	}
	return v
}

// key decodes a public key, nil if it is refused.
func (v lenient) key(b []byte) *edwards25519.Point {
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil {
		return nil
	}
	if !v.keyEncoding && string(p.Bytes()) != string(b) || !v.smallOrder && isZero(eight(p)) {
		return nil
	}
	return p
}

func (v lenient) verify(public, signed, sig []byte) bool {
	a := v.key(public)
	if a == nil || len(sig) != 64 {
		return false
	}
	s := number(sig[32:])
	if !v.order && s.Cmp(groupOrder) >= 0 {
		return false
	}
	k := challenge(sig[:32], public, signed)
	if !v.wide {
		k.Mod(k, groupOrder)
	}
	r := times(s, edwards25519.NewGeneratorPoint())
	r.Subtract(r, times(k, a))
	if !v.encoding && !v.cofactor {
		return string(r.Bytes()) == string(sig[:32])
	}
	given, err := new(edwards25519.Point).SetBytes(sig[:32])
	if err != nil || !v.encoding && string(given.Bytes()) != string(sig[:32]) {
		return false
	}
	if v.cofactor {
		given, r = eight(given), eight(r)
	}
	return given.Equal(r) == 1
}

// groupOrder is the order of the base point, 2^252 + 277...
var groupOrder, _ = new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)

// challenge is k of RFC 8032, 5.1.7, before it is reduced: 512 bits.
func challenge(r, public, signed []byte) *big.Int {
	h := sha512.New()
	h.Write(r)
	h.Write(public)
	h.Write(signed)
	return number(h.Sum(nil))
}

// number reads little-endian bytes.
func number(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// bytes32 writes 32 little-endian bytes.
func bytes32(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// times is n*p for any n, by doubling and adding: reducing n modulo the order of
// the base point would be another multiple of a point with torsion.
func times(n *big.Int, p *edwards25519.Point) *edwards25519.Point {
	out := edwards25519.NewIdentityPoint()
	for i := n.BitLen() - 1; i >= 0; i-- {
		out.Add(out, out)
		if n.Bit(i) == 1 {
			out.Add(out, p)
		}
	}
	return out
}

func eight(p *edwards25519.Point) *edwards25519.Point {
	return new(edwards25519.Point).MultByCofactor(p)
}

func isZero(p *edwards25519.Point) bool { return p.Equal(edwards25519.NewIdentityPoint()) == 1 }
