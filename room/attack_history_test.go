package room

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// saying is a room of three in which bob has said what matters; ann has a disk, and
// room for so many transcripts.
func saying(t *testing.T, seed uint64, most int) (n *network, disk *memJournal, ann, bob, eve *simNode, epoch ake.Hash) {
	t.Helper()
	n, disk = newNetwork(t, seed), new(memJournal)
	ann = n.startOn(disk, "ann", always, newIdentity(n.seed32()), n.seed32(), 0)
	bob = n.add("bob", true)
	n.connectAll()
	n.until(20*time.Second, "two in one epoch", func() bool { return together(ann, bob) }) // bob hangs on ann, not on eve
	eve = n.add("eve", true)
	n.connectAll()
	n.until(20*time.Second, "one epoch", func() bool { return together(ann, bob, eve) })
	n.run(10 * time.Second)
	ann.room.logs.limits.transcripts, bob.room.logs.limits.transcripts = most, most
	bob.say("what matters")
	n.allHear(time.Second, "what matters", ann, eve)
	epoch = ann.room.head.commit.ID()
	n.run(10 * time.Second)
	return n, disk, ann, bob, eve, epoch
}

// keeps checks that ann has what was said in an epoch, in memory and on disk.
func keeps(t *testing.T, ann *simNode, disk *memJournal, epoch ake.Hash) {
	t.Helper()
	if tr := ann.room.logs.transcripts[epoch]; tr == nil || tr.count == 0 {
		t.Error("what was said is gone")
	}
	for _, s := range disk.order {
		if s.Epoch == epoch && s.Author != Head {
			return
		}
	}
	t.Error("what was said is gone from the disk")
}

// TestHistoryWipe: an insider who commits again and again, and says a word each
// time by a member or two that it made up, displaces only its own.
func TestHistoryWipe(t *testing.T) {
	for _, words := range []int{0, 1} {
		t.Run(fmt.Sprint(words), func(t *testing.T) {
			const most = 60
			n, disk, ann, bob, eve, epoch := saying(t, 907, most)
			n.pause(eve)
			last := eve.room.head
			for range 2 * most {
				c := (&forgery{list: last.list, after: last}).publish(t, eve)
				last = &madeEpoch{commit: c, list: last.list}
				n.run(40 * time.Millisecond)
				if words > 0 {
					m := &record.Signed{Body: record.Body{Counter: 1, Kind: record.KindText, Text: "x"}, Epoch: c.ID(), CID: eve.own()}
					m.Sign(n.desc.ID(), eve.room.working)
					ann.takeFrom(m.AppendLog([]byte{record.FrameLog}), eve)
				}
				if k := len(ann.room.logs.transcripts); k > most {
					t.Fatalf("%d transcripts, at most %d", k, most)
				}
			}
			n.run(2 * time.Second)
			if ann.room.head.commit.ID() == epoch || len(ann.room.logs.transcripts) < most/2 {
				t.Fatalf("%d transcripts: the test shows nothing", len(ann.room.logs.transcripts))
			}
			keeps(t, ann, disk, epoch)
			if bob.room.logs.transcripts[epoch] == nil {
				t.Error("bob does not have it any more")
			}
		})
	}
}

// TestTranscriptFlood: transcripts that an insider makes up, of members that exist,
// displace nothing but each other, at every moment.
func TestTranscriptFlood(t *testing.T) {
	const most = 100
	n, disk, ann, _, eve, epoch := saying(t, 982, most)
	g := ann.day()
	for i := range 2 * most {
		list := append(record.List(nil), ann.room.head.list...)
		commit := &record.Commit{Brief: record.Brief{Header: record.Header{
			Period: g.period, Height: uint64(i + 10), By: eve.own(), Members: uint32(len(list)), List: list.Hash(),
		}}}
		commit.SetEvidence(nil)
		commit.ComputeID()
		commit.Sign(n.desc.ID(), eve.room.working)
		head := &record.Transcript{Brief: commit.Brief, List: list}
		for _, e := range list {
			head.Authors = append(head.Authors, g.contribution(e.CID))
		}
		m := &record.Signed{Body: record.Body{Counter: 1, Kind: record.KindText, Text: "x"}, Epoch: commit.ID(), CID: eve.own()}
		m.Sign(n.desc.ID(), eve.room.working)
		ann.given(eve, true, head.Append([]byte{record.FrameTranscript}), m.AppendLog([]byte{record.FrameLog}))
		if k := len(ann.room.logs.transcripts); k > most {
			t.Fatalf("%d transcripts, at most %d", k, most)
		}
	}
	n.drain(ann)
	if k := len(ann.room.logs.transcripts); k != most {
		t.Fatalf("%d transcripts: the test shows nothing", k)
	}
	for range 2 {
		ann.room.Rekey(n.now)
		n.drain(ann)
		n.run(time.Minute)
	}
	if ann.room.logs.transcripts[ann.room.head.commit.ID()] == nil {
		t.Error("there was no room for a new epoch")
	}
	keeps(t, ann, disk, epoch)
}

