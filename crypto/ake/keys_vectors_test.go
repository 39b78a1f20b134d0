package ake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// What is wrong with a key or a signature. Where the list is empty it is taken.
const (
	defectLength      = "length"
	defectNoPoint     = "no point"
	defectKeyEncoding = "second encoding of the key"
	defectSmallOrder  = "key of small order"
	defectOrder       = "s not below the order"
	defectEncoding    = "second encoding of R"
	defectCofactor    = "only with the cofactor"
	defectWide        = "only with k not reduced"
	defectInput       = "signed something else"
)

// lenientDefects are those that a lenient verifier can overlook.
var lenientDefects = []string{defectKeyEncoding, defectSmallOrder, defectOrder, defectEncoding, defectCofactor,
	defectWide}

type keyVector struct {
	What    string   `json:"what"`
	Public  hexBytes `json:"public"`
	Defects []string `json:"defects"` // none: the key is taken
}

// A signatureVector is taken if its key is and the signature verifies.
type signatureVector struct {
	What      string   `json:"what"`
	Seed      hexBytes `json:"seed,omitempty"` // RFC 8032's private key, of signatures made as usual
	Public    hexBytes `json:"public"`
	Type      string   `json:"type"`
	Room      hexBytes `json:"room"`
	Body      hexBytes `json:"body"`
	Signed    hexBytes `json:"signed"` // what is signed, of type, room and body
	Signature hexBytes `json:"signature"`
	Defects   []string `json:"defects"`
}

// TestVectorsKeys is about which keys and signatures are taken: PROTOCOL.md §1.
// Each that is refused has one defect and no other: a verifier that lacks that
// one check takes it, and no verifier that lacks another does. The few with two
// say so.
func TestVectorsKeys(t *testing.T) {
	keys, signatures := keyVectors(t), signatureVectors(t)
	for _, v := range keys {
		judgeKey(t, v)
	}
	for _, v := range signatures {
		judgeSignature(t, v)
	}
	vectorJSON(t, "keys.json", struct {
		Keys       []keyVector       `json:"ed25519_keys"`
		Signatures []signatureVector `json:"ed25519_signatures"`
	}{keys, signatures})
}

func judgeKey(t *testing.T, v keyVector) {
	t.Helper()
	_, err := PublicEd25519(v.Public)
	if (err == nil) != (len(v.Defects) == 0) {
		t.Errorf("%s: %v", v.What, err)
	}
	if takes := new(lenient).key(v.Public) != nil; takes != (err == nil) {
		t.Errorf("%s: the second opinion differs", v.What)
	}
	if slices.Contains(v.Defects, defectLength) || slices.Contains(v.Defects, defectNoPoint) {
		return
	}
	onlyWithout(t, v.What, v.Defects, func(l lenient) bool { return l.key(v.Public) != nil })
}

func judgeSignature(t *testing.T, v signatureVector) {
	t.Helper()
	if !bytes.Equal(v.Signed, SigningInput(v.Type, Hash(v.Room), v.Body)) {
		t.Errorf("%s: another input", v.What)
	}
	// As room/record does: the key when it comes, then signatures under it.
	key, err := PublicEd25519(v.Public)
	if takes := err == nil && ed25519.Verify(key, v.Signed, v.Signature); takes != (len(v.Defects) == 0) {
		t.Errorf("%s: taken is %v", v.What, takes)
	}
	// Nothing but the check of the key keeps these out.
	if slices.Contains(v.Defects, defectSmallOrder) && !ed25519.Verify(ed25519.PublicKey(v.Public), v.Signed,
		v.Signature) {
		t.Errorf("%s: does not verify under its key", v.What)
	}
	if slices.Contains(v.Defects, defectInput) || slices.Contains(v.Defects, defectLength) {
		if new(lenient).verify(v.Public, v.Signed, v.Signature) {
			t.Errorf("%s: the second opinion differs", v.What)
		}
		return
	}
	onlyWithout(t, v.What, v.Defects, func(l lenient) bool { return l.verify(v.Public, v.Signed, v.Signature) })
}

// onlyWithout says whether the verifier that lacks these checks takes something,
// and none that lacks fewer or another.
func onlyWithout(t *testing.T, what string, defects []string, takes func(lenient) bool) {
	t.Helper()
	if !takes(without(defects...)) {
		t.Errorf("%s: is refused without %q", what, defects)
	}
	if len(defects) == 0 {
		return
	}
	if takes(lenient{}) {
		t.Errorf("%s: is taken", what)
	}
	for _, d := range lenientDefects {
		if len(defects) == 1 && d == defects[0] {
			continue
		}
		// Eight times a point has no torsion left, so that whether k is reduced
		// makes no difference to it.
		if d == defectCofactor && defects[0] == defectWide {
			continue
		}
		if takes(without(d)) {
			t.Errorf("%s: is taken without %q", what, d)
		}
	}
}

