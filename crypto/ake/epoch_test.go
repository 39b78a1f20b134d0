package ake

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
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
	for _, fields := range [][][]byte{nil, {nil}, {nil, nil}, {[]byte("a")}, {[]byte("a"), []byte("bc")},
		{make([]byte, 70000)}} {
		in := byThePage("coterie/2 test", fields...)
		if Sum("coterie/2 test", fields...) != sha256.Sum256(in) {
			t.Error("H")
		}
		k := secretOf("k")
		want, err := hkdf.Expand(sha256.New, k.Bytes(), string(in), 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := Expand(k, "coterie/2 test", fields...); string(got.Bytes()) != string(want) {
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

// xorKey is the formula that K_abe replaces: the xor of hmac_{k_i}(Sid).
func xorKey(sid Hash, terms []Term) (k [32]byte) {
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
// more as its own, so that each term appears twice. The xor of all is then
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
	if xorKey(sid, terms) == [32]byte{} {
		t.Fatal("the xor is zeros without an attack")
	}
	if xorKey(sid, append(terms, terms...)) != [32]byte{} {
		t.Error("the attack on the xor does not work; is this test one?")
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
	keys := []Secret{once, twice, byAnother, ofOthers, Attributes(sid, nil), Attributes(sid, members[:1]),
		Attributes(sid, append(members[:1:1], members[0], members[0]))}
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

// attributesByThePage is K_abe of PROTOCOL.md §8, by the standard library's HMAC.
func attributesByThePage(sid Hash, members []Member) Secret {
	var sums [][]byte
	for i := range members {
		m := hmac.New(sha256.New, members[i].Term.Bytes())
		m.Write([]byte("K"))
		m.Write(sid[:])
		m.Write(members[i].Identity[:])
		sums = append(sums, m.Sum(nil))
	}
	return Secret{b: sha256.Sum256(byThePage("coterie/2 kabe", sums...))}
}

// TestAttributes: every part of every member is in the key, and their order.
func TestAttributes(t *testing.T) {
	sid := hashOf("sid")
	base := func() []Member {
		return []Member{{Identity: hashOf("p"), Term: Term{secretOf("a")}}, {Identity: hashOf("q"),
			Term: Term{secretOf("b")}}}
	}
	m := base()
	got := Attributes(sid, m)
	for n := range 70 {
		var many []Member
		for i := range n {
			many = append(many, Member{Identity: hashOf(fmt.Sprint("peer ", i)), Term: Term{secretOf(fmt.Sprint("term ", i))}})
		}
		k, want := Attributes(sid, many), attributesByThePage(sid, many)
		if !k.Equal(&want) {
			t.Errorf("%d members: not the key of the page", n)
		}
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
}

// TestKeysAreSeparate: no two things are encrypted under one key.
func TestKeysAreSeparate(t *testing.T) {
	secret := secretOf("secret")
	keys := NewKeys(secret, []Hash{hashOf("a"), hashOf("b")})
	all := []Secret{secret, keys.header, keys.root}
	for i := range 2 {
		all = append(all, keys.Chain(i).key)
		for range 3 {
			_, k := keys.Chain(i).Next()
			all = append(all, k, keys.Chain(i).key)
		}
	}
	for step := range uint16(4) {
		keys.Step(step + 1)
		all = append(all, keys.header)
	}
	for i := range all {
		for j := range all[:i] {
			if all[i].Equal(&all[j]) {
				t.Errorf("keys %d and %d are one", i, j)
			}
		}
	}
}

// TestChainsAreMadeOnce: what the chains are made from goes when they are made,
// else every key that was used could be made again.
func TestChainsAreMadeOnce(t *testing.T) {
	keys := NewKeys(secretOf("secret"), []Hash{hashOf("a"), hashOf("b")})
	first := keys.Chain(1).key
	if !keys.root.IsZero() {
		t.Error("the root is kept")
	}
	keys.Chain(1).Next()
	if again := keys.Chain(1).key; again.Equal(&first) {
		t.Error("the chain was made again")
	}
	if a, b := keys.Chain(0).key, keys.Chain(1).key; a.Equal(&b) {
		t.Error("two members have one chain")
	}
}

// TestKeysErase: nothing is left of them, whether the chains were made or not.
func TestKeysErase(t *testing.T) {
	for _, used := range []bool{false, true} {
		keys := NewKeys(secretOf("secret"), []Hash{hashOf("a"), hashOf("b")})
		var chain *Chain
		if used {
			chain = keys.Chain(1)
		}
		keys.Erase()
		if !keys.header.IsZero() || !keys.root.IsZero() {
			t.Error("a key is left")
		}
		if used && (!chain.key.IsZero() || chain.next != 0) {
			t.Error("a chain is left")
		}
		mustPanic(t, "a chain of erased keys", func() { keys.Chain(0) })
		keys.Step(9)
		if !keys.header.IsZero() || keys.step != 0 {
			t.Error("a step brings erased keys back")
		}
	}
}

// TestHeaderSteps: the key of a step follows from the one before, and is gone
// when the next has come; none comes back.
func TestHeaderSteps(t *testing.T) {
	secret := secretOf("secret")
	byPage := func(step int) Secret {
		k := Expand(secret, "coterie/2 header")
		for range step {
			k = Expand(k, "coterie/2 header next")
		}
		return k
	}
	keys := NewKeys(secret, nil)
	is := func(step uint16, want error) {
		t.Helper()
		got, err := keys.headerKey(step)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("step %d: %v, want %v", step, err, want)
		}
		if by := byPage(int(step)); want == nil && !got.Equal(&by) {
			t.Errorf("step %d: not the key of the page", step)
		}
	}
	for _, step := range []uint16{0, 1, 2, 60, MaxSteps - 1} {
		is(step, nil)
	}
	is(MaxSteps, ErrSkip)
	is(1<<16-1, ErrSkip)
	keys.Step(3)
	is(2, ErrSpent)
	is(3, nil)
	is(5, nil)
	keys.Step(1)
	is(1, ErrSpent)
	is(3, nil)
	keys.Step(1<<16 - 1)
	is(MaxSteps-2, ErrSpent)
	is(MaxSteps-1, nil)
	is(MaxSteps, ErrSkip)
}

// TestHeaderOfAnotherStep: a header opens at its own step alone, and not any more
// when the key of that is gone.
func TestHeaderOfAnotherStep(t *testing.T) {
	keys, room, epoch, guard, sealed := NewKeys(secretOf("secret"), nil), hashOf("room"), hashOf("E"), [GuardSize]byte{
		1}, make([]byte, 272)
	header, err := keys.SealHeader(room, epoch, 2, guard, sealed, 7, 9)
	if err != nil {
		t.Fatal(err)
	}
	if index, counter, err := keys.OpenHeader(room, epoch, 2, guard, sealed, header); err != nil || index != 7 ||
		counter != 9 {
		t.Error(index, counter, err)
	}
	for step, want := range map[uint16]error{0: ErrMessage, 1: ErrMessage, 3: ErrMessage, MaxSteps: ErrSkip} {
		if _, _, err := keys.OpenHeader(room, epoch, step, guard, sealed, header); !errors.Is(err, want) {
			t.Errorf("at step %d: %v", step, err)
		}
	}
	keys.Step(3)
	if _, _, err := keys.OpenHeader(room, epoch, 2, guard, sealed, header); !errors.Is(err, ErrSpent) {
		t.Errorf("when its key is gone: %v", err)
	}
	if _, err := keys.SealHeader(room, epoch, 2, guard, sealed, 7, 9); !errors.Is(err, ErrSpent) {
		t.Errorf("made when its key is gone: %v", err)
	}
	if _, err := keys.SealHeader(room, epoch, MaxSteps, guard, sealed, 7, 9); !errors.Is(err, ErrSkip) {
		t.Errorf("made at a step that no epoch comes to: %v", err)
	}
}
