package room

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

var simSize = flag.Int("sim.size", 100, "how many members TestLargeRoom has")

// grown makes a room of so many, without their having come one by one: each has let
// in four others, all know all, and the first has made a commit. Each is connected to
// eight others or so.
func grown(t testing.TB, n *network, size int) []*simNode {
	var all []*simNode
	for i := range size {
		all = append(all, n.add(fmt.Sprint("p", i), true))
	}
	n.run(time.Second) // their encapsulations are made
	own := func(i int) *own { return all[i].day().own }
	edge := func(from, to int) *record.Edge {
		e := &record.Edge{Period: all[0].day().period, From: own(from).cid, To: own(to).cid}
		e.Sign(all[from].room.id, all[from].room.working)
		return e
	}
	in, out := make([]*record.Edge, size), make([]*record.Edge, size) // by who was let in
	for i := 1; i < size; i++ {
		in[i], out[i] = edge((i-1)/4, i), edge(i, (i-1)/4)
	}
	terms := make([]ake.Term, size)
	for i := range all {
		terms[i] = *all[i].day().nodes[own(i).cid].term
	}
	for me, s := range all {
		r := s.room
		// From ourselves outwards, so that nothing waits.
		meet := func(i, from int, there, back *record.Edge) {
			for _, rec := range []record.Record{there, own(i).contribution, back, all[i].room.presence, all[i].room.name} {
				if o := r.add(rec); o != kept {
					t.Fatalf("%s does not take a record of %s: %d", s.name, all[i].name, o)
				}
			}
			r.addTerm(&ake.MemberTerm{CID: own(i).cid, Term: terms[i]})
		}
		var visit func(i, from int)
		visit = func(i, from int) {
			if up := (i - 1) / 4; i > 0 && up != from {
				meet(up, i, out[i], in[i])
				visit(up, i)
			}
			for c := 4*i + 1; c <= 4*i+4 && c < size; c++ {
				if c != from {
					meet(c, i, in[c], out[c])
					visit(c, i)
				}
			}
		}
		visit(me, -1)
		r.retryWaiting()
	}
	first := all[0].room
	if err := first.commit(all[0].day(), first.nextList(all[0].day())); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s != all[0] {
			x := &exchange{peer: first.self, identity: first.identity, working: first.workingID}
			s.room.tookSecret(x, handover(first.head.commit, *first.head.d)[1:])
		}
		s.room.Ready()
	}
	for _, s := range all {
		for range 4 {
			if o := all[n.rng.IntN(size)]; o != s {
				n.connect(s, o)
			}
		}
	}
	return all
}

// TestLargeRoom is a join, a leave, and thirty quiet seconds in a room in which each is
// connected to about eight, in virtual time: what they cost, and how long it takes
// until all others are in the new epoch.
//
//	go test ./room -run LargeRoom -v -timeout 2h -sim.size 1000
func TestLargeRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(200))
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
	within := func(took time.Duration) {
		if took > 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	}
	rest := 30 * time.Second
	if size > 300 {
		rest = 10 * time.Second
	}
	all := grown(t, n, size)
	real("made")
	n.run(rest)
	if !together(all...) {
		t.Fatal("they are not in one epoch")
	}
	real(fmt.Sprint(rest))
	commits := n.commits
	newcomer := n.add("new", true)
	for range 4 {
		n.connect(newcomer, all[n.rng.IntN(size)])
	}
	all = append(all, newcomer)
	took := n.until(time.Minute, "the newcomer is in", func() bool { return together(all...) })
	within(took)
	real(fmt.Sprintf("a join to %d took %v and %d commits", size, took, n.commits-commits))
	n.run(rest)
	real(fmt.Sprint(rest))
	commits = n.commits
	all[size/2].room.Leave(n.now)
	n.drain(all[size/2])
	n.at(time.Second, func() { n.stop(all[size/2]) })
	others := append(all[:size/2:size/2], all[size/2+1:]...)
	took = n.until(time.Minute, "the leaver is out", func() bool { return together(others...) })
	within(took)
	real(fmt.Sprintf("a leave from %d took %v and %d commits", size+1, took, n.commits-commits))
}

// TestHundredJoins: a hundred that come to a room of ten at once, each by one of these,
// are let in within seconds, by few epochs that anybody sees. -crowd.seed tries another
// seed.
func TestHundredJoins(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	n := newNetwork(t, *crowdSeed)
	all := grown(t, n, 10)
	n.run(10 * time.Second)
	for i := range 100 {
		s := n.add(fmt.Sprint("new", i), true)
		n.connect(s, all[i%10])
		n.at(time.Second+time.Duration(n.rng.IntN(1000))*time.Millisecond, func() {
			for range 4 {
				if o := all[n.rng.IntN(len(all))]; o != s {
					n.connect(s, o) // as package node does, once the room is known
				}
			}
		})
		all = append(all, s)
	}
	took := n.until(time.Minute, "all are in", func() bool { return together(all...) })
	t.Logf("%d commits, all in one epoch after %v", n.commits, took)
	if took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	n.run(10 * time.Second)
	for _, s := range all {
		if len(s.epochs) > 7 {
			t.Errorf("%s saw %d epochs", s.name, len(s.epochs))
		}
	}
	for _, e := range all[0].epochs {
		t.Logf("%x of %d: %s", e.ID.Short(), len(e.Members), e.Reason)
	}
}
