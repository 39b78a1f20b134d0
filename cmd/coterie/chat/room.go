package chat

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/node/store"
	"coterie/room"
)

const (
	// lookEvery is how often paths and members are looked at.
	lookEvery = 2 * time.Second
	// MaxFound is how many messages a search may want, and how many it can find in memory.
	MaxFound = 10_000
	// maxCommands is how many commands may wait, of a face that cannot.
	maxCommands = 1024
	// maxBackground is how much may wait that is done beside the room.
	maxBackground = 64
	// statusAborted is the exit status after a second signal.
	statusAborted = 130
)

// A Face shows a room to its user. Its methods are called by the room's goroutine, and may
// wait: nothing is lost, since the room waits too.
type Face interface {
	// Show shows an event that the state has taken, and what is said of it.
	Show(s *State, e Event, said []Line)
	// Broken is why nobody can be shown anything any more; nil: they can.
	Broken() error
}

// Prefs keeps what is set in an open room for the next time.
type Prefs interface {
	// Set checks and keeps a setting. It returns the value as it then is, and for how long it
	// holds; with an error, too, if it holds and could not be kept.
	Set(name, value string) (shown, how string, err error)
	// List are the settings there are, a line each.
	List() []string
}

// Config is what an open room is made of.
type Config struct {
	Node       *node.Node
	Descriptor *room.Descriptor
	Key        *abe.Key
	KeyPath    string
	Through    string // the part of the policy that lets this peer in
	Nick       string
	Bootstrap  []ma.Multiaddr
	Hold       time.Duration // how long a message is held; 0: for ever
	Store      *store.Store  // nil: nothing is kept
	Prefs      Prefs
	Log        *Log
	Face       Face
	// ReadNotice reads the domain's notice out of a file.
	ReadNotice func(path string) (*abe.Notice, error)
	// KeepNotice keeps the domain's newest notice; nil: nothing is kept.
	KeepNotice func(*abe.Notice) error
	// Export writes what was said to a new file; nil: nothing can be.
	Export func(about About, file string, all []room.Delivered, gone []room.Shortened) error
	Now    func() time.Time
	// Joined: the node is in an epoch already, and tells of it first. ByRelay: peers are to meet at a
	// relay. Both are so in the demonstration.
	Joined, ByRelay bool
}

// A Room is an open room. Its goroutine takes what happens and what the user wants, and shows
// what comes of it. Input has a goroutine of its own, and so has what takes time: neither
// waits for the other, since the node waits for whoever reads its events.
type Room struct {
	cfg   Config
	node  *node.Node
	state *State

	seen     []room.Delivered
	seenGone int // how many there were before these
	watch    health.Watch
	soon     <-chan time.Time // when health is judged, if not before
	began    time.Time
	wondered bool              // it was said that nobody is here
	warned   map[string]bool   // which warnings were given, by code
	unread   map[ake.Hash]bool // sent, and nobody is known to have it yet
	refused  int               // lines of input that were not done
	box      outbox
	files    shownFiles
	quit     *Quit   // nothing more comes from the user
	asked    leaving // for good, with messages that wait
	unsaid   int     // messages that wait for a word
	forget   bool    // nothing of this room is to be left here
	erase    func() (keyFile string, bad *cli.Error)

	mail       chan func()   // to the room's goroutine
	typed      chan wish     // from a face that cannot wait
	background chan func()   // done one after the other, beside the room
	over       chan struct{} // closed when the room's goroutine has ended
}

// New returns a room that is not open yet.
func New(cfg Config) *Room {
	d, k := cfg.Descriptor, cfg.Key
	about := About{
		ID: d.ID(), Name: d.Name, Domain: k.Domain().Name(), DomainID: d.Domain, Policy: d.Policy.String(),
		Generation: k.Generation(), Through: cfg.Through, Expires: k.Expires(), History: d.History, Kept: cfg.Store != nil,
		Unlisted: len(d.Tag) > 0, TakesQuestions: d.Questions, Self: cfg.Node.Self(), Nick: cfg.Nick,
	}
	for _, a := range k.Attributes() {
		about.Attributes = append(about.Attributes, a.String())
	}
	return &Room{
		cfg: cfg, node: cfg.Node, state: NewState(about, cfg.Now()), began: cfg.Now(),
		warned: make(map[string]bool), unread: make(map[ake.Hash]bool),
		mail: make(chan func()), typed: make(chan wish, maxCommands), background: make(chan func(), maxBackground),
		over: make(chan struct{}),
	}
}

