package room

import (
	"slices"
	"testing"
	"time"

	"coterie/room/record"
)

// TestFullRoomNewcomer: one insider fills a room, and then leaves a newcomer out. That is
// not defended, but the newcomer is told. In a full room only the first 768 of order()
// count, and a newcomer is none of them: so it is a head, and the others are not told.
// Whoever let them in lists them at once the first time only; after that it is the turn of
// a thousand, of whom nine commit.
func TestFullRoomNewcomer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds, and the race detector minutes")
	}
	n := newNetwork(t, 303)
	n.maxSteps = 1 << 40
	all := n.party("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "eve")
	k := &crowd{n: n, eve: all[9], honest: slices.Clone(all[:9])}
	n.pause(k.eve)
	k.add(1030, 64)
	k.beat(0)
	n.run(20 * time.Second)
	n.until(20*time.Second, "the room is full", func() bool { return len(k.highest().list) == record.MaxMembers })
	k.beat(0)
	coming := n.add("new", true)
	n.run(500 * time.Millisecond)
	n.connect(coming, k.honest[0])
	n.connect(coming, k.honest[5])
	lists := func(h *epoch) bool { return h.lists(coming.room.identity, coming.own()) }
	n.until(20*time.Second, "the newcomer is listed", func() bool { return coming.room.head != nil && lists(k.highest()) })
	n.run(5 * time.Second)
	tries, in, of := 0, 0, 0
	for i := range 300 {
		if i%100 == 0 {
			k.beat(0)
		}
		if h := k.highest(); lists(h) {
			list := without(h.list, coming.own())
			for _, p := range k.puppets {
				if list.Index(p.c.ID()) < 0 && len(list) < record.MaxMembers {
					list = append(list, record.Entry{Identity: p.c.Identity, CID: p.c.ID(), Presence: p.records[3].ID()})
				}
			}
			tries++
			k.commit(t, list, func(s *simNode) bool { return s != coming })
		}
		n.run(100 * time.Millisecond)
		for _, s := range k.honest {
			if of++; lists(s.room.head) {
				in++
			}
		}
	}
	told := 0
	for _, s := range k.honest {
		told += len(events[LeftOut](s))
	}
	own := len(events[LeftOut](coming))
	t.Logf("the newcomer is listed %d of %d times; the insider tried %d times, of which the others are told %d, and the newcomer %d",
		in, of, tries, told, own)
	if own == 0 {
		t.Error("the newcomer is left out in silence")
	}
}
