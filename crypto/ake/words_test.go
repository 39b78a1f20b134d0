package ake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	"coterie/crypto/abe"
)

func testWords() *WordsContext {
	return &WordsContext{Room: hashOf("room"), Epoch: hashOf("epoch"), Author: hashOf("author"), Counter: 3, Policy: `"A"`}
}

// TestWordsAreBound: words for some open for who satisfies the policy, in their own message
// alone: not in another room or epoch, by another author, with another number or policy
// text; and nothing that was encapsulated for something else opens as such, nor the reverse.
func TestWordsAreBound(t *testing.T) {
	key, dp, c := issue(t, "A"), dayPolicy(t, `"A"`, testDay), testWords()
	enc, made, err := MakeWords(secretOf("seed"), dp, c)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenWords(key, dp, c, enc)
	if err != nil || !opened.Equal(&made.Secret) {
		t.Fatalf("opened another: %v", err)
	}
	if _, err := OpenWords(issue(t, "B"), dp, c, enc); !errors.Is(err, ErrNotOpened) {
		t.Errorf("a key without the attribute: %v", err)
	}
	for what, change := range map[string]func(*WordsContext){
		"room":    func(c *WordsContext) { c.Room = hashOf("another") },
		"epoch":   func(c *WordsContext) { c.Epoch = hashOf("another") },
		"author":  func(c *WordsContext) { c.Author = hashOf("another") },
		"counter": func(c *WordsContext) { c.Counter++ },
		"policy":  func(c *WordsContext) { c.Policy = `"A" and "A"` },
	} {
		other := *c
		change(&other)
		if _, err := OpenWords(key, dp, &other, enc); !errors.Is(err, ErrNotOpened) {
			t.Errorf("with another %s: %v", what, err)
		}
	}
	asked, err := Ask(secretOf("seed"), dp, testQuestion())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenWords(key, dp, c, asked.Bytes); !errors.Is(err, ErrNotOpened) {
		t.Errorf("a question opens as words: %v", err)
	}
	if _, err := OpenQuestion(key, dp, testQuestion(), enc); !errors.Is(err, ErrNotOpened) {
		t.Errorf("words open as a question: %v", err)
	}
	if _, err := Open(key, dp, testContext(), enc); !errors.Is(err, ErrNotOpened) {
		t.Errorf("words open as a contribution's encapsulation: %v", err)
	}
}

// TestWordsBranchProbe: words with a spoilt row, which tkn20 opens for holders of one branch
// of the policy only, are read by nobody: so all who satisfy a policy read what others do.
func TestWordsBranchProbe(t *testing.T) {
	dp, c := dayPolicy(t, testPolicy, testDay), testWords()
	seed := secretOf("seed")
	enc, _, err := MakeWords(seed, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	coins := Expand(seed, "coterie/2 to coins", c.hash())
	s, err := chacha20.NewUnauthenticatedCipher(coins.b[:], make([]byte, chacha20.NonceSize))
	if err != nil {
		t.Fatal(err)
	}
	macSeed := make([]byte, 72)
	if _, err := io.ReadFull(keystream{s}, macSeed); err != nil {
		t.Fatal(err)
	}
	crafted, opens := spoilRow(t, enc, macSeed, 0), 0
	for _, key := range []*abe.Key{issue(t, "A", "B"), issue(t, "C")} {
		if _, err := dp.Decrypt(key, crafted, openedSize); err == nil {
			opens++
		}
		if _, err := OpenWords(key, dp, c, crafted); err != ErrNotOpened {
			t.Errorf("crafted words: %v", err)
		}
	}
	if opens != 1 {
		t.Fatalf("tkn20 opens it for %d of 2: the test shows nothing", opens)
	}
}

// TestWordsSealed: words have one sealed form, whose size tells their length within a factor
// of two, and no other opens.
func TestWordsSealed(t *testing.T) {
	key := WordsKey{secretOf("key")}
	sizes := make(map[int]int)
	for n := range 8191 {
		sealed, err := key.Seal(strings.Repeat("x", n))
		if err != nil || !SealedWords(len(sealed)) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		sizes[len(sealed)]++
		if n%97 == 0 || n < 600 {
			if got, err := key.Open(sealed); err != nil || len(got) != n {
				t.Fatalf("%d bytes: %d, %v", n, len(got), err)
			}
		}
	}
	if len(sizes) != 6 || sizes[256+16] != 255 {
		t.Errorf("the sizes are %v", sizes)
	}
	for _, bad := range []string{strings.Repeat("x", 8191), "\xff"} {
		if _, err := key.Seal(bad); !errors.Is(err, ErrWords) {
			t.Errorf("%d bytes are sealed: %v", len(bad), err)
		}
	}
	for what, plain := range badWords() {
		if got, err := key.Open(sealAny(t, key, plain)); !errors.Is(err, ErrNotOpened) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	good, err := key.Seal("words")
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 1
		if _, err := key.Open(bad); !errors.Is(err, ErrNotOpened) {
			t.Errorf("byte %d counts for nothing", at)
		}
	}
	for _, n := range []int{0, 15, 256, 271, 273, 8192, 16384 + 16} {
		if _, err := key.Open(make([]byte, n)); !errors.Is(err, ErrNotOpened) || SealedWords(n) {
			t.Errorf("%d bytes are opened", n)
		}
	}
}

// TestWordsThatFit: what is said to fit does.
func TestWordsThatFit(t *testing.T) {
	for n := range 20000 {
		fits := WordsThatFit(n)
		if fits < 0 {
			if n >= 256+16 {
				t.Fatalf("nothing fits into %d", n)
			}
			continue
		}
		size := 256
		for size < fits+2 {
			size *= 2
		}
		if size+16 > n || fits > 8190 {
			t.Fatalf("%d fit into %d", fits, n)
		}
	}
	if WordsThatFit(511+16) != 254 || WordsThatFit(512+16) != 510 || WordsThatFit(100000) != 8190 {
		t.Error("other sizes fit")
	}
}

// badWords are plaintexts that no author makes.
func badWords() map[string][]byte {
	of := func(size int, length int, text string) []byte {
		b := make([]byte, size)
		binary.BigEndian.PutUint16(b, uint16(length))
		copy(b[2:], text)
		return b
	}
	padding := of(256, 1, "x")
	padding[255] = 1
	return map[string][]byte{
		"a length beyond the end":      of(256, 255, ""),
		"padding that is not zero":     padding,
		"a text behind its length":     of(256, 1, "xy"),
		"padded to 512 bytes":          of(512, 200, strings.Repeat("x", 200)),
		"256 bytes that fill 512":      of(512, 254, strings.Repeat("x", 254)),
		"not UTF-8":                    of(256, 1, "\xff"),
		"padded to a size that is not": of(300, 298, strings.Repeat("x", 298)),
	}
}

func sealAny(t *testing.T, key WordsKey, plain []byte) []byte {
	aead, err := chacha20poly1305.New(key.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), plain, nil)
}

