package record

import (
	"encoding/binary"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// The frames of questions from outside: PROTOCOL.md §9.7. They are apart from the others.
const (
	FrameOutside byte = 72 + iota
	FrameFetch
	FrameReply
)

// What a reply says.
const (
	ReplyUnknown byte = iota // it is not known here, or was not taken
	ReplyTaken               // it is in the room
	ReplyLater               // too many are asked: try later
)

const (
	// MaxOutside is the greatest size in bytes of a question's text, before it is sealed.
	MaxOutside = 1022
	// MaxReplies is how many answers a reply has.
	MaxReplies = 8
	// maxOutside is the greatest size of the text once it is sealed.
	maxOutside = MaxOutside + 2 + 16
)

// An Outside is a question from outside, the text of a body of KindQuestion.
type Outside struct {
	Period        abe.Period
	For           string // canonical text, or ""
	ReplyKey      []byte // ake.ReplyKeySize
	Token         ake.Hash
	Encapsulation []byte
	Sealed        []byte
}

// Append appends the encoding.
func (q *Outside) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(q.Period))
	b = appendVec16(b, []byte(q.For))
	b = append(b, q.ReplyKey...)
	b = append(b, q.Token[:]...)
	b = appendVec16(b, q.Encapsulation)
	return append(b, q.Sealed...)
}

// ID names the question in a room.
func (q *Outside) ID(room ake.Hash) ake.Hash {
	return ake.Sum("coterie/2 outside", room[:], q.Append(nil))
}

// Context is what the question is bound to.
func (q *Outside) Context(room ake.Hash) *ake.OutsideContext {
	return &ake.OutsideContext{Room: room, Period: q.Period, For: q.For, ReplyKey: q.ReplyKey, Token: q.Token}
}

// ParseOutside takes a question.
func ParseOutside(b []byte) (*Outside, error) {
	if len(b) > MaxText {
		return nil, formError("question from outside")
	}
	r := newReader(b)
	q := &Outside{Period: abe.Period(r.uint64()), For: string(r.vec16(MaxWordsPolicy))}
	q.ReplyKey, q.Token = r.bytes(ake.ReplyKeySize), r.hash()
	q.Encapsulation = r.vec16(MaxText)
	q.Sealed = r.bytes(len(r.s))
	if !r.end() || len(q.Sealed) > maxOutside || !ake.SealedWords(len(q.Sealed)) {
		return nil, formError("question from outside")
	}
	if q.For != "" {
		p, err := abe.ParseSmall(q.For, MaxWordsLeaves) // anybody's: what is larger is not expanded
		if err != nil || p.String() != q.For {
			return nil, formError("question from outside: policy")
		}
	}
	return q, nil
}

// An OutsideAnswer is the text of a body of KindAnswer.
type OutsideAnswer struct {
	Question ake.Hash
	Seed     [ake.ReplySeedSize]byte // for those who have the question's key
	Box      []byte                  // for the asker
}

// Append appends the encoding.
func (a *OutsideAnswer) Append(b []byte) []byte {
	b = append(b, a.Question[:]...)
	b = append(b, a.Seed[:]...)
	return append(b, a.Box...)
}

// ParseOutsideAnswer takes an answer.
func ParseOutsideAnswer(b []byte) (*OutsideAnswer, error) {
	r := newReader(b)
	a := &OutsideAnswer{Question: r.hash()}
	r.copy(a.Seed[:])
	a.Box = r.bytes(len(r.s))
	if !r.end() || !ake.IsBox(len(a.Box)) {
		return nil, formError("answer to a question from outside")
	}
	return a, nil
}

// TopicSize is the size of the hash in a topic.
const TopicSize = 32

// EncodeOutside is the frame with which a question is handed over.
func EncodeOutside(topic [TopicSize]byte, question []byte) []byte {
	return append(append([]byte{FrameOutside}, topic[:]...), question...)
}

// ParseOutsideFrame takes the frame behind its type.
func ParseOutsideFrame(b []byte) (topic [TopicSize]byte, q *Outside, err error) {
	if len(b) < TopicSize {
		return topic, nil, formError("question from outside")
	}
	q, err = ParseOutside(b[copy(topic[:], b):])
	return topic, q, err
}

// EncodeFetch is the frame with which answers are asked for.
func EncodeFetch(topic [TopicSize]byte, token ake.Secret) []byte {
	return token.Append(append([]byte{FrameFetch}, topic[:]...))
}

// ParseFetch takes the frame behind its type.
func ParseFetch(b []byte) (topic [TopicSize]byte, token ake.Secret, err error) {
	r := newReader(b)
	r.copy(topic[:])
	token, err = ake.SecretFromBytes(r.bytes(ake.SecretSize))
	if !r.end() || err != nil {
		return topic, ake.Secret{}, formError("fetch")
	}
	return topic, token, nil
}

// Sizes of replies: whoever sees them pass sees no more of what is in them.
const (
	minReply = 2 << 10
	maxReply = 128 << 10
)

func replySize(n int) int {
	size := minReply
	for size < n {
		size *= 2
	}
	return size
}

// EncodeReply is the frame with what a member has to a question.
func EncodeReply(state byte, boxes [][]byte) []byte {
	b := []byte{FrameReply, state, byte(len(boxes))}
	for _, box := range boxes {
		b = appendVec16(b, box)
	}
	return append(b, make([]byte, 1+replySize(len(b)-1)-len(b))...)
}

// ParseReply takes the frame behind its type.
func ParseReply(b []byte) (state byte, boxes [][]byte, err error) {
	r := newReader(b)
	state = r.uint8()
	n := int(r.uint8())
	if n > MaxReplies || state > ReplyLater || n > 0 && state != ReplyTaken {
		return 0, nil, formError("reply")
	}
	for range n {
		box := r.vec16(MaxText)
		if !r.ok || !ake.IsBox(len(box)) {
			return 0, nil, formError("reply")
		}
		boxes = append(boxes, box)
	}
	used := len(b) - len(r.s)
	rest := r.bytes(len(r.s))
	if !r.end() || len(b) > maxReply || len(b) != replySize(used) {
		return 0, nil, formError("reply")
	}
	for _, z := range rest {
		if z != 0 {
			return 0, nil, formError("reply: padding")
		}
	}
	return state, boxes, nil
}
