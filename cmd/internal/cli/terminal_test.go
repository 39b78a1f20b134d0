package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// What is typed, and what comes of it.
func TestEditLine(t *testing.T) {
	for typed, want := range map[string]string{
		"lamp-orbit\r":                       "lamp-orbit",
		"lamo\x7fp\r":                        "lamp",
		"\x7f\x7flamp\n":                     "lamp",
		"rubbish\x15lamp\r":                  "lamp",
		"lamp-orbit\x17seven\r":              "lamp-seven",
		"lam\torbi\tsev\tcano\trur\tpia\t\r": "lamp-orbit-seven-canoe-rural-piano-",
		"zo\t\r":                             "zo", // zone or zoo
		"abs\tx\r":                           "absx",
		"zz\t\r":                             "zz",
		"a\x1bb\x00\xc3\xa5c\r":              "abc", // what is no ASCII is not taken
	} {
		var out bytes.Buffer
		got, err := editLine(strings.NewReader(typed), &out, completeWord)
		if err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", typed, got, err, want)
		}
		// What the terminal shows in the end is the line.
		shown := []byte{}
		for _, b := range out.Bytes() {
			switch b {
			case '\b':
				shown = shown[:len(shown)-1]
			case '\a', '\r', '\n':
			default:
				shown = append(shown, b)
			}
		}
		if strings.TrimRight(string(shown), " ") != want {
			t.Errorf("%q shows %q", typed, shown)
		}
	}
	for typed, want := range map[string]error{"": io.EOF, "lamp": io.EOF, "lamp\x03": errInterrupted,
		"\x04": errInterrupted} {
		if got, err := editLine(strings.NewReader(typed), io.Discard, completeWord); !errors.Is(err, want) {
			t.Errorf("%q gives %q, %v", typed, got, err)
		}
	}
	if got, err := editLine(strings.NewReader(strings.Repeat("a", 5000)+"\r"), io.Discard, completeWord); err != nil ||
		len(got) != maxAnswer {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A line is read to its end and no further: what follows answers the next
// question.
func TestPlainLine(t *testing.T) {
	in := strings.NewReader("one\ntwo\n")
	for _, want := range []string{"one", "two"} {
		if got, err := plainLine(in); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := plainLine(in); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestAttributes(t *testing.T) {
	if got := Attributes([]string{`"5th year"`, "NTNU", "dept=Physics",
		`"a b"=c`}); got != `NTNU, dept=Physics, "5th year", "a b"=c` {
		t.Errorf("%s", got)
	}
}
