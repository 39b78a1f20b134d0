package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/doctor"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/coterie/web"
	"coterie/cmd/internal/cli"
)

func (a *app) webCommand() *cobra.Command {
	var port int
	var noBrowser bool
	cmd := &cobra.Command{
		Use:   "web",
		Short: "show your rooms as a page in your browser, on this computer alone",
		Long: "Show your rooms as a page in your browser, on this computer alone: those that coterie up has open, or of this\n" +
			"process, which goes away from them when it ends (Ctrl+C). Enter opens the page once more.",
		Example: `  coterie web
  coterie web --no-browser --port 7600      (from elsewhere: ssh -L 7600:127.0.0.1:7600 HOST)`,
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.web(cmd.Context(), port, noBrowser) },
	}
	cmd.Flags().IntVar(&port, "port", 0, "listen on `PORT` of this computer (default: a free one)")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "print the page's address, and open nothing")
	return cmd
}

func (a *app) web(ctx context.Context, port int, noBrowser bool) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endings()...)
	defer signal.Stop(signals)
	home, err := house.FindHome(&a.Profile)
	if err != nil {
		return err
	}
	rooms, err := a.Rooms()
	if err != nil {
		return err
	}
	cfg := web.Config{Now: a.now, Doctor: func(room string, out io.Writer) error {
		return doctor.Run(doctor.Options{Profile: &a.Profile, Room: room, JSON: true, In: a.stdin, Out: out, Now: a.now})
	}}
	cfg.Keys = func() (keys []string) {
		rooms, _ := a.Rooms()
		for _, r := range rooms {
			if !slices.Contains(keys, r.Key) {
				keys = append(keys, r.Key)
			}
		}
		return keys
	}
	if home != nil {
		cfg.Source = web.There{Home: home}
	} else {
		cfg.Source = web.Own{House: &a.House}
		a.Failed = func(room string, err *cli.Error) { upTeller{a.stderr, cli.Clean(room)}.Warn(err) }
		a.Share()
		defer a.Shut()
		a.openRemembered(rooms, house.Flags{Given: func(string) bool { return false }})
	}
	s, err := web.Listen(cfg, port)
	if err != nil {
		return err
	}
	defer s.Close()
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	dir, err := a.RuntimeDir()
	if err != nil {
		return err
	}
	defer web.Forget(dir)
	show := func() {
		link := s.Link()
		if noBrowser || web.Show(dir, link, web.Browser) != nil {
			fmt.Fprintf(a.stdout, "Open this in a browser on this computer, within 2 minutes (it works once):\n\n  %s\n\n", link)
		} else {
			fmt.Fprintf(a.stdout, "Your browser opens http://%s.\n", s.Host())
		}
	}
	show()
	again := make(chan bool)
	if ui.IsTerminal(a.stdin, a.stdout) {
		fmt.Fprintln(a.stdout, "Enter opens it once more, Ctrl+C ends this.")
		go func() {
			for in := bufio.NewScanner(a.stdin); in.Scan(); {
				again <- true
			}
		}()
	}
	for {
		select {
		case <-again:
			show()
		case <-signals:
			return nil
		case <-ctx.Done():
			return nil
		case err := <-served:
			return err
		}
	}
}
