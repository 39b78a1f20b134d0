package chat

import (
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
)

// About is what does not change of a room while it is open.
type About struct {
	ID       ake.Hash
	Name     string
	Domain   string
	DomainID [32]byte
	Policy   string
	// Through is the part of the policy that lets this peer in; Attributes are all it has.
	Through    string
	Attributes []string
	Generation uint32 // of the key
	// Expires is the first day on which the key is not valid.
	Expires abe.Day
	// History is how far back newcomers may read. Kept: what is said is kept on this computer.
	History  time.Duration
	Kept     bool
	Unlisted bool
	// TakesQuestions: somebody without a key may ask.
	TakesQuestions bool

	Self peer.ID
	Nick string
}

// A Leave is how somebody said that they go.
type Leave int

// The ways of going.
const (
	Stays    Leave = iota // they said nothing of it
	GoesAway              // and are told later what was said
	Leaves                // for good
)

// A pastEpoch is who could read, and who can when they are back.
type pastEpoch struct{ members, away []peer.ID }

// A State is what is known of an open room. It is for one goroutine.
type State struct {
	About
	Names *people.Names
	// Clock is the layout of times.
	Clock string

	// Epoch is the one in force, a zero one before the first; Since is when it came, Started how
	// many there were.
	Epoch   room.EpochStarted
	Since   time.Time
	Started int
	// Here is since when each member has been here; Departed are those of the epoch that have
	// left since, or gone away.
	Here     map[peer.ID]time.Time
	Departed map[peer.ID]Leave
	Ignored  map[peer.ID]bool
	// Questions are those that wait for an answer of ours.
	Questions []room.Asked
	// Health is what is wrong, worst first; Snapshot, how things stood when they were looked at
	// last; Held, how many messages wait for a reader, and Unsaid, how many of these for a word.
	Health []health.Item
	Snapshot
	Held, Unsaid int
	// Unanswered are the addresses at which nobody answered, and why.
	Unanswered []string
	// clockApart: somebody answered where we began, whose clock is over an hour from ours.
	clockApart bool
	alone      bool // nobody was met for a while, before the first epoch

	past     map[ake.Hash]pastEpoch
	order    []ake.Hash                  // of those, oldest first
	facts    map[peer.ID][]string        // what peers proved, and what they were caught at
	refused  map[peer.ID]bool            // who did not take our proof, since one did
	told     map[peer.ID]Leave           // who was told as gone before the epoch in force
	proved   map[string]map[peer.ID]bool // who proved a policy to this user
	toldTo   map[string]bool             // of which policies it was told whom words are for
	looked   map[peer.ID]string          // who was said to look like another, by name
	answered map[string]bool             // the addresses to begin at where somebody did
	// questionOver is when a question for us was over, answered or not.
	questionOver time.Time
	shortenedAt  time.Time            // when it was last said that something is not kept any more
	unasked      map[ake.Hash]peer.ID // who answered what is not here
	rejection    string               // the code of the last message's, if nothing was said since
}

const (
	// maxEpochs is how many epochs' members are remembered.
	maxEpochs = 256
	// maxFacts bounds what is remembered of one peer, maxFactPeers of how many.
	maxFacts, maxFactPeers = 16, 1024
	// defaultClock is how times are written.
	defaultClock = "15:04"
)

// NewState is that of a room in which nothing has happened.
func NewState(about About, now time.Time) *State {
	s := &State{
		About: about, Names: people.NewNames(about.Self), Clock: defaultClock,
		Here: make(map[peer.ID]time.Time), Departed: make(map[peer.ID]Leave), Ignored: make(map[peer.ID]bool),
		past: make(map[ake.Hash]pastEpoch), facts: make(map[peer.ID][]string),
		refused: make(map[peer.ID]bool), looked: make(map[peer.ID]string), answered: make(map[string]bool),
		unasked: make(map[ake.Hash]peer.ID),
		proved:  make(map[string]map[peer.ID]bool), toldTo: make(map[string]bool),
	}
	s.Names.Take(about.Self, about.Nick, now)
	return s
}

// Joined reports whether there has been an epoch.
func (s *State) Joined() bool { return s.Started > 0 }