// TestTranscriptMemory: transcripts of a thousand invented authors are not checked
// faster than at a pace, and do not take more memory than a room may.
func TestTranscriptMemory(t *testing.T) {
	n := newNetwork(t, 1001)
	all := n.party("ann", "bob", "eve")
	ann, eve := all[0], all[2]
	day := ann.room.today()
	var authors []*record.Contribution
	var key ed25519.PrivateKey
	for i := range record.MaxMembers - 1 {
		h := ake.Sum("made up", binary.BigEndian.AppendUint32(nil, uint32(i)))
		id := ed25519.NewKeyFromSeed(h[:])
		if i == 0 {
			key = id
		}
		c := &record.Contribution{Identity: [32]byte(id.Public().(ed25519.PublicKey)), Serial: 1, Period: day, Working: [32]byte(id.Public().(ed25519.PublicKey))}
		authors = append(authors, record.NewContribution(id, c.Context(n.desc.ID()), &ake.Encapsulated{Bytes: []byte{1}}))
	}
	authors = append(authors, ann.day().own.contribution)
	serial := 0
	serve := func() bool {
		serial++
		var list record.List
		by := make(map[ake.Hash]*record.Contribution)
		for _, c := range authors {
			list = append(list, record.Entry{Identity: c.Identity, CID: c.ID(), Presence: ake.Hash{byte(serial), byte(serial >> 8)}})
			by[c.ID()] = c
		}
		list.Sort()
		commit := &record.Commit{Brief: record.Brief{Header: record.Header{
			Period: day, Height: uint64(serial), By: authors[0].ID(), Members: uint32(len(list)), List: list.Hash(),
		}}}
		commit.SetEvidence(nil)
		commit.ComputeID()
		commit.Sign(n.desc.ID(), key)
		head := &record.Transcript{Brief: commit.Brief, List: list}
		for _, e := range list {
			head.Authors = append(head.Authors, by[e.CID])
		}
		m := &record.Signed{Body: record.Body{Counter: 1, Kind: record.KindText, Text: "x"}, Epoch: commit.ID(), CID: authors[0].ID()}
		m.Sign(n.desc.ID(), key)
		ann.given(eve, true, head.Append([]byte{record.FrameTranscript}), m.AppendLog([]byte{record.FrameLog}))
		return ann.room.logs.transcripts[commit.ID()] != nil
	}
	taken := 0
	for range 40 {
		if serve() {
			taken++
		}
	}
	if most := checksAtOnce / record.MaxMembers; taken == 0 || taken > most {
		t.Errorf("%d of them were checked at once, at most %d", taken, most)
	}
	n.run(time.Minute)
	if !serve() {
		t.Error("none is checked a minute later")
	}
	ann.room.logs.limits.places = 10 * record.MaxMembers
	for range 20 {
		n.run(time.Minute / 2)
		if serve(); ann.room.logs.places > ann.room.logs.limits.places {
			t.Fatalf("%d places", ann.room.logs.places)
		}
	}
	sum := 0
	for _, tr := range ann.room.logs.transcripts {
		sum += len(tr.List)
	}
	if sum != ann.room.logs.places {
		t.Errorf("%d places, counted as %d", sum, ann.room.logs.places)
	}
}

