package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGuide: every command line of the operator's guide is one that this program
// takes, and every command is in the guide.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile("../../docs/OPERATOR.md")
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
	seen := make(map[string]bool)
	for line := range strings.Lines(string(page)) {
		command, ok := strings.CutPrefix(line, "    kms ")
		if !ok {
			continue
		}
		// What follows several spaces is said about it.
		command, _, _ = strings.Cut(strings.TrimSpace(command), "   ")
		var args []string
		for _, w := range word.FindAllString(command, -1) {
			args = append(args, strings.Trim(w, `'"`))
		}
		cmd, rest, err := testApp().root().Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateRequiredFlags()
		}
		if err != nil || cmd.HasSubCommands() {
			t.Errorf("%q: %v", command, err)
			continue
		}
		seen[cmd.CommandPath()] = true
	}
	for _, cmd := range commands(testApp().root()) {
		if !cmd.HasSubCommands() && !seen[cmd.CommandPath()] && !strings.Contains(string(page), "`"+cmd.CommandPath()) {
			t.Errorf("the guide does not have %q", cmd.CommandPath())
		}
	}
}
