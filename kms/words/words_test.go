package words

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	if len(list()) != 1<<Bits || !slices.IsSorted(list()) {
		t.Fatalf("%d words, sorted: %v", len(list()), slices.IsSorted(list()))
	}
	beginnings := make(map[string]bool)
	for _, w := range list() {
		if len(w) < 3 || len(w) > 8 || beginnings[w[:min(4, len(w))]] {
			t.Errorf("%q is too short, too long, or begins as another", w)
		}
		beginnings[w[:min(4, len(w))]] = true
		for _, r := range w {
			if r < 'a' || r > 'z' {
				t.Errorf("%q is not in lower case", w)
			}
		}
	}
}

func TestRandom(t *testing.T) {
	one, err := Random(rand.Reader, Passphrase)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := Random(rand.Reader, Passphrase)
	if one == two || strings.Count(one, "-") != Passphrase-1 {
		t.Errorf("%q, %q", one, two)
	}
	if _, err := Random(bytes.NewReader(nil), 1); err == nil {
		t.Error("a passphrase came from nowhere")
	}
}

// Of is a change of base: as a number of base 2,048, the words are the first
// bits.
func TestOf(t *testing.T) {
	b := make([]byte, 32)
	rand.Read(b)
	sum := new(big.Int)
	for _, w := range strings.Split(Of(b, 6), "-") {
		index, ok := slices.BinarySearch(list(), w)
		if !ok {
			t.Fatalf("%q is no word", w)
		}
		sum.Add(sum.Lsh(sum, Bits), big.NewInt(int64(index)))
	}
	if want := new(big.Int).Rsh(new(big.Int).SetBytes(b), 256-66); sum.Cmp(want) != 0 {
		t.Errorf("%x as words is %x", want, sum)
	}
	if got := Of(make([]byte, 9), 6); got != strings.Repeat("abandon-", 5)+"abandon" {
		t.Errorf("zeros are %q", got)
	}
}

func TestNormal(t *testing.T) {
	for in, want := range map[string]string{
		"lamp-orbit-seven":    "lamp-orbit-seven",
		" Lamp  ORBIT seven ": "lamp-orbit-seven",
		"lamp-orbi-seve":      "lamp-orbit-seven",
		"":                    "",
	} {
		if got, err := Normal(in); err != nil || got != want {
			t.Errorf("%q gives %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"lammp", "la", "lamp_orbit", "lamp-\x1b[2J", "zoos"} {
		var unknown *UnknownError
		if got, err := Normal(in); !errors.As(err, &unknown) {
			t.Errorf("%q gives %q, %v", in, got, err)
		}
	}
	var unknown *UnknownError
	if _, err := Normal("lamp-orbti"); !errors.As(err, &unknown) || !slices.Contains(unknown.Like, "orbit") {
		t.Errorf("%v, %q", err, unknown.Like)
	}
}

func TestComplete(t *testing.T) {
	for prefix, want := range map[string][]string{"zo": {"zone", "zoo"}, "abandon": {"abandon"}, "zz": nil, "~": nil} {
		if got := Complete(prefix); !slices.Equal(got, want) {
			t.Errorf("%q gives %q", prefix, got)
		}
	}
	if len(Complete("")) != 2048 {
		t.Error("nothing completes to less than all")
	}
}
