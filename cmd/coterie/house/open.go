package house

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/control"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
)

// replay is how many of the last messages on disk are shown when a room is opened again.
const replay = 1000

// A Face is shown how a room is opened, and then the room.
type Face interface {
	chat.Face
	Joiner
}

// A Joiner is told how a room is opened.
type Joiner interface {
	// Hello comes first; Step is a step towards the room that was taken.
	Hello()
	Step(step, text string)
	Warn(err *cli.Error)
	// Fatal reports what ends the run before it began, and returns it.
	Fatal(err error) error
}

// A Room is one that this process has open, with all that closes with it.
type Room struct {
	*chat.Room
	Plan    *Plan
	house   *House
	node    *node.Node
	history *profile.History // nil: nothing is kept
	socket  *control.Server
	log     *chat.Log
	hide    func() // ends its metrics; nil: there are none
	// released: what it has of this computer was given back. erased: and taken away.
	released, erased bool
}

// Begin opens a room for a face, up to where its node can run.
func (h *House) Begin(p *Plan, out Joiner, face chat.Face) (_ *Room, err error) {
	o := &Room{house: h, Plan: p}
	defer func() {
		if err != nil {
			o.release()
		}
	}()
	cfg := node.Config{Room: p.Descriptor, Key: p.Key, Listen: p.listen, Bootstrap: p.beginAt(), Name: p.Nick,
		Notice: p.notice, Now: h.Now, Hold: p.Hold, MDNS: p.Values.On("mdns"), MapPorts: p.Values.On("map_ports"),
		Workers: h.workers}
	if !p.Flags.Ephemeral {
		if o.history, err = h.OpenHistory(p.Descriptor, p.opened, p.ask); err != nil {
			return nil, err
		}
		cfg.Store, cfg.Identity, cfg.Replay = node.NewStore(o.history.Store), o.history.Identity, replay
		cfg.Keep, cfg.Pieces = p.keep, o.history.Pieces
	}
	dir, err := h.RuntimeDir()
	if err == nil {
		o.socket, err = control.Listen(dir, control.Name(p.Descriptor.ID(), p.Flags.Ephemeral), p.Descriptor.Name)
	}
	if err != nil {
		e := cli.Describe(err)
		if e.Code == control.Running {
			return nil, err
		}
		out.Warn(&cli.Error{Code: "no-socket", Text: "coterie status, ping and link will not find this room: " + e.Text,
			Hints: e.Hints})
	}
	if o.log, err = chat.OpenLog(p.Flags.Log); err != nil {
		return nil, err
	}
	if cfg.Metrics, o.hide, err = ServeMetrics(p.Flags.Metrics); err != nil {
		return nil, err
	}
	if o.node, err = node.New(cfg); err != nil {
		err = chat.NodeError(err)
		var e *cli.Error
		if errors.As(err, &e) && e.Code == "port-taken" && !p.Flags.Given("listen") {
			e.Hints = []string{"--listen /ip4/0.0.0.0/tcp/0 takes any free port; or stop the other one"}
		}
		return nil, err
	}
	if o.history != nil && o.history.Plain {
		out.Warn(cli.Fail("history-plain", "what is said in %s is kept here, encrypted; its key lies beside it",
			cli.Clean(p.Descriptor.Name)).
			Hint("--ephemeral keeps nothing; a key that is sealed for you protects it: coterie request"))
	}
	out.Step("listening", chat.Listening(o.node.Addresses()))
	if !p.Flags.Ephemeral {
		if err := h.remember(p, p.bootstrap); err != nil {
			out.Warn(cli.Describe(err))
		}
	}
	o.Room = h.NewRoom(p, o.node, o.history, o.log, face)
	if !p.Flags.Ephemeral {
		o.EraseBy(o.erase)
	}
	return o, nil
}

