package room

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
	_ "unsafe" // for linkname

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// checkSignature and checkKey are package record's: tests run many processes in one,
// which all check the same signatures and keys. What was right once is remembered;
// nothing else is.
//
//go:linkname checkSignature coterie/room/record.checkSignature
//go:linkname checkKey coterie/room/record.checkKey
var (
	checkSignature func(pub ed25519.PublicKey, message, sig []byte) bool
	checkKey       func(b []byte) (ed25519.PublicKey, error)
)

func init() {
	type signature struct {
		pub  [ed25519.PublicKeySize]byte
		sig  [ed25519.SignatureSize]byte
		text [sha256.Size]byte
	}
	signatures, keys := remembered[signature](), remembered[[ed25519.PublicKeySize]byte]()
	checkSignature = func(pub ed25519.PublicKey, message, sig []byte) bool {
		right := func() bool { return ed25519.Verify(pub, message, sig) }
		if len(pub) != ed25519.PublicKeySize || len(sig) != ed25519.SignatureSize {
			return right()
		}
		return signatures(signature{[ed25519.PublicKeySize]byte(pub), [ed25519.SignatureSize]byte(sig), sha256.Sum256(message)}, right)
	}
	checkKey = func(b []byte) (ed25519.PublicKey, error) {
		if len(b) == ed25519.PublicKeySize && keys([ed25519.PublicKeySize]byte(b), func() bool {
			_, err := ake.PublicEd25519(b)
			return err == nil
		}) {
			return b, nil
		}
		return nil, ake.ErrPublicKey
	}
}

// remembered asks whether something is right, and remembers if it is.
func remembered[K comparable]() func(k K, right func() bool) bool {
	var mu sync.Mutex
	known := make(map[K]struct{})
	return func(k K, right func() bool) bool {
		mu.Lock()
		_, ok := known[k]
		mu.Unlock()
		if ok || !right() {
			return ok
		}
		mu.Lock()
		defer mu.Unlock()
		if len(known) >= 1<<18 {
			clear(known)
		}
		known[k] = struct{}{}
		return true
	}
}

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
	node                   *simNode
	satisfies              func(abe.Day) bool
	madeWords, openedWords int
	openedOutside          int
	holds                  map[string]bool // policies of words for some, besides those of the simulator
	serial                 uint64          // of its key
}

// The policies of words for some in the simulator, by a step's b.
var simPolicies = []string{`"even"`, `"odd"`, `"all"`, `"nobody"`}

// reads reports whether the peer's key satisfies another policy than the room's.
func (s *fakeSuite) reads(policy string) bool {
	if k, ok := s.node.net.watch.(*looker); ok {
		return simReads(policy, k.peer(s.node)) // the node's own is not set while it starts
	}
	return s.holds[policy] || policy == simPolicies[2]
}

func simReads(policy string, peer int) bool {
	return policy == simPolicies[2] || policy == simPolicies[peer%2]
}

func fakeWords(seed ake.Secret, c *ake.WordsContext) ([]byte, ake.WordsKey) {
	h := ake.Sum("coterie/2 to", c.Room[:], c.Epoch[:], c.Author[:], binary.BigEndian.AppendUint64(nil, c.Counter), []byte(c.Policy))
	return append(append([]byte("fake"), seed.Bytes()...), h[:]...), ake.WordsKey{Secret: ake.Expand(seed, "coterie/2 to key", h[:])}
}

// MakeWords is of Whisperer.
func (s *fakeSuite) MakeWords(seed ake.Secret, _ *abe.Policy, _ abe.Day, c *ake.WordsContext) ([]byte, ake.WordsKey, error) {
	s.madeWords++
	enc, key := fakeWords(seed, c)
	return enc, key, nil
}

