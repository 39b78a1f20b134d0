package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
)

// answer answers what the user wanted, in plain lines.
func (p *plainOut) answer(s *session, e node.Event) {
	switch e := e.(type) {
	case asked:
		p.answerWord(s, e)
	case reported:
		for _, l := range statusLines(s, e.status) {
			p.note("%s", l)
		}
	case found:
		p.note("found %s", cli.Plural(e.total, "message"))
		for _, m := range e.messages {
			p.note("  %s %s: %s", time.UnixMilli(int64(m.Message.Time)).Local().Format("15:04"), s.names.show(m.Author.Peer), cli.Clean(m.Message.Text))
		}
	case pinged:
		p.note("pong from %s", pathText(s, e.path))
	case proofAsked:
		p.note("asked %s; they are asked to allow it", s.names.show(e.who))
	case ignoring:
		if e.on {
			p.note("nothing more of %s is shown; /unignore %s ends that", s.names.show(e.who), s.names.tag(e.who))
		} else {
			p.note("%s is shown again", s.names.show(e.who))
		}
	case dropped:
		p.note("dropped %s", cli.Plural(len(e.messages), "message"))
	}
}

func (p *plainOut) answerWord(s *session, a asked) {
	switch a.word {
	case "who":
		for _, l := range whoLines(s) {
			p.note("%s", l)
		}
	case "info":
		for _, l := range infoLines(s) {
			p.note("%s", l)
		}
	case "link":
		p.note("%s", s.link())
		if len(s.plan.descriptor.Tag) > 0 {
			p.trouble("this room is unlisted: whoever has the link knows of it")
		}
	case "whois":
		path := s.path(a.who)
		p.note("%s %s  %s", s.names.show(a.who), s.names.tag(a.who), a.who)
		p.note("  %s", pathText(s, path))
		if path.Address != nil {
			p.note("  %s", path.Address)
		}
	case "help":
		for _, c := range slashes {
			if a.text == "" || a.text == c.word || a.text == "/"+c.word {
				p.note("/%-18s %s", strings.TrimSpace(c.word+" "+c.args), c.help)
			}
		}
		if a.text == "" {
			p.note("//x sends \"/x\"; WHO is a name, a tag such as ~b31k, or a peer id")
		}
	}
}

// path is how a peer was reached when that was last looked at.
func (s *session) path(who peer.ID) node.Path {
	for _, p := range s.last.status.Peers {
		if p.Peer == who {
			return p
		}
	}
	return node.Path{Peer: who, Kind: node.NoPath}
}

// pathText is a path on one line: direct  quic  12 ms.
func pathText(s *session, p node.Path) string {
	name := s.names.show(p.Peer)
	if tag := s.names.tag(p.Peer); !strings.HasSuffix(name, tag) {
		name += " " + tag
	}
	return name + "  " + pathKind(s, p)
}

func pathKind(s *session, p node.Path) string {
	var parts []string
	switch p.Kind {
	case node.Direct:
		parts = []string{"direct", p.Transport}
	case node.Relayed:
		parts = []string{"relayed by " + s.names.tag(p.Relay)}
	default:
		return "not connected; through others"
	}
	if p.RTT > 0 {
		parts = append(parts, text.RoundTrip(p.RTT))
	}
	return strings.Join(parts, "  ")
}

// whoLines are the members, and what is known of them.
func whoLines(s *session) []string {
	if len(s.members) < 2 {
		return []string{"nobody else is here; nobody can read this room now"}
	}
	lines := []string{fmt.Sprintf("%d can read this room now (epoch %x, since %s)", len(s.members), s.epoch.ID[:2], s.since.Local().Format("15:04"))}
	status := make(map[peer.ID]room.MemberStatus)
	for _, m := range s.last.status.Room.Members {
		status[m.Peer] = m
	}
	for _, m := range s.members {
		nick := s.names.nick(m.Peer)
		if nick == "" {
			nick = "-"
		}
		line := fmt.Sprintf("  %-8s %-6s  ", cli.Clean(nick), s.names.tag(m.Peer))
		if m.Peer == s.node.Self() {
			lines = append(lines, line+"you")
			continue
		}
		line += fmt.Sprintf("here since %s   %s", s.first[m.Peer].Local().Format("15:04"), pathKind(s, s.path(m.Peer)))
		if st, ok := status[m.Peer]; ok && st.Suspect {
			line += "   nothing heard of it"
		}
		lines = append(lines, line)
	}
	lines = append(lines, "each of them proved to hold a key that satisfies the policy, or was let in by one who did; nobody can see which attributes they used")
	for _, p := range s.last.status.Peers {
		if p.IsRelay {
			lines = append(lines, s.names.tag(p.Peer)+" relays and cannot read")
		}
	}
	return lines
}

