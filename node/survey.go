package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"coterie/room"
)

const (
	maxSurvey  = 32              // peers that a survey asks
	surveyMDNS = 3 * time.Second // for answers on the local network
)

// SurveyConfig says what to look at.
type SurveyConfig struct {
	// Listen are the addresses to listen on. Nil: any free port on every interface.
	Listen []ma.Multiaddr
	// Addresses are dialled.
	Addresses []ma.Multiaddr
	// Room is asked about; nil: none.
	Room *room.Descriptor
	// MDNS: look at the local network as well.
	MDNS bool
	// Not are peers of this computer, which tell nothing of the network.
	Not []peer.ID
	// Now is the wall clock; nil: time.Now.
	Now func() time.Time
}

// A Probed address, and who answered.
type Probed struct {
	Address ma.Multiaddr
	Err     error // nobody did
	Peer    peer.ID
	Took    time.Duration // to connect, with the handshake
	Version int           // of the protocol that it speaks; 0: none
	Relay   bool
	InRoom  bool
}

// A Survey is what a fresh peer saw of the network.
type Survey struct {
	Listening []ma.Multiaddr
	Probed    []Probed // in the order of the addresses
	// Ahead and Clocks are as in Status.
	Ahead  time.Duration
	Clocks int
	// UDP: somebody answered over QUIC. UDPBlocked: nobody did who answered over TCP.
	UDP, UDPBlocked bool
	// Observed is by which addresses peers know us, over QUIC if over that at all.
	Observed []Observed
	// MDNS: the local network was looked at.
	MDNS bool
	// Nearby are the peers found on the local network that speak the protocol.
	Nearby []Probed
}

// Observed is an address of ours that others see.
type Observed struct {
	Address ma.Multiaddr
	Peers   int
	// Own: it is one of this machine's, so nothing translates it on the way.
	Own bool
}

// Look looks, as a fresh peer, at what is within reach. It takes a bounded time:
// that of a dial, a few answers and, if wanted, a look at the local network.
func Look(ctx context.Context, cfg SurveyConfig) (*Survey, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("drawing an identity: %w", err)
	}
	h, err := newHost(key, cfg.Listen)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	l := &surveyor{cfg: cfg, n: &Node{host: h}, survey: new(Survey), observed: make(map[string]*Observed),
		seen: make(map[peer.ID]bool)}
	l.survey.Listening = h.Addrs()
	sub, err := h.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted), eventbus.Name("coterie"),
		eventbus.BufSize(4*maxSurvey))
	if err != nil {
		return nil, fmt.Errorf("starting the network: %w", err)
	}
	defer sub.Close()
	l.dial(ctx)
	if cfg.MDNS && l.n.listensBeyond() {
		l.nearby(ctx)
	}
	for done := false; !done; {
		select {
		case e := <-sub.Out():
			l.observe(e.(event.EvtPeerIdentificationCompleted))
		default:
			done = true
		}
	}
	l.finish(ctx)
	return l.survey, nil
}

type surveyor struct {
	cfg    SurveyConfig
	n      *Node
	survey *Survey

	mu       sync.Mutex
	reports  peerReports
	seen     map[peer.ID]bool // on the local network
	late     bool             // nobody found there counts any more
	observed map[string]*Observed
}

// dial dials all addresses at once, each as a peer of its own, so that none
// answers for another; and then those who answered, once more.
func (l *surveyor) dial(ctx context.Context) {
	addrs := l.cfg.Addresses[:min(len(l.cfg.Addresses), maxSurvey)]
	l.survey.Probed = make([]Probed, len(addrs))
	var wg sync.WaitGroup
	for i, a := range addrs {
		wg.Go(func() { l.survey.Probed[i] = probeAlone(ctx, a) })
	}
	wg.Wait()
	answered := make(map[peer.ID]*Probed)
	for _, p := range l.survey.Probed {
		if p.Err == nil {
			transport, _ := peer.SplitAddr(p.Address)
			l.n.host.Peerstore().AddAddr(p.Peer, transport, time.Minute)
			answered[p.Peer] = &Probed{Peer: p.Peer}
		}
	}
	for id, p := range answered {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, dialTime)
			defer cancel()
			if p.Err = l.n.host.Connect(ctx, peer.AddrInfo{ID: id}); p.Err == nil {
				l.ask(ctx, p)
			}
		})
	}
	wg.Wait()
	for i := range l.survey.Probed {
		p := &l.survey.Probed[i]
		if of := answered[p.Peer]; p.Err == nil && of != nil {
			p.Version, p.Relay, p.InRoom = of.Version, of.Relay, of.InRoom
		}
	}
}

