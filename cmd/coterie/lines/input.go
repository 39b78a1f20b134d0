package lines

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/room/record"
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
			return chat.Bad{Err: cli.Fail("bad-input", "a line of input has more than %s bytes", cli.Count(MaxLine))},
				true
		case err != nil && text == "":
			return nil, false
		case text != "":
			if err := notText(text); err != nil {
				return chat.Bad{Err: err}, true
			}
			return r.parse(text), true
		}
	}
}

// notText says what a line is that a program has encoded in another way, or nil. Taken for a
// message, a command would go out for all to read.
func notText(s string) *cli.Error {
	switch {
	case strings.HasPrefix(s, "\ufeff"):
		return cli.Fail("bad-input", "a line of input begins with a byte order mark").
			Hint("write UTF-8 without one; the line was not taken")
	case strings.HasPrefix(s, "\xff\xfe"), strings.HasPrefix(s, "\xfe\xff"), strings.Contains(s, "\x00"):
		return cli.Fail("bad-input", "a line of input is not UTF-8 text; it may be UTF-16").
			Hint("write UTF-8 without a byte order mark; the line was not taken")
	}
	return nil
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
	// To is what was given, so that null is not taken for words for all.
	To json.RawMessage `json:"to"`

	Send     *string `json:"send"`
	Action   *bool   `json:"action"`
	Quit     *bool   `json:"quit"`
	Leave    *bool   `json:"leave"`
	Linger   *int64  `json:"linger_ms"`
	Nick     *string `json:"nick"`
	Rekey    *bool   `json:"rekey"`
	Ping     *string `json:"ping"`
	Status   *bool   `json:"status"`
	Search   *string `json:"search"`
	From     *string `json:"from"`
	After    *string `json:"after"`
	Before   *string `json:"before"`
	Limit    *int    `json:"limit"`
	Prove    *string `json:"prove"`
	Expr     *string `json:"expr"`
	Answer   *string `json:"answer"`
	Allow    *bool   `json:"allow"`
	Drop     *bool   `json:"drop"`
	Resend   *bool   `json:"send_held"`
	Held     *bool   `json:"held"`
	Ignore   *string `json:"ignore"`
	Cut      *string `json:"cut"`
	Uncut    *string `json:"uncut"`
	Notice   *string `json:"notice"`
	Asked    *bool   `json:"questions"`
	Reply    *int    `json:"answer_question"`
	Text     *string `json:"text"`
	Answers  *string `json:"reply_to"`
	React    *string `json:"react"`
	Edit     *string `json:"edit"`
	Withdraw *string `json:"withdraw"`
	Export   *string `json:"export"`
	File     *string `json:"file"`
	Fetch    *string `json:"fetch"`
	Save     *string `json:"save"`
	Stop     *string `json:"stop"`
	Path     *string `json:"path"`
	Ref      any     `json:"ref"`
}

