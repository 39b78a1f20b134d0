package room

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// One test for each rule that no attack shows by itself.

// A garden is a graph of made-up members, for whom nobody signed anything.
type garden struct {
	*graph
	seen int
}

func newGarden() *garden { return gardenFrom(0) }

// gardenFrom is a garden with ids of its own, since some rules go by their order.
func gardenFrom(seen int) *garden {
	g := &garden{graph: newGraph(1, make(map[[32]byte]bool))}
	g.seen = seen
	root := g.plant()
	g.graph.own = &own{cid: root, contribution: g.nodes[root].contribution}
	return g
}

// plant adds a contribution that has no edges.
func (g *garden) plant() ake.Hash {
	g.seen++
	var identity [32]byte
	copy(identity[:], fmt.Sprintf("garden %d", g.seen))
	c := &record.Contribution{Identity: identity, Serial: 1, Period: g.period, Working: identity}
	c.ComputeID(ake.Hash{})
	g.addContribution(c)
	return c.ID()
}

func (g *garden) edge(from, to ake.Hash) {
	g.addEdge(&record.Edge{Period: g.period, From: from, To: to})
}

// graft adds a member that hangs on another.
func (g *garden) graft(on ake.Hash) ake.Hash {
	cid := g.plant()
	g.edge(on, cid)
	g.edge(cid, on)
	return cid
}

// TestTree: a member hangs on its neighbour that is nearest to us, by edges in both
// directions; branches take turns, and who makes up members has no more turns.
func TestTree(t *testing.T) {
	for i := range 10 {
		testTree(t, gardenFrom(1000*i))
	}
}

func testTree(t *testing.T, g *garden) {
	ann, mal := g.graft(g.own.cid), g.graft(g.own.cid)
	bob := g.graft(ann)
	g.edge(mal, bob) // bob never proved himself to mal
	far := g.graft(bob)
	g.edge(mal, far)
	if b := g.branch(far); b != ann {
		t.Errorf("by one member's word another hangs on %x, want %x", b[:2], ann[:2])
	}
	var sybils []ake.Hash
	last := mal
	for i := range 50 {
		if i%2 == 0 {
			last = g.graft(last)
		} else {
			last = g.graft(mal)
		}
		sybils = append(sybils, last)
	}
	order := g.order()
	if len(order) != len(g.nodes) || order[0] != g.own.cid {
		t.Fatalf("%d of %d are in the order", len(order), len(g.nodes))
	}
	for _, cid := range []ake.Hash{ann, bob, far} {
		if at := slices.Index(order, cid); at > 7 {
			t.Errorf("an honest member comes as number %d", at)
		}
	}
	if g.branch(sybils[40]) != mal || g.branch(g.own.cid) != (ake.Hash{}) {
		t.Error("branches are wrong")
	}
}

// TestOrder: the order is that of turns, however the tree looks; and how long it takes
// to work out does not grow with the square of the tree's depth.
func TestOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		g := newGarden()
		all := []ake.Hash{g.own.cid}
		deep := 1 + rng.IntN(8)
		for range rng.IntN(60) {
			all = append(all, g.graft(all[max(0, len(all)-1-rng.IntN(len(all))/deep)]))
		}
		children, turns, done := g.tree().children, make(map[ake.Hash]int), make(map[ake.Hash]bool)
		var next func(at ake.Hash) (ake.Hash, bool)
		next = func(at ake.Hash) (ake.Hash, bool) {
			if !done[at] {
				done[at] = true
				return at, true
			}
			for range children[at] {
				c := children[at][turns[at]%len(children[at])]
				turns[at]++
				if cid, ok := next(c); ok {
					return cid, true
				}
			}
			return ake.Hash{}, false
		}
		for i, cid := range g.order() {
			if want, _ := next(g.own.cid); cid != want {
				t.Fatalf("number %d of %d is another", i, len(all))
			}
		}
	}
	g := newGarden()
	last := g.graft(g.own.cid)
	for range 20000 {
		last = g.graft(last)
	}
	start := time.Now()
	if order := g.order(); order[len(order)-1] != last || len(order) != len(g.nodes) {
		t.Error("the order of a chain is wrong")
	}
	for range 1000 {
		g.branch(last)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the order of a chain takes %v", took)
	}
}

