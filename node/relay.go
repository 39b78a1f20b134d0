package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"coterie/crypto/ake"
	"coterie/room"
)

// ProtocolPeers is how peers of a topic find each other through a relay:
// PROTOCOL.md §10.2.
const ProtocolPeers = "/coterie/2/peers"

const (
	topicPrefix   = "coterie/2/"
	maxRelayRooms = 256              // topics a relay carries at once
	sweepEvery    = 30 * time.Second // topics nobody is on any more are left
	maxIntroduced = 16               // peers that one answer names
	roomShare     = 8                // of those that one peer asks for
)

// RelayConfig is what a relay needs to begin.
type RelayConfig struct {
	// Listen are the addresses to listen on. Nil: any free port on every interface.
	Listen []ma.Multiaddr
	// Identity is the peer's key; nil: a fresh one.
	Identity ed25519.PrivateKey
	// Announce are addresses by which others reach this computer, beside its own.
	Announce []ma.Multiaddr
	// Others are relays that it knows. All that know each other, over any number of
	// steps, keep one table of who is where.
	Others []ma.Multiaddr
	// Limits are what it may take; what is not set is a peer's. If Memory is set, the
	// process is taken for the relay's alone, and kept within that.
	Limits Limits
	// Refused, if set, is told what the relay does not give. It must not block.
	Refused func(Refusal)
	// Metrics, if set, is where numbers for whoever measures are registered.
	Metrics prometheus.Registerer
	// Watch, if set, sees all that is forwarded. It must not keep the bytes.
	Watch func(topic string, data []byte)
}

// A Relay is a peer without a key: it forwards the gossip of its peers' rooms
// and carries their connections to each other, and can read nothing of either.
type Relay struct {
	cfg           RelayConfig
	host          host.Host
	gate          *gater
	pubsub        *pubsub.PubSub
	subscriptions *subscriptions // topics that peers have subscribed to
	most          int            // topics that it carries at once

	places   *places
	circuits *circuits
	watched  bool         // the process is the relay's, and so is its memory
	used     func() int64 // of that
	site     func(peer.ID) string
	traffic  traffic
	refused  atomic.Int64

	forwarders *forwarders
	gossip     []pubsub.Option // more of gossipsub's, for tests

	mu      sync.Mutex
	carried int64
	rooms   map[string]*relayedTopic // owned by Run; under mu for Stats
}

// A relayedTopic is one that a relay carries.
type relayedTopic struct {
	topic *pubsub.Topic
	stop  pubsub.RelayCancelFunc
	since time.Time
	// by is who asked for it: a peer that is on it, on whose share it is.
	by peer.ID
}

// NewRelay listens. The error says which address could not be had.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	r := &Relay{
		cfg: cfg, subscriptions: newSubscriptions(), most: maxRelayRooms, rooms: make(map[string]*relayedTopic),
		used: usedMemory, forwarders: newForwarders(),
	}
	if r.cfg.Identity == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("drawing an identity: %w", err)
		}
		r.cfg.Identity = key
	}
	r.watched = cfg.Limits.Memory > 0
	r.cfg.Limits = cfg.Limits.withDefaults()
	m, err := newManager(r.cfg.Limits, r.refuse)
	if err != nil {
		return nil, err
	}
	r.places, r.circuits = m, newCircuits(r.cfg.Limits, r.refuse)
	g := new(gater)
	h, err := newHostWith(m, g, r.cfg.Identity, []ma.Multiaddr{},
		// Whoever starts a relay says thereby that it can be reached.
		libp2p.ForceReachabilityPublic(),
		libp2p.BandwidthReporter(&r.traffic), withMetrics(cfg.Metrics),
		libp2p.AddrsFactory(func(own []ma.Multiaddr) []ma.Multiaddr {
			return unique(slices.Concat(cfg.Announce, own))
		}),
		libp2p.EnableRelayService(
			circuit.WithResources(r.circuits.resources()), circuit.WithACL(r.circuits), circuit.WithMetricsTracer(r.circuits)))
	if err != nil {
		return nil, err
	}
	r.circuits.host, r.host, r.gate = h, h, g
	r.site = r.siteOfPeer
	// Before anybody connects: by this others know it for a relay.
	h.SetStreamHandler(ProtocolPeers, r.introduce)
	if err := listenOn(h, r.cfg.Identity, cfg.Listen); err != nil {
		return nil, err
	}
	g.guard(h)
	if err := register(cfg.Metrics, r.metrics()); err != nil {
		h.Close()
		return nil, err
	}
	return r, nil
}

