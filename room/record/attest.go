package record

import (
	"encoding/binary"
	"unicode/utf8"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// The frames of a question: PROTOCOL.md §7.6. They are apart from the others, so
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
// §7.6.
type Question struct {
	Period        abe.Period
	Asker, Prover ake.Hash // cids
	Nonce         ake.Hash // for this question alone
	Policy        string
	Encapsulation []byte
}

// Append appends the encoding.
func (q *Question) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(q.Period))
	b = append(append(b, q.Asker[:]...), q.Prover[:]...)
	b = append(b, q.Nonce[:]...)
	b = appendVec16(b, []byte(q.Policy))
	return appendVec32(b, q.Encapsulation)
}

// ParseQuestion takes a question, the frame behind its type. That its policy is
// one, and in canonical text, is for the room to see.
func ParseQuestion(b []byte) (*Question, error) {
	r := newReader(b)
	q := &Question{Period: abe.Period(r.uint64()), Asker: r.hash(), Prover: r.hash(), Nonce: r.hash()}
	q.Policy = string(r.vec16(MaxQuestionPolicy))
	q.Encapsulation = r.vec32(maxQuestion)
	if !r.end() || q.Asker == q.Prover || !utf8.ValidString(q.Policy) {
		return nil, formError("question")
	}
	return q, nil
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
