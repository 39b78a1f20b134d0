package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/node"
	"coterie/room"
)

// joinFlags are the flags of join as they were typed.
type joinFlags struct {
	key, identity, passphraseFile string
	policy, nick, history         string
	bootstrap, listen             []string
	json, plain, stay, ephemeral  bool
	linger                        time.Duration
	clock, colour, log            string

	given func(flag string) bool
}

func (a *app) joinCommand() *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use:   "join ROOM|LINK|-",
		Short: "take part in a room",
		Long: `Take part in a room. The room is its name, its policy and the domain of the key: whoever types the same is in the same room.
Type, and press Enter: it is sent to everybody who can read the room. /who says who that is, /quit leaves.`,
		Example: `  coterie join exam --key kari.key --policy '("NTNU" and "5th year") or "Professor"' --listen /ip4/0.0.0.0/tcp/4001
  coterie join exam --key ann.key --policy '("NTNU" and "5th year") or "Professor"' --bootstrap /ip4/10.0.0.7/tcp/4001
  coterie join 'coterie:2:exam:...' --key ann.key        (or: coterie join - to read the link from standard input)
  coterie join exam                                      (again: room, policy, key and addresses are remembered)`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.given = cmd.Flags().Changed
			return a.join(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.key, "key", "", "your key `FILE`")
	flags.StringVar(&f.policy, "policy", "", "who may enter: `EXPR`, as 'kms policy' explains it")
	flags.StringArrayVar(&f.bootstrap, "bootstrap", nil, "a peer to begin with: `ADDR`, such as 10.0.0.7:4001; may be given several times")
	flags.StringArrayVar(&f.listen, "listen", nil, "listen on `MULTIADDR` (default: any free port)")
	flags.StringVar(&f.nick, "nick", "", "what you call yourself: `NAME`")
	flags.StringVar(&f.history, "history", "", "how far back newcomers may read: `SPAN`, such as 7d; part of the room")
	flags.StringVar(&f.identity, "identity", "", "open a sealed key with the age identities in `FILE`")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	flags.BoolVar(&f.ephemeral, "ephemeral", false, "keep nothing on disk, and be another peer each time")
	flags.BoolVar(&f.json, "json", false, "one JSON object a line, in and out")
	flags.BoolVar(&f.plain, "plain", false, "plain lines, also on a terminal")
	flags.DurationVar(&f.linger, "linger", 10*time.Second, "after the end of input, wait so long for a reader")
	flags.BoolVar(&f.stay, "stay", false, "go on reading after the end of input")
	flags.StringVar(&f.clock, "time", "short", "times in plain lines: short, full, none or a layout")
	flags.StringVar(&f.colour, "color", "auto", "colours: never, always, or auto, as the terminal and NO_COLOR say")
	flags.StringVar(&f.log, "log", "", "append a log to `FILE`, JSON lines without texts and keys")
	cmd.RegisterFlagCompletionFunc("key", completeFiles("key"))
	cmd.RegisterFlagCompletionFunc("policy", a.completePolicy)
	cmd.RegisterFlagCompletionFunc("time", completeWords("short", "full", "none"))
	cmd.RegisterFlagCompletionFunc("color", completeWords("auto", "always", "never"))
	return cmd
}

// A plan is a checked join: everything that can be wrong before anything is
// dialled.
type plan struct {
	link       room.Link
	key        *abe.Key
	keyPath    string
	through    string
	bootstrap  []ma.Multiaddr
	listen     []ma.Multiaddr
	nick       string
	flags      joinFlags
	hold       time.Duration // how long a message is held
	settings   *settings     // nil in a demonstration
	habit      habit         // what is remembered for the next time
	descriptor *room.Descriptor
	ask        func() ([]age.Identity, error) // opens the identities; nil: there are none
	identities []age.Identity                 // that were opened for the key
}