// TestVectorsWords is about PROTOCOL.md §9.6.
func TestVectorsWords(t *testing.T) {
	type refused struct {
		What   string   `json:"what"`
		Sealed hexBytes `json:"sealed"`
	}
	type vector struct {
		Seed          hexBytes  `json:"seed"`
		Room          hexBytes  `json:"room"`
		Day           uint32    `json:"day"`
		Epoch         hexBytes  `json:"epoch"`
		Author        hexBytes  `json:"author"`
		Counter       uint64    `json:"counter"`
		Policy        string    `json:"policy"`
		Words         string    `json:"words"`
		Context       hexBytes  `json:"context"`
		Opened        hexBytes  `json:"opened"`
		CoinsKey      hexBytes  `json:"coins_key"`
		Encapsulation hexBytes  `json:"encapsulation"`
		Key           hexBytes  `json:"k"`
		Sealed        hexBytes  `json:"sealed"`
		Refused       []refused `json:"refused"`
	}
	key := vectorKey(t)
	p, err := abe.ParsePolicy(`"NTNU"`)
	if err != nil {
		t.Fatal(err)
	}
	c := &WordsContext{Room: hashOf("vector room"), Epoch: hashOf("vector epoch"), Author: hashOf("vector author"),
		Counter: 2, Policy: p.String()}
	dp, err := key.Domain().ForDay(p, key.From())
	if err != nil {
		t.Fatal(err)
	}
	seed := secretOf("vector seed")
	enc, made, err := MakeWords(seed, dp, c)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenWords(key, dp, c, enc)
	if err != nil || !opened.Equal(&made.Secret) {
		t.Fatalf("opened another: %v", err)
	}
	bind := Sum("coterie/2 to bind", c.hash())
	coins := Expand(seed, "coterie/2 to coins", c.hash())
	if again := encryptAny(t, dp, chacha(t, coins.Bytes()), append(seed.Bytes(), bind[:]...)); !bytes.Equal(again, enc) {
		t.Error("not the encapsulation of the page")
	}
	const words = "Hei, professor"
	sealed, err := made.Seal(words)
	if err != nil {
		t.Fatal(err)
	}
	v := vector{
		Seed: seed.Bytes(), Room: c.Room[:], Day: uint32(key.From()), Epoch: c.Epoch[:], Author: c.Author[:],
		Counter: c.Counter, Policy: c.Policy, Words: words, Context: c.hash(), Opened: append(seed.Bytes(), bind[:]...),
		CoinsKey: coins.Bytes(), Encapsulation: enc, Key: made.Bytes(), Sealed: sealed,
	}
	bad := badWords()
	for _, what := range slices.Sorted(maps.Keys(bad)) {
		v.Refused = append(v.Refused, refused{what, sealAny(t, made, bad[what])})
	}
	vectorJSON(t, "words.json", []vector{v})
}
