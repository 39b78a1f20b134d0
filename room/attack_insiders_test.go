package room

import (
	"fmt"
	"math"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// believes gives a node's room the commits that another holds: whoever plots
// against a room hears what is said in it.
func (s *simNode) believes(of *simNode) {
	for id, e := range of.room.commits {
		if s.room.commits[id] == nil {
			s.room.commits[id] = e
		}
	}
}

// TestLeaverCommits: a leaver, who knows all terms and all keys of the epoch he
// was in, commits himself back in, again and again: nobody takes it, and what is
// said goes on without him.
func TestLeaverCommits(t *testing.T) {
	n := newNetwork(t, 31)
	all := n.party("ann", "bob", "cyn", "dan")
	dan, others := all[3], all[:3]
	entry := dan.room.head.list[dan.room.head.mine]
	before := dan.room.presence
	dan.leave()
	n.until(20*time.Second, "an epoch without dan", func() bool { return together(others...) })
	n.run(5 * time.Second)
	var forged []*record.Commit
	for i := range 20 {
		head := others[0].room.head
		dan.believes(others[0])
		entry.Presence = before.ID()
		list := append(without(head.list), entry)
		list.Sort()
		f := &forgery{list: list, prevs: []*epoch{head}}
		forged = append(forged, f.publish(t, dan))
		others[i%3].say(fmt.Sprint("number ", i))
		n.run(500 * time.Millisecond)
		for _, s := range others {
			if e := s.room.commits[forged[i].ID()]; e != nil && (e.status == accepted || e.keys != nil) {
				t.Fatalf("%s took the leaver's commit %d", s.name, i)
			}
		}
	}
	n.run(5 * time.Second)
	for i := range 20 {
		for _, s := range others {
			if !s.heard(fmt.Sprint("number ", i)) {
				t.Errorf("%s was not given message %d", s.name, i)
			}
		}
	}
	if !together(others...) {
		t.Errorf("they fell apart:\n%s", n.describe())
	}
}

// TestSilentOmission: nobody is dropped without a word (TestForgedCommits), and
// whoever is falsely called silent answers and comes back; who has heard of him
// since does not send without him.
func TestSilentOmission(t *testing.T) {
	for name, serial := range map[string]func(uint64) uint64{
		"an old serial":          func(s uint64) uint64 { return s - 1 },
		"the last serial":        func(s uint64) uint64 { return s },
		"a serial ahead":         func(s uint64) uint64 { return s + 1000 },
		"the greatest of all":    func(s uint64) uint64 { return math.MaxUint64 },
		"the greatest but one":   func(s uint64) uint64 { return math.MaxUint64 - 1 },
		"a serial of next month": func(s uint64) uint64 { return s + 30*24*3600*1000 },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 32)
			all := n.party("ann", "bob", "cyn", "dan")
			ann, bob, cyn := all[0], all[1], all[2]
			n.until(time.Minute, "all have heard cyn's last beat, and the next is far", func() bool {
				for _, s := range all {
					if s.room.process(cyn.room.workingID).serial() != cyn.room.process(cyn.room.workingID).serial() {
						return false
					}
				}
				return cyn.room.beatAt.Sub(n.now) > 5*time.Second
			})
			head := ann.room.head
			p := ann.room.process(cyn.room.workingID)
			last := p.serial()
			if last == 0 {
				t.Fatal("ann heard nothing of cyn")
			}
			p.isDead, p.obit, p.beat = true, math.MaxUint64, &record.Beat{Serial: serial(last)}
			f := &forgery{list: without(head.list, cyn.own()), prevs: []*epoch{head}}
			c := f.publish(t, ann)
			p.isDead, p.obit = false, 0
			p.beat = &record.Beat{Serial: last}
			ann.inject(record.Encode(c))
			n.run(60 * time.Millisecond)
			if e := bob.room.head; e.commit.ID() == c.ID() {
				if bob.room.process(cyn.room.workingID).serial() > c.Removals[0].Serial() && bob.room.maySend() {
					t.Error("bob, who has heard of cyn since, would send without her")
				}
			}
			n.until(3*time.Second, "cyn is back", func() bool { return together(bob, cyn, all[3], ann) })
			n.run(2 * time.Minute)
			if !together(all...) {
				t.Errorf("and gone again:\n%s", n.describe())
			}
			bob.say("with her")
			n.allHear(2*time.Second, "with her", cyn)
		})
	}
}

