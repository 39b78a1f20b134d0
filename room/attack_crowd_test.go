package room

import (
	"crypto/ed25519"
	"encoding/binary"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// A puppet is a member that an insider makes up: signatures alone, no encapsulation
// that opens, and no proof.
type puppet struct {
	working ed25519.PrivateKey
	c       *record.Contribution
	records []record.Record // that make it a member
	term    ake.Term
	over    bool                // it left
	said    map[ake.Hash]uint64 // how much, by epoch
}

// A crowd is what one insider does to a room, all of it at once in all members: the
// insider, whose own process does nothing, and those that it made up.
type crowd struct {
	n       *network
	eve     *simNode
	honest  []*simNode
	puppets []*puppet
	number  uint32
}

// make makes up a member whose cid begins with less than a byte.
func (k *crowd) make(below byte) *puppet {
	for {
		k.number++
		seed := func(what string) [32]byte { return ake.Sum(what, binary.BigEndian.AppendUint32(nil, k.number)) }
		identity, p := newIdentity(seed("identity")), &puppet{working: newIdentity(seed("working"))}
		term := seed("term")
		secret, err := ake.SecretFromBytes(term[:])
		if err != nil {
			panic(err)
		}
		p.term = ake.Term{Secret: secret}
		ctx := &ake.Context{
			Room: k.n.desc.ID(), Identity: [32]byte(identity.Public().(ed25519.PublicKey)), Serial: uint64(k.number),
			Period: k.eve.room.today(), Working: [32]byte(p.working.Public().(ed25519.PublicKey)),
		}
		p.c = record.NewContribution(identity, ctx, &ake.Encapsulated{Term: p.term, Bytes: []byte("nothing that opens")})
		p.c.ComputeID(k.n.desc.ID())
		if id := p.c.ID(); id[0] >= below {
			continue
		}
		in := &record.Edge{Period: ctx.Period, From: k.eve.own(), To: p.c.ID()}
		in.Sign(k.n.desc.ID(), k.eve.room.working)
		out := &record.Edge{Period: ctx.Period, From: p.c.ID(), To: k.eve.own()}
		out.Sign(k.n.desc.ID(), p.working)
		p.records = []record.Record{in, p.c, out, k.presence(p, 1, false, 0)}
		k.puppets = append(k.puppets, p)
		return p
	}
}

func (k *crowd) presence(p *puppet, serial uint64, left bool, other byte) *record.Presence {
	out := &record.Presence{Serial: serial, Left: left}
	if other != 0 {
		out.Addresses = [][]byte{{other}}
	}
	out.Sign(k.n.desc.ID(), p.working)
	return out
}

// tell gives all honest members frames.
func (k *crowd) tell(frames ...[]byte) {
	for _, s := range k.honest {
		if !s.down {
			s.given(k.eve, true, frames...)
			k.n.drain(s)
		}
	}
}

// add makes up members, and tells everybody.
func (k *crowd) add(count int, below byte) {
	var frames [][]byte
	var terms []ake.MemberTerm
	for range count {
		p := k.make(below)
		frames = append(frames, record.EncodeRecords(p.records)...)
		terms = append(terms, ake.MemberTerm{CID: p.c.ID(), Term: p.term})
	}
	k.tell(append(frames, record.EncodeTerms(terms))...)
}

func (k *crowd) leaves(p *puppet) {
	p.over = true
	k.tell(record.EncodeRecords([]record.Record{k.presence(p, 2, true, 0)})...)
}

// beat is a sign of life of the insider and of all that are there, ahead of time.
func (k *crowd) beat(ahead time.Duration) {
	keys := []ed25519.PrivateKey{k.eve.room.working}
	for _, p := range k.puppets {
		if !p.over {
			keys = append(keys, p.working)
		}
	}
	for part := range slices.Chunk(keys, 500) {
		var fields [][]byte
		for _, w := range part {
			b := &record.Beat{Serial: uint64(k.n.now.Add(ahead).UnixMilli())}
			b.Sign(k.n.desc.ID(), w)
			fields = append(fields, b.Append(nil))
		}
		slices.SortFunc(fields, slices.Compare)
		k.tell(record.EncodeFields(record.FrameBeats, fields...))
	}
}

// says has one that she made up say something, in the epochs of all honest members that list it.
func (k *crowd) says(p *puppet, text string) {
	for _, s := range k.honest {
		h := s.room.head
		if s.down || !h.lists(p.c.Identity, p.c.ID()) {
			continue
		}
		if p.said == nil {
			p.said = make(map[ake.Hash]uint64)
		}
		if s == k.honest[0] {
			p.said[h.commit.ID()]++
		}
		m := &record.Signed{Body: record.Body{Counter: max(1, p.said[h.commit.ID()]), Time: uint64(k.n.now.UnixMilli()),
			Lamport: 1, Kind: record.KindText, Text: text}, Epoch: h.commit.ID(), CID: p.c.ID()}
		m.Sign(k.n.desc.ID(), p.working)
		s.given(k.eve, true, m.AppendLog([]byte{record.FrameLog}))
		k.n.drain(s)
	}
}

// bounded checks that what one node keeps is within the limits of PROTOCOL.md §12.
func (s *simNode) bounded(t *testing.T) {
	r := s.room
	within := func(what string, have, most int) {
		if have > most {
			t.Errorf("%s keeps %d %s, the limit is %d", s.name, have, what, most)
		}
	}
	within("records that wait", len(r.waiting.records), maxWaitingRecords)
	within("commits that wait", len(r.waiting.commits), maxWaitingCommits)
	within("messages that wait", len(r.waiting.messages), maxWaitingMessages)
	within("terms that wait", len(r.waiting.terms), maxWaitingTerms)
	within("commits", len(r.commits), maxCommits)
	within("epochs that are remembered", len(r.retired), maxRemembered)
	within("bodies in memory", len(r.logs.inMemory), maxBodiesInMemory)
	within("messages", r.logs.messages, maxMessages)
	within("transcripts", len(r.logs.transcripts), maxTranscripts)
	within("places", r.logs.places, maxPlaces)
	within("who proved nothing", len(r.proofs.idleSince), maxIdlers)
	within("streams", len(r.streams.byID), maxAnswering+16*len(r.neighbours))
	for _, g := range r.days {
		within("nodes", len(g.nodes), maxNodes)
		within("edges", len(g.edges), maxEdges)
		within("promised edges", len(g.promised), maxPromised)
	}
	for _, p := range r.processes {
		within("presences of a process", len(p.presences), maxPresences+maxPairs)
	}
}

// listed are the puppets that are there and in the head of some honest member.
func (k *crowd) listed() (out []*puppet) {
	for _, p := range k.puppets {
		if !p.over && slices.ContainsFunc(k.honest, func(s *simNode) bool { return !s.down && s.room.head.lists(p.c.Identity, p.c.ID()) }) {
			out = append(out, p)
		}
	}
	return out
}

// allMaySend reports whether no honest member is kept from sending.
func (k *crowd) allMaySend() bool {
	return !slices.ContainsFunc(k.honest, func(s *simNode) bool { return !s.down && !s.room.maySend() })
}

// highest is the greatest head of an honest member.
func (k *crowd) highest() *epoch {
	var best *epoch
	for _, s := range k.honest {
		if h := s.room.head; !s.down && (best == nil || better(h, best)) {
			best = h
		}
	}
	return best
}

// commit publishes a commit of the insider's above all heads, with a list, and hands
// its secret to some.
func (k *crowd) commit(t *testing.T, list record.List, to func(*simNode) bool) {
	list = slices.Clone(list)
	list.Sort()
	h := k.highest()
	f := &forgery{list: list, after: h, to: to, header: func(c *record.Header) {
		for _, s := range k.honest {
			c.Height = max(c.Height, s.room.days[c.Period].height+1)
		}
	}}
	f.publish(t, k.eve)
}

// TestStopped: who leaves stops the others, until a head without them is there; but
// those that one member makes up stop them for a few seconds of a minute, and no more.
func TestStopped(t *testing.T) {
	n := newNetwork(t, 301)
	all := n.party("ann", "bob", "cyn", "eve")
	k := &crowd{n: n, eve: all[3], honest: all[:3]}
	n.pause(k.eve)
	k.add(40, 255)
	n.until(20*time.Second, "they are listed", func() bool { return len(k.listed()) == 40 })
	k.beat(0)
	n.run(5 * time.Second)
	k.leaves(k.listed()[0])
	if all[0].room.maySend() {
		t.Error("the first does not stop ann")
	}
	may, of := 0, 0
	for range 3000 {
		n.run(20 * time.Millisecond)
		if of++; all[0].room.maySend() {
			may++
		}
		if of%500 == 0 {
			k.beat(0)
		}
		if gone := k.listed(); len(gone) > 0 && k.allMaySend() {
			k.leaves(gone[0])
		}
	}
	share := 100 * float64(may) / float64(of)
	t.Logf("ann may send %.1f %% of the time", share)
	if share < 90 {
		t.Errorf("ann may send %.1f %% of the time", share)
	}
	n.run(time.Minute)
	k.honest[2].leave()
	if n.run(100 * time.Millisecond); all[0].room.maySend() {
		t.Error("a minute later nobody's leave stops ann")
	}
}

// TestFullRoom: one insider fills a room with those that she makes up. Those who were
// there before keep their places, whoever let them in; who comes later finds one, and
// drops nobody.
func TestFullRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds, and the race detector minutes")
	}
	for _, seed := range []uint64{303, 305} {
		n := newNetwork(t, seed)
		n.maxSteps = 1 << 40
		all := n.party("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "eve")
		k := &crowd{n: n, eve: all[9], honest: slices.Clone(all[:9])}
		n.pause(k.eve)
		k.add(1030, 64)
		k.beat(0)
		n.run(20 * time.Second)
		full := func() bool { return len(k.highest().list) == record.MaxMembers }
		n.until(20*time.Second, "the room is full", full)
		complete := func() bool {
			return !slices.ContainsFunc(k.honest, func(s *simNode) bool {
				return slices.ContainsFunc(k.honest, func(o *simNode) bool { return !s.down && !o.down && !s.room.head.lists(o.room.identity, o.own()) })
			})
		}
		if !complete() {
			t.Fatalf("seed %d: somebody lost their place\n%s", seed, n.describe())
		}
		for i := range 2 {
			k.beat(0)
			n.run(10 * time.Second)
			before := complete()
			n.honestLeaves(k, 8-i)
			n.run(10 * time.Second)
			if !before || !complete() {
				t.Fatalf("seed %d: somebody lost their place\n%s", seed, n.describe())
			}
			coming := n.add("new", true)
			n.run(500 * time.Millisecond)
			n.connect(coming, k.honest[0])
			n.connect(coming, k.honest[5])
			k.honest = append(k.honest, coming)
			n.until(15*time.Second, "the newcomer is listed", func() bool { return coming.room.head != nil && complete() })
		}
		for range 10 {
			k.beat(0)
			n.run(2 * time.Second)
			if !complete() {
				t.Fatalf("seed %d: somebody lost their place\n%s", seed, n.describe())
			}
		}
		k.leaves(k.listed()[0]) // whoever commits, the newcomers too
		for range 100 {
			n.run(100 * time.Millisecond)
			if !complete() {
				t.Fatalf("seed %d: somebody lost their place\n%s", seed, n.describe())
			}
		}
	}
}

