package abe

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
)

// TestDummy: a policy's own key makes tkn20 do all of its work and opens
// nothing, whatever the policy, even one that no key satisfies.
func TestDummy(t *testing.T) {
	sources := []string{
		"a", `dept != "Physics"`, "age >= 18 and age <= 65", "2 of (a, b, c) and a", "generation != 2",
		// Of these two, no key satisfies any: there are two values for one label.
		"x = 1 and x = 2", "age < 3 and age > 5 and b",
		`x = 1 and x != 1`, `(x = 1 or y = 1) and (x = 2 or y = 2)`, `(x = 1 or y = 1) and x = 2`,
	}
	r := dice(11)
	more := 20
	if testing.Short() {
		more = 4
	}
	for range more {
		sources = append(sources, randomPolicy(r, 3))
	}
	for _, source := range sources {
		parsed, err := ParsePolicy(source)
		if err != nil {
			continue // too large
		}
		p, err := authority().Domain().ForDay(parsed, testDay)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.dummy()
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if p.policy.Leaves() > 60 {
			continue
		}
		if _, err := d.key.secret.Decrypt(encrypt(t, p, "x", []byte("x"))); err == nil || err.Error() != badMAC {
			t.Errorf("%s: %v, want that of a MAC", source, err)
		}
	}
}

// TestDummyIsBounded: policies in which no two values fit each other cost a
// bounded search.
func TestDummyIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 8 {
		for j := range i {
			// Eight pigeons in seven holes, each with a number.
			b.WriteString(strings.ReplaceAll(strings.ReplaceAll("(p# != \"x\" or q# = 1) and (p# = @ or p# = z@) and ", "#",
				string(rune('a'+i))), "@", string(rune('a'+j))))
		}
	}
	p := forDay(t, b.String()+"x = 1 and x = 2", testDay)
	start := time.Now()
	d, err := p.dummy()
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("making the dummy took %v", took)
	}
	if d.work.wild == 0 {
		t.Error("the policy has a solution after all; the test needs another")
	}
}

// TestWork: which leaves tkn20 opens through is known beforehand, and no key
// has more work than mostWork.
func TestWork(t *testing.T) {
	r := dice(12)
	satisfied := 0
	for range 2000 {
		p, err := ParsePolicy(randomPolicy(r, 3))
		if err != nil {
			continue
		}
		day, err := authority().Domain().ForDay(p, testDay)
		if err != nil {
			t.Fatal(err)
		}
		list, err := checkAttributes(randomAttributes(r))
		if err != nil {
			t.Fatal(err)
		}
		k := &Key{labels: Grant{Attributes: list, Generation: 2, From: testFrom, Expires: testExpires}.labels()}
		leaves := day.circuit.evaluate(k.holds)
		var as tkn20.Attributes
		as.FromMap(k.labels)
		if want := day.tkn.Satisfaction(as); want != (leaves != nil) || want != p.Explain(list, 2).Satisfied {
			t.Fatalf("%s with %v: %v, tkn20 has it otherwise", p, list, leaves)
		}
		if leaves == nil {
			continue
		}
		satisfied++
		if w, most := day.circuit.workOf(leaves, nil), day.circuit.mostWork(); w.rows > most.rows ||
			w.negations > most.negations || w.wild > 0 {
			t.Errorf("%s with %v: %v, the bound is %v", p, list, w, most)
		}
	}
	if satisfied < 200 {
		t.Errorf("only %d were satisfied", satisfied)
	}
}

// TestDummyIsThrownAway: a ciphertext that the policy's own key opens stays
// closed for a key that does not satisfy the policy.
func TestDummyIsThrownAway(t *testing.T) {
	p := forDay(t, "NTNU", testDay)
	made := &dummy{key: issue(t, "NTNU")}
	p.dummy = func() (*dummy, error) { return made, nil }
	opened, err := p.Decrypt(issue(t, "UiO"), encrypt(t, p, "x", []byte("x")), 1)
	if !errors.Is(err, ErrNotOpened) || opened != nil {
		t.Errorf("opened %q, %v", opened, err)
	}
}
