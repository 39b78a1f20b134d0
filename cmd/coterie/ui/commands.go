package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/coterie/chat"
)

// A slash is a command that begins with one.
type slash struct {
	chat.Slash
	do   func(m *Model, args string) tea.Cmd
	file bool // the argument is a file
}

// slashes are the commands, in the order of /help: those of every face, some of them with
// more to them here, and those of this one.
func slashes() []slash {
	var all []slash
	here := own()
	for _, c := range chat.Slashes {
		mine := slash{Slash: c, file: c.Name == "file",
			do: func(m *Model, args string) tea.Cmd { m.out.Do(c.Make(args)); return nil }}
		if i := slices.IndexFunc(here, func(o slash) bool { return o.Name == c.Name }); i >= 0 {
			mine = here[i]
			here = slices.Delete(here, i, i+1)
		}
		all = append(all, mine)
	}
	return append(all, here...)
}

// own are the commands that are about this screen.
func own() []slash {
	var all []slash
	add := func(name, args, help string, do func(m *Model, args string)) {
		all = append(all, slash{Slash: chat.Slash{Name: name, Args: args, Help: help},
			do: func(m *Model, args string) tea.Cmd { do(m, args); return nil }})
	}
	all = append(all,
		slash{Slash: chat.Slash{Name: "quit", Args: "[WORDS]",
			Help: "say WORDS; go away, or (coterie up) close the window"}, do: (*Model).quitWith},
		slash{Slash: chat.Slash{Name: "link", Args: "[qr|copy]", Help: "the room's link"}, do: (*Model).link},
		slash{Slash: chat.Slash{Name: "scrollback", Args: "FILE", Help: "what is above, as text"}, do: (*Model).save,
			file: true})
	answer := func(word string, help string) {
		add(word, "[WHO]", help, func(m *Model, who string) {
			if who != "" || len(m.asks) == 0 || !m.answered(word) {
				m.out.Do(chat.Allow{Who: who, Allow: word == "yes"})
			}
		})
	}
	answer("yes", "allow the proof you are asked for")
	answer("no", "do not allow it")
	add("help", "[COMMAND]", "this, or one command", (*Model).help)
	add("me", "WORDS", "say what you do", func(m *Model, args string) { m.speak(args, true) })
	for _, c := range chat.Slashes {
		switch c.Name {
		case "to":
			add(c.Name, c.Args, c.Help, (*Model).sayTo)
		case "export":
			all = append(all, slash{Slash: c, do: (*Model).export, file: true})
		}
	}
	add("search", "WORDS", "also from:NICK before:DATE after:DATE", (*Model).startSearch)
	add("readers", "[N]", "who could read the N-th last message, who has it", (*Model).showReaders)
	add("unread", "", "put the unread mark here", func(m *Model, _ string) { m.unread.hand(m) })
	add("forget", "", "erase this room's local history and its key, and leave", func(m *Model, _ string) { m.forget() })
	add("debug", "", "the log as it runs; once more, or Esc, ends it", func(m *Model, _ string) { m.toggleDebug() })
	return all
}

// plainSlashes are the commands, for what is said of them.
func plainSlashes() []chat.Slash {
	var out []chat.Slash
	for _, c := range slashes() {
		out = append(out, c.Slash)
	}
	return out
}

// command does a slash command; one that is not known is never sent as text.
func (m *Model) command(s string) tea.Cmd {
	word, args := chat.Words(s)
	for _, c := range slashes() {
		if c.Name != word {
			continue
		}
		if err := c.Check(args); err != nil {
			m.say(chat.Line{Kind: chat.Alarm, Text: err.Text, Hints: err.Hints})
			return nil
		}
		return c.do(m, args)
	}
	err := chat.NoCommand(word, plainSlashes())
	m.say(chat.Line{Kind: chat.Alarm, Text: err.Text, Hints: err.Hints})
	return nil
}

func (m *Model) quitWith(words string) tea.Cmd {
	if words != "" {
		m.speak(words, false)
	}
	return m.goAway()
}

// sayTo says something to some. What cannot be said so stays in the input.
func (m *Model) sayTo(args string) {
	switch c := chat.ParseTo(args).(type) {
	case chat.Bad:
		m.say(chat.Line{Kind: chat.Alarm, Text: c.Err.Text, Hints: slices.Concat(c.Err.Details, c.Err.Hints)})
		m.input.set("/to " + args)
	case chat.Say:
		m.tell(c)
	default:
		m.out.Do(c)
	}
}

func (m *Model) link(how string) tea.Cmd {
	switch how {
	case "":
		m.out.Do(chat.Link{})
	case "qr":
		m.out.Run(DrawQR{Text: m.room.Link})
	case "copy":
		m.note("the link went to the terminal, to copy it; not every terminal does: /link shows it")
		return tea.SetClipboard(m.room.Link)
	default:
		m.trouble(Trouble{Text: "/link takes qr or copy, or nothing"})
	}
	return nil
}

func (m *Model) save(path string) tea.Cmd {
	m.asking(0, ask{
		text: fmt.Sprintf("Save the scrollback to %s? It will not be encrypted. [y/N]", m.clean(path)),
		yes:  func() { m.out.Run(Save{Path: path, Text: m.transcript()}) },
	})
	return nil
}

func (m *Model) export(path string) tea.Cmd {
	m.asking(0, ask{
		text: fmt.Sprintf("Write all that is kept of this room to %s? It will not be encrypted. [y/N]", m.clean(path)),
		yes:  func() { m.out.Do(chat.Export{File: path}) },
	})
	return nil
}

func (m *Model) forget() {
	if !m.cfg.Kept {
		m.note("nothing of this room is kept here")
		return
	}
	m.asking(0, ask{
		text: "Erase this room's history on this computer, and its key, and leave? It cannot be undone. [y/N]",
		yes:  func() { m.out.Do(chat.Forget{}) },
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
			head, _ = m.sayer(e)
			head += ": "
		case e.kind == kindAlarm:
			head = "!! "
		case e.kind == kindGap:
			head = "? "
		}
		if b.WriteString(m.quoteText(e)); e.edited {
			head = strings.TrimSuffix(head, ": ") + " (edited): "
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
