package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/room"
	"coterie/room/record"
)

// restoredText says what waits from an earlier run.
func (s *State) restoredText(all []room.HeldMessage, now time.Time) string {
	asks := 0
	for _, m := range all {
		if m.Asks {
			asks++
		}
	}
	n := len(all)
	out := fmt.Sprintf("%s of yours from before, the first of %s, %s to be sent", text.Plural(n, "message"),
		s.dayClock(all[0].At, now), either(n == 1, "waits", "wait"))
	if asks < n {
		out += ": as soon as somebody can read " + either(n-asks == 1, "it", "them")
	}
	return out + ". /held shows what, /drop gives up"
}

// unsaidText says what is not sent without a word, and who would read it.
func (s *State) unsaidText(u room.Unsaid, now time.Time) string {
	it := either(u.Count == 1, "it", "them")
	out := fmt.Sprintf("%s, the first of %s, %s for a while: not said without your word", text.Plural(u.Count, "message"),
		s.dayClock(u.Oldest, now), either(u.Count == 1, "has waited", "have waited"))
	others := slices.DeleteFunc(ids(s.Readers()), func(p peer.ID) bool { return p == s.Self })
	if u.Here && len(others) > 0 {
		out += ". " + s.List(others) + " can read now"
	}
	return out + ". /send says " + it + ", /held shows what, /drop gives " + it + " up"
}

// Waits is what waits, in its order.
func (s *State) Waits(c ShowHeld, all []room.HeldMessage, now time.Time) Answer {
	a := Answer{To: c, Title: "held", Held: all}
	for _, m := range all {
		said := m.Text
		if m.Kind == record.KindAction {
			said = "/me " + said
		}
		if record.IsAbout(m.Kind) {
			said = verb(m.Kind) + " " + said
		}
		if m.To != "" {
			said = "/to (" + m.To + ") " + said
		}
		line := s.dayClock(m.At, now) + "  " + strings.Join(strings.Fields(cli.Clean(said)), " ")
		if m.Asks {
			line += "   (waits for /send)"
		}
		a.Lines = append(a.Lines, line)
	}
	if len(all) == 0 {
		a.Lines = []string{"Nothing waits to be sent."}
	}
	return a
}
