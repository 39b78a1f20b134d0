package room

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/text/unicode/norm"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// Limits in bytes: PROTOCOL.md §4.1.
const (
	MaxRoomName   = 64
	MaxPolicyText = 16 << 10
	// MaxHistory is the greatest history option.
	MaxHistory = 10 * 366 * 24 * time.Hour
	// questionsBit stands with the history in a room that takes questions from outside.
	questionsBit = 1 << 31

	version = 2
	suite   = 1
	tagSize = 16
)

var (
	// ErrName is returned for a room name that breaks the rules.
	ErrName = errors.New("bad room name")
	// ErrNewer is returned for a descriptor or link of a later version.
	ErrNewer = errors.New("made for a newer version")
	errForm  = errors.New("malformed room descriptor")
)

// A Descriptor is all that makes a room: whoever has the same one is in the
// same room. PROTOCOL.md §4.1
type Descriptor struct {
	Domain  [32]byte
	Name    string
	Policy  *abe.Policy
	History time.Duration // whole seconds
	Tag     []byte        // nil, or 16 random bytes for an unlisted room
	// Questions: the room takes questions from outside, PROTOCOL.md §9.7.
	Questions bool
}

// NewDescriptor describes a room of a domain. The errors wrap ErrName, or say
// which option is out of bounds.
func NewDescriptor(domain *abe.Domain, name string, policy *abe.Policy, history time.Duration) (*Descriptor, error) {
	d := &Descriptor{Domain: domain.ID(), Name: norm.NFC.String(name), Policy: policy, History: history}
	return d, d.validate()
}

func (d *Descriptor) validate() error {
	switch {
	case d.Name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(d.Name) > MaxRoomName:
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrName, len(d.Name), MaxRoomName)
	case !utf8.ValidString(d.Name) || !norm.NFC.IsNormalString(d.Name) || strings.ContainsFunc(d.Name, unseen) ||
		strings.IndexFunc(d.Name, unicode.IsMark) == 0:
		return fmt.Errorf("%w: it has a character that cannot be shown", ErrName)
	case strings.TrimSpace(d.Name) != d.Name:
		return fmt.Errorf("%w: it begins or ends with a space", ErrName)
	case len(d.Policy.String()) > MaxPolicyText:
		return fmt.Errorf("the policy has %d bytes, the limit is %d", len(d.Policy.String()), MaxPolicyText)
	case d.History < 0 || d.History > MaxHistory || d.History%time.Second != 0:
		return fmt.Errorf("history of %v: at most %d days, in whole seconds", d.History, MaxHistory/(24*time.Hour))
	case len(d.Tag) != 0 && len(d.Tag) != tagSize:
		return errForm
	}
	return nil
}

// unseen refuses what would let one room look like another, as names of
// attributes do (PROTOCOL.md §2.2): controls, format characters (bidi,
// zero-width), fillers, variation selectors, spaces other than U+0020,
// unassigned and private ones.
func unseen(r rune) bool {
	const brailleBlank = '\u2800'
	return !unicode.IsPrint(r) || r == utf8.RuneError || r == brailleBlank ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Bytes is the canonical encoding.
func (d *Descriptor) Bytes() []byte {
	b := []byte{version, suite}
	b = append(b, d.Domain[:]...)
	b = append(append(b, byte(len(d.Name))), d.Name...)
	policy := d.Policy.String()
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(policy))), policy...)
	history := uint32(d.History / time.Second)
	if d.Questions {
		history |= questionsBit
	}
	b = binary.BigEndian.AppendUint32(b, history)
	return append(append(b, byte(len(d.Tag))), d.Tag...)
}

// ID is the room's id.
func (d *Descriptor) ID() ake.Hash { return ake.Sum("coterie/2 room", d.Bytes()) }

// Topic is the room's pubsub topic.
func (d *Descriptor) Topic() string {
	id := d.ID()
	t := ake.Sum("coterie/2 topic", id[:])
	return "coterie/2/" + hex.EncodeToString(t[:])
}

// Fingerprint is a room id as people compare it: its first 8 bytes.
func Fingerprint(id ake.Hash) string {
	h := hex.EncodeToString(id[:8])
	return h[:4] + "-" + h[4:8] + "-" + h[8:12] + "-" + h[12:]
}

// ParseDescriptor reads the canonical encoding of a descriptor, and nothing else.
// The error is ErrNewer or says what is wrong.
func ParseDescriptor(b []byte) (*Descriptor, error) {
	s := cryptobyte.String(b)
	d, err := readDescriptor(&s)
	if err == nil && !s.Empty() {
		err = errForm
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// readDescriptor takes a descriptor from the front of s. The error is ErrNewer
// or says what is wrong.
func readDescriptor(s *cryptobyte.String) (*Descriptor, error) {
	var v, st uint8
	if !s.ReadUint8(&v) || !s.ReadUint8(&st) {
		return nil, errForm
	}
	if v != version || st != suite {
		return nil, fmt.Errorf("%w: room version %d, suite %d", ErrNewer, v, st)
	}
	d := new(Descriptor)
	var name, policy, tag cryptobyte.String
	var history uint32
	if !s.CopyBytes(d.Domain[:]) || !s.ReadUint8LengthPrefixed(&name) || !s.ReadUint16LengthPrefixed(&policy) ||
		!s.ReadUint32(&history) || !s.ReadUint8LengthPrefixed(&tag) || len(policy) > MaxPolicyText {
		return nil, errForm
	}
	d.Name, d.Questions = string(name), history&questionsBit != 0
	d.History = time.Duration(history&^questionsBit) * time.Second
	if len(tag) > 0 {
		d.Tag = append([]byte(nil), tag...)
	}
	p, err := abe.ParsePolicy(string(policy))
	if err != nil {
		return nil, fmt.Errorf("reading the room's policy: %w", err)
	}
	if p.String() != string(policy) {
		return nil, errForm
	}
	d.Policy = p
	return d, d.validate()
}
