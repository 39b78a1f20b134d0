package record

import (
	"bytes"
	"encoding/binary"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// The types of frames on streams: PROTOCOL.md §7 and §11.
const (
	FrameProve1 byte = 1 + iota
	FrameProve2
	FrameProve3
	FrameProve4
	FrameProve5
)

// The types of frames with which two peers compare what they know.
const (
	FrameHello byte = 16 + iota
	FrameAsk
	FrameRecords
	FrameTerms
	FrameLog
	FrameDone
	FrameBeats
	FrameWant
	FrameTranscript
	FrameHave
	FrameTold
	FrameSecret
	FrameNotice // abe.Notice
)

// MaxFrame is the greatest size in bytes of a frame, its type included.
const MaxFrame = 1 << 20

// ShortID is the size in bytes of a record's id in an ask.
const ShortID = 16

// Limits on what one frame names.
const (
	maxHelloDays = 4
	MaxAskIDs    = 48 << 10
	maxAskTerms  = 4096
	// MaxAskBeats is of how many processes' beats it says how new they are.
	MaxAskBeats = 4096
	// MaxTranscripts is how many transcripts a peer asks about at once.
	MaxTranscripts = 1024
	maxFields      = 64 << 10
	maxTerms       = 4096
	maxWant        = 16
)

// A HelloDay is what a peer says of itself for one period.
type HelloDay struct {
	Period abe.Period
	CID    ake.Hash
	Size   uint32 // members of its component, itself included
}

// Hello opens a comparison.
type Hello struct {
	Room   ake.Hash
	Notice uint32 // the number of the newest that is known; 0: none
	Days   []HelloDay
	Digest ake.Hash
	Head   ake.Hash // zeros: none
	Logs   ake.Hash // digest of the transcripts that the reader may read too; zeros outside a channel
	// Since when it has all that was said, but for a gap, as far as it knows, in milliseconds since
	// 1970; zeros outside a channel, and if there is none.
	Whole, GapFrom, GapTo uint64
}

// Encode is the frame.
func (h *Hello) Encode() []byte {
	b := binary.BigEndian.AppendUint32(append([]byte{FrameHello}, h.Room[:]...), h.Notice)
	b = append(b, byte(len(h.Days)))
	for _, d := range h.Days {
		b = binary.BigEndian.AppendUint64(b, uint64(d.Period))
		b = append(b, d.CID[:]...)
		b = binary.BigEndian.AppendUint32(b, d.Size)
	}
	b = append(b, h.Digest[:]...)
	b = append(b, h.Head[:]...)
	b = append(b, h.Logs[:]...)
	for _, t := range [3]uint64{h.Whole, h.GapFrom, h.GapTo} {
		b = binary.BigEndian.AppendUint64(b, t)
	}
	return b
}

// ParseHello takes the frame behind its type.
func ParseHello(b []byte) (*Hello, error) {
	r := newReader(b)
	h := &Hello{Room: r.hash(), Notice: r.uint32()}
	n := int(r.uint8())
	if n > maxHelloDays {
		return nil, formError("hello")
	}
	for range n {
		h.Days = append(h.Days, HelloDay{Period: abe.Period(r.uint64()), CID: r.hash(), Size: r.uint32()})
	}
	h.Digest, h.Head, h.Logs = r.hash(), r.hash(), r.hash()
	h.Whole, h.GapFrom, h.GapTo = r.uint64(), r.uint64(), r.uint64()
	if !r.end() {
		return nil, formError("hello")
	}
	return h, nil
}

// AskTranscript names a transcript that the asker holds.
type AskTranscript struct {
	Epoch  ake.Hash
	Digest ake.Hash
}

// Ask asks for what the asker lacks.
type Ask struct {
	Have  [][ShortID]byte
	Terms []ake.Hash
	// Logs: of transcripts, too. Transcripts are of those that the asker holds and the
	// other may read, ascending by epoch: all whose first Bits bits are those of
	// Prefix, and others. Bits is at most 32; the bits of Prefix behind are 0.
	Logs        bool
	Bits        uint8
	Prefix      uint32
	Transcripts []AskTranscript
	// Beats are the serials, in seconds, of the beats that the asker has, if both have the
	// same records; 0 for none.
	Beats []uint32
}

// Covers reports whether the asker names an epoch if it holds its transcript.
func (a *Ask) Covers(epoch ake.Hash) bool {
	return (binary.BigEndian.Uint32(epoch[:])^a.Prefix)&prefixMask(a.Bits) == 0
}

// prefixMask has the first bits set; a shift by 32 gives 0.
func prefixMask(bits uint8) uint32 { return ^uint32(0) << (32 - bits) }

// Encode is the frame.
func (a *Ask) Encode() []byte {
	b := binary.BigEndian.AppendUint32([]byte{FrameAsk}, uint32(len(a.Have)))
	for _, id := range a.Have {
		b = append(b, id[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.Terms)))
	for _, cid := range a.Terms {
		b = append(b, cid[:]...)
	}
	if a.Logs {
		b = binary.BigEndian.AppendUint32(append(b, 1, a.Bits), a.Prefix)
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.Transcripts)))
		for _, t := range a.Transcripts {
			b = append(b, t.Epoch[:]...)
			b = append(b, t.Digest[:]...)
		}
	} else {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.Beats)))
	for _, s := range a.Beats {
		b = binary.BigEndian.AppendUint32(b, s)
	}
	return b
}

