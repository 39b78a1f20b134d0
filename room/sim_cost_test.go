package room

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"coterie/room/record"
)

// settled builds a room of n members who are connected to a few others each.
func settled(t *testing.T, n *network, size int) []*simNode {
	var all []*simNode
	for i := range size {
		all = append(all, n.add(fmt.Sprint("p", i), true))
		for j := 0; j < i && j < 3; j++ {
			n.connect(all[i], all[n.rng.IntN(i)])
		}
		if i%50 == 49 {
			n.run(2 * time.Second)
		}
	}
	took := n.until(10*time.Minute, fmt.Sprintf("%d in one epoch", size), func() bool { return size == 1 || together(all...) })
	n.run(20 * time.Second)
	t.Logf("%d members after %v, %d commits", size, took, n.commits)
	return all
}

// TestCost: a join costs the whole room one encapsulation, made ahead, and two
// openings, at any size; a message and a leave cost none. (Membership counting.)
func TestCost(t *testing.T) {
	for _, size := range []int{2, 10, 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			if size > 10 && testing.Short() {
				t.Skip("takes some seconds")
			}
			n := newNetwork(t, uint64(size))
			all := settled(t, n, size)
			opens := make(map[*simNode]int)
			count := func(what string, wantOpens, wantMade int, may ...*simNode) {
				t.Helper()
				if n.opens != wantOpens || n.made != wantMade {
					t.Errorf("%s: %d openings and %d encapsulations, want %d and %d", what, n.opens, n.made, wantOpens, wantMade)
				}
				for _, s := range all {
					got, want := s.opens-opens[s], 0
					for _, m := range may {
						if m == s {
							want = 1
						}
					}
					if got != want {
						t.Errorf("%s: %s opened %d, want %d", what, s.name, got, want)
					}
					opens[s] = s.opens
				}
				n.opens, n.made = 0, 0
			}
			for _, s := range all {
				opens[s] = s.opens
			}
			n.opens, n.made = 0, 0

			sponsor := all[len(all)/2]
			newcomer := n.add("new", true)
			n.run(time.Second) // its encapsulation is made
			n.connect(newcomer, sponsor)
			all = append(all, newcomer)
			took := n.until(30*time.Second, "the newcomer is in", func() bool { return together(all...) })
			n.connect(newcomer, all[0]) // a second way in costs nothing
			n.run(15 * time.Second)
			count(fmt.Sprintf("a join (%v)", took), 2, 1, newcomer, sponsor)

			newcomer.say("hello")
			n.until(20*time.Second, "all hear it", func() bool {
				for _, s := range all {
					if !s.heard("hello") {
						return false
					}
				}
				return true
			})
			count("a message", 0, 0)

			newcomer.room.Leave(n.now)
			n.drain(newcomer)
			all = all[:len(all)-1]
			took = n.until(30*time.Second, "an epoch without the leaver", func() bool { return len(all) == 1 || together(all...) })
			n.run(15 * time.Second)
			count(fmt.Sprintf("a leave (%v)", took), 0, 0)
		})
	}
}

// TestUnprovenFlood: 10,000 contributions of peers that proved themselves to
// nobody cost no opening, no commit and bounded memory.
func TestUnprovenFlood(t *testing.T) {
	n := newNetwork(t, 7)
	a, b := n.add("ann", true), n.add("bob", true)
	n.connect(a, b)
	n.until(5*time.Second, "one epoch", func() bool { return together(a, b) })
	n.run(10 * time.Second)
	mallory := n.newNode("mallory", 0)
	seed := n.seed32()
	x := newIntruder(mallory, 'f', ed25519.NewKeyFromSeed(seed[:]), seed)
	x.out.Wake = time.Time{} // it does only what follows
	mallory.actor = x
	n.connect(mallory, a)
	n.run(time.Second)
	opens, commits, head := n.opens, n.commits, a.room.head

	const total = 10000
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	flood := makeFlood(dayOf(n.now), total)
	for i := 0; i < len(flood); i += 300 {
		id := x.open(a.room.Self(), ProtocolSync)
		x.send(id, x.hello(n.now))
		x.send(id, record.EncodeFields(record.FrameRecords, flood[i:min(i+300, len(flood))]...))
		if i%3000 == 0 {
			x.publishFlood(n.now)
		}
		n.drain(mallory)
		n.run(100 * time.Millisecond)
	}
	// Mallory says that many are with her, so that a may dial her, within its budget.
	if got := n.opens - opens; got > maxDialsAMinute {
		t.Errorf("%d openings", got)
	}
	if n.commits != commits || a.room.head != head {
		t.Errorf("%d commits", n.commits-commits)
	}
	r := a.room
	g := r.days[r.today()]
	if len(r.waiting.records) > maxWaitingRecords || len(g.nodes) != 2 || len(g.edges) != 2 || len(r.processes) > 3 || len(r.streams.byID) > 400 || len(r.waiting.messages) > maxWaitingMessages {
		t.Errorf("kept: %d waiting records, %d nodes, %d edges, %d processes, %d exchanges, %d waiting", len(r.waiting.records), len(g.nodes), len(g.edges), len(r.processes), len(r.streams.byID), len(r.waiting.messages))
	}
	n.run(time.Minute)
	if len(r.streams.byID) > 4 {
		t.Errorf("%d exchanges a minute later", len(r.streams.byID))
	}
	if !together(a, b) {
		t.Error("the room fell apart")
	}
}
