package room

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// bytes is what a journal holds.
func (j *memJournal) bytes() (n int) {
	for _, s := range j.order {
		n += len(s.Data)
	}
	return n
}

// texts are the texts of messages that a journal holds of an author's name.
func (j *memJournal) texts(prefix string) (n int) {
	for _, s := range j.order {
		if m, err := record.ParseLog(s.Data); s.Counter > 0 && !s.Rest && err == nil && strings.HasPrefix(m.Text, prefix) {
			n++
		}
	}
	return n
}

// TestFloodOfBytes: one who says as much as they can push out what they said themselves,
// and nothing of others. Those who keep less agree with those who keep all, also after a
// new start, and nothing is fetched again.
func TestFloodOfBytes(t *testing.T) {
	n := newNetwork(t, 230)
	var disk memJournal
	identity := newIdentity(n.seed32())
	ann, eve := n.add("ann", true), n.add("eve", true)
	start := func() *simNode { return n.startOn(&disk, "bob", always, identity, n.seed32(), 0) }
	bob := start()
	const keep = 4 << 20
	bob.room.logs.limits.bytes = keep
	n.connectAll()
	n.until(20*time.Second, "one", func() bool { return together(ann, bob, eve) })
	n.run(10 * time.Second)
	epoch := bob.room.head.commit.ID()
	for i := range 20 {
		ann.say(fmt.Sprint("ann ", i, strings.Repeat("x", 10<<10)))
		n.run(20 * time.Millisecond)
	}
	for i := range 700 {
		eve.say(fmt.Sprint("eve ", i, strings.Repeat("x", 16000)))
		if n.run(20 * time.Millisecond); i == 100 && len(events[Shortened](bob)) > 0 {
			t.Error("something went before the bound was reached")
		}
	}
	n.until(time.Minute, "bob has heard all", func() bool { return len(bob.messages) == 720 })
	check := func(when string, bob *simNode) {
		t.Helper()
		if b := disk.bytes(); b > keep || b < keep/2 {
			t.Errorf("%s: %d bytes are kept", when, b)
		}
		if k := disk.texts("ann "); k != 20 {
			t.Errorf("%s: %d messages of ann's are kept", when, k)
		}
		if !agree(epoch, ann, bob, eve) {
			t.Errorf("%s: they do not agree", when)
		}
		sum := int64(0)
		for _, a := range bob.room.logs.accounts {
			sum += a.bytes
		}
		if sum != bob.room.logs.bytes {
			t.Errorf("%s: accounts have %d bytes, all %d", when, sum, bob.room.logs.bytes)
		}
	}
	check("at first", bob)
	went := 0
	for _, s := range events[Shortened](bob) {
		if went += s.Count; s.Author.Name != "eve" || s.Since.IsZero() || s.Until.IsZero() {
			t.Errorf("%+v", s)
		}
	}
	if kept := disk.texts("eve "); kept+went != 700 {
		t.Errorf("%d of eve's are kept and %d went", kept, went)
	}

	n.stop(bob)
	n.run(10 * time.Minute) // the others have a new epoch without bob, and forget the old one's keys
	bob = start()
	bob.room.logs.limits.bytes = keep
	w := &traffic{bytes: make(map[byte]int)}
	n.watch = w
	n.connectAll()
	n.until(20*time.Second, "together again", func() bool { return together(ann, bob, eve) })
	n.run(5 * time.Minute)
	check("after a new start", bob)
	if b := w.bytes[record.FrameLog]; b > 0 {
		t.Errorf("%d bytes of logs were sent", b)
	}
	said := events[Shortened](bob)
	if len(said) != 1 || !said[0].Before || said[0].Count != went || said[0].Author.Name != "eve" {
		t.Errorf("it is told: %+v", said)
	}
	if b := len(bob.messages); b != 720-went {
		t.Errorf("%d messages are shown again", b)
	}

	// A smaller bound: more goes, of whoever has most.
	n.stop(bob)
	bob = n.add("other", true)
	bob.room.logs.limits.bytes = 0
	r, err := New(Config{
		Journal: &disk, Replay: 1 << 20, Descriptor: n.desc, Identity: identity, Now: bob.clock(),
		Encapsulator: &fakeSuite{node: bob, satisfies: always}, Rand: bob.room.cfg.Rand, Keep: 1 << 20,
		ValidOn: bob.room.cfg.ValidOn,
	})
	if err != nil {
		t.Fatal(err)
	}
	disk.save(r.Ready().Save)
	if b := disk.bytes(); b > 1<<20 || disk.texts("ann ") != 20 {
		t.Errorf("%d bytes are kept, and %d messages of ann's", b, disk.texts("ann "))
	}
}