func (n *network) honestLeaves(k *crowd, i int) {
	k.honest[i].leave()
	n.stop(k.honest[i])
}

// TestSponsorGoesOn: who lets somebody in lists them as soon as they may, though an
// insider's heads leave the newcomer out, and those before them in the order do nothing.
func TestSponsorGoesOn(t *testing.T) {
	for seed := range uint64(12) {
		n := newNetwork(t, 320+seed)
		all := n.party("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "eve")
		k := &crowd{n: n, eve: all[9], honest: slices.Clone(all[:9])}
		n.run(20 * time.Second)
		for _, s := range all[1:] {
			n.pause(s)
		}
		sponsor, coming := all[0].room, n.add("new", true)
		listed := func() bool { return sponsor.head.lists(coming.room.identity, coming.own()) }
		var step func()
		step = func() {
			if !listed() {
				k.commit(t, without(k.highest().list, coming.own()), func(*simNode) bool { return true })
				n.at(200*time.Millisecond, step)
			}
		}
		n.run(500 * time.Millisecond) // its encapsulation is made
		step()
		n.run(500 * time.Millisecond)
		n.connect(coming, all[0])
		n.until(5*time.Second, "it is let in", func() bool { return listed() || len(sponsor.turn.letIn) > 0 })
		since := n.now
		n.until(time.Minute, "it is listed", listed)
		if took := n.now.Sub(since); took > 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	}
}

// TestOneInsider: whatever one insider does to a room of ten, honest members may
// send nine tenths of the time, all that they say reaches all of them, and somebody
// who comes is in within five seconds. -crowd.seed tries others.
func TestOneInsider(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	oneInsider(t, "", *crowdSeed)
}

// TestManyHeads: one of them alone: half the room has another head four times a second.
func TestManyHeads(t *testing.T) {
	for _, seed := range []uint64{300, 301, 302} {
		oneInsider(t, "withholds secrets from one half", seed)
	}
}

var crowdSeed = flag.Uint64("crowd.seed", 300, "the seed of TestOneInsider; TestFortyOutsiders has one that is 100 more")

func oneInsider(t *testing.T, only string, seed uint64) {
	const seconds = 40
	everybody := func(*simNode) bool { return true }
	nobody := func(*simNode) bool { return false }
	for _, kind := range []struct {
		name string
		// begin prepares, with time to itself; step goes on every so often.
		begin func(t *testing.T, k *crowd)
		every time.Duration
		step  func(t *testing.T, k *crowd, i int)
	}{
		{name: "nothing"},
		{name: "leaves when listed", every: 20 * time.Millisecond, step: func(_ *testing.T, k *crowd, _ int) {
			for _, p := range k.listed() {
				k.leaves(p)
			}
			here := 0
			for _, p := range k.puppets {
				if !p.over {
					here++
				}
			}
			if here < 2 {
				k.add(1, 255)
			}
		}},
		{name: "leave one by one", begin: func(_ *testing.T, k *crowd) { k.add(200, 255) },
			every: 20 * time.Millisecond, step: func(_ *testing.T, k *crowd, _ int) {
				if all := k.listed(); len(all) > 0 && k.allMaySend() {
					k.leaves(all[0])
				}
			}},
		{name: "leave one by one, listed by herself", every: 100 * time.Millisecond, step: func(t *testing.T, k *crowd, _ int) {
			if !k.allMaySend() {
				return
			}
			if all := k.listed(); len(all) > 0 {
				k.leaves(all[0])
				return
			}
			if k.number == 160 {
				return
			}
			k.add(20, 255)
			list := slices.Clone(k.highest().list)
			for _, p := range k.puppets {
				if !p.over {
					list = append(list, record.Entry{Identity: p.c.Identity, CID: p.c.ID(), Presence: p.records[3].ID()})
				}
			}
			k.commit(t, list, everybody)
		}},
		{name: "two pairs of presences", every: 20 * time.Millisecond, step: func(_ *testing.T, k *crowd, _ int) {
			for _, p := range k.listed() {
				p.over = true
				for i, s := range k.honest {
					if pair := []record.Record{k.presence(p, 9, false, byte(1+i%2)), k.presence(p, 9, false, byte(3+i%2))}; !s.down {
						s.given(k.eve, true, record.EncodeRecords(pair)...)
						k.n.drain(s)
					}
				}
			}
			if len(k.puppets) == 0 || k.puppets[len(k.puppets)-1].over {
				k.add(1, 255)
			}
		}},
		{name: "never commit", begin: func(_ *testing.T, k *crowd) { k.add(200, 255) },
			every: 12 * time.Second, step: func(_ *testing.T, k *crowd, i int) {
				k.honest[8-i].leave()
				k.n.stop(k.honest[8-i])
			}},
		{name: "too many", begin: func(_ *testing.T, k *crowd) { k.add(1030, 64) },
			every: 15 * time.Second, step: func(_ *testing.T, k *crowd, i int) {
				k.honest[8-i].leave()
				k.n.stop(k.honest[8-i])
			}},
		{name: "lists who left", begin: func(_ *testing.T, k *crowd) { k.honest[8].leave(); k.n.stop(k.honest[8]); k.n.run(10 * time.Second) },
			every: 250 * time.Millisecond, step: func(t *testing.T, k *crowd, _ int) {
				gone := k.honest[8]
				entry := gone.room.head.list[gone.room.head.ownIndex]
				if h := k.highest(); h.list.Index(entry.CID) < 0 {
					k.commit(t, append(slices.Clone(h.list), entry), everybody)
				}
			}},
		{name: "leaves one out", every: 300 * time.Millisecond, step: func(t *testing.T, k *crowd, i int) {
			k.commit(t, without(k.highest().list, k.honest[i%9].own()), everybody)
		}},
		{name: "commits without pause", every: 200 * time.Millisecond, step: func(t *testing.T, k *crowd, _ int) {
			k.commit(t, k.highest().list, everybody)
		}},
		{name: "withholds secrets", every: 250 * time.Millisecond, step: func(t *testing.T, k *crowd, _ int) {
			k.commit(t, k.highest().list, nobody)
		}},
		{name: "withholds secrets from one half", every: 250 * time.Millisecond, step: func(t *testing.T, k *crowd, _ int) {
			k.commit(t, k.highest().list, func(s *simNode) bool { return slices.Index(k.honest, s) < 5 })
		}},
		{name: "beats ahead", begin: func(_ *testing.T, k *crowd) { k.add(5, 255) },
			every: 10 * time.Second, step: func(_ *testing.T, k *crowd, i int) {
				k.beat(time.Duration(i) * 10 * time.Minute)
			}},
		{name: "silent again and again", begin: func(_ *testing.T, k *crowd) {
			k.add(5, 255)
			k.beat(0)
			k.n.run(3 * time.Minute)
		}, every: 12 * time.Second, step: func(_ *testing.T, k *crowd, i int) {
			half := k.honest[i%2*4 : i%2*4+4] // in turn one half hears them
			all := k.honest
			k.honest = half
			k.beat(0)
			k.honest = all
		}},
		{name: "talks without pause", begin: func(_ *testing.T, k *crowd) { k.add(5, 255) },
			every: 20 * time.Millisecond, step: func(_ *testing.T, k *crowd, i int) {
				if all := k.listed(); len(all) > 0 {
					k.says(all[i%len(all)], fmt.Sprint("spam ", i))
				}
			}},
		{name: "comes and goes", every: 2 * time.Second, step: func(_ *testing.T, k *crowd, i int) {
			if i > 0 {
				last := k.n.nodes[len(k.n.nodes)-1]
				if last.name != "new" {
					last.leave()
					k.n.stop(last)
				}
			}
			other := k.n.add("eve again", true)
			for j := range 3 {
				k.n.connect(other, k.honest[(i+3*j)%9])
			}
		}},
	} {
		if only != "" && only != kind.name {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			n := newNetwork(t, seed)
			n.maxSteps = 1 << 40
			all := n.party("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "eve")
			k := &crowd{n: n, eve: all[9], honest: slices.Clone(all[:9])}
			n.pause(k.eve) // what she does is done here
			real := time.Now()
			if kind.begin != nil {
				kind.begin(t, k)
				k.beat(0)
				n.run(20 * time.Second)
			}
			begun, before, i := n.now, n.commits, 0
			var step func()
			step = func() {
				kind.step(t, k, i)
				i++
				n.at(kind.every, step)
			}
			if kind.step != nil {
				n.at(kind.every, step)
			}
			var beats func()
			beats = func() { k.beat(0); n.at(20*time.Second, beats) }
			if kind.name != "silent again and again" && kind.name != "beats ahead" {
				beats()
			}
			// Every member speaks now and then, and two come.
			said := make(map[string]time.Time)
			came := make(map[*simNode]time.Time)
			var joins []time.Duration
			may, of := make(map[*simNode]int), 0
			var coming *simNode
			var since time.Time
			for at := 0; at < seconds*50; at++ {
				if s := k.honest[at%len(k.honest)]; at%25 == 0 && !s.down {
					text := fmt.Sprintf("%d of %s", at, s.name)
					said[text] = n.now
					s.say(text)
				}
				if at == 5*50 || at == 22*50 {
					coming = n.add("new", true)
					n.run(500 * time.Millisecond)
					since = n.now
					n.connect(coming, k.honest[at%5])
					n.connect(coming, k.honest[5])
				}
				n.run(20 * time.Millisecond)
				of++
				for _, s := range k.honest {
					if s.room.maySend() || s.down {
						may[s]++
					}
				}
				if coming != nil && coming.room.head != nil && coming.room.maySend() && !slices.ContainsFunc(k.honest, func(s *simNode) bool {
					return !s.down && !s.room.head.lists(coming.room.identity, coming.own())
				}) {
					joins, came[coming] = append(joins, n.now.Sub(since)), n.now
					for range of {
						may[coming]++
					}
					k.honest, coming = append(k.honest, coming), nil
				}
			}
			n.run(15 * time.Second)
			worst, lost := of, 0
			for _, s := range k.honest {
				if s.down {
					continue
				}
				worst = min(worst, may[s])
				s.bounded(t)
				heard := make(map[string]bool)
				for _, m := range s.messages {
					heard[m.Message.Text] = true
				}
				for text, at := range said {
					if !heard[text] && at.After(came[s]) {
						lost++
						t.Logf("%s was not given %q, said %v after the beginning; came %v", s.name, text, at.Sub(begun), came[s].Sub(begun))
					}
				}
			}
			share := 100 * float64(worst) / float64(of)
			t.Logf(kind.name+": may send %.1f %%, %d of %d not delivered, joins %v; %d commits in %v, %d made up, %v of real time",
				share, lost, len(said), joins, n.commits-before, n.now.Sub(begun), k.number, time.Since(real).Round(100*time.Millisecond))
			if share < 90 {
				t.Errorf("somebody may send %.1f %% of the time", share)
			}
			if lost > 0 {
				t.Errorf("%d messages were not delivered to somebody", lost)
			}
			if len(joins) < 2 || slices.Max(joins) > 5*time.Second {
				t.Errorf("joins took %v", joins)
			}
		})
	}
}

// TestMadeUpMembersComeLast: of the members, those who were there for longest come first, so that
// who is remembered for the next time is nobody that one of them made up.
func TestMadeUpMembersComeLast(t *testing.T) {
	n := newNetwork(t, 307)
	all := n.party("p0", "p1", "p2", "p3", "eve")
	k := &crowd{n: n, eve: all[4], honest: slices.Clone(all[:4])}
	n.pause(k.eve)
	n.run(10 * time.Second)
	k.add(30, 30)
	k.beat(0)
	n.until(20*time.Second, "they are listed", func() bool { return len(k.highest().list) == 35 })
	k.beat(0)
	for _, s := range k.honest {
		others := s.room.OtherMembers()
		if len(others) != 34 {
			t.Fatalf("%s knows %d others", s.name, len(others))
		}
		for _, o := range others[:4] {
			if !slices.ContainsFunc(all, func(p *simNode) bool { return p.room.Self() == o.ID }) {
				t.Errorf("%s has one that was made up before those who were there", s.name)
			}
		}
	}
}
