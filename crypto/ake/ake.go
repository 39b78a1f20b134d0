// Package ake is the attribute-based authenticated key exchange of Coterie as
// pure functions: what a contribution's seed yields, how two peers prove
// themselves to each other, how a commit hands one fresh secret to each member,
// and what keys follow from an epoch's secret.
//
// The order in which a room uses it:
//
//	Encapsulate            a member makes its encapsulation for a day    PROTOCOL.md §5
//	Open                   another opens it, and makes it again          PROTOCOL.md §5
//	Proof.Answer           the two prove that they could                 PROTOCOL.md §7
//	CommitSecret           a member commits to the next epoch's secret    PROTOCOL.md §8
//	EpochSecret            both ends derive the epoch's keys             PROTOCOL.md §8
//	Chain                  each author's messages get keys of their own  PROTOCOL.md §9
//
// The package decides nothing about membership, keeps no state, does no I/O,
// reads no clock, and takes its randomness from the caller.
package ake

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// HashSize is the size in bytes of every hash and identifier of the protocol.
const HashSize = sha256.Size

// A Hash names something public: a room, a contribution, an epoch.
type Hash [HashSize]byte

// Sum is the H of PROTOCOL.md §1: SHA-256 over the label and the fields, each
// behind its length, so that no two inputs meet. Fields may be secret: no copy
// stays.
func Sum(label string, fields ...[]byte) Hash {
	var short [256]byte
	if encodedSize(label, fields) <= len(short) {
		// Most are, and for these one call of the hash is half the work.
		b := appendEncoded(short[:0], label, fields)
		out := sha256.Sum256(b)
		clear(b)
		return out
	}
	h := sha256.New()
	h.Write(encode(label, nil))
	var length [4]byte
	for _, f := range fields {
		binary.BigEndian.PutUint32(length[:], uint32(len(f)))
		h.Write(length[:])
		h.Write(f)
	}
	var out Hash
	h.Sum(out[:0])
	return out
}

// Expand is the X of PROTOCOL.md §1: HKDF-Expand (RFC 5869) of a uniform key,
// with the label and the fields, which are public, as its info, to 32 bytes.
func Expand(key Secret, label string, fields ...[]byte) Secret {
	out, err := hkdf.Expand(sha256.New, key.b[:], string(encode(label, fields)), SecretSize)
	if err != nil {
		// Only lengths above 255 hashes fail.
		panic("ake: " + err.Error())
	}
	var s Secret
	copy(s.b[:], out)
	clear(out)
	return s
}

// authenticate is HMAC-SHA256 of the parts, joined.
func authenticate(key Secret, parts ...[]byte) Hash {
	m := hmac.New(sha256.New, key.b[:])
	for _, p := range parts {
		m.Write(p)
	}
	var out Hash
	m.Sum(out[:0])
	return out
}

func encode(label string, fields [][]byte) []byte {
	return appendEncoded(make([]byte, 0, encodedSize(label, fields)), label, fields)
}

func encodedSize(label string, fields [][]byte) int {
	n := 1 + len(label)
	for _, f := range fields {
		n += 4 + len(f)
	}
	return n
}

func appendEncoded(b []byte, label string, fields [][]byte) []byte {
	b = append(b, byte(len(label)))
	b = append(b, label...)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

// Short is enough of a hash to tell a few apart in a log line.
func (h Hash) Short() []byte { return h[:4] }
