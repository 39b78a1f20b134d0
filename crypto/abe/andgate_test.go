package abe

import (
	"bytes"
	"crypto/subtle"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudflare/circl/ecc/bls12381"
	"golang.org/x/crypto/blake2b"
)

// The attack of this file pairs a key with chosen rows of a ciphertext, without
// asking whether they satisfy the policy. Up to v1.6.3, circl shared an "and"
// so that one side carried the whole secret; the Boneh-Katz transform puts one
// over every policy, with a wildcard that every key holds on the other side.
// Everything here is public knowledge: key bytes, ciphertext bytes, pairings.

// rawKey is a tkn20 key taken apart.
type rawKey struct {
	k1         []bls12381.G2
	k2, k3wild []bls12381.G1
	k3         map[string][]bls12381.G1
}

func g1s(t *testing.T, m []byte) []bls12381.G1 {
	t.Helper()
	points := make([]bls12381.G1, (len(m)-4)/bls12381.G1Size)
	for i := range points {
		if err := points[i].SetBytes(m[4+i*bls12381.G1Size:][:bls12381.G1Size]); err != nil {
			t.Fatal(err)
		}
	}
	return points
}

func g2s(t *testing.T, m []byte) []bls12381.G2 {
	t.Helper()
	points := make([]bls12381.G2, (len(m)-4)/bls12381.G2Size)
	for i := range points {
		if err := points[i].SetBytes(m[4+i*bls12381.G2Size:][:bls12381.G2Size]); err != nil {
			t.Fatal(err)
		}
	}
	return points
}

func takeKeyApart(t *testing.T, k *Key) rawKey {
	t.Helper()
	b, err := k.secret.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	c := &cursor{b: b}
	c.field()
	r := rawKey{k1: g2s(t, c.field()), k2: g1s(t, c.field()), k3: map[string][]bls12381.G1{}}
	for range c.int(2) {
		label := string(c.field())
		r.k3[label] = g1s(t, c.field())
	}
	if c.int(2) != 1 || string(c.field()) != wildcard {
		t.Fatal("the key has no wildcard")
	}
	if r.k3wild = g1s(t, c.field()); c.bad {
		t.Fatal("the test cannot read a key")
	}
	return r
}

// attack opens a ciphertext with the chosen wires: positive ones, of which the
// key holds the labels, or the wildcard's.
func attack(t *testing.T, k *Key, ciphertext []byte, wires []wire, chosen ...int) (plaintext []byte, opened bool) {
	t.Helper()
	key := takeKeyApart(t, k)
	r, ok := takeApart(ciphertext)
	if !ok {
		t.Fatal("the test cannot read a ciphertext")
	}
	var ps []*bls12381.G1
	var qs []*bls12381.G2
	var signs []int
	pair := func(as []bls12381.G1, bs []bls12381.G2, sign int) {
		if len(as) != len(bs) {
			t.Fatal("the test pairs vectors of different lengths")
		}
		for i := range as {
			ps, qs, signs = append(ps, &as[i]), append(qs, &bs[i]), append(signs, sign)
		}
	}
	total := make([]bls12381.G1, 3)
	for i := range total {
		total[i].SetIdentity()
	}
	for _, w := range chosen {
		for i, point := range g1s(t, r.c3[w]) {
			total[i].Add(&total[i], &point)
		}
		if w < len(wires) {
			row := 0
			for _, earlier := range wires[:w] {
				if earlier.label == wires[w].label {
					row++
				}
			}
			pair(key.k3[wires[w].label], g2s(t, r.c2[row]), 1)
			continue
		}
		var id bls12381.Scalar
		id.SetBytes(r.id)
		points := make([]bls12381.G1, len(key.k3wild))
		for i := range points {
			points[i].ScalarMult(&id, &key.k3[wildcard][i])
			points[i].Add(&points[i], &key.k3wild[i])
		}
		pair(points, g2s(t, r.c2[0]), 1)
	}
	pair(total, key.k1, -1)
	pair(key.k2, g2s(t, r.c1), 1)

	secret, err := bls12381.ProdPairFrac(ps, qs, signs).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	streamKey := blake2b.Sum256(secret)
	xof, err := blake2b.NewXOF(blake2b.OutputLengthUnknown, streamKey[:])
	if err != nil {
		t.Fatal(err)
	}
	env := make([]byte, len(r.env))
	xof.Read(env)
	subtle.XORBytes(env, env, r.env)
	return env[seedSize:], bytes.Equal(macTag(env[:seedSize], r.mac()), r.tag)
}

// macTag is the tag of the Boneh-Katz transform.
func macTag(seed, data []byte) []byte {
	key := blake2b.Sum256(append([]byte("key computation hash"), seed...))
	mac, err := blake2b.New256(key[:])
	if err != nil {
		panic(err)
	}
	mac.Write(data)
	return mac.Sum(nil)
}

