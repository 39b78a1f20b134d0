package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"

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
	ended  bool // bye was said, and nothing comes after it
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

// close is the object, whole.
func (o *object) close() json.RawMessage {
	o.b.WriteByte('}')
	return bytes.Clone(o.b.Bytes())
}

// line is the object as a line.
func (o *object) line() []byte { return escaped(o.close()) }

// escaped is a line of JSON with everything escaped that could harm a terminal on
// which a log of events is shown.
func escaped(b []byte) []byte {
	var out []byte
	for _, r := range string(b) {
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
		j.put(j.message(s, e))
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
	case stillAlone:
		j.progress("discover", false, e.text)
	case room.Refused:
		j.progress("proof", false, fmt.Sprintf("%s did not prove itself, or did not take your proof", e.Peer))
	case room.Failed:
		j.warn(failed(e))
	case node.Bootstrapped:
		j.progress("bootstrap", true, fmt.Sprintf("%s, %d ms", e.Address, e.Took.Milliseconds()))
	case node.BootstrapFailed:
		j.warn(bootstrapError(e))
	case room.Reached:
		j.put(newObject("delivered").add("id", id(e.ID)).add("have", e.Have).add("of", e.Of).add("missing", listed(e.Missing)))
	case room.Gap:
		state := "missing"
		if e.Filled {
			state = "filled"
		}
		j.put(newObject("gap").add("from", e.Author.Peer).add("first", e.First).add("last", e.Last).add("state", state))
	case room.Equivocated:
		j.put(newObject("equivocation").add("from", e.Author.Peer).add("seq", e.Counter).add("ids", []string{id(e.IDs[0]), id(e.IDs[1])}))
	case room.Cut:
		var with []peer.ID
		for _, m := range e.With {
			with = append(with, m.Peer)
		}
		j.put(newObject("cut").add("peer", e.Member.Peer).add("on", e.On).add("with", listed(with)))
	case room.LeftOut:
		j.put(newObject("left_out").add("by", e.By.Peer).add("peer", e.Member.Peer).add("times", e.Times))
	case room.Past:
		o := newObject("history").add("state", "begin").add("count", e.Count)
		if e.Over {
			o = newObject("history").add("state", "end").add("count", e.Count)
		}
		if !e.Oldest.IsZero() {
			o.add("oldest", stamp(e.Oldest))
		}
		j.put(o.maybe("from", e.By.String()))
	case node.NotSaving:
		j.warn(savingError(e))
	case room.Asked:
		j.put(newObject("ask").add("id", e.ID).add("peer", e.Member.Peer).add("expr", e.Policy))
	case room.Attested:
		direction := "asked"
		if e.Given {
			direction = "given"
		}
		j.put(newObject("proof").add("peer", e.Member.Peer).add("expr", e.Policy).add("ok", e.OK).add("direction", direction).maybe("reason", e.Reason))
	case refusal:
		j.refuse(e)
	case reported:
		j.put(j.status(s, e.status))
	case found:
		o := newObject("found")
		if e.ref != nil {
			o.add("ref", e.ref)
		}
		messages := []json.RawMessage{}
		for _, m := range e.messages {
			messages = append(messages, j.message(s, m).close())
		}
		j.put(o.add("total", e.total).add("messages", messages))
	case pinged:
		j.path(e.path)
	case pathChanged:
		j.path(e.path)
	case healthChanged:
		state := "off"
		if e.on {
			state = "on"
		}
		o := newObject("health").add("code", e.item.Code).add("state", state).add("severity", e.item.Severity).add("text", e.item.Text).maybe("hint", e.item.Hint)
		if len(e.item.Args) > 0 {
			o.add("args", e.item.Args)
		}
		j.put(o)
	case memberState:
		state := "back"
		if e.suspect {
			state = "suspect"
		}
		j.member(s, e.member, state)
	}
}

func listed(ids []peer.ID) []peer.ID {
	if ids == nil {
		return []peer.ID{}
	}
	return ids
}

func (j *jsonOut) message(s *session, e room.Delivered) *object {
	o := newObject("message").add("id", id(e.ID)).add("from", e.Author.Peer).maybe("nick", s.names.nick(e.Author.Peer)).
		add("tag", s.names.tag(e.Author.Peer)).add("seq", e.Message.Counter).add("text", e.Message.Text).
		add("time", stamp(time.UnixMilli(int64(e.Message.Time)))).add("received", stamp(e.Received)).
		add("lamport", e.Message.Lamport).add("epoch", id(e.Epoch)).add("self", e.Self).
		add("action", e.Message.Kind == record.KindAction).add("history", e.History).add("late", e.Late).
		add("flags", s.flagsOf(e)).add("names_me", !e.Self && s.namesMe(e.Message.Text))
	return o
}

