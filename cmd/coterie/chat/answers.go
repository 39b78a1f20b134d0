package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/node"
	"coterie/room"
)

// Answer answers what a State alone can answer. ok is false for other commands.
func (s *State) Answer(c Command, now time.Time) (a Answer, ok bool) {
	switch c := c.(type) {
	case Who:
		return Answer{To: c, Title: "who can read", Lines: s.who()}, true
	case Info:
		return Answer{To: c, Title: "room " + cli.Clean(s.Name), Lines: s.info(now)}, true
	case Status:
		return Answer{To: c, Title: "status", Lines: s.StatusLines(now)}, true
	case Link:
		lines := []string{s.Snapshot.Link}
		if w := linkReach(s.Snapshot.Link).Warning(); w != "" {
			lines = append(lines, w)
		}
		if s.Unlisted {
			lines = append(lines, "This room is unlisted: whoever has the link knows of it.")
		}
		return Answer{To: c, Title: "link", Lines: lines}, true
	case Peers:
		return Answer{To: c, Title: "peers", Lines: s.peers()}, true
	case Ignores:
		return Answer{To: c, Title: "ignored", Lines: s.ignores()}, true
	case To:
		policy, bad := ToPolicy(c.Expr, "")
		if bad != nil {
			return a, false
		}
		return Answer{To: c, Title: "to " + cli.Clean(policy.String()), Lines: s.whom(policy)}, true
	case Help:
		return Answer{To: c, Title: "help", Lines: HelpLines(Slashes, c.Word)}, true
	}
	return a, false
}

// questionPause is for how long after a question was over a yes may have been meant for it.
const questionPause = 2 * time.Second

// question is the one that is answered: that of a peer, or the only one. Nobody says yes to a
// question that came in the place of the one they read.
func (s *State) question(c Allow, now time.Time) (id string, bad *cli.Error) {
	word := map[bool]string{true: "/yes", false: "/no"}[c.Allow]
	open := s.Questions
	if c.Who != "" {
		p, _, bad := s.Whom(c.Who, false)
		if bad != nil {
			return "", bad
		}
		open = slices.DeleteFunc(slices.Clone(open), func(q room.Asked) bool { return q.Member.Peer != p })
		if len(open) == 0 {
			return "", cli.Fail("no-question", "%s does not ask you to prove anything", s.name(p))
		}
		return open[0].ID, nil
	}
	switch {
	case len(open) == 0:
		return "", cli.Fail("no-question", "nobody asks you to prove anything")
	case len(open) > 1:
		bad = cli.Fail("ambiguous", "%d members ask you to prove something", len(open))
	case now.Sub(s.questionOver) < questionPause:
		bad = cli.Fail("ambiguous", "one question is over, and another is open")
	default:
		return open[0].ID, nil
	}
	for _, q := range open {
		bad.Hint("%s %s answers %s, about %s", word, s.Names.Tag(q.Member.Peer), s.name(q.Member.Peer), cli.Clean(q.Policy))
	}
	return "", bad
}

// HelpLines says what commands there are, or what one of them does.
func HelpLines(all []Slash, word string) []string {
	var out []string
	for _, c := range all {
		if word == "" || c.Name == strings.TrimPrefix(word, "/") {
			out = append(out, pad("/"+strings.TrimSpace(c.Name+" "+c.Args), 24)+"  "+c.Help)
		}
	}
	switch {
	case len(out) == 0:
		out = append(out, "there is no command /"+cli.Clean(strings.TrimPrefix(word, "/")))
	case word == "":
		out = append(out, pad("//x", 24)+`  sends "/x"; WHO is a name, a tag such as ~b31k, or a peer id`)
	}
	return out
}

// who are the members, and what is known of them.
func (s *State) who() []string {
	members := s.Readers()
	out := []string{fmt.Sprintf("%d can read this room now (%s, since %s)", len(members), EpochName(s.Epoch.ID),
		s.clock(s.Since))}
	if len(members) < 2 {
		out[0] = "Nobody else can read this room now. What you type is held until somebody can."
	}
	for _, p := range s.selfFirst(members) {
		line := "  " + pad(s.nick(p), 8) + " " + pad(s.Names.Tag(p), 6) + "  "
		if p == s.Self {
			out = append(out, line+"you")
			continue
		}
		line += "here since " + s.clock(s.Here[p]) + "   " + pad(s.PathText(p), 26) + " " + s.has(p) + s.silent(p)
		out = append(out, strings.TrimRight(line, " "))
	}
	if away := s.Away(); len(away) > 0 {
		kept := "until the day after they went is over (UTC)"
		if s.History > 0 {
			kept = "for " + text.Span(s.History) + " after the day they went"
		}
		out = append(out, fmt.Sprintf("%d away: %s. What is said is kept for them %s.", len(away), s.List(away), kept))
	}
	if why := s.whyRelayed(); why != "" {
		out = append(out, "Relayed: "+why+" What is said is as secret through a relay.")
	}
	if len(members) > 1 {
		out = append(out, eachProved)
	}
	for _, r := range s.Relays() {
		out = append(out, s.Names.Tag(r)+" relays and cannot read.")
	}
	return out
}

