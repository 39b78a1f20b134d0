package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

// begin opens a room for a face, up to where its node can run.
func (a *app) begin(p *house.Plan, out house.Face) (*house.Room, error) {
	t, onTerminal := out.(*terminal)
	o, err := a.Begin(p, out, out)
	if err != nil {
		return nil, err
	}
	a.Removed = o.Warn // the screen is the room's from here on
	if onTerminal {
		unread := o.Unread()
		t.show(o.Room, p, ui.Config{Unread: unread.ID, UnreadSince: unread.At})
	}
	return o, nil
}

// run takes part in the room until it is left.
func (a *app) runRoom(ctx context.Context, o *house.Room, in *bufio.Reader, out house.Face) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() {
		o.Close()
		a.Removed = func(e *cli.Error) { cli.Warn(a.stderr, e) }
	}()
	ended := o.Start(ctx)
	return a.attend(ctx, o.Room, o.Plan, in, out, o.Events(), ended)
}

// attend shows a room to the user, and does what they want.
func (a *app) attend(ctx context.Context, r *chat.Room, p *house.Plan, in *bufio.Reader, out house.Face,
	events <-chan node.Event, ended <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endings()...)
	defer signal.Stop(signals)
	if _, ok := out.(*terminal); !ok { // else the interface reads the keys
		go listen(ctx, r, lines.NewReader(in, p.Flags.JSON), p.Flags)
	}
	err := r.Run(ctx, events, ended, signals)
	if e := (*cli.Error)(nil); errors.As(err, &e) && e.Text == "" {
		return err // it was said
	}
	if err != nil {
		return out.Fatal(err)
	}
	return nil
}

// endings are the signals that end a room in an orderly way. SIGHUP is not one where it was
// ignored, as nohup does.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// A doer does what the user wants.
type doer interface {
	Do(ctx context.Context, c chat.Command)
}

// listen does what is typed, in its order, until the input ends.
func listen(ctx context.Context, r doer, in *lines.Reader, f house.Flags) {
	for ctx.Err() == nil {
		c, ok := in.Next()
		switch {
		case !ok && f.Stay:
			return
		case !ok:
			c = chat.Quit{Linger: f.Linger, End: true}
		}
		r.Do(ctx, c)
		if q, quit := c.(chat.Quit); quit && !q.Leave { // to leave for good may be refused once
			return
		}
	}
}
