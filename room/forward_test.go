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
	for typ, at := range map[byte]int{record.TypePresence: -1, record.TypeCommit: -70, record.TypeJoin: -1} {
		data := append([]byte(nil), traffic[typ]...)
		if len(data) == 0 {
			t.Fatalf("no publication of type %d", typ)
		}
		if at < 0 {
			at += len(data)
		}
		data[at] ^= 1 // in the signature, or in the tag
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
	if c.Base == record.WholeList {
		t.Fatal("the commit has its whole list")
	}
	other := *c // the list as another change, which does not make it
	other.Changes = c.Changes[:len(c.Changes)-1]
	news := c.News()
	spoilt := *news
	spoilt.Tag[0] ^= 1

	again := &record.Presence{Serial: 1 << 50, Left: true}
	again.Ephemeral = late.room.presence.Ephemeral
	again.Sign(r.id, late.room.working)

	for name, data := range map[string][]byte{
		"another last presence": record.Encode(again),
		"presence":              garbled[record.TypePresence], "commit": garbled[record.TypeCommit], "join": garbled[record.TypeJoin],
		"list": record.Encode(&other), "news": spoilt.Append([]byte{record.TypeNews}),
	} {
		if v := r.Publication(n.now, from, data); v == Accept {
			t.Errorf("a garbled copy is forwarded: %s", name)
		}
	}
	same := map[string][]byte{
		"presence": traffic[record.TypePresence], "commit": traffic[record.TypeCommit], "join": traffic[record.TypeJoin],
		"whole list": record.Encode(c.Whole(e.list)), "news": news.Append([]byte{record.TypeNews}),
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

// TestForwardBeats: the same of a beat.
func TestForwardBeats(t *testing.T) {
	n := newNetwork(t, 42)
	all := n.party("ann", "bob")
	ann, bob := all[0].room, all[1].room
	beat := *ann.process(ann.workingID).beat
	if !bob.tookBeats(record.EncodeFields(record.FrameBeats, beat.Append(nil))[1:]) {
		t.Fatal("the beat was not taken")
	}
	p := bob.process(ann.workingID)
	p.heard = n.now
	garbled := beat
	garbled.Signature[0] ^= 1
	if v := bob.Publication(n.now, ann.self, garbled.Append([]byte{record.TypeBeat})); v == Accept {
		t.Error("a garbled copy is forwarded")
	}
	if v := bob.Publication(n.now, ann.self, beat.Append([]byte{record.TypeBeat})); v != Accept {
		t.Errorf("verdict %d", v)
	}
	bob.Tick(n.now.Add(forwardTime / 2)) // a clock that is looked at seldom does not count
	if v := bob.Publication(n.now.Add(forwardTime), ann.self, beat.Append([]byte{record.TypeBeat})); v == Accept {
		t.Error("forwarded long after")
	}
}
