package record

import (
	"crypto/ed25519"
	"encoding/binary"

	"coterie/crypto/ake"
)

// A Beat is a process' sign of life: PROTOCOL.md §7.5. It is no part of the set
// of records: only the last one counts.
type Beat struct {
	Working   [keySize]byte
	Serial    uint64
	Signature [signatureSize]byte
}

// Sign signs the beat with the working key.
func (b *Beat) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(b.Working[:], w.Public().(ed25519.PublicKey))
	copy(b.Signature[:], sign(w, "beat", room, b.body(nil)))
}

func (b *Beat) body(out []byte) []byte {
	out = append(out, b.Working[:]...)
	return binary.BigEndian.AppendUint64(out, b.Serial)
}

// Append appends the encoding.
func (b *Beat) Append(out []byte) []byte { return append(b.body(out), b.Signature[:]...) }

// ParseBeat takes a beat.
func ParseBeat(in []byte) (*Beat, error) {
	r := newReader(in)
	b := new(Beat)
	r.copy(b.Working[:])
	b.Serial = r.uint64()
	r.copy(b.Signature[:])
	if !r.end() {
		return nil, formError("beat")
	}
	return b, nil
}

// Verify checks the signature for a room. Working has been checked as part of
// its contribution.
func (b *Beat) Verify(room ake.Hash) error {
	return verify(b.Working[:], "beat", room, b.body(nil), b.Signature[:])
}
