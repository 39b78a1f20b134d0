package node

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/node/channel"
	"coterie/room"
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

// TestChannelsAreAdmitted: a channel stands with the process that proved itself alone: neither a
// stranger's, nor that of who has a member's identity key. A member's own process does not go on
// with either, when that answers in the member's place.
func TestChannelsAreAdmitted(t *testing.T) {
	key, d, identity := issue(t, "ONE"), descriptor(t, "ONE"), drawIdentity(t)
	ann := join(t, d, "ann", key)
	bob := start(t, "bob", Config{Room: d, Key: key, Identity: identity, Bootstrap: ann.Addresses()[:1]})
	bob.until(t, "two members", func(st Status) bool { return len(st.Room.Members) == 2 })
	ann.until(t, "two members", func(st Status) bool { return len(st.Room.Members) == 2 })
	var working ed25519.PrivateKey
	bob.do(func() { working = bob.room.WorkingKey() })
	stands := func(h host.Host, working ed25519.PrivateKey) bool {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Connect(ctx, peer.AddrInfo{ID: ann.Self(), Addrs: ann.host.Addrs()}); err != nil {
			t.Fatal(err)
		}
		conn, err := h.NewStream(ctx, ann.Self(), ProtocolChannel)
		if err != nil {
			t.Fatal(err)
		}
		s, err := channel.Dial(ctx, conn, channel.Config{
			Room: d.ID(), Working: working, Self: room.Identity(h.ID()), Remote: room.Identity(ann.Self()),
			Admits: func([32]byte) bool { return true },
		})
		if err != nil {
			return false
		}
		s.Abort()
		return true
	}
	thief, err := newHost(identity, loopback())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { thief.Close() })
	if !stands(thief, working) {
		t.Error("bob's own process is refused: the test shows nothing")
	}
	if stands(thief, drawIdentity(t)) {
		t.Error("who has bob's identity key has a channel")
	}
	if stands(bare(t), drawIdentity(t)) || stands(bare(t), working) {
		t.Error("a stranger has a channel")
	}
	admits := func(own func([32]byte) bool, w ed25519.PrivateKey) bool {
		return ann.channelConfig(bob.Self(), own).Admits([32]byte(w.Public().(ed25519.PublicKey)))
	}
	one := func(yes bool) func([32]byte) bool { return func([32]byte) bool { return yes } }
	if !admits(nil, working) || !admits(one(true), working) || admits(one(false), working) || admits(nil, drawIdentity(t)) {
		t.Error("other processes are admitted than should be")
	}
}
