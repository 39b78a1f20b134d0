package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/health"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/room"
)

const (
	// retryHeld is how often a full queue of held messages is tried again.
	retryHeld = 100 * time.Millisecond
	// lookEvery is how often paths and members are looked at.
	lookEvery = 2 * time.Second
	// maxSeen is how many messages can be searched.
	maxSeen = 10_000
	// statusAborted is the exit status after a second signal.
	statusAborted = 130
)

// A reporter shows what happens, as plain lines or as JSON.
type reporter interface {
	hello()
	state(step, text string)
	ready(*session)
	event(*session, node.Event)
	warn(err *cli.Error)
	// fatal reports what ends the run before it began, and returns the error
	// that carries the exit status.
	fatal(err error) error
	bye(reason string, undelivered, code int)
	// broken reports whether nobody reads standard output any more.
	broken() bool
}

// A session is one run of join. Its own goroutine takes events and shows them;
// input has one of its own, and so has what takes time: neither waits for the
// other, since the room waits for whoever reads its events.
type session struct {
	app   *app
	plan  *plan
	node  *node.Node
	disk  *disk // nil: nothing is kept
	out   reporter
	names *names

	members  []room.Member
	epoch    room.EpochStarted
	since    time.Time        // when that came
	departed map[peer.ID]bool // told as left, before the epoch without them
	first    map[peer.ID]time.Time
	ignored  map[peer.ID]bool
	seen     []room.Delivered
	question *room.Asked // the last one that is open
	last     view        // what was looked at last
	watch    health.Watch
	began    time.Time
	wondered bool            // it was said that nobody is here
	warned   map[string]bool // which warnings about others were given, by code
	refusals map[peer.ID]bool
	unread   map[ake.Hash]bool // sent, and nobody is known to have it yet
	box      outbox
	errands  chan func()   // done one after the other; never closed
	mail     chan func()   // to the session's goroutine; never closed
	over     chan struct{} // closed when that has ended
	door     *door         // for other processes; nil: none
	log      *eventLog     // nil: none

	ended     *inputOver // nothing more comes from the user
	forgotten bool       // nothing of this room is to be left here
}

// why the session ends.
type ending struct {
	reason string
	code   int
}

func newSession(a *app, p *plan, n *node.Node, out reporter) *session {
	return &session{
		app: a, plan: p, node: n, out: out, names: newNames(n.Self()),
		departed: make(map[peer.ID]bool), first: make(map[peer.ID]time.Time), ignored: make(map[peer.ID]bool),
		errands: make(chan func(), 64), mail: make(chan func()), over: make(chan struct{}), began: a.now(), refusals: make(map[peer.ID]bool), unread: make(map[ake.Hash]bool),
		warned: make(map[string]bool),
	}
}

// run takes part in the room until the user, a signal or the end of input ends
// it.
func (s *session) run(ctx context.Context, in *bufio.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.node.Run(ctx) }()
	return s.attend(ctx, in, s.node.Events(), ended)
}

// attend shows what happens in a room that runs, and does what the user wants.
func (s *session) attend(ctx context.Context, in *bufio.Reader, events <-chan node.Event, ended <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(s.over)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	s.out.ready(s)
	s.look()
	go s.listen(ctx, in)
	s.attendDoor(ctx)

	end := ending{reason: "signal"}
	var linger <-chan time.Time
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	leaving := false
	leave := func(e ending) {
		if !leaving {
			end, leaving = e, true
			s.node.Leave()
		}
	}
	for events != nil {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				break
			}
			s.handle(e)
		case f := <-s.mail:
			f()
		case <-look.C:
			s.giveUp()
			s.look()
			s.wonder()
		case <-linger:
			leave(ending{reason: s.ended.reason()})
		case <-signals:
			if leaving {
				waiting, lost := s.box.count()
				s.out.bye("signal", waiting+lost, statusAborted)
				os.Exit(statusAborted)
			}
			leave(ending{reason: "signal"})
		}
		switch {
		case s.out.broken():
			leave(ending{reason: "signal"})
		case s.ended == nil:
		case s.ended.quit && s.ended.linger == 0, s.settled():
			leave(ending{reason: s.ended.reason()})
		case linger == nil:
			linger = time.After(s.ended.linger)
		}
	}
	err := <-ended
	if errors.Is(err, room.ErrSuperseded) {
		err = cli.Fail("profile-twice", "%s was opened with a copy of this profile somewhere else, and goes on there", cli.Clean(s.plan.descriptor.Name)).
			Hint("if that was you: use one of the two, or another profile here: --profile second").
			Hint("if not: somebody has your key and your files; tell the operator of %s", s.plan.key.Domain().Name()).Because(err)
	}
	if err != nil {
		return s.out.fatal(err)
	}
	waiting, lost := s.box.count()
	for _, o := range s.box.rest() {
		s.out.event(s, refusal{true, o.ref, cli.Fail("undelivered", "nobody who could read it was in the room")})
	}
	if end.reason == "eof" && waiting+lost+len(s.unread) > 0 {
		end.code = cli.StatusFailed
	}
	if end.code != 0 && waiting+lost == 0 {
		s.out.warn(cli.Fail("unconfirmed", "nobody confirmed in time that %s arrived", cli.Plural(len(s.unread), "message")).Hint("--linger waits longer"))
	}
	s.out.bye(end.reason, waiting+lost, end.code)
	if end.code != 0 {
		return cli.Silent(end.code)
	}
	return nil
}

