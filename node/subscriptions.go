package node

import (
	"encoding/hex"
	"strings"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
)

// A subscription is a topic that a peer has subscribed to.
type subscription struct {
	topic string
	by    peer.ID
}

// subscriptions are the topics that peers have subscribed to, until the relay has seen to
// them: of each peer as many as its share, so that nobody's many are in the way of
// others' few.
type subscriptions struct {
	news chan struct{} // capacity 1; never closed

	mu   sync.Mutex
	list []subscription
	of   map[peer.ID]int
}

func newSubscriptions() *subscriptions {
	return &subscriptions{news: make(chan struct{}, 1), of: make(map[peer.ID]int)}
}

func (a *subscriptions) add(w subscription) {
	a.mu.Lock()
	if a.of[w.by] < roomShare {
		a.of[w.by]++
		a.list = append(a.list, w)
	}
	a.mu.Unlock()
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// take takes all.
func (a *subscriptions) take() []subscription {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	clear(a.of)
	return list
}

// roomFilter lets subscriptions to rooms through, but for those of whom it is to
// ignore, and says which there are.
type roomFilter struct {
	subscriptions *subscriptions
	ignores       func(peer.ID) bool
}

func (roomFilter) CanSubscribe(topic string) bool {
	hash, ok := strings.CutPrefix(topic, topicPrefix)
	raw, err := hex.DecodeString(hash)
	return ok && err == nil && len(raw) == ake.HashSize && strings.ToLower(hash) == hash
}

func (f roomFilter) FilterIncomingSubscriptions(p peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	if f.ignores(p) {
		return nil, nil
	}
	var out []*pb.RPC_SubOpts
	for _, s := range subs {
		if !f.CanSubscribe(s.GetTopicid()) {
			continue
		}
		if out = append(out, s); len(out) > maxRelayRooms {
			return nil, pubsub.ErrTooManySubscriptions
		}
		if s.GetSubscribe() {
			f.subscriptions.add(subscription{s.GetTopicid(), p})
		}
	}
	return out, nil
}
