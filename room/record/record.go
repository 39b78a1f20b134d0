// Package record has the signed records of a room as bytes: what a peer knows
// of a room is a set of them (PROTOCOL.md §6).
//
//	1 contribution  a member's encapsulation for one day, committed to     §5
//	2 presence      a process' addresses; its leave                        §6
//	3 edge          A says that B proved itself to A                       §6
//	4 name          what a member calls itself                             §6
//	5 commit        the start of an epoch for exactly one member set       §8
//	6 join          a newcomer's records and its encapsulation             §10.1
//	7 message       one encrypted message                                  §9
//	9 beat          a process' sign of life                                §7.5
//
// Each has one encoding. Parsing takes nothing else: no trailing bytes, no
// other order, nothing over its limit; parsing and encoding again gives the
// same bytes. Parsing checks form alone. Signatures need the room's id and, for
// all but contributions, a working key that another record tells, and are
// checked by Verify methods. What a record means for the room is decided in
// package room.
package record

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"coterie/crypto/ake"
)

// The types of records: the first byte of each, wherever it travels.
const (
	TypeContribution byte = 1 + iota
	TypePresence
	TypeEdge
	TypeName
	TypeCommit
	TypeJoin
	TypeMessage
	_
	TypeBeat
)

// Sizes and limits in bytes and in items: PROTOCOL.md §12.
const (
	MaxSize        = 512 << 10
	MaxPublication = 256 << 10
	MaxMembers     = 1024
	MaxAddresses   = 8
	MaxAddressSize = 256
	MaxNameSize    = 96
	MaxText        = 16 << 10

	keySize       = 32
	signatureSize = ed25519.SignatureSize
)

var (
	// ErrForm is returned for bytes that are not the encoding of a record.
	ErrForm = errors.New("malformed record")
	// ErrSignature is returned for a signature that does not verify.
	ErrSignature = errors.New("wrong signature")
)

func formError(what string) error { return fmt.Errorf("%w: %s", ErrForm, what) }

// A Record can stand in the set of records.
type Record interface {
	Type() byte
	// ID names the record among those of its type.
	ID() ake.Hash
	// Append appends the encoding without the type.
	Append(b []byte) []byte
}

// Encode is the record behind its type, as it travels.
func Encode(r Record) []byte { return r.Append([]byte{r.Type()}) }

// Parse takes a record behind its type. It knows those that stand in the set:
// contributions, presences, edges, names and commits.
func Parse(b []byte) (Record, error) {
	if len(b) == 0 || len(b) > MaxSize {
		return nil, formError("size")
	}
	switch b[0] {
	case TypeContribution:
		return asRecord(ParseContribution(b[1:]))
	case TypePresence:
		return asRecord(ParsePresence(b[1:]))
	case TypeEdge:
		return asRecord(ParseEdge(b[1:]))
	case TypeName:
		return asRecord(ParseName(b[1:]))
	case TypeCommit:
		return asRecord(ParseCommit(b[1:]))
	}
	return nil, formError("type")
}

// asRecord keeps a nil pointer out of the interface.
func asRecord[R Record](r R, err error) (Record, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// A reader takes fields from the front of a string.
type reader struct {
	s  cryptobyte.String
	ok bool
}

func newReader(b []byte) *reader { return &reader{s: b, ok: true} }

func (r *reader) uint8() (v uint8) {
	r.ok = r.ok && r.s.ReadUint8(&v)
	return v
}

func (r *reader) uint16() (v uint16) {
	r.ok = r.ok && r.s.ReadUint16(&v)
	return v
}

func (r *reader) uint32() (v uint32) {
	r.ok = r.ok && r.s.ReadUint32(&v)
	return v
}

func (r *reader) uint64() (v uint64) {
	r.ok = r.ok && r.s.ReadUint64(&v)
	return v
}

func (r *reader) copy(into []byte) { r.ok = r.ok && r.s.CopyBytes(into) }

func (r *reader) hash() (h ake.Hash) {
	r.copy(h[:])
	return h
}

// bytes takes n bytes, as a copy.
func (r *reader) bytes(n int) []byte {
	var out []byte
	if !r.ok || n < 0 || n > len(r.s) {
		r.ok = false
		return nil
	}
	r.ok = r.s.ReadBytes(&out, n)
	return append([]byte(nil), out...)
}

// vec16 takes a field behind its length, of at most max bytes.
func (r *reader) vec16(max int) []byte {
	n := int(r.uint16())
	if n > max {
		r.ok = false
	}
	return r.bytes(n)
}

func (r *reader) vec8(max int) []byte {
	n := int(r.uint8())
	if n > max {
		r.ok = false
	}
	return r.bytes(n)
}

// end reports whether all went well and nothing is left.
func (r *reader) end() bool { return r.ok && r.s.Empty() }

func appendVec16(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
}

func appendVec8(b, v []byte) []byte { return append(append(b, uint8(len(v))), v...) }

// These are variables so that tests of many processes in one need not check the same
// signatures and keys for each of them.
var (
	checkSignature = ed25519.Verify
	checkKey       = ake.PublicEd25519
)

// verify checks a signature by a working or identity key that was checked when
// it was received.
func verify(pub []byte, typ string, room ake.Hash, body, sig []byte) error {
	if !checkSignature(ed25519.PublicKey(pub), ake.SigningInput(typ, room, body), sig) {
		return ErrSignature
	}
	return nil
}

func sign(w ed25519.PrivateKey, typ string, room ake.Hash, body []byte) []byte {
	return ed25519.Sign(w, ake.SigningInput(typ, room, body))
}

func (r *reader) vec32(max int) []byte {
	n := r.uint32()
	if uint64(n) > uint64(max) {
		r.ok = false
		return nil
	}
	return r.bytes(int(n))
}

func appendVec32(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}
