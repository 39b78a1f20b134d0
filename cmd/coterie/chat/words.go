package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
)

// EpochName is an epoch for people: keys 91ab.
func EpochName(id ake.Hash) string { return fmt.Sprintf("keys %x", id[:2]) }

// CanRead says how many can read, and how many will when they are back.
func CanRead(here, away int) string {
	return fmt.Sprintf("%d can read%s", here, whenBack(away))
}

func whenBack(away int) string {
	if away == 0 {
		return ""
	}
	return fmt.Sprintf(", %d when back", away)
}

// List is a list of peers: this one first, as "you".
func (s *State) List(ids []peer.ID) string {
	var out []string
	for _, p := range ids {
		if p == s.Self {
			out = slices.Insert(out, 0, "you")
		} else {
			out = append(out, s.name(p))
		}
	}
	if len(out) > 0 && out[0] == "you" && len(out) <= maxListed {
		return strings.Join(out, ", ")
	}
	return text.List(out, maxListed)
}

// maxListed is how many peers of a list are named.
const maxListed = 12

// Changes are who came and went, in one epoch or in several.
type Changes struct {
	epoch        ake.Hash
	here, away   int
	joined, left []peer.ID
	back         []peer.ID          // that left, or went away, and joined again
	returned     []peer.ID          // that were away before all of these
	how          map[peer.ID]string // how each of left is gone
	healed       bool
}

// Add adds those of an epoch.
func (c *Changes) Add(e room.EpochStarted) {
	if c.how == nil {
		c.how = make(map[peer.ID]string)
	}
	for _, m := range e.Joined {
		i := slices.Index(c.left, m.Peer)
		if i >= 0 {
			c.left = slices.Delete(c.left, i, i+1)
		}
		switch {
		case slices.Contains(e.Back, m) && i < 0:
			c.returned = append(c.returned, m.Peer)
		case slices.Contains(c.joined, m.Peer):
		case i >= 0:
			c.back = append(c.back, m.Peer)
		default:
			c.joined = append(c.joined, m.Peer)
		}
	}
	for _, m := range slices.Concat(e.Left, e.WentAway) {
		if i := slices.Index(c.back, m.Peer); i >= 0 {
			c.back = slices.Delete(c.back, i, i+1)
		}
		if !slices.Contains(c.left, m.Peer) {
			c.left = append(c.left, m.Peer)
		}
		c.how[m.Peer] = gone(e.Reason)
		if slices.Contains(e.WentAway, m) {
			c.how[m.Peer] = wentAway(e.Reason)
		}
	}
	c.epoch, c.here, c.away, c.healed = e.ID, len(e.Members), len(e.Away), e.Reason == room.ReasonHealed
}

// About reports whether a peer is among them.
func (c *Changes) About(p peer.ID) bool {
	return slices.Contains(slices.Concat(c.joined, c.left, c.back, c.returned), p)
}

// ChangesText says who came and went.
func (s *State) ChangesText(c *Changes) string {
	var parts []string
	if c.healed && len(c.joined) > 1 {
		parts = append(parts, fmt.Sprintf("%d joined from another group", len(c.joined)))
	} else if len(c.joined) > 0 {
		parts = append(parts, s.List(c.joined)+" joined")
	}
	if len(c.returned) > 0 {
		parts = append(parts, s.List(c.returned)+" came back")
	}
	for _, how := range []string{gone(room.ReasonLeft), gone(room.ReasonAway), gone(room.ReasonLapsed),
		gone(room.ReasonExpired), gone(room.ReasonNotice), gone(room.ReasonCut)} {
		some := slices.DeleteFunc(slices.Clone(c.left), func(p peer.ID) bool { return c.how[p] != how })
		if len(some) > 0 {
			parts = append(parts, s.List(some)+" "+how)
		}
	}
	if len(c.back) > 0 {
		parts = append(parts, s.List(c.back)+" went and came back")
	}
	return fmt.Sprintf("%s: %s; %s", EpochName(c.epoch), strings.Join(parts, ", "), CanRead(c.here, c.away))
}

