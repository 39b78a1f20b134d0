package node

import (
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	// Version is that of the protocol spoken here.
	Version = 2
	// maxVersion bounds what is believed of a later one.
	maxVersion = 999
)

// versionOf is the version of the protocol that a peer speaks: ours if it speaks
// that, else the least; 0 for none. It is what the peer says of itself.
func (n *Node) versionOf(p peer.ID) int {
	known, err := n.host.Peerstore().GetProtocols(p)
	if err != nil {
		return 0
	}
	return versionIn(known)
}

// versionIn is the version in names such as /coterie/2/prove.
func versionIn(known []protocol.ID) int {
	least := 0
	for _, id := range known {
		rest, ok := strings.CutPrefix(string(id), "/coterie/")
		number, _, ok2 := strings.Cut(rest, "/")
		v, err := strconv.Atoi(number)
		if !ok || !ok2 || err != nil || v < Version || v > maxVersion || strconv.Itoa(v) != number {
			continue
		}
		if least == 0 || v < least {
			least = v
		}
	}
	return least
}

// countVersion counts a peer by its version.
func (s *Status) countVersion(v int) {
	if v == 0 {
		return
	}
	s.Speaking++
	if v > Version {
		s.Newer++
		if s.Version == 0 || v < s.Version {
			s.Version = v
		}
	}
}
