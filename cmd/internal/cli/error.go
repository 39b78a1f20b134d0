package cli

import (
	"fmt"
	"io"
	"strings"
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
// it: no path to the terminal is left to forget.
func tell(w io.Writer, word string, e *Error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", word, Clean(e.Text))
	for _, d := range e.Details {
		fmt.Fprintf(&b, "  %s\n", Clean(d))
	}
	for _, h := range e.Hints {
		fmt.Fprintf(&b, "hint: %s\n", Clean(h))
	}
	io.WriteString(w, b.String())
}
