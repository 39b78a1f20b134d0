package ui

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/people"
	"coterie/kms/words"
)

// A slash is a command that begins with one.
type slash struct {
	name, args, help string
	// args that are needed are in capitals, others in brackets.
	do func(m *Model, args string) tea.Cmd
	// nicks: the argument is a peer. file: it is a file.
	nicks, file bool
}

// slashes are the commands, in the order of /help.
func slashes() []slash {
	tell := func(f func(m *Model)) func(*Model, string) tea.Cmd {
		return func(m *Model, _ string) tea.Cmd { f(m); return nil }
	}
	named := func(more bool, f func(m *Model, p peer.ID, rest string)) func(*Model, string) tea.Cmd {
		return func(m *Model, args string) tea.Cmd {
			if p, rest, ok := m.whom(args, more); ok {
				f(m, p, rest)
			}
			return nil
		}
	}
	with := func(f func(m *Model, p peer.ID, rest string)) func(*Model, string) tea.Cmd { return named(false, f) }
	return []slash{
		{name: "help", args: "[COMMAND]", help: "this, or one command", do: func(m *Model, args string) tea.Cmd { m.help(args); return nil }},
		{name: "quit", args: "[WORDS]", help: "leave; the words are said first", do: func(m *Model, args string) tea.Cmd {
			if args != "" {
				m.say(args, false)
			}
			return m.leave()
		}},
		{name: "nick", args: "NAME", help: "call yourself something else", do: func(m *Model, args string) tea.Cmd { m.setNick(args); return nil }},
		{name: "me", args: "WORDS", help: "say what you do", do: func(m *Model, args string) tea.Cmd { m.say(args, true); return nil }},
		{name: "who", help: "members, paths, what they have", do: tell((*Model).showWho)},
		{name: "info", help: "room, domain, policy, your way in, history, epoch, link", do: tell((*Model).showInfo)},
		{name: "status", help: "health, each item with its hint", do: tell((*Model).showStatus)},
		{name: "readers", args: "[N]", help: "who could read the N-th last message, who has it", do: func(m *Model, args string) tea.Cmd { m.showReaders(args); return nil }},
		{name: "whois", args: "NICK", help: "full peer id, six words, first seen, names used, proofs", nicks: true,
			do: with(func(m *Model, p peer.ID, _ string) { m.showWhois(p) })},
		{name: "prove", args: "NICK EXPR", help: "ask somebody to prove attributes to you alone", nicks: true,
			do: named(true, func(m *Model, p peer.ID, rest string) { m.prove(p, rest) })},
		{name: "link", args: "[qr|copy]", help: "the room's link", do: func(m *Model, args string) tea.Cmd { return m.link(args) }},
		{name: "search", args: "WORDS", help: "also from:NICK before:DATE after:DATE", do: func(m *Model, args string) tea.Cmd { m.startSearch(args); return nil }},
		{name: "unread", help: "put the unread mark here", do: tell(func(m *Model) { m.unread.hand(m) })},
		{name: "ignore", args: "NICK", help: "show nothing more of a peer", nicks: true,
			do: with(func(m *Model, p peer.ID, _ string) { m.ignore(p, true) })},
		{name: "unignore", args: "NICK", help: "show it again", nicks: true,
			do: with(func(m *Model, p peer.ID, _ string) { m.ignore(p, false) })},
		{name: "ignores", help: "whom you ignore", do: tell((*Model).showIgnores)},
		{name: "cut", args: "NICK", help: "go on without a peer, and those it alone let in", nicks: true,
			do: with(func(m *Model, p peer.ID, _ string) { m.out.Do(Cut{Peer: p, On: true}) })},
		{name: "uncut", args: "NICK", help: "go on with it again", nicks: true,
			do: with(func(m *Model, p peer.ID, _ string) { m.out.Do(Cut{Peer: p}) })},
		{name: "notify", args: "all|names|none", help: "for this room", do: func(m *Model, args string) tea.Cmd { m.set("notify " + args); return nil }},
		{name: "rekey", help: "new epoch now", do: tell(func(m *Model) { m.rooms.from = "rekey"; m.out.Do(Rekey{}) })},
		{name: "retry", help: "try the held messages again", do: tell(func(m *Model) { m.out.Do(Look{}); m.note("%s", m.heldText()) })},
		{name: "drop", help: "give up the held messages", do: tell((*Model).drop)},
		{name: "save", args: "FILE", help: "the scrollback as text", file: true, do: func(m *Model, args string) tea.Cmd { m.save(args); return nil }},
		{name: "forget", help: "erase this room's local history and its key, and leave", do: tell((*Model).forget)},
		{name: "peers", help: "every connection, its path and relay", do: tell((*Model).showPeers)},
		{name: "ping", args: "NICK", help: "how long the way to a peer is", nicks: true,
			do: with(func(m *Model, p peer.ID, _ string) { m.out.Do(Ping{Peer: p}) })},
		{name: "set", args: "NAME VALUE", help: "settings: " + strings.Join(settable, ", "), do: func(m *Model, args string) tea.Cmd { m.set(args); return nil }},
		{name: "debug", help: "the log as it runs; once more, or Esc, ends it", do: tell((*Model).toggleDebug)},
	}
}

