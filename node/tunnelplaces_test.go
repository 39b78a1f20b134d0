package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// TestStrangersChannels: strangers that begin as many channels as are answered, and
// more, are in the way neither of a member's that is being made, nor of one that comes.
func TestStrangersChannels(t *testing.T) {
	virtual(t, func(s *sim) {
		ann := s.add()
		bob := s.add(ann)
		s.together(time.Now(), time.Minute)
		bob.do(func() {
			before := slices.Clone(bob.tunnels)
			cancelled := make(map[*tunnel]bool)
			began := func(p peer.ID) *tunnel {
				t := &tunnel{peer: p}
				t.cancel = func() { cancelled[t] = true }
				bob.tunnels = append(bob.tunnels, t)
				return t
			}
			bob.tunnels = nil
			own := began(ann.host.ID())
			for i := range maxChannels - 1 {
				began(peer.ID(fmt.Sprint("stranger ", i/maxPeerTunnel)))
			}
			for i := range 10 {
				p := peer.ID(fmt.Sprint("another ", i))
				if !bob.mayAnswer(p) {
					t.Error("no place for a stranger, where all others are strangers'")
				}
				began(p)
			}
			if cancelled[own] {
				t.Error("a stranger's took the place of a member's")
			}
			if !bob.mayAnswer(ann.host.ID()) || cancelled[own] || len(bob.tunnels) != maxChannels-1 {
				t.Error("no place for a member's")
			}
			bob.tunnels = nil
			for range maxPeerTunnel {
				began(ann.host.ID())
			}
			if bob.mayAnswer(ann.host.ID()) {
				t.Error("one peer has more than its share")
			}
			bob.tunnels = before
		})
	})
}