// TestGraphGrows: whatever comes and goes, component and tree are those of the graph as
// it is, and a full graph is told what does not get in without being worked out anew.
func TestGraphGrows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		g := newGarden()
		all := []ake.Hash{g.own.cid}
		some := func() ake.Hash { return all[rng.IntN(len(all))] }
		for range 80 {
			switch rng.IntN(9) {
			case 0, 1:
				cid := g.plant()
				g.edge(some(), cid)
				all = append(all, cid)
			case 2, 3:
				all = append(all, g.graft(some()))
			case 4, 5, 6:
				if a, b := some(), some(); a != b {
					g.edge(a, b)
				}
			case 7:
				if i := rng.IntN(len(all)); i > 0 {
					g.remove(all[i])
					all = slices.Delete(all, i, i+1)
				}
			default:
				if cid := some(); cid != g.own.cid && rng.IntN(4) == 0 {
					g.cut[g.contribution(cid).Identity] = true
					g.invalidate()
				}
			}
			members, branches, order := maps.Clone(g.members()), maps.Clone(g.tree().branch), slices.Clone(g.order())
			nodes, of := slices.Clone(g.roster()), maps.Clone(g.tree().size)
			g.invalidate()
			if !maps.Equal(members, g.members()) || !maps.Equal(branches, g.tree().branch) || !slices.Equal(order, g.order()) ||
				!slices.Equal(nodes, g.roster()) || !maps.Equal(of, g.tree().size) {
				t.Fatal("what was worked out is not what there is")
			}
		}
	}
	g := newGarden()
	mal := g.graft(g.own.cid)
	for range 4000 {
		g.graft(mal)
	}
	start := time.Now()
	for range 20000 {
		if g.makeRoom(mal) {
			t.Fatal("who has most is given room")
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("20,000 refusals take %v", took)
	}
}

// TestMakeRoom: in a full graph whoever has the last turn makes room, but nobody
// whom we vouched for; a branch that has most already gets no more.
func TestMakeRoom(t *testing.T) {
	g := newGarden()
	ann, mal := g.graft(g.own.cid), g.graft(g.own.cid)
	bob := g.graft(ann)
	for range 100 {
		g.graft(mal)
	}
	size := len(g.nodes)
	if g.makeRoom(mal) {
		t.Error("who has most is given room")
	}
	if len(g.nodes) != size {
		t.Fatal("somebody is gone for nothing")
	}
	for range 60 {
		if !g.makeRoom(g.own.cid) {
			t.Fatal("whom I vouched for is refused")
		}
	}
	if !g.makeRoom(ann) {
		t.Error("who has little is refused")
	}
	if len(g.nodes) != size-61 || g.nodes[ann] == nil || g.nodes[mal] == nil || g.nodes[bob] == nil {
		t.Errorf("%d are left of %d; ann, mal and bob: %v %v %v", len(g.nodes), size, g.nodes[ann] != nil, g.nodes[mal] != nil, g.nodes[bob] != nil)
	}
	// Those that nobody but their sponsor says anything of go first.
	lone := g.plant()
	g.edge(mal, lone)
	if !g.makeRoom(mal) || g.nodes[lone] != nil {
		t.Error("one who vouched for nobody stays")
	}
	// So do members of whom no two vouch for each other: they have no turn, and are
	// charged to nobody.
	g = newGarden()
	ann, mal = g.graft(g.own.cid), g.graft(g.own.cid)
	bob = g.graft(ann)
	for range 50 {
		one, two := g.plant(), g.plant()
		g.edge(mal, one)
		g.edge(one, two)
		g.edge(two, mal)
	}
	if len(g.members()) != len(g.nodes) {
		t.Fatal("a ring is not of the component: the test shows nothing")
	}
	for i := range 100 {
		if from := []ake.Hash{g.own.cid, ann, bob, mal}[i%4]; !g.makeRoom(from) {
			t.Fatalf("number %d finds no room", i)
		}
	}
	if len(g.nodes) != 4 || g.nodes[ann] == nil || g.nodes[bob] == nil || g.nodes[mal] == nil {
		t.Errorf("%d are left; ann, bob and mal: %v %v %v", len(g.nodes), g.nodes[ann] != nil, g.nodes[bob] != nil, g.nodes[mal] != nil)
	}
	// However little others have: whom I vouch for is never refused.
	g = newGarden()
	for range 10 {
		g.graft(g.graft(g.own.cid))
	}
	if !g.makeRoom(g.own.cid) {
		t.Error("whom I vouch for is refused in a room of many small branches")
	}
	// All are my own word: nobody goes.
	g = newGarden()
	for range 20 {
		g.graft(g.own.cid)
	}
	if g.makeRoom(g.own.cid) || len(g.nodes) != 21 {
		t.Error("one whom I vouched for made room")
	}
}

// TestListedMadeRoom: a commit lists somebody who made room in a full graph before its
// secret came. It cannot be read any more, and nothing else follows.
func TestListedMadeRoom(t *testing.T) {
	n := newNetwork(t, 154)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	f := &forgery{list: ann.room.head.list, after: ann.room.head, to: func(*simNode) bool { return false }}
	c := f.publish(t, bob)
	n.run(100 * time.Millisecond)
	if e := ann.room.commits[c.ID()]; e == nil || !e.fits() {
		t.Fatal("it does not fit: the test shows nothing")
	}
	ann.day().remove(cyn.own())
	ann.given(bob, true, handover(c, f.d))
	if ann.room.head.commit.ID() == c.ID() {
		t.Error("it was read")
	}
	n.drain(ann)
	n.run(time.Minute)
	if !together(all...) {
		t.Errorf("they fell apart:\n%s", n.describe())
	}
}

