package main

import (
	"cmp"
	"fmt"
	"strings"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
)

// prefs keep what is set in an open room for the next time.
type prefs struct {
	app *app
	*plan
}

// Set is of chat.Prefs.
func (p *prefs) Set(name, value string) (how string, err error) {
	h := &p.habit
	how = "for this run and the next ones in this room"
	switch name {
	case "nick":
		if value, err := chat.Nickname(value); err != nil {
			return "", err
		} else {
			h.Nick = value
		}
	case "listen":
		listen := strings.Fields(value)
		if _, err := addresses("listen", listen); err != nil {
			return "", err
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
	if p.flags.ephemeral {
		return "for this run alone: nothing is kept", nil
	}
	if err := p.app.remember(p.plan, nil); err != nil {
		return "for this run alone", err
	}
	return how, nil
}

func onOff(value string) *bool {
	on := value == "on"
	return &on
}

// erase takes away what this computer has of a room, now that it is closed.
func (a *app) erase(p *plan) {
	name := p.descriptor.Name
	if err := a.forgetRoom(p.descriptor); err != nil {
		cli.Warn(a.stderr, cli.Fail("not-forgotten", "not all of %s could be erased: %s", cli.Clean(name), cli.Describe(err).Text).
			Hint("coterie forget %s", cli.Quote(name)).Because(err))
		return
	}
	fmt.Fprintf(a.stdout, "Forgot %s: its history here and the history's key are erased. The key file %s is still there.\n",
		cli.Clean(name), cli.Clean(tilde(p.keyPath)))
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
	cfg.Keys, cfg.NotifyCommand = c.Keys, c.NotifyCommand
	layouts := []string{h.Time, p.flags.clock}
	if p.flags.given("time") {
		layouts = layouts[1:]
	}
	for _, layout := range layouts {
		if cfg.Clock == "" && chat.IsClock(layout) {
			cfg.Clock = layout
		}
	}
}
