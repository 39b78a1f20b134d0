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

// A stranger is a spy with a contribution, and an encapsulation that is well formed
// and does not open.
type stranger struct {
	*spy
	contribution *record.Contribution
	enc          []byte
}

func (n *network) strangers(k int) []*stranger {
	day := dayOf(n.now)
	var out []*stranger
	for i := range k {
		x := &stranger{spy: n.addSpy(fmt.Sprint("stranger ", i), nil)}
		x.contribution = x.contribute(day, 1, func(ctx *ake.Context) *ake.Encapsulated {
			x.enc = fakeEncapsulation(floodSeed(i), ctx)
			x.enc[fakeSize-1] ^= 1
			return fakeDerive(floodSeed(i), ctx, x.enc)
		})
		out = append(out, x)
	}
	return out
}

// introduction is the first message of a proof.
func (x *stranger) introduction() []byte {
	return record.EncodeFields(record.FrameProve1, x.contribution.Append(nil), x.presence().Append(nil))
}

// pretend says that it is one of three, and answers proofs if it is to.
func (x *stranger) pretend(answers bool) {
	x.answer = func(id StreamID, data []byte) {
		switch data[0] {
		case record.FrameHello:
			h := &record.Hello{Room: x.node.net.desc.ID(), Days: []record.HelloDay{{Period: x.contribution.Period, CID: x.contribution.ID(), Size: 3}}}
			x.send(id, h.Encode(), (&record.Ask{}).Encode(), []byte{record.FrameDone})
		case record.FrameProve1:
			if answers {
				x.send(id, record.EncodeFields(record.FrameProve2, x.contribution.Append(nil), x.presence().Append(nil), x.enc))
			}
		}
	}
}

// churn opens a proof with each of some again and again, and says no more than who
// it is.
func (x *stranger) churn(every time.Duration, stop *bool, all ...*simNode) {
	n := x.node.net
	last := make(map[*simNode]StreamID)
	var again func()
	again = func() {
		if *stop {
			return
		}
		for _, m := range all {
			if id := last[m]; id != 0 {
				x.out.Hang = append(x.out.Hang, Hang{Stream: id, Reset: true})
				n.drain(x.node)
			}
			last[m] = x.open(m, ProtocolProve, x.introduction())
		}
		n.at(every, again)
	}
	n.at(time.Duration(n.rng.Int64N(int64(every))), again)
}

// strangeCommit is one of a committer nobody knows, with a list of so many.
func strangeCommit(day abe.Period, k, members, evidence int) *record.Commit {
	hash := func(what string, i int) ake.Hash {
		var b [8]byte
		binary.BigEndian.PutUint32(b[:], uint32(k))
		binary.BigEndian.PutUint32(b[4:], uint32(i))
		return ake.Sum(what, b[:])
	}
	var list record.List
	for i := range members {
		list = append(list, record.Entry{Identity: [32]byte(hash("id", i)), CID: hash("cid", i)})
	}
	list.Sort()
	c := &record.Commit{Brief: record.Brief{Header: record.Header{Period: day, Height: 1, By: list[0].CID, Members: uint32(members), List: list.Hash()}}}
	var ev []record.Evidence
	for i := range evidence {
		ev = append(ev, record.Evidence{Kind: record.EvidenceLeft, CID: hash("gone", i)})
	}
	c.SetEvidence(ev)
	c.ComputeID()
	return c.Whole(list, nil)
}

// enters connects a newcomer with a room of members, and returns how long it takes
// until all are in one epoch.
func (n *network) enters(limit time.Duration, new *simNode, all ...*simNode) time.Duration {
	n.t.Helper()
	for _, m := range all {
		n.connect(new, m)
	}
	return n.until(limit, "the newcomer is in", func() bool { return together(append([]*simNode{new}, all...)...) })
}

