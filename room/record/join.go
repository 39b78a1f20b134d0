package record

import "coterie/crypto/ake"

// A Join is what a newcomer publishes of itself once it was let in: PROTOCOL.md
// §10.1. Each part carries its own signature, but for the encapsulation, whose
// hash is in the contribution.
type Join struct {
	Contribution  *Contribution
	Presence      *Presence
	In, Out       *Edge // sponsor to newcomer, newcomer to sponsor
	Encapsulation []byte
}

const maxPresence = 32 + 8 + 1 + 1 + MaxAddresses*(2+MaxAddressSize) + signatureSize

// MaxEncapsulation is the greatest size of an encapsulation in bytes.
const MaxEncapsulation = 128 << 10

// Verify checks all signatures in the join, given the sponsor's contribution. The
// sponsor's comes first: who has none can make all others.
func (j *Join) Verify(room ake.Hash, sponsor *Contribution) error {
	j.Contribution.ComputeID(room)
	if j.In.To != j.Contribution.ID() || j.Out.To != j.In.From || j.In.Period != j.Out.Period {
		return ErrSignature
	}
	if err := j.In.Verify(room, sponsor); err != nil {
		return err
	}
	if err := j.Contribution.Verify(room); err != nil {
		return err
	}
	if err := j.Presence.Verify(room); err != nil {
		return err
	}
	return j.Out.Verify(room, j.Contribution)
}

// Append appends the encoding.
func (j *Join) Append(b []byte) []byte {
	b = j.Contribution.Append(b)
	b = appendVec16(b, j.Presence.Append(nil))
	b = j.In.Append(b)
	b = j.Out.Append(b)
	return appendVec32(b, j.Encapsulation)
}

// ParseJoin takes a join.
func ParseJoin(b []byte) (*Join, error) {
	r := newReader(b)
	contribution := r.bytes(ContributionSize)
	presence := r.vec16(maxPresence)
	in, out := r.bytes(EdgeSize), r.bytes(EdgeSize)
	j := &Join{Encapsulation: r.vec32(MaxEncapsulation)}
	if !r.end() {
		return nil, formError("join")
	}
	var err error
	if j.Contribution, err = ParseContribution(contribution); err != nil {
		return nil, err
	}
	if j.Presence, err = ParsePresence(presence); err != nil {
		return nil, err
	}
	if j.In, err = ParseEdge(in); err != nil {
		return nil, err
	}
	if j.Out, err = ParseEdge(out); err != nil {
		return nil, err
	}
	switch {
	case j.Presence.Working != j.Contribution.Working, j.Presence.Last():
		return nil, formError("join: presence")
	case ake.HashEncapsulation(j.Encapsulation) != j.Contribution.Encapsulation:
		return nil, formError("join: encapsulation")
	}
	return j, nil
}