func (j *jsonOut) path(p node.Path) {
	o := newObject("path").add("peer", p.Peer).add("kind", string(p.Kind)).maybe("transport", p.Transport)
	if p.RTT > 0 {
		o.add("rtt_ms", milliseconds(p.RTT))
	}
	j.put(o.maybe("relay", p.Relay.String()))
}

// milliseconds are those of a span, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (j *jsonOut) status(s *session, st node.Status) *object {
	paths := []map[string]any{}
	for _, p := range st.Peers {
		m := map[string]any{"peer": p.Peer, "kind": string(p.Kind)}
		if p.Transport != "" {
			m["transport"] = p.Transport
		}
		if p.Address != nil {
			m["address"] = p.Address.String()
		}
		if p.RTT > 0 {
			m["rtt_ms"] = milliseconds(p.RTT)
		}
		if p.Relay != "" {
			m["relay"] = p.Relay
		}
		if p.IsRelay {
			m["is_relay"] = true
		}
		paths = append(paths, m)
	}
	members, logs := []map[string]any{}, []map[string]any{}
	for _, m := range st.Room.Members {
		v := map[string]any{"peer": m.Peer, "tag": s.names.tag(m.Peer), "self": m.Self, "suspect": m.Suspect}
		if nick := s.names.nick(m.Peer); nick != "" {
			v["nick"] = nick
		}
		members = append(members, v)
		logs = append(logs, map[string]any{"peer": m.Peer, "have": m.Have, "known": m.Known})
	}
	items := []map[string]any{}
	for _, i := range s.shownNow(st) {
		m := map[string]any{"code": i.Code, "severity": i.Severity, "text": i.Text}
		if i.Hint != "" {
			m["hint"] = i.Hint
		}
		items = append(items, m)
	}
	o := newObject("status").add("health", items).add("room", s.plan.descriptor.Name).add("peer", s.node.Self()).add("peers", paths).add("members", members)
	if st.Room.Epoch != (ake.Hash{}) {
		o.add("epoch", id(st.Room.Epoch))
	}
	return o.add("logs", logs).add("held", st.Room.Held).add("uptime_ms", st.Uptime.Milliseconds()).
		add("bytes_in", st.BytesIn).add("bytes_out", st.BytesOut).add("goroutines", st.Goroutine)
}

func (j *jsonOut) member(s *session, m room.Member, state string) {
	o := newObject("member").add("peer", m.Peer).add("state", state).maybe("nick", s.names.nick(m.Peer)).
		add("tag", s.names.tag(m.Peer)).add("self", m.Peer == s.node.Self())
	if first, ok := s.names.Like(m.Peer); ok {
		o.add("looks_like", first)
	}
	j.put(o.add("time", stamp(j.now())))
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
	if j.ended {
		return
	}
	j.ended = true
	j.put(newObject("bye").add("reason", reason).add("undelivered", undelivered).add("code", code))
}

// failed is a trouble of the room's for people.
func failed(e room.Failed) *cli.Error {
	f := cli.Fail("failed", "%s failed", e.Doing)
	if e.Err != nil {
		f.Text += ": " + cli.Clean(e.Err.Error())
	}
	return f
}

// bootstrapError says that no bootstrap address answered, and why each did not.
func bootstrapError(e node.BootstrapFailed) *cli.Error {
	for i, err := range e.Errors {
		if errors.Is(err, node.ErrWrongPeer) {
			return cli.Fail("bootstrap-wrong-peer", "%s is a different peer: %s", e.Addresses[i], cli.Clean(lastLine(err))).
				Hint("get a fresh link, or leave out /p2p/... on your own network")
		}
	}
	if f := bootstrapRefused(e); f != nil {
		return f
	}
	f := cli.Fail("bootstrap-unreachable", "none of %s answered", cli.Plural(len(e.Addresses), "bootstrap address"))
	if len(e.Addresses) == 1 {
		f.Text = "the bootstrap address did not answer"
	}
	for i, a := range e.Addresses {
		f.Detail(fmt.Sprintf("%s   %s", a, cli.Clean(lastLine(e.Errors[i]))))
	}
	return f.Hint("is a peer running there, and is the port right? it is tried again until somebody answers")
}
