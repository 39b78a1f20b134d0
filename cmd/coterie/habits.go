package main

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/room"
)

// settle fills in what was not typed: from what is remembered of the room, and
// from the settings. It returns the remembered room, if that is the one meant.
func (a *app) settle(p *plan, name string) (*remembered, error) {
	c, err := a.settings()
	if err != nil {
		return nil, err
	}
	a.passphraseCommand = c.PassphraseCommand
	f := &p.flags
	var known *remembered
	if !room.IsLink(name) && f.policy == "" {
		if err := notAName(name); err != nil {
			return nil, err
		}
		r, ok, err := a.recall(name, f.key)
		if err != nil {
			return nil, err
		}
		if ok && f.history == "" {
			known = &r
			p.keyPath = r.Key
			f.bootstrap = append(f.bootstrap, r.Addresses...)
		}
	}
	if !room.IsLink(name) && known == nil {
		// It may be remembered all the same, or one of its name: whose key and
		// addresses are as good.
		hits, err := a.namesakes(name, f.key)
		if err != nil {
			return nil, err
		}
		for _, r := range hits {
			f.bootstrap = append(f.bootstrap, r.Addresses...)
		}
		if f.key == "" && len(hits) > 0 && oneKey(hits) {
			p.keyPath = hits[0].Key
		}
	}
	own := c.Rooms[name]
	p.settings = c
	for _, s := range []struct {
		flag string
		to   *string
		from []string
	}{
		{"key", &p.keyPath, []string{p.keyPath, untilde(own.Key), c.Key}},
		{"identity", &f.identity, []string{c.Identity}},
		{"time", &f.clock, []string{c.Time}},
		{"color", &f.colour, []string{c.Color}},
		{"log", &f.log, []string{c.Log}},
	} {
		if f.given(s.flag) {
			continue
		}
		*s.to = ""
		for _, v := range s.from {
			if *s.to == "" {
				*s.to = v
			}
		}
	}
	if !f.given("history") && known == nil && !room.IsLink(name) {
		f.history = c.History
	}
	if !f.given("bootstrap") {
		f.bootstrap = append(f.bootstrap, c.Bootstrap...)
	}
	if p.hold, err = time.ParseDuration(c.Hold); err != nil {
		return nil, err // it was checked
	}
	if p.keyPath == "" {
		e := cli.Usage("missing --key")
		if f.policy == "" && !room.IsLink(name) {
			return nil, e.Hint("coterie join %s --key FILE --policy 'EXPR'; no room of this name is remembered", cli.Quote(name))
		}
		return nil, e.Hint("coterie join %s --key FILE", cli.Quote(name))
	}
	return known, nil
}

// A habit is how one takes part in a room: what was typed once is so the next
// time as well.
type habit struct {
	Nick   string   `toml:"nick,omitempty"`
	Listen []string `toml:"listen,omitempty"`

	// By /set in the room:
	Notify     string `toml:"notify,omitempty"`
	NotifyText *bool  `toml:"notify_text,omitempty"`
	Title      *bool  `toml:"title,omitempty"`
	Mouse      *bool  `toml:"mouse,omitempty"`
	Time       string `toml:"time,omitempty"`
}

// habits settles how this peer takes part: by what was typed, the environment,
// what is remembered of the room, the settings of the room, and those of all
// rooms, in this order.
func (a *app) habits(p *plan) error {
	f, c := &p.flags, p.settings
	key, err := filepath.Abs(p.keyPath)
	if err != nil {
		return err
	}
	if !f.ephemeral {
		rooms, err := a.rooms()
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(rooms, func(r remembered) bool { return r.same(p.descriptor) && r.Key == key }); i >= 0 {
			p.habit = rooms[i].habit
		}
	}
	switch {
	case f.given("nick"):
		p.habit.Nick = f.nick
	case c.from["nick"] == envNick:
		f.nick = c.Nick
	default:
		f.nick = cmp.Or(p.habit.Nick, c.Rooms[p.descriptor.Name].Nick, c.Nick)
	}
	switch {
	case f.given("listen"):
		p.habit.Listen = f.listen
	case len(p.habit.Listen) > 0:
		f.listen = p.habit.Listen
	default:
		f.listen = c.Listen
	}
	if err := checkNick(f.nick); err != nil {
		return err
	}
	p.nick = f.nick
	p.listen, err = addresses("--listen", f.listen)
	return err
}
