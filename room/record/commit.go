package record

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/binary"
	"slices"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

const (
	entrySize    = 96
	evidenceSize = 65
	briefSize    = 8 + 8 + ake.HashSize + ake.HashSize + 4 + 3*ake.HashSize + ake.HashSize + signatureSize
)

// An Entry is one member in a commit's list: PROTOCOL.md §8.
type Entry struct {
	Identity [keySize]byte
	CID      ake.Hash
	Presence ake.Hash
}

func (e *Entry) append(b []byte) []byte {
	b = append(b, e.Identity[:]...)
	b = append(b, e.CID[:]...)
	return append(b, e.Presence[:]...)
}

func compareEntries(a, b *Entry) int {
	if c := bytes.Compare(a.Identity[:], b.Identity[:]); c != 0 {
		return c
	}
	if c := bytes.Compare(a.CID[:], b.CID[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.Presence[:], b.Presence[:])
}

// A List is a commit's members, in ascending order.
type List []Entry

// Sort puts the entries into their order.
func (l List) Sort() { slices.SortFunc(l, func(a, b Entry) int { return compareEntries(&a, &b) }) }

// Bytes is the list as it is hashed.
func (l List) Bytes() []byte {
	b := make([]byte, 0, len(l)*entrySize)
	for i := range l {
		b = l[i].append(b)
	}
	return b
}

// Hash is what a commit's header says of its list.
func (l List) Hash() ake.Hash { return ake.Sum("coterie/2 list", l.Bytes()) }

// Index finds a contribution's place, or -1.
func (l List) Index(cid ake.Hash) int {
	for i := range l {
		if l[i].CID == cid {
			return i
		}
	}
	return -1
}

// Of finds a peer's place, or -1.
func (l List) Of(identity [keySize]byte) int {
	i, ok := slices.BinarySearchFunc(l, identity[:], func(e Entry, id []byte) int {
		return bytes.Compare(e.Identity[:], id)
	})
	if !ok {
		return -1
	}
	return i
}

// Without calls f for each entry that another list lacks, in order.
func (l List) Without(other List, f func(i int, e *Entry)) {
	for i := range l {
		for len(other) > 0 && compareEntries(&other[0], &l[i]) < 0 {
			other = other[1:]
		}
		if len(other) == 0 || other[0] != l[i] {
			f(i, &l[i])
		}
	}
}

// WithoutCID calls f for each entry whose contribution another list lacks, in order.
func (l List) WithoutCID(other List, f func(i int, e *Entry)) {
	for i := range l {
		for len(other) > 0 && bytes.Compare(other[0].Identity[:], l[i].Identity[:]) < 0 {
			other = other[1:]
		}
		if len(other) == 0 || other[0].Identity != l[i].Identity || other[0].CID != l[i].CID {
			f(i, &l[i])
		}
	}
}

// The kinds of evidence for a removal.
const (
	EvidenceLeft       byte = 1 // Ref is the hash of its last presence
	EvidenceSuperseded byte = 2 // Ref is the cid of its peer's later contribution
	EvidenceSilent     byte = 3 // Ref is SilentRef of the last serial heard
	EvidenceMisbehaved byte = 4 // Ref is MisbehaviourRef of two presences
	EvidenceCut        byte = 5 // Ref is zeros: the committer's user does without it
)

// Evidence says why a contribution of the head before is in this list no more.
type Evidence struct {
	Kind byte
	CID  ake.Hash
	Ref  ake.Hash
}

// SilentRef is the Ref of a process of which no beat with a greater serial was
// heard.
func SilentRef(serial uint64) (ref ake.Hash) {
	binary.BigEndian.PutUint64(ref[ake.HashSize-8:], serial)
	return ref
}

// Serial is the serial in the Ref of a silent process.
func (e *Evidence) Serial() uint64 { return binary.BigEndian.Uint64(e.Ref[ake.HashSize-8:]) }

// MisbehaviourRef is the Ref of a process that signed two presences with one
// serial.
func MisbehaviourRef(a, b ake.Hash) ake.Hash {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return ake.Sum("coterie/2 misbehaviour", a[:], b[:])
}

// wellFormed leaves no two ways to write one reason.
func (e *Evidence) wellFormed() bool {
	switch e.Kind {
	case EvidenceLeft, EvidenceSuperseded, EvidenceMisbehaved:
		return true
	case EvidenceSilent:
		return e.Ref == SilentRef(e.Serial())
	case EvidenceCut:
		return e.Ref == ake.Hash{}
	}
	return false
}

func (e *Evidence) append(b []byte) []byte {
	b = append(b, e.Kind)
	b = append(b, e.CID[:]...)
	return append(b, e.Ref[:]...)
}

func compareEvidence(a, b Evidence) int { return bytes.Compare(a.append(nil), b.append(nil)) }

// A Header is all of a commit that its secret is bound to: PROTOCOL.md §8.
type Header struct {
	Period   abe.Period
	Height   uint64
	Base     ake.Hash // the commit whose list Changes refers to; zeros: none
	By       ake.Hash // cid of the committer
	Members  uint32
	List     ake.Hash
	Away     ake.Hash // zeros: nobody is
	Evidence ake.Hash
}

// Core is the header's encoding, to which the commitment to d is bound.
func (h *Header) Core() []byte {
	b := make([]byte, 0, briefSize)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Period))
	b = binary.BigEndian.AppendUint64(b, h.Height)
	b = append(b, h.Base[:]...)
	b = append(b, h.By[:]...)
	b = binary.BigEndian.AppendUint32(b, h.Members)
	b = append(b, h.List[:]...)
	b = append(b, h.Away[:]...)
	return append(b, h.Evidence[:]...)
}

