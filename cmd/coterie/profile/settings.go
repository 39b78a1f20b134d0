package profile

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/kms/words"
)

// A Kind is what a setting's value is: string, bool or []string.
type Kind uint8

// The kinds of settings.
const (
	Text Kind = iota
	OnOff
	List
)

// A Setting is a row of the table: all that is to be said of it, but for what it does.
type Setting struct {
	Name  string
	Kind  Kind
	Usual string // the default
	// Env: COTERIE_NAME in the environment has it. PerRoom: [rooms.NAME] in config.toml may. Kept:
	// /set changes it for a room, where it is kept. File: ~/ stands for the home folder.
	Env, PerRoom, Kept, File bool
	// Next: what is kept holds from the next time.
	Next  bool
	check func(value string) *cli.Error // nil: anything will do
}

// Table has all settings, in the order in which they are shown. A flag is stronger than the
// environment, that than what is kept of a room, that than [rooms.NAME], and that than the
// rest of config.toml.
var Table = []Setting{
	{Name: "nick", Env: true, PerRoom: true, Kept: true, check: func(s string) *cli.Error {
		_, err := Nickname(s)
		return err
	}},
	{Name: "key", Env: true, PerRoom: true, File: true},
	{Name: "identity", Env: true, File: true},
	{Name: "history", Usual: "0", Env: true, check: func(s string) *cli.Error { _, err := ParseSpan(s); return err }},
	{Name: "keep", Usual: "2GB", Env: true, PerRoom: true, Kept: true, Next: true, check: func(s string) *cli.Error {
		_, err := ParseSize(s)
		return err
	}},
	{Name: "time", Usual: "short", Env: true, Kept: true, check: func(s string) *cli.Error {
		if _, ok := chat.ClockFormat(s); !ok {
			return isNot(s, "short, full or none, or a layout such as 15:04:05")
		}
		return nil
	}},
	{Name: "color", Usual: "auto", Env: true, check: oneOf("auto", "always", "never")},
	{Name: "hold", Usual: "10m", Env: true, check: func(s string) *cli.Error {
		if _, err := time.ParseDuration(s); err != nil {
			return isNot(s, "a span of time").Hint("such as 10m or 90s")
		}
		return nil
	}},
	{Name: "log", Env: true, File: true},
	{Name: "passphrase_command", Kind: List},
	{Name: "listen", Kind: List, Kept: true, Next: true},
	{Name: "bootstrap", Kind: List},
	{Name: "mdns", Kind: OnOff, Usual: "true"},
	{Name: "map_ports", Kind: OnOff, Usual: "true"},
	{Name: "notify", Usual: "names", Env: true, PerRoom: true, Kept: true, check: oneOf("all", "names", "none")},
	{Name: "notify_text", Kind: OnOff, Usual: "false", Kept: true},
	{Name: "notify_command", Kind: List},
	{Name: "title", Kind: OnOff, Usual: "true", Kept: true},
	{Name: "mouse", Kind: OnOff, Usual: "false", Kept: true},
}

// fixed are words that somebody may take for settings of a room, and why they are none.
var fixed = map[string]string{
	"history": "history is part of the room: another one is another room",
	"key":     "the key is chosen by join",
	"policy":  "the policy is part of the room: another one is another room",
}

func isNot(value, what string) *cli.Error { return cli.Usage("%q is not %s", value, what) }

func oneOf(all ...string) func(string) *cli.Error {
	n := len(all)
	return func(s string) *cli.Error {
		if slices.Contains(all, s) {
			return nil
		}
		return isNot(s, strings.Join(all[:n-1], ", ")+" or "+all[n-1])
	}
}

func find(name string) (Setting, bool) {
	for _, s := range Table {
		if s.Name == name {
			return s, true
		}
	}
	return Setting{}, false
}

