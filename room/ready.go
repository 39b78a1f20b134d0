package room

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// The stream protocols: PROTOCOL.md §11.
const (
	ProtocolProve = "/coterie/2/prove"
	ProtocolSync  = "/coterie/2/sync"
)

// A StreamID names a stream between the room and its driver. The room's own are
// odd, those that others opened are even.
type StreamID uint64

// Open asks for a stream. If it cannot be had, the driver calls StreamClosed.
type Open struct {
	Stream   StreamID
	Peer     peer.ID
	Protocol string
	// Working is the process to whose channel the stream belongs; zeros: none.
	Working [32]byte
}

// A Frame is to be sent on a stream, or has arrived on one: type and body,
// without its length.
type Frame struct {
	Stream StreamID
	Data   []byte
}

// Hang ends a stream: in order when all frames are out, or at once.
type Hang struct {
	Stream StreamID
	Reset  bool
}

// A TaskID names a computation.
type TaskID uint64

// A Task is work that must not run in the room's loop. Its result goes to
// Computed.
type Task struct {
	ID  TaskID
	Run func() any
	// Disk: it waits for the disk. Such tasks are done one after the other, in their order.
	Disk bool
}

// Ready is what the room wants done. What is to be saved is, streams are opened before frames are sent,
// and frames sent before streams are ended.
type Ready struct {
	// Save is to be on disk before anything else here is done; Forget, what need
	// not be kept there any more.
	Save    []Saved
	Forget  []ake.Hash
	Publish [][]byte
	// Channels are made and ended before streams are opened.
	Channels []Channel
	Open     []Open
	Send     []Frame
	Hang     []Hang
	Tasks    []Task
	Events   []Event
	// Wake is when Tick is to be called at the latest; zero for never.
	Wake time.Time
}

// Ready takes out what the room wants done.
func (r *Room) Ready() Ready {
	out := r.ready
	r.ready = Ready{Wake: out.Wake}
	return out
}

func (r *Room) publish(data []byte) { r.ready.Publish = append(r.ready.Publish, data) }

func (r *Room) emit(e Event) { r.ready.Events = append(r.ready.Events, e) }

// tasks are those under way, and what is to be done at a time.
type tasks struct {
	done   map[TaskID]func(any)
	last   TaskID
	timers []timer
}

// task runs work outside the loop, and then done with its result, inside.
func (r *Room) task(work func() any, done func(result any)) {
	r.tasks.last++
	r.tasks.done[r.tasks.last] = done
	r.ready.Tasks = append(r.ready.Tasks, Task{ID: r.tasks.last, Run: work})
}

// Computed takes the result of a task.
func (r *Room) Computed(now time.Time, id TaskID, result any) {
	r.advance(now)
	done, ok := r.tasks.done[id]
	if !ok {
		return
	}
	delete(r.tasks.done, id)
	if !r.closed {
		done(result)
	}
	r.finish()
}

// wakeAt makes sure that Tick is called at t.
func (r *Room) wakeAt(t time.Time) {
	if r.ready.Wake.IsZero() || t.Before(r.ready.Wake) {
		r.ready.Wake = t
	}
}

// An Event is something the user may want to see.
type Event interface{ event() }

// A Member is a peer in an epoch.
type Member struct {
	Peer peer.ID
	Name string // as it calls itself; anybody's text
}

// The reasons for an epoch.
const (
	ReasonFirst   = "first"   // it is this peer's first
	ReasonJoined  = "joined"  // somebody joined
	ReasonHealed  = "healed"  // two groups met
	ReasonLeft    = "left"    // somebody left
	ReasonExpired = "expired" // somebody's key does not hold for the new day
	ReasonNotice  = "notice"  // somebody did not prove themselves again after a notice
	ReasonLapsed  = "lapsed"  // somebody was not heard any more
	ReasonRotated = "rotated" // the hour's new keys, or the day's
	ReasonRekey   = "rekey"   // somebody asked for new keys
	ReasonAway    = "away"    // somebody went away
	ReasonCut     = "cut"     // our user does without somebody
)

// EpochStarted: this epoch is in force; its members can read what is said from
// here.
type EpochStarted struct {
	ID, Previous ake.Hash // Previous is zeros for the first
	SID          ake.Hash
	Members      []Member // in list order
	Joined, Left []Member // since the previous one; who is away has not left
	Back         []Member // of those who joined, who was away in it
	Away         []Member // who are told later what is said: those who are away
	WentAway     []Member // of these, those who were here in the previous one
	Committer    peer.ID
	Reason       string
	WasAway      bool // it is the first one of this process, and its peer was in some before
}

// LeftOut: a commit leaves somebody out who is here, or away. It changes nothing; people are
// told whose it is, and how many times that was so of theirs.
type LeftOut struct {
	By     Member
	Member Member
	Times  int
}

// Cut: our user goes on without a peer, and without those that hang on it alone;
// or, if On is false, with it again.
type Cut struct {
	Member Member
	On     bool
	With   []Member
}

// Departed: a member of the epoch in force has left. If others remain, an epoch
// without it follows.
type Departed struct {
	Member Member
	Away   bool // it will be back
}

// Renamed: a member calls itself something else.
type Renamed struct{ Member Member }

