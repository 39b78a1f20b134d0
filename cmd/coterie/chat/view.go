package chat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/room"
)

// A View is how a room stands, for a face that shows it all the time beside what is said. Its
// texts are clean. It leaves out what changes from second to second.
type View struct {
	Name     string   `json:"name"`
	Domain   string   `json:"domain"`
	Policy   string   `json:"policy"`
	Self     peer.ID  `json:"self"`
	Joined   bool     `json:"joined"`
	CanRead  string   `json:"can_read"`
	Word     string   `json:"word"` // the worst that is wrong
	Readers  []Seat   `json:"readers"`
	Away     []Seat   `json:"away"`
	Notes    []string `json:"notes"` // about who can read
	Wrong    []Wrong  `json:"wrong"`
	Held     int      `json:"held"`
	HeldText string   `json:"held_text"`
	Unsaid   int      `json:"unsaid"`
	Asked    []Proof  `json:"asked"` // proofs that wait for a word of the user
	Link     string   `json:"link"`
	LinkNote string   `json:"link_note,omitempty"`
	Unlisted bool     `json:"unlisted,omitempty"`
}

// A Seat is somebody who can read, or can when they are back.
type Seat struct {
	Peer  peer.ID `json:"peer"`
	Name  string  `json:"name"`
	Tag   string  `json:"tag"`
	Self  bool    `json:"self,omitempty"`
	Path  string  `json:"path,omitempty"`
	Quiet bool    `json:"quiet,omitempty"` // nothing was heard of them for a while
	Like  string  `json:"like,omitempty"`  // who had a name before that looks like theirs
}

// Wrong is something that is wrong with a room, and what to do.
type Wrong struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Hint     string `json:"hint,omitempty"`
}

// A Proof is one that somebody asks for.
type Proof struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// View is how the room stands.
func (s *State) View() View {
	readers, away := s.Readers(), s.Away()
	v := View{Name: cli.Clean(s.Name), Domain: cli.Clean(s.Domain), Policy: cli.Clean(s.Policy), Self: s.Self,
		Joined: s.Joined(), CanRead: CanRead(max(len(readers), 1), len(away)), Word: string(health.Word(s.Health)),
		Readers: []Seat{}, Away: []Seat{}, Notes: []string{}, Wrong: []Wrong{}, Held: s.Held, Unsaid: s.Unsaid,
		HeldText: text.Plural(s.Held, "message") + " held",
		Asked:    []Proof{}, Link: s.Snapshot.Link, LinkNote: linkReach(s.Snapshot.Link).Warning(), Unlisted: s.Unlisted}
	if len(readers) == 0 { // before the first epoch
		readers = []room.Member{{Peer: s.Self, Name: s.Nick}}
	}
	for _, p := range s.selfFirst(readers) {
		seat := s.seat(p)
		if p != s.Self {
			path := s.Path(p)
			path.RTT = 0
			seat.Path, seat.Quiet = s.pathText(path), s.silent(p) != ""
		}
		v.Readers = append(v.Readers, seat)
	}
	for _, p := range away {
		v.Away = append(v.Away, s.seat(p))
	}
	if len(readers) < 2 {
		v.Notes = append(v.Notes, "Nobody else can read this room now. What you type is held until somebody can.")
	} else {
		v.Notes = append(v.Notes, eachProved)
	}
	for _, r := range s.Relays() {
		v.Notes = append(v.Notes, s.Names.Tag(r)+" relays and cannot read.")
	}
	for _, i := range s.Health {
		v.Wrong = append(v.Wrong, Wrong{string(i.Code), fmt.Sprint(i.Severity), cli.Clean(i.Text), cli.Clean(i.Hint)})
	}
	for _, q := range s.Questions {
		v.Asked = append(v.Asked, Proof{q.ID, s.askedText(q)})
	}
	return v
}

func (s *State) seat(p peer.ID) Seat {
	seat := Seat{Peer: p, Name: s.name(p), Tag: s.Names.Tag(p), Self: p == s.Self}
	if first, like := s.Names.Like(p); like {
		seat.Like = s.name(first)
	}
	return seat
}

// A Receipt is what is known of a message of ours that was sent: who could read it, and who has
// it not yet.
type Receipt struct{ Readers, Missing []peer.ID }

// ReadersText says who could read a message: of an epoch, with to words for some; ours has a
// receipt.
func (s *State) ReadersText(epoch ake.Hash, to string, mine *Receipt) []string {
	var out []string
	could := "could read it: "
	if to != "" {
		out = append(out, "for "+cli.Clean(to)+" alone: of those below they read it whose key satisfies that")
		could = "was given to: "
	}
	members, away, known := s.ReadersOf(epoch)
	switch {
	case mine != nil:
		var have []peer.ID
		for _, p := range mine.Readers {
			if !slices.Contains(mine.Missing, p) {
				have = append(have, p)
			}
		}
		out = append(out, could+s.List(append([]peer.ID{s.Self}, mine.Readers...)))
		if len(have) == 0 {
			out = append(out, "have it: nobody yet, as far as is known")
		} else {
			out = append(out, "have it: "+s.List(have))
		}
		if len(mine.Missing) > 0 {
			out = append(out, "not yet: "+s.List(mine.Missing))
		}
	case known:
		out = append(out, could+s.List(members))
	default:
		out = append(out, could+"those who were members before you came")
	}
	later := "nobody: newcomers are told nothing from before"
	if s.History > 0 {
		later = "who joins within " + text.Span(s.History)
	}
	if len(away) > 0 {
		later = s.List(away) + ", when back; " + strings.Replace(later, "nobody", "nobody else", 1)
	}
	return append(out, "later: "+later)
}

// LinkText says what room a link is of, line by line.
func LinkText(l *room.Link) []string {
	return []string{
		"Room      " + cli.Clean(l.Name) + ", in the domain " + room.Fingerprint(l.Domain),
		"Policy    " + cli.Clean(l.Policy.String()),
		"History   " + Newcomers(l.Descriptor),
	}
}

// Newcomers says what a room has for whoever comes new, or asks from outside.
func Newcomers(d *room.Descriptor) string {
	s := "off"
	if d.History > 0 {
		s = "newcomers read " + text.Span(d.History)
	}
	if d.Questions {
		s += "\nQuestions are taken from outside"
	}
	return s
}
