package room

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestStolenDisk: whoever has a member's identity key and key file, but not what
// the member's process has in memory, is told nothing as long as it only asks.
// To read it has to take part, as a later process of the same peer: all members
// see that, and the victim is told.
func TestStolenDisk(t *testing.T) {
	t.Run("asking", func(t *testing.T) {
		n := newNetwork(t, 41)
		all := n.party("ann", "bob", "cyn")
		ann, bob, vic := all[0], all[1], all[2]
		n.disconnect(ann, vic)
		n.disconnect(bob, vic)
		ann.say("after vic went offline")
		n.allHear(time.Second, "after vic went offline", bob)
		e := ann.room.head
		thief := n.addSpy("thief", vic.room.cfg.Identity)
		n.connect(thief.node, ann)
		n.run(time.Second)
		if thief.node.tunnels[ann] != nil || ann.room.channelTo(thief.self) != nil {
			t.Fatal("it has a channel")
		}
		day := dayOf(n.now)
		// It says what vic would say, as far as that can be known; and inside a
		// channel, which it cannot have, it would say it by another working key.
		for _, hello := range [][]byte{
			vic.helloTo(ann),
			(&record.Hello{Room: n.desc.ID(), Days: []record.HelloDay{{Period: day, CID: vic.own(), Size: 3}}}).Encode(),
			(&record.Hello{Room: n.desc.ID()}).Encode(),
		} {
			ask := &record.Ask{Terms: []ake.Hash{ann.own(), bob.own()}, Logs: true}
			have := &record.Have{Epoch: e.commit.ID(), Held: make([]record.Held, 3)}
			ids := []StreamID{
				thief.open(ann, ProtocolSync, hello, ask.Encode(), []byte{record.FrameDone}),
				thief.open(ann, ProtocolSync, hello, ask.Encode(), have.Encode()),
				thief.open(ann, ProtocolSync, record.EncodeWant([]ake.Hash{e.commit.ID()})),
			}
			n.run(2 * time.Second)
			if len(thief.got(ids[0], record.FrameDone)) != 1 || len(thief.got(ids[2], record.FrameDone)) != 1 {
				t.Fatal("it was not answered: the test shows nothing")
			}
			for _, id := range ids {
				if k := len(thief.got(id, record.FrameLog)) + len(thief.got(id, record.FrameTranscript)) + len(thief.got(id, record.FrameHave)); k > 0 {
					t.Errorf("it was given %d frames of logs", k)
				}
				if len(thief.got(id, record.FrameTerms)) > 0 {
					t.Error("it was given terms")
				}
				if len(thief.got(id, record.FrameSecret)) > 0 {
					t.Error("it was given an epoch's secret")
				}
				for _, f := range thief.got(id, record.FrameHello) {
					if h, err := record.ParseHello(f); err != nil || h.Logs != (ake.Hash{}) {
						t.Error("it was told of logs")
					}
				}
				for _, f := range thief.got(id, record.FrameRecords) {
					fields, err := record.ParseFields(f)
					if err != nil {
						t.Fatal(err)
					}
					for _, b := range fields {
						if b[0] == record.TypeName {
							t.Error("it was given names")
						}
					}
				}
			}
		}
		// What belongs into a channel is not taken outside one, either.
		cid := bob.own()
		if e.d == nil {
			t.Fatal("the epoch's secret is gone: the test shows nothing")
		}
		for _, frame := range [][]byte{
			record.EncodeTerms([]ake.MemberTerm{{CID: cid, Term: *bob.day().nodes[cid].term}}),
			handover(e.commit, *e.d),
			vic.signed(1, ake.Hash{}, "by the thief").AppendLog([]byte{record.FrameLog}),
			(&record.Transcript{Brief: e.commit.Brief, List: e.list}).Append([]byte{record.FrameTranscript}),
		} {
			id := thief.open(ann, ProtocolSync, frame)
			n.run(time.Second)
			if !thief.over[id] {
				t.Errorf("a frame of type %d is taken outside a channel", frame[0])
			}
		}
		// Neither its own working key nor the victim's, which it only knows of, makes
		// it a process that is let in.
		for _, w := range [][32]byte{[32]byte(thief.working.Public().(ed25519.PublicKey)), ann.room.workingID} {
			if ann.room.Admits(thief.self, w) {
				t.Error("its own key would be let in")
			}
		}
		// The victim itself is given what it missed.
		n.stop(thief.node)
		n.connect(vic, ann)
		n.allHear(15*time.Second, "after vic went offline", vic)
	})
	t.Run("taking part", func(t *testing.T) {
		n := newNetwork(t, 42)
		all := n.party("ann", "bob", "cyn")
		ann, bob, vic := all[0], all[1], all[2]
		n.disconnect(bob, vic)
		thief := n.start("thief", true, vic.room.cfg.Identity)
		n.connect(thief, bob)
		n.until(20*time.Second, "the thief is in", func() bool { return together(ann, bob, thief) })
		n.run(time.Minute)
		if !together(ann, bob, thief) {
			t.Errorf("members differ:\n%s", n.describe())
		}
		if len(vic.failed) != 1 || !errors.Is(vic.failed[0].Err, ErrSuperseded) {
			t.Errorf("the victim was told %v", vic.failed)
		}
		if vic.room.head != nil && vic.room.maySend() {
			t.Error("the victim still sends")
		}
		vic.say("anybody?")
		n.run(10 * time.Second)
	})
}

