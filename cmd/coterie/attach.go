package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

// planned are the flags that say how a room is opened: one that is open is so already.
var planned = []string{"key", "policy", "bootstrap", "listen", "nick", "history", "keep", "identity", "notice", "log",
	"metrics", "questions"}

// joinAt opens a window on a room in the process of coterie up, which has it open or opens it.
func (a *app) joinAt(ctx context.Context, home *house.Home, name string, f house.Flags, in *bufio.Reader,
	out house.Face) error {
	name, err := house.RoomName(name, in)
	if err == nil {
		err = a.agreeToLink(name, f)
	}
	if err != nil {
		return out.Fatal(err)
	}
	id, notice := "", ""
	if !room.IsLink(name) && !slices.ContainsFunc(planned, f.Given) {
		e, open, err := home.Find(name)
		if err != nil {
			return out.Fatal(err)
		}
		if open {
			id = e.ID
		}
	}
	if id == "" {
		fresh := false
		if id, fresh, err = home.Open(name, f, out); err != nil {
			return out.Fatal(err)
		}
		if !fresh {
			notice = f.Notice
		}
		other := func(flag string) bool { return flag != "notice" && f.Given(flag) }
		if i := slices.IndexFunc(planned, other); !fresh && i >= 0 {
			if l, err := room.ParseLink(name); err == nil {
				name = l.Name
			}
			out.Warn(cli.Fail("already-open", "the room is open already: what was typed of it (--%s) changes nothing",
				planned[i]).Hint("coterie close %s, and once more", cli.Quote(name)))
		}
	}
	return a.attach(ctx, home, id, f, in, out, notice)
}

// attach shows a room of another process until it is left, or the window is closed. A notice is
// brought into it.
func (a *app) attach(ctx context.Context, home *house.Home, id string, f house.Flags, in *bufio.Reader,
	out house.Face, notice string) error {
	t, onTerminal := out.(*terminal)
	r, err := home.Attach(id, onTerminal)
	if err != nil {
		return out.Fatal(err)
	}
	defer r.Close()
	w := house.NewWindow(r)
	if notice != "" {
		w.Do(ctx, chat.Notice{File: notice})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endings()...)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			go w.Shut("signal")
		case <-ctx.Done():
		}
		select {
		case <-signals:
			w.Close()
		case <-ctx.Done():
		}
	}()
	if plain, ok := out.(interface{ Use(string, bool) }); ok {
		clock := f.Clock
		if !f.Given("time") && r.Clock != "" {
			clock = r.Clock
		}
		plain.Use(clock, f.Colour == "always")
	}
	if onTerminal {
		t.showAt(w, f)
	} else {
		go listen(ctx, w, lines.NewReader(in, f.JSON), f)
	}
	err = w.Follow(out, a.now)
	if e := (*cli.Error)(nil); err == nil || errors.As(err, &e) && e.Text == "" {
		return err // it was said
	}
	return out.Fatal(err)
}

// agreeToLink asks about a room that came as a link, before anything is dialled. Where
// nobody can be asked, having typed the link is enough.
func (a *app) agreeToLink(name string, f house.Flags) error {
	if !room.IsLink(name) || f.JSON || !ui.IsTerminal(a.stdin, a.stdout) {
		return nil
	}
	l, err := room.ParseLink(name)
	if err != nil {
		return chat.LinkError(err)
	}
	fmt.Fprintln(a.stdout, strings.Join(chat.LinkText(l), "\n"))
	return agreed()
}

func agreed() error {
	yes, err := cli.Agree("Join?", "--json")
	if err == nil && !yes {
		err = cli.Fail("not-done", "not joined")
	}
	return err
}
