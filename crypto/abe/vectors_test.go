package abe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coterie/crypto/golden"
)

// The vectors in testdata are enough to build another implementation from. With
// -write the test writes them anew; a change that nobody meant shows as a
// difference. All randomness is SHAKE256 of a text.

func vectorJSON(t *testing.T, name string, v any) {
	t.Helper()
	golden.JSON(t, filepath.Join("testdata", name), v)
}

var vectorPolicies = []string{
	`("NTNU" and "5th year") or "Professor"`,
	`NTNU and "5th year" or Professor`,
	"a",
	"a AND (b Or c) and d",
	"((a))",
	`dept = Telematics and dept != "Physics"`,
	`age = 21`, `age = "021"`, `age != 21`,
	"age >= 18", "age > 18", "age <= 18", "age < 18", "age >= 0", "age <= 4294967295", "age >= 4294967295", "age <= 0",
	"age >= 2147483648",
	"generation = 2 and a", "generation != 2",
	"2 of (a, b, c)", "1 of (a, b)", "2 of (a, b)", "1 of (a)", "2 of (a and b, c or d, 1 of (e, f))",
	"cafe\u0301", "ÆØÅ and 世界", `"\"\\" and "a_b" and a_b and a.b-c@d`, `"and" and "2026"`, `"my age" >= 7`,
	"", " ", "NTNU) or (admin", "NTNU and 5th year", "NTNU and", "not a", "!a", "a && b", "a || b", "a\nor )",
	"12 of (a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x)", "5 of (a,b,c,d,e,f,g,h,i,j)", "0 of (a)", "2 of (a)",
	"age >= 4294967296", "age = 018", "age >= old", "age < 0", "age > 4294967295", "generation", "generation >= 2", "2026",
	"\"a\u202eb\"", "a\u200bb", "a\x1bb", `"a`, `"a\b"`, `""`, "世界 and x)",
	strings.Repeat("(", 65) + "a" + strings.Repeat(")", 65),
}

func TestVectorsPolicies(t *testing.T) {
	type vector struct {
		Source    string `json:"source"`
		Canonical string `json:"canonical,omitempty"`
		Leaves    int    `json:"leaves,omitempty"`
		Compiled  string `json:"compiled,omitempty"` // for tkn20, without the day
		Line      int    `json:"line,omitempty"`
		Column    int    `json:"column,omitempty"`
		Width     int    `json:"width,omitempty"`
		Error     string `json:"error,omitempty"`
		Hint      string `json:"hint,omitempty"`
	}
	var vs []vector
	for _, source := range vectorPolicies {
		v := vector{Source: source}
		p, err := ParsePolicy(source)
		var e *SyntaxError
		switch {
		case err == nil:
			v.Canonical, v.Leaves, v.Compiled = p.String(), p.Leaves(), newCircuit(p.tree).text
		case errors.As(err, &e):
			v.Line, v.Column, v.Width, v.Error, v.Hint = e.Line, e.Column, e.Width, e.Error(), e.Hint
		default:
			t.Fatal(err)
		}
		vs = append(vs, v)
	}
	vectorJSON(t, "policies.json", vs)
}

func TestVectorsAttributes(t *testing.T) {
	type vector struct {
		Source    string   `json:"source"`
		Canonical string   `json:"canonical,omitempty"`
		Labels    []string `json:"labels,omitempty"` // label:value, sorted
		Error     string   `json:"error,omitempty"`
	}
	var vs []vector
	for _, source := range []string{
		"NTNU", "5th year", `"5th year"`, "dept=Telematics", `dept="A b"`, "age=21", "age=4294967295", `age="021"`,
		"cafe\u0301", "a_b", "_5f",
		`"a=b"="\"\\"`, "and", `"2026"`, "世界=x", "2026", "age=021", "age=4294967296", "a+b", "", `"a`,
	} {
		v := vector{Source: source}
		if a, err := ParseAttribute(source); err != nil {
			v.Error = err.Error()
		} else {
			v.Canonical = a.String()
			labels := map[string]string{}
			addAttribute(labels, a)
			v.Labels = labelTexts(labels)
		}
		vs = append(vs, v)
	}
	vectorJSON(t, "attributes.json", vs)
}

func labelTexts(labels map[string]string) (texts []string) {
	for label, value := range labels {
		texts = append(texts, label+":"+value)
	}
	slices.Sort(texts)
	return texts
}

