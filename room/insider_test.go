package room

import (
	"crypto/ed25519"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// An insider is a spy with all that a member's process has: it has channels as
// that process would, and does not keep to the rules inside them.
type insider struct {
	*spy
	of *simNode
}

func (x *insider) WorkingKey() ed25519.PrivateKey             { return x.of.room.working }
func (x *insider) Admits(peer.ID, [32]byte) bool              { return true }
func (x *insider) ChannelOpened(time.Time, peer.ID, [32]byte) {}
func (x *insider) ChannelClosed(time.Time, peer.ID, [32]byte) {}
func (x *insider) helloTo(to *simNode) []byte                 { return x.of.helloTo(to) }
func (x *insider) standsWith(to *simNode) bool                { return x.node.tunnels[to] != nil }

// insider takes the place of a member's process at others: these have no
// connection with the process itself any more.
func (n *network) insider(of *simNode, at ...*simNode) *insider {
	n.t.Helper()
	x := &insider{n.addSpy(of.name+", asking", of.room.cfg.Identity), of}
	x.working = of.room.working
	x.node.actor = x
	for _, s := range at {
		n.disconnect(of, s)
		n.connect(x.node, s)
	}
	n.run(100 * time.Millisecond)
	for _, s := range at {
		if !x.standsWith(s) {
			x.out.Channels = append(x.out.Channels, Channel{Peer: s.room.self, Working: s.room.workingID})
		}
	}
	n.drain(x.node)
	n.run(time.Second)
	for _, s := range at {
		if !x.standsWith(s) {
			n.t.Fatalf("%s has no channel with %s", x.node.name, s.name)
		}
	}
	return x
}

// open opens a stream in the channel with a node and sends frames on it.
func (x *insider) open(to *simNode, protocol string, frames ...[]byte) StreamID {
	id := x.next
	x.next += 2
	x.out.Open = append(x.out.Open, Open{Stream: id, Peer: to.actor.Self(), Protocol: protocol, Working: to.room.workingID})
	x.send(id, frames...)
	x.node.net.drain(x.node)
	return id
}

// helloTo is what a node would say to another in a channel.
func (s *simNode) helloTo(to *simNode) []byte {
	return s.room.hello(&exchange{peer: to.room.self, identity: to.room.identity, working: to.room.workingID})
}

// take gives a node frames as in the channel with its first neighbour.
func (s *simNode) take(frames ...[]byte) {
	_, from := s.net.byPeer(s, s.room.sortedNeighbours()[0])
	s.given(from, true, frames...)
}

// takeFrom takes a frame as in a channel with a peer that need not be connected
// any more.
func (s *simNode) takeFrom(frame []byte, from *simNode) {
	s.given(from, true, frame)
	s.net.drain(s)
}

// given gives a node frames as on one stream of another, in a channel or outside.
func (s *simNode) given(from *simNode, inside bool, frames ...[]byte) {
	id := s.next
	s.next += 2
	var working [32]byte
	if inside {
		working = from.room.workingID
	}
	streamOpened(s.room, s.clock(), id, from.actor.Self(), working, ProtocolSync)
	for _, f := range frames {
		s.room.StreamFrame(s.clock(), id, f)
	}
	s.room.StreamClosed(s.clock(), id)
	if inside && s.tunnels[from] == nil {
		s.room.ChannelClosed(s.clock(), from.actor.Self(), working)
	}
}

// streamOpened tells a room of a stream, and first of the channel that it is in, if any.
func streamOpened(r *Room, now time.Time, id StreamID, p peer.ID, working [32]byte, protocol string) {
	if working != ([32]byte{}) {
		r.ChannelOpened(now, p, working)
	}
	r.StreamOpened(now, id, p, working, protocol)
}

// handover is the frame that hands the secret of a commit over.
func handover(c *record.Commit, d ake.Secret) []byte {
	return (&record.Handover{D: d, Commit: c}).Encode()
}
