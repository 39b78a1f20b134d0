package node

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/x/rate"
)

// Limits are what a host may take. The library's own are made for strangers who
// each have an address: they let in eight connections from one, and a campus is
// behind one.
type Limits struct {
	// Memory is in how many bytes the rest fits, as it is used by honest peers.
	Memory int64
	// Connections is how many others may have opened.
	Connections int
	// PerAddress is how many of them may come from one IPv4 address, from one IPv6
	// /48, or through one relay.
	PerAddress int
	// Circuits is how many connections of others a relay carries.
	Circuits int
}

// What a place costs, roughly: buffers, goroutines, and what pubsub keeps.
const (
	connectionMemory = 256 << 10
	circuitsPerPlace = 4
	minConnections   = 64
	maxConnections   = 1 << 16
	// peerMemory sizes a peer's limits: those of a program on a laptop.
	peerMemory = 192 << 20
	// peerCircuits is how many circuits of a relay end at one peer: as many as it
	// answers channels, and those that are being made.
	peerCircuits = 2 * maxChannels
	// dialled is how many connections a host may have opened.
	dialled = 512
	// Over TCP each stream has a window of 256 KiB, all of which the library takes for
	// used. It hardly ever is: what is really used is looked at in pressure.go.
	window     = 256 << 10
	windowsOf  = 8 // for one connection's own streams
	peerWindow = 96 << 20
)

// windows is what the library may take for used.
func (l Limits) windows() rcmgr.LimitVal64 {
	return rcmgr.LimitVal64(window * (int64(windowsOf)*int64(l.Connections+dialled) + 2*int64(l.Circuits)))
}

// LimitsFor are limits that fit into so much memory.
func LimitsFor(memory int64) Limits {
	n := int(min(max(memory/connectionMemory, minConnections), maxConnections))
	return Limits{Memory: memory, Connections: n, PerAddress: n / 2, Circuits: circuitsPerPlace * n}
}

// withDefaults fills in what is not set.
func (l Limits) withDefaults() Limits {
	if l.Memory <= 0 {
		l.Memory = peerMemory
	}
	d := LimitsFor(l.Memory)
	if l.Connections <= 0 {
		l.Connections = d.Connections
	}
	if l.PerAddress <= 0 {
		l.PerAddress = max(l.Connections/2, 1)
	}
	l.PerAddress = min(l.PerAddress, l.Connections)
	if l.Circuits <= 0 {
		l.Circuits = circuitsPerPlace * l.Connections
	}
	return l
}

// concrete are the library's limits for these. Who gets a place is decided before
// it is asked (places.go): its own count is there for what is not foreseen.
func (l Limits) concrete() rcmgr.ConcreteLimitConfig {
	defaults := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&defaults)
	base := defaults.AutoScale() // for the number of open files, half of which are for connections
	n := func(v int) rcmgr.LimitVal { return rcmgr.LimitVal(v) }
	streams := func(in, out int) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{Streams: n(in + out), StreamsInbound: n(in), StreamsOutbound: n(out), Memory: l.windows()}
	}
	// One stream of a protocol to each peer, and some that are being replaced.
	each := 2*(l.Connections+dialled) + 64
	system := streams(16*l.Connections+2*l.Circuits, 16*(l.Connections+dialled)+2*l.Circuits)
	system.ConnsInbound, system.ConnsOutbound, system.Conns = n(l.Connections), n(dialled), n(l.Connections+dialled)
	if f := Files(); f > 0 {
		system.FD = n(f)
	}
	// On their way in may be as many as are let in: with fewer, one address that begins
	// handshakes and does not go on would be in the way of all others.
	transient := streams(each, each)
	transient.ConnsInbound, transient.ConnsOutbound = system.ConnsInbound, system.ConnsOutbound
	transient.Conns = system.Conns
	transient.FD = system.Conns
	peer := streams(2*peerCircuits, 2*peerCircuits)
	peer.Memory = peerWindow
	circuits := streams(2*l.Circuits+each, 2*l.Circuits+each)
	ofPeer := streams(peerCircuits, peerCircuits)
	ofPeer.Memory = peerWindow
	return rcmgr.PartialLimitConfig{
		System: system, Transient: transient, PeerDefault: peer,
		ServiceDefault: streams(each, each), ProtocolDefault: streams(each, each),
		Service: map[string]rcmgr.ResourceLimits{identify.ServiceName: streams(each, each), relayv2.ServiceName: circuits},
		ServicePeer: map[string]rcmgr.ResourceLimits{
			relayv2.ServiceName: ofPeer,
		},
		Protocol: map[protocol.ID]rcmgr.ResourceLimits{
			identify.ID: streams(each, each), identify.IDPush: streams(each, each),
			circuit.ProtoIDv2Hop: circuits, circuit.ProtoIDv2Stop: circuits,
		},
		ProtocolPeer: map[protocol.ID]rcmgr.ResourceLimits{circuit.ProtoIDv2Hop: ofPeer, circuit.ProtoIDv2Stop: ofPeer},
	}.Build(base)
}

// unverified is how many connections may be on their way in before those over QUIC
// show that they are where they say.
func (l Limits) unverified() int { return max(l.Connections/16, 1) }

// Files is how many connections over TCP the process' open files allow; 0: the
// system does not tell.
func Files() int {
	var one rcmgr.ScalingLimitConfig
	one.SystemLimitIncrease.FDFraction = 1
	auto := one.AutoScale().ToPartialLimitConfig()
	return max(int(auto.System.FD), 0)
}

// newManager makes the host's resource manager.
func newManager(l Limits, refused func(Refusal)) (*places, error) {
	// How often one address may connect, and how many times at once, is for places to
	// say. Here it is twice as many as are let in: the library has half of that begin
	// over QUIC before it makes sure that they are where they say.
	address := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: 2*l.PerAddress + dialled}}
	site := []rcmgr.ConnLimitPerSubnet{{PrefixLength: siteBits, ConnCount: 2*l.PerAddress + dialled}}
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(l.concrete()),
		rcmgr.WithLimitPerSubnet(address, site), rcmgr.WithConnRateLimiters(new(rate.Limiter)), rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, fmt.Errorf("starting the network: %w", err)
	}
	return newPlaces(m, l, refused), nil
}

var _ network.ResourceManager = (*places)(nil)
