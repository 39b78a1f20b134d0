package ake

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// A Member is one listed member as far as the key goes.
type Member struct {
	Identity [32]byte
	Term     Term
}

// Attributes is K_abe of PROTOCOL.md §8. It is the plain sum of terms,
//
//	K = hmac_{k_1}(Sid) xor ... xor hmac_{k_n}(Sid),
//
// with the summands hashed in list order instead of xored, so that a term that
// appears twice cancels nothing and nobody steers the sum.
//
// A large room makes it for each commit, so it is made without an allocation for
// each member.
func Attributes(sid Hash, members []Member) Secret {
	h := sha256.New()
	h.Write(encode("coterie/2 kabe", nil))
	var summand [4 + HashSize]byte // behind its length, as Sum has it
	binary.BigEndian.PutUint32(summand[:4], HashSize)
	defer clear(summand[4:])
	for i := range members {
		m := attributesSummand(&members[i], &sid)
		copy(summand[4:], m[:])
		h.Write(summand[:])
	}
	var key Secret
	h.Sum(key.b[:0])
	return key
}

// attributesSummand is HMAC-SHA256 (RFC 2104) of "K", the session id and the
// identity under the member's term, a key shorter than a block. It is what
// authenticate makes of them.
func attributesSummand(m *Member, sid *Hash) Hash {
	var inner [sha256.BlockSize + 1 + HashSize + len(m.Identity)]byte
	var outer [sha256.BlockSize + HashSize]byte
	defer clear(inner[:])
	defer clear(outer[:])
	copy(inner[:], m.Term.b[:])
	copy(outer[:], m.Term.b[:])
	for i := range sha256.BlockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	inner[sha256.BlockSize] = 'K'
	copy(inner[sha256.BlockSize+1:], sid[:])
	copy(inner[sha256.BlockSize+1+HashSize:], m.Identity[:])
	sum := sha256.Sum256(inner[:])
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}

// EpochSecret joins the members' terms and the commit's fresh secret under the
// epoch's id.
func EpochSecret(epoch Hash, attributes, d Secret) (Secret, error) {
	ikm := make([]byte, 0, 2*SecretSize)
	ikm = attributes.Append(ikm)
	ikm = d.Append(ikm)
	defer clear(ikm)
	prk, err := hkdf.Extract(sha256.New, ikm, epoch[:])
	if err != nil {
		return Secret{}, err
	}
	defer clear(prk)
	return SecretFromBytes(prk)
}

// Keys are what an epoch's secret is used for. The secret itself is not kept.
type Keys struct {
	header Secret // of step
	step   uint16
	root   Secret // of the chains, until they are made
	cids   []Hash
	chains []Chain
}

// NewKeys derives an epoch's keys. The chains of its members, in the order of
// their cids, are made when the first of them is used: most epochs of a large
// room end without a word.
func NewKeys(secret Secret, cids []Hash) *Keys {
	return &Keys{
		header: Expand(secret, "coterie/2 header"),
		root:   Expand(secret, "coterie/2 chains"), cids: cids,
	}
}

// Chain is the chain of the member in a place of the list.
func (k *Keys) Chain(i int) *Chain {
	if k.chains == nil {
		k.chains = make([]Chain, len(k.cids))
		for j := range k.cids {
			k.chains[j] = Chain{next: 1, key: Expand(k.root, "coterie/2 chain", k.cids[j][:])}
		}
		k.root.Erase() // else every key that was used could be made again
	}
	return &k.chains[i]
}

// MaxSteps is how many header keys one epoch has.
const MaxSteps = 1 << 12

// headerKey is the header key of a step. The error is ErrSpent for one that was
// erased, and ErrSkip for one that no epoch comes to.
func (k *Keys) headerKey(step uint16) (Secret, error) {
	switch {
	case step < k.step:
		return Secret{}, ErrSpent
	case step >= MaxSteps:
		return Secret{}, ErrSkip
	}
	key := k.header
	for range step - k.step {
		key = Expand(key, "coterie/2 header next")
	}
	return key, nil
}

// Step erases the header keys of the steps before this one. It never goes back.
func (k *Keys) Step(step uint16) {
	if step <= k.step || k.header.IsZero() {
		return
	}
	step = min(step, MaxSteps-1)
	key, err := k.headerKey(step)
	if err != nil {
		return
	}
	k.header.Erase()
	k.header, k.step = key, step
}

// Erase overwrites the keys.
func (k *Keys) Erase() {
	k.header.Erase()
	k.root.Erase()
	for i := range k.chains {
		k.chains[i].Erase()
	}
	k.cids, k.chains = nil, []Chain{}
}
