package abe

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// decode undoes encode; that it can is what makes encode injective.
func decode(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '_' {
			b.WriteByte(s[i])
			continue
		}
		if len(s) < i+3 {
			return "", errors.New("cut short")
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}

var legalLabel = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// FuzzEncode: attribute encoding is injective.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"NTNU", "5th year", "a_b", "_5f", "", "é", "\x00", "A", "a", "_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if back, err := decode(encode(s)); err != nil || back != s {
			t.Fatalf("%q encodes to %q, which decodes to %q", s, encode(s), back)
		}
		if l := bareLabel(s); !legalLabel.MatchString(l) {
			t.Fatalf("%q is no label", l)
		}
	})
}

// TestLabelsAreInjective gives names that were chosen to collide to all
// families: no two different things may share a label.
func TestLabelsAreInjective(t *testing.T) {
	names := []string{"a", "A", "g", "d", "d1_5", "i00_a", "00_a", "n_a", "a_a", "_", "_5f", "__", "5f", " ", "1", "v_1",
		"é", "e\u0301", "a b", "a_20b"}
	seen := map[string]string{}
	add := func(label, what string) {
		t.Helper()
		if !legalLabel.MatchString(label) {
			t.Errorf("%s has the label %q", what, label)
		}
		if other, ok := seen[label]; ok {
			t.Errorf("%s and %s share the label %s", what, other, label)
		}
		seen[label] = what
	}
	for _, name := range names {
		add(bareLabel(name), "bare "+name)
		add(namedLabel(name), "named "+name)
		for i := range integerBits {
			add(bitLabel(name, i), "bit of "+name)
		}
	}
	add(generationLabel, "generation")
	for _, d := range []Day{0, 1, 511, 512, testDay, maxDay} {
		for _, b := range blocksOf(d) {
			if _, ok := seen[b.label()]; !ok {
				add(b.label(), "a block")
			}
		}
	}
	if _, ok := seen[wildcard]; ok {
		t.Error("a label is tkn20's own")
	}
}