// TestSlotChurn: outsiders that open proofs with members all the time, and say no
// more than who they are, keep nobody out.
func TestSlotChurn(t *testing.T) {
	for _, c := range []struct {
		strangers int
		limit     time.Duration
	}{{12, 3 * time.Second}, {40, 3 * time.Second}, {400, 15 * time.Second}} {
		t.Run(fmt.Sprint(c.strangers), func(t *testing.T) {
			var longest time.Duration
			runs := uint64(3)
			if testing.Short() {
				runs = 1
			}
			for seed := range runs {
				n := newNetwork(silentTB{t}, 300+seed)
				n.maxSteps = 50_000_000
				all := n.party("ann", "bob")
				stop := false
				for _, x := range n.strangers(c.strangers) {
					for _, m := range all {
						n.connect(x.node, m)
					}
					x.churn(100*time.Millisecond, &stop, all...)
				}
				n.run(5 * time.Second)
				new := n.add("new", true)
				n.run(500 * time.Millisecond)
				longest = max(longest, n.enters(c.limit, new, all...))
				for _, m := range all {
					if k := len(m.room.proofs.idleSince); k > maxIdlers || len(m.room.proofs.idleOrder) > maxIdlers {
						t.Errorf("%d idlers are remembered", k)
					}
				}
				stop = true
			}
			t.Logf("a join takes at most %v", longest)
		})
	}
}

// TestStalledJoin: outsiders say that they are in the room, and answer no proof, or
// with an encapsulation that does not open. Who came by an honest peer does not wait
// for them. Who did not waits for those that do not open, six a minute.
func TestStalledJoin(t *testing.T) {
	for _, c := range []struct {
		strangers int
		answers   bool
		cameBy    bool
		limit     time.Duration
	}{
		{20, false, true, 3 * time.Second},
		{40, false, true, 3 * time.Second},
		{40, true, true, 3 * time.Second},
		{20, false, false, 5 * time.Second},
		{40, false, false, 5 * time.Second},
		{40, true, false, 8 * time.Minute},
	} {
		t.Run(fmt.Sprintf("%d, answering %v, by a peer %v", c.strangers, c.answers, c.cameBy), func(t *testing.T) {
			var longest, sum time.Duration
			const runs = 8 // with other seeds
			for seed := range uint64(runs) {
				n := newNetwork(silentTB{t}, 320+seed)
				all := n.party("ann", "bob")
				new := n.add("new", true)
				if c.cameBy {
					new.room.AddFirstPeer(all[0].room.self)
				}
				n.run(time.Second)
				for _, x := range n.strangers(c.strangers) {
					x.pretend(c.answers)
					n.connect(new, x.node)
				}
				n.run(200 * time.Millisecond) // they are first
				if c.cameBy {
					n.run(20 * time.Second) // and have used up what others may
				}
				opens := new.opens
				if c.answers && c.cameBy && opens != maxDialsAMinute {
					t.Fatalf("%d openings: the test shows nothing", opens)
				}
				took := n.enters(c.limit, new, all...)
				sum, longest = sum+took, max(longest, took)
				if c.cameBy && new.opens > opens+1 {
					t.Errorf("%d openings", new.opens-opens)
				}
			}
			t.Logf("a join takes %v on average, %v at most", sum/runs, longest)
		})
	}
}

// TestSlowAnswers: where answers take longer than a newcomer waits for one before
// it tries others, it opens one all the same.
func TestSlowAnswers(t *testing.T) {
	n := newNetwork(t, 340)
	all := n.party("ann", "bob", "cyn", "dan")
	n.delay = time.Second
	new := n.add("new", true)
	n.run(time.Second)
	opens := n.opens
	took := n.enters(time.Minute, new, all...)
	if n.opens != opens+2 {
		t.Errorf("%d openings in a join of %v", n.opens-opens, took)
	}
}

// TestPendingFloodRates: commits of committers that nobody knows, on the topic,
// delay neither a leave nor a join, and are not passed on.
func TestPendingFloodRates(t *testing.T) {
	for _, per := range []int{0, 4, 50} { // each 100 ms
		t.Run(fmt.Sprint(per*10, " a second"), func(t *testing.T) {
			n := newNetwork(t, 350)
			n.maxSteps = 50_000_000
			all := n.party("ann", "bob", "cyn", "dan")
			day := all[0].room.today()
			x, far := n.addSpy("outsider", nil), n.addSpy("recorder", nil)
			n.connect(x.node, all[0])
			n.connect(far.node, all[1])
			n.run(time.Second)
			k, stop := 0, false
			var flood func()
			flood = func() {
				if stop {
					return
				}
				for range per {
					k++
					x.out.Publish = append(x.out.Publish, record.Encode(strangeCommit(day, k, 2, 0)))
				}
				n.drain(x.node)
				n.at(100*time.Millisecond, flood)
			}
			flood()
			n.run(20 * time.Second)
			all[3].leave()
			in := all[:3]
			leave := n.until(time.Second, "an epoch without the leaver", func() bool { return together(in...) })
			new := n.add("new", true)
			n.run(time.Second)
			join := n.enters(3*time.Second, new, in...)
			t.Logf("a leave takes %v, a join %v; %d commits are kept", leave, join, len(in[0].room.commits))
			stop = true
			for _, b := range far.traffic {
				if b[0] == record.TypeCommit && n.hostile[string(b)] {
					t.Fatal("a commit by a stranger was passed on")
				}
			}
			for _, s := range in {
				if len(s.room.commits) > 8 || len(s.room.waiting.commits) > maxWaitingCommits {
					t.Errorf("%s keeps %d commits and %d of strangers", s.name, len(s.room.commits), len(s.room.waiting.commits))
				}
			}
		})
	}
}

