package chat

import (
	"fmt"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/node"
	"coterie/room"
)

const (
	// namesakesAfter is how long a member waits for their own room before they are told of
	// others of the name.
	namesakesAfter = 3 * time.Second
	// maxShownPolicy is how much is shown of a policy that others tell, in cells.
	maxShownPolicy = 200
)

// namesakes is what is said of other rooms of the name that connected peers are in, at most
// once of each kind.
func (r *Room) namesakes(st node.Status) []*cli.Error {
	var out []*cli.Error
	told := make(map[string]bool)
	for _, e := range st.Elsewhere {
		if w := r.namesake(e); !told[w.Code] {
			told[w.Code] = true
			out = append(out, w)
		}
	}
	return out
}

func (r *Room) namesake(e node.Elsewhere) *cli.Error {
	d, own, domain := e.Room, r.cfg.Descriptor, r.cfg.Key.Domain()
	have := "have"
	if e.Peers == 1 {
		have = "has"
	}
	who := fmt.Sprintf("%s nearby %s a room %q", cli.Plural(e.Peers, "peer"), have, cli.Clean(d.Name))
	if d.Domain != own.Domain {
		return cli.Fail("same-name-domain", "%s of another domain: %s; yours is %s %s", who,
			room.Fingerprint(d.Domain), cli.Clean(domain.Name()), domain.Fingerprint()).
			Hint("compare the fingerprint with your operator")
	}
	who += " of " + cli.Clean(domain.Name())
	name := cli.Quote(cli.Clean(d.Name))
	if d.Policy.String() != own.Policy.String() {
		return cli.Fail("policy-differs", "%s with another policy: %s", who,
			text.Truncate(cli.Clean(d.Policy.String()), maxShownPolicy, text.ByCluster)).
			Hint("same name, other policy = other room; coterie join %s --policy …", name)
	}
	if d.Questions != own.Questions {
		return cli.Fail("policy-differs", "%s with the same policy, that takes %s from outside", who,
			either(d.Questions, "questions", "no questions")).
			Hint("with questions and without are two rooms; ask them for its link")
	}
	history := "no history"
	if d.History > 0 {
		history = "a history of " + text.Span(d.History)
	}
	w := cli.Fail("policy-differs", "%s with the same policy and %s", who, history)
	if d.History%time.Hour != 0 {
		return w.Hint("same name, other history = other room; ask them for its link")
	}
	return w.Hint("same name, other history = other room; coterie join %s --history %s", name, HistoryFlag(d.History))
}

// HistoryFlag is a history as --history has it.
func HistoryFlag(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}

// warnOfOthers warns, once of each kind, if UDP is blocked, and if others are in a room of the
// same name while nobody is in this one.
func (r *Room) warnOfOthers(st node.Status) {
	if st.UDPBlocked {
		r.warnOnce(cli.Fail("net-blocked", "UDP does not get out of this network; using TCP and relays"))
	}
	if len(st.Room.Members) > 1 || r.cfg.Now().Sub(r.began) < namesakesAfter {
		return
	}
	for _, w := range r.namesakes(st) {
		r.warnOnce(w)
	}
}
