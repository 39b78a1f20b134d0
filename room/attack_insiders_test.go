package room

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// TestLeaverCommits: a leaver, who knows all terms and all keys of the epoch he
// was in, commits himself back in, again and again: nobody takes it, and what is
// said goes on without him.
func TestLeaverCommits(t *testing.T) {
	n := newNetwork(t, 31)
	all := n.party("ann", "bob", "cyn", "dan")
	dan, others := all[3], all[:3]
	entry := dan.room.head.list[dan.room.head.ownIndex]
	dan.leave()
	n.until(20*time.Second, "an epoch without dan", func() bool { return together(others...) })
	n.run(5 * time.Second)
	for i := range 20 {
		head := others[0].room.head
		list := append(without(head.list), entry)
		list.Sort()
		f := &forgery{list: list, after: head}
		bad := f.publish(t, dan)
		others[i%3].say(fmt.Sprint("number ", i))
		n.run(500 * time.Millisecond)
		for _, s := range others {
			if e := s.room.commits[bad.ID()]; e != nil && e.keys != nil || s.room.head.commit.ID() == bad.ID() {
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

// TestSilentOmission: whoever is there is in nobody's head left out, whatever the
// commit says of it, and nobody stops sending for it; people are told who did it.
func TestSilentOmission(t *testing.T) {
	silent := func(serial func(uint64) uint64) func(p *process, cid ake.Hash) []record.Evidence {
		return func(p *process, cid ake.Hash) []record.Evidence {
			return []record.Evidence{{Kind: record.EvidenceSilent, CID: cid, Ref: record.SilentRef(serial(p.serial()))}}
		}
	}
	for name, evidence := range map[string]func(p *process, cid ake.Hash) []record.Evidence{
		"an old serial":       silent(func(s uint64) uint64 { return s - 1 }),
		"the last serial":     silent(func(s uint64) uint64 { return s }),
		"a serial ahead":      silent(func(s uint64) uint64 { return s + 1000 }),
		"the greatest of all": silent(func(s uint64) uint64 { return math.MaxUint64 }),
		"without a word":      func(*process, ake.Hash) []record.Evidence { return nil },
		"misbehaved": func(_ *process, cid ake.Hash) []record.Evidence {
			return []record.Evidence{{Kind: record.EvidenceMisbehaved, CID: cid, Ref: ake.Sum("what")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 32)
			all := n.party("ann", "bob", "cyn", "dan")
			ann, bob, cyn := all[0], all[1], all[2]
			head := ann.room.head
			p := ann.room.process(cyn.room.workingID)
			if p.serial() == 0 {
				t.Fatal("ann heard nothing of cyn")
			}
			f := &forgery{list: without(head.list, cyn.own()), after: head, evidence: evidence(p, cyn.own())}
			c := f.publish(t, ann)
			for i := range 40 {
				text := fmt.Sprint("number ", i)
				bob.say(text)
				n.run(100 * time.Millisecond)
				for _, s := range all[1:] {
					if s.room.head.commit.ID() == c.ID() {
						t.Fatalf("%s took it", s.name)
					}
					if !s.room.maySend() {
						t.Fatalf("%s is kept from sending", s.name)
					}
					if !s.heard(text) {
						t.Fatalf("%s was not given %q", s.name, text)
					}
				}
			}
			if e := bob.room.commits[c.ID()]; e == nil || e.keys == nil {
				t.Fatal("bob could not read it: the test shows nothing")
			}
			n.run(omissionTime)
			for _, s := range []*simNode{bob, cyn, all[3]} {
				told := events[LeftOut](s)
				if len(told) != 1 || told[0].By.Peer != ann.room.self || told[0].Member.Peer != cyn.room.self || told[0].Times != 1 {
					t.Errorf("%s was told %+v", s.name, told)
				}
			}
			n.run(time.Minute)
			if !together(all...) {
				t.Errorf("they fell apart:\n%s", n.describe())
			}
			if h := bob.room.head.commit; h.Height <= c.Height {
				t.Errorf("the head has height %d, that commit %d: whoever had it as theirs would go on alone", h.Height, c.Height)
			}
		})
	}
}

// TestFirstHead: one who has no head yet does not take one that leaves somebody out
// whom it would list, if another comes that leaves out nobody.
func TestFirstHead(t *testing.T) {
	n := newNetwork(t, 33)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, bob, cyn := all[0], all[1], all[2]
	good := ann.room.head
	ann.room.head = nil // as if she had just come
	f := &forgery{list: without(good.list, cyn.own()), after: good}
	bad := f.publish(t, bob)
	if h := ann.room.head; h == nil || h.commit.ID() == bad.ID() || !h.lists(cyn.room.identity, cyn.own()) {
		t.Errorf("%s", n.describe())
	}
	if e := ann.room.commits[bad.ID()]; e == nil || e.keys == nil {
		t.Error("she could not read it: the test shows nothing")
	}
}

// TestHeightInflation: an insider who commits as high as it can does not keep
// anybody from committing after it: neither in a room under way nor in one that
// begins, and not at the end of all heights; whether others have its secret or
// not.
func TestHeightInflation(t *testing.T) {
	inflate := func(t *testing.T, s *simNode, after *epoch, height uint64, given bool) *record.Commit {
		f := &forgery{list: after.list, after: after, header: func(h *record.Header) { h.Height = height }}
		f.to = func(*simNode) bool { return given }
		return f.publish(t, s)
	}
	for _, height := range []uint64{100, 1 << 20, 1 << 40, math.MaxUint64} {
		for _, given := range []bool{true, false} {
			t.Run(fmt.Sprint(height, given), func(t *testing.T) {
				n := newNetwork(t, 33)
				all := n.party("ann", "bob", "cyn")
				inflate(t, all[0], all[1].room.head, height, given)
				n.run(2 * time.Second)
				// A newcomer has no head, and hears the insider's commit first.
				d := n.add("dan", true)
				n.connect(d, all[0])
				n.until(30*time.Second, "dan is in", func() bool { return together(append(all, d)...) })
				inflate(t, all[0], all[1].room.head, height, given)
				n.run(time.Second)
				n.connect(d, all[1])
				n.connect(d, all[2])
				all[2].leave()
				n.until(30*time.Second, "cyn is out", func() bool { return together(all[0], all[1], d) })
				d.say("here")
				n.allHear(2*time.Second, "here", all[0], all[1])
			})
			t.Run(fmt.Sprint(height, given, " at the first commit of a day"), func(t *testing.T) {
				n := newNetwork(t, 34)
				n.now = n.now.Truncate(24 * time.Hour).Add(24*time.Hour - 3*time.Minute)
				midnight := n.now.Add(3 * time.Minute)
				all := n.party("ann", "bob", "cyn")
				n.run(midnight.Sub(n.now) - time.Second) // all have renewed
				ann := all[0]
				day := ann.room.today() + 1
				list := ann.room.nextList(ann.room.days[day])
				if len(list) != 3 {
					t.Fatalf("%d are ready for the new day", len(list))
				}
				n.run(1100 * time.Millisecond)
				inflate(t, ann, &epoch{commit: &record.Commit{}, list: list}, height, given)
				n.run(30 * time.Second)
				d := n.add("dan", true)
				for _, s := range all {
					n.connect(d, s)
				}
				n.until(30*time.Second, "dan is in", func() bool { return together(append(all, d)...) })
			})
		}
	}
}

// TestMergePartition: two groups find together although they began many epochs
// apart from each other, and although an insider of one group makes commits whose
// secret nobody has, or one half of her group only.
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
		g, r := left[0].day(), left[0].room
		if err := r.commit(g, r.nextList(g)); err != nil {
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
	nobodys := &forgery{list: head.list, after: head, to: func(*simNode) bool { return false }}
	nobodys.publish(t, eve)
	one := &forgery{list: head.list, after: head, to: func(s *simNode) bool { return s == right[0] }}
	one.publish(t, eve)
	n.run(time.Second)
	if !together(right...) {
		n.until(20*time.Second, "the right group", func() bool { return together(right...) })
	}
	for _, a := range left {
		for _, b := range right {
			n.connect(a, b)
		}
	}
	n.until(30*time.Second, "one room", func() bool { return together(all...) })
	n.run(10 * time.Second)
	if !together(all...) {
		t.Errorf("not for long:\n%s", n.describe())
	}
}

// TestSplitCommit: no commit gives two halves two secrets: what does not fit is
// taken by nobody. One whose secret is given to one half alone soon reaches the
// other, who is listed as well; if it does not, the next commit is above it.
func TestSplitCommit(t *testing.T) {
	t.Run("two secrets", func(t *testing.T) {
		n := newNetwork(t, 36)
		all := n.party("ann", "bob", "cyn", "dan")
		ann, head := all[0], all[0].room.head
		f := &forgery{list: head.list, after: head, to: func(*simNode) bool { return false }}
		c := f.publish(t, ann)
		n.run(100 * time.Millisecond)
		other := ann.room.draw()
		for i, s := range all[1:] {
			d := f.d
			if i == 0 {
				d = other
			}
			s.given(ann, true, handover(c, d))
			n.drain(s)
		}
		if e := all[1].room.commits[c.ID()]; e != nil && e.d != nil {
			t.Error("bob holds a secret that is not the commit's")
		}
		// The same commit, its commitment changed for one half, is another commit.
		spoilt := *c
		spoilt.Secret = ake.CommitSecret(c.Core(), other)
		spoilt.ComputeID()
		if spoilt.ID() == c.ID() {
			t.Error("two commitments under one id")
		}
		if v := all[1].room.Publication(n.now, ann.room.self, record.Encode(&spoilt)); v == Accept {
			t.Errorf("verdict %d on another's commitment under the signature", v)
		}
		n.run(2 * time.Second)
		for _, s := range all[1:] {
			if e := s.room.commits[c.ID()]; e == nil || e.keys == nil || e.d != nil && !e.d.Equal(&f.d) {
				t.Errorf("%s has another secret than the others, or none", s.name)
			}
		}
	})
	t.Run("one half", func(t *testing.T) {
		n := newNetwork(t, 37)
		all := n.party("ann", "bob", "cyn", "dan")
		ann, head := all[0], all[0].room.head
		f := &forgery{list: head.list, after: head, to: func(s *simNode) bool { return s == all[1] }}
		c := f.publish(t, ann)
		n.run(2 * time.Second)
		for _, s := range all[1:] {
			if s.room.head.commit.ID() != c.ID() {
				t.Errorf("%s has another head", s.name)
			}
		}
		all[3].leave()
		n.until(20*time.Second, "the next epoch", func() bool { return together(all[:3]...) })
	})
	t.Run("nobody", func(t *testing.T) {
		n := newNetwork(t, 38)
		all := n.party("ann", "bob", "cyn", "dan")
		ann, head := all[0], all[0].room.head
		f := &forgery{list: head.list, after: head, to: func(*simNode) bool { return false }}
		c := f.publish(t, ann)
		n.until(20*time.Second, "a commit above it", func() bool {
			for _, s := range all {
				h := s.room.head.commit
				if h.ID() == c.ID() || h.Height <= c.Height {
					return false
				}
			}
			return together(all...)
		})
	})
}

// TestWithheldSecrets: an insider who goes on publishing commits whose secrets
// nobody has makes others commit for it less and less often, and keeps nobody
// from joining or sending.
func TestWithheldSecrets(t *testing.T) {
	n := newNetwork(t, 37)
	all := n.party("ann", "bob", "cyn", "dan")
	ann, others := all[0], all[1:]
	stop := false
	var forge func()
	forge = func() {
		if stop {
			return
		}
		head := all[1].room.head
		f := &forgery{list: head.list, after: head, to: func(*simNode) bool { return false }}
		f.header = func(h *record.Header) { h.Height += 5 }
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
	t.Logf("after %v", took)
	if limit := 6 * tail(5); took > limit {
		t.Errorf("a join took %v, the limit is %v", took, limit)
	}
	before := n.commits
	n.run(time.Minute)
	first := n.commits - before
	before = n.commits
	n.run(time.Minute)
	second := n.commits - before
	t.Logf("%d commits in a minute, then %d", first, second)
	if second > 10 {
		t.Errorf("%d commits a minute for the sake of one who withholds secrets", second)
	}
	for _, s := range others {
		if !s.room.maySend() {
			t.Errorf("%s is kept from sending", s.name)
		}
	}
	stop = true
}

// TestCommitFlood: an insider who publishes more commits than a room keeps, each
// of which is right, keeps nobody else's out.
func TestCommitFlood(t *testing.T) {
	count := uint64(0)
	for name, base := range map[string]func(last *epoch, h *record.Header){
		"of one height": nil,
		"of a base nobody has": func(_ *epoch, h *record.Header) {
			count++
			h.Base = ake.Sum("bogus", binary.BigEndian.AppendUint64(nil, count))
		},
		"each above the one before": func(last *epoch, h *record.Header) { h.Height, h.Base = last.commit.Height+1, last.commit.ID() },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 38)
			all := n.party("ann", "bob", "cyn", "dan")
			ann, others := all[0], all[1:]
			head := ann.room.head
			n.pause(ann) // she does nothing else
			last := head
			for range maxCommits + 100 {
				f := &forgery{list: head.list, after: head, to: func(*simNode) bool { return false }}
				if base != nil {
					f.header = func(h *record.Header) { base(last, h) }
				}
				c := f.publish(t, ann)
				last = &epoch{commit: c, list: head.list}
				n.run(time.Millisecond)
			}
			n.run(time.Second)
			for _, s := range others {
				if k := len(s.room.commits); k > maxCommits {
					t.Errorf("%s keeps %d commits", s.name, k)
				}
				if e := s.room.commits[s.room.head.commit.ID()]; e != s.room.head {
					t.Errorf("the head of %s made room", s.name)
				}
			}
			others[2].leave()
			in := others[:2]
			n.until(30*time.Second, "an epoch without dan", func() bool {
				h := in[0].room.head
				return h.list.Index(others[2].own()) < 0 && in[1].room.head.commit.ID() == h.commit.ID() && in[0].room.maySend()
			})
			in[0].say("still here")
			n.allHear(2*time.Second, "still here", in[1])
		})
	}
}

// TestLateSecret: a commit far above all others, whose secret nobody gets, is soon below
// one that all can read. Whoever is given its secret then, and nobody else, does not part
// from the others.
func TestLateSecret(t *testing.T) {
	n, all := four(t, 38)
	ann, bob, cyn, dan := all[0], all[1], all[2], all[3]
	f := &forgery{
		list: ann.room.head.list, after: ann.room.head, to: func(*simNode) bool { return false },
		header: func(h *record.Header) { h.Height += 40 },
	}
	c := f.publish(t, dan)
	n.until(15*time.Second, "a head above it", func() bool {
		for _, s := range all[:3] {
			if s.room.head.commit.Height <= c.Height || s.room.head.commit.ID() != ann.room.head.commit.ID() {
				return false
			}
		}
		return true
	})
	ann.given(dan, true, handover(c, f.d))
	n.drain(ann)
	if n.run(time.Second); ann.room.commits[c.ID()] == nil || ann.room.commits[c.ID()].keys == nil {
		t.Fatal("ann cannot read it: the test shows nothing")
	}
	if ann.room.head.commit.ID() != bob.room.head.commit.ID() {
		t.Error("ann parts from the others")
	}
	ann.say("still here")
	n.allHear(5*time.Second, "still here", bob, cyn)
}
