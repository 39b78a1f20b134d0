package chat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/node/store"
	"coterie/room"
	"coterie/room/record"
)

// Describe is an error of the room's for people.
func Describe(err error) *cli.Error {
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
		return cli.Fail("asking", "another question is still open").Hint("wait for its answer, a minute at most").
			Because(err)
	case errors.Is(err, room.ErrNoQuestion):
		return cli.Fail("no-question", "there is no such question, or its time is over").Because(err)
	case errors.Is(err, room.ErrNoOutside):
		return cli.Fail("no-question", "there is no such question from outside").Hint("/questions lists them").Because(err)
	case errors.Is(err, room.ErrNobodyHears):
		return cli.Fail("alone", "nobody else is here, and an answer goes through the room").Hint("answer when somebody is").
			Because(err)
	case errors.Is(err, room.ErrTooLong):
		return cli.Fail("too-long", "an answer has at most %s bytes", cli.Count(ake.MaxWords)).Because(err)
	case errors.Is(err, node.ErrNotConnected):
		return cli.Fail("not-connected", "there is no connection to that peer").Hint("/who").Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return cli.Fail("not-connected", "no answer in 5 seconds").Because(err)
	case errors.Is(err, node.ErrEnded), errors.Is(err, room.ErrLeft):
		return cli.Fail("left", "the room was left").Because(err)
	}
	return cli.Fail("failed", "%s", cli.Clean(err.Error())).Because(err)
}

// sendError says why a message was not taken.
func sendError(err error, text string) *cli.Error {
	switch {
	case errors.Is(err, room.ErrTooLong):
		return cli.Fail("too-long", "the message has %s bytes; the limit is %s", cli.Count(len(text)),
			cli.Count(record.MaxText)).
			Hint("split it, or send it as a file: /file PATH").Because(err)
	case errors.Is(err, room.ErrNoWords):
		return cli.Fail("failed", "nothing can be said to some alone here").Because(err)
	case errors.Is(err, room.ErrText):
		return cli.Fail("bad-input", "the message is not UTF-8").Because(err)
	}
	return cli.Fail("failed", "%v", err).Because(err)
}

// failed is a trouble of the room's.
func failed(e room.Failed) *cli.Error {
	f := cli.Fail("failed", "%s failed", e.Doing)
	if e.Err != nil {
		f.Text += ": " + cli.Clean(e.Err.Error())
	}
	return f
}

// savingError tells that history is not saved any more, or is again.
func savingError(e node.NotSaving) *cli.Error {
	switch {
	case e.Err == nil:
		return cli.Fail("saving", "history is saved again; what was said in between is not")
	case errors.Is(e.Err, store.ErrFull):
		return cli.Fail("disk-full", "cannot save history: no space left on device; the room goes on without saving")
	}
	return cli.Fail("not-saving", "cannot save history: %s; the room goes on without saving",
		cli.Clean(e.Err.Error())).Because(e.Err)
}

// relayRefused says that a relay did not give us something, and what follows from that.
func (s *State) relayRefused(e node.RelayRefused) *cli.Error {
	if e.What == "place" {
		return cli.Fail("relay-refused", "the relay %s has no place for you: %s", s.Names.Tag(e.Relay), e.Why).
			Hint("others cannot reach you through it; another relay helps, or whoever runs it: coterie relay --connections N")
	}
	return cli.Fail("relay-refused", "the relay %s did not connect you to a member: %s", s.Names.Tag(e.Relay), e.Why).
		Hint("it is tried again; another relay helps, or whoever runs it: coterie relay --circuits N")
}

const codeWrongPeer = "bootstrap-wrong-peer"

