package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// A Probed address is one that answered.
type Probed struct {
	Peer    peer.ID
	Took    time.Duration // to connect, with the handshake
	Coterie bool          // it speaks this protocol
	Relay   bool
}

// Probe dials an address as a fresh peer, sees who answers, and hangs up.
func Probe(ctx context.Context, a ma.Multiaddr) (Probed, error) {
	var p Probed
	if err := CheckBootstrap(a); err != nil {
		return p, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return p, fmt.Errorf("drawing an identity: %w", err)
	}
	h, err := newHost(key, []ma.Multiaddr{})
	if err != nil {
		return p, err
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	n := &Node{host: h}
	began := time.Now()
	if p.Peer, err = n.dial(ctx, a); err != nil {
		return p, err
	}
	p.Took = time.Since(began)
	known, err := h.Peerstore().GetProtocols(p.Peer)
	if err != nil {
		return p, err
	}
	for _, id := range known {
		p.Relay = p.Relay || id == ProtocolPeers
		for _, ours := range protocols {
			p.Coterie = p.Coterie || string(id) == ours
		}
	}
	p.Coterie = p.Coterie || p.Relay
	return p, nil
}
