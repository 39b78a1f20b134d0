package abe

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// file is a key's file taken apart; what it says can be changed.
type file struct {
	domain              []byte
	serial              uint64
	generation          uint32
	from, expires       uint32
	attributes          []string
	secret              []byte
	trailing, afterList []byte
}

func fileOf(t testing.TB, k *Key) file {
	t.Helper()
	domain, err := k.domain.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := k.secret.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	f := file{
		domain: domain, serial: k.grant.Serial, generation: k.grant.Generation,
		from: uint32(k.grant.From), expires: uint32(k.grant.Expires), secret: secret,
	}
	for _, a := range k.grant.Attributes {
		f.attributes = append(f.attributes, a.String())
	}
	return f
}

func (f file) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := seal(KindKey, func(b *cryptobyte.Builder) {
		addBytes24(b, f.domain)
		b.AddUint64(f.serial)
		b.AddUint32(f.generation)
		b.AddUint32(f.from)
		b.AddUint32(f.expires)
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, a := range f.attributes {
				addBytes16(b, []byte(a))
			}
			b.AddBytes(f.afterList)
		})
		addBytes24(b, f.secret)
		b.AddBytes(f.trailing)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeyFile(t *testing.T) {
	k := issue(t, "NTNU", "5th year", "dept=Telematics")
	encoded, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded, fileOf(t, k).bytes(t)) {
		t.Fatal("the test makes other files")
	}
	parsed, err := ParseKey(encoded)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parsed.MarshalBinary()
	if err != nil || !bytes.Equal(again, encoded) {
		t.Error("a key does not encode to the bytes it was parsed from", err)
	}
	if parsed.Serial() != 1 || parsed.Generation() != 2 || parsed.From() != testFrom || parsed.Expires() != testExpires ||
		!parsed.Domain().Equal(k.Domain()) || !reflect.DeepEqual(parsed.Attributes(), k.Attributes()) {
		t.Error("a key changed in its file")
	}
	if parsed.ValidOn(testFrom-1) || !parsed.ValidOn(testFrom) || !parsed.ValidOn(testExpires-1) ||
		parsed.ValidOn(testExpires) {
		t.Error("ValidOn")
	}
	parsed.Attributes()[0] = Attribute{Name: "root"}
	if parsed.Attributes()[0].Name == "root" {
		t.Error("a caller can change a key's attributes")
	}
	if _, err := (&Key{}).MarshalBinary(); err == nil {
		t.Error("a zero key was encoded")
	}
}

