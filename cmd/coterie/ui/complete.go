package ui

import (
	"slices"
	"strings"
)

// completion is Tab: words that begin as the one before the cursor does, one
// after the other.
type completion struct {
	words []string
	at    int
	start int // where the word begins in the input
	after string
	open  bool
	asked bool // files are on their way
}

// next puts the next word there, or the one before.
func (c *completion) next(m *Model, by int) {
	if c.open && len(c.words) > 0 {
		c.at = (c.at + by + len(c.words)) % len(c.words)
		c.put(m)
		return
	}
	before := strings.Join(m.input.chars[:m.input.at], "")
	start := strings.LastIndexAny(before, " \n") + 1
	word := before[start:]
	c.start = len(clusters(before[:start]))
	c.after = " "
	switch {
	case start == 0 && strings.HasPrefix(word, "/") && !strings.HasPrefix(word, "//"):
		for _, s := range slashes() {
			if strings.HasPrefix(s.Name, word[1:]) {
				c.words = append(c.words, "/"+s.Name)
			}
		}
	case m.takesFile(before):
		c.asked = true
		m.out.Run(CompleteFile{Begin: word})
		return
	default:
		for _, n := range m.room.Names.Complete(strings.TrimPrefix(word, "@")) {
			if slices.Contains(m.present(), n) || strings.HasPrefix(before, "/") {
				c.words = append(c.words, n)
			}
		}
		if start == 0 {
			c.after = ": "
		}
	}
	c.begin(m, by)
}

func (c *completion) begin(m *Model, by int) {
	if len(c.words) == 0 {
		return
	}
	c.open = true
	if by < 0 {
		c.at = len(c.words) - 1
	}
	c.put(m)
}

func (c *completion) put(m *Model) {
	m.input.remove(c.start, m.input.at)
	m.input.at = c.start
	m.input.insert(c.words[c.at]+c.after, false)
}

// files takes the answer to CompleteFile.
func (c *completion) files(m *Model, names []string) {
	if !c.asked || c.open {
		return
	}
	c.asked, c.after = false, ""
	for _, n := range names {
		c.words = append(c.words, m.clean(n))
	}
	c.begin(m, 1)
}

func (m *Model) takesFile(before string) bool {
	for _, s := range slashes() {
		if s.file && strings.HasPrefix(before, "/"+s.Name+" ") {
			return true
		}
	}
	return false
}

// present are the shown names of the members, and of who spoke lately.
func (m *Model) present() []string {
	var out []string
	for _, mb := range m.room.Epoch.Members {
		out = append(out, m.room.Names.Show(mb.Peer))
	}
	n := 0
	for i := len(m.log.entries) - 1; i >= 0 && n < 50; i-- {
		if e := m.log.entries[i]; e.kind == kindMessage {
			out = append(out, m.room.Names.Show(e.peer))
			n++
		}
	}
	return out
}
