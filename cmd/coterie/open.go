package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/coterie/ui"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
)

// replay is how many of the last messages on disk are shown when a room is opened again.
const replay = 1000

// An openRoom is a room that this process has open, with all that closes with it.
type openRoom struct {
	*chat.Room
	app     *app
	plan    *plan
	node    *node.Node
	history *profile.History // nil: nothing is kept
	socket  *control.Server
	log     *chat.Log
	hide    func() // ends its metrics; nil: there are none
}

// begin opens a room, up to where its node can run.
func (a *app) begin(p *plan, out face) (_ *openRoom, err error) {
	o := &openRoom{app: a, plan: p}
	defer func() {
		if err != nil {
			o.release()
		}
	}()
	cfg := node.Config{Room: p.descriptor, Key: p.key, Listen: p.listen, Bootstrap: p.beginAt(), Name: p.nick,
		Notice: p.notice, Now: a.now, Hold: p.hold, MDNS: p.values.On("mdns"), MapPorts: p.values.On("map_ports")}
	if !p.flags.ephemeral {
		if o.history, err = a.OpenHistory(p.descriptor, p.identities, p.ask); err != nil {
			return nil, err
		}
		cfg.Store, cfg.Identity, cfg.Replay = node.NewStore(o.history.Store), o.history.Identity, replay
		cfg.Keep = p.keep
	}
	dir, err := a.RuntimeDir()
	if err == nil {
		o.socket, err = control.Listen(dir, control.Name(p.descriptor.ID(), p.flags.ephemeral), p.descriptor.Name)
	}
	if err != nil {
		e := cli.Describe(err)
		if e.Code == control.Running {
			return nil, err
		}
		out.Warn(&cli.Error{Code: "no-socket", Text: "coterie status, ping and link will not find this room: " + e.Text,
			Hints: e.Hints})
	}
	if o.log, err = chat.OpenLog(p.flags.log); err != nil {
		return nil, err
	}
	if cfg.Metrics, o.hide, err = serveMetrics(p.flags.metrics); err != nil {
		return nil, err
	}
	if o.node, err = node.New(cfg); err != nil {
		err = chat.NodeError(err)
		var e *cli.Error
		if errors.As(err, &e) && e.Code == "port-taken" && !p.flags.given("listen") {
			e.Hints = []string{"--listen /ip4/0.0.0.0/tcp/0 takes any free port; or stop the other one"}
		}
		return nil, err
	}
	if o.history != nil && o.history.Plain {
		out.Warn(cli.Fail("history-plain", "what is said in %s is kept on this computer, "+
			"encrypted with a key that is stored beside it", cli.Clean(p.descriptor.Name)).
			Hint("--ephemeral keeps nothing; a key that was sealed for your identity protects the history too"))
	}
	out.Step("listening", chat.Listening(o.node.Addresses()))
	if !p.flags.ephemeral {
		if err := a.remember(p, p.bootstrap); err != nil {
			out.Warn(cli.Describe(err))
		}
	}
	a.Removed = o.log.Warn // the screen is the room's from here on
	o.Room = a.newRoom(p, o.node, o.history, o.log, out)
	return o, nil
}

// newRoom is the room of a node, for a face.
func (a *app) newRoom(p *plan, n *node.Node, h *profile.History, log *chat.Log, out face) *chat.Room {
	cfg := chat.Config{
		Node: n, Descriptor: p.descriptor, Key: p.key, KeyPath: p.keyPath, Through: p.through, Nick: p.nick,
		Bootstrap: p.beginAt(), Hold: p.hold, Log: log, Face: out, Now: a.now,
	}
	cfg.KeepNotice = a.keepNotice(p)
	cfg.ReadNotice = func(path string) (*abe.Notice, error) { return profile.ReadNotice(path, p.key.Domain()) }
	cfg.Prefs, cfg.Joined = &prefs{a, p}, p.settings == nil // in the demonstration
	if h != nil {
		cfg.Store = h.Store
	}
	t, onTerminal := out.(*terminal)
	cfg.Measure = func() bool { return onTerminal }
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
func (a *app) attend(ctx context.Context, r *chat.Room, p *plan, in *bufio.Reader, out face, events <-chan node.Event,
	ended <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endings()...)
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

// endings are the signals that end a room in an orderly way. SIGHUP is not one where it was
// ignored, as nohup does.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
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
		if q, quit := c.(chat.Quit); quit && !q.Leave { // to leave for good may be refused once
			return
		}
	}
}

