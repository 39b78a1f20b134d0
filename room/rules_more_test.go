package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// vouched makes a contribution of a spy, and a member's word alone for it, and has
// another member take both.
func vouched(n *network, x *spy, by, at *simNode, serial uint64) *record.Contribution {
	n.t.Helper()
	c := x.contribute(at.room.today(), serial, func(ctx *ake.Context) *ake.Encapsulated {
		return fakeDerive(floodSeed(0), ctx, fakeEncapsulation(floodSeed(0), ctx))
	})
	e := &record.Edge{Period: c.Period, From: by.own(), To: c.ID()}
	e.Sign(n.desc.ID(), by.room.working)
	at.given(by, true, record.EncodeRecords([]record.Record{e, c, x.presence()})...)
	n.drain(at)
	if at.day().nodes[c.ID()] == nil {
		n.t.Fatal("the stranger is not known: the test shows nothing")
	}
	return c
}

// TestMadeUpLater: whoever has a member's identity key, and was let in by nobody,
// does not put an end to the member's process, though another vouches for it.
func TestMadeUpLater(t *testing.T) {
	n := newNetwork(t, 160)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	thief := n.addSpy("thief", cyn.room.cfg.Identity)
	vouched(n, thief, bob, ann, cyn.room.serial+1)
	if _, gone := ann.room.gone(ann.day(), ann.day().node(cyn.own())); gone {
		t.Error("cyn is gone, by bob's word")
	}
	if !ann.room.Admits(cyn.room.self, cyn.room.workingID) {
		t.Error("no channel to cyn any more, by bob's word")
	}
}

// TestStrangerCommits: commits by one who is no member, though a member vouches for
// it, do not come into the table of those that count.
func TestStrangerCommits(t *testing.T) {
	n := newNetwork(t, 161)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	x := n.addSpy("stranger", nil)
	c := vouched(n, x, bob, ann, 1)
	for i := range 100 {
		list := record.List{{Identity: c.Identity, CID: c.ID(), Presence: x.presence().ID()}, ann.room.head.list[0]}
		list.Sort()
		m := &record.Commit{Brief: record.Brief{Header: record.Header{
			Period: c.Period, Height: uint64(i + 1), By: c.ID(), Members: 2, List: list.Hash(),
		}}}
		m.SetEvidence(nil)
		m.ComputeID()
		m.Sign(n.desc.ID(), x.working)
		ann.given(bob, true, record.EncodeRecords([]record.Record{m.Whole(list, nil)})...)
		if ann.room.commits[m.ID()] != nil {
			t.Fatal("one is taken")
		}
	}
	if k := len(ann.room.waiting.commits); k != maxWaitingCommits {
		t.Errorf("%d are kept, want %d", k, maxWaitingCommits)
	}
}

// TestDroppedCommit: a commit that was dropped is not taken again for a while, and
// one whose keys were had, never.
func TestDroppedCommit(t *testing.T) {
	for name, had := range map[string]bool{"never read": false, "read": true} {
		t.Run(name, func(t *testing.T) {
			k := newBenchRoom(t, 3)
			k.join(t)
			k.commit(t)
			c := k.a.head.whole()
			if o := k.b.add(c); o != kept {
				t.Fatalf("outcome %d", o)
			}
			k.b.retryWaiting()
			e := k.b.commits[c.ID()]
			if had {
				k.hand(t, k.a.head)
				e = k.b.commits[c.ID()]
				if e.keys == nil {
					t.Fatal("it was not read")
				}
			}
			k.b.dropCommit(e)
			if had { // after as many others
				clear(k.b.droppedCommits.has)
			}
			if o := k.b.add(c); o != known || k.b.commits[c.ID()] != nil {
				t.Errorf("it was taken again: outcome %d", o)
			}
			if !had {
				k.b.now = k.b.now.Add(droppedTime)
				if o := k.b.add(c); o != kept {
					t.Errorf("it is never taken again: outcome %d", o)
				}
				for i := range maxDroppedCommits {
					k.b.dropCommit(&epoch{commit: &record.Commit{Brief: record.Brief{Header: record.Header{Height: uint64(i)}}}})
				}
				if len(k.b.droppedCommits.has) > maxDroppedCommits {
					t.Errorf("%d are remembered", len(k.b.droppedCommits.has))
				}
			}
		})
	}
}