// toldNothing checks that nothing was sent on a stream that only a process may be
// told.
func (x *spy) toldNothing(t *testing.T, id StreamID) {
	t.Helper()
	for _, typ := range []byte{record.FrameTerms, record.FrameTranscript, record.FrameLog, record.FrameHave, record.FrameSecret, record.FrameTold} {
		if k := len(x.got(id, typ)); k > 0 {
			t.Errorf("the thief was given %d frames of type %d", k, typ)
		}
	}
}

// TestTwoStolenDisks: a thief has the identity keys of two members, and nothing of
// what their processes have in memory. To cyn it passes for ann, and is given cyn's
// hello; to ann it then passes for cyn, with that hello.
func TestTwoStolenDisks(t *testing.T) {
	n := newNetwork(t, 43)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	asAnn := n.addSpy("thief as ann", ann.room.cfg.Identity)
	n.connect(asAnn.node, cyn)
	n.run(time.Second)
	id := asAnn.open(cyn, ProtocolSync, (&record.Hello{Room: n.desc.ID()}).Encode())
	n.run(2 * time.Second)
	hellos := asAnn.got(id, record.FrameHello)
	if len(hellos) == 0 {
		t.Fatal("cyn said no hello: the test shows nothing")
	}
	n.stop(asAnn.node)
	n.run(10 * time.Second)
	bob.say("said long after")
	n.allHear(10*time.Second, "said long after", ann, cyn)
	n.run(5 * time.Minute)

	asCyn := n.addSpy("thief as cyn", cyn.room.cfg.Identity)
	n.connect(asCyn.node, ann)
	n.run(time.Second)
	ask := &record.Ask{Terms: []ake.Hash{ann.own(), bob.own(), cyn.own()}, Logs: true}
	for _, hello := range [][]byte{
		append([]byte{record.FrameHello}, hellos[0]...),
		cyn.helloTo(ann), // as it would be inside a channel
	} {
		id = asCyn.open(ann, ProtocolSync, hello, ask.Encode(), []byte{record.FrameDone})
		n.run(5 * time.Second)
		if len(asCyn.got(id, record.FrameDone)) == 0 {
			t.Fatal("ann did not answer: the test shows nothing")
		}
		asCyn.toldNothing(t, id)
	}
}