// TestHaveCrash: who says that it holds nothing, and of what, ends nobody.
func TestHaveCrash(t *testing.T) {
	n := newNetwork(t, 900)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	ann.say("hello")
	n.allHear(time.Second, "hello", bob, eve)
	x := n.insider(eve, ann)
	held := make([]record.Held, 3)
	for i := range held {
		held[i].Chain = [16]byte{1}
	}
	have := (&record.Have{Epoch: ann.room.head.commit.ID(), Held: held}).Encode()
	id := x.open(ann, ProtocolSync, x.helloTo(ann), (&record.Ask{}).Encode(), have)
	n.run(time.Second)
	if !x.over[id] {
		t.Error("it was taken")
	}
	// Should the frame be read all the same, it divides by nothing.
	y := &exchange{gotAsk: true, budget: 1 << 20, identity: bob.room.identity, working: bob.room.workingID}
	tr := ann.room.logs.transcripts[ann.room.head.commit.ID()]
	for i := range tr.logs {
		ann.room.sendLog(y, tr, i, &held[i])
	}
}

// TestBusyRoom: with an epoch every 4 s for a day and a word of everybody in each,
// nothing gives way before its time; and all of it is asked about, a part at a time.
func TestBusyRoom(t *testing.T) {
	n := newNetwork(t, 1010)
	all := n.party("ann", "bob", "cyn")
	ann, bob := all[0], all[1]
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const epochs = 24 * 3600 / 4
	g := ann.day()
	list := ann.room.head.list
	at := ann.room.now
	for i := range epochs {
		brief := record.Brief{Header: record.Header{Period: g.period, Height: uint64(i + 10), By: all[i%3].own(), Members: 3, List: list.Hash()}}
		id := ake.Sum("epoch", binary.BigEndian.AppendUint32(nil, uint32(i)))
		for _, s := range []*simNode{ann, bob} {
			if s == bob && i%400 == 0 || s == ann && i%400 == 1 {
				continue // each lacks some
			}
			head := &record.Transcript{Brief: brief, List: list}
			for _, e := range list {
				head.Authors = append(head.Authors, s.day().contribution(e.CID))
			}
			tr := &transcript{Transcript: head, id: id, ours: true}
			s.room.now = at.Add(time.Duration(i) * time.Millisecond)
			if !s.room.keepTranscript(tr) {
				t.Fatalf("no room for epoch %d", i)
			}
			for j := range list {
				m := &record.Signed{Body: record.Body{Counter: 1, Time: uint64(s.room.now.UnixMilli()), Kind: record.KindText, Text: "word"}, Epoch: id, CID: list[j].CID}
				if !s.room.logMessage(nil, tr, j, m) {
					t.Fatalf("a word of epoch %d is not taken", i)
				}
			}
			s.room.ready.Events = nil
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d MiB a member for %d epochs of 3 (%d B each)", (after.HeapAlloc-before.HeapAlloc)>>21, epochs, (after.HeapAlloc-before.HeapAlloc)/2/epochs)
	for _, s := range []*simNode{ann, bob} {
		if k := len(s.room.logs.transcripts); k < epochs-epochs/400 {
			t.Fatalf("%s has %d transcripts", s.name, k)
		}
	}
	if mib := (after.HeapAlloc - before.HeapAlloc) >> 21; mib > 150 {
		t.Errorf("%d MiB a member", mib)
	}
	// What each asks about is bounded, and in turn all.
	x := &exchange{identity: bob.room.identity, working: bob.room.workingID, peer: bob.room.self, theirHello: &record.Hello{}}
	asked := make(map[ake.Hash]bool)
	for range 20 {
		a := new(record.Ask)
		ann.room.askLogs(x, a)
		if len(a.Transcripts) > record.MaxTranscripts {
			t.Fatalf("asks about %d", len(a.Transcripts))
		}
		for _, tr := range a.Transcripts {
			asked[tr.Epoch] = true
		}
	}
	if k := len(asked); k < len(ann.room.logs.transcripts)/5 {
		t.Errorf("asked about %d of %d", k, len(ann.room.logs.transcripts))
	}
}

// madeEpoch is what a forger knows of its own commit.
type madeEpoch = epoch
