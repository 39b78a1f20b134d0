package ui

import (
	"strings"
	"testing"
)

// TestTypedMarksJoin: typed key by key, a mark joins the letter before it, and nothing
// else is sent.
func TestTypedMarksJoin(t *testing.T) {
	for _, want := range []string{"สวัสดี", "नमस्ते", "שָׁלוֹם", "e\u0301", "1\ufe0f\u20e3"} {
		var e editor
		for _, r := range want {
			e.insert(string(r), true)
		}
		if got := strings.Join(e.chars, ""); strings.ContainsRune(got, 0x25cc) {
			t.Errorf("typed %q, the input has %q", want, got)
		}
	}
}
