package house

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/node"
	"coterie/room"
)

// A Plan is a checked join: everything that can be wrong before anything is
// dialled.
type Plan struct {
	Link       room.Link // zeros: none was typed
	Key        *abe.Key
	keyPath    string
	notice     *abe.Notice // the newest of the key's domain that is known
	Through    string
	bootstrap  []ma.Multiaddr
	relays     []ma.Multiaddr // of the key's domain
	listen     []ma.Multiaddr
	Nick       string
	Flags      Flags
	Hold       time.Duration     // how long a message is held
	keep       int64             // bytes on disk
	Settings   *profile.Settings // nil in a demonstration
	Values     profile.Values    // of them, for this room
	Kept       profile.Values    // of this room, for the next time
	Descriptor *room.Descriptor
	ask        func() ([]age.Identity, error) // opens the identities; nil: there are none
	opened     []age.Identity                 // that were opened for the key
}

// RoomName is what was typed for a room; for a dash, what the first line of the input has.
func RoomName(name string, in *bufio.Reader) (string, error) {
	if name != "-" {
		return room.Pasted(name), nil
	}
	line, err := in.ReadString('\n')
	if err != nil && (err != io.EOF || line == "") {
		return "", cli.Usage("no link on standard input").Hint("echo 'coterie:2:...' | coterie join - --key FILE")
	}
	return room.Pasted(strings.TrimSpace(line)), nil
}

// Plan checks what was typed, and says so line by line.
func (h *House) Plan(name string, f Flags, in *bufio.Reader, out Joiner) (*Plan, error) {
	name, err := RoomName(name, in)
	if err != nil {
		return nil, err
	}
	p := &Plan{Flags: f, keyPath: f.Key}
	known, err := h.fill(p, name)
	if err != nil {
		return nil, err
	}
	f = p.Flags
	if err := checkNick(f.Nick); err != nil {
		return nil, err
	}
	if p.bootstrap, err = profile.Addresses("--bootstrap", f.Bootstrap); err != nil {
		return nil, err
	}
	if _, err = profile.Addresses("--listen", f.Listen); err != nil {
		return nil, err
	}
	for _, b := range p.bootstrap {
		if err := node.CheckBootstrap(b); err != nil {
			return nil, cli.Usage("--bootstrap: %v", err).Hint("outside your own network an address ends in /p2p/PEER")
		}
	}
	if p.ask, err = h.identities(f); err != nil {
		return nil, err
	}
	ask := p.ask
	if ask != nil {
		ask = func() (ids []age.Identity, err error) {
			p.opened, err = p.ask()
			return p.opened, err
		}
	}
	p.Key, err = keyfile.LoadKey(p.keyPath, ask)
	if err != nil {
		return nil, err
	}
	today := abe.DayOf(h.Now())
	if today >= p.Key.Expires() {
		return nil, cli.KeyExpired(p.keyPath, p.Key, today)
	}
	if today < p.Key.From() {
		return nil, cli.Fail("key-not-yet", "%s is valid from %s, in %s", p.keyPath, p.Key.From(),
			cli.Plural(int(p.Key.From()-today), "day")).
			Hint("is this computer's clock right? it says %s", today)
	}
	if err := h.findNotice(p, out); err != nil {
		return nil, err
	}
	p.relays = profile.DomainRelays(p.Key.Domain(), out.Warn)
	out.Step("key", cli.KeyAttributes(p.Key)+"; "+cli.Plural(int(p.Key.Expires()-today), "more day"))

	if known != nil {
		p.Descriptor, err = known.In(p.Key.Domain())
	} else {
		p.Descriptor, err = describe(name, f, p)
	}
	if err != nil {
		return nil, err
	}
	if err := h.choose(p); err != nil {
		return nil, err
	}
	e := p.Descriptor.Policy.Explain(p.Key.Attributes(), p.Key.Generation())
	if !e.Satisfied {
		return nil, chat.Unsatisfied(p.Descriptor, p.Key, e)
	}
	p.Through = e.Through
	if left := p.Key.Expires() - today; left <= 7 {
		if p.Flags.Ephemeral || h.Remind(p.keyPath, today.String()) {
			out.Warn(cli.Fail("key-expiring", "%s expires in %s", p.keyPath, cli.Plural(int(left), "day")).
				Hint("ask the operator for a renewal: it is key %d", p.Key.Serial()))
		}
	}
	out.Step("policy", "you satisfy it through "+e.Through)
	return p, nil
}

// beginAt is where we begin: what was given, or is remembered, and the domain's
// relays. Those are not remembered: they come with the key.
func (p *Plan) beginAt() []ma.Multiaddr { return append(slices.Clone(p.bootstrap), p.relays...) }