// close ends what the session has opened, and remembers where others were found.
func (s *session) close() {
	s.door.close()
	s.log.close()
	s.disk.close()
	if s.plan.flags.ephemeral {
		return
	}
	if s.forgotten {
		s.erase()
		return
	}
	var addrs []ma.Multiaddr
	for _, f := range s.last.status.Fellows {
		all, err := peer.AddrInfoToP2pAddrs(&f)
		if err == nil {
			addrs = append(addrs, all[:min(len(all), 2)]...)
		}
	}
	if err := s.app.remember(s.plan, append(slices.Clone(s.plan.bootstrap), addrs...)); err != nil {
		s.log.warn(cli.Describe(err))
	}
}

// settled reports whether somebody has all that was typed.
func (s *session) settled() bool {
	waiting, _ := s.box.count()
	return waiting == 0 && len(s.unread) == 0
}

// handle takes one event: it keeps track of what the commands show, and shows it.
func (s *session) handle(e node.Event) {
	switch ev := e.(type) {
	case room.Sent:
		o, ok := ev.Ref.(*outgoing)
		if !ok || !s.box.remove(o) {
			return
		}
		ev.Ref = o.ref
		e = ev
		s.unread[ev.ID] = true
	case room.Reached:
		if ev.Have > 0 {
			delete(s.unread, ev.ID)
		}
	case room.Held:
		if o, ok := ev.Ref.(*outgoing); ok {
			ev.Ref = o.ref
			e = ev
		}
	case room.Delivered:
		if s.ignored[ev.Author.Peer] {
			return
		}
	case room.EpochStarted:
		e = s.withReturned(ev)
	}
	s.take(e)
	s.show(e)
	switch e.(type) {
	case node.Connected, room.EpochStarted:
		s.look()
	}
}

// show hands an event to whoever looks, and to the log.
func (s *session) show(e node.Event) {
	s.out.event(s, e)
	s.log.event(e)
}

// withReturned is an epoch with those as joined who were told as left and are in
// it. Where nobody else remained there was none without them, so that for two
// epochs compared nothing has changed.
func (s *session) withReturned(e room.EpochStarted) room.EpochStarted {
	for _, m := range e.Members {
		if s.departed[m.Peer] && !slices.Contains(e.Joined, m) {
			e.Joined = append(slices.Clone(e.Joined), m)
			if e.Reason == room.ReasonRekey || e.Reason == room.ReasonRotated {
				e.Reason = room.ReasonJoined
			}
		}
	}
	return e
}

// attendDoor answers other processes, and runs errands, until ctx ends.
func (s *session) attendDoor(ctx context.Context) {
	go s.work(ctx)
	if s.door != nil {
		go s.door.serve(s)
	}
}

// take keeps track of what the commands show.
func (s *session) take(e node.Event) {
	switch e := e.(type) {
	case room.EpochStarted:
		for _, m := range e.Members {
			s.names.take(m.Peer, m.Name)
			delete(s.departed, m.Peer)
			if s.first[m.Peer].IsZero() {
				s.first[m.Peer] = s.app.now()
			}
		}
		for _, m := range e.Left {
			delete(s.first, m.Peer)
		}
		s.epoch, s.members, s.since = e, e.Members, s.app.now()
	case room.Cut:
		if s.ignored[e.Member.Peer] = e.On; !e.On {
			delete(s.ignored, e.Member.Peer)
		}
	case room.Departed:
		s.departed[e.Member.Peer] = true
	case room.Renamed:
		s.names.take(e.Member.Peer, e.Member.Name)
	case room.Delivered:
		if !e.Self {
			s.names.take(e.Author.Peer, e.Author.Name)
		}
		if s.seen = append(s.seen, e); len(s.seen) > maxSeen {
			s.seen = slices.Delete(s.seen, 0, maxSeen/10)
		}
	case room.Proved:
		clear(s.refusals)
	case room.Refused:
		s.refusedBy(e.Peer)
	case room.Asked:
		s.question = &e
	case room.Attested:
		if e.Given {
			s.question = nil
		}
	}
}

