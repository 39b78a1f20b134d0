package node

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// maxRelays is on how many relays a peer keeps a place.
	maxRelays = 3
	// askRelays is how often a peer that is not alone asks who else is there.
	askRelays = 10 * time.Second
)

// relaySlots are a node's places on relays: others reach it through them.
type relaySlots struct {
	mu    sync.Mutex
	on    map[peer.ID]relaySlot
	asked map[peer.ID]time.Time
}

type relaySlot struct {
	until time.Time
	via   ma.Multiaddr // .../p2p/RELAY/p2p-circuit
	// conn is the connection on which it was had. A relay gives a place away when its
	// peer is gone, and one that starts again knows of none.
	conn string
}

// reachable are the addresses at which the node can be dialled, those through
// relays last.
func (n *Node) reachable() []ma.Multiaddr {
	via := n.via()
	own := slices.DeleteFunc(n.host.Addrs(), func(a ma.Multiaddr) bool { return relayOf(a) != "" })
	return slices.Concat(unique(slices.Concat(own, n.forwarded())), via)
}

// via are the addresses through relays.
func (n *Node) via() []ma.Multiaddr {
	n.relaySlots.mu.Lock()
	defer n.relaySlots.mu.Unlock()
	var via []ma.Multiaddr
	for _, s := range n.relaySlots.on {
		if time.Now().Before(s.until) {
			via = append(via, s.via)
		}
	}
	slices.SortFunc(via, func(a, b ma.Multiaddr) int { return a.Compare(b) })
	return via
}

// useRelays keeps a place on the relays that the node is connected to, and
// reaches through them those who are there too.
func (n *Node) useRelays(ctx context.Context) {
	changed := false
	for _, id := range n.host.Network().Peers() {
		via, ok := n.relay(id)
		if !ok || ctx.Err() != nil {
			continue
		}
		if n.gate.knows(id) {
			changed = n.reserve(ctx, id, via) || changed
			n.meet(ctx, id, via)
		} else if n.passing(id) {
			n.host.Network().ClosePeer(id)
		} else if !n.slotBeside(id) {
			changed = n.reserve(ctx, id, via) || changed
		}
	}
	if changed {
		n.announce()
	}
}

// passing reports whether a relay that the user has not named was only asked who is
// where: it is not to know more of us, nor carry more, than that takes.
func (n *Node) passing(id peer.ID) bool {
	n.relaySlots.mu.Lock()
	_, has := n.relaySlots.on[id]
	n.relaySlots.mu.Unlock()
	for _, c := range n.host.Network().Conns() {
		if relayOf(c.RemoteMultiaddr()) == id || c.RemotePeer() == id && time.Since(c.Stat().Opened) < nearbyTrial {
			return false
		}
	}
	return !has
}

// slotBeside reports whether there is a place on another relay.
func (n *Node) slotBeside(id peer.ID) bool {
	return slices.ContainsFunc(n.relaySlots.peers(), func(p peer.ID) bool { return p != id })
}

// A quietHost does not gossip with relays that the user has not named: they would
// learn the topic, and carry it.
type quietHost struct {
	host.Host
	n *Node
}

var errQuiet = errors.New("no gossip with a relay that is only passed by")

func (h quietHost) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	if known, err := h.Peerstore().SupportsProtocols(p, ProtocolPeers); err == nil && len(known) > 0 &&
		!h.n.gate.knows(p) {
		return nil, errQuiet
	}
	return h.Host.NewStream(ctx, p, protocols...)
}

// relay reports whether a connected peer is a relay, and the address through it.
func (n *Node) relay(id peer.ID) (ma.Multiaddr, bool) {
	if found, err := n.host.Peerstore().SupportsProtocols(id, ProtocolPeers); err != nil || len(found) == 0 {
		return nil, false
	}
	for _, c := range n.host.Network().ConnsToPeer(id) {
		if !isRelayed(c) {
			suffix, err := ma.NewMultiaddr("/p2p/" + id.String() + "/p2p-circuit")
			if err != nil {
				return nil, false
			}
			return c.RemoteMultiaddr().Encapsulate(suffix), true
		}
	}
	return nil, false
}

// isRelayed reports whether a connection goes through a relay.
func isRelayed(c network.Conn) bool {
	_, err := c.RemoteMultiaddr().ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// reserve gets or keeps a place on a relay. It returns whether that is new.
func (n *Node) reserve(ctx context.Context, id peer.ID, via ma.Multiaddr) bool {
	n.relaySlots.mu.Lock()
	old, has := n.relaySlots.on[id]
	full := len(n.relaySlots.on) >= maxRelays
	n.relaySlots.mu.Unlock()
	conn, kept := "", false
	for _, c := range n.host.Network().ConnsToPeer(id) {
		if !isRelayed(c) {
			conn = c.ID()
			kept = kept || conn == old.conn
		}
	}
	if has && kept && time.Until(old.until) > 10*time.Minute && old.via.Equal(via) || full && !has {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	r, err := client.Reserve(ctx, n.host, peer.AddrInfo{ID: id})
	n.refusedByRelay(id, "place", err)
	n.relaySlots.mu.Lock()
	defer n.relaySlots.mu.Unlock()
	if err != nil {
		if has && !time.Now().Before(old.until) {
			delete(n.relaySlots.on, id)
			return true
		}
		return false // it is tried again
	}
	if n.relaySlots.on == nil {
		n.relaySlots.on = make(map[peer.ID]relaySlot)
	}
	n.relaySlots.on[id] = relaySlot{until: r.Expiration, via: via, conn: conn}
	return !has || !old.via.Equal(via)
}

// topicHash is the hash in a topic's name.
func topicHash(topic string) ([]byte, error) {
	return hex.DecodeString(strings.TrimPrefix(topic, topicPrefix))
}

// meet asks a relay who else is on the room's topic, and connects to them
// through it.
func (n *Node) meet(ctx context.Context, relay peer.ID, via ma.Multiaddr) {
	others := 0
	for _, p := range n.host.Network().Peers() {
		if p != relay {
			others++
		}
	}
	n.relaySlots.mu.Lock()
	due := others == 0 || time.Since(n.relaySlots.asked[relay]) >= askRelays
	if due {
		if n.relaySlots.asked == nil {
			n.relaySlots.asked = make(map[peer.ID]time.Time)
		}
		n.relaySlots.asked[relay] = time.Now()
	}
	n.relaySlots.mu.Unlock()
	if !due || others >= wantPeers {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	s, err := n.host.NewStream(network.WithNoDial(ctx, "relay"), relay, ProtocolPeers)
	if err != nil {
		return
	}
	defer s.Reset()
	s.SetDeadline(time.Now().Add(dialTime))
	topic, err := topicHash(n.cfg.Room.Topic())
	if err != nil {
		return
	}
	if _, err := s.Write(topic); err != nil || s.CloseWrite() != nil {
		return
	}
	peers, err := readPeers(s)
	if err != nil {
		return
	}
	var wg sync.WaitGroup
	for _, p := range peers {
		if p == n.host.ID() || n.host.Network().Connectedness(p) == network.Connected {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if s, ok := n.host.Network().(*swarm.Swarm); ok {
				// It may have had no place on the relay yet a moment ago.
				s.Backoff().Clear(p)
			}
			n.refusedByRelay(relay, "circuit", n.host.Connect(ctx, peer.AddrInfo{ID: p, Addrs: []ma.Multiaddr{via}}))
		}()
	}
	wg.Wait()
}