// Delivered: a message by a member, in its author's order, once.
type Delivered struct {
	ID      ake.Hash
	Author  Member
	Self    bool
	Message record.Body
	Epoch   ake.Hash
	// Received is when it arrived here. Day is the day of the epoch.
	Received time.Time
	Day      abe.Day
	// Late: later ones of its author were shown before.
	Late bool
	// History: it was read back from this peer's own disk, or was said in an epoch
	// that this peer was not in, or of which only By, the member that served it,
	// says who was. By is empty for the disk.
	History bool
	By      peer.ID
	// Hearsay: only the member that served it, now or to an earlier process, says who was there.
	Hearsay bool
	// Away: it was said while this peer was away.
	Away bool
	// File is that of a message with one; its name is the text of Message then.
	File *FileInfo
	// To is the policy, in canonical text, of words for some, which Message has in
	// the place of its text if they can be read here.
	To      string
	Reading Reading
	// ReplyTo is the message that it answers; zeros: none. Quote is the beginning of that one;
	// nil: it is not here.
	ReplyTo ake.Hash
	Quote   *Quote
	// Edited: the text is the newest. Withdrawn: there is none any more.
	Edited, Withdrawn bool
	Reactions         []Reaction
}

// ShownAt is the time to show (PROTOCOL.md §9): the author's, but at most five minutes outside the epoch's
// day, never later than arrival, and arrival's if the two are far apart. What was said before may have no arrival.
func (d Delivered) ShownAt() time.Time {
	at := time.UnixMilli(int64(min(d.Message.Time, 1<<52)))
	if d.Day != 0 {
		if first := d.Day.Start().Add(-dayGrace); at.Before(first) {
			at = first
		}
		if last := (d.Day + 1).Start().Add(dayGrace); at.After(last) {
			at = last
		}
	}
	switch {
	case d.Received.IsZero():
		return at
	case at.After(d.Received), !d.History && !d.Away && d.Received.Sub(at) > 2*time.Minute:
		return d.Received
	}
	return at
}

// Reached: so many of the readers of a message of ours have it, as far as their
// digests tell. The last one for a message has Have equal to Of.
type Reached struct {
	ID       ake.Hash
	Have, Of int
	Missing  []peer.ID
}

// Gap: messages of an author are missing here, or have arrived after all.
type Gap struct {
	Author      Member
	Epoch       ake.Hash
	First, Last uint64 // counters
	Filled      bool
}

// Equivocated: an author signed two different messages with one counter. The
// lesser id comes first; the one that was here first stays the one shown.
type Equivocated struct {
	Author  Member
	Epoch   ake.Hash
	Counter uint64
	IDs     [2]ake.Hash
}

// Past: what was said before this process came begins, or is over. The Delivered
// events in between are marked History.
type Past struct {
	Over   bool
	Count  int       // when it is over: how many messages
	Oldest time.Time // of them; zero for none
	By     peer.ID   // as in Delivered
	Away   bool      // it was said while this peer was away
}

// Sent: a message of ours went out. Its readers are all members of its epoch;
// the messages of an epoch share the slice, so nobody changes it.
type Sent struct {
	Ref     any
	ID      ake.Hash
	Counter uint64
	Epoch   ake.Hash
	Readers []peer.ID
	To      string // of words for some: the policy. Of the readers those read it who satisfy it
}

// Held: a message of ours waits until somebody else can read it.
type Held struct {
	Ref   any
	Bytes int
	Alone bool // nobody else is here; otherwise the next epoch is on its way
}

// Restored: these messages were held when the last process ended, and are now. Their
// refs are HeldNumbers.
type Restored struct{ Messages []HeldMessage }

// Unsaid: so many held messages have waited for longer than Config.Hold, so that they wait for
// a word of the user too. Here: somebody can read them now.
type Unsaid struct {
	Count  int
	Oldest time.Time // when the first of them was written
	Here   bool
}

// Absence: we were away, or heard of nobody, from From to To (zero: we are not back yet), and
// were told Count messages that others said meanwhile. Missing: there may be more, said between
// MissingFrom and MissingTo: nobody who has it is here yet; the next one of the same From
// corrects this. Lost: it was for longer than what is said is kept for us.
type Absence struct {
	From, To               time.Time
	Count                  int
	Missing                bool
	MissingFrom, MissingTo time.Time
	Lost                   bool
}

// Proved: a peer and we proved ourselves to each other.
type Proved struct {
	Peer peer.ID
	Took time.Duration
}

// Refused: a peer did not prove itself to us, or did not take our proof.
type Refused struct{ Peer peer.ID }

// Contributed: the member's contribution for a day is made.
type Contributed struct{ Took time.Duration }

// Failed: something in this process failed; the room goes on as it can.
type Failed struct {
	Doing string
	Err   error
}

func (EpochStarted) event() {}
func (LeftOut) event()      {}
func (Cut) event()          {}
func (Departed) event()     {}
func (Renamed) event()      {}
func (Delivered) event()    {}
func (Sent) event()         {}
func (Held) event()         {}
func (Proved) event()       {}
func (Refused) event()      {}
func (Contributed) event()  {}
func (Failed) event()       {}
func (Reached) event()      {}
func (Gap) event()          {}
func (Equivocated) event()  {}
func (Past) event()         {}
func (Restored) event()     {}
func (Unsaid) event()       {}
func (Opened) event()       {}
func (Absence) event()      {}
func (NoticeTaken) event()  {}
