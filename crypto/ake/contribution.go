package ake

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20"

	"coterie/crypto/abe"
)

// openedSize is the size of what an encapsulation holds: the seed and the hash
// that binds it to its context.
const openedSize = SecretSize + HashSize

// ErrNotOpened is all that is ever said of an encapsulation that does not open,
// is malformed, or is not the one its own coins make.
var ErrNotOpened = errors.New("the encapsulation does not open")

// A Context is what a contribution is bound to: PROTOCOL.md §5.
type Context struct {
	Room     Hash
	Identity [32]byte // the peer's Ed25519 public key
	Serial   uint64   // of the process; a later one is greater
	Period   abe.Period
	Working  [32]byte // the process' Ed25519 public working key
}

// Bytes is ctx of PROTOCOL.md §5: 112 bytes.
func (c *Context) Bytes() []byte {
	b := make([]byte, 0, 112)
	b = append(b, c.Room[:]...)
	b = append(b, c.Identity[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Serial)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Period))
	return append(b, c.Working[:]...)
}

func (c *Context) hash() []byte {
	h := Sum("coterie/2 context", c.Bytes())
	return h[:]
}

// ID is the cid of the contribution made of this context and these two
// commitments.
func (c *Context) ID(term, encapsulation Hash) Hash {
	return Sum("coterie/2 contribution", c.Bytes(), term[:], encapsulation[:])
}

// A Term is a member's share in a room's keys: a of PROTOCOL.md §5.
type Term struct{ Secret }

// Commitment is what the contribution publishes of the term.
func (t *Term) Commitment() Hash { return Sum("coterie/2 open", t.b[:]) }

// A Proof is p of PROTOCOL.md §5: whoever has it made the encapsulation or
// opened it.
type Proof struct{ Secret }

// HashEncapsulation is what the contribution publishes of its encapsulation.
func HashEncapsulation(enc []byte) Hash { return Sum("coterie/2 encapsulation", enc) }

// Encapsulated is what Encapsulate and Open yield.
type Encapsulated struct {
	Term  Term
	Proof Proof
	// Bytes is the encapsulation itself.
	Bytes []byte
}

// Encapsulate encapsulates a fresh seed under the day's policy. It costs one
// ABE encryption. The caller erases the seed.
func Encapsulate(seed Secret, dp *abe.DayPolicy, c *Context) (*Encapsulated, error) {
	enc, err := encrypt(dp, c, seed)
	if err != nil {
		return nil, err
	}
	return derive(c, seed, enc), nil
}

// Open opens an encapsulation that was made for the context c, then makes it
// again from its own coins and compares every byte. It costs one ABE decryption
// and one encryption whatever it finds, and answers ErrNotOpened to everything
// but an honest encapsulation: a crafted one, which opens for one branch of the
// policy only, tells its maker nothing. (PROTOCOL.md §5)
func Open(k *abe.Key, dp *abe.DayPolicy, c *Context, enc []byte) (*Encapsulated, error) {
	return open(k, dp, c, enc, encrypt)
}

type encryptFunc func(*abe.DayPolicy, *Context, Secret) ([]byte, error)

func open(k *abe.Key, dp *abe.DayPolicy, c *Context, enc []byte, encrypt encryptFunc) (*Encapsulated, error) {
	seed, err := openSeed(k, dp, enc, func(seed Secret) ([]byte, error) { return encrypt(dp, c, seed) })
	defer seed.Erase()
	if err != nil {
		return nil, err
	}
	return derive(c, seed, nil), nil
}

// openSeed opens an encapsulation and has it made again from the seed. The bytes
// made again hold the binding to the context, so comparing them checks that the
// plaintext is bound to it and that its maker used its coins. What does not open
// costs as much as what does. The error is ErrNotOpened.
func openSeed(k *abe.Key, dp *abe.DayPolicy, enc []byte, encrypt func(Secret) ([]byte, error)) (Secret, error) {
	var seed Secret // zeros if nothing opens: the work that follows is the same
	opened, err := dp.Decrypt(k, enc, openedSize)
	ok := err == nil
	if ok {
		copy(seed.b[:], opened)
		clear(opened)
	}
	again, err := encrypt(seed)
	if err != nil || !ok || !hmac.Equal(again, enc) {
		seed.Erase()
		return Secret{}, ErrNotOpened
	}
	return seed, nil
}

func encrypt(dp *abe.DayPolicy, c *Context, seed Secret) ([]byte, error) {
	bind := Sum("coterie/2 bind", c.Bytes())
	return encryptSeed(dp, seed, bind, Expand(seed, "coterie/2 coins", c.hash()))
}

// encryptSeed encrypts a seed and what it is bound to, with randomness that is the seed's: whoever
// opens it can do the same again.
func encryptSeed(dp *abe.DayPolicy, seed Secret, bind Hash, coins Secret) ([]byte, error) {
	defer coins.Erase()
	plain := append(seed.Append(make([]byte, 0, openedSize)), bind[:]...)
	defer clear(plain)
	stream, err := chacha20.NewUnauthenticatedCipher(coins.b[:], make([]byte, chacha20.NonceSize))
	if err != nil {
		return nil, err
	}
	return dp.Encrypt(keystream{stream}, plain)
}

func derive(c *Context, seed Secret, enc []byte) *Encapsulated {
	return &Encapsulated{
		Term:  Term{Expand(seed, "coterie/2 term", c.hash())},
		Proof: Proof{Expand(seed, "coterie/2 proof", c.hash())},
		Bytes: enc,
	}
}

// keystream reads a ChaCha20 keystream as randomness.
type keystream struct{ c *chacha20.Cipher }

func (k keystream) Read(p []byte) (int, error) {
	clear(p)
	k.c.XORKeyStream(p, p)
	return len(p), nil
}

// A Role is a peer's side in proving: PROTOCOL.md §7.
type Role string

// The newcomer dials, the sponsor answers.
const (
	Newcomer Role = "N"
	Sponsor  Role = "S"
)

// Answer is the MAC by which the peer in a role shows the maker of this proof's
// encapsulation that it opened it: a newcomer has the proof of the sponsor's, a
// sponsor that of the newcomer's. The hashes are the cids of the two.
func (p *Proof) Answer(role Role, newcomer, sponsor Hash) Hash {
	if role == Newcomer {
		return authenticate(p.Secret, []byte(role), sponsor[:], newcomer[:])
	}
	return authenticate(p.Secret, []byte(role), newcomer[:], sponsor[:])
}

// Check compares an answer in constant time.
func (p *Proof) Check(role Role, newcomer, sponsor, answer Hash) bool {
	want := p.Answer(role, newcomer, sponsor)
	return hmac.Equal(want[:], answer[:])
}
