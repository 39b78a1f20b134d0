package record

import (
	"crypto/ed25519"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"

	"coterie/crypto/ake"
)

// A Join is what a sponsor publishes of a newcomer: PROTOCOL.md §10.1.
type Join struct {
	Contribution *Contribution
	Presence     *Presence
	In, Out      *Edge // sponsor to newcomer, newcomer to sponsor
	Epoch        ake.Hash
	Nonce        [chacha20poly1305.NonceSizeX]byte
	Sealed       []byte
	Signature    [signatureSize]byte
}

const maxPresence = 32 + 8 + 1 + 32 + 1 + MaxAddresses*(2+MaxAddressSize) + signatureSize

// Associated is what the sealed part is bound to.
func (j *Join) Associated() []byte {
	b := j.Contribution.Append(nil)
	b = appendVec16(b, j.Presence.Append(nil))
	b = j.In.Append(b)
	b = j.Out.Append(b)
	b = append(b, j.Epoch[:]...)
	return append(b, j.Nonce[:]...)
}

func (j *Join) body() []byte { return appendVec16(j.Associated(), j.Sealed) }

// Sign signs with the sponsor's working key.
func (j *Join) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(j.Signature[:], sign(w, "join", room, j.body()))
}

// Verify checks all signatures in the join, given the sponsor's contribution.
func (j *Join) Verify(room ake.Hash, sponsor *Contribution) error {
	j.Contribution.Settle(room)
	if err := j.Contribution.Verify(room); err != nil {
		return err
	}
	if j.Presence.Working != j.Contribution.Working || j.In.To != j.Contribution.ID() || j.Out.To != j.In.From || j.In.Day != j.Out.Day {
		return ErrSignature
	}
	if err := j.Presence.Verify(room); err != nil {
		return err
	}
	if err := j.In.Verify(room, sponsor); err != nil {
		return err
	}
	if err := j.Out.Verify(room, j.Contribution); err != nil {
		return err
	}
	return verify(sponsor.Working[:], "join", room, j.body(), j.Signature[:])
}

// Append appends the encoding.
func (j *Join) Append(b []byte) []byte {
	b = append(b, j.body()...)
	return append(b, j.Signature[:]...)
}

// ParseJoin takes a join.
func ParseJoin(b []byte) (*Join, error) {
	r := newReader(b)
	contribution := r.bytes(ContributionSize)
	presence := r.vec16(maxPresence)
	in, out := r.bytes(EdgeSize), r.bytes(EdgeSize)
	j := &Join{Epoch: r.hash()}
	r.copy(j.Nonce[:])
	j.Sealed = r.vec16(MaxJoinSecret + chacha20poly1305.Overhead)
	r.copy(j.Signature[:])
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
	return j, nil
}

// MaxJoinSecret is the greatest size of a JoinSecret in bytes.
const MaxJoinSecret = ake.SecretSize + 2 + 32 + 8 + 1 + MaxNameSize + signatureSize

// A JoinSecret is what members alone are told of a newcomer.
type JoinSecret struct {
	Term ake.Term
	Name *Name // nil if it has none
}

// Append appends the encoding.
func (s *JoinSecret) Append(b []byte) []byte {
	b = s.Term.Append(slices.Grow(b, MaxJoinSecret))
	if s.Name == nil {
		return appendVec16(b, nil)
	}
	return appendVec16(b, s.Name.Append(nil))
}

// ParseJoinSecret is the inverse of Append.
func ParseJoinSecret(b []byte) (*JoinSecret, error) {
	r := newReader(b)
	term := r.bytes(ake.SecretSize)
	name := r.vec16(MaxJoinSecret)
	if !r.end() {
		return nil, formError("join")
	}
	s := new(JoinSecret)
	secret, err := ake.SecretFromBytes(term)
	if err != nil {
		return nil, formError("join")
	}
	s.Term = ake.Term{Secret: secret}
	if len(name) > 0 {
		if s.Name, err = ParseName(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}
