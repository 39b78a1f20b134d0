package ake

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// MaxSkip is how many keys of one chain may be stepped over at once.
const MaxSkip = 1024

// Message sizes in bytes: PROTOCOL.md §9.
const (
	GuardSize  = 4
	HeaderSize = 4 + 8 + chacha20poly1305.Overhead
	sampleSize = 32
)

var (
	// ErrSkip is returned for a counter too far ahead.
	ErrSkip = errors.New("the message is too far ahead of its author's last one")
	// ErrSpent is returned for a counter whose key was used or erased.
	ErrSpent = errors.New("the key of this message was used already")
	// ErrMessage is returned for what does not decrypt.
	ErrMessage = errors.New("the message does not decrypt")
)

// A Chain yields one author's message keys in one epoch, each once.
type Chain struct {
	next    uint64 // the counter of the key that key yields; 0 once erased
	key     Secret
	skipped map[uint64]*Secret
	oldest  uint64 // no key below this counter is in skipped
}

// Next takes the key for the author's own next message and its counter. It
// panics if the chain was erased: the key would be one that everybody knows.
func (c *Chain) Next() (counter uint64, key Secret) {
	if c.next == 0 {
		panic("ake: a chain was used after it was erased")
	}
	counter, key = c.next, c.messageKey()
	c.advance()
	return counter, key
}

// Upcoming is the counter that Next will give.
func (c *Chain) Upcoming() uint64 { return c.next }

// Peek finds the key of a counter without using it up. Keys stepped over stay
// available. The errors are ErrSkip and ErrSpent.
func (c *Chain) Peek(counter uint64) (Secret, error) {
	if c.next == 0 {
		return Secret{}, ErrSpent
	}
	if counter < c.next {
		k := c.skipped[counter]
		if k == nil {
			return Secret{}, ErrSpent
		}
		return *k, nil
	}
	if counter-c.next > MaxSkip {
		return Secret{}, ErrSkip
	}
	ahead := Chain{next: c.next, key: c.key}
	for ahead.next < counter {
		ahead.advance()
	}
	k := ahead.messageKey()
	ahead.key.Erase()
	return k, nil
}

// Ahead is how many keys Peek would step over for a counter.
func (c *Chain) Ahead(counter uint64) uint64 {
	if counter <= c.next {
		return 0
	}
	return min(counter-c.next, MaxSkip+1)
}

// Use erases the key of a counter, and moves the chain past it: called when the
// author's signature has verified, and not before. What lies between is kept,
// at most MaxSkip keys, the oldest of which make room.
func (c *Chain) Use(counter uint64) {
	if c.next == 0 {
		return
	}
	if counter < c.next {
		c.drop(counter)
		return
	}
	if counter-c.next > MaxSkip {
		return
	}
	for c.next < counter {
		if c.skipped == nil {
			c.skipped, c.oldest = make(map[uint64]*Secret), c.next
		}
		k := c.messageKey()
		c.skipped[c.next] = &k
		c.advance()
	}
	c.advance()
	// oldest only grows, so however far an author jumps, each counter is looked
	// at once.
	for ; len(c.skipped) > MaxSkip; c.oldest++ {
		c.drop(c.oldest)
	}
}

// drop overwrites a key that was stepped over.
func (c *Chain) drop(counter uint64) {
	if k := c.skipped[counter]; k != nil {
		k.Erase()
		delete(c.skipped, counter)
	}
}

// Erase overwrites all keys. The chain yields none after it.
func (c *Chain) Erase() {
	c.next = 0
	c.key.Erase()
	for counter := range c.skipped {
		c.drop(counter)
	}
}

func (c *Chain) messageKey() Secret { return Expand(c.key, "coterie/2 key") }

func (c *Chain) advance() {
	n := Expand(c.key, "coterie/2 next")
	c.key.Erase()
	c.key = n
	c.next++
}

// SealMessage encrypts content under a message key. The guard makes the nonce,
// so that a process that lost its place in the chain does not repeat one.
func SealMessage(key Secret, room, epoch Hash, guard [GuardSize]byte, content []byte) ([]byte, error) {
	aead, err := chacha20poly1305.New(key.b[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, messageNonce(guard), content, messageAD(room, epoch, guard)), nil
}

// OpenMessage is the inverse of SealMessage. The error is ErrMessage.
func OpenMessage(key Secret, room, epoch Hash, guard [GuardSize]byte, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.New(key.b[:])
	if err != nil {
		return nil, err
	}
	content, err := aead.Open(nil, messageNonce(guard), sealed, messageAD(room, epoch, guard))
	if err != nil {
		return nil, ErrMessage
	}
	return content, nil
}

func messageNonce(guard [GuardSize]byte) []byte {
	return append(guard[:], make([]byte, chacha20poly1305.NonceSize-GuardSize)...)
}

func messageAD(room, epoch Hash, guard [GuardSize]byte) []byte {
	ad := append(room[:], epoch[:]...)
	return append(ad, guard[:]...)
}

// SealHeader hides who wrote a message, and which of theirs it is, from everybody
// but members. Its key is drawn from the sealed message, as MLS' sender data
// (RFC 9420, 6.3.2), and so is used once. The errors are ErrMessage, and those of
// a step whose key cannot be had: ErrSpent and ErrSkip.
func (k *Keys) SealHeader(room, epoch Hash, step uint16, guard [GuardSize]byte, sealed []byte, index uint32,
	counter uint64) ([]byte, error) {
	aead, err := k.headerCipher(step, sealed)
	if err != nil {
		return nil, err
	}
	plain := binary.BigEndian.AppendUint32(nil, index)
	plain = binary.BigEndian.AppendUint64(plain, counter)
	return aead.Seal(nil, make([]byte, aead.NonceSize()), plain, messageAD(room, epoch, guard)), nil
}

// OpenHeader is the inverse of SealHeader. The errors are the same.
func (k *Keys) OpenHeader(room, epoch Hash, step uint16, guard [GuardSize]byte, sealed, header []byte) (index uint32,
	counter uint64, err error) {
	if len(header) != HeaderSize {
		return 0, 0, ErrMessage
	}
	aead, err := k.headerCipher(step, sealed)
	if err != nil {
		return 0, 0, err
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), header, messageAD(room, epoch, guard))
	if err != nil {
		return 0, 0, ErrMessage
	}
	return binary.BigEndian.Uint32(plain), binary.BigEndian.Uint64(plain[4:]), nil
}

func (k *Keys) headerCipher(step uint16, sealed []byte) (cipher.AEAD, error) {
	if len(sealed) < sampleSize {
		return nil, ErrMessage
	}
	of, err := k.headerKey(step)
	if err != nil {
		return nil, err
	}
	defer of.Erase()
	key := Expand(of, "coterie/2 sample", sealed[:sampleSize])
	defer key.Erase()
	return chacha20poly1305.New(key.b[:])
}
