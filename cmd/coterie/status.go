package main

import (
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
)

// statusNone is the exit status of status if no such room runs.
const statusNone = 2

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [ROOM]",
		Short: "ask a running coterie what works and what does not",
		Long: "Ask a running coterie what works and what does not. The exit status is 0 if all is well, 1 if not, and 2 " +
			"if no such room runs.",
		Example: `  coterie status
  coterie status exam --json`,
		Args:              cli.Args("[ROOM]"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.status(append(args, "")[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each room: the event status of join --json")
	return cmd
}

// notRunning is the error for a room that does not run.
func notRunning(name string) *cli.Error {
	e := cli.Fail("not-running", "no room runs")
	if name != "" {
		e = cli.Fail("not-running", "%s does not run", cli.Clean(name))
	}
	e.Status = statusNone
	if name == "" {
		name = "ROOM"
	}
	return e.Hint("coterie join %s", cli.Quote(name))
}

// running finds the rooms that are open, all or those of a name.
func (a *app) running(name string) ([]control.OpenRoom, error) {
	dir, err := a.RuntimeDir()
	if err != nil {
		return nil, err
	}
	return control.Open(dir, name)
}

func (a *app) status(name string, asJSON bool) error {
	rooms, err := a.running(name)
	if err != nil {
		return err
	}
	if len(rooms) == 0 {
		return notRunning(name)
	}
	ok := true
	for _, r := range rooms {
		answer, err := r.Ask(control.Question{Status: true})
		if err != nil {
			return fmt.Errorf("asking process %d: %w", r.PID, err)
		}
		ok = ok && answer.OK
		if asJSON {
			if _, err := a.stdout.Write(lines.Escaped(answer.Event)); err != nil {
				return err
			}
			continue
		}
		for _, l := range answer.Lines {
			if _, err := fmt.Fprintln(a.stdout, cli.Clean(l)); err != nil {
				return err
			}
		}
	}
	if !ok {
		return cli.Silent(cli.StatusFailed)
	}
	return nil
}

func (a *app) pingCommand() *cobra.Command {
	var room string
	var count int
	cmd := &cobra.Command{
		Use:   "ping WHO",
		Short: "see how a member of a running room is reached; stops when that is direct",
		Example: `  coterie ping prof
  coterie ping '~x9w0' --room exam`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && room == "" {
				return cli.Usage("ping takes one member").Hint("coterie ping %s --room %s", cli.Quote(args[1]), cli.Quote(args[0]))
			}
			return cli.Args("WHO")(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.ping(args[0], room, count) },
	}
	cmd.Flags().StringVar(&room, "room", "", "in this `ROOM` (default: the one that runs)")
	cmd.Flags().IntVar(&count, "count", 10, "at most so often")
	cmd.RegisterFlagCompletionFunc("room", a.completeRooms)
	return cmd
}

func (a *app) ping(who, name string, count int) error {
	if count < 1 {
		return cli.Usage("--count: at least 1")
	}
	rooms, err := a.running(name)
	if err != nil {
		return err
	}
	switch {
	case len(rooms) == 0:
		return notRunning(name)
	case rooms[0].Room != rooms[len(rooms)-1].Room:
		return cli.Usage("%d rooms run", len(rooms)).Hint("coterie ping %s --room %s", cli.Quote(who),
			cli.Quote(rooms[0].Room))
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	defer signal.Stop(interrupted)
	answered := false
	for i := range count {
		if i > 0 {
			select {
			case <-time.After(time.Second):
			case <-interrupted:
				return nil
			}
		}
		answer, err := rooms[0].Ask(control.Question{Ping: who})
		if err != nil {
			return cli.Fail("ping", "%s", cli.Clean(err.Error())).Hint("coterie status %s", cli.Quote(rooms[0].Room)).
				Because(err)
		}
		answered = answered || answer.OK
		for _, l := range answer.Lines {
			if _, err := fmt.Fprintln(a.stdout, cli.Clean(l)); err != nil {
				return err
			}
		}
		if answer.Direct {
			return nil
		}
	}
	if !answered {
		return cli.Silent(cli.StatusFailed)
	}
	return nil
}