func (a *app) join(ctx context.Context, name string, f joinFlags) error {
	if ctx == nil {
		ctx = context.Background()
	}
	var out face
	in := bufio.NewReaderSize(a.stdin, lines.MaxLine)
	switch {
	case f.json && f.plain:
		return cli.Usage("--json and --plain exclude each other")
	case !checkColour(f.colour):
		return cli.Usage("--color: %q is not auto, always or never", f.colour)
	case f.json:
		out = lines.NewJSON(a.stdout, a.now)
	default:
		p, err := lines.NewPlain(a.stdout, a.stderr, a.now, f.clock)
		if err != nil {
			return err
		}
		out = p
		if !f.plain && a.onTerminal() {
			out = &terminal{Plain: p, app: a}
		}
	}
	out.Hello()
	p, err := a.plan(name, f, in, out)
	if err != nil {
		return out.Fatal(err)
	}
	if lines, ok := out.(interface {
		Use(clock string, colour bool)
	}); ok {
		lines.Use(p.flags.clock, p.flags.colour == "always")
	}
	if err := a.agree(p); err != nil {
		return out.Fatal(err)
	}
	o, err := a.begin(p, out)
	if err != nil {
		return out.Fatal(err)
	}
	defer o.close()
	return o.run(ctx, in, out)
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
	known, err := a.settle(p, name)
	if err != nil {
		return nil, err
	}
	f = p.flags
	if err := checkNick(f.nick); err != nil {
		return nil, err
	}
	if p.bootstrap, err = addresses("--bootstrap", f.bootstrap); err != nil {
		return nil, err
	}
	if _, err = addresses("--listen", f.listen); err != nil {
		return nil, err
	}
	for _, b := range p.bootstrap {
		if err := node.CheckBootstrap(b); err != nil {
			return nil, cli.Usage("--bootstrap: %v", err).Hint("outside your own network an address ends in /p2p/PEER")
		}
	}
	if p.ask, err = a.identities(f.identity, f.passphraseFile); err != nil {
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
		return nil, cli.Fail("key-not-yet", "%s is valid from %s, in %s", p.keyPath, p.key.From(), cli.Plural(int(p.key.From()-today), "day")).
			Hint("is this computer's clock right? it says %s", today)
	}
	out.Step("key", attributeText(p.key)+"; "+cli.Plural(int(p.key.Expires()-today), "more day"))

	if known != nil {
		p.descriptor, err = known.descriptor(p.key.Domain())
	} else {
		p.descriptor, err = describe(name, f, p)
	}
	if err != nil {
		return nil, err
	}
	if err := a.habits(p); err != nil {
		return nil, err
	}
	e := p.descriptor.Policy.Explain(p.key.Attributes(), p.key.Generation())
	if !e.Satisfied {
		return nil, unsatisfied(p, e)
	}
	p.through = e.Through
	if left := p.key.Expires() - today; left <= 7 {
		a.expiring(p, out, int(left), today.String())
	}
	out.Step("policy", "you satisfy it through "+e.Through)
	return p, nil
}

// describe finds out which room is meant.
func describe(name string, f joinFlags, p *plan) (*room.Descriptor, error) {
	domain := p.key.Domain()
	if room.IsLink(name) {
		l, err := room.ParseLink(name)
		if err != nil {
			return nil, linkError(err)
		}
		if f.policy != "" || f.history != "" {
			return nil, cli.Usage("a link has the room's policy and history in it").Hint("leave out --policy and --history")
		}
		if l.Domain != domain.ID() {
			return nil, wrongDomain(domain, room.Fingerprint(l.Domain))
		}
		p.link = *l
		p.bootstrap = append(p.bootstrap, l.Addresses...)
		return l.Descriptor, nil
	}
	if err := notAName(name); err != nil {
		return nil, err
	}
	if f.policy == "" {
		return nil, cli.Usage("a room needs a policy").Hint("coterie join %s --key %s --policy 'EXPR'", cli.Quote(name), cli.Quote(f.key))
	}
	policy, err := abe.ParsePolicy(f.policy)
	if err != nil {
		return nil, err
	}
	history, err := span(f.history)
	if err != nil {
		return nil, err
	}
	d, err := room.NewDescriptor(domain, name, policy, history)
	if err != nil {
		return nil, cli.Usage("%v", err)
	}
	return d, nil
}

// wrongDomain says that a key is of another domain than the room.
func wrongDomain(key *abe.Domain, other string) error {
	return cli.Fail("wrong-domain", "this key is from %s %s, the room belongs to %s", key.Name(), key.Fingerprint(), other).
		Hint("give a key of the room's domain with --key")
}

