package record

import (
	"crypto/ed25519"
	"encoding/binary"
	"unicode/utf8"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// The frames of a question: PROTOCOL.md §7.4. They are apart from the others, so
// that a stream of questions carries nothing else.
const (
	FrameQuestion byte = 64 + iota
	FrameAnswer
)

// Limits on a question in bytes.
const (
	MaxQuestionPolicy = 512
	maxQuestion       = 128 << 10
)

// A Question asks one member to prove that it satisfies a policy: PROTOCOL.md
// §7.4.
type Question struct {
	Day           abe.Day
	Asker, Prover ake.Hash      // cids
	Ephemeral     [keySize]byte // of the prover's presence that the asker knows
	OneTime       [keySize]byte // the asker's, for this question alone
	Policy        string
	Encapsulation []byte
	Signature     [signatureSize]byte // by the asker's working key
}

// Sign signs the question with the asker's working key.
func (q *Question) Sign(room ake.Hash, w ed25519.PrivateKey) {
	copy(q.Signature[:], sign(w, "question", room, q.body(nil)))
}

func (q *Question) body(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(q.Day))
	b = append(append(b, q.Asker[:]...), q.Prover[:]...)
	b = append(append(b, q.Ephemeral[:]...), q.OneTime[:]...)
	b = appendVec16(b, []byte(q.Policy))
	return appendVec32(b, q.Encapsulation)
}

// Append appends the encoding.
func (q *Question) Append(b []byte) []byte { return append(q.body(b), q.Signature[:]...) }

// ParseQuestion takes a question, the frame behind its type. That its policy is
// one, and in canonical text, is for the room to see.
func ParseQuestion(b []byte) (*Question, error) {
	r := newReader(b)
	q := &Question{Day: abe.Day(r.uint32()), Asker: r.hash(), Prover: r.hash()}
	r.copy(q.Ephemeral[:])
	r.copy(q.OneTime[:])
	q.Policy = string(r.vec16(MaxQuestionPolicy))
	q.Encapsulation = r.vec32(maxQuestion)
	r.copy(q.Signature[:])
	if !r.end() || q.Asker == q.Prover || !utf8.ValidString(q.Policy) {
		return nil, formError("question")
	}
	for _, key := range [][]byte{q.Ephemeral[:], q.OneTime[:]} {
		if _, err := ake.PublicX25519(key); err != nil {
			return nil, formError("question: key")
		}
	}
	return q, nil
}

// Verify checks the signature for a room, given the asker's contribution.
func (q *Question) Verify(room ake.Hash, asker *Contribution) error {
	if asker.ID() != q.Asker || asker.Day != q.Day {
		return ErrSignature
	}
	return verify(asker.Working[:], "question", room, q.body(nil), q.Signature[:])
}

// ParseAnswer takes the frame behind its type.
func ParseAnswer(b []byte) (ake.Hash, error) {
	r := newReader(b)
	h := r.hash()
	if !r.end() {
		return ake.Hash{}, formError("answer")
	}
	return h, nil
}
