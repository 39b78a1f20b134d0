package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// TestLostAreDialled: who was connected and is not any more is dialled again, however many
// others are, ever more rarely, and two at a time; others only while there are few.
func TestLostAreDialled(t *testing.T) {
	at := ma.StringCast("/ip4/192.0.2.1/udp/4001/quic-v1")
	var members []peer.AddrInfo
	for i := range 40 {
		members = append(members, peer.AddrInfo{ID: peer.ID(fmt.Sprintf("m%02d", i)), Addrs: []ma.Multiaddr{at}})
	}
	all, start := make(absentees), time.Unix(1_000_000, 0)
	there := func(from, to int) func(peer.ID) bool {
		return func(p peer.ID) bool { return p >= members[from].ID && p < members[to].ID }
	}
	const self = peer.ID("a") // the lowest: it dials
	if dial, enough := all.due(start, self, members, there(0, 30)); len(dial) > 0 || !enough {
		t.Fatal("enough are connected, and dialled are", dial)
	}
	// Half of those are gone. The last ten were never connected.
	dialled := make(map[peer.ID]int)
	minutes := 0
	for now := start.Add(time.Second); now.Before(start.Add(time.Hour)); now = now.Add(time.Second) {
		dial, enough := all.due(now, self, members, there(0, 15))
		if len(dial) > lostAtOnce {
			t.Fatal("at once are dialled", dial)
		}
		for _, m := range dial {
			dialled[m.ID]++
			all[m.ID].dialled(now)
		}
		if minutes = int(now.Sub(start) / time.Minute); minutes == 0 && enough {
			t.Fatal("it is not looked again soon", now.Sub(start))
		}
	}
	for i, m := range members {
		k := dialled[m.ID]
		if lost := i >= 15 && i < 30; lost && (k < 15 || k > 60) || !lost && k > 0 {
			t.Errorf("%s was dialled %d times in an hour", m.ID, k)
		}
	}
	// A moment after a cut the next trial is never far away.
	a := &absentee{since: start, lost: true}
	if a.dialled(start.Add(time.Minute)); a.next.Sub(start) > time.Minute+10*time.Second {
		t.Error("after a minute it is dialled again after", a.next.Sub(start)-time.Minute)
	}
	// Of few all are dialled.
	if dial, enough := make(absentees).due(start, self, members, there(0, 2)); len(dial) != dialsAtOnce || enough {
		t.Error("of two connected, are dialled", dial)
	}
}
