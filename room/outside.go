package room

import (
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// Questions from outside: PROTOCOL.md §9.7. Somebody without a key hands one to a member, who
// passes it on to all as a message, whether their own key opens it or not. The answers are
// messages, too, and wait here until they are fetched.

// ProtocolOutside is the protocol of streams on which questions come, and answers are fetched.
const ProtocolOutside = "/coterie/2/outside"

const (
	maxOutside        = 64      // questions that are kept
	maxWaitingOutside = 64      // that wait for their turn
	outsideRate       = 1. / 60 // questions a second that are taken ..
	outsideAtOnce     = 8       // .. and at once
	fewTakers         = 8       // in a room of more each takes less, so that all take no more
	outsideTurn       = 20 * time.Second
	// OutsideDays is for how many days after its own a question is kept.
	OutsideDays = 7
)

var (
	// ErrNoOutside is returned for an answer to what is not asked, or not any more.
	ErrNoOutside = errors.New("there is no such question from outside")
	// ErrNobodyHears is returned for an answer while there is nobody to send it to.
	ErrNobodyHears = errors.New("nobody else is here to take the answer")
)

// An Outsider is an Encapsulator that can also open questions from outside.
type Outsider interface {
	// OpenOutside opens a question for the room's policy and another, if that is not "". The
	// error is ake.ErrNotOpened. It takes as long if it does not open.
	OpenOutside(also string, c *ake.OutsideContext, revoked []uint64, enc []byte) (ake.WordsKey, error)
}

// OpenOutside is one ABE decryption and one encryption.
func (s *ABE) OpenOutside(also string, c *ake.OutsideContext, revoked []uint64, enc []byte) (ake.WordsKey, error) {
	dp, err := s.day(c.Period, revoked)
	if also != "" {
		var policy *abe.Policy
		if policy, err = outsidePolicy(s.policy, also); err == nil {
			dp, err = s.key.Domain().ForDay(policy, c.Period.Day(), revoked...)
		}
	}
	if err != nil {
		return ake.WordsKey{}, err
	}
	return ake.OpenWords(s.key, dp, c, enc)
}

// OutsideQuestion: somebody outside asks, and our key opens it. History: it is from before
// this process.
type OutsideQuestion struct {
	Number  int
	ID      ake.Hash
	By      Member // who took it, and passed it on
	At      time.Time
	For     string // the policy besides the room's; "": none
	Text    string
	Answers []OutsideAnswer
	History bool
}

// OutsideAnswer: a member answered a question that our key opens.
type OutsideAnswer struct {
	Number  int
	ID      ake.Hash // the question's
	By      Member
	Self    bool
	At      time.Time
	Text    string
	History bool
}

func (OutsideQuestion) event() {}
func (OutsideAnswer) event()   {}

// outsides are those that are kept, and those that wait to be taken.
type outsides struct {
	byID   map[ake.Hash]*asked
	kept   int
	number int // of the last one that opened
	queue  []waitingOutside
	pace   pace
}

// A waitingOutside waits for its turn to be taken.
type waitingOutside struct {
	*exchange
	question *record.Outside
}

func isOutside(kind byte) bool { return kind == record.KindQuestion || kind == record.KindAnswer }

// takesKind reports whether messages of a kind are in this room.
func (r *Room) takesKind(kind byte) bool { return r.cfg.Descriptor.Questions || !isOutside(kind) }

// mayOutside reports whether a peer may open a stream for a question now: one at a time.
func (r *Room) mayOutside(p peer.ID) bool {
	if !r.cfg.Descriptor.Questions {
		return false
	}
	for _, o := range r.streams.byID {
		if o.protocol == ProtocolOutside && o.peer == p {
			return false
		}
	}
	return true
}

// outsideFrame takes a frame on such a stream. Whoever is at its other end, what is said does
// not depend on our key: nothing was opened yet.
func (r *Room) outsideFrame(x *exchange, typ byte, body []byte) bool {
	topic := ake.Sum("coterie/2 topic", r.id[:])
	if typ == record.FrameNotice {
		return r.tookNotice(x, body)
	}
	if x.gotAsk {
		return false
	}
	x.gotAsk = true
	switch typ {
	case record.FrameOutside:
		to, q, err := record.ParseOutsideFrame(body)
		if err != nil {
			return false
		}
		if to != topic {
			r.reply(x, record.ReplyUnknown, nil)
			return true
		}
		r.takes(x, q)
		return true
	case record.FrameFetch:
		to, token, err := record.ParseFetch(body)
		if err != nil {
			return false
		}
		defer token.Erase()
		of := ake.OutsideToken(token)
		for _, a := range r.outside.byID {
			if to == topic && a.question != nil && a.question.Token == of {
				r.reply(x, record.ReplyTaken, a.boxes())
				return true
			}
		}
		r.reply(x, record.ReplyUnknown, nil)
		return true
	}
	return false
}

func (r *Room) reply(x *exchange, state byte, boxes [][]byte) {
	r.send(x, record.EncodeReply(state, boxes))
	r.hangUp(x)
}

// boxes are all answers, also those that do not open here: what is served does not depend on
// our key.
func (a *asked) boxes() (out [][]byte) {
	for i := range a.replies {
		out = append(out, a.replies[i].Box)
	}
	return out
}

// takes says what becomes of a question, or has it wait for its turn.
func (r *Room) takes(x *exchange, q *record.Outside) {
	o, day := &r.outside, r.today().Day()
	a := o.byID[q.ID(r.id)]
	switch n := r.notices.newest; {
	case !adjacent(q.Period.Day(), day):
		r.reply(x, record.ReplyUnknown, nil)
	case q.Period.Notice() != r.notices.number():
		if n != nil && n.Number > q.Period.Notice() {
			r.send(x, n.Append([]byte{record.FrameNotice}))
		}
		r.reply(x, record.ReplyUnknown, nil)
	case a != nil && a.question != nil:
		r.reply(x, record.ReplyTaken, nil)
	case !r.maySend():
		r.reply(x, record.ReplyLater, nil)
	default:
		o.queue = append(o.queue, waitingOutside{x, q})
		if len(o.queue) > maxWaitingOutside {
			i := r.random(len(o.queue))
			r.reply(o.queue[i].exchange, record.ReplyLater, nil)
			o.queue = slices.Delete(o.queue, i, i+1)
		}
	}
}

// outsidePace is how many questions a second one of n members takes, and at once.
func outsidePace(n int) (rate, atOnce float64) {
	share := float64(fewTakers) / float64(max(n, fewTakers))
	return outsideRate * share, max(outsideAtOnce*share, 1)
}

// takeOutside takes questions that wait, as the pace allows: any of them, at random, so that
// many by one asker are no more than others'.
func (r *Room) takeOutside() {
	o := &r.outside
	o.queue = slices.DeleteFunc(o.queue, func(w waitingOutside) bool {
		if r.streams.byID[w.id] != w.exchange {
			return true
		}
		if over := w.began.Add(outsideTurn); over.After(r.now) {
			r.wakeAt(over)
			return false
		}
		r.reply(w.exchange, record.ReplyLater, nil)
		return true
	})
	for len(o.queue) > 0 && r.maySend() {
		rate, atOnce := outsidePace(len(r.head.list))
		if !o.pace.spend(1, r.now, rate, atOnce) {
			r.wakeAt(o.pace.next(rate))
			return
		}
		i := r.random(len(o.queue))
		w := o.queue[i]
		o.queue = slices.Delete(o.queue, i, i+1)
		if a := o.byID[w.question.ID(r.id)]; a == nil || a.question == nil {
			if err := r.seal(held{kind: record.KindQuestion, text: string(w.question.Append(nil))}); err != nil {
				r.emit(Failed{Doing: "passing on a question", Err: err})
				r.reply(w.exchange, record.ReplyLater, nil)
				continue
			}
		}
		r.reply(w.exchange, record.ReplyTaken, nil)
	}
}

// openOutside opens a question, off the loop. Whatever comes of it, nothing is sent, and as
// much is done.
func (r *Room) openOutside(w *closedWords) {
	a, outsider := w.asked, r.cfg.Encapsulator.(Outsider)
	q, ctx := a.question, a.question.Context(r.id)
	var revoked []uint64
	if n := r.notices.newest; n != nil && n.Number == q.Period.Notice() {
		revoked = n.Serials
	}
	known := q.Period.Notice() == 0 || revoked != nil // else nobody knows whom it is not for
	r.words.opening = true
	r.task(func() any {
		if !known {
			return nil
		}
		key, err := outsider.OpenOutside(q.For, ctx, revoked, q.Encapsulation)
		if err != nil || !ake.ValidReplyKey(q.ReplyKey) {
			return nil
		}
		return &key
	}, func(result any) {
		r.words.opening = false
		if a.reading = Unread; result != nil {
			a.words.key = *result.(*ake.WordsKey)
			if _, err := a.words.key.Open(q.Sealed); err == nil {
				a.reading = Read
			}
		}
		if r.logs.transcripts[w.t.id] == w.t {
			r.saveWords(w.t, w.index, w.counter, a.words)
		}
		r.showOutside(a)
	})
}

// showOutside shows a question that opened, and what was answered.
func (r *Room) showOutside(a *asked) {
	if a.reading == NotOpened || a.question == nil || r.outside.byID[a.id] != a || a.shown.Number > 0 {
		return
	}
	if a.reading == Read {
		var err error
		if a.shown.Text, err = a.words.key.Open(a.question.Sealed); err != nil {
			a.reading = Unread
		} else {
			r.outside.number++
			a.shown.Number = r.outside.number
		}
	}
	answers := a.readReplies()
	if a.shown.Number > 0 {
		r.emit(a.copy())
	}
	for _, n := range answers {
		r.emit(n)
	}
}

// readReplies reads answers to a question that was opened, each once: what its asker reads. As much
// is done where our key does not open the question: else whoever plants answers would see by how
// busy we are whether it does.
func (a *asked) readReplies() (fresh []OutsideAnswer) {
	if a.question == nil || a.reading == NotOpened || a.reading == Read && a.shown.Number == 0 {
		return nil // it is not their turn yet
	}
	for i := range a.replies {
		n := &a.replies[i]
		if n.tried {
			continue
		}
		n.tried = true
		text, err := a.words.key.ReadReply(a.id, n.author, a.question.ReplyKey, n.Seed[:], n.Box)
		if err != nil || a.reading != Read {
			continue // its author could not open the question, or the asker would read something else
		}
		n.shown.Number, n.shown.Text = a.shown.Number, text
		fresh = append(fresh, n.shown)
	}
	a.shown.Answers = append(a.shown.Answers, fresh...)
	return fresh
}

func (a *asked) copy() OutsideQuestion {
	q := a.shown
	q.Answers = slices.Clone(q.Answers)
	return q
}

// OutsideQuestions are those that are kept and that our key opens, by their numbers.
func (r *Room) OutsideQuestions() (out []OutsideQuestion) {
	for _, a := range r.outside.byID {
		if a.shown.Number > 0 {
			out = append(out, a.copy())
		}
	}
	slices.SortFunc(out, func(a, b OutsideQuestion) int { return a.Number - b.Number })
	return out
}

// AnswerOutside answers a question: its asker alone reads it, and the members who can read
// the question. The errors are ErrNoOutside, ErrNobodyHears, ErrLeft and those of Send.
func (r *Room) AnswerOutside(now time.Time, number int, text string) error {
	r.advance(now)
	defer r.finish()
	if r.closed {
		return ErrLeft
	}
	for _, a := range r.outside.byID {
		if number == 0 || a.shown.Number != number {
			continue
		}
		if !r.maySend() {
			return ErrNobodyHears
		}
		if err := checkText(text, ake.MaxWords); err != nil {
			return err
		}
		seed, box, err := a.words.key.Reply(r.draw(), a.id, r.head.list[r.head.ownIndex].CID, a.question.ReplyKey, text)
		if err != nil {
			return err
		}
		answer := &record.OutsideAnswer{Question: a.id, Seed: [ake.ReplySeedSize]byte(seed), Box: box}
		return r.seal(held{kind: record.KindAnswer, text: string(answer.Append(nil))})
	}
	return ErrNoOutside
}