// TestPendingMemory: an outsider's largest commits take a few megabytes.
func TestPendingMemory(t *testing.T) {
	n := newNetwork(t, 360)
	all := n.party("ann", "bob")
	ann := all[0]
	x := n.addSpy("outsider", nil)
	n.connect(x.node, ann)
	n.run(time.Second)
	day := ann.room.today()
	sent := 0
	for k := range 300 {
		f := record.EncodeRecords([]record.Record{strangeCommit(day, k, record.MaxMembers, record.MaxMembers)})
		sent += len(f[0])
		id := ann.next
		ann.next += 2
		ann.room.StreamOpened(ann.clock(), id, x.self, [32]byte{}, ProtocolSync)
		ann.room.StreamFrame(ann.clock(), id, f[0])
		ann.room.StreamClosed(ann.clock(), id)
	}
	held := 0
	for _, c := range ann.room.waiting.commits {
		held += len(c.Append(nil))
	}
	for _, rec := range ann.room.waiting.records {
		held += len(record.Encode(rec))
	}
	for _, e := range ann.room.commits {
		held += len(e.commit.Append(nil)) + 96*len(e.list)
	}
	t.Logf("of %d MiB sent, %d KiB are held", sent>>20, held>>10)
	if held > 4<<20 {
		t.Errorf("%d bytes are held", held)
	}
}

// TestOldDayHandshake: a proof for the day before that ends after that day was
// forgotten ends nothing else.
func TestOldDayHandshake(t *testing.T) {
	for _, upto := range []byte{record.FrameProve1, record.FrameProve3, record.FrameProve4} {
		t.Run(fmt.Sprint("after message ", upto), func(t *testing.T) {
			n := newNetwork(t, 370)
			n.now = time.Date(2026, 11, 23, 23, 45, 0, 0, time.UTC)
			all := n.party("ann", "bob")
			ann := all[0]
			yesterday := ann.room.today()
			n.run(time.Date(2026, 11, 24, 0, 59, 57, 0, time.UTC).Sub(n.now))
			x := n.addSpy("eve", nil)
			n.connect(x.node, ann)
			n.run(100 * time.Millisecond)
			suite := &fakeSuite{node: x.node, satisfies: always}
			var enc []byte
			c := x.contribute(yesterday, 7, func(ctx *ake.Context) *ake.Encapsulated {
				m, err := suite.Encapsulate(ake.Secret{}, ctx, nil)
				if err != nil {
					t.Fatal(err)
				}
				enc = m.Bytes
				return m
			})
			late := func() {
				n.run(time.Date(2026, 11, 24, 1, 0, 2, 0, time.UTC).Sub(n.now))
				if ann.room.days[yesterday] != nil {
					t.Fatal("yesterday is not over: the test shows nothing")
				}
			}
			id := x.open(ann, ProtocolProve, record.EncodeFields(record.FrameProve1, c.Append(nil), x.presence().Append(nil)))
			n.run(500 * time.Millisecond)
			two := x.got(id, record.FrameProve2)
			if len(two) != 1 {
				t.Fatal("it was not answered: the test shows nothing")
			}
			f, err := record.ParseFields(two[0])
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := record.ParseContribution(f[0])
			if err != nil {
				t.Fatal(err)
			}
			theirs.ComputeID(n.desc.ID())
			opened, err := suite.Open(theirs.Context(n.desc.ID()), nil, f[2])
			if err != nil {
				t.Fatal(err)
			}
			mac := opened.Proof.Answer(ake.Newcomer, c.ID(), theirs.ID())
			switch upto {
			case record.FrameProve1:
				late()
			case record.FrameProve3: // it is being opened while the day ends
				n.run(time.Date(2026, 11, 24, 0, 59, 59, 990e6, time.UTC).Sub(n.now))
			}
			x.send(id, record.EncodeFields(record.FrameProve3, mac[:], enc))
			n.drain(x.node)
			n.run(500 * time.Millisecond)
			if upto == record.FrameProve4 && len(x.got(id, record.FrameProve4)) != 1 {
				t.Fatal("no message 4: the test shows nothing")
			}
			late()
			x.send(id, record.EncodeFields(record.FrameProve5, x.edge(yesterday, c.ID(), theirs.ID()).Append(nil)))
			n.drain(x.node)
			n.run(5 * time.Second)
			if !x.over[id] {
				t.Error("the stream goes on")
			}
			bobSays := "all is well"
			all[1].say(bobSays)
			n.allHear(time.Second, bobSays, ann)
		})
	}
}

