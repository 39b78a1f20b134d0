package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"slices"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

const (
	entrySize    = 96
	evidenceSize = 65

	// WholeList is the base of a commit that carries its whole list.
	WholeList = 255
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

func compareEntries(a, b Entry) int {
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
func (l List) Sort() { slices.SortFunc(l, compareEntries) }

// Bytes is the list as it is hashed.
func (l List) Bytes() []byte {
	b := make([]byte, 0, len(l)*entrySize)
	for i := range l {
		b = l[i].append(b)
	}
	return b
}

// Hash is what a commit's header says of its list.
func (l List) Hash() ake.Hash { return ake.Sum("coterie/1 list", l.Bytes()) }

// Index finds a contribution's place, or -1.
func (l List) Index(cid ake.Hash) int {
	return slices.IndexFunc(l, func(e Entry) bool { return e.CID == cid })
}

// The kinds of evidence for a removal.
const (
	EvidenceLeft       byte = 1 // Ref is the hash of its last presence
	EvidenceSuperseded byte = 2 // Ref is the cid of its peer's later contribution
	EvidenceSilent     byte = 3 // Ref is SilentRef of the last serial heard
	EvidenceMisbehaved byte = 4 // Ref is MisbehaviourRef of two presences
)

// Evidence says why a contribution of an earlier list is in this one no more.
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
	return ake.Sum("coterie/1 misbehaviour", a[:], b[:])
}

// wellFormed leaves no two ways to write one reason.
func (e *Evidence) wellFormed() bool {
	switch e.Kind {
	case EvidenceLeft, EvidenceSuperseded, EvidenceMisbehaved:
		return true
	case EvidenceSilent:
		return e.Ref == SilentRef(e.Serial())
	}
	return false
}

func (e *Evidence) append(b []byte) []byte {
	b = append(b, e.Kind)
	b = append(b, e.CID[:]...)
	return append(b, e.Ref[:]...)
}

func compareEvidence(a, b Evidence) int { return bytes.Compare(a.append(nil), b.append(nil)) }

// A Header is what a commit's secret is bound to: PROTOCOL.md §8.
type Header struct {
	Day      abe.Day
	Height   uint64
	Prevs    []ake.Hash // ascending
	By       ake.Hash   // cid of the committer
	Members  uint32
	List     ake.Hash
	OneTime  [keySize]byte // r.pub
	Evidence ake.Hash
}

func (h *Header) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(h.Day))
	b = binary.BigEndian.AppendUint64(b, h.Height)
	b = append(b, byte(len(h.Prevs)))
	for _, p := range h.Prevs {
		b = append(b, p[:]...)
	}
	b = append(b, h.By[:]...)
	b = binary.BigEndian.AppendUint32(b, h.Members)
	b = append(b, h.List[:]...)
	b = append(b, h.OneTime[:]...)
	return append(b, h.Evidence[:]...)
}

// read takes a header and checks what can be checked of it alone.
func (h *Header) read(r *reader) bool {
	h.Day = abe.Day(r.uint32())
	h.Height = r.uint64()
	n := int(r.uint8())
	if n > MaxPrevs {
		return false
	}
	for range n {
		h.Prevs = append(h.Prevs, r.hash())
	}
	h.By = r.hash()
	h.Members = r.uint32()
	h.List = r.hash()
	r.copy(h.OneTime[:])
	h.Evidence = r.hash()
	if !r.ok || h.Members < 2 || h.Members > MaxMembers || h.Height == 0 {
		return false
	}
	if !ascending(h.Prevs, func(a, b ake.Hash) int { return bytes.Compare(a[:], b[:]) }) {
		return false
	}
	_, err := ake.PublicX25519(h.OneTime[:])
	return err == nil
}

// epochID is E of PROTOCOL.md §8.
func epochID(h *Header, wraps, sealed ake.Hash) ake.Hash {
	return ake.Sum("coterie/1 commit", h.append(nil), wraps[:], sealed[:])
}

// Hash is h of PROTOCOL.md §8.
func (h *Header) Hash() ake.Hash { return ake.Sum("coterie/1 core", h.append(nil)) }

// A Commit starts an epoch: PROTOCOL.md §8.
type Commit struct {
	Header
	Base      byte // which of Prevs Changes refers to, or WholeList
	Changes   List
	Removals  []Evidence // ascending
	Wraps     []byte     // of all listed but the committer
	Sealed    []byte
	Tag       ake.Hash
	Signature [signatureSize]byte

	epoch ake.Hash
}

// SetEvidence sorts the removals and puts their hash into the header.
func (c *Commit) SetEvidence(ev []Evidence) {
	slices.SortFunc(ev, compareEvidence)
	c.Removals = ev
	c.Header.Evidence = c.evidenceHash()
}

func (c *Commit) evidenceHash() ake.Hash {
	return ake.Sum("coterie/1 evidence", c.appendEvidence(nil))
}

