package profile

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
	"coterie/kms/words"
)

// Settings are those in force: of config.toml and the environment.
type Settings struct {
	Values
	Path  string // of the file
	Keys  map[string]string
	Rooms map[string]Values // [rooms.NAME]
	from  map[string]string // where each comes from; none: the default
}

// maxConfig bounds the file in bytes.
const maxConfig = 256 << 10

// Settings reads config.toml and the environment. A file that is not there is empty, and so is
// one of a home folder that is not known.
func (p *Profile) Settings() (*Settings, error) {
	c := &Settings{Path: "config.toml"}
	var data []byte
	dir, err := p.ConfigDir()
	if err == nil {
		c.Path = filepath.Join(dir, "config.toml")
		data, err = keyfile.ReadOwned(c.Path, maxConfig)
	}
	var large *keyfile.SizeError
	switch {
	case err == nil, isNone(err), isNoHome(err):
	case errors.As(err, &large):
		return nil, cli.Fail("config", "%s is far too large", c.Path)
	default:
		return nil, err
	}
	if err := p.parse(c, string(data)); err != nil {
		return nil, err
	}
	return c, nil
}

// isNone reports whether an error of reading is that there is no such file. A link that leads
// nowhere is one that somebody meant.
func isNone(err error) bool {
	var missing *keyfile.NotExistError
	return errors.As(err, &missing) && missing.To == "" || errors.Is(err, syscall.ENOTDIR)
}

// parse takes a file's text, and then the environment and the defaults.
func (p *Profile) parse(c *Settings, data string) error {
	c.Values, c.Rooms, c.from = make(Values), make(map[string]Values), make(map[string]string)
	var file map[string]any
	md, err := toml.Decode(data, &file)
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		return cli.Fail("config", "%s:%d:%d: %s", c.Path, syntax.Position.Line, max(1, syntax.Position.Col),
			strings.TrimSuffix(syntax.Message, "."))
	case err != nil:
		return cli.Fail("config", "%s: %s", c.Path, strings.TrimPrefix(err.Error(), "toml: ")).Because(err)
	}
	for _, k := range md.Keys() {
		if !known(k) {
			return c.unknown(data, k)
		}
	}
	for _, s := range Table {
		if err := c.take(s, file); err != nil {
			return err
		}
	}
	if err := p.takeKeys(c, file["keys"]); err != nil {
		return err
	}
	return c.takeRooms(file["rooms"])
}

// known reports whether a key of the file is one.
func known(k toml.Key) bool {
	s, ok := find(k[len(k)-1])
	switch {
	case k[0] == "keys":
		return len(k) <= 2
	case k[0] == "rooms":
		return len(k) <= 2 || len(k) == 3 && ok && s.PerRoom
	}
	_, ok = find(k[0])
	return ok && len(k) == 1
}

func (c *Settings) unknown(data string, k toml.Key) error {
	line, col := locate(data, k)
	e := cli.Fail("config", "%s:%d:%d: there is no setting %q", c.Path, line, col, k[len(k)-1])
	names := []string{"rooms", "keys"}
	for _, s := range Table {
		names = append(names, s.Name)
	}
	if like := words.Near(k[len(k)-1], names, 1); len(like) > 0 && len(k) == 1 {
		return e.Hint("did you mean %s?", like[0])
	}
	return e.Hint("coterie config lists them all")
}

// take takes a setting from the environment, the file, or its default.
func (c *Settings) take(s Setting, file map[string]any) error {
	where := c.Path + ": " + s.Name
	var value any
	if raw, ok := file[s.Name]; ok {
		v, err := s.typed(raw)
		if err != nil {
			return cli.Fail("config", "%s: %v", c.Path, err)
		}
		value, c.from[s.Name] = v, c.Path
	}
	if text, ok := s.lookupEnv(); ok {
		where = env(s.Name)
		value, c.from[s.Name] = text, where
	}
	if value == nil || value == "" {
		switch value = s.Usual; s.Kind {
		case OnOff:
			value = s.Usual == "true"
		case List:
			value = []string(nil)
		}
	}
	if text, ok := value.(string); ok {
		if s.check != nil {
			if err := s.check(text); err != nil {
				return &cli.Error{Code: "config", Text: where + ": " + err.Text, Hints: err.Hints}
			}
		}
		if s.File {
			value = untilde(text)
		}
	}
	c.Values[s.Name] = value
	return nil
}

