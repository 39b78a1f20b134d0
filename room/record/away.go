package record

import (
	"bytes"
	"encoding/binary"
	"slices"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

const absenteeSize = keySize + 4

// An Absentee is a peer who is away, and the day on which it was last here:
// PROTOCOL.md §8.
type Absentee struct {
	Identity [keySize]byte
	Day      abe.Day
}

func compareAbsentees(a, b Absentee) int {
	if c := bytes.Compare(a.Identity[:], b.Identity[:]); c != 0 {
		return c
	}
	return int(a.Day) - int(b.Day)
}

// Away are those of a commit who are away, ascending by identity.
type Away []Absentee

// Sort puts them into their order.
func (a Away) Sort() { slices.SortFunc(a, compareAbsentees) }

func (a Away) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(a)))
	for i := range a {
		b = append(b, a[i].Identity[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(a[i].Day))
	}
	return b
}

// Hash is what a commit's header says of them; zeros if nobody is away.
func (a Away) Hash() ake.Hash {
	if len(a) == 0 {
		return ake.Hash{}
	}
	return ake.Sum("coterie/2 away", a.append(nil))
}

// Of finds a peer's place, or -1.
func (a Away) Of(identity [keySize]byte) int {
	i, ok := slices.BinarySearchFunc(a, identity[:], func(e Absentee, id []byte) int {
		return bytes.Compare(e.Identity[:], id)
	})
	if !ok {
		return -1
	}
	return i
}

// Without calls f for each that another list lacks, in order.
func (a Away) Without(other Away, f func(i int, e *Absentee)) {
	for i := range a {
		for len(other) > 0 && compareAbsentees(other[0], a[i]) < 0 {
			other = other[1:]
		}
		if len(other) == 0 || other[0] != a[i] {
			f(i, &a[i])
		}
	}
}

// away takes such a list.
func (r *reader) away() (out Away) {
	n := int(r.uint16())
	if n > MaxMembers || n*absenteeSize > len(r.s) {
		r.ok = false
	}
	for i := 0; r.ok && i < n; i++ {
		var a Absentee
		r.copy(a.Identity[:])
		a.Day = abe.Day(r.uint32())
		out = append(out, a)
	}
	if !ascending(out, compareAbsentees) {
		r.ok = false
	}
	return out
}
