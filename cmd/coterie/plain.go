package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// plainOut writes lines for people and for grep: one physical line each, no
// escape codes, everything that came from others made harmless.
type plainOut struct {
	w      io.Writer
	stderr io.Writer
	now    func() time.Time
	format string
	failed bool
	colour bool // whatever reads it

	unnamed map[peer.ID]bool // who came under a tag: their names are told when they come
}

// clockFormat is how times are written in plain lines: in one of three ways, or in
// a layout of package time's that has hours and minutes.
func clockFormat(s string) (string, bool) {
	switch s {
	case "short":
		return "15:04 ", true
	case "full":
		return time.RFC3339 + " ", true
	case "none":
		return "", true
	}
	return s + " ", ui.IsClock(s)
}

func newPlain(stdout, stderr io.Writer, now func() time.Time, clock string) (*plainOut, error) {
	f, ok := clockFormat(clock)
	if !ok {
		return nil, cli.Usage("--time: %q is not short, full or none, or a layout such as 15:04:05", clock)
	}
	return &plainOut{w: stdout, stderr: stderr, now: now, format: f, unnamed: make(map[peer.ID]bool)}, nil
}

// use takes what the settings say besides the flags.
func (p *plainOut) use(f *joinFlags) {
	p.format, _ = clockFormat(f.clock)
	p.colour = f.colour == "always"
}

// The colours of plain lines repeat what is said without them.
const (
	codeBold = "1"
	codeDim  = "2"
	codeBad  = "1;31"
)

func (p *plainOut) paint(s, code string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *plainOut) put(format string, a ...any) {
	if _, err := fmt.Fprintf(p.w, format+"\n", a...); err != nil {
		p.failed = true
	}
}

func (p *plainOut) broken() bool { return p.failed }

func (p *plainOut) clock(t time.Time) string {
	if p.format == "" {
		return ""
	}
	return t.Local().Format(p.format)
}

// note is a line from Coterie itself.
func (p *plainOut) note(format string, a ...any) {
	p.put("%s %s%s", p.paint("--", codeDim), p.clock(p.now()), fmt.Sprintf(format, a...))
}

// trouble is a line from Coterie itself that needs attention.
func (p *plainOut) trouble(format string, a ...any) {
	p.put("%s %s%s", p.paint("!!", codeBad), p.clock(p.now()), fmt.Sprintf(format, a...))
}

func (p *plainOut) hello() {}

func (p *plainOut) state(step, text string) { p.put("ok   %-14s %s", step, cli.Clean(text)) }

func (p *plainOut) ready(s *session) {
	d := s.plan.descriptor
	p.state("room", fmt.Sprintf("%s, %s", d.Name, room.Fingerprint(d.ID())))
	for _, a := range s.addresses() {
		p.state("address", a.String())
	}
	if len(s.members) == 0 {
		p.note("nobody else is here yet; what you type is held until somebody can read it")
	}
}

func (p *plainOut) event(s *session, e node.Event) {
	switch e := e.(type) {
	case stillAlone:
		p.put("...  %-14s %s", "room", e.text)
		p.put("     %-14s %s", "", "you are first, or the others are offline. What you type is held until somebody can read it")
	case room.EpochStarted:
		for _, m := range e.Members {
			if m.Name == "" {
				p.unnamed[m.Peer] = true
			}
		}
		if e.Reason == room.ReasonFirst {
			p.state(fmt.Sprintf("epoch %x", e.ID[:2]), fmt.Sprintf("%d can read: %s", len(e.Members), p.readers(s, e)))
			return
		}
		if e.Reason != room.ReasonRotated { // nobody's doing: counted, not told
			p.note("epoch %x: %s; %d can read", e.ID[:2], p.change(s, e), len(e.Members))
		}
	case room.Delivered:
		p.message(s, e)
	case room.Held:
		why := "the next epoch is on its way"
		if e.Alone {
			why = "nobody else is here"
		}
		waiting, _ := s.box.count()
		p.trouble("%s; %s held", why, cli.Plural(waiting, "message"))
	case room.Proved:
		p.state("proof", fmt.Sprintf("you and %s proved yourselves to each other in %d ms", s.names.show(e.Peer), e.Took.Milliseconds()))
	case room.Refused:
		p.trouble("%s did not prove itself, or did not take your proof", s.names.show(e.Peer))
	case room.Failed:
		p.warn(failed(e))
	case room.Gap:
		n := e.Last - e.First + 1
		if e.Filled {
			p.note("%s of %s arrived after all", cli.Plural(n, "message"), s.names.show(e.Author.Peer))
		} else {
			p.trouble("%s of %s missing here; fetching", cli.Plural(n, "message"), s.names.show(e.Author.Peer))
		}
	case room.Equivocated:
		p.trouble("%s said two different things as message %d; the first one stays", s.names.show(e.Author.Peer), e.Counter)
	case room.Cut:
		p.note("%s", ui.CutText(e, s.names.show))
	case room.LeftOut:
		p.trouble("%s tried to leave %s out, %s: you go on as before", s.names.show(e.By.Peer), s.names.show(e.Member.Peer), cli.Plural(e.Times, "time"))
	case room.Past:
		p.past(s, e)
	case node.NotSaving:
		p.warn(savingError(e))
	case room.Asked:
		p.trouble("%s asks you to prove %s. It alone will learn that you hold it. /yes or /no, within a minute", s.names.show(e.Member.Peer), cli.Clean(e.Policy))
	case room.Attested:
		p.attested(s, e)
	case node.Bootstrapped:
		p.state("bootstrap", fmt.Sprintf("%s, %d ms", e.Address, e.Took.Milliseconds()))
	case node.BootstrapFailed:
		p.warn(bootstrapError(e))
	case room.Departed:
		// Where others remain, the epoch without it says so.
		if len(s.members) == 2 {
			p.note("%s left; nobody else is here", s.names.show(e.Member.Peer))
		}
	case room.Renamed:
		if e.Member.Peer == s.node.Self() {
			p.note("you are now called %s", s.names.show(e.Member.Peer))
		} else if p.unnamed[e.Member.Peer] {
			p.note("%s is %s", s.names.tag(e.Member.Peer), s.names.show(e.Member.Peer))
		}
		delete(p.unnamed, e.Member.Peer)
	case memberState:
		if e.suspect {
			p.note("nothing is heard of %s", s.names.show(e.member.Peer))
		} else {
			p.note("%s is back", s.names.show(e.member.Peer))
		}
	case refusal:
		if e.err.Code != "undelivered" { // said once for all, at the end
			p.refuse(e.err)
		}
	case asked, reported, found, pinged, proofAsked, ignoring, dropped:
		p.answer(s, e)
	}
}

