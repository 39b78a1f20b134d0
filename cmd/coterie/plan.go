package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/node"
	"coterie/room"
)

// A plan is a checked join: everything that can be wrong before anything is
// dialled.
type plan struct {
	link       room.Link
	key        *abe.Key
	keyPath    string
	notice     *abe.Notice // the newest of the key's domain that is known
	through    string
	bootstrap  []ma.Multiaddr
	relays     []ma.Multiaddr // of the key's domain
	listen     []ma.Multiaddr
	nick       string
	flags      joinFlags
	hold       time.Duration     // how long a message is held
	keep       int64             // bytes on disk
	settings   *profile.Settings // nil in a demonstration
	values     profile.Values    // of them, for this room
	kept       profile.Values    // of this room, for the next time
	descriptor *room.Descriptor
	ask        func() ([]age.Identity, error) // opens the identities; nil: there are none
	identities []age.Identity                 // that were opened for the key
}

// plan checks what was typed, and says so line by line.
func (a *app) plan(name string, f joinFlags, in *bufio.Reader, out face) (*plan, error) {
	if name == "-" {
		line, err := in.ReadString('\n')
		if err != nil && (err != io.EOF || line == "") {
			return nil, cli.Usage("no link on standard input").Hint("echo 'coterie:2:...' | coterie join - --key FILE")
		}
		name = strings.TrimSpace(line)
	}
	p := &plan{flags: f, keyPath: f.key}
	known, err := a.fill(p, name)
	if err != nil {
		return nil, err
	}
	f = p.flags
	if err := checkNick(f.nick); err != nil {
		return nil, err
	}
	if p.bootstrap, err = profile.Addresses("--bootstrap", f.bootstrap); err != nil {
		return nil, err
	}
	if _, err = profile.Addresses("--listen", f.listen); err != nil {
		return nil, err
	}
	for _, b := range p.bootstrap {
		if err := node.CheckBootstrap(b); err != nil {
			return nil, cli.Usage("--bootstrap: %v", err).Hint("outside your own network an address ends in /p2p/PEER")
		}
	}
	if p.ask, err = a.Identities(f.identity, f.passphraseFile); err != nil {
		return nil, err
	}
	ask := p.ask
	if ask != nil {
		ask = func() (ids []age.Identity, err error) {
			p.identities, err = p.ask()
			return p.identities, err
		}
	}
	p.key, err = keyfile.LoadKey(p.keyPath, ask)
	if err != nil {
		return nil, err
	}
	today := abe.DayOf(a.now())
	if today >= p.key.Expires() {
		return nil, cli.KeyExpired(p.keyPath, p.key, today)
	}
	if today < p.key.From() {
		return nil, cli.Fail("key-not-yet", "%s is valid from %s, in %s", p.keyPath, p.key.From(),
			cli.Plural(int(p.key.From()-today), "day")).
			Hint("is this computer's clock right? it says %s", today)
	}
	if err := a.findNotice(p, out); err != nil {
		return nil, err
	}
	p.relays = profile.DomainRelays(p.key.Domain(), out.Warn)
	out.Step("key", cli.KeyAttributes(p.key)+"; "+cli.Plural(int(p.key.Expires()-today), "more day"))

	if known != nil {
		p.descriptor, err = known.In(p.key.Domain())
	} else {
		p.descriptor, err = describe(name, f, p)
	}
	if err != nil {
		return nil, err
	}
	if err := a.choose(p); err != nil {
		return nil, err
	}
	e := p.descriptor.Policy.Explain(p.key.Attributes(), p.key.Generation())
	if !e.Satisfied {
		return nil, chat.Unsatisfied(p.descriptor, p.key, e)
	}
	p.through = e.Through
	if left := p.key.Expires() - today; left <= 7 {
		if p.flags.ephemeral || a.Remind(p.keyPath, today.String()) {
			out.Warn(cli.Fail("key-expiring", "%s expires in %s", p.keyPath, cli.Plural(int(left), "day")).
				Hint("ask the operator for a renewal: it is key %d", p.key.Serial()))
		}
	}
	out.Step("policy", "you satisfy it through "+e.Through)
	return p, nil
}

