package people

import (
	"testing"

	"coterie/cmd/internal/text"
)

func TestMarkHosts(t *testing.T) {
	for in, want := range map[string]string{
		"see https://example.org/path?q=1 there":      "see https://example.org/path?q=1 there",
		"https://аpple.com/login":                     "https://аpple.com/login (xn--pple-43d.com)",
		"http://user@xn--x:80/ http://bücher.example": "http://user@xn--x:80/ http://bücher.example",
		"http://а.example":                            "http://а.example (xn--80a.example)",
		"https://пример.рф/":                          "https://пример.рф/",
		"https://good.org@раypal.com/x and more":      "https://good.org@раypal.com/x (xn--ypal-43d9g.com) and more",
		"not a://host":                                "not a://host",
	} {
		got := MarkHosts(in)
		if got != want {
			t.Errorf("MarkHosts(%q) = %q, want %q", in, got, want)
		}
		if clean, _ := text.Line(got); clean != got {
			t.Errorf("%q is not clean", got)
		}
	}
}
