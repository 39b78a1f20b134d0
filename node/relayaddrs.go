package node

import (
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Addresses are where the relay can be reached, with its peer id.
func (r *Relay) Addresses() []ma.Multiaddr {
	out, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: r.host.ID(), Addrs: farFirst(r.host.Addrs())})
	if err != nil {
		return nil
	}
	return out
}

// RelayAddresses are those that a relay would have, which does not run here: those
// that are announced, and those of this computer where it is to listen. Addresses
// of any free port are left out.
func RelayAddresses(cfg RelayConfig) ([]ma.Multiaddr, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(cfg.Identity)
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("reading the identity: %w", err)
	}
	own, err := manet.InterfaceMultiaddrs()
	if err != nil {
		return nil, fmt.Errorf("reading this computer's addresses: %w", err)
	}
	addrs := slices.Clone(cfg.Announce)
	for _, l := range cfg.Listen {
		if port, err := l.ValueForProtocol(ma.P_TCP); err == nil && port == "0" {
			continue
		}
		if port, err := l.ValueForProtocol(ma.P_UDP); err == nil && port == "0" {
			continue
		}
		resolved, err := manet.ResolveUnspecifiedAddress(l, own)
		if err != nil {
			continue // one of IPv6, where there is none
		}
		addrs = append(addrs, resolved...)
	}
	return peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: self, Addrs: farFirst(unique(addrs))})
}

// farFirst sorts addresses: names, those of the internet, of local networks, of
// this computer. Those of one link alone are left out.
func farFirst(addrs []ma.Multiaddr) []ma.Multiaddr {
	near := func(a ma.Multiaddr) int {
		switch {
		case IsName(a):
			return 0
		case manet.IsIPLoopback(a):
			return 3
		case manet.IsPrivateAddr(a):
			return 2
		}
		return 1
	}
	out := slices.DeleteFunc(slices.Clone(addrs), manet.IsIP6LinkLocal)
	slices.SortStableFunc(out, func(a, b ma.Multiaddr) int { return near(a) - near(b) })
	return out
}

// IsName reports whether an address is one of a name, which has to be looked up.
func IsName(a ma.Multiaddr) bool {
	if len(a) == 0 {
		return false
	}
	switch a[0].Protocol().Code {
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
		return true
	}
	return false
}
