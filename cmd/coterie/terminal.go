package main

import (
	"fmt"
	"os"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
)

// A terminal is a face: plain lines until the room is open, and from there on the interface,
// which begins with what was printed before.
type terminal struct {
	*lines.Plain
	app     *app
	intro   []string
	open    func() *ui.Program // opens the interface
	program *ui.Program        // nil: it is not open
}

func (t *terminal) Step(step, text string) {
	t.Plain.Step(step, text)
	t.intro = append(t.intro, fmt.Sprintf("ok   %-14s %s", step, cli.Clean(text)))
}

func (t *terminal) Warn(err *cli.Error) {
	t.Plain.Warn(err)
	t.intro = append(t.intro, "warning: "+cli.Clean(err.Text))
	for _, h := range err.Hints {
		t.intro = append(t.intro, "hint: "+cli.Clean(h))
	}
}

func (t *terminal) Show(s *chat.State, e chat.Event, said []chat.Line) {
	switch w := e.What.(type) {
	case chat.Ready:
		t.program = t.open()
	case chat.Bye:
		t.close()
		t.Plain.Show(s, e, said)
		if w.Undelivered > 0 && w.Code == 0 {
			t.Plain.Warn(lines.Undelivered(w.Undelivered))
		}
		return
	}
	if t.program != nil {
		t.program.Show(s, e, said)
	}
}

// close gives the terminal back, if the interface has it.
func (t *terminal) close() {
	if t.program == nil {
		return
	}
	if err := t.program.Close(); err != nil {
		t.Plain.Warn(cli.Fail("terminal", "the terminal cannot be used: %v", err).Hint("--plain"))
	}
	t.program = nil
}

func (t *terminal) Fatal(err error) error {
	t.close()
	return t.Plain.Fatal(err)
}

// show has the terminal's interface show a room when that is open.
func (t *terminal) show(r *chat.Room, p *house.Plan, cfg ui.Config) {
	t.open = func() *ui.Program {
		cfg.About, cfg.Intro, cfg.ASCII, cfg.Desktop, cfg.Tmux, cfg.Now = r.About(), t.intro, !ui.IsUTF8(),
			ui.Desktop(), os.Getenv("TMUX") != "", t.app.now
		shownBy(house.LooksOf(p), &cfg)
		profile := ui.Colours(p.Flags.Colour, os.Environ())
		return ui.Start(cfg, r, t.app.stdin.(*os.File), t.app.stdout.(*os.File), profile)
	}
}

// showAt has the terminal's interface show a room of another process when that is open.
func (t *terminal) showAt(w *house.Window, f house.Flags) {
	t.open = func() *ui.Program {
		cfg := ui.Config{Unread: w.Mark.ID, UnreadSince: w.Mark.At}
		cfg.About, cfg.Intro, cfg.ASCII, cfg.Desktop, cfg.Tmux, cfg.Now = w.About, t.intro, !ui.IsUTF8(),
			ui.Desktop(), os.Getenv("TMUX") != "", t.app.now
		shownBy(w.Looks, &cfg)
		profile := ui.Colours(f.Colour, os.Environ())
		return ui.Start(cfg, w, t.app.stdin.(*os.File), t.app.stdout.(*os.File), profile)
	}
}

// shownBy is how the terminal is used, by the settings of a room.
func shownBy(l house.Looks, cfg *ui.Config) {
	cfg.Notify, cfg.NotifyText, cfg.NotifyCommand = l.Notify, l.NotifyText, l.NotifyCommand
	cfg.Mouse, cfg.NoTitle, cfg.Keys = l.Mouse, !l.Title, l.Keys
	if chat.IsClock(l.Clock) {
		cfg.Clock = l.Clock
	}
}
