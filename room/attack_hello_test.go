package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// helloing makes strangers say hello to all there are, twenty times a second each, and
// publish what makes members ask back.
func (n *network) helloing(strangers []*stranger, stop *bool) {
	room := n.desc.ID()
	for i, x := range strangers {
		k := 0
		x.answer = func(id StreamID, data []byte) {
			if data[0] == record.FrameHello {
				h := &record.Hello{Room: room, Days: []record.HelloDay{{Period: x.contribution.Period, CID: x.contribution.ID(), Size: 3}}}
				x.send(id, h.Encode())
			}
		}
		var again func()
		again = func() {
			if *stop {
				return
			}
			for _, s := range n.nodes {
				if s.room == nil || x.node.links[s] == nil {
					continue
				}
				k++
				h := &record.Hello{Room: room, Days: []record.HelloDay{{Period: x.contribution.Period, CID: x.contribution.ID(), Size: 3}}}
				id := x.open(s, ProtocolSync, h.Encode())
				n.at(40*time.Millisecond, func() { x.hang(id) })
			}
			m := &record.Message{Epoch: ake.Sum("no epoch", []byte{byte(i), byte(k), byte(k >> 8), byte(k >> 16)}), Sealed: make([]byte, 256+16)}
			x.out.Publish = append(x.out.Publish, m.Append([]byte{record.TypeMessage}))
			n.drain(x.node)
			n.at(200*time.Millisecond, again)
		}
		n.at(time.Duration(n.rng.Int64N(int64(200*time.Millisecond))), again)
	}
}

// TestHellosDelayNobody: forty strangers say hello to everybody all the time, and have used
// up whatever strangers are given. A newcomer is in, and two rooms are one, as soon as
// without them.
func TestHellosDelayNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	for _, hostile := range []int{0, 40} {
		t.Run(fmt.Sprint(hostile), func(t *testing.T) {
			var join, merge time.Duration
			for seed := range uint64(1) {
				n := newNetwork(silentTB{t}, 530+seed)
				n.maxSteps = 1 << 40
				one := n.party("a0", "a1", "a2", "a3", "a4", "a5")
				var other []*simNode
				for i := range 6 {
					s := n.add(fmt.Sprint("b", i), true)
					for _, o := range other {
						n.connect(s, o)
					}
					other = append(other, s)
				}
				n.until(20*time.Second, "one epoch", func() bool { return together(other...) })
				strangers, stop := n.strangers(hostile), false
				for _, x := range strangers {
					for _, s := range n.nodes {
						if s.room != nil {
							n.connect(x.node, s)
						}
					}
				}
				n.helloing(strangers, &stop)
				n.run(time.Second)
				coming := n.add("new", true)
				n.run(500 * time.Millisecond)
				for _, x := range strangers {
					n.connect(x.node, coming)
				}
				n.run(100 * time.Millisecond)
				coming.room.AddFirstPeer(one[0].room.self)
				join = max(join, n.enters(3*time.Second, coming, one...))
				one = append(one, coming)
				n.connect(one[1], other[1])
				n.connect(one[2], other[4])
				both := append(one[:len(one):len(one)], other...)
				merge = max(merge, n.until(20*time.Second, "one room", func() bool { return together(both...) }))
				stop = true
			}
			t.Logf("a join takes %v at most, and to be one room %v", join, merge)
		})
	}
}
