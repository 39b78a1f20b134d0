package node

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/room"
)

// offTopicTime is how long a peer has been connected, and nobody has joined the
// topic, before it is met without.
const offTopicTime = 4 * time.Second

// offTopic are connected peers that speak the room's protocols and have not
// joined its topic, met all the same as long as nobody has. A peer keeps one
// pubsub stream for each peer id: while another process with our identity holds
// that, a copy of this profile on another computer, nothing of the topic reaches
// us, but streams do, and through them all see which of the two came later
// (PROTOCOL.md §5).
type offTopic struct {
	since map[peer.ID]time.Time // when each was first seen connected
	met   map[peer.ID]bool
}

// update sees whom to meet off the topic, and who is gone. It runs in the goroutine
// that keeps the node connected.
func (o *offTopic) update(n *Node) {
	if len(n.topic.topic.ListPeers()) > 0 {
		clear(o.since) // those that were met stay neighbours until they are gone
	} else {
		for _, p := range n.host.Network().Peers() {
			if _, ok := o.since[p]; !ok {
				o.since[p] = time.Now()
			}
		}
	}
	for p, since := range o.since {
		if o.met[p] || time.Since(since) < offTopicTime {
			continue
		}
		known, err := n.host.Peerstore().SupportsProtocols(p, room.ProtocolSync)
		if err == nil && len(known) > 0 {
			o.met[p] = true
			n.do(func() { n.room.PeerConnected(n.now(), p) })
		}
	}
	for p := range o.met {
		if n.host.Network().Connectedness(p) != network.Connected {
			delete(o.met, p)
			n.do(func() { n.room.PeerDisconnected(n.now(), p) })
		}
	}
	for p := range o.since {
		if n.host.Network().Connectedness(p) != network.Connected {
			delete(o.since, p)
		}
	}
}
