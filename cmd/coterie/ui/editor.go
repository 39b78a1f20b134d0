package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"coterie/cmd/internal/text"
)

// An editor is the input: clusters of characters, and a cursor between them. Its
// keys are readline's.
type editor struct {
	chars  []string
	at     int
	killed string
	undo   []snapshot
	typing bool // the last change was typing: further typing is one with it
}

type snapshot struct {
	chars []string
	at    int
}

// maxUndo is how many changes can be taken back.
const maxUndo = 200

func (e *editor) String() string { return strings.Join(e.chars, "") }

func (e *editor) empty() bool { return len(e.chars) == 0 }

// clusters splits clean text into what a cursor moves over.
func clusters(s string) []string {
	out := make([]string, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] < 0x80 && (i+1 == len(s) || s[i+1] < 0x80) {
			out = append(out, s[i:i+1])
			i++
			continue
		}
		c, _ := ansi.FirstGraphemeCluster(s[i:], ansi.GraphemeWidth)
		if c == "" {
			break
		}
		out = append(out, c)
		i += len(c)
	}
	return out
}

// save keeps what is there for undo.
func (e *editor) save(typing bool) {
	if typing && e.typing {
		return
	}
	e.typing = typing
	if e.undo = append(e.undo, snapshot{append([]string(nil), e.chars...), e.at}); len(e.undo) > maxUndo {
		e.undo = e.undo[1:]
	}
}

func (e *editor) undoLast() {
	if n := len(e.undo); n > 0 {
		e.chars, e.at = e.undo[n-1].chars, e.undo[n-1].at
		e.undo, e.typing = e.undo[:n-1], false
	}
}

// set replaces all of the text.
func (e *editor) set(s string) {
	e.save(false)
	clean, _ := text.Clean(s)
	e.chars = clusters(clean)
	e.at = len(e.chars)
}

// clear empties the input for the next message: there is nothing to undo.
func (e *editor) clear() {
	e.chars, e.at, e.undo, e.typing = nil, 0, nil, false
}

