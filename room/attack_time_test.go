package room

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// near begins a network so long before midnight.
func near(t *testing.T, seed uint64, before time.Duration) (n *network, midnight time.Time) {
	n = newNetwork(t, seed)
	midnight = n.now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	n.now = midnight.Add(-before)
	return n, midnight
}

// TestDayChange: at midnight everybody has renewed, one commit or a few begin
// the new day's epoch, and messages go through all the time.
func TestDayChange(t *testing.T) {
	n, midnight := near(t, 61, 40*time.Minute)
	all := n.party("ann", "bob", "cyn", "dan")
	n.run(midnight.Sub(n.now) - 5*time.Second)
	before := n.commits
	for i := range 20 {
		all[i%4].say(fmt.Sprint("number ", i))
		n.run(500 * time.Millisecond)
	}
	n.until(10*time.Second, "the new day's epoch", func() bool {
		return together(all...) && all[0].room.head.commit.Period == dayOf(midnight)
	})
	for i := range 20 {
		n.allHear(time.Second, fmt.Sprint("number ", i), all...)
	}
	if k := n.commits - before; k > 4 {
		t.Errorf("%d commits at midnight", k)
	}
	n.run(70 * time.Minute)
	if k := len(all[0].room.days); k != 1 {
		t.Errorf("%d days are kept", k)
	}
	if !together(all...) {
		t.Errorf("%s", n.describe())
	}
}

// TestLapsedStays: a member whose key lapses at midnight, and who goes on as if
// it did not, with all it knows, is in no list of the new day and reads nothing
// of it: not by committing for the old day, not by asking.
func TestLapsedStays(t *testing.T) {
	n, midnight := near(t, 62, 30*time.Minute)
	day := dayOf(n.now)
	all := n.party("ann", "bob", "cyn")
	seed := n.seed32()
	lapsed := n.startValid("lapsed", func(d abe.Day) bool { return d <= day.Day() }, newIdentity(n.seed32()), seed, 0)
	for _, s := range all {
		n.connect(lapsed, s)
	}
	n.until(20*time.Second, "it is in", func() bool { return together(append(all, lapsed)...) })
	n.run(midnight.Sub(n.now) - time.Minute)
	old := lapsed.room.head
	if old.list.Index(lapsed.room.days[day].own.cid) < 0 {
		t.Fatal("it is out before midnight: the test shows nothing")
	}
	// Whoever has not proved itself for the new day counts until two minutes after
	// midnight, and no longer.
	n.run(2 * time.Minute)
	for _, s := range all {
		if h := s.room.head; h.commit.Period != day || !s.room.maySend() {
			t.Errorf("%s left it out a minute after midnight, or waits", s.name)
		}
	}
	n.run(time.Minute)
	n.until(10*time.Second, "the new day's epoch", func() bool { return together(all...) })
	heads := make(map[ake.Hash]bool)
	for i := range 8 {
		// A commit for the old day, listing everybody, higher each time.
		g := lapsed.room.days[day]
		if g != nil {
			r := lapsed.room
			list := r.nextList(g)
			if err := r.commit(g, list); err != nil {
				t.Fatal(err)
			}
			n.drain(lapsed)
			n.run(100 * time.Millisecond)
			for _, s := range all {
				if s.room.head.commit.Period != day+1 {
					t.Fatalf("%s has a head of the old day", s.name)
				}
			}
			// It asks, as the process it is, for what members of the new day get.
			// As long as it is a member of the old day, it has a channel.
			if g != nil {
				asks := n.insider(lapsed, all[1])
				ask := &record.Ask{Terms: []ake.Hash{all[0].own(), all[2].own()}}
				id := asks.open(all[1], ProtocolSync, asks.helloTo(all[1]), ask.Encode())
				want := asks.open(all[1], ProtocolSync, record.EncodeWant([]ake.Hash{all[1].room.head.commit.ID()}))
				n.run(time.Second)
				if len(asks.got(id, record.FrameDone)) != 1 || len(asks.got(want, record.FrameDone)) != 1 {
					t.Fatal("it was not answered: the test shows nothing")
				}
				if len(asks.got(id, record.FrameTerms))+len(asks.got(want, record.FrameTerms)) > 0 {
					t.Error("it was given terms of the new day")
				}
				if len(asks.got(want, record.FrameSecret)) > 0 {
					t.Error("it was given the secret of the new day's epoch")
				}
				n.stop(asks.node)
				n.connect(lapsed, all[1])
			}
		}
		text := fmt.Sprint("new day ", i)
		all[i%3].say(text)
		n.allHear(5*time.Second, text, all...)
		n.run(10 * time.Minute)
		for _, s := range all {
			h := s.room.head
			heads[h.commit.ID()] = true
			if h.commit.Period != day+1 {
				t.Fatalf("%s has a head of the old day", s.name)
			}
			for _, m := range h.list {
				if m.Identity == lapsed.room.identity {
					t.Fatalf("%s lists it", s.name)
				}
			}
		}
		if lapsed.heard(text) {
			t.Errorf("it was given %q", text)
		}
	}
	g := lapsed.room.days[day+1]
	for cid, node := range g.nodes {
		if node.term != nil && cid != g.own.cid {
			t.Error("it has a term of the new day")
		}
	}
	for id := range heads {
		if e := lapsed.room.commits[id]; e != nil && e.keys != nil {
			t.Error("it has the keys of a new day's epoch")
		}
	}
}