// fill fills in what was not typed: from what is kept of the room, and from the settings. It
// returns the room that is kept, if that is the one meant.
func (h *House) fill(p *Plan, name string) (*profile.Room, error) {
	c, err := h.Settings()
	if err != nil {
		return nil, err
	}
	f := &p.Flags
	var known *profile.Room
	if !room.IsLink(name) {
		if known, err = h.fillFromRooms(p, name); err != nil {
			return nil, err
		}
	}
	p.Settings = c
	if p.keyPath == "" {
		p.keyPath = c.For(name, nil).Text("key")
	}
	for _, s := range []struct {
		flag string
		to   *string
	}{{"identity", &f.Identity}, {"color", &f.Colour}, {"log", &f.Log}} {
		if !f.Given(s.flag) {
			*s.to = c.Text(s.flag)
		}
	}
	if !f.Given("history") && known == nil && !room.IsLink(name) {
		f.History = c.Text("history")
	}
	if !f.Given("bootstrap") {
		f.Bootstrap = append(f.Bootstrap, c.List("bootstrap")...)
	}
	if p.Hold, err = time.ParseDuration(c.Text("hold")); err != nil {
		return nil, err // it was checked
	}
	if p.keyPath == "" {
		e := cli.Usage("missing --key")
		if f.Policy == "" && !room.IsLink(name) {
			return nil, e.Hint("coterie join %s --key FILE --policy 'POLICY'; no room of this name is remembered",
				cli.Quote(name))
		}
		return nil, e.Hint("coterie join %s --key FILE", cli.Quote(name))
	}
	return known, nil
}

// fillFromRooms fills in what is kept of a room, and returns it if it is the one meant.
func (h *House) fillFromRooms(p *Plan, name string) (*profile.Room, error) {
	f := &p.Flags
	if r := f.Known; r != nil {
		p.keyPath = r.Key
		f.Bootstrap = append(f.Bootstrap, r.Addresses...)
		return r, nil
	}
	if f.Policy == "" {
		if err := NotAName(name); err != nil {
			return nil, err
		}
		r, ok, err := h.Recall(name, f.Key)
		if err != nil {
			return nil, err
		}
		if ok && f.History == "" && !f.Questions {
			p.keyPath = r.Key
			f.Bootstrap = append(f.Bootstrap, r.Addresses...)
			return &r, nil
		}
	}
	// It may be kept all the same, or one of its name: whose key and addresses are as good.
	hits, err := h.Namesakes(name, f.Key)
	if err != nil {
		return nil, err
	}
	for _, r := range hits {
		f.Bootstrap = append(f.Bootstrap, r.Addresses...)
	}
	if f.Key == "" && len(hits) > 0 && profile.OneKey(hits) {
		p.keyPath = hits[0].Key
	}
	return nil, nil
}

// choose settles how this peer takes part, now that the room is known: what was typed is
// stronger than any setting, and is kept.
func (h *House) choose(p *Plan) (err error) {
	f := &p.Flags
	p.Kept = make(profile.Values)
	if !f.Ephemeral {
		if p.Kept, err = h.KeptOf(p.Descriptor, p.keyPath); err != nil {
			return err
		}
	}
	p.Values = p.Settings.For(p.Descriptor.Name, p.Kept)
	if f.Given("nick") {
		p.Values["nick"], p.Kept["nick"] = f.Nick, f.Nick
	}
	if f.Given("keep") {
		p.Values["keep"], p.Kept["keep"] = f.Keep, f.Keep
	}
	keep, bad := profile.ParseSize(p.Values.Text("keep"))
	if bad != nil {
		return bad
	}
	p.keep = keep
	if f.Given("listen") {
		p.Values["listen"], p.Kept["listen"] = f.Listen, f.Listen
	}
	if !f.Given("time") {
		f.Clock = p.Values.Text("time")
	}
	if p.Nick = p.Values.Text("nick"); p.Nick != "" {
		if err := checkNick(p.Nick); err != nil {
			return err
		}
	}
	p.listen, err = profile.Addresses("--listen", p.Values.List("listen"))
	return err
}

// describe finds out which room is meant.
func describe(name string, f Flags, p *Plan) (*room.Descriptor, error) {
	domain := p.Key.Domain()
	if room.IsLink(name) {
		l, err := room.ParseLink(name)
		if err != nil {
			return nil, chat.LinkError(err)
		}
		if f.Policy != "" || f.History != "" || f.Questions {
			return nil, cli.Usage("a link has the room's policy and history in it, and whether it takes questions").
				Hint("leave out --policy, --history and --questions")
		}
		if l.Domain != domain.ID() {
			return nil, profile.WrongDomain(domain, room.Fingerprint(l.Domain))
		}
		p.Link = *l
		p.bootstrap = append(p.bootstrap, l.Addresses...)
		return l.Descriptor, nil
	}
	if err := NotAName(name); err != nil {
		return nil, err
	}
	if f.Policy == "" {
		return nil, cli.Usage("a room needs a policy").Hint("coterie join %s --key %s --policy 'POLICY'",
			cli.Quote(name), cli.Quote(f.Key))
	}
	policy, err := abe.ParsePolicy(f.Policy)
	if err != nil {
		return nil, err
	}
	history, bad := profile.ParseSpan(f.History)
	if bad != nil {
		return nil, cli.Usage("--history: %s", bad.Text).Hint("such as 7d or 12h")
	}
	d, err := room.NewDescriptor(domain, name, policy, history)
	if err != nil {
		return nil, cli.Usage("%v", err)
	}
	if d.Questions = f.Questions; d.Questions {
		if err := room.MayAsk(d, nil); err != nil {
			return nil, cli.Usage("nobody could ask under this policy: %v", err).Hint("leave out --questions")
		}
	}
	return d, nil
}

// NotAName guesses what else somebody may have given for a room.
func NotAName(s string) error {
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

// withCode gives an error of wrong usage a code of its own.
func withCode(code string, e *cli.Error) *cli.Error {
	e.Code = code
	return e
}
