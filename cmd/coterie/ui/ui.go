package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
)

// Config is what the interface shows of what does not change.
type Config struct {
	// Room and Domain are names, RoomID and DomainID fingerprints.
	Room, RoomID, Domain, DomainID string
	// Policy is the room's, Through the part of it that lets this peer in.
	Policy, Through string
	// KeyDays is how many more days the key is valid, at the beginning.
	KeyDays int
	// History is how far back newcomers may read; Kept: what is said is kept on
	// this computer.
	History time.Duration
	Kept    bool

	Self peer.ID
	Nick string
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
	// Send hands a message to the room. The room's events about it carry ref; if it
	// is not taken, Rejected does.
	Send(ref any, text string, action bool)
	// Do starts something.
	Do(Command)
}

// A Command is something for the backend to do: one of the types below.
type Command any

// Commands.
type (
	// Quit: the user leaves.
	Quit struct{}
	// SetNick: what the user calls themselves now.
	SetNick struct{ Name string }
	// Rekey asks for a new epoch.
	Rekey struct{}
	// Drop gives up on what is held. Rejected follows for each message.
	Drop struct{}
	// Look asks for a Snapshot.
	Look struct{}
	// Prove asks a peer to prove that it satisfies a policy.
	Prove struct {
		Peer peer.ID
		Expr string
	}
	// Allow answers a question: Question.
	Allow struct {
		ID    string
		Allow bool
	}
	// Ping measures the way to a peer; a Note follows.
	Ping struct{ Peer peer.ID }
	// Link asks for the room's link: "", "qr" or "copy". An Answer follows.
	Link struct{ How string }
	// Whois asks for what is known of a peer besides what is on the screen.
	Whois struct{ Peer peer.ID }
	// Older asks for Count messages before a time, or for all since another, if
	// those are more. Past follows, perhaps with fewer.
	Older struct {
		Before, Since time.Time
		Count         int
	}
	// Search looks through what is kept, for folded words; From is for another
	// goroutine, and nil for everybody. Found follows, with the same N.
	Search struct {
		N             int
		Words         string
		From          func(room.Member) bool
		After, Before time.Time // from this one on; up to this one
		Ignored       map[peer.ID]bool
		Limit         int
	}
	// Ignore hides a peer, or shows it again.
	Ignore struct {
		Peer peer.ID
		On   bool
	}
	// Cut goes on without a peer, or with it again; room.Cut follows.
	Cut struct {
		Peer peer.ID
		On   bool
	}
	// Save writes the scrollback to a file.
	Save struct{ Path, Text string }
	// Forget leaves, and erases the room's history on this computer.
	Forget struct{}
	// Set changes a setting for this and, where it can be kept, later runs. A Note
	// follows.
	Set struct{ Name, Value string }
	// Mark keeps where the unread mark is; a zero ID: nowhere.
	Mark struct {
		ID ake.Hash
		At time.Time
	}
	// Edit opens the user's editor on a text. Edited follows.
	Edit struct{ Text string }
	// CompleteFile asks for files that begin so. Files follows.
	CompleteFile struct{ Begin string }
	// Notified: a notification is due; for a command of the user's own.
	Notified struct {
		Nick  string
		Count int
	}
	// Debug asks for the log as it runs, or for no more of it. Logged follows.
	Debug struct{ On bool }
)

