package room

import (
	"sync"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// An Encapsulator is the attribute-based part of the protocol, as far as a room needs
// it: PROTOCOL.md §5. Its methods are slow, are called outside the room's loop,
// and must be safe for use by several goroutines.
type Encapsulator interface {
	// Encapsulate makes the encapsulation of a seed, for all but the revoked keys.
	Encapsulate(seed ake.Secret, c *ake.Context, revoked []uint64) (*ake.Encapsulated, error)
	// Open opens another's encapsulation; the error is ake.ErrNotOpened.
	Open(c *ake.Context, revoked []uint64, enc []byte) (*ake.Encapsulated, error)
}

// ABE is the Encapsulator of real rooms: a member's key, and the room's policy.
type ABE struct {
	key    *abe.Key
	policy *abe.Policy

	mu   sync.Mutex
	days map[abe.Period]*abe.DayPolicy
}

// NewABE returns the Encapsulator of a member who holds key, in a room with policy.
func NewABE(key *abe.Key, policy *abe.Policy) *ABE {
	return &ABE{key: key, policy: policy, days: make(map[abe.Period]*abe.DayPolicy)}
}

// day compiles the policy of a period, once.
func (s *ABE) day(d abe.Period, revoked []uint64) (*abe.DayPolicy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if dp, ok := s.days[d]; ok {
		return dp, nil
	}
	dp, err := s.key.Domain().ForDay(s.policy, d.Day(), revoked...)
	if err != nil {
		return nil, err
	}
	for old := range s.days {
		if old+1 < d && len(s.days) > 3 {
			delete(s.days, old)
		}
	}
	s.days[d] = dp
	return dp, nil
}

// Encapsulate is one ABE encryption.
func (s *ABE) Encapsulate(seed ake.Secret, c *ake.Context, revoked []uint64) (*ake.Encapsulated, error) {
	dp, err := s.day(c.Period, revoked)
	if err != nil {
		return nil, err
	}
	return ake.Encapsulate(seed, dp, c)
}

// Open is one ABE decryption and one encryption.
func (s *ABE) Open(c *ake.Context, revoked []uint64, enc []byte) (*ake.Encapsulated, error) {
	dp, err := s.day(c.Period, revoked)
	if err != nil {
		return nil, err
	}
	return ake.Open(s.key, dp, c, enc)
}
