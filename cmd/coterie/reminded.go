package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/BurntSushi/toml"

	"coterie/cmd/internal/cli"
)

// A reminder is what was said today and is not said again: of which keys it was
// told that they expire soon.
type reminder struct {
	Day  string   `toml:"day"`
	Keys []string `toml:"keys"`
}

const maxReminder = 64 << 10

// expiring warns of a key that expires soon, once a day. What cannot be remembered
// is said again.
func (a *app) expiring(p *plan, out face, left int, today string) {
	path, err := filepath.Abs(p.keyPath)
	dir, err2 := a.stateDir()
	file := filepath.Join(dir, "reminded.toml")
	var r reminder
	keeps := err == nil && err2 == nil && !p.flags.ephemeral
	if keeps {
		r = readReminder(file)
		if r.Day != today {
			r = reminder{Day: today}
		}
		if slices.Contains(r.Keys, path) {
			return
		}
	}
	out.Warn(cli.Fail("key-expiring", "%s expires in %s", p.keyPath, cli.Plural(left, "day")).Hint("ask the operator for a renewal: it is key %d", p.key.Serial()))
	if !keeps {
		return
	}
	r.Keys = append(r.Keys, path)
	if b, err := toml.Marshal(r); err == nil && len(b) < maxReminder {
		_ = replaceSecret(file, b)
	}
}

func readReminder(file string) (r reminder) {
	info, err := os.Stat(file)
	if err != nil || info.Size() > maxReminder {
		return r
	}
	b, err := os.ReadFile(file)
	if err != nil || toml.Unmarshal(b, &r) != nil {
		return reminder{}
	}
	return r
}
