package room

import (
	"cmp"
	"errors"
	"maps"
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

// An asked is a question that is kept, or whose answers came before it.
type asked struct {
	id       ake.Hash
	question *record.Outside // nil: only answers are here
	shown    OutsideQuestion
	*words
	by      payer
	kept    int // counts what is kept: its order
	until   time.Time
	replies []reply
}

// A reply is an answer as it is kept, whether it opens or not.
type reply struct {
	*record.OutsideAnswer
	by    payer
	shown OutsideAnswer
}

// A payer is to whom something is charged: a branch, and in it an author.
type payer struct{ branch, author [32]byte }

// charges count what is charged to each.
type charges map[[32]byte]int

func (c charges) add(p payer) {
	c[p.branch]++
	c[p.author]++
}

// more orders those first who are charged more.
func (c charges) more(a, b payer) int {
	return cmp.Or(c[b.branch]-c[a.branch], c[b.author]-c[a.author])
}

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
		if !o.pace.spend(1, r.now, outsideRate, outsideAtOnce) {
			r.wakeAt(o.pace.next(outsideRate))
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

// noteOutside keeps a question from outside, or an answer to one, that came as a message.
func (r *Room) noteOutside(t *transcript, index int, m *record.Signed, history bool) {
	l := t.log(index)
	if l.outside == nil {
		l.outside = make(map[uint64]bool)
	}
	l.outside[m.Counter] = true
	at := time.UnixMilli(int64(min(m.Time, 1<<52)))
	by := payer{r.authorBranch(t, index), ake.Sum("author", t.List[index].Identity[:])} // so that no author is a branch
	if m.Kind == record.KindAnswer {
		if in, err := record.ParseOutsideAnswer([]byte(m.Text)); err == nil {
			a := r.asked(in.Question, by)
			a.addReply(reply{in, by, OutsideAnswer{
				ID: in.Question, By: r.author(t, index), Self: t.List[index].Identity == r.identity, At: at, History: history,
			}})
			for _, n := range a.readReplies() {
				r.emit(n)
			}
		}
		return
	}
	q, err := record.ParseOutside([]byte(m.Text))
	if err != nil || !adjacent(q.Period.Day(), t.Brief.Period.Day()) || r.now.After(outsideOver(q)) {
		return
	}
	a := r.asked(q.ID(r.id), by)
	if a.question != nil { // another member took it, too: who is charged less is
		if c := r.outside.charges(); c.more(a.by, by) < 0 {
			a.by = by
		}
		return
	}
	a.question, a.by, a.until = q, by, outsideOver(q)
	a.shown = OutsideQuestion{ID: a.id, By: r.author(t, index), At: at, For: q.For, History: history}
	if w := l.words[m.Counter]; w != nil {
		a.words = w // it was opened by an earlier process, or could not be
		return
	}
	a.words = &words{reading: NotOpened}
	l.noteWords(m.Counter, a.words)
	if _, can := r.cfg.Encapsulator.(Outsider); !can {
		a.reading = Unread
		return
	}
	r.words.queue = append(r.words.queue, &closedWords{
		logRef: logRef{t, index, m.Counter}, words: a.words, branch: by.branch,
		author: ake.Sum("question", t.List[index].Identity[:]), asked: a, // so that words and questions take turns
	})
}

// asked is what is kept under a question's id; if there is no room, in place of another.
func (r *Room) asked(id ake.Hash, by payer) *asked {
	o := &r.outside
	if a := o.byID[id]; a != nil {
		return a
	}
	if o.byID == nil {
		o.byID = make(map[ake.Hash]*asked)
	}
	if len(o.byID) >= maxOutside {
		c := o.charges()
		c.add(by)
		last := slices.MinFunc(slices.Collect(maps.Values(o.byID)), func(a, b *asked) int {
			return cmp.Or(c.more(a.by, b.by), differ(len(a.replies) > 0, len(b.replies) > 0), a.kept-b.kept)
		})
		delete(o.byID, last.id)
		r.words.queue = slices.DeleteFunc(r.words.queue, func(w *closedWords) bool { return w.asked == last })
	}
	o.kept++
	a := &asked{id: id, by: by, kept: o.kept, words: &words{reading: NotOpened},
		until: r.now.Add(OutsideDays * 24 * time.Hour)}
	o.byID[id] = a
	return a
}

// charges are those of all questions.
func (o *outsides) charges() charges {
	c := make(charges)
	for _, a := range o.byID {
		c.add(a.by)
	}
	return c
}

// outsideOver is until when a question is kept.
func outsideOver(q *record.Outside) time.Time { return (q.Period.Day() + 1 + OutsideDays).Start() }

// adjacent reports whether two days are one, or next to each other.
func adjacent(a, b abe.Day) bool { return a <= b+1 && b <= a+1 }

// differ orders what is false before what is true.
func differ(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// addReply keeps an answer; of too many, the newest of who is charged most gives way.
func (a *asked) addReply(n reply) {
	if slices.ContainsFunc(a.replies, func(o reply) bool { return string(o.Box) == string(n.Box) }) {
		return
	}
	a.replies = append(a.replies, n)
	if len(a.replies) <= record.MaxReplies {
		return
	}
	c, last := make(charges), 0
	for i := range a.replies {
		c.add(a.replies[i].by)
	}
	for i := range a.replies {
		if c.more(a.replies[i].by, a.replies[last].by) <= 0 {
			last = i
		}
	}
	a.replies = slices.Delete(a.replies, last, last+1)
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
	if a.reading != Read || a.question == nil || r.outside.byID[a.id] != a || a.shown.Number > 0 {
		return
	}
	var err error
	if a.shown.Text, err = a.words.key.Open(a.question.Sealed); err != nil {
		a.reading = Unread
		return
	}
	r.outside.number++
	a.shown.Number = r.outside.number
	answers := a.readReplies()
	r.emit(a.copy())
	for _, n := range answers {
		r.emit(n)
	}
}

// readReplies reads answers to a question that opened: what its asker reads.
func (a *asked) readReplies() (fresh []OutsideAnswer) {
	for i := range a.replies {
		n := &a.replies[i]
		if a.shown.Number == 0 || n.shown.Number > 0 {
			continue
		}
		text, err := a.words.key.ReadReply(a.id, a.question.ReplyKey, n.Seed[:], n.Box)
		if err != nil {
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
		seed, box, err := a.words.key.Reply(r.draw(), a.id, a.question.ReplyKey, text)
		if err != nil {
			return err
		}
		answer := &record.OutsideAnswer{Question: a.id, Seed: [ake.ReplySeedSize]byte(seed), Box: box}
		return r.seal(held{kind: record.KindAnswer, text: string(answer.Append(nil))})
	}
	return ErrNoOutside
}

// expireOutside forgets questions whose time is over.
func (r *Room) expireOutside() {
	for id, a := range r.outside.byID {
		if r.now.After(a.until) {
			delete(r.outside.byID, id)
		}
	}
}

// A savedOutside are the questions and answers that a journal has, of each author the newest.
type savedOutside struct {
	of map[[32]byte][]numbered
	n  int
}

type numbered struct {
	logRef
	n int // in the journal's order
}

func (s *savedOutside) add(ref logRef) {
	if s.of == nil {
		s.of = make(map[[32]byte][]numbered)
	}
	s.n++
	author := ref.t.List[ref.index].Identity
	all := append(s.of[author], numbered{ref, s.n})
	s.of[author] = all[max(len(all)-2*maxOutside, 0):]
}

// recallOutside keeps again what an earlier process kept.
func (r *Room) recallOutside(s savedOutside) {
	var all []numbered
	for _, refs := range s.of {
		all = append(all, refs...)
	}
	slices.SortFunc(all, func(a, b numbered) int { return a.n - b.n })
	for _, ref := range all {
		if m := r.body(ref.t, ref.index, ref.counter); m != nil && isOutside(m.Kind) {
			r.noteOutside(ref.t, ref.index, m, true)
		}
	}
	for _, a := range slices.SortedFunc(maps.Values(r.outside.byID), func(a, b *asked) int { return a.kept - b.kept }) {
		r.showOutside(a) // with what was answered
	}
}
