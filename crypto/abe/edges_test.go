package abe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Vectors of what stands at a limit, and of what is refused for one defect
// each: edge-policies.json and edge-attributes.json. testdata/README.md says
// how to read them.

// edge is one text. Of Class and Canonical one is empty.
type edge struct {
	Name      string  `json:"name"`
	Parts     []piece `json:"parts"`
	Class     string  `json:"class,omitempty"`     // why it is refused
	Canonical string  `json:"canonical,omitempty"` // or, where that is long, its SHA-256
	Leaves    int     `json:"leaves,omitempty"`
}

// piece is a text, or bytes that are none or cannot be seen, and how often it is
// repeated.
type piece struct {
	Text  string `json:"text,omitempty"`
	Hex   string `json:"hex,omitempty"`
	Times int    `json:"times,omitempty"` // 0 for once
}

func (e edge) source(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, p := range e.Parts {
		text := p.Text
		if p.Hex != "" {
			raw, err := hex.DecodeString(p.Hex)
			if err != nil {
				t.Fatal(err)
			}
			text = string(raw)
		}
		b.WriteString(strings.Repeat(text, max(1, p.Times)))
	}
	return b.String()
}

func say(name string, parts ...any) edge {
	e := edge{Name: name}
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			if strings.ContainsFunc(p, func(r rune) bool { return !printable(r) }) {
				e.Parts = append(e.Parts, piece{Hex: hex.EncodeToString([]byte(p))}) // nobody could see it
			} else {
				e.Parts = append(e.Parts, piece{Text: p})
			}
		case []byte:
			e.Parts = append(e.Parts, piece{Hex: hex.EncodeToString(p)})
		case int:
			e.Parts[len(e.Parts)-1].Times = p
		}
	}
	return e
}

// classes are the reasons to refuse a text, by what our messages say. The first
// that fits counts.
var classes = []struct{ class, part string }{
	{"mark", "begin with the mark"},
	{"character", "cannot be used"}, {"character", "not valid UTF-8"},
	{"generation", "generation"},
	{"limit", "the limit is"}, {"limit", "nested too deeply"}, {"limit", "too long"}, {"limit", "are too many"},
	{"number", "leading zero"}, {"number", "too large"}, {"number", "is not a number"}, {"number", "digits 0 to 9"},
	{"number", "is a number, not a name"}, {"number", "no number is"}, {"number", "always satisfied"},
	{"number", "never be satisfied"},
	{"empty", "empty"},
	{"syntax", "expected"}, {"syntax", "not a word here"}, {"syntax", "does not exist"}, {"syntax", "quote"},
	{"syntax", "after "},
}

func classOf(err error) string {
	for _, c := range classes {
		if strings.Contains(err.Error(), c.part) {
			return c.class
		}
	}
	return "unknown: " + err.Error()
}