// lists reports whether sorted lists are the header's, with one entry for each
// peer and each contribution, the committer's among them, and who is away in neither
// more than once.
func (h *Header) lists(list List, away Away) bool {
	if len(list) != int(h.Members) || list.Hash() != h.List || list.Index(h.By) < 0 {
		return false
	}
	if len(list)+len(away) > MaxMembers || away.Hash() != h.Away {
		return false
	}
	for i := range away {
		if i > 0 && bytes.Compare(away[i-1].Identity[:], away[i].Identity[:]) >= 0 || list.Of(away[i].Identity) >= 0 {
			return false
		}
	}
	cids := make(map[ake.Hash]struct{}, len(list))
	for i := range list {
		if i > 0 && bytes.Compare(list[i-1].Identity[:], list[i].Identity[:]) >= 0 {
			return false
		}
		cids[list[i].CID] = struct{}{}
	}
	return len(cids) == len(list)
}

// A Brief is a commit without its list: what the epoch's id covers, and the
// committer's signature over that. 276 bytes.
type Brief struct {
	Header
	// Secret is the commitment to d.
	Secret    ake.Hash
	Signature [signatureSize]byte

	epoch ake.Hash
}

// ComputeID derives the epoch's id, E of PROTOCOL.md §8, when all before it stands.
func (c *Brief) ComputeID() { c.epoch = ake.Sum("coterie/2 commit", c.Core(), c.Secret[:]) }

// ID is the epoch's id.
func (c *Brief) ID() ake.Hash { return c.epoch }

// Sign signs the epoch's id with the committer's working key.
func (c *Brief) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(c.Signature[:], sign(w, "commit", room, c.epoch[:]))
}

// Verify checks the signature, given the contribution By names.
func (c *Brief) Verify(room ake.Hash, by *Contribution) error {
	if by.ID() != c.By || by.Period != c.Period {
		return ErrSignature
	}
	return verify(by.Working[:], "commit", room, c.epoch[:], c.Signature[:])
}

// AppendBrief appends the encoding.
func (c *Brief) AppendBrief(b []byte) []byte {
	b = append(b, c.Core()...)
	b = append(b, c.Secret[:]...)
	return append(b, c.Signature[:]...)
}

