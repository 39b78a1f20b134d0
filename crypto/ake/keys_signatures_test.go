package ake

import (
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"math/big"
	"slices"
	"testing"
)

func signatureVectors(t *testing.T) []signatureVector {
	vs := []signatureVector{}
	room := hashOf("vector room")
	add := func(v signatureVector, defects ...string) {
		if v.Type == "" {
			v.Type = "example"
		}
		if v.Room == nil {
			v.Room = room[:]
		}
		v.Signed, v.Defects = SigningInput(v.Type, Hash(v.Room), v.Body), append([]string{}, defects...)
		vs = append(vs, v)
	}
	seed := secretOf("vector identity")
	honest := ed25519.NewKeyFromSeed(seed.b[:])
	secret, public := ed25519Of("vector identity")
	body := []byte("body")
	usual := ed25519.Sign(honest, SigningInput("example", room, body))

	add(signatureVector{What: "usual", Seed: seed.Bytes(), Public: public, Body: body, Signature: usual})
	add(signatureVector{What: "empty body", Seed: seed.Bytes(), Public: public, Signature: ed25519.Sign(honest,
		SigningInput("example", room, nil))})

	hashed := sha512.Sum512(SigningInput("example", room, body))
	for _, other := range []struct {
		what   string
		signed []byte
	}{
		{"of another type", SigningInput("exampla", room, body)},
		{"in another room", SigningInput("example", hashOf("another room"), body)},
		{"of another body", SigningInput("example", room, []byte("bodies"))},
		{"of the body alone", body},
		{"of the hash of the input", hashed[:]},
	} {
		sig := ed25519.Sign(honest, other.signed)
		if !new(lenient).verify(public, other.signed, sig) {
			t.Errorf("%s: is no signature", other.what)
		}
		add(signatureVector{What: other.what, Public: public, Body: body, Signature: sig}, defectInput)
	}
	add(signatureVector{What: "63 bytes", Public: public, Body: body, Signature: usual[:63]}, defectLength)
	add(signatureVector{What: "65 bytes", Public: public, Body: body, Signature: append(slices.Clone(usual), 0)},
		defectLength)

	// Early verifiers looked at the three highest bits of s alone, which s plus
	// the order once leaves as they are.
	for _, n := range []int64{1, 2, 8, 14} {
		s := new(big.Int).Add(number(usual[32:]), new(big.Int).Mul(big.NewInt(n), groupOrder))
		add(signatureVector{
			What: fmt.Sprintf("s plus %d times the order", n), Public: public, Body: body,
			Signature: append(slices.Clone(usual[:32]), bytes32(s)...),
		}, defectOrder)
	}

	// Signatures that nobody makes by accident. Those without a defect must be
	// taken, or members do not agree on what is signed.
	for _, order := range []int{2, 4, 8} {
		c := craft{what: fmt.Sprintf("key with a part of order %d, k a multiple of it", order), secret: secret,
			keyTimes: 8 / order}
		add(c.make(t, room))
		c.what, c.only = fmt.Sprintf("key with a part of order %d, k no multiple of it", order), defectCofactor
		add(c.make(t, room), defectCofactor)
		c.what, c.only = fmt.Sprintf("key with a part of order %d, k a multiple of it before it is reduced",
			order), defectWide
		add(c.make(t, room), defectWide)
		c = craft{what: fmt.Sprintf("R with a part of order %d", order), secret: secret, rTimes: 8 / order,
			only: defectCofactor}
		add(c.make(t, room), defectCofactor)
		c = craft{what: fmt.Sprintf("key and R with parts of order %d that cancel out", order), secret: secret,
			keyTimes: 8 / order, rTimes: 8 / order}
		add(c.make(t, room))
	}
	for _, e := range smallEncodings(t) {
		keyTimes := 0
		if e.times != 0 {
			keyTimes = 1
		}
		c := craft{secret: secret, keyTimes: keyTimes, rTimes: e.times, noNonce: true, r: e.bytes}
		if len(e.defects) == 1 {
			c.what = "R of " + e.what
			add(c.make(t, room))
		} else {
			c.what = "R with " + e.what
			add(c.make(t, room), defectEncoding)
		}
	}
	// Keys of small order, each with a signature that crypto/ed25519 takes.
	for _, e := range smallEncodings(t) {
		c := craft{what: "key of " + e.what, secret: new(big.Int), keyTimes: e.times, public: e.bytes}
		add(c.make(t, room), e.defects...)
	}
	return vs
}

// A craft makes a signature with torsion: by secret*B + keyTimes*T, with R =
// r*B + rTimes*T, where T is of order 8. It tries bodies until it fits as asked.
type craft struct {
	what             string
	secret           *big.Int
	keyTimes, rTimes int
	public, r        []byte // in another encoding, else nil
	noNonce          bool   // r is 0
	only             string // the defect that takes it; "": it verifies
}

func (c craft) make(t *testing.T, room Hash) signatureVector {
	t.Helper()
	public := c.public
	if public == nil {
		public = mixed(t, c.secret, c.keyTimes)
	}
	// Whether sB - kA - R is zero: its part in B always is.
	fits := func(k *big.Int) bool {
		n := new(big.Int).Mul(k, big.NewInt(int64(c.keyTimes)))
		return n.Add(n, big.NewInt(int64(c.rTimes))).Mod(n, big.NewInt(8)).Sign() == 0
	}
	for i := range 10_000 {
		body := fmt.Appendf(nil, "body %d", i)
		signed := SigningInput("example", room, body)
		nonce := new(big.Int)
		if !c.noNonce {
			b := secretOf("nonce " + c.what + string(body))
			nonce.Mod(number(b.b[:]), groupOrder)
		}
		r := c.r
		if r == nil {
			r = mixed(t, nonce, c.rTimes)
		}
		wide := challenge(r, public, signed)
		k := new(big.Int).Mod(wide, groupOrder)
		switch c.only {
		case "":
			// That they differ tells who does not reduce.
			if c.keyTimes != 0 && c.secret.Sign() != 0 && fits(wide) {
				continue
			}
			if !fits(k) {
				continue
			}
		case defectCofactor:
			if fits(k) || fits(wide) {
				continue
			}
		case defectWide:
			if fits(k) || !fits(wide) {
				continue
			}
		}
		s := new(big.Int).Mul(k, c.secret)
		s.Add(s, nonce).Mod(s, groupOrder)
		return signatureVector{What: c.what, Public: public, Body: body, Signature: append(slices.Clone(r), bytes32(s)...)}
	}
	t.Fatal(c.what, "is not found")
	return signatureVector{}
}
