// Package node runs a room over libp2p. All input and output of the protocol is
// here; what it means is decided in package room.
//
//	node.go       the loop that owns the room, and what the user asks of it
//	events.go     what a user may want to see of the network
//	workers.go    what takes milliseconds, beside the loop
//	broken.go     the end of a loop that broke
//	host.go       the libp2p host
//	limits.go     what it may take, and memory.go: of how much
//	places.go     who gets a connection
//	gater.go      no connections to oneself, nor to wherever others say
//	topic.go      the room's gossipsub topic                PROTOCOL.md §10
//	stream.go     streams of frames                         PROTOCOL.md §11
//	tunnel.go     channels, in which most of them run       PROTOCOL.md §11.2
//	quota.go      what they may cost
//	pace.go       what one forwarder may bring
//	score.go      what becomes of those that bring garbage
//	disk.go       what is kept                              PROTOCOL.md §9.2
//	files.go      files                                     PROTOCOL.md §9.9
//	offtopic.go   peers that are met without the topic
//	clock.go      the room's time
//	udp.go        whether UDP gets out
//	pulse.go      whether anybody is heard of, and how far away they are
//	links.go      which networks this computer is on
//	nearby.go     peers on the local network
//	survey.go     what a fresh peer sees of the network
//	outside.go    asking a room without a key               PROTOCOL.md §9.7
//	version.go    who speaks a later protocol
//	about.go      what others tell about themselves         PROTOCOL.md §11.5
//	leave.go      going, for good or not
//	connect.go    bootstrap addresses and fellow members
//	direct.go     fellow members that relays stand between
//	resolve.go    names of peers
//	trouble.go    what was wrong with an address
//	metrics.go    numbers for whoever measures
//	relayed.go    reaching others through relays
//	rendezvous.go finding each other across relays          PROTOCOL.md §10.3
//	relay.go      a relay: no key, no room                  PROTOCOL.md §10.2
//	circuits.go   whose connections a relay carries
//	offers.go     what it keeps of who is where
//	pressure.go   and what it does when memory is short
//	subscriptions.go which rooms a relay is asked to carry
//
// One goroutine owns the room: whatever happens elsewhere is handed to it as a
// function. It never waits for the network: streams have queues and goroutines
// of their own, and attribute-based work runs in a worker.
package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room"
)

// Config is what a node needs to begin.
type Config struct {
	// Room says which room.
	Room *room.Descriptor
	// Key is the member's attribute key.
	Key *abe.Key
	// Listen are the addresses to listen on. Nil: any free port on every interface.
	// Empty: none; the node can then be reached through relays only.
	Listen []ma.Multiaddr
	// Bootstrap are peers to dial first. Those without /p2p/ID must be on
	// loopback or private networks; their id is then learnt. Or they are names, whose
	// records have it.
	Bootstrap []ma.Multiaddr
	// MDNS: look for peers on the local network, and be found there. Without effect
	// for a node that listens on loopback alone.
	MDNS bool
	// MapPorts: ask the router to let others in, by UPnP or NAT-PMP. Without effect
	// for a node that listens on loopback alone, or nowhere.
	MapPorts bool
	// Notice is the newest notice of the key's domain that is known; it may be nil.
	Notice *abe.Notice
	// Name is what the member calls itself; it may be empty.
	Name string
	// Identity is the peer's key; nil: a fresh one.
	Identity ed25519.PrivateKey
	// Store keeps what is said; nil: nothing is kept when the process ends. The
	// caller closes it after Run.
	Store Store
	// Replay is how many of the last messages in the store are shown at the start.
	Replay int
	// Pieces keeps pieces of files, beside the store; nil: they are in memory.
	Pieces room.Pieces
	// Keep is about how many bytes store and pieces may come to; 0: no bound.
	Keep int64
	// Hold is as in room.Config.
	Hold time.Duration
	// Rate is as in room.Config. Negative: nor is there a limit for those who bring publications.
	Rate int

	// Now is the wall clock the protocol goes by; nil: time.Now.
	Now func() time.Time
	// Metrics, if set, is where numbers for whoever measures are registered.
	Metrics prometheus.Registerer

	// Workers, if set, are shared with other nodes of the process.
	Workers *Workers

	// Host is used instead of a host of the node's own; the node then does not
	// close it.
	Host host.Host
	// Suite is used instead of Key for the attribute-based work.
	Suite room.Encapsulator
}

func (c *Config) validate() error {
	switch {
	case c.Room == nil:
		return errors.New("a node needs a room")
	case c.Key == nil && c.Suite == nil:
		return errors.New("a node needs a key")
	case c.Host != nil && c.Identity == nil:
		return errors.New("a node on another's host needs its identity")
	}
	for _, a := range c.Bootstrap {
		if err := CheckBootstrap(a); err != nil {
			return err
		}
	}
	return nil
}

