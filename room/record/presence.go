package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"coterie/crypto/ake"
)

const (
	flagLeft = 1
	flagAway = 2
)

// A Presence is a process' word on where it is: PROTOCOL.md §6. A presence with
// Left or Away set is its last: the peer has left for good, or will be back as another
// process.
type Presence struct {
	Working   [keySize]byte
	Serial    uint64
	Left      bool
	Away      bool
	Addresses [][]byte // multiaddrs, as far as its maker knows; ascending
	Signature [signatureSize]byte

	id ake.Hash // of one that was parsed or signed
}

// Last reports whether the process takes part no more.
func (p *Presence) Last() bool { return p.Left || p.Away }

// Ends orders presences by how final they are: 0 is here, 1 away, 2 left.
func (p *Presence) Ends() int {
	switch {
	case p.Left:
		return 2
	case p.Away:
		return 1
	}
	return 0
}

// Sign sorts the addresses, drops what is over the limits, and signs with the
// working key.
func (p *Presence) Sign(room ake.Hash, w ed25519.PrivateKey) {
	p.Addresses = slices.DeleteFunc(slices.Clone(p.Addresses), func(a []byte) bool {
		return len(a) == 0 || len(a) > MaxAddressSize
	})
	slices.SortFunc(p.Addresses, bytes.Compare)
	p.Addresses = slices.CompactFunc(p.Addresses, bytes.Equal)
	if len(p.Addresses) > MaxAddresses {
		p.Addresses = p.Addresses[:MaxAddresses]
	}
	copy(p.Working[:], w.Public().(ed25519.PublicKey))
	copy(p.Signature[:], sign(w, "presence", room, p.body(nil)))
	p.id = ake.Sum("coterie/2 presence", p.Append(nil))
}

func (p *Presence) body(b []byte) []byte {
	b = append(b, p.Working[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Serial)
	var flags byte
	if p.Left {
		flags |= flagLeft
	}
	if p.Away {
		flags |= flagAway
	}
	b = append(b, flags)
	return p.AppendAddresses(b)
}

// AppendAddresses appends the addresses as they enter the session id:
// PROTOCOL.md §8.
func (p *Presence) AppendAddresses(b []byte) []byte {
	b = append(b, byte(len(p.Addresses)))
	for _, a := range p.Addresses {
		b = appendVec16(b, a)
	}
	return b
}

// Type is TypePresence.
func (p *Presence) Type() byte { return TypePresence }

// ID is the presence's hash.
func (p *Presence) ID() ake.Hash {
	if p.id != (ake.Hash{}) {
		return p.id
	}
	return ake.Sum("coterie/2 presence", p.Append(nil))
}

// Append appends the encoding.
func (p *Presence) Append(b []byte) []byte { return append(p.body(b), p.Signature[:]...) }

// ParsePresence takes a presence. Addresses are any bytes: which of them are multiaddrs depends on the protocols
// a peer knows, and whether a record is one must not.
func ParsePresence(b []byte) (*Presence, error) {
	r := newReader(b)
	p := new(Presence)
	r.copy(p.Working[:])
	p.Serial = r.uint64()
	flags := r.uint8()
	p.Left, p.Away = flags&flagLeft != 0, flags&flagAway != 0
	n := int(r.uint8())
	if n > MaxAddresses || flags > flagAway { // one of them, or none
		return nil, formError("presence")
	}
	for range n {
		a := r.vec16(MaxAddressSize)
		if r.ok && len(a) == 0 {
			return nil, formError("presence: empty address")
		}
		if len(p.Addresses) > 0 && bytes.Compare(p.Addresses[len(p.Addresses)-1], a) >= 0 {
			return nil, formError("presence: order of addresses")
		}
		p.Addresses = append(p.Addresses, a)
	}
	r.copy(p.Signature[:])
	if !r.end() {
		return nil, formError("presence")
	}
	p.id = ake.Sum("coterie/2 presence", b)
	return p, nil
}

// Verify checks the signature for a room. Working has been checked as part of
// its contribution.
func (p *Presence) Verify(room ake.Hash) error {
	return verify(p.Working[:], "presence", room, p.body(nil), p.Signature[:])
}

// A Name is what a member calls itself: PROTOCOL.md §6. It is anybody's text.
type Name struct {
	Working   [keySize]byte
	Serial    uint64
	Text      string
	Signature [signatureSize]byte

	id ake.Hash // of one that was parsed or signed
}

// Sign signs the name with the working key.
func (n *Name) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(n.Working[:], w.Public().(ed25519.PublicKey))
	copy(n.Signature[:], sign(w, "name", room, n.body(nil)))
	n.id = ake.Sum("coterie/2 name", n.Append(nil))
}

func (n *Name) body(b []byte) []byte {
	b = append(b, n.Working[:]...)
	b = binary.BigEndian.AppendUint64(b, n.Serial)
	return appendVec8(b, []byte(n.Text))
}

// Type is TypeName.
func (n *Name) Type() byte { return TypeName }

// ID is the hash of the name record.
func (n *Name) ID() ake.Hash {
	if n.id != (ake.Hash{}) {
		return n.id
	}
	return ake.Sum("coterie/2 name", n.Append(nil))
}

// Append appends the encoding.
func (n *Name) Append(b []byte) []byte { return append(n.body(b), n.Signature[:]...) }

// ParseName takes a name.
func ParseName(b []byte) (*Name, error) {
	r := newReader(b)
	n := new(Name)
	r.copy(n.Working[:])
	n.Serial = r.uint64()
	n.Text = string(r.vec8(MaxNameSize))
	r.copy(n.Signature[:])
	if !r.end() || !utf8.ValidString(n.Text) {
		return nil, formError("name")
	}
	n.id = ake.Sum("coterie/2 name", b)
	return n, nil
}

// Verify checks the signature for a room.
func (n *Name) Verify(room ake.Hash) error {
	return verify(n.Working[:], "name", room, n.body(nil), n.Signature[:])
}
