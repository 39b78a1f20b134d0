package room

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

var simSize = flag.Int("sim.size", 100, "how many members TestLargeRoom has")

// TestLargeRoom is a join, a leave, and thirty quiet seconds in a room in which each is
// connected to about eight, in virtual time: what they cost, and how long it takes
// until all others are in the new epoch.
//
//	go test ./room -run LargeRoom -v -timeout 2h -sim.size 1000
func TestLargeRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	size := *simSize
	n := newNetwork(t, uint64(size))
	n.maxSteps = 1 << 40
	began := time.Now()
	real := func(what string) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%s: %v of real time, %d MB in use, %d events, %d commits so far",
			what, time.Since(began).Round(time.Millisecond), m.HeapInuse>>20, n.steps, n.commits)
		began = time.Now()
	}
	var all []*simNode
	add := func() *simNode {
		s := n.add(fmt.Sprint("p", len(all)), true)
		for range min(len(all), 4) {
			n.connect(s, all[n.rng.IntN(len(all))])
		}
		all = append(all, s)
		return s
	}
	for len(all) < size {
		add()
		n.run(200 * time.Millisecond)
		if len(all)%100 == 0 {
			real(fmt.Sprintf("%d came", len(all)))
		}
	}
	took := n.until(10*time.Minute, "all in one epoch", func() bool { return together(all...) })
	real(fmt.Sprintf("together %v after the last came", took))
	n.run(30 * time.Second)
	real("30 s")
	commits := n.commits
	add()
	took = n.until(time.Minute, "the newcomer is in", func() bool { return together(all...) })
	real(fmt.Sprintf("a join to %d took %v and %d commits", size, took, n.commits-commits))
	n.run(30 * time.Second)
	real("30 s")
	commits = n.commits
	all[size/2].room.Leave(n.now)
	n.drain(all[size/2])
	n.at(time.Second, func() { n.stop(all[size/2]) })
	others := append(all[:size/2:size/2], all[size/2+1:]...)
	took = n.until(time.Minute, "the leaver is out", func() bool { return together(others...) })
	real(fmt.Sprintf("a leave from %d took %v and %d commits", size+1, took, n.commits-commits))
}
