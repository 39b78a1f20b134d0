package words

import (
	"slices"
	"testing"
)

func TestNear(t *testing.T) {
	for _, c := range []struct {
		word       string
		candidates []string
		want       []string
	}{
		{"kari.key", []string{"karin.key", "ann.key", "kari.request"}, []string{"karin.key"}},
		{"kari", []string{"kari.key", "ann.key"}, []string{"kari.key"}},
		{"polcy", []string{"policy", "passphrase-file"}, []string{"policy"}},
		{"jion", []string{"join", "relay"}, []string{"join"}},
		{"ntnu.domain", []string{"NTNU.domain"}, []string{"NTNU.domain"}},
		{"as", []string{"is", "at", "key"}, []string{"at", "is"}},
		{"x", nil, nil},
	} {
		if got := Near(c.word, c.candidates, 3); !slices.Equal(got, c.want) {
			t.Errorf("Near(%q, %q) = %q, want %q", c.word, c.candidates, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"kari", "karin", 1}, {"issue", "isuse", 1}, {"list", "lost", 1},
		{"abc", "xyz", 3},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
