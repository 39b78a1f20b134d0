package abe

import (
	"crypto/sha3"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

// stream is the randomness of tests and vectors: SHAKE256 of a text.
func stream(seed string) io.Reader {
	s := sha3.NewSHAKE256()
	s.Write([]byte(seed))
	return s
}

func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// testDay lies in the middle of a block of 8 days, which all keys of the tests
// cover: one label.
const (
	testFrom    Day = 20_768
	testDay     Day = 20_770
	testExpires Day = 20_776
)

var authority = sync.OnceValue(func() *MasterKey {
	m, err := Setup(stream("test authority"), "NTNU")
	if err != nil {
		panic(err)
	}
	return m
})

func attributes(t testing.TB, texts ...string) []Attribute {
	t.Helper()
	as, err := ParseAttributes(texts)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

func issue(t testing.TB, texts ...string) *Key {
	t.Helper()
	k, err := authority().Issue(stream("test key"), Grant{
		Serial: 1, Attributes: attributes(t, texts...), Generation: 2, From: testFrom, Expires: testExpires,
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func policy(t testing.TB, source string) *Policy {
	t.Helper()
	p, err := ParsePolicy(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return p
}

func forDay(t testing.TB, source string, d Day) *DayPolicy {
	t.Helper()
	p, err := authority().Domain().ForDay(policy(t, source), d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encrypt(t testing.TB, p *DayPolicy, coins string, plaintext []byte) []byte {
	t.Helper()
	c, err := p.Encrypt(stream(coins), plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// raw is a ciphertext taken apart, each matrix with its dimensions, so that
// tests can put it together again as no honest sender would.
type raw struct {
	version           string
	id                []byte
	policy            []byte
	c1                []byte
	c2, c3, c3neg     [][]byte
	env               []byte
	tag               []byte
	afterHeader, rest []byte // bytes that do not belong there
}

type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) int(size int) int {
	b := c.take(size)
	switch {
	case b == nil:
		return 0
	case size == 2:
		return int(binary.LittleEndian.Uint16(b))
	}
	return int(binary.LittleEndian.Uint32(b))
}

func (c *cursor) field() []byte { return c.take(c.int(2)) }

func (c *cursor) fields(n int) (all [][]byte) {
	for range n {
		if c.bad {
			return nil
		}
		all = append(all, c.field())
	}
	return all
}

// takeApart follows tkn20's own reading of a ciphertext, not our skeleton.
func takeApart(ciphertext []byte) (r raw, ok bool) {
	c := &cursor{b: ciphertext}
	r.version = string(c.take(6))
	r.id = c.field()
	mac := &cursor{b: c.take(c.int(4))}
	r.tag = c.field()
	r.rest = c.b
	header := &cursor{b: mac.take(mac.int(4))}
	r.env = mac.take(mac.int(4))
	r.policy = header.field()
	r.c1 = header.field()
	r.c2 = header.fields(header.int(2))
	n := header.int(2)
	r.c3 = header.fields(n)
	r.c3neg = header.fields(n)
	r.afterHeader = header.b
	return r, !c.bad && !mac.bad && !header.bad && len(mac.b) == 0
}

func field(b, f []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(f))), f...)
}

func (r raw) header() []byte {
	le := binary.LittleEndian
	h := field(nil, r.policy)
	h = field(h, r.c1)
	h = le.AppendUint16(h, uint16(len(r.c2)))
	for _, m := range r.c2 {
		h = field(h, m)
	}
	h = le.AppendUint16(h, uint16(len(r.c3)))
	for _, m := range r.c3 {
		h = field(h, m)
	}
	for _, m := range r.c3neg {
		h = field(h, m)
	}
	return append(h, r.afterHeader...)
}

func (r raw) mac() []byte {
	le := binary.LittleEndian
	h := r.header()
	m := append(le.AppendUint32(nil, uint32(len(h))), h...)
	return append(le.AppendUint32(m, uint32(len(r.env))), r.env...)
}

func (r raw) together() []byte {
	mac := r.mac()
	b := field([]byte(r.version), r.id)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(mac))), mac...)
	return append(field(b, r.tag), r.rest...)
}

// matrix is a matrix with these dimensions and entries.
func matrix(rows, columns int, entries []byte) []byte {
	m := binary.LittleEndian.AppendUint16(nil, uint16(rows))
	return append(binary.LittleEndian.AppendUint16(m, uint16(columns)), entries...)
}

// randomPolicy is a text over a few attributes; sized so that most are within
// the limits.
func randomPolicy(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(3) == 0 {
		return []string{
			"NTNU", `"5th year"`, "admin", "ops.team@x", `dept = Telematics`, `dept != "Physics"`, `dept = "Applied Physics"`,
			"age >= 18", "age < 21", "age = 21", "age != 20", "age <= 4294967295", "age > 0", "generation = 2",
			"generation != 3",
			`"dept"`, `"and"`, `"\\\"" = "\""`,
		}[r.IntN(18)]
	}
	part := func() string { return randomPolicy(r, depth-1) }
	switch r.IntN(4) {
	case 0:
		return part() + " and " + part()
	case 1:
		return part() + " OR " + part()
	case 2:
		return "(" + part() + ")"
	}
	return []string{"1", "2", "3"}[r.IntN(3)] + " of (" + part() + ", " + part() + ", " + part() + ")"
}

// randomAttributes are some that randomPolicy asks for.
func randomAttributes(r *rand.Rand) []Attribute {
	var as []Attribute
	for _, name := range []string{"NTNU", "5th year", "admin", "ops.team@x", "dept", "and"} {
		if r.IntN(2) == 0 {
			as = append(as, Attribute{Name: name})
		}
	}
	if r.IntN(3) > 0 {
		as = append(as, Attribute{"dept", []string{"Telematics", "Physics", "Applied Physics"}[r.IntN(3)], true})
	}
	if r.IntN(3) > 0 {
		as = append(as, Attribute{"age", []string{"0", "1", "17", "18", "20", "21", "4294967295", "old"}[r.IntN(8)], true})
	}
	if r.IntN(3) > 0 {
		as = append(as, Attribute{`\"`, []string{`"`, "x"}[r.IntN(2)], true})
	}
	return as
}
