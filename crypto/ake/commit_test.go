package ake

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// A crowd is the members of a commit, with their ephemeral keys.
type crowd struct {
	keys []*ecdh.PrivateKey
	to   []Recipient
	core Core
	h    Hash
}

func newCrowd(n int) *crowd {
	c := &crowd{h: hashOf("header"), core: Core{SID: hashOf("sid"), Height: 7, Prevs: []Hash{hashOf("p"), hashOf("q")}, By: hashOf("cid 0")}}
	for i := range n {
		k := x25519Of(fmt.Sprint("ephemeral ", i))
		c.keys = append(c.keys, k)
		c.to = append(c.to, Recipient{CID: hashOf(fmt.Sprint("cid ", i)), Ephemeral: [32]byte(k.PublicKey().Bytes())})
	}
	return c
}

func (c *crowd) wrap(t testing.TB, d Secret) (wraps []byte, rpub [32]byte) {
	t.Helper()
	r := c.core.OneTimeKey(d)
	wraps, err := Wrap(d, r, c.h, c.to)
	if err != nil {
		t.Fatal(err)
	}
	return wraps, r.Public
}

// TestWrap: everybody listed gets the secret.
func TestWrap(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10} {
		c, d := newCrowd(n), secretOf("d")
		wraps, rpub := c.wrap(t, d)
		if len(wraps) != n*SecretSize {
			t.Fatalf("%d bytes for %d", len(wraps), n)
		}
		for i, e := range c.keys {
			got, err := Unwrap(wraps, i, e, &c.core, rpub, c.h, c.to)
			if err != nil || !got.Equal(&d) {
				t.Errorf("%d of %d: %v", i, n, err)
			}
		}
	}
}

// smallOrderX25519 are all encodings of points of small order, of the curve and
// of its twist, as RFC 7748's reading (it drops the highest bit) takes them:
// those below 2^255, then those with the highest bit set.
func smallOrderX25519(t testing.TB) [][32]byte {
	t.Helper()
	var out [][32]byte
	for _, text := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", // 0, order 4
		"0100000000000000000000000000000000000000000000000000000000000000", // 1, order 1
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", // order 8
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", // order 8
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p-1, order 2
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		k := [32]byte(b)
		out = append(out, k)
		k[31] |= 0x80
		out = append(out, k)
	}
	return out
}

// TestSplitCommit: a commit whose wraps give some members garbage, or two
// secrets to two halves, is refused by everyone, whoever of them looks; so is
// one that uses a key under which everybody's secret would be the same.
func TestSplitCommit(t *testing.T) {
	const n = 4
	c, d := newCrowd(n), secretOf("d")
	wraps, rpub := c.wrap(t, d)
	refused := func(what string, wraps []byte, rpub [32]byte, core *Core, h Hash, to []Recipient) {
		t.Helper()
		for i, e := range c.keys {
			got, err := Unwrap(wraps, i, e, core, rpub, h, to)
			if !errors.Is(err, ErrWrap) || !got.IsZero() {
				t.Errorf("%s: member %d takes it: %v", what, i, err)
			}
		}
	}

	for at := range wraps {
		bad := bytes.Clone(wraps)
		bad[at] ^= 1
		refused(fmt.Sprintf("bad wrap: byte %d", at), bad, rpub, &c.core, c.h, c.to)
	}

	// Two secrets: the first half gets d, the other half d2, under r of d, of d2,
	// or of neither.
	d2 := secretOf("d2")
	for what, from := range map[string]Secret{"the first": d, "the second": d2, "neither": secretOf("d3")} {
		r := c.core.OneTimeKey(from)
		one, err := Wrap(d, r, c.h, c.to[:n/2])
		if err != nil {
			t.Fatal(err)
		}
		two, err := Wrap(d2, r, c.h, c.to[n/2:])
		if err != nil {
			t.Fatal(err)
		}
		refused("two secrets, r of "+what, append(one, two...), r.Public, &c.core, c.h, c.to)
	}

	// r that is not drawn from d: nobody could check that all got the same.
	r := newOneTimeKey(secretOf("any r"))
	loose, err := Wrap(d, r, c.h, c.to)
	if err != nil {
		t.Fatal(err)
	}
	refused("r of its own", loose, r.Public, &c.core, c.h, c.to)

	// Another text of the same r: X25519 drops the highest bit, so every secret is
	// the same, and the epoch another.
	high := rpub
	high[31] |= 0x80
	refused("r with the highest bit", wraps, high, &c.core, c.h, c.to)

	// The same wraps in another place.
	for what, change := range map[string]func(*Core){
		"another sid":       func(k *Core) { k.SID = hashOf("other") },
		"another height":    func(k *Core) { k.Height++ },
		"another committer": func(k *Core) { k.By = hashOf("cid 1") },
		"prevs swapped":     func(k *Core) { k.Prevs = []Hash{k.Prevs[1], k.Prevs[0]} },
		"a prev less":       func(k *Core) { k.Prevs = k.Prevs[:1] },
		"no prevs":          func(k *Core) { k.Prevs = nil },
	} {
		core := c.core
		change(&core)
		refused(what, wraps, rpub, &core, c.h, c.to)
	}
	refused("another header", wraps, rpub, &c.core, hashOf("another"), c.to)
	swapped := []Recipient{c.to[1], c.to[0], c.to[2], c.to[3]}
	refused("members swapped", wraps, rpub, &c.core, c.h, swapped)
	refused("a wrap less", wraps[SecretSize:], rpub, &c.core, c.h, c.to)
	refused("half a wrap", wraps[:len(wraps)-1], rpub, &c.core, c.h, c.to)
	refused("a byte more", append(bytes.Clone(wraps), 0), rpub, &c.core, c.h, c.to)
	refused("no wraps", nil, rpub, &c.core, c.h, c.to)

	// Under a one-time key of small order every member's X25519 secret is zero,
	// so anybody could unwrap; under a member's, anybody can unwrap that one.
	for _, low := range smallOrderX25519(t) {
		refused(fmt.Sprintf("r of small order %x", low), wraps, low, &c.core, c.h, c.to)
		to := append([]Recipient(nil), c.to...)
		to[2].Ephemeral = low
		refused(fmt.Sprintf("a member of small order %x", low), wraps, rpub, &c.core, c.h, to)
		key := c.core.OneTimeKey(d)
		if out, err := Wrap(d, key, c.h, to); !errors.Is(err, ErrPublicKey) || out != nil {
			t.Errorf("wrapped for %x: %v", low, err)
		}
	}
}

