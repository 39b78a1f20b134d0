package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/kms/words"
)

// settings are what config.toml may say. A flag is stronger than the environment,
// the environment than what is remembered of the room (rooms.toml), that than the
// room's own settings here, and those than the others.
type settings struct {
	Nick              string                  `toml:"nick"`
	Key               string                  `toml:"key"`
	Identity          string                  `toml:"identity"`
	History           string                  `toml:"history"`
	Time              string                  `toml:"time"`
	Color             string                  `toml:"color"`
	Hold              string                  `toml:"hold"`
	Log               string                  `toml:"log"`
	PassphraseCommand []string                `toml:"passphrase_command"`
	Listen            []string                `toml:"listen"`
	Bootstrap         []string                `toml:"bootstrap"`
	MDNS              bool                    `toml:"mdns"`
	Rooms             map[string]roomSettings `toml:"rooms"`

	// Of the terminal:
	Notify        string            `toml:"notify"`
	NotifyText    bool              `toml:"notify_text"`
	NotifyCommand []string          `toml:"notify_command"`
	Title         bool              `toml:"title"`
	Mouse         bool              `toml:"mouse"`
	Keys          map[string]string `toml:"keys"`

	path string
	from map[string]string // where each comes from, by name; none: the default
}

// roomSettings are those of one room, by its name.
type roomSettings struct {
	Nick   string `toml:"nick"`
	Key    string `toml:"key"`
	Notify string `toml:"notify"`
}

// settingNames are all names, in the order in which they are shown, with their
// defaults.
var settingNames = []struct{ name, usual string }{
	{"nick", ""}, {"key", ""}, {"identity", ""}, {"history", "0"}, {"time", "short"}, {"color", "auto"}, {"hold", "10m"},
	{"log", ""}, {"passphrase_command", ""}, {"listen", ""}, {"bootstrap", ""}, {"mdns", "true"},
	{"notify", "names"}, {"notify_text", "false"}, {"notify_command", ""}, {"title", "true"}, {"mouse", "false"},
}

// The variables that are stronger than what is remembered of a room.
const (
	envNick   = "COTERIE_NICK"
	envNotify = "COTERIE_NOTIFY"
)

// maxConfig bounds the file in bytes.
const maxConfig = 256 << 10

// settings reads config.toml and the environment. A file that is not there is
// empty.
func (a *app) settings() (*settings, error) {
	dir, err := a.configDir()
	if err != nil {
		return nil, err
	}
	c := &settings{path: filepath.Join(dir, "config.toml"), from: make(map[string]string), Title: true, MDNS: true}
	data, err := os.ReadFile(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("reading settings: %w", err)
	case len(data) > maxConfig:
		return nil, cli.Fail("config", "%s is far too large", c.path)
	default:
		if err := c.parse(data); err != nil {
			return nil, err
		}
	}
	for _, s := range []struct {
		name string
		to   *string
	}{{"nick", &c.Nick}, {"key", &c.Key}, {"identity", &c.Identity}, {"history", &c.History}, {"time", &c.Time}, {"color", &c.Color}, {"hold", &c.Hold}, {"log", &c.Log}, {"notify", &c.Notify}} {
		variable := "COTERIE_" + strings.ToUpper(s.name)
		if v, ok := os.LookupEnv(variable); ok {
			*s.to, c.from[s.name] = v, variable
		}
		if *s.to == "" {
			for _, d := range settingNames {
				if d.name == s.name {
					*s.to = d.usual
				}
			}
		}
	}
	for _, p := range []*string{&c.Key, &c.Identity, &c.Log} {
		*p = untilde(*p)
	}
	return c, c.check()
}

func (c *settings) parse(data []byte) error {
	md, err := toml.Decode(string(data), c)
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		return cli.Fail("config", "%s:%d:%d: %s", c.path, syntax.Position.Line, max(1, syntax.Position.Col), strings.TrimSuffix(syntax.Message, "."))
	case err != nil:
		return cli.Fail("config", "%s: %s", c.path, strings.TrimPrefix(err.Error(), "toml: ")).Because(err)
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		k := unknown[0]
		line, col := locate(string(data), k)
		e := cli.Fail("config", "%s:%d:%d: there is no setting %q", c.path, line, col, k[len(k)-1])
		names := []string{"rooms", "keys"}
		for _, s := range settingNames {
			names = append(names, s.name)
		}
		if like := words.Near(k[len(k)-1], names, 1); len(like) > 0 && len(k) == 1 {
			return e.Hint("did you mean %s?", like[0])
		}
		return e.Hint("coterie config lists them all")
	}
	for _, k := range md.Keys() {
		c.from[k[0]] = c.path
	}
	return nil
}

var tableHeader = regexp.MustCompile(`^\s*\[([^\[\]]+)\]`)

// locate finds the line and column of a key in the file.
func locate(data string, key toml.Key) (line, col int) {
	table := ""
	want := strings.Join(key[:len(key)-1], ".")
	last := key[len(key)-1]
	for i, l := range strings.Split(data, "\n") {
		if m := tableHeader.FindStringSubmatch(l); m != nil {
			table = strings.ReplaceAll(strings.ReplaceAll(m[1], " ", ""), `"`, "")
			if table == strings.Join(key, ".") {
				return i + 1, strings.Index(l, "[") + 1
			}
			continue
		}
		name, _, ok := strings.Cut(l, "=")
		if name = strings.Trim(strings.TrimSpace(name), `"'`); ok && table == want && name == last {
			return i + 1, strings.Index(l, last) + 1
		}
	}
	return 1, 1
}