// TestMirror: a thief has the identity key of one member, vic, and nothing else. It
// connects with vic's own process, as vic, to be told what vic says to vic.
func TestMirror(t *testing.T) {
	n := newNetwork(t, 44)
	all := n.party("ann", "bob", "vic")
	ann, bob, vic := all[0], all[1], all[2]
	thief := n.addSpy("thief as vic", vic.room.cfg.Identity)
	n.connect(thief.node, vic)
	n.run(time.Second)
	bob.say("said to all")
	n.allHear(10*time.Second, "said to all", ann, vic)
	day := vic.day().own
	for protocol, frames := range map[string][][]byte{
		ProtocolSync:  {(&record.Hello{Room: n.desc.ID()}).Encode(), (&record.Ask{Logs: true}).Encode()},
		ProtocolProve: {record.EncodeFields(record.FrameProve1, day.contribution.Append(nil), vic.room.presence.Append(nil))},
		ProtocolAsk:   {{record.FrameQuestion}},
	} {
		id := thief.open(vic, protocol, frames...)
		n.run(2 * time.Second)
		if len(thief.frames[id]) > 0 || !thief.over[id] {
			t.Errorf("on %s vic answers to its own name with %d frames", protocol, len(thief.frames[id]))
		}
	}
	for _, w := range [][32]byte{vic.room.workingID, [32]byte(thief.working.Public().(ed25519.PublicKey))} {
		if vic.room.Admits(vic.room.self, w) {
			t.Error("vic would have a channel with itself")
		}
	}
}

// TestForgedDisk: whoever can write a member's disk puts words into another's mouth there, and
// nowhere else: others check the signature, and go on with that member.
func TestForgedDisk(t *testing.T) {
	n := newNetwork(t, 46)
	all := n.party("ann", "cyn")
	ann, cyn := all[0], all[1]
	var disk memJournal
	identity := newIdentity(n.seed32())
	bob := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(bob, ann)
	n.connect(bob, cyn)
	n.until(20*time.Second, "one", func() bool { return together(ann, bob, cyn) })
	ann.say("what ann said")
	n.allHear(5*time.Second, "what ann said", bob, cyn)
	n.stop(bob)
	forged := 0
	for i, s := range disk.order {
		if m, err := record.ParseLog(s.Data); s.Author != Head && s.Counter > 0 && err == nil && m.CID == ann.own() {
			m.Text = "what a thief wrote"
			disk.order[i] = NewSaved(n.desc.ID(), s.Epoch, s.Author, m, s.At)
			forged++
		}
	}
	if forged != 1 {
		t.Fatalf("%d messages were changed", forged)
	}
	again := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(again, ann)
	n.connect(again, cyn)
	n.until(20*time.Second, "one again", func() bool { return together(ann, again, cyn) })
	n.run(time.Minute)
	for _, s := range all {
		if s.heard("what a thief wrote") {
			t.Errorf("%s took it", s.name)
		}
	}
	again.say("by bob")
	n.allHear(5*time.Second, "by bob", all...)
}

// TestMisplacedOnDisk: what lies on a disk under another epoch, or as another author's, is not
// taken for that.
func TestMisplacedOnDisk(t *testing.T) {
	n := newNetwork(t, 47)
	ann := n.add("ann", true)
	var disk memJournal
	identity := newIdentity(n.seed32())
	bob := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
	n.connect(bob, ann)
	n.until(20*time.Second, "one", func() bool { return together(ann, bob) })
	ann.say("what ann said")
	n.allHear(5*time.Second, "what ann said", bob)
	bob.say("what bob said")
	n.allHear(5*time.Second, "what bob said", ann)
	n.stop(bob)
	was := disk.order
	start := func() *simNode {
		s := n.startOn(&disk, "bob", always, identity, n.seed32(), 0)
		n.stop(s)
		return s
	}
	if again := start(); len(again.room.logs.transcripts) != 1 || !again.heard("what ann said") {
		t.Fatal("it is not read back: the test shows nothing")
	}
	other := ake.Sum("another epoch")
	disk.order = nil
	for _, s := range was {
		s.Epoch = other
		disk.order = append(disk.order, s)
	}
	if again := start(); len(again.room.logs.transcripts) != 0 || again.heard("what ann said") {
		t.Error("an epoch is taken for another")
	}
	disk.order = nil
	for _, s := range was {
		if s.Author != Head {
			s.Author = 1 - s.Author
		}
		disk.order = append(disk.order, s)
	}
	if again := start(); again.heard("what ann said") || again.heard("what bob said") {
		t.Error("an author is taken for another")
	}
}
