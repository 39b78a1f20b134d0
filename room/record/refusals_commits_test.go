package record

import (
	"fmt"
	"slices"

	"coterie/crypto/ake"
)

var briefFields = []field{
	{"period", 8}, {"height", 8}, {"base", 32}, {"committer", 32}, {"members", 4}, {"list's hash", 32},
	{"hash of those away", 32}, {"evidence's hash", 32}, {"commitment to the secret", 32}, signatureField,
}

// commits are those whose bytes are no commit, or whose signature is not its
// maker's: PROTOCOL.md §8. All are by ann.
func (r *refusals) commits() {
	ann, bob := newPerson("ann"), newPerson("bob")
	list := newList(ann, bob, newPerson("eve"))
	base := baseList()
	c := newChange(ann, base, list, evidence()[:2]...)
	c.Away = awayOf("joe").Hash()
	c.seal(ann)
	c = c.Change(base, list, awayOf("kim"), awayOf("joe"))

	fields := append(slices.Clone(briefFields), field{"count of evidence", 2})
	for range 2 {
		fields = append(fields, field{"kind", 1}, field{"removed cid", 32}, field{"reference", 32})
	}
	for i := range 2 { // names are not to meet
		for at, name := range []string{"kind", "removed cid", "reference"} {
			fields[len(briefFields)+1+3*i+at].name = []string{"first ", "second "}[i] + name
		}
	}
	fields = append(fields, field{"form", 1})
	entry := func(which string) []field {
		return []field{{which + " identity", 32}, {which + " cid", 32}, {which + " presence", 32}}
	}
	r.cuts("commit", "its list left out: ", c.Bare().Append(nil), fields...)
	changes := append(slices.Clone(fields), field{"count of places", 2})
	for range c.Removed {
		changes = append(changes, field{"place", 2})
	}
	changes = append(append(changes, field{"count of entries", 2}), entry("only")...)
	changes = append(changes, field{"count of places of those away", 2}, field{"place of one away", 2}, field{"count of those away", 2})
	changes = append(changes, field{"identity of one away", 32}, field{"its day", 4})
	r.cuts("commit", "its lists as changes: ", c.Append(nil), changes...)
	whole := append(slices.Clone(fields), field{"count of entries", 2})
	whole = append(append(append(whole, entry("first")...), entry("second")...), entry("third")...)
	whole = append(whole, field{"count of those away", 2}, field{"identity of one away", 32}, field{"its day", 4})
	r.cuts("commit", "its lists whole: ", c.Whole(list, awayOf("joe")).Append(nil), whole...)

	changed := func(name string, change func(c *Commit)) {
		d := *c
		d.Removed, d.Added, d.Removals = slices.Clone(c.Removed), slices.Clone(c.Added), slices.Clone(c.Removals)
		change(&d)
		d.seal(ann)
		r.form("commit", name, d.Append(nil))
	}
	bare := func(name string, change func(c *Commit)) {
		changed(name, func(c *Commit) { *c = *c.Bare(); change(c) })
	}
	bare("height 0", func(c *Commit) { c.Height = 0 })
	bare("no member", func(c *Commit) { c.Members = 0 })
	bare("one member", func(c *Commit) { c.Members = 1 })
	bare("1,025 members", func(c *Commit) { c.Members = MaxMembers + 1 })
	bare("2^31 members", func(c *Commit) { c.Members = 1 << 31 })
	bare("2^32-1 members", func(c *Commit) { c.Members = 1<<32 - 1 })
	bare("form 3", func(c *Commit) { r.bareAs(c, 3) })
	bare("form 255", func(c *Commit) { r.bareAs(c, 255) })
	changed("a change of no base", func(c *Commit) {
		c.Base, c.Height, c.Removed, c.Added = ake.Hash{}, 1, nil, list
	})
	two := awayOf("joe", "kim")
	changed("those away swapped", func(c *Commit) { c.AwayAdded = Away{two[1], two[0]} })
	changed("one away twice", func(c *Commit) { c.AwayAdded = Away{two[0], two[0]} })
	changed("places of those away swapped", func(c *Commit) { c.AwayRemoved = []uint16{2, 1} })
	changed("a place of those away twice", func(c *Commit) { c.AwayRemoved = []uint16{1, 1} })
	changed("1,025 away", func(c *Commit) {
		c.AwayAdded = nil
		for _, e := range counted(MaxMembers + 1) {
			c.AwayAdded = append(c.AwayAdded, Absentee{e.Identity, testDay})
		}
	})
	changed("1,025 places of those away", func(c *Commit) {
		c.AwayRemoved = nil
		for i := range MaxMembers + 1 {
			c.AwayRemoved = append(c.AwayRemoved, uint16(i))
		}
	})

	changed("whole, an entry less than members", func(c *Commit) { c.Form, c.Removed, c.Added = ListWhole, nil, list[:2] })
	changed("whole, an entry more than members", func(c *Commit) { c.Form, c.Removed, c.Added, c.Members = ListWhole, nil, list, 2 })
	changed("a change of more entries than members", func(c *Commit) { c.Added, c.Members = list, 2 })
	changed("1,025 places", func(c *Commit) {
		c.Removed = nil
		for i := range MaxMembers + 1 {
			c.Removed = append(c.Removed, uint16(i))
		}
	})
	changed("places swapped", func(c *Commit) { c.Removed = []uint16{2, 1} })
	changed("a place twice", func(c *Commit) { c.Removed = []uint16{1, 1} })
	changed("whole, entries swapped", func(c *Commit) {
		c.Form, c.Removed, c.Added = ListWhole, nil, List{list[1], list[0], list[2]}
		c.List = c.Added.Hash()
	})
	changed("entries of a change swapped", func(c *Commit) { c.Added = List{list[1], list[0]} })
	changed("an entry of a change twice", func(c *Commit) { c.Added = List{list[0], list[0]} })
	r.commitEvidence(changed)

	id := c.ID()
	r.signed("commit", "", "commit", ann.working, id[:], func(sig []byte) []byte {
		d := *c
		d.Signature = [signatureSize]byte(sig)
		return d.Append(nil)
	})
	d := *c
	copy(d.Signature[:], sign(ann.working, "commit", testRoom, d.Core()))
	r.add("commit", "signed over all before, and not over its id", classSignature, d.Append(nil))
	d = *c
	d.By = bob.contribution.ID()
	d.seal(ann)
	r.add("commit", "by bob, signed by ann", classSignature, d.Append(nil))
	d = *c
	d.Period++
	d.seal(ann)
	r.add("commit", "of another day than its maker's contribution", classSignature, d.Append(nil))
	d = *c
	d.Secret[0] ^= 1
	r.add("commit", "another commitment to the secret than what is signed", classSignature, d.Append(nil))
}

