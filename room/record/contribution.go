package record

import (
	"crypto/ed25519"
	"encoding/binary"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// ContributionSize is the size of a contribution in bytes.
const ContributionSize = 208

// A Contribution is a member's record for one period: PROTOCOL.md §5.
type Contribution struct {
	Identity      [keySize]byte
	Serial        uint64
	Period        abe.Period
	Working       [keySize]byte
	Term          ake.Hash // commitment to the term
	Encapsulation ake.Hash // hash of the encapsulation
	Signature     [signatureSize]byte

	cid ake.Hash
}

// NewContribution signs a contribution with the peer's identity key.
func NewContribution(identity ed25519.PrivateKey, ctx *ake.Context, e *ake.Encapsulated) *Contribution {
	c := &Contribution{
		Identity:      ctx.Identity,
		Serial:        ctx.Serial,
		Period:        ctx.Period,
		Working:       ctx.Working,
		Term:          e.Term.Commitment(),
		Encapsulation: ake.HashEncapsulation(e.Bytes),
	}
	copy(c.Signature[:], sign(identity, "contribution", ctx.Room, c.body(nil)))
	c.cid = ctx.ID(c.Term, c.Encapsulation)
	return c
}

func (c *Contribution) body(b []byte) []byte {
	b = append(b, c.Identity[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Serial)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Period))
	b = append(b, c.Working[:]...)
	b = append(b, c.Term[:]...)
	return append(b, c.Encapsulation[:]...)
}

// Type is TypeContribution.
func (c *Contribution) Type() byte { return TypeContribution }

// ID is the contribution's cid, known once it was settled: it depends on the
// room.
func (c *Contribution) ID() ake.Hash { return c.cid }

// Append appends the encoding.
func (c *Contribution) Append(b []byte) []byte { return append(c.body(b), c.Signature[:]...) }

// Context is what the contribution's encapsulation is bound to in a room.
func (c *Contribution) Context(room ake.Hash) *ake.Context {
	return &ake.Context{Room: room, Identity: c.Identity, Serial: c.Serial, Period: c.Period, Working: c.Working}
}

// ParseContribution takes a contribution and checks that its keys are keys.
func ParseContribution(b []byte) (*Contribution, error) {
	r := newReader(b)
	c := new(Contribution)
	r.copy(c.Identity[:])
	c.Serial = r.uint64()
	c.Period = abe.Period(r.uint64())
	r.copy(c.Working[:])
	c.Term, c.Encapsulation = r.hash(), r.hash()
	r.copy(c.Signature[:])
	if !r.end() {
		return nil, formError("contribution")
	}
	for _, k := range [][]byte{c.Identity[:], c.Working[:]} {
		if _, err := checkKey(k); err != nil {
			return nil, formError("contribution: key")
		}
	}
	return c, nil
}

// ComputeID derives the cid the contribution has in a room.
func (c *Contribution) ComputeID(room ake.Hash) {
	c.cid = c.Context(room).ID(c.Term, c.Encapsulation)
}

// Verify checks the signature for a room.
func (c *Contribution) Verify(room ake.Hash) error {
	return verify(c.Identity[:], "contribution", room, c.body(nil), c.Signature[:])
}