const eachProved = "Each of them proved to hold a key that satisfies the policy, or was let in by one who did. " +
	"Nobody can see which attributes they used."

// whyRelayed says why members are reached through a relay, if some are.
func (s *State) whyRelayed() string {
	relayed := slices.ContainsFunc(s.Status.Peers, func(p node.Path) bool { return p.Kind == node.Relayed && !p.IsRelay })
	switch {
	case !relayed:
		return ""
	case s.Status.UDPBlocked:
		return "UDP does not get out of this network, and neither end could dial the other."
	}
	return "neither end could dial the other so far."
}

func (s *State) selfFirst(members []room.Member) []peer.ID {
	all := ids(members)
	if i := slices.Index(all, s.Self); i > 0 {
		all = slices.Insert(slices.Delete(all, i, i+1), 0, s.Self)
	}
	return all
}

// has is what a member has of ours, as far as that is known.
func (s *State) has(p peer.ID) string {
	m, ok := s.Member(p)
	me, _ := s.Member(s.Self)
	switch {
	case !ok || me.Known == 0:
		return ""
	case m.Reached >= me.Known:
		return fmt.Sprintf("has all %d", me.Known)
	}
	return fmt.Sprintf("has %d of %d", m.Reached, me.Known)
}

func (s *State) silent(p peer.ID) string {
	if m, _ := s.Member(p); m.Suspect {
		return "  nothing heard of them for a while"
	}
	return ""
}

// info are the room, and what can be said of its security.
func (s *State) info(now time.Time) []string {
	history := "off: who comes later reads nothing from before"
	if s.History > 0 {
		history = "on: who comes later can read what was said in the last " + text.Span(s.History)
	}
	kept := "nothing is written to this computer's disk"
	if s.Kept {
		kept = "kept on this computer, encrypted"
	}
	out := []string{
		"room      " + pad(cli.Clean(s.Name), 32) + "  " + room.Fingerprint(s.ID),
		"domain    " + pad(cli.Clean(s.Domain), 32) + "  " + room.Fingerprint(s.DomainID),
		"policy    " + cli.Clean(s.Policy),
		"          and the key has not expired",
		"you       enter through " + cli.Clean(s.Through) + "; " + s.keyText(now) + "     (only you see this line)",
		"history   " + history,
		"          " + kept,
	}
	if s.TakesQuestions {
		out = append(out, "questions taken from outside: whoever has the link and the domain's file can ask, without a key")
	}
	if s.Joined() {
		out = append(out, fmt.Sprintf("keys      %x  since %s because %s; %s; commit by %s; session id %x",
			s.Epoch.ID[:8], s.clock(s.Since), s.why(), text.Plural(len(s.Epoch.Members), "member"),
			s.List([]peer.ID{s.Epoch.Committer}), s.Epoch.SID[:8]))
		if s.Started > 1 {
			out = append(out, "past      "+text.Plural(s.Started-1, "earlier set")+
				" of keys, erased two minutes after each ended; "+
				"then nobody can open their traffic again, the authority included")
		}
	} else {
		out = append(out, "keys      none yet: a room of one has nobody to agree on a key with")
	}
	out = append(out, "visible   to anyone on the way: your IP address, that you are in this room, its size, its policy. "+
		"Not: what is said.")
	if s.Snapshot.Link != "" {
		out = append(out, "link      "+s.Snapshot.Link)
	}
	return out
}

// why is the reason for the epoch in force.
func (s *State) why() string {
	e := &s.Epoch
	switch {
	case e.Reason == room.ReasonFirst:
		return "you joined"
	case len(e.Joined) > 0:
		return s.List(ids(e.Joined)) + " joined"
	case len(e.Left) > 0:
		return s.List(ids(e.Left)) + " " + gone(e.Reason)
	case len(e.WentAway) > 0:
		return s.List(ids(e.WentAway)) + " " + wentAway(e.Reason)
	case e.Reason == room.ReasonRekey:
		return "somebody asked for new keys"
	}
	return "new keys were due"
}

func (s *State) keyText(now time.Time) string {
	if n := s.KeyDays(now); n > 0 {
		return fmt.Sprintf("your key lapses on %s, in %s", s.Expires, text.Plural(n, "day"))
	}
	return fmt.Sprintf("your key lapsed on %s", s.Expires)
}