// About is what does not change of the room.
func (r *Room) About() About { return r.state.About }

// Addresses are where to begin the next time, the best first: those at which somebody answered
// and other members', in turns, and the others of those where this time began.
func (r *Room) Addresses(began []ma.Multiaddr) []ma.Multiaddr {
	var answered, others, first, second []ma.Multiaddr
	for _, a := range began {
		if r.state.answered[a.String()] {
			answered = append(answered, a)
		} else {
			others = append(others, a)
		}
	}
	for _, f := range r.state.Status.Fellows {
		if all, err := peer.AddrInfoToP2pAddrs(&f); err == nil && len(all) > 0 {
			first, second = append(first, all[0]), append(second, all[1:min(len(all), 2)]...)
		}
	}
	return inTurns(answered, append(first, second...), others)
}

// inTurns takes one of each in turns, until there is none.
func inTurns(lists ...[]ma.Multiaddr) (out []ma.Multiaddr) {
	for i, more := 0, true; more; i++ {
		more = false
		for _, l := range lists {
			if i < len(l) {
				out, more = append(out, l[i]), true
			}
		}
	}
	return out
}

// Run shows what happens in the room of a node that runs, and does what the user wants, until
// the room is left: by the user, by a signal, or since nobody looks any more. The node's
// Run tells on ended how it ended. The exit status is in the error.
func (r *Room) Run(ctx context.Context, events <-chan node.Event, ended <-chan error, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(r.over)
	r.show(Ready{r.node.Addresses(), r.Link(), r.cfg.Joined})
	r.look()
	go r.work(ctx, r.background)
	go r.talk(ctx)

	reason := ""
	leave := func(why string) {
		if reason == "" {
			reason = why
			switch {
			case r.forGood():
				r.node.Leave()
			case why == "eof": // nobody knows then of what waits
				r.node.Finish()
			default:
				r.node.GoAway()
			}
		}
	}
	var linger <-chan time.Time
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for events != nil {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				break
			}
			r.handle(e)
		case f := <-r.mail:
			for range len(events) { // what happened before this was wanted is shown before
				r.handle(<-events)
			}
			f()
		case <-look.C:
			r.giveUp()
			r.look()
			r.stillAlone()
		case <-r.soon:
			r.judge()
		case <-linger:
			leave(r.quit.reason())
		case s := <-signals:
			// A window that is closed says so twice.
			if reason != "" && s != syscall.SIGHUP {
				undelivered, kept := r.left("signal")
				r.show(Bye{Reason: "signal", Undelivered: undelivered, Code: statusAborted, Away: !r.forGood(), Kept: kept})
				os.Exit(statusAborted)
			}
			leave("signal")
		}
		switch {
		case r.cfg.Face.Broken() != nil:
			leave("signal")
		case r.quit == nil:
		case !r.quit.End && r.quit.Linger == 0, r.settled():
			leave(r.quit.reason())
		case linger == nil:
			linger = time.After(r.quit.Linger)
		}
	}
	err := r.end(cmp.Or(reason, "signal"), <-ended)
	if broken := CannotShow(r.cfg.Face); broken != nil {
		return broken.Hint("what was said from then on was not shown: the room was left")
	}
	return err
}

// CannotShow says that the output of a face could not be written; nil: it could, or whoever read
// it has gone.
func CannotShow(f Face) *cli.Error {
	err := f.Broken()
	if err == nil || errors.Is(err, io.EOF) || readerGone(err) {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return cli.Fail("output", "standard output cannot be written: %v", err).Because(err)
}

// readerGone reports whether output fails because whoever read it has gone, or the terminal
// has: that is an end like others.
func readerGone(err error) bool {
	const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232) // of Windows
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) ||
		runtime.GOOS == "windows" && (errors.Is(err, brokenPipe) || errors.Is(err, noData))
}

