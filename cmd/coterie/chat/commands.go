package chat

import (
	"slices"
	"strings"
	"time"

	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// A Command is something that the user wants: one of the types below. Where a peer stands,
// its id, its tag or a name that one member has will do. What is done is in obey.go.
type Command interface{ do(visit) }

type (
	// Say sends a message. Ref comes back with what became of it. To: only those can read it
	// whose key satisfies this policy. About: it is about a message, and this is its kind, of 6
	// to 9; Which is the id of that message, or if Typed the text says at its beginning which. Back:
	// it is a reaction that is taken back.
	Say struct {
		Ref    any
		Text   string
		Action bool
		To     string
		About  byte
		Which  string
		Typed  bool
		Back   bool
	}
	// Quit goes away, after waiting for at most Linger until somebody has what was said. End: it
	// is the input that is over; the user said nothing of going. Leave: for good.
	Quit struct {
		Linger     time.Duration
		End, Leave bool
	}
	// Bad is a line that says nothing this version knows.
	Bad struct{ Err *cli.Error }

	// These are answered by a text.
	Who     struct{}
	Info    struct{}
	Status  struct{}
	Whois   struct{ Who string }
	Link    struct{}
	Help    struct{ Word string }
	Peers   struct{}
	Ignores struct{}
	To      struct{ Expr string } // whom words for a policy would be for
	// Questions are those from outside; Reply answers one.
	Questions struct{ Ref any }
	Reply     struct {
		Number int
		Text   string
	}

	// Nick: what the user calls themselves now.
	Nick struct{ Name string }
	// Rekey asks for new keys.
	Rekey struct{}
	// Drop gives up on what is held; SendHeld sends what has waited for a word; ShowHeld says what
	// there is.
	Drop     struct{}
	SendHeld struct{}
	ShowHeld struct{ Ref any }
	// Ping measures the way to a peer.
	Ping struct{ Who string }
	// Prove asks a peer to prove a policy. Without Expr, the policy stands behind the name.
	Prove struct{ Who, Expr string }
	// Allow answers a question: the one with an id, that of a peer, or the only one.
	Allow struct {
		ID, Who string
		Allow   bool
	}
	// Ignore hides what a peer says, or shows it again.
	Ignore struct {
		Who string
		On  bool
	}
	// Cut goes on without a peer, or with it again.
	Cut struct {
		Who string
		On  bool
	}
	// Notice takes the domain's notice in a file, and passes it on.
	Notice struct{ File string }
	// Search looks through what was said, in memory too unless OnDisk. From is a peer, or
	// with Begin what its name begins with.
	Search struct {
		Ref           any
		Words, From   string
		Begin, OnDisk bool
		After, Before time.Time // exclusive; zeros: none
		Limit         int
	}
	// Older reads back Count messages from before a time, or all since another, if those are
	// more.
	Older struct {
		Before, Since time.Time
		Count         int
	}
	// Set changes a setting of this room.
	Set struct{ Name, Value string }
	// File sends a file. Ref is as in Say. Fetch has one fetched, by the id of its message; Save
	// does that, too, and then saves it: by that id, or by the number that it was shown with. Paths
	// are absolute; one that ends in a separator, or is a folder, is where the file goes by its own
	// name. Stop has one fetched no more, by either. Files lists them.
	File struct {
		Ref  any
		Path string
	}
	Fetch struct{ ID ake.Hash }
	Save  struct {
		ID     ake.Hash
		Number int
		Path   string
	}
	Stop struct {
		ID     ake.Hash
		Number int
	}
	Files struct{}
	// Export writes what was said to a new file.
	Export struct{ File string }
	// MarkUnread keeps where the unread mark is. A zero ID: nowhere.
	MarkUnread struct {
		ID ake.Hash
		At time.Time
	}
	// Debug begins or ends telling the log as it runs.
	Debug struct{ On bool }
	// Forget leaves, and erases what this computer has of the room.
	Forget struct{}
)

// A Slash is a command as it is typed: what follows its name is in capitals if it is needed,
// in brackets if not.
type Slash struct {
	Name, Args, Help string
	Make             func(args string) Command
}

// Slashes are the commands that every face has, in the order of /help. A face may have more,
// of its own.
var Slashes = []Slash{
	{"help", "[COMMAND]", "this, or one command", func(s string) Command { return Help{s} }},
	{"quit", "", "go away, or with coterie up close the window; what is said is kept for you (not with --ephemeral)",
		func(string) Command { return Quit{} }},
	{"leave", "", "leave the room for good", func(string) Command { return Quit{Leave: true} }},
	{"me", "WORDS", "say what you do", func(s string) Command { return Say{Text: s, Action: true} }},
	{"to", "POLICY [WORDS]", "say it to those alone whose key satisfies a policy", ParseTo},
	{"reply", "WHICH WORDS", "answer a message: WHICH is who said it last, or #N (/recent)", about(record.KindReply)},
	{"react", "[WHICH] EMOJI", "react to a message; alone, to the last one of another", about(record.KindReaction)},
	{"unreact", "[WHICH]", "take your reaction back",
		func(s string) Command { return Say{About: record.KindReaction, Text: s, Typed: true, Back: true} }},
	{"edit", "[#N] WORDS", "other words for what you said last; who has read it has read it", about(record.KindEdit)},
	{"withdraw", "[#N]", "withdraw what you said last; who has read it has read it", about(record.KindWithdrawal)},
	{"recent", "[N]", "the last messages, and their numbers", parseRecent},
	{"export", "FILE", "all that is kept of what was said: as text, or JSON lines if FILE ends in .json",
		func(s string) Command { return Export{s} }},
	{"who", "", "who can read, how they are reached, what they have", func(string) Command { return Who{} }},
	{"info", "", "room, domain, policy, your way in, history, keys", func(string) Command { return Info{} }},
	{"link", "", "the room's link, to invite others", func(string) Command { return Link{} }},
	{"status", "", "what works and what does not", func(string) Command { return Status{} }},
	{"nick", "NAME", "call yourself something else", func(s string) Command { return Nick{s} }},
	{"whois", "WHO", "full peer id, six words, first seen, names used, proofs",
		func(s string) Command { return Whois{s} }},
	{"peers", "", "every connection, its path and relay", func(string) Command { return Peers{} }},
	{"ping", "WHO", "how long a member takes to answer", func(s string) Command { return Ping{s} }},
	{"prove", "WHO POLICY", "ask a member to prove a policy to you alone",
		func(s string) Command { return Prove{Who: s} }},
	{"yes", "[WHO]", "allow the proof you are asked for", func(s string) Command { return Allow{Who: s, Allow: true} }},
	{"no", "[WHO]", "do not allow it", func(s string) Command { return Allow{Who: s} }},
	{"questions", "", "what was asked from outside, and what was answered", func(string) Command { return Questions{} }},
	{"answer", "N WORDS", "answer a question from outside; its asker reads it", ParseReply},
	{"file", "PATH", "send a file, up to 32 MiB", func(s string) Command { return File{Path: Path(s)} }},
	{"files", "", "the files that were sent, and what is here of them", func(string) Command { return Files{} }},
	{"save", "N [PATH]", "save file N, fetching it if need be; nothing is overwritten", parseSave},
	{"stop", "N", "fetch file N no more", parseStop},
	{"search", "WORDS", "in what was said", func(s string) Command { return Search{Words: s, Limit: 20} }},
	{"ignore", "WHO", "show nothing more of a peer", func(s string) Command { return Ignore{s, true} }},
	{"unignore", "WHO", "show it again", func(s string) Command { return Ignore{s, false} }},
	{"ignores", "", "whom you ignore", func(string) Command { return Ignores{} }},
	{"cut", "WHO", "go on without a peer, and those it alone let in", func(s string) Command { return Cut{s, true} }},
	{"uncut", "WHO", "go on with it again", func(s string) Command { return Cut{s, false} }},
	{"notify", "all|names|none", "what is notified of, for this room",
		func(s string) Command { return Set{"notify", s} }},
	{"set", "[NAME VALUE]", "a setting of this room; alone: which there are", func(s string) Command {
		name, value, _ := strings.Cut(s, " ")
		return Set{name, strings.TrimSpace(value)}
	}},
	{"notice", "FILE", "take the domain's notice of a revoked key",
		func(s string) Command { return Notice{s} }},
	{"rekey", "", "new keys now", func(string) Command { return Rekey{} }},
	{"held", "", "the messages that wait to be sent", func(string) Command { return ShowHeld{} }},
	{"send", "", "send what has waited for your word", func(string) Command { return SendHeld{} }},
	{"drop", "", "give up on the messages that are held", func(string) Command { return Drop{} }},
}

// Parse reads what is typed: a message, or a command after a slash. Two slashes begin a
// message with one. A command that is not known is never sent as text.
func Parse(s string) Command {
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		return Say{Text: "/" + rest}
	}
	if !strings.HasPrefix(s, "/") {
		if bad := StrayTo(s); bad != nil {
			return Bad{bad}
		}
		return Say{Text: s}
	}
	word, args := Words(s)
	i := slices.IndexFunc(Slashes, func(c Slash) bool { return c.Name == word })
	if i < 0 {
		return Bad{NoCommand(word, Slashes)}
	}
	c := Slashes[i]
	if err := c.Check(args); err != nil {
		return Bad{err}
	}
	return c.Make(args)
}

// Words splits a command: its name, and what follows.
func Words(s string) (name, args string) {
	name, args, _ = strings.Cut(strings.TrimPrefix(s, "/"), " ")
	return name, strings.TrimSpace(args)
}

// Check says what is wrong with what follows a command's name.
func (c *Slash) Check(args string) *cli.Error {
	needed, _, _ := strings.Cut(c.Args, "[")
	if n := len(strings.Fields(needed)); len(strings.Fields(args)) < n || c.Args == "" && args != "" {
		return cli.Fail("bad-input", "usage: /%s", strings.TrimSpace(c.Name+" "+c.Args)).Hint("%s", c.Help)
	}
	return nil
}
