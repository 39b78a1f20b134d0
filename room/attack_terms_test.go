package room

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestRecorder: who only listens on the topic, and never says a word, finds each
// member's encapsulation there, the first member's too, and each day's: who has a
// key later can open them, and who lacks a term can do so now.
func TestRecorder(t *testing.T) {
	n, midnight := near(t, 410, 30*time.Minute)
	x := n.addSpy("recorder", nil)
	found := func(all []*simNode, day abe.Period) (missing []string) {
		of := make(map[ake.Hash]*record.Join)
		for _, b := range x.traffic {
			if b[0] != record.TypeJoin {
				continue
			}
			j, err := record.ParseJoin(b[1:])
			if err != nil {
				t.Fatal(err)
			}
			j.Contribution.ComputeID(n.desc.ID())
			of[j.Contribution.ID()] = j
		}
		for _, s := range all {
			j := of[s.room.days[day].own.cid]
			if j == nil || ake.HashEncapsulation(j.Encapsulation) != j.Contribution.Encapsulation {
				missing = append(missing, s.name)
				continue
			}
			suite := &fakeSuite{node: x.node, satisfies: always} // a key
			opened, err := suite.Open(j.Contribution.Context(n.desc.ID()), nil, j.Encapsulation)
			if err != nil || opened.Term.Commitment() != j.Contribution.Term {
				t.Errorf("what %s published does not open to its term", s.name)
			}
		}
		return missing
	}
	var all []*simNode
	for _, name := range []string{"ann", "bob", "cyn", "dan"} {
		s := n.add(name, true)
		n.connect(x.node, s)
		for _, o := range all {
			n.connect(s, o)
		}
		all = append(all, s)
		n.run(3 * time.Second)
	}
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	day := dayOf(n.now)
	if m := found(all, day); m != nil {
		t.Errorf("the encapsulations of %v are not on the topic", m)
	}
	n.run(midnight.Sub(n.now) + 10*time.Minute)
	if m := found(all, day+1); m != nil {
		t.Errorf("the next day's encapsulations of %v are not on the topic", m)
	}
}

// TestWithheldTerms: a sponsor that lets somebody in, and hands the secret over without the
// newcomer's term, or does not hand it over, makes the join take 3 s at most, instead of half a
// second: others open the term, or commit anew, by rank, and list the newcomer.
func TestWithheldTerms(t *testing.T) {
	for _, size := range []int{4, 10, 40} {
		for _, c := range []struct {
			name          string
			terms, secret bool // withheld
			only          bool // the newcomer is connected to the sponsor alone
		}{
			{"nothing", false, false, false},
			{"the term", true, false, false},
			{"the term, and it has no other neighbour", true, false, true},
			{"the term and the secret", true, true, false},
			{"the secret", false, true, false},
		} {
			t.Run(fmt.Sprintf("%d, %s", size, c.name), func(t *testing.T) {
				if size > 10 && testing.Short() {
					t.Skip("takes half a minute")
				}
				var worst time.Duration
				seeds := uint64(20)
				if !c.terms && !c.secret {
					seeds = 1
				}
				for seed := range seeds {
					worst = max(worst, withheldTerms(t, 422+seed, size, c.terms, c.secret, c.only))
				}
				t.Logf("%v at most", worst)
				if worst > 3*time.Second {
					t.Errorf("a join took %v", worst)
				}
			})
		}
	}
}

// withheldTerms is how long a join takes by a sponsor that withholds the term, or the secret.
func withheldTerms(t *testing.T, seed uint64, size int, terms, secret, only bool) time.Duration {
	n := newNetwork(silentTB{t}, seed)
	all := n.crowd(size)
	n.until(20*time.Second, "one epoch", func() bool { return together(all...) })
	n.run(10 * time.Second)
	eve := all[1]
	coming := n.add("new", true)
	n.run(time.Second)
	n.rewrite = func(s *simNode, data []byte) []byte {
		switch {
		case s != eve:
		case data[0] == record.FrameSecret && secret:
			return nil
		case data[0] == record.FrameTerms && terms:
			all, err := record.ParseTerms(data[1:])
			if err != nil {
				t.Fatal(err)
			}
			rest := slices.DeleteFunc(all, func(m ake.MemberTerm) bool { return m.CID == coming.own() })
			if len(rest) == 0 {
				return nil
			}
			return record.EncodeTerms(rest)
		}
		return data
	}
	opens, sponsored := n.opens, eve.opens
	n.connect(coming, eve) // it is the sponsor
	start := n.now
	n.run(100 * time.Millisecond)
	for _, s := range all {
		if s != eve && !only {
			n.connect(coming, s)
		}
	}
	n.until(20*time.Second, "the newcomer is in", func() bool {
		h := coming.room.head
		return h != nil && h.list.Index(all[0].own()) >= 0 && !slices.ContainsFunc(all, func(s *simNode) bool {
			return s != eve && (s.room.head.commit.ID() != h.commit.ID() || !s.room.maySend())
		})
	})
	if eve.opens != sponsored+1 {
		t.Fatalf("seed %d: it is not the sponsor: the test shows nothing", seed)
	}
	if !terms && n.opens-opens != 2 {
		t.Errorf("seed %d: %d openings", seed, n.opens-opens)
	}
	return n.now.Sub(start)
}

