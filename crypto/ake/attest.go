package ake

import (
	"crypto/hmac"
	"encoding/binary"

	"coterie/crypto/abe"
)

// A QuestionContext is what a question of one member to another is bound to:
// PROTOCOL.md §7.6. The cids bind the two processes and the room's period.
type QuestionContext struct {
	Room   Hash
	Period abe.Period
	Asker  Hash // cid
	Prover Hash // cid
	Policy string
}

func (c *QuestionContext) hash() []byte {
	period := binary.BigEndian.AppendUint64(nil, uint64(c.Period))
	h := Sum("coterie/2 question", c.Room[:], period, c.Asker[:], c.Prover[:], []byte(c.Policy))
	return h[:]
}

// Ask encapsulates a fresh seed under another policy than the room's, for one
// prover. Bytes of the result is the encapsulation; Proof is known to whoever
// opens it. It has no term. The caller erases the seed.
func Ask(seed Secret, dp *abe.DayPolicy, c *QuestionContext) (*Encapsulated, error) {
	enc, err := encryptQuestion(dp, c, seed)
	if err != nil {
		return nil, err
	}
	return &Encapsulated{Proof: questionProof(c, seed), Bytes: enc}, nil
}

// OpenQuestion opens the encapsulation of a question that was asked in a context,
// makes it again and compares every byte, as Open does and for the same reasons.
// The error is ErrNotOpened.
func OpenQuestion(k *abe.Key, dp *abe.DayPolicy, c *QuestionContext, enc []byte) (*Encapsulated, error) {
	seed, err := openSeed(k, dp, enc, func(seed Secret) ([]byte, error) { return encryptQuestion(dp, c, seed) })
	defer seed.Erase()
	if err != nil {
		return nil, err
	}
	return &Encapsulated{Proof: questionProof(c, seed)}, nil
}

// The labels differ from those of contributions, so that nothing that was
// encapsulated for a room can be passed off as a question, nor the reverse.
func encryptQuestion(dp *abe.DayPolicy, c *QuestionContext, seed Secret) ([]byte, error) {
	bind := Sum("coterie/2 question bind", c.hash())
	return encryptSeed(dp, seed, bind, Expand(seed, "coterie/2 question coins", c.hash()))
}

func questionProof(c *QuestionContext, seed Secret) Proof {
	return Proof{Expand(seed, "coterie/2 prove", c.hash())}
}

// AnswerQuestion is the MAC by which a prover answers: over the question's bytes.
// It travels inside the channel of the two processes alone. The asker could have
// made it itself, so it proves nothing to anybody else.
func (p *Proof) AnswerQuestion(question []byte) Hash {
	t := Sum("coterie/2 answer", question)
	return authenticate(p.Secret, []byte("prove"), t[:])
}

// CheckAnswer compares an answer in constant time.
func (p *Proof) CheckAnswer(question []byte, answer Hash) bool {
	want := p.AnswerQuestion(question)
	return hmac.Equal(want[:], answer[:])
}
