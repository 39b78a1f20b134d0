package node

import (
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/room"
)

// ErrNotConnected is returned for a peer to which there is no connection.
var ErrNotConnected = errors.New("not connected to that peer")

// A PathKind is how a peer is reached.
type PathKind string

// The kinds of paths.
const (
	Direct  PathKind = "direct"
	Relayed PathKind = "relayed"
	NoPath  PathKind = "none"
)

// A Path is how a peer is reached.
type Path struct {
	Peer      peer.ID
	Kind      PathKind
	Transport string        // quic, tcp, ..; of the first hop
	Address   ma.Multiaddr  // nil for none
	RTT       time.Duration // the smoothed one; 0: not measured yet
	Relay     peer.ID       // empty unless relayed
	// IsRelay: the peer is a relay, and no member.
	IsRelay bool
	// OnTopic: the peer gossips with us in this room.
	OnTopic bool
}

// Status is what a node knows of itself and its room at one moment.
type Status struct {
	Room      room.Status
	Peers     []Path // connected peers, by peer id
	Uptime    time.Duration
	BytesIn   int64
	BytesOut  int64
	Disk      int64 // bytes that the store takes
	Keep      int64 // .. at most; 0: no bound
	Goroutine int   // how many run in the process
	Addresses []ma.Multiaddr
	// Fellows are the other members, and where they say they can be reached.
	Fellows []peer.AddrInfo
	// Relays are those on which the node has a place.
	Relays []peer.ID
	// Ahead is how far our clock is ahead of the median of the connected peers that
	// told theirs; Clocks is how many did.
	Ahead  time.Duration
	Clocks int
	// SetBack is by how much the wall clock was set back, as far as the room has not come near
	// it again: it goes at half speed until then, and its times are as far ahead.
	SetBack time.Duration
	// Speaking is how many connected peers speak some version of the protocol, Newer
	// how many of them only later ones, Version the least of those.
	Speaking, Newer, Version int
	// MDNS: the local network is looked at; Nearby is how many peers were found there.
	MDNS   bool
	Nearby int
	// UDPBlocked: TCP gets out of this network, and UDP does not.
	UDPBlocked bool
	// Mute: nothing is heard of anybody who is connected, though they are asked.
	Mute bool
	// Elsewhere are other rooms of this one's name that connected peers are in, the
	// one with most of them first.
	Elsewhere []Elsewhere
}

// Status takes a snapshot. After the node has ended, that of the room is empty.
func (n *Node) Status() Status {
	s := Status{
		Uptime: time.Since(n.began), Goroutine: runtime.NumGoroutine(), Addresses: n.Addresses(),
		Relays: n.relaySlots.peers(),
	}
	if n.cfg.Store != nil {
		s.Disk, s.Keep = n.diskSize(), n.cfg.Keep
	}
	onTopic := make(map[peer.ID]bool)
	n.do(func() {
		s.Room, s.Fellows = n.room.Status(n.now()), n.room.OtherMembers()
		for _, p := range s.Room.Neighbours {
			onTopic[p] = true
		}
	})
	for _, p := range n.host.Network().Peers() {
		path := n.Path(p)
		path.OnTopic = onTopic[p]
		s.Peers = append(s.Peers, path)
		s.countVersion(n.versionOf(p))
	}
	slices.SortFunc(s.Peers, func(a, b Path) int { return compare(a.Peer, b.Peer) })
	s.Ahead, s.Clocks = n.reports.clock()
	s.SetBack = n.clock.setBack()
	s.Elsewhere = n.reports.elsewhere()
	s.MDNS, s.Nearby = n.nearby.status()
	s.UDPBlocked = n.udp.blocked.Load() && !n.udp.worked.Load()
	s.Mute = n.pulse.mute(time.Now())
	s.BytesIn, s.BytesOut = n.traffic.in.Load(), n.traffic.out.Load()
	return s
}

func compare(a, b peer.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Path is how a peer is reached now.
func (n *Node) Path(p peer.ID) Path {
	path := Path{Peer: p, Kind: NoPath}
	if n.host.Network().Connectedness(p) == network.NotConnected {
		return path
	}
	_, path.IsRelay = n.relay(p)
	path.RTT = n.host.Peerstore().LatencyEWMA(p)
	for _, c := range n.host.Network().ConnsToPeer(p) {
		a := c.RemoteMultiaddr()
		if path.Kind == Direct {
			break
		}
		path.Address, path.Transport = a, transportOf(a)
		path.Kind, path.Relay = Direct, ""
		if isRelayed(c) {
			path.Kind = Relayed
			path.Relay = relayOf(a)
		}
	}
	return path
}

// transportOf names the transport of an address as people do.
func transportOf(a ma.Multiaddr) string {
	for _, t := range []struct {
		code int
		name string
	}{{ma.P_QUIC_V1, "quic"}, {ma.P_WEBTRANSPORT, "webtransport"}, {ma.P_WEBRTC_DIRECT, "webrtc"}, {ma.P_WS, "ws"},
		{ma.P_TCP, "tcp"}} {
		for _, c := range a {
			if c.Protocol().Code == t.code {
				return t.name
			}
		}
	}
	return ""
}

// relayOf is the relay in an address through one.
func relayOf(a ma.Multiaddr) peer.ID {
	for i := 1; i < len(a); i++ {
		if a[i].Protocol().Code == ma.P_CIRCUIT && a[i-1].Protocol().Code == ma.P_P2P {
			if p, err := peer.IDFromBytes(a[i-1].RawValue()); err == nil {
				return p
			}
		}
	}
	return ""
}

// peers are the relays on which there is a place.
func (s *relaySlots) peers() []peer.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []peer.ID
	for p, slot := range s.on {
		if time.Now().Before(slot.until) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// SetName changes what the member calls itself; the members are told.
func (n *Node) SetName(name string) error {
	var err error
	if !n.do(func() { err = n.room.Rename(n.now(), name) }) {
		return ErrEnded
	}
	return err
}

// Rekey starts a new epoch with the same members.
func (n *Node) Rekey() error {
	var err error
	if !n.do(func() { err = n.room.Rekey(n.now()) }) {
		return ErrEnded
	}
	return err
}

// TakeNotice takes a notice that the user brings. It returns false for what the domain did
// not sign.
func (n *Node) TakeNotice(notice *abe.Notice) (ok bool, err error) {
	if !n.do(func() { ok = n.room.TakeNotice(n.now(), notice) }) {
		return false, ErrEnded
	}
	return ok, nil
}

// Cut goes on without a peer, or, if on is false, with it again.
func (n *Node) Cut(p peer.ID, on bool) error {
	var err error
	if !n.do(func() { err = n.room.Cut(n.now(), p, on) }) {
		return ErrEnded
	}
	return err
}

// Held are the messages that wait to be sent.
func (n *Node) Held() (out []room.HeldMessage) {
	n.do(func() { out = n.room.HeldMessages() })
	return out
}

// SendHeld sends what is held, however long it has waited, as soon as somebody can read it. It
// returns how many had waited for that word.
func (n *Node) SendHeld() (count int) {
	n.do(func() { count = n.room.SendHeld(n.now()) })
	return count
}

// Drop gives up on the messages that are held, and returns them. Without a
// predicate, on all.
func (n *Node) Drop(which func(room.HeldMessage) bool) []room.HeldMessage {
	var out []room.HeldMessage
	n.do(func() { out = n.room.Drop(n.now(), which) })
	return out
}
