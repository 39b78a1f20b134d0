package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"coterie/cmd/internal/text"
)

// Exit statuses.
const (
	StatusDone   = 0
	StatusFailed = 1
	StatusUsage  = 2
)

// Error is what a person is told. Code names the kind of trouble for machines.
// An Error without Text has been told already: Report prints nothing and gives
// its status.
type Error struct {
	Code    string
	Text    string   // one line, lower case, no full stop
	Details []string // lines below Text, indented
	Hints   []string // one line each
	Status  int      // 0 means StatusFailed
	Err     error    // the cause, for errors.Is; not printed
}

// Error returns the text alone.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail returns an error that ends the command with status 1.
func Fail(code, format string, a ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, a...), Status: StatusFailed}
}

// Usage returns an error that ends the command with status 2.
func Usage(format string, a ...any) *Error {
	return &Error{Code: "usage", Text: fmt.Sprintf(format, a...), Status: StatusUsage}
}

// Silent returns an error that ends the command with status and prints nothing:
// the command has said it all.
func Silent(status int) *Error { return &Error{Status: status} }

// Hint adds a hint and returns e.
func (e *Error) Hint(format string, a ...any) *Error {
	e.Hints = append(e.Hints, fmt.Sprintf(format, a...))
	return e
}

// Detail adds lines below the text and returns e.
func (e *Error) Detail(lines ...string) *Error {
	e.Details = append(e.Details, lines...)
	return e
}

// Because records the cause and returns e.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// Report prints err to w and returns the exit status: 0 for nil.
func Report(w io.Writer, err error) int {
	if err == nil {
		return StatusDone
	}
	e := Describe(err)
	if e.Text != "" {
		tell(w, "error", e)
	}
	if e.Status == 0 {
		return StatusFailed
	}
	return e.Status
}

// Warn prints e to w as a warning.
func Warn(w io.Writer, e *Error) { tell(w, "warning", e) }

// tell prints an error or a warning. Everything is cleaned here, whoever made
// it: no path to the terminal is left to forget. On a terminal, long lines are
// broken between words.
func tell(w io.Writer, word string, e *Error) {
	io.WriteString(w, strings.Join(lines(word, e, columns(w)), "\n")+"\n")
}

// lines are those of an error on a terminal of so many columns; 0: as long as they
// are.
func lines(word string, e *Error, width int) (out []string) {
	out = breakLine(word+": "+Clean(e.Text), width, "  ")
	pointed := false // a caret points into the line above: neither is broken
	for _, d := range e.Details {
		pointed = pointed || strings.Trim(d, " ^") == "" && d != ""
	}
	for _, d := range e.Details {
		if pointed {
			out = append(out, "  "+Clean(d))
		} else {
			out = append(out, breakLine("  "+Clean(d), width, "    ")...)
		}
	}
	for _, h := range e.Hints {
		out = append(out, breakLine("hint: "+Clean(h), width, "  ")...)
	}
	return out
}

// breakLine breaks a line between words, and never within one: what is copied from
// it stays whole. All lines but the first begin with indent.
func breakLine(s string, width int, indent string) (out []string) {
	for begin := len(s) - len(strings.TrimLeft(s, " ")); width > 0 && text.Width(s) > width; begin = len(indent) {
		at := -1 // the last space that fits, or the first one at all
		for i := begin; i < len(s); i++ {
			if s[i] != ' ' {
				continue
			}
			if at >= 0 && text.Width(s[:i]) > width {
				break
			}
			at = i
		}
		if at < 0 || strings.TrimSpace(s[at:]) == "" {
			break
		}
		out = append(out, strings.TrimRight(s[:at], " "))
		s = indent + strings.TrimLeft(s[at:], " ")
	}
	return append(out, s)
}

// Print writes a line, which is clean; on a terminal it is broken between words,
// and goes on below indent.
func Print(w io.Writer, line, indent string) error {
	_, err := io.WriteString(w, strings.Join(breakLine(line, columns(w), indent), "\n")+"\n")
	return err
}

// columns is how many columns a terminal has; 0: w is none.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
