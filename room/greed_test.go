package room

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestGreedyForRecords: a member who asks for commits and records again and again is
// sent a bounded amount of them, and more as time passes.
func TestGreedyForRecords(t *testing.T) {
	n := newNetwork(t, 511)
	all := n.party("ann", "bob", "eve")
	k := &crowd{n: n, eve: all[2], honest: slices.Clone(all[:2])}
	n.pause(k.eve)
	k.add(200, 255)
	k.beat(0)
	n.until(time.Minute, "they are listed", func() bool { return len(all[0].room.head.list) == 203 })
	ann, h := all[0], all[0].room.head
	var wanted []ake.Hash
	for i := range 16 {
		f := &forgery{list: h.list, after: h, header: func(c *record.Header) { c.Height += uint64(i) }}
		wanted = append(wanted, f.publish(t, k.eve).ID())
	}
	slices.SortFunc(wanted, compareHashes)
	const most = 2 * allowanceBytes
	ask := func(by peer.ID, times int, frames ...[]byte) (sent int) {
		for range times {
			id := ann.next
			ann.next += 2
			ann.room.StreamOpened(ann.clock(), id, by, [32]byte{}, ProtocolSync)
			for _, f := range frames {
				ann.room.StreamFrame(ann.clock(), id, f)
			}
			for _, f := range ann.room.Ready().Send {
				sent += len(f.Data)
			}
			ann.room.StreamClosed(ann.clock(), id)
		}
		return sent
	}
	hello := (&record.Hello{Room: ann.room.id}).Encode()
	asked := map[string][][]byte{
		"commits": {record.EncodeWant(wanted)},
		"records": {hello, new(record.Ask).Encode()},
		"hellos":  {hello},
	}
	eve := k.eve.actor.Self()
	for what, frames := range asked {
		delete(ann.room.logs.allowances, k.eve.room.identity)
		once := ask(eve, 1, frames...)
		if sent := ask(eve, most/once+100, frames...) + once; sent < most || sent > most+4<<20 {
			t.Errorf("%s: eve is sent %d bytes, and %d at once", what, sent, once)
		}
		n.run(10 * time.Second)
		if sent := ask(eve, 20<<20/once, frames...); sent < 9<<20 || sent > 14<<20 {
			t.Errorf("%s: 10 s later eve is sent %d bytes", what, sent)
		}
	}
	// Strangers are told nothing of what ann holds.
	sent, hellos := 0, 0
	for _, x := range n.strangers(40) {
		sent, hellos = sent+ask(x.node.actor.Self(), 10, hello), hellos+10
	}
	if sent == 0 || sent > 240*hellos {
		t.Errorf("forty strangers are sent %d bytes for %d hellos", sent, hellos)
	}
	// Nor if it is ann who says hello.
	id := ann.room.openStream(n.strangers(1)[0].self, ProtocolSync)
	ann.room.tellBeats(id, nil)
	if id.theirHello = new(record.Hello); len(ann.room.Ready().Send) > 0 || len(ann.room.ask(id).Have) > 0 {
		t.Error("a stranger that ann asks is told what she holds")
	}
}
