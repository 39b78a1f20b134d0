package abe

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
)

func syntaxError(t *testing.T, source string) *SyntaxError {
	t.Helper()
	_, err := ParsePolicy(source)
	var e *SyntaxError
	if !errors.As(err, &e) {
		t.Fatalf("%q: got %v, want a SyntaxError", source, err)
	}
	return e
}

// TestPolicyErrors has the texts that people see, word for word.
func TestPolicyErrors(t *testing.T) {
	for _, c := range []struct {
		source, msg, excerpt, hint string
	}{
		{"NTNU) or (admin", `expected "and", "or" or the end, found ")"`, "NTNU) or (admin\n    ^", ""},
		{"NTNU and 5th year", "a name with a space needs quotes", "NTNU and 5th year\n         ^^^^^^^^",
			`NTNU and "5th year"`},
		{"not NTNU", `"not" does not exist; a bare attribute cannot be denied`, "not NTNU\n^^^",
			`use a named one:  dept != "Physics"`},
		{"x and !NTNU", "'!' is not a word here", "x and !NTNU\n      ^", `use a named one:  dept != "Physics"`},
		{"12 of (" + strings.Repeat("a,", 23) + "a)", "12 of 24 expands to 2,704,156 terms; the limit is 10,000 (or " +
			"leaves 400)", "", ""},
		{"5 of (a,b,c,d,e,f,g,h,i,j)", "5 of 10 expands to 1,260 leaves; the limit is 400",
			"5 of (a,b,c,d,e,f,g,h,i,j)\n^^^^", ""},
		{"age > 4294967296", "4294967296 is too large (largest 4294967295)", "age > 4294967296\n      ^^^^^^^^^^", ""},
		{"a && b", "'&&' is not a word here", "a && b\n  ^^", "write: and"},
		{"a || b", "'||' is not a word here", "a || b\n  ^^", "write: or"},
		{"dept == x", "'==' is not a word here", "dept == x\n     ^^", "write: ="},
		{"", "the policy is empty", "\n^", `for example:  NTNU and "5th year"`},
		{" \n ", "the policy is empty", "", ""},
		{"NTNU and", `expected a name or "(", found the end`, "NTNU and\n        ^", ""},
		{"NTNU and and x", `expected a name or "(", found "and"`, "NTNU and and x\n         ^^^", ""},
		{"(NTNU or x", `expected "and", "or" or ")", found the end`, "(NTNU or x\n          ^", ""},
		{"2 of (a, b", `expected "and", "or", "," or ")", found the end`, "2 of (a, b\n          ^", ""},
		{"(a) (b)", `expected "and", "or" or the end, found "("`, "(a) (b)\n    ^", ""},
		{`"a" "b"`, `expected "and", "or" or the end, found the name "b"`, "", ""},
		{"a\x00b", "the character U+0000 cannot be used", "a\uFFFDb\n ^", ""},
		{"\"a\u202eb\"", "the character U+202E cannot be used in a name", "\"a\uFFFDb\"\n^^^^^", ""},
		{"\"a\u200bb\"", "the character U+200B cannot be used in a name", "", ""},
		{"\"a\u00a0b\"", "the character U+00A0 cannot be used in a name", "", ""},
		{"a\ufe0f", "the character U+FE0F cannot be used", "", ""},
		{"\"\u0301a\"", "a name cannot begin with the mark U+0301", "", ""},
		{"a\xff", "not valid UTF-8", "a\uFFFD\n ^", ""},
		{`""`, "a name cannot be empty", "", ""},
		{`"abc`, "the quote is not closed", "\"abc\n^^^^", ""},
		{`"a\nb"`, `after \ comes " or \ in a quoted name`, "", ""},
		{`"` + strings.Repeat("x", 129) + `"`, "a name of 129 bytes is too long; the limit is 128", "", ""},
		{"a ! = b", "'!' is not a word here", "", ""},
		{"age = 021", "021 has a leading zero", "age = 021\n      ^^^", `write: 21   or, for a text: "021"`},
		{"age = 000", "000 has a leading zero", "", `write: 0   or, for a text: "000"`},
		{"age >= old", `"old" is not a number`, "age >= old\n       ^^^", ">= compares numbers; texts have = and !="},
		{"age < 0", "no number is less than 0", "age < 0\n^^^^^^^", ""},
		{"age > 4294967295", "no number is greater than 4294967295", "", ""},
		{"age =", "expected a value, found the end", "age =\n     ^", ""},
		{"age = or", `expected a value, found "or"`, "", ""},
		{"x and 2026", "2026 is a number, not a name", "x and 2026\n      ^^^^", `as a name it needs quotes: "2026"`},
		{"generation", "generation is reserved and needs a number", "", "write: generation = 2"},
		{"generation >= 2", "generation can only be compared with = and !=", "generation >= 2\n           ^^",
			"write: generation = 2"},
		{"generation = two", `"two" is not a number`, "", "write: generation = 2"},
		{"2 (a, b)", "expected \"of\" after 2", "", "write: 2 of ("},
		{"2 of a, b", `expected "(", found "a"`, "", ""},
		{"0 of (a, b)", "0 of anything is always satisfied", "", "write a number from 1"},
		{"3 of (a, b)", "3 of 2 can never be satisfied", "3 of (a, b)\n^", ""},
		{"02 of (a, b)", "02 has a leading zero", "", ""},
		{"dept = Applied Physics and x", "a name with a space needs quotes", "", `dept = "Applied Physics" and x`},
		{"世界 and x)", `expected "and", "or" or the end, found ")"`, "世界 and x)\n          ^", ""},
		{"a and\nb) or c", `expected "and", "or" or the end, found ")"`, "b) or c\n ^", ""},
		{"“5th year”", "'“' is not a word here", "", `write: "`},
		{strings.Repeat("(", 5000) + "a" + strings.Repeat(")", 5000), "nested too deeply; the limit is 32", "", ""},
		{strings.Repeat("(", 5000), "nested too deeply; the limit is 32", "", ""},
		{strings.Repeat("1 of (", 5000), "nested too deeply; the limit is 32", "", ""},
		{strings.Repeat("a ", 40_000), "80,000 bytes are too long; the limit is 65,536", "", ""},
		{strings.TrimSuffix(strings.Repeat("a or ", 401), " or "), "the policy has 401 leaves; the limit is 400", "", ""},
	} {
		e := syntaxError(t, c.source)
		if e.Msg != c.msg || e.Error() != "policy: "+c.msg {
			t.Errorf("%.60q:\n got %s\nwant %s", c.source, e.Msg, c.msg)
		}
		if got := e.Excerpt(); c.excerpt != "" && got != c.excerpt {
			t.Errorf("%.60q:\n got %s\nwant %s", c.source, got, c.excerpt)
		}
		if e.Hint != c.hint && (c.hint != "" || c.excerpt != "") {
			t.Errorf("%.60q: hint %q, want %q", c.source, e.Hint, c.hint)
		}
	}
	e := syntaxError(t, "a and\nb) or c")
	if e.Line != 2 || e.Column != 2 || e.Width != 1 || e.Offset != 7 {
		t.Errorf("at line %d, column %d, width %d, offset %d", e.Line, e.Column, e.Width, e.Offset)
	}
	if e := syntaxError(t, "世界 and x)"); e.Column != 11 {
		t.Errorf("column %d in cells, want 11", e.Column)
	}
}