// insert puts text at the cursor, cleaned together with what is around it: a mark
// that is typed on its own joins the letter before it.
func (e *editor) insert(s string, typed bool) {
	if e.at == len(e.chars) && isASCII(s) {
		if s, _ = text.Clean(s); s != "" {
			e.save(typed)
			e.chars = append(e.chars, clusters(s)...)
			e.at = len(e.chars)
		}
		return
	}
	was := strings.Join(e.chars[:e.at], "")
	before, _ := text.Clean(was + s)
	if before == was {
		return
	}
	e.save(typed)
	all, _ := text.Clean(was + s + strings.Join(e.chars[e.at:], ""))
	e.chars = clusters(all)
	// The cursor is behind what was inserted.
	n := 0
	for e.at = 0; e.at < len(e.chars) && n < len(before); e.at++ {
		n += len(e.chars[e.at])
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// remove deletes from i to j.
func (e *editor) remove(i, j int) string {
	i, j = max(i, 0), min(j, len(e.chars))
	if i >= j {
		return ""
	}
	e.save(false)
	gone := strings.Join(e.chars[i:j], "")
	e.chars = append(append([]string(nil), e.chars[:i]...), e.chars[j:]...)
	e.at = i
	return gone
}

func (e *editor) kill(i, j int) {
	if gone := e.remove(i, j); gone != "" {
		e.killed = gone
	}
}

// lineStart and lineEnd are those of the line the cursor is in.
func (e *editor) lineStart() int {
	for i := e.at; i > 0; i-- {
		if e.chars[i-1] == "\n" {
			return i
		}
	}
	return 0
}

func (e *editor) lineEnd() int {
	for i := e.at; i < len(e.chars); i++ {
		if e.chars[i] == "\n" {
			return i
		}
	}
	return len(e.chars)
}

func wordChar(c string) bool {
	return c != " " && c != "\n" && !strings.ContainsAny(c, `"'()[]{},.;:!?/\|<>=+*&`)
}

func (e *editor) wordLeft() int {
	i := e.at
	for i > 0 && !wordChar(e.chars[i-1]) {
		i--
	}
	for i > 0 && wordChar(e.chars[i-1]) {
		i--
	}
	return i
}

func (e *editor) wordRight() int {
	i := e.at
	for i < len(e.chars) && !wordChar(e.chars[i]) {
		i++
	}
	for i < len(e.chars) && wordChar(e.chars[i]) {
		i++
	}
	return i
}

// spaceLeft is where a word begins for Ctrl+W: behind a space.
func (e *editor) spaceLeft() int {
	i := e.at
	for i > 0 && (e.chars[i-1] == " " || e.chars[i-1] == "\n") {
		i--
	}
	for i > 0 && e.chars[i-1] != " " && e.chars[i-1] != "\n" {
		i--
	}
	return i
}

// key does what an editing key does; it returns false for others.
func (e *editor) key(k string) bool {
	switch k {
	case "left", "ctrl+b":
		e.at = max(e.at-1, 0)
	case "right":
		e.at = min(e.at+1, len(e.chars))
	case "home", "ctrl+a":
		e.at = e.lineStart()
	case "end", "ctrl+e":
		e.at = e.lineEnd()
	case "alt+b", "ctrl+left", "alt+left":
		e.at = e.wordLeft()
	case "alt+f", "ctrl+right", "alt+right":
		e.at = e.wordRight()
	case "backspace", "ctrl+h":
		e.remove(e.at-1, e.at)
	case "delete", "ctrl+d":
		if e.at < len(e.chars) {
			e.remove(e.at, e.at+1)
		}
	case "alt+d":
		e.kill(e.at, e.wordRight())
	case "alt+backspace", "ctrl+backspace":
		e.kill(e.wordLeft(), e.at)
	case "ctrl+w":
		e.kill(e.spaceLeft(), e.at)
	case "ctrl+u":
		e.kill(e.lineStart(), e.at)
	case "ctrl+k":
		e.kill(e.at, e.lineEnd())
	case "ctrl+y":
		e.insert(e.killed, false)
	case "ctrl+_", "ctrl+/", "ctrl+shift+-":
		e.undoLast()
	default:
		return false
	}
	return true
}

// A cell is where the cursor is on the input's rows.
type cell struct{ row, col int }

// layout breaks the input into rows of a width, and says where each cluster
// begins; the last place is the end.
func (e *editor) layout(width int, m text.Method, show func(string) string) (rows []string, places []cell) {
	width = max(width, 1)
	var line strings.Builder
	col := 0
	flush := func() {
		rows = append(rows, line.String())
		line.Reset()
		col = 0
	}
	places = make([]cell, 0, len(e.chars)+1)
	for _, c := range e.chars {
		if c == "\n" {
			places = append(places, cell{len(rows), col})
			flush()
			continue
		}
		s, w := c, 1
		if len(c) > 1 {
			s = show(c)
			if w = m.StringWidth(s); w > width {
				s, w = "?", 1
			}
		}
		if col+w > width {
			flush()
		}
		places = append(places, cell{len(rows), col})
		line.WriteString(s)
		col += w
	}
	if col >= width {
		flush()
	}
	places = append(places, cell{len(rows), col})
	return append(rows, line.String()), places
}

// vertical moves the cursor a row up or down; it returns false at the edge.
func (e *editor) vertical(by, width int, m text.Method, show func(string) string) bool {
	_, places := e.layout(width, m, show)
	here := places[e.at]
	target := here.row + by
	best := -1
	for i, p := range places {
		if p.row == target && (best < 0 || p.col <= here.col) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	e.at = best
	return true
}

// history is earlier input.
type history struct {
	lines []string
	at    int    // len(lines): what is being typed
	draft string // that, while one looks at others
}

// maxHistory is how much earlier input is remembered.
const maxHistory = 500

func (h *history) add(s string) {
	if s == "" {
		return
	}
	if n := len(h.lines); n == 0 || h.lines[n-1] != s {
		if h.lines = append(h.lines, s); len(h.lines) > maxHistory {
			h.lines = h.lines[1:]
		}
	}
	h.at = len(h.lines)
}

// move goes to earlier or later input.
func (h *history) move(by int, now string) (string, bool) {
	to := h.at + by
	if to < 0 || to > len(h.lines) {
		return "", false
	}
	if h.at == len(h.lines) {
		h.draft = now
	}
	h.at = to
	if to == len(h.lines) {
		return h.draft, true
	}
	return h.lines[to], true
}