// An Event is something the user may want to see: those of package room, and
// those of this one.
type Event any

// eventBuffer is how many events may wait for whoever shows them; then the room
// waits too, since nothing may be lost. Only once it is to be left, what nobody
// reads is lost.
const eventBuffer = 1 << 14

// leaveTime is how long leaving may take to tell the others.
const leaveTime = time.Second

// Node is a process' part in a room over libp2p.
type Node struct {
	cfg      Config
	host     host.Host
	ownsHost bool
	gate     *gater // nil: the host is another's
	room     *room.Room
	topic    *topic

	inputs         chan func()   // to the loop; never closed
	heard          chan func()   // the same, for what comes by the topic
	events         chan Event    // closed by Run
	membersChanged chan struct{} // capacity 1: who is here has changed; never closed
	leaving        chan struct{}
	leaveOnce      sync.Once
	how            func(*Node)     // to leave; set before leaving is closed
	ended          chan struct{}   // closed when the loop has ended
	runCtx         context.Context // until then

	// Owned by the loop:
	streams    map[room.StreamID]*stream
	nextStream room.StreamID
	tunnels    []*tunnel
	wake       *time.Timer
	wakesAt    time.Time // zero: it does not
	notSaving  bool
	forget     []ake.Hash // what the store is to forget, and has not yet
	superseded bool       // another process takes part as this peer
	revoked    bool       // a notice names our key

	diskTasks []room.Task // that are not done yet, in order
	pieces    room.Pieces // used beside the loop, too

	queued     atomic.Int64 // bytes that wait to be sent on streams
	relaySlots relaySlots   // on relays
	refusals   relayRefusals
	dns        names        // nil: the system's
	reports    peerReports  // by others about themselves
	udp        udp          // whether it gets out
	fellows    fellows      // the other members, as of a moment ago
	nearby     nearby       // on the local network
	afar       nearby       // found by the table of relays
	moves      atomic.Int64 // to other networks
	direct     directs      // fellows that are reached through relays, or were
	// forwarders are the rates of those who bring publications.
	forwarders *forwarders
	gossip     []pubsub.Option // more of gossipsub's, for tests
	began      time.Time
	clock      *clock
	// traffic counts what the host sends and receives; not that of another's host.
	traffic traffic
	pulse   pulse // whether anybody is heard of
	tally   tally

	work chan room.Task // to the workers; never closed
	wg   sync.WaitGroup
}

// New makes the host, listens, and joins the topic. It does not wait for
// anybody. The error says which address could not be had.
func New(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, host: cfg.Host,
		inputs: make(chan func()), heard: make(chan func()), events: make(chan Event, eventBuffer),
		membersChanged: make(chan struct{}, 1),
		leaving:        make(chan struct{}), ended: make(chan struct{}), forwarders: newForwarders(),
		streams: make(map[room.StreamID]*stream), nextStream: 2,
		work:  make(chan room.Task, 64),
		began: time.Now(),
	}
	if n.cfg.Rate < 0 {
		n.forwarders.rate = rate.Inf
	}
	n.cfg.Bootstrap = unique(n.cfg.Bootstrap)
	if n.cfg.Now == nil {
		n.cfg.Now = time.Now
	}
	n.clock = newClock(n.cfg.Now)
	n.clock.agree = n.reports.agree
	if n.cfg.Identity == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("drawing an identity: %w", err)
		}
		n.cfg.Identity = key
	}
	if n.host == nil {
		if err := n.makeHost(); err != nil {
			return nil, err
		}
	}
	var keepFiles, keep int64
	n.pieces, keepFiles, keep = n.cfg.keepsFiles()
	encapsulator := n.cfg.Suite
	if encapsulator == nil {
		encapsulator = room.NewABE(n.cfg.Key, n.cfg.Room.Policy)
	}
	validOn := func(abe.Day) bool { return true }
	var checkNotice func(*abe.Notice) error
	var serial uint64
	if key := n.cfg.Key; key != nil {
		validOn, serial = key.ValidOn, key.Serial()
		checkNotice = func(notice *abe.Notice) error { return notice.Verify(key.Domain()) }
	}
	r, err := room.New(room.Config{
		Serial: serial, CheckNotice: checkNotice, Notice: n.cfg.Notice,
		Descriptor: n.cfg.Room, Identity: n.cfg.Identity, Encapsulator: encapsulator, ValidOn: validOn,
		Rand: rand.Reader, Now: n.now(), Name: n.cfg.Name, Addresses: n.addresses(),
		Journal: journal(n.cfg.Store), Replay: n.cfg.Replay, Keep: keep, Hold: n.cfg.Hold,
		Rate: n.cfg.Rate, Pieces: n.pieces, KeepFiles: keepFiles,
	})
	if err != nil {
		n.closeHost()
		return nil, err
	}
	n.room = r
	if err := register(n.cfg.Metrics, n.metrics()); err != nil {
		n.closeHost()
		return nil, err
	}
	return n, nil
}

