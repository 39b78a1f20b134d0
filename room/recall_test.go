package room

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestChainAt: the chain over the first messages is the same as made from the beginning, whatever
// was asked for before, and whatever was replaced.
func TestChainAt(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var l authorLog
	var ids []ake.Hash
	random := func() (h ake.Hash) {
		h[0], h[1], h[2] = byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())
		return h
	}
	for range 2000 {
		switch n := len(ids); {
		case n > 0 && rng.IntN(8) == 0:
			at := rng.IntN(n)
			ids[at] = random()
			l.replace(uint64(at+1), ids[at])
		case rng.IntN(2) == 0:
			ids = append(ids, random())
			l.take(uint64(n+1), ids[n])
		}
		upto := rng.IntN(len(ids) + 1)
		if rng.IntN(2) == 0 {
			upto = len(ids)
		}
		var want [record.ChainSize]byte
		for _, id := range ids[:upto] {
			h := ake.Sum("coterie/2 log", want[:], id[:])
			copy(want[:], h[:])
		}
		if got := l.chainAt(uint64(upto)); got != want {
			t.Fatalf("over %d of %d it is %x, want %x", upto, len(ids), got, want)
		}
	}
}

// told is a room that was told many things, with its disk: most counters of ann's log have one message,
// some two.
func told(t *testing.T, seed uint64, most int, two ...uint64) (bob *simNode, disk *memJournal, start func(replay int) *Room) {
	n := newNetwork(t, seed)
	disk = new(memJournal)
	ann := n.add("ann", true)
	identity := newIdentity(n.seed32())
	bob = n.startOn(disk, "bob", always, identity, n.seed32(), 0)
	n.connectAll()
	n.until(20*time.Second, "one", func() bool { return together(ann, bob) })
	n.stop(ann)
	for c := uint64(2); c <= uint64(most); c++ {
		texts := []string{"one"}
		if slices.Contains(two, c) {
			texts = append(texts, "two", "three")
		}
		for _, text := range texts {
			m := ann.signed(c, ake.Hash{}, fmt.Sprint(text, " ", c))
			bob.takeFrom(m.AppendLog([]byte{record.FrameLog}), ann)
		}
	}
	first := ann.signed(1, ake.Hash{}, "one 1")
	bob.takeFrom(first.AppendLog([]byte{record.FrameLog}), ann)
	return bob, disk, func(replay int) *Room {
		cfg := bob.room.cfg
		cfg.Journal, cfg.Replay, cfg.Identity, cfg.Now = disk, replay, identity, bob.clock()
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// TestRecallReadsLittle: whoever opens a room reads the messages that it shows, and no other, however many
// there are.
func TestRecallReadsLittle(t *testing.T) {
	bob, disk, start := told(t, 301, 300)
	epoch := bob.room.head.commit.ID()
	sum := bob.room.logs.transcripts[epoch].sum(bob.room.id)
	disk.loads, disk.given = 0, 0
	r := start(10)
	if disk.loads > 0 || disk.given > 10 {
		t.Errorf("all was read %d times, and %d messages", disk.loads, disk.given)
	}
	if tr := r.logs.transcripts[epoch]; tr == nil || tr.sum(r.id) != sum || tr.count != 300 {
		t.Errorf("it does not hold what it held: %+v", tr)
	}
	if a, b := r.logs.bytes, bob.room.logs.bytes; a != b {
		t.Errorf("%d bytes are counted, and were %d", a, b)
	}
	var shown []string
	for _, e := range r.Ready().Events {
		if d, ok := e.(Delivered); ok {
			shown = append(shown, d.Message.Text)
		}
	}
	if len(shown) != 10 || shown[9] != "one 300" {
		t.Errorf("shown are %q", shown)
	}
}

// TestRecallSeconds: a process that starts again holds of two messages under one counter the same
// as before, and compares the same, as far as it keeps them.
func TestRecallSeconds(t *testing.T) {
	var two []uint64
	for c := uint64(5); c < 5+maxSecondMessages+4; c++ {
		two = append(two, c)
	}
	bob, disk, start := told(t, 302, 100, two...)
	epoch := bob.room.head.commit.ID()
	was := bob.room.logs.transcripts[epoch]
	disk.given = 0
	r := start(10)
	now := r.logs.transcripts[epoch]
	if now == nil || now.sum(r.id) != was.sum(r.id) {
		t.Fatal("it compares otherwise than before")
	}
	for i := range was.logs {
		a, b := was.log(i).secondMessages, now.log(i).secondMessages
		if len(a) != len(b) {
			t.Errorf("%d second messages, and there were %d", len(b), len(a))
		}
		for c, m := range a {
			if o := b[c]; o == nil || o.ID(r.id) != m.ID(r.id) {
				t.Errorf("number %d is another one", c)
			}
		}
	}
	if most := 10 + 3*maxSecondMessages; disk.given > most {
		t.Errorf("%d messages were read, and at most %d was meant", disk.given, most)
	}
}
