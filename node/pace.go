package node

import (
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

const (
	forwardRate   = 200  // publications a second from one forwarder ..
	forwardBurst  = 2000 // .. and at once
	maxForwarders = 4096 // whose rates are remembered
)

// forwarders are the paces of those from whom publications come, whoever made them.
type forwarders struct {
	*paces[peer.ID]

	knows sync.Mutex
	// members have a pace each, and all others, who can be as many as they like, have one
	// together; nil: nobody is known, as in a relay, and each has one.
	members map[peer.ID]bool
}

func newForwarders() *forwarders {
	return &forwarders{paces: newPaces[peer.ID](forwardRate, forwardBurst, maxForwarders)}
}

// strangers is whose pace those have who are no members.
const strangers = peer.ID("")

// know says who is a member.
func (f *forwarders) know(members map[peer.ID]bool) {
	f.knows.Lock()
	defer f.knows.Unlock()
	f.members = members
}

// inspect drops what somebody brings beyond their pace, before any of it is looked at: so
// nobody takes it for known when another brings it.
func (f *forwarders) inspect(from peer.ID, rpc *pubsub.RPC) error {
	f.knows.Lock()
	if f.members != nil && !f.members[from] {
		from = strangers
	}
	f.knows.Unlock()
	now := time.Now()
	rpc.Publish = slices.DeleteFunc(rpc.Publish, func(*pb.Message) bool { return !f.allow(from, now) })
	return nil
}

// Paces are what each of many may do: so much a second, and so much at once. When there are too
// many of them all begin anew: a burst more for everybody, and no memory without bounds.
type paces[K comparable] struct {
	rate  rate.Limit
	burst int
	most  int // are remembered

	mu sync.Mutex
	of map[K]*rate.Limiter
}

func newPaces[K comparable](perSecond float64, burst, most int) *paces[K] {
	return &paces[K]{rate: rate.Limit(perSecond), burst: burst, most: most, of: make(map[K]*rate.Limiter)}
}

// allow reports whether one more is within its pace.
func (p *paces[K]) allow(who K, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.of[who]
	if l == nil {
		if len(p.of) >= p.most {
			clear(p.of)
		}
		l = rate.NewLimiter(p.rate, p.burst)
		p.of[who] = l
	}
	return l.AllowN(now, 1)
}