// TestHeightInflation: an insider who commits as high as it can, on commits of
// which nobody can find what they rest on, does not keep anybody from committing
// after it: neither in a room under way nor in one that begins, and not at the
// end of all heights.
func TestHeightInflation(t *testing.T) {
	inflate := func(t *testing.T, s *simNode, head *epoch, height uint64) *record.Commit {
		// The lower of the two names a prev that does not exist: everybody holds
		// it, nobody can judge it. The upper one rests on it.
		low := &forgery{list: head.list, prevs: []*epoch{head}, header: func(h *record.Header) {
			h.Height, h.Prevs = height-1, []ake.Hash{ake.Sum("bogus")}
		}}
		c := low.publish(t, s)
		e := &epoch{commit: c, list: head.list}
		high := &forgery{list: head.list, prevs: []*epoch{e}}
		return high.publish(t, s)
	}
	for _, height := range []uint64{100, 1 << 20, 1 << 40, math.MaxUint64} {
		t.Run(fmt.Sprint(height), func(t *testing.T) {
			n := newNetwork(t, 33)
			all := n.party("ann", "bob", "cyn")
			inflate(t, all[0], all[0].room.head, height)
			n.run(2 * time.Second)
			// A newcomer has no head, and hears the insider's commit first.
			d := n.add("dan", true)
			n.connect(d, all[0])
			n.until(20*time.Second, "dan is in", func() bool { return together(append(all, d)...) })
			inflate(t, all[0], all[0].room.head, height)
			n.run(time.Second)
			n.connect(d, all[1])
			n.connect(d, all[2])
			all[2].leave()
			n.until(20*time.Second, "cyn is out", func() bool { return together(all[0], all[1], d) })
			d.say("here")
			n.allHear(2*time.Second, "here", all[0], all[1])
		})
		t.Run(fmt.Sprint(height, " at the first commit of a day"), func(t *testing.T) {
			n := newNetwork(t, 34)
			n.now = n.now.Truncate(24 * time.Hour).Add(24*time.Hour - 2*time.Minute)
			midnight := n.now.Add(2 * time.Minute)
			all := n.party("ann", "bob", "cyn")
			n.run(midnight.Sub(n.now) - time.Second) // all have renewed; nobody has committed for the new day
			ann := all[0]
			day := ann.room.today() + 1
			g := ann.room.graph(day)
			list := ann.room.nextList(g)
			if len(list) != 3 {
				t.Fatalf("%d are ready for the new day", len(list))
			}
			n.run(time.Second)
			head := &epoch{commit: &record.Commit{Header: record.Header{Day: day}}, list: list}
			inflate(t, ann, head, height)
			n.run(30 * time.Second)
			d := n.add("dan", true)
			for _, s := range all {
				n.connect(d, s)
			}
			n.until(20*time.Second, "dan is in", func() bool { return together(append(all, d)...) })
		})
	}
}

// TestMergePartition: two groups find together although they began many epochs
// apart from each other, and although an insider of one group makes commits on
// prevs that do not exist, and one that her own group refused.
func TestMergePartition(t *testing.T) {
	n := newNetwork(t, 35)
	all := n.party("ann", "bob", "cyn", "dan", "eve", "fay")
	left, right := all[:3], all[3:]
	for _, a := range left {
		for _, b := range right {
			n.disconnect(a, b)
		}
	}
	// The left group drops the right, then sees many epochs.
	n.until(5*time.Minute, "two rooms", func() bool { return together(left...) && together(right...) })
	for range 80 {
		g := left[0].day()
		r := left[0].room
		if err := r.commit(g, r.nextList(g), r.prevs(g, r.nextList(g))); err != nil {
			t.Fatal(err)
		}
		n.drain(left[0])
		n.run(400 * time.Millisecond)
	}
	if d := left[0].room.head.commit.Height - right[0].room.head.commit.Height; d < 80 {
		t.Fatalf("only %d apart", d)
	}
	// Eve tries what she can.
	eve, head := right[1], right[1].room.head
	bogus := &forgery{list: head.list, prevs: []*epoch{head}, header: func(h *record.Header) { h.Prevs = []ake.Hash{ake.Sum("bogus")} }}
	b := bogus.publish(t, eve)
	onBogus := &forgery{list: head.list, prevs: []*epoch{{commit: b, list: head.list}}}
	onBogus.publish(t, eve)
	n.run(time.Second)
	if !together(right...) {
		n.until(10*time.Second, "the right group", func() bool { return together(right...) })
	}
	head = eve.room.head
	bad := &forgery{list: head.list, prevs: []*epoch{head}, wraps: func(w []byte) { w[0] ^= 1; w[32] ^= 1 }}
	c := bad.publish(t, eve)
	n.run(300 * time.Millisecond)
	for _, s := range right {
		if s.room.head.commit.ID() == c.ID() {
			t.Fatalf("%s took it", s.name)
		}
	}
	// The left group cannot check what it cannot read.
	for _, s := range left {
		s.take(record.EncodeRecords([]record.Record{head.commit.Whole(head.list), c.Whole(head.list)})...)
		n.drain(s)
	}
	for _, a := range left {
		for _, b := range right {
			n.connect(a, b)
		}
	}
	n.until(20*time.Second, "one room", func() bool { return together(all...) })
	n.run(10 * time.Second)
	if !together(all...) {
		t.Errorf("not for long:\n%s", n.describe())
	}
}