// beginAt is where we begin: what was given, or is remembered, and the domain's
// relays. Those are not remembered: they come with the key.
func (p *plan) beginAt() []ma.Multiaddr { return append(slices.Clone(p.bootstrap), p.relays...) }

// fill fills in what was not typed: from what is kept of the room, and from the settings. It
// returns the room that is kept, if that is the one meant.
func (a *app) fill(p *plan, name string) (*profile.Room, error) {
	c, err := a.Settings()
	if err != nil {
		return nil, err
	}
	f := &p.flags
	var known *profile.Room
	if !room.IsLink(name) {
		if known, err = a.fillFromRooms(p, name); err != nil {
			return nil, err
		}
	}
	p.settings = c
	if p.keyPath == "" {
		p.keyPath = c.For(name, nil).Text("key")
	}
	for _, s := range []struct {
		flag string
		to   *string
	}{{"identity", &f.identity}, {"color", &f.colour}, {"log", &f.log}} {
		if !f.given(s.flag) {
			*s.to = c.Text(s.flag)
		}
	}
	if !f.given("history") && known == nil && !room.IsLink(name) {
		f.history = c.Text("history")
	}
	if !f.given("bootstrap") {
		f.bootstrap = append(f.bootstrap, c.List("bootstrap")...)
	}
	if p.hold, err = time.ParseDuration(c.Text("hold")); err != nil {
		return nil, err // it was checked
	}
	if p.keyPath == "" {
		e := cli.Usage("missing --key")
		if f.policy == "" && !room.IsLink(name) {
			return nil, e.Hint("coterie join %s --key FILE --policy 'EXPR'; no room of this name is remembered",
				cli.Quote(name))
		}
		return nil, e.Hint("coterie join %s --key FILE", cli.Quote(name))
	}
	return known, nil
}

// fillFromRooms fills in what is kept of a room, and returns it if it is the one meant.
func (a *app) fillFromRooms(p *plan, name string) (*profile.Room, error) {
	f := &p.flags
	if f.policy == "" {
		if err := notAName(name); err != nil {
			return nil, err
		}
		r, ok, err := a.Recall(name, f.key)
		if err != nil {
			return nil, err
		}
		if ok && f.history == "" && !f.questions {
			p.keyPath = r.Key
			f.bootstrap = append(f.bootstrap, r.Addresses...)
			return &r, nil
		}
	}
	// It may be kept all the same, or one of its name: whose key and addresses are as good.
	hits, err := a.Namesakes(name, f.key)
	if err != nil {
		return nil, err
	}
	for _, r := range hits {
		f.bootstrap = append(f.bootstrap, r.Addresses...)
	}
	if f.key == "" && len(hits) > 0 && profile.OneKey(hits) {
		p.keyPath = hits[0].Key
	}
	return nil, nil
}

// choose settles how this peer takes part, now that the room is known: what was typed is
// stronger than any setting, and is kept.
func (a *app) choose(p *plan) (err error) {
	f := &p.flags
	p.kept = make(profile.Values)
	if !f.ephemeral {
		if p.kept, err = a.KeptOf(p.descriptor, p.keyPath); err != nil {
			return err
		}
	}
	p.values = p.settings.For(p.descriptor.Name, p.kept)
	if f.given("nick") {
		p.values["nick"], p.kept["nick"] = f.nick, f.nick
	}
	if f.given("keep") {
		p.values["keep"], p.kept["keep"] = f.keep, f.keep
	}
	keep, bad := profile.ParseSize(p.values.Text("keep"))
	if bad != nil {
		return bad
	}
	p.keep = keep
	if f.given("listen") {
		p.values["listen"], p.kept["listen"] = f.listen, f.listen
	}
	if !f.given("time") {
		f.clock = p.values.Text("time")
	}
	if p.nick = p.values.Text("nick"); p.nick != "" {
		if err := checkNick(p.nick); err != nil {
			return err
		}
	}
	p.listen, err = profile.Addresses("--listen", p.values.List("listen"))
	return err
}

