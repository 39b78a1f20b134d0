package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/room/record"
)

// A trickler gives one piece on each stream on which it is asked, and keeps the stream.
type trickler struct {
	*Room
	given map[StreamID]bool
}

func (t *trickler) Ready() Ready {
	out := t.Room.Ready()
	send, hang := out.Send[:0], out.Hang[:0]
	for _, f := range out.Send {
		if f.Data[0] == record.FramePiece {
			if t.given[f.Stream] {
				continue
			}
			t.given[f.Stream] = true
		}
		send = append(send, f)
	}
	for _, h := range out.Hang {
		if !t.given[h.Stream] {
			hang = append(hang, h)
		}
	}
	out.Send, out.Hang = send, hang
	return out
}

// TestFileSlots: members of two branches, or of one, who give a piece and then hold the stream keep nobody
// from the file that somebody else of another branch has, or of theirs.
func TestFileSlots(t *testing.T) {
	for _, c := range []struct {
		name     string
		branches int
		madeUp   int // of each
		most     time.Duration
	}{
		{"two branches", 2, 1, 15 * time.Second}, {"four branches", 4, 0, 15 * time.Second},
		{"one key that makes many", 1, 4, 25 * time.Second}, {"eight branches", 8, 0, time.Minute},
		{"two keys that make many", 2, 7, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, _ := fileNetwork(t, 1<<30)
			all := n.party("ann", "bob", "cyn")
			ann, bob, cyn := all[0], all[1], all[2]
			var slow []*simNode
			for b := range c.branches {
				m := n.add(fmt.Sprint("mallory ", b), true)
				n.connect(m, cyn) // who lets each of them in: a branch of its own
				n.run(5 * time.Second)
				slow = append(slow, m)
				for i := range c.madeUp {
					s := n.add(fmt.Sprint("made up ", b, i), true)
					n.connect(s, m)
					n.run(5 * time.Second)
					slow = append(slow, s)
				}
			}
			n.connectAll()
			n.run(20 * time.Second)
			data := someFile(14 << 20)
			id := n.sendFile(t, ann, "talk.mp4", data)
			for _, s := range append(slow, bob) {
				n.fetchFile(t, s, id)
			}
			n.run(3 * time.Minute)
			for _, s := range append(slow, bob) {
				if !n.has(t, s, id, data) {
					t.Fatalf("%s does not have it", s.name)
				}
			}
			n.stop(ann)
			n.run(time.Minute)
			for _, s := range slow {
				s.actor = &trickler{s.room, make(map[StreamID]bool)}
			}
			n.fetchFile(t, cyn, id)
			for took := time.Second; ; took += time.Second {
				n.run(time.Second)
				if n.has(t, cyn, id, data) {
					t.Logf("after %v", took)
					if took > c.most {
						t.Errorf("cyn has it after %v, the limit is %v", took, c.most)
					}
					break
				}
				if took > 10*time.Minute {
					t.Fatal("cyn does not have it")
				}
			}
		})
	}
}
