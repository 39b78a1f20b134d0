package lines

import (
	"fmt"
	"io"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/cli"
	"coterie/room"
	"coterie/room/record"
)

// Plain writes lines for people and for grep: one physical line each, no escape codes,
// everything that came from others made harmless.
type Plain struct {
	w      io.Writer
	stderr io.Writer
	format string
	at     time.Time // of the event that is being shown
	failed error
	colour bool // whatever reads it
	// Save is the command that saves a file.
	Save string
}

// NewPlain returns a face that writes to stdout, and its warnings to stderr.
func NewPlain(stdout, stderr io.Writer, clock string) (*Plain, error) {
	f, ok := chat.ClockFormat(clock)
	if !ok {
		return nil, cli.Usage("--time: %q is not short, full or none, or a layout such as 15:04:05", clock)
	}
	return &Plain{w: stdout, stderr: stderr, format: f, Save: "/save"}, nil
}

// Use takes what the settings say of times and colours.
func (p *Plain) Use(clock string, colour bool) {
	p.format, _ = chat.ClockFormat(clock)
	p.colour = colour
}

// The colours of plain lines repeat what is said without them.
const (
	codeBold = "1"
	codeDim  = "2"
	codeBad  = "1;31"
)

func (p *Plain) paint(s, code string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *Plain) put(format string, a ...any) {
	if _, err := fmt.Fprintf(p.w, format+"\n", a...); err != nil {
		p.failed = err
	}
}

// Broken is why nobody can be shown anything any more; nil: they can.
func (p *Plain) Broken() error { return p.failed }

func (p *Plain) clock(t time.Time) string {
	if p.format == "" {
		return ""
	}
	return t.Local().Format(p.format)
}

// note is a line from Coterie itself, trouble one that needs attention.
func (p *Plain) note(text string) { p.put("%s %s%s", p.paint("--", codeDim), p.clock(p.at), text) }
func (p *Plain) trouble(text string) {
	p.put("%s %s%s", p.paint("!!", codeBad), p.clock(p.at), text)
}

// Hello says nothing.
func (p *Plain) Hello() {}

// Step is a step towards the room that was taken.
func (p *Plain) Step(step, text string) { p.put("ok   %-14s %s", step, cli.Clean(text)) }

// Warn warns, on standard error.
func (p *Plain) Warn(err *cli.Error) { cli.Warn(p.stderr, err) }

// Fatal leaves it to the command to say what went wrong.
func (p *Plain) Fatal(err error) error { return err }

// Show is of chat.Face.
func (p *Plain) Show(s *chat.State, e chat.Event, said []chat.Line) {
	if e.When == chat.Known {
		return
	}
	p.at = e.At
	if d, ok := e.What.(room.Delivered); ok {
		p.at = d.ShownAt() // what is said of it belongs to it
	}
	for _, l := range said {
		if l.Kind == chat.Above {
			p.say(l)
		}
	}
	switch w := e.What.(type) {
	case room.Delivered:
		p.message(s, w)
	case room.Opened:
		p.message(s, w.Delivered)
	case room.Changed:
		if w.Kind == record.KindEdit {
			d := room.Delivered{Author: w.By, Self: w.Self, Received: w.Received, Day: w.Day, History: w.History, Edited: true}
			d.Message.Text, d.Message.Time = w.Text, w.Time
			p.message(s, d)
		}
	case chat.Answer:
		for _, l := range w.Lines {
			p.note(cli.Clean(l))
		}
	case chat.Found:
		p.note("found " + cli.Plural(w.Total, "message"))
		for _, m := range w.Messages {
			p.note(fmt.Sprintf("  %s %s: %s", m.ShownAt().Local().Format("15:04"),
				chat.ToHead(s.Names.Show(m.Author.Peer), m), spoken(m.Message.Text)))
		}
	}
	for _, l := range said {
		if l.Kind != chat.Above {
			p.say(l)
		}
	}
	if bye, ok := e.What.(chat.Bye); ok && bye.Undelivered > 0 {
		p.undelivered(bye)
	}
}

// say writes what is said of an event.
func (p *Plain) say(l chat.Line) {
	switch l.Kind {
	case chat.Step, chat.Standing:
		if l.Step == "" {
			p.note(l.Text)
			return
		}
		p.Step(l.Step, l.Text)
	case chat.Trying:
		p.put("...  %-14s %s", l.Step, l.Text)
		for _, d := range l.Details {
			p.put("     %-14s %s", "", d)
		}
	case chat.Calm:
		p.note(cli.Clean(l.Text) + "; still trying (/peers says more)")
	case chat.Warn:
		cli.Warn(p.stderr, &cli.Error{Text: l.Text, Details: l.Details, Hints: l.Hints})
	case chat.Alarm, chat.Missing, chat.Mark:
		p.trouble(l.Text)
		for _, h := range l.Hints {
			p.trouble("hint: " + h)
		}
	case chat.Question:
		p.trouble(l.Text + " /yes or /no, within a minute")
	default:
		p.note(l.Text)
	}
}

func (p *Plain) message(s *chat.State, d room.Delivered) {
	at := p.clock(d.ShownAt())
	name := p.paint(chat.ToHead(s.Names.Show(d.Author.Peer), d), codeBold)
	if d.Withdrawn {
		p.put("%s%s (withdrawn)", at, name)
		return
	}
	if closed := chat.Closed(d); closed != "" {
		p.put("%s%s (%s)", at, name, closed)
		return
	}
	if d.Edited {
		name += " (edited)"
	}
	if d.File != nil {
		p.put("%s* %s %s", at, name, chat.FileText(d.File, d.Self, p.Save))
		return
	}
	head, sep := at+name, ":"
	if d.Message.Kind == record.KindAction {
		head, sep = at+"* "+name, ""
	}
	for i, l := range strings.Split(strings.ReplaceAll(d.Message.Text, "\r\n", "\n"), "\n") {
		if i > 0 {
			sep = "|"
		}
		line := spoken(l)
		if p.colour && s.Concerns(d) {
			line = p.paint(line, codeBold)
		}
		p.put("%s%s %s", head, sep, line)
	}
}

// spoken is what somebody said, as it is shown.
func spoken(s string) string { return people.MarkHosts(cli.Clean(s)) }

// undelivered says at the end what nobody read: an error if that ends the run so.
func (p *Plain) undelivered(bye chat.Bye) {
	if bye.Code != 0 {
		cli.Report(p.stderr, Undelivered(bye.Undelivered))
	}
}

// Undelivered says how many messages nobody read.
func Undelivered(n int) *cli.Error {
	were := "1 message was"
	if n > 1 {
		were = fmt.Sprintf("%d messages were", n)
	}
	return cli.Fail("undelivered", "%s not delivered: nobody was in the room", were)
}