// describe finds out which room is meant.
func describe(name string, f joinFlags, p *plan) (*room.Descriptor, error) {
	domain := p.key.Domain()
	if room.IsLink(name) {
		l, err := room.ParseLink(name)
		if err != nil {
			return nil, chat.LinkError(err)
		}
		if f.policy != "" || f.history != "" || f.questions {
			return nil, cli.Usage("a link has the room's policy and history in it, and whether it takes questions").
				Hint("leave out --policy, --history and --questions")
		}
		if l.Domain != domain.ID() {
			return nil, profile.WrongDomain(domain, room.Fingerprint(l.Domain))
		}
		p.link = *l
		p.bootstrap = append(p.bootstrap, l.Addresses...)
		return l.Descriptor, nil
	}
	if err := notAName(name); err != nil {
		return nil, err
	}
	if f.policy == "" {
		return nil, cli.Usage("a room needs a policy").Hint("coterie join %s --key %s --policy 'EXPR'",
			cli.Quote(name), cli.Quote(f.key))
	}
	policy, err := abe.ParsePolicy(f.policy)
	if err != nil {
		return nil, err
	}
	history, bad := profile.ParseSpan(f.history)
	if bad != nil {
		return nil, cli.Usage("--history: %s", bad.Text).Hint("such as 7d or 12h")
	}
	d, err := room.NewDescriptor(domain, name, policy, history)
	if err != nil {
		return nil, cli.Usage("%v", err)
	}
	if d.Questions = f.questions; d.Questions {
		if err := room.MayAsk(d, nil); err != nil {
			return nil, cli.Usage("nobody could ask under this policy: %v", err).Hint("leave out --questions")
		}
	}
	return d, nil
}

// agree asks about a room that came as a link, before anything is dialled. Where
// nobody can be asked, having typed the link is enough.
func (a *app) agree(p *plan) error {
	if p.link.Descriptor == nil || p.flags.json || !ui.IsTerminal(a.stdin, a.stdout) {
		return nil
	}
	d, k := p.descriptor, p.key
	history := "off"
	if d.History > 0 {
		history = "newcomers read " + text.Span(d.History)
	}
	if d.Questions {
		history += "\nQuestions are taken from outside"
	}
	fmt.Fprintf(a.stdout, "Room      %s, in %s %s (your key is from this domain)\nPolicy    %s\nYou       satisfy it "+
		"through %s\nHistory   %s\n",
		cli.Clean(d.Name), cli.Clean(k.Domain().Name()), k.Domain().Fingerprint(), cli.Clean(d.Policy.String()),
		cli.Clean(p.through), history)
	yes, err := cli.Agree("Join?", "--json")
	if err == nil && !yes {
		err = cli.Fail("not-done", "not joined")
	}
	return err
}

// notAName guesses what else somebody may have given for a room.
func notAName(s string) error {
	var e *cli.Error
	switch {
	case strings.HasPrefix(s, "/ip4/"), strings.HasPrefix(s, "/ip6/"), strings.HasPrefix(s, "/dns"):
		e = cli.Usage("that is a multiaddress, not a room or link").
			Hint("coterie join ROOM --bootstrap %s", cli.Quote(s))
	case strings.HasSuffix(s, ".key"):
		e = cli.Usage("that is a key file, not a room or link").Hint("coterie join ROOM --key %s", cli.Quote(s))
	case strings.ContainsAny(s, `()"`):
		e = cli.Usage("that is a policy, not a room or link").Hint("coterie join ROOM --policy %s", cli.Quote(s))
	default:
		return nil
	}
	return withCode("link-not", e)
}

// checkNick keeps names that others would not show from being sent. An empty
// one is none.
func checkNick(s string) error {
	if s == "" {
		return nil
	}
	name, err := chat.Nickname(s)
	if err != nil {
		return err
	}
	if name != s {
		return withCode("bad-nick", cli.Usage("%q cannot be a nickname as it stands", s).
			Hint("--nick %s", cli.Quote(name)))
	}
	return nil
}
