package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/room/record"
)

// maxLine is the longest line of input in bytes.
const maxLine = 64 << 10

// A line is one thing the user wants: a message, or something else.
type line struct {
	text   string
	kind   byte
	ref    any
	quit   bool
	linger time.Duration // with quit: for what is still held
	wanted *wanted
	bad    *cli.Error
}

// wanted is what the user wants besides sending: its word as it is typed after
// the slash, with what belongs to it.
type wanted struct {
	word   string
	who    string // a peer, by id, tag or name
	text   string
	value  string // of a setting
	ref    any
	allow  bool
	after  time.Time
	before time.Time
	limit  int
}

// readInput reads and parses one line that is not empty; ok is false at the end
// of input.
func readInput(in *bufio.Reader, parse func(string) line) (line, bool) {
	for {
		text, err := readLine(in)
		switch {
		case errors.Is(err, bufio.ErrTooLong):
			return line{bad: cli.Fail("bad-input", "a line of input has more than %s bytes", cli.Count(maxLine))}, true
		case err != nil && text == "":
			return line{}, false
		case text != "":
			return parse(text), true
		}
	}
}

// readLine reads one line of at most maxLine bytes, without its end; what is
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

// A slash is a command of plain lines.
type slash struct {
	word, args, help string
	needs            int // words that must follow
}

// slashes are all of them, but for /help itself.
var slashes = []slash{
	{"quit", "", "leave the room", 0},
	{"me", "WORDS", "say what you do", 1},
	{"who", "", "who can read, and how they are reached", 0},
	{"info", "", "room, domain, policy, your way in, epoch", 0},
	{"link", "", "the room's link, to invite others", 0},
	{"status", "", "what works and what does not", 0},
	{"nick", "NAME", "call yourself something", 1},
	{"whois", "WHO", "the peer id and address of a member", 1},
	{"ping", "WHO", "how long a member takes to answer", 1},
	{"prove", "WHO EXPR", "ask a member to prove a policy to you alone", 2},
	{"yes", "", "allow the proof you are asked for", 0},
	{"no", "", "do not allow it", 0},
	{"search", "WORDS", "in what was said", 1},
	{"ignore", "WHO", "show nothing more of a peer", 1},
	{"unignore", "WHO", "show it again", 1},
	{"cut", "WHO", "go on without a peer, and without those that it alone let in", 1},
	{"uncut", "WHO", "go on with it again", 1},
	{"rekey", "", "new keys now", 0},
	{"drop", "", "give up on the messages that are held", 0},
}

// parsePlain reads one line of input: a message, or a command.
func parsePlain(s string) line {
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		return line{kind: record.KindText, text: "/" + rest}
	}
	command, ok := strings.CutPrefix(s, "/")
	if !ok {
		return line{kind: record.KindText, text: s}
	}
	word, rest, _ := strings.Cut(command, " ")
	rest = strings.TrimSpace(rest)
	if word == "help" {
		return line{wanted: &wanted{word: "help", text: rest}}
	}
	i := slices.IndexFunc(slashes, func(c slash) bool { return c.word == word })
	if i < 0 {
		return line{bad: cli.Fail("bad-input", "there is no command /%s", cli.Clean(word)).
			Hint("/help lists the commands; //%s sends it as text", cli.Clean(word))}
	}
	c := slashes[i]
	who, more, _ := strings.Cut(rest, " ")
	more = strings.TrimSpace(more)
	missing := c.needs > 0 && rest == "" || c.needs > 1 && more == ""
	if missing || c.args == "" && rest != "" {
		return line{bad: cli.Fail("bad-input", "usage: /%s", strings.TrimSpace(c.word+" "+c.args)).Hint("/help %s", c.word)}
	}
	switch word {
	case "quit":
		return line{quit: true}
	case "me":
		return line{kind: record.KindAction, text: rest}
	case "yes", "no":
		return line{wanted: &wanted{word: "answer", allow: word == "yes"}}
	case "nick", "search":
		return line{wanted: &wanted{word: word, text: rest, limit: 20}}
	}
	return line{wanted: &wanted{word: word, who: who, text: more}}
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

// parseJSON reads one line of input: an object, or a message word for word.
func parseJSON(s string) line {
	if !strings.HasPrefix(s, "{") {
		return line{kind: record.KindText, text: s}
	}
	bad := func(format string, a ...any) line {
		return line{bad: cli.Fail("bad-input", format, a...).Hint(`{"send":"text"} or {"quit":true}; docs/INTERFACE.md has all`)}
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
	want := func(w wanted) line { w.ref = in.Ref; return line{wanted: &w} }
	switch {
	case verbs != 1:
		return bad("an object with exactly one of send, quit, nick, rekey, ping, status, search, prove, answer, drop, ignore, cut, uncut")
	case in.Send != nil && *in.Send == "":
		return bad("an empty message")
	case in.Send != nil:
		l := line{kind: record.KindText, text: *in.Send, ref: in.Ref}
		if yes(in.Action) {
			l.kind = record.KindAction
		}
		return l
	case yes(in.Quit):
		l := line{quit: true}
		if in.Linger != nil {
			if *in.Linger < 0 || *in.Linger > time.Hour.Milliseconds() {
				return bad("linger_ms is 0 to 3600000")
			}
			l.linger = time.Duration(*in.Linger) * time.Millisecond
		}
		return l
	case in.Nick != nil:
		return want(wanted{word: "nick", text: *in.Nick})
	case yes(in.Rekey):
		return want(wanted{word: "rekey"})
	case yes(in.Drop):
		return want(wanted{word: "drop"})
	case yes(in.Status):
		return want(wanted{word: "status"})
	case in.Ping != nil:
		return want(wanted{word: "ping", who: *in.Ping})
	case in.Ignore != nil:
		return want(wanted{word: "ignore", who: *in.Ignore})
	case in.Cut != nil:
		return want(wanted{word: "cut", who: *in.Cut})
	case in.Uncut != nil:
		return want(wanted{word: "uncut", who: *in.Uncut})
	case in.Prove != nil && in.Expr != nil:
		return want(wanted{word: "prove", who: *in.Prove, text: *in.Expr})
	case in.Answer != nil && in.Allow != nil:
		return want(wanted{word: "answer", text: *in.Answer, allow: *in.Allow})
	case in.Search != nil:
		return searchInput(&in, bad)
	}
	return bad("prove needs expr, and answer needs allow")
}

func searchInput(in *jsonInput, bad func(string, ...any) line) line {
	w := wanted{word: "search", text: *in.Search, ref: in.Ref, limit: 100}
	if in.From != nil {
		w.who = *in.From
	}
	for _, t := range []struct {
		from *string
		to   *time.Time
	}{{in.After, &w.after}, {in.Before, &w.before}} {
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
		if *in.Limit < 1 || *in.Limit > maxSeen {
			return bad("limit is 1 to %d", maxSeen)
		}
		w.limit = *in.Limit
	}
	return line{wanted: &w}
}