// torsion is i times a point of order 8.
func torsion(t *testing.T, i int) *edwards25519.Point {
	t.Helper()
	y, ok := new(big.Int).SetString("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826", 16)
	if !ok {
		t.Fatal("not a number")
	}
	p, err := new(edwards25519.Point).SetBytes(bytes32(y))
	if err != nil {
		t.Fatal(err)
	}
	if isZero(times(big.NewInt(4), p)) || !isZero(times(big.NewInt(8), p)) {
		t.Fatal("not of order 8")
	}
	return times(big.NewInt(int64((i%8+8)%8)), p)
}

// A smallEncoding is one of the 14 encodings of the eight points of small order.
type smallEncoding struct {
	what    string
	times   int // of torsion
	bytes   []byte
	defects []string
}

func smallEncodings(t *testing.T) []smallEncoding {
	t.Helper()
	order := []int{1, 8, 4, 8, 2, 8, 4, 8}
	var out []smallEncoding
	for i := range 8 {
		out = append(out, smallEncoding{fmt.Sprintf("order %d, number %d", order[i], i), i, torsion(t, i).Bytes(),
			[]string{defectSmallOrder}})
	}
	high := func(b []byte) []byte {
		b = slices.Clone(b)
		b[31] |= 0x80
		return b
	}
	one, minusOne := primePlus(1), primePlus(-1)
	zero := primePlus(0)
	for _, e := range []smallEncoding{
		{what: "y = 1 with the sign of x", bytes: high(torsion(t, 0).Bytes())},
		{what: "y = p+1", bytes: one[:]},
		{what: "y = p+1 with the sign of x", bytes: high(one[:])},
		{what: "y = p-1 with the sign of x", bytes: high(minusOne[:])},
		{what: "y = p", bytes: zero[:]},
		{what: "y = p with the sign of x", bytes: high(zero[:])},
	} {
		p, err := new(edwards25519.Point).SetBytes(e.bytes)
		if err != nil {
			t.Fatal(e.what, err)
		}
		for e.times = 0; p.Equal(torsion(t, e.times)) == 0; e.times++ {
			if e.times == 8 {
				t.Fatal(e.what, "is not of small order")
			}
		}
		e.defects = []string{defectKeyEncoding, defectSmallOrder}
		out = append(out, e)
	}
	return out
}

func keyVectors(t *testing.T) []keyVector {
	vs := []keyVector{}
	add := func(what string, public []byte, defects ...string) {
		vs = append(vs, keyVector{what, public, append([]string{}, defects...)})
	}
	secret, usual := ed25519Of("vector identity")
	add("usual", usual)
	for _, order := range []int{2, 4, 8} {
		add(fmt.Sprintf("with a part of order %d", order), mixed(t, secret, 8/order))
	}
	add("empty", nil, defectLength)
	add("31 bytes", usual[:31], defectLength)
	add("33 bytes", append(slices.Clone(usual), 0), defectLength)
	for _, e := range smallEncodings(t) {
		add(e.what, e.bytes, e.defects...)
	}
	// The encodings of y below 19 that are y+p. Those of small order are above.
	points := 0
	for y := 2; y < 19; y++ {
		b := primePlus(y)
		for range 2 {
			if _, err := new(edwards25519.Point).SetBytes(b[:]); err != nil {
				add(fmt.Sprintf("y = p+%d, sign %d, on no point", y, b[31]>>7), slices.Clone(b[:]), defectNoPoint)
			} else {
				add(fmt.Sprintf("y = p+%d, sign %d", y, b[31]>>7), slices.Clone(b[:]), defectKeyEncoding)
				// The same point in its one encoding.
				canonical := append([]byte{byte(y)}, make([]byte, 31)...)
				canonical[31] = b[31] & 0x80
				add(fmt.Sprintf("y = %d, sign %d", y, b[31]>>7), canonical)
				points++
			}
			b[31] |= 0x80
		}
	}
	if points == 0 {
		t.Error("no y below 19 is on a point")
	}
	add("y = 2, on no point", append([]byte{2}, make([]byte, 31)...), defectNoPoint)
	return vs
}

// ed25519Of is the secret scalar and public key of a text.
func ed25519Of(text string) (secret *big.Int, public []byte) {
	s := secretOf(text)
	h := sha512.Sum512(s.b[:])
	h[0] &= 248
	h[31] = h[31]&63 | 64
	return number(h[:32]), ed25519.NewKeyFromSeed(s.b[:]).Public().(ed25519.PublicKey)
}

// mixed is the encoding of secret*B and i times a point of order 8.
func mixed(t *testing.T, secret *big.Int, i int) []byte {
	t.Helper()
	p := times(secret, edwards25519.NewGeneratorPoint())
	return p.Add(p, torsion(t, i)).Bytes()
}

// primePlus is 2^255 - 19 + d in little-endian bytes.
func primePlus(d int) (u [32]byte) {
	for i := range u {
		u[i] = 0xff
	}
	u[0], u[31] = byte(0xed+d), 0x7f
	return u
}
