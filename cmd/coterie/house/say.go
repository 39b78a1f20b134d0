package house

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

// Say has a room there say things, in their order, and waits until all are sent.
func (h *Home) Say(ctx context.Context, in Entry, linger time.Duration, all ...chat.Command) error {
	for _, c := range all {
		if say, ok := c.(chat.Say); ok && say.Unsayable() != nil {
			return inShell(say.Unsayable(), in) // before anything is said
		}
	}
	r, err := h.Attach(in.ID, false)
	if err != nil {
		return err
	}
	defer r.Close()
	// The next is said when the room has the one before: that may be refused.
	next := 0
	say := func() {
		if next == len(all) {
			return
		}
		c := all[next]
		switch w := c.(type) {
		case chat.Say:
			w.Ref = next
			c = w
		case chat.File:
			w.Ref = next
			c = w
		}
		next++
		r.Do(ctx, c)
	}
	say()
	late := time.AfterFunc(max(linger, 0), r.part)
	defer late.Stop()
	sent, held := 0, make(map[int]bool)
	for {
		events, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && next == len(all) && sent+len(held) == next && len(held) > 0:
			return cli.Fail("waits", "nobody can read it yet: it waits, and is sent when somebody can").
				Hint("coterie status %s", cli.Quote(in.Room)).
				Hint("what has waited for over 10 minutes (hold in config.toml) goes out at /send in the room")
		case errors.Is(err, io.EOF):
			if next < len(all) {
				return cli.Fail("unsure", "what comes behind the words was not sent: the room had not taken them in time")
			}
			return unsureSaid(len(all)).Hint("coterie read %s", cli.Quote(in.Room))
		case err != nil:
			return lostInShell(err, in)
		}
		for _, e := range events {
			if _, bye := e.What.(chat.Bye); bye {
				return cli.Fail("closed", "the room was closed; it is not known whether it has taken %s",
					either(len(all) == 1, "that", "all of that"))
			}
			switch w := e.What.(type) {
			case room.Sent:
				if n, ours := w.Ref.(int); ours {
					if sent++; sent == len(all) {
						return nil
					}
					delete(held, n)
					if n == next-1 {
						say()
					}
				}
			case room.Held:
				if n, ours := w.Ref.(int); ours && !held[n] {
					held[n] = true
					if n == next-1 {
						say()
					}
				}
			case chat.Rejected:
				if n, ours := w.Ref.(int); ours {
					bad := inShell(w.Err, in)
					if n > 0 {
						bad.Detail("the words before it are not taken back")
					}
					return bad
				}
			case chat.Kept:
				if _, ours := w.Ref.(int); ours {
					return cli.Fail("waits", "the room was closed before %s was sent: what it had taken waits on the disk",
						either(len(all) == 1, "it", "all"))
				}
			}
		}
	}
}

// Save has a room there save a file, and waits until it is saved, or for linger until more of it
// comes. It returns where the file is.
func (h *Home) Save(ctx context.Context, in Entry, linger time.Duration, c chat.Save) (path string, err error) {
	r, err := h.Attach(in.ID, false)
	if err != nil {
		return "", err
	}
	defer r.Close()
	r.Do(ctx, c)
	late := time.AfterFunc(max(linger, 0), r.part)
	defer late.Stop()
	asked := false
	for {
		events, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && asked:
			return "", cli.Fail("waits", "nobody who is there has all of it yet: it is asked for, and saved when it is here").
				Hint("coterie join %s, and /files there shows how far it is", cli.Quote(in.Room))
		case errors.Is(err, io.EOF):
			return "", cli.Fail("unsure", "it is not known whether the file is asked for").
				Hint("look whether it is there before you try again")
		case err != nil:
			return "", lostInShell(err, in)
		}
		for _, e := range events {
			if e.When != chat.Now {
				continue
			}
			switch w := e.What.(type) {
			case chat.Fetching:
				asked, c.ID = true, w.ID
			case chat.Bye:
				return "", cli.Fail("closed", "the room was closed before the file was saved")
			case room.FileChanged:
				if w.ID == c.ID && w.State == room.FileFetching {
					asked = true
					late.Reset(max(linger, 0))
				}
			case chat.Saved:
				return w.Path, nil
			case chat.NotDone:
				if w.Err.Code == "no-file" {
					w.Err.Hints = []string{"coterie read " + cli.Quote(in.Room) + ", which says what files there are"}
				}
				return "", inShell(w.Err, in)
			}
		}
	}
}

// inShell is an error as it is told where nobody types commands of a window.
func inShell(e *cli.Error, in Entry) *cli.Error {
	out := *e
	out.Hints = nil
	for _, h := range e.Hints {
		switch {
		case strings.HasPrefix(h, "/"):
		case strings.Contains(h, "/file PATH"):
			out.Hints = append(out.Hints, "split it, or send it as a file: coterie say "+cli.Quote(in.Room)+" --file PATH")
		default:
			out.Hints = append(out.Hints, h)
		}
	}
	return &out
}

// lostInShell is the same for what ends a visit.
func lostInShell(err error, in Entry) error {
	if e := (*cli.Error)(nil); errors.As(err, &e) && e.Code == "up-ended" {
		return cli.Fail("up-ended", "coterie up has ended, or was lost").
			Hint("coterie join %s opens the room again", cli.Quote(in.Room))
	}
	return err
}

func unsureSaid(count int) *cli.Error {
	return cli.Fail("unsure", "it is not known whether the room has taken %s", either(count == 1, "it", "all of it"))
}

func either(is bool, one, other string) string {
	if is {
		return one
	}
	return other
}
