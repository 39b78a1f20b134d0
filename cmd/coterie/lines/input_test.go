package lines

import (
	"bufio"
	"strings"
	"testing"
	"unicode/utf16"

	"coterie/cmd/coterie/chat"
)

// inUTF16 is a text as some programs write it.
func inUTF16(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

// TestNeverAMessage: input that is meant as a command and is not one is an error, whatever it
// is wrapped in, and the lines after it are taken.
func TestNeverAMessage(t *testing.T) {
	for input, want := range map[string]string{
		"\ufeff{\"send\":\"x\"}\n{\"send\":\"y\"}\n":         "begins with a byte order mark|say y",
		"\ufeff\n{\"send\":\"y\"}\n":                         "begins with a byte order mark|say y",
		"[{\"send\":\"x\"}]\n{\"send\":\"y\"}\n":             "begins with [|say y",
		" \t[\n  {\"send\":\"x\"},\n  {\"send\":\"y\"}\n]\n": "begins with [|more than one|say y|begins with ]",
		"{\n}\n":                          "not an object|begins with }",
		"[draft] hello\n":                 "begins with [",
		"hello [draft]\n":                 "say hello [draft]",
		"  {\"quit\":1}\n":                "not an object",
		inUTF16("{\"send\":\"x\"}\n"):     "not UTF-8|not UTF-8",
		inUTF16("{\"send\":\"x\"}\n")[2:]: "not UTF-8|not UTF-8",
		"a\x00b\n":                        "not UTF-8",
		// Words for some are never said to all.
		`{"send":"x","to":""}`:                  "to is a policy",
		`{"send":"x","to":" "}`:                 "to is a policy",
		`{"send":"x","to":null}`:                "to is a policy",
		`{"send":"x","to":["A"]}`:               "to is a policy",
		`{"send":"x","to":"A","to":null}`:       "to is a policy",
		`{"send":"x","to":"A","action":true}`:   "to is a policy",
		`{"to":"A"}`:                            "exactly one",
		`{"nick":"x","to":"A"}`:                 "to goes with send",
		`{"send":"x","TO":"A"}`:                 "say x to A",
		`{"send":"/to A x"}` + "\n" + `/to A x`: "say /to A x|say /to A x",
	} {
		in := NewReader(bufio.NewReaderSize(strings.NewReader(input), MaxLine), true)
		var got []string
		for c, ok := in.Next(); ok; c, ok = in.Next() {
			switch c := c.(type) {
			case chat.Say:
				if c.To != "" {
					c.Text += " to " + c.To
				}
				got = append(got, "say "+c.Text)
			case chat.Bad:
				if c.Err.Code != "bad-input" || len(c.Err.Hints) == 0 {
					t.Errorf("%q: code %q, hints %q", input, c.Err.Code, c.Err.Hints)
				}
				got = append(got, c.Err.Text)
			default:
				t.Errorf("%q is %T", input, c)
			}
		}
		all := strings.Split(want, "|")
		if len(got) != len(all) {
			t.Errorf("%q: %q", input, got)
			continue
		}
		for i := range all {
			if !strings.Contains(got[i], all[i]) {
				t.Errorf("%q: %q is not %q", input, got[i], all[i])
			}
		}
	}
	// Plain lines, too: a command with a mark before it would be said to all.
	in := NewReader(bufio.NewReaderSize(strings.NewReader("\ufeff/quit\n[draft] hello\n"), MaxLine), false)
	if c, _ := in.Next(); c == (chat.Quit{}) {
		t.Error("a command with a mark is taken")
	} else if _, ok := c.(chat.Bad); !ok {
		t.Errorf("a command with a mark is %T", c)
	}
	if c, _ := in.Next(); c != (chat.Say{Text: "[draft] hello"}) {
		t.Errorf("a plain line is %v", c)
	}
}
