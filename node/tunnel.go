package node

import (
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"coterie/node/channel"
	"coterie/room"
)

// Channels between processes: PROTOCOL.md §11.2. The room says with whom; each is
// TLS inside one long-lived stream, and the streams of that pair run inside it.

// ProtocolChannel is the protocol of the streams that carry channels.
const ProtocolChannel = "/coterie/2/channel"

const (
	channelAge    = time.Hour // after which a channel is made anew
	channelRest   = streamTime + 5*time.Second
	maxChannels   = 128 // that others have opened, or are opening
	maxPeerTunnel = 4   // .. of one peer
)

// A tunnel is a channel, from its handshake on.
type tunnel struct {
	peer    peer.ID
	working [32]byte // of the other end; zeros until it stands, if that dialled
	dialled bool
	session *channel.Session // nil during the handshake
	old     bool             // another has taken its place
	relayed bool             // it goes through a relay
	cancel  context.CancelFunc
}

// tunnels does what the room wants done with channels. The loop runs it.
func (n *Node) wantTunnel(c room.Channel) {
	if c.End {
		for _, t := range slices.Clone(n.tunnels) {
			if t.peer == c.Peer && t.working == c.Working {
				n.endTunnel(t)
			}
		}
		return
	}
	n.dialTunnel(c.Peer, c.Working)
}

// dialTunnel makes a channel to a process. The loop runs it.
func (n *Node) dialTunnel(p peer.ID, working [32]byte) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tunnel{peer: p, working: working, dialled: true, cancel: cancel}
	n.tunnels = append(n.tunnels, t)
	n.spawn(func() {
		defer cancel()
		defer context.AfterFunc(n.runCtx, cancel)()
		open, done := context.WithTimeout(ctx, openTime)
		conn, err := n.host.NewStream(network.WithNoDial(open, "room"), p, protocol.ID(ProtocolChannel))
		done()
		if err == nil {
			n.do(func() { t.relayed = isRelayed(conn.Conn()) })
			var s *channel.Session
			if s, err = channel.Dial(ctx, conn, n.channelConfig(p, func(w [32]byte) bool { return w == working })); err == nil {
				n.tunnelStands(t, s)
				return
			}
		}
		n.do(func() { n.tunnelOver(t) })
	})
}

// answerTunnel takes a channel that another dials.
func (n *Node) answerTunnel(conn network.Stream) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tunnel{peer: conn.Conn().RemotePeer(), relayed: isRelayed(conn.Conn()), cancel: cancel}
	taken := false
	n.do(func() {
		if taken = n.mayAnswer(t.peer); taken {
			n.tunnels = append(n.tunnels, t)
		}
	})
	if !taken {
		cancel()
		conn.Reset()
		return
	}
	defer cancel()
	defer context.AfterFunc(n.runCtx, cancel)()
	s, err := channel.Answer(ctx, conn, n.channelConfig(t.peer, nil))
	if err != nil {
		n.do(func() { n.tunnelOver(t) })
		return
	}
	n.tunnelStands(t, s)
}

// mayAnswer finds a place for one more channel that a peer dials, if need be that of
// whoever the room says gives way: the oldest of who is no member, or of those that one
// member made up.
func (n *Node) mayAnswer(p peer.ID) bool {
	own := 0
	var answered []*tunnel
	var peers []peer.ID
	for _, t := range n.tunnels {
		if t.dialled {
			continue
		}
		answered, peers = append(answered, t), append(peers, t.peer)
		if t.peer == p {
			own++
		}
	}
	switch {
	case p == n.host.ID(), own >= maxPeerTunnel:
		return false
	case len(answered) < maxChannels:
		return true
	}
	i := n.room.GivesWay(append(peers, p))
	if i == len(answered) || answered[i].peer == p {
		return false
	}
	t := answered[i]
	n.endTunnel(t)
	if t.working != ([32]byte{}) && n.tunnelTo(t.peer, t.working) == nil {
		n.room.ChannelClosed(n.now(), t.peer, t.working)
	}
	return true
}

// channelConfig is one end of a channel with a peer. wants is a condition on the
// other end's working key besides what the room says; nil: none.
func (n *Node) channelConfig(p peer.ID, wants func([32]byte) bool) channel.Config {
	return channel.Config{
		Room: n.room.ID(), Working: n.room.WorkingKey(),
		Self: [32]byte(n.cfg.Identity.Public().(ed25519.PublicKey)), Remote: room.Identity(p),
		Admits: func(w [32]byte) bool {
			admits := false
			n.do(func() { admits = (wants == nil || wants(w)) && n.room.Admits(p, w) })
			return admits
		},
	}
}

// tunnelStands runs a channel until it is over.
func (n *Node) tunnelStands(t *tunnel, s *channel.Session) {
	stands := n.do(func() {
		t.session, t.working = s, s.Remote()
		if !slices.Contains(n.tunnels, t) {
			t.old = true // the room does not want it any more
			return
		}
		n.room.ChannelOpened(n.now(), t.peer, t.working)
	})
	if !stands || t.old {
		s.Abort()
		return
	}
	if t.dialled {
		renew := time.AfterFunc(channelAge, func() { n.do(func() { n.renewTunnel(t) }) })
		defer renew.Stop()
	}
	defer context.AfterFunc(n.runCtx, s.Abort)()
	for {
		st, err := s.Accept()
		if err != nil {
			break
		}
		n.spawn(func() { n.serveInside(t, st) })
	}
	s.Abort()
	n.do(func() { n.tunnelOver(t) })
}

// renewTunnel makes another channel to the same process; this one ends when what
// is on its streams has had its time.
func (n *Node) renewTunnel(t *tunnel) {
	if t.old || t.session == nil {
		return
	}
	t.old = true
	n.dialTunnel(t.peer, t.working)
	time.AfterFunc(channelRest, t.session.Abort)
}

// tunnelOver forgets a channel; the room is told when it has no other to that
// process. The loop runs it.
func (n *Node) tunnelOver(t *tunnel) {
	had := slices.Contains(n.tunnels, t)
	n.tunnels = slices.DeleteFunc(n.tunnels, func(o *tunnel) bool { return o == t })
	if had && t.working != ([32]byte{}) && n.tunnelTo(t.peer, t.working) == nil {
		n.room.ChannelClosed(n.now(), t.peer, t.working)
	}
}

// endTunnel ends a channel at once. The loop runs it.
func (n *Node) endTunnel(t *tunnel) {
	n.tunnels = slices.DeleteFunc(n.tunnels, func(o *tunnel) bool { return o == t })
	t.cancel()
	if s := t.session; s != nil {
		n.spawn(func() { s.Close() })
	}
}

// tunnelTo is a channel to a process that stands, the newest first.
func (n *Node) tunnelTo(p peer.ID, working [32]byte) (found *tunnel) {
	for _, t := range n.tunnels {
		if t.peer == p && t.working == working && t.session != nil && (found == nil || !t.old) {
			found = t
		}
	}
	return found
}

// serveInside serves a stream that the other end of a channel has opened.
func (n *Node) serveInside(t *tunnel, st *channel.Stream) {
	st.SetDeadline(time.Now().Add(openTime))
	name, err := st.Name()
	if err != nil || !slices.Contains(inside, name) {
		st.Reset()
		return
	}
	n.acceptStream(st, t.peer, t.working, name)
}
