package people

import (
	"strings"
	"testing"

	"coterie/cmd/internal/text"
)

func TestMarkHosts(t *testing.T) {
	long := "https://good.org:" + strings.Repeat("x", 300) + "@аpple.com"
	for in, want := range map[string]string{
		long:                                     long + " (xn--pple-43d.com)",
		"see https://example.org/path?q=1 there": "see https://example.org/path?q=1 there",
		"https://аpple.com/login":                "https://аpple.com/login (xn--pple-43d.com)",
		"http://user@xn--x:80/ http://bücher.example": "http://user@xn--x:80/ http://bücher.example",
		"http://а.example":                            "http://а.example (xn--80a.example)",
		"https://пример.рф/":                          "https://пример.рф/",
		"https://good.org@раypal.com/x and more":      "https://good.org@раypal.com/x (xn--ypal-43d9g.com) and more",
		"not a://host":                                "not a://host",
		"HTTPS://аpple.com/login Http://аpple.com": "HTTPS://аpple.com/login (xn--pple-43d.com) Http://аpple.com " +
			"(xn--pple-43d.com)",
		"1https://аpple.com":           "1https://аpple.com (xn--pple-43d.com)",
		`https://аpple.com\@good.org/`: `https://аpple.com\@good.org/ (xn--pple-43d.com)`,
		"https://good.org:x@аpple.com": "https://good.org:x@аpple.com (xn--pple-43d.com)",
		"https://аpple.com。good.org":   "https://аpple.com。good.org (xn--pple-43d.com.good.org)",
		"wss://аpple.com ftps://аpple.com": "wss://аpple.com (xn--pple-43d.com) ftps://аpple.com " +
			"(xn--pple-43d.com)",
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