// probeAlone sees who answers at an address, and hangs up.
func probeAlone(ctx context.Context, a ma.Multiaddr) Probed {
	p := Probed{Address: a, Err: CheckBootstrap(a)}
	if p.Err != nil {
		return p
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.Err = fmt.Errorf("drawing an identity: %w", err)
		return p
	}
	h, err := newHost(key, []ma.Multiaddr{})
	if err != nil {
		p.Err = err
		return p
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	began := time.Now()
	p.Peer, p.Err = (&Node{host: h}).dial(ctx, a)
	p.Took = time.Since(began)
	return p
}

// ask sees what somebody who answered is.
func (l *surveyor) ask(ctx context.Context, p *Probed) {
	p.Version = l.n.versionOf(p.Peer)
	known, err := l.n.host.Peerstore().SupportsProtocols(p.Peer, ProtocolPeers)
	p.Relay = err == nil && len(known) > 0
	a, ahead, err := askAbout(ctx, l.n.host, p.Peer, l.cfg.Room, p.Relay, l.cfg.Now)
	if err != nil {
		return
	}
	p.InRoom = l.cfg.Room != nil &&
		slices.ContainsFunc(a.rooms, func(d *room.Descriptor) bool { return d.ID() == l.cfg.Room.ID() })
	l.reports.take(p.Peer, a, ahead)
}

// HandlePeerFound takes what anybody on the local network may say.
func (l *surveyor) HandlePeerFound(info peer.AddrInfo) {
	l.mu.Lock()
	known := l.seen[info.ID] || len(l.seen) >= maxSurvey || slices.Contains(l.cfg.Not, info.ID)
	l.seen[info.ID] = l.seen[info.ID] || !known
	l.mu.Unlock()
	addrs := onLinks(info.Addrs)
	if known || len(addrs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), surveyMDNS)
	defer cancel()
	p := Probed{Peer: info.ID, Address: addrs[0]}
	if p.Err = l.n.host.Connect(ctx, peer.AddrInfo{ID: info.ID, Addrs: addrs}); p.Err != nil {
		return
	}
	l.ask(ctx, &p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Version > 0 && !l.late {
		l.survey.Nearby = append(l.survey.Nearby, p)
	}
}

// nearby looks at the local network for a while.
func (l *surveyor) nearby(ctx context.Context) {
	s := mdns.NewMdnsService(l.n.host, nearbyService, l)
	if s.Start() == nil {
		l.survey.MDNS = true
		select {
		case <-time.After(surveyMDNS):
		case <-ctx.Done():
		}
	}
	s.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = true
}

// observe counts by which address a peer knows us.
func (l *surveyor) observe(e event.EvtPeerIdentificationCompleted) {
	if e.ObservedAddr == nil || e.Conn == nil || isRelayed(e.Conn) || l.ownComputer(e.Peer, e.Conn) {
		return
	}
	a := e.ObservedAddr
	kind := transportOf(a)
	if kind != "quic" && kind != "tcp" {
		return
	}
	if kind == "tcp" { // the port is a passing one
		a = a[:1]
	}
	key := a.String()
	o := l.observed[key]
	if o == nil {
		o = &Observed{Address: a, Own: ownAddress(a)}
		l.observed[key] = o
	}
	o.Peers++
}

// ownComputer reports whether a peer runs on this computer: one that is known to, or that
// came by an address of this computer's own. It may have found us, and not we it. Where
// all is on loopback nobody else was wanted.
func (l *surveyor) ownComputer(p peer.ID, c network.Conn) bool {
	at := c.RemoteMultiaddr()
	return slices.Contains(l.cfg.Not, p) || !manet.IsIPLoopback(at) && ownAddress(at)
}

func ownAddress(a ma.Multiaddr) bool {
	ip, err := manet.ToIP(a)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(linkNets(), func(own *net.IPNet) bool { return own.IP.Equal(ip) })
}

// finish draws conclusions.
func (l *surveyor) finish(ctx context.Context) {
	s := l.survey
	s.Ahead, s.Clocks = l.reports.clock()
	var overTCP, overQUIC []Observed
	for _, o := range l.observed {
		if transportOf(o.Address) == "quic" {
			overQUIC = append(overQUIC, *o)
		} else {
			overTCP = append(overTCP, *o)
		}
	}
	s.UDP = len(overQUIC) > 0
	s.Observed = overQUIC
	if !s.UDP {
		s.Observed = overTCP
		s.UDP, s.UDPBlocked = l.tryUDP(ctx)
	}
	slices.SortFunc(s.Observed, func(a, b Observed) int { return b.Peers - a.Peers })
}

// tryUDP tries it with those who answer over TCP.
func (l *surveyor) tryUDP(ctx context.Context) (works, blocked bool) {
	dialler, ok := l.n.host.Network().(quicDialler)
	if !ok {
		return false, false
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	tried := 0
	for _, p := range l.n.host.Network().Peers() {
		a := l.n.quicBeside(p)
		if a == nil || tried == udpAtOnce || !manet.IsIPLoopback(a) && ownAddress(a) {
			continue
		}
		tried++
		wg.Go(func() {
			ok := answers(ctx, dialler, a, p)
			mu.Lock()
			defer mu.Unlock()
			works = works || ok
		})
	}
	wg.Wait()
	return works, tried > 0 && !works
}
