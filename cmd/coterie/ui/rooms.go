package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coterie/cmd/internal/text"
)

const (
	// listWidth is that of the list of rooms, with the line behind it.
	listWidth = 18
	// foldWidth is up to how many columns the header has the list in it.
	foldWidth = 80
	// maxKeys is how many rooms have a key.
	maxKeys = 9
)

// Windows are the interface of all rooms: a model for each, one of which is looked at. What is
// typed in one stays there.
type windows struct {
	rooms         []place
	at            int // which is looked at
	width, height int
	focused       bool
	method        text.Method
	ended         bool
	held          bool // another room is looked at than a moment ago: keys wait for Enter
}

// A place is a room's on the screen.
type place struct {
	of *Seat
	m  *Model
}

// Messages to the screen.
type (
	// seated is a message for one room's model, batch are several.
	seated struct {
		of   *Seat
		what any
	}
	batch []seated
	// seatTaken: a room has come; seatLeft: it is shown no more, for a reason, or nil.
	seatTaken struct{ m *Model }
	seatLeft  struct{ why *Trouble }
)

func newWindows(of *Seat, m *Model) *windows {
	return &windows{rooms: []place{{of, m}}, focused: true, method: m.method}
}

// Init is of tea.Model.
func (s *windows) Init() tea.Cmd { return s.rooms[0].m.Init() }

func (s *windows) now() *Model { return s.rooms[s.at].m }

// Update is of tea.Model.
func (s *windows) Update(msg tea.Msg) (tea.Model, tea.Cmd) { return s, s.take(msg) }

func (s *windows) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case batch:
		var cmds []tea.Cmd
		for _, one := range msg {
			cmds = append(cmds, s.take(one))
		}
		return tea.Batch(slices.DeleteFunc(cmds, func(c tea.Cmd) bool { return c == nil })...)
	case seated:
		return s.forOne(msg)
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
		s.fit()
		return nil
	case tea.ModeReportMsg:
		cmd := s.update(s.now(), msg)
		s.method = s.now().method
		for _, p := range s.rooms {
			p.m.method = s.method
		}
		return cmd
	case tick:
		for _, p := range s.rooms {
			p.m.dirty = true
			p.m.unread.seen(p.m)
		}
		return s.now().nextTick()
	case tea.FocusMsg:
		s.focused = true
	case tea.BlurMsg:
		s.focused = false
	case tea.KeyPressMsg:
		if s.key(msg.String()) {
			s.held = false
			return nil
		}
		if s.held && msg.String() != "ctrl+c" {
			s.held = msg.String() != "enter" && msg.String() != "kpenter"
			return nil
		}
		s.held = false
	case tea.PasteMsg:
		if s.held {
			return nil
		}
	}
	return s.update(s.now(), msg)
}

func (s *windows) update(m *Model, msg tea.Msg) tea.Cmd {
	_, cmd := m.Update(msg)
	return cmd
}

func (s *windows) forOne(msg seated) tea.Cmd {
	i := slices.IndexFunc(s.rooms, func(p place) bool { return p.of == msg.of })
	switch what := msg.what.(type) {
	case seatTaken:
		what.m.method = s.method
		if len(s.rooms) > 0 {
			what.m.unread.blur(what.m)
		}
		s.rooms = append(s.rooms, place{msg.of, what.m})
		s.fit()
		return nil
	case seatLeft:
		if i < 0 {
			return nil
		}
		if len(s.rooms) == 1 {
			s.ended = true
			return tea.Quit
		}
		gone := s.rooms[i].m
		looked := i == s.at
		s.rooms = slices.Delete(s.rooms, i, i+1)
		if s.at > i || s.at == len(s.rooms) {
			s.at--
		}
		s.look(s.at)
		s.fit()
		if what.why != nil {
			s.now().trouble(*what.why)
		}
		if looked { // what is being typed is not for another room
			s.now().note("%s is shown no more, and this is %s; Enter goes on", gone.shown(gone.cfg.Name),
				s.now().shown(s.now().cfg.Name))
			s.held = true
		}
		return nil
	}
	if i < 0 {
		return nil // it is shown no more
	}
	if t, ok := msg.what.(Trouble); ok && i != s.at {
		s.now().trouble(t) // else nobody sees it
		s.now().dirty = true
	}
	return s.update(s.rooms[i].m, msg.what)
}

// key takes a key that is about the rooms.
func (s *windows) key(name string) bool {
	if len(s.rooms) < 2 || s.now().bare {
		return false
	}
	switch a := s.now().action(name); {
	case strings.HasPrefix(a, "room-"):
		if n := int(a[len(a)-1] - '1'); n < len(s.rooms) {
			s.look(n)
		}
		return true
	case a == "next-news":
		s.look(s.news())
		return true
	}
	return false
}

// news is the next room with something new that names the user, or with anything new, or the
// one that is looked at.
func (s *windows) news() int {
	for _, named := range []bool{true, false} {
		for d := 1; d < len(s.rooms); d++ {
			i := (s.at + d) % len(s.rooms)
			if count, mentions := s.rooms[i].m.unread.counts(); mentions > 0 || count > 0 && !named {
				return i
			}
		}
	}
	return s.at
}

