package main

import (
	"context"
	"errors"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
)

// What the user wants besides sending. Each is answered by an event of its own,
// or by an error.

// reported is the answer to status; found to search; pinged to ping; asked is
// for what the reporter answers itself.
type (
	reported struct{ status node.Status }
	found    struct {
		ref      any
		total    int
		messages []room.Delivered
	}
	pinged struct {
		path node.Path
	}
	asked struct {
		word string
		who  peer.ID
		text string
	}
	proofAsked struct {
		who    peer.ID
		policy string
	}
	ignoring struct {
		who peer.ID
		on  bool
	}
	dropped struct{ messages []room.HeldMessage }
)

func (s *session) want(w wanted) {
	var who peer.ID
	if w.who != "" {
		var err *cli.Error
		if who, err = s.resolve(w.who); err != nil {
			s.refuse(err)
			return
		}
	}
	switch w.word {
	case "status":
		s.busy(func() { s.tell(reported{s.node.Status()}) })
	case "search":
		s.search(w, who)
	case "nick":
		s.nick(w.text)
	case "rekey":
		s.busy(func() { s.answer(s.node.Rekey()) })
	case "drop":
		s.busy(s.drop)
	case "ping":
		s.ping(who)
	case "prove":
		s.prove(who, w.text)
	case "answer":
		s.allow(w.text, w.allow)
	case "set":
		s.set(w.text, w.value)
	case "debug":
		s.debug(w.allow)
	case "forget":
		s.forgotten = true
		s.ended = &inputOver{quit: true}
	case "cut", "uncut":
		s.busy(func() { s.answer(s.node.Cut(who, w.word == "cut")) })
	case "ignore", "unignore":
		on := w.word == "ignore"
		if s.ignored[who] = on; !on {
			delete(s.ignored, who)
		}
		s.out.event(s, ignoring{who, on})
	default:
		s.out.event(s, asked{w.word, who, w.text})
	}
}

func (s *session) refuse(err *cli.Error) { s.out.event(s, refusal{err: err}) }

// busy does something beside the session, or says that too much is being done.
func (s *session) busy(f func()) {
	if !s.errand(f) {
		s.refuse(cli.Fail("busy", "too many requests at once").Hint("wait for the answers"))
	}
}

// answer reports what went wrong with what the user wanted.
func (s *session) answer(err error) {
	if err != nil {
		s.tell(refusal{err: roomError(err)})
	}
}

// tell shows an event of the session's own, from another goroutine.
func (s *session) tell(e node.Event) { s.post(func() { s.handle(e) }) }

// roomError is an error of the room's for people.
func roomError(err error) *cli.Error {
	switch {
	case errors.Is(err, room.ErrAlone):
		return cli.Fail("alone", "nobody else is in the room").Hint("/link to invite").Because(err)
	case errors.Is(err, room.ErrYourself):
		return cli.Fail("yourself", "that is you").Because(err)
	case errors.Is(err, room.ErrTooSoon):
		return cli.Fail("too-soon", "that was asked for a moment ago").Hint("wait a few seconds").Because(err)
	case errors.Is(err, room.ErrNotMember):
		return cli.Fail("not-member", "not a member of the room now").Hint("/who").Because(err)
	case errors.Is(err, room.ErrAsking):
		return cli.Fail("asking", "another question is still open").Hint("wait for its answer, a minute at most").Because(err)
	case errors.Is(err, room.ErrNoQuestion):
		return cli.Fail("no-question", "there is no such question, or its time is over").Because(err)
	case errors.Is(err, node.ErrNotConnected):
		return cli.Fail("not-connected", "there is no connection to that peer").Hint("/who").Because(err)
	case errors.Is(err, node.ErrEnded), errors.Is(err, room.ErrLeft):
		return cli.Fail("left", "the room was left").Because(err)
	}
	return cli.Fail("failed", "%s", cli.Clean(err.Error())).Because(err)
}

// resolve finds a peer by its id, its tag, or what it calls itself.
func (s *session) resolve(who string) (peer.ID, *cli.Error) {
	if p, err := peer.Decode(who); err == nil {
		return p, nil
	}
	hits := slices.DeleteFunc(s.names.Find(who), func(p peer.ID) bool {
		return !s.ignored[p] && !slices.ContainsFunc(s.members, func(m room.Member) bool { return m.Peer == p })
	})
	switch len(hits) {
	case 1:
		return hits[0], nil
	case 0:
		return "", cli.Fail("not-member", "nobody here is called %s", cli.Clean(who)).Hint("/who")
	}
	return "", cli.Fail("ambiguous", "%d members are called %s", len(hits), cli.Clean(who)).Hint("give the tag, such as %s", s.names.tag(hits[0]))
}

func (s *session) nick(name string) {
	if err := checkNick(name); err != nil {
		s.refuse(cli.Describe(err))
		return
	}
	s.busy(func() { s.answer(s.node.SetName(name)) })
}

// drop gives up on all that is held, and answers each.
func (s *session) drop() {
	all := s.node.Drop(nil)
	for _, h := range all {
		if o, ok := h.Ref.(*outgoing); ok {
			s.reject(o, cli.Fail("dropped", "dropped as you asked"))
		}
	}
	s.tell(dropped{all})
}

func (s *session) ping(who peer.ID) {
	// Not an errand: what does not answer must not hold up the others.
	go func() {
		path, err := s.node.Ping(context.Background(), who)
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				s.tell(refusal{err: cli.Fail("not-connected", "no answer in 5 seconds")})
				return
			}
			s.answer(err)
			return
		}
		s.tell(pinged{path})
	}()
}

func (s *session) prove(who peer.ID, expr string) {
	policy, err := abe.ParsePolicy(expr)
	if err != nil {
		s.refuse(cli.Describe(err))
		return
	}
	s.busy(func() {
		if err := s.node.Ask(who, policy); err != nil {
			s.answer(err)
			return
		}
		s.tell(proofAsked{who, policy.String()})
	})
}

// allow answers a question: the one named, or the last one.
func (s *session) allow(id string, yes bool) {
	if id == "" {
		if s.question == nil {
			s.refuse(cli.Fail("no-question", "nobody asks you to prove anything"))
			return
		}
		id = s.question.ID
	}
	s.busy(func() { s.answer(s.node.Answer(id, yes)) })
}
