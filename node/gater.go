package node

import (
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// notSelf refuses connections whose other end has our own peer id: whoever copied
// the identity key could otherwise have us answer to our own name. (Two processes
// with one key are told of each other by third peers: PROTOCOL.md §5.)
type notSelf peer.ID

func (s notSelf) InterceptPeerDial(p peer.ID) bool                 { return p != peer.ID(s) }
func (s notSelf) InterceptAddrDial(p peer.ID, _ ma.Multiaddr) bool { return p != peer.ID(s) }
func (notSelf) InterceptAccept(network.ConnMultiaddrs) bool        { return true }

func (s notSelf) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return p != peer.ID(s)
}

func (s notSelf) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return c.RemotePeer() != peer.ID(s), 0
}
