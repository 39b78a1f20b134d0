package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// jsonVersion is the version of the events: within it, events and fields are
// only added.
const jsonVersion = 1

// jsonOut writes one JSON object a line on standard output, and nothing else
// there. Errors that end the run go to standard error too, for people.
type jsonOut struct {
	w      io.Writer
	stderr io.Writer
	now    func() time.Time
	began  time.Time
	last   time.Time
	failed bool
}

func newJSON(stdout, stderr io.Writer, now func() time.Time) *jsonOut {
	return &jsonOut{w: stdout, stderr: stderr, now: now, began: now(), last: now()}
}

// object keeps the order of its fields: the event first.
type object struct{ b bytes.Buffer }

func newObject(event string) *object {
	o := new(object)
	return o.add("event", event)
}

func (o *object) add(field string, value any) *object {
	enc := json.NewEncoder(&o.b)
	enc.SetEscapeHTML(false)
	if o.b.Len() == 0 {
		o.b.WriteByte('{')
	} else {
		o.b.WriteByte(',')
	}
	fmt.Fprintf(&o.b, "%q:", field)
	if err := enc.Encode(value); err != nil {
		// Everything given here is a string, a number, a list of these or a value
		// that came out of a JSON decoder.
		panic("coterie: " + err.Error())
	}
	o.b.Truncate(o.b.Len() - 1) // the encoder's newline
	return o
}

// maybe adds a field unless it is empty: a field is absent rather than null.
func (o *object) maybe(field, value string) *object {
	if value == "" {
		return o
	}
	return o.add(field, value)
}