// TestTermlessProcess: a member comes back as a process of which nobody gets the term,
// or the presence. Its old one is gone, so all need a new epoch; they have one without
// it, whether it gives signs of life or not.
func TestTermlessProcess(t *testing.T) {
	for _, shown := range []bool{false, true} {
		t.Run(fmt.Sprint("with a presence: ", shown), func(t *testing.T) {
			n := newNetwork(t, 421)
			all := n.party("ann", "bob", "cyn", "eve")
			eve, others := all[3], all[:3]
			x := n.addSpy("eve again", eve.room.cfg.Identity)
			c := x.contribute(eve.room.today(), eve.room.serial+1, func(ctx *ake.Context) *ake.Encapsulated {
				return fakeDerive(floodSeed(0), ctx, fakeEncapsulation(floodSeed(0), ctx))
			})
			in := &record.Edge{Period: c.Period, From: eve.own(), To: c.ID()}
			in.Sign(n.desc.ID(), eve.room.working)
			records := []record.Record{in, c, x.edge(c.Period, c.ID(), eve.own())}
			if shown {
				records = append(records, x.presence())
			}
			head := others[0].room.head.commit.ID()
			for _, s := range others {
				s.given(eve, true, record.EncodeRecords(records)...)
				n.drain(s)
			}
			for i := range 12 {
				if shown {
					b := &record.Beat{Serial: uint64(n.now.UnixMilli())}
					b.Sign(n.desc.ID(), x.working)
					for _, s := range others {
						s.given(eve, false, record.EncodeFields(record.FrameBeats, b.Append(nil)))
						n.drain(s)
					}
				}
				text := fmt.Sprint("number ", i)
				others[0].say(text)
				n.allHear(10*time.Second, text, others...)
				n.run(10 * time.Second)
			}
			if others[0].room.head.commit.ID() == head || !together(others...) {
				t.Errorf("no epoch without it:\n%s", n.describe())
			}
			for _, s := range others {
				if told := events[LeftOut](s); len(told) > 0 {
					t.Errorf("%s was told %+v", s.name, told)
				}
			}
		})
	}
}