func TestExcerptOfLongLine(t *testing.T) {
	e := syntaxError(t, strings.Repeat("abc and ", 100)+") "+strings.Repeat("or x ", 100))
	lines := strings.Split(e.Excerpt(), "\n")
	if len(lines) != 2 || len(lines[0]) > 2*excerptCells+6 {
		t.Fatalf("%q", lines)
	}
	if e := syntaxError(t, `"a`+strings.Repeat("\u0301", 9000)); len(e.Excerpt()) > 2*excerptBytes {
		t.Errorf("marks make an excerpt of %d bytes", len(e.Excerpt()))
	}
	if caret := strings.IndexByte(lines[1], '^'); lines[0][caret] != ')' {
		t.Errorf("the caret is under %q\n%s", lines[0][caret], e.Excerpt())
	}
}

func TestCanonical(t *testing.T) {
	for source, want := range map[string]string{
		`("NTNU" and "5th year") or "Professor"`: `("NTNU" and "5th year") or "Professor"`,
		`NTNU and "5th year" or Professor`:       `("NTNU" and "5th year") or "Professor"`,
		`((a)) AND (b And (c))`:                  `"a" and "b" and "c"`,
		"a or\n\t(b or c) and d":                 `"a" or (("b" or "c") and "d")`,
		`dept=Physics`:                           `dept = "Physics"`,
		`"dept" != "Applied Physics"`:            `dept != "Applied Physics"`,
		`age>=18 and age="21"`:                   `age >= 18 and age = 21`,
		`age = "021"`:                            `age = "021"`,
		`age = "4294967296"`:                     `age = "4294967296"`,
		`"my age" < 18`:                          `"my age" < 18`,
		`"and" = x and "2026" = 1`:               `"and" = "x" and "2026" = 1`,
		`2 of(a,b and c,(d))`:                    `2 of ("a", "b" and "c", "d")`,
		`1 of (a) and 2 OF (a, (b or c))`:        `1 of ("a") and 2 of ("a", "b" or "c")`,
		"cafe\u0301":                             "\"caf\u00e9\"",
		`"\"\\"`:                                 `"\"\\"`,
		`generation = 2 and generation != 3`:     `generation = 2 and generation != 3`,
		"x-y and a.b@c_d and 5th":                `"x-y" and "a.b@c_d" and "5th"`,
		"\"\u212a\"":                             `"K"`,
		strings.Repeat("(", 60) + "a" + strings.Repeat(")", 60): `"a"`,
	} {
		p := policy(t, source)
		if p.String() != want {
			t.Errorf("%q:\n got %s\nwant %s", source, p, want)
		}
		if again := policy(t, p.String()); again.String() != p.String() || again.Leaves() != p.Leaves() {
			t.Errorf("%q does not parse to itself", p)
		}
	}
}