// now is the room's time.
func (n *Node) now() time.Time { return n.clock.now() }

func (n *Node) closeHost() {
	if n.ownsHost {
		n.host.Close()
	}
}

// Self is the peer's id.
func (n *Node) Self() peer.ID { return n.host.ID() }

// Addresses are where the node listens, with its peer id.
func (n *Node) Addresses() []ma.Multiaddr {
	out, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: n.host.ID(), Addrs: n.reachable()})
	if err != nil {
		return nil
	}
	return out
}

// Events is where events come from; it is closed when Run has returned.
func (n *Node) Events() <-chan Event { return n.events }

// Run takes part in the room until Leave is called or ctx ends; then it leaves,
// and returns when all it started has ended. The error is room.ErrSuperseded if
// another process took its place, room.ErrRevoked if its key was revoked.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var end context.CancelFunc
	n.runCtx, end = context.WithCancel(context.Background())
	defer context.AfterFunc(ctx, n.Leave)() // also while the room waits for a reader of events
	defer func() {
		cancel()
		close(n.ended)
		end()
		n.ignoreStreams()
		for _, s := range n.streams {
			s.reset()
		}
		if n.topic != nil {
			n.topic.close()
		}
		n.closeHost()
		n.wg.Wait()
		close(n.events)
	}()
	// The network outlives ctx: leaving needs it.
	netCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	n.wake = time.NewTimer(time.Hour)
	defer n.wake.Stop()
	for range workers {
		n.spawn(n.worker)
	}
	if err := n.joinTopic(netCtx); err != nil {
		return err
	}
	n.handleStreams()
	newTeller(n.cfg.Now, []*room.Descriptor{n.cfg.Room}).attach(n.host)
	n.spawn(func() { n.keepConnected(netCtx) })
	n.spawn(func() { n.watchAddresses(netCtx) })
	n.spawn(func() { n.askAround(netCtx) })
	n.spawn(func() { n.watchUDP(netCtx) })
	n.spawn(func() { n.goDirect(netCtx) })
	n.spawn(func() { n.followLinks(netCtx) })
	n.spawn(func() { n.meetAfar(netCtx) })
	if n.cfg.MDNS {
		n.spawn(func() { n.lookNearby(netCtx) })
	}
	if n.ownsHost {
		n.spawn(func() { n.feelPulse(netCtx) })
	}
	return n.loop()
}

// drain does what the room wants done. It is long because it has a part for each thing that a room
// can want, in the order of PROTOCOL.md §9.2: first the disk.
func (n *Node) drain() {
	for {
		out := n.room.Ready()
		if !out.Wake.IsZero() && !out.Wake.Equal(n.wakesAt) {
			n.wakesAt = out.Wake
			n.wake.Reset(out.Wake.Sub(n.now()))
		}
		n.save(&out)
		busy := len(out.Channels)+len(out.Open)+len(out.Send)+len(out.Hang)+len(out.Publish)+len(out.Tasks)+
			len(out.Events) > 0
		for _, c := range out.Channels {
			n.wantTunnel(c)
		}
		for _, o := range out.Open {
			n.openStream(o)
		}
		for _, f := range out.Send {
			if s := n.streams[f.Stream]; s != nil {
				n.write(s, f.Data)
			}
		}
		for _, h := range out.Hang {
			n.endStream(h)
		}
		for _, p := range out.Publish {
			if err := n.topic.publish(p); err != nil {
				n.emit(room.Failed{Doing: "publishing", Err: err})
			}
		}
		for _, t := range out.Tasks {
			if t.Disk {
				n.diskTask(t)
				continue
			}
			n.spawn(func() { n.queue(t) })
		}
		for _, e := range out.Events {
			n.emit(e)
			if f, ok := e.(room.Failed); ok && errors.Is(f.Err, room.ErrSuperseded) {
				// It is no member any more, and its connections keep the other's from
				// being used.
				n.superseded = true
				n.GoAway()
			}
			if t, ok := e.(room.NoticeTaken); ok && t.Own {
				n.revoked = true
				n.Leave()
			}
		}
		if !busy {
			return
		}
	}
}

// wakeConnector lets keepConnected look around at once.
func (n *Node) wakeConnector() {
	select {
	case n.membersChanged <- struct{}{}:
	default:
	}
}

func (n *Node) emit(e Event) {
	n.tally.count(e)
	if _, ok := e.(room.EpochStarted); ok {
		n.wakeConnector()
	}
	select {
	case n.events <- e:
		return
	default:
	}
	select {
	case n.events <- e:
	case <-n.leaving:
	}
}
