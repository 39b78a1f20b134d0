package room

import (
	"testing"
	"time"

	"coterie/room/record"
)

// caught runs a room which somebody joins and leaves, and returns the first
// publication of each kind.
func caught(t *testing.T, n *network, all []*simNode) (traffic map[byte][]byte, late *simNode) {
	t.Helper()
	spy := n.addSpy("spy", nil)
	n.connect(all[0], spy.node)
	n.connect(all[1], spy.node)
	n.run(time.Second)
	late = n.add("late", true)
	n.connect(late, all[0])
	n.until(20*time.Second, "late is in", func() bool { return together(append(all, late)...) })
	late.leave()
	n.until(20*time.Second, "late is out", func() bool { return together(all...) })
	traffic = make(map[byte][]byte)
	for _, data := range spy.traffic {
		if traffic[data[0]] == nil {
			traffic[data[0]] = data
		}
	}
	return traffic, late
}

// TestForwardWhatStreamsBrought: what a stream brought first is forwarded all the
// same when it comes over the topic, for a while and in the same words only.
func TestForwardWhatStreamsBrought(t *testing.T) {
	n := newNetwork(t, 41)
	all := n.party("ann", "bob", "cyn", "dan")
	dan := all[3]
	// Dan hears nothing on the topic, and all on streams.
	n.only = func(to *simNode) bool { return to != dan }
	traffic, late := caught(t, n, all)
	from := all[0].room.self
	r := dan.room

	garbled := make(map[byte][]byte)
	for typ, at := range map[byte]int{record.TypePresence: -1, record.TypeCommit: 0, record.TypeJoin: -1} {
		data := append([]byte(nil), traffic[typ]...)
		if len(data) == 0 {
			t.Fatalf("no publication of type %d", typ)
		}
		if at < 0 {
			at += len(data)
		} else {
			at = briefBytes - 1
		}
		data[at] ^= 1 // in the signature, or in the encapsulation
		garbled[typ] = data
	}
	c, err := record.ParseCommit(traffic[record.TypeCommit][1:])
	if err != nil {
		t.Fatal(err)
	}
	e := r.commits[c.ID()]
	if e == nil {
		t.Fatal("dan has not heard of the commit")
	}
	if c.Form != record.ListChanges || len(c.Added) == 0 {
		t.Fatal("the commit has no change of a list")
	}
	other := *c // the list as another change, which does not make it
	other.Added = c.Added[:len(c.Added)-1]
	borrowed := *c // another secret, under the same signature
	borrowed.Secret[0] ^= 1
	borrowed.ComputeID()

	again := &record.Presence{Serial: 1 << 50, Left: true}
	again.Sign(r.id, late.room.working)

	for name, data := range map[string][]byte{
		"another last presence": record.Encode(again),
		"presence":              garbled[record.TypePresence], "commit": garbled[record.TypeCommit], "join": garbled[record.TypeJoin],
		"list": record.Encode(&other), "secret": record.Encode(&borrowed),
	} {
		if v := r.Publication(n.now, from, data); v == Accept {
			t.Errorf("a garbled copy is forwarded: %s", name)
		}
	}
	same := map[string][]byte{
		"presence": traffic[record.TypePresence], "commit": traffic[record.TypeCommit], "join": traffic[record.TypeJoin],
		"whole list": record.Encode(c.Whole(e.list, e.away)), "no list": record.Encode(c.Bare()),
	}
	for name, data := range same {
		if v := r.Publication(n.now, from, data); v != Accept {
			t.Errorf("what a stream brought is not forwarded: %s, verdict %d", name, v)
		}
	}
	later := n.now.Add(forwardTime)
	for name, data := range same {
		if v := r.Publication(later, from, data); v == Accept {
			t.Errorf("forwarded long after: %s", name)
		}
	}
}

// briefBytes is the size of a commit's brief behind its type: its signature ends there.
const briefBytes = 1 + 240