// TestHourlyRotation: a calm room makes one commit an hour, after which nobody
// has the old epoch's keys.
func TestHourlyRotation(t *testing.T) {
	n := newNetwork(t, 63)
	all := n.party("ann", "bob", "cyn", "dan")
	for hour := range 2 {
		before := n.commits
		was := all[0].room.head.commit.ID()
		n.run(time.Hour)
		n.run(5 * time.Minute)
		if k := n.commits - before; k < 1 || k > 2 {
			t.Errorf("hour %d: %d commits", hour, k)
		}
		if !together(all...) {
			t.Fatalf("hour %d:\n%s", hour, n.describe())
		}
		for _, s := range all {
			if e := s.room.commits[was]; s.room.head.commit.ID() == was || e != nil && e.keys != nil {
				t.Errorf("hour %d: %s has the keys of the hour before", hour, s.name)
			}
			for id, e := range s.room.commits {
				if e.keys != nil && e != s.room.head {
					t.Errorf("hour %d: %s has the keys of %x", hour, s.name, id[:4])
				}
			}
		}
	}
	all[0].say("after hours")
	n.allHear(2*time.Second, "after hours", all...)
}

// TestChangingAddresses: a process whose addresses change all the time, as on the
// road, stays in its room, and the hour's rotation goes through.
func TestChangingAddresses(t *testing.T) {
	n := newNetwork(t, 64)
	all := n.party("ann", "bob")
	ann := all[0]
	for i := range 100 {
		n.run(90 * time.Second)
		ann.room.SetAddresses(ann.clock(), [][]byte{binary.BigEndian.AppendUint32([]byte{4}, uint32(i))})
		n.drain(ann)
	}
	n.run(20 * time.Second)
	if !together(all...) {
		t.Errorf("%s", n.describe())
	}
	ann.say("still here")
	n.allHear(2*time.Second, "still here", all...)
	cyn := n.add("cyn", true)
	n.connect(cyn, all[1])
	n.until(20*time.Second, "cyn is in", func() bool { return together(append(all, cyn)...) })
}

// TestMisbehaviour: who signs two presences with one serial is excluded by all,
// also if it shows each of them another two, and cannot come back.
func TestMisbehaviour(t *testing.T) {
	n := newNetwork(t, 65)
	all := n.party("ann", "bob", "cyn", "mal")
	mal, others := all[3], all[:3]
	bodies := make([]record.Record, 6)
	for i := range bodies {
		p := &record.Presence{Serial: 100, Addresses: [][]byte{{4, byte(i)}}}
		p.Sign(n.desc.ID(), mal.room.working)
		bodies[i] = p
	}
	for i, s := range others {
		s.take(record.EncodeRecords(bodies[2*i : 2*i+2])...)
		n.drain(s)
	}
	n.until(30*time.Second, "an epoch without mal", func() bool { return together(others...) })
	n.run(2 * time.Minute)
	if !together(others...) {
		t.Errorf("%s", n.describe())
	}
	if k := n.commits; k > 12 {
		t.Errorf("%d commits", k)
	}
	others[0].say("without mal")
	n.allHear(2*time.Second, "without mal", others...)
	if mal.heard("without mal") {
		t.Error("mal reads")
	}
	// A newcomer learns it, too.
	dan := n.add("dan", true)
	n.connect(dan, others[1])
	n.until(20*time.Second, "dan is in", func() bool { return together(append(others, dan)...) })
}