// agree asks about a room that came as a link, before anything is dialled. Where
// nobody can be asked, having typed the link is enough.
func (a *app) agree(p *plan) error {
	in, ok := a.stdin.(*os.File)
	out, ok2 := a.stdout.(*os.File)
	if p.link.Descriptor == nil || p.flags.json || !ok || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	d, k := p.descriptor, p.key
	history := "off"
	if d.History > 0 {
		history = "newcomers read " + text.Span(d.History)
	}
	fmt.Fprintf(a.stdout, "Room      %s, in %s %s (your key is from this domain)\nPolicy    %s\nYou       satisfy it through %s\nHistory   %s\n",
		cli.Clean(d.Name), cli.Clean(k.Domain().Name()), k.Domain().Fingerprint(), cli.Clean(d.Policy.String()), cli.Clean(p.through), history)
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
		e = cli.Usage("that is a multiaddress, not a room or link").Hint("coterie join ROOM --bootstrap %s", cli.Quote(s))
	case strings.HasSuffix(s, ".key"):
		e = cli.Usage("that is a key file, not a room or link").Hint("coterie join ROOM --key %s", cli.Quote(s))
	case strings.ContainsAny(s, `()"`):
		e = cli.Usage("that is a policy, not a room or link").Hint("coterie join ROOM --policy %s", cli.Quote(s))
	default:
		return nil
	}
	return withCode("link-not", e)
}

func linkError(err error) error {
	switch {
	case errors.Is(err, room.ErrNewer):
		what := "the room in this link is of a later version"
		if _, format, ok := strings.Cut(err.Error(), "link format "); ok {
			what = "this link is of format " + format
		}
		return cli.Fail("link-newer", "%s; this coterie knows format 2", what).Hint("coterie %s is too old; get a newer one", cli.ProgramVersion()).Because(err)
	case errors.Is(err, room.ErrLinkOld):
		return cli.Fail("link-old", "this link is of format 1, which nobody can join any more").
			Hint("ask whoever sent it for a new one: /link in their room prints it").Because(err)
	case errors.Is(err, room.ErrNotLink):
		return withCode("link-not", cli.Usage("that is not a room link"))
	}
	return cli.Fail("link-damaged", "the link is cut short or mistyped (its check letters do not match)").
		Hint("quote it: coterie join 'coterie:...'; or paste it: coterie join -").Because(err)
}

func unsatisfied(p *plan, e abe.Explanation) error {
	fail := cli.Fail("policy-unsatisfied", "your key does not satisfy this room's policy").
		Detail("policy   "+cli.Clean(p.descriptor.Policy.String()), "yours    "+cli.Clean(attributeText(p.key)))
	for _, m := range e.Missing {
		line := "missing  " + cli.Clean(m.Attribute)
		if m.For != m.Attribute {
			line += " for " + cli.Clean(m.For)
		}
		fail.Detail(line)
	}
	return fail.Hint("ask %s's operator for what is missing, or check the spelling: names are exact (\"5th Year\" is not \"5th year\")", p.key.Domain().Name())
}

func attributeText(k *abe.Key) string { return cli.KeyAttributes(k) }

var days = regexp.MustCompile(`^([0-9]{1,5})([dh])$`)

// span reads 7d or 12h.
func span(s string) (time.Duration, error) {
	if s == "" || s == "0" {
		return 0, nil
	}
	m := days.FindStringSubmatch(s)
	if m == nil {
		return 0, cli.Usage("--history: %q is not a span", s).Hint("such as 7d or 12h")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, cli.Usage("--history: %q is not a span", s)
	}
	unit := time.Hour
	if m[2] == "d" {
		unit = 24 * time.Hour
	}
	return time.Duration(n) * unit, nil
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
		return withCode("bad-nick", cli.Usage("%q cannot be a nickname as it stands", s).Hint("--nick %s", cli.Quote(name)))
	}
	return nil
}

// An openRoom is a room that this process has open, with all that closes with it.
type openRoom struct {
	*chat.Room
	app    *app
	plan   *plan
	node   *node.Node
	disk   *disk // nil: nothing is kept
	socket *control.Server
	log    *chat.Log
}

