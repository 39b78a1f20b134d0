package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"

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
	// framesPerSecond: a key is on the screen within 25 ms, and an idle terminal
	// costs little.
	framesPerSecond = 40
	// snapshotEvery is how often it is looked how things stand.
	snapshotEvery = 2 * time.Second
	// measureEvery is how often some paths are measured, measureAtOnce how many.
	measureEvery  = 15 * time.Second
	measureAtOnce = 16
	// maxErrands is how much of the user's may wait for the node.
	maxErrands = 1024
)

// terminalOut is a reporter: plain lines until the room is open, and from there
// on the interface, which begins with what was printed before. It is the
// interface's backend as well: what is typed goes to the session, as from any
// other input.
type terminalOut struct {
	*plainOut
	stdin *os.File
	intro []string

	// From ready on:
	session  *session
	program  *tea.Program
	ctx      context.Context
	cancel   context.CancelFunc
	says     chan line   // what is to be said, in its order; never closed
	errands  chan func() // what else is to be done; never closed
	queue    queue
	notify   []string      // the user's command
	measured time.Time     // only for work
	over     chan struct{} // closed when the interface has ended
	err      error         // of the interface; after over
	// input is the session's, on which nothing comes until hangUp.
	input  *bufio.Reader
	hangUp io.Closer
}

// screen is the reporter for a terminal.
func (a *app) screen(p *plainOut) *terminalOut {
	in, hangUp := io.Pipe()
	return &terminalOut{plainOut: p, stdin: a.stdin.(*os.File), input: bufio.NewReader(in), hangUp: hangUp}
}

func (t *terminalOut) state(step, text string) {
	if t.program != nil {
		t.queue.put(ui.State{Step: step, Text: text})
		return
	}
	t.plainOut.state(step, text)
	t.intro = append(t.intro, fmt.Sprintf("ok   %-14s %s", step, cli.Clean(text)))
}

func (t *terminalOut) warn(err *cli.Error) {
	if t.program != nil {
		t.queue.put(ui.Trouble{Text: strings.Join(append([]string{err.Text}, err.Details...), "\n"), Hints: err.Hints})
		return
	}
	t.plainOut.warn(err)
	t.intro = append(t.intro, "warning: "+cli.Clean(err.Text))
	for _, h := range err.Hints {
		t.intro = append(t.intro, "hint: "+cli.Clean(h))
	}
}

// ready opens the interface.
func (t *terminalOut) ready(s *session) {
	d, k := s.plan.descriptor, s.plan.key
	t.session = s
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.says, t.errands, t.over = make(chan line, maxErrands), make(chan func(), maxErrands), make(chan struct{})
	t.queue.init()
	cfg := ui.Config{
		Room: d.Name, RoomID: room.Fingerprint(d.ID()), Domain: k.Domain().Name(), DomainID: k.Domain().Fingerprint(),
		Policy: d.Policy.String(), Through: s.plan.through, KeyDays: int(k.Expires()) - int(abe.DayOf(s.app.now())),
		History: d.History, Kept: s.disk != nil, Self: s.node.Self(), Nick: s.plan.nick, Intro: t.intro,
		ASCII: !isUTF8(), Desktop: desktop(), Tmux: os.Getenv("TMUX") != "",
	}
	if s.plan.terminal(&cfg); s.plan.settings != nil {
		t.notify = s.plan.settings.NotifyCommand
	}
	cfg.Unread, cfg.UnreadSince = s.disk.unread()
	model := ui.New(cfg, t)
	options := []tea.ProgramOption{tea.WithInput(t.stdin), tea.WithOutput(s.app.stdout), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond)}
	if profile, ok := colours(s.plan.flags.colour, os.Environ()); ok {
		options = append(options, tea.WithColorProfile(profile))
	}
	t.program = tea.NewProgram(model, options...)
	go t.talk()
	go t.work()
	go t.pump()
	go func() {
		// A window that is closed takes the user away.
		gone := make(chan os.Signal, 1)
		signal.Notify(gone, syscall.SIGHUP)
		defer signal.Stop(gone)
		select {
		case <-gone:
			t.program.Kill()
		case <-t.over:
		}
	}()
	go func() {
		_, t.err = t.program.Run()
		close(t.over)
		// However it ended, the user is gone.
		s.inputEnds(inputOver{quit: true})
	}()
}

// end closes the interface and gives the terminal back.
func (t *terminalOut) end() {
	if t.program == nil {
		return
	}
	t.program.Quit()
	<-t.over
	t.cancel()
	t.queue.close()
	t.hangUp.Close()
	t.program = nil
}

