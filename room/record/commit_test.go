package record

import (
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
	if _, _, err := newCommit(by, twice).Rebuild(nil, nil); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
}

// TestRebuild: the list of a commit comes out of its base's, and is refused
// where it must be.
func TestRebuild(t *testing.T) {
	ann, bob, eve, joe := newPerson("ann"), newPerson("bob"), newPerson("eve"), newPerson("joe")
	base, list := newList(ann, bob, eve), newList(ann, bob, joe)
	c := newChange(ann, base, list, Evidence{EvidenceLeft, eve.contribution.ID(), hashOf("presence")})
	if want := uint16(base.Index(eve.contribution.ID())); !slices.Equal(c.Removed, []uint16{want}) || !slices.Equal(c.Added, newList(joe)) {
		t.Fatal("the change is", c.Removed, len(c.Added))
	}
	got, _, err := c.Rebuild(base, nil)
	if err != nil || !slices.Equal(got, list) {
		t.Fatal(err)
	}
	if whole, _, err := c.Whole(list, nil).Rebuild(nil, nil); err != nil || !slices.Equal(whole, list) {
		t.Error("whole:", err)
	}
	if _, _, err := c.Bare().Rebuild(base, nil); !errors.Is(err, ErrForm) {
		t.Error("bare:", err)
	}
	for what, change := range map[string]func(c *Commit) List{
		"another base":  func(*Commit) List { return newList(ann, eve, joe) },
		"no base":       func(*Commit) List { return nil },
		"a change less": func(c *Commit) List { c.Added = nil; return base },
		"a change more": func(c *Commit) List { c.Added = newList(joe, eve); return base },
		"a presence":    func(c *Commit) List { c.Added[0].Presence[0] ^= 1; return base },
		"no removal":    func(c *Commit) List { c.Removed = nil; return base },
		"a place more":  func(c *Commit) List { c.Removed = append(c.Removed, 3); return base },
		"another place": func(c *Commit) List { c.Removed[0] = (c.Removed[0] + 1) % 3; return base },
		"more members":  func(c *Commit) List { c.Members++; return base },
		"another hash":  func(c *Commit) List { c.List[0] ^= 1; return base },
		"by another":    func(c *Commit) List { c.By = eve.contribution.ID(); return base },
		"by nobody":     func(c *Commit) List { c.By = ake.Hash{}; return base },
		"the base's":    func(c *Commit) List { c.Form, c.Removed, c.Added = ListWhole, nil, base; return nil },
	} {
		d := *c
		d.Added, d.Removed = slices.Clone(c.Added), slices.Clone(c.Removed)
		if _, _, err := d.Rebuild(change(&d), nil); !errors.Is(err, ErrForm) {
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
	older.ComputeID(testRoom)
	again.contribution = &older
	if _, _, err := newCommit(ann, newList(ann, &again)).Rebuild(nil, nil); !errors.Is(err, ErrForm) {
		t.Error("a peer listed twice:", err)
	}
}

// TestCommitForms: a commit is one, with one signature and one secret, in
// whichever form its list travels.
func TestCommitForms(t *testing.T) {
	ann, bob, eve := newPerson("ann"), newPerson("bob"), newPerson("eve")
	list := newList(ann, bob, eve)
	c := newChange(ann, baseList(), list, evidence()...)
	for form, d := range map[byte]*Commit{ListOmitted: c.Bare(), ListChanges: c.Whole(list, nil).Change(baseList(), list, nil, nil), ListWhole: c.Whole(list, nil)} {
		b := d.Append(nil)
		got, err := ParseCommit(b)
		if err != nil || got.Form != form {
			t.Fatalf("form %d: %v", form, err)
		}
		if got.ID() != c.ID() || got.Verify(testRoom, ann.contribution) != nil || !ake.Fits(got.Core(), testSecret(), got.Secret) {
			t.Errorf("form %d is another commit", form)
		}
		if form == ListOmitted {
			continue
		}
		if rebuilt, _, err := got.Rebuild(baseList(), nil); err != nil || !slices.Equal(rebuilt, list) {
			t.Errorf("form %d: %v", form, err)
		}
	}
}

// TestCommitLimits: what is at its limit is taken.
func TestCommitLimits(t *testing.T) {
	ann := newPerson("ann")
	most := counted(MaxMembers)
	whole := newCommit(ann, most)
	change := newChange(ann, most, most[:2])
	for i := range most[2:] {
		whole.Removals = append(whole.Removals, Evidence{EvidenceLeft, most[i].CID, ake.Hash{}})
	}
	whole.SetEvidence(whole.Removals)
	whole.seal(ann)
	for what, c := range map[string]*Commit{"all removed": change, "all listed": whole, "none listed": whole.Bare(), "of two": newCommit(ann, most[:2])} {
		if got, err := ParseCommit(c.Append(nil)); err != nil || got.ID() != c.ID() {
			t.Errorf("%s: %v", what, err)
		}
	}
	c := *whole
	c.Height, c.Period = 1<<64-1, 1<<32-1
	c.seal(ann)
	if got, err := ParseCommit(c.Append(nil)); err != nil || got.Header != c.Header {
		t.Error("the greatest numbers:", err)
	}
}

// TestCommitSizes: the sizes that PROTOCOL.md §8 names.
func TestCommitSizes(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	c := newCommit(ann, newList(ann, bob))
	if n := len(c.AppendBrief(nil)); n != briefSize {
		t.Errorf("a brief of %d bytes, not %d", n, briefSize)
	}
	if n := len(c.Core()); n != briefSize-ake.HashSize-signatureSize {
		t.Errorf("a core of %d bytes", n)
	}
	if n := len(c.Append(nil)); n != briefSize+2+1+2+2*entrySize+2 {
		t.Errorf("a commit of %d bytes", n)
	}
}

// TestCommitOfAnother: a commit counts only under the contribution it names,
// and of its day.
func TestCommitOfAnother(t *testing.T) {
	ann, bob := newPerson("ann"), newPerson("bob")
	c := newCommit(ann, newList(ann, bob))
	if err := c.Verify(testRoom, ann.contribution); err != nil {
		t.Fatal(err)
	}
	yesterday := *ann.contribution
	yesterday.Period--
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