// TestBounds: what strangers and insiders can add to is bounded.
func TestBounds(t *testing.T) {
	t.Run("waiting records", func(t *testing.T) {
		r := newBenchRoom(t, 2).b
		for i := range maxWaitingRecords + 100 {
			from := ake.Sum("nobody", []byte(fmt.Sprint(i)))
			r.add(&record.Edge{Period: r.today(), From: from, To: ake.Sum("to", from[:])})
		}
		if k, names := len(r.waiting.records), len(r.waiting.recordKeys); k != maxWaitingRecords || names != k {
			t.Errorf("%d records wait, and %d ids of them", k, names)
		}
	})
	t.Run("a day", func(t *testing.T) {
		k := newBenchRoom(t, 3)
		g := &garden{graph: k.b.days[k.g.period]}
		for len(g.nodes) < maxNodes {
			g.graft(k.g.own.cid)
		}
		for range 3 {
			k.b.publication(k.a.self, k.join(t))
		}
		if len(g.nodes) > maxNodes {
			t.Errorf("%d contributions are kept", len(g.nodes))
		}
	})
	t.Run("presences", func(t *testing.T) {
		n := newNetwork(t, 162)
		all := n.party("ann", "bob")
		w := all[1].room.working
		p := all[0].room.process(all[1].room.workingID)
		for i := range 5 * maxPresences {
			b := &record.Presence{Serial: uint64(100 + i)}
			b.Sign(n.desc.ID(), w)
			all[0].room.add(b)
		}
		if k := len(p.presences); k > maxPresences {
			t.Errorf("%d presences are kept", k)
		}
	})
	t.Run("forks", func(t *testing.T) {
		var l authorLog
		for i := range uint64(5 * maxSecondMessages) {
			l.addSecondMessage(i+1, &record.Signed{})
		}
		if k := len(l.secondMessages); k != maxSecondMessages || l.secondMessages[1] == nil {
			t.Errorf("%d second messages are kept", k)
		}
	})
}

// TestChainOfNothing: who holds nothing of a log is compared with nothing, however
// much of its chain was made already.
func TestChainOfNothing(t *testing.T) {
	var l authorLog
	for i := range uint64(5) {
		l.take(i+1, ake.Sum("message", []byte{byte(i)}))
	}
	whole := l.chainAt(5)
	if c := l.chainAt(0); c != [record.ChainSize]byte{} {
		t.Errorf("the chain of nothing is %x", c)
	}
	if l.chainAt(5) != whole || l.chainAt(3) == whole {
		t.Error("the chain changed")
	}
}

// TestLogsOfTheProcess: who is no living member any more is told what was said in an
// epoch as the process that was in it, and as no other.
func TestLogsOfTheProcess(t *testing.T) {
	n := newNetwork(t, 163)
	all := n.party("ann", "bob", "cyn")
	ann, cyn := all[0], all[2]
	all[1].say("while cyn is here")
	n.allHear(time.Second, "while cyn is here", all...)
	tr := ann.room.logs.transcripts[ann.room.head.commit.ID()]
	cyn.leave()
	n.run(5 * time.Second)
	x := &exchange{peer: cyn.room.self, identity: cyn.room.identity, working: cyn.room.workingID}
	if !ann.room.mayRead(tr, x) {
		t.Error("the process itself is not told")
	}
	x.working[0]++
	if ann.room.mayRead(tr, x) {
		t.Error("another process of its peer is told")
	}
}

// TestOutsideAChannel: what belongs into a channel ends a stream outside one.
func TestOutsideAChannel(t *testing.T) {
	n := newNetwork(t, 164)
	all := n.party("ann", "bob")
	ann, bob := all[0].room, all[1]
	ann.StreamOpened(n.now, 1000, bob.room.self, [32]byte{}, ProtocolAsk)
	if ann.streams.byID[1000] != nil {
		t.Error("a stream for questions stands outside a channel")
	}
	ann.StreamOpened(n.now, 1002, bob.room.self, bob.room.workingID, ProtocolAsk)
	if ann.streams.byID[1002] == nil {
		t.Error("a stream for questions does not stand inside one")
	}
	ann.StreamOpened(n.now, 1004, bob.room.self, [32]byte{}, ProtocolSync)
	have := &record.Have{Epoch: ann.head.commit.ID(), Held: make([]record.Held, 2)}
	for _, f := range [][]byte{bob.helloTo(all[0]), new(record.Ask).Encode()} {
		ann.StreamFrame(n.now, 1004, f)
		if ann.streams.byID[1004] == nil {
			t.Fatal("not even a hello and an ask are taken")
		}
	}
	ann.StreamFrame(n.now, 1004, have.Encode())
	if ann.streams.byID[1004] != nil {
		t.Error("what somebody holds is taken outside a channel")
	}
}

// TestStreamAfterItsChannel: a stream that arrives after its channel is over does not
// bring the channel back: both would go on without one for ever, and hand each other
// no secret.
func TestStreamAfterItsChannel(t *testing.T) {
	n := newNetwork(t, 166)
	all := n.party("ann", "bob")
	ann, bob := all[0].room, all[1].room
	ann.ChannelClosed(n.now, bob.self, bob.workingID)
	ann.StreamOpened(n.now, 1000, bob.self, bob.workingID, ProtocolSync)
	if ann.streams.byID[1000] != nil {
		t.Error("a stream stands inside a channel that is over")
	}
	if ann.channelTo(bob.self) != nil {
		t.Error("the channel is back, although nobody made one")
	}
}