// Self is the relay's peer id.
func (r *Relay) Self() peer.ID { return r.host.ID() }

// Limits are those that are in force.
func (r *Relay) Limits() Limits { return r.cfg.Limits }

func (r *Relay) refuse(what Refusal) {
	r.refused.Add(1)
	if r.cfg.Refused != nil {
		r.cfg.Refused(what)
	}
}

// RelayStats is what a relay does.
type RelayStats struct {
	Peers        int   // connected
	Connections  int   // that they have opened
	Rooms        int   // topics it carries
	Reservations int   // of peers that can be reached through it
	Circuits     int   // connections of others that it carries
	Forwarded    int64 // publications so far
	Bytes        int64 // in and out, so far
	Refused      int64 // so far
}

// Stats is what the relay does now.
func (r *Relay) Stats() RelayStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RelayStats{
		Peers: len(r.host.Network().Peers()), Connections: r.places.taken(), Rooms: len(r.rooms),
		Reservations: int(r.circuits.reserved.Load()), Circuits: int(r.circuits.open.Load()),
		Forwarded: r.carried, Bytes: r.traffic.in.Load() + r.traffic.out.Load(), Refused: r.refused.Load(),
	}
}

// Run relays until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	defer r.host.Close()
	table, err := newDHT(r.host, dht.ModeServer, dht.OnRequestHook(newKeptOffers(r.refuse).allow))
	if err != nil {
		return err
	}
	defer table.Close()
	ps, err := newGossip(ctx, r.host, r.forwarders, r.filter(), r.gossip...)
	if err != nil {
		return fmt.Errorf("starting gossipsub: %w", err)
	}
	r.mu.Lock()
	r.pubsub = ps
	r.mu.Unlock()
	newTeller(time.Now, nil).attach(r.host)
	besideCtx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	beside.Go(func() { r.keepOthers(besideCtx) })
	if r.watched {
		beside.Go(func() { r.watchMemory(besideCtx) })
	}
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-r.subscriptions.news:
			for _, w := range r.subscriptions.take() {
				if err := r.carry(w.topic, w.by); err != nil {
					return err
				}
			}
		case <-sweep.C:
			r.sweep()
		case <-ctx.Done():
			return nil
		}
	}
}

// filter lets relays' subscriptions not count: two that carried a room for each other
// would do so for ever.
func (r *Relay) filter() pubsub.SubscriptionFilter {
	return roomFilter{r.subscriptions, func(p peer.ID) bool {
		known, err := r.host.Peerstore().SupportsProtocols(p, ProtocolPeers)
		return err == nil && len(known) > 0
	}}
}

// keepOthers stays connected to the relays that it was told of, until ctx ends.
func (r *Relay) keepOthers(ctx context.Context) {
	reached := make(map[string]peer.ID)
	dialler := &Node{host: r.host, gate: r.gate}
	dialler.cfg.Bootstrap = unique(r.cfg.Others)
	for pause := time.Duration(0); len(dialler.cfg.Bootstrap) > 0; pause = othersRetry {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		for _, a := range dialler.cfg.Bootstrap {
			if r.host.Network().Connectedness(reached[string(a.Bytes())]) == network.Connected {
				continue
			}
			dialCtx, cancel := context.WithTimeout(ctx, dialTime)
			if id, err := dialler.dial(dialCtx, a); err == nil { // else it is tried again
				reached[string(a.Bytes())] = id
			}
			cancel()
		}
	}
}

// carry subscribes to a topic that a peer is on, if there is room for it.
func (r *Relay) carry(name string, by peer.ID) error {
	if !r.place(name, by) {
		return nil
	}
	judge := func(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
		return r.judge(name, from, m.Data)
	}
	if err := r.pubsub.RegisterTopicValidator(name, judge, pubsub.WithValidatorConcurrency(queueSize)); err != nil {
		return fmt.Errorf("relaying: %w", err)
	}
	t, err := r.pubsub.Join(name)
	if err != nil {
		return fmt.Errorf("relaying: %w", err)
	}
	if err := t.SetScoreParams(topicScore()); err != nil {
		return fmt.Errorf("relaying: %w", err)
	}
	stop, err := t.Relay()
	if err != nil {
		return fmt.Errorf("relaying: %w", err)
	}
	r.mu.Lock()
	r.rooms[name] = &relayedTopic{topic: t, stop: stop, since: time.Now(), by: by}
	r.mu.Unlock()
	return nil
}