// bootstrapError says that no bootstrap address answered, and why each did not.
func bootstrapError(e node.BootstrapFailed) *cli.Error {
	for i, err := range e.Errors {
		if errors.Is(err, node.ErrWrongPeer) {
			return cli.Fail(codeWrongPeer, "%s is a different peer: %s", e.Addresses[i], cli.Clean(LastLine(err))).
				Hint("get a fresh link, or leave out /p2p/... on your own network")
		}
	}
	if f := bootstrapRefused(e); f != nil {
		return f
	}
	if i := slices.IndexFunc(e.Errors, isClock); i >= 0 {
		text, hint := Dialled(e.Errors[i])
		return cli.Fail("clock", "%s answers, and %s", Host(e.Addresses[i]), text).Hint("%s", hint)
	}
	f := cli.Fail("bootstrap-unreachable", "none of %s answered", cli.Plural(len(e.Addresses), "bootstrap address"))
	for i, a := range e.Addresses {
		text, hint := Dialled(e.Errors[i])
		if len(e.Addresses) == 1 {
			f.Text = fmt.Sprintf("%s: %s", Host(a), text)
		}
		f.Detail(fmt.Sprintf("%s   %s", cli.Clean(a.String()), text))
		if len(f.Hints) < 2 && !slices.Contains(f.Hints, hint) {
			f.Hint("%s", hint)
		}
	}
	return f.Hint("it is tried again until somebody answers")
}

// Problem is the error that an event warns of, for faces that have codes. ok is false
// where it warns of none.
func (s *State) Problem(what any) (err *cli.Error, ok bool) {
	switch w := what.(type) {
	case node.RelayRefused:
		return s.relayRefused(w), true
	case room.Failed:
		return failed(w), true
	case node.BootstrapFailed:
		return bootstrapError(w), true
	case node.NotSaving:
		return savingError(w), true
	case Warning:
		return w.Err, true
	}
	return nil, false
}

// NodeError says why a peer cannot listen.
func NodeError(err error) error {
	var l *node.ListenError
	if errors.As(err, &l) && errors.Is(err, node.ErrPortTaken) {
		return cli.Fail("port-taken", "%s is in use by another program", Port(l.Addresses[0])).
			Hint("leave out --listen to get any free port, or stop the other one").Because(err)
	}
	if errors.As(err, &l) && errors.Is(err, fs.ErrPermission) {
		return cli.Fail("listen", "this computer does not let you listen on %s", Port(l.Addresses[0])).
			Hint("take a port from 1024 on, or leave out --listen to get a free one").Because(err)
	}
	if errors.As(err, &l) {
		return cli.Fail("listen", "cannot listen on %s: %s", l.Addresses[0], cli.Clean(LastLine(l.Err))).
			Hint("leave out --listen to get any free port").Because(err)
	}
	return err
}

// LinkError says what is wrong with a link.
func LinkError(err error) error {
	switch {
	case errors.Is(err, room.ErrNewer):
		what := "the room in this link is of a later version"
		if _, format, ok := strings.Cut(err.Error(), "link format "); ok {
			what = "this link is of format " + format
		}
		return cli.Fail("link-newer", "%s; this coterie knows format 2", what).
			Hint("coterie %s is too old; get a newer one", cli.ProgramVersion()).Because(err)
	case errors.Is(err, room.ErrLinkOld):
		return cli.Fail("link-old", "this link is of format 1, which nobody can join any more").
			Hint("ask whoever sent it for a new one: /link in their room prints it").Because(err)
	case errors.Is(err, room.ErrNotLink):
		e := cli.Usage("that is not a room link")
		e.Code = "link-not"
		return e
	}
	return cli.Fail("link-damaged", "the link is cut short or mistyped (its check letters do not match)").
		Hint("quote it: coterie join 'coterie:...'; or paste it: coterie join -").Because(err)
}

// Unsatisfied says what a key lacks for a room.
func Unsatisfied(d *room.Descriptor, key *abe.Key, e abe.Explanation) error {
	fail := cli.Fail("policy-unsatisfied", "your key does not satisfy this room's policy").
		Detail("policy   "+cli.Clean(d.Policy.String()), "yours    "+cli.Clean(cli.KeyAttributes(key)))
	for _, m := range e.Missing {
		line := "missing  " + cli.Clean(m.Attribute)
		if m.For != m.Attribute {
			line += " for " + cli.Clean(m.For)
		}
		fail.Detail(line)
	}
	return fail.Hint("ask %s's operator for what is missing, or check the spelling: names are exact (\"5th Year\" is "+
		"not \"5th year\")", key.Domain().Name())
}
