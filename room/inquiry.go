package room

import (
	"errors"
	"fmt"
	"io"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// MaxQuestionText is the greatest size in bytes of a question from outside.
const MaxQuestionText = record.MaxOutside

// What somebody outside does who asks a room: PROTOCOL.md §9.7.

var (
	// ErrNoQuestions is returned for a room that takes no questions from outside.
	ErrNoQuestions = errors.New("the room takes no questions from outside")
	// ErrOutsidePolicy is returned for a policy under which nobody can be asked.
	ErrOutsidePolicy = errors.New("the policy is too large to ask something under it")
	// ErrInquiry is returned for bytes that are no inquiry's.
	ErrInquiry = errors.New("malformed inquiry")
)

// An Inquiry is a question as its asker has it.
type Inquiry struct {
	ID     ake.Hash
	Period abe.Period
	Token  ake.Secret // fetches the answers
	// Question is what is handed to a member: record.Outside.
	Question []byte
	private  ake.Secret // of the key to which they are sealed
	key      ake.WordsKey
}

// outsidePolicy is the room's policy and another.
func outsidePolicy(room *abe.Policy, also string) (*abe.Policy, error) {
	text := room.String()
	if also != "" {
		text = "(" + text + ") and (" + also + ")"
	}
	p, err := abe.ParseSmall(text, record.MaxWordsLeaves)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutsidePolicy, err)
	}
	return p, nil
}

// MayAsk says why nobody can ask in a room, of those who satisfy another policy too, if there
// is one: ErrNoQuestions, or ErrOutsidePolicy.
func MayAsk(d *Descriptor, also *abe.Policy) error {
	if !d.Questions {
		return ErrNoQuestions
	}
	text := ""
	if also != nil {
		text = also.String()
	}
	policy, err := outsidePolicy(d.Policy, text)
	if err != nil {
		return err
	}
	q := record.Outside{For: text, ReplyKey: make([]byte, ake.ReplyKeySize)}
	if len(text) > record.MaxWordsPolicy ||
		len(q.Append(nil))+policy.CiphertextSize(ake.WordsPlain)+record.MaxOutside+2+16 > record.MaxText {
		return ErrOutsidePolicy
	}
	return nil
}

// Inquire makes a question to those in a room who satisfy another policy as well, if there
// is one: for a day, and none of the keys that the domain's newest known notice names. The
// errors are ErrNoQuestions, ErrOutsidePolicy, ErrTooLong and ErrText.
func Inquire(rand io.Reader, domain *abe.Domain, d *Descriptor, also *abe.Policy, day abe.Day, notice *abe.Notice,
	text string) (*Inquiry, error) {
	q := &record.Outside{Period: abe.PeriodOf(0, day)}
	var revoked []uint64
	if notice != nil {
		q.Period, revoked = abe.PeriodOf(notice.Number, day), notice.Serials
	}
	if also != nil {
		q.For = also.String()
	}
	if err := MayAsk(d, also); err != nil {
		return nil, err
	}
	policy, err := outsidePolicy(d.Policy, q.For)
	if err != nil {
		return nil, err
	}
	dp, err := domain.ForDay(policy, day, revoked...)
	if err != nil {
		return nil, err
	}
	return inquire(rand, d, q, text, func(seed ake.Secret, c *ake.OutsideContext) ([]byte, ake.WordsKey, error) {
		return ake.MakeWords(seed, dp, c)
	})
}

func inquire(rand io.Reader, d *Descriptor, q *record.Outside, text string,
	seal func(ake.Secret, *ake.OutsideContext) ([]byte, ake.WordsKey, error)) (*Inquiry, error) {
	if !d.Questions {
		return nil, ErrNoQuestions
	}
	if err := checkText(text, record.MaxOutside); err != nil {
		return nil, err
	}
	in := &Inquiry{Period: q.Period}
	var seed ake.Secret
	defer seed.Erase()
	for _, s := range []*ake.Secret{&seed, &in.Token, &in.private} {
		var err error
		if *s, err = ake.NewSecret(rand); err != nil {
			return nil, err
		}
	}
	room := d.ID()
	q.ReplyKey, q.Token = ake.ReplyKey(in.private), ake.OutsideToken(in.Token)
	var err error
	if q.Encapsulation, in.key, err = seal(seed, q.Context(room)); err != nil {
		return nil, err
	}
	if q.Sealed, err = in.key.Seal(text); err != nil {
		return nil, err
	}
	if in.Question = q.Append(nil); len(in.Question) > record.MaxText {
		return nil, ErrOutsidePolicy
	}
	in.ID = q.ID(room)
	return in, nil
}

// Read reads an answer. The error is ake.ErrNotOpened: whoever made it could not read the
// question.
func (in *Inquiry) Read(box []byte) (string, error) { return in.key.OpenReply(in.private, in.ID, box) }

// secrets is how many bytes an inquiry takes besides its question.
const secrets = 4 * ake.SecretSize

// Bytes are the inquiry as its asker keeps it: secret.
func (in *Inquiry) Bytes() []byte {
	b := in.Token.Append(append(make([]byte, 0, secrets+len(in.Question)), in.ID[:]...))
	return append(in.key.Append(in.private.Append(b)), in.Question...)
}

// ParseInquiry takes what Bytes gave.
func ParseInquiry(b []byte) (*Inquiry, error) {
	if len(b) < secrets {
		return nil, ErrInquiry
	}
	in := &Inquiry{ID: ake.Hash(b[:32]), Question: b[secrets:]}
	for i, s := range []*ake.Secret{&in.Token, &in.private, &in.key.Secret} {
		var err error
		if *s, err = ake.SecretFromBytes(b[32*(i+1) : 32*(i+2)]); err != nil {
			return nil, ErrInquiry
		}
	}
	q, err := record.ParseOutside(in.Question)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInquiry, err)
	}
	in.Period = q.Period
	return in, nil
}
