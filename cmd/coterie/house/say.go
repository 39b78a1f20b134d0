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
	s := saying{in: in, all: all, held: make(map[int]bool), do: func(c chat.Command) { r.Do(ctx, c) }}
	s.sayNext()
	late := time.AfterFunc(max(linger, 0), r.part)
	defer late.Stop()
	for {
		events, err := r.Next()
		if err != nil {
			return s.ended(err)
		}
		for _, e := range events {
			if err := s.take(e.What); err != nil || s.sent == len(all) {
				return err
			}
		}
	}
}

// saying is how far a room is with what it is to say. The next is said when it has the one
// before: that may be refused.
type saying struct {
	in   Entry
	all  []chat.Command
	do   func(chat.Command)
	said int          // how many the room was given
	sent int          // how many of these are sent ..
	held map[int]bool // .. and which wait
}

func (s *saying) sayNext() {
	if s.said < len(s.all) {
		s.said++
		s.do(chat.MapRef(s.all[s.said-1], func(any) any { return s.said - 1 }))
	}
}

// take takes an event, and returns what keeps the rest from being said.
func (s *saying) take(what any) error {
	switch w := what.(type) {
	case room.Sent:
		if n, ours := w.Ref.(int); ours {
			s.sent++
			s.took(n)
			delete(s.held, n)
		}
	case room.Held:
		if n, ours := w.Ref.(int); ours && !s.held[n] {
			s.took(n)
			s.held[n] = true
		}
	case chat.Rejected:
		if n, ours := w.Ref.(int); ours {
			bad := inShell(w.Err, s.in)
			if n > 0 {
				bad.Detail("the words before it are not taken back")
			}
			return bad
		}
	case chat.Kept:
		if _, ours := w.Ref.(int); ours {
			return cli.Fail("waits", "the room was closed before %s was sent: what it had taken waits on the disk",
				either(len(s.all) == 1, "it", "all"))
		}
	case chat.Bye:
		return cli.Fail("closed", "the room was closed; it is not known whether it has taken %s",
			either(len(s.all) == 1, "that", "all of that"))
	}
	return nil
}

// took: the room has the one of that number, and is told the next if that was the last.
func (s *saying) took(n int) {
	if n == s.said-1 && !s.held[n] {
		s.sayNext()
	}
}

// ended is the error where the visit ended before all was sent.
func (s *saying) ended(err error) error {
	switch {
	case !errors.Is(err, io.EOF):
		return lostInShell(err, s.in)
	case s.said == len(s.all) && s.sent+len(s.held) == s.said:
		return cli.Fail("waits", "nobody can read it yet: it waits, and is sent when somebody can").
			Hint("coterie status %s", cli.Quote(s.in.Room)).
			Hint("what has waited for over 10 minutes (hold in config.toml) goes out at /send in the room")
	case s.said < len(s.all):
		return cli.Fail("unsure", "what comes behind the words was not sent: the room had not taken them in time")
	}
	return unsureSaid(len(s.all)).Hint("coterie read %s", cli.Quote(s.in.Room))
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
