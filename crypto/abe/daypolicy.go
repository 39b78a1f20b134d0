package abe

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
)

// DayPolicy is a policy for one day, in one domain, compiled. It does not
// change; make it with ForDay.
type DayPolicy struct {
	domain  *Domain
	policy  *Policy
	day     Day
	circuit *circuit
	tkn     tkn20.Policy
	header  skeleton
	dummy   func() (*dummy, error) // made when first asked for
}

// Errors of opening. Nothing finer is told: what a ciphertext failed at would
// tell its maker something about the key.
var (
	ErrCiphertext = errors.New("abe: not a ciphertext of this policy, day and size")
	ErrNotOpened  = errors.New("abe: the key does not open the ciphertext")
)

var errNoPolicy = errors.New("abe: no policy")

// ForDay compiles "p, valid on day, and none of the keys that were revoked", by their
// serials: PROTOCOL.md §3.2. It takes less than a millisecond for usual policies.
func (d *Domain) ForDay(p *Policy, day Day, revoked ...uint64) (*DayPolicy, error) {
	if d == nil || d.params == nil || p == nil || p.tree == nil {
		return nil, errNoPolicy
	}
	if day > maxDay {
		return nil, fmt.Errorf("abe: day %d is after the year 9999", day)
	}
	if len(revoked) > MaxRevoked {
		return nil, fmt.Errorf("abe: %d revoked keys; the limit is %d", len(revoked), MaxRevoked)
	}
	c := newCircuit(p.onDay(day, revoked...))
	compiled, err := c.compile()
	if err != nil {
		return nil, err
	}
	return &DayPolicy{
		domain: d, policy: p, day: day, circuit: c, tkn: compiled, header: headerSkeleton(c),
		dummy: sync.OnceValues(func() (*dummy, error) { return newDummy(d, c) }),
	}, nil
}

// onDay adds that the key is none of those that were revoked, in order, and the four
// blocks that contain the day, greatest first.
func (p *Policy) onDay(day Day, revoked ...uint64) *formula {
	parts := []*formula{p.tree}
	for _, serial := range revoked {
		parts = append(parts, &formula{wire: wire{serialLabel, strconv.FormatUint(serial, 10), true}})
	}
	var blocks []*formula
	for _, b := range blocksOf(day) {
		blocks = append(blocks, &formula{wire: wire{label: b.label(), value: present}})
	}
	return connect(opAnd, append(parts, connect(opOr, blocks...))...)
}

// CiphertextSize is the exact size of a ciphertext of so many bytes.
func (p *DayPolicy) CiphertextSize(plaintext int) int {
	if p == nil || p.domain == nil || plaintext < 0 || plaintext > maxPlaintext {
		return 0
	}
	s := ciphertextSkeleton(p.header, plaintext)
	return s.size
}

// Encrypt is deterministic: the same coins give the same ciphertext, so that
// who learns the coins from the plaintext can make it again and compare
// (PROTOCOL.md §3.5). coins must be a stream that
// nobody else knows and that is used once.
func (p *DayPolicy) Encrypt(coins io.Reader, plaintext []byte) ([]byte, error) {
	switch {
	case p == nil || p.domain == nil:
		return nil, errNoPolicy
	case coins == nil:
		return nil, errNoRandomness
	case len(plaintext) > maxPlaintext:
		return nil, fmt.Errorf("abe: %s bytes are too long; the limit is %s", commas(uint64(len(plaintext))),
			commas(maxPlaintext))
	}
	ciphertext, err := p.domain.public.Encrypt(coins, p.tkn, plaintext)
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	// What others would refuse must not leave.
	if err := p.Check(ciphertext, len(plaintext)); err != nil {
		return nil, errors.New("abe: tkn20 made another ciphertext than was meant")
	}
	return ciphertext, nil
}

// Check compares everything in a ciphertext that is known beforehand: version,
// total length, every length, count and dimension, and the policy's bytes
// (PROTOCOL.md §3.6). It allocates little and does no arithmetic on points. The
// error is ErrCiphertext.
func (p *DayPolicy) Check(ciphertext []byte, plaintext int) error {
	if p == nil || p.domain == nil || plaintext < 0 || plaintext > maxPlaintext {
		return ErrCiphertext
	}
	if s := ciphertextSkeleton(p.header, plaintext); !s.fits(ciphertext) {
		return ErrCiphertext
	}
	return nil
}

// Decrypt opens a ciphertext of so many bytes of plaintext. The error is
// ErrCiphertext, before tkn20 has seen anything, or ErrNotOpened.
//
// It takes as long for a key that does not satisfy the policy as for one that
// does, and as long through one leaf as through another, but for a hundredth:
// the former opens with a key of the policy's own (PROTOCOL.md §3.7). The first
// call for a DayPolicy makes that key, whether this call needs it or not, and
// takes a few milliseconds more.
func (p *DayPolicy) Decrypt(k *Key, ciphertext []byte, plaintext int) ([]byte, error) {
	if err := p.Check(ciphertext, plaintext); err != nil {
		return nil, err
	}
	if k == nil || k.domain == nil {
		return nil, ErrNotOpened
	}
	dummy, err := p.dummy()
	if err != nil {
		return nil, ErrNotOpened // its points are those of a domain that was checked
	}
	with, done := dummy.key, dummy.work
	leaves := p.circuit.evaluate(k.holds)
	satisfied := leaves != nil && k.domain.Equal(p.domain)
	if satisfied {
		with, done = k, p.circuit.workOf(leaves, nil)
	}
	opened, err := open(with, ciphertext)
	if err == nil || err.Error() == badMAC {
		doRest(dummy.most, done)
	}
	if !satisfied || err != nil || len(opened) != plaintext {
		clear(opened)
		return nil, ErrNotOpened
	}
	return opened, nil
}

// badMAC is tkn20's error after all of its work. On a bad point it returns
// earlier, for every key in the same place, so that no work is to be done for
// want of which one could be told from another.
const badMAC = "failure of decryption"

// open is the only call of tkn20's Decrypt, and the only recover.
//
// tkn20 works on unauthenticated points before it verifies its MAC, and has
// panicked there on matrices of odd dimensions. Check lets none through that we
// know of; a panic on one that we do not know of must not let a stranger end
// the process. Nothing of ours is shared with the call: the parsed ciphertext
// is its own and the key is only read, so there is no state to be left torn.
func open(k *Key, ciphertext []byte) (plaintext []byte, err error) {
	defer func() {
		if recover() != nil {
			plaintext, err = nil, ErrNotOpened
		}
	}()
	return k.secret.Decrypt(ciphertext)
}
