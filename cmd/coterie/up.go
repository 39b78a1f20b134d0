package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

func (a *app) upCommand() *cobra.Command {
	var f house.Flags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "keep the rooms you joined open, without a window",
		Long: "Keep the rooms you joined open, without a window, until SIGINT, SIGTERM or SIGHUP: you are away from then " +
			"on.\nWhile it runs, coterie join opens a window on a room, and closing that is not leaving. coterie say and " +
			"coterie read are for scripts.",
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

func (a *app) sayCommand() *cobra.Command {
	var linger time.Duration
	var to string
	cmd := &cobra.Command{
		Use:   "say ROOM TEXT|-",
		Short: "say something in a room that coterie up has open",
		Long: "Say something in a room that coterie up has open. The exit status is 0 when it is sent, and 1 if nobody " +
			"could read it in time: it waits then, and is sent when somebody can within 10 minutes; later at /send in the room.",
		Example: `  coterie say exam 'the sets are on the shelf'
  uptime | coterie say exam -`,
		Args:              cli.Args("ROOM", "TEXT"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.say(cmd.Context(), args[0], args[1], to, linger)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "for those alone whose key satisfies `EXPR`")
	cmd.Flags().DurationVar(&linger, "linger", 10*time.Second, "wait so long until it is sent")
	return cmd
}

func (a *app) say(ctx context.Context, name, said, to string, linger time.Duration) error {
	if said == "-" {
		all, err := io.ReadAll(io.LimitReader(a.stdin, lines.MaxLine))
		if err != nil {
			return err
		}
		said = strings.TrimRight(string(all), "\r\n")
	}
	if bad := isCommand(name, said); bad != nil {
		return bad
	}
	home, e, err := a.at(name)
	if err != nil {
		return err
	}
	return home.Say(ctx, e, said, to, linger)
}

// isCommand is the error for words that are a command where they are typed: all would read them.
func isCommand(name, said string) error {
	typed := strings.TrimSpace(said)
	word, _ := chat.Words(typed)
	is := func(c chat.Slash) bool { return c.Name == word }
	if !strings.HasPrefix(typed, "/") || !slices.ContainsFunc(chat.Slashes, is) {
		return nil
	}
	e := cli.Usage("/%s is a command, and coterie say says words alone: nothing was sent", word)
	if word == "to" {
		return e.Hint("coterie say %s --to 'EXPR' 'WORDS'", cli.Quote(name))
	}
	return e.Hint("coterie join %s, and type it there", cli.Quote(name))
}

func (a *app) readCommand() *cobra.Command {
	var f house.Flags
	var follow bool
	cmd := &cobra.Command{
		Use:   "read ROOM",
		Short: "print what was said lately in a room that coterie up has open",
		Example: `  coterie read exam
  coterie read exam --follow --json`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Given = cmd.Flags().Changed
			return a.read(cmd.Context(), args[0], f, follow)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with what is said")
	cmd.Flags().BoolVar(&f.JSON, "json", false, "one JSON object a line, as join --json")
	cmd.Flags().StringVar(&f.Clock, "time", "short", "times in plain lines: short, full, none or a layout")
	cmd.RegisterFlagCompletionFunc("time", completeWords("short", "full", "none"))
	return cmd
}

func (a *app) read(ctx context.Context, name string, f house.Flags, follow bool) error {
	home, e, err := a.at(name)
	if err != nil {
		return err
	}
	var out house.Face = lines.NewJSON(a.stdout, a.now)
	if !f.JSON {
		if out, err = lines.NewPlain(a.stdout, a.stderr, f.Clock); err != nil {
			return err
		}
	}
	out.Hello()
	f.Stay, f.Colour = true, "never"
	out = &reader{Face: out, all: f.JSON, follow: follow}
	return a.attach(ctx, home, e.ID, f, bufio.NewReaderSize(strings.NewReader(""), lines.MaxLine), out, "")
}

// A reader is a face for who reads what is said: words alone, or all there is.
type reader struct {
	house.Face
	all, follow, over bool
}

func (r *reader) Show(s *chat.State, e chat.Event, said []chat.Line) {
	switch e.What.(type) {
	case room.Delivered, room.Opened, room.Changed:
		r.Face.Show(s, e, nil)
		return
	case chat.Waiting: // what was before ends with it
		r.over = r.over || !r.follow
	}
	if r.all {
		r.Face.Show(s, e, said)
	}
}

func (r *reader) Broken() error {
	if r.over {
		return io.EOF
	}
	return r.Face.Broken()
}