func (p *Profile) takeKeys(c *Settings, raw any) error {
	keys, ok := raw.(map[string]any)
	if raw != nil && !ok {
		return cli.Fail("config", "%s: keys is a table", c.Path)
	}
	c.Keys = make(map[string]string)
	var actions []string
	if p.Actions != nil {
		actions = p.Actions()
	}
	for _, action := range slices.Sorted(maps.Keys(keys)) {
		key, ok := keys[action].(string)
		if !ok {
			return cli.Fail("config", "%s: keys.%s is a text", c.Path, action)
		}
		if !slices.Contains(actions, action) {
			e := cli.Fail("config", "%s: [keys] has no action %q", c.Path, action)
			if like := words.Near(action, actions, 1); len(like) > 0 {
				return e.Hint("did you mean %s?", like[0])
			}
			return e.Hint("they are %s", strings.Join(actions, ", "))
		}
		c.Keys[action] = key
	}
	return nil
}

func (c *Settings) takeRooms(raw any) error {
	rooms, ok := raw.(map[string]any)
	if raw != nil && !ok {
		return cli.Fail("config", "%s: rooms is a table", c.Path)
	}
	for name, raw := range rooms {
		of, ok := raw.(map[string]any)
		if !ok {
			return cli.Fail("config", "%s: rooms.%s is a table", c.Path, cli.Clean(name))
		}
		c.Rooms[name] = make(Values)
		for _, s := range Table {
			raw, ok := of[s.Name]
			if !ok {
				continue
			}
			where := c.Path + ": rooms." + cli.Clean(name) + "." + s.Name
			v, err := s.typed(raw)
			if err != nil {
				return cli.Fail("config", "%s: %v", where, err)
			}
			if text, ok := v.(string); ok && s.check != nil && text != "" {
				if err := s.check(text); err != nil {
					return &cli.Error{Code: "config", Text: where + ": " + err.Text, Hints: err.Hints}
				}
			}
			c.Rooms[name][s.Name] = v
		}
	}
	return nil
}

// For are the settings for one room: with what was kept of it, and what config.toml has for it
// alone. The environment is stronger than both.
func (c *Settings) For(room string, kept Values) Values {
	out := maps.Clone(c.Values)
	for _, s := range Table {
		if _, ok := s.lookupEnv(); ok {
			continue
		}
		if v := c.Rooms[room].Shown(s.Name); v != "" {
			out[s.Name] = c.Rooms[room][s.Name]
			if s.File {
				out[s.Name] = untilde(v)
			}
		}
		if v, ok := kept[s.Name]; ok && kept.Shown(s.Name) != "" {
			out[s.Name] = v
		}
	}
	return out
}

// Each calls f for each setting that is in force, with where it comes from. What is kept of
// rooms is stronger than what config.toml has for them, and comes in its place.
func (c *Settings) Each(rooms []Room, path string, f func(name, value, from string)) {
	for _, s := range Table {
		from := c.from[s.Name]
		switch from {
		case "":
			from = "default"
		case c.Path:
			from = Tilde(from)
		}
		value := c.Shown(s.Name)
		if s.File {
			value = Tilde(value)
		}
		if value == "" {
			value = "-"
		}
		f(s.Name, value, from)
	}
	for _, action := range slices.Sorted(maps.Keys(c.Keys)) {
		f("keys."+action, c.Keys[action], Tilde(c.Path))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Rooms)) {
		for _, s := range Table {
			stronger := slices.ContainsFunc(rooms, func(r Room) bool {
				return r.Name == name &&
					r.Kept.Shown(s.Name) != ""
			})
			if value := c.Rooms[name].Shown(s.Name); value != "" && !stronger {
				f("rooms."+name+"."+s.Name, value, Tilde(c.Path))
			}
		}
	}
	for _, r := range rooms {
		for _, s := range Table {
			value := r.Kept.Shown(s.Name)
			if s.Name == "history" && r.Span() > 0 {
				value = chat.HistoryFlag(r.Span())
			}
			if value != "" {
				f("rooms."+r.Name+"."+s.Name, value, Tilde(path))
			}
		}
	}
}

var tableHeader = regexp.MustCompile(`^\s*\[([^\[\]]+)\]`)

// locate finds the line and column of a key in a file.
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