func (t *terminalOut) fatal(err error) error {
	t.end()
	return t.plainOut.fatal(err)
}

func (t *terminalOut) bye(reason string, undelivered, code int) {
	t.end()
	t.plainOut.bye(reason, undelivered, code)
	if undelivered > 0 && code == 0 {
		cli.Warn(t.stderr, cli.Fail("undelivered", "%s not delivered: nobody was in the room", wereNot(undelivered)))
	}
	if t.err != nil && !errors.Is(t.err, tea.ErrInterrupted) && !errors.Is(t.err, tea.ErrProgramKilled) {
		cli.Warn(t.stderr, cli.Fail("terminal", "the terminal cannot be used: %v", t.err).Hint("--plain"))
	}
}

// event hands an event to the interface, in its words.
func (t *terminalOut) event(s *session, e node.Event) {
	if t.program == nil {
		return // it has ended; the rest is said by bye
	}
	switch e := e.(type) {
	case refusal:
		if e.send {
			if e.err.Code != "undelivered" {
				t.queue.put(ui.Rejected{Ref: e.ref, Code: e.err.Code, Text: e.err.Text, Hints: e.err.Hints})
			}
			return
		}
		t.queue.put(ui.Trouble{Text: e.err.Text, Hints: e.err.Hints})
	case room.Asked:
		t.queue.put(ui.Question{ID: e.ID, Peer: e.Member.Peer, Expr: e.Policy})
	case room.Attested:
		t.queue.put(ui.Proof{Peer: e.Member.Peer, Expr: e.Policy, OK: e.OK, Given: e.Given, Reason: e.Reason})
	case memberState:
		text := "nothing is heard of " + s.names.show(e.member.Peer)
		if !e.suspect {
			text = s.names.show(e.member.Peer) + " is back"
		}
		t.queue.put(ui.Note{Text: text})
	case stillAlone:
		t.queue.put(ui.Note{Text: e.text + ". You are first, or the others are offline. What you type is held until somebody can read it."})
	case node.NotSaving:
		t.warn(savingError(e))
	case pinged:
		t.queue.put(ui.Note{Text: fmt.Sprintf("pong from %s  %s", s.names.show(e.path.Peer), pathKind(s, e.path))})
	case kept:
		t.queue.put(ui.Note{Text: e.name + ": " + e.value + "; " + e.how})
	case logged:
		t.queue.put(ui.Logged{Line: e.line})
	case pathChanged:
		t.Do(ui.Look{})
	case asked, reported, found, proofAsked, ignoring, dropped:
		// The interface answers these itself.
	default:
		t.queue.put(e)
	}
}

// pump gives the interface what has gathered: a frame is drawn for all of it.
func (t *terminalOut) pump() {
	defer t.queue.close()
	look := time.NewTicker(snapshotEvery)
	defer look.Stop()
	for {
		select {
		case <-t.queue.news:
			// More is likely to come at once.
			select {
			case <-time.After(gatherTime):
			case <-t.over:
				return
			}
			t.program.Send(t.queue.take())
		case <-look.C:
			t.Do(ui.Look{})
		case <-t.over:
			return
		}
	}
}

// talk says what was typed.
func (t *terminalOut) talk() {
	for {
		select {
		case l := <-t.says:
			t.session.say(t.ctx, l)
		case <-t.ctx.Done():
			return
		}
	}
}

