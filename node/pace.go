package node

import (
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	forwardRate   = 200  // publications a second from one forwarder ..
	forwardBurst  = 2000 // .. and at once
	maxForwarders = 4096 // whose rates are remembered
)

// forwarders are the rates of those from whom publications come, whoever made
// them. The zero value is ready: each has a rate of their own.
type forwarders struct {
	mu   sync.Mutex
	rate map[peer.ID]*bucket
	// members have a rate each, and all others, who can be as many as they like, have one
	// together; nil: nobody is known, as in a relay.
	members map[peer.ID]bool
}

// strangers is whose rate those have who are no members.
const strangers = peer.ID("")

// know says who is a member.
func (f *forwarders) know(members map[peer.ID]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members = members
}

// inspect drops what somebody brings beyond their rate, before any of it is looked at: so
// nobody takes it for known when another brings it.
func (f *forwarders) inspect(from peer.ID, rpc *pubsub.RPC) error {
	now := time.Now()
	rpc.Publish = slices.DeleteFunc(rpc.Publish, func(*pb.Message) bool { return !f.allow(from, now) })
	return nil
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

// allow reports whether one more publication from a peer is within its rate.
func (f *forwarders) allow(from peer.ID, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.members != nil && !f.members[from] {
		from = strangers
	}
	b := f.rate[from]
	if b == nil {
		if f.rate == nil || len(f.rate) >= maxForwarders {
			// A burst more for everybody, and no memory without bounds.
			f.rate = make(map[peer.ID]*bucket)
		}
		b = &bucket{tokens: forwardBurst, at: now}
		f.rate[from] = b
	}
	return b.take(now, forwardRate, forwardBurst)
}
