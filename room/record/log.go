package record

import (
	"bytes"
	"encoding/binary"
	"slices"

	"coterie/crypto/ake"
)

// ChainSize is the size in bytes of what a have says of an author's messages:
// PROTOCOL.md §9.1.
const ChainSize = 16

// MaxAhead is how many messages a log may hold beyond its first gap.
const MaxAhead = ake.MaxSkip

// A Transcript says what an epoch was, for those who were not there: who was in
// it, and that its committer says so. PROTOCOL.md §9.1.
type Transcript struct {
	Brief   Brief
	List    List
	Away    Away            // who may read what was said, too
	Authors []*Contribution // by place in the list
	Names   []*Name         // of those authors who have one, ascending by working key
}

// Append appends the encoding.
func (t *Transcript) Append(b []byte) []byte {
	b = t.Brief.AppendBrief(b)
	b = append(b, t.List.Bytes()...)
	b = t.Away.append(b)
	for _, c := range t.Authors {
		b = c.Append(b)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.Names)))
	for _, n := range t.Names {
		b = appendVec16(b, n.Append(nil))
	}
	return b
}

// ParseTranscript takes a transcript and checks all but signatures: that the list
// is the commit's, and that the contributions are those it lists, which depends
// on the room.
func ParseTranscript(room ake.Hash, b []byte) (*Transcript, error) {
	r := newReader(b)
	brief, ok := r.brief()
	if !ok {
		return nil, formError("transcript: commit")
	}
	t := &Transcript{Brief: brief}
	n := int(brief.Members)
	if len(r.s) < n*(entrySize+ContributionSize) {
		return nil, formError("transcript")
	}
	for range n {
		t.List = append(t.List, r.entry())
	}
	t.Away = r.away()
	if !r.ok || len(r.s) < n*ContributionSize || !brief.lists(t.List, t.Away) {
		return nil, formError("transcript: list")
	}
	working := make(map[[keySize]byte]bool, n)
	for i := range n {
		c, err := ParseContribution(r.bytes(ContributionSize))
		if err != nil {
			return nil, err
		}
		c.ComputeID(room)
		e := &t.List[i]
		if c.ID() != e.CID || c.Identity != e.Identity || c.Period != brief.Period {
			return nil, formError("transcript: contribution")
		}
		working[c.Working] = true
		t.Authors = append(t.Authors, c)
	}
	names := int(r.uint16())
	if names > n {
		return nil, formError("transcript: names")
	}
	for range names {
		name, err := ParseName(r.vec16(keySize + 8 + 1 + MaxNameSize + signatureSize))
		if err != nil || !working[name.Working] {
			return nil, formError("transcript: names")
		}
		t.Names = append(t.Names, name)
	}
	if !r.end() || !ascending(t.Names, func(a, b *Name) int { return bytes.Compare(a.Working[:], b.Working[:]) }) {
		return nil, formError("transcript")
	}
	return t, nil
}

// Verify checks all signatures in it.
func (t *Transcript) Verify(room ake.Hash) error { return t.VerifyOf(room, t.Authors) }

// VerifyOf checks the commit's, the names' and, of the contributions', only those
// that were not checked before.
func (t *Transcript) VerifyOf(room ake.Hash, unknown []*Contribution) error {
	for _, c := range unknown {
		if err := c.Verify(room); err != nil {
			return err
		}
	}
	for _, n := range t.Names {
		if err := n.Verify(room); err != nil {
			return err
		}
	}
	return t.Brief.Verify(room, t.Authors[t.List.Index(t.Brief.By)])
}

// A Held says how much of one author's log is held.
type Held struct {
	// Upto is the counter up to which everything is.
	Upto uint64
	// Chain is over the ids of these.
	Chain [ChainSize]byte
	// Ahead tells which of those from Upto+2 on are; the last one is true, if
	// there are any.
	Ahead []bool
}

// Has reports whether a message is held.
func (h *Held) Has(counter uint64) bool {
	if counter <= h.Upto {
		return true
	}
	i := counter - h.Upto - 2
	return counter != h.Upto+1 && i < uint64(len(h.Ahead)) && h.Ahead[i]
}

// A Have says how much of a transcript is held, by place in the epoch's list.
type Have struct {
	Epoch ake.Hash
	Held  []Held
}

// Encode is the frame.
func (h *Have) Encode() []byte {
	b := append([]byte{FrameHave}, h.Epoch[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.Held)))
	for i := range h.Held {
		a := &h.Held[i]
		b = binary.BigEndian.AppendUint64(b, a.Upto)
		b = append(b, a.Chain[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.Ahead)))
		bits := make([]byte, (len(a.Ahead)+7)/8)
		for j, has := range a.Ahead {
			if has {
				bits[j/8] |= 1 << (j % 8)
			}
		}
		b = append(b, bits...)
	}
	return b
}

// ParseHave takes the frame behind its type.
func ParseHave(b []byte) (*Have, error) {
	r := newReader(b)
	h := &Have{Epoch: r.hash()}
	n := int(r.uint16())
	if !r.ok || n > MaxMembers {
		return nil, formError("have")
	}
	for range n {
		a := Held{Upto: r.uint64()}
		r.copy(a.Chain[:])
		ahead := int(r.uint16())
		if !r.ok || ahead > MaxAhead || a.Upto > 1<<62 || a.Upto == 0 && a.Chain != [ChainSize]byte{} {
			return nil, formError("have")
		}
		bits := r.bytes((ahead + 7) / 8)
		if !r.ok {
			return nil, formError("have")
		}
		for j := range ahead {
			a.Ahead = append(a.Ahead, bits[j/8]>>(j%8)&1 == 1)
		}
		// One encoding: the last bit is set, and those behind it are not.
		if ahead > 0 && (!a.Ahead[ahead-1] || bits[len(bits)-1]>>((ahead-1)%8) != 1) {
			return nil, formError("have")
		}
		h.Held = append(h.Held, a)
	}
	if !r.end() {
		return nil, formError("have")
	}
	return h, nil
}

// SetName puts in what an author calls itself; it tells whether that is new.
func (t *Transcript) SetName(n *Name) bool {
	i, ok := slices.BinarySearchFunc(t.Names, n.Working, func(a *Name, w [keySize]byte) int {
		return bytes.Compare(a.Working[:], w[:])
	})
	switch {
	case !ok:
		t.Names = slices.Insert(t.Names, i, n)
	case t.Names[i].Serial < n.Serial:
		t.Names[i] = n
	default:
		return false
	}
	return true
}