// Readers are the members that can read now: none before the first epoch.
func (s *State) Readers() []room.Member {
	if len(s.Departed) == 0 {
		return s.Epoch.Members
	}
	gone := func(m room.Member) bool { return s.Departed[m.Peer] != Stays }
	return slices.DeleteFunc(slices.Clone(s.Epoch.Members), gone)
}

// Away are those who are told what is said when they are back.
func (s *State) Away() []peer.ID {
	away := ids(s.Epoch.Away)
	for _, m := range s.Epoch.Members {
		if s.Departed[m.Peer] == GoesAway {
			away = append(away, m.Peer)
		}
	}
	return away
}

// WasTold reports whether a peer that is not in the epoch in force was told as left before.
func (s *State) WasTold(p peer.ID) bool { return s.told[p] != Stays }

// ReadersOf are the members of an epoch, and those who were away in it. ok is false if it is
// not known.
func (s *State) ReadersOf(epoch ake.Hash) (members, away []peer.ID, ok bool) {
	p, ok := s.past[epoch]
	return p.members, p.away, ok
}

// Path is how a peer is reached.
func (s *State) Path(p peer.ID) node.Path {
	for _, path := range s.Status.Peers {
		if path.Peer == p {
			return path
		}
	}
	return node.Path{Peer: p, Kind: node.NoPath}
}

// Member is what the room knows of a member.
func (s *State) Member(p peer.ID) (room.MemberStatus, bool) {
	for _, m := range s.Status.Room.Members {
		if m.Peer == p {
			return m, true
		}
	}
	return room.MemberStatus{}, false
}

// Relays are the peers that relay and read nothing.
func (s *State) Relays() []peer.ID {
	var out []peer.ID
	for _, p := range s.Status.Peers {
		if p.IsRelay {
			out = append(out, p.Peer)
		}
	}
	return out
}

// KeyDays is how many more days the key is valid.
func (s *State) KeyDays(now time.Time) int { return int(s.Expires) - int(abe.DayOf(now)) }

// NamesMe reports whether a text has the user's name in it as a word, or the tag.
func (s *State) NamesMe(said string) bool { return s.Names.InText(s.Self, said) }

// Concerns reports whether a message names the user, or answers them.
func (s *State) Concerns(d room.Delivered) bool {
	return !d.Self && (s.NamesMe(d.Message.Text) || d.Quote != nil && d.Quote.Self)
}

// Flags say what is odd in a message, by names for programs.
func (s *State) Flags(d room.Delivered) []string {
	_, flags := text.Clean(d.Message.Text)
	if _, like := s.Names.Like(d.Author.Peer); like {
		flags |= text.Confusable
	}
	if names := flags.Names(); names != nil {
		return names
	}
	return []string{}
}

// Whom finds the peer that a text means, or with more its beginning: a name may have spaces,
// so the longest one counts. Members come before those who are not here.
func (s *State) Whom(said string, more bool) (p peer.ID, rest string, bad *cli.Error) {
	fields := strings.Fields(said)
	for n := len(fields); n > 0; n-- {
		word, rest := strings.Join(fields[:n], " "), strings.Join(fields[n:], " ")
		if p, err := peer.Decode(word); err == nil {
			return p, rest, nil
		}
		found := s.Names.Find(word)
		here := slices.DeleteFunc(slices.Clone(found), func(p peer.ID) bool {
			return !slices.ContainsFunc(s.Epoch.Members, func(m room.Member) bool { return m.Peer == p })
		})
		if len(here) > 0 {
			found = here
		}
		switch {
		case len(found) == 1:
			return found[0], rest, nil
		case len(found) > 1:
			return "", "", cli.Fail("ambiguous", "%d members are called %s", len(found), cli.Clean(word)).
				Hint("give the tag, such as %s", s.Names.Tag(found[0]))
		case !more:
			return "", "", cli.Fail("not-member", "nobody here is called %s", cli.Clean(said)).
				Hint("/who lists who is here")
		}
	}
	if len(fields) > 0 {
		said = fields[0] // what follows belongs to something else
	}
	return "", "", cli.Fail("not-member", "nobody here is called %s", cli.Clean(said)).Hint("/who lists who is here")
}

// learn remembers something of a peer, for /whois.
func (s *State) learn(p peer.ID, what string) {
	if _, known := s.facts[p]; !known && len(s.facts) >= maxFactPeers {
		return
	}
	all := append(s.facts[p], what)
	s.facts[p] = all[max(len(all)-maxFacts, 0):]
}