// infoLines are the room, and what can be said of its security.
func infoLines(s *session) []string {
	d, k := s.plan.descriptor, s.plan.key
	history := "off: who comes later reads nothing from before"
	if d.History > 0 {
		history = "on: who comes later can read what was said in the last " + text.Span(d.History)
	}
	lines := []string{
		fmt.Sprintf("room      %s  %s", cli.Clean(d.Name), room.Fingerprint(d.ID())),
		fmt.Sprintf("domain    %s  %s", cli.Clean(k.Domain().Name()), k.Domain().Fingerprint()),
		"policy    " + cli.Clean(d.Policy.String()) + ", and the key has not expired",
		fmt.Sprintf("you       enter through %s; your key lapses on %s     (only you see this line)", cli.Clean(s.plan.through), k.Expires()),
		"history   " + history,
	}
	if s.epoch.ID != (ake.Hash{}) {
		lines = append(lines, fmt.Sprintf("epoch     %x  since %s; %s; commit by %s; session id %x",
			s.epoch.ID[:8], s.since.Local().Format("15:04"), cli.Plural(len(s.members), "member"), s.names.show(s.epoch.Committer), s.epoch.SID[:8]))
	} else {
		lines = append(lines, "epoch     none yet: nobody else is here")
	}
	return append(lines, "visible   to anyone on the way: your IP address, that you are in this room, its size, its policy. Not: what is said")
}

// statusLines are what works and what does not.
func statusLines(s *session, st node.Status) []string {
	n := len(st.Room.Members)
	shown := s.shownNow(st)
	state := health.Word(shown)
	head := fmt.Sprintf("%s     %s     ", cli.Clean(s.plan.descriptor.Name), state)
	if n < 2 {
		head += fmt.Sprintf("nobody else can read; %s held", cli.Plural(st.Room.Held, "message"))
	} else {
		total, missing := uint64(0), uint64(0)
		for _, m := range st.Room.Members {
			total += m.Known
			missing += m.Known - m.Have
		}
		head += fmt.Sprintf("%d can read, epoch %x (%s), %s, ", n, st.Room.Epoch[:2], text.Age(s.app.now().Sub(st.Room.Since)), cli.Plural(total, "message"))
		if missing == 0 {
			head += "nothing missing"
		} else {
			head += fmt.Sprintf("%d missing", missing)
		}
	}
	blocked := ""
	if st.UDPBlocked {
		blocked = "; UDP does not get out of this network"
	}
	lines := []string{head, fmt.Sprintf("  %-8s %s%s; expires %s", "you", listeningText(st.Addresses), blocked, s.plan.key.Expires())}
	var own uint64
	for _, m := range st.Room.Members {
		if m.Self {
			own = m.Have
		}
	}
	for _, m := range st.Room.Members {
		if m.Self {
			continue
		}
		has := ""
		if own > 0 {
			has = fmt.Sprintf("   has %d of your %d", m.Reached, own)
			if m.Reached >= own {
				has = "   has all"
			}
		}
		lines = append(lines, fmt.Sprintf("  %-8s %s%s", s.names.show(m.Peer), pathKind(s, pathIn(st, m.Peer)), has))
	}
	for _, p := range st.Peers {
		if p.IsRelay {
			lines = append(lines, fmt.Sprintf("  %-8s %s   %s   reads nothing", "relay", s.names.tag(p.Peer), pathKind(s, p)))
		}
	}
	if len(shown) > 0 {
		lines = append(lines, "# Health")
	}
	for _, i := range shown {
		lines = append(lines, fmt.Sprintf("#   %-9s %s", i.Code, i.Text))
		if i.Hint != "" {
			lines = append(lines, "#   hint: "+i.Hint)
		}
	}
	return lines
}

// shownNow are the items that hold now, those that explain others alone. Who asks
// does not want to wait until they have lasted.
func (s *session) shownNow(st node.Status) []health.Item {
	all := health.Check(s.facts(st))
	return slices.DeleteFunc(slices.Clone(all), func(i health.Item) bool {
		return slices.ContainsFunc(i.DependsOn, func(c health.Code) bool {
			return slices.ContainsFunc(all, func(o health.Item) bool { return o.Code == c })
		})
	})
}

func pathIn(st node.Status, who peer.ID) node.Path {
	for _, p := range st.Peers {
		if p.Peer == who {
			return p
		}
	}
	return node.Path{Peer: who, Kind: node.NoPath}
}
