package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/room"
	"coterie/room/record"
)

// queueSize is how many publications may wait, outbound and for validation.
// With gossipsub's 32, more than half of a burst of 100 is lost without a word.
const queueSize = 1024

// topic is the room's gossipsub topic.
type topic struct {
	ctx    context.Context
	topic  *pubsub.Topic
	relay  pubsub.RelayCancelFunc
	events *pubsub.TopicEventHandler
}

// joinTopic joins the room's topic: PROTOCOL.md §10.
func (n *Node) joinTopic(ctx context.Context) error {
	name := n.cfg.Room.Topic()
	ps, err := newGossip(ctx, quietHost{n.host, n}, n.forwarders, pubsub.NewAllowlistSubscriptionFilter(name),
		slices.Concat(oneByOne(), n.gossip)...)
	if err != nil {
		return fmt.Errorf("starting gossipsub: %w", err)
	}
	err = ps.RegisterTopicValidator(name, n.judge, pubsub.WithValidatorInline(true))
	if err != nil {
		return fmt.Errorf("starting gossipsub: %w", err)
	}
	t := &topic{ctx: ctx}
	if t.topic, err = ps.Join(name); err != nil {
		return fmt.Errorf("joining the room's topic: %w", err)
	}
	if err := t.topic.SetScoreParams(topicScore()); err != nil {
		return fmt.Errorf("joining the room's topic: %w", err)
	}
	if t.events, err = t.topic.EventHandler(); err != nil {
		return fmt.Errorf("joining the room's topic: %w", err)
	}
	// The validator hands publications to the room, so there is nothing left to
	// subscribe to: relaying is the part of a subscription that others see.
	if t.relay, err = t.topic.Relay(); err != nil {
		return fmt.Errorf("joining the room's topic: %w", err)
	}
	n.topic = t
	n.spawn(func() { n.watchPeers(ctx) })
	return nil
}

// oneByOne has publications judged one after the other, as gossipsub hands them over: the loop
// takes one at a time in any case. A goroutine for each mixed them up, so that messages came before
// the ones that they follow, and members asked each other for these.
func oneByOne() []pubsub.Option {
	return []pubsub.Option{pubsub.WithValidateWorkers(1), pubsub.WithValidateQueueSize(2 * queueSize)}
}

// newGossip starts gossipsub as members and relays run it.
func newGossip(ctx context.Context, h host.Host, f *forwarders, filter pubsub.SubscriptionFilter,
	more ...pubsub.Option) (*pubsub.PubSub, error) {
	params := pubsub.DefaultGossipSubParams()
	// For small rooms: what gossip must repair is repaired in a quarter of a
	// second instead of three quarters.
	params.HeartbeatInterval = 200 * time.Millisecond
	params.HeartbeatInitialDelay = 50 * time.Millisecond
	params.HistoryLength, params.HistoryGossip = 25, 15
	return pubsub.NewGossipSub(ctx, h, append([]pubsub.Option{
		// Every record carries its own signature, and who publishes a message is
		// nobody's business: no pubsub signatures, no author and no number of the
		// author's, which would be there otherwise, and ids from the content.
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(contentID),
		// A publication before the mesh has formed would be lost.
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerOutboundQueueSize(queueSize),
		pubsub.WithValidateQueueSize(queueSize),
		pubsub.WithMaxMessageSize(record.MaxPublication + 1024),
		pubsub.WithGossipSubParams(params),
		pubsub.WithSubscriptionFilter(filter),
		pubsub.WithPeerFilter(func(p peer.ID, _ string) bool { return p != h.ID() }),
		pubsub.WithLogger(slog.Default()), // else it writes to standard error
		pubsub.WithAppSpecificRpcInspector(f.inspect),
		scoring(),
	}, more...)...)
}

func contentID(m *pb.Message) string {
	sum := sha256.Sum256(m.GetData())
	return string(sum[:])
}

func (t *topic) publish(data []byte) error { return t.topic.Publish(t.ctx, data) }

func (t *topic) close() {
	t.events.Cancel()
	t.relay()
	t.topic.Close()
}

// judge is the topic's validator: the room accepts, ignores or rejects.
func (n *Node) judge(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if from == n.host.ID() {
		return pubsub.ValidationAccept
	}
	verdict := room.Ignore
	n.doBy(n.heard, func() { verdict = n.room.Publication(n.now(), from, m.Data) })
	switch verdict {
	case room.Accept:
		return pubsub.ValidationAccept
	case room.Reject:
		// Relays, who know neither room nor members, forward what has the form: they are
		// not to blame for more.
		if !room.WellFormed(m.Data) {
			return pubsub.ValidationReject
		}
	}
	return pubsub.ValidationIgnore
}

// watchPeers tells the room who is on the topic.
func (n *Node) watchPeers(ctx context.Context) {
	for {
		e, err := n.topic.events.NextPeerEvent(ctx)
		if err != nil {
			return
		}
		n.do(func() {
			if e.Type == pubsub.PeerJoin {
				n.room.PeerConnected(n.now(), e.Peer)
			} else {
				n.room.PeerDisconnected(n.now(), e.Peer)
			}
			n.emit(Connected{Peer: e.Peer, Gone: e.Type != pubsub.PeerJoin})
		})
		n.wakeConnector()
	}
}