// TestLargestAccount: who has most gives way, down to what the next one has.
func TestLargestAccount(t *testing.T) {
	accounts := map[[32]byte]*account{{1}: {bytes: 10}, {2}: {bytes: 30}, {3}: {bytes: 20}, {4}: {}}
	for range 20 { // in whatever order they come
		l := &logs{accounts: accounts}
		if most, second := l.largest(); most != accounts[[32]byte{2}] || second != 20 {
			t.Fatalf("%d bytes, then %d", most.bytes, second)
		}
	}
	if most, _ := new(logs).largest(); most != nil {
		t.Error("of none one has most")
	}
}

// TestForksOfBytes: two messages under each number, and none under the first, are bounded
// like others.
func TestForksOfBytes(t *testing.T) {
	n := newNetwork(t, 231)
	var disk memJournal
	ann := n.add("ann", true)
	bob := n.startOn(&disk, "bob", always, newIdentity(n.seed32()), n.seed32(), 0)
	const keep = 4 << 20
	bob.room.logs.limits.bytes = keep
	n.connectAll()
	n.until(20*time.Second, "one", func() bool { return together(ann, bob) })
	n.stop(ann)
	for c := uint64(2); c <= 1000; c++ {
		for _, text := range []string{"a", "b"} {
			m := ann.signed(c, [32]byte{}, text+strings.Repeat("x", 16000))
			bob.takeFrom(m.AppendLog([]byte{record.FrameLog}), ann)
			if b := int64(disk.bytes()); b > bob.room.logs.bytes+10_000 { // that is for the lists
				t.Fatalf("there are %d bytes at number %d, and %d are counted", b, c, bob.room.logs.bytes)
			}
		}
	}
	if b := disk.bytes(); b > keep || b < keep/2 {
		t.Errorf("%d bytes are kept", b)
	}
	if b := bob.room.logs.bytes; b > keep || b < 0 {
		t.Errorf("%d bytes are counted", b)
	}
	// Everything goes with its epoch.
	for _, tr := range bob.room.logs.transcripts {
		if tr.count > 0 {
			bob.room.dropTranscript(tr)
		}
	}
	if b := bob.room.logs.bytes; b != 0 {
		t.Errorf("%d bytes are counted of nothing", b)
	}
}

// TestRestsAreParsed: what stays of messages is what was saved, and nothing else is taken.
func TestRestsAreParsed(t *testing.T) {
	in := &Rest{First: 3, Last: 5, Since: 7, Until: 8, Lamport: 9, IDs: make([]ake.Hash, 3)}
	in.IDs[1][0] = 1
	data := in.append(nil)
	out, err := ParseRest(Saved{Counter: 5, Rest: true, Data: data})
	if err != nil || fmt.Sprint(*out) != fmt.Sprint(*in) {
		t.Errorf("%+v, %v", out, err)
	}
	for _, s := range []Saved{
		{Counter: 2, Data: data}, {Counter: 0, Data: data}, {Counter: maxAuthorLog + 1, Data: data}, {Counter: 5, Data: data[1:]},
		{Counter: 5, Data: data[:24]}, {Counter: 5}, {Counter: 5, Data: append(data, 0)},
	} {
		if _, err := ParseRest(s); err == nil {
			t.Errorf("counter %d with %d bytes is taken", s.Counter, len(s.Data))
		}
	}
}
