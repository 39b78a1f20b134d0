package ui

import (
	"fmt"
	"slices"
	"strings"

	"coterie/cmd/coterie/chat"
	"coterie/kms/words"
)

// settable are the settings that can be changed in a room.
var settable = []string{"nick", "notify", "notify_text", "title", "mouse", "time", "listen"}

// elsewhere are those that cannot, and why.
var elsewhere = map[string]string{
	"history": "history is part of the room: another one is another room",
	"key":     "the key is chosen by join",
	"policy":  "the policy is part of the room: another one is another room",
}

// set changes a setting: what it does on the screen is done here, keeping it is
// the backend's.
func (m *Model) set(args string) {
	name, value, _ := strings.Cut(args, " ")
	value = strings.TrimSpace(value)
	bad := func(format string, a ...any) {
		m.trouble(Trouble{Text: m.clean(fmt.Sprintf(format, a...))})
	}
	if !slices.Contains(settable, name) {
		m.noSetting(name)
		return
	}
	if value == "" {
		bad("/set %s needs a value", name)
		return
	}
	switch name {
	case "notify":
		if value != "all" && value != "names" && value != "none" {
			bad("notify is all, names or none")
			return
		}
		m.cfg.Notify = value
	case "mouse", "title", "notify_text":
		on := slices.Contains([]string{"on", "true", "yes"}, value)
		if !on && !slices.Contains([]string{"off", "false", "no"}, value) {
			bad("%s is on or off", name)
			return
		}
		switch value = "off"; name {
		case "mouse":
			m.cfg.Mouse = on
		case "title":
			m.cfg.NoTitle = !on
		case "notify_text":
			m.cfg.NotifyText = on
		}
		if on {
			value = "on"
		}
	case "time":
		if !chat.IsClock(value) {
			bad("time wants a layout such as 15:04 or 15:04:05")
			return
		}
		m.room.Clock = value
		for _, e := range m.log.entries {
			e.touch()
		}
	case "nick":
		nick, err := chat.Nickname(value)
		if err != nil {
			bad("%s", err.Text)
			return
		}
		value = nick
	}
	m.out.Do(chat.Set{Name: name, Value: value})
}

func (m *Model) noSetting(name string) {
	t := Trouble{Text: m.clean(fmt.Sprintf("/set knows no %q", name)), Hints: []string{"it knows " + strings.Join(settable, ", ") + "; others are in config.toml"}}
	if why := elsewhere[name]; why != "" {
		t = Trouble{Text: why}
	} else if like := words.Near(name, settable, 1); len(like) > 0 {
		t.Hints = append([]string{"did you mean " + like[0] + "?"}, t.Hints...)
	}
	m.trouble(t)
}
