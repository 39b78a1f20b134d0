package abe

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"filippo.io/edwards25519"
	"golang.org/x/crypto/cryptobyte"
)

// MaxRevoked is how many keys a notice may name: each makes every encapsulation larger
// and slower.
const MaxRevoked = 8

// A Notice says which keys of a domain are good no more, by their serials. It takes the
// place of all of lesser numbers. (PROTOCOL.md §3.8)
type Notice struct {
	Domain    [32]byte
	Number    uint32 // the time at which it was made, in seconds since 1970
	Serials   []uint64
	Signature [ed25519.SignatureSize]byte
}

// MaxNoticeSize is the greatest size of a notice's bytes.
const MaxNoticeSize = 32 + 4 + 1 + 8*MaxRevoked + ed25519.SignatureSize

// Errors of notices.
var (
	ErrNotice          = errors.New("abe: malformed notice")
	ErrForeignNotice   = errors.New("abe: a notice of another domain")
	ErrNoticeSignature = errors.New("abe: a notice with a wrong signature")
)

// Time is when the authority made it, by its clock.
func (n *Notice) Time() time.Time { return time.Unix(int64(n.Number), 0).UTC() }

// Names reports whether a notice, or none, names a key.
func (n *Notice) Names(serial uint64) bool { return n != nil && slices.Contains(n.Serials, serial) }

func (n *Notice) body(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, n.Number)
	b = append(b, byte(len(n.Serials)))
	for _, s := range n.Serials {
		b = binary.BigEndian.AppendUint64(b, s)
	}
	return b
}

// input is what the signature covers: as in a room, but for the domain's id in the place
// of the room's.
func (n *Notice) input() []byte {
	return n.body(append([]byte("coterie/2/notice\x00"), n.Domain[:]...))
}

// Append appends its bytes, as members pass them on.
func (n *Notice) Append(b []byte) []byte {
	return append(n.body(append(b, n.Domain[:]...)), n.Signature[:]...)
}

// ParseNotice takes what Append gave. The error is ErrNotice; the signature is for Verify.
func ParseNotice(b []byte) (*Notice, error) {
	s, n := cryptobyte.String(b), new(Notice)
	var count uint8
	if !s.CopyBytes(n.Domain[:]) || !s.ReadUint32(&n.Number) || !s.ReadUint8(&count) || n.Number == 0 ||
		count == 0 || count > MaxRevoked {
		return nil, ErrNotice
	}
	for i := range int(count) {
		var serial uint64
		if !s.ReadUint64(&serial) || i > 0 && serial <= n.Serials[i-1] {
			return nil, ErrNotice
		}
		n.Serials = append(n.Serials, serial)
	}
	if !s.CopyBytes(n.Signature[:]) || !s.Empty() {
		return nil, ErrNotice
	}
	return n, nil
}

// Verify checks that the authority of a domain made the notice.
func (n *Notice) Verify(d *Domain) error {
	switch {
	case n.Domain != d.id:
		return ErrForeignNotice
	case !ed25519.Verify(d.authority, n.input(), n.Signature[:]):
		return ErrNoticeSignature
	}
	return nil
}

// Equal reports whether two notices are the same, to the byte.
func (n *Notice) Equal(o *Notice) bool {
	return n != nil && o != nil && bytes.Equal(n.Append(nil), o.Append(nil))
}

// Revoke makes a notice that names these keys, and no others.
func (m *MasterKey) Revoke(number uint32, serials []uint64) (*Notice, error) {
	if m == nil || m.domain == nil {
		return nil, errNoKey
	}
	serials = slices.Compact(slices.Sorted(slices.Values(serials)))
	if number == 0 || len(serials) == 0 || len(serials) > MaxRevoked {
		return nil, fmt.Errorf("abe: a notice has a number and names 1 to %d keys", MaxRevoked)
	}
	n := &Notice{Domain: m.domain.id, Number: number, Serials: serials}
	copy(n.Signature[:], ed25519.Sign(ed25519.NewKeyFromSeed(m.seed[:]), n.input()))
	return n, nil
}

// MarshalBinary gives the notice's file (PROTOCOL.md §3.3).
func (n *Notice) MarshalBinary() ([]byte, error) {
	return seal(KindNotice, func(b *cryptobyte.Builder) { b.AddBytes(n.Append(nil)) })
}

// ParseNoticeFile reads what MarshalBinary wrote. Errors are *FileError.
func ParseNoticeFile(file []byte) (*Notice, error) {
	body, err := unseal(KindNotice, file)
	if err != nil {
		return nil, err
	}
	n, err := ParseNotice(body)
	if err != nil {
		return nil, damaged(KindNotice, "its fields are malformed")
	}
	return n, nil
}

// checkAuthority takes the one encoding of a point that is not of small order: under
// such a key one signature fits every notice.
func checkAuthority(b []byte) bool {
	p, err := new(edwards25519.Point).SetBytes(b)
	return err == nil && bytes.Equal(p.Bytes(), b) &&
		new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 0
}
