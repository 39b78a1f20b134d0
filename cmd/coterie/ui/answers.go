package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/text"
	"coterie/node"
	"coterie/room"
)

// pad fills a clean text up to so many cells.
func (m *Model) pad(s string, cells int) string {
	return s + strings.Repeat(" ", max(cells-m.method.StringWidth(s), 0))
}

// pathText is how a peer is reached: direct  quic  12 ms, or relayed by ~k77r
// 84 ms.
func (m *Model) pathText(p peer.ID) string {
	path, ok := m.path(p)
	if !ok || path.Kind == node.NoPath {
		return "no direct connection"
	}
	parts := []string{"direct", path.Transport}
	if path.Kind == node.Relayed {
		by := "relayed"
		if path.Relay != "" {
			by += " by " + m.names.Tag(path.Relay)
		}
		parts = []string{by}
	}
	if rtt := rttText(path.RTT); rtt != "" {
		parts = append(parts, rtt)
	}
	return strings.Join(parts, "  ")
}

func (m *Model) memberStatus(p peer.ID) (room.MemberStatus, bool) {
	for _, mb := range m.snap.Status.Room.Members {
		if mb.Peer == p {
			return mb, true
		}
	}
	return room.MemberStatus{}, false
}

// hasText is what a member has of ours, as its digests tell.
func (m *Model) hasText(p peer.ID) string {
	mb, ok := m.memberStatus(p)
	if !ok {
		return ""
	}
	var sent uint64
	if me, ok := m.memberStatus(m.cfg.Self); ok {
		sent = me.Known
	}
	switch {
	case sent == 0:
		return ""
	case mb.Reached >= sent:
		return fmt.Sprintf("has all %d", sent)
	}
	return fmt.Sprintf("has %d of %d", mb.Reached, sent)
}

func (m *Model) showWho() {
	x := &m.rooms
	members := m.readers()
	var out []string
	if len(members) < 2 {
		out = append(out, "Nobody else can read this room now. What you type is held until somebody can.")
	} else {
		out = append(out, fmt.Sprintf("%d can read this room now (epoch %x, since %s)", len(members), x.now.ID[:2], m.clock(x.since)))
	}
	line := func(p peer.ID) string {
		name := m.names.Nick(p)
		if name == "" {
			name = "-"
		}
		head := "  " + m.pad(name, 8) + " " + m.pad(m.names.Tag(p), 6) + " "
		if p == m.cfg.Self {
			return head + " you"
		}
		return strings.TrimRight(head+fmt.Sprintf(" here since %s   %s", m.clock(x.here[p]), m.pad(m.pathText(p), 26)+" "+m.hasText(p)), " ")
	}
	for _, mb := range members {
		if mb.Peer == m.cfg.Self {
			out = append(out, line(mb.Peer))
		}
	}
	for _, mb := range members {
		if mb.Peer != m.cfg.Self {
			out = append(out, line(mb.Peer))
		}
	}
	if len(members) > 1 {
		out = append(out, "Each of them proved to hold a key that satisfies the policy, or was let in by one who did. Nobody can see which attributes they used.")
	}
	for _, r := range m.relays() {
		out = append(out, m.names.Tag(r)+" relays and cannot read.")
	}
	m.open("who can read", out)
}

func daysText(n int) string {
	if n <= 0 {
		return "your key has lapsed"
	}
	return "expires in " + plural(n, "day")
}

