package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

const (
	// gatherTime is how long events are gathered for one frame.
	gatherTime = 8 * time.Millisecond
	// snapshotEvery is how often it is looked how things stand.
	snapshotEvery = 2 * time.Second
	// maxErrands is how much of the user's may wait for the node.
	maxErrands = 1024
)

// onTerminal reports whether the interface can be drawn: both ends are a
// terminal, of a kind that can move the cursor. Otherwise lines are plain.
func (a *app) onTerminal() bool {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return false
	}
	out, ok := a.stdout.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) {
		return false
	}
	kind := os.Getenv("TERM")
	return kind != "" && kind != "dumb"
}

// terminalOut is a terminal: plain lines until the room is open, the interface
// from there on, which begins with what was printed before.
type terminalOut struct {
	*plainOut
	intro []string
}

func (t *terminalOut) state(step, text string) {
	t.plainOut.state(step, text)
	t.intro = append(t.intro, fmt.Sprintf("ok   %-14s %s", step, cli.Clean(text)))
}

func (t *terminalOut) warn(err *cli.Error) {
	t.plainOut.warn(err)
	t.intro = append(t.intro, "warning: "+cli.Clean(err.Text))
	for _, h := range err.Hints {
		t.intro = append(t.intro, "hint: "+cli.Clean(h))
	}
}

// A terminal runs the interface of one room. It is the interface's backend: what
// it is asked for is done one after the other, beside the interface.
type terminal struct {
	*session
	program *tea.Program
	errands chan func() // closed by nobody
	ctx     context.Context
}

// run shows the room until the user leaves it.
func (t *terminalOut) run(ctx context.Context, s *session) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	u := &terminal{session: s, errands: make(chan func(), maxErrands), ctx: ctx}
	d, k := s.plan.descriptor, s.plan.key
	model := ui.New(ui.Config{
		Room: d.Name, RoomID: room.Fingerprint(d.ID()), Domain: k.Domain().Name(), DomainID: k.Domain().Fingerprint(),
		Policy: d.Policy.String(), Through: s.plan.through, KeyDays: int(k.Expires()) - int(abe.DayOf(s.app.now())),
		History: d.History, Kept: s.disk != nil, Self: s.node.Self(), Nick: s.plan.nick, Intro: t.intro,
		ASCII: !isUTF8(), Desktop: desktop(), Tmux: os.Getenv("TMUX") != "",
	}, u)
	u.program = tea.NewProgram(model, tea.WithInput(t.stdin(s)), tea.WithOutput(s.app.stdout), tea.WithoutSignalHandler())

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			u.program.Quit()
		case <-ctx.Done():
		}
	}()

	ended := make(chan error, 1)
	go func() { ended <- s.node.Run(ctx) }()
	go u.work()
	s.attendDoor(ctx)
	shown := make(chan struct{})
	pumped := make(chan struct{})
	go func() { defer close(pumped); u.pump(shown) }()

	_, err := u.program.Run()
	close(shown)
	s.node.Leave()
	runErr := <-ended
	<-pumped
	if err != nil && !errors.Is(err, tea.ErrInterrupted) {
		return cli.Fail("terminal", "the terminal cannot be used: %v", err).Hint("--plain").Because(err)
	}
	if runErr != nil {
		return runErr
	}
	t.note("you left")
	return nil
}

func (t *terminalOut) stdin(s *session) *os.File { return s.app.stdin.(*os.File) }

// pump hands the node's events to the interface, as many at a time as there are:
// a frame is drawn for all of them. Once nobody looks, they are thrown away.
func (u *terminal) pump(shown <-chan struct{}) {
	events := u.node.Events()
	look := time.NewTicker(snapshotEvery)
	defer look.Stop()
	for {
		var batch ui.Events
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			if !u.follow(e) {
				batch = append(batch, e)
			}
			gather := time.NewTimer(gatherTime)
			for open := true; open && len(batch) < maxErrands; {
				select {
				case e, ok := <-events:
					if !ok {
						gather.Stop()
						u.program.Send(batch)
						return
					}
					if !u.follow(e) {
						batch = append(batch, e)
					}
				case <-gather.C:
					open = false
				}
			}
			gather.Stop()
		case <-look.C:
			u.do(u.look)
			u.session.look()
			continue
		}
		if len(batch) == 0 {
			continue
		}
		select {
		case <-shown:
		default:
			u.program.Send(batch)
		}
	}
}

// work does what the interface asks for.
func (u *terminal) work() {
	for {
		select {
		case f := <-u.errands:
			f()
		case <-u.ctx.Done():
			return
		}
	}
}

// do puts an errand on the list; it returns false if that is full.
func (u *terminal) do(f func()) bool {
	select {
	case u.errands <- f:
		return true
	default:
		return false
	}
}

// tell hands the interface a message of ours.
func (u *terminal) tell(msg tea.Msg) { u.program.Send(msg) }

func (u *terminal) trouble(format string, a ...any) {
	u.tell(ui.Trouble{Text: fmt.Sprintf(format, a...)})
}

