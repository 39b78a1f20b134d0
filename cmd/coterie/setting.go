package main

import (
	"cmp"
	"fmt"
	"strings"

	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
)

// What is set in a room that is open, and what else is done there to what is kept
// of it.

type (
	// kept: a setting was changed; how says for how long.
	kept struct{ name, value, how string }
	// logged is a line of the log.
	logged struct{ line string }
)

// set keeps a setting of this room for the next time, where anything is kept.
func (s *session) set(name, value string) {
	h := &s.plan.habit
	how := "for this run and the next ones in this room"
	switch name {
	case "nick":
		if err := checkNick(value); err != nil {
			s.refuse(cli.Describe(err))
			return
		}
		h.Nick = value
	case "listen":
		listen := strings.Fields(value)
		if _, err := addresses("listen", listen); err != nil {
			s.refuse(cli.Describe(err))
			return
		}
		h.Listen, how = listen, "from the next time in this room"
	case "notify":
		h.Notify = value
	case "notify_text":
		h.NotifyText = onOff(value)
	case "title":
		h.Title = onOff(value)
	case "mouse":
		h.Mouse = onOff(value)
	case "time":
		h.Time = value
	}
	if s.plan.settings == nil || s.plan.flags.ephemeral {
		how = "for this run alone: nothing is kept"
	} else if err := s.app.remember(s.plan, nil); err != nil {
		s.refuse(cli.Describe(err))
		how = "for this run alone"
	}
	s.out.event(s, kept{name, value, how})
}

func onOff(value string) *bool {
	on := value == "on"
	return &on
}

// debug begins or ends showing the log as it runs.
func (s *session) debug(on bool) {
	if s.log == nil {
		s.log = &eventLog{} // in the demonstration
	}
	if !on {
		s.log.watch(nil)
		return
	}
	s.log.watch(func(line string) { s.out.event(s, logged{line}) })
	s.log.info("watched", "version", cli.ProgramVersion())
}

// erase takes away what this computer has of the room, now that it is closed.
func (s *session) erase() {
	name := s.plan.descriptor.Name
	err := s.app.forgetRoom(s.plan.descriptor)
	if err != nil {
		cli.Warn(s.app.stderr, cli.Fail("not-forgotten", "not all of %s could be erased: %s", cli.Clean(name), cli.Describe(err).Text).
			Hint("coterie forget %s", cli.Quote(name)).Because(err))
		return
	}
	fmt.Fprintf(s.app.stdout, "Forgot %s: its history here and the history's key are erased. The key file %s is still there.\n",
		cli.Clean(name), cli.Clean(tilde(s.plan.keyPath)))
}

// terminal is how the terminal is used: as the environment, what is remembered of
// the room, and the settings have it.
func (p *plan) terminal(cfg *ui.Config) {
	c := p.settings
	if c == nil {
		return // a demonstration
	}
	h := p.habit
	cfg.Notify = cmp.Or(h.Notify, c.Rooms[p.descriptor.Name].Notify, c.Notify)
	if c.from["notify"] == envNotify {
		cfg.Notify = c.Notify
	}
	pick := func(own *bool, all bool) bool {
		if own != nil {
			return *own
		}
		return all
	}
	cfg.NotifyText, cfg.Mouse, cfg.NoTitle = pick(h.NotifyText, c.NotifyText), pick(h.Mouse, c.Mouse), !pick(h.Title, c.Title)
	cfg.Keys = c.Keys
	layouts := []string{h.Time, p.flags.clock}
	if p.flags.given("time") {
		layouts = layouts[1:]
	}
	for _, layout := range layouts {
		if cfg.Clock == "" && ui.IsClock(layout) {
			cfg.Clock = layout
		}
	}
}
