package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/house"
	"coterie/cmd/internal/cli"
)

func (a *app) upCommand() *cobra.Command {
	var f house.Flags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "keep the rooms you joined open, without a window",
		Long: "Keep the rooms you joined open, without a window, until SIGINT, SIGTERM or SIGHUP: you are away from then " +
			"on.\nWhile it runs, coterie join opens a window on a room, and closing that is not leaving. coterie say, " +
			"coterie read and coterie save are for scripts.",
		Example: `  coterie up
  systemctl --user enable --now coterie      (as a service: docs/coterie.service says how)`,
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Given = cmd.Flags().Changed
			return a.up(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Identity, "identity", "", "open sealed keys with the age identities in `FILE`")
	flags.StringVar(&f.PassphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	flags.StringVar(&f.Log, "log", "", "append a log to `FILE`, JSON lines without texts and keys")
	return cmd
}

// An upTeller says on standard error how rooms are opened.
type upTeller struct {
	w    io.Writer
	room string
}

func (t upTeller) Hello()                {}
func (t upTeller) Step(_, _ string)      {}
func (t upTeller) Fatal(err error) error { return err }
func (t upTeller) Warn(err *cli.Error) {
	out := *err
	out.Text = t.room + ": " + out.Text
	cli.Warn(t.w, &out)
}

func (a *app) up(ctx context.Context, f house.Flags) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endings()...)
	defer signal.Stop(signals)
	s, err := a.Listen()
	if err != nil {
		return err
	}
	defer s.Close()
	a.Share()
	a.Failed = func(room string, err *cli.Error) { upTeller{a.stderr, cli.Clean(room)}.Warn(err) }
	rooms, err := a.Rooms()
	if err != nil {
		return err
	}
	go s.Serve()
	opened := make(chan int, 1)
	go func() { opened <- len(a.openRemembered(rooms, f)) }()
	for opened != nil {
		select {
		case n := <-opened:
			opened = nil
			fmt.Fprintf(a.stdout, "%s\n", upText(n))
		case <-signals:
			return a.down(s, signals)
		}
	}
	select {
	case <-signals:
	case <-ctx.Done():
	}
	return a.down(s, signals)
}

func upText(n int) string {
	if n == 0 {
		return "no room is open yet; coterie join ROOM opens one here, Ctrl+C ends this"
	}
	return cli.Plural(n, "room") + " open; coterie join ROOM shows one, Ctrl+C ends this"
}

// down goes away from all rooms; a second signal does not wait for that.
func (a *app) down(s *house.Server, signals <-chan os.Signal) error {
	done := make(chan struct{})
	go func() { a.Shut(); s.Finish(); close(done) }()
	select {
	case <-done:
		return nil
	case <-signals:
		return cli.Silent(statusAborted)
	}
}

// statusAborted is the exit status after a second signal.
const statusAborted = 130

// at is the process of coterie up, and a room that it has open.
func (a *app) at(name string) (*house.Home, house.Entry, error) {
	home, err := house.FindHome(&a.Profile)
	if err == nil && home == nil {
		err = cli.Fail("not-up", "coterie up does not run").Hint("coterie up")
	}
	if err != nil {
		return nil, house.Entry{}, err
	}
	e, open, err := home.Find(name)
	if err == nil && !open {
		err = notRunning(name)
	}
	return home, e, err
}

func (a *app) closeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "close ROOM",
		Short: "close a room that coterie up has open: you are away there",
		Example: `  coterie close exam
  coterie join exam        (opens it again)`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(_ *cobra.Command, args []string) error {
			home, e, err := a.at(args[0])
			if err != nil {
				return err
			}
			return home.Close(e.ID)
		},
	}
}
