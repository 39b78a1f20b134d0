package node

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

const (
	forwardRate   = 200  // publications a second from one forwarder ..
	forwardBurst  = 2000 // .. and at once
	maxForwarders = 4096 // whose rates are remembered
)

// newForwarders are the paces of those from whom publications come, whoever made them. Members and
// relays go by the same.
func newForwarders() *paces[peer.ID] {
	return newPaces[peer.ID](forwardRate, forwardBurst, maxForwarders)
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