// check looks at the values.
func (c *settings) check() error {
	at := func(name string) string {
		if from := c.from[name]; from != "" && from != c.path {
			return from
		}
		return c.path + ": " + name
	}
	if err := checkNick(c.Nick); err != nil {
		return cli.Fail("config", "%s: %s", at("nick"), cli.Describe(err).Text)
	}
	if _, err := span(c.History); err != nil {
		return cli.Fail("config", "%s: %q is not a span", at("history"), c.History).Hint("such as 7d or 12h")
	}
	if _, err := time.ParseDuration(c.Hold); err != nil {
		return cli.Fail("config", "%s: %q is not a span of time", at("hold"), c.Hold).Hint("such as 10m or 90s")
	}
	if _, ok := lines.ClockFormat(c.Time); !ok {
		return cli.Fail("config", "%s: %q is not short, full or none, or a layout such as 15:04:05", at("time"), c.Time)
	}
	if !checkColour(c.Color) {
		return cli.Fail("config", "%s: %q is not auto, always or never", at("color"), c.Color)
	}
	notify := map[string]string{at("notify"): c.Notify}
	for name, r := range c.Rooms {
		notify[c.path+": rooms."+cli.Clean(name)+".notify"] = cmp.Or(r.Notify, "names")
	}
	for where, how := range notify {
		if how != "all" && how != "names" && how != "none" {
			return cli.Fail("config", "%s: %q is not all, names or none", where, how)
		}
	}
	for _, action := range sortedKeys(c.Keys) {
		if !slices.Contains(ui.Actions(), action) {
			e := cli.Fail("config", "%s: [keys] has no action %q", c.path, action)
			if like := words.Near(action, ui.Actions(), 1); len(like) > 0 {
				return e.Hint("did you mean %s?", like[0])
			}
			return e.Hint("they are %s", strings.Join(ui.Actions(), ", "))
		}
	}
	return nil
}

// untilde takes ~/ for the home folder.
func untilde(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "config",
		Short:   "say which settings are in force, and from where",
		Example: `  coterie config`,
		Args:    cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.settings()
			if err != nil {
				return err
			}
			rooms, err := a.rooms()
			if err != nil {
				return err
			}
			// What is remembered is stronger, and said in its place.
			for _, r := range rooms {
				if own, ok := c.Rooms[r.Name]; ok && r.Nick != "" {
					own.Nick = ""
					c.Rooms[r.Name] = own
				}
			}
			if err := c.print(a); err != nil {
				return err
			}
			return a.printHabits(rooms)
		},
	}
}

func (c *settings) print(a *app) error {
	values := map[string]string{
		"nick": c.Nick, "key": tilde(c.Key), "identity": tilde(c.Identity), "history": c.History, "time": c.Time, "color": c.Color, "hold": c.Hold, "log": tilde(c.Log),
		"passphrase_command": list(c.PassphraseCommand), "listen": list(c.Listen), "bootstrap": list(c.Bootstrap), "mdns": strconv.FormatBool(c.MDNS),
		"notify": c.Notify, "notify_text": strconv.FormatBool(c.NotifyText), "notify_command": list(c.NotifyCommand),
		"title": strconv.FormatBool(c.Title), "mouse": strconv.FormatBool(c.Mouse),
	}
	for _, s := range settingNames {
		from := c.from[s.name]
		switch {
		case from == "":
			from = "default"
		case from == c.path:
			from = tilde(from)
		}
		value := values[s.name]
		if value == "" {
			value = "-"
		}
		if _, err := fmt.Fprintf(a.stdout, "%-19s %-28s %s\n", s.name, cli.Clean(value), cli.Clean(from)); err != nil {
			return err
		}
	}
	for _, action := range sortedKeys(c.Keys) {
		fmt.Fprintf(a.stdout, "%-19s %-28s %s\n", "keys."+action, cli.Clean(c.Keys[action]), cli.Clean(tilde(c.path)))
	}
	for _, name := range sortedKeys(c.Rooms) {
		r := c.Rooms[name]
		for _, s := range []struct{ name, value string }{{"nick", r.Nick}, {"key", r.Key}, {"notify", r.Notify}} {
			if s.value != "" {
				fmt.Fprintf(a.stdout, "%-19s %-28s %s\n", "rooms."+cli.Clean(name)+"."+s.name, cli.Clean(s.value), cli.Clean(tilde(c.path)))
			}
		}
	}
	return nil
}

// printHabits says what is remembered of rooms and is stronger than the file.
func (a *app) printHabits(rooms []remembered) error {
	path, err := a.roomsPath()
	if err != nil {
		return err
	}
	for _, r := range rooms {
		history := ""
		if r.history() > 0 {
			history = chat.HistoryFlag(r.history())
		}
		yesNo := func(b *bool) string {
			if b == nil {
				return ""
			}
			return strconv.FormatBool(*b)
		}
		for _, s := range []struct{ name, value string }{{"nick", r.Nick}, {"listen", list(r.Listen)}, {"history", history},
			{"notify", r.Notify}, {"notify_text", yesNo(r.NotifyText)}, {"title", yesNo(r.Title)}, {"mouse", yesNo(r.Mouse)}, {"time", r.Time}} {
			if s.value != "" {
				fmt.Fprintf(a.stdout, "%-19s %-28s %s\n", "rooms."+cli.Clean(r.Name)+"."+s.name, cli.Clean(s.value), cli.Clean(tilde(path)))
			}
		}
	}
	return nil
}

func list(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, cli.Quote(w))
	}
	return strings.Join(out, " ")
}
