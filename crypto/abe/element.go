package abe

import (
	"errors"

	"github.com/cloudflare/circl/ecc/bls12381"
)

// checkElements checks what tkn20 does not check of public parameters, which
// have the right shape and whose points tkn20 has read (PROTOCOL.md §3.3): none
// of the 16 elements is the identity of its group, and those of GT, which tkn20
// takes for any elements of the field, are of the group's order. With another
// element of GT, zero or the identity say, everything encapsulated under the
// domain could have a key that everybody knows. It takes about 2 ms.
func checkElements(params []byte) error {
	at := 0
	for _, m := range []struct{ entries, size int }{{4 * 2, bls12381.G2Size}, {3 * 2, bls12381.G1Size},
		{2, bls12381.GtSize}} {
		at += 2 + 2 + 2 // the matrix' length and dimensions
		for range m.entries {
			if !goodElement(params[at : at+m.size]) {
				return errors.New("public parameters with a bad element")
			}
			at += m.size
		}
	}
	return nil
}

// infinity is the flag of the identity in the first byte of a point's encoding.
const infinity = 1 << 6

// goodElement tells the groups by the sizes of their elements.
func goodElement(b []byte) bool {
	if len(b) != bls12381.GtSize {
		return b[0]&infinity == 0
	}
	var x, y bls12381.Gt
	if x.UnmarshalBinary(b) != nil || x.IsIdentity() {
		return false
	}
	// x^(order-1) * x. Both are those of the whole field, so that the result is
	// right for whatever x is; for zero it is zero.
	var last bls12381.Scalar
	last.SetOne()
	last.Neg()
	y.Exp(&x, &last)
	y.Mul(&y, &x)
	return y.IsIdentity()
}
