package room

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/room/record"
)

// TestBeatsComeOnce: where all have the same records, each peer is sent the beats that it
// lacks and hardly any that it has, and all have fresh ones.
func TestBeatsComeOnce(t *testing.T) {
	n := newNetwork(t, 431)
	all := n.crowd(12)
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(30 * time.Second)
	sent := 0
	n.rewrite = func(_ *simNode, data []byte) []byte {
		if data[0] == record.FrameBeats {
			fields, err := record.ParseFields(data[1:])
			if err != nil {
				t.Fatal(err)
			}
			sent += len(fields)
		}
		return data
	}
	const d = 5 * time.Minute
	n.run(d)
	need := len(all) * (len(all) - 1) * int(d/beatPeriod(len(all)))
	t.Logf("%d beats were sent; everybody was to learn of %d", sent, need)
	if sent > need*3/2 {
		t.Errorf("%d beats were sent, and %d are needed", sent, need)
	}
	for _, s := range all {
		for _, o := range all {
			if p := s.room.processes[o.room.workingID]; n.now.Sub(p.heardAt) > unheardTime(len(all)) {
				t.Errorf("%s heard of %s %v ago", s.name, o.name, n.now.Sub(p.heardAt))
			}
		}
	}
}

// TestBeatsByPlace: what an ask says of beats counts for those who have the same records
// alone. Who names places of another set, or too many, is told all.
func TestBeatsByPlace(t *testing.T) {
	n := newNetwork(t, 432)
	all := n.party("ann", "bob", "cyn")
	n.run(time.Minute)
	ann := all[0].room
	told := func(digest bool, named ...uint32) (of int) {
		t.Helper()
		x := ann.openStream(all[1].actor.Self(), ProtocolSync)
		if digest {
			x.digest = ann.offer(false).digest
		}
		ann.tellBeats(x, named)
		for _, f := range ann.Ready().Send {
			fields, err := record.ParseFields(f.Data[1:])
			if f.Data[0] != record.FrameBeats || err != nil {
				t.Fatal(f.Data[0], err)
			}
			of += len(fields)
		}
		return of
	}
	newest := ann.beats(ann.offer(false))
	if slices.Contains(newest, 0) || len(newest) != 3 {
		t.Fatal("ann lacks a beat:", newest)
	}
	older := slices.Clone(newest)
	older[1]--
	for _, c := range []struct {
		what   string
		digest bool
		named  []uint32
		want   int
	}{
		{"all that ann has", true, newest, 0},
		{"one older", true, older, 1},
		{"none", true, nil, 3},
		{"none of three", true, make([]uint32, 3), 3},
		{"too few", true, newest[:2], 3},
		{"too many", true, append(slices.Clone(newest), newest...), 3},
		{"places of other records", false, newest, 3},
	} {
		if got := told(c.digest, c.named...); got != c.want {
			t.Errorf("who names %s is told %d, want %d", c.what, got, c.want)
		}
	}
}

// TestTurnsOfComparisons: all have their turn, though a member comes anew each time.
func TestTurnsOfComparisons(t *testing.T) {
	n := newNetwork(t, 433)
	all := n.party("ann", "bob", "cyn", "dan", "eve")
	slices.SortFunc(all, func(a, b *simNode) int { return cmp.Compare(b.actor.Self(), a.actor.Self()) })
	n.run(time.Minute)
	// Of a lower id, eve is to say hello; and does not in that moment.
	ann, eve := all[0].room, all[len(all)-1].actor.Self()
	began := make(map[peer.ID]int)
	for range 40 {
		n.run(5 * time.Second)
		ann.PeerDisconnected(all[0].clock(), eve)
		ann.PeerConnected(all[0].clock(), eve)
		next := ann.nextInTurn()
		began[next.id]++
		next.lastCompared = ann.now
	}
	for _, s := range all[1 : len(all)-1] {
		if k := began[s.actor.Self()]; k < 10 {
			t.Errorf("%s had %d turns of 40", s.name, k)
		}
	}
}

// TestIdleBytes: what each member of a room sends while nobody says anything, without what
// the network below adds.
func TestIdleBytes(t *testing.T) {
	for _, c := range []struct {
		members int
		limit   float64 // bytes a second
	}{{5, 130}, {20, 400}, {100, 1100}} {
		if c.members > 20 && testing.Short() {
			continue
		}
		n := newNetwork(silentTB{t}, 434)
		all := n.crowd(c.members)
		n.until(time.Minute, "one epoch", func() bool { return together(all...) })
		n.run(2 * time.Minute)
		sent := 0
		n.rewrite = func(_ *simNode, data []byte) []byte {
			sent += len(data)
			return data
		}
		const d = 5 * time.Minute
		n.run(d)
		each := float64(sent) / float64(c.members) / d.Seconds()
		t.Logf("%d members: %.0f bytes/s each", c.members, each)
		if each > c.limit {
			t.Errorf("%d members: %.0f bytes/s each, want %.0f at most", c.members, each, c.limit)
		}
	}
}
