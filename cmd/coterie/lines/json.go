package lines

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// jsonVersion is the version of the events: within it, events and fields are only added.
const jsonVersion = 1

// JSON writes one JSON object a line on standard output, and nothing else there. Errors that
// end the run go to standard error too, for people.
type JSON struct {
	w      io.Writer
	now    func() time.Time
	last   time.Time
	failed error
	ended  bool // bye was said, and nothing comes after it
}

// NewJSON returns a face that writes to w.
func NewJSON(w io.Writer, now func() time.Time) *JSON {
	return &JSON{w: w, now: now, last: now()}
}

// Put writes an object.
func (j *JSON) Put(o *Object) {
	if _, err := j.w.Write(o.Line()); err != nil {
		j.failed = err
	}
}

// Broken is why nobody can be shown anything any more; nil: they can.
func (j *JSON) Broken() error { return j.failed }

// ID is an id as it is written.
func ID(h ake.Hash) string { return hex.EncodeToString(h[:]) }

// Hello is the first line.
func (j *JSON) Hello() {
	j.Put(NewObject("hello").Add("v", jsonVersion).Add("version", cli.ProgramVersion()).Add("mode", "json").
		Add("pid", os.Getpid()).Add("time", Stamp(j.now())))
}

// Step is a step towards the room that was taken.
func (j *JSON) Step(step, text string) {
	if step == "listening" {
		step = "listen"
	}
	j.progress(step, true, text)
}

func (j *JSON) progress(step string, ok bool, text string) {
	now := j.now()
	j.Put(NewObject("state").Add("step", step).Add("ok", ok).Add("text", text).
		Add("elapsed_ms", now.Sub(j.last).Milliseconds()))
	j.last = now
}

// Warn warns.
func (j *JSON) Warn(err *cli.Error) { j.Put(problem("warning", err)) }

// Fatal ends the run with an error, and returns it.
func (j *JSON) Fatal(err error) error {
	e := cli.Describe(err)
	j.Put(problem("error", e).Add("fatal", true))
	j.Bye("error", 0, 0, max(e.Status, cli.StatusFailed))
	return err
}

// Bye is the last line.
func (j *JSON) Bye(reason string, undelivered, kept, code int) {
	if j.ended {
		return
	}
	j.ended = true
	o := NewObject("bye").Add("reason", reason).Add("undelivered", undelivered)
	if kept > 0 {
		o.Add("kept", kept)
	}
	j.Put(o.Add("code", code))
}

func problem(event string, err *cli.Error) *Object {
	text := strings.Join(append([]string{err.Text}, err.Details...), "\n")
	return NewObject(event).Add("code", err.Code).Add("text", text).Maybe("hint", strings.Join(err.Hints, "\n"))
}

