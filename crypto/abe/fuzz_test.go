package abe

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func seed(f *testing.F, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// addSources takes the sources of vectors as seeds.
func addSources(f *testing.F, name string) {
	var vs []struct{ Source string }
	if err := json.Unmarshal(seed(f, name), &vs); err != nil {
		f.Fatal(err)
	}
	for _, v := range vs {
		f.Add(v.Source)
	}
}

func FuzzParsePolicy(f *testing.F) {
	addSources(f, "policies.json")
	f.Fuzz(func(t *testing.T, source string) {
		p, err := ParsePolicy(source)
		if err != nil {
			checkSyntaxError(t, source, err)
			return
		}
		again, err := ParsePolicy(p.String())
		if err != nil || again.String() != p.String() || again.Leaves() != p.Leaves() {
			t.Fatalf("%q: its canonical text %q parses to %q, %v", source, p, again, err)
		}
		if p.Leaves() < 1 || p.Leaves() > maxLeaves || len(p.String()) > maxSource {
			t.Fatalf("%q is beyond the limits", source)
		}
		c := newCircuit(p.onDay(testDay))
		if _, err := c.compile(); err != nil {
			t.Fatalf("%q compiles to %q: %v", source, c.text, err)
		}
		if len(c.encoding()) != c.size() || c.size() > 65535 {
			t.Fatalf("%q: %d bytes, counted %d", source, len(c.encoding()), c.size())
		}
		if e := p.Explain(nil, 0); e.Satisfied == (len(e.Missing) > 0) {
			t.Fatalf("%q: %+v", source, e)
		}
		p.Alternatives(20)
	})
}

func checkSyntaxError(t *testing.T, source string, err error) {
	t.Helper()
	var e *SyntaxError
	if !errors.As(err, &e) {
		t.Fatalf("%q: %T", source, err)
	}
	if e.Source != source || e.Line < 1 || e.Column < 1 || e.Width < 1 || e.Offset < 0 || e.Offset > len(source) ||
		e.Msg == "" {
		t.Fatalf("%q: %+v", source, e)
	}
	lines := strings.Split(e.Excerpt(), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[1], "^") || len(lines[0]) > excerptBytes+16 {
		t.Fatalf("%q: excerpt %q", source, lines)
	}
	for _, text := range []string{lines[0], lines[1], e.Msg, e.Hint} {
		for _, r := range text {
			if !printable(r) && r != '\uFFFD' {
				t.Fatalf("%q: %U would reach the terminal", source, r)
			}
		}
	}
}

func FuzzParseAttribute(f *testing.F) {
	addSources(f, "attributes.json")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAttribute(s)
		if err != nil {
			var e *AttributeError
			if !errors.As(err, &e) {
				t.Fatalf("%q: %T", s, err)
			}
			for _, r := range e.Msg + e.Hint {
				if !printable(r) && r != '\uFFFD' {
					t.Fatalf("%q: %U would reach the terminal", s, r)
				}
			}
			return
		}
		if again, err := ParseAttribute(a.String()); err != nil || again != a {
			t.Fatalf("%q: %+v prints as %q, which is %+v, %v", s, a, a.String(), again, err)
		}
		labels := map[string]string{}
		addAttribute(labels, a)
		for label, value := range labels {
			if !legalLabel.MatchString(label) || !legalLabel.MatchString(value) {
				t.Fatalf("%q has the label %q:%q", s, label, value)
			}
		}
		// As a policy it is satisfied by itself.
		text := quote(a.Name)
		if a.Named {
			text += " = " + quote(a.Value)
		}
		if a.Name != generation && !policy(t, text).Explain([]Attribute{a}, 0).Satisfied {
			t.Fatalf("%q does not satisfy %s", a, text)
		}
	})
}

