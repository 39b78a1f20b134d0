package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// Options are how a page is opened.
type Options struct {
	Port      int // 0: a free one
	NoBrowser bool
	Dir       string // for what only its user may read
	Out       io.Writer
	Keys      io.Reader // a line of it opens the page once more; nil: there is no terminal
}

// Run shows a page until ctx ends.
func Run(ctx context.Context, cfg Config, o Options) error {
	cfg.Dir = o.Dir
	if there, ok := cfg.Source.(There); ok {
		if err := there.Fits(); err != nil {
			return err // else the page would have no rooms, and say that none is open
		}
	}
	s, err := Listen(cfg, o.Port)
	if err != nil {
		return err
	}
	defer s.Close()
	defer Forget(o.Dir)
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	s.open(o)
	again := make(chan bool)
	if o.Keys != nil {
		fmt.Fprintln(o.Out, "Enter opens it once more, Ctrl+C ends this.")
		go func() {
			for in := bufio.NewScanner(o.Keys); in.Scan(); {
				select {
				case again <- true:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	for {
		select {
		case <-again:
			s.open(o)
		case <-ctx.Done():
			return nil
		case err := <-served:
			return err
		}
	}
}

// open opens the page in a browser, or says where it is.
func (s *Server) open(o Options) {
	link := s.Link()
	if o.NoBrowser || Show(o.Dir, link, Browser) != nil {
		fmt.Fprintf(o.Out, "Open this in a browser on this computer, within 2 minutes (it works once):\n\n  %s\n\n", link)
		return
	}
	// One in a sandbox of its own may not read the file.
	fmt.Fprintf(o.Out, "Your browser opens http://%s. If it may not open a file: coterie web --no-browser\n", s.Host())
}