// TestMadeRoomIsForgotten: of who made room, nothing is kept that grows.
func TestMadeRoomIsForgotten(t *testing.T) {
	n := newNetwork(t, 155)
	all := n.party("ann", "bob")
	r := all[0].room
	for i := range 2 * maxWaitingRecords {
		w := [32]byte(ake.Sum("gone", []byte(fmt.Sprint(i))))
		r.workingKeys[w] = true
		r.process(w)
	}
	r.forgetProcesses()
	if len(r.workingKeys) != 2 || len(r.processes) != 2 || !r.hasWorking(all[1].room.workingID) {
		t.Errorf("%d working keys and %d processes are kept", len(r.workingKeys), len(r.processes))
	}
}

// TestFullRoomLeavesOut: in a full room a list may leave out members who hang on
// nobody, as they have no turn in anybody's; and nobody else of those who come first.
func TestFullRoomLeavesOut(t *testing.T) {
	n := newNetwork(t, 156)
	all := n.party("ann", "bob", "cyn")
	ann, cyn := all[0], all[2]
	r, g := ann.room, ann.day()
	hanging := record.Entry{Identity: [32]byte{1}, CID: ake.Sum("hanging")}
	c := &record.Contribution{Identity: hanging.Identity, Serial: 1, Period: g.period, Working: hanging.Identity}
	c.ComputeID(r.id)
	hanging.CID = c.ID()
	g.addContribution(c)
	g.nodes[c.ID()].term = new(ake.Term)
	r.process(c.Working).takePresence(&record.Presence{Working: c.Working, Serial: 1}, r.presenceListed)
	far := all[1].own()
	g.addEdge(&record.Edge{Period: g.period, From: far, To: c.ID()})
	g.addEdge(&record.Edge{Period: g.period, From: c.ID(), To: cyn.own()})
	head := r.head.list
	r.head.list = append(slices.Clone(head), hanging)
	full := slices.Clone(head)
	for len(full) < record.MaxMembers {
		full = append(full, record.Entry{Identity: [32]byte(ake.Sum("full", []byte(fmt.Sprint(len(full)))))})
	}
	of := func(list record.List) *record.Entry {
		return r.leavesOut(&epoch{commit: r.head.commit, list: list})
	}
	if of(head) == nil {
		t.Fatal("a list that is not full may leave it out: the test shows nothing")
	}
	if left := of(full); left != nil {
		t.Errorf("a full list may not leave out %x", left.CID[:2])
	}
	if left := of(append(without(full, cyn.own()), full[len(full)-1])); left == nil || left.CID != cyn.own() {
		t.Errorf("a full list may leave out cyn: %v", left)
	}
}

// TestSponsorsPassNobody: whoever commits because it has just let somebody in, or was
// told to by its user, does not take it that others let their turn go by.
func TestSponsorsPassNobody(t *testing.T) {
	n := newNetwork(t, 159)
	all := n.party("ann", "bob", "cyn", "dan")
	missed := func() (k int) {
		for _, s := range all {
			k += len(s.room.committing.missed)
			clear(s.room.committing.missed)
		}
		return k
	}
	missed()
	for i := range 8 {
		s := n.add(fmt.Sprint("new ", i), true)
		n.connect(s, all[i%4])
		n.run(3 * time.Second)
		for _, o := range all {
			n.connect(s, o)
		}
		all = append(all, s)
		n.run(10 * time.Second)
	}
	if k := missed(); k > 4 { // some are not told in time that another lets somebody in
		t.Errorf("%d missed a turn when eight came", k)
	}
	for _, s := range all {
		if err := s.room.Rekey(n.now); err != nil {
			t.Fatal(err)
		}
		n.drain(s)
		n.run(10 * time.Second)
	}
	if k := missed(); k > 0 {
		t.Errorf("%d missed a turn when twelve wanted new keys", k)
	}
}

// TestEncapsulationsMakeRoom: whoever makes up members whose terms nobody gets keeps no
// other branch's encapsulations out.
func TestEncapsulationsMakeRoom(t *testing.T) {
	n := newNetwork(t, 161)
	all := n.party("ann", "bob")
	r := all[0].room
	g := &garden{graph: newGraph(all[0].day().period, nil)}
	root := g.plant()
	g.graph.own = &own{cid: root, contribution: g.nodes[root].contribution}
	r.days[g.period] = g.graph
	mal, bob := g.graft(root), g.graft(root)
	keep := func(on ake.Hash) bool {
		return r.keepEncapsulation(g.graph, g.nodes[g.graft(on)], make([]byte, 128<<10))
	}
	for range maxEncapsulations >> 17 {
		if !keep(mal) {
			t.Fatal("there is room, and it is not kept")
		}
	}
	if keep(mal) {
		t.Error("who has all is given more")
	}
	for range 10 {
		if !keep(bob) {
			t.Error("who has little is given nothing")
		}
	}
	total := 0
	for _, o := range g.nodes {
		total += len(o.encapsulation)
	}
	if total != maxEncapsulations {
		t.Errorf("%d bytes are kept", total)
	}
}