// TestLeaveFlood: of one that misbehaved, or left, one word is enough; and no beat
// goes over the topic.
func TestLeaveFlood(t *testing.T) {
	n := newNetwork(t, 380)
	all := n.party("ann", "bob", "eve")
	ann, eve := all[0], all[2]
	signed := func(serial uint64, left bool, addrs ...[]byte) *record.Presence {
		p := &record.Presence{Serial: serial, Left: left, Addresses: addrs}
		p.Sign(n.desc.ID(), eve.room.working)
		return p
	}
	count := func(of func(i int) []byte) (accepted int) {
		for i := range 5000 {
			if ann.room.Publication(n.now, eve.room.self, of(i)) == Accept {
				accepted++
			}
		}
		return accepted
	}
	base := uint64(n.now.UnixMilli())
	if k := count(func(i int) []byte {
		b := &record.Beat{Serial: base + uint64(i)}
		b.Sign(n.desc.ID(), eve.room.working)
		return b.Append([]byte{record.TypeBeat})
	}); k != 0 {
		t.Errorf("%d beats were passed on", k)
	}
	ann.takeFrom(record.EncodeRecords([]record.Record{signed(50, false, []byte{1}), signed(50, false, []byte{2})})[0], eve)
	if !ann.room.process(eve.room.workingID).misbehaved {
		t.Fatal("it did not misbehave: the test shows nothing")
	}
	if k := count(func(i int) []byte { return record.Encode(signed(uint64(100+i), true)) }); k != 0 {
		t.Errorf("%d leaves of one that misbehaved were passed on", k)
	}
	bob := all[1]
	eve = bob
	if k := count(func(i int) []byte { return record.Encode(signed(uint64(100+i), true)) }); k != 1 {
		t.Errorf("%d leaves of one that left were passed on", k)
	}
}

// TestHaveOfNothing: a member that says it holds none of a log, with a hash all the
// same, ends nobody's process.
func TestHaveOfNothing(t *testing.T) {
	n := newNetwork(t, 390)
	all := n.party("ann", "bob", "eve")
	ann, bob, eve := all[0], all[1], all[2]
	ann.say("hello")
	n.allHear(time.Second, "hello", bob, eve)
	epoch := ann.room.head.commit.ID()
	x := n.insider(eve, ann)
	held := make([]record.Held, 3)
	for i := range held {
		held[i].Chain = [record.ChainSize]byte{1}
	}
	ask := &record.Ask{Logs: true}
	id := x.open(ann, ProtocolSync, x.helloTo(ann), ask.Encode(), (&record.Have{Epoch: epoch, Held: held}).Encode())
	n.run(time.Second)
	if !x.over[id] {
		t.Error("it was taken")
	}
	// One that is well formed, of an author who has said nothing, is another way there.
	for i := range held {
		held[i].Upto = 1
	}
	x.open(ann, ProtocolSync, x.helloTo(ann), ask.Encode(), (&record.Have{Epoch: epoch, Held: held}).Encode())
	n.run(time.Second)
	bob.say("still here?")
	n.allHear(time.Second, "still here?", ann)
}

