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
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
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
const ProtocolPeers = "/coterie/1/peers"

const (
	topicPrefix   = "coterie/1/"
	maxRelayRooms = 256              // topics a relay carries at once
	sweepEvery    = 30 * time.Second // topics nobody is on any more are left
	maxIntroduced = 16               // peers that one answer names
	forwardRate   = 200              // publications a second from one forwarder ..
	forwardBurst  = 2000             // .. and at once
	maxForwarders = 4096             // whose rates are remembered
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
	cfg    RelayConfig
	host   host.Host
	pubsub *pubsub.PubSub
	wanted chan string // topics that a peer has subscribed to; never closed

	mu         sync.Mutex
	forwarders map[peer.ID]*bucket
	carried    int64
	rooms      map[string]*relayed // owned by Run; under mu for Stats
}

type relayed struct {
	topic *pubsub.Topic
	stop  pubsub.RelayCancelFunc
	since time.Time
}

// NewRelay listens. The error says which address could not be had.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	r := &Relay{
		cfg: cfg, wanted: make(chan string, maxRelayRooms),
		forwarders: make(map[peer.ID]*bucket), rooms: make(map[string]*relayed),
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
	ps, err := newGossip(ctx, r.host, roomFilter{r.wanted})
	if err != nil {
		return fmt.Errorf("starting gossipsub: %w", err)
	}
	r.pubsub = ps
	r.host.SetStreamHandler(ProtocolPeers, r.introduce)
	newTeller(time.Now, nil).attach(r.host)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case name := <-r.wanted:
			if err := r.carry(name); err != nil {
				return err
			}
		case <-sweep.C:
			r.sweep()
		case <-ctx.Done():
			return nil
		}
	}
}

// carry subscribes to a topic that a peer is on.
func (r *Relay) carry(name string) error {
	r.mu.Lock()
	_, has := r.rooms[name]
	full := len(r.rooms) >= maxRelayRooms
	r.mu.Unlock()
	if has || full {
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
	stop, err := t.Relay()
	if err != nil {
		return fmt.Errorf("relaying: %w", err)
	}
	r.mu.Lock()
	r.rooms[name] = &relayed{topic: t, stop: stop, since: time.Now()}
	r.mu.Unlock()
	return nil
}

// sweep leaves the topics on which nobody is any more.
func (r *Relay) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, room := range r.rooms {
		if len(room.topic.ListPeers()) == 0 && time.Since(room.since) > sweepEvery {
			room.stop()
			room.topic.Close()
			r.pubsub.UnregisterTopicValidator(name)
			delete(r.rooms, name)
		}
	}
}

// judge forwards what has the form of a publication, at a bounded rate.
func (r *Relay) judge(topic string, from peer.ID, data []byte) pubsub.ValidationResult {
	if from == r.host.ID() {
		return pubsub.ValidationAccept
	}
	if !r.allow(from, time.Now()) {
		return pubsub.ValidationIgnore
	}
	if !room.WellFormed(data) {
		return pubsub.ValidationReject
	}
	if r.cfg.Watch != nil {
		r.cfg.Watch(topic, data)
	}
	return pubsub.ValidationAccept
}

// A bucket of tokens is a forwarder's rate.
type bucket struct {
	tokens float64
	at     time.Time
}

// take takes one out of a bucket that is filled with so many a second, up to a
// burst.
func (b *bucket) take(now time.Time, rate, burst float64) bool {
	b.tokens = min(burst, b.tokens+now.Sub(b.at).Seconds()*rate)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (r *Relay) allow(from peer.ID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.forwarders[from]
	if b == nil {
		if len(r.forwarders) >= maxForwarders {
			clear(r.forwarders) // a burst more for everybody, and no memory without bounds
		}
		b = &bucket{tokens: forwardBurst, at: now}
		r.forwarders[from] = b
	}
	if !b.take(now, forwardRate, forwardBurst) {
		return false
	}
	r.carried++
	return true
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

// roomFilter lets subscriptions to rooms through, and says which there are.
type roomFilter struct{ wanted chan<- string }

func (roomFilter) CanSubscribe(topic string) bool {
	hash, ok := strings.CutPrefix(topic, topicPrefix)
	raw, err := hex.DecodeString(hash)
	return ok && err == nil && len(raw) == ake.HashSize && strings.ToLower(hash) == hash
}

func (f roomFilter) FilterIncomingSubscriptions(_ peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	var out []*pb.RPC_SubOpts
	for _, s := range subs {
		if !f.CanSubscribe(s.GetTopicid()) {
			continue
		}
		if out = append(out, s); len(out) > maxRelayRooms {
			return nil, pubsub.ErrTooManySubscriptions
		}
		if s.GetSubscribe() {
			select {
			case f.wanted <- s.GetTopicid():
			default: // more rooms than a relay carries
			}
		}
	}
	return out, nil
}