// NewRoom is the room of a node, for a face.
func (h *House) NewRoom(p *Plan, n *node.Node, kept *profile.History, log *chat.Log,
	face chat.Face) *chat.Room {
	cfg := chat.Config{
		Node: n, Descriptor: p.Descriptor, Key: p.Key, KeyPath: p.keyPath, Through: p.Through, Nick: p.Nick,
		Bootstrap: p.beginAt(), Hold: p.Hold, Log: log, Face: face, Now: h.Now,
	}
	cfg.KeepNotice = h.keepNotice(p)
	cfg.ReadNotice = func(path string) (*abe.Notice, error) { return profile.ReadNotice(path, p.Key.Domain()) }
	cfg.Export, cfg.Prefs = lines.Export, &prefs{h, p}
	demonstration := p.Settings == nil
	cfg.Joined, cfg.ByRelay = demonstration, demonstration
	if kept != nil {
		cfg.Store = kept.Store
	}
	return chat.New(cfg)
}

// Unread is the mark that was kept.
func (o *Room) Unread() chat.MarkUnread {
	if o.history == nil {
		return chat.MarkUnread{}
	}
	id, at := chat.Unread(o.history.Store)
	return chat.MarkUnread{ID: id, At: at}
}

// Events are what happens from when the room runs.
func (o *Room) Events() <-chan node.Event { return o.node.Events() }

// Warn notes a warning in the room's log: the screen is the room's.
func (o *Room) Warn(e *cli.Error) { o.log.Warn(e) }

// Start has the room take part until ctx ends. How that ended comes on the channel.
func (o *Room) Start(ctx context.Context) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- o.node.Run(ctx) }()
	go o.socket.Serve(o.Room)
	return ended
}

// release gives back what the room has of this computer.
func (o *Room) release() {
	if o.released {
		return
	}
	o.released = true
	if o.hide != nil {
		o.hide()
	}
	o.socket.Close()
	o.log.Close()
	o.history.Close()
}

// Close ends what was opened, and remembers where others were found.
func (o *Room) Close() {
	o.release()
	switch {
	case o.Plan.Flags.Ephemeral:
	case o.Forgotten() && o.erased:
	case o.Forgotten(): // it ended otherwise
		if keyFile, bad := o.erase(); bad != nil {
			cli.Warn(o.house.Stderr, bad)
		} else {
			fmt.Fprintln(o.house.Stderr, chat.Forgot(o.Plan.Descriptor.Name, keyFile))
		}
	default:
		if err := o.house.remember(o.Plan, o.Addresses(o.Plan.bootstrap)); err != nil {
			o.log.Warn(cli.Describe(err))
		}
	}
}

// remember keeps a room for the next time.
func (h *House) remember(p *Plan, addrs []ma.Multiaddr) error {
	r, err := profile.NewRoom(p.Descriptor, p.Key.Domain().Name(), p.keyPath, p.Kept, h.Now())
	if err != nil {
		return err
	}
	return h.Remember(r, addrs)
}

// erase takes away what this computer has of the room, whose node has ended.
func (o *Room) erase() (keyFile string, bad *cli.Error) {
	o.release()
	o.erased = true
	name := o.Plan.Descriptor.Name
	f, err := o.house.Forgetting(func(r profile.Room) bool { return r.Is(o.Plan.Descriptor) })
	if err == nil {
		defer f.Close()
		err = f.Erase()
	}
	if err != nil {
		return "", cli.Fail("not-forgotten", "you left, and not all of %s could be erased: %s", cli.Clean(name),
			cli.Describe(err).Text).Hint("coterie forget %s", cli.Quote(name))
	}
	return profile.Tilde(o.Plan.keyPath), nil
}

// prefs keep what is set in an open room for the next time.
type prefs struct {
	house *House
	*Plan
}

// Set is of chat.Prefs.
func (p *prefs) Set(name, value string) (shown, how string, err error) {
	shown, how, err = p.house.Set(p.Kept, name, value)
	switch {
	case err != nil:
	case p.Settings == nil || p.Flags.Ephemeral:
		how = "for this run alone: nothing is kept"
	default:
		if err = p.house.remember(p.Plan, nil); err != nil {
			how = "for this run alone"
		}
	}
	return shown, how, err
}

// List is of chat.Prefs.
func (p *prefs) List() (out []string) {
	for _, name := range profile.KeptNames() {
		value := cmp.Or(p.Kept.Shown(name), p.Values.Shown(name))
		out = append(out, strings.TrimRight(fmt.Sprintf("%-12s %s", name, cli.Clean(value)), " "))
	}
	return out
}
