package record

import (
	"crypto/ed25519"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/chacha20poly1305"

	"coterie/crypto/ake"
)

// The kinds of messages.
const (
	KindText   byte = 1
	KindAction byte = 2
	KindTo     byte = 3 // words for some: the text is of Words

	KindQuestion byte = 4 // a question from outside: the text is of Outside
	KindAnswer   byte = 5 // the answer to one: the text is of OutsideAnswer

	// About a message: the text is of About.
	KindReply      byte = 6
	KindReaction   byte = 7
	KindEdit       byte = 8
	KindWithdrawal byte = 9

	KindFile byte = 10 // a file: the text is of File
)

// A Body is what an author says and signs: PROTOCOL.md §9.
type Body struct {
	Counter  uint64 // from 1, in one epoch
	Previous ake.Hash
	Time     uint64 // milliseconds since 1970
	Lamport  uint64
	Kind     byte
	Text     string
}

// A Signed body can be passed on and still be trusted.
type Signed struct {
	Body
	Epoch     ake.Hash
	CID       ake.Hash
	Signature [signatureSize]byte
}

func (m *Body) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, m.Counter)
	b = append(b, m.Previous[:]...)
	b = binary.BigEndian.AppendUint64(b, m.Time)
	b = binary.BigEndian.AppendUint64(b, m.Lamport)
	b = append(b, m.Kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Text)))
	return append(b, m.Text...)
}

// size is how many bytes append appends.
func (m *Body) size() int { return bodyHead + len(m.Text) }

// appendVec appends the body behind its length.
func (m *Body) appendVec(b []byte) []byte {
	return m.append(binary.BigEndian.AppendUint16(b, uint16(m.size())))
}

const (
	bodyHead = 8 + 32 + 8 + 8 + 1 + 2 // before the text
	maxBody  = bodyHead + MaxText
)

func parseBody(b []byte) (*Body, error) {
	r := newReader(b)
	m := &Body{Counter: r.uint64(), Previous: r.hash(), Time: r.uint64(), Lamport: r.uint64(), Kind: r.uint8()}
	m.Text = string(r.vec16(MaxText))
	if !r.end() || m.Counter == 0 {
		return nil, formError("message")
	}
	switch m.Kind {
	case KindText, KindAction:
		if !utf8.ValidString(m.Text) {
			return nil, formError("message")
		}
	case KindTo:
		if _, err := ParseWords(m.Text); err != nil {
			return nil, err
		}
	case KindQuestion:
		if _, err := ParseOutside([]byte(m.Text)); err != nil {
			return nil, err
		}
	case KindAnswer:
		if _, err := ParseOutsideAnswer([]byte(m.Text)); err != nil {
			return nil, err
		}
	case KindFile:
		if _, err := ParseFile(m.Text); err != nil {
			return nil, err
		}
	default:
		if _, err := ParseAbout(m.Kind, m.Text); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Signed) signedPart() []byte {
	b := make([]byte, 0, 2*ake.HashSize+m.size())
	b = append(append(b, m.Epoch[:]...), m.CID[:]...)
	return m.Body.append(b)
}

// Sign signs with the author's working key.
func (m *Signed) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(m.Signature[:], sign(w, "message", room, m.signedPart()))
}

// Verify checks the author's signature, given their contribution.
func (m *Signed) Verify(room ake.Hash, author *Contribution) error {
	if author.ID() != m.CID {
		return ErrSignature
	}
	return verify(author.Working[:], "message", room, m.signedPart(), m.Signature[:])
}

// ID is the id of the message in a room.
func (m *Signed) ID(room ake.Hash) ake.Hash {
	return ake.Sum("coterie/2 message", room[:], m.Epoch[:], m.CID[:], m.Body.append(make([]byte, 0, m.size())))
}

// Content is body and signature, padded to a size class: what is encrypted.
func (m *Signed) Content() []byte {
	size := paddedSize(2 + m.size() + signatureSize)
	b := append(m.appendVec(make([]byte, 0, size)), m.Signature[:]...)
	return b[:size] // what is not written yet is zeros
}

// Size classes hide the length of a text up to a factor of two.
const (
	minContent = 256
	maxContent = 20480
)

func paddedSize(n int) int {
	for size := minContent; size < maxContent; size *= 2 {
		if n <= size {
			return size
		}
	}
	return maxContent
}

// ParseContent is the inverse of Content.
func ParseContent(epoch, cid ake.Hash, b []byte) (*Signed, error) {
	r := newReader(b)
	body, err := parseBody(r.vec16(maxBody))
	if err != nil {
		return nil, err
	}
	m := &Signed{Body: *body, Epoch: epoch, CID: cid}
	r.copy(m.Signature[:])
	rest := r.bytes(len(r.s))
	if !r.end() || len(b) != paddedSize(len(b)-len(rest)) {
		return nil, formError("message: padding")
	}
	for _, z := range rest {
		if z != 0 {
			return nil, formError("message: padding")
		}
	}
	return m, nil
}

// AppendLog appends the message as logs exchange it: PROTOCOL.md §11.
func (m *Signed) AppendLog(b []byte) []byte {
	b = slices.Grow(b, 2*ake.HashSize+2+m.size()+signatureSize)
	b = append(b, m.Epoch[:]...)
	b = append(b, m.CID[:]...)
	return append(m.appendVec(b), m.Signature[:]...)
}

// ParseLog is the inverse of AppendLog.
func ParseLog(b []byte) (*Signed, error) {
	r := newReader(b)
	m := &Signed{Epoch: r.hash(), CID: r.hash()}
	body, err := parseBody(r.vec16(maxBody))
	if err != nil {
		return nil, err
	}
	m.Body = *body
	r.copy(m.Signature[:])
	if !r.end() {
		return nil, formError("message")
	}
	return m, nil
}

// A Message is an encrypted one, as it is published: PROTOCOL.md §9.
type Message struct {
	Epoch  ake.Hash
	Step   uint16 // of the header's key: minutes since the epoch began, as the author has it
	Guard  [ake.GuardSize]byte
	Header [ake.HeaderSize]byte
	Sealed []byte
}

// Append appends the encoding.
func (m *Message) Append(b []byte) []byte {
	b = slices.Grow(b, len(m.Epoch)+2+len(m.Guard)+len(m.Header)+len(m.Sealed))
	b = append(b, m.Epoch[:]...)
	b = binary.BigEndian.AppendUint16(b, m.Step)
	b = append(b, m.Guard[:]...)
	b = append(b, m.Header[:]...)
	return append(b, m.Sealed...)
}

// ParseMessage takes an encrypted message.
func ParseMessage(b []byte) (*Message, error) {
	r := newReader(b)
	m := &Message{Epoch: r.hash(), Step: r.uint16()}
	r.copy(m.Guard[:])
	r.copy(m.Header[:])
	if !r.ok || m.Step >= ake.MaxSteps {
		return nil, formError("message")
	}
	m.Sealed = r.bytes(len(r.s))
	content := len(m.Sealed) - chacha20poly1305.Overhead
	if content < minContent || content != paddedSize(content) {
		return nil, formError("message: size")
	}
	return m, nil
}
