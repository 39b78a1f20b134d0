package room

import (
	"testing"
	"time"

	"coterie/room/record"
)

// TestWitness: why a commit was not to be the head is looked at first, and does not
// outlive itself: neither one of those whom it leaves out, nor the last of them, nor
// whom our user cut and takes back.
func TestWitness(t *testing.T) {
	n := newNetwork(t, 512)
	all := n.party("ann", "bob", "cyn", "dan", "eve")
	ann, eve := all[0].room, all[4]
	n.pause(eve)
	f := &forgery{list: without(ann.head.list, all[2].own(), all[3].own()), after: ann.head, to: func(s *simNode) bool { return s == all[0] }}
	commit := f.publish(t, eve).ID()
	for _, s := range all[1:4] {
		n.pause(s)
	}
	n.run(time.Second)
	e := ann.commits[commit]
	if e == nil || e.keys == nil || ann.head == e {
		t.Fatal("it is the head, or cannot be read")
	}
	first := e.against.left
	if first == nil {
		t.Fatal("nobody is noted whom it leaves out")
	}
	leave := func(i int) {
		left := &record.Presence{Serial: 100, Left: true}
		left.Sign(n.desc.ID(), all[i].room.working)
		all[0].given(eve, true, record.EncodeRecords([]record.Record{left})...)
	}
	other := 2
	for i := 2; i <= 3; i++ {
		if all[i].room.identity == first.Identity {
			leave(i)
			other = 5 - i
		}
	}
	if ann.head == e || e.against.left == first {
		t.Error("it is the head though it leaves somebody else out")
	}
	leave(other)
	if ann.head != e {
		t.Error("it may not be the head, though all have left whom it leaves out")
	}
}
