package main

import (
	"bytes"
	"strings"
	"testing"

	"coterie/cmd/internal/text"
	"coterie/kms"
)

// TestListFits: a list of keys fits a terminal of 80 columns, whatever names and attributes
// there are, and nothing of them is left out.
func TestListFits(t *testing.T) {
	attributes := []string{"NTNU", "5th year", "dept=Telematics", strings.Repeat("x", 120),
		"\u5b66\u751f\u5b66\u751f\u5b66\u751f\u5b66\u751f\u5b66\u751f\u5b66\u751f"}
	var issues []kms.Issue
	for i, name := range []string{"Kari Nordmann", strings.Repeat("Ann ", 30) + "Berg", strings.Repeat("b", 128), "",
		"\u5b66" + strings.Repeat("\u751f", 60)} {
		issues = append(issues, kms.Issue{Number: uint64(i + 100_001), Name: name, Attributes: attributes[:i+1],
			From: 20_000, Expires: 20_090, NoRenew: i%2 == 0})
	}
	for n := range issues {
		var b bytes.Buffer
		if err := printTable(&b, issues[:n+1], 20_000); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if w := text.Width(strings.TrimSuffix(line, "\n")); w > 80 {
				t.Errorf("%d columns: %s", w, line)
			}
		}
		letters := strings.Join(strings.Fields(b.String()), "")
		for _, word := range []string{"Kari", "Nordmann", "100001", "90days,norenewal"} {
			if !strings.Contains(letters, word) {
				t.Errorf("no %q in\n%s", word, &b)
			}
		}
		if n == len(issues)-1 && (strings.Count(letters, "b") != 128 || strings.Count(letters, "x") != 240 ||
			strings.Count(letters, "\u751f") != 66) {
			t.Errorf("something is left out:\n%s", &b)
		}
	}
}
