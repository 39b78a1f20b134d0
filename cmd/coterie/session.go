package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

const (
	// maxLine is the longest line of input in bytes.
	maxLine = 64 << 10
	// retryHeld is how often a full queue of held messages is tried again.
	retryHeld = 100 * time.Millisecond
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

// A session is one run of join.
type session struct {
	app   *app
	plan  *plan
	node  *node.Node
	disk  *disk // nil: nothing is kept
	out   reporter
	names *names

	members     []room.Member
	epoch       room.EpochStarted
	departed    map[peer.ID]bool // told as left, before the epoch without them
	undelivered int
}

// why the session ends.
type ending struct {
	reason string
	code   int
}

// run takes part in the room until the user, a signal or the end of input ends
// it.
func (s *session) run(ctx context.Context, in *bufio.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	ended := make(chan error, 1)
	go func() { ended <- s.node.Run(ctx) }()
	s.out.ready(s)

	lines := make(chan line)
	go s.read(ctx, in, lines)

	end := ending{reason: "signal"}
	var linger <-chan time.Time
	var backlog <-chan time.Time
	var waiting *line // input stops while this cannot be taken
	events := s.node.Events()
	leaving := false
	leave := func(e ending) {
		if !leaving {
			end, leaving = e, true
			s.node.Leave()
		}
	}
	for events != nil {
		input := lines
		if waiting != nil || linger != nil || leaving {
			input = nil
		}
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				break
			}
			s.take(e)
			s.out.event(s, e)
			if linger != nil && s.undelivered == 0 {
				leave(ending{reason: "eof"})
			}
		case l := <-input:
			if l.end {
				switch {
				case s.plan.flags.stay:
					lines = nil
				case s.undelivered == 0:
					leave(ending{reason: "eof"})
				default:
					linger = time.After(s.plan.flags.linger)
				}
				break
			}
			if l.quit {
				leave(ending{reason: "quit"})
				break
			}
			if !s.say(&l) {
				waiting, backlog = &l, time.After(retryHeld)
			}
		case <-backlog:
			if s.say(waiting) {
				waiting, backlog = nil, nil
			} else {
				backlog = time.After(retryHeld)
			}
		case <-linger:
			leave(ending{reason: "eof"})
		case <-signals:
			if leaving {
				os.Exit(statusAborted)
			}
			leave(ending{reason: "signal"})
		}
		if s.out.broken() {
			leave(ending{reason: "signal"})
		}
	}
	err := <-ended
	s.disk.close()
	if err != nil {
		return s.out.fatal(err)
	}
	if end.reason == "eof" && s.undelivered > 0 {
		end.code = cli.StatusFailed
	}
	s.out.bye(end.reason, s.undelivered, end.code)
	if end.code != 0 {
		return cli.Silent(end.code)
	}
	return nil
}

// take keeps track of what the commands show.
func (s *session) take(e node.Event) {
	switch e := e.(type) {
	case room.EpochStarted:
		for _, m := range e.Members {
			s.names.take(m.Peer, m.Name)
			delete(s.departed, m.Peer)
		}
		s.epoch, s.members = e, e.Members
	case room.Departed:
		s.departed[e.Member.Peer] = true
	case room.Renamed:
		s.names.take(e.Member.Peer, e.Member.Name)
	case room.Delivered:
		if !e.Self {
			s.names.take(e.Author.Peer, e.Author.Name)
		}
	case room.Sent:
		s.undelivered--
	}
}

// A line is one thing the user wants.
type line struct {
	text    string
	kind    byte
	ref     any
	quit    bool
	end     bool
	command string // one that the session answers itself
	bad     *cli.Error
}

// say hands a line to the room. It returns false if the room can take no more
// for now. What the session answers itself goes through the node too, so that
// answers keep the order of the lines.
func (s *session) say(l *line) bool {
	switch {
	case l.bad != nil:
		s.node.Post(refusal{err: l.bad})
		return true
	case l.command != "":
		s.node.Post(asked{l.command})
		return true
	}
	err := s.node.Send(l.ref, l.kind, l.text)
	switch {
	case err == nil:
		s.undelivered++
	case errors.Is(err, room.ErrHeldFull):
		return false
	case errors.Is(err, room.ErrTooLong):
		s.node.Post(refusal{true, l.ref, cli.Fail("too-long", "the message has %s bytes; the limit is %s", cli.Count(len(l.text)), cli.Count(record.MaxText)).
			Hint("split it, or send it as a file by other means")})
	case errors.Is(err, room.ErrText):
		s.node.Post(refusal{true, l.ref, cli.Fail("bad-input", "the message is not UTF-8")})
	default:
		s.node.Post(refusal{true, l.ref, cli.Fail("left", "the room was left")})
	}
	return true
}

// A refusal answers a line that was not taken; send tells that it was meant as
// a message.
type refusal struct {
	send bool
	ref  any
	err  *cli.Error
}

// asked is a command of the user's own: who, info, link, help.
type asked struct{ command string }

// read turns input into lines until it ends.
func (s *session) read(ctx context.Context, in *bufio.Reader, out chan<- line) {
	parse := parsePlain
	if s.plan.flags.json {
		parse = parseJSON
	}
	for {
		text, err := readLine(in)
		l := line{end: true}
		switch {
		case errors.Is(err, bufio.ErrTooLong):
			l = line{bad: cli.Fail("bad-input", "a line of input has more than %s bytes", cli.Count(maxLine))}
		case err == nil || text != "":
			if text == "" {
				continue
			}
			l = parse(text)
		}
		select {
		case out <- l:
		case <-ctx.Done():
			return
		}
		if l.end || l.quit {
			return
		}
	}
}

// readLine reads one line of at most maxLine bytes, without its end; what is
// longer is skipped, with bufio.ErrTooLong.
func readLine(in *bufio.Reader) (string, error) {
	b, err := in.ReadSlice('\n')
	text := strings.TrimRight(string(b), "\r\n")
	if !errors.Is(err, bufio.ErrBufferFull) {
		return text, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return "", err
	}
	return "", bufio.ErrTooLong
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