func (m *Model) showInfo() {
	x := &m.rooms
	c := &m.cfg
	history := "off: who comes later reads nothing from before"
	if c.History > 0 {
		history = "newcomers may read what was said in the last " + text.Span(c.History)
	}
	if c.Kept {
		history += "\n          kept on this computer, encrypted"
	} else {
		history += "\n          nothing is written to this computer's disk"
	}
	out := []string{
		"room      " + m.pad(c.Room, 32) + "  " + c.RoomID,
		"domain    " + m.pad(c.Domain, 32) + "  " + c.DomainID,
		"policy    " + c.Policy,
		"          and the key has not expired",
		"you       enter through " + c.Through + "; " + daysText(m.snap.Facts.KeyDays) + "     (only you see this line)",
	}
	out = append(out, strings.Split("history   "+history, "\n")...)
	if m.joined {
		why := x.now.Reason
		switch {
		case len(x.now.Joined) > 0 && x.now.Reason != room.ReasonFirst:
			why = m.namesOf(ids(x.now.Joined)) + " joined"
		case len(x.now.Left) > 0:
			why = m.namesOf(ids(x.now.Left)) + " " + gone(x.now.Reason)
		case x.now.Reason == room.ReasonFirst:
			why = "you joined"
		case x.now.Reason == room.ReasonRekey:
			why = "somebody asked for new keys"
		case x.now.Reason == room.ReasonRotated:
			why = "new keys were due"
		}
		out = append(out, fmt.Sprintf("epoch     %x%s  since %s because %s; %s; commit by %s, confirmed",
			x.now.ID[:4], m.style.more, m.clock(x.since), why, plural(len(x.now.Members), "member"), m.namesOf([]peer.ID{x.now.Committer})))
		if x.earlier > 0 {
			out = append(out, "past      keys of "+plural(x.earlier, "earlier epoch")+" are erased two minutes after each ended; then nobody can open their traffic again, the authority included")
		}
	} else {
		out = append(out, "epoch     none yet: a room of one has nobody to agree on a key with")
	}
	out = append(out, "visible   to anyone on the way: your IP address, that you are in this room, its size, its policy. Not: what is said.")
	if m.snap.Link != "" {
		out = append(out, "link      "+m.snap.Link)
	}
	m.open("room "+c.Room, out)
}

func ids(members []room.Member) []peer.ID {
	out := make([]peer.ID, len(members))
	for i, mb := range members {
		out[i] = mb.Peer
	}
	return out
}

