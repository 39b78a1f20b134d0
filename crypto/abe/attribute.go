package abe

import (
	"fmt"
	"slices"
	"strings"
)

// Attribute is something a key says of its holder: bare, as NTNU, or named and
// with a value, as dept=Telematics. Names and values are exact after Unicode
// NFC. A bare attribute and a named one of the same name are different things.
type Attribute struct {
	Name, Value string // Value is empty unless Named
	Named       bool
}

// AttributeError says what is wrong with an attribute.
type AttributeError struct {
	Source string // as given; may hold anything
	Msg    string
	Hint   string
}

func (e *AttributeError) Error() string { return "attribute: " + e.Msg }

// ParseAttribute reads NTNU, "5th year", 5th year, dept=Telematics,
// dept="A b", age=21. Quotes are needed only around what is neither letters,
// digits, _ - . @ nor spaces, and around names of digits alone.
func ParseAttribute(s string) (Attribute, error) {
	fail := func(msg, hint string) (Attribute, error) {
		return Attribute{}, &AttributeError{Source: s, Msg: msg, Hint: hint}
	}
	if len(s) > 8*maxName {
		return fail(fmt.Sprintf("%s bytes are too long", commas(uint64(len(s)))), "")
	}
	if strings.TrimSpace(s) == "" {
		return fail("the attribute is empty", "")
	}
	name, quoted, rest, msg := cutName(s)
	if msg != "" {
		return fail(msg, "")
	}
	a := Attribute{Named: strings.HasPrefix(rest, "=")}
	var err error
	if a.Name, err = checkName(name); err != nil {
		return fail(err.Error(), "")
	}
	if !quoted && allDigits(a.Name) {
		return fail(clip(a.Name)+" is a number, not a name", "as a name it needs quotes: "+quote(a.Name))
	}
	if !a.Named {
		if rest != "" {
			return fail("after "+quote(clip(a.Name))+" comes = or the end", "")
		}
		return a, nil
	}
	value, quoted, rest, msg := cutName(rest[1:])
	if msg != "" {
		return fail(msg, "")
	}
	if a.Value, err = checkName(value); err != nil {
		return fail(err.Error(), "")
	}
	if rest != "" {
		return fail("after the value comes the end", "a value with such a character needs quotes")
	}
	if _, ok := integer(a.Value); !quoted && !ok && allDigits(a.Value) {
		if a.Value[0] == '0' {
			return fail(clip(a.Value)+" has a leading zero", "for a text write: "+quoteUnlessBare(a.Name)+"="+quote(a.Value))
		}
		return fail(clip(a.Value)+" is too large (largest 4294967295)", "for a text write: "+quoteUnlessBare(a.Name)+"="+
			quote(a.Value))
	}
	return a, nil
}

// cutName takes a quoted name, or the bare characters and inner spaces, from
// the start of s. The rest has no space at its ends.
func cutName(s string) (name string, quoted bool, rest, msg string) {
	s = strings.Trim(s, " \t\r\n")
	if strings.HasPrefix(s, `"`) {
		name, n, msg := unquote(s)
		if msg != "" {
			return "", true, "", msg
		}
		return name, true, strings.Trim(s[n:], " \t\r\n"), ""
	}
	end := strings.IndexByte(s, '=')
	if end < 0 {
		end = len(s)
	}
	name = strings.Trim(s[:end], " \t\r\n")
	for _, r := range name {
		if r != ' ' && !bareRune(r) {
			if !printable(r) {
				return "", false, "", fmt.Sprintf("the character %U cannot be used in a name", r)
			}
			return "", false, "", "a name with " + string(r) + " needs quotes"
		}
	}
	return name, false, s[end:], ""
}

// String is the canonical text, which ParseAttribute reads back: NTNU,
// "5th year", dept=Telematics.
func (a Attribute) String() string {
	if !a.Named {
		return quoteUnlessBare(a.Name)
	}
	if _, ok := integer(a.Value); ok {
		return quoteUnlessBare(a.Name) + "=" + a.Value
	}
	return quoteUnlessBare(a.Name) + "=" + quoteUnlessBare(a.Value)
}

// ParseAttributes reads a key's attributes and sorts them.
func ParseAttributes(ss []string) ([]Attribute, error) {
	as := make([]Attribute, 0, min(len(ss), MaxAttributes))
	for i, s := range ss {
		if i == MaxAttributes {
			return nil, &AttributeError{Source: s, Msg: fmt.Sprintf("%s are too many; the limit is %d", commas(uint64(len(ss))),
				MaxAttributes)}
		}
		a, err := ParseAttribute(s)
		if err != nil {
			return nil, err
		}
		as = append(as, a)
	}
	return checkAttributes(as)
}

// compareAttributes orders by name, then bare before named.
func compareAttributes(a, b Attribute) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	switch {
	case a.Named == b.Named:
		return strings.Compare(a.Value, b.Value)
	case b.Named:
		return -1
	}
	return 1
}

// checkAttributes returns a sorted copy of a list that a key can hold: each
// attribute as ParseAttribute makes it, none reserved, one value per name,
// neither too many nor too large together.
func checkAttributes(list []Attribute) ([]Attribute, error) {
	as := slices.Clone(list)
	slices.SortFunc(as, compareAttributes)
	if len(as) > MaxAttributes {
		return nil, &AttributeError{Msg: fmt.Sprintf("%d are too many; the limit is %d", len(as), MaxAttributes)}
	}
	labels := map[string]string{}
	for i, a := range as {
		fail := func(msg string) ([]Attribute, error) {
			return nil, &AttributeError{Source: a.String(), Msg: msg}
		}
		if b, err := ParseAttribute(a.String()); err != nil {
			return nil, err
		} else if b != a {
			return fail("not in normal form")
		}
		if a.Name == generation {
			return nil, &AttributeError{Source: a.String(), Msg: "generation is reserved",
				Hint: "the authority sets it in every key"}
		}
		if i > 0 && as[i-1] == a {
			return fail(clip(a.String()) + " is given twice")
		}
		if i > 0 && as[i-1].Named && a.Named && as[i-1].Name == a.Name {
			return fail(clip(quoteUnlessBare(a.Name)) + " has two values; a key holds one")
		}
		addAttribute(labels, a)
	}
	if n := attributeBytes(labels); n > maxAttributeBytes {
		return nil, &AttributeError{
			Msg:  fmt.Sprintf("they take %s bytes when encoded; the limit is %s", commas(uint64(n)), commas(maxAttributeBytes)),
			Hint: "each number counts as 33; use shorter names or fewer of them",
		}
	}
	return as, nil
}