// place finds a place for a topic that a peer asks for. One peer has a share of
// them, and one address, whose peers are as many as it likes, has one of half of them,
// as of connections. Where all are taken, the last of the peer that has most gives way, unless
// the one who asks would then have as many.
func (r *Relay) place(name string, by peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rooms[name] != nil {
		return false
	}
	of := make(map[peer.ID]int)
	for _, room := range r.rooms {
		of[room.by]++
	}
	if of[by] >= roomShare || !r.siteHasRoom(by) {
		return false
	}
	if len(r.rooms) < r.most {
		return true
	}
	last, most := "", of[by]+1
	for name, room := range r.rooms {
		if n := of[room.by]; n > most || n == most && last != "" && room.since.After(r.rooms[last].since) {
			last, most = name, n
		}
	}
	if last == "" {
		return false
	}
	r.leave(last)
	return true
}

// siteHasRoom reports whether the address of a peer may ask for one more topic. r.mu is held.
func (r *Relay) siteHasRoom(by peer.ID) bool {
	site := r.site(by)
	if site == "" {
		return true
	}
	own := 0
	for _, room := range r.rooms {
		if r.site(room.by) == site {
			own++
		}
	}
	// Where all are taken, others may give way.
	return roomFor("rooms", min(len(r.rooms), r.most-1), r.most, own, r.most/2) == ""
}

// siteOfPeer is the address of a connected peer; empty for this computer, and for nobody.
func (r *Relay) siteOfPeer(p peer.ID) string {
	for _, c := range r.host.Network().ConnsToPeer(p) {
		site, _ := siteOf(c.RemoteMultiaddr())
		return site
	}
	return ""
}

// leave stops carrying a topic. r.mu is held.
func (r *Relay) leave(name string) {
	room := r.rooms[name]
	room.stop()
	room.topic.Close()
	r.pubsub.UnregisterTopicValidator(name)
	delete(r.rooms, name)
}

// sweep leaves the topics on which nobody is any more. Those whose peer has gone
// from them go on the share of another that is on them.
func (r *Relay) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, room := range r.rooms {
		peers := room.topic.ListPeers()
		switch {
		case len(peers) == 0 && time.Since(room.since) > sweepEvery:
			r.leave(name)
		case len(peers) > 0 && !slices.Contains(peers, room.by):
			room.by = peers[mathrand.IntN(len(peers))]
		}
	}
}

// judge forwards what has the form of a publication.
func (r *Relay) judge(topic string, from peer.ID, data []byte) pubsub.ValidationResult {
	if from == r.host.ID() {
		return pubsub.ValidationAccept
	}
	if !room.WellFormed(data) {
		return pubsub.ValidationReject
	}
	r.mu.Lock()
	r.carried++
	r.mu.Unlock()
	if r.cfg.Watch != nil {
		r.cfg.Watch(topic, data)
	}
	return pubsub.ValidationAccept
}

// introduce answers who else is on a topic: PROTOCOL.md §10.2. It tells no more
// than a subscription to the topic does.
func (r *Relay) introduce(s network.Stream) {
	defer s.Close()
	s.SetDeadline(time.Now().Add(dialTime))
	var hash ake.Hash
	if _, err := io.ReadFull(s, hash[:]); err != nil {
		s.Reset()
		return
	}
	r.mu.Lock()
	room := r.rooms[topicPrefix+hex.EncodeToString(hash[:])]
	r.mu.Unlock()
	if room == nil {
		return
	}
	peers := room.topic.ListPeers()
	mathrand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	asks := false
	var b []byte
	named := 0
	for _, p := range peers {
		if p == s.Conn().RemotePeer() {
			asks = true
		} else if named < maxIntroduced && len(p) < 256 {
			b = append(append(b, byte(len(p))), p...)
			named++
		}
	}
	if asks {
		s.Write(b)
	}
}

// readPeers reads the answer to an introduction.
func readPeers(r io.Reader) ([]peer.ID, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxIntroduced*256+1))
	if err != nil {
		return nil, err
	}
	var out []peer.ID
	for in := bytes.NewReader(b); in.Len() > 0; {
		n, err := in.ReadByte()
		if err != nil {
			return nil, err
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(in, raw); err != nil {
			return nil, err
		}
		p, err := peer.IDFromBytes(raw)
		if err != nil {
			return nil, err
		}
		if out = append(out, p); len(out) > maxIntroduced {
			return nil, errors.New("too many peers")
		}
	}
	return out, nil
}
