package node

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/room"
)

// taken gives a node a stream that a peer has opened.
func (m *simMember) taken(id room.StreamID, p peer.ID) *stream {
	s := m.newStream(id, p)
	s.inbound = true
	m.streams[id] = s
	return s
}

// TestSilentStreams: peers that hold as many streams as are taken, and say
// nothing on them, keep nobody else from opening one.
func TestSilentStreams(t *testing.T) {
	virtual(t, func(s *sim) {
		m := s.add()
		m.do(func() {
			first := m.taken(2, "eve0")
			for i := 1; i < maxFromAll; i++ {
				m.taken(room.StreamID(2*i+2), peer.ID(fmt.Sprint("eve", i/maxFromPeer)))
			}
			again := m.newStream(0, "eve0")
			if m.admit(again) {
				t.Error("one peer has more streams than its share")
			}
			if !m.admit(m.newStream(0, "ann")) {
				t.Fatal("ann is kept out")
			}
			if !first.dead || m.streams[2] != nil || len(m.streams) != maxFromAll-1 {
				t.Error("it was not the oldest stream of those who have most that gave way")
			}
			// Where everybody has as much as the newcomer would, the newcomer waits.
			clear(m.streams)
			for i := range maxFromAll {
				m.taken(room.StreamID(2*i+2), peer.ID(fmt.Sprint("peer", i)))
			}
			if m.admit(m.newStream(0, "peer3")) {
				t.Error("a second stream for one, where all others have one")
			}
			if !m.admit(m.newStream(0, "bob")) {
				t.Error("no first stream for bob, where all others have one")
			}
			clear(m.streams)
		})
	})
}

// TestSlowReadersGiveWay: peers that ask for much and read nothing lose their own
// streams, and others are still told what they ask for.
func TestSlowReadersGiveWay(t *testing.T) {
	virtual(t, func(s *sim) {
		m := s.add()
		m.do(func() {
			frame := make([]byte, 1<<20)
			var slow []*stream
			for i := range maxQueues / maxQueue {
				e := m.taken(room.StreamID(2*i+2), peer.ID(fmt.Sprint("eve", i)))
				for range maxQueue / len(frame) {
					m.write(e, frame)
				}
				slow = append(slow, e)
			}
			ann := m.taken(1000, "ann")
			for range 3 {
				m.write(ann, frame)
			}
			if ann.finishing || ann.dead || ann.size != 3*len(frame) {
				t.Errorf("ann is told %d bytes", ann.size)
			}
			dead := 0
			for _, e := range slow {
				if e.dead {
					dead++
				}
			}
			if dead != 1 {
				t.Errorf("%d of %d slow streams gave way", dead, len(slow))
			}
			sum := int64(0)
			for _, s := range m.streams {
				sum += int64(s.size)
			}
			if q := m.queued.Load(); q != sum || q > maxQueues {
				t.Errorf("%d bytes are counted, %d are queued", q, sum)
			}
			for _, s := range m.streams {
				s.drop()
			}
			clear(m.streams)
			if q := m.queued.Load(); q != 0 {
				t.Errorf("%d bytes are still counted", q)
			}
		})
	})
}
