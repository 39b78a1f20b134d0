package chat

import (
	"context"
	"errors"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/node"
	"coterie/room"
	"coterie/room/record"
)

// talk does what came by TryDo. A message waits for the room, and the others do not wait
// for it.
func (r *Room) talk(ctx context.Context) {
	says := make(chan func(), maxCommands)
	go r.work(ctx, says)
	for {
		select {
		case w := <-r.typed:
			say, ok := w.c.(Say)
			if !ok {
				r.do(ctx, w)
				continue
			}
			select {
			case says <- func() { r.say(ctx, say) }:
			default:
				r.tell(Rejected{say.Ref, cli.Fail("busy", "too much is waiting to be sent")})
			}
		case <-ctx.Done():
			return
		}
	}
}

// What each command does, in the room's goroutine.

func (c Say) do(r visit)     { go r.say(context.Background(), c) }
func (c Bad) do(r visit)     { r.refuse(c.Err) }
func (c Who) do(r visit)     { r.answer(c) }
func (c Info) do(r visit)    { r.answer(c) }
func (c Link) do(r visit)    { r.answer(c) }
func (c Help) do(r visit)    { r.answer(c) }
func (c Peers) do(r visit)   { r.answer(c) }
func (c Ignores) do(r visit) { r.answer(c) }
func (c To) do(r visit)      { r.answer(c) }
func (c Status) do(r visit)  { r.busy(func() { r.fresh(func() { r.answer(c) }) }) }
func (c Rekey) do(r visit)   { r.busy(func() { r.report(r.node.Rekey()) }) }
func (c Drop) do(r visit)    { r.busy(r.drop) }
func (c Ping) do(r visit)    { r.with(c.Who, r.ping) }
func (c Older) do(r visit)   { r.busy(func() { r.older(c) }) }
func (c Forget) do(r visit)  { r.forget, r.quit = true, &Quit{Leave: true} }

func (c SendHeld) do(r visit) { r.busy(r.sendHeld) }
func (c ShowHeld) do(r visit) { r.busy(func() { r.showHeld(c) }) }

func (c Quit) do(r visit) {
	if n := len(r.box.waiting); c.Leave && n > 0 && r.quit == nil && !r.asked.covers(r) {
		r.asked = leaving{r.by, slices.Clone(r.box.waiting)}
		r.refuse(cli.Fail("held", "%s to be sent, and leaving for good gives %s up", text.Plural(n, "message")+
			either(n == 1, " waits", " wait"), either(n == 1, "it", "them")).
			Hint("/held shows what waits; /quit keeps it; once more leaves all the same"))
		return
	}
	if r.quit == nil || !r.quit.Leave {
		r.quit = &c
	}
}

// A leaving is whom of several faces it was said to that leaving gives messages up, and which.
type leaving struct {
	by   any
	lost []*outgoing
}

// covers reports whether it was said to who wants to leave now, of all that waits.
func (l leaving) covers(r visit) bool {
	untold := func(o *outgoing) bool { return !slices.Contains(l.lost, o) }
	return l.by == r.by && !slices.ContainsFunc(r.box.waiting, untold)
}

func (c MarkUnread) do(r visit) { r.busy(func() { markUnread(r.cfg.Store, c.ID, c.At) }) }

func (c Cut) do(r visit) {
	r.with(c.Who, func(p peer.ID) { r.busy(func() { r.report(r.node.Cut(p, c.On)) }) })
}

func (c Notice) do(r visit) {
	r.busy(func() {
		if err := r.takeNotice(c.File); err != nil {
			r.tell(NotDone{cli.Describe(err)})
		}
	})
}

func (c Whois) do(r visit) {
	r.with(c.Who, func(p peer.ID) {
		a := r.state.whois(p, r.cfg.Now())
		a.To = c
		r.show(a)
	})
}

func (c Nick) do(r visit) {
	name, err := Nickname(c.Name)
	if err != nil {
		r.refuse(err)
		return
	}
	r.busy(func() { r.report(r.node.SetName(name)) })
}

func (c Ignore) do(r visit) {
	r.with(c.Who, func(p peer.ID) {
		if p == r.state.Self {
			r.refuse(Describe(room.ErrYourself))
			return
		}
		r.show(Ignored{p, c.On})
	})
}

// answer shows what the state can answer.
func (r visit) answer(c Command) {
	if a, ok := r.state.Answer(c, r.cfg.Now()); ok {
		r.show(a)
	}
}

func (r visit) refuse(err *cli.Error) { r.show(NotDone{err}) }

// with does something with the peer that a text means.
func (r visit) with(who string, f func(peer.ID)) {
	p, _, err := r.state.Whom(who, false)
	if err != nil {
		r.refuse(err)
		return
	}
	f(p)
}

