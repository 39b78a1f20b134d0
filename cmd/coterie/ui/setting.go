package ui

import "coterie/cmd/coterie/chat"

// set has a setting of the room do on the screen what it is for.
func (m *Model) set(c chat.SettingKept) {
	on := c.Value == "on"
	switch c.Name {
	case "notify":
		m.cfg.Notify = c.Value
	case "mouse":
		m.cfg.Mouse = on
	case "title":
		m.cfg.NoTitle = !on
	case "notify_text":
		m.cfg.NotifyText = on
	case "time":
		for _, e := range m.log.entries {
			e.touch()
		}
	}
}