// Show is of chat.Face. It is long because it has a case for each event.
func (j *JSON) Show(s *chat.State, e chat.Event, _ []chat.Line) {
	if e.When == chat.Known {
		return
	}
	at := Stamp(e.At)
	switch w := e.What.(type) {
	case room.EpochStarted:
		for _, m := range w.Joined {
			j.Put(member(s, m, "joined", at))
		}
		for _, m := range w.Left {
			if !s.WasTold(m.Peer) {
				j.Put(member(s, m, "left", at))
			}
		}
		for _, m := range w.WentAway {
			if !s.WasTold(m.Peer) {
				j.Put(member(s, m, "away", at))
			}
		}
		o := NewObject("epoch").Add("id", ID(w.ID)).Add("members", peers(w.Members)).Add("size", len(w.Members)).
			Add("sid", ID(w.SID)).Add("reason", w.Reason).Add("joined", peers(w.Joined)).Add("left", peers(w.Left)).
			Add("away", peers(w.Away)).
			Add("committer", w.Committer)
		if w.Previous != (ake.Hash{}) {
			o.Add("previous", ID(w.Previous))
		}
		j.Put(o.Add("time", at))
	case room.Departed:
		j.Put(member(s, w.Member, either(w.Away, "away", "left"), at))
	case room.Renamed:
		j.Put(member(s, w.Member, "renamed", at))
	case chat.MemberState:
		j.Put(member(s, w.Member, either(w.Suspect, "suspect", "back"), at))
	case room.Delivered:
		w.History = w.History || e.When == chat.Before
		j.Put(Message("message", s, w))
	case room.Opened:
		j.Put(Message("opened", s, w.Delivered))
	case room.FileChanged:
		j.Put(file(w.ID, w.FileInfo))
	case chat.Saved:
		j.Put(file(w.ID, w.File).Add("path", w.Path))
	case room.Changed:
		j.Put(changed(s, w))
	case room.Sent:
		j.Put(answering("sent", w.Ref).Add("id", ID(w.ID)).Add("seq", w.Counter).Add("epoch", ID(w.Epoch)).
			Add("readers", w.Readers).Maybe("to", w.To).Add("time", at))
	case room.Held:
		j.Put(answering("held", w.Ref).Add("reason", either(w.Alone, "alone", "joining")).Add("text_bytes", w.Bytes))
	case room.Restored:
		for _, m := range w.Messages {
			o := answering("held", m.Ref).Add("reason", "before").Add("text_bytes", len(m.Text)).Add("text", m.Text).
				Maybe("to", m.To).
				Add("written", Stamp(m.At)).Add("action", m.Kind == record.KindAction)
			j.Put(held(o, m))
		}
	case room.Absence:
		o := NewObject("absence").Add("from", Stamp(w.From)).Add("count", w.Count)
		if !w.To.IsZero() {
			o.Add("to", Stamp(w.To))
		}
		if w.Missing {
			o.Add("missing_from", Stamp(w.MissingFrom))
			if !w.MissingTo.IsZero() {
				o.Add("missing_to", Stamp(w.MissingTo))
			}
		}
		j.Put(o.Add("missing", w.Missing).Add("lost", w.Lost))
	case room.Unsaid:
		j.Put(NewObject("unsaid").Add("count", w.Count).Add("oldest", Stamp(w.Oldest)).Add("here", w.Here))
	case chat.Kept:
		j.Put(answering("kept", w.Ref))
	case chat.Rejected:
		j.Put(answering("rejected", w.Ref).Add("code", w.Err.Code).Add("text", w.Err.Text).
			Maybe("hint", strings.Join(w.Err.Hints, "\n")))
	case room.Proved:
		j.progress("proof", true, fmt.Sprintf("%s and you proved yourselves to each other in %d ms", w.Peer,
			w.Took.Milliseconds()))
	case room.Refused:
		j.progress("proof", false, fmt.Sprintf("%s did not prove itself, or did not take your proof", w.Peer))
	case chat.StillAlone:
		j.progress("discover", false, w.Text)
	case node.Bootstrapped:
		j.progress("bootstrap", true, fmt.Sprintf("%s, %d ms", w.Address, w.Took.Milliseconds()))
	case room.Reached:
		j.Put(NewObject("delivered").Add("id", ID(w.ID)).Add("have", w.Have).Add("of", w.Of).
			Add("missing", listed(w.Missing)))
	case room.Gap:
		j.Put(NewObject("gap").Add("from", w.Author.Peer).Add("first", w.First).Add("last", w.Last).
			Add("state", either(w.Filled, "filled", "missing")))
	case room.Shortened:
		j.Put(shortened(w))
	case room.Equivocated:
		j.Put(NewObject("equivocation").Add("from", w.Author.Peer).Add("seq", w.Counter).
			Add("ids", []string{ID(w.IDs[0]), ID(w.IDs[1])}))
	case room.Cut:
		j.Put(NewObject("cut").Add("peer", w.Member.Peer).Add("on", w.On).Add("with", listed(peers(w.With))))
	case room.NoticeTaken:
		j.Put(NewObject("notice").Add("domain", s.Domain).Add("made", Stamp(w.Notice.Time())).
			Add("keys", len(w.Notice.Serials)).Add("yours", w.Own))
	case room.LeftOut:
		j.Put(NewObject("left_out").Add("by", w.By.Peer).Add("peer", w.Member.Peer).Add("times", w.Times))
	case room.Past:
		o := NewObject("history").Add("state", either(w.Over, "end", "begin")).Add("count", w.Count)
		if !w.Oldest.IsZero() {
			o.Add("oldest", Stamp(w.Oldest))
		}
		j.Put(o.Maybe("from", w.By.String()).Add("away", w.Away))
	case room.Asked:
		j.Put(NewObject("ask").Add("id", w.ID).Add("peer", w.Member.Peer).Add("expr", w.Policy))
	case room.Attested:
		j.Put(NewObject("proof").Add("peer", w.Member.Peer).Add("expr", w.Policy).Add("ok", w.OK).
			Add("direction", either(w.Given, "given", "asked")).Maybe("reason", w.Reason))
	case room.OutsideQuestion:
		j.Put(question(NewObject("question"), w).Add("history", w.History))
	case room.OutsideAnswer:
		j.Put(NewObject("answer").Add("number", w.Number).Add("id", ID(w.ID)).Add("by", w.By.Peer).Add("self", w.Self).
			Add("text", w.Text).Add("time", Stamp(w.At)).Add("history", w.History))
	case chat.NotDone:
		j.Put(problem("error", w.Err).Add("fatal", false))
	case chat.Found:
		messages := []json.RawMessage{}
		for _, m := range w.Messages {
			messages = append(messages, Message("message", s, m).Close())
		}
		j.Put(answering("found", w.Ref).Add("total", w.Total).Add("messages", messages))
	case chat.Exported:
		j.Put(NewObject("exported").Add("file", w.File).Add("count", w.Count).Add("gone", w.Gone).Add("memory", w.Memory))
	case chat.Pinged:
		j.Put(path(NewObject("path"), w.Path))
	case chat.PathChanged:
		j.Put(path(NewObject("path"), w.Path))
	case chat.HealthChanged:
		o := NewObject("health").Add("code", w.Item.Code).Add("state", either(w.On, "on", "off")).
			Add("severity", w.Item.Severity).Add("text", w.Item.Text).Maybe("hint", w.Item.Hint)
		if len(w.Item.Args) > 0 {
			o.Add("args", w.Item.Args)
		}
		j.Put(o)
	case chat.Answer:
		switch to := w.To.(type) {
		case chat.Status:
			j.Put(Status(s))
		case chat.ShowHeld:
			j.Put(answering("waiting", to.Ref).Add("messages", waiting(w.Held)))
		case chat.Questions:
			questions := []json.RawMessage{}
			for _, q := range w.Questions {
				answers := []json.RawMessage{}
				for _, a := range q.Answers {
					answers = append(answers, new(Object).Add("by", a.By.Peer).Add("self", a.Self).Add("text", a.Text).
						Add("time", Stamp(a.At)).Close())
				}
				questions = append(questions, question(new(Object), q).Add("answers", answers).Close())
			}
			j.Put(answering("questions", to.Ref).Add("questions", questions))
		}
	case chat.LinkChanged:
		j.Put(NewObject("link").Add("link", w.Link).Add("reach", w.Reach))
	case chat.Ready:
		j.ready(s, w)
	case chat.Bye:
		j.Bye(w.Reason, w.Undelivered, w.Kept, w.Code)
	default:
		if err, ok := s.Problem(e.What); ok {
			j.Warn(err)
		}
	}
}

