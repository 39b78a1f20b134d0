package abe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"github.com/cloudflare/circl/ecc/bls12381"
)

// Vectors of files and ciphertexts that are damaged in one way each:
// damaged-files.json and damaged-ciphertexts.json. testdata/README.md says how
// to read them.

// damage is what makes a bad one of a good one.
type damage struct {
	Name   string `json:"name"`
	File   string `json:"file,omitempty"`   // the good one; read as what it is by its name
	As     string `json:"as,omitempty"`     // or read as this
	Policy string `json:"policy,omitempty"` // opened under this policy, if not the good one's
	Day    string `json:"day,omitempty"`    // on this day
	Size   *int   `json:"size,omitempty"`   // as one of so many bytes of plaintext
	Edits  []edit `json:"edits,omitempty"`
	SHA256 string `json:"sha256"` // of the bad one
	Class  string `json:"class"`
}

// edit replaces, at an offset of the good one, so many bytes. Edits stand in
// ascending order and do not meet.
type edit struct {
	At  int    `json:"at"`
	Cut int    `json:"cut"`
	Put string `json:"put"`
}

func (d damage) apply(t *testing.T, good []byte) []byte {
	t.Helper()
	var bad []byte
	at := 0
	for _, e := range d.Edits {
		put, err := hex.DecodeString(e.Put)
		if err != nil {
			t.Fatal(err)
		}
		bad = append(append(bad, good[at:e.At]...), put...)
		at = e.At + e.Cut
	}
	return append(bad, good[at:]...)
}

// edits are some that make b of a: after a difference they go on where 16 bytes
// of b are next found in a.
func edits(a, b []byte) (es []edit) {
	const alike = 16
	for i, j := 0, 0; ; {
		for i < len(a) && j < len(b) && a[i] == b[j] {
			i, j = i+1, j+1
		}
		if i == len(a) && j == len(b) {
			return es
		}
		e := edit{At: i, Cut: len(a) - i, Put: hex.EncodeToString(b[j:])}
		next := len(b)
		for m := j; m+alike <= len(b); m++ {
			if at := bytes.Index(a[i:], b[m:m+alike]); at >= 0 {
				e.Cut, e.Put, next = at, hex.EncodeToString(b[j:m]), m
				break
			}
		}
		es = append(es, e)
		i, j = i+e.Cut, next
	}
}

func made(name, class string, good, bad []byte) damage {
	sum := sha256.Sum256(bad)
	return damage{Name: name, Class: class, Edits: edits(good, bad), SHA256: hex.EncodeToString(sum[:])}
}

// fields of the three kinds of files; bytes makes the file and its checksum.
type domainFile struct {
	name, params, authority, relays, trailing []byte
}

func (f domainFile) bytes(t *testing.T) []byte {
	return sealed(t, KindDomain, func(b *cryptobyte.Builder) {
		addBytes16(b, f.name)
		addBytes16(b, f.params)
		b.AddBytes(f.authority)
		addBytes16(b, f.relays)
		b.AddBytes(f.trailing)
	})
}

// relayedFile is a domain's file with relays.
func relayedFile(t *testing.T, d domainFile, relays []string, trailing []byte) []byte {
	t.Helper()
	d.relays, d.trailing = nil, trailing
	for _, r := range relays {
		d.relays = append(append(d.relays, byte(len(r))), r...)
	}
	return d.bytes(t)
}

