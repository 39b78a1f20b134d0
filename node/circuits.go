package node

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

// Circuits are the connections of others that a relay carries. They are shared as
// connections are: an address may have opened half of them, and the last quarter
// is for addresses with few.
type circuits struct {
	host    host.Host // set before anybody can connect
	limits  Limits
	refused func(Refusal)

	reserved, open atomic.Int64
}

func newCircuits(l Limits, refused func(Refusal)) *circuits {
	return &circuits{limits: l, refused: refused}
}

// resources are the library's limits: what it counts is not what is scarce. A
// reservation costs nothing beside its connection, and there is one for each peer.
func (c *circuits) resources() relayv2.Resources {
	r := relayv2.DefaultResources()
	// With limits of time and bytes, pubsub refuses the connections that go through here.
	r.Limit = nil
	n := c.limits.Connections
	r.MaxReservations, r.MaxReservationsPerIP, r.MaxReservationsPerASN = n, n, n
	r.MaxCircuits = peerCircuits
	return r
}

// AllowReserve and AllowConnect are those of relayv2.ACLFilter.
func (c *circuits) AllowReserve(peer.ID, ma.Multiaddr) bool { return true }

func (c *circuits) AllowConnect(src peer.ID, from ma.Multiaddr, _ peer.ID) bool {
	all := int(c.open.Load())
	own := 0
	site, shown := siteOf(from)
	if all >= c.limits.Circuits/2 && site != "" {
		own = c.ofSite(site)
	}
	why := roomFor("circuits", all, c.limits.Circuits, own, c.limits.Circuits/2)
	if why == "" {
		return true
	}
	if c.refused != nil {
		c.refused(Refusal{What: "circuit", From: shown, Why: why})
	}
	return false
}

// ofSite counts the circuits that were opened from a site.
func (c *circuits) ofSite(site string) int {
	n := 0
	for _, conn := range c.host.Network().Conns() {
		if s, _ := siteOf(conn.RemoteMultiaddr()); s != site {
			continue
		}
		for _, s := range conn.GetStreams() {
			if s.Protocol() == circuit.ProtoIDv2Hop && s.Stat().Direction == network.DirInbound {
				n++
			}
		}
	}
	return n
}

// The rest are those of relayv2.MetricsTracer.
func (c *circuits) RelayStatus(bool)               {}
func (c *circuits) ConnectionOpened()              { c.open.Add(1) }
func (c *circuits) ConnectionClosed(time.Duration) { c.open.Add(-1) }
func (c *circuits) BytesTransferred(int)           {}
func (c *circuits) ReservationClosed(n int)        { c.reserved.Add(-int64(n)) }

func (c *circuits) ReservationAllowed(again bool) {
	if !again {
		c.reserved.Add(1)
	}
}

func (c *circuits) ConnectionRequestHandled(s pb.Status) { c.handled("circuit", s) }

func (c *circuits) ReservationRequestHandled(s pb.Status) { c.handled("reservation", s) }

// handled notes what the library refused; it does not say to whom. That somebody
// is not here is no refusal.
func (c *circuits) handled(what string, s pb.Status) {
	if s != pb.Status_RESERVATION_REFUSED && s != pb.Status_RESOURCE_LIMIT_EXCEEDED {
		return
	}
	if c.refused != nil {
		c.refused(Refusal{What: what, From: "a peer", Why: "it, or the one it wants to reach, has as many as one may have"})
	}
}