// TestSplitCommit: a commit that gives two halves two secrets, or one member
// nothing, or has a one-time key under which all get the same, is discarded by
// everyone; the next honest one goes through. (One wrap alone: TestForgedCommits.)
func TestSplitCommit(t *testing.T) {
	n := newNetwork(t, 36)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, head := all[0], all[0].room.head
	r := ann.room
	g := ann.day()
	halves := &forgery{list: head.list, prevs: []*epoch{head}}
	halves.wraps = func(w []byte) {
		// The second half gets another secret, under a key that fits neither.
		other := r.draw()
		core := &ake.Core{SID: r.sid(g, head.list), Height: head.commit.Height + 1, Prevs: []ake.Hash{head.commit.ID()}, By: ann.own()}
		key := core.OneTimeKey(other)
		to := r.recipients(g, head.list, ann.own())
		again, err := ake.Wrap(other, key, ake.Sum("h"), to)
		if err != nil {
			t.Fatal(err)
		}
		copy(w[32:], again[32:])
	}
	c := halves.publish(t, ann)
	n.run(time.Second)
	low := &forgery{list: head.list, prevs: []*epoch{head}, header: func(*record.Header) {}}
	d := low.publish(t, ann) // a good one, which is spoilt below, before anybody can take it
	_ = d
	n.run(time.Second)
	for _, s := range all[1:] {
		if e := s.room.commits[c.ID()]; e != nil && (e.status == accepted || e.keys != nil) {
			t.Errorf("%s took a commit of two secrets", s.name)
		}
		if s.room.head.commit.ID() != d.ID() {
			t.Errorf("%s did not take the honest commit after it", s.name)
		}
	}
	// A one-time key of small order: the same pad for all, and for outsiders.
	spoilt := *d
	spoilt.Header.OneTime = [32]byte{}
	spoilt.Settle()
	spoilt.Sign(r.id, r.working)
	for _, s := range all[1:] {
		if v := s.room.Publication(n.now, ann.room.self, record.Encode(&spoilt)); v != Reject {
			t.Errorf("%s: verdict %d on a one-time key of small order", s.name, v)
		}
		if s.room.commits[spoilt.ID()] != nil {
			t.Errorf("%s keeps it", s.name)
		}
	}
	all[3].leave()
	n.until(10*time.Second, "the next epoch", func() bool { return together(all[1:3]...) || together(all[:3]...) })
}

// TestCommitsOnNothing: an insider whose commits, one after another, rest on
// what nobody can find makes others wait for that, but not for ever.
func TestCommitsOnNothing(t *testing.T) {
	n := newNetwork(t, 37)
	all := n.party("ann", "bob", "cyn", "dan")
	ann := all[0]
	stop := false
	var forge func()
	i := 0
	forge = func() {
		if stop {
			return
		}
		i++
		f := &forgery{list: ann.room.head.list, prevs: []*epoch{ann.room.head}, header: func(h *record.Header) {
			h.Height, h.Prevs = h.Height+5, []ake.Hash{ake.Sum("bogus", []byte{byte(i)})}
		}}
		f.publish(t, ann)
		n.at(400*time.Millisecond, forge)
	}
	n.pause(ann) // she does nothing else
	forge()
	n.run(2 * time.Second)
	eve := n.add("eve", true)
	n.connect(eve, all[1])
	took := n.until(time.Minute, "eve is in", func() bool {
		h := eve.room.head
		return h != nil && all[1].room.head.commit.ID() == h.commit.ID() && all[2].room.head.commit.ID() == h.commit.ID()
	})
	stop = true
	t.Logf("after %v", took)
	if limit := 6 * tail(5); took > limit {
		t.Errorf("a join took %v, the limit is %v", took, limit)
	}
}

