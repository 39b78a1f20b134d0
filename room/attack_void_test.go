package room

import (
	"testing"
	"time"

	"coterie/room/record"
)

// TestVoidPrev: a group cannot check another's commits. If it rests on one that
// the other group refused, since it gave them no secret, the groups still find
// together.
func TestVoidPrev(t *testing.T) {
	for seed := range uint64(6) {
		n := newNetwork(t, 100+seed)
		all := n.party("ann", "bob", "cyn", "dan", "eve", "fay")
		left, right := all[:3], all[3:]
		for _, a := range left {
			for _, b := range right {
				n.disconnect(a, b)
			}
		}
		n.until(5*time.Minute, "two rooms", func() bool { return together(left...) && together(right...) })
		n.run(10 * time.Second)
		eve, head := right[1], right[1].room.head
		bad := &forgery{list: head.list, prevs: []*epoch{head}, wraps: func(w []byte) { w[0] ^= 1; w[32] ^= 1 }}
		c := bad.publish(t, eve)
		n.run(300 * time.Millisecond)
		for _, s := range right {
			if e := s.room.commits[c.ID()]; e != nil && e.status == accepted {
				t.Fatalf("%s took it", s.name)
			}
		}
		n.run(time.Minute) // the right group has forgotten it
		for _, a := range left {
			for _, b := range right {
				n.connect(a, b)
			}
		}
		n.until(5*time.Second, "the left group hears of the right", func() bool {
			for _, s := range left {
				if s.room.commits[head.commit.ID()] != nil {
					s.take(record.EncodeRecords([]record.Record{head.commit.Whole(head.list), c.Whole(head.list)})...)
					n.drain(s)
					return true
				}
			}
			return false
		})
		n.until(20*time.Second, "one room", func() bool { return together(all...) })
		n.run(10 * time.Second)
		if !together(all...) {
			t.Errorf("not for long:\n%s", n.describe())
		}
	}
}
