package ake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20"

	"coterie/crypto/abe"
)

const testDay abe.Day = 20_770

// testPeriod is after a notice.
const testPeriod = abe.Period(1_795_424_400<<32 | uint64(testDay))

var authority = sync.OnceValue(func() *abe.MasterKey {
	m, err := abe.Setup(stream("test authority"), "NTNU")
	if err != nil {
		panic(err)
	}
	return m
})

func issue(t testing.TB, texts ...string) *abe.Key {
	t.Helper()
	as, err := abe.ParseAttributes(texts)
	if err != nil {
		t.Fatal(err)
	}
	k, err := authority().Issue(stream("test key"), abe.Grant{Serial: 1, Attributes: as, From: testDay - 2,
		Expires: testDay + 6})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func dayPolicy(t testing.TB, source string, d abe.Day) *abe.DayPolicy {
	t.Helper()
	p, err := abe.ParsePolicy(source)
	if err != nil {
		t.Fatal(err)
	}
	dp, err := authority().Domain().ForDay(p, d)
	if err != nil {
		t.Fatal(err)
	}
	return dp
}

func testContext() *Context {
	return &Context{Room: hashOf("room"), Identity: hashOf("identity"), Serial: 1_795_424_400_000, Period: testPeriod,
		Working: hashOf("working")}
}

// encryptAny encapsulates any plaintext with any coins, as a hostile maker can.
func encryptAny(t *testing.T, dp *abe.DayPolicy, coins io.Reader, plain []byte) []byte {
	t.Helper()
	enc, err := dp.Encrypt(coins, plain)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

// plaintextOf and coinsOf are what an honest maker encapsulates, by the page:
// PROTOCOL.md §5.
func plaintextOf(c *Context, seed Secret) []byte {
	bind := Sum("coterie/2 bind", c.Bytes())
	return append(seed.Bytes(), bind[:]...)
}

func coinsOf(c *Context, seed Secret) []byte {
	h := Sum("coterie/2 context", c.Bytes())
	k := Expand(seed, "coterie/2 coins", h[:])
	return k.Bytes()
}

func chacha(t *testing.T, key []byte) io.Reader {
	t.Helper()
	c, err := chacha20.NewUnauthenticatedCipher(key, make([]byte, chacha20.NonceSize))
	if err != nil {
		t.Fatal(err)
	}
	return keystream{c}
}

const testPolicy = `("A" and "B") or "C"`

// TestOpen: whoever satisfies the policy, through either branch, learns what
// the maker knows; whoever does not learns nothing.
func TestOpen(t *testing.T) {
	dp, c := dayPolicy(t, testPolicy, testDay), testContext()
	made, err := Encapsulate(secretOf("seed"), dp, c)
	if err != nil {
		t.Fatal(err)
	}
	if want := encryptAny(t, dp, chacha(t, coinsOf(c, secretOf("seed"))), plaintextOf(c, secretOf("seed"))); !bytes.Equal(
		made.Bytes, want) {
		t.Error("not the encapsulation of the page")
	}
	for _, holder := range [][]string{{"A", "B"}, {"C"}, {"A", "B", "C"}} {
		got, err := Open(issue(t, holder...), dp, c, made.Bytes)
		if err != nil {
			t.Errorf("%v: %v", holder, err)
			continue
		}
		if !got.Term.Equal(&made.Term.Secret) || !got.Proof.Equal(&made.Proof.Secret) ||
			got.Term.Commitment() != made.Term.Commitment() {
			t.Errorf("%v: opened another", holder)
		}
	}
	if made.Term.Equal(&made.Proof.Secret) {
		t.Error("term and proof are one")
	}
	for _, holder := range [][]string{{"A"}, {"B"}, {"D"}} {
		if got, err := Open(issue(t, holder...), dp, c, made.Bytes); !errors.Is(err, ErrNotOpened) || got != nil {
			t.Errorf("%v: %v", holder, err)
		}
	}
	if got, err := Open(nil, dp, c, made.Bytes); !errors.Is(err, ErrNotOpened) || got != nil {
		t.Errorf("no key: %v", err)
	}
	for what, enc := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, len(made.Bytes)), "a byte less": made.Bytes[:len(made.Bytes)-1],
		"a byte more": append(bytes.Clone(made.Bytes), 0),
	} {
		if got, err := Open(issue(t, "C"), dp, c, enc); err != ErrNotOpened || got != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestReplayedContribution: an encapsulation counts for one room, peer, process
// and day. A stranger who publishes another's as its own has nothing that
// opens.
func TestReplayedContribution(t *testing.T) {
	dp, c, key := dayPolicy(t, testPolicy, testDay), testContext(), issue(t, "C")
	made, err := Encapsulate(secretOf("seed"), dp, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(key, dp, c, made.Bytes); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(c *Context){
		"another room":        func(c *Context) { c.Room[0] ^= 1 },
		"another peer":        func(c *Context) { c.Identity[31] ^= 1 },
		"another day":         func(c *Context) { c.Period++ },
		"another serial":      func(c *Context) { c.Serial++ },
		"another working key": func(c *Context) { c.Working[7] ^= 1 },
	} {
		other := *c
		change(&other)
		if got, err := Open(key, dp, &other, made.Bytes); !errors.Is(err, ErrNotOpened) || got != nil {
			t.Errorf("%s: %v", what, err)
		}
		// Its own binding over another's seed does not help who knows the seed:
		// terms and proofs follow from the context.
		again, err := Encapsulate(secretOf("seed"), dp, &other)
		if err != nil {
			t.Fatal(err)
		}
		if again.Term.Equal(&made.Term.Secret) || again.Proof.Equal(&made.Proof.Secret) ||
			bytes.Equal(again.Bytes, made.Bytes) {
			t.Errorf("%s: the same from the same seed", what)
		}
	}
	if _, err := Open(key, dayPolicy(t, testPolicy, testDay+1), c, made.Bytes); !errors.Is(err, ErrNotOpened) {
		t.Error("under another day's policy:", err)
	}
	if _, err := Open(key, dayPolicy(t, `"C"`, testDay), c, made.Bytes); !errors.Is(err, ErrNotOpened) {
		t.Error("under another policy:", err)
	}
}

// TestCoinsOfItsOwn: an encapsulation that is right but for its coins opens in
// tkn20 and is refused: nobody could check that it opens for everybody alike.
func TestCoinsOfItsOwn(t *testing.T) {
	dp, c, key := dayPolicy(t, testPolicy, testDay), testContext(), issue(t, "A", "B")
	seed := secretOf("seed")
	otherContext := *c
	otherContext.Serial++
	for what, enc := range map[string][]byte{
		"any coins":               encryptAny(t, dp, stream("any"), plaintextOf(c, seed)),
		"coins of another seed":   encryptAny(t, dp, chacha(t, coinsOf(c, secretOf("other"))), plaintextOf(c, seed)),
		"coins of another place":  encryptAny(t, dp, chacha(t, coinsOf(&otherContext, seed)), plaintextOf(c, seed)),
		"bound to another place":  encryptAny(t, dp, chacha(t, coinsOf(c, seed)), plaintextOf(&otherContext, seed)),
		"bound to nothing":        encryptAny(t, dp, chacha(t, coinsOf(c, seed)), append(seed.Bytes(), make([]byte, 32)...)),
		"the seed of the failing": encryptAny(t, dp, chacha(t, coinsOf(c, seed)), make([]byte, openedSize)),
	} {
		if _, err := dp.Decrypt(key, enc, openedSize); err != nil {
			t.Fatalf("%s: tkn20 does not open it: %v", what, err)
		}
		if got, err := Open(key, dp, c, enc); !errors.Is(err, ErrNotOpened) || got != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A seed of zeros, honestly encapsulated, is what a failure makes again: it
	// must not count as a failure's success.
	var zero Secret
	made, err := Encapsulate(zero, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(issue(t, "A"), dp, c, made.Bytes); !errors.Is(err, ErrNotOpened) || got != nil {
		t.Error("a key that does not satisfy the policy takes a seed of zeros:", err)
	}
}

// TestBranchProbe: a maker spoils one row, so that tkn20 opens for one branch of
// the policy only; shape and MAC are right. Holders of either branch answer the
// same, which is what the others answer who hold neither.
func TestBranchProbe(t *testing.T) {
	dp, c := dayPolicy(t, testPolicy, testDay), testContext()
	ab, justC := issue(t, "A", "B"), issue(t, "C")
	seed := secretOf("seed")
	made, err := Encapsulate(seed, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	// The first thing that tkn20 draws from the coins is the seed of its MAC.
	macSeed := make([]byte, 72)
	if _, err := io.ReadFull(chacha(t, coinsOf(c, seed)), macSeed); err != nil {
		t.Fatal(err)
	}
	leaves := map[string]int{"A": 0, "B": 1, "C": 2}
	for spoilt, opens := range map[string]map[string]bool{
		"A": {"A and B": false, "C": true}, "B": {"A and B": false, "C": true}, "C": {"A and B": true, "C": false},
	} {
		crafted := spoilRow(t, made.Bytes, macSeed, leaves[spoilt])
		if bytes.Equal(crafted, made.Bytes) {
			t.Fatal("nothing is spoilt")
		}
		for holder, key := range map[string]*abe.Key{"A and B": ab, "C": justC} {
			_, err := dp.Decrypt(key, crafted, openedSize)
			if opens[holder] != (err == nil) {
				t.Fatalf("with the row of %s spoilt, tkn20 tells holders of %s: %v", spoilt, holder, err)
			}
			if got, err := Open(key, dp, c, crafted); err != ErrNotOpened || got != nil {
				t.Errorf("with the row of %s spoilt, holders of %s answer: %v", spoilt, holder, err)
			}
		}
	}
}

// spoilRow puts another leaf's row in the place of one in c3, and makes the MAC
// right again: PROTOCOL.md §3.6 has the layout.
func spoilRow(t *testing.T, enc, macSeed []byte, leaf int) []byte {
	t.Helper()
	b := bytes.Clone(enc)
	at := 6 + 2 + 32
	macLength := int(binary.LittleEndian.Uint32(b[at:]))
	mac := b[at+4 : at+4+macLength]
	tag := b[at+4+macLength+2:]
	h := mac[4:]
	skip := func() { h = h[2+int(binary.LittleEndian.Uint16(h)):] }
	skip() // policy
	skip() // c1
	n := int(binary.LittleEndian.Uint16(h))
	h = h[2:]
	for range n {
		skip() // c2
	}
	if n = int(binary.LittleEndian.Uint16(h)); n < 3 {
		t.Fatal("the test cannot read an encapsulation")
	}
	h = h[2:]
	const row = 2 + 4 + 3*96 // c3: [3x1]G1
	spoilt, other := h[leaf*row:(leaf+1)*row], h[((leaf+1)%3)*row:]
	copy(spoilt, other[:row])

	key := blake2b.Sum256(append([]byte("key computation hash"), macSeed...))
	sum, err := blake2b.New256(key[:])
	if err != nil {
		t.Fatal(err)
	}
	sum.Write(mac)
	copy(tag, sum.Sum(nil))
	return b
}

// TestFailureDoesTheSameWork: whatever is wrong with an encapsulation, one is
// made in answer.
func TestFailureDoesTheSameWork(t *testing.T) {
	dp, c := dayPolicy(t, testPolicy, testDay), testContext()
	made, err := Encapsulate(secretOf("seed"), dp, c)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	counting := func(dp *abe.DayPolicy, c *Context, seed Secret) ([]byte, error) {
		calls++
		return encrypt(dp, c, seed)
	}
	other := *c
	other.Serial++
	for what, run := range map[string]func() error{
		"it opens":             func() error { _, err := open(issue(t, "C"), dp, c, made.Bytes, counting); return err },
		"it does not open":     func() error { _, err := open(issue(t, "D"), dp, c, made.Bytes, counting); return err },
		"it is of another":     func() error { _, err := open(issue(t, "C"), dp, &other, made.Bytes, counting); return err },
		"it is no ciphertext":  func() error { _, err := open(issue(t, "C"), dp, c, []byte("x"), counting); return err },
		"it has no key at all": func() error { _, err := open(nil, dp, c, made.Bytes, counting); return err },
	} {
		calls = 0
		err := run()
		if calls != 1 || (what == "it opens") != (err == nil) {
			t.Errorf("%s: %d encapsulations, %v", what, calls, err)
		}
	}
}

// TestProof: an answer counts for one proof, role and pair, in one direction.
func TestProof(t *testing.T) {
	p, other := Proof{secretOf("p")}, Proof{secretOf("other")}
	n, s := hashOf("newcomer"), hashOf("sponsor")
	for _, role := range []Role{Newcomer, Sponsor} {
		good := p.Answer(role, n, s)
		if !p.Check(role, n, s, good) {
			t.Errorf("%s: not its own", role)
		}
		back := map[Role]Role{Newcomer: Sponsor, Sponsor: Newcomer}[role]
		for what, wrong := range map[string]bool{
			"the other role":    p.Check(back, n, s, good),
			"the roles swapped": p.Check(back, s, n, good),
			"the pair swapped":  p.Check(role, s, n, good),
			"another proof":     other.Check(role, n, s, good),
			"another newcomer":  p.Check(role, hashOf("x"), s, good),
			"another sponsor":   p.Check(role, n, hashOf("x"), good),
			"zeros":             p.Check(role, n, s, Hash{}),
		} {
			if wrong {
				t.Errorf("%s: taken with %s", role, what)
			}
		}
		for bit := range 8 * HashSize {
			bad := good
			bad[bit/8] ^= 1 << (bit % 8)
			if p.Check(role, n, s, bad) {
				t.Errorf("%s: bit %d", role, bit)
			}
		}
	}
}

// TestContextID: each part of a contribution is in its cid.
func TestContextID(t *testing.T) {
	c := testContext()
	if len(c.Bytes()) != 112 {
		t.Errorf("ctx has %d bytes", len(c.Bytes()))
	}
	term, enc := hashOf("term"), hashOf("encapsulation")
	ids := []Hash{c.ID(term, enc), c.ID(enc, term), c.ID(hashOf("x"), enc), c.ID(term, hashOf("x"))}
	for _, change := range []func(c *Context){
		func(c *Context) { c.Room[0]++ }, func(c *Context) { c.Identity[0]++ }, func(c *Context) { c.Serial++ },
		func(c *Context) { c.Period++ }, func(c *Context) { c.Working[0]++ },
		func(c *Context) { c.Serial, c.Period = c.Serial<<32, abe.Period(c.Serial) },
	} {
		other := *c
		change(&other)
		ids = append(ids, other.ID(term, enc))
	}
	for i := range ids {
		if slices.Contains(ids[:i], ids[i]) {
			t.Errorf("two contributions of one cid: %d", i)
		}
	}
}