func (c *Commit) appendEvidence(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.Removals)))
	for i := range c.Removals {
		b = c.Removals[i].append(b)
	}
	return b
}

// Settle derives the epoch's id, when header, wraps and seal stand.
func (c *Commit) Settle() {
	wraps, sealed := ake.Sum("coterie/1 wraps", c.Wraps), ake.Sum("coterie/1 sealed", c.Sealed)
	c.epoch = epochID(&c.Header, wraps, sealed)
}

// Sign signs epoch and tag with the committer's working key.
func (c *Commit) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(c.Signature[:], sign(w, "commit", room, append(c.epoch[:], c.Tag[:]...)))
}

// Verify checks the signature, given the contribution By names.
func (c *Commit) Verify(room ake.Hash, by *Contribution) error {
	if by.ID() != c.By || by.Day != c.Day {
		return ErrSignature
	}
	return verify(by.Working[:], "commit", room, append(c.epoch[:], c.Tag[:]...), c.Signature[:])
}

// Type is TypeCommit.
func (c *Commit) Type() byte { return TypeCommit }

// ID is the epoch's id: E of PROTOCOL.md §8.
func (c *Commit) ID() ake.Hash { return c.epoch }

// Append appends the encoding.
func (c *Commit) Append(b []byte) []byte {
	b = c.Header.append(b)
	b = append(b, c.Base)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.Changes)))
	b = append(b, c.Changes.Bytes()...)
	b = c.appendEvidence(b)
	b = append(b, c.Wraps...)
	b = appendVec32(b, c.Sealed)
	b = append(b, c.Tag[:]...)
	return append(b, c.Signature[:]...)
}

// Whole is the same commit, carrying its whole list.
func (c *Commit) Whole(list List) *Commit {
	w := *c
	w.Base, w.Changes = WholeList, list
	return &w
}

// ParseCommit takes a commit, checks what needs no other record, and settles
// its epoch id.
func ParseCommit(b []byte) (*Commit, error) {
	r := newReader(b)
	c := new(Commit)
	if !c.Header.read(r) {
		return nil, formError("commit: header")
	}
	c.Base = r.uint8()
	changes := int(r.uint16())
	if !r.ok || changes > int(c.Members) {
		return nil, formError("commit: changes")
	}
	if c.Base != WholeList && int(c.Base) >= len(c.Prevs) || c.Base == WholeList && changes != int(c.Members) {
		return nil, formError("commit: base")
	}
	for range changes {
		c.Changes = append(c.Changes, r.entry())
		if !r.ok {
			break
		}
	}
	removals := int(r.uint16())
	if removals > MaxPrevs*MaxMembers {
		return nil, formError("commit: evidence")
	}
	for range removals {
		ev := Evidence{Kind: r.uint8(), CID: r.hash(), Ref: r.hash()}
		if !r.ok || !ev.wellFormed() {
			return nil, formError("commit: evidence")
		}
		c.Removals = append(c.Removals, ev)
	}
	c.Wraps = r.bytes((int(c.Members) - 1) * ake.SecretSize)
	c.Sealed = r.vec32(ake.SealSize(MaxMembers))
	c.Tag = r.hash()
	r.copy(c.Signature[:])
	switch {
	case !r.end():
		return nil, formError("commit")
	case !ascending(c.Changes, compareEntries):
		return nil, formError("commit: order of entries")
	case !ascending(c.Removals, compareEvidence):
		return nil, formError("commit: order of evidence")
	case c.evidenceHash() != c.Header.Evidence:
		return nil, formError("commit: hash of evidence")
	}
	c.Settle()
	return c, nil
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

// Rebuild derives the commit's list from the list of its base (nil for a whole
// list), and checks it against the header: its hash, its size, one entry for
// each contribution and each peer, and the committer's place in it.
func (c *Commit) Rebuild(base List) (List, error) {
	removed := make(map[ake.Hash]bool, len(c.Removals))
	for i := range c.Removals {
		removed[c.Removals[i].CID] = true
	}
	for i := range c.Changes {
		removed[c.Changes[i].CID] = true
	}
	list := slices.Clone(c.Changes)
	if c.Base != WholeList {
		for _, e := range base {
			if !removed[e.CID] {
				list = append(list, e)
			}
		}
	}
	list.Sort()
	if !c.Header.lists(list) {
		return nil, formError("commit: list")
	}
	return list, nil
}

// lists reports whether a sorted list is the header's, with one entry for each
// peer and each contribution, the committer's among them.
func (h *Header) lists(list List) bool {
	if len(list) != int(h.Members) || list.Hash() != h.List || list.Index(h.By) < 0 {
		return false
	}
	cids := make(map[ake.Hash]bool, len(list))
	for i := range list {
		if i > 0 && compareEntries(list[i-1], list[i]) >= 0 || i > 0 && list[i-1].Identity == list[i].Identity || cids[list[i].CID] {
			return false
		}
		cids[list[i].CID] = true
	}
	return true
}