// parted says how the others went, if all have said good-bye.
func (s *State) parted() string {
	if len(s.Departed) == 0 || len(s.Readers()) > 1 {
		return ""
	}
	var parts []string
	for how, words := range map[Leave]string{GoesAway: gone(room.ReasonAway), Leaves: gone(room.ReasonLeft)} {
		var some []peer.ID
		for _, m := range s.Epoch.Members {
			if s.Departed[m.Peer] == how {
				some = append(some, m.Peer)
			}
		}
		if len(some) > 0 {
			parts = append(parts, s.List(some)+" "+words)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// wentAway is how somebody is gone who is told later what was said.
func wentAway(reason string) string {
	switch reason {
	case room.ReasonLapsed, room.ReasonExpired:
		return gone(reason)
	}
	return gone(room.ReasonAway)
}

// gone is how somebody is gone, by the reason of the epoch without them.
func gone(reason string) string {
	switch reason {
	case room.ReasonLapsed:
		return "vanished"
	case room.ReasonExpired:
		return "expired"
	case room.ReasonNotice:
		return "did not prove themselves again"
	case room.ReasonCut:
		return "cut off"
	case room.ReasonAway:
		return "went away"
	}
	return "left"
}

// cutText says what it means that this user cut somebody, or no longer does.
func (s *State) cutText(e room.Cut) string {
	who := s.name(e.Member.Peer)
	if !e.On {
		return fmt.Sprintf("you go on with %s again", who)
	}
	with := ""
	if n := len(e.With); n > 0 {
		with = fmt.Sprintf(", nor can %s who came in by them alone", text.Plural(n, "member"))
	}
	return fmt.Sprintf("you go on without %s: from now on they cannot read what you say%s. "+
		"Others decide for themselves", who, with)
}

// PathText is how a peer is reached: direct  quic  12 ms, or relayed by ~k77r  84 ms.
func (s *State) PathText(p peer.ID) string { return s.pathText(s.Path(p)) }

func (s *State) pathText(p node.Path) string {
	var parts []string
	switch p.Kind {
	case node.Direct:
		parts = []string{"direct"}
		if p.Transport != "" {
			parts = append(parts, p.Transport)
		}
	case node.Relayed:
		parts = []string{"relayed"}
		if p.Relay != "" {
			parts[0] += " by " + s.Names.Tag(p.Relay)
		}
	default:
		return "no direct connection"
	}
	if p.RTT > 0 {
		parts = append(parts, text.RoundTrip(p.RTT))
	}
	return strings.Join(parts, "  ")
}

func (s *State) pong(p node.Path) string {
	return "pong from " + s.Named(p.Peer) + "  " + s.pathText(p)
}

// Host is what people know an address by: its name, or address and port.
func Host(a ma.Multiaddr) string {
	var parts []string
	for _, c := range a {
		switch c.Protocol().Code {
		case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
			return c.Value()
		case ma.P_IP4, ma.P_IP6:
			parts = append(parts, c.Value())
		case ma.P_TCP, ma.P_UDP:
			parts = append(parts, c.Protocol().Name+" "+c.Value())
		}
	}
	if len(parts) == 0 {
		return a.String()
	}
	return strings.Join(parts, " ")
}

// Port is the port of an address: tcp 4001.
func Port(a ma.Multiaddr) string {
	for _, proto := range []int{ma.P_TCP, ma.P_UDP} {
		if port, err := a.ValueForProtocol(proto); err == nil {
			return ma.ProtocolWithCode(proto).Name + " " + port
		}
	}
	return a.String()
}

// Listening says on which ports a peer listens.
func Listening(addrs []ma.Multiaddr) string {
	var out []string
	relayed := false
	for _, a := range addrs {
		if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
			relayed = true // its port is the relay's
		} else if p := Port(a); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) == 0 && relayed {
		return "on no port: others reach this peer through a relay"
	}
	if len(out) == 0 {
		return "on no port: nobody can dial this peer"
	}
	return strings.Join(out, ", ")
}

// LastLine is what a person can use of a nested network error: its last cause.
func LastLine(err error) string {
	if err == nil {
		return ""
	}
	s := strings.TrimSpace(err.Error())
	if i := strings.LastIndex(s, "\n"); i >= 0 {
		s = s[i+1:]
	}
	if i := strings.LastIndex(s, ": "); i >= 0 {
		s = s[i+2:]
	}
	return strings.TrimRight(strings.TrimSpace(s), "]")
}

// ClockFormat is how times are written in plain lines: in one of three ways, or in a layout of
// package time's that has hours and minutes.
func ClockFormat(s string) (string, bool) {
	switch s {
	case "short":
		return "15:04 ", true
	case "full":
		return time.RFC3339 + " ", true
	case "none":
		return "", true
	}
	return s + " ", IsClock(s)
}

// IsClock reports whether a text is a layout of package time's that has hours and minutes, and
// is short.
func IsClock(s string) bool {
	return len(s) <= 20 && (strings.Contains(s, "15") || strings.Contains(s, "3")) && strings.Contains(s, "04") &&
		strings.IndexFunc(s, unicode.IsControl) < 0
}

func (s *State) clock(t time.Time) string { return t.Local().Format(s.Clock) }

// dayClock is a time, with the day unless that is today.
func (s *State) dayClock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(s.Clock)
	}
	return t.Format("Mon 2 Jan " + s.Clock)
}

// pad fills a text up to so many cells.
func pad(s string, cells int) string { return s + strings.Repeat(" ", max(cells-text.Width(s), 0)) }

// nick is what a peer calls itself, or a dash.
func (s *State) nick(p peer.ID) string {
	if nick := cli.Clean(s.Names.Nick(p)); nick != "" {
		return nick
	}
	return "-"
}

func ids(members []room.Member) []peer.ID {
	out := make([]peer.ID, len(members))
	for i, m := range members {
		out[i] = m.Peer
	}
	return out
}
