package house

import (
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
)

// What a screen with several rooms needs of each.

// A Parting is a face that notes that its room was left or closed.
type Parting struct {
	chat.Face
	Over bool
}

func (p *Parting) Show(s *chat.State, e chat.Event, said []chat.Line) {
	if bye, ok := e.What.(chat.Bye); ok && !bye.Stays {
		p.Over = true
	}
	p.Face.Show(s, e, said)
}

// FollowAny shows a face what happens in a room, of this process or of another.
func FollowAny(v Visit, face chat.Face, now func() time.Time) error {
	if w, ok := v.(*Window); ok {
		return w.Follow(face, now)
	}
	return Follow(v, face, now)
}

// Named is an error of one room of several.
func Named(room string, err error) *cli.Error {
	out := *cli.Describe(err)
	out.Text = cli.Clean(room) + ": " + out.Text
	return &out
}
