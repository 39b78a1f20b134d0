// Package inquire asks rooms from outside, without a key, and looks for answers
// (PROTOCOL.md §9.7).
package inquire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/node"
	"coterie/room"
)

// Flags are those of coterie ask as they were typed.
type Flags struct {
	Domain, For, Notice string
	Bootstrap           []string
	Wait, JSON          bool
}

// An Inquirer asks for the user of a profile.
type Inquirer struct {
	*profile.Profile
	Now            func() time.Time
	Stdout, Stderr io.Writer
}

// About how long it takes until members are asked once more.
const firstAsk, lastAsk = 3 * time.Second, time.Minute

// Ask asks what is given, a link and words, or looks for answers to all that was asked.
func (a *Inquirer) Ask(ctx context.Context, args []string, f Flags) error {
	waiting, over, err := a.Asked(a.Now())
	if err != nil {
		return err
	}
	switch len(args) {
	case 2:
		q, err := a.newQuestion(args[0], args[1], f)
		if err != nil {
			return err
		}
		if err := a.KeepAsked(q); err != nil {
			return err
		}
		waiting, over = []*profile.Asked{q}, nil
	case 1:
		return cli.Usage("missing WORDS").Hint("coterie ask LINK 'WORDS' --domain FILE")
	}
	for _, q := range over {
		a.tellAsked(q, asking{state: "over"}, f.JSON)
	}
	if len(waiting) == 0 && len(over) == 0 {
		return cli.Fail("nothing-asked", "nothing that you asked waits for an answer").
			Hint("coterie ask LINK 'WORDS' --domain FILE")
	}
	told := make(map[*profile.Asked]string)
	for pause := firstAsk; ; pause = min(2*pause, lastAsk) {
		if waiting, err = a.look(ctx, waiting, told, f.JSON); err != nil || len(waiting) == 0 {
			return err
		}
		if !f.Wait {
			if slices.ContainsFunc(waiting, func(q *profile.Asked) bool { return !q.Taken }) {
				return cli.Silent(cli.StatusFailed) // it was said why
			}
			return nil
		}
		select {
		case <-time.After(pause/2 + mathrand.N(pause)):
		case <-ctx.Done():
			return cli.Silent(cli.StatusFailed)
		}
	}
}

// look looks for answers once, says what is new, and returns the questions that still wait.
func (a *Inquirer) look(ctx context.Context, waiting []*profile.Asked, told map[*profile.Asked]string,
	asJSON bool) (open []*profile.Asked, err error) {
	for _, q := range waiting {
		now := a.inquire(ctx, q)
		if ctx.Err() != nil {
			return nil, cli.Silent(cli.StatusFailed)
		}
		if now.err != nil {
			return nil, now.err
		}
		if told[q] != now.state {
			told[q] = now.state
			a.tellAsked(q, now, asJSON)
		}
		if now.state != "answered" {
			open = append(open, q)
		} else if err := a.ForgetAsked(q); err != nil {
			return nil, err
		}
	}
	return open, nil
}

// newQuestion makes a question of what was typed.
func (a *Inquirer) newQuestion(link, words string, f Flags) (*profile.Asked, error) {
	link = room.Pasted(link)
	l, err := room.ParseLink(link)
	if err != nil {
		return nil, chat.LinkError(err)
	}
	if f.Domain == "" {
		return nil, cli.Usage("missing --domain").Hint("the operator of the room's domain publishes its file: --domain FILE")
	}
	q := &profile.Asked{Room: l.Name, Link: link, Begin: f.Bootstrap, Text: words, At: a.Now().UTC().Truncate(time.Second)}
	if q.Domain, err = filepath.Abs(f.Domain); err != nil {
		return nil, err
	}
	if f.For != "" {
		p, err := abe.ParsePolicy(f.For)
		if err != nil {
			return nil, err
		}
		q.For = p.String()
	}
	if strings.TrimSpace(words) == "" {
		return nil, cli.Usage("an empty question")
	}
	if _, err := profile.Addresses("--bootstrap", f.Bootstrap); err != nil {
		return nil, err
	}
	if f.Notice != "" {
		domain, err := keyfile.LoadDomain(f.Domain)
		if err != nil {
			return nil, err
		}
		n, err := profile.ReadNotice(f.Notice, domain)
		if err != nil {
			return nil, err
		}
		if err := a.KeepNotice(domain, n); err != nil {
			return nil, err
		}
	}
	return q, a.makeQuestion(q)
}

// makeQuestion makes the question as of today, and for none of the keys that the newest known
// notice names.
func (a *Inquirer) makeQuestion(q *profile.Asked) error {
	l, err := room.ParseLink(q.Link)
	if err != nil {
		return chat.LinkError(err)
	}
	domain, err := keyfile.LoadDomain(q.Domain)
	if err != nil {
		return err
	}
	if domain.ID() != l.Domain {
		return cli.Fail("wrong-domain", "%s is of %s %s, and the room belongs to %s", cli.Clean(q.Domain),
			cli.Clean(domain.Name()), domain.Fingerprint(), room.Fingerprint(l.Domain)).
			Hint("give the file of the room's domain with --domain")
	}
	var also *abe.Policy
	if q.For != "" {
		if also, err = abe.ParsePolicy(q.For); err != nil {
			return err
		}
	}
	notice, err := a.Notice(domain)
	if err != nil {
		return err
	}
	q.Inquiry, err = room.Inquire(rand.Reader, domain, l.Descriptor, also, abe.DayOf(a.Now()), notice, q.Text)
	switch {
	case errors.Is(err, room.ErrNoQuestions):
		return cli.Fail("no-questions", "%s takes no questions from outside", cli.Clean(l.Name)).
			Hint("whoever made the room can make one that does: coterie join ROOM --questions").Because(err)
	case errors.Is(err, room.ErrOutsidePolicy):
		return cli.Fail("to-policy", "the policy is too large to ask something under it").
			Hint("leave out --for, or give a shorter one").Because(err)
	case errors.Is(err, room.ErrTooLong):
		return cli.Fail("too-long", "the question has %s bytes; the limit is %s", cli.Count(len(q.Text)),
			cli.Count(room.MaxQuestionText)).Because(err)
	case errors.Is(err, room.ErrText):
		return cli.Fail("bad-input", "the question is not UTF-8").Because(err)
	}
	return err
}