// TestManyPresences: an insider who shows each member other presences of its own
// does not keep them from one epoch.
func TestManyPresences(t *testing.T) {
	n := newNetwork(t, 66)
	all := n.party("ann", "bob", "cyn")
	mal := n.add("mal", true)
	presence := func(serial uint64) record.Record {
		p := &record.Presence{Serial: serial}
		p.Sign(n.desc.ID(), mal.room.working)
		return p
	}
	n.connectAll()
	n.until(20*time.Second, "mal is in", func() bool { return together(append(all, mal)...) })
	n.run(time.Minute)
	// Ann is shown one presence and commits; then bob, cyn and, after them, ann
	// are shown many others.
	ann := all[0]
	ann.take(record.EncodeRecords([]record.Record{presence(500)})...)
	list := ann.room.nextList(ann.day())
	if err := ann.room.commit(ann.day(), list); err != nil {
		t.Fatal(err)
	}
	for i, s := range []*simNode{all[1], all[2], ann} {
		var many []record.Record
		for k := range 40 {
			many = append(many, presence(uint64(1000*(i+1)+k)))
		}
		s.take(record.EncodeRecords(many)...)
		n.drain(s)
	}
	n.stop(mal)
	n.run(20 * time.Second)
	heads := make(map[ake.Hash]bool)
	for _, s := range all {
		heads[s.room.head.commit.ID()] = true
	}
	if len(heads) != 1 {
		t.Errorf("%d heads:\n%s", len(heads), n.describe())
	}
	all[0].say("one room")
	n.allHear(5*time.Second, "one room", all...)
}

// TestAloneOvernight: who is left alone before midnight, when the others have
// left, is there the next day, and has no keys of the day before.
func TestAloneOvernight(t *testing.T) {
	n, _ := near(t, 67, 40*time.Minute)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	n.run(5 * time.Minute)
	bob.leave()
	n.run(time.Second)
	n.stop(bob)
	n.run(5 * time.Hour)
	if h := ann.room.head; h == nil || h.keys != nil {
		t.Error("ann has the keys of yesterday's epoch")
	}
	for _, e := range ann.room.commits {
		if e.d != nil {
			t.Error("ann has the secret of an epoch")
		}
	}
	again := n.start("bob", true, bob.room.cfg.Identity)
	n.connect(again, ann)
	n.until(20*time.Second, "one epoch", func() bool { return together(ann, again) })
}

// TestAloneAfterItsDay: who was left alone, and stays until the day of its head is
// forgotten, then comes into another group.
func TestAloneAfterItsDay(t *testing.T) {
	for seed := range uint64(8) {
		n, midnight := near(t, 900+seed, 30*time.Minute)
		all := n.party("ann", "bob")
		ann, bob := all[0], all[1]
		bob.room.Leave(bob.clock())
		n.drain(bob)
		n.run(time.Second)
		n.stop(bob)
		n.run(midnight.Sub(n.now) + 70*time.Minute)
		if h := ann.room.head; h == nil || ann.room.days[h.commit.Period] != nil {
			t.Fatal("the day of its head is not forgotten: the test shows nothing")
		}
		cyn, dan := n.add("cyn", true), n.add("dan", true)
		n.connect(cyn, dan)
		n.until(20*time.Second, "two are together", func() bool { return together(cyn, dan) })
		n.connect(ann, cyn)
		n.until(20*time.Second, "three are together", func() bool { return together(ann, cyn, dan) })
	}
}
