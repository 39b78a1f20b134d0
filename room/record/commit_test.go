package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"coterie/crypto/ake"
)

// TestListWithAContributionTwice: two entries of one contribution under two
// identities made a list that was held.
func TestListWithAContributionTwice(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	list := newList(ann, bob)
	twice := slices.Clone(list)
	twice[1].CID = twice[0].CID
	twice.Sort()
	by := ann
	if list[0].Identity != ann.contribution.Identity {
		by = bob
	}
	if _, err := newCommit(by, twice, nil).Rebuild(nil); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
}

// TestRebuild: the list of a commit comes out of its base's, and is refused
// where it must be.
func TestRebuild(t *testing.T) {
	ann, bob, eve, joe := newPerson("ann"), newPerson("bob"), newPerson("eve"), newPerson("joe")
	prevs := sortedHashes("one")
	base, list := newList(ann, bob, eve), newList(ann, bob, joe)
	c := newCommit(ann, list, prevs, Evidence{EvidenceLeft, eve.contribution.ID(), hashOf("presence")})
	c.Base, c.Changes = 0, newList(joe)
	got, err := c.Rebuild(base)
	if err != nil || !slices.Equal(got, list) {
		t.Fatal(err)
	}
	if whole, err := c.Whole(list).Rebuild(nil); err != nil || !slices.Equal(whole, list) {
		t.Error("whole:", err)
	}
	if w := c.Whole(list); w.ID() != c.ID() || w.Verify(testRoom, ann.contribution) != nil {
		t.Error("the whole commit is another")
	}
	for what, change := range map[string]func(c *Commit) List{
		"another base":  func(*Commit) List { return newList(ann, eve) },
		"no base":       func(*Commit) List { return nil },
		"a change less": func(c *Commit) List { c.Changes = nil; return base },
		"a change more": func(c *Commit) List { c.Changes = newList(joe, eve); return base },
		"a presence":    func(c *Commit) List { c.Changes[0].Presence[0] ^= 1; return base },
		"no removal":    func(c *Commit) List { c.Removals = nil; return base },
		"a removal more": func(c *Commit) List {
			c.Removals = append(c.Removals, Evidence{CID: bob.contribution.ID()})
			return base
		},
		"more members":          func(c *Commit) List { c.Members++; return base },
		"another list's hash":   func(c *Commit) List { c.List[0] ^= 1; return base },
		"committer not listed":  func(c *Commit) List { c.By = eve.contribution.ID(); return base },
		"committer nobody":      func(c *Commit) List { c.By = ake.Hash{}; return base },
		"the list of the other": func(c *Commit) List { c.Base, c.Changes = WholeList, base; return nil },
	} {
		d := *c
		d.Changes = slices.Clone(c.Changes)
		d.Removals = slices.Clone(c.Removals)
		if _, err := d.Rebuild(change(&d)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !slices.Equal(base, newList(ann, bob, eve)) {
		t.Error("Rebuild changed its base")
	}

	// One peer under two contributions.
	again := *ann
	older := *ann.contribution
	older.Serial--
	older.Settle(testRoom)
	again.contribution = &older
	if _, err := newCommit(ann, newList(ann, &again), nil).Rebuild(nil); !errors.Is(err, ErrForm) {
		t.Error("a peer listed twice:", err)
	}
}

// TestCommitForm: what is in order once is refused in every other way.
func TestCommitForm(t *testing.T) {
	ann, bob, eve := newPerson("ann"), newPerson("bob"), newPerson("eve")
	prevs := sortedHashes("one", "two", "three", "four", "five")
	list := newList(ann, bob, eve)
	ev := []Evidence{{EvidenceLeft, hashOf("x"), hashOf("y")}, {EvidenceSuperseded, hashOf("x"), hashOf("y")}}
	for n := range MaxPrevs + 1 {
		for base := range n {
			c := newCommit(ann, list, prevs[:n], ev...)
			c.Base, c.Changes = byte(base), list[:1]
			if got, err := ParseCommit(c.Append(nil)); err != nil || got.ID() != c.ID() {
				t.Errorf("%d prevs, base %d: %v", n, base, err)
			}
		}
	}
	swap := func(l List) List { return List{l[1], l[0], l[2]} }
	for what, change := range map[string]func(c *Commit){
		"five prevs":        func(c *Commit) { c.Prevs = prevs },
		"prevs swapped":     func(c *Commit) { c.Prevs = []ake.Hash{prevs[1], prevs[0]} },
		"a prev twice":      func(c *Commit) { c.Prevs = []ake.Hash{prevs[0], prevs[0]} },
		"base of nothing":   func(c *Commit) { c.Base, c.Changes = 2, nil },
		"base 254":          func(c *Commit) { c.Base, c.Changes = 254, nil },
		"whole, not all":    func(c *Commit) { c.Changes = list[:2] },
		"more than members": func(c *Commit) { c.Base, c.Changes = 0, append(slices.Clone(list), list[0]) },
		"entries swapped":   func(c *Commit) { c.Changes = swap(list) },
		"an entry twice":    func(c *Commit) { c.Base, c.Changes = 0, List{list[0], list[0]} },
		"height 0":          func(c *Commit) { c.Height = 0 },
		"one member":        func(c *Commit) { c.Members, c.Changes, c.Wraps = 1, list[:1], nil },
		"no member":         func(c *Commit) { c.Members, c.Changes, c.Wraps = 0, nil, nil },
		"too many members": func(c *Commit) {
			c.Members = MaxMembers + 1
			c.Wraps = make([]byte, 32*MaxMembers)
			c.Base, c.Changes = 0, nil
		},
		"2^32-1 members":     func(c *Commit) { c.Members = 1<<32 - 1; c.Base, c.Changes = 0, nil },
		"a wrap less":        func(c *Commit) { c.Wraps = c.Wraps[32:] },
		"a wrap more":        func(c *Commit) { c.Wraps = append(c.Wraps, c.Wraps[:32]...) },
		"evidence swapped":   func(c *Commit) { c.Removals = []Evidence{ev[1], ev[0]}; c.Header.Evidence = c.evidenceHash() },
		"evidence twice":     func(c *Commit) { c.Removals = []Evidence{ev[0], ev[0]}; c.Header.Evidence = c.evidenceHash() },
		"evidence of kind 0": func(c *Commit) { c.Removals = []Evidence{{}}; c.Header.Evidence = c.evidenceHash() },
		"evidence of kind 5": func(c *Commit) { c.Removals = []Evidence{{Kind: 5}}; c.Header.Evidence = c.evidenceHash() },
		"other evidence":     func(c *Commit) { c.Removals = ev[:1] },
		"no evidence":        func(c *Commit) { c.Removals = nil },
		"a huge seal":        func(c *Commit) { c.Sealed = make([]byte, ake.SealSize(MaxMembers)+1) },
	} {
		c := newCommit(ann, list, prevs[:2], ev...)
		change(c)
		if _, err := ParseCommit(c.Append(nil)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Counts that no bytes follow.
	b := newCommit(ann, list, nil).Append(nil)
	const count = 4 + 8 + 1 + 32 + 4 + 32 + 32 + 32 + 1
	for at, what := range map[int]string{count: "entries", count + 2 + 3*entrySize: "evidence"} {
		bad := bytes.Clone(b)
		binary.BigEndian.PutUint16(bad[at:], 0xffff)
		if _, err := ParseCommit(bad); !errors.Is(err, ErrForm) {
			t.Errorf("65,535 %s: %v", what, err)
		}
	}
}

// TestCommitOfAnother: a commit counts only under the contribution it names,
// and of its day.
func TestCommitOfAnother(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	c := newCommit(ann, newList(ann, bob), nil)
	if err := c.Verify(testRoom, ann.contribution); err != nil {
		t.Fatal(err)
	}
	yesterday := *ann.contribution
	yesterday.Day--
	for what, err := range map[string]error{
		"another's":    c.Verify(testRoom, bob.contribution),
		"another room": c.Verify(hashOf("another room"), ann.contribution),
		"another day":  c.Verify(testRoom, &yesterday),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