// TestAndGateFlaw fails with circl up to v1.6.3, where any key opens any
// ciphertext.
func TestAndGateFlaw(t *testing.T) {
	message := []byte("for professors of telematics only")
	p := forDay(t, "Professor and Telematics", testDay)
	wires := newCircuit(p.policy.onDay(testDay)).wires
	ciphertext := encrypt(t, p, "x", message)
	transform := len(wires) // the wire that the transform adds

	day := -1 // the one of the day's four that the keys hold
	for i, w := range wires {
		if _, ok := issue(t, "guest").grant.labels()[w.label]; ok {
			day = i
		}
	}

	// The attack's arithmetic is right: with all that the policy asks for it opens.
	both := issue(t, "Professor", "Telematics")
	if got, ok := attack(t, both, ciphertext, wires, 0, 1, day, transform); !ok || !bytes.Equal(got, message) {
		t.Fatal("a satisfying key does not open: the test is wrong")
	}

	for name, c := range map[string]struct {
		k      *Key
		chosen []int
	}{
		"any key, through the transform alone":          {issue(t, "guest"), []int{transform}},
		"a key of nothing but days":                     {issue(t), []int{transform}},
		"half a key, through its half alone":            {issue(t, "Professor"), []int{0}},
		"the other half, through its half alone":        {issue(t, "Telematics"), []int{1}},
		"half a key, through half and transform":        {issue(t, "Professor"), []int{0, transform}},
		"the other half, through half and transform":    {issue(t, "Telematics"), []int{1, transform}},
		"half a key on its day, through all it holds":   {issue(t, "Professor"), []int{0, day, transform}},
		"the other half on its day, through all it has": {issue(t, "Telematics"), []int{1, day, transform}},
		"any key, through the day alone":                {issue(t, "guest"), []int{day}},
		"any key, through day and transform":            {issue(t, "guest"), []int{day, transform}},
		"all attributes, no day":                        {both, []int{0, 1, transform}},
	} {
		if got, ok := attack(t, c.k, ciphertext, wires, c.chosen...); ok || bytes.Contains(got, message[:8]) {
			t.Errorf("%s: recovered %q", name, got)
		}
		if c.k != both {
			if _, err := p.Decrypt(c.k, ciphertext, len(message)); err == nil {
				t.Errorf("%s: Decrypt opened", name)
			}
		}
	}
}

const circl = "github.com/cloudflare/circl"

// leastCircl has both fixes: of the AND gate (v1.6.4) and of a length that
// overflowed (v1.6.5). No advisory exists, so no scanner would say so.
var leastCircl = [3]int{1, 6, 5}

// TestCirclVersion reads what the module asks for and what was linked.
func TestCirclVersion(t *testing.T) {
	found := 0
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == circl {
				found++
				checkCircl(t, "linked", m)
			}
		}
	}
	for dir, _ := os.Getwd(); ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			for _, m := range regexp.MustCompile(`(?m)^\s*(?:require\s+)?`+regexp.QuoteMeta(circl)+`\s+(v\S+)`).
				FindAllStringSubmatch(string(mod), -1) {
				found++
				checkCircl(t, "go.mod", &debug.Module{Path: circl, Version: m[1]})
			}
			if regexp.MustCompile(regexp.QuoteMeta(circl) + `[^\n]*=>`).Match(mod) {
				t.Error("go.mod replaces circl")
			}
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if found == 0 {
		t.Error("circl's version is nowhere to be found")
	}
}

func checkCircl(t *testing.T, where string, m *debug.Module) {
	t.Helper()
	if m.Replace != nil {
		t.Errorf("%s: circl is replaced by %s %s", where, m.Replace.Path, m.Replace.Version)
	}
	if !atLeastVersion(m.Version, leastCircl) {
		t.Errorf("%s: circl %s; every version before v1.6.5 lets keys open what they must not", where, m.Version)
	}
}

// atLeastVersion compares release numbers; pre-releases and what it cannot read
// are too old.
func atLeastVersion(version string, least [3]int) bool {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) != 3 {
		return false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < least[i] {
			return false
		}
		if n > least[i] {
			return true
		}
	}
	return true
}

func TestAtLeastVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"v1.6.5": true, "v1.6.6": true, "v1.7.0": true, "v2.0.0": true, "v1.6.10": true,
		"v1.6.4": false, "v1.6.3": false, "v1.5.9": false, "v0.9.9": false, "v1.6.5-rc1": false, "": false, "(devel)": false,
	} {
		if atLeastVersion(version, leastCircl) != want {
			t.Errorf("%s: %t", version, !want)
		}
	}
}
