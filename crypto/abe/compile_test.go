package abe

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
)

// TestStrayParenthesis: tkn20's parser drops what follows a stray parenthesis,
// without an error. Text that was tampered with is caught.
func TestStrayParenthesis(t *testing.T) {
	for source, tampered := range map[string]string{
		"a and b":        "a_a:1) and a_b:1",
		"(a or b) and c": "(a_a:1 or a_b:1)) and a_c:1",
		"b or a":         "a_b:1)(a_a:1",
		"b and a":        "a_a:1 and a_b:1",
		"a or b":         "a_a:1 and a_b:1",
		"a and (b or c)": "(a_a:1 and a_b:1) or a_c:1",
		"x = y":          "not n_x:v_y",
		"a and b and c":  "a_a:1 and (a_b:1 and a_c:1)",
	} {
		c := newCircuit(policy(t, source).tree)
		if _, err := c.compile(); err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		var p tkn20.Policy
		if err := p.FromString(tampered); err != nil {
			t.Fatalf("%s: tkn20 does refuse it: %v", tampered, err)
		}
		c.text = tampered
		if _, err := c.compile(); !errors.Is(err, errMeaning) {
			t.Errorf("%s passed for %s", tampered, source)
		}
	}
	c := newCircuit(policy(t, "a").tree)
	c.text = "a_a:1 and"
	if _, err := c.compile(); !errors.Is(err, errMeaning) {
		t.Error("text that does not parse passed")
	}
}

// TestPolicyBytes compares our encoding of policies, and the hash in it, with
// what tkn20 puts into ciphertexts.
func TestPolicyBytes(t *testing.T) {
	for _, source := range []string{
		"a", `dept != "Physics" and dept != "Chemistry"`, "2 of (a, b, c)", "age >= 18 or (x = y and generation != 7)",
	} {
		p := policy(t, source)
		c := newCircuit(p.onDay(testDay))
		if len(c.encoding()) != c.size() {
			t.Errorf("%s: %d bytes, counted %d", source, len(c.encoding()), c.size())
		}
		dp := forDay(t, source, testDay)
		ciphertext, err := dp.domain.public.Encrypt(stream(source), dp.tkn, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		r, ok := takeApart(ciphertext)
		if !ok {
			t.Fatal("the test cannot read a ciphertext")
		}
		if !bytes.Equal(r.policy, c.encoding()) {
			t.Errorf("%s: tkn20 has other bytes for it\n%x\n%x", source, r.policy, c.encoding())
		}
		if len(r.c2) != c.rows() || len(r.c3) != len(c.wires)+1 {
			t.Errorf("%s: %d and %d matrices", source, len(r.c2), len(r.c3))
		}
		if !bytes.Equal(r.together(), ciphertext) {
			t.Error("the test cannot put a ciphertext together")
		}
		if err := dp.Check(ciphertext, 1); err != nil {
			t.Error(err)
		}
	}
}

func TestZeroPolicy(t *testing.T) {
	d := authority().Domain()
	for _, p := range []*Policy{nil, {}} {
		if _, err := d.ForDay(p, testDay); err == nil {
			t.Error("a zero policy was compiled")
		}
		if p.String() != "" || p.Explain(nil, 0).Satisfied || p.Alternatives(9) != nil {
			t.Error("a zero policy says something")
		}
	}
	p := policy(t, "NTNU")
	for _, d := range []*Domain{nil, {}} {
		if _, err := d.ForDay(p, testDay); err == nil {
			t.Error("compiled in no domain")
		}
	}
	if _, err := d.ForDay(p, maxDay+1); err == nil {
		t.Error("compiled for a day that has no text")
	}
	for _, p := range []*DayPolicy{nil, {}} {
		if _, err := p.Encrypt(stream(""), []byte("x")); err == nil {
			t.Error("encrypted under no policy")
		}
		if _, err := p.Decrypt(&Key{}, nil, 0); !errors.Is(err, ErrCiphertext) {
			t.Error(err)
		}
		if p.CiphertextSize(1) != 0 {
			t.Error("a size for no policy")
		}
	}
	dp := forDay(t, "NTNU", testDay)
	if _, err := dp.Encrypt(nil, nil); err == nil {
		t.Error("encrypted without coins")
	}
	if _, err := dp.Encrypt(bytes.NewReader(make([]byte, 100)), nil); err == nil {
		t.Error("encrypted with too few coins")
	}
	if _, err := dp.Encrypt(stream(""), make([]byte, maxPlaintext+1)); err == nil {
		t.Error("encrypted too much")
	}
	if dp.CiphertextSize(-1) != 0 || dp.Check(nil, -1) == nil {
		t.Error("a negative size")
	}
}