// TestLyingKeyFile: what a file says must be what its key holds.
func TestLyingKeyFile(t *testing.T) {
	k := issue(t, "NTNU", "age=21")
	other := issue(t, "NTNU", "age=22")
	for name, lie := range map[string]func(f *file){
		"another attribute":    func(f *file) { f.attributes[0] = "UiO" },
		"an attribute more":    func(f *file) { f.attributes = append(f.attributes, "zoology") },
		"an attribute less":    func(f *file) { f.attributes = f.attributes[:1] },
		"another value":        func(f *file) { f.attributes[1] = "age=22" },
		"a text for a number":  func(f *file) { f.attributes[1] = `age="021"` },
		"another order":        func(f *file) { f.attributes[0], f.attributes[1] = f.attributes[1], f.attributes[0] },
		"an attribute twice":   func(f *file) { f.attributes = append(f.attributes[:1], f.attributes...) },
		"another spelling":     func(f *file) { f.attributes[0] = `"NTNU"` },
		"bytes after the list": func(f *file) { f.afterList = []byte{0} },
		"later expiry":         func(f *file) { f.expires++ },
		"earlier expiry":       func(f *file) { f.expires-- },
		"earlier start":        func(f *file) { f.from-- },
		"an empty span":        func(f *file) { f.expires = f.from },
		"a backward span":      func(f *file) { f.from, f.expires = f.expires, f.from },
		"an endless span":      func(f *file) { f.expires = 1<<32 - 1 },
		"another generation":   func(f *file) { f.generation++ },
		"another's key":        func(f *file) { f.secret = fileOf(t, other).secret },
		"a key cut short":      func(f *file) { f.secret = f.secret[:len(f.secret)-1] },
		"no key":               func(f *file) { f.secret = nil },
		"a bad point":          func(f *file) { f.secret = bytes.Clone(f.secret); f.secret[len(f.secret)-1] ^= 1 },
		"no domain":            func(f *file) { f.domain = nil },
		"a damaged domain":     func(f *file) { f.domain = bytes.Clone(f.domain); f.domain[30] ^= 1 },
		"trailing bytes":       func(f *file) { f.trailing = []byte{0} },
	} {
		f := fileOf(t, k)
		lie(&f)
		_, err := ParseKey(f.bytes(t))
		var e *FileError
		if !errors.Is(err, ErrFormat) || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeyMatrices: no dimension, count or label of the tkn20 key can be
// changed.
func TestKeyMatrices(t *testing.T) {
	k := issue(t, "NTNU")
	f := fileOf(t, k)
	s := keySkeleton(k.grant.labels())
	at := 0
	for _, p := range s.parts {
		for i := range p.fixed {
			f := f
			f.secret = bytes.Clone(f.secret)
			f.secret[at+i] ^= 1
			if _, err := ParseKey(f.bytes(t)); !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d: %v", at+i, err)
			}
		}
		at += len(p.fixed) + p.gap
	}
}

func TestFileKinds(t *testing.T) {
	m := authority()
	encode := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files := map[Kind][]byte{
		KindKey:    encode(issue(t, "NTNU").MarshalBinary()),
		KindDomain: encode(m.Domain().MarshalBinary()),
		KindMaster: encode(m.MarshalBinary()),
	}
	parse := map[Kind]func(b []byte) error{
		KindKey:    func(b []byte) error { _, err := ParseKey(b); return err },
		KindDomain: func(b []byte) error { _, err := ParseDomain(b); return err },
		KindMaster: func(b []byte) error { _, err := ParseMasterKey(b); return err },
	}
	for kind, b := range files {
		if KindOf(b) != kind {
			t.Errorf("a %s file is taken for a %s", kind, KindOf(b))
		}
		for want, parse := range parse {
			err := parse(b)
			if want == kind && err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if want != kind && (!errors.Is(err, ErrKind) || err.Error() != fmt.Sprintf("not a %s file but a %s", want, kind)) {
				t.Errorf("%s as %s: %v", kind, want, err)
			}
		}
		newer := bytes.Replace(b, []byte(" 2\n"), []byte(" 3\n"), 1)
		if err := parse[kind](newer); !errors.Is(err, ErrVersion) || KindOf(newer) != kind {
			t.Errorf("%s of version 3: %v", kind, err)
		}
		for _, n := range []int{0, 1, 10, 16, 20, 50, len(b) / 2, len(b) - 1} {
			if err := parse[kind](b[:n]); !errors.Is(err, ErrFormat) {
				t.Errorf("%s of %d bytes: %v", kind, n, err)
			}
		}
		if err := parse[kind](append(bytes.Clone(b), 0)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s with a trailing byte: %v", kind, err)
		}
		for i := 0; i < len(b); i += 97 {
			bad := bytes.Clone(b)
			bad[i] ^= 0x20
			if err := parse[kind](bad); err == nil {
				t.Errorf("%s with byte %d changed was accepted", kind, i)
			} else if strings.ContainsFunc(err.Error(), func(r rune) bool { return !printable(r) }) {
				t.Errorf("%s with byte %d changed: %q", kind, i, err)
			}
		}
	}
	for _, s := range []string{"", "\n", "coterie-key", "coterie-key 1", "coterie-keys 1\n", " coterie-key 1\n",
		"age-encryption.org/v1\n",
		strings.Repeat("x", 100) + "\n"} {
		if KindOf([]byte(s)) != KindUnknown {
			t.Errorf("%q has a kind", s)
		}
		if err := parse[KindKey]([]byte(s)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestDomainAndMasterFiles(t *testing.T) {
	m := authority()
	encoded, _ := m.MarshalBinary()
	parsed, err := ParseMasterKey(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := parsed.MarshalBinary(); err != nil || !bytes.Equal(again, encoded) {
		t.Error("a master key does not encode to the bytes it was parsed from", err)
	}
	// The caller may erase the file; a key of the parsed master opens.
	clear(encoded)
	k, err := parsed.Issue(stream("x"), Grant{Attributes: attributes(t, "a"), From: testDay, Expires: testDay + 1})
	if err != nil {
		t.Fatal(err)
	}
	p := forDay(t, "a", testDay)
	if opened, err := p.Decrypt(k, encrypt(t, p, "c", []byte("hello")), 5); err != nil || string(opened) != "hello" {
		t.Error(opened, err)
	}

	d := m.Domain()
	file, _ := d.MarshalBinary()
	e, err := ParseDomain(file)
	if err != nil || !e.Equal(d) || e.ID() != d.ID() || e.Name() != "NTNU" {
		t.Fatal("a domain changed in its file", err)
	}
	id := append([]byte("\x10coterie/2 domain\x00\x00\x00\x04NTNU\x00\x00\x0c\xd2"), d.params...)
	id = append(append(id, 0, 0, 0, 32), d.authority...)
	sum := sha256.Sum256(id)
	if d.ID() != sum || d.Fingerprint() != fmt.Sprintf("%x-%x-%x-%x", sum[:2], sum[2:4], sum[4:6], sum[6:8]) {
		t.Error("the domain's id", d)
	}
	renamed, err := newDomain("UiO", d.params, d.authority)
	if err != nil || renamed.Equal(d) {
		t.Error("the name is not part of a domain", err)
	}
	for i := 0; i < len(d.params); i += 53 {
		bad := bytes.Clone(d.params)
		bad[i] ^= 1
		if _, err := newDomain("NTNU", bad, d.authority); err == nil {
			t.Errorf("parameters with byte %d changed were accepted", i)
		}
	}
	if _, err := newDomain("NTNU", d.params[:3281], d.authority); err == nil {
		t.Error("short parameters were accepted")
	}
}

func TestDomainNames(t *testing.T) {
	for _, name := range []string{"NTNU", "ntnu.no", "a@b", "_", "2026", "Ås", strings.Repeat("x", 64)} {
		if err := checkDomainName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", ".x", "-x", "a/b", `a\b`, "a b", "a\x00", "a\n", "A\u030as",
		strings.Repeat("x", 65), "x\u202ey", "a:b", "*", "\xff"} {
		if _, err := Setup(stream(""), name); err == nil {
			t.Errorf("%q is a domain's name", name)
		}
	}
	if _, err := Setup(nil, "NTNU"); err == nil {
		t.Error("set up without randomness")
	}
}

func TestIssueRefuses(t *testing.T) {
	m := authority()
	good := Grant{Attributes: attributes(t, "a"), From: testFrom, Expires: testExpires}
	for name, spoil := range map[string]func(g *Grant){
		"no days":            func(g *Grant) { g.Expires = g.From },
		"days that run back": func(g *Grant) { g.Expires = g.From - 1 },
		"too many days":      func(g *Grant) { g.Expires = g.From + MaxSpan + 1 },
		"the year 10000":     func(g *Grant) { g.From, g.Expires = maxDay, maxDay+1 },
		"a reserved name":    func(g *Grant) { g.Attributes = []Attribute{{generation, "2", true}} },
		"an empty name":      func(g *Grant) { g.Attributes = []Attribute{{}} },
		"a value unnamed":    func(g *Grant) { g.Attributes = []Attribute{{"a", "b", false}} },
		"no NFC":             func(g *Grant) { g.Attributes = []Attribute{{Name: "e\u0301"}} },
		"two values":         func(g *Grant) { g.Attributes = []Attribute{{"a", "b", true}, {"a", "c", true}} },
	} {
		g := good
		spoil(&g)
		if _, err := m.Issue(stream(name), g); err == nil {
			t.Errorf("issued a key with %s", name)
		}
	}
	if _, err := m.Issue(nil, good); err == nil {
		t.Error("issued without randomness")
	}
	if _, err := (&MasterKey{}).Issue(stream(""), good); err == nil {
		t.Error("a zero master key issued")
	}
	if _, err := (&MasterKey{}).MarshalBinary(); err == nil {
		t.Error("a zero master key was encoded")
	}
}

// TestSecretsDoNotPrint: neither key material nor attributes, in any form.
func TestSecretsDoNotPrint(t *testing.T) {
	k, m := issue(t, "Very Private"), authority()
	secret, _ := k.secret.MarshalBinary()
	for _, v := range []any{k, *k, m, *m, []*Key{k}, struct{ K Key }{*k}, map[string]*MasterKey{"m": m}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, "Private") || strings.Contains(got, fmt.Sprintf("%x", secret[100:104])) || len(got) > 200 {
				t.Errorf("%T prints with %s as %.300s", v, verb, got)
			}
		}
		var text, json bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&json, nil)).Info("x", "v", v)
		if got := text.String() + json.String(); strings.Contains(got, "Private") || len(got) > 600 {
			t.Errorf("%T logs as %.600s", v, got)
		}
	}
	if k.String() != redactedKey || k.GoString() != redactedKey || m.String() != redactedMaster ||
		m.GoString() != redactedMaster {
		t.Error("String")
	}
	for _, v := range []any{*k, *m} {
		if reflect.TypeOf(v).Comparable() {
			t.Errorf("%T can be compared by ==", v)
		}
	}
}