func vectorKeyOf(t *testing.T, b []byte) *Key {
	t.Helper()
	k, err := ParseKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type masterFile struct {
	domain, secret, seed, trailing []byte
}

func (f masterFile) bytes(t *testing.T) []byte {
	return sealed(t, KindMaster, func(b *cryptobyte.Builder) {
		addBytes24(b, f.domain)
		addBytes16(b, f.secret)
		b.AddBytes(f.seed)
		b.AddBytes(f.trailing)
	})
}

func sealed(t *testing.T, k Kind, body func(*cryptobyte.Builder)) []byte {
	t.Helper()
	b, err := seal(k, body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vectorBytes(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// changed is b with bytes overwritten at an offset, from the end if negative.
func changed(b []byte, at int, put ...byte) []byte {
	if at < 0 {
		at += len(b)
	}
	return slices.Replace(bytes.Clone(b), at, at+len(put), put...)
}

func flipped(b []byte, at int) []byte {
	if at < 0 {
		at += len(b)
	}
	return changed(b, at, b[at]^1)
}

// Elements that are not the parameters' or a key's. smallOrder is the point
// (0, 2) of order 3, which is on the curve of G1 and not in the group.
var (
	smallOrder = changed(make([]byte, bls12381.G1Size), -1, 2)
	identityG1 = changed(make([]byte, bls12381.G1Size), 0, infinity)
	identityG2 = changed(make([]byte, bls12381.G2Size), 0, infinity)
	oneGt      = changed(make([]byte, bls12381.GtSize), -1, 1)
	twoGt      = changed(make([]byte, bls12381.GtSize), -1, 2)
	minusOneGt = append(make([]byte, bls12381.GtSize-48), lessOne(fieldOrder)...)
)

// fieldOrder is the prime of the coordinates.
var fieldOrder, _ = hex.DecodeString(
	"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab")

func lessOne(b []byte) []byte { return changed(b, -1, b[len(b)-1]-1) }

const (
	g2At = 6                            // of the first point of G2 in parameters
	g1At = g2At + 8*bls12381.G2Size + 6 // of G1
	gtAt = g1At + 6*bls12381.G1Size + 6 // of GT
)

// badParams are parameters of a domain.
func badParams(p []byte) map[string][]byte {
	at := func(offset int, put []byte) []byte { return changed(p, offset, put...) }
	bad := map[string][]byte{
		"no parameters": nil, "parameters cut": p[:len(p)-1], "parameters and a byte": append(bytes.Clone(p), 0),
		"another length of the matrix of G2": flipped(p, 0), "2x4 for 4x2 in G2": at(2, []byte{2, 0, 4, 0}),
		"1x8 for 4x2 in G2":                  at(2, []byte{1, 0, 8, 0}),
		"another length of the matrix of G1": flipped(p, g1At-6), "2x3 for 3x2 in G1": at(g1At-4, []byte{2, 0, 3, 0}),
		"another length of the matrix of GT": flipped(p, gtAt-6), "1x2 for 2x1 in GT": at(gtAt-4, []byte{1, 0, 2, 0}),
		"a point off the curve of G2": flipped(p, g2At+191), "a point off the curve of G1": flipped(p, g1At+95),
		"a point of G1 of order 3": at(g1At, smallOrder), "a coordinate of G1 not below the field's order": at(g1At,
			append(bytes.Clone(fieldOrder), p[g1At+48:g1At+96]...)),
		"a flag of compression in G1": changed(p, g1At, p[g1At]|0x80), "a flag of sign in G1": changed(p, g1At, p[g1At]|0x20),
		"a flag of infinity beside a point of G2": changed(p, g2At, p[g2At]|infinity),
		"the identity first in G1":                at(g1At, identityG1), "the identity last in G1": at(gtAt-6-96, identityG1),
		"the identity first in G2": at(g2At, identityG2), "the identity last in G2": at(g1At-6-192, identityG2),
		"zero in GT": at(gtAt, make([]byte, bls12381.GtSize)), "one in GT": at(gtAt, oneGt), "two in GT": at(gtAt, twoGt),
		"minus one in GT":             at(gtAt, minusOneGt),
		"one bit of an element of GT": flipped(p, gtAt+300), "zero second in GT": at(gtAt+bls12381.GtSize,
			make([]byte, bls12381.GtSize)), "one second in GT": at(gtAt+bls12381.GtSize, oneGt),
		"a coordinate of GT not below the field's order": at(gtAt, fieldOrder),
	}
	return bad
}

func TestVectorsDamagedFiles(t *testing.T) {
	good := map[string][]byte{}
	for _, name := range []string{"vectors.domain", "vectors.key", "vectors.master"} {
		good[name] = vectorBytes(t, name)
	}
	parse := map[string]func([]byte) error{
		"vectors.domain": func(b []byte) error { _, err := ParseDomain(b); return err },
		"vectors.key":    func(b []byte) error { _, err := ParseKey(b); return err },
		"vectors.master": func(b []byte) error { _, err := ParseMasterKey(b); return err },
	}
	var vs []damage
	add := func(file, name, class string, bad []byte) {
		d := made(name, class, good[file], bad)
		d.File = file
		vs = append(vs, d)
	}
	for _, file := range sortedKeys(good) {
		b := good[file]
		line := bytes.IndexByte(b, '\n')
		rest := func(first string) []byte { return resealed(append([]byte(first), b[line+1:]...)) }
		word := string(b[:line-2])
		add(file, "as it is", "", b)
		add(file, "nothing", "damaged", nil)
		add(file, "the first line alone", "damaged", b[:line+1])
		add(file, "no first line", "damaged", rest(""))
		add(file, "another word", "damaged", rest("coterie-keys 2\n"))
		add(file, "a word in capitals", "damaged", rest("C"+word[1:]+" 2\n"))
		add(file, "no version", "damaged", rest(word+"\n"))
		add(file, "two lines' end", "another version", rest(word+" 2\r\n"))
		add(file, "version 1", "another version", rest(word+" 1\n"))
		add(file, "version 3", "another version", rest(word+" 3\n"))
		add(file, "version 02", "another version", rest(word+" 02\n"))
		add(file, "two spaces", "another version", rest(word+"  2\n"))
		add(file, "a byte cut", "damaged", b[:len(b)-1])
		add(file, "a byte more", "damaged", append(bytes.Clone(b), 0))
		add(file, "a bit of the body", "damaged", flipped(b, len(b)/2))
		add(file, "a bit of the checksum", "damaged", flipped(b, -1))
		add(file, "no body", "damaged", resealed(append(bytes.Clone(b[:line+1]), make([]byte, sha256.Size)...)))
		for _, other := range sortedKeys(good) {
			if other != file {
				d := made("as a file of "+other, "another kind of file", b, b)
				d.File, d.As = file, other
				vs = append(vs, d)
			}
		}
	}

	d := domainOf(t, good["vectors.domain"])
	for _, name := range []string{"", "-x", ".x", "a b", "a/b", "a:b", "\u0301a", "a\u0301", "A\u030a", "a\u034f",
		"a\ufe0f", "\u115f", "a\u200b", "a\x00", "\xff", "²", string(bytes.Repeat([]byte("x"), 65))} {
		f := d
		f.name = []byte(name)
		add("vectors.domain", "the name "+hex.EncodeToString(f.name), "damaged", f.bytes(t))
	}
	for _, name := range []string{string(bytes.Repeat([]byte("x"), 64)), "_", "2026", "a.b-c@d", "x\u0323"} {
		f := d
		f.name = []byte(name)
		add("vectors.domain", "the name "+hex.EncodeToString(f.name), "", f.bytes(t))
	}
	bads := badParams(d.params)
	for _, name := range sortedKeys(bads) {
		f := d
		f.params = bads[name]
		add("vectors.domain", name, "damaged", f.bytes(t))
	}
	keys := map[string][]byte{
		"a key of notices of small order": append([]byte{1}, make([]byte, 31)...),
		"no point as the key of notices":  append([]byte{2}, make([]byte, 31)...),
		"another encoding of a point":     append(bytes.Repeat([]byte{0xff}, 31), 0x7f),
	}
	for _, name := range sortedKeys(keys) {
		f := d
		f.authority = keys[name]
		add("vectors.domain", name, "damaged", f.bytes(t))
	}
	trailing := d
	trailing.trailing = []byte{0}
	add("vectors.domain", "a byte at the end", "damaged", trailing.bytes(t))
	add("vectors.domain", "a length that leaves a byte", "damaged",
		resealed(flipped(good["vectors.domain"], len("coterie-domain 2\n")+1)))

	long := string(bytes.Repeat([]byte("x"), maxRelayLength))
	many := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	for _, r := range []struct {
		name, class string
		relays      []string
	}{
		{"one relay", "", []string{"relay.ntnu.no"}},
		{"two relays", "", []string{"/dns/relay.ntnu.no/tcp/4001", "10.0.0.7:4001"}},
		{"eight relays", "", many[:8]},
		{"a relay of 255 characters", "", []string{long}},
		{"the same relays in another order", "", []string{"b", "a"}},
		{"no relays", "", nil},
		{"nine relays", "damaged", many},
		{"an empty relay", "damaged", []string{""}},
		{"a relay twice", "damaged", []string{"a", "b", "a"}},
		{"a space in a relay", "damaged", []string{"a b"}},
		{"a control in a relay", "damaged", []string{"a\x1b"}},
		{"a delete in a relay", "damaged", []string{"a\x7f"}},
		{"no ASCII in a relay", "damaged", []string{"å.no"}},
	} {
		file := relayedFile(t, d, r.relays, nil)
		add("vectors.domain", r.name, r.class, file)
		k := fileOf(t, vectorKeyOf(t, good["vectors.key"]))
		k.domain = file
		add("vectors.key", r.name, r.class, k.bytes(t))
		m := masterOf(t, good["vectors.master"])
		if m.domain = file; len(r.relays) > 0 {
			add("vectors.master", r.name, "damaged", m.bytes(t))
		}
	}
	add("vectors.domain", "a byte after the relays", "damaged", relayedFile(t, d, many[:1], []byte{0}))

	m := masterOf(t, good["vectors.master"])
	for name, spoil := range map[string]func(*masterFile){
		"no domain":                 func(f *masterFile) { f.domain = nil },
		"a domain without checksum": func(f *masterFile) { f.domain = flipped(f.domain, -1) },
		"a domain with zero in GT": func(f *masterFile) {
			bad := d
			bad.params = changed(d.params, gtAt, make([]byte, bls12381.GtSize)...)
			f.domain = bad.bytes(t)
		},
		"a master in place of the domain": func(f *masterFile) { f.domain = good["vectors.master"] },
		"no secret":                       func(f *masterFile) { f.secret = nil },
		"a secret cut":                    func(f *masterFile) { f.secret = f.secret[:len(f.secret)-1] },
		"a secret and a byte":             func(f *masterFile) { f.secret = append(bytes.Clone(f.secret), 0) },
		"2x3 for 3x2":                     func(f *masterFile) { f.secret = changed(f.secret, 2, 2, 0, 3, 0) },
		"another length of a matrix":      func(f *masterFile) { f.secret = flipped(f.secret, 0) },
		"another length of the key":       func(f *masterFile) { f.secret = flipped(f.secret, len(f.secret)-18) },
		"a scalar that is the order":      func(f *masterFile) { f.secret = changed(f.secret, 6, bls12381.Order()...) },
		"a byte at the end":               func(f *masterFile) { f.trailing = []byte{0} },
		"no key of notices":               func(f *masterFile) { f.seed = nil },
		"another key of notices":          func(f *masterFile) { f.seed = flipped(f.seed, 0) },
	} {
		f := m
		spoil(&f)
		add("vectors.master", name, "damaged", f.bytes(t))
	}
	for name, change := range map[string]func(*masterFile){
		"another domain's secret": func(f *masterFile) {
			other := d
			other.name = []byte("other")
			f.domain = other.bytes(t)
		},
		"a scalar less than the order": func(f *masterFile) { f.secret = changed(f.secret, 6, lessOne(bls12381.Order())...) },
	} {
		f := m
		change(&f)
		add("vectors.master", name, "", f.bytes(t))
	}

	k, err := ParseKey(good["vectors.key"])
	if err != nil {
		t.Fatal(err)
	}
	pointAt := len(k.encoded) - bls12381.G1Size // of the last point
	firstG2 := bytes.Index(k.encoded, []byte{0x44, 0x02, 3, 0, 1, 0}) + 6
	grant := func(change func(*Grant)) func(*file) { // another grant, and the labels of that one
		return func(f *file) {
			g := k.grant
			g.Attributes = slices.Clone(g.Attributes)
			change(&g)
			slices.SortFunc(g.Attributes, compareAttributes)
			f.serial, f.generation, f.from, f.expires = g.Serial, g.Generation, uint32(g.From), uint32(g.Expires)
			f.attributes = nil
			for _, a := range g.Attributes {
				f.attributes = append(f.attributes, a.String())
			}
			f.secret = filled(keySkeleton(g.labels()), k)
		}
	}
	for name, spoil := range map[string]func(*file){
		"another attribute":                func(f *file) { f.attributes[1] = "NTNV" },
		"an attribute less":                func(f *file) { f.attributes = f.attributes[:2] },
		"an attribute more":                func(f *file) { f.attributes = append(f.attributes, "zoology") },
		"another value":                    func(f *file) { f.attributes[2] = "dept=Physics" },
		"a bare attribute for a named one": func(f *file) { f.attributes[2] = "dept" },
		"another order": func(f *file) {
			f.attributes[0], f.attributes[1] = f.attributes[1],
				f.attributes[0]
		},
		"an attribute twice":          func(f *file) { f.attributes = append(f.attributes, f.attributes[2]) },
		"quotes that need not be":     func(f *file) { f.attributes[1] = `"NTNU"` },
		"quotes that are missing":     func(f *file) { f.attributes[0] = "5th year" },
		"a space in an attribute":     func(f *file) { f.attributes[2] = "dept = Telematics" },
		"an attribute not in NFC":     grant(func(g *Grant) { g.Attributes[1].Name = "e\u0301" }),
		"an attribute that cannot be": grant(func(g *Grant) { g.Attributes[1].Name = "N\u200b" }),
		"two values of a name": grant(func(g *Grant) {
			g.Attributes = append(g.Attributes,
				Attribute{"dept", "Physics", true})
		}),
		"generation as an attribute":     grant(func(g *Grant) { g.Attributes[2] = Attribute{"generation", "x", true} }),
		"generation as a bare attribute": grant(func(g *Grant) { g.Attributes[2] = Attribute{Name: "generation"} }),
		"an empty attribute":             func(f *file) { f.attributes = append([]string{""}, f.attributes...) },
		"bytes after the list":           func(f *file) { f.afterList = []byte{0} },
		"a length without an attribute":  func(f *file) { f.afterList = []byte{0, 1} },
		"another generation":             func(f *file) { f.generation++ },
		"an earlier start":               func(f *file) { f.from-- },
		"a later end":                    func(f *file) { f.expires++ },
		"no days":                        grant(func(g *Grant) { g.Expires = g.From }),
		"days that run back":             grant(func(g *Grant) { g.From, g.Expires = g.Expires, g.From }),
		"1,831 days":                     grant(func(g *Grant) { g.Expires = g.From + 1831 }),
		"the year 10000":                 grant(func(g *Grant) { g.From, g.Expires = 2932896, 2932897 }),
		"no tkn20 key":                   func(f *file) { f.secret = nil },
		"a tkn20 key cut":                func(f *file) { f.secret = f.secret[:len(f.secret)-1] },
		"a tkn20 key and a byte":         func(f *file) { f.secret = append(bytes.Clone(f.secret), 0) },
		"another length of the labels":   func(f *file) { f.secret = flipped(f.secret, 0) },
		"another number of labels":       func(f *file) { f.secret = flipped(f.secret, 2) },
		"another label":                  func(f *file) { f.secret = flipped(f.secret, 6) },
		"another value's hash":           func(f *file) { f.secret = flipped(f.secret, 6+len("a_5th_20year")+32) },
		"a label with every value":       func(f *file) { f.secret = flipped(f.secret, 6+len("a_5th_20year")) },
		"1x3 for 3x1 in G2":              func(f *file) { f.secret = changed(f.secret, firstG2-4, 1, 0, 3, 0) },
		"another label of a matrix": func(f *file) {
			f.secret = flipped(f.secret, bytes.LastIndex(f.secret,
				[]byte("n_dept")))
		},
		"another number of wild labels": func(f *file) {
			f.secret = flipped(f.secret,
				len(f.secret)-4*96-6-2-len(wildcard)-2)
		},
		"a point off the curve of G1": func(f *file) { f.secret = flipped(f.secret, -1) },
		"a point off the curve of G2": func(f *file) { f.secret = flipped(f.secret, firstG2+191) },
		"a point of G1 of order 3":    func(f *file) { f.secret = changed(f.secret, pointAt, smallOrder...) },
		"no domain":                   func(f *file) { f.domain = nil },
		"a domain without checksum":   func(f *file) { f.domain = flipped(f.domain, -1) },
		"a domain with one in GT": func(f *file) {
			bad := d
			bad.params = changed(d.params, gtAt, oneGt...)
			f.domain = bad.bytes(t)
		},
		"another serial":             func(f *file) { f.serial = 1<<64 - 1 },
		"a byte after the tkn20 key": func(f *file) { f.trailing = []byte{0} },
	} {
		f := fileOf(t, k)
		spoil(&f)
		add("vectors.key", name, "damaged", f.bytes(t))
	}
	for name, change := range map[string]func(*file){
		"another domain's": func(f *file) {
			f.domain = domainFile{name: []byte("other"), params: d.params, authority: d.authority}.bytes(t)
		},
		"no attributes":       grant(func(g *Grant) { g.Attributes = nil }),
		"1,830 days":          grant(func(g *Grant) { g.Expires = g.From + 1830 }),
		"up to the year 9999": grant(func(g *Grant) { g.From, g.Expires = 2932895, 2932896 }),
		"a bare attribute and a named one of a name": grant(func(g *Grant) {
			g.Attributes = []Attribute{{Name: "a"},
				{"a", "b", true}}
		}),
		"the identity as a point": func(f *file) { f.secret = changed(f.secret, pointAt, identityG1...) },
	} {
		f := fileOf(t, k)
		change(&f)
		add("vectors.key", name, "", f.bytes(t))
	}
	slices.SortStableFunc(vs, func(a, b damage) int {
		return bytes.Compare([]byte(a.File+"\x00"+a.Name), []byte(b.File+"\x00"+b.Name))
	})
	vectorJSON(t, "damaged-files.json", vs)

	readDamage(t, "damaged-files.json", len(vs), func(d damage) {
		bad := d.apply(t, good[d.File])
		checkSum(t, d, bad)
		as := d.File
		if d.As != "" {
			as = d.As
		}
		if got := fileClass(parse[as](bad)); got != d.Class {
			t.Errorf("%s, %s: %q, want %q (%v)", d.File, d.Name, got, d.Class, parse[as](bad))
		}
	})
}

func readDamage(t *testing.T, file string, n int, each func(damage)) {
	t.Helper()
	var ds []damage
	if err := json.Unmarshal(vectorBytes(t, file), &ds); err != nil {
		t.Fatal(err)
	}
	if len(ds) != n {
		t.Errorf("%d are read, %d were written", len(ds), n)
	}
	for _, d := range ds {
		each(d)
	}
}

func checkSum(t *testing.T, d damage, bad []byte) {
	t.Helper()
	if sum := sha256.Sum256(bad); hex.EncodeToString(sum[:]) != d.SHA256 {
		t.Errorf("%s: its edits make something else", d.Name)
	}
}

func fileClass(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrKind):
		return "another kind of file"
	case errors.Is(err, ErrVersion):
		return "another version"
	case errors.Is(err, ErrFormat):
		return "damaged"
	}
	return "unknown"
}

// resealed is a file with its checksum made right.
func resealed(b []byte) []byte {
	b = b[:len(b)-sha256.Size]
	sum := sha256.Sum256(b)
	return append(bytes.Clone(b), sum[:]...)
}

func domainOf(t *testing.T, file []byte) (f domainFile) {
	t.Helper()
	body, err := unseal(KindDomain, file)
	var name, params cryptobyte.String
	authority := make([]byte, 32)
	if err != nil || !body.ReadUint16LengthPrefixed(&name) || !body.ReadUint16LengthPrefixed(&params) ||
		!body.CopyBytes(authority) {
		t.Fatal("no domain", err)
	}
	return domainFile{name: name, params: params, authority: authority}
}

func masterOf(t *testing.T, file []byte) masterFile {
	t.Helper()
	body, err := unseal(KindMaster, file)
	var domain, secret cryptobyte.String
	if err != nil || !body.ReadUint24LengthPrefixed(&domain) || !body.ReadUint16LengthPrefixed(&secret) {
		t.Fatal("no master key", err)
	}
	return masterFile{domain: domain, secret: secret, seed: body}
}

// filled is a tkn20 key of a shape with the points of another key, so that only
// the shape can be wrong.
func filled(s skeleton, k *Key) []byte {
	g2 := bytes.Index(k.encoded, []byte{0x44, 0x02, 3, 0, 1, 0}) + 6
	g1 := len(k.encoded) - 4*bls12381.G1Size
	var b []byte
	for _, p := range s.parts {
		switch p.gap {
		case 0:
			b = append(b, p.fixed...)
		case 3 * bls12381.G2Size:
			b = append(b, k.encoded[g2:][:p.gap]...)
		default:
			b = append(b, k.encoded[g1:][:p.gap]...)
		}
	}
	return b
}

func numbered(n int, prefix string) (as []Attribute) {
	for i := range n {
		as = append(as, Attribute{Name: prefix + string(rune('a'+i/26)) + string(rune('a'+i%26))})
	}
	return as
}

// widest are attributes whose labels take n bytes, about 60,000: 21 numbers of
// 33 labels each, and names of the size that is missing.
func widest(n int) []Attribute {
	as := numbered(21, strings.Repeat("n", 40))
	labels := map[string]string{}
	for i := range as {
		as[i].Value, as[i].Named = "7", true
		addAttribute(labels, as[i])
	}
	for i := 0; ; i++ {
		const least = 35 + len("a_zz")
		missing := n - attributeBytes(labels) - least
		if missing < 0 {
			return as
		}
		fill := min(missing, 300)
		if left := missing - fill; left > 0 && left < 100 {
			fill -= 100
		}
		a := Attribute{Name: "z" + string(rune('a'+i)) + strings.Repeat("_", fill/3) + strings.Repeat("q", fill%3)}
		as = append(as, a)
		addAttribute(labels, a)
	}
}

// TestVectorsEdgeLists: what one key can hold, and what it cannot.
func TestVectorsEdgeLists(t *testing.T) {
	type vector struct {
		Name       string   `json:"name"`
		Attributes []string `json:"attributes"`
		Class      string   `json:"class,omitempty"`
		Labels     int      `json:"labels,omitempty"` // without those of days and generation
		Bytes      int      `json:"bytes,omitempty"`  // §2.4
	}
	var vs []vector
	for _, c := range []struct {
		name, class string
		list        []Attribute
	}{
		{"no attributes", "", nil},
		{"100 attributes", "", numbered(100, "a")},
		{"101 attributes", "limit", numbered(101, "a")},
		{"60,000 bytes of labels", "", widest(60_000)},
		{"60,001 bytes of labels", "limit", widest(60_001)},
		{"a bare attribute and a named one of a name", "", []Attribute{{Name: "a"}, {"a", "b", true}}},
		{"an attribute twice", "twice", []Attribute{{Name: "a"}, {Name: "a"}}},
		{"two values of a name", "twice", []Attribute{{"a", "b", true}, {"a", "c", true}}},
		{"generation", "generation", []Attribute{{generation, "2", true}}},
		{"generation, bare", "generation", []Attribute{{Name: generation}}},
		{"Generation", "", []Attribute{{"Generation", "2", true}}},
	} {
		v := vector{Name: c.name, Class: c.class, Attributes: []string{}}
		for _, a := range c.list {
			v.Attributes = append(v.Attributes, a.String())
		}
		as, err := ParseAttributes(v.Attributes)
		class := ""
		if err != nil {
			if class = classOf(err); strings.Contains(err.Error(), "twice") || strings.Contains(err.Error(), "two values") {
				class = "twice"
			}
		} else {
			labels := map[string]string{}
			for _, a := range as {
				addAttribute(labels, a)
			}
			v.Labels, v.Bytes = len(labels), attributeBytes(labels)
		}
		if class != c.class {
			t.Errorf("%s: %q, want %q (%v)", c.name, class, c.class, err)
		}
		vs = append(vs, v)
	}
	vectorJSON(t, "edge-lists.json", vs)
}

func TestVectorsDamagedCiphertexts(t *testing.T) {
	const source, size = `dept != "Physics" and ("NTNU" or "NTNU" and generation = 2)`, 64
	domain, err := ParseDomain(vectorBytes(t, "vectors.domain"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(vectorBytes(t, "vectors.key"))
	if err != nil {
		t.Fatal(err)
	}
	under := func(source string, day Day) *DayPolicy {
		p, err := domain.ForDay(policy(t, source), day)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := under(source, testDay)
	plaintext := make([]byte, size)
	for i := range plaintext {
		plaintext[i] = byte(i)
	}
	const coins = "coterie test vectors: damaged"
	good := encrypt(t, p, coins, plaintext)
	if opened, err := p.Decrypt(key, good, size); err != nil || !bytes.Equal(opened, plaintext) {
		t.Fatal("the good one does not open", err)
	}

	var vs []damage
	add := func(name, class string, bad []byte) { vs = append(vs, made(name, class, good, bad)) }
	add("as it is", "", good)
	const shape, closed = "not a ciphertext of this policy, day and size", "not opened"

	// Each part that is known beforehand, by one bit; its name is by its place.
	s := ciphertextSkeleton(p.header, size)
	at := 0
	for i, part := range s.parts {
		if part.gap == 0 {
			add("a bit of the known part "+strconv.Itoa(i), shape, flipped(good, at))
			add("the last bit of the known part "+strconv.Itoa(i), shape, flipped(good, at+len(part.fixed)-1))
		} else {
			add("a bit of the free part "+strconv.Itoa(i), closed, flipped(good, at+part.gap-1))
		}
		at += len(part.fixed) + part.gap
	}
	for name, spoil := range map[string]func(r *raw){
		"version v1.3.9":            func(r *raw) { r.version = "v1.3.9" },
		"no version":                func(r *raw) { r.version = "" },
		"an id of 33 bytes":         func(r *raw) { r.id = append(bytes.Clone(r.id), 0) },
		"no id":                     func(r *raw) { r.id = nil },
		"c1 of 0x0":                 func(r *raw) { r.c1 = matrix(0, 0, nil) },
		"c1 of 1x1":                 func(r *raw) { r.c1 = matrix(1, 1, r.c1[4:][:192]) },
		"c1 of 1x4":                 func(r *raw) { r.c1 = matrix(1, 4, r.c1[4:]) },
		"c1 of 2x2":                 func(r *raw) { r.c1 = matrix(2, 2, r.c1[4:]) },
		"no c1":                     func(r *raw) { r.c1 = nil },
		"no c2":                     func(r *raw) { r.c2 = nil },
		"a c2 less":                 func(r *raw) { r.c2 = r.c2[:1] },
		"a c2 more":                 func(r *raw) { r.c2 = append(r.c2, r.c2[0]) },
		"c2 of 1x1":                 func(r *raw) { r.c2[1] = matrix(1, 1, r.c2[1][4:][:192]) },
		"a c3 less":                 func(r *raw) { r.c3, r.c3neg = r.c3[1:], r.c3neg[1:] },
		"a c3 more":                 func(r *raw) { r.c3, r.c3neg = append(r.c3, r.c3[0]), append(r.c3neg, nil) },
		"c3 of 0x0":                 func(r *raw) { r.c3[0] = matrix(0, 0, nil) },
		"c3 of 1x3":                 func(r *raw) { r.c3[0] = matrix(1, 3, r.c3[0][4:]) },
		"c3neg missing":             func(r *raw) { r.c3neg[0] = nil },
		"c3neg where none is":       func(r *raw) { r.c3neg[1] = r.c3[1] },
		"c3neg of 1x3":              func(r *raw) { r.c3neg[0] = matrix(1, 3, r.c3neg[0][4:]) },
		"bytes after the header":    func(r *raw) { r.afterHeader = []byte{0} },
		"a plaintext of 63 bytes":   func(r *raw) { r.env = r.env[:len(r.env)-1] },
		"a tag of 31 bytes":         func(r *raw) { r.tag = r.tag[:31] },
		"a byte at the end":         func(r *raw) { r.rest = []byte{0} },
		"the policy without a gate": func(r *raw) { r.policy = newCircuit(policy(t, "NTNU").onDay(testDay)).encoding() },
		"another value": func(r *raw) {
			r.policy = newCircuit(policy(t, `dept != "Botanic" and ("NTNU" or "NTNU" and generation = 2)`).onDay(testDay)).
				encoding()
		},
		"another day in it": func(r *raw) { r.policy = newCircuit(policy(t, source).onDay(testDay + 1)).encoding() },
		"or for and":        func(r *raw) { r.policy[4] ^= 1 },
		"not taken away": func(r *raw) {
			r.policy = newCircuit(policy(t, `dept = "Physics" and ("NTNU" or "NTNU" and generation = 2)`).onDay(testDay)).
				encoding()
		},
		"an input of a gate": func(r *raw) { r.policy[5] ^= 1 },
		"a value's hash":     func(r *raw) { r.policy[len(r.policy)-2] ^= 1 },
		"no policy":          func(r *raw) { r.policy = nil },
	} {
		r, ok := takeApart(bytes.Clone(good))
		if !ok {
			t.Fatal("the test cannot read a ciphertext")
		}
		spoil(&r)
		add(name, shape, r.together())
	}
	for name, spoil := range map[string]func(r *raw){
		"a point of G1 of order 3": func(r *raw) { copy(r.c3[2][4:], smallOrder) },
		"a point off the curve":    func(r *raw) { r.c1[4+191] ^= 1 },
		"the identity in c3":       func(r *raw) { copy(r.c3[2][4:], identityG1) },
		"a row in another's place": func(r *raw) { r.c3[1], r.c3[2] = r.c3[2], r.c3[1] },
		"another id":               func(r *raw) { r.id[0] ^= 1 },
		"another tag":              func(r *raw) { clear(r.tag) },
	} {
		r, _ := takeApart(bytes.Clone(good))
		spoil(&r)
		add(name, closed, r.together())
	}
	r, _ := takeApart(bytes.Clone(good))
	add("the format before v1.3.8", shape, older(r))
	add("nothing", shape, nil)
	add("cut by a byte", shape, good[:len(good)-1])
	add("cut in half", shape, good[:len(good)/2])

	// The good one, for something else.
	other := func(name, class, source string, day Day, n int) {
		d := made(name, class, good, good)
		d.Policy, d.Day, d.Size = source, day.String(), &n
		vs = append(vs, d)
	}
	other("on the day after", shape, source, testDay+1, size)
	other("on a day of the same block of 8 only", shape, source, testDay+5, size)
	other("for a byte less", shape, source, testDay, size-1)
	other("for a byte more", shape, source, testDay, size+1)
	other("under a policy of another order", shape, `("NTNU" or "NTNU" and generation = 2) and dept != "Physics"`, testDay,
		size)
	other("under a policy of another name", shape, `Dept != "Physics" and ("NTNU" or "NTNU" and generation = 2)`, testDay,
		size)

	slices.SortStableFunc(vs, func(a, b damage) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	file := struct {
		Policy     string   `json:"policy"`
		Day        string   `json:"day"`
		Coins      string   `json:"coins"` // SHAKE256 of this text
		Plaintext  string   `json:"plaintext"`
		Ciphertext string   `json:"ciphertext"`
		Vectors    []damage `json:"vectors"`
	}{p.policy.String(), p.day.String(), coins, hex.EncodeToString(plaintext), hex.EncodeToString(good), vs}
	vectorJSON(t, "damaged-ciphertexts.json", file)

	clear(file.Vectors)
	file.Vectors = nil
	if err := json.Unmarshal(vectorBytes(t, "damaged-ciphertexts.json"), &file); err != nil {
		t.Fatal(err)
	}
	good, _ = hex.DecodeString(file.Ciphertext)
	for _, d := range file.Vectors {
		bad := d.apply(t, good)
		checkSum(t, d, bad)
		as, n := p, size
		if d.Policy != "" {
			day, err := ParseDay(d.Day)
			if err != nil {
				t.Fatal(err)
			}
			as, n = under(d.Policy, day), *d.Size
		}
		_, err := as.Decrypt(key, bad, n)
		got := map[error]string{nil: "", ErrCiphertext: shape, ErrNotOpened: closed}[err]
		if got != d.Class {
			t.Errorf("%s: %q, want %q", d.Name, got, d.Class)
		}
	}
}