func TestBareAndNamedDiffer(t *testing.T) {
	as := attributes(t, "dept=dept")
	if policy(t, "dept").Explain(as, 0).Satisfied {
		t.Error("a named attribute counted as a bare one")
	}
	if policy(t, "dept = dept").Explain([]Attribute{{Name: "dept"}}, 0).Satisfied {
		t.Error("a bare attribute counted as a named one")
	}
}

// evaluate is what tkn20 makes of a formula, in the clear.
func evaluate(f *formula, labels map[string]string) bool {
	if f.op == opLeaf {
		value, ok := labels[f.wire.label]
		return ok && (value == f.wire.value) != f.wire.negated
	}
	n := 0
	for _, kid := range f.kids {
		if evaluate(kid, labels) {
			n++
		}
	}
	return n == len(f.kids) || f.op == opOr && n > 0
}

// TestComparisons compares bags of bits with arithmetic, at every power of two,
// its neighbours and random numbers.
func TestComparisons(t *testing.T) {
	numbers := []uint32{0, 1, 18, 21, 0x55555555, 0xaaaaaaaa, maxInteger}
	for i := range 32 {
		numbers = append(numbers, 1<<i-1, 1<<i, 1<<i+1)
	}
	r := dice(1)
	for range 40 {
		numbers = append(numbers, r.Uint32(), r.Uint32()>>r.IntN(32))
	}
	labels := make([]map[string]string, len(numbers))
	for i, n := range numbers {
		labels[i] = map[string]string{}
		addAttribute(labels[i], Attribute{"age", commasless(n), true})
	}
	for _, c := range numbers {
		for comparison, holds := range map[comparison]func(n uint32) bool{
			less:    func(n uint32) bool { return n < c },
			atMost:  func(n uint32) bool { return n <= c },
			greater: func(n uint32) bool { return n > c },
			atLeast: func(n uint32) bool { return n >= c },
		} {
			if comparison == less && c == 0 || comparison == greater && c == maxInteger {
				continue // refused by the parser
			}
			l := leaf{"age", comparison, commasless(c), c}
			f := l.expand()
			if f.leaves() != l.leaves() || f.leaves() > integerBits {
				t.Fatalf("age %s %d: %d leaves, counted as %d", comparison, c, f.leaves(), l.leaves())
			}
			for i, n := range numbers {
				if evaluate(f, labels[i]) != holds(n) {
					t.Fatalf("%d %s %d is %t", n, comparison, c, !holds(n))
				}
			}
			if evaluate(f, map[string]string{}) {
				t.Fatalf("age %s %d holds without an age", comparison, c)
			}
		}
	}
}

func commasless(n uint32) string { return strings.ReplaceAll(commas(uint64(n)), ",", "") }