func (j *JSON) ready(s *chat.State, r chat.Ready) {
	addrs := []string{}
	for _, a := range r.Addresses {
		addrs = append(addrs, a.String())
	}
	j.Put(NewObject("ready").Add("peer", s.Self).Add("addrs", addrs).Add("room", s.Name).Add("room_id", ID(s.ID)).
		Add("domain", s.Domain).Add("domain_id", hex.EncodeToString(s.DomainID[:])).Add("policy", s.Policy).
		Add("link", r.Link).Add("history_ms", s.History.Milliseconds()).
		Add("questions", s.TakesQuestions).Maybe("nick", s.Nick).
		Add("you", map[string]any{"attributes": append([]string{}, s.Attributes...), "expires": s.Expires.String(),
			"through": s.Through}))
}

// question is one from outside.
func question(o *Object, q room.OutsideQuestion) *Object {
	return o.Add("number", q.Number).Add("id", ID(q.ID)).Add("by", q.By.Peer).Maybe("for", q.For).Add("text", q.Text).
		Add("time", Stamp(q.At))
}

// waiting are messages that wait to be sent.
func waiting(all []room.HeldMessage) []json.RawMessage {
	out := []json.RawMessage{}
	for _, m := range all {
		o := new(Object).Add("text", m.Text).Add("action", m.Kind == record.KindAction).Add("written", Stamp(m.At)).
			Add("unsaid", m.Asks).Maybe("to", m.To)
		out = append(out, held(o, m).Close())
	}
	return out
}

