package ake

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"

	"github.com/cloudflare/circl/dh/x25519"
	"golang.org/x/crypto/chacha20poly1305"
)

// The ways in which a commit can be wrong for everybody alike: PROTOCOL.md §8.1.
var (
	ErrWrap    = errors.New("the commit does not give every member one secret")
	ErrSeal    = errors.New("the commit's seal does not open")
	ErrConfirm = errors.New("the commit's confirmation is wrong")
)

// A Recipient is one listed member as far as wrapping goes.
type Recipient struct {
	CID       Hash
	Ephemeral [32]byte // its presence's X25519 public key
}

// Core is what a commit's one-time key is bound to, besides its header.
type Core struct {
	SID    Hash
	Height uint64
	Prevs  []Hash
	By     Hash // cid of the committer
}

// A OneTimeKey is r of PROTOCOL.md §8.
type OneTimeKey struct {
	Public  [32]byte
	private x25519.Key
}

// OneTimeKey is r of PROTOCOL.md §8. It follows from d, so that whoever has d
// can check that all others got the same.
func (c *Core) OneTimeKey(d Secret) *OneTimeKey {
	height := binary.BigEndian.AppendUint64(nil, c.Height)
	var prevs []byte
	for _, p := range c.Prevs {
		prevs = append(prevs, p[:]...)
	}
	k := Expand(d, "coterie/1 r", c.SID[:], height, prevs, c.By[:])
	defer k.Erase()
	return newOneTimeKey(k)
}

func newOneTimeKey(private Secret) *OneTimeKey {
	r := &OneTimeKey{private: private.b}
	x25519.KeyGen((*x25519.Key)(&r.Public), &r.private)
	return r
}

// Erase overwrites the private key.
func (r *OneTimeKey) Erase() { clear(r.private[:]) }

// Wrap gives d to each recipient, who are all listed but the committer: Smart's multi-recipient KEM, one r for all,
// 32 bytes each. It costs one X25519 operation a recipient. h is the hash of
// the commit's header. The error is ErrPublicKey.
func Wrap(d Secret, r *OneTimeKey, h Hash, to []Recipient) ([]byte, error) {
	out := make([]byte, 0, len(to)*SecretSize)
	for i := range to {
		pad, err := wrapPad(&r.private, &to[i].Ephemeral, h, &to[i])
		if err != nil {
			return nil, err
		}
		for j := range pad.b {
			out = append(out, pad.b[j]^d.b[j])
		}
		pad.Erase()
	}
	return out, nil
}

// Unwrap takes d out of the wraps as recipient number i, whose ephemeral
// private key is e, and checks that r and every other wrap follow from it. It
// costs one X25519 operation a recipient, and two. i is a place in to. The
// error is ErrWrap.
func Unwrap(wraps []byte, i int, e *ecdh.PrivateKey, core *Core, rpub [32]byte, h Hash, to []Recipient) (Secret, error) {
	var d Secret
	if len(wraps) != len(to)*SecretSize {
		return d, ErrWrap
	}
	private := x25519.Key(e.Bytes())
	pad, err := wrapPad(&private, &rpub, h, &to[i])
	clear(private[:])
	if err != nil {
		return d, ErrWrap
	}
	for j := range pad.b {
		d.b[j] = pad.b[j] ^ wraps[i*SecretSize+j]
	}
	pad.Erase()
	r := core.OneTimeKey(d)
	defer r.Erase()
	if !hmac.Equal(r.Public[:], rpub[:]) {
		d.Erase()
		return d, ErrWrap
	}
	again, err := Wrap(d, r, h, to)
	if err != nil || !hmac.Equal(again, wraps) {
		d.Erase()
		return d, ErrWrap
	}
	return d, nil
}

// wrapPad is the key that hides d from all but one recipient. Each is used
// once: r belongs to one commit, whose header is in h. The error is
// ErrPublicKey, for a key of small order.
func wrapPad(private *x25519.Key, public *[32]byte, h Hash, to *Recipient) (Secret, error) {
	var shared x25519.Key
	defer clear(shared[:])
	// circl's, which is faster than the standard library's and refuses small order
	// as well.
	if !x25519.Shared(&shared, private, (*x25519.Key)(public)) {
		return Secret{}, ErrPublicKey
	}
	info := make([]byte, 0, 96)
	info = append(info, h[:]...)
	info = append(info, to.CID[:]...)
	info = append(info, to.Ephemeral[:]...)
	k, err := hkdf.Key(sha256.New, shared[:], []byte("coterie/1 wrap"), string(info), SecretSize)
	if err != nil {
		return Secret{}, err
	}
	defer clear(k)
	return SecretFromBytes(k)
}

// A SealedTerm is one member's term on its way to those who lack it.
type SealedTerm struct {
	CID  Hash
	Term Term
}

const sealedTermSize = HashSize + SecretSize

// ascendingTerms reports strict order by cid: a seal has one encoding.
func ascendingTerms(terms []SealedTerm) bool {
	for i := 1; i < len(terms); i++ {
		if bytes.Compare(terms[i-1].CID[:], terms[i].CID[:]) >= 0 {
			return false
		}
	}
	return true
}

// Seal encrypts terms, which ascend by cid, for whoever has d. h is the hash of
// the commit's header. The error is ErrSeal, for another order or more terms
// than can be counted.
func Seal(d Secret, h Hash, terms []SealedTerm) ([]byte, error) {
	if len(terms) > math.MaxUint16 || !ascendingTerms(terms) {
		return nil, ErrSeal
	}
	plain := binary.BigEndian.AppendUint16(make([]byte, 0, SealSize(len(terms))), uint16(len(terms)))
	for i := range terms {
		plain = append(plain, terms[i].CID[:]...)
		plain = terms[i].Term.Append(plain)
	}
	defer clear(plain)
	key := Expand(d, "coterie/1 seal", h[:])
	defer key.Erase()
	aead, err := chacha20poly1305.New(key.b[:])
	if err != nil {
		return nil, err
	}
	// The key is used once: d is drawn for one commit.
	return aead.Seal(nil, make([]byte, aead.NonceSize()), plain, h[:]), nil
}

// OpenSeal is the inverse of Seal. The error is ErrSeal.
func OpenSeal(d Secret, h Hash, sealed []byte) ([]SealedTerm, error) {
	key := Expand(d, "coterie/1 seal", h[:])
	defer key.Erase()
	aead, err := chacha20poly1305.New(key.b[:])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, h[:])
	if err != nil || len(plain) < 2 {
		return nil, ErrSeal
	}
	defer clear(plain)
	n := int(binary.BigEndian.Uint16(plain))
	if len(plain) != 2+n*sealedTermSize {
		return nil, ErrSeal
	}
	terms := make([]SealedTerm, n)
	for i := range terms {
		b := plain[2+i*sealedTermSize:]
		copy(terms[i].CID[:], b)
		copy(terms[i].Term.b[:], b[HashSize:sealedTermSize])
	}
	if !ascendingTerms(terms) {
		return nil, ErrSeal
	}
	return terms, nil
}

// SealSize is the size in bytes of a seal of n terms.
func SealSize(n int) int { return 2 + n*sealedTermSize + chacha20poly1305.Overhead }
