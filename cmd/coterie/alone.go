package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
)

// alone is coterie without a command: the rooms that are remembered on one screen, or help where
// there are none, or no terminal. The rooms are those that coterie up has open, or of this
// process.
func (a *app) alone(cmd *cobra.Command) error {
	if !ui.CanDraw(a.stdin, a.stdout) {
		return noCommand(cmd)
	}
	home, err := house.FindHome(&a.Profile)
	if err != nil {
		return err
	}
	if home != nil {
		return a.aloneAt(home)
	}
	rooms, err := a.Rooms()
	if err != nil {
		return err
	}
	if len(rooms) == 0 {
		return noCommand(cmd)
	}
	a.Share()
	defer a.Shut()
	var visits []house.Visit
	for _, o := range a.openRemembered(rooms, house.Flags{Given: func(string) bool { return false }}) {
		g, err := o.Visit(true)
		if err != nil {
			return err
		}
		visits = append(visits, g)
	}
	if len(visits) == 0 {
		return cli.Fail("none-open", "no room could be opened").Hint("coterie rooms lists them; coterie join ROOM")
	}
	a.Removed = func(*cli.Error) {} // the screen is the rooms'
	there, err := a.onScreen(visits)
	a.Removed = func(e *cli.Error) { cli.Warn(a.stderr, e) }
	if err == nil && there > 0 {
		_, err = fmt.Fprintf(a.stdout, "You went away from %s.\n", cli.Plural(there, "room"))
	}
	return err
}

// noCommand says what there is.
func noCommand(cmd *cobra.Command) error {
	cmd.SetOut(cmd.ErrOrStderr())
	cmd.Help()
	return cli.Silent(cli.StatusUsage)
}

// openRemembered opens rooms. One that cannot be opened is warned of, and is no reason to do
// without the others.
func (a *app) openRemembered(rooms []profile.Room, f house.Flags) (out []*house.Open) {
	for _, r := range rooms {
		f.Known = &r
		o, _, err := a.Open(r.Name, f, upTeller{a.stderr, cli.Clean(r.Name)})
		if err != nil {
			e := *cli.Describe(err)
			switch {
			case e.Code == "closing":
				return out
			case e.Code == "no-passphrase", errors.Is(err, keyfile.ErrWrongPassphrase): // nobody is asked for each room
				f.Ask = func() ([]byte, error) { return nil, err }
			}
			e.Text = "not opened: " + e.Text
			upTeller{a.stderr, cli.Clean(r.Name)}.Warn(&e)
			continue
		}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// aloneAt shows the rooms that coterie up has open.
func (a *app) aloneAt(home *house.Home) error {
	all, err := home.List()
	if err != nil {
		return err
	}
	var visits []house.Visit
	for _, e := range all {
		r, err := home.Attach(e.ID, true)
		if err != nil {
			return err
		}
		defer r.Close()
		visits = append(visits, house.NewWindow(r))
	}
	if len(visits) == 0 {
		return cli.Fail("none-open", "coterie up has no room open").Hint("coterie join ROOM opens one there")
	}
	there, err := a.onScreen(visits)
	if err == nil && there > 0 {
		_, err = fmt.Fprintln(a.stdout, stay(there))
	}
	return err
}

func stay(n int) string {
	if n == 1 {
		return "1 room stays open in the background; coterie shows it again."
	}
	return fmt.Sprintf("%d rooms stay open in the background; coterie shows them again.", n)
}

// onScreen shows rooms on one screen, until all are left or the user goes. It returns how many
// were there still. What ended a room otherwise is the error if there was no other, and warned of
// else.
func (a *app) onScreen(visits []house.Visit) (there int, err error) {
	settings, err := a.Settings()
	if err != nil {
		return 0, err
	}
	config := func(v house.Visit) ui.Config {
		w := v.Hello()
		cfg := ui.Config{About: w.About, Unread: w.Mark.ID, UnreadSince: w.Mark.At, ASCII: !ui.IsUTF8(),
			Desktop: ui.Desktop(), Tmux: os.Getenv("TMUX") != "", Now: a.now}
		shownBy(w.Looks, &cfg)
		return cfg
	}
	colours := ui.Colours(settings.Text("color"), os.Environ())
	p := ui.Start(config(visits[0]), visits[0], a.stdin.(*os.File), a.stdout.(*os.File), colours)
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed []*cli.Error
	for i, v := range visits {
		seat := p.Seat
		if i > 0 {
			seat = p.Add(config(v), v)
		}
		all.Go(func() {
			face := &house.Parting{Face: seat}
			err := house.FollowAny(v, face, a.now)
			v.Close()
			var why *cli.Error
			if err != nil {
				why = house.Named(v.Hello().About.Name, err)
			}
			mu.Lock()
			switch {
			case why != nil:
				failed = append(failed, why)
			case !face.Over:
				there++
			}
			mu.Unlock()
			p.Remove(seat, why)
		})
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endings()...)
	defer signal.Stop(signals)
	select {
	case <-p.Over():
	case <-signals:
	}
	err = p.Close()
	for _, v := range visits {
		v.Do(context.Background(), chat.Quit{})
	}
	all.Wait()
	for _, e := range failed {
		if err == nil && there == 0 {
			err = e
			continue
		}
		cli.Warn(a.stderr, e)
	}
	return there, err
}