// readBrief takes a brief, checks what can be checked of it alone, and settles it.
func (r *reader) brief() (c Brief, ok bool) {
	c.Period = abe.Period(r.uint64())
	c.Height = r.uint64()
	c.Base, c.By = r.hash(), r.hash()
	c.Members = r.uint32()
	c.List, c.Away, c.Header.Evidence = r.hash(), r.hash(), r.hash()
	c.Secret = r.hash()
	r.copy(c.Signature[:])
	c.ComputeID()
	return c, r.ok && c.Members >= 2 && c.Members <= MaxMembers && c.Height > 0
}

// The forms in which a commit's list travels. The commit is the same in each.
const (
	ListOmitted byte = 0 // whoever lacks it asks
	ListChanges byte = 1 // against the list of Base
	ListWhole   byte = 2
)

// A Commit starts an epoch: PROTOCOL.md §8.
type Commit struct {
	Brief
	Form byte
	// Removed are places in Base's list, ascending; Added are entries, ascending.
	Removed []uint16
	Added   List
	// AwayRemoved and AwayAdded are the same of those who are away.
	AwayRemoved []uint16
	AwayAdded   Away
	Removals    []Evidence // ascending
}

// SetEvidence sorts the removals and puts their hash into the header.
func (c *Commit) SetEvidence(ev []Evidence) {
	slices.SortFunc(ev, compareEvidence)
	c.Removals = ev
	c.Header.Evidence = c.evidenceHash()
}

func (c *Commit) evidenceHash() ake.Hash {
	return ake.Sum("coterie/2 evidence", c.appendEvidence(nil))
}

func (c *Commit) appendEvidence(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.Removals)))
	for i := range c.Removals {
		b = c.Removals[i].append(b)
	}
	return b
}

// Type is TypeCommit.
func (c *Commit) Type() byte { return TypeCommit }

// Append appends the encoding.
func (c *Commit) Append(b []byte) []byte {
	b = c.AppendBrief(b)
	b = c.appendEvidence(b)
	b = append(b, c.Form)
	if c.Form == ListChanges {
		b = appendPlaces(b, c.Removed)
	}
	if c.Form != ListOmitted {
		b = binary.BigEndian.AppendUint16(b, uint16(len(c.Added)))
		b = append(b, c.Added.Bytes()...)
	}
	if c.Form == ListChanges {
		b = appendPlaces(b, c.AwayRemoved)
	}
	if c.Form != ListOmitted {
		b = c.AwayAdded.append(b)
	}
	return b
}

func appendPlaces(b []byte, places []uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(places)))
	for _, i := range places {
		b = binary.BigEndian.AppendUint16(b, i)
	}
	return b
}

// Whole is the same commit, carrying its lists whole.
func (c *Commit) Whole(list List, away Away) *Commit {
	w := c.Bare()
	w.Form, w.Added, w.AwayAdded = ListWhole, list, away
	return w
}

// Bare is the same commit without its lists.
func (c *Commit) Bare() *Commit {
	b := *c
	b.Form, b.Removed, b.Added, b.AwayRemoved, b.AwayAdded = ListOmitted, nil, nil, nil, nil
	return &b
}

// Change is the same commit, carrying its lists as changes to those of Base.
func (c *Commit) Change(base, list List, baseAway, away Away) *Commit {
	d := c.Bare()
	d.Form = ListChanges
	base.Without(list, func(i int, _ *Entry) { d.Removed = append(d.Removed, uint16(i)) })
	list.Without(base, func(_ int, e *Entry) { d.Added = append(d.Added, *e) })
	baseAway.Without(away, func(i int, _ *Absentee) { d.AwayRemoved = append(d.AwayRemoved, uint16(i)) })
	away.Without(baseAway, func(_ int, a *Absentee) { d.AwayAdded = append(d.AwayAdded, *a) })
	return d
}