// OpenWords is of Whisperer.
func (s *fakeSuite) OpenWords(policy *abe.Policy, day abe.Day, c *ake.WordsContext, enc []byte) (ake.WordsKey, error) {
	s.openedWords++
	if !s.reads(policy.String()) || !s.satisfies(day) || len(enc) != fakeSize {
		return ake.WordsKey{}, ake.ErrNotOpened
	}
	seed, err := ake.SecretFromBytes(enc[4:36])
	if err != nil {
		return ake.WordsKey{}, err
	}
	again, key := fakeWords(seed, c)
	if string(again) != string(enc) {
		return ake.WordsKey{}, ake.ErrNotOpened
	}
	return key, nil
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

func fakeEncapsulation(seed ake.Secret, c *ake.Context, revoked ...uint64) []byte {
	bind := ake.Sum("coterie/2 bind", c.Bytes(), fmt.Append(nil, revoked))
	return append(append([]byte("fake"), seed.Bytes()...), bind[:]...)
}

func (s *fakeSuite) Encapsulate(seed ake.Secret, c *ake.Context, revoked []uint64) (*ake.Encapsulated, error) {
	s.node.net.made++
	return fakeDerive(seed, c, fakeEncapsulation(seed, c, revoked...)), nil
}

func (s *fakeSuite) Open(c *ake.Context, revoked []uint64, enc []byte) (*ake.Encapsulated, error) {
	s.node.net.opens++
	s.node.opens++
	if w := s.node.net.watch; w != nil {
		w.opening(s.node, c.Identity)
	}
	if !s.satisfies(c.Period.Day()) || slices.Contains(revoked, s.serial) || len(enc) != fakeSize {
		return nil, ake.ErrNotOpened
	}
	seed, err := ake.SecretFromBytes(enc[4:36])
	if err != nil {
		return nil, err
	}
	if string(fakeEncapsulation(seed, c, revoked...)) != string(enc) {
		return nil, ake.ErrNotOpened
	}
	return fakeDerive(seed, c, nil), nil
}

// dayOf is the period of a time, before any notice.
func dayOf(t time.Time) abe.Period { return abe.PeriodOf(0, abe.DayOf(t)) }

// simAuthority is the domain's of all simulations, as far as notices go.
var simAuthority = sync.OnceValue(func() *abe.MasterKey {
	m, err := abe.Setup(source{rand.NewChaCha8([32]byte{1})}, "NTNU")
	if err != nil {
		panic(err)
	}
	return m
})

func checkNotice(n *abe.Notice) error { return n.Verify(simAuthority().Domain()) }

// noticeAt is the domain's notice of a time.
func noticeAt(t time.Time, serials ...uint64) *abe.Notice {
	n, err := simAuthority().Revoke(uint32(t.Unix()), serials)
	if err != nil {
		panic(err)
	}
	return n
}

func fakeOutside(seed ake.Secret, c *ake.OutsideContext) ([]byte, ake.WordsKey) {
	h := ake.Sum("coterie/2 outside context", c.Room[:], binary.BigEndian.AppendUint64(nil, uint64(c.Period)), []byte(c.For),
		c.ReplyKey, c.Token[:])
	return append(append([]byte("fake"), seed.Bytes()...), h[:]...), ake.WordsKey{Secret: ake.Expand(seed, "coterie/2 to key", h[:])}
}

// OpenOutside is of Outsider.
func (s *fakeSuite) OpenOutside(also string, c *ake.OutsideContext, _ []uint64, enc []byte) (ake.WordsKey, error) {
	s.openedOutside++
	if also != "" && !s.reads(also) || !s.satisfies(c.Period.Day()) || len(enc) != fakeSize {
		return ake.WordsKey{}, ake.ErrNotOpened
	}
	seed, err := ake.SecretFromBytes(enc[4:36])
	if err != nil {
		return ake.WordsKey{}, err
	}
	again, key := fakeOutside(seed, c)
	if string(again) != string(enc) {
		return ake.WordsKey{}, ake.ErrNotOpened
	}
	return key, nil
}
