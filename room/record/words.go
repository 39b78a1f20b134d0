package record

import (
	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// Limits on words for some: PROTOCOL.md §12.
const (
	MaxWordsPolicy = 512
	MaxWordsLeaves = 32
)

// Words are what a body of KindTo has in the place of its text: PROTOCOL.md §9.6.
type Words struct {
	Policy        string // canonical text
	Encapsulation []byte
	Sealed        []byte
}

// Append appends the encoding.
func (w *Words) Append(b []byte) []byte {
	b = appendVec16(b, []byte(w.Policy))
	b = appendVec16(b, w.Encapsulation)
	return append(b, w.Sealed...)
}

// ParseWords takes the text of a body of KindTo.
func ParseWords(text string) (*Words, error) {
	r := newReader([]byte(text))
	w := &Words{Policy: string(r.vec16(MaxWordsPolicy)), Encapsulation: r.vec16(MaxText)}
	w.Sealed = r.bytes(len(r.s))
	if !r.end() || !ake.SealedWords(len(w.Sealed)) {
		return nil, formError("words for some")
	}
	p, err := abe.ParseSmall(w.Policy, MaxWordsLeaves) // anybody's: what is larger is not expanded
	if err != nil || p.String() != w.Policy {
		return nil, formError("words for some: policy")
	}
	return w, nil
}

// MaxWords is how many bytes of words a message has room for, beside their policy and
// its encapsulation; negative if it has none.
func MaxWords(policy *abe.Policy) int {
	text := len(policy.String())
	if text > MaxWordsPolicy || policy.Leaves() > MaxWordsLeaves {
		return -1
	}
	return ake.WordsThatFit(MaxText - 2 - text - 2 - policy.CiphertextSize(ake.WordsPlain))
}