// look has one of the rooms looked at.
func (s *windows) look(at int) {
	if at != s.at && s.at < len(s.rooms) {
		old := s.now()
		old.unread.blur(old)
	}
	s.at = at
	m := s.now()
	if m.dirty = true; s.focused {
		m.unread.focus(m)
	}
	s.mentionOthers()
}

// counts are how many messages are new, and how many of them name the user.
func (u *unread) counts() (count, mentions int) {
	if u.mark == 0 {
		return 0, 0
	}
	return u.count, u.mentions
}

// listed reports whether the rooms have a list beside the one that is looked at.
func (s *windows) listed() bool {
	return len(s.rooms) > 1 && s.width > foldWidth && s.height >= minHeight
}

// fit gives each room the size it has on the screen.
func (s *windows) fit() {
	width := s.width
	if s.listed() {
		width -= listWidth
	}
	if s.width > 0 {
		for _, p := range s.rooms {
			s.update(p.m, tea.WindowSizeMsg{Width: width, Height: s.height})
		}
	}
}

// tabs are which of several rooms it is that is looked at, and what is new in the others.
type tabs struct{ long, short string }

// mentionOthers has the header of the room that is looked at say what is new in the others, where
// there is no list.
func (s *windows) mentionOthers() {
	var now tabs
	if len(s.rooms) > 1 && !s.listed() {
		now.long = fmt.Sprintf("%d/%d", s.at+1, len(s.rooms))
		now.short = now.long
		count, mentions := 0, 0
		for i, p := range s.rooms {
			if news := p.m.newsText(); news != "" && i != s.at {
				now.long += fmt.Sprintf("  %d:%s %s", i+1, text.Truncate(p.m.cfg.Name, 10, s.method), news)
				c, n := p.m.unread.counts()
				count, mentions = count+c, mentions+n
			}
		}
		if news := newsText(count, mentions); news != "" {
			now.short += " " + news
		}
	}
	if m := s.now(); m.tabs != now {
		m.tabs, m.dirty = now, true
	}
}

// newsText is how much is new: 3! of those that name the user, else how many.
func (m *Model) newsText() string { return newsText(m.unread.counts()) }

func newsText(count, mentions int) string {
	switch {
	case mentions > 0:
		return fmt.Sprintf("%d!", mentions)
	case count > 0:
		return fmt.Sprint(count)
	}
	return ""
}

// View is of tea.Model.
func (s *windows) View() tea.View {
	m := s.now()
	s.mentionOthers()
	v := m.View()
	if len(s.rooms) == 1 {
		return v
	}
	if v.WindowTitle != "" {
		v.WindowTitle = s.title()
	}
	if !s.listed() || m.bare || s.ended || m.quit {
		return v
	}
	rows := s.list(s.height)
	lines := strings.Split(v.Content, "\n")
	var b strings.Builder
	for y := range max(len(rows), len(lines)) {
		if y > 0 {
			b.WriteByte('\n')
		}
		if y < len(rows) {
			b.WriteString(rows[y])
		}
		if y < len(lines) {
			b.WriteString(lines[y])
		}
	}
	v.Content = b.String()
	if v.Cursor != nil {
		c := *v.Cursor
		c.X += listWidth
		v.Cursor = &c
	}
	return v
}

// title is the window's: what is new in all rooms.
func (s *windows) title() string {
	count, mentions := 0, 0
	for _, p := range s.rooms {
		c, n := p.m.unread.counts()
		count, mentions = count+c, mentions+n
	}
	name := s.now().cfg.Name
	switch {
	case mentions > 0:
		return fmt.Sprintf("(%d!) %s", mentions, name)
	case count > 0:
		return fmt.Sprintf("(%d) %s", count, name)
	}
	return name
}

// list are the rows of the list of rooms, each of listWidth cells.
func (s *windows) list(height int) []string {
	style := s.now().style
	room := height - 2
	first := max(min(s.at-room/2, len(s.rooms)-room), 0)
	out := []string{s.cell(" Rooms", "", style, nil), s.cell("", "", style, nil)}
	for i := first; i < len(s.rooms) && len(out) < height; i++ {
		m := s.rooms[i].m
		mark, key := " ", " "
		if i == s.at {
			mark = ">"
		}
		if i < maxKeys {
			key = fmt.Sprint(i + 1)
		}
		paint := func(t string) string { return t }
		switch _, mentions := m.unread.counts(); {
		case mentions > 0:
			paint = warn
		case i == s.at:
			paint = bold
		}
		out = append(out, s.cell(mark+key+" "+m.cfg.Name, m.newsText(), style, paint))
	}
	for len(out) < height {
		out = append(out, s.cell("", "", style, nil))
	}
	return out
}

// cell is a row of the list: words, and a number at its end.
func (s *windows) cell(words, number string, style style, paint func(string) string) string {
	width := listWidth - 2
	if number != "" {
		width -= len(number) + 1
	}
	words = text.Truncate(words, width, s.method)
	row := words + strings.Repeat(" ", max(listWidth-2-s.method.StringWidth(words)-len(number), 0)) + number
	if paint != nil {
		row = paint(row)
	}
	return row + " " + style.down
}