// ParseJSON reads one line of input: an object, or a message word for word. What looks like a
// part of other JSON is neither. It is long because each command has fields that go with no other.
func ParseJSON(s string) chat.Command {
	switch begin := strings.TrimLeft(s, " \t"); {
	case begin != "" && strings.Contains("[]}", begin[:1]):
		return chat.Bad{Err: cli.Fail("bad-input", "a line that begins with %s is no message: one object a line is wanted",
			begin[:1]).Hint(`{"send":"%s..."} sends a message that begins so`, begin[:1])}
	case !strings.HasPrefix(begin, "{"):
		return chat.Say{Text: s}
	}
	bad := func(format string, a ...any) chat.Command {
		return chat.Bad{Err: cli.Fail("bad-input", format, a...).
			Hint(`{"send":"text"} or {"quit":true}; docs/INTERFACE.md has all`)}
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
	var given []chat.Command
	for _, v := range []struct {
		given bool
		c     chat.Command
	}{
		{in.Send != nil, chat.Say{Ref: in.Ref, Text: is(in.Send), Action: is(in.Action)}},
		{is(in.Quit), chat.Quit{Linger: time.Duration(is(in.Linger)) * time.Millisecond}},
		{is(in.Leave), chat.Quit{Linger: time.Duration(is(in.Linger)) * time.Millisecond, Leave: true}},
		{in.Nick != nil, chat.Nick{Name: is(in.Nick)}},
		{is(in.Rekey), chat.Rekey{}},
		{in.Ping != nil, chat.Ping{Who: is(in.Ping)}},
		{is(in.Status), chat.Status{}},
		{in.Search != nil, chat.Search{Ref: in.Ref, Words: is(in.Search), From: is(in.From), Limit: 100}},
		{in.Prove != nil, chat.Prove{Who: is(in.Prove), Expr: is(in.Expr)}},
		{in.Answer != nil, chat.Allow{ID: is(in.Answer), Allow: is(in.Allow)}},
		{is(in.Drop), chat.Drop{}},
		{is(in.Resend), chat.SendHeld{}},
		{is(in.Held), chat.ShowHeld{Ref: in.Ref}},
		{in.Ignore != nil, chat.Ignore{Who: is(in.Ignore), On: true}},
		{in.Cut != nil, chat.Cut{Who: is(in.Cut), On: true}},
		{in.Uncut != nil, chat.Cut{Who: is(in.Uncut)}},
		{in.Notice != nil, chat.Notice{File: is(in.Notice)}},
		{is(in.Asked), chat.Questions{Ref: in.Ref}},
		{in.React != nil, chat.Say{Ref: in.Ref, About: record.KindReaction, Which: is(in.React), Text: is(in.Text)}},
		{in.Edit != nil, chat.Say{Ref: in.Ref, About: record.KindEdit, Which: is(in.Edit), Text: is(in.Text)}},
		{in.Withdraw != nil, chat.Say{Ref: in.Ref, About: record.KindWithdrawal, Which: is(in.Withdraw)}},
		{in.Export != nil, chat.Export{File: is(in.Export)}},
		{in.Reply != nil, chat.Reply{Number: is(in.Reply), Text: is(in.Text)}},
		{in.File != nil, chat.File{Ref: in.Ref, Path: chat.Path(is(in.File))}},
		{in.Fetch != nil, chat.Fetch{ID: messageID(in.Fetch)}},
		{in.Stop != nil, chat.Stop{ID: messageID(in.Stop)}},
		{in.Save != nil, chat.Save{ID: messageID(in.Save), Path: chat.Path(is(in.Path))}},
	} {
		if v.given {
			given = append(given, v.c)
		}
	}
	if len(given) != 1 {
		return bad("an object with exactly one of send, quit, leave, nick, rekey, ping, status, search, prove, answer, " +
			"drop, send_held, held, ignore, cut, uncut, notice, questions, answer_question, react, edit, withdraw, export, " +
			"file, fetch, stop, save")
	}
	if in.To != nil && in.Send == nil {
		return bad("to goes with send")
	}
	if (in.Text != nil) != (in.Reply != nil || in.React != nil || in.Edit != nil) {
		return bad("text goes with answer_question, react and edit, and they need it")
	}
	if in.Answers != nil && (in.Send == nil || in.To != nil || is(in.Action)) {
		return bad("reply_to goes with send, without to and action")
	}
	if (in.Path == nil || *in.Path == "") != (in.Save == nil) {
		return bad("save needs path, and nothing else has one")
	}
	switch c := given[0].(type) {
	case chat.File:
		if is(in.File) == "" {
			return bad("file is a path")
		}
	case chat.Fetch, chat.Stop, chat.Save:
		none := ake.Hash{}
		if messageID(in.Fetch) == none && messageID(in.Stop) == none && messageID(in.Save) == none {
			return bad("fetch, stop and save want the id of a message, in hexadecimal")
		}
	case chat.Reply:
		if c.Number < 1 || c.Text == "" {
			return bad("answer_question is the number of a question, and needs text")
		}
	case chat.Export:
		if c.File == "" {
			return bad("export is a file")
		}
	case chat.Say:
		if in.Answers != nil {
			c.About, c.Which = record.KindReply, is(in.Answers)
		}
		if least, _ := record.WordsAbout(c.About); c.About != 0 && (least == 0 || c.Text != "") {
			return c
		}
		if c.Text == "" {
			return bad("an empty message")
		}
		if in.To != nil {
			if json.Unmarshal(in.To, &c.To) != nil || strings.TrimSpace(c.To) == "" || c.Action {
				return bad("to is a policy, and goes with no action")
			}
			return c
		}
	case chat.Quit:
		if n := is(in.Linger); n < 0 || n > time.Hour.Milliseconds() {
			return bad("linger_ms is 0 to 3600000")
		}
	case chat.Prove, chat.Allow:
		if in.Prove != nil && in.Expr == nil || in.Answer != nil && in.Allow == nil {
			return bad("prove needs expr, and answer needs allow")
		}
		if in.Answer != nil && is(in.Answer) == "" {
			return bad("answer is the id of a question")
		}
	case chat.Search:
		return searchInput(c, &in, bad)
	}
	return given[0]
}

// is is what a field holds, or a zero value where it is not there.
func is[T any](field *T) (value T) {
	if field != nil {
		value = *field
	}
	return value
}

// messageID is the id of a message; zeros: it is none.
func messageID(field *string) (id ake.Hash) {
	if b, err := hex.DecodeString(is(field)); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

func searchInput(c chat.Search, in *jsonInput, bad func(string, ...any) chat.Command) chat.Command {
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