// TestAnswersTellNothing: the time from the last byte that came to an answer, or to
// the end of the stream, does not depend on whether it opened, nor on how long that
// took, below the bound; above it, on nothing finer than twice and four times.
func TestAnswersTellNothing(t *testing.T) {
	const bound = 100 * time.Millisecond // twice 50 ms, what the encapsulation took
	// ask is how long a member that dials, or that is dialled, takes to answer.
	ask := func(t *testing.T, dials, opens bool, work time.Duration) time.Duration {
		n := newNetwork(silentTB{t}, 430)
		n.jitter = 0
		day := dayOf(n.now)
		member := n.add("member", true)
		n.run(time.Second)
		if member.room.answerTime() != bound {
			t.Fatalf("the bound is %v", member.room.answerTime())
		}
		n.work = func(*simNode, any) time.Duration { return work }
		x := n.addSpy("prober", nil)
		var enc []byte
		c := x.contribute(day, 1, func(ctx *ake.Context) *ake.Encapsulated {
			enc = fakeEncapsulation(floodSeed(0), ctx)
			if !opens {
				enc[fakeSize-1] ^= 1
			}
			return fakeDerive(floodSeed(0), ctx, enc)
		})
		var stream StreamID
		var last, over time.Time
		x.answer = func(id StreamID, data []byte) {
			switch data[0] {
			case record.FrameHello:
				if dials {
					h := &record.Hello{Room: n.desc.ID(), Days: []record.HelloDay{{Period: day, CID: c.ID(), Size: 3}}}
					x.send(id, h.Encode())
				}
			case record.FrameProve1:
				x.send(id, record.EncodeFields(record.FrameProve2, c.Append(nil), x.presence().Append(nil), enc))
				stream, last = id, n.now
			case record.FrameProve2:
				f, err := record.ParseFields(data[1:])
				if err != nil {
					t.Fatal(err)
				}
				theirs, err := record.ParseContribution(f[0])
				if err != nil {
					t.Fatal(err)
				}
				theirs.ComputeID(n.desc.ID())
				opened, err := (&fakeSuite{node: x.node, satisfies: always}).Open(theirs.Context(n.desc.ID()), nil, f[2])
				if err != nil {
					t.Fatal(err)
				}
				mac := opened.Proof.Answer(ake.Newcomer, c.ID(), theirs.ID())
				x.send(id, record.EncodeFields(record.FrameProve3, mac[:], enc))
				stream, last = id, n.now
			case record.FrameProve3, record.FrameProve4:
				over = n.now
			}
		}
		n.connect(member, x.node)
		n.run(100 * time.Millisecond)
		if !dials {
			x.open(member, ProtocolProve, record.EncodeFields(record.FrameProve1, c.Append(nil), x.presence().Append(nil)))
		}
		for start := n.now; over.IsZero() && n.now.Sub(start) < 20*time.Second; n.run(100 * time.Microsecond) {
			if stream != 0 && x.over[stream] {
				over = n.now
			}
		}
		if over.IsZero() || (len(x.got(stream, record.FrameProve3))+len(x.got(stream, record.FrameProve4)) > 0) != opens {
			t.Fatalf("frames %d, over %v: the test shows nothing", len(x.frames[stream]), x.over[stream])
		}
		return over.Sub(last) - 2*n.delay
	}
	for name, dials := range map[string]bool{"who dials": true, "who is dialled": false} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct{ work, want time.Duration }{
				{0, bound}, {time.Millisecond, bound}, {40 * time.Millisecond, bound}, {99 * time.Millisecond, bound},
				{101 * time.Millisecond, 2 * bound}, {190 * time.Millisecond, 2 * bound}, {230 * time.Millisecond, 4 * bound}, {3 * time.Second, 32 * bound},
			} {
				for _, opens := range []bool{true, false} {
					if got := ask(t, dials, opens, c.work); got < c.want || got > c.want+time.Millisecond {
						t.Errorf("it opens: %v, in %v: the answer, or the end, comes after %v, want %v", opens, c.work, got, c.want)
					}
				}
			}
		})
	}
}

// TestAnswerAfterSleep: a process that slept while it made its encapsulation does
// not take hours to answer for it.
func TestAnswerAfterSleep(t *testing.T) {
	n := newNetwork(t, 431)
	n.work = func(*simNode, any) time.Duration { return 8 * time.Hour }
	s := n.add("ann", true)
	n.run(8*time.Hour + time.Minute)
	if s.day().own == nil {
		t.Fatal("there is no encapsulation: the test shows nothing")
	}
	if at := s.room.answerTime(); at > mostAnswer {
		t.Errorf("it answers after %v", at)
	}
}

var joinSizes = flag.String("sim.sizes", "10,100", "sizes of rooms for TestJoinBytes; 1000 takes minutes")

// TestJoinBytes writes a table of what a join costs in bytes. What is published is
// counted once, not by copies. Beats are left out: they are told in any case.
func TestJoinBytes(t *testing.T) {
	t.Logf("%6s %10s %12s %14s %14s %10s", "n", "topic", "of it, join", "plain streams", "in channels", "took")
	for _, text := range strings.Split(*joinSizes, ",") {
		size, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		n := newNetwork(silentTB{t}, 440)
		n.maxSteps = 1 << 30
		n.rewrite = func(_ *simNode, data []byte) []byte {
			if data[0] == record.FrameBeats {
				return nil
			}
			return data
		}
		all := n.crowd(size)
		n.until(time.Minute, "one epoch", func() bool { return together(all...) })
		new := n.add("new", true)
		x := n.addSpy("recorder", nil)
		n.connect(x.node, all[size/2])
		n.run(2 * time.Second)
		n.bytes = struct{ topic, plain, inside int }{}
		opens := n.opens
		for i := range 4 {
			n.connect(new, all[i*size/4])
		}
		took := n.until(30*time.Second, "the newcomer is in", func() bool { return together(append([]*simNode{new}, all...)...) })
		join := 0
		for _, b := range x.traffic {
			if b[0] == record.TypeJoin {
				join = len(b)
			}
		}
		t.Logf("%6d %10d %12d %14d %14d %10v", size, n.bytes.topic, join, n.bytes.plain, n.bytes.inside, took)
		if n.opens-opens != 2 {
			t.Errorf("%d openings in a join at %d", n.opens-opens, size)
		}
		if limit := 2048; n.bytes.topic > limit {
			t.Errorf("a join at %d takes %d bytes on the topic, the limit is %d", size, n.bytes.topic, limit)
		}
	}
}