// TestEdgesToNowhere: an insider vouches for thousands that there are not: they
// occupy no place, and a newcomer comes in.
func TestEdgesToNowhere(t *testing.T) {
	n := newNetwork(t, 391)
	all := n.party("ann", "bob", "eve")
	eve, in := all[2], all[:2]
	day := eve.room.today()
	for k := 0; k < maxNodes+8; k += 256 {
		var recs []record.Record
		for i := k; i < k+256; i++ {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], uint32(i))
			e := &record.Edge{Period: day, From: eve.own(), To: ake.Sum("nowhere", b[:])}
			e.Sign(n.desc.ID(), eve.room.working)
			recs = append(recs, e)
		}
		for _, v := range in {
			for _, f := range record.EncodeRecords(recs) {
				v.takeFrom(f, eve)
			}
		}
	}
	for _, v := range in {
		if g := v.day(); len(g.nodes) != 3 || len(g.promised) > maxPromised || len(g.edges) > 6 {
			t.Errorf("%s keeps %d nodes, %d edges and %d that are promised", v.name, len(g.nodes), len(g.edges), len(g.promised))
		}
	}
	new := n.add("new", true)
	n.run(time.Second)
	t.Logf("a join takes %v", n.enters(3*time.Second, new, all...))
}

// TestFortyOutsiders: forty at once that do all that outsiders can. -crowd.seed tries others.
func TestFortyOutsiders(t *testing.T) {
	n := newNetwork(t, 100+*crowdSeed)
	n.maxSteps = 50_000_000
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprint("p", i))
	}
	all := n.party(names...)
	day := all[0].room.today()
	stop := false
	strangers := n.strangers(40)
	for i, x := range strangers {
		x.pretend(i%2 == 0)
		for _, m := range all {
			n.connect(x.node, m)
		}
		x.churn(time.Second, &stop, all...)
		k := 0
		var flood func()
		flood = func() {
			if stop {
				return
			}
			{
				k++
				commit := strangeCommit(day, i<<16|k, 2, 0)
				message := &record.Message{Epoch: ake.Sum("flood", []byte{byte(i), byte(k), byte(k >> 8)}), Sealed: make([]byte, 256+16)}
				from := ake.Sum("nobody", []byte{byte(i), byte(k), byte(k >> 8)})
				join := &record.Join{
					Contribution: x.contribution, Presence: x.presence(), Encapsulation: x.enc,
					In: x.edge(day, from, x.contribution.ID()), Out: x.edge(day, x.contribution.ID(), from),
				}
				x.out.Publish = append(x.out.Publish, record.Encode(commit),
					message.Append([]byte{record.TypeMessage}), join.Append([]byte{record.TypeJoin}))
				x.open(all[k%len(all)], ProtocolSync, record.EncodeRecords([]record.Record{commit, x.contribution, x.presence(), join.Out})...)
				x.open(all[k%len(all)], ProtocolAsk, []byte{record.FrameQuestion})
			}
			n.drain(x.node)
			n.at(time.Second, flood)
		}
		n.at(time.Duration(n.rng.Int64N(int64(time.Second))), flood)
	}
	n.run(5 * time.Second)
	may, of := 0, 0
	joins := 4
	if testing.Short() {
		joins = 1
	}
	look := func(d time.Duration) {
		for end := n.now.Add(d); n.now.Before(end); n.run(50 * time.Millisecond) {
			for _, s := range all {
				if of++; s.room.maySend() {
					may++
				}
			}
		}
	}
	opens := n.opens
	var longest time.Duration
	said := 0
	for i := range joins {
		new := n.add(fmt.Sprint("new", i), true)
		sponsor := all[i]
		new.room.AddFirstPeer(sponsor.room.self)
		n.run(200 * time.Millisecond)
		for _, x := range strangers {
			n.connect(x.node, new)
		}
		n.run(100 * time.Millisecond)
		longest = max(longest, n.enters(3*time.Second, new, all...))
		all = append(all, new)
		for _, s := range all {
			said++
			text := fmt.Sprint("message ", said)
			s.say(text)
			n.allHear(10*time.Second, text, all...)
		}
		look(10 * time.Second)
		all[4].leave()
		all = append(all[:4:4], all[5:]...)
		look(5 * time.Second)
	}
	stop = true
	t.Logf("members may send %.1f %% of the time; a join takes at most %v; %d openings of %d", 100*float64(may)/float64(of), longest, n.opens-opens, len(all))
	if may*10 < of*9 {
		t.Errorf("members may send %d of %d times", may, of)
	}
	for _, s := range all {
		s.bounded(t)
		if nodes := len(s.day().nodes); nodes > 14 {
			t.Errorf("%s keeps %d nodes", s.name, nodes)
		}
	}
}