// TestCommitFlood: an insider who publishes more commits than a room keeps, each
// of which is right, keeps nobody else's out.
func TestCommitFlood(t *testing.T) {
	for name, base := range map[string]func(head, last *epoch, h *record.Header){
		"on one prev": nil,
		"on nothing": func(_, _ *epoch, h *record.Header) {
			h.Prevs = []ake.Hash{ake.Sum("bogus", h.OneTime[:])}
		},
		"one on another": func(_, last *epoch, h *record.Header) {
			h.Height, h.Prevs = last.commit.Height+1, []ake.Hash{last.commit.ID()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 38)
			all := n.party("ann", "bob", "cyn", "dan")
			ann, others := all[0], all[1:]
			head := ann.room.head
			n.pause(ann) // she does nothing else
			last := head
			for range maxCommits + 100 {
				f := &forgery{list: head.list, prevs: []*epoch{last}}
				if base == nil {
					f.prevs = []*epoch{head}
				} else {
					f.header = func(h *record.Header) { base(head, last, h) }
				}
				c := f.publish(t, ann)
				last = &epoch{commit: c, list: head.list}
				n.run(time.Millisecond)
			}
			n.run(time.Second)
			for _, s := range others {
				if k := len(s.room.commits); k > maxCommitsAuthor+10 {
					t.Errorf("%s keeps %d commits", s.name, k)
				}
			}
			others[2].leave()
			in := others[:2]
			n.until(10*time.Second, "an epoch without dan", func() bool {
				h := in[0].room.head
				return h.list.Index(others[2].own()) < 0 && in[1].room.head.commit.ID() == h.commit.ID() && in[0].room.maySend()
			})
			in[0].say("still here")
			n.allHear(2*time.Second, "still here", in[1])
		})
	}
}

// TestCommitFloodOfMany: the same of many insiders, each of whom makes as many as
// are kept of one.
func TestCommitFloodOfMany(t *testing.T) {
	k := newBenchRoom(t, 5)
	commit := func(by, i int) *record.Commit {
		c := &record.Commit{Header: record.Header{Day: k.g.date, Height: uint64(i + 1), By: ake.Sum("by", []byte{byte(by)})}}
		c.Settle()
		return c
	}
	for i := range maxCommitsAuthor {
		for by := range maxCommits/maxCommitsAuthor + 2 {
			if c := commit(by, i); k.a.roomForCommit(c) {
				k.a.commits[c.ID()] = &epoch{commit: c, status: accepted, mine: -1}
			}
		}
	}
	if n := len(k.a.commits); n != maxCommits {
		t.Fatalf("%d commits are kept", n)
	}
	if !k.a.roomForCommit(commit(100, 0)) {
		t.Error("no room for another's commit")
	}
	if k.a.commits[k.a.head.commit.ID()] == nil {
		t.Error("the head made room")
	}
}

// TestFalseWords: an insider who calls others silent again and again, who are not,
// makes them answer and wait a few times, and then nobody listens to him: neither
// if he names the last serial, nor an old one, nor if an accomplice rests on his
// commits.
func TestFalseWords(t *testing.T) {
	for name, c := range map[string]struct {
		ahead      int64
		accomplice bool
	}{"the last serial": {0, false}, "an old serial": {-1, false}, "a serial ahead": {1000, false}, "an accomplice": {0, true}} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 39)
			all := n.party("ann", "bob", "cyn", "dan", "eve")
			ann, eve, cyn, others := all[0], all[4], all[2], all[1:4]
			n.pause(ann) // she and eve do nothing else
			if c.accomplice {
				n.pause(eve)
			} else {
				others = all[1:]
			}
			n.run(time.Second)
			kept, sent := 0, 0
			for i := range 3 * maxWrong {
				head := others[0].room.head
				ann.believes(others[0])
				p := ann.room.process(cyn.room.workingID)
				p.isDead, p.obit = true, math.MaxUint64
				p.beat = &record.Beat{Serial: uint64(int64(others[0].room.process(cyn.room.workingID).serial()) + c.ahead)}
				f := &forgery{list: without(head.list, cyn.own()), prevs: []*epoch{head}}
				bad := f.publish(t, ann)
				if c.accomplice {
					on := &epoch{commit: bad, list: f.list}
					eve.believes(others[0])
					f := &forgery{list: f.list, prevs: []*epoch{on}}
					f.publish(t, eve)
				}
				n.run(110 * time.Millisecond)
				if sent++; !others[0].room.maySend() || others[0].room.head.list.Index(cyn.own()) < 0 {
					kept++
				}
				if i >= 2*maxWrong && others[0].room.head != head {
					t.Fatalf("bob took commit %d", i)
				}
				n.run(4 * time.Second)
				for _, s := range others {
					if h := s.room.head; h.commit.ID() != cyn.room.head.commit.ID() || h.list.Index(cyn.own()) < 0 {
						t.Fatalf("after commit %d they are not together:\n%s", i, n.describe())
					}
				}
			}
			t.Logf("bob was kept from sending after %d of %d", kept, sent)
			if kept > maxWrong+1 {
				t.Errorf("bob was kept from sending after %d of %d", kept, sent)
			}
		})
	}
}