// TestHeadHasTranscript: the transcript of an epoch in which nothing was said made room
// before the epoch became the head. It is begun again: what is typed goes out.
func TestHeadHasTranscript(t *testing.T) {
	n := newNetwork(t, 160)
	all := n.party("ann", "bob")
	for _, s := range all {
		r := s.room
		r.dropTranscript(r.logs.transcripts[r.head.commit.ID()])
		r.head = nil
		r.chooseHead()
		n.drain(s)
	}
	all[0].say("here")
	n.allHear(time.Second, "here", all...)
}

// TestPromisedEdges: whoever signs edges to contributions that never come keeps
// nobody else's out.
func TestPromisedEdges(t *testing.T) {
	for i := range 10 {
		testPromisedEdges(t, gardenFrom(10_000*i))
	}
}

func testPromisedEdges(t *testing.T, g *garden) {
	ann, mal := g.graft(g.own.cid), g.graft(g.own.cid)
	edge := func(from ake.Hash, i int) *record.Edge {
		return &record.Edge{Period: g.period, From: from, To: ake.Sum("nobody", []byte(fmt.Sprint(i)))}
	}
	for i := range maxPromised + 100 {
		g.promise(edge(mal, i))
	}
	if k := len(g.promised); k != maxPromised {
		t.Errorf("%d are kept", k)
	}
	for i := range 20 {
		g.promise(edge(ann, 10000+i))
	}
	for i := range 500 {
		g.promise(edge(mal, 20000+i))
	}
	if k := len(g.promised); k != maxPromised {
		t.Errorf("%d are kept", k)
	}
	kept := 0
	for _, e := range g.promised {
		if e.From == ann {
			kept++
		}
	}
	if kept != 20 {
		t.Errorf("%d of 20 honest ones are kept", kept)
	}
}

// TestStrangeCommits: commits of strangers, which may have been made up, are kept
// in a small place of their own.
func TestStrangeCommits(t *testing.T) {
	n := newNetwork(t, 140)
	all := n.party("ann", "bob")
	x := newIntruder(n.newNode("mallory", 0), 'f', newIdentity(n.seed32()), n.seed32())
	before := len(all[0].room.waiting.records)
	for range 100 {
		x.publishFlood(n.now)
		for _, p := range x.out.Publish {
			if p[0] == record.TypeCommit {
				all[0].given(all[1], false, record.EncodeFields(record.FrameRecords, p))
			}
		}
		x.out = Ready{}
	}
	if k := len(all[0].room.waiting.commits); k != maxWaitingCommits || len(all[0].room.waiting.records) != before || len(all[0].room.commits) > 4 {
		t.Errorf("%d are kept, and %d records wait", k, len(all[0].room.waiting.records)-before)
	}
}

// TestAdmits: a channel ends in the process of a living member: not in somebody
// whom a member vouched for alone, not in who left, and not in ourselves.
func TestAdmits(t *testing.T) {
	n := newNetwork(t, 141)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	if !ann.room.Admits(bob.room.self, bob.room.workingID) {
		t.Fatal("not even bob")
	}
	x := n.addSpy("stranger", nil)
	c := x.contribute(ann.room.today(), 1, func(ctx *ake.Context) *ake.Encapsulated {
		return fakeDerive(floodSeed(0), ctx, fakeEncapsulation(floodSeed(0), ctx))
	})
	e := &record.Edge{Period: c.Period, From: bob.own(), To: c.ID()}
	e.Sign(n.desc.ID(), bob.room.working)
	ann.take(record.EncodeRecords([]record.Record{e, c, x.presence()})...)
	n.drain(ann)
	if ann.day().nodes[c.ID()] == nil {
		t.Fatal("the stranger is not known: the test shows nothing")
	}
	for name, admits := range map[string]bool{
		"somebody whom bob vouched for": ann.room.Admits(x.self, c.Working),
		"bob by cyn's working key":      ann.room.Admits(bob.room.self, cyn.room.workingID),
		"ourselves":                     ann.room.Admits(ann.room.self, ann.room.workingID),
		"bob by our working key":        ann.room.Admits(bob.room.self, ann.room.workingID),
	} {
		if admits {
			t.Errorf("a channel to %s", name)
		}
	}
	// Another process of our own peer is not let in, either.
	again := n.start("ann again", true, ann.room.cfg.Identity)
	n.connect(again, bob)
	n.until(20*time.Second, "ann is there again", func() bool { return together(again, bob, cyn) })
	n.until(20*time.Second, "ann knows", func() bool { return ann.day().contribution(again.own()) != nil })
	if ann.room.Admits(ann.room.self, again.room.workingID) {
		t.Error("a channel to another process of our own peer")
	}
	// Nor, at bob's, the process that was superseded, and cyn when she left.
	if bob.room.Admits(ann.room.self, ann.room.workingID) {
		t.Error("a channel to a process that is over")
	}
	cyn.leave()
	n.run(time.Second)
	if bob.room.Admits(cyn.room.self, cyn.room.workingID) {
		t.Error("a channel to one who left")
	}
}