// bareAs makes a commit say that its list comes in a form that there is not.
func (r *refusals) bareAs(c *Commit, form byte) { *c = *c.Bare(); c.Form = form }

func (r *refusals) commitEvidence(changed func(string, func(c *Commit))) {
	with := func(name string, ev ...Evidence) {
		changed(name, func(c *Commit) {
			c.Removals = ev
			c.Header.Evidence = c.evidenceHash()
		})
	}
	all := evidence()
	with("evidence swapped", all[1], all[0])
	with("evidence twice", all[0], all[0])
	for _, kind := range []byte{0, 6, 255} {
		with(fmt.Sprint("evidence of kind ", kind), Evidence{kind, all[0].CID, all[0].Ref})
	}
	with("evidence of a cut with a reference", Evidence{EvidenceCut, all[0].CID, all[0].Ref})
	padded := all[2]
	padded.Ref[0] = 1
	with("a last serial behind a byte that is not zero", padded)
	padded = all[2]
	padded.Ref[ake.HashSize-9] = 1
	with("a last serial of nine bytes", padded)
	var many []Evidence
	for _, e := range counted(MaxMembers + 1) {
		many = append(many, Evidence{EvidenceLeft, e.CID, ake.Hash{}})
	}
	with("evidence for 1,025 removals", many...)
	changed("another hash of evidence", func(c *Commit) { c.Header.Evidence[0] ^= 1 })
	changed("evidence left out", func(c *Commit) { c.Removals = nil })
	changed("evidence that the header does not have", func(c *Commit) {
		c.SetEvidence(nil)
		c.Removals = all[:1]
	})
}

// commitLists are commits of right form and signature, whose list is none:
// PROTOCOL.md §8.
func (r *refusals) commitLists() {
	ann, bob, eve, joe := newPerson("ann"), newPerson("bob"), newPerson("eve"), newPerson("joe")
	base := baseList() // ann, eve, joe
	add := func(name string, c *Commit) {
		c.seal(ann)
		r.form("commit's list", name, c.Append(nil))
	}
	list := newList(ann, bob, eve)
	change := func() *Commit { return newChange(ann, base, list) }

	add("left out", change().Bare())
	c := change()
	c.Removed = append(c.Removed, 3)
	slices.Sort(c.Removed)
	add("a place behind the base's last", c)
	c = change()
	c.Removed = append(c.Removed, 65_535)
	add("the greatest place", c)
	c = change()
	c.List[0] ^= 1
	add("another hash", c)
	c = change()
	c.Members++
	add("a member less than the header says", c)
	c = change()
	c.Members--
	add("a member more than the header says", c)
	add("the committer is not in it", newChange(ann, base, newList(bob, eve, joe)))

	away := func(name string, change func(c *Commit)) {
		c := newCommit(ann, list)
		c.AwayAdded = awayOf("joe", "kim")
		c.Away = c.AwayAdded.Hash()
		change(c)
		add(name, c)
	}
	away("another hash of those away", func(c *Commit) { c.Away[0] ^= 1 })
	away("those away without a hash", func(c *Commit) { c.Away = ake.Hash{} })
	away("a hash of nobody away", func(c *Commit) { c.AwayAdded = nil; c.Away = ake.Sum("coterie/2 away", []byte{0, 0}) })
	away("somebody both here and away", func(c *Commit) { c.AwayAdded = awayOf("bob"); c.Away = c.AwayAdded.Hash() })
	away("somebody away on two days", func(c *Commit) {
		c.AwayAdded = append(awayOf("joe"), awayOf("joe")...)
		c.AwayAdded[1].Day++
		c.Away = c.AwayAdded.Hash()
	})
	away("1,025 here and away", func(c *Commit) {
		c.AwayAdded = nil
		for _, e := range counted(MaxMembers - 2) {
			c.AwayAdded = append(c.AwayAdded, Absentee{e.Identity, testDay})
		}
		c.Away = c.AwayAdded.Hash()
	})
	c = change()
	c.AwayRemoved = append(c.AwayRemoved, 0)
	add("a place behind the last of the base's away", c)

	// Of the list's own order: an entry that stands in the base, too.
	twice := append(slices.Clone(base), base[0])
	twice.Sort()
	c = newChange(ann, base, twice)
	c.Removed, c.Added = nil, base[:1]
	add("an entry twice", c)

	again := *bob
	older := *bob.contribution
	older.Serial--
	older.ComputeID(testRoom)
	again.contribution = &older
	add("a peer twice", newCommit(ann, newList(ann, bob, &again)))
	both := newList(ann, bob, eve)
	at, other := both.Index(bob.contribution.ID()), both.Index(eve.contribution.ID())
	both[at].CID = both[other].CID
	both.Sort()
	add("a contribution twice", newCommit(ann, both))
}
