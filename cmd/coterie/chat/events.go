package chat

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
)

// An Event is something that happened in a room. What is one of the types below, or an
// event of package room or node.
type Event struct {
	Room ake.Hash
	At   time.Time
	What any
	// For is the face that asked for it, of several; nil: it is for all.
	For any
	// When it was, for a face that has come since.
	When When
}

// When is whether something happened before a face came.
type When uint8

// Now, before the face came, or so long before that it is known and not shown.
const (
	Now When = iota
	Before
	Known
)

// What happens besides what packages room and node tell.
type (
	// Ready: the room is open. Joined: it was before, and the event of its epoch comes next.
	Ready struct {
		Addresses []ma.Multiaddr
		Link      string
		Joined    bool
	}
	// Bye: the room was left, and nothing follows.
	Bye struct {
		Reason      string
		Undelivered int  // messages that nobody read, and nobody will
		Code        int  // the exit status
		Away        bool // not for good
		Kept        int  // messages that wait on the disk
		// Stays: this face goes, and the room stays open in another process.
		Stays bool
		// Forgot: nothing of the room is left here but this key file. NotForgotten is why something is.
		Forgot       string
		NotForgotten *cli.Error
	}
	// Warning is trouble that needs no command to be its cause. Calm: it is nobody's fault, and
	// may pass.
	Warning struct {
		Err  *cli.Error
		Calm bool
	}
	// NotDone answers a command that was not done.
	NotDone struct{ Err *cli.Error }
	// Rejected answers a message that was not sent.
	Rejected struct {
		Ref any
		Err *cli.Error
	}
	// Kept answers a message that waits on the disk when the run ends.
	Kept struct{ Ref any }
	// Waiting is how many messages of ours are held; Unsaid, how many of these wait for a word.
	Waiting struct{ N, Unsaid int }
	// StillAlone: nobody has answered for a while.
	StillAlone struct{ Text string }
	// Snapshot is how things stand.
	Snapshot struct {
		Status node.Status
		Link   string
		// Wrong is what is wrong at this moment, whether it lasts or not.
		Wrong []health.Item
	}
	// LinkChanged: others are invited by another link now, since our addresses have changed.
	LinkChanged struct {
		Link  string
		Reach Reach
	}
	// MemberState: nothing was heard of a member for a while, or something again.
	MemberState struct {
		Member  room.Member
		Suspect bool
	}
	// PathChanged: a peer is reached otherwise than before.
	PathChanged struct{ Path node.Path }
	// HealthChanged: something is wrong, or is so no more. Shown is all that is.
	HealthChanged struct {
		Item  health.Item
		On    bool
		Shown []health.Item
	}
	// Answer is a text that was asked for. To is the command.
	Answer struct {
		To    Command
		Title string
		Lines []string
		Held  []room.HeldMessage // to ShowHeld
		// Questions are those that Questions asked for.
		Questions []room.OutsideQuestion
	}
	// Pinged answers Ping.
	Pinged struct{ Path node.Path }
	// ProofAsked: a peer was asked for a proof.
	ProofAsked struct{ Peer peer.ID }
	// Ignored: a peer is ignored, or is so no more.
	Ignored struct {
		Peer peer.ID
		On   bool
	}
	// Dropped: so many held messages were given up.
	Dropped struct{ N int }
	// SendingHeld: so many that had waited for that word go out.
	SendingHeld struct{ N int }
	// SettingKept: a setting was changed. How says for how long.
	SettingKept struct{ Name, Value, How string }
	// Found answers Search, newest first.
	Found struct {
		Ref      any
		Total    int
		Messages []room.Delivered
	}
	// Earlier answers Older, oldest first. Gone: what is not kept any more of that time. All:
	// nothing was said before these.
	Earlier struct {
		Messages []room.Delivered
		Gone     []room.Shortened
		Since    time.Time
		All      bool
	}
	// Fetching: a file is asked for, and is saved when it is here.
	Fetching struct {
		ID   ake.Hash
		File room.FileInfo
	}
	// Saved: a file was saved at Path.
	Saved struct {
		ID   ake.Hash
		File room.FileInfo
		Path string
	}
	// Exported: so many messages were written to a file. Gone are those that are not kept any more;
	// Memory: nothing is kept here, so these are those since the room was opened.
	Exported struct {
		File   string
		Count  int
		Gone   int
		Memory bool
	}
	// Logged is a line of the log.
	Logged struct{ Line string }
)

// A Kind is how a line is to be shown.
type Kind uint8

// The kinds of lines.
const (
	Note     Kind = iota // from Coterie itself
	Aside                // the same, about the line before
	Alarm                // to look at
	Step                 // done, on the way into the room
	Standing             // what a face that has room shows all the time
	Trying               // not done yet
	Warn                 // a warning
	Calm                 // a warning of what is nobody's fault, and may pass
	Missing              // messages are missing
	Arrived              // they are not
	Mark                 // about a message of one's own, for whoever cannot mark it
	Question             // somebody asks for a proof
	Above                // about the message of the event: what it answers
	Below                // the same, or of one before, for whoever cannot draw it there
)

// A Line is what is said of an event.
type Line struct {
	Kind    Kind
	Step    string // what was done, or is being tried
	Text    string
	Details []string // lines below Text
	Hints   []string
}
