package main

import (
	"strings"
	"testing"

	"coterie/cmd/internal/cli"
)

// TestTerminalSettings are those of the interface, and what is wrong with others.
func TestTerminalSettings(t *testing.T) {
	parse := func(text string) (*settings, error) {
		c := &settings{path: "config.toml", from: make(map[string]string), Title: true, History: "0", Time: "short", Hold: "10m", Notify: "names"}
		if err := c.parse([]byte(text)); err != nil {
			return c, err
		}
		return c, c.check()
	}
	c, err := parse("notify = \"all\"\nnotify_text = true\ntitle = false\nmouse = true\nnotify_command = [\"say\", \"hi\"]\n[keys]\nsearch = \"ctrl+s\"\n[rooms.exam]\nnotify = \"none\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Notify != "all" || !c.NotifyText || c.Title || !c.Mouse || len(c.NotifyCommand) != 2 || c.Keys["search"] != "ctrl+s" || c.Rooms["exam"].Notify != "none" {
		t.Errorf("got %+v", c)
	}
	for text, want := range map[string]string{
		"notify = \"some\"\n":                 "not all, names or none",
		"[rooms.exam]\nnotify = \"some\"\n":   "not all, names or none",
		"[keys]\nserach = \"ctrl+s\"\n":       "did you mean search?",
		"[keys]\nnothing-such = \"ctrl+s\"\n": "they are bare, ",
		"notfy = \"all\"\n":                   "did you mean notify?",
	} {
		_, err := parse(text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		e := cli.Describe(err)
		if all := e.Text + " " + strings.Join(e.Hints, " "); !strings.Contains(all, want) {
			t.Errorf("%q: %q, want %q", text, all, want)
		}
	}
}