// command does a slash command; one that is not known is never sent as text.
func (m *Model) command(s string) tea.Cmd {
	word, args, _ := strings.Cut(strings.TrimPrefix(s, "/"), " ")
	args = strings.TrimSpace(args)
	var names []string
	for _, c := range slashes() {
		if c.name == word {
			if needed := c.args != "" && c.args[0] != '['; needed && args == "" {
				m.trouble(Trouble{Text: fmt.Sprintf("/%s needs %s", c.name, c.args)})
				return nil
			}
			return c.do(m, args)
		}
		names = append(names, c.name)
	}
	t := Trouble{Text: fmt.Sprintf("there is no command /%s", word), Hints: []string{fmt.Sprintf("/help lists the commands; //%s sends it as text", word)}}
	if like := words.Near(word, names, 1); len(like) > 0 {
		t.Hints = append([]string{"did you mean /" + like[0] + "?"}, t.Hints...)
	}
	m.trouble(t)
	return nil
}

// whom is the peer that the beginning of args means; more: something else follows.
func (m *Model) whom(args string, more bool) (p peer.ID, rest string, ok bool) {
	// A name may have spaces: the longest that is somebody's counts.
	words := strings.Fields(args)
	for n := len(words); n > 0; n-- {
		found := m.names.Find(strings.Join(words[:n], " "))
		switch {
		case len(found) == 1:
			return found[0], strings.Join(words[n:], " "), true
		case len(found) > 1:
			var all []string
			for _, f := range found {
				all = append(all, m.name(f))
			}
			m.trouble(Trouble{Text: "that may be " + strings.Join(all, " or "), Hints: []string{"say which with its tag"}})
			return "", "", false
		}
	}
	name := args
	if more {
		name = words[0] // what follows belongs to something else
	}
	m.trouble(Trouble{Text: fmt.Sprintf("nobody here is called %q", name), Hints: []string{"/who lists who is here"}})
	return "", "", false
}

func (m *Model) setNick(s string) bool {
	name, err := people.Nick(s)
	if err != nil {
		m.trouble(Trouble{Text: fmt.Sprintf("%q cannot be a nickname: it %s", s, err)})
		return false
	}
	m.out.Do(SetNick{Name: name})
	return true
}

func (m *Model) prove(p peer.ID, expr string) {
	expr = strings.TrimSpace(expr)
	if n := len(expr); n >= 2 && expr[0] == '\'' && expr[n-1] == '\'' {
		expr = expr[1 : n-1]
	}
	if expr == "" {
		m.trouble(Trouble{Text: "/prove needs NICK and 'EXPR'", Hints: []string{`/prove ann '"Professor"'`}})
		return
	}
	m.out.Do(Prove{Peer: p, Expr: expr})
	m.note("asked %s; it is asked to allow it", m.named(p))
}

