package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/room/record"
)

func (s *simNode) say(text string) {
	s.net.t.Helper()
	if err := s.room.Send(s.net.now, nil, record.KindText, text); err != nil {
		s.net.t.Fatal(err)
	}
	s.net.drain(s)
}

func (s *simNode) heard(text string) bool {
	for _, m := range s.messages {
		if m.Message.Text == text {
			return true
		}
	}
	return false
}

// TestTwoPeers: two peers who satisfy the policy come into one epoch, with the
// same session id, and messages typed before that arrive after it.
func TestTwoPeers(t *testing.T) {
	n := newNetwork(t, 1)
	a, b := n.add("ann", true), n.add("bob", true)
	a.say("anybody here?")
	n.connectAll()
	took := n.until(5*time.Second, "one epoch", func() bool { return together(a, b) })
	t.Logf("one epoch after %v", took)
	n.until(time.Second, "the held message arrives", func() bool { return b.heard("anybody here?") })
	b.say("yes")
	n.until(time.Second, "the answer arrives", func() bool { return a.heard("yes") })
	if a.epochs[len(a.epochs)-1].SID != b.epochs[len(b.epochs)-1].SID {
		t.Error("two session ids")
	}
	if n.opens != 2 || n.made != 2 {
		t.Errorf("%d openings and %d encapsulations, want 2 and 2", n.opens, n.made)
	}
}

func TestManyPeers(t *testing.T) {
	for _, size := range []int{3, 5, 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			n := newNetwork(t, uint64(size))
			var all []*simNode
			for i := range size {
				all = append(all, n.add(fmt.Sprint("p", i), true))
				if i > 0 {
					n.connect(all[0], all[i])
				}
				took := n.until(20*time.Second, fmt.Sprintf("%d in one epoch", i+1), func() bool { return i == 0 || together(all...) })
				t.Logf("%d: %v, %d openings", i+1, took, n.opens)
			}
			n.connectAll()
			for i, s := range all {
				s.say(fmt.Sprint("hello from ", i))
			}
			n.until(20*time.Second, "everybody hears everybody", func() bool {
				for _, s := range all {
					if len(s.messages) != size {
						return false
					}
				}
				return true
			})
			all[0].room.Leave(n.now)
			n.drain(all[0])
			took := n.until(20*time.Second, "an epoch without the leaver", func() bool { return together(all[1:]...) })
			t.Logf("left: %v", took)
		})
	}
}