// TestPoliciesMeanTheSame compares four readings of random policies: the
// explanation in the clear, the expanded formula, tkn20's own, and that of the
// canonical text, with and without the day.
func TestPoliciesMeanTheSame(t *testing.T) {
	r := dice(2)
	satisfied, parsed := 0, 0
	for range 400 {
		source := randomPolicy(r, 4)
		p, err := ParsePolicy(source)
		if err != nil {
			continue
		}
		parsed++
		canonical := policy(t, p.String())
		if canonical.String() != p.String() {
			t.Fatalf("%s\nparses to itself as\n%s", p, canonical)
		}
		compiled, err := newCircuit(p.onDay(testDay)).compile()
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		for range 6 {
			g := Grant{Attributes: randomAttributes(r), Generation: uint32(r.IntN(4)), From: testFrom, Expires: testFrom + 1 +
				Day(r.IntN(5))}
			labels := g.labels()
			e := p.Explain(g.Attributes, g.Generation)
			if e.Satisfied {
				satisfied++
			}
			if got := evaluate(p.tree, labels); got != e.Satisfied {
				t.Fatalf("%s with %v: expanded %t, explained %t", p, g, got, e.Satisfied)
			}
			if got := canonical.Explain(g.Attributes, g.Generation).Satisfied; got != e.Satisfied {
				t.Fatalf("%s with %v: canonical %t, explained %t", p, g, got, e.Satisfied)
			}
			var as tkn20.Attributes
			as.FromMap(labels)
			if got, want := compiled.Satisfaction(as), e.Satisfied && testDay < g.Expires; got != want {
				t.Fatalf("%s with %v: tkn20 %t, want %t", p, g, got, want)
			}
			checkExplanation(t, p, g, e)
		}
	}
	if parsed < 200 || satisfied < 200 {
		t.Errorf("only %d policies and %d satisfied: the test has become weak", parsed, satisfied)
	}
}

func checkExplanation(t *testing.T, p *Policy, g Grant, e Explanation) {
	t.Helper()
	if e.Satisfied {
		through := policy(t, e.Through)
		if !through.Explain(g.Attributes, g.Generation).Satisfied || len(e.Missing) > 0 {
			t.Fatalf("%s with %v: through %s, missing %v", p, g, e.Through, e.Missing)
		}
		return
	}
	if len(e.Missing) == 0 || len(e.Missing) > maxMissing || e.Through != "" {
		t.Fatalf("%s with %v: through %q, missing %v", p, g, e.Through, e.Missing)
	}
	for _, m := range e.Missing {
		if policy(t, m.Attribute).Explain(g.Attributes, g.Generation).Satisfied {
			t.Fatalf("%s with %v: %s is not missing", p, g, m.Attribute)
		}
		policy(t, m.For)
	}
}

func TestExplain(t *testing.T) {
	p := policy(t, `("NTNU" and "5th year") or "Professor"`)
	e := p.Explain(attributes(t, "NTNU", "4th year"), 0)
	want := []Missing{{`"5th year"`, `"NTNU" and "5th year"`}, {`"Professor"`, `"Professor"`}}
	if e.Satisfied || !slices.Equal(e.Missing, want) {
		t.Errorf("%+v", e)
	}
	e = p.Explain(attributes(t, "NTNU", "5th year"), 0)
	if !e.Satisfied || e.Through != `"NTNU" and "5th year"` {
		t.Errorf("%+v", e)
	}
	e = policy(t, "2 of (a, b or c, d) and x").Explain(attributes(t, "c", "d", "x"), 0)
	if e.Through != `"c" and "d" and "x"` {
		t.Errorf("%+v", e)
	}
}