func (p *plainOut) past(s *session, e room.Past) {
	if !e.Over {
		return
	}
	from := "kept here"
	if e.By != "" {
		from = "told by " + s.names.show(e.By)
	}
	if e.Count > 0 {
		p.note("above: %s from before, %s", cli.Plural(e.Count, "message"), from)
	}
}

func (p *plainOut) attested(s *session, e room.Attested) {
	who, policy := s.names.show(e.Member.Peer), cli.Clean(e.Policy)
	switch {
	case e.Given && e.OK:
		p.note("you proved %s to %s", policy, who)
	case e.Given:
		p.note("you did not prove %s to %s: %s", policy, who, e.Reason)
	case e.OK:
		p.note("%s proved %s of %s to you. You cannot prove it to others.", who, policy, cli.Clean(s.plan.key.Domain().Name()))
	default:
		p.note("%s did not prove it", who)
	}
}

// readers are the members of an epoch, you first.
func (p *plainOut) readers(s *session, e room.EpochStarted) string {
	out := []string{"you"}
	for _, m := range e.Members {
		if m.Peer != s.node.Self() {
			out = append(out, s.names.show(m.Peer))
		}
	}
	return strings.Join(out, ", ")
}

// change says what is new in an epoch.
func (p *plainOut) change(s *session, e room.EpochStarted) string {
	list := func(members []room.Member, what string) string {
		var out []string
		for _, m := range members {
			out = append(out, s.names.show(m.Peer))
		}
		return strings.Join(out, ", ") + " " + what
	}
	var parts []string
	if len(e.Joined) > 0 {
		parts = append(parts, list(e.Joined, "joined"))
	}
	if len(e.Left) > 0 {
		how := "left"
		switch e.Reason {
		case room.ReasonLapsed:
			how = "vanished"
		case room.ReasonExpired:
			how = "expired"
		case room.ReasonCut:
			how = "cut off"
		}
		parts = append(parts, list(e.Left, how))
	}
	if len(parts) == 0 {
		return "new keys"
	}
	return strings.Join(parts, ", ")
}

func (p *plainOut) message(s *session, e room.Delivered) {
	at := e.ShownAt()
	name := p.paint(s.names.show(e.Author.Peer), codeBold)
	head := p.clock(at) + name
	text := e.Message.Text
	sep := ":"
	if e.Message.Kind == record.KindAction {
		head, sep = p.clock(at)+"* "+name, ""
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for i, l := range strings.Split(text, "\n") {
		if i > 0 {
			sep = "|"
		}
		p.put("%s%s %s", head, sep, cli.Clean(l))
	}
}

// refuse answers a line that was not taken.
func (p *plainOut) refuse(err *cli.Error) {
	p.trouble("%s", err.Text)
	for _, h := range err.Hints {
		p.trouble("hint: %s", h)
	}
}

func (p *plainOut) warn(err *cli.Error) { cli.Warn(p.stderr, err) }

func (p *plainOut) fatal(err error) error { return err }

func (p *plainOut) bye(reason string, undelivered, code int) {
	p.note("you left")
	if undelivered > 0 && code != 0 {
		cli.Report(p.stderr, cli.Fail("undelivered", "%s not delivered: nobody was in the room", wereNot(undelivered)))
	}
}

func wereNot(n int) string {
	if n == 1 {
		return "1 message was"
	}
	return fmt.Sprintf("%d messages were", n)
}
