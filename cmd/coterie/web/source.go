package web

import (
	"sync"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
)

// A Source has rooms.
type Source interface {
	// Open are the ids of those that are open.
	Open() ([]string, error)
	Visit(id string) (house.Visit, error)
	// Join opens one more. It returns its id.
	Join(link string, f house.Flags, out house.Joiner) (id string, err error)
}

// Own are the rooms of this process.
type Own struct{ *house.House }

// Open is of Source.
func (o Own) Open() ([]string, error) {
	var out []string
	for _, r := range o.All() {
		out = append(out, lines.ID(r.ID))
	}
	return out, nil
}

// Visit is of Source. Nobody is taken to look: the page says when somebody does.
func (o Own) Visit(id string) (house.Visit, error) {
	r, err := o.Find(id)
	if err != nil {
		return nil, err
	}
	return r.Visit(false)
}

// Join is of Source.
func (o Own) Join(link string, f house.Flags, out house.Joiner) (string, error) {
	r, _, err := o.House.Open(link, f, out)
	if err != nil {
		return "", err
	}
	return lines.ID(r.ID), nil
}

// There are the rooms of coterie up.
type There struct{ *house.Home }

// Open is of Source.
func (t There) Open() ([]string, error) {
	all, err := t.List()
	var out []string
	for _, e := range all {
		out = append(out, e.ID)
	}
	return out, err
}

// Visit is of Source.
func (t There) Visit(id string) (house.Visit, error) {
	r, err := t.Attach(id, false)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Join is of Source.
func (t There) Join(link string, f house.Flags, out house.Joiner) (string, error) {
	id, _, err := t.Home.Open(link, f, out)
	return id, err
}

// A teller keeps what is warned of while a room is opened.
type teller struct {
	mu   sync.Mutex
	said []line
}

func (t *teller) warned() []line {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.said
}

// Hello is of house.Joiner, and so are those below.
func (t *teller) Hello() {}

// Step notes nothing: the room tells how far it is.
func (t *teller) Step(string, string) {}

// Warn notes a warning.
func (t *teller) Warn(err *cli.Error) {
	f := faultOf(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, line{Kind: lineKinds[chat.Warn], Text: f.Text, Details: f.Details, Hints: f.Hints})
}

// Fatal gives the error back.
func (t *teller) Fatal(err error) error { return err }
