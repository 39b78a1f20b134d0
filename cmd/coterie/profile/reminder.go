package profile

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/BurntSushi/toml"
)

// A reminder is what was said today and is not said again: of which keys it was
// told that they expire soon.
type reminder struct {
	Day  string   `toml:"day"`
	Keys []string `toml:"keys"`
}

const maxReminder = 64 << 10

// Remind reports whether it is to be said today that a key expires soon, and notes that it was.
// What cannot be noted is said again.
func (p *Profile) Remind(key, today string) bool {
	path, err := filepath.Abs(key)
	dir, err2 := p.StateDir()
	if err != nil || err2 != nil {
		return true
	}
	file := filepath.Join(dir, "reminded.toml")
	r := readReminder(file)
	if r.Day != today {
		r = reminder{Day: today}
	}
	if slices.Contains(r.Keys, path) {
		return false
	}
	r.Keys = append(r.Keys, path)
	if b, err := toml.Marshal(r); err == nil && len(b) < maxReminder {
		_ = p.ReplaceSecret(file, b)
	}
	return true
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
