package lines

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
)

// MaxLine is the longest line of input in bytes.
const MaxLine = 64 << 10

// A Reader reads commands: plain lines, or one JSON object a line.
type Reader struct {
	in    *bufio.Reader
	parse func(string) chat.Command
}

// NewReader reads from in, which has a buffer of MaxLine.
func NewReader(in *bufio.Reader, asJSON bool) *Reader {
	if asJSON {
		return &Reader{in, ParseJSON}
	}
	return &Reader{in, chat.Parse}
}

// Next reads one line that is not empty. ok is false at the end of input.
func (r *Reader) Next() (c chat.Command, ok bool) {
	for {
		text, err := readLine(r.in)
		switch {
		case errors.Is(err, bufio.ErrTooLong):
			return chat.Bad{Err: cli.Fail("bad-input", "a line of input has more than %s bytes", cli.Count(MaxLine))}, true
		case err != nil && text == "":
			return nil, false
		case text != "":
			return r.parse(text), true
		}
	}
}

// readLine reads one line of at most MaxLine bytes, without its end; what is
// longer is skipped, with bufio.ErrTooLong.
func readLine(in *bufio.Reader) (string, error) {
	b, err := in.ReadSlice('\n')
	text := strings.TrimRight(string(b), "\r\n")
	if !errors.Is(err, bufio.ErrBufferFull) {
		return text, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return "", err
	}
	return "", bufio.ErrTooLong
}

// jsonInput is one object of input: exactly one of its verbs, with what belongs
// to it.
type jsonInput struct {
	Send   *string `json:"send"`
	Action *bool   `json:"action"`
	Quit   *bool   `json:"quit"`
	Linger *int64  `json:"linger_ms"`
	Nick   *string `json:"nick"`
	Rekey  *bool   `json:"rekey"`
	Ping   *string `json:"ping"`
	Status *bool   `json:"status"`
	Search *string `json:"search"`
	From   *string `json:"from"`
	After  *string `json:"after"`
	Before *string `json:"before"`
	Limit  *int    `json:"limit"`
	Prove  *string `json:"prove"`
	Expr   *string `json:"expr"`
	Answer *string `json:"answer"`
	Allow  *bool   `json:"allow"`
	Drop   *bool   `json:"drop"`
	Ignore *string `json:"ignore"`
	Cut    *string `json:"cut"`
	Uncut  *string `json:"uncut"`
	Ref    any     `json:"ref"`
}

// ParseJSON reads one line of input: an object, or a message word for word.
func ParseJSON(s string) chat.Command {
	if !strings.HasPrefix(s, "{") {
		return chat.Say{Text: s}
	}
	bad := func(format string, a ...any) chat.Command {
		return chat.Bad{Err: cli.Fail("bad-input", format, a...).Hint(`{"send":"text"} or {"quit":true}; docs/INTERFACE.md has all`)}
	}
	var in jsonInput
	dec := json.NewDecoder(strings.NewReader(s))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil {
		return bad("not an object this version knows")
	}
	if _, err := dec.Token(); err != io.EOF {
		return bad("more than one object on a line")
	}
	yes := func(b *bool) bool { return b != nil && *b }
	verbs := 0
	for _, v := range []bool{in.Send != nil, yes(in.Quit), in.Nick != nil, yes(in.Rekey), in.Ping != nil, yes(in.Status), in.Search != nil,
		in.Prove != nil, in.Answer != nil, yes(in.Drop), in.Ignore != nil, in.Cut != nil, in.Uncut != nil} {
		if v {
			verbs++
		}
	}
	switch {
	case verbs != 1:
		return bad("an object with exactly one of send, quit, nick, rekey, ping, status, search, prove, answer, drop, ignore, cut, uncut")
	case in.Send != nil && *in.Send == "":
		return bad("an empty message")
	case in.Send != nil:
		return chat.Say{Ref: in.Ref, Text: *in.Send, Action: yes(in.Action)}
	case yes(in.Quit):
		if in.Linger == nil {
			return chat.Quit{}
		}
		if *in.Linger < 0 || *in.Linger > time.Hour.Milliseconds() {
			return bad("linger_ms is 0 to 3600000")
		}
		return chat.Quit{Linger: time.Duration(*in.Linger) * time.Millisecond}
	case in.Nick != nil:
		return chat.Nick{Name: *in.Nick}
	case yes(in.Rekey):
		return chat.Rekey{}
	case yes(in.Drop):
		return chat.Drop{}
	case yes(in.Status):
		return chat.Status{}
	case in.Ping != nil:
		return chat.Ping{Who: *in.Ping}
	case in.Ignore != nil:
		return chat.Ignore{Who: *in.Ignore, On: true}
	case in.Cut != nil:
		return chat.Cut{Who: *in.Cut, On: true}
	case in.Uncut != nil:
		return chat.Cut{Who: *in.Uncut}
	case in.Prove != nil && in.Expr != nil:
		return chat.Prove{Who: *in.Prove, Expr: *in.Expr}
	case in.Answer != nil && in.Allow != nil:
		return chat.Allow{ID: *in.Answer, Allow: *in.Allow}
	case in.Search != nil:
		return searchInput(&in, bad)
	}
	return bad("prove needs expr, and answer needs allow")
}

func searchInput(in *jsonInput, bad func(string, ...any) chat.Command) chat.Command {
	c := chat.Search{Ref: in.Ref, Words: *in.Search, Limit: 100}
	if in.From != nil {
		c.From = *in.From
	}
	for _, t := range []struct {
		from *string
		to   *time.Time
	}{{in.After, &c.After}, {in.Before, &c.Before}} {
		if t.from == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339, *t.from)
		if err != nil {
			return bad("times are RFC 3339, such as 2026-11-23T09:00:00Z")
		}
		*t.to = at
	}
	if in.Limit != nil {
		if *in.Limit < 1 || *in.Limit > chat.MaxFound {
			return bad("limit is 1 to %d", chat.MaxFound)
		}
		c.Limit = *in.Limit
	}
	return c
}
