package ake

import (
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"

	"github.com/cloudflare/circl/kem/xwing"
	"golang.org/x/crypto/chacha20poly1305"

	"coterie/crypto/abe"
)

// Sizes of what goes with a question from outside: PROTOCOL.md §9.7.
const (
	ReplyKeySize  = xwing.PublicKeySize
	ReplySeedSize = SecretSize + chacha20poly1305.Overhead
)

// An OutsideContext is what a question from outside is bound to: PROTOCOL.md §9.7.
type OutsideContext struct {
	Room     Hash
	Period   abe.Period
	For      string // the policy besides the room's, canonical text; "": none
	ReplyKey []byte
	Token    Hash // of OutsideToken
}

func (c *OutsideContext) hash() []byte {
	h := Sum("coterie/2 outside context", c.Room[:], binary.BigEndian.AppendUint64(nil, uint64(c.Period)),
		[]byte(c.For), c.ReplyKey, c.Token[:])
	return h[:]
}

// OutsideToken is what a question says of the token with which its answers are fetched.
func OutsideToken(token Secret) Hash { return Sum("coterie/2 outside token", token.b[:]) }

// ReplyKey is the public key of a question, whose private key the asker keeps.
func ReplyKey(private Secret) []byte {
	_, pub := xwing.DeriveKeyPairPacked(private.b[:])
	return pub
}

// ValidReplyKey reports whether answers can be made to it.
func ValidReplyKey(b []byte) bool {
	var pub xwing.PublicKey
	return len(b) == ReplyKeySize && pub.Unpack(b) == nil
}

// IsBox reports whether an answer has this size once it is sealed.
func IsBox(n int) bool { return SealedWords(n - xwing.CiphertextSize) }

// Reply seals the words of an answer to the asker. The seed, in which r is, is for those who
// have the question's key; it is of no use as another author's (a cid).
func (k *WordsKey) Reply(r Secret, question, author Hash, replyKey []byte, words string) (seed, box []byte, err error) {
	ss, ct, err := encapsulateReply(r, replyKey)
	if err != nil {
		return nil, nil, err
	}
	defer clear(ss)
	sealed, err := k.replyKey(question, ct, ss).Seal(words)
	if err != nil {
		return nil, nil, err
	}
	aead, err := k.seedKey(question, author, ct)
	if err != nil {
		return nil, nil, err
	}
	return aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), r.b[:], nil), append(ct, sealed...), nil
}

// ReadReply reads an author's answer as one who has the question's key: what its asker reads. The
// error is ErrNotOpened. As much is done for a key that does not open it.
func (k *WordsKey) ReadReply(question, author Hash, replyKey, seed, box []byte) (string, error) {
	if len(seed) != ReplySeedSize || !IsBox(len(box)) {
		return "", ErrNotOpened
	}
	ct, sealed := box[:xwing.CiphertextSize], box[xwing.CiphertextSize:]
	aead, err := k.seedKey(question, author, ct)
	if err != nil {
		return "", ErrNotOpened
	}
	b, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), seed, nil)
	opened := err == nil
	if !opened {
		b = make([]byte, SecretSize) // what it makes is thrown away
	}
	defer clear(b)
	r, err := SecretFromBytes(b)
	if err != nil {
		return "", ErrNotOpened
	}
	defer r.Erase()
	ss, again, err := encapsulateReply(r, replyKey)
	if err != nil {
		return "", ErrNotOpened // for everybody alike
	}
	defer clear(ss)
	words, err := k.replyKey(question, ct, ss).Open(sealed)
	if err != nil || !opened || !hmac.Equal(again, ct) {
		return "", ErrNotOpened
	}
	return words, nil
}

// OpenReply opens an answer as the asker. The error is ErrNotOpened.
func (k *WordsKey) OpenReply(private Secret, question Hash, box []byte) (string, error) {
	if !IsBox(len(box)) {
		return "", ErrNotOpened
	}
	ct, sealed := box[:xwing.CiphertextSize], box[xwing.CiphertextSize:]
	ss := xwing.Decapsulate(ct, private.b[:])
	defer clear(ss)
	return k.replyKey(question, ct, ss).Open(sealed)
}

func (k *WordsKey) replyKey(question Hash, ct, ss []byte) *WordsKey {
	return &WordsKey{Expand(k.Secret, "coterie/2 outside answer", question[:], ct, ss)}
}

func (k *WordsKey) seedKey(question, author Hash, ct []byte) (cipher.AEAD, error) {
	key := Expand(k.Secret, "coterie/2 outside seed", question[:], author[:], ct)
	defer key.Erase()
	return chacha20poly1305.New(key.b[:])
}

// encapsulateReply is X-Wing's to a public key, with what r yields for its coins.
func encapsulateReply(r Secret, replyKey []byte) (ss, ct []byte, err error) {
	if len(replyKey) != ReplyKeySize {
		return nil, nil, ErrNotOpened
	}
	one := Expand(r, "coterie/2 outside coins", []byte("1"))
	two := Expand(r, "coterie/2 outside coins", []byte("2"))
	coins := two.Append(one.Append(make([]byte, 0, xwing.EncapsulationSeedSize)))
	defer func() { clear(coins); one.Erase(); two.Erase() }()
	return xwing.Encapsulate(replyKey, coins)
}
