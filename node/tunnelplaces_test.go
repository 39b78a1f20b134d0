package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/node/channel"
	"coterie/room"
	"coterie/room/record"
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
	if !admits(nil, working) || !admits(one(true), working) || admits(one(false), working) ||
		admits(nil, drawIdentity(t)) {
		t.Error("other processes are admitted than should be")
	}
}

// TestChannelsEnd: a channel that the room wants no more ends at once, at both ends.
func TestChannelsEnd(t *testing.T) {
	virtual(t, func(s *sim) {
		ann := s.add()
		bob := s.add(ann)
		s.together(time.Now(), time.Minute)
		var sessions []*channel.Session
		ann.do(func() {
			for _, c := range slices.Clone(ann.tunnels) {
				if c.session != nil && c.peer == bob.host.ID() {
					sessions = append(sessions, c.session)
					ann.wantTunnel(room.Channel{Peer: c.peer, Working: c.working, End: true})
				}
			}
			if slices.ContainsFunc(ann.tunnels, func(c *tunnel) bool { return slices.Contains(sessions, c.session) }) {
				t.Error("it is there still")
			}
		})
		if len(sessions) == 0 {
			t.Fatal("there was no channel: the test shows nothing")
		}
		for _, c := range sessions {
			<-c.Done()
		}
	})
}

// TestStreamsOfOnePeer: one peer has sixteen streams, whatever places there are.
func TestStreamsOfOnePeer(t *testing.T) {
	n := &Node{streams: make(map[room.StreamID]*stream)}
	for i := range maxFromPeer + 1 {
		s := n.newStream(room.StreamID(2*i), "peer")
		s.inbound = true
		if taken := n.admit(s); taken != (i < maxFromPeer) {
			t.Errorf("stream %d: %v", i+1, taken)
		}
		n.streams[s.id] = s
	}
	if !n.admit(n.newStream(1000, "another")) {
		t.Error("another peer's is refused")
	}
}

// TestFrameLength: a frame of a length that none has ends the stream before it is read.
func TestFrameLength(t *testing.T) {
	for _, c := range []struct {
		length uint32
		taken  bool
	}{{0, false}, {1, true}, {record.MaxFrame, true}, {record.MaxFrame + 1, false}, {1 << 31, false}} {
		b := binary.BigEndian.AppendUint32(nil, c.length)
		taken := 0
		in := io.MultiReader(bytes.NewReader(b), io.LimitReader(zeros{}, int64(min(c.length, record.MaxFrame+1))))
		receive(in, each(func(frame []byte) bool { taken = len(frame); return false }))
		if got := taken == int(c.length) && taken > 0; got != c.taken {
			t.Errorf("a frame of %d bytes: %v, %d bytes", c.length, got, taken)
		}
	}
}

// zeros are bytes without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
