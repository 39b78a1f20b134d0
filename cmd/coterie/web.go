package main

import (
	"context"
	"io"
	"os/signal"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/doctor"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/coterie/web"
	"coterie/cmd/internal/cli"
)

func (a *app) webCommand() *cobra.Command {
	var o web.Options
	cmd := &cobra.Command{
		Use:   "web",
		Short: "show your rooms as a page in your browser, on this computer alone",
		Long: "Show your rooms as a page in your browser, on this computer alone: those that coterie up has open, or of " +
			"this\nprocess, which goes away from them when it ends (Ctrl+C). Enter opens the page once more.",
		Example: `  coterie web
  coterie web --no-browser --port 7600      (from elsewhere: ssh -L 7600:127.0.0.1:7600 HOST)`,
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.web(cmd.Context(), o) },
	}
	cmd.Flags().IntVar(&o.Port, "port", 0, "listen on `PORT` of this computer (default: a free one)")
	cmd.Flags().BoolVar(&o.NoBrowser, "no-browser", false, "print the page's address, and open nothing")
	return cmd
}

func (a *app) web(ctx context.Context, o web.Options) error {
	ctx, stop := signal.NotifyContext(ctx, endings()...)
	defer stop()
	home, err := house.FindHome(&a.Profile)
	if err != nil {
		return err
	}
	rooms, err := a.Rooms()
	if err != nil {
		return err
	}
	cfg := web.Config{Now: a.now, Rooms: a.Rooms, Doctor: func(room string, out io.Writer) error {
		return doctor.Run(doctor.Options{Profile: &a.Profile, Room: room, JSON: true, In: a.stdin, Out: out, Now: a.now})
	}}
	if cfg.Source = (web.There{Home: home}); home == nil {
		cfg.Source = web.Own{House: &a.House}
		a.Failed = func(room string, err *cli.Error) { upTeller{a.stderr, cli.Clean(room)}.Warn(err) }
		a.Share()
		defer a.Shut()
		a.openRemembered(rooms, house.Flags{Given: func(string) bool { return false }})
	}
	if o.Dir, err = a.RuntimeDir(); err != nil {
		return err
	}
	if o.Out = a.stdout; ui.IsTerminal(a.stdin, a.stdout) {
		o.Keys = a.stdin
	}
	return web.Run(ctx, cfg, o)
}