// fuzzFile feeds bodies with the right checksum, so that mutations get past it.
func fuzzFile[T interface{ MarshalBinary() ([]byte, error) }](f *testing.F, name string, parse func([]byte) (T,
	error)) {
	whole := seed(f, name)
	f.Add(whole, false)
	f.Add(whole[:len(whole)-sha256.Size], true)
	// With relays, as far as its first line and its end go.
	two := bytes.Replace(whole[:len(whole)-sha256.Size], []byte(" 1\n"), []byte(" 2\n"), 1)
	f.Add(append(bytes.Clone(two), 0, 2, 1, 'x'), true)
	for _, n := range []int{0, 14, 40, 100, len(whole) / 2} {
		f.Add(whole[:n], true)
	}
	f.Fuzz(func(t *testing.T, b []byte, checksum bool) {
		if checksum {
			sum := sha256.Sum256(b)
			b = append(bytes.Clone(b), sum[:]...)
		}
		v, err := parse(b)
		if err != nil {
			var e *FileError
			if !errors.As(err, &e) || !errors.Is(err, ErrFormat) && !errors.Is(err, ErrKind) && !errors.Is(err, ErrVersion) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if again, err := v.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("it encodes to other bytes (%v)", err)
		}
		if k, ok := any(v).(*Key); ok {
			if again, err := k.secret.MarshalBinary(); err != nil || !bytes.Equal(again, k.encoded) {
				t.Fatalf("its tkn20 key encodes to other bytes (%v)", err)
			}
		}
	})
}

func FuzzParseKey(f *testing.F)       { fuzzFile(f, "vectors.key", ParseKey) }
func FuzzParseDomain(f *testing.F)    { fuzzFile(f, "vectors.domain", ParseDomain) }
func FuzzParseMasterKey(f *testing.F) { fuzzFile(f, "vectors.master", ParseMasterKey) }

// FuzzCheck: what Check accepts has, read another way, every dimension that
// tkn20 will rely on.
func FuzzCheck(f *testing.F) {
	d, err := ParseDomain(seed(f, "vectors.domain"))
	if err != nil {
		f.Fatal(err)
	}
	p, err := d.ForDay(policy(f, `a and dept != "Physics"`), testDay)
	if err != nil {
		f.Fatal(err)
	}
	c := newCircuit(p.policy.onDay(testDay))
	good := encrypt(f, p, "fuzz", []byte("abc"))
	f.Add(good, 3, 0, byte(0))
	f.Add(good, 3, 7, byte(1))
	f.Add(good[:100], 3, 0, byte(0))
	f.Add([]byte{}, 0, 0, byte(0))
	f.Fuzz(func(t *testing.T, b []byte, n, at int, flip byte) {
		b = bytes.Clone(b)
		if at >= 0 && at < len(b) {
			b[at] ^= flip
		}
		err := p.Check(b, n)
		if err != nil {
			if err != ErrCiphertext {
				t.Fatal(err)
			}
			return
		}
		r, ok := takeApart(b)
		if !ok || len(r.rest) != 0 || len(r.afterHeader) != 0 || r.version != ciphertextVersion ||
			len(r.id) != idSize || len(r.tag) != tagSize || len(r.env) != seedSize+n || len(b) != p.CiphertextSize(n) ||
			!bytes.Equal(r.policy, c.encoding()) || len(r.c2) != c.rows() || len(r.c3) != len(c.wires)+1 {
			t.Fatal("a ciphertext of another shape passed")
		}
		for _, m := range append([][]byte{r.c1}, r.c2...) {
			if !bytes.Equal(m[:4], []byte{4, 0, 1, 0}) || len(m) != 4+4*192 {
				t.Fatal("a matrix of other dimensions passed")
			}
		}
		for i, m := range append(append([][]byte{}, r.c3...), r.c3neg...) {
			wire := i - len(r.c3)
			if wire >= 0 && (wire == len(c.wires) || !c.wires[wire].negated) {
				if len(m) != 0 {
					t.Fatal("a row too many passed")
				}
				continue
			}
			if !bytes.Equal(m[:4], []byte{3, 0, 1, 0}) || len(m) != 4+3*96 {
				t.Fatal("a matrix of other dimensions passed")
			}
		}
		if !bytes.Equal(r.together(), b) {
			t.Fatal("it reads in two ways")
		}
	})
}