// end answers what was not sent, and says goodbye.
func (r *Room) end(reason string, err error) error {
	if errors.Is(err, room.ErrSuperseded) {
		err = cli.Fail("profile-twice", "%s was opened with a copy of this profile somewhere else, and goes on there",
			cli.Clean(r.state.Name)).
			Hint("if that was you: use one of the two, or another profile here: --profile second").
			Hint("if not: somebody has your key and your files; tell the operator of %s", r.state.Domain).Because(err)
	}
	if errors.Is(err, room.ErrRevoked) {
		err = Revoked(r.state.Domain, r.cfg.Key.Serial()).Because(err)
	}
	if err != nil {
		return err
	}
	undelivered, kept := r.left(reason)
	for _, o := range r.box.waiting {
		switch {
		case !r.keeps(o, reason):
			r.show(Rejected{o.ref, cli.Fail(codeUndelivered, "nobody who could read it was in the room")})
		case !o.earlier():
			r.show(Kept{o.ref})
		}
	}
	code := 0
	if reason == "eof" && undelivered+len(r.unread)+r.refused > 0 {
		code = cli.StatusFailed
	}
	if code != 0 && undelivered == 0 && len(r.unread) > 0 {
		r.show(Warning{Err: cli.Fail("unconfirmed", "nobody confirmed in time that %s arrived",
			cli.Plural(len(r.unread), "message")).Hint("--linger waits longer")})
	}
	bye := Bye{Reason: reason, Undelivered: undelivered, Code: code, Away: !r.forGood(), Kept: kept}
	if r.forget && r.erase != nil {
		if bye.Forgot, bye.NotForgotten = r.erase(); bye.NotForgotten != nil {
			code = cli.StatusFailed
			bye.Code = code
		}
	}
	r.show(bye)
	if code != 0 {
		return cli.Silent(code)
	}
	return nil
}

// left is what becomes of what waits when the room is left: how many messages nobody will read,
// and how many are kept on the disk for the next time.
func (r *Room) left(reason string) (undelivered, kept int) {
	undelivered = r.box.lost
	for _, o := range r.box.waiting {
		switch {
		case r.keeps(o, reason):
			kept++
		default:
			undelivered++
		}
	}
	return undelivered, kept
}

// keeps reports whether a message that waits is kept on the disk when the room is left.
func (r *Room) keeps(o *outgoing, reason string) bool {
	return !r.forGood() && o.held && (reason != "eof" || o.earlier())
}

// forGood reports whether the user leaves for good: as they said, or since they would come
// back as another peer.
func (r *Room) forGood() bool { return r.quit != nil && r.quit.Leave || !r.state.Kept }

func (q *Quit) reason() string {
	if q.End {
		return "eof"
	}
	return "quit"
}

// settled reports whether somebody has all that was typed.
func (r *Room) settled() bool { return r.box.ours() == 0 && len(r.unread) == 0 }

