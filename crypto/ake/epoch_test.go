package ake

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
)

// byThePage is the H of PROTOCOL.md §1, written out.
func byThePage(label string, fields ...[]byte) []byte {
	b := append([]byte{byte(len(label))}, label...)
	for _, f := range fields {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return b
}

func TestSumAndExpand(t *testing.T) {
	for _, fields := range [][][]byte{nil, {nil}, {nil, nil}, {[]byte("a")}, {[]byte("a"), []byte("bc")}, {make([]byte, 70000)}} {
		in := byThePage("coterie/1 test", fields...)
		if Sum("coterie/1 test", fields...) != sha256.Sum256(in) {
			t.Error("H")
		}
		k := secretOf("k")
		want, err := hkdf.Expand(sha256.New, k.Bytes(), string(in), 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := Expand(k, "coterie/1 test", fields...); string(got.Bytes()) != string(want) {
			t.Error("X")
		}
	}
	// No two inputs meet.
	seen := make(map[Hash]bool)
	for _, h := range []Hash{
		Sum("a"), Sum("a", nil), Sum("a", nil, nil), Sum("", []byte("a")), Sum("ab"), Sum("a", []byte("b")),
		Sum("a", []byte("b"), nil), Sum("a", nil, []byte("b")), Sum("a", []byte("bc")), Sum("a", []byte("b"), []byte("c")),
	} {
		if seen[h] {
			t.Error("two inputs meet")
		}
		seen[h] = true
	}
}

// thesisKey is the formula that K_abe replaces: the xor of hmac_{k_i}(Sid).
func thesisKey(sid Hash, terms []Term) (k [32]byte) {
	for i := range terms {
		m := hmac.New(sha256.New, terms[i].Bytes())
		m.Write(sid[:])
		for j, b := range m.Sum(nil) {
			k[j] ^= b
		}
	}
	return k
}

// TestCancellingReplay: an outsider publishes every member's encapsulation once
// more as its own, so that each term appears twice. The thesis' key is then
// zeros, which the outsider knows; here a term that appears twice cancels
// nothing, under the same identity or another.
func TestCancellingReplay(t *testing.T) {
	sid := hashOf("sid")
	var members []Member
	var terms []Term
	for i := range 3 {
		term := Term{secretOf(fmt.Sprint("term ", i))}
		members = append(members, Member{Identity: hashOf(fmt.Sprint("peer ", i)), Term: term})
		terms = append(terms, term)
	}
	if thesisKey(sid, terms) == [32]byte{} {
		t.Fatal("the thesis' key is zeros without an attack")
	}
	if thesisKey(sid, append(terms, terms...)) != [32]byte{} {
		t.Error("the attack on the thesis' formula does not work; is this test one?")
	}

	once := Attributes(sid, members)
	again, replayed := append([]Member(nil), members...), append([]Member(nil), members...)
	for i, m := range members {
		again = append(again, m)
		replayed = append(replayed, Member{Identity: hashOf(fmt.Sprint("replayer ", i)), Term: m.Term})
	}
	// What cancels is independent of the terms: the same for others' terms.
	var others []Member
	for i := range again {
		others = append(others, Member{Identity: again[i].Identity, Term: Term{secretOf(fmt.Sprint("other term ", i%3))}})
	}
	twice, byAnother, ofOthers := Attributes(sid, again), Attributes(sid, replayed), Attributes(sid, others)
	keys := []Secret{once, twice, byAnother, ofOthers, Attributes(sid, nil), Attributes(sid, members[:1]), Attributes(sid, append(members[:1:1], members[0], members[0]))}
	for i := range keys {
		if keys[i].IsZero() {
			t.Errorf("key %d is zeros", i)
		}
		for j := range keys[:i] {
			if keys[i].Equal(&keys[j]) {
				t.Errorf("keys %d and %d are one", i, j)
			}
		}
	}
}

// TestAttributes: every part of every member is in the key, and their order.
func TestAttributes(t *testing.T) {
	sid := hashOf("sid")
	base := func() []Member {
		return []Member{{Identity: hashOf("p"), Term: Term{secretOf("a")}}, {Identity: hashOf("q"), Term: Term{secretOf("b")}}}
	}
	m := base()
	first := authenticate(m[0].Term.Secret, []byte("K"), sid[:], m[0].Identity[:])
	second := authenticate(m[1].Term.Secret, []byte("K"), sid[:], m[1].Identity[:])
	want := sha256.Sum256(byThePage("coterie/1 kabe", first[:], second[:]))
	got := Attributes(sid, m)
	if string(got.Bytes()) != string(want[:]) {
		t.Error("not the key of the page")
	}
	for what, change := range map[string]func(m []Member) []Member{
		"a term":      func(m []Member) []Member { m[0].Term = Term{secretOf("x")}; return m },
		"an identity": func(m []Member) []Member { m[1].Identity[0] ^= 1; return m },
		"the order":   func(m []Member) []Member { return []Member{m[1], m[0]} },
		"the terms":   func(m []Member) []Member { m[0].Term, m[1].Term = m[1].Term, m[0].Term; return m },
		"one less":    func(m []Member) []Member { return m[:1] },
	} {
		if k := Attributes(sid, change(base())); k.Equal(&got) {
			t.Errorf("%s is not in the key", what)
		}
	}
	if k := Attributes(hashOf("other"), base()); k.Equal(&got) {
		t.Error("the session id is not in the key")
	}
}

// TestEpochSecret: the epoch, the attributes and the fresh secret are all in it,
// each alone is not it.
func TestEpochSecret(t *testing.T) {
	epoch, abe, d := hashOf("E"), secretOf("kabe"), secretOf("d")
	secret, err := EpochSecret(epoch, abe, d)
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, epoch[:])
	m.Write(abe.Bytes())
	m.Write(d.Bytes())
	if string(secret.Bytes()) != string(m.Sum(nil)) {
		t.Error("not the secret of the page")
	}
	other, err := EpochSecret(epoch, d, abe)
	if err != nil || other.Equal(&secret) {
		t.Error("swapped")
	}
	tag := Confirm(secret, epoch)
	if !CheckConfirm(secret, epoch, tag) || CheckConfirm(other, epoch, tag) || CheckConfirm(secret, hashOf("F"), tag) || CheckConfirm(secret, epoch, Hash{}) {
		t.Error("confirmation")
	}
	for bit := range 8 * HashSize {
		bad := tag
		bad[bit/8] ^= 1 << (bit % 8)
		if CheckConfirm(secret, epoch, bad) {
			t.Errorf("bit %d", bit)
		}
	}
}

// TestKeysAreSeparate: no two things are encrypted under one key.
func TestKeysAreSeparate(t *testing.T) {
	secret := secretOf("secret")
	keys, chains := NewKeys(secret, []Hash{hashOf("a"), hashOf("b")})
	all := []Secret{secret, keys.header, keys.join, Expand(secret, "coterie/1 confirm")}
	for i := range chains {
		all = append(all, chains[i].key)
		for range 3 {
			_, k := chains[i].Next()
			all = append(all, k, chains[i].key)
		}
	}
	for i := range all {
		for j := range all[:i] {
			if all[i].Equal(&all[j]) {
				t.Errorf("keys %d and %d are one", i, j)
			}
		}
	}
	keys.Erase()
	if !keys.header.IsZero() || !keys.join.IsZero() {
		t.Error("Erase")
	}
}