// ParseAsk takes the frame behind its type.
func ParseAsk(b []byte) (*Ask, error) {
	r := newReader(b)
	a := new(Ask)
	// Counts of 32 bits stay unsigned: where an int has 32 bits, the great ones
	// would be negative, and within every limit.
	ids := r.uint32()
	if !r.ok || ids > MaxAskIDs || int(ids)*ShortID > len(r.s) {
		return nil, formError("ask")
	}
	for range ids {
		var id [ShortID]byte
		r.copy(id[:])
		a.Have = append(a.Have, id)
	}
	n := int(r.uint16())
	if !r.ok || n > maxAskTerms || n*ake.HashSize > len(r.s) {
		return nil, formError("ask")
	}
	for range n {
		a.Terms = append(a.Terms, r.hash())
	}
	switch r.uint8() {
	case 0:
	case 1:
		a.Logs, a.Bits, a.Prefix = true, r.uint8(), r.uint32()
		if !r.ok || a.Bits > 32 || a.Prefix&^prefixMask(a.Bits) != 0 {
			return nil, formError("ask")
		}
		n = int(r.uint16())
		if !r.ok || n > MaxTranscripts || n*2*ake.HashSize > len(r.s) {
			return nil, formError("ask")
		}
		for range n {
			a.Transcripts = append(a.Transcripts, AskTranscript{Epoch: r.hash(), Digest: r.hash()})
		}
		if !ascending(a.Transcripts, func(x, y AskTranscript) int { return bytes.Compare(x.Epoch[:], y.Epoch[:]) }) {
			return nil, formError("ask")
		}
	default:
		return nil, formError("ask")
	}
	n = int(r.uint16())
	if !r.ok || n > MaxAskBeats || n*4 != len(r.s) {
		return nil, formError("ask")
	}
	for range n {
		a.Beats = append(a.Beats, r.uint32())
	}
	if !r.end() {
		return nil, formError("ask")
	}
	return a, nil
}

// EncodeTerms is a frame of terms.
func EncodeTerms(terms []ake.MemberTerm) []byte {
	b := append(make([]byte, 0, 3+len(terms)*(ake.HashSize+ake.SecretSize)), FrameTerms)
	b = binary.BigEndian.AppendUint16(b, uint16(len(terms)))
	for i := range terms {
		b = append(b, terms[i].CID[:]...)
		b = terms[i].Term.Append(b)
	}
	return b
}

// ParseTerms takes the frame behind its type.
func ParseTerms(b []byte) ([]ake.MemberTerm, error) {
	r := newReader(b)
	n := int(r.uint16())
	if !r.ok || n > maxTerms || n*(ake.HashSize+ake.SecretSize) != len(r.s) {
		return nil, formError("terms")
	}
	terms := make([]ake.MemberTerm, n)
	for i := range terms {
		terms[i].CID = r.hash()
		s, err := ake.SecretFromBytes(r.bytes(ake.SecretSize))
		if err != nil {
			return nil, formError("terms")
		}
		terms[i].Term = ake.Term{Secret: s}
	}
	if !r.end() {
		return nil, formError("terms")
	}
	return terms, nil
}

// EncodeFields is a frame of the given type whose fields are each behind their
// length in 32 bits.
func EncodeFields(typ byte, fields ...[]byte) []byte {
	b := []byte{typ}
	for _, f := range fields {
		b = appendVec32(b, f)
	}
	return b
}

// ParseFields takes all fields of such a frame, behind its type.
func ParseFields(b []byte) ([][]byte, error) {
	r := newReader(b)
	var fields [][]byte
	for r.ok && !r.s.Empty() {
		if len(fields) == maxFields {
			return nil, formError("fields")
		}
		fields = append(fields, r.vec32(MaxFrame))
	}
	if !r.end() {
		return nil, formError("fields")
	}
	return fields, nil
}

// EncodeWant asks for commits by their epochs.
func EncodeWant(epochs []ake.Hash) []byte {
	b := binary.BigEndian.AppendUint16([]byte{FrameWant}, uint16(len(epochs)))
	for _, e := range epochs {
		b = append(b, e[:]...)
	}
	return b
}

// ParseWant takes the frame behind its type.
func ParseWant(b []byte) ([]ake.Hash, error) {
	r := newReader(b)
	n := int(r.uint16())
	if !r.ok || n == 0 || n > maxWant || n*ake.HashSize != len(r.s) {
		return nil, formError("want")
	}
	var out []ake.Hash
	for range n {
		out = append(out, r.hash())
	}
	return out, nil
}

// EncodeRecords packs records into as few frames as fit.
func EncodeRecords(records []Record) [][]byte {
	var frames [][]byte
	var fields [][]byte
	size := 1
	flush := func() {
		if len(fields) > 0 {
			frames = append(frames, EncodeFields(FrameRecords, fields...))
		}
		fields, size = nil, 1
	}
	for _, rec := range records {
		b := Encode(rec)
		if size+4+len(b) > MaxFrame {
			flush()
		}
		fields, size = append(fields, b), size+4+len(b)
	}
	flush()
	return frames
}

// A Handover is a commit with its secret, for a process that it lists:
// PROTOCOL.md §8.2. The commit may come without its list.
type Handover struct {
	D      ake.Secret
	Commit *Commit
}

// Encode is the frame. It holds the secret.
func (h *Handover) Encode() []byte {
	c := h.Commit.Append(nil)
	b := make([]byte, 0, 1+ake.SecretSize+len(c))
	return append(h.D.Append(append(b, FrameSecret)), c...)
}

// ParseHandover takes the frame behind its type.
func ParseHandover(b []byte) (*Handover, error) {
	if len(b) < ake.SecretSize {
		return nil, formError("secret")
	}
	d, err := ake.SecretFromBytes(b[:ake.SecretSize])
	if err != nil {
		return nil, formError("secret")
	}
	c, err := ParseCommit(b[ake.SecretSize:])
	if err != nil {
		return nil, err
	}
	return &Handover{D: d, Commit: c}, nil
}