// TestBeatAhead: a beat far ahead of our clock is not taken, and the next that is
// not is.
func TestBeatAhead(t *testing.T) {
	n := newNetwork(t, 142)
	all := n.party("ann", "bob")
	ann, bob := all[0].room, all[1].room
	p := ann.process(bob.workingID)
	beat := func(at time.Time) []byte {
		b := &record.Beat{Serial: uint64(at.UnixMilli())}
		b.Sign(bob.id, bob.working)
		return record.EncodeFields(record.FrameBeats, b.Append(nil))[1:]
	}
	was := p.beat
	if !ann.tookBeats(new(exchange), beat(ann.now.Add(maxAhead+time.Second))) {
		t.Error("the stream would be ended for it")
	}
	if p.beat != was {
		t.Error("a beat of the future was taken")
	}
	if ann.tookBeats(new(exchange), beat(ann.now.Add(maxAhead-time.Second))); p.beat == was {
		t.Error("a beat within the hour was not taken")
	}
}

// TestMisbehaviourPairs: who signs pair after pair of presences makes others take
// a few only.
func TestMisbehaviourPairs(t *testing.T) {
	n := newNetwork(t, 143)
	all := n.party("ann", "bob")
	ann, bob := all[0].room, all[1].room
	var bodies []*record.Presence
	for i := range 200 {
		p := &record.Presence{Serial: 100, Addresses: [][]byte{{4, byte(i)}}}
		p.Sign(n.desc.ID(), bob.working)
		bodies = append(bodies, p)
	}
	first := bodies[0].ID()
	slices.SortFunc(bodies[1:], func(a, b *record.Presence) int { // each pair less than the one before
		return compareHashes(record.MisbehaviourRef(first, b.ID()), record.MisbehaviourRef(first, a.ID()))
	})
	taken := 0
	for _, p := range bodies {
		if ann.add(p) == kept {
			taken++
		}
	}
	if limit := maxPairs + 2; taken > limit || taken < 2 {
		t.Errorf("%d of 200 were taken, the limit is %d", taken, limit)
	}
	if !ann.process(bob.workingID).misbehaved {
		t.Error("it did not misbehave")
	}
}

// TestProvedAlready: who says it is a process that has let us in already, and wants
// to prove itself again, is not answered: it does not know what that process does.
func TestProvedAlready(t *testing.T) {
	n := newNetwork(t, 144)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	n.disconnect(ann, bob)
	thief := n.addSpy("thief", bob.room.cfg.Identity)
	n.connect(thief.node, ann)
	n.run(time.Second)
	opens := n.opens
	id := thief.open(ann, ProtocolProve, record.EncodeFields(record.FrameProve1, bob.day().own.contribution.Append(nil), bob.room.presence.Append(nil)))
	n.run(5 * time.Second)
	if len(thief.got(id, record.FrameProve2)) > 0 || !thief.over[id] {
		t.Error("it was answered")
	}
	if n.opens != opens {
		t.Error("something was opened")
	}
}

// TestAnswerTime: what had to be opened is answered, or not answered, after the
// same time, which has nothing to do with how long that took.
func TestAnswerTime(t *testing.T) {
	for name, satisfies := range map[string]bool{"it opens": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 145)
			n.jitter = 0
			day := dayOf(n.now)
			victim := n.add("victim", satisfies)
			n.run(time.Second)
			x := n.addSpy("prober", nil)
			var enc []byte
			c := x.contribute(day, 1, func(ctx *ake.Context) *ake.Encapsulated {
				enc = fakeEncapsulation(floodSeed(0), ctx)
				return fakeDerive(floodSeed(0), ctx, enc)
			})
			var asked, over time.Time
			x.answer = func(id StreamID, data []byte) {
				switch data[0] {
				case record.FrameHello:
					h := &record.Hello{Room: n.desc.ID(), Days: []record.HelloDay{{Period: day, CID: c.ID(), Size: 3}}}
					x.send(id, h.Encode())
				case record.FrameProve1:
					x.send(id, record.EncodeFields(record.FrameProve2, c.Append(nil), x.presence().Append(nil), enc))
					asked = n.now
				case record.FrameProve3:
					over = n.now
				}
			}
			n.connect(victim, x.node)
			n.until(20*time.Second, "an answer or the end", func() bool {
				if victim.refused > 0 && over.IsZero() {
					over = n.now.Add(n.delay)
				}
				return !over.IsZero()
			})
			want := max(leastAnswer, 2*victim.room.encapsulationTime) + 2*n.delay
			if took := over.Sub(asked); took < want || took > want+30*time.Millisecond {
				t.Errorf("after %v, want %v", took, want)
			}
		})
	}
}