func (m *Model) showStatus() {
	m.out.Do(Look{})
	st := &m.snap.Status
	word := "ok"
	shown := m.watch.Shown()
	if len(shown) > 0 {
		word = string(shown[0].Code)
	}
	missing := "nothing missing"
	if n := m.snap.Facts.Missing; n > 0 {
		missing = plural(n, "message") + " missing, fetching"
	}
	messages := 0
	for _, e := range m.log.entries {
		if e.kind == kindMessage {
			messages++
		}
	}
	head := fmt.Sprintf("%s %s %d can read", m.pad(m.cfg.Room, 8), m.pad(word, 6), max(len(m.readers()), 1))
	if m.joined {
		head += fmt.Sprintf(", epoch %x (%s)", m.rooms.now.ID[:2], text.Age(m.now().Sub(m.rooms.since)))
	}
	out := []string{head + fmt.Sprintf(", %s, %s", plural(messages, "message"), missing)}
	out = append(out, "  "+m.pad("you", 8)+" "+daysText(m.snap.Facts.KeyDays)+"; up "+text.Age(st.Uptime)+fmt.Sprintf("; %s in, %s out", sizeText(int(st.BytesIn)), sizeText(int(st.BytesOut))))
	for _, mb := range m.rooms.now.Members {
		if mb.Peer == m.cfg.Self {
			continue
		}
		line := "  " + m.pad(m.names.Show(mb.Peer), 8) + " " + m.pad(m.pathText(mb.Peer), 30) + " " + m.hasText(mb.Peer)
		if s, ok := m.memberStatus(mb.Peer); ok {
			if s.Suspect {
				line += "  not heard of for a while"
			}
			if s.Known > s.Have {
				line += fmt.Sprintf("  %d of its messages are missing here", s.Known-s.Have)
			}
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	for _, p := range m.relays() {
		out = append(out, "  "+m.pad("relay", 8)+" "+m.pad(m.names.Tag(p)+"  "+m.pathText(p), 30)+" reads nothing")
	}
	out = append(out, "# Health")
	if len(shown) == 0 {
		out = append(out, "#   ok        nothing is wrong")
	}
	for _, i := range shown {
		out = append(out, "#   "+m.pad(string(i.Code), 8)+"  "+i.Text)
		if i.Hint != "" {
			out = append(out, "#             hint: "+i.Hint)
		}
	}
	m.open("status", out)
}

// showReaders tells of the N-th last message, or the one a search has found.
func (m *Model) showReaders(args string) {
	n, err := nth(args)
	if err != nil {
		m.trouble(Trouble{Text: "/readers: " + err.Error()})
		return
	}
	var found *entry
	if m.find != nil && m.find.at != nil && args == "" {
		found = m.find.at
	} else {
		from := len(m.log.entries) - 1
		if m.log.anchor != nil {
			from = m.log.index(m.log.anchor)
		}
		for i := from; i >= 0 && found == nil; i-- {
			if e := m.log.entries[i]; e.kind == kindMessage {
				if n--; n == 0 {
					found = e
				}
			}
		}
	}
	if found == nil {
		m.trouble(Trouble{Text: "there is no such message here"})
		return
	}
	m.open("readers", m.readersOf(found))
}

func (m *Model) readersOf(e *entry) []string {
	quote, _, cut := strings.Cut(e.text, "\n")
	if short := text.Truncate(quote, 60, m.method); short != quote {
		quote = short
	} else if cut {
		quote += m.style.more
	}
	whose := m.names.Show(e.peer)
	log := "its"
	if e.self {
		whose, log = "you", "your"
	}
	where := ""
	if e.counter > 0 {
		where = fmt.Sprintf(", epoch %x, message %d of %s log", e.epoch[:2], e.counter, log)
	}
	out := []string{fmt.Sprintf("%q     %s, %s%s", quote, whose, e.at.Local().Format("15:04:05"), where)}
	if d := e.received.Sub(e.at).Abs(); !e.received.IsZero() && d > 2*time.Second {
		out = append(out, "  arrived         "+e.received.Local().Format("2006-01-02 15:04:05"))
	}
	switch {
	case e.state == stateSending || e.state == stateHeld:
		out = append(out, "  could read it   nobody yet: it is held")
	case e.state == stateFailed:
		out = append(out, "  could read it   nobody: it was not sent")
	case e.own != nil:
		out = append(out, "  could read it   "+m.namesOf(append([]peer.ID{m.cfg.Self}, e.own.readers...)))
		var have []peer.ID
		for _, p := range e.own.readers {
			if !slices.Contains(e.own.missing, p) {
				have = append(have, p)
			}
		}
		line := "  have it         "
		if len(have) == 0 {
			line += "nobody yet, as far as is known"
		} else {
			line += m.namesOf(have)
		}
		if len(e.own.missing) > 0 {
			line += "          not yet: " + m.namesOf(e.own.missing)
		}
		out = append(out, line)
	default:
		if members, ok := m.rooms.members[e.epoch]; ok {
			out = append(out, "  could read it   "+m.namesOf(members))
		} else {
			out = append(out, "  could read it   the members of an epoch before you came")
		}
	}
	later := "nobody (history is off)"
	if m.cfg.History > 0 {
		later = "who joins within " + text.Span(m.cfg.History)
	}
	out = append(out, "  later           "+later)
	if e.raw != "" {
		out = append(out, "  as it came      "+text.Escape(e.raw))
		if names := e.flags.Names(); len(names) > 0 {
			out = append(out, "  flags           "+strings.Join(names, ", "))
		}
	}
	return out
}

func (m *Model) showWhois(p peer.ID) {
	name := m.names.Nick(p)
	if name == "" {
		name = "-"
	}
	out := []string{
		"name       " + name + "  " + m.names.Tag(p),
		"peer       " + p.String(),
		"words      " + people.Fingerprint(string(p)) + "   (compare them by voice: a tag can be copied, these cannot)",
	}
	if first, like := m.names.Like(p); like {
		out = append(out, "looks like "+m.names.Show(first)+", who was here first. Another peer.")
	}
	if used := m.names.Used(p); len(used) > 0 {
		out = append(out, "used       "+strings.Join(used, ", "))
	}
	if t := m.names.FirstSeen(p); !t.IsZero() {
		out = append(out, "first seen "+m.dayClock(t))
	}
	if p == m.cfg.Self {
		out = append(out, "           this is you")
	} else {
		if _, here := m.rooms.here[p]; here {
			out = append(out, "here since "+m.clock(m.rooms.here[p]))
		} else {
			out = append(out, "           is no member now")
		}
		path, _ := m.path(p)
		out = append(out, "path       "+m.pathText(p))
		if path.Address != nil {
			out = append(out, "address    "+path.Address.String())
		}
		if m.ignored[p] {
			out = append(out, "ignored    /unignore "+m.names.Tag(p))
		}
	}
	for _, what := range m.about[p] {
		out = append(out, "           "+what)
	}
	m.open("whois "+m.names.Show(p), out)
	m.out.Do(Whois{Peer: p})
}

func (m *Model) showIgnores() {
	var out []string
	for p := range m.ignored {
		out = append(out, "  "+m.named(p))
	}
	if len(out) == 0 {
		m.note("you ignore nobody")
		return
	}
	slices.Sort(out)
	m.open("ignored", out)
}

func (m *Model) showPeers() {
	var out []string
	for _, p := range m.snap.Status.Peers {
		what := ""
		switch {
		case p.IsRelay:
			what = "relay, reads nothing"
		case p.OnTopic:
			what = "in the room"
		}
		line := "  " + m.pad(m.names.Show(p.Peer), 10) + " " + m.pad(m.pathText(p.Peer), 28) + " " + m.pad(what, 20)
		if p.Address != nil {
			line += " " + p.Address.String()
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	if len(out) == 0 {
		out = append(out, "No connection.")
	}
	for _, a := range m.snap.Status.Addresses {
		out = append(out, "  listening  "+a.String())
	}
	for _, a := range m.unanswered {
		out = append(out, "  no answer  "+a)
	}
	m.open("peers", out)
}

// helpKeys are the keys, as /help has them.
const helpKeys = `Enter send              Alt+Enter, Ctrl+J new line    Tab complete
Up, Down earlier input  PgUp, PgDn scroll             Alt+Home, Alt+End oldest, newest
Alt+U first unread      Alt+N, Alt+P lines naming you Ctrl+F search, Ctrl+R own input
Alt+M members           Alt+S status                  Alt+I room and policy
Alt+O long message      Alt+E editor                  Alt+L bare, to select with the mouse
Ctrl+C clears, then /quit; twice leaves               Esc closes, back to the newest`

const helpNot = `Not there, on purpose: read receipts, typing notices, presence beyond membership, link previews, remote images:
each tells others when you look. No edit and no delete for all: who has read has read. No kick, ban or op: there is
nobody who could; a policy decides, /ignore is yours, lapse is the authority's.`

func (m *Model) help(word string) {
	word = strings.TrimPrefix(word, "/")
	var out []string
	for _, c := range slashes() {
		if word == "" || c.name == word {
			out = append(out, m.pad("/"+c.name+" "+c.args, 24)+"  "+c.help)
		}
	}
	switch {
	case len(out) == 0:
		m.trouble(Trouble{Text: "there is no command /" + word})
		return
	case word != "":
		m.note("%s", m.clean(strings.TrimSpace(out[0])))
		return
	}
	out = append(out, "//x                       sends \"/x\"", "")
	out = append(out, strings.Split(helpKeys, "\n")...)
	out = append(out, "", strings.ReplaceAll(helpNot, "\n", " "))
	m.open("help", out)
}
