package node

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Bootstrapped: a bootstrap address answered.
type Bootstrapped struct {
	Address ma.Multiaddr
	Peer    peer.ID
	Took    time.Duration
}

// BootstrapFailed: none of the bootstrap addresses answered. They are tried
// again as long as nobody is connected.
type BootstrapFailed struct {
	Addresses []ma.Multiaddr
	Errors    []error
}

// Connected: a peer of the room's topic is directly connected, or is no more.
type Connected struct {
	Peer peer.ID
	Gone bool
}
