package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	// siteBits is how much of an IPv6 address stands for one place on the network: a
	// campus has a /48, and so may anybody who asks for one.
	siteBits = 48
	// fewPlaces is how many an address may have and still get one of the last quarter.
	fewPlaces = 16
	// placesTime is in what time an address may connect as often as it may have
	// connections, after a first burst of twice as many.
	placesTime = time.Minute
	maxPaces   = 4096 // addresses whose rates are remembered
)

// A Refusal is something that somebody was not given.
type Refusal struct {
	What string // connection, circuit or stream
	From string // an address, a relay or a peer
	Why  string
}

// Places are the connections that others have opened. One address may have a
// share of them. The last quarter is for addresses that have few: so one that
// takes all it can get, or some of those, leave places for others. Who is on
// this computer has no share.
//
// Not defended: somebody with very many addresses can take all places.
type places struct {
	network.ResourceManager
	limits  Limits
	refused func(Refusal) // may be nil; must not block
	paces   *paces[string]

	mu  sync.Mutex
	all int
	of  map[string]int
}

func newPlaces(m network.ResourceManager, l Limits, refused func(Refusal)) *places {
	return &places{
		ResourceManager: m, limits: l, refused: refused, of: make(map[string]int),
		paces: newPaces[string](float64(l.PerAddress)/placesTime.Seconds(), 2*l.PerAddress, maxPaces),
	}
}

// siteOf is what counts as one address, and how people know it; empty for this
// computer.
func siteOf(a ma.Multiaddr) (site, shown string) {
	if r := relayOf(a); r != "" {
		return "relay " + r.String(), "the relay " + r.String()
	}
	raw, err := manet.ToIP(a)
	ip, ok := netip.AddrFromSlice(raw)
	if err != nil || !ok {
		return "nowhere", "an unknown address"
	}
	ip = ip.Unmap()
	if ip.IsLoopback() {
		return "", ip.String()
	}
	if ip.Is4() {
		return ip.String(), ip.String()
	}
	p, err := ip.Prefix(siteBits)
	if err != nil {
		return "nowhere", "an unknown address"
	}
	return p.String(), ip.String()
}

// roomFor says why there is no room for one more; empty if there is. all and own
// are how many are taken, most and share how many may be.
func roomFor(what string, all, most, own, share int) string {
	switch {
	case all >= most:
		return fmt.Sprintf("all %d %s are taken", most, what)
	case own >= share:
		return fmt.Sprintf("its address has all %d %s that one may have", share, what)
	case all >= most-most/4 && own >= fewPlaces:
		return fmt.Sprintf("%d of %d %s are taken, and the rest is for addresses with fewer than %d",
			all, most, what, fewPlaces)
	}
	return ""
}

// take finds a place for one more connection from a site.
func (p *places) take(site string, now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	own, share := p.of[site], p.limits.PerAddress
	if site == "" {
		own, share = 0, p.limits.Connections
	}
	if why := roomFor("connections", p.all, p.limits.Connections, own, share); why != "" {
		return why
	}
	if site != "" && !p.paces.allow(site, now) {
		return "its address connects too often"
	}
	p.all++
	p.of[site]++
	return ""
}

func (p *places) free(site string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.of[site]--; p.of[site] <= 0 {
		delete(p.of, site)
	}
}

// taken is how many places are.
func (p *places) taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

func (p *places) tell(what, from, why string) {
	if p.refused != nil {
		p.refused(Refusal{What: what, From: from, Why: why})
	}
}

// errNoPlace is what the library hears; it tells who dialled over QUIC that the
// connection was refused, and hangs up on who dialled over TCP.
var errNoPlace = errors.New("there is no place for another connection")

// OpenConnection is asked before anything is done for a connection.
func (p *places) OpenConnection(
	dir network.Direction, usefd bool, a ma.Multiaddr,
) (network.ConnManagementScope, error) {
	if dir != network.DirInbound {
		return p.ResourceManager.OpenConnection(dir, usefd, a)
	}
	site, shown := siteOf(a)
	if why := p.take(site, time.Now()); why != "" {
		p.tell("connection", shown, why)
		return nil, errNoPlace
	}
	s, err := p.ResourceManager.OpenConnection(dir, usefd, a)
	if err != nil {
		p.free(site)
		p.tell("connection", shown, whyNot(err))
		return nil, err
	}
	return &place{ConnManagementScope: s, places: p, site: site, shown: shown}, nil
}

// OpenStream is asked before a stream is.
func (p *places) OpenStream(id peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	s, err := p.ResourceManager.OpenStream(id, dir)
	if err != nil && dir == network.DirInbound {
		p.tell("stream", "peer "+id.String(), whyNot(err))
	}
	return s, err
}

// VerifySourceAddress says whether who dials over QUIC shall first show that they
// are where they say: also when many are on their way in, since each takes a place
// for that time.
func (p *places) VerifySourceAddress(a net.Addr) bool {
	if p.ResourceManager.VerifySourceAddress(a) {
		return true
	}
	busy := false
	p.ViewTransient(func(s network.ResourceScope) error {
		busy = s.Stat().NumConnsInbound >= p.limits.unverified()
		return nil
	})
	return busy
}

// whyNot says in short what the library's limits say.
func whyNot(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "file descriptor") || strings.Contains(text, "FD"):
		return "the process may not open more files"
	case strings.Contains(text, "memory"):
		return "all memory for connections is taken"
	case strings.Contains(text, "peer"):
		return "this peer has as many as one may have"
	}
	return "a limit is reached"
}

// A place is one connection's.
type place struct {
	network.ConnManagementScope
	places      *places
	once        sync.Once
	site, shown string
}

func (c *place) Done() {
	c.ConnManagementScope.Done()
	c.once.Do(func() { c.places.free(c.site) })
}

// SetPeer is called once it is known who the other end is.
func (c *place) SetPeer(id peer.ID) error {
	err := c.ConnManagementScope.SetPeer(id)
	if err != nil {
		c.places.tell("connection", c.shown, whyNot(err))
	}
	return err
}