// handle takes one event of the node's.
func (r *Room) handle(e node.Event) {
	switch ev := e.(type) {
	case room.Sent:
		o, ok := r.box.outgoing(ev.Ref)
		if !ok || !r.box.remove(o) {
			return
		}
		ev.Ref = o.ref
		r.unread[ev.ID] = true
		r.count()
		e = ev
	case room.Held:
		if o, ok := ev.Ref.(*outgoing); ok {
			o.held, ev.Ref = true, o.ref
		}
		r.count()
		e = ev
	case room.Restored:
		r.box.restore(ev.Messages)
		r.count()
	case room.Unsaid:
		r.unsaid = ev.Count
		r.count()
	case room.Reached:
		if ev.Have > 0 {
			delete(r.unread, ev.ID)
		}
	case room.Delivered:
		if r.state.Ignored[ev.Author.Peer] {
			return
		}
		r.files.note(&ev)
		ev.Reactions = r.state.reactions(ev.Reactions)
		e = ev
		if r.seen = append(r.seen, ev); len(r.seen) > MaxFound {
			r.seen = append([]room.Delivered(nil), r.seen[MaxFound/10:]...)
			r.seenGone += MaxFound / 10
		}
	case room.Changed:
		if r.state.Ignored[ev.By.Peer] {
			return
		}
		ev.Shown = r.state.reactions(ev.Shown)
		e = ev
		r.changeSeen(ev)
	case room.Opened:
		if r.state.Ignored[ev.Author.Peer] {
			return
		}
		if i := slices.IndexFunc(r.seen, func(d room.Delivered) bool { return d.ID == ev.ID }); i >= 0 {
			r.seen[i] = ev.Delivered
		}
	case room.OutsideAnswer:
		if r.state.Ignored[ev.By.Peer] {
			return
		}
	case room.FileChanged:
		e = r.fileChanged(ev)
	case room.FileFailed:
		r.failedFile(ev)
		return
	case room.NoticeTaken:
		r.keepNotice(ev.Notice)
	case room.EpochStarted:
		e = r.withReturned(ev)
	case room.Refused:
		if !r.state.Joined() && len(r.state.refused) == 0 {
			r.show(Warning{Err: cli.Fail("refused", "a member answered and did not accept your proof").
				Hint("usually a clock or an expired key: coterie doctor --key %s", cli.Quote(r.cfg.KeyPath))})
		}
	}
	r.show(e)
	switch e.(type) {
	case node.Connected, room.EpochStarted, room.Departed:
		r.look()
	case room.Held, room.Sent, room.Refused, room.Proved:
		r.judgeSoon()
	case node.BootstrapFailed:
		r.warned["clock"] = r.warned["clock"] || r.state.clockApart
		r.judgeSoon()
	}
}

// show has the state take what happened, and shows it.
func (r *Room) show(what any) { r.showTo(nil, what) }

func (r *Room) showTo(face, what any) {
	switch what.(type) {
	case NotDone, Rejected:
		r.refused++
	}
	e := Event{Room: r.state.ID, At: r.cfg.Now(), What: what, For: face}
	said := r.state.Take(e)
	r.cfg.Face.Show(r.state, e, said)
	r.cfg.Log.event(what)
}

// count tells how many messages are held, if that has changed.
func (r *Room) count() {
	if n := r.box.held(); n != r.state.Held || r.unsaid != r.state.Unsaid {
		r.show(Waiting{n, r.unsaid})
	}
}

// withReturned is an epoch with those as joined who were told as left and are in it. Where
// nobody else remained there was none without them, so that for two epochs compared nothing
// has changed.
func (r *Room) withReturned(e room.EpochStarted) room.EpochStarted {
	for _, m := range e.Members {
		if how := r.state.Departed[m.Peer]; how != Stays && !slices.Contains(e.Joined, m) {
			e.Joined = append(slices.Clone(e.Joined), m)
			if how == GoesAway {
				e.Back = append(slices.Clone(e.Back), m)
			}
			if e.Reason == room.ReasonRekey || e.Reason == room.ReasonRotated {
				e.Reason = room.ReasonJoined
			}
		}
	}
	return e
}

// post has f run in the room's goroutine, after what was posted before. Once that has ended f
// is dropped.
func (r *Room) post(f func()) {
	select {
	case r.mail <- f:
	case <-r.over:
	}
}

// tell shows an event of this package's own, from another goroutine.
func (r *Room) tell(what any) { r.post(func() { r.show(what) }) }

// beside runs f beside the room. If too much waits already, f is dropped and it returns false.
func (r *Room) beside(f func()) bool {
	select {
	case r.background <- f:
		return true
	default:
		return false
	}
}

func (r *Room) work(ctx context.Context, todo <-chan func()) {
	for {
		select {
		case f := <-todo:
			f()
		case <-ctx.Done():
			return
		}
	}
}