// ParseCommit takes a commit, checks what needs no other record, and settles
// its epoch id.
func ParseCommit(b []byte) (*Commit, error) {
	r := newReader(b)
	brief, ok := r.brief()
	if !ok {
		return nil, formError("commit: header")
	}
	c := &Commit{Brief: brief}
	removals := int(r.uint16())
	if !r.ok || removals > MaxMembers || removals*evidenceSize > len(r.s) {
		return nil, formError("commit: evidence")
	}
	for range removals {
		ev := Evidence{Kind: r.uint8(), CID: r.hash(), Ref: r.hash()}
		if !r.ok || !ev.wellFormed() {
			return nil, formError("commit: evidence")
		}
		c.Removals = append(c.Removals, ev)
	}
	c.Form = r.uint8()
	if c.Form > ListWhole || c.Form == ListChanges && c.Base == (ake.Hash{}) {
		return nil, formError("commit: form")
	}
	if c.Form == ListChanges {
		c.Removed = r.places()
	}
	if c.Form != ListOmitted {
		n := int(r.uint16())
		if !r.ok || n > int(c.Members) || c.Form == ListWhole && n != int(c.Members) || n*entrySize > len(r.s) {
			return nil, formError("commit: changes")
		}
		for range n {
			c.Added = append(c.Added, r.entry())
		}
	}
	if c.Form == ListChanges {
		c.AwayRemoved = r.places()
	}
	if c.Form != ListOmitted {
		c.AwayAdded = r.away()
	}
	switch {
	case !r.end():
		return nil, formError("commit")
	case !ascending(c.Removed, cmp.Compare) || !ascending(c.AwayRemoved, cmp.Compare):
		return nil, formError("commit: order of removals")
	case !ascending(c.Added, func(a, b Entry) int { return compareEntries(&a, &b) }):
		return nil, formError("commit: order of entries")
	case !ascending(c.Removals, compareEvidence):
		return nil, formError("commit: order of evidence")
	case c.evidenceHash() != c.Header.Evidence:
		return nil, formError("commit: hash of evidence")
	}
	return c, nil
}

// places takes places in a list.
func (r *reader) places() (out []uint16) {
	n := int(r.uint16())
	if n > MaxMembers || 2*n > len(r.s) {
		r.ok = false
	}
	for i := 0; r.ok && i < n; i++ {
		out = append(out, r.uint16())
	}
	return out
}

func (r *reader) entry() (e Entry) {
	r.copy(e.Identity[:])
	e.CID, e.Presence = r.hash(), r.hash()
	return e
}

// ascending reports strict order, so that nothing stands twice.
func ascending[T any](s []T, cmp func(a, b T) int) bool {
	for i := 1; i < len(s); i++ {
		if cmp(s[i-1], s[i]) >= 0 {
			return false
		}
	}
	return true
}

// Rebuild derives the commit's lists from those of its base (nil for whole ones), and
// checks them against the header: their hashes, the size, one entry for each
// contribution and each peer, the committer's place, and that nobody is both here and
// away.
func (c *Commit) Rebuild(base List, baseAway Away) (List, Away, error) {
	if c.Form == ListOmitted {
		return nil, nil, formError("commit: no list")
	}
	list, away := c.Added, c.AwayAdded
	if c.Form == ListChanges {
		var ok, okAway bool
		list, ok = change(base, c.Removed, c.Added, func(a, b Entry) int { return compareEntries(&a, &b) })
		away, okAway = change(baseAway, c.AwayRemoved, c.AwayAdded, compareAbsentees)
		if !ok || !okAway {
			return nil, nil, formError("commit: removals")
		}
	}
	if !c.Header.lists(list, away) {
		return nil, nil, formError("commit: list")
	}
	return slices.Clone(list), slices.Clone(away), nil
}

// change is an ascending list with some places removed and some entries added; ok is
// false if there are no such places.
func change[L ~[]E, E any](base L, removed []uint16, added L, cmp func(a, b E) int) (list L, ok bool) {
	list = make(L, 0, len(added)+len(base))
	for i := range base {
		for len(added) > 0 && cmp(added[0], base[i]) < 0 {
			list, added = append(list, added[0]), added[1:]
		}
		if len(removed) > 0 && int(removed[0]) == i {
			removed = removed[1:]
			continue
		}
		list = append(list, base[i])
	}
	return append(list, added...), len(removed) == 0
}