// work does what else is asked for.
func (t *terminalOut) work() {
	for {
		select {
		case f := <-t.errands:
			f()
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *terminalOut) tell(msg any) { t.queue.put(msg) }

func (t *terminalOut) trouble(format string, a ...any) {
	t.tell(ui.Trouble{Text: fmt.Sprintf(format, a...)})
}

// Send is of ui.Backend.
func (t *terminalOut) Send(ref any, text string, action bool) {
	l := line{text: text, kind: record.KindText, ref: ref}
	if action {
		l.kind = record.KindAction
	}
	select {
	case t.says <- l:
	default:
		go t.tell(ui.Rejected{Ref: ref, Code: "busy", Text: "too much is waiting to be sent"})
	}
}

// Do is of ui.Backend.
func (t *terminalOut) Do(c ui.Command) {
	s := t.session
	want := func(w wanted) func() { return func() { s.post(func() { s.want(w) }) } }
	var f func()
	switch c := c.(type) {
	case ui.Look:
		f = t.look
	case ui.SetNick:
		f = want(wanted{word: "nick", text: c.Name})
	case ui.Rekey:
		f = want(wanted{word: "rekey"})
	case ui.Drop:
		f = want(wanted{word: "drop"})
	case ui.Ping:
		f = want(wanted{word: "ping", who: c.Peer.String()})
	case ui.Prove:
		f = want(wanted{word: "prove", who: c.Peer.String(), text: c.Expr})
	case ui.Allow:
		f = want(wanted{word: "answer", text: c.ID, allow: c.Allow})
	case ui.Ignore:
		word := "unignore"
		if c.On {
			word = "ignore"
		}
		f = want(wanted{word: word, who: c.Peer.String()})
	case ui.Cut:
		word := "uncut"
		if c.On {
			word = "cut"
		}
		f = want(wanted{word: word, who: c.Peer.String()})
	case ui.Link:
		f = func() { t.showLink(c.How) }
	case ui.Save:
		f = func() { t.save(c) }
	case ui.Edit:
		f = func() { t.edit(c.Text) }
	case ui.CompleteFile:
		f = func() { t.tell(ui.Files(files(c.Begin))) }
	case ui.Older:
		f = func() { t.older(c) }
	case ui.Search:
		f = func() { t.search(c) }
	case ui.Notified:
		f = func() { t.notified(c) }
	case ui.Mark:
		f = func() { s.disk.setUnread(c.ID, c.At) }
	case ui.Set:
		f = want(wanted{word: "set", text: c.Name, value: c.Value})
	case ui.Debug:
		f = want(wanted{word: "debug", allow: c.On})
	case ui.Forget:
		f = want(wanted{word: "forget"})
	case ui.Quit, ui.Whois:
		return // nothing more follows from these
	default:
		f = func() { t.trouble("not in this version") }
	}
	select {
	case t.errands <- f:
	default:
		go t.trouble("too much is waiting to be done")
	}
}

// measure pings members, so that the screen can say how far away they are.
func (t *terminalOut) measure(st node.Status) {
	if time.Since(t.measured) < measureEvery {
		return
	}
	n := 0
	for _, i := range rand.Perm(len(st.Peers)) {
		if p := st.Peers[i]; p.Kind != node.NoPath && (p.OnTopic || p.IsRelay) {
			if n++; n > measureAtOnce {
				return
			}
			t.measured = time.Now()
			go t.session.node.Ping(t.ctx, p.Peer)
		}
	}
}

func (t *terminalOut) look() {
	st := t.session.node.Status()
	t.measure(st)
	t.tell(ui.Snapshot{Status: st, Facts: facts(t.session.plan, st, t.session.app.now()), Link: t.session.link()})
}

func (t *terminalOut) showLink(how string) {
	link := t.session.link()
	switch how {
	case "copy":
		t.tell(ui.Copy{Text: link})
	case "qr":
		rows, err := t.session.app.qrRows(link, 23, 5)
		if err != nil {
			t.trouble("%s", err)
			return
		}
		t.tell(ui.Answer{Title: "link", Lines: rows})
	default:
		lines := []string{link}
		if len(t.session.plan.descriptor.Tag) > 0 {
			lines = append(lines, "", "This room is unlisted: whoever has the link knows of it.")
		}
		t.tell(ui.Answer{Title: "link", Lines: lines})
	}
}

func (t *terminalOut) save(c ui.Save) {
	file, err := os.OpenFile(c.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		t.trouble("%s exists", c.Path)
		return
	}
	if err == nil {
		_, err = file.WriteString(c.Text)
		if e := file.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		t.trouble("cannot save: %s", err)
		return
	}
	t.tell(ui.Note{Text: "saved " + c.Path + ", not encrypted"})
}

// edit opens the user's editor on a file that only they can read, and takes it
// away again.
func (t *terminalOut) edit(text string) {
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
		t.trouble("cannot edit: %s", err)
		return
	}
	path := filepath.Join(dir, "message.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		os.RemoveAll(dir)
		t.trouble("cannot edit: %s", err)
		return
	}
	cmd := exec.CommandContext(t.ctx, words[0], append(words[1:], path)...)
	t.program.Send(tea.ExecProcess(cmd, func(err error) tea.Msg {
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

// notified runs the user's own command, which gets no word of what was said.
func (t *terminalOut) notified(c ui.Notified) {
	if len(t.notify) == 0 {
		return
	}
	cmd := exec.CommandContext(t.ctx, t.notify[0], t.notify[1:]...)
	cmd.Env = append(os.Environ(), "ROOM="+cli.Clean(t.session.plan.descriptor.Name), "NICK="+c.Nick, "COUNT="+strconv.Itoa(c.Count))
	if err := cmd.Start(); err != nil {
		t.trouble("notify_command: %s", err)
		return
	}
	go cmd.Wait()
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