// TestBorrowedKey: there is no channel to our own working key, whosever
// contribution it is in.
func TestBorrowedKey(t *testing.T) {
	k := newBenchRoom(t, 3)
	g := &garden{graph: k.b.days[k.g.period]}
	identity := benchKey(t)
	c := &record.Contribution{Identity: [32]byte(identity[32:]), Serial: 1, Period: g.period, Working: k.b.workingID}
	c.ComputeID(k.b.id)
	g.addContribution(c)
	g.edge(k.g.own.cid, c.ID())
	g.edge(c.ID(), k.g.own.cid)
	p := peerOf(c.Identity)
	if !g.members()[c.ID()] {
		t.Fatal("it is no member: the test shows nothing")
	}
	if k.b.Admits(p, k.b.workingID) {
		t.Error("a channel to our own working key")
	}
}

// TestChannelsEnd: the channel to a process that is over ends.
func TestChannelsEnd(t *testing.T) {
	n := newNetwork(t, 165)
	all := n.party("ann", "bob", "cyn")
	ann, bob := all[0], all[1]
	if ann.room.channels.byKey[bob.room.workingID] == nil {
		t.Fatal("no channel to bob: the test shows nothing")
	}
	again := n.start("bob again", true, bob.room.cfg.Identity)
	n.connect(again, all[2])
	n.until(20*time.Second, "bob is there again", func() bool { return together(ann, all[2], again) })
	n.run(5 * time.Second)
	if ann.room.channels.byKey[bob.room.workingID] != nil {
		t.Error("the channel to the process before is kept")
	}
}

// TestOpenUnlisted: of encapsulations from the topic, only those are opened that the
// commit needs; and none twice.
func TestOpenUnlisted(t *testing.T) {
	k := newBenchRoom(t, 5)
	var published [][]byte
	for i := range 2 {
		data := k.join(t)
		published = append(published, data)
		if v := k.b.publication(k.a.self, data); v != Accept {
			t.Fatalf("verdict %d on a join", v)
		}
		j, err := record.ParseJoin(data[1:])
		if err != nil {
			t.Fatal(err)
		}
		j.Contribution.ComputeID(k.b.id)
		seed, err := ake.SecretFromBytes(j.Encapsulation[4:36])
		if err != nil {
			t.Fatal(err)
		}
		k.a.publication(k.b.self, data)
		if i == 0 { // the second is not listed: its term is not known
			k.a.addTerm(&ake.MemberTerm{CID: j.Contribution.ID(), Term: fakeDerive(seed, j.Contribution.Context(k.b.id), nil).Term})
		}
	}
	k.a.retryWaiting()
	k.commit(t)
	if len(k.a.head.list) != 6 {
		t.Fatalf("%d are listed", len(k.a.head.list))
	}
	k.hand(t, k.a.head)
	k.now = k.now.Add(2*tail(6) + time.Second)
	k.b.Ready()
	k.b.Tick(k.now)
	tasks := k.b.Ready().Tasks
	if len(tasks) != 1 {
		t.Errorf("%d were opened", len(tasks))
	}
	for _, task := range tasks {
		k.b.Computed(k.now, task.ID, task.Run()) // it does not open
	}
	k.b.publication(k.a.self, published[0])
	k.now = k.now.Add(5 * time.Second)
	k.b.Tick(k.now)
	if n := len(k.b.Ready().Tasks); n > 0 {
		t.Error("one was opened again")
	}
}

// TestOtherEncapsulation: another encapsulation than its contribution names costs no
// opening.
func TestOtherEncapsulation(t *testing.T) {
	n := newNetwork(t, 166)
	all := n.party("ann", "bob")
	r := all[0].room
	x := &exchange{theirs: all[1].day().own.contribution, graph: all[0].day()}
	tasks := len(r.tasks.done)
	if r.openTheirs(x, append([]byte("x"), all[1].day().own.encapsulation...), func() {}) || len(r.tasks.done) != tasks {
		t.Error("it is opened")
	}
}

// TestTermsOfTheDay: who lives today alone is told the terms of today alone, though
// the others have proved themselves for tomorrow.
func TestTermsOfTheDay(t *testing.T) {
	n, midnight := near(t, 167, 25*time.Minute)
	day := dayOf(n.now)
	all := n.party("ann", "bob")
	n.run(midnight.Sub(n.now) - 10*time.Minute)
	tomorrow := all[0].room.days[day+1]
	if tomorrow == nil || len(tomorrow.members()) != 2 {
		t.Fatal("they have not renewed: the test shows nothing")
	}
	today := 0
	lapsed := n.startValid("lapsed", func(d abe.Day) bool { return d <= day.Day() }, newIdentity(n.seed32()), n.seed32(), 0)
	n.watch = frames(func(to *simNode, data []byte) {
		if to != lapsed || data[0] != record.FrameTerms {
			return
		}
		terms, err := record.ParseTerms(data[1:])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range terms {
			if tomorrow.nodes[m.CID] != nil {
				t.Error("it was told a term of tomorrow")
			} else {
				today++
			}
		}
	})
	for _, s := range all {
		n.connect(lapsed, s)
	}
	n.until(20*time.Second, "it is in", func() bool { return together(append(all, lapsed)...) })
	n.run(5 * time.Second)
	if today == 0 {
		t.Fatal("it was told no terms: the test shows nothing")
	}
}
