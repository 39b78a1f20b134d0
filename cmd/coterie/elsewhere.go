package main

import (
	"fmt"
	"strings"
	"time"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/node"
	"coterie/room"
)

const (
	// elsewhereAfter is how long a member waits for its own room before it is told
	// of others of the name.
	elsewhereAfter = 3 * time.Second
	// maxShownPolicy is how much is shown of a policy that others tell, in letters.
	maxShownPolicy = 200
)

// elsewhere is what is said of other rooms of the name that connected peers are
// in, at most once of each kind.
func elsewhere(p *plan, st node.Status) []*cli.Error {
	var out []*cli.Error
	told := make(map[string]bool)
	for _, e := range st.Elsewhere {
		if w := otherRoom(p, e); !told[w.Code] {
			told[w.Code] = true
			out = append(out, w)
		}
	}
	return out
}

func otherRoom(p *plan, e node.Elsewhere) *cli.Error {
	d, own, domain := e.Room, p.descriptor, p.key.Domain()
	who := fmt.Sprintf("%s nearby %s a room %q", cli.Plural(e.Peers, "peer"), haveText(e.Peers), cli.Clean(d.Name))
	if d.Domain != own.Domain {
		return cli.Fail("same-name-domain", "%s of another domain: %s; yours is %s %s", who, room.Fingerprint(d.Domain), cli.Clean(domain.Name()), domain.Fingerprint()).
			Hint("compare the fingerprint with your operator")
	}
	who += " of " + cli.Clean(domain.Name())
	name := cli.Quote(cli.Clean(d.Name))
	if d.Policy.String() != own.Policy.String() {
		return cli.Fail("policy-differs", "%s with another policy: %s", who, cut(cli.Clean(d.Policy.String()), maxShownPolicy)).
			Hint("same name, other policy = other room; coterie join %s --policy …", name)
	}
	history := "no history"
	if d.History > 0 {
		history = "a history of " + text.Span(d.History)
	}
	w := cli.Fail("policy-differs", "%s with the same policy and %s", who, history)
	if d.History%time.Hour != 0 {
		return w.Hint("same name, other history = other room; ask them for its link")
	}
	return w.Hint("same name, other history = other room; coterie join %s --history %s", name, historyFlag(d.History))
}

func haveText(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

// historyFlag is a history as --history has it.
func historyFlag(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}

// cut shortens a text to so many letters.
func cut(s string, letters int) string {
	if r := []rune(s); len(r) > letters {
		return string(r[:letters]) + "…"
	}
	return s
}

// lookAround warns, once of each kind, if UDP is blocked (no. 27), and if others
// are in a room of the same name while nobody is in this one.
func (s *session) lookAround(st node.Status) {
	if st.UDPBlocked {
		s.warnOnce(cli.Fail("net-blocked", "UDP does not get out of this network; using TCP and relays"))
	}
	if len(st.Room.Members) > 1 || s.app.now().Sub(s.began) < elsewhereAfter {
		return
	}
	for _, w := range elsewhere(s.plan, st) {
		s.warnOnce(w)
	}
}

// catalogued are the items of health that are warned of as well, once, with their
// codes.
var catalogued = map[health.Code]string{health.Clock: "clock", health.Old: "peer-newer"}

// warnOf warns of an item of health that has a code.
func (s *session) warnOf(i health.Item) {
	if code := catalogued[i.Code]; code != "" {
		text := strings.TrimSuffix(i.Text, ".")
		s.warnOnce(cli.Fail(code, "%s", strings.ToLower(text[:1])+text[1:]).Hint("%s", i.Hint))
	}
}

// warnOnce warns, unless it has warned so before.
func (s *session) warnOnce(w *cli.Error) {
	if !s.warned[w.Code] {
		s.warned[w.Code] = true
		s.out.warn(w)
	}
}