// typed is a value as a file has it.
func (s *Setting) typed(raw any) (any, error) {
	switch v := raw.(type) {
	case string:
		if s.Kind == Text {
			return v, nil
		}
	case bool:
		if s.Kind == OnOff {
			return v, nil
		}
	case []any:
		var out []string
		for _, x := range v {
			text, ok := x.(string)
			if !ok {
				return nil, fmt.Errorf("%s is a list of texts", s.Name)
			}
			out = append(out, text)
		}
		if s.Kind == List {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%s is %s", s.Name, [...]string{"a text", "true or false", "a list of texts"}[s.Kind])
}

// typedIn is a value as it is typed in a room.
func (s *Setting) typedIn(text string) (any, *cli.Error) {
	switch s.Kind {
	case OnOff:
		on := slices.Contains([]string{"on", "true", "yes"}, text)
		if !on && !slices.Contains([]string{"off", "false", "no"}, text) {
			return nil, cli.Usage("%s is on or off", s.Name)
		}
		return on, nil
	case List:
		return strings.Fields(text), nil
	}
	if s.check != nil {
		if err := s.check(text); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// Values are settings by their names.
type Values map[string]any

// Text, On and List are values of the three kinds; zero ones where there is none.
func (v Values) Text(name string) string   { s, _ := v[name].(string); return s }
func (v Values) On(name string) bool       { b, _ := v[name].(bool); return b }
func (v Values) List(name string) []string { l, _ := v[name].([]string); return l }

// Shown is a value for people; empty for none.
func (v Values) Shown(name string) string {
	switch x := v[name].(type) {
	case bool:
		return strconv.FormatBool(x)
	case []string:
		var out []string
		for _, w := range x {
			out = append(out, cli.Quote(w))
		}
		return strings.Join(out, " ")
	}
	return v.Text(name)
}

// Set changes a setting that is kept of a room. It returns the value as it then is, and for how
// long it holds.
func (p *Profile) Set(v Values, name, value string) (shown, how string, err error) {
	s, ok := find(name)
	if !ok || !s.Kept {
		return "", "", noSetting(name)
	}
	if value == "" {
		return "", "", cli.Usage("/set %s needs a value", name)
	}
	typed, bad := s.typedIn(value)
	if bad != nil {
		return "", "", bad
	}
	if list, ok := typed.([]string); ok {
		if _, err := Addresses(name, list); err != nil {
			return "", "", err
		}
	}
	if name == "nick" {
		value, _ = Nickname(value)
		typed = value
	}
	if on, ok := typed.(bool); ok {
		value = map[bool]string{true: "on", false: "off"}[on]
	}
	v[name] = typed
	if s.Next {
		return value, "from the next time in this room", nil
	}
	return value, "for this run and the next ones in this room", nil
}

// KeptNames are the settings that are kept of a room.
func KeptNames() (names []string) {
	for _, s := range Table {
		if s.Kept {
			names = append(names, s.Name)
		}
	}
	return names
}

// noSetting says that there is no such setting in a room.
func noSetting(name string) *cli.Error {
	if why := fixed[name]; why != "" {
		return cli.Usage("%s", why)
	}
	names := KeptNames()
	e := cli.Usage("/set knows no %q", cli.Clean(name))
	if like := words.Near(name, names, 1); len(like) > 0 {
		e.Hint("did you mean %s?", like[0])
	}
	return e.Hint("it knows %s; others are in config.toml", strings.Join(names, ", "))
}

// Nickname is a name as others show it; an empty one is none.
func Nickname(s string) (string, *cli.Error) {
	if s == "" {
		return "", nil
	}
	return chat.Nickname(s)
}

var span = regexp.MustCompile(`^([0-9]{1,5})([dh])$`)

// ParseSpan reads how far back newcomers may read: 7d or 12h.
func ParseSpan(s string) (time.Duration, *cli.Error) {
	if s == "" || s == "0" {
		return 0, nil
	}
	m := span.FindStringSubmatch(s)
	if m == nil {
		return 0, isNot(s, "a span").Hint("such as 7d or 12h")
	}
	n, _ := strconv.Atoi(m[1]) // at most five digits
	unit := time.Hour
	if m[2] == "d" {
		unit = 24 * time.Hour
	}
	return time.Duration(n) * unit, nil
}

// env is the variable that has a setting.
func env(name string) string { return "COTERIE_" + strings.ToUpper(name) }

// lookupEnv is what the environment has of a setting.
func (s *Setting) lookupEnv() (string, bool) {
	if !s.Env {
		return "", false
	}
	return os.LookupEnv(env(s.Name))
}