// release gives back what the room has of this computer.
func (o *openRoom) release() {
	if o.hide != nil {
		o.hide()
	}
	o.socket.Close()
	o.log.Close()
	o.history.Close()
}

// close ends what was opened, and remembers where others were found.
func (o *openRoom) close() {
	o.release()
	o.app.Removed = func(e *cli.Error) { cli.Warn(o.app.stderr, e) }
	switch {
	case o.plan.flags.ephemeral:
	case o.Forgotten():
		o.app.erase(o.plan)
	default:
		if err := o.app.remember(o.plan, o.Addresses(o.plan.bootstrap)); err != nil {
			o.log.Warn(cli.Describe(err))
		}
	}
}

// remember keeps a room for the next time.
func (a *app) remember(p *plan, addrs []ma.Multiaddr) error {
	r, err := profile.NewRoom(p.descriptor, p.key.Domain().Name(), p.keyPath, p.kept, a.now())
	if err != nil {
		return err
	}
	return a.Remember(r, addrs)
}

// erase takes away what this computer has of a room, now that it is closed.
func (a *app) erase(p *plan) {
	name := p.descriptor.Name
	f, err := a.Forgetting(func(r profile.Room) bool { return r.Is(p.descriptor) })
	if err == nil {
		defer f.Close()
		err = f.Erase()
	}
	if err != nil {
		cli.Warn(a.stderr, cli.Fail("not-forgotten", "not all of %s could be erased: %s", cli.Clean(name),
			cli.Describe(err).Text).
			Hint("coterie forget %s", cli.Quote(name)).Because(err))
		return
	}
	fmt.Fprintf(a.stdout,
		"Forgot %s: its history here and the history's key are erased. The key file %s is still there.\n",
		cli.Clean(name), cli.Clean(profile.Tilde(p.keyPath)))
}

// prefs keep what is set in an open room for the next time.
type prefs struct {
	app *app
	*plan
}

// Set is of chat.Prefs.
func (p *prefs) Set(name, value string) (shown, how string, err error) {
	shown, how, err = p.app.Set(p.kept, name, value)
	switch {
	case err != nil:
	case p.settings == nil || p.flags.ephemeral:
		how = "for this run alone: nothing is kept"
	default:
		if err = p.app.remember(p.plan, nil); err != nil {
			how = "for this run alone"
		}
	}
	return shown, how, err
}

// List is of chat.Prefs.
func (p *prefs) List() (out []string) {
	for _, name := range profile.KeptNames() {
		value := cmp.Or(p.kept.Shown(name), p.values.Shown(name))
		out = append(out, strings.TrimRight(fmt.Sprintf("%-12s %s", name, cli.Clean(value)), " "))
	}
	return out
}

// terminal is how the terminal is used.
func (p *plan) terminal(cfg *ui.Config) {
	if p.settings == nil {
		return // a demonstration
	}
	v := p.values
	cfg.Notify, cfg.NotifyText, cfg.NotifyCommand = v.Text("notify"), v.On("notify_text"), v.List("notify_command")
	cfg.Mouse, cfg.NoTitle, cfg.Keys = v.On("mouse"), !v.On("title"), p.settings.Keys
	if chat.IsClock(p.flags.clock) {
		cfg.Clock = p.flags.clock
	}
}