func TestAlternatives(t *testing.T) {
	p := policy(t, `(a or b) and 2 of (c, d, e)`)
	want := []string{
		`"a" and "c" and "d"`, `"a" and "c" and "e"`, `"a" and "d" and "e"`,
		`"b" and "c" and "d"`, `"b" and "c" and "e"`, `"b" and "d" and "e"`,
	}
	if got := p.Alternatives(6); !slices.Equal(got, append([]string(nil), want...)) {
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
	if p.Alternatives(5) != nil || p.Alternatives(0) != nil {
		t.Error("more alternatives than asked for")
	}
	// 2^200 of them: counted, not made.
	huge := policy(t, strings.TrimSuffix(strings.Repeat("(a or b) and ", 200), " and "))
	if huge.Alternatives(1000) != nil {
		t.Error("made 2^200 alternatives")
	}
}

func TestLimitsOnCounts(t *testing.T) {
	if binomial(24, 12) != 2704156 || binomial(5, 0) != 1 || binomial(5, 6) != 0 || binomial(10_000, 5_000) != saturated {
		t.Error("binomial")
	}
	if satMul(saturated, saturated) != saturated || satAdd(saturated, 1) != saturated || satMul(0, saturated) != 0 {
		t.Error("saturating arithmetic")
	}
	// Nested thresholds multiply; the innermost that is too large is named.
	e := syntaxError(t, "2 of (3 of (a,b,c,d,e,f), 3 of (a,b,c,d,e,f), 3 of (a,b,c,d,e,f), x, y, z)")
	if e.Msg != "2 of 6 expands to 915 leaves; the limit is 400" {
		t.Error(e.Msg)
	}
	// Names and not the source decide the size in tkn20's encoding.
	long := strings.Repeat("é", 60)
	e = syntaxError(t, strings.TrimSuffix(strings.Repeat(long+" or ", 300), " or "))
	if !strings.Contains(e.Msg, "bytes when encoded; the limit is 64,000") {
		t.Error(e.Msg)
	}
}

// TestDeepestPolicy compiles what nests deepest of all that is accepted, so
// that tkn20's own limit of 64 is never met.
func TestDeepestPolicy(t *testing.T) {
	alternate := func(n int, innermost string) string {
		s := innermost
		for i := range n {
			if i%2 == 0 {
				s = "x and (" + s + ")"
			} else {
				s = "y or (" + s + ")"
			}
		}
		return s
	}
	threshold := func(n int, s string) string {
		for range n {
			s = "2 of (x, y, " + s + ")"
		}
		return s
	}
	// Doubles its nesting in the canonical text, where the "and" inside the
	// "or" gets parentheses.
	bare := func(n int) string {
		return strings.Repeat("x or y and (", n) + "a" + strings.Repeat(")", n)
	}
	// Doubles it when expanded.
	one := func(n int, s string) string {
		return strings.Repeat("1 of (x, y and ", n) + s + strings.Repeat(")", n)
	}
	compiled, deepest := 0, 0
	for n := range maxParens + 2 {
		for _, source := range []string{
			alternate(n, "a"), alternate(n, "age >= 1431655765"), alternate(n, "age <= 2863311530"), alternate(n, `dept != "x"`),
			threshold(n, "a"), bare(n), one(n, "a"), one(n, "age >= 1431655765"),
			// Nests in the canonical text, and not at all when expanded.
			strings.Repeat("1 of (", n) + bare(28) + strings.Repeat(")", n),
			strings.Repeat("1 of (", n) + bare(14) + strings.Repeat(")", n),
		} {
			p, err := ParsePolicy(source)
			if err != nil {
				continue
			}
			if _, err := newCircuit(p.onDay(testDay)).compile(); err != nil {
				t.Fatalf("%s: %v", source, err)
			}
			if again, err := ParsePolicy(p.String()); err != nil || again.String() != p.String() {
				t.Fatalf("%s: its canonical text does not parse: %v", source, err)
			}
			compiled++
			deepest = max(deepest, p.tree.nesting())
		}
	}
	if deepest < maxTextNesting-4 {
		t.Errorf("%d policies compiled, the deepest at %d of %d", compiled, deepest, maxTextNesting)
	}
}

func TestCostOfTheUsualPolicy(t *testing.T) {
	p := policy(t, `("NTNU" and "5th year") or "Professor"`)
	c := p.Cost()
	if p.Leaves() != 3 || c.Size != forDay(t, p.String(), testDay).CiphertextSize(encapsulationPlaintext) {
		t.Errorf("%d leaves, %+v", p.Leaves(), c)
	}
	if (&Policy{}).Cost() != (Cost{}) || (*Policy)(nil).Leaves() != 0 {
		t.Error("a zero policy costs something")
	}
}

// TestParseSmall: a policy with more leaves than are wanted is an error before it is
// expanded, and all others are as ParsePolicy has them.
func TestParseSmall(t *testing.T) {
	for source, leaves := range map[string]uint64{"a": 1, "a and b or c": 3, "age >= 18": 31, `2 of (a, b, c)`: 6} {
		p, err := ParseSmall(source, leaves)
		if err != nil || uint64(p.Leaves()) != leaves {
			t.Errorf("%s: %v", source, err)
		}
		if _, err := ParseSmall(source, leaves-1); err == nil {
			t.Errorf("%s has fewer than %d leaves", source, leaves)
		}
	}
}