// StatusLines are what works and what does not.
func (s *State) StatusLines(now time.Time) []string {
	st := &s.Status
	members := st.Room.Members
	head := pad(cli.Clean(s.Name), 8) + " " + pad(string(health.Word(s.Wrong)), 6) + " "
	if readers := len(s.Readers()); readers < 2 {
		head += fmt.Sprintf("nobody else can read%s; %s held", whenBack(len(s.Away())), text.Plural(st.Room.Held, "message"))
	} else {
		var total, missing uint64
		for _, m := range members {
			total += m.Known
			missing += m.Known - m.Have
		}
		head += fmt.Sprintf("%s, %s (%s), %s, ", CanRead(readers, len(s.Away())), EpochName(st.Room.Epoch),
			text.Age(now.Sub(st.Room.Since)), text.Plural(total, "message"))
		if missing == 0 {
			head += "nothing missing"
		} else {
			head += fmt.Sprintf("%d missing, fetching", missing)
		}
	}
	out := []string{head}
	line := func(who, what string) { out = append(out, strings.TrimRight("  "+pad(who, 8)+" "+what, " ")) }
	blocked := ""
	if st.UDPBlocked {
		blocked = "; UDP does not get out of this network"
	}
	line("you", Listening(st.Addresses)+blocked+"; "+s.keyText(now))
	line("", fmt.Sprintf("up %s; %s in, %s out", text.Age(st.Uptime), text.Size(int(st.BytesIn)),
		text.Size(int(st.BytesOut))))
	if st.Keep > 0 {
		line("", fmt.Sprintf("%s on disk, %s at most", text.Size(int(st.Disk)), text.Size(int(st.Keep))))
	}
	for _, m := range members {
		if m.Self {
			continue
		}
		what := pad(s.PathText(m.Peer), 30) + " " + s.has(m.Peer) + s.silent(m.Peer)
		if m.Known > m.Have {
			what += fmt.Sprintf("  %d of theirs missing here", m.Known-m.Have)
		}
		line(s.name(m.Peer), what)
	}
	if why := s.whyRelayed(); why != "" {
		line("", "relayed: "+why)
	}
	for _, r := range s.Relays() {
		line("relay", pad(s.Names.Tag(r)+"  "+s.PathText(r), 30)+" reads nothing")
	}
	out = append(out, "# Health")
	if len(s.Wrong) == 0 {
		out = append(out, "#   "+pad(string(health.OK), 8)+"  nothing is wrong")
	}
	for _, i := range s.Wrong {
		out = append(out, "#   "+pad(string(i.Code), 8)+"  "+i.Text)
		if i.Hint != "" {
			out = append(out, "#             hint: "+i.Hint)
		}
	}
	return out
}

// whois is what is known of a peer.
func (s *State) whois(p peer.ID, now time.Time) Answer {
	out := []string{
		"name       " + s.nick(p) + "  " + s.Names.Tag(p),
		"peer       " + p.String(),
		"words      " + people.Fingerprint(string(p)) + "   (compare them by voice: a tag can be copied, these cannot)",
	}
	if first, like := s.Names.Like(p); like {
		out = append(out, "looks like "+s.name(first)+", who was here first. Another peer.")
	}
	if used := s.Names.Used(p); len(used) > 0 {
		out = append(out, "used       "+strings.Join(used, ", "))
	}
	if t := s.Names.FirstSeen(p); !t.IsZero() {
		out = append(out, "first seen "+s.dayClock(t, now))
	}
	if p == s.Self {
		out = append(out, "           this is you")
	} else {
		if since, here := s.Here[p]; here {
			out = append(out, "here since "+s.clock(since))
		} else {
			out = append(out, "           is no member now")
		}
		out = append(out, "path       "+s.PathText(p))
		if a := s.Path(p).Address; a != nil {
			out = append(out, "address    "+a.String())
		}
		if s.Ignored[p] {
			out = append(out, "ignored    /unignore "+s.Names.Tag(p))
		}
	}
	for _, what := range s.facts[p] {
		out = append(out, "           "+what)
	}
	return Answer{Title: "whois " + s.name(p), Lines: out}
}

// peers are all connections, and where others are to reach us.
func (s *State) peers() []string {
	var out []string
	for _, p := range s.Status.Peers {
		what := ""
		switch {
		case p.IsRelay:
			what = "relay, reads nothing"
		case p.OnTopic:
			what = "in the room"
		}
		line := "  " + pad(s.name(p.Peer), 10) + " " + pad(s.pathText(p), 28) + " " + pad(what, 20)
		if p.Address != nil {
			line += " " + p.Address.String()
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	if len(out) == 0 {
		out = append(out, "No connection.")
	}
	for _, a := range s.Status.Addresses {
		out = append(out, "  listening  "+a.String())
	}
	for _, a := range s.Unanswered {
		out = append(out, "  failed     "+a)
	}
	return out
}

func (s *State) ignores() []string {
	var out []string
	for p := range s.Ignored {
		out = append(out, "  "+s.Named(p))
	}
	if len(out) == 0 {
		return []string{"You ignore nobody."}
	}
	slices.Sort(out)
	return out
}
