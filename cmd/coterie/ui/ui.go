package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
)

// Config is what the interface is for, and how it is used.
type Config struct {
	chat.About
	// Intro are the finished lines that were printed before.
	Intro []string

	// Unread is the first message that was new when the room was left, and since
	// when; zeros: there was none.
	Unread      ake.Hash
	UnreadSince time.Time

	// ASCII: the terminal does not show UTF-8.
	ASCII bool
	// Notify is "names", "all" or "none".
	Notify string
	// NotifyText: notifications hold what was said.
	NotifyText bool
	// NotifyCommand is the user's own, started for each.
	NotifyCommand []string
	// NoTitle leaves the window's title alone.
	NoTitle bool
	// Mouse takes the mouse from the terminal.
	Mouse bool
	// Clock is the layout of times; empty: 15:04.
	Clock string
	// Desktop is how the terminal is asked for a notification: "9", "777", "99", or
	// empty for the bell alone. Tmux wraps it.
	Desktop string
	Tmux    bool
	// OwnSecret reports whether a text has a line of the member's own identity file
	// in it; nil: nobody knows.
	OwnSecret func(string) bool
	// Keys are other keys for actions, by name.
	Keys map[string]string
	// Lines is how many entries are kept in memory; 0: 10,000.
	Lines int
	// Now is the clock; nil: the computer's.
	Now func() time.Time
}

// Backend is the way outside. Its methods return at once: what comes of them
// arrives as messages.
type Backend interface {
	// Do has the room do something. Events follow.
	Do(chat.Command)
	// Run does something outside of the room.
	Run(Errand)
}

// An Errand leads outside, and not to the room: one of the types below.
type Errand any

// Errands.
type (
	// Save writes the scrollback to a file. A Note follows.
	Save struct{ Path, Text string }
	// Edit opens the user's editor on a text. Edited follows.
	Edit struct{ Text string }
	// CompleteFile asks for files that begin so. Files follows.
	CompleteFile struct{ Begin string }
	// Notified: a notification is due; for a command of the user's own.
	Notified struct {
		Nick  string
		Count int
	}
	// DrawQR draws a text. A Panel follows.
	DrawQR struct{ Text string }
)

// Messages from the backend, besides chat.Event.
type (
	// Events are several messages at once, in their order.
	Events []any
	// Note is a line from Coterie itself, Trouble one that needs attention.
	Note    struct{ Text string }
	Trouble struct {
		Text  string
		Hints []string
	}
	// Panel is a text to be read.
	Panel struct {
		Title string
		Lines []string
	}
	// Edited is what the user's editor left.
	Edited struct {
		Text string
		Err  string
	}
	// Files are completions.
	Files []string
)

// tick is the message that the model sends itself.
type tick struct{ at time.Time }

const (
	defaultLines = 10_000
	second       = time.Second
)

// Model is the interface. Update and View are for one goroutine: bubbletea's.
type Model struct {
	cfg   Config
	out   Backend
	room  *chat.State
	style style
	quit  bool

	width, height int
	method        text.Method
	colours       map[peer.ID]int // of names, by place in nickColours

	log    scroll
	epochs epochs

	input editor
	own   history
	send  sender
	guard guard
	asks  []ask
	begun time.Time // what stands on the input line
	tab   completion
	find  *search
	// searches counts the questions for the disk.
	searches int
	rfind    *ownSearch
	panel    *panel
	debug    debugLog
	who      bool // the members are shown over the messages
	bare     bool
	picked   *entry     // the message about which a key says something
	about    *composing // what the input is about; nil: nothing
	answers  *entry     // the message that what is being told answers
	unread   unread

	ctrlC time.Time
	past  time.Time // of the event being taken, if it was before this face came
	tabs  tabs
	dirty bool
	frame tea.View
}

// New returns a model with nothing in it but the lines of the beginning.
func New(cfg Config, out Backend) *Model {
	if cfg.Lines == 0 {
		cfg.Lines = defaultLines
	}
	if cfg.Notify == "" {
		cfg.Notify = "names"
	}
	m := &Model{
		cfg: cfg, out: out, room: chat.NewState(cfg.About, cfg.now()), style: newStyle(cfg.ASCII), method: text.ByRune,
		dirty: true,
	}
	if cfg.Clock != "" {
		m.room.Clock = cfg.Clock
	}
	m.cfg.Name, m.cfg.Domain = m.clean(cfg.Name), m.clean(cfg.Domain)
	m.log.limit = cfg.Lines
	m.unread.focused = true
	m.send.pending = make(map[any]*entry)
	for _, l := range cfg.Intro {
		m.log.add(&entry{kind: kindIntro, text: m.clean(l)})
	}
	return m
}

// Init asks for the clock, and whether the terminal marks pastes.
func (m *Model) Init() tea.Cmd {
	return tea.Batch(m.nextTick(), tea.Raw(ansi.RequestModeBracketedPaste))
}

func (m *Model) nextTick() tea.Cmd {
	return tea.Tick(second, func(t time.Time) tea.Msg { return tick{t} })
}

func (m *Model) now() time.Time { return m.cfg.now() }

// at is when what is being taken happened.
func (m *Model) at() time.Time {
	if m.past.IsZero() {
		return m.now()
	}
	return m.past
}

func (c *Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// clean makes one line of text from elsewhere fit for this terminal.
func (m *Model) clean(s string) string {
	c, _ := text.Line(s)
	return m.shown(c)
}

// shown is clean text as this terminal can show it.
func (m *Model) shown(s string) string {
	if m.cfg.ASCII {
		return text.ASCII(s)
	}
	return s
}

// name is a peer for people.
func (m *Model) name(p peer.ID) string { return m.shown(m.room.Names.Show(p)) }
