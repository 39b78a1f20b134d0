package profile

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"coterie/cmd/internal/cli"
)

// TestTerminalSettings are those of the interface, and what is wrong with others.
func TestTerminalSettings(t *testing.T) {
	p := &Profile{Actions: func() []string { return []string{"bare", "search"} }}
	parse := func(text string) (*Settings, error) {
		c := &Settings{Path: "config.toml"}
		return c, p.parse(c, text)
	}
	c, err := parse("notify = \"all\"\nnotify_text = true\ntitle = false\nmouse = true\nnotify_command = [\"say\", " +
		"\"hi\"]\n[keys]\nsearch = \"ctrl+s\"\n[rooms.exam]\nnotify = \"none\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Text("notify") != "all" || !c.On("notify_text") || c.On("title") || !c.On("mouse") ||
		len(c.List("notify_command")) != 2 || c.Keys["search"] != "ctrl+s" ||
		c.Rooms["exam"].Text("notify") != "none" || c.Text("hold") != "10m" || !c.On("mdns") {
		t.Errorf("got %+v", c)
	}
	if exam, other := c.For("exam", Values{"mouse": false}), c.For("other", nil); exam.Text("notify") != "none" ||
		exam.On("mouse") || other.Text("notify") != "all" || !other.On("mouse") {
		t.Errorf("for a room: %+v, for another: %+v", exam, other)
	}
	for text, want := range map[string]string{
		"notify = \"some\"\n":                 "not all, names or none",
		"[rooms.exam]\nnotify = \"some\"\n":   "not all, names or none",
		"[keys]\nserach = \"ctrl+s\"\n":       "did you mean search?",
		"[keys]\nnothing-such = \"ctrl+s\"\n": "they are bare, ",
		"notfy = \"all\"\n":                   "did you mean notify?",
		"mouse = \"on\"\n":                    "mouse is true or false",
		"listen = [1]\n":                      "listen is a list of texts",
		"keys = 1\n":                          "keys is a table",
		"rooms = 1\n":                         "rooms is a table",
		"[rooms.exam]\nmouse = true\n":        "there is no setting",
		"[rooms.exam.more]\nmouse = true\n":   "there is no setting",
		"time = \"noon\"\n":                   "is not short, full or none",
		"hold = \"soon\"\n":                   "is not a span of time",
		"history = \"7\"\n":                   "is not a span",
	} {
		_, err := parse(text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		e := cli.Describe(err)
		if all := e.Text + " " + strings.Join(e.Hints, " "); !strings.Contains(all, want) {
			t.Errorf("%q: %q, want %q", text, all, want)
		}
	}
}

// TestSet: what is set in a room is one of the table's that can be, with a value that it can
// have; what is none, or cannot be changed there, is said to be so.
func TestSet(t *testing.T) {
	p := new(Profile)
	for line, want := range map[string]string{
		"mouse yes": "on", "mouse off": "off", "title false": "off", "notify all": "all", "nick mia": "mia",
		"listen /ip4/127.0.0.1/tcp/4001": "/ip4/127.0.0.1/tcp/4001",
		"time 15:04:05":                  "15:04:05", "notify_text on": "on",
	} {
		v := make(Values)
		name, value, _ := strings.Cut(line, " ")
		if shown, how, err := p.Set(v, name, value); err != nil || shown != want || how == "" || v.Shown(name) == "" {
			t.Errorf("%s: %q, %q, %v", line, shown, how, err)
		}
	}
	for line, want := range map[string]string{
		"mousse on": "did you mean mouse?", "mouse perhaps": "mouse is on or off",
		"history 7d": "history is part of the room", "nick ~ann": "cannot be a nickname",
		"notify loudly": "is not all, names or none", "mouse": "needs a value", "time x": "or a layout such as",
		"key x": "the key is chosen by join", "": "it knows nick, ",
		"passphrase_command x": "/set knows no",
	} {
		v := make(Values)
		name, value, _ := strings.Cut(line, " ")
		_, _, err := p.Set(v, name, value)
		if err == nil || len(v) > 0 {
			t.Errorf("%s is taken", line)
			continue
		}
		if e := cli.Describe(err); !strings.Contains(e.Text+" "+strings.Join(e.Hints, " "), want) {
			t.Errorf("%s: %q %q", line, e.Text, e.Hints)
		}
	}
}

// TestRoomsFile: what is kept of rooms is as it was, with settings of all kinds; what is damaged
// is said to be.
func TestRoomsFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	p := new(Profile)
	rooms := []Room{
		{Name: "exam", Domain: "NTNU", DomainID: strings.Repeat("ab", 32), Policy: `"ONE"`, Key: "/k",
			Addresses: []string{"/ip4/10.0.0.1/tcp/1"},
			Kept:      Values{"nick": "kari", "mouse": true, "listen": []string{"/ip4/127.0.0.1/tcp/0"}, "time": "15:04:05"}},
		{Name: "hall", Kept: Values{}},
	}
	if err := p.changeRooms(func([]Room) ([]Room, error) { return rooms, nil }); err != nil {
		t.Fatal(err)
	}
	back, err := p.Rooms()
	if err != nil || !reflect.DeepEqual(back, rooms) {
		t.Errorf("%+v, %v", back, err)
	}
	path, _ := p.RoomsPath()
	for text, code := range map[string]string{"[[room]]\nname = \"x\"\nmouse = \"on\"\n": "file-damaged",
		"[[room]]\nnothing = 1\n": "config", "[[room]]\nmdns = true\n": "config", "x": "file-damaged"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Rooms(); err == nil || cli.Describe(err).Code != code {
			t.Errorf("%q: %v", text, err)
		}
	}
}
