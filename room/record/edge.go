package record

import (
	"crypto/ed25519"
	"encoding/binary"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// EdgeSize is the size of an edge in bytes.
const EdgeSize = 136

// An Edge says that the maker of contribution To proved to the maker of
// contribution From that it could open From's encapsulation: PROTOCOL.md §6.
type Edge struct {
	Period    abe.Period
	From, To  ake.Hash
	Signature [signatureSize]byte

	id ake.Hash // of one that was parsed or signed
}

// Sign signs the edge with the working key of From.
func (e *Edge) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(e.Signature[:], sign(w, "edge", room, e.body(nil)))
	e.id = ake.Sum("coterie/2 edge", e.Append(nil))
}

func (e *Edge) body(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.Period))
	b = append(b, e.From[:]...)
	return append(b, e.To[:]...)
}

// Type is TypeEdge.
func (e *Edge) Type() byte { return TypeEdge }

// ID names the edge.
func (e *Edge) ID() ake.Hash {
	if e.id != (ake.Hash{}) {
		return e.id
	}
	return ake.Sum("coterie/2 edge", e.Append(nil))
}

// Append appends the encoding.
func (e *Edge) Append(b []byte) []byte { return append(e.body(b), e.Signature[:]...) }

// ParseEdge takes an edge.
func ParseEdge(b []byte) (*Edge, error) {
	r := newReader(b)
	e := &Edge{Period: abe.Period(r.uint64()), From: r.hash(), To: r.hash()}
	r.copy(e.Signature[:])
	if !r.end() || e.From == e.To {
		return nil, formError("edge")
	}
	e.id = ake.Sum("coterie/2 edge", b)
	return e, nil
}

// Verify checks the signature for a room, given the contribution From names.
func (e *Edge) Verify(room ake.Hash, from *Contribution) error {
	if from.ID() != e.From || from.Period != e.Period {
		return ErrSignature
	}
	return verify(from.Working[:], "edge", room, e.body(nil), e.Signature[:])
}