// terms are n terms in the order of a seal.
func terms(n int) []SealedTerm {
	var out []SealedTerm
	for i := range n {
		out = append(out, SealedTerm{CID: hashOf(fmt.Sprint("cid ", i)), Term: Term{secretOf(fmt.Sprint("term ", i))}})
	}
	slices.SortFunc(out, func(a, b SealedTerm) int { return bytes.Compare(a.CID[:], b.CID[:]) })
	return out
}

func TestSeal(t *testing.T) {
	d, h := secretOf("d"), hashOf("header")
	for _, n := range []int{0, 1, 2, 20} {
		in := terms(n)
		sealed, err := Seal(d, h, in)
		if err != nil || len(sealed) != SealSize(n) {
			t.Fatalf("%d terms: %d bytes, %v", n, len(sealed), err)
		}
		out, err := OpenSeal(d, h, sealed)
		if err != nil || len(out) != n {
			t.Fatalf("%d terms: %d, %v", n, len(out), err)
		}
		for i := range out {
			if out[i].CID != in[i].CID || !out[i].Term.Equal(&in[i].Term.Secret) {
				t.Errorf("term %d of %d", i, n)
			}
		}
		for at := range sealed {
			sealed[at] ^= 4
			if _, err := OpenSeal(d, h, sealed); !errors.Is(err, ErrSeal) {
				t.Errorf("byte %d of a seal of %d: %v", at, n, err)
			}
			sealed[at] ^= 4
		}
		for what, bad := range map[string][]byte{"a byte less": sealed[:len(sealed)-1], "a byte more": append(bytes.Clone(sealed), 0), "nothing": nil} {
			if _, err := OpenSeal(d, h, bad); !errors.Is(err, ErrSeal) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := OpenSeal(secretOf("other"), h, sealed); !errors.Is(err, ErrSeal) {
			t.Error("another d:", err)
		}
		if _, err := OpenSeal(d, hashOf("other"), sealed); !errors.Is(err, ErrSeal) {
			t.Error("another header:", err)
		}
	}
}

// sealOf encrypts any plaintext as a seal, as a hostile committer can.
func sealOf(t *testing.T, d Secret, h Hash, plain []byte) []byte {
	t.Helper()
	key := Expand(d, "coterie/1 seal", h[:])
	aead, err := chacha20poly1305.New(key.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, make([]byte, aead.NonceSize()), plain, h[:])
}

// TestSealHasOneOrder: a seal was taken with its terms in any order, and with a
// term twice.
func TestSealHasOneOrder(t *testing.T) {
	d, h := secretOf("d"), hashOf("header")
	good := terms(3)
	var plain []byte
	for i := range good {
		plain = good[i].Term.Append(append(plain, good[i].CID[:]...))
	}
	one, two, three := plain[:64], plain[64:128], plain[128:]
	for what, bad := range map[string][]byte{
		"another order":        slices.Concat([]byte{0, 3}, two, one, three),
		"a term twice":         slices.Concat([]byte{0, 3}, one, one, two),
		"counted short":        slices.Concat([]byte{0, 2}, plain),
		"counted long":         slices.Concat([]byte{0, 4}, plain),
		"no count":             nil,
		"half a count":         {0},
		"counted, and nothing": {0xff, 0xff},
	} {
		if _, err := OpenSeal(d, h, sealOf(t, d, h, bad)); !errors.Is(err, ErrSeal) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := OpenSeal(d, h, sealOf(t, d, h, slices.Concat([]byte{0, 3}, plain))); err != nil {
		t.Error("the good one:", err)
	}
	good[0], good[1] = good[1], good[0]
	if _, err := Seal(d, h, good); !errors.Is(err, ErrSeal) {
		t.Error("sealed in another order:", err)
	}
}