// TestOpenPublished: an encapsulation from the topic is opened only where its term
// is missing for long, a few a minute, and never twice.
func TestOpenPublished(t *testing.T) {
	k := newBenchRoom(t, 5)
	const newcomers = 10
	b := k.b
	opening := func() int { return len(b.Ready().Tasks) }
	for range newcomers {
		data := k.join(t)
		if v := b.publication(k.a.self, data); v != Accept {
			t.Fatalf("verdict %d on a join", v)
		}
		k.a.publication(b.self, data)
		j, err := record.ParseJoin(data[1:])
		if err != nil {
			t.Fatal(err)
		}
		j.Contribution.ComputeID(b.id)
		seed, err := ake.SecretFromBytes(j.Encapsulation[4:36])
		if err != nil {
			t.Fatal(err)
		}
		// The first was told the term, and withholds it.
		k.a.addTerm(&ake.MemberTerm{CID: j.Contribution.ID(), Term: fakeDerive(seed, j.Contribution.Context(b.id), nil).Term})
	}
	k.a.retryWaiting()
	b.finish()
	if n := opening(); n > 0 {
		t.Errorf("%d were opened although no commit needs them", n)
	}
	k.commit(t)
	if len(k.a.head.list) != 5+newcomers {
		t.Fatalf("%d are listed", len(k.a.head.list))
	}
	k.hand(t, k.a.head)
	wait := unread(5 + newcomers)
	k.now = k.now.Add(wait - 50*time.Millisecond)
	b.Tick(k.now)
	if n := opening(); n > 0 {
		t.Errorf("%d were opened early", n)
	}
	k.now = k.now.Add(100 * time.Millisecond)
	b.Tick(k.now)
	out := b.Ready()
	if n := len(out.Tasks); n != maxOpenings {
		t.Errorf("%d were opened within a minute", n)
	}
	for _, task := range out.Tasks {
		b.Computed(k.now, task.ID, task.Run()) // they do not open
	}
	again := opening()
	for range 20 {
		k.now = k.now.Add(time.Second)
		b.Tick(k.now)
		again += opening()
	}
	if again > 0 {
		t.Errorf("%d more were opened within the minute", again)
	}
	// A flood of encapsulations is not kept without end.
	for _, g := range b.days {
		for _, n := range g.nodes {
			n.encapsulation = nil
		}
		g.nodes[g.own.cid].encapsulation = make([]byte, maxEncapsulations)
	}
	data := k.join(t)
	b.publication(k.a.self, data)
	total := 0
	for _, g := range b.days {
		for _, n := range g.nodes {
			total += len(n.encapsulation)
		}
	}
	if total > maxEncapsulations {
		t.Error("one is kept beyond the limit")
	}
}

// TestJoinEncapsulation: a join with another encapsulation than its contribution
// names is nobody's.
func TestJoinEncapsulation(t *testing.T) {
	k := newBenchRoom(t, 3)
	data := k.join(t)
	data[len(data)-1] ^= 1
	if v := k.b.publication(k.a.self, data); v == Accept {
		t.Errorf("verdict %d", v)
	}
}

// TestAnswerSlots: whoever opens proofs and says nothing keeps nobody out.
func TestAnswerSlots(t *testing.T) {
	n := newNetwork(t, 146)
	all := n.party("ann", "bob")
	r := all[0].room
	for i := range maxAnswering + 50 {
		identity := newIdentity(n.seed32())
		p := peerOf([32]byte(identity.Public().(ed25519.PublicKey)))
		id := StreamID(10000 + 2*i)
		r.StreamOpened(n.now, id, p, [32]byte{}, ProtocolProve)
		if r.streams.byID[id] == nil {
			t.Fatalf("number %d was turned away", i)
		}
		r.StreamOpened(n.now, id+100000, p, [32]byte{}, ProtocolProve)
		if r.streams.byID[id+100000] != nil {
			t.Fatal("one peer has two places")
		}
	}
	k := 0
	for _, x := range r.streams.byID {
		if x.protocol == ProtocolProve && !x.dialler {
			k++
		}
	}
	if k != maxAnswering {
		t.Errorf("%d places", k)
	}
}

// TestStepAhead: a message under a header key that is far ahead is not taken.
func TestStepAhead(t *testing.T) {
	n := newNetwork(t, 147)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	e := ann.room.head
	for _, c := range []struct {
		ahead uint16
		want  Verdict
	}{{headerSteps + 5, Ignore}, {headerSteps, Accept}} {
		since := e.since
		e.since = e.since.Add(-time.Duration(c.ahead) * time.Minute) // ann's clock is ahead
		counter, key := e.keys.Chain(e.ownIndex).Next()
		b := ann.write(t, e, e.ownIndex, key, counter, record.Body{Counter: counter, Time: 1, Lamport: 1, Kind: record.KindText, Text: "ahead"})
		e.since = since
		if v := bob.room.Publication(n.now, ann.room.self, b); v != c.want {
			t.Errorf("%d steps ahead: verdict %d, want %d", c.ahead, v, c.want)
		}
	}
}

// TestTopicTakesLeavesOnly: of presences, only a process' last goes over the topic.
func TestTopicTakesLeavesOnly(t *testing.T) {
	n := newNetwork(t, 148)
	all := n.party("ann", "bob")
	p := &record.Presence{Serial: all[1].room.presence.Serial + 1}
	p.Sign(n.desc.ID(), all[1].room.working)
	if v := all[0].room.Publication(n.now, all[1].room.self, record.Encode(p)); v == Accept {
		t.Errorf("verdict %d", v)
	}
}

