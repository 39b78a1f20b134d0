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
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

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
	// Watch, if set, sees all that is forwarded. It must not keep the bytes.
	Watch func(topic string, data []byte)
}

// A Relay is a peer without a key: it forwards the gossip of its peers' rooms
// and carries their connections to each other, and can read nothing of either.
type Relay struct {
	cfg           RelayConfig
	host          host.Host
	pubsub        *pubsub.PubSub
	subscriptions *subscriptions // topics that peers have subscribed to
	most          int            // topics that it carries at once

	forwarders forwarders
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
	}
	if r.cfg.Identity == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("drawing an identity: %w", err)
		}
		r.cfg.Identity = key
	}
	limits := circuit.DefaultResources()
	// With limits, pubsub refuses the connections that go through here; and a room
	// may have all its members behind one address translator.
	limits.Limit = nil
	limits.MaxReservations, limits.MaxCircuits = 4096, 1024
	limits.MaxReservationsPerIP, limits.MaxReservationsPerASN = 1024, 4096
	h, err := newHost(r.cfg.Identity, cfg.Listen,
		// Whoever starts a relay says thereby that it can be reached.
		libp2p.ForceReachabilityPublic(),
		libp2p.EnableRelayService(circuit.WithResources(limits)))
	if err != nil {
		return nil, err
	}
	r.host = h
	return r, nil
}

// Self is the relay's peer id.
func (r *Relay) Self() peer.ID { return r.host.ID() }

// Addresses are where the relay listens, with its peer id.
func (r *Relay) Addresses() []ma.Multiaddr {
	out, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: r.host.ID(), Addrs: r.host.Addrs()})
	if err != nil {
		return nil
	}
	return out
}

// RelayStats is what a relay does.
type RelayStats struct {
	Peers     int   // connected
	Rooms     int   // topics it carries
	Forwarded int64 // publications so far
}

// Stats is what the relay does now.
func (r *Relay) Stats() RelayStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RelayStats{Peers: len(r.host.Network().Peers()), Rooms: len(r.rooms), Forwarded: r.carried}
}

// Run relays until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	defer r.host.Close()
	ps, err := newGossip(ctx, r.host, roomFilter{r.subscriptions}, r.gossip...)
	if err != nil {
		return fmt.Errorf("starting gossipsub: %w", err)
	}
	r.mu.Lock()
	r.pubsub = ps
	r.mu.Unlock()
	r.host.SetStreamHandler(ProtocolPeers, r.introduce)
	newTeller(time.Now, nil).attach(r.host)
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
// them. Where all are taken, the last of the peer that has most gives way, unless
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
	if of[by] >= roomShare {
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

// judge forwards what has the form of a publication, at a bounded rate.
func (r *Relay) judge(topic string, from peer.ID, data []byte) pubsub.ValidationResult {
	if from == r.host.ID() {
		return pubsub.ValidationAccept
	}
	if !r.forwarders.allow(from, time.Now()) {
		return pubsub.ValidationIgnore
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
