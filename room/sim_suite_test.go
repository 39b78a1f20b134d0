package room

import (
	"sync"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// simDescriptor is the room of all simulations.
var simDescriptor = sync.OnceValue(func() *Descriptor {
	policy, err := abe.ParsePolicy(`"NTNU" or "admin"`)
	if err != nil {
		panic(err)
	}
	return &Descriptor{Name: "exam", Policy: policy}
})

// A fakeSuite stands in for attribute-based encryption: a seed in the clear,
// which those with satisfying attributes are allowed to look at, bound to its
// author as the real one is (PROTOCOL.md §5).
type fakeSuite struct {
	node      *simNode
	satisfies func(abe.Day) bool
}

const fakeSize = 4 + 32 + 32

func fakeDerive(seed ake.Secret, c *ake.Context, enc []byte) *ake.Encapsulated {
	h := ake.Sum("coterie/2 context", c.Bytes())
	return &ake.Encapsulated{
		Term:  ake.Term{Secret: ake.Expand(seed, "coterie/2 term", h[:])},
		Proof: ake.Proof{Secret: ake.Expand(seed, "coterie/2 proof", h[:])},
		Bytes: enc,
	}
}

func fakeEncapsulation(seed ake.Secret, c *ake.Context) []byte {
	bind := ake.Sum("coterie/2 bind", c.Bytes())
	return append(append([]byte("fake"), seed.Bytes()...), bind[:]...)
}

func (s *fakeSuite) Encapsulate(seed ake.Secret, c *ake.Context) (*ake.Encapsulated, error) {
	s.node.net.made++
	return fakeDerive(seed, c, fakeEncapsulation(seed, c)), nil
}

func (s *fakeSuite) Open(c *ake.Context, enc []byte) (*ake.Encapsulated, error) {
	s.node.net.opens++
	s.node.opens++
	if w := s.node.net.watch; w != nil {
		w.opening(s.node, c.Identity)
	}
	if !s.satisfies(c.Day) || len(enc) != fakeSize {
		return nil, ake.ErrNotOpened
	}
	seed, err := ake.SecretFromBytes(enc[4:36])
	if err != nil {
		return nil, err
	}
	if string(fakeEncapsulation(seed, c)) != string(enc) {
		return nil, ake.ErrNotOpened
	}
	return fakeDerive(seed, c, nil), nil
}