// held adds what a message that waits is about.
func held(o *Object, m room.HeldMessage) *Object {
	if record.IsAbout(m.Kind) {
		kinds := [...]string{"reply", "reaction", "edit", "withdrawal"}
		o.Add("kind", kinds[m.Kind-record.KindReply]).Add("target", ID(m.Target))
	}
	return o
}

// changed is a reaction, an edit or a withdrawal.
func changed(s *chat.State, c room.Changed) *Object {
	o := NewObject(map[byte]string{record.KindReaction: "reaction", record.KindEdit: "edited",
		record.KindWithdrawal: "withdrawn"}[c.Kind])
	o.Add("target", ID(c.Target)).Add("from", c.By.Peer).Maybe("nick", s.Names.Nick(c.By.Peer)).Add("self", c.Self)
	if c.Kind != record.KindWithdrawal {
		o.Add("text", c.Text)
	}
	return o.Add("time", Stamp(chat.TimeOf(c.Time))).Add("history", c.History)
}

// shortened is what is not kept any more.
func shortened(w room.Shortened) *Object {
	o := NewObject("shortened").Add("from", w.Author.Peer).Add("count", w.Count).Add("before", w.Before)
	if !w.Since.IsZero() {
		o.Add("since", Stamp(w.Since))
	}
	if !w.Until.IsZero() {
		o.Add("until", Stamp(w.Until))
	}
	return o
}