// An asking is how a question stands.
type asking struct {
	state   string // taken, waiting, answered, later, unknown, unreached, over
	answers []string
	failed  []error
	err     error
}

// inquire looks for the answer to a question, and hands it over if nobody has it.
func (a *Inquirer) inquire(ctx context.Context, q *profile.Asked) asking {
	l, err := room.ParseLink(q.Link)
	if err != nil {
		return asking{err: chat.LinkError(err)}
	}
	domain, err := keyfile.LoadDomain(q.Domain)
	if err != nil {
		return asking{err: err}
	}
	at, err := profile.Addresses("--bootstrap", q.Begin)
	if err != nil {
		return asking{err: err}
	}
	at = append(append(at, l.Addresses...), profile.DomainRelays(domain, func(e *cli.Error) { cli.Warn(a.Stderr, e) })...)
	if len(at) == 0 {
		return asking{err: cli.Usage("the link has no addresses, and the domain no relays").
			Hint("--bootstrap ADDR, or a link that a member makes while in the room: /link")}
	}
	asker, err := node.NewAsker(l.Descriptor, at)
	if err != nil {
		return asking{err: chat.NodeError(err)}
	}
	defer asker.Close()
	if q.Taken {
		said := asker.Fetch(ctx, q.Inquiry)
		out := asking{failed: said.Failed, state: "waiting"}
		for _, b := range said.Answers {
			if words, err := q.Read(b); err == nil {
				out.answers, out.state = append(out.answers, words), "answered"
			}
		}
		switch {
		case said.Members == 0:
			out.state = "unreached"
		case said.Taken:
		default:
			out.state = "unknown"
		}
		if out.state != "unknown" || q.Period.Day() != abe.DayOf(a.Now()) {
			return out
		}
	}
	return a.hand(ctx, asker, domain, q)
}

// hand hands a question to a member; for another day or notice than it was made for, it is
// made anew.
func (a *Inquirer) hand(ctx context.Context, asker *node.Asker, domain *abe.Domain, q *profile.Asked) asking {
	for try := 0; ; try++ {
		notice, err := a.Notice(domain)
		if err != nil {
			return asking{err: err}
		}
		number := uint32(0)
		if notice != nil {
			number = notice.Number
		}
		if q.Period != abe.PeriodOf(number, abe.DayOf(a.Now())) {
			old := *q
			if err := a.makeQuestion(q); err != nil {
				return asking{err: err}
			}
			if err := errors.Join(a.KeepAsked(q), a.ForgetAsked(&old)); err != nil {
				return asking{err: err}
			}
		}
		said := asker.Hand(ctx, q.Inquiry, notice)
		if n := said.Notice; n != nil && n.Verify(domain) == nil && n.Number > number && try == 0 {
			if err := a.KeepNotice(domain, n); err != nil {
				return asking{err: err}
			}
			continue
		}
		out := asking{failed: said.Failed, state: "unknown"}
		switch {
		case said.Taken:
			q.Taken, out.state = true, "taken"
			out.err = a.KeepAsked(q)
		case said.Later:
			out.state = "later"
		case said.Members == 0:
			out.state = "unreached"
		}
		return out
	}
}

// tellAsked says how a question stands.
func (a *Inquirer) tellAsked(q *profile.Asked, now asking, asJSON bool) {
	answers := append([]string{}, now.answers...)
	if asJSON {
		a.Stdout.Write(lines.NewObject("asked").Add("id", lines.ID(q.ID)).Add("room", q.Room).Add("text", q.Text).
			Maybe("for", q.For).Add("asked", lines.Stamp(q.At)).Add("state", now.state).Add("answers", answers).Line())
		return
	}
	said := map[string]string{
		"taken": "taken by a peer that says it is a member of %s; whether anybody there can read it shows when somebody " +
			"answers. coterie ask looks for the answer, for 7 days",
		"waiting":   "no answer yet; it is kept in %s",
		"answered":  "answered in %s:",
		"later":     "not taken: whoever was reached of %s takes no more questions now, or is alone; try later, or --wait",
		"unknown":   "whoever was reached of %s does not have your question (any more); ask again, or --wait for others",
		"unreached": "no member of %s could be reached; try later, or --wait",
		"over":      "no answer came from %s in time; the question is not kept any longer",
	}[now.state]
	fmt.Fprintf(a.Stdout, "%q: "+said+"\n", oneLine(q.Text), cli.Clean(q.Room))
	for _, s := range answers {
		for l := range strings.Lines(s) {
			fmt.Fprintf(a.Stdout, "  %s\n", cli.Clean(strings.TrimRight(l, "\r\n")))
		}
	}
	if now.state == "unreached" {
		for _, err := range now.failed {
			text, _ := chat.Dialled(err)
			fmt.Fprintf(a.Stdout, "  %s\n", cli.Clean(text))
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(cli.Clean(s)), " ") }