// Send is of ui.Backend.
func (u *terminal) Send(ref any, text string, action bool) {
	kind := record.KindText
	if action {
		kind = record.KindAction
	}
	took := u.do(func() {
		switch err := u.node.Send(ref, kind, text); {
		case err == nil:
		case errors.Is(err, room.ErrTooLong):
			u.tell(ui.Rejected{Ref: ref, Code: "too-long", Hints: []string{"split it, or send it as a file by other means"},
				Text: fmt.Sprintf("the message has %s bytes; the limit is %s", cli.Count(len(text)), cli.Count(record.MaxText))})
		case errors.Is(err, room.ErrHeldFull):
			u.tell(ui.Rejected{Ref: ref, Code: "alone", Text: "too many messages are held already", Hints: []string{"/drop gives them up"}})
		default:
			u.tell(ui.Rejected{Ref: ref, Code: "left", Text: "the message was not sent: " + err.Error()})
		}
	})
	if !took {
		go u.tell(ui.Rejected{Ref: ref, Code: "busy", Text: "too much is waiting to be sent"})
	}
}

// Do is of ui.Backend.
func (u *terminal) Do(c ui.Command) {
	var f func()
	switch c := c.(type) {
	case ui.Look:
		f = u.look
	case ui.SetNick:
		f = func() { u.check(u.node.SetName(c.Name)) }
	case ui.Rekey:
		f = func() { u.check(u.node.Rekey()) }
	case ui.Drop:
		f = func() { u.drop(c) }
	case ui.Ping:
		f = func() { u.ping(c) }
	case ui.Link:
		f = func() { u.showLink(c.How) }
	case ui.Save:
		f = func() { u.save(c) }
	case ui.Edit:
		f = func() { u.edit(c.Text) }
	case ui.CompleteFile:
		f = func() { u.tell(ui.Files(files(c.Begin))) }
	case ui.Quit, ui.Mark, ui.Ignore, ui.Whois, ui.Notified, ui.Set:
		return // nothing is kept of these
	case ui.Older:
		f = func() { u.tell(ui.Past{All: true}) }
	default:
		f = func() { u.trouble("not in this version") }
	}
	if !u.do(f) {
		go u.trouble("too much is waiting to be done")
	}
}

func (u *terminal) check(err error) {
	if err != nil {
		u.trouble("%s", err)
	}
}

func (u *terminal) look() {
	st := u.node.Status()
	u.tell(ui.Snapshot{Status: st, Facts: facts(u.plan, st, u.app.now()), Link: u.link()})
}

func (u *terminal) drop(c ui.Drop) {
	var which func(room.HeldMessage) bool
	if c.Refs != nil {
		which = func(h room.HeldMessage) bool { return slices.Contains(c.Refs, h.Ref) }
	}
	for _, h := range u.node.Drop(which) {
		u.tell(ui.Dropped{Ref: h.Ref})
	}
}

func (u *terminal) showLink(how string) {
	link := u.link()
	switch how {
	case "copy":
		u.tell(ui.Copy{Text: link})
	case "qr":
		u.trouble("not in this version")
	default:
		u.tell(ui.Answer{Title: "link", Lines: []string{link}})
	}
}

func (u *terminal) save(c ui.Save) {
	file, err := os.OpenFile(c.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		u.trouble("%s exists", c.Path)
		return
	}
	if err == nil {
		_, err = file.WriteString(c.Text)
		if e := file.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		u.trouble("cannot save: %s", err)
		return
	}
	u.tell(ui.Note{Text: "saved " + c.Path + ", not encrypted"})
}

// edit opens the user's editor on a file that only he can read, and takes it
// away again.
func (u *terminal) edit(text string) {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	words := strings.Fields(editor)
	if len(words) == 0 {
		words = []string{"vi"}
	}
	dir, err := os.MkdirTemp("", "coterie-")
	if err != nil {
		u.trouble("cannot edit: %s", err)
		return
	}
	path := filepath.Join(dir, "message.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		os.RemoveAll(dir)
		u.trouble("cannot edit: %s", err)
		return
	}
	cmd := exec.CommandContext(u.ctx, words[0], append(words[1:], path)...)
	u.tell(tea.ExecProcess(cmd, func(err error) tea.Msg {
		defer os.RemoveAll(dir)
		if err != nil {
			return ui.Edited{Err: words[0] + ": " + err.Error()}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return ui.Edited{Err: err.Error()}
		}
		return ui.Edited{Text: strings.TrimRight(string(b), "\n")}
	})())
}

// files are those whose path begins so, at most a screen full.
func files(begin string) []string {
	found, err := filepath.Glob(begin + "*")
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range found[:min(len(found), 50)] {
		if info, err := os.Stat(f); err == nil && info.IsDir() {
			f += string(filepath.Separator)
		}
		out = append(out, f)
	}
	return out
}

// isUTF8 reports whether the terminal shows UTF-8, as the environment says.
func isUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return os.PathSeparator == '\\'
}

// desktop is how this terminal is asked for a notification.
func desktop() string {
	kind, program := os.Getenv("TERM"), os.Getenv("TERM_PROGRAM")
	switch {
	case strings.Contains(kind, "kitty"):
		return "99"
	case strings.HasPrefix(kind, "rxvt"), strings.HasPrefix(kind, "foot"), os.Getenv("VTE_VERSION") != "":
		return "777"
	case program == "iTerm.app", program == "WezTerm", program == "ghostty", os.Getenv("WT_SESSION") != "":
		return "9"
	}
	return ""
}

// ping measures the way to a peer.
func (u *terminal) ping(c ui.Ping) {
	u.tell(ui.Note{Text: pathLine(u.node.Path(c.Peer))})
}

func pathLine(p node.Path) string {
	if p.Kind == node.NoPath {
		return "no connection to it"
	}
	return fmt.Sprintf("%s %s %d ms", p.Kind, p.Transport, p.RTT.Milliseconds())
}
