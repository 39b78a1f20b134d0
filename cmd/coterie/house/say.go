package house

import (
	"context"
	"errors"
	"io"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/room"
)

// Say has a room there say things, in their order, and waits until all are sent.
func (h *Home) Say(ctx context.Context, in Entry, linger time.Duration, all ...chat.Command) error {
	for _, c := range all {
		if say, ok := c.(chat.Say); ok && say.TooLong() != nil {
			return say.TooLong() // before anything is said
		}
	}
	r, err := h.Attach(in.ID, false)
	if err != nil {
		return err
	}
	defer r.Close()
	for i, c := range all {
		switch w := c.(type) {
		case chat.Say:
			w.Ref = i
			c = w
		case chat.File:
			w.Ref = i
			c = w
		}
		r.Do(ctx, c)
	}
	late := time.AfterFunc(max(linger, 0), r.part)
	defer late.Stop()
	sent, held := 0, false
	for {
		events, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && held:
			return cli.Fail("waits", "nobody can read it yet: it waits, and is sent when somebody can").
				Hint("coterie status %s", cli.Quote(in.Room)).
				Hint("what has waited for over 10 minutes (hold in config.toml) goes out at /send in the room")
		case errors.Is(err, io.EOF):
			return errUnsure()
		case err != nil:
			return err
		}
		for _, e := range events {
			switch w := e.What.(type) {
			case room.Sent:
				if _, ours := w.Ref.(int); ours {
					if sent++; sent == len(all) {
						return nil
					}
				}
			case room.Held:
				_, ours := w.Ref.(int)
				held = held || ours
			case chat.Rejected:
				if n, ours := w.Ref.(int); ours {
					if n > 0 {
						return w.Err.Detail("the words before it are not taken back")
					}
					return w.Err
				}
			case chat.Kept:
				if _, ours := w.Ref.(int); ours {
					return cli.Fail("waits", "the room was closed before it was sent: it waits on the disk")
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
			return "", errUnsure()
		case err != nil:
			return "", err
		}
		for _, e := range events {
			if e.When != chat.Now {
				continue
			}
			switch w := e.What.(type) {
			case chat.Fetching:
				asked, c.ID = true, w.ID
			case room.FileChanged:
				if w.ID == c.ID && w.State == room.FileFetching {
					late.Reset(max(linger, 0))
				}
			case chat.Saved:
				return w.Path, nil
			case chat.NotDone:
				if w.Err.Code == "no-file" {
					w.Err.Hints = []string{"coterie read " + cli.Quote(in.Room) + ", which says what files there are"}
				}
				return "", w.Err
			}
		}
	}
}