// answering is an event that answers what had a ref.
func answering(event string, ref any) *Object {
	o := NewObject(event)
	if n, earlier := ref.(room.HeldNumber); earlier {
		return o.Add("number", n) // it was said in an earlier run, which had the ref
	}
	if ref != nil {
		o.Add("ref", ref)
	}
	return o
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func listed(ids []peer.ID) []peer.ID {
	if ids == nil {
		return []peer.ID{}
	}
	return ids
}

func peers(members []room.Member) []peer.ID {
	out := make([]peer.ID, len(members))
	for i, m := range members {
		out[i] = m.Peer
	}
	return out
}

// Message is the event of a message.
func Message(event string, s *chat.State, d room.Delivered) *Object {
	o := NewObject(event).Add("id", ID(d.ID)).Add("from", d.Author.Peer).
		Maybe("nick", s.Names.Nick(d.Author.Peer)).
		Add("tag", s.Names.Tag(d.Author.Peer)).Add("seq", d.Message.Counter).Add("text", d.Message.Text).
		Add("time", Stamp(chat.TimeOf(d.Message.Time))).Add("received", Stamp(d.Received)).
		Add("lamport", d.Message.Lamport).Add("epoch", ID(d.Epoch)).Add("self", d.Self).
		Add("action", d.Message.Kind == record.KindAction).Add("history", d.History).Add("away", d.Away).Add("late", d.Late).
		Add("flags", s.Flags(d)).Add("names_me", !d.Self && s.NamesMe(d.Message.Text))
	if d.File != nil {
		o.Add("file", new(Object).Add("name", d.File.Name).Add("size", d.File.Size).Add("state", d.File.State).Close())
	}
	if d.To != "" {
		if o.Add("to", d.To); d.Reading != room.NotOpened {
			o.Add("readable", d.Reading == room.Read)
		}
	}
	if d.ReplyTo != (ake.Hash{}) {
		o.Add("reply_to", ID(d.ReplyTo))
	}
	if d.Edited {
		o.Add("edited", true)
	}
	if d.Withdrawn {
		o.Add("withdrawn", true)
	}
	if len(d.Reactions) > 0 {
		all := []json.RawMessage{}
		for _, r := range d.Reactions {
			all = append(all, new(Object).Add("by", r.By).Add("text", r.Text).Close())
		}
		o.Add("reactions", all)
	}
	return o
}

// file is what has become of one.
func file(id ake.Hash, f room.FileInfo) *Object {
	return NewObject("file").Add("target", ID(id)).Add("state", f.State).Add("have", f.Have).Add("of", f.Size)
}

func path(o *Object, p node.Path) *Object {
	o.Add("peer", p.Peer).Add("kind", string(p.Kind)).Maybe("transport", p.Transport)
	if p.RTT > 0 {
		o.Add("rtt_ms", milliseconds(p.RTT))
	}
	return o.Maybe("relay", p.Relay.String())
}

// milliseconds are those of a span, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func member(s *chat.State, m room.Member, state, at string) *Object {
	o := NewObject("member").Add("peer", m.Peer).Add("state", state).Maybe("nick", s.Names.Nick(m.Peer)).
		Add("tag", s.Names.Tag(m.Peer)).Add("self", m.Peer == s.Self)
	if first, ok := s.Names.Like(m.Peer); ok {
		o.Add("looks_like", first)
	}
	return o.Add("time", at)
}

// Status is the event status: how things stand.
func Status(s *chat.State) *Object {
	st := &s.Snapshot.Status
	paths, members, logs, items := []json.RawMessage{}, []json.RawMessage{}, []json.RawMessage{}, []json.RawMessage{}
	for _, p := range st.Peers {
		o := path(new(Object), p)
		if p.Address != nil {
			o.Add("address", p.Address.String())
		}
		if p.IsRelay {
			o.Add("is_relay", true)
		}
		paths = append(paths, o.Close())
	}
	for _, m := range st.Room.Members {
		members = append(members, new(Object).Add("peer", m.Peer).Maybe("nick", s.Names.Nick(m.Peer)).
			Add("tag", s.Names.Tag(m.Peer)).Add("self", m.Self).Add("suspect", m.Suspect).Close())
		logs = append(logs, new(Object).Add("peer", m.Peer).Add("have", m.Have).Add("known", m.Known).Close())
	}
	for _, i := range s.Wrong {
		items = append(items, new(Object).Add("code", i.Code).Add("severity", i.Severity).Add("text", i.Text).
			Maybe("hint", i.Hint).Close())
	}
	o := NewObject("status").Add("health", items).Add("room", s.Name).Add("peer", s.Self).Add("peers", paths).
		Add("members", members)
	if st.Room.Epoch != (ake.Hash{}) {
		o.Add("epoch", ID(st.Room.Epoch))
	}
	if st.Keep > 0 {
		o.Add("disk_bytes", st.Disk).Add("keep_bytes", st.Keep)
	}
	return o.Add("logs", logs).Add("held", st.Room.Held).Add("uptime_ms", st.Uptime.Milliseconds()).
		Add("bytes_in", st.BytesIn).Add("bytes_out", st.BytesOut).Add("goroutines", st.Goroutine)
}