// line is the object, with everything escaped that could harm a terminal on
// which a log of events is shown.
func (o *object) line() []byte {
	o.b.WriteByte('}')
	var out []byte
	for _, r := range o.b.String() {
		if mustEscape(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '\n')
}

func mustEscape(r rune) bool {
	switch {
	case r >= 0x7f && r <= 0x9f, r == 0x2028, r == 0x2029, r == 0x61c:
		return true
	case r >= 0x200e && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

func (j *jsonOut) put(o *object) {
	if _, err := j.w.Write(o.line()); err != nil {
		j.failed = true
	}
}

func (j *jsonOut) broken() bool { return j.failed }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func id(h ake.Hash) string { return hex.EncodeToString(h[:]) }

func (j *jsonOut) hello() {
	j.put(newObject("hello").add("v", jsonVersion).add("version", cli.ProgramVersion()).add("mode", "json").
		add("pid", os.Getpid()).add("time", stamp(j.now())))
}

func (j *jsonOut) state(step, text string) { j.progress(step, true, text) }

func (j *jsonOut) progress(step string, ok bool, text string) {
	if step == "listening" {
		step = "listen"
	}
	now := j.now()
	j.put(newObject("state").add("step", step).add("ok", ok).add("text", text).add("elapsed_ms", now.Sub(j.last).Milliseconds()))
	j.last = now
}

func (j *jsonOut) ready(s *session) {
	d, k := s.plan.descriptor, s.plan.key
	addrs := []string{}
	for _, a := range s.addresses() {
		addrs = append(addrs, a.String())
	}
	attributes := []string{}
	for _, a := range k.Attributes() {
		attributes = append(attributes, a.String())
	}
	domain := d.Domain
	j.put(newObject("ready").add("peer", s.node.Self()).add("addrs", addrs).add("room", d.Name).add("room_id", id(d.ID())).
		add("domain", k.Domain().Name()).add("domain_id", hex.EncodeToString(domain[:])).add("policy", d.Policy.String()).
		add("link", s.link()).add("history_ms", d.History.Milliseconds()).maybe("nick", s.plan.nick).
		add("you", map[string]any{"attributes": attributes, "expires": k.Expires().String(), "through": s.plan.through}))
}

func (j *jsonOut) event(s *session, e node.Event) {
	switch e := e.(type) {
	case room.EpochStarted:
		for _, m := range e.Joined {
			j.member(s, m, "joined")
		}
		for _, m := range e.Left {
			if !s.departed[m.Peer] {
				j.member(s, m, "left")
			}
		}
		o := newObject("epoch").add("id", id(e.ID)).add("members", peers(e.Members)).add("size", len(e.Members)).
			add("sid", id(e.SID)).add("reason", e.Reason).add("joined", peers(e.Joined)).add("left", peers(e.Left)).
			add("committer", e.Committer)
		if e.Previous != (ake.Hash{}) {
			o.add("previous", id(e.Previous))
		}
		j.put(o.add("time", stamp(j.now())))
	case room.Departed:
		j.member(s, e.Member, "left")
	case room.Renamed:
		j.member(s, e.Member, "renamed")
	case room.Delivered:
		o := newObject("message").add("id", id(e.ID)).add("from", e.Author.Peer).maybe("nick", s.names.nick(e.Author.Peer)).
			add("tag", s.names.tag(e.Author.Peer)).add("seq", e.Message.Counter).add("text", e.Message.Text).
			add("time", stamp(time.UnixMilli(int64(e.Message.Time)))).add("received", stamp(e.Received)).
			add("lamport", e.Message.Lamport).add("epoch", id(e.Epoch)).add("self", e.Self)
		if e.Message.Kind == record.KindAction {
			o.add("action", true)
		}
		if e.History {
			o.add("history", true)
		}
		if e.Late {
			o.add("late", true)
		}
		j.put(o)
	case room.Sent:
		o := newObject("sent")
		if e.Ref != nil {
			o.add("ref", e.Ref)
		}
		j.put(o.add("id", id(e.ID)).add("seq", e.Counter).add("epoch", id(e.Epoch)).add("readers", e.Readers).add("time", stamp(j.now())))
	case room.Held:
		reason := "joining"
		if e.Alone {
			reason = "alone"
		}
		o := newObject("held")
		if e.Ref != nil {
			o.add("ref", e.Ref)
		}
		j.put(o.add("reason", reason).add("text_bytes", e.Bytes))
	case room.Proved:
		j.progress("proof", true, fmt.Sprintf("%s and you proved yourselves to each other in %d ms", e.Peer, e.Took.Milliseconds()))
	case room.Refused:
		j.progress("proof", false, fmt.Sprintf("%s did not prove itself, or did not take your proof", e.Peer))
	case room.Failed:
		j.warn(failed(e))
	case node.Bootstrapped:
		j.progress("bootstrap", true, fmt.Sprintf("%s, %d ms", e.Address, e.Took.Milliseconds()))
	case node.BootstrapFailed:
		j.warn(bootstrapError(e))
	case refusal:
		j.refuse(e)
	case node.Connected:
		kind := "direct"
		if e.Gone {
			kind = "none"
		}
		j.put(newObject("path").add("peer", e.Peer).add("kind", kind))
	}
}

func (j *jsonOut) member(s *session, m room.Member, state string) {
	j.put(newObject("member").add("peer", m.Peer).add("state", state).maybe("nick", s.names.nick(m.Peer)).
		add("tag", s.names.tag(m.Peer)).add("self", m.Peer == s.node.Self()).add("time", stamp(j.now())))
}

// refuse answers a line that was not taken.
func (j *jsonOut) refuse(r refusal) {
	if !r.send {
		j.put(j.problem("error", r.err).add("fatal", false))
		return
	}
	o := newObject("rejected")
	if r.ref != nil {
		o.add("ref", r.ref)
	}
	j.put(o.add("code", r.err.Code).add("text", r.err.Text).maybe("hint", strings.Join(r.err.Hints, "\n")))
}

func (j *jsonOut) warn(err *cli.Error) { j.put(j.problem("warning", err)) }

func (j *jsonOut) problem(event string, err *cli.Error) *object {
	text := strings.Join(append([]string{err.Text}, err.Details...), "\n")
	return newObject(event).add("code", err.Code).add("text", text).maybe("hint", strings.Join(err.Hints, "\n"))
}

func (j *jsonOut) fatal(err error) error {
	e := cli.Describe(err)
	j.put(j.problem("error", e).add("fatal", true))
	status := max(e.Status, cli.StatusFailed)
	j.bye("error", 0, status)
	return err
}

func (j *jsonOut) bye(reason string, undelivered, code int) {
	j.put(newObject("bye").add("reason", reason).add("undelivered", undelivered).add("code", code))
}

// parseJSON reads one line of input: an object, or a message word for word.
func parseJSON(s string) line {
	if !strings.HasPrefix(s, "{") {
		return line{kind: record.KindText, text: s}
	}
	bad := func(format string, a ...any) line {
		return line{bad: cli.Fail("bad-input", format, a...).Hint(`{"send":"text"} or {"quit":true}`)}
	}
	var in struct {
		Send   *string `json:"send"`
		Ref    any     `json:"ref"`
		Action bool    `json:"action"`
		Quit   bool    `json:"quit"`
		Linger int     `json:"linger_ms"`
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil {
		return bad("not an object this version knows")
	}
	if dec.More() {
		return bad("more than one object on a line")
	}
	switch {
	case in.Quit && in.Send == nil:
		return line{quit: true}
	case in.Send != nil && !in.Quit && *in.Send != "":
		l := line{kind: record.KindText, text: *in.Send, ref: in.Ref}
		if in.Action {
			l.kind = record.KindAction
		}
		return l
	}
	return bad("an object with neither send nor quit")
}

// failed is a trouble of the room's for people.
func failed(e room.Failed) *cli.Error {
	f := cli.Fail("failed", "%s failed", e.Doing)
	if e.Err != nil {
		f.Text += ": " + cli.Clean(e.Err.Error())
	}
	return f
}

// bootstrapError is no 4 of the catalogue.
func bootstrapError(e node.BootstrapFailed) *cli.Error {
	f := cli.Fail("bootstrap-unreachable", "none of %s answered", cli.Plural(len(e.Addresses), "bootstrap address"))
	if len(e.Addresses) == 1 {
		f.Text = "the bootstrap address did not answer"
	}
	for i, a := range e.Addresses {
		f.Detail(fmt.Sprintf("%s   %s", a, cli.Clean(lastLine(e.Errors[i]))))
	}
	return f.Hint("is a peer running there, and is the port right? it is tried again until somebody answers")
}