// begin opens a room, up to where its node can run.
func (a *app) begin(p *plan, out face) (_ *openRoom, err error) {
	o := &openRoom{app: a, plan: p}
	defer func() {
		if err != nil {
			o.release()
		}
	}()
	cfg := node.Config{Room: p.descriptor, Key: p.key, Listen: p.listen, Bootstrap: p.bootstrap, Name: p.nick, Now: a.now, MDNS: p.settings != nil && p.settings.MDNS}
	if !p.flags.ephemeral {
		if o.disk, err = a.openDisk(p.descriptor, p.identities, p.ask); err != nil {
			return nil, err
		}
		cfg.Store, cfg.Identity, cfg.Replay = node.NewStore(o.disk.store), o.disk.identity, replay
	}
	dir, err := a.runtimeDir()
	if err != nil {
		return nil, err
	}
	if o.socket, err = control.Listen(dir, control.Name(p.descriptor.ID(), p.flags.ephemeral), p.descriptor.Name); err != nil {
		return nil, err
	}
	if o.log, err = chat.OpenLog(p.flags.log); err != nil {
		return nil, err
	}
	if o.node, err = node.New(cfg); err != nil {
		err = nodeError(err)
		var e *cli.Error
		if errors.As(err, &e) && e.Code == "port-taken" && !p.flags.given("listen") {
			e.Hints = []string{"--listen /ip4/0.0.0.0/tcp/0 takes any free port; or stop the other one"}
		}
		return nil, err
	}
	if o.disk != nil && o.disk.plain {
		out.Warn(cli.Fail("history-plain", "what is said in %s is kept on this computer, encrypted with a key that is stored beside it", cli.Clean(p.descriptor.Name)).
			Hint("--ephemeral keeps nothing; a key that was sealed for your identity protects the history too"))
	}
	out.Step("listening", chat.Listening(o.node.Addresses()))
	if !p.flags.ephemeral {
		if err := a.remember(p, p.bootstrap); err != nil {
			out.Warn(cli.Describe(err))
		}
	}
	o.Room = a.newRoom(p, o.node, o.disk, o.log, out)
	return o, nil
}

// newRoom is the room of a node, for a face.
func (a *app) newRoom(p *plan, n *node.Node, d *disk, log *chat.Log, out face) *chat.Room {
	cfg := chat.Config{
		Node: n, Descriptor: p.descriptor, Key: p.key, KeyPath: p.keyPath, Through: p.through, Nick: p.nick, Bootstrap: p.bootstrap,
		Hold: p.hold, Log: log, Face: out, Now: a.now,
	}
	if p.settings != nil {
		cfg.Prefs = &prefs{a, p}
	}
	if d != nil {
		cfg.Store = d.store
	}
	t, onTerminal := out.(*terminal)
	cfg.Measure = onTerminal
	r := chat.New(cfg)
	if onTerminal {
		var c ui.Config
		c.Unread, c.UnreadSince = chat.Unread(cfg.Store)
		t.show(r, p, c)
	}
	return r
}

// run takes part in the room until it is left.
func (o *openRoom) run(ctx context.Context, in *bufio.Reader, out face) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- o.node.Run(ctx) }()
	go o.socket.Serve(o.Room)
	return o.app.attend(ctx, o.Room, o.plan, in, out, o.node.Events(), ended)
}

// attend shows a room to the user, and does what they want.
func (a *app) attend(ctx context.Context, r *chat.Room, p *plan, in *bufio.Reader, out face, events <-chan node.Event, ended <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if _, ok := out.(*terminal); !ok { // else the interface reads the keys
		go listen(ctx, r, lines.NewReader(in, p.flags.json), p.flags)
	}
	err := r.Run(ctx, events, ended, signals)
	if e := (*cli.Error)(nil); errors.As(err, &e) && e.Text == "" {
		return err // it was said
	}
	if err != nil {
		return out.Fatal(err)
	}
	return nil
}

// listen does what is typed, in its order, until the input ends.
func listen(ctx context.Context, r *chat.Room, in *lines.Reader, f joinFlags) {
	for ctx.Err() == nil {
		c, ok := in.Next()
		switch {
		case !ok && f.stay:
			return
		case !ok:
			c = chat.Quit{Linger: f.linger, End: true}
		}
		r.Do(ctx, c)
		if _, quit := c.(chat.Quit); quit {
			return
		}
	}
}

// release gives back what the room has of this computer.
func (o *openRoom) release() {
	o.socket.Close()
	o.log.Close()
	o.disk.close()
}

// close ends what was opened, and remembers where others were found.
func (o *openRoom) close() {
	o.release()
	switch {
	case o.plan.flags.ephemeral:
	case o.Forgotten():
		o.app.erase(o.plan)
	default:
		if err := o.app.remember(o.plan, append(slices.Clone(o.plan.bootstrap), o.Fellows()...)); err != nil {
			o.log.Warn(cli.Describe(err))
		}
	}
}