// TestDayTurn: a commit for the next day is no head until two minutes before its
// midnight, though everybody has renewed and can read it.
func TestDayTurn(t *testing.T) {
	n, midnight := near(t, 149, 20*time.Minute)
	all := n.party("ann", "bob", "cyn")
	n.run(midnight.Sub(n.now) - 10*time.Minute)
	ann, others := all[0], all[1:]
	day := dayOf(midnight)
	g := ann.room.days[day]
	if g == nil || len(g.members()) != 3 {
		t.Fatal("not all have renewed: the test shows nothing")
	}
	list := ann.room.nextList(g)
	f := &forgery{list: list, header: func(h *record.Header) { h.Period, h.By = day, g.own.cid }}
	c := f.publish(t, ann)
	for n.now.Before(midnight.Add(-dayTurn - time.Second)) {
		n.run(10 * time.Second)
		if !n.now.Before(c.Period.Start().Add(-dayTurn)) {
			break
		}
		for _, s := range others {
			if s.room.head.commit.Period == day {
				t.Fatalf("%s has a head of the next day %v before it", s.name, midnight.Sub(n.now))
			}
			if !s.room.maySend() {
				t.Fatalf("%s is kept from sending", s.name)
			}
		}
	}
	n.until(3*time.Minute+dayTurn, "the next day's epoch", func() bool { return together(all...) && all[0].room.head.commit.Period == day })
}

// TestAsksForSecret: whoever is handed no secret of a commit that lists it asks for
// it, and is in the epoch well before the next commit.
func TestAsksForSecret(t *testing.T) {
	n := newNetwork(t, 150)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, bob, cyn := all[0], all[1], all[2]
	head := ann.room.head
	f := &forgery{list: head.list, after: head, to: func(*simNode) bool { return false }}
	c := f.publish(t, ann)
	n.run(100 * time.Millisecond)
	// Bob has it, and believes that all others do.
	e := bob.room.commits[c.ID()]
	if e == nil {
		t.Fatal("bob has not heard of it")
	}
	for _, s := range all {
		e.secretHolders[s.room.workingID] = true
	}
	bob.given(ann, true, handover(c, f.d))
	n.drain(bob)
	n.run(100 * time.Millisecond)
	if cyn.room.head.commit.ID() == c.ID() {
		t.Fatal("cyn was handed it: the test shows nothing")
	}
	took := n.until(5*time.Second, "cyn and dan have it", func() bool {
		return cyn.room.head.commit.ID() == c.ID() && all[3].room.head.commit.ID() == c.ID()
	})
	if limit := 2 * tail(4); took > limit {
		t.Errorf("that took %v, the limit is %v", took, limit)
	}
}

// TestLogsInside: transcripts and logs are taken inside channels alone, also from
// a member.
func TestLogsInside(t *testing.T) {
	n := newNetwork(t, 151)
	all := n.party("bob", "eve")
	bob, eve := all[0], all[1]
	for _, inside := range []bool{false, true} {
		made := madeUp(t, eve, bob, nil, 1)
		for _, f := range append(made, eve.signed(1, ake.Hash{}, "outside").AppendLog([]byte{record.FrameLog})) {
			bob.given(eve, inside, f)
			n.drain(bob)
		}
		if took := bob.times("outside") > 0; took != inside {
			t.Errorf("a log is taken inside a channel %v: %v", inside, took)
		}
		c, err := record.ParseTranscript(n.desc.ID(), made[0][1:])
		if err != nil {
			t.Fatal(err)
		}
		if took := bob.room.logs.transcripts[c.Brief.ID()] != nil; took != inside {
			t.Errorf("a transcript is taken inside a channel %v: %v", inside, took)
		}
	}
}

// TestForgedBeats: a beat that its process did not sign is no sign of life.
func TestForgedBeats(t *testing.T) {
	n := newNetwork(t, 152)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0].room, all[1].room, all[2].room
	p := ann.process(bob.workingID)
	b := &record.Beat{Serial: uint64(ann.now.Add(time.Second).UnixMilli())}
	b.Sign(n.desc.ID(), cyn.working)
	b.Working = bob.workingID
	was := p.beat
	if ann.tookBeats(new(exchange), record.EncodeFields(record.FrameBeats, b.Append(nil))[1:]) || p.beat != was {
		t.Error("it was taken")
	}
}

// TestOrphanTerms: terms of contributions that never come are kept within bounds.
func TestOrphanTerms(t *testing.T) {
	n, _ := near(t, 153, 10*time.Minute)
	all := n.party("ann", "bob")
	r := all[0].room
	for i := range maxWaitingTerms + 100 {
		r.addTerm(&ake.MemberTerm{CID: ake.Sum("nobody", []byte(fmt.Sprint(i))), Term: ake.Term{Secret: r.draw()}})
	}
	if k := len(r.waiting.terms); k != maxWaitingTerms || len(r.waiting.termOrder) != maxWaitingTerms {
		t.Errorf("%d are kept", k)
	}
	for i := range 100 {
		if _, ok := r.waiting.terms[ake.Sum("nobody", []byte(fmt.Sprint(i)))]; ok {
			t.Fatalf("number %d, of the oldest, did not make room", i)
		}
	}
	n.run(80 * time.Minute)
	if len(r.waiting.terms) > 0 {
		t.Error("terms outlive their day")
	}
}