// Messages from the backend, besides the events of packages room and node.
type (
	// Events are several messages at once, in their order.
	Events []any
	// Rejected: a message was not taken; the text is for people.
	Rejected struct {
		Ref        any
		Code, Text string
		Hints      []string
	}
	// Snapshot is how things stand.
	Snapshot struct {
		Status node.Status
		Facts  health.Facts
		Link   string
	}
	// Note is a line from Coterie itself, Trouble one that needs attention.
	Note    struct{ Text string }
	Trouble struct {
		Text  string
		Hints []string
	}
	// State is a finished line of the beginning: ok   STEP   TEXT.
	State struct{ Step, Text string }
	// Answer is a text to be read; Lines may be cut to the screen's width, unless
	// Wrap.
	Answer struct {
		Title string
		Lines []string
	}
	// Past are older messages, oldest first, with the Since of Older. All: there are
	// none before these.
	Past struct {
		Messages []room.Delivered
		Since    time.Time
		All      bool
	}
	// Found are the newest of what was looked for, newest first.
	Found struct {
		N, Total int
		Messages []room.Delivered
	}
	// Question: somebody asks the user to prove something.
	Question struct {
		ID   string
		Peer peer.ID
		Expr string
	}
	// Proof: what came of a question; Given: it was ours to answer.
	Proof struct {
		Peer   peer.ID
		Expr   string
		OK     bool
		Given  bool
		Reason string
	}
	// Edited is what the user's editor left.
	Edited struct {
		Text string
		Err  string
	}
	// Files are completions.
	Files []string
	// Logged is a line of the log.
	Logged struct{ Line string }
	// Copy puts a text on the clipboard.
	Copy struct{ Text string }
)

// The messages that the model sends itself.
type (
	tick      struct{ at time.Time }
	burstOver struct{ n int }
)

const (
	defaultLines = 10_000
	second       = time.Second
)

// Model is the interface. Update and View are for one goroutine: bubbletea's.
type Model struct {
	cfg   Config
	out   Backend
	names *people.Names
	style style
	quit  bool

	width, height int
	method        text.Method

	log   scroll
	rooms epochs
	snap  Snapshot
	// unanswered are the addresses at which nobody answered when we came, and why.
	unanswered []string
	watch      health.Watch
	refuse     int // peers that did not take our proof since one did
	joined     bool

	input editor
	own   history
	send  sender
	guard guard
	asks  []ask
	tab   completion
	find  *search
	// searches counts the questions for the disk.
	searches int
	rfind    *ownSearch
	panel    *panel
	debug    debugLog
	who      bool // the members are shown over the messages
	bare     bool
	unread   unread

	ignored   map[peer.ID]bool
	about     map[peer.ID][]string // proofs of theirs, and what they were caught at: for /whois
	connected map[peer.ID]bool
	looked    map[peer.ID]string // who was said to look like another, by name
	ctrlC     time.Time
	dirty     bool
	frame     tea.View
}

// New returns a model with nothing in it but the lines of the beginning.
func New(cfg Config, out Backend) *Model {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Lines == 0 {
		cfg.Lines = defaultLines
	}
	if cfg.Clock == "" {
		cfg.Clock = "15:04"
	}
	if cfg.Notify == "" {
		cfg.Notify = "names"
	}
	m := &Model{
		cfg: cfg, out: out, names: people.NewNames(cfg.Self), style: newStyle(cfg.ASCII),
		method: text.ByRune, ignored: make(map[peer.ID]bool), about: make(map[peer.ID][]string), connected: make(map[peer.ID]bool), looked: make(map[peer.ID]string), dirty: true,
	}
	m.cfg.Room, m.cfg.Domain = m.clean(cfg.Room), m.clean(cfg.Domain)
	m.log.limit = cfg.Lines
	m.unread.focused = true
	m.send.pending = make(map[uint64]*entry)
	m.names.Take(cfg.Self, cfg.Nick, cfg.Now())
	m.snap.Facts = health.Facts{KeyDays: cfg.KeyDays}
	for _, l := range cfg.Intro {
		m.log.add(&entry{kind: kindIntro, text: m.clean(l)})
	}
	return m
}

// Init asks for how things stand, and for the clock.
func (m *Model) Init() tea.Cmd {
	m.out.Do(Look{})
	return m.nextTick()
}

func (m *Model) nextTick() tea.Cmd {
	return tea.Tick(second, func(t time.Time) tea.Msg { return tick{t} })
}

func (m *Model) now() time.Time { return m.cfg.Now() }

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
func (m *Model) name(p peer.ID) string { return m.shown(m.names.Show(p)) }

// named is a peer with its tag.
func (m *Model) named(p peer.ID) string {
	tag := m.names.Tag(p)
	if nick := m.names.Nick(p); nick != "" {
		return m.shown(nick) + " " + tag
	}
	return tag
}