func (m *Model) proof(p Proof) {
	if p.Given {
		for i, q := range m.asks {
			if q, ok := q.from.(Question); ok && q.Peer == p.Peer {
				m.asks = append(m.asks[:i], m.asks[i+1:]...)
				break
			}
		}
	}
	who := m.named(p.Peer)
	switch expr := m.clean(p.Expr); {
	case p.Given && p.OK:
		m.note("you proved %s to %s alone", expr, who)
	case p.Given:
		m.note("you did not prove %s to %s", expr, who)
	case p.OK:
		m.learn(p.Peer, fmt.Sprintf("proved %s of %s to you at %s", expr, m.cfg.Domain, m.clock(m.now())))
		m.note("%s proved %s of %s to you at %s. You cannot prove it to others.", who, expr, m.cfg.Domain, m.clock(m.now()))
	default:
		m.note("%s did not prove it", who)
	}
}

func (m *Model) link(how string) tea.Cmd {
	switch how {
	case "", "qr", "copy":
		m.out.Do(Link{How: how})
	default:
		m.trouble(Trouble{Text: "/link takes qr or copy, or nothing"})
	}
	return nil
}

func (m *Model) ignore(p peer.ID, on bool) {
	if p == m.cfg.Self {
		m.trouble(Trouble{Text: "that is you"})
		return
	}
	if on {
		m.ignored[p] = true
		m.note("nothing more of %s is shown; /unignore %s ends that", m.named(p), m.names.Tag(p))
	} else {
		delete(m.ignored, p)
		m.note("%s is shown again", m.named(p))
	}
	m.out.Do(Ignore{Peer: p, On: on})
}

func (m *Model) heldText() string {
	n := m.heldCount()
	if n == 0 {
		return "nothing is held"
	}
	return plural(n, "message") + " held; sent as soon as somebody can read"
}

func (m *Model) drop() {
	if m.heldCount() == 0 {
		m.note("nothing is held")
		return
	}
	m.out.Do(Drop{})
	m.note("given up: %s; Up brings the text back", plural(m.heldCount(), "message"))
}

func (m *Model) save(path string) {
	m.asks = append(m.asks, ask{
		text: fmt.Sprintf("Save the scrollback to %s? It will not be encrypted. [y/N]", m.clean(path)),
		yes:  func() { m.out.Do(Save{Path: path, Text: m.transcript()}) },
	})
}

func (m *Model) forget() {
	if !m.cfg.Kept {
		m.note("nothing of this room is kept here")
		return
	}
	m.asks = append(m.asks, ask{
		text: "Erase this room's history on this computer, and its key, and leave? It cannot be undone. [y/N]",
		yes:  func() { m.out.Do(Forget{}) },
	})
}

// transcript is the scrollback as text.
func (m *Model) transcript() string {
	var b strings.Builder
	for _, e := range m.log.entries {
		stamp := ""
		if !e.at.IsZero() {
			stamp = e.at.Local().Format("2006-01-02 15:04 ")
		}
		head := "-- "
		switch {
		case e.kind == kindIntro:
			head = ""
		case e.kind == kindMessage && e.action:
			head = "* " + m.name(e.peer) + " "
		case e.kind == kindMessage:
			head = m.name(e.peer) + ": "
		case e.kind == kindAlarm:
			head = "!! "
		case e.kind == kindGap:
			head = "? "
		}
		fmt.Fprintf(&b, "%s%s%s\n", stamp, head, strings.ReplaceAll(e.text, "\n", "\n    "))
	}
	return b.String()
}

// nth reads a number from 1, or what stands for none.
func nth(s string) (int, error) {
	if s == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number from 1", s)
	}
	return n, nil
}