// shortCanonical is a canonical text, or its hash.
func shortCanonical(text string) string {
	if len(text) <= 200 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// runEdges decides each text, writes the vectors or compares with them, and
// compares with the class that the list below gives: the vectors cannot change
// without it.
func runEdges(t *testing.T, file string, want map[string][]edge, parse func(string) (canonical string, leaves int,
	err error)) {
	var vs []edge
	names := map[string]bool{}
	for _, class := range []string{"", "syntax", "empty", "character", "mark", "number", "generation", "limit"} {
		for _, e := range want[class] {
			if names[e.Name] {
				t.Errorf("%q stands for two", e.Name)
			}
			names[e.Name] = true
			e.Class = class
			canonical, leaves, err := parse(e.source(t))
			switch {
			case err != nil && classOf(err) != class:
				t.Errorf("%s: %v, want %q", e.Name, err, class)
			case err == nil && class != "":
				t.Errorf("%s: taken, want %q", e.Name, class)
			case err == nil:
				e.Canonical, e.Leaves = shortCanonical(canonical), leaves
				if again, _, err := parse(canonical); err != nil || again != canonical {
					t.Errorf("%s: the canonical text gives %q, %v", e.Name, again, err)
				}
			}
			vs = append(vs, e)
		}
	}
	vectorJSON(t, file, vs)

	// As another implementation reads them.
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var read []edge
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	for _, e := range read {
		canonical, leaves, err := parse(e.source(t))
		if err != nil && classOf(err) != e.Class || err == nil && (shortCanonical(canonical) != e.Canonical ||
			leaves != e.Leaves) {
			t.Errorf("%s, as read: %q, %d leaves, %v", e.Name, shortCanonical(canonical), leaves, err)
		}
	}
	if len(read) != len(vs) {
		t.Errorf("%d are read, %d were written", len(read), len(vs))
	}
}

// badCharacters cannot be part of a name, even in quotes.
var badCharacters = map[string]string{
	"U+0000": "\x00", "U+001B": "\x1b", "tab": "\t", "carriage return": "\r", "U+007F": "\x7f", "U+0085": "\u0085",
	"no-break space U+00A0": "\u00a0", "soft hyphen U+00AD": "\u00ad", "U+034F": "\u034f", "U+061C": "\u061c",
	"Hangul filler U+115F": "\u115f", "U+17B4": "\u17b4", "U+180B": "\u180b", "U+2003": "\u2003", "U+200B": "\u200b",
	"U+200D": "\u200d", "U+2028": "\u2028", "U+202E": "\u202e", "U+2060": "\u2060", "Braille blank U+2800": "\u2800",
	"U+3000": "\u3000", "Hangul filler U+3164": "\u3164", "private use U+E000": "\ue000",
	"variation selector U+FE0F": "\ufe0f",
	"byte order mark U+FEFF":    "\ufeff", "U+FFA0": "\uffa0", "U+FFFD": "\ufffd", "unassigned U+0378": "\u0378",
	"U+1C89, of Unicode 16": "\u1c89", "U+2EBF0, of Unicode 15.1": "\U0002ebf0", "tag U+E0041": "\U000e0041",
	"variation selector U+E0100": "\U000e0100", "noncharacter U+FFFF": "\uffff",
}

var badBytes = map[string][]byte{
	"a lone continuation byte": {0x80}, "0xFF": {0xff}, "an overlong zero": {0xc0, 0x80}, "a surrogate": {0xed, 0xa0,
		0x80},
	"beyond U+10FFFF": {0xf4, 0x90, 0x80, 0x80}, "a cut character": {0xe2, 0x82},
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestVectorsEdgePolicies(t *testing.T) {
	deep := strings.Repeat("1 of(", 32) + "a" + strings.Repeat(")", 32)
	deeper := func(n int) string {
		return deep + " or " + strings.Repeat("1 of(", 20) + strings.Repeat("y", n) + strings.Repeat(")", 20)
	}
	// An "and" and an "or" by turns, 31 deep in tkn20's text.
	const bits = "x >= 1431655765"
	// Each of 357 leaves takes 51 bytes and its name, of which an underscore counts
	// as three.
	long := strings.Repeat("x", 128)
	want := map[string][]edge{
		"": {
			say("a name of 128 bytes", "x", 128), say("a name of 128 bytes in quotes", `"`, "+", 128, `"`),
			say("a value of 128 bytes", "x = ", "v", 128), say("a name of 64 characters of 2 bytes", "ø", 64),
			say("a name of 192 bytes that NFC makes 128", "e\u0301", 64), say("a name that NFC makes 128 bytes of 65", "\u0958",
				21, "xx"),
			say("400 leaves", "a or ", 399, "a"), say("400 leaves by comparisons", "x >= 0 and ", 199, "x <= 4294967295"),
			say("400 leaves by a threshold", "20 of (", "a, ", 19, "a) or ", "a or ", 379, "a"),
			say("64,000 bytes for tkn20", long+" and ", 356, "_", 49, "x", 79),
			say("65,536 bytes", "a", " ", 65535), say("65,536 bytes of canonical text", deep+" or ", 282, deeper(21)),
			say("64 parentheses", "(", 64, "a", ")", 64), say("64 parentheses, 32 of thresholds", "(", 32, "1 of (", 32, "a",
				")", 64),
			say("32 parentheses in the canonical text", "a and (a or (", 16, "a and a", ")", 32),
			say("32 thresholds", "1 of (", 32, "a", ")", 32),
			say("60 parentheses for tkn20", "a or (", "a and (a or (", 14, "a and ", bits, ")", 29),
			say("a mark in a name", "a\u0301\u0323"), say("a mark after a space", `"x `+"\u0301"+`y"`),
			say("digits of another script in a name", "a\u0663"),
			say("U+31350, of Unicode 15", "\U00031350"), say("a symbol", `"😀"`), say("a mathematical letter", "\U0001d400"),
			say("every mark of the language", `"()=!<>,"`), say("escapes", `"\"\\"`), say("a space alone", `" "`),
			say("spaces in quotes stay", `"  a  b "`),
			say("a quoted number", `x = "21"`), say("a quoted number compared", `x < "5"`), say("a quoted text of digits",
				`x = "021"`),
			say("the greatest number", "x = 4294967295"), say("the greatest number compared",
				"x <= 4294967295 and x >= 4294967295"),
			say("beyond the greatest number, as a text", `x = "4294967296"`), say("the least numbers",
				"x > 0 and x >= 0 and x <= 0"),
			say("less than 1", "x < 1"), say("a text that looks negative", "x = -5"), say("a quoted name of digits", `"2026"`),
			say("generation in quotes", `"generation" = 1`), say("generation and its number in quotes",
				`"generation" != "4294967295"`),
			say("Generation is another name", "Generation"), say("keywords in any case", "a AND b oR 1 OF (c)"),
			say("keywords in quotes", `"and" = "or" and "NOT"`), say("a word that begins with a keyword",
				"android or orb or not_ or of."),
			say("no space where none is needed", `1 of("a"or"b",c)and(d)and"e"="f"and g>=1`), say("all white space",
				" \t\r\na\r\n and\t(b)\n"),
			say("n of n", "2 of (a, b)"), say("one word of digits and a letter", "5th and 5-2"),
		},
		"syntax": {
			say("nothing follows and", "a and"), say("nothing before and", "and a"), say("and or", "a and or b"),
			say("words side by side", "a b"),
			say("names side by side", `"a" "b"`), say("parentheses side by side", "(a) (b)"), say("a stray )", "a)"),
			say("a stray ) inside", "a) and (b"),
			say("a missing )", "(a"), say("empty parentheses", "()"), say("a comma", "a, b"), say("a comma in parentheses",
				"(a, b)"),
			say("an empty threshold", "1 of ()"), say("a comma too many", "1 of (a, )"), say("a comma missing", "2 of (a b)"),
			say("a threshold without parentheses", "1 of a"), say("a threshold without of", "1 (a)"), say("a quoted threshold",
				`"1" of (a)`),
			say("a threshold by a name", "k of (a)"), say("a threshold in one word", "1of(a)"), say("no value", "a ="),
			say("no name", "= a"),
			say("two comparisons", "a = b = c"), say("a keyword as a value", "a = and"), say("a keyword as a name", "of"),
			say("a value in parentheses", "a = (b)"),
			say("not", "not a"), say("NOT", "NOT a"), say("a space in a comparison", "a > = 1"), say("==", "a == b"),
			say("<>", "a <> b"), say("!", "!a"), say("&&", "a && b"),
			say("a sign", "x = +5"), say("a symbol without quotes", "a+b"), say("an open quote", `"a`),
			say("an open quote after an escape", `"a\"`),
			say("another escape", `"a\n"`), say("an escape at the end", `"a\`), say("a line feed in quotes", "\"a\nb\""),
			say("single quotes", "'a'"),
			say("a comment", "a # b"), say("a NUL-like end", "a;"),
		},
		"empty": {say("nothing", ""), say("white space alone", " \t\r\n"), say("an empty name", `""`),
			say("an empty value", `a = ""`)},
		"mark": {say("a name that begins with a mark", "\u0301a"), say("a quoted name that begins with a mark",
			`"`+"\u0301"+`a"`), say("a value that begins with a mark", `x = "`+"\u09cb"+`1"`),
			say("a value of a mark without quotes", "x = \u09cb1"), say("a mark on an operator", "x =\u03381"),
			say("a combining enclosing mark first", `"`+"\u20dd"+`"`)},
		"character": {say("a vertical tab between words", "a\vand b"), say("a no-break space between words", "a\u00a0and b"),
			say("a line separator between words", "a\u2028and b"), say("a zero-width space in a word", "a\u200bb"),
			say("a byte order mark first", "\ufeffa"), say("a variation selector in a word", "a\ufe0f"),
			say("a filler as a name", "\u115f"), say("an invisible character in a value", `x = "a`+"\u034f"+`"`)},
		"number": {
			say("a leading zero", "x = 021"), say("two zeros", "x = 00"), say("beyond the greatest number", "x = 4294967296"),
			say("beyond 64 bits", "x = 18446744073709551617"),
			say("a leading zero compared", `x >= "021"`), say("beyond the greatest number compared", `x <= "4294967296"`),
			say("a text compared", "x >= old"),
			say("a negative number compared", "x >= -5"), say("a fraction compared", "x < 1.5"),
			say("a signed number in quotes compared", `x < "+5"`), say("digits of another script", "x = \u0663"),
			say("digits of another script compared", `x >= "`+"\u0663"+`"`),
			say("a text as generation", "generation = x"), say("a text of digits as generation", `generation = "02"`),
			say("a leading zero in generation", "generation = 02"),
			say("less than 0", "x < 0"), say("less than 0 in quotes", `x < "0"`), say("greater than the greatest",
				"x > 4294967295"), say("a number as a name", "2026"), say("a number as a name with a value", "2026 = a"),
			say("digits of another script as a name", "\u0663"), say("0 of", "0 of (a)"), say("3 of 2", "3 of (a, b)"),
			say("a leading zero before of", "01 of (a)"), say("a great number before of", "4294967297 of (a)"),
		},
		"generation": {
			say("generation alone", "generation"), say("generation alone in quotes", `"generation"`), say("generation compared",
				"generation >= 2"), say("generation compared in quotes", `"generation" < "2"`)},
		"limit": {
			say("a name of 129 bytes", "x", 129), say("a name of 129 bytes in quotes", `"`, "x", 129, `"`),
			say("a value of 129 bytes", "x = ", "v", 129),
			say("a name of 65 characters of 2 bytes", "ø", 65), say("a name that NFC makes 130 bytes", "e\u0301", 65),
			say("a name of 66 bytes that NFC makes 132", "\u0958", 22),
			say("401 leaves", "a or ", 400, "a"), say("401 leaves by comparisons", "a and ", "x >= 0 and ", 199,
				"x <= 4294967295"), say("402 leaves by a threshold", "2 of (", "a, ", 14, "a) or ", "a or ", 191, "a"),
			say("a threshold of 420 leaves", "2 of (", "a, ", 20, "a)"), say("a threshold of 10,626 terms", "4 of (", "a, ", 23,
				"a)"), say("thresholds in thresholds", "8 of ("+strings.Repeat("a, ", 15), 7, "a", ")", 7),
			say("64,001 bytes for tkn20", long+" and ", 356, "_", 50, "x", 77), say("65,537 bytes", "a", " ", 65536),
			say("65,537 bytes of canonical text", deep+" or ", 282, deeper(22)),
			say("65 parentheses", "(", 65, "a", ")", 65), say("65 parentheses, 32 of thresholds", "(", 33, "1 of (", 32, "a",
				")", 65),
			say("33 parentheses in the canonical text", "a or (", "a and (a or (", 16, "a and a", ")", 33),
			say("33 thresholds", "1 of (", 33, "a", ")", 33),
			say("61 parentheses for tkn20", "a and (a or (", 15, "a and ", bits, ")", 30),
		},
	}
	for _, name := range sortedKeys(badCharacters) {
		want["character"] = append(want["character"], say("in quotes: "+name, `"a`+badCharacters[name]+`b"`))
	}
	for _, name := range sortedKeys(badBytes) {
		want["character"] = append(want["character"], say("not UTF-8: "+name, "a", badBytes[name]),
			say("in quotes, not UTF-8: "+name, `"a`, badBytes[name], `"`))
	}
	runEdges(t, "edge-policies.json", want, func(source string) (string, int, error) {
		p, err := ParsePolicy(source)
		if err != nil {
			var e *SyntaxError
			if !errors.As(err, &e) {
				t.Errorf("%T is no *SyntaxError", err)
			}
			return "", 0, err
		}
		if _, err := newCircuit(p.onDay(testDay)).compile(); err != nil {
			t.Errorf("%.80s: %v", source, err)
		}
		return p.String(), p.Leaves(), nil
	})
}

func TestVectorsEdgeAttributes(t *testing.T) {
	want := map[string][]edge{
		"": {
			say("white space around", " \t\r\ndept \n=\r Telematics\t"), say("white space around quotes", ` "a" = "b" `),
			say("spaces inside", "5th  year = a  b"), say("keywords", "and=or"),
			say("digits in quotes", `"2026"="021"`), say("digits and a space", "1 2"), say("the greatest number",
				"x=4294967295"), say("a quoted number", `x="21"`), say("a text that looks negative", "x=-5"),
			say("= in quotes", `"a=b"="="`), say("a symbol in quotes", `"a+b"`), say("a name of 128 bytes", "x", 128),
			say("a value of 128 bytes", "x=", "v", 128), say("1,024 bytes", "x", " ", 1023),
			say("generation", "generation=2"), say("a mark after a space", "x \u0301y"), say("in NFC", "cafe\u0301=\u212b"),
		},
		"syntax": {
			say("a symbol", "a+b"), say("two values", "a=b=c"), say("after a quoted name", `"a" b`), say("after a quoted value",
				`a="b" c`), say("a quote inside", `a"b"`), say("an open quote", `"a`),
			say("another escape", `"a\n"`), say("another comparison", "a>=1"), say("a comma", "a,b"), say("!=", "a!=b"),
		},
		"empty": {say("nothing", ""), say("white space alone", " \t"), say("no name", "=a"), say("no value", "a="),
			say("an empty name", `""`), say("an empty value", `a=""`)},
		"mark": {say("a name that begins with a mark", "\u0301a"), say("a value that begins with a mark", "x=\u09cb1"),
			say("a quoted value that begins with a mark", `x="`+"\u09cb"+`1"`)},
		"character": {say("a tab inside", "a\tb"), say("a line feed inside", "a\nb"), say("a no-break space around",
			"\u00a0a"), say("without quotes", "a\u200bb")},
		"number": {say("digits", "2026"), say("digits of another script", "\u0663"), say("a leading zero", "x=021"),
			say("beyond the greatest number", "x=4294967296"), say("a value of digits of another script", "x=\u0663")},
		"limit": {say("a name of 129 bytes", "x", 129), say("a value of 129 bytes", "x=", "v", 129),
			say("1,025 bytes", "x", " ", 1024), say("a name of 66 bytes that NFC makes 132", "\u0958", 22)},
	}
	for _, name := range sortedKeys(badCharacters) {
		want["character"] = append(want["character"], say("in quotes: "+name, `"a`+badCharacters[name]+`b"`))
	}
	for _, name := range sortedKeys(badBytes) {
		want["character"] = append(want["character"], say("not UTF-8: "+name, "a", badBytes[name]),
			say("in quotes, not UTF-8: "+name, `"a`, badBytes[name], `"`))
	}
	runEdges(t, "edge-attributes.json", want, func(source string) (string, int, error) {
		a, err := ParseAttribute(source)
		if err != nil {
			return "", 0, err
		}
		return a.String(), 0, nil
	})
}