func TestVectorsDays(t *testing.T) {
	type vector struct {
		From    string   `json:"from"`
		Expires string   `json:"expires"`
		Held    []string `json:"held"`  // in order of days
		Named   []string `json:"named"` // by an encapsulation on the day From
	}
	var vs []vector
	for _, span := range [][2]Day{{20780, 20781}, {20780, 20870}, {20768, 20776}, {20480, 20992}, {20000, 21830}} {
		v := vector{From: span[0].String(), Expires: span[1].String()}
		for _, b := range cover(span[0], span[1]) {
			v.Held = append(v.Held, b.label())
		}
		for _, b := range blocksOf(span[0]) {
			v.Named = append(v.Named, b.label())
		}
		vs = append(vs, v)
	}
	vectorJSON(t, "days.json", vs)
}

// TestVectorsEncapsulations also guards that encryption from given coins is
// stable: members compare what they make again with what they were sent, so a
// change in tkn20's use of its randomness would shut everybody out.
func TestVectorsEncapsulations(t *testing.T) {
	const setup, issuing = "coterie test vectors: setup", "coterie test vectors: issue"
	m, err := Setup(stream(setup), "vectors")
	if err != nil {
		t.Fatal(err)
	}
	grant := Grant{Serial: 7, Attributes: attributes(t, "NTNU", "5th year", "dept=Telematics"), Generation: 2, From: 20768,
		Expires: 20776}
	k, err := m.Issue(stream(issuing), grant)
	if err != nil {
		t.Fatal(err)
	}
	for name, marshal := range map[string]func() ([]byte, error){
		"vectors.domain": m.Domain().MarshalBinary, "vectors.master": m.MarshalBinary, "vectors.key": k.MarshalBinary,
	} {
		b, err := marshal()
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join("testdata", name), b)
	}

	type encapsulation struct {
		Policy     string `json:"policy"`
		Day        string `json:"day"`
		Compiled   string `json:"compiled"`
		Coins      string `json:"coins"` // the stream is SHAKE256 of this text
		Plaintext  string `json:"plaintext"`
		Opens      bool   `json:"opens"` // with vectors.key
		Size       int    `json:"size"`
		SHA256     string `json:"sha256"`
		Ciphertext string `json:"ciphertext,omitempty"`
	}
	vs := struct {
		Setup       string          `json:"setup"` // as coins
		Issue       string          `json:"issue"`
		DomainID    string          `json:"domain_id"`
		Fingerprint string          `json:"fingerprint"`
		Labels      []string        `json:"labels"` // of vectors.key
		Vectors     []encapsulation `json:"vectors"`
	}{setup, issuing, fmt.Sprintf("%x", m.Domain().ID()), m.Domain().Fingerprint(), labelTexts(grant.labels()), nil}
	for i, c := range []struct {
		source string
		day    Day
		size   int
	}{
		{"NTNU", 20770, 0},
		{`("NTNU" and "5th year") or "Professor"`, 20770, 64},
		{`dept != "Physics" and generation = 2`, 20775, 64},
		{"2 of (NTNU, Professor, dept = Telematics)", 20768, 64},
		{"age >= 18 or NTNU", 20770, 64},
		{"Professor", 20770, 64},
		{"NTNU", 20776, 64},
	} {
		p, err := m.Domain().ForDay(policy(t, c.source), c.day)
		if err != nil {
			t.Fatal(err)
		}
		v := encapsulation{
			Policy: p.policy.String(), Day: c.day.String(), Compiled: newCircuit(p.policy.onDay(c.day)).text,
			Coins: fmt.Sprint("coterie test vectors: coins ", i),
		}
		plaintext := make([]byte, c.size)
		for j := range plaintext {
			plaintext[j] = byte(j)
		}
		ciphertext, err := p.Encrypt(stream(v.Coins), plaintext)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := p.Decrypt(k, ciphertext, len(plaintext))
		if v.Opens = err == nil; v.Opens && !bytes.Equal(opened, plaintext) {
			t.Error("opened as something else")
		}
		sum := sha256.Sum256(ciphertext)
		v.Plaintext, v.Size, v.SHA256 = hex.EncodeToString(plaintext), len(ciphertext), hex.EncodeToString(sum[:])
		if i == 0 {
			v.Ciphertext = hex.EncodeToString(ciphertext)
		}
		vs.Vectors = append(vs.Vectors, v)
	}
	vectorJSON(t, "encapsulations.json", vs)
}
