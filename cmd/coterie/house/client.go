package house

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
)

func readerOf(b []byte) io.Reader { return bytes.NewReader(b) }

// A Home is a house in another process of this profile.
type Home struct {
	path    string
	PID     int
	Version string
}

// FindHome finds the house that runs; nil: none does.
func FindHome(p *profile.Profile) (*Home, error) {
	dir, err := p.RuntimeDir()
	if err != nil {
		return nil, nil // there can be none
	}
	path := filepath.Join(dir, socketName)
	conn, g, err := control.Visit(path)
	var silent *control.SilentError
	if errors.As(err, &silent) {
		return nil, cli.Fail("no-answer", "coterie up does not answer").
			Hint("is it stopped? coterie status says more; it may have to be started again").Because(err)
	}
	if err != nil {
		return nil, nil
	}
	conn.Close()
	return &Home{path, g.PID, g.Version}, nil
}

// Fits says why rooms there cannot be visited; nil: they can.
func (h *Home) Fits() error {
	if mine := cli.ProgramVersion(); h.Version != mine {
		return cli.Fail("other-version", "coterie up is of version %s, and this is %s", cli.Clean(h.Version), mine).
			Hint("start coterie up again")
	}
	return nil
}

// ask asks, and has more take each line of the answer until it returns true.
func (h *Home) ask(q request, within time.Duration, more func(answer) bool) (net.Conn, *bufio.Reader, error) {
	conn, _, err := control.Visit(h.path)
	if err != nil {
		return nil, nil, err
	}
	conn.SetDeadline(time.Now().Add(within))
	line, err := json.Marshal(q)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	in := bufio.NewReaderSize(conn, 1<<20)
	for err == nil {
		var a answer
		if line, err = in.ReadSlice('\n'); err != nil {
			break
		}
		if err = json.Unmarshal(line, &a); err != nil {
			break
		}
		if a.Error != nil {
			err = a.Error.err()
			break
		}
		if more(a) {
			return conn, in, nil
		}
	}
	conn.Close()
	if e := (*cli.Error)(nil); !errors.As(err, &e) {
		err = cli.Fail("no-answer", "coterie up did not answer").Because(err)
	}
	return nil, nil, err
}

// List are the rooms that are open there.
func (h *Home) List() (out []Entry, err error) {
	conn, _, err := h.ask(request{List: true}, askTime, func(a answer) bool { out = a.Rooms; return true })
	if err == nil {
		conn.Close()
	}
	return out, err
}

// Find is the room of a name or an id; false: it is not open there.
func (h *Home) Find(name string) (Entry, bool, error) {
	all, err := h.List()
	all = slices.DeleteFunc(all, func(e Entry) bool { return e.Room != name && e.ID != name })
	if err != nil || len(all) == 0 {
		return Entry{}, false, err
	}
	if len(all) > 1 {
		return Entry{}, false, ambiguous(name, all)
	}
	return all[0], true, nil
}

// Open has a room opened there, and says how that goes. It asks for the passphrase if one is
// needed. It returns the room's id, and whether it was not open before.
func (h *Home) Open(name string, f Flags, out Joiner) (id string, fresh bool, err error) {
	q := openRequest{Room: name, Flags: f}
	for _, flag := range []string{"key", "policy", "bootstrap", "listen", "nick", "history", "keep", "identity",
		"passphrase-file", "notice", "time", "color", "log", "metrics", "questions"} {
		if f.Given(flag) {
			q.Given = append(q.Given, flag)
		}
	}
	for _, path := range []*string{&q.Flags.Key, &q.Flags.Identity, &q.Flags.PassphraseFile, &q.Flags.Notice,
		&q.Flags.Log} {
		if *path != "" {
			if *path, err = filepath.Abs(*path); err != nil {
				return "", false, err
			}
		}
	}
	try := func() error {
		conn, _, err := h.ask(request{Open: &q}, openTime, func(a answer) bool {
			switch {
			case a.Step != "":
				out.Step(a.Step, a.Text)
			case a.Warning != nil:
				out.Warn(a.Warning.err())
			}
			id, fresh = a.ID, a.Fresh
			return a.OK
		})
		if err == nil {
			conn.Close()
		}
		return err
	}
	err = try()
	if e := cli.Describe(err); err != nil && e.Code == codePassphrase {
		ask := f.Ask
		if ask == nil {
			ask = func() ([]byte, error) {
				return cli.Passphrase("Passphrase of your identity:", cli.PassphraseOptions{})
			}
		}
		word, bad := ask()
		if bad != nil {
			return "", false, bad
		}
		q.Passphrase = string(word)
		clear(word)
		err = try()
	}
	return id, fresh, err
}

// Close has a room closed there: it goes away.
func (h *Home) Close(name string) error {
	conn, _, err := h.ask(request{Close: name}, openTime, func(a answer) bool { return a.OK })
	if err == nil {
		conn.Close()
	}
	return err
}

// A Visit is how a face has a room, in this process or in another.
type Visit interface {
	// Next waits for what happens next. The error is io.EOF when there is nothing more.
	Next() ([]chat.Event, error)
	// TryDo has the room do something, Do waits if too much is waiting.
	TryDo(c chat.Command) bool
	Do(ctx context.Context, c chat.Command)
	Hello() Welcome
	// Close ends the visit, and not the room.
	Close()
}

// Hello is what the face was told at first.
func (w Welcome) Hello() Welcome { return w }

// Follow shows a face what happens in a room until that is left, or the visit is over.
func Follow(v Visit, face chat.Face, now func() time.Time) error {
	w := v.Hello()
	s := chat.NewState(w.About, now())
	for {
		events, err := v.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			said := s.Take(e)
			face.Show(s, e, said)
			if face.Broken() != nil {
				v.Close()
				return nil
			}
			if _, over := e.What.(chat.Bye); over {
				return nil
			}
		}
	}
}
