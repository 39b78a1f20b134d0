package abe

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseAttribute(t *testing.T) {
	for source, want := range map[string]Attribute{
		"NTNU":                 {Name: "NTNU"},
		`"5th year"`:           {Name: "5th year"},
		"5th year":             {Name: "5th year"},
		"  5th year ":          {Name: "5th year"},
		"dept=Telematics":      {"dept", "Telematics", true},
		`dept="A b"`:           {"dept", "A b", true},
		"dept = A b":           {"dept", "A b", true},
		"age=21":               {"age", "21", true},
		`age="021"`:            {"age", "021", true},
		`"2026"`:               {Name: "2026"},
		`"a=b"="c\"\\"`:        {"a=b", `c"\`, true},
		"and":                  {Name: "and"},
		`x="4294967296"`:       {"x", "4294967296", true},
		"cafe\u0301=e\u0301":   {"café", "é", true},
		"Übung.1@ntnu-no_2=-5": {"Übung.1@ntnu-no_2", "-5", true},
	} {
		got, err := ParseAttribute(source)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", source, got, err)
			continue
		}
		if again, err := ParseAttribute(got.String()); err != nil || again != got {
			t.Errorf("%q prints as %s, which is %+v, %v", source, got, again, err)
		}
	}
	for attribute, want := range map[Attribute]string{
		{Name: "NTNU"}: "NTNU", {Name: "5th year"}: `"5th year"`, {Name: "and"}: `"and"`, {Name: "7"}: `"7"`,
		{"dept", "Telematics", true}: "dept=Telematics", {"dept", "A b", true}: `dept="A b"`, {"age", "21", true}: "age=21",
		{"age", "021", true}: `age="021"`, {"x", "or", true}: `x="or"`,
	} {
		if got := attribute.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestAttributeErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                       "attribute: the attribute is empty",
		" ":                      "attribute: the attribute is empty",
		"2026":                   "attribute: 2026 is a number, not a name",
		"age=021":                "attribute: 021 has a leading zero",
		"age=4294967296":         "attribute: 4294967296 is too large (largest 4294967295)",
		"age=":                   "attribute: a name cannot be empty",
		"=x":                     "attribute: a name cannot be empty",
		"a=b=c":                  "attribute: after the value comes the end",
		"a+b":                    "attribute: a name with + needs quotes",
		`"a" b`:                  `attribute: after "a" comes = or the end`,
		`"a`:                     "attribute: the quote is not closed",
		"a\x1b[31m":              "attribute: the character U+001B cannot be used in a name",
		"\"a\u202e\"":            "attribute: the character U+202E cannot be used in a name",
		"a\xff":                  "attribute: the character U+FFFD cannot be used in a name",
		strings.Repeat("x", 129): "attribute: a name of 129 bytes is too long; the limit is 128",
	} {
		_, err := ParseAttribute(source)
		var e *AttributeError
		if !errors.As(err, &e) || e.Error() != want {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}

func TestParseAttributes(t *testing.T) {
	as := attributes(t, "NTNU", "dept=Physics", "5th year", "dept", "age=21")
	if got, want := fmt.Sprint(as), `["5th year" NTNU age=21 dept dept=Physics]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	many := make([]string, MaxAttributes+1)
	for i := range many {
		many[i] = fmt.Sprint("a", i)
	}
	attributes(t, many[:MaxAttributes]...)
	numbers := make([]string, 60)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("number%d=%d", i, i)
	}
	for want, list := range map[string][]string{
		"attribute: generation is reserved":                                   {"generation=2"},
		"attribute: NTNU is given twice":                                      {"NTNU", "x", "NTNU"},
		"attribute: dept has two values; a key holds one":                     {"dept=a", "dept=b"},
		"attribute: 101 are too many; the limit is 100":                       many,
		"attribute: a name with ; needs quotes":                               {"a;b"},
		"attribute: they take 92,610 bytes when encoded; the limit is 60,000": numbers,
	} {
		if _, err := ParseAttributes(list); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := ParseAttributes([]string{"generation"}); err == nil {
		t.Error("the reserved name was accepted as a bare one")
	}
	if as, err := ParseAttributes(nil); err != nil || len(as) != 0 {
		t.Error(as, err)
	}
}
