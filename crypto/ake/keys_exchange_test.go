package ake

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
)

func exchangeVectors(t *testing.T) []exchangeVector {
	vs := []exchangeVector{}
	private := x25519Of("vector exchange")
	add := func(what string, public []byte, defects ...string) {
		v := exchangeVector{What: what, Public: slices.Clone(public), Private: private.Bytes(), Defects: append([]string{},
			defects...)}
		if len(defects) == 0 {
			key, err := private.Curve().NewPublicKey(public)
			if err != nil {
				t.Fatal(what, err)
			}
			if v.Shared, err = private.ECDH(key); err != nil {
				t.Fatal(what, err)
			}
		}
		vs = append(vs, v)
	}
	usual := x25519Of("vector peer").PublicKey().Bytes()
	add("usual", usual)
	high := slices.Clone(usual)
	high[31] |= 0x80
	add("usual with the highest bit, which counts for nothing", high)
	add("the base point", append([]byte{9}, make([]byte, 31)...))
	add("on the twist", append([]byte{2}, make([]byte, 31)...))
	for _, u := range []int{2, 9, 18} {
		b := primePlus(u)
		add(fmt.Sprintf("u = p+%d", u), b[:])
		b[31] |= 0x80
		add(fmt.Sprintf("u = p+%d with the highest bit", u), b[:])
	}
	// Lists elsewhere have 2p-1, 2p and 2p+1, for who does not drop the highest
	// bit. Without it they are p-20, p-19 and p-18.
	for d := -1; d <= 1; d++ {
		b := primePlus(-19 + d)
		b[31] |= 0x80
		add(fmt.Sprintf("u = 2p%+d, which is p%+d with the highest bit", d, -19+d), b[:])
	}
	add("empty", nil, defectLength)
	add("31 bytes", usual[:31], defectLength)
	add("33 bytes", append(slices.Clone(usual), 0), defectLength)
	small := smallOrderExchange(t)
	if len(small) != 14 {
		t.Errorf("%d encodings of small order", len(small))
	}
	for _, e := range small {
		// It is taken to zero, which crypto/ecdh reports.
		key, err := private.Curve().NewPublicKey(e.bytes)
		if err != nil {
			t.Fatal(e.what, err)
		}
		if _, err := private.ECDH(key); err == nil {
			t.Errorf("%s is not of small order", e.what)
		}
		add(e.what, e.bytes, defectSmallOrder)
	}
	return vs
}

// smallOrderExchange are all encodings of u of small order. On Curve25519 these
// points are those of edwards25519 mapped over. The twist's order is 4 times a
// prime; its points of small order are those with u = 0, in both curves, and
// -1.
func smallOrderExchange(t *testing.T) []smallEncoding {
	t.Helper()
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	limit := new(big.Int).Lsh(big.NewInt(1), 255)
	us := []*big.Int{new(big.Int).Sub(p, big.NewInt(1))}
	for i := range 8 {
		us = append(us, number(torsion(t, i).BytesMontgomery()))
	}
	var out []smallEncoding
	seen := make(map[string]bool)
	for _, u := range us {
		for n := new(big.Int).Set(u); n.Cmp(limit) < 0; n.Add(n, p) {
			if seen[n.String()] {
				continue
			}
			seen[n.String()] = true
			b := bytes32(n)
			out = append(out, smallEncoding{what: "u = 0x" + n.Text(16), bytes: b})
			b = slices.Clone(b)
			b[31] |= 0x80
			out = append(out, smallEncoding{what: "u = 0x" + n.Text(16) + " with the highest bit", bytes: b})
		}
	}
	return out
}