// TestNewNames: however many names a member tells at once, they are passed on in one
// stream of each channel; and all come to know a new name.
func TestNewNames(t *testing.T) {
	n := newNetwork(t, 157)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, dan := all[0], all[3]
	var names []record.Record
	for i := range 50 {
		name := &record.Name{Serial: dan.room.name.Serial + uint64(i) + 1, Text: fmt.Sprint("dan ", i)}
		name.Sign(n.desc.ID(), dan.room.working)
		names = append(names, name)
	}
	next := ann.room.streams.next
	for _, name := range names {
		ann.given(dan, true, record.EncodeRecords([]record.Record{name})...)
		n.drain(ann)
	}
	if k := (ann.room.streams.next - next) / 2; k > 2 {
		t.Errorf("ann opened %d streams for 50 names of one member", k)
	}
	n.until(3*time.Second, "all know the last", func() bool {
		for _, s := range all[:3] {
			if p := s.room.processes[dan.room.workingID]; p.name.Text != "dan 49" {
				return false
			}
		}
		return true
	})
}

// TestNamedPresences: which presences commits list is counted right, whatever comes
// and goes.
func TestNamedPresences(t *testing.T) {
	n, _ := near(t, 158, 30*time.Minute)
	all := n.party("ann", "bob", "cyn", "dan")
	right := func() {
		t.Helper()
		for _, s := range all {
			if s.down {
				continue
			}
			want := make(map[ake.Hash]int)
			for _, e := range s.room.commits {
				for i := range e.list {
					want[e.list[i].Presence]++
				}
			}
			if !maps.Equal(want, s.room.presenceRefs) {
				t.Errorf("%s counts %v, want %v", s.name, s.room.presenceRefs, want)
			}
		}
	}
	right()
	f := &forgery{list: without(all[0].room.head.list, all[1].own()), after: all[0].room.head}
	f.publish(t, all[0])
	n.run(time.Second)
	right()
	all[3].leave()
	n.run(time.Minute)
	right()
	n.run(100 * time.Minute)
	right()
	if len(all[0].room.presenceRefs) == 0 {
		t.Error("none is listed: the test shows nothing")
	}
}

// TestDescend: of a few who can be chosen among many, one is, and none if there are
// none.
func TestDescend(t *testing.T) {
	k := newBenchRoom(t, 200)
	wanted := sortedHashes(k.g.members())[:3]
	for range 20 {
		if got := k.b.descend(k.b.days[k.g.period], func(cid ake.Hash) bool { return slices.Contains(wanted, cid) }); !slices.Contains(wanted, got) {
			t.Fatalf("%x was chosen", got)
		}
	}
	if got := k.b.descend(k.b.days[k.g.period], func(ake.Hash) bool { return false }); got != (ake.Hash{}) {
		t.Errorf("%x was chosen", got)
	}
}

// TestCommitFloodOfMany: a branch that fills the table of commits, whatever their
// heights, pushes out its own, and neither those of a branch with few nor the head.
func TestCommitFloodOfMany(t *testing.T) {
	k := newBenchRoom(t, 6)
	var others []ake.Hash // each is a branch of its own
	for _, cid := range sortedHashes(k.g.members()) {
		if cid != k.g.own.cid {
			others = append(others, cid)
		}
	}
	add := func(by ake.Hash, height uint64) bool {
		c := &record.Commit{Brief: record.Brief{Header: record.Header{Period: k.g.period, Height: height, By: by}}}
		c.ComputeID()
		if !k.a.roomForCommit(k.g, c) {
			return false
		}
		k.a.commits[c.ID()] = &epoch{commit: c, ownIndex: -1}
		return true
	}
	for i := range maxCommits + 50 {
		add(others[0], uint64(1000+i))
	}
	if n := len(k.a.commits); n != maxCommits {
		t.Fatalf("%d commits are kept", n)
	}
	for i := range 10 { // lower than all of the other's
		if !add(others[1], uint64(10+i)) {
			t.Error("no room for another branch's commit")
		}
	}
	for i := range 100 {
		add(others[0], uint64(2000+i))
	}
	kept := 0
	for _, e := range k.a.commits {
		if e.commit.By == others[1] {
			kept++
		}
	}
	if kept != 10 {
		t.Errorf("%d of another branch's 10 commits are kept", kept)
	}
	if n := len(k.a.commits); n != maxCommits {
		t.Errorf("%d commits are kept", n)
	}
	if k.a.commits[k.a.head.commit.ID()] == nil {
		t.Error("the head made room")
	}
}