// refusedBy warns once if all who answered turned us away.
func (s *session) refusedBy(p peer.ID) {
	if len(s.members) > 0 || s.refusals[p] {
		return
	}
	if s.refusals[p] = true; len(s.refusals) == 1 {
		s.out.warn(cli.Fail("refused", "a member answered and did not accept your proof").
			Hint("usually a clock or an expired key: coterie doctor --key %s", cli.Quote(s.plan.keyPath)))
	}
}

// work runs errands, in their order.
func (s *session) work(ctx context.Context) {
	for {
		select {
		case f := <-s.errands:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// post has f run in the session's goroutine, after what was posted before. Once the
// session has ended f is dropped.
func (s *session) post(f func()) {
	select {
	case s.mail <- f:
	case <-s.over:
	}
}

// inputEnds: nothing more comes from the user.
func (s *session) inputEnds(o inputOver) { s.post(func() { s.ended = &o }) }

// reject answers a message that is not sent, unless it was answered before.
func (s *session) reject(o *outgoing, err *cli.Error, more ...func(*outbox)) {
	s.post(func() {
		if s.box.remove(o) {
			for _, f := range more {
				f(&s.box)
			}
			s.handle(refusal{true, o.ref, err})
		}
	})
}

// errand runs f beside the session. If too much waits already, f is dropped and
// it returns false.
func (s *session) errand(f func()) bool {
	select {
	case s.errands <- f:
		return true
	default:
		return false
	}
}

// giveUp drops what nobody came to read in time.
func (s *session) giveUp() {
	limit := s.plan.hold
	oldest := s.box.oldest()
	if limit <= 0 || oldest.IsZero() || s.app.now().Sub(oldest) < limit {
		return
	}
	now := s.app.now()
	s.errand(func() {
		for _, h := range s.node.Drop(func(h room.HeldMessage) bool {
			o, ok := h.Ref.(*outgoing)
			return ok && now.Sub(o.at) >= limit
		}) {
			o := h.Ref.(*outgoing)
			s.reject(o, cli.Fail("alone", "nobody else was in the room for %s", durationText(limit)).
				Hint("is the policy typed the same? /link to invite"), (*outbox).lose)
		}
	})
}

// A refusal answers a line that was not taken; send tells that it was meant as
// a message.
type refusal struct {
	send bool
	ref  any
	err  *cli.Error
}

// inputOver: nothing more comes from the user.
type inputOver struct {
	quit   bool // they said so
	linger time.Duration
}

func (o inputOver) reason() string {
	if o.quit {
		return "quit"
	}
	return "eof"
}

// listen reads input and does what it says, in its order, until it ends. What the
// session answers is done in its goroutine, so that answers keep the order of the
// lines.
func (s *session) listen(ctx context.Context, in *bufio.Reader) {
	parse := parsePlain
	if s.plan.flags.json {
		parse = parseJSON
	}
	for ctx.Err() == nil {
		l, ok := readInput(in, parse)
		switch {
		case !ok && s.plan.flags.stay:
			return
		case !ok:
			s.inputEnds(inputOver{linger: s.plan.flags.linger})
			return
		case l.bad != nil:
			s.post(func() { s.refuse(l.bad) })
		case l.quit:
			s.inputEnds(inputOver{quit: true, linger: l.linger})
			return
		case l.wanted != nil:
			s.post(func() { s.want(*l.wanted) })
		case l.text != "":
			s.say(ctx, l)
		}
	}
}

// link is the room's link, with our addresses in it.
func (s *session) link() string {
	return (&room.Link{Descriptor: s.plan.descriptor, Addresses: s.addresses()}).String()
}

func (s *session) addresses() []ma.Multiaddr { return s.node.Addresses() }

func peers(members []room.Member) []peer.ID {
	out := make([]peer.ID, len(members))
	for i, m := range members {
		out[i] = m.Peer
	}
	return out
}

// durationText is a span for people: 10 minutes, 90 s.
func durationText(d time.Duration) string {
	switch {
	case d >= time.Minute && d%time.Minute == 0:
		return cli.Plural(int(d/time.Minute), "minute")
	case d%time.Second == 0:
		return cli.Plural(int(d/time.Second), "second")
	}
	return d.String()
}