// busy does something beside the room, or says that too much is being done.
func (r visit) busy(f func()) {
	if !r.beside(f) {
		r.refuse(cli.Fail("busy", "too many requests at once").Hint("wait for the answers"))
	}
}

// report tells what went wrong with what the user wanted.
func (r visit) report(err error) {
	if err != nil {
		r.tell(NotDone{Describe(err)})
	}
}

func (r visit) ping(p peer.ID) {
	// Not one after the other: what does not answer must not hold up the others.
	go func() {
		path, err := r.node.Ping(context.Background(), p)
		if err != nil {
			r.report(err)
			return
		}
		r.tell(Pinged{path})
	}()
}

func (c Prove) do(r visit) {
	p, rest, bad := r.state.Whom(c.Who, c.Expr == "")
	if c.Expr == "" {
		c.Expr = unquote(rest)
	}
	if bad != nil {
		r.refuse(bad)
		return
	}
	policy, err := abe.ParsePolicy(c.Expr)
	if err != nil {
		r.refuse(cli.Describe(err))
		return
	}
	r.busy(func() {
		if err := r.node.Ask(p, policy); err != nil {
			r.report(err)
			return
		}
		r.tell(ProofAsked{p})
	})
}

// unquote takes the quotes away that a shell would have wanted.
func unquote(s string) string {
	if n := len(s); n >= 2 && s[0] == '\'' && s[n-1] == '\'' {
		return s[1 : n-1]
	}
	return s
}

func (c Allow) do(r visit) {
	if c.ID == "" {
		var bad *cli.Error
		if c.ID, bad = r.state.question(c, r.cfg.Now()); bad != nil {
			r.refuse(bad)
			return
		}
	}
	r.busy(func() { r.report(r.node.Answer(c.ID, c.Allow)) })
}

func (c Set) do(r visit) {
	if c.Name == "" {
		r.show(Answer{To: c, Title: "settings of this room: /set NAME VALUE", Lines: r.cfg.Prefs.List()})
		return
	}
	value, how, err := r.cfg.Prefs.Set(c.Name, c.Value)
	if err != nil {
		r.refuse(cli.Describe(err))
		if how == "" {
			return
		}
	}
	r.show(SettingKept{c.Name, value, how})
	if c.Name == "nick" {
		Nick{value}.do(r)
	}
}

func (c Debug) do(r visit) {
	if r.cfg.Log == nil {
		r.cfg.Log = new(Log) // in the demonstration
	}
	if !c.On {
		r.cfg.Log.watch(r.by, nil)
		return
	}
	r.cfg.Log.watch(r.by, func(line string) {
		r.cfg.Face.Show(r.state, Event{Room: r.state.ID, At: r.cfg.Now(), What: Logged{line}, For: r.by}, nil)
	})
	r.cfg.Log.info("watched", "version", cli.ProgramVersion())
}

// Nickname is a name as others show it. The error says why they would not.
func Nickname(s string) (string, *cli.Error) {
	name, err := people.Nick(s)
	var bad *cli.Error
	switch {
	case errors.Is(err, people.ErrNickLong), err == nil && len(name) > record.MaxNameSize:
		bad = cli.Usage("%q is too long for a nickname; %d letters are the limit", s, people.MaxNick)
	case err != nil:
		bad = cli.Usage("%q cannot be a nickname: it %v", s, err)
	default:
		return name, nil
	}
	bad.Code = "bad-nick"
	return "", bad
}

// WithStatus looks how things stand, and then calls f in the room's goroutine. It returns false
// if too much is waiting.
func (r *Room) WithStatus(f func(*State)) bool {
	return r.beside(func() { r.fresh(func() { f(r.state) }) })
}

// Ping measures the way to whom a text means, and says so.
func (r *Room) Ping(ctx context.Context, who string) (text string, path node.Path, err error) {
	var p peer.ID
	var bad *cli.Error
	if err = r.inside(ctx, func() { p, _, bad = r.state.Whom(who, false) }); err != nil {
		return "", path, err
	}
	if bad != nil {
		return "", path, bad
	}
	if path, err = r.node.Ping(ctx, p); err != nil {
		return "", path, Describe(err)
	}
	var said string
	if err = r.inside(ctx, func() { said = r.state.pong(path) }); err != nil {
		return "", path, err
	}
	return said, path, nil
}

// inside runs f in the room's goroutine, and waits until it has run.
func (r *Room) inside(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go r.post(func() { f(); close(done) })
	select {
	case <-done:
		return nil
	case <-r.over:
		return Describe(node.ErrEnded)
	case <-ctx.Done():
		return ctx.Err()
	}
}
