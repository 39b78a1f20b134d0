package room

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// One member proves to another that it satisfies a policy: PROTOCOL.md §7.6. It
// never happens by itself: the prover's user is asked, and nothing is opened
// before they have allowed it.

// ProtocolAsk is the protocol of streams with a question.
const ProtocolAsk = "/coterie/2/ask"

const (
	// QuestionTime is how long a user has to answer.
	QuestionTime = 60 * time.Second
	// askTime is how long a question may take in all.
	askTime      = QuestionTime + 15*time.Second
	maxQuestions = 8                // open at once, to be answered here
	askerPeriod  = 10 * time.Second // between the questions of one asker
	maxAskers    = 4096             // whose last questions are remembered
)

var (
	// ErrNotMember is returned for a question to somebody who is no living member.
	ErrNotMember = errors.New("not a member of the room now")
	// ErrAsking is returned while another question is open.
	ErrAsking = errors.New("another question is still open")
	// ErrCannotProve is returned if the room's Encapsulator knows no other policies.
	ErrCannotProve = errors.New("this peer cannot ask for proofs")
	// ErrQuestionPolicy is returned for a policy that is too long to be asked.
	ErrQuestionPolicy = errors.New("the policy is too long to be asked")
	// ErrNoQuestion is returned for an answer to what is not asked any more.
	ErrNoQuestion = errors.New("there is no such question, or its time is over")
)

// An Attester is an Encapsulator that can also work under other policies of its domain.
type Attester interface {
	// Ask makes the encapsulation of a question.
	Ask(seed ake.Secret, policy *abe.Policy, c *ake.QuestionContext) (*ake.Encapsulated, error)
	// OpenQuestion opens one; the error is ake.ErrNotOpened.
	OpenQuestion(policy *abe.Policy, c *ake.QuestionContext, enc []byte) (*ake.Encapsulated, error)
}

// Ask is one ABE encryption.
func (s *ABE) Ask(seed ake.Secret, policy *abe.Policy, c *ake.QuestionContext) (*ake.Encapsulated, error) {
	dp, err := s.key.Domain().ForDay(policy, c.Period.Day())
	if err != nil {
		return nil, err
	}
	return ake.Ask(seed, dp, c)
}

// OpenQuestion is one ABE decryption and one encryption.
func (s *ABE) OpenQuestion(policy *abe.Policy, c *ake.QuestionContext, enc []byte) (*ake.Encapsulated, error) {
	dp, err := s.key.Domain().ForDay(policy, c.Period.Day())
	if err != nil {
		return nil, err
	}
	return ake.OpenQuestion(s.key, dp, c, enc)
}

// Asked: a member asks ours to prove that it satisfies a policy. The user says
// yes or no with Answer; without a word in QuestionTime it is no.
type Asked struct {
	ID     string
	Member Member
	Policy string // canonical text
}

// Attested: a question is over. Given tells that it was ours to answer. If it is
// not OK, Reason says why, as far as we know: the other side says nothing.
type Attested struct {
	Member Member
	Policy string
	OK     bool
	Given  bool
	Reason string
}

func (Asked) event()    {}
func (Attested) event() {}

// A question is one that is open, from either side.
type question struct {
	*record.Question
	id      string
	stream  StreamID // 0 while the encapsulation is being made
	member  Member
	policy  *abe.Policy
	proof   ake.Proof // the asker's
	allowed bool      // the prover's user said yes
	until   time.Time
}

// questions are those that are open.
type questions struct {
	ours   *question // the one we ask
	theirs map[StreamID]*question
	last   map[[32]byte]time.Time // when a peer last asked
}

// askable finds a peer's living process of today, and what is known of it.
func (r *Room) askable(identity [32]byte) (*graph, *record.Contribution) {
	g := r.days[r.today()]
	if g == nil || g.own == nil || identity == r.identity {
		return nil, nil
	}
	if _, gone := r.gone(g, g.node(g.own.cid)); gone {
		return nil, nil
	}
	c := g.newest[identity]
	if c == nil || !g.members()[c.ID()] {
		return nil, nil
	}
	if _, absent := r.absent(g, g.node(c.ID())); absent {
		return nil, nil
	}
	return g, c
}

// Ask asks a member to prove that it satisfies a policy. Attested follows, in
// any case. The errors are ErrNotMember, ErrAsking, ErrQuestionPolicy,
// ErrCannotProve and ErrLeft; then nothing was done.
func (r *Room) Ask(now time.Time, to peer.ID, policy *abe.Policy) error {
	r.advance(now)
	attester, can := r.cfg.Encapsulator.(Attester)
	identity, ok := identityOf(to)
	g, c := r.askable(identity)
	switch {
	case r.closed:
		return ErrLeft
	case !can:
		return ErrCannotProve
	case len(policy.String()) > record.MaxQuestionPolicy:
		return fmt.Errorf("%w: %d bytes; the limit is %d", ErrQuestionPolicy, len(policy.String()), record.MaxQuestionPolicy)
	case !ok || g == nil:
		return ErrNotMember
	case r.questions.ours != nil:
		return ErrAsking
	}
	nonce := r.draw()
	q := &question{
		Question: &record.Question{
			Period: g.period, Asker: g.own.cid, Prover: c.ID(),
			Nonce: ake.Hash(nonce.Bytes()), Policy: policy.String(),
		},
		member: r.member(c.ID(), identity), policy: policy, until: r.now.Add(askTime),
	}
	r.questions.ours = q
	ctx, seed := r.questionContext(q.Question), r.draw()
	r.task(func() any {
		defer seed.Erase()
		made, err := attester.Ask(seed, policy, ctx)
		if err != nil {
			return nil
		}
		return made
	}, func(result any) {
		made, ok := result.(*ake.Encapsulated)
		if r.questions.ours != q {
			return
		}
		if !ok {
			r.askOver(q, "the question could not be made")
			return
		}
		q.proof, q.Encapsulation = made.Proof, made.Bytes
		r.poseQuestion()
	})
	r.finish()
	return nil
}

// poseQuestion sends our question when there is a channel to whom it is for.
func (r *Room) poseQuestion() {
	q := r.questions.ours
	if q == nil || q.stream != 0 || q.Encapsulation == nil {
		return
	}
	g := r.days[q.Period]
	if g == nil || g.contribution(q.Prover) == nil {
		return
	}
	ch := r.wantChannel(g, q.Prover)
	if ch == nil || !ch.up {
		return // it is asked for; until then the question waits
	}
	x := r.openChannelStream(ch, ProtocolAsk)
	q.stream = x.id
	r.send(x, q.Append([]byte{record.FrameQuestion}))
}

func (r *Room) questionContext(q *record.Question) *ake.QuestionContext {
	return &ake.QuestionContext{Room: r.id, Period: q.Period, Asker: q.Asker, Prover: q.Prover, Policy: q.Policy}
}

// askOver ends our question without a proof.
func (r *Room) askOver(q *question, reason string) {
	if r.questions.ours != q {
		return
	}
	r.questions.ours = nil
	q.proof.Erase()
	r.emit(Attested{Member: q.member, Policy: q.Policy, Reason: reason})
}

// mayAsk reports whether a peer may open a stream with a question now.
func (r *Room) mayAsk(p peer.ID) bool { return r.mayHaveStream(p, ProtocolAsk, maxQuestions) }

// mayHaveStream reports whether a peer may open a stream of which it has one at a time, and all
// together so many, if need be in place of whoever gives way.
func (r *Room) mayHaveStream(p peer.ID, protocol string, most int) bool {
	var open []*exchange
	var peers []peer.ID
	for _, id := range r.streams.sorted() {
		if x := r.streams.byID[id]; x.protocol == protocol && !x.dialler {
			if x.peer == p {
				return false
			}
			open, peers = append(open, x), append(peers, x.peer)
		}
	}
	if len(open) < most {
		return true
	}
	i := r.GivesWay(append(peers, p))
	if i == len(open) {
		return false
	}
	r.reset(open[i])
	return true
}

// askFrame takes a frame on a stream with a question.
func (r *Room) askFrame(x *exchange, typ byte, body []byte) bool {
	switch {
	case typ == record.FrameQuestion && !x.dialler:
		return r.tookQuestion(x, body)
	case typ == record.FrameAnswer && x.dialler:
		return r.tookAnswer(x, body)
	}
	return false
}

// tookQuestion asks the user. Whatever is wrong ends the stream without a word.
func (r *Room) tookQuestion(x *exchange, body []byte) bool {
	q, err := record.ParseQuestion(body)
	if err != nil || r.questions.theirs[x.id] != nil {
		return false
	}
	g, c := r.askable(x.identity)
	if g == nil || q.Period != g.period || q.Asker != c.ID() || c.Working != x.working || q.Prover != g.own.cid {
		return false
	}
	if last, ok := r.questions.last[x.identity]; ok && r.now.Sub(last) < askerPeriod {
		return false
	}
	if _, can := r.cfg.Encapsulator.(Attester); !can {
		return false
	}
	policy, err := abe.ParsePolicy(q.Policy)
	if err != nil || policy.String() != q.Policy {
		return false
	}
	if r.questions.theirs == nil {
		r.questions.theirs = make(map[StreamID]*question)
		r.questions.last = make(map[[32]byte]time.Time)
	}
	if len(r.questions.last) >= maxAskers {
		clear(r.questions.last)
	}
	r.questions.last[x.identity] = r.now
	h := ake.Sum("coterie/2 question id", body)
	open := &question{
		Question: q, id: hex.EncodeToString(h[:8]), stream: x.id,
		member: r.member(c.ID(), x.identity), policy: policy, until: r.now.Add(QuestionTime),
	}
	r.questions.theirs[x.id] = open
	r.emit(Asked{ID: open.id, Member: open.member, Policy: q.Policy})
	return true
}

// Answer is the user's word on a question. Only a yes opens it. The error is
// ErrNoQuestion or ErrLeft.
func (r *Room) Answer(now time.Time, id string, allow bool) error {
	r.advance(now)
	if r.closed {
		return ErrLeft
	}
	var q *question
	for _, open := range r.questions.theirs {
		if open.id == id && !open.allowed && open.until.After(r.now) {
			q = open
		}
	}
	if q == nil {
		return ErrNoQuestion
	}
	x := r.streams.byID[q.stream]
	g, c := r.askable(x.identity)
	switch {
	case !allow:
		r.answered(q, false, "you did not allow it")
	case g == nil || c.ID() != q.Asker || g.period != q.Period:
		r.answered(q, false, "who asked is not here any more")
	default:
		q.allowed = true
		attester, ctx := r.cfg.Encapsulator.(Attester), r.questionContext(q.Question)
		r.task(func() any {
			opened, err := attester.OpenQuestion(q.policy, ctx, q.Encapsulation)
			if err != nil {
				return nil
			}
			return opened
		}, func(result any) { r.opened(q, result) })
	}
	r.finish()
	return nil
}

// opened answers a question that the user allowed, if it could be opened. If not,
// the asker sees the same as after a no.
func (r *Room) opened(q *question, result any) {
	x := r.streams.byID[q.stream]
	if x == nil || r.questions.theirs[q.stream] != q {
		return
	}
	opened, ok := result.(*ake.Encapsulated)
	if !ok {
		r.answered(q, false, "your key does not satisfy it")
		return
	}
	defer opened.Proof.Erase()
	mac := opened.Proof.AnswerQuestion(q.Append(nil))
	r.send(x, append([]byte{record.FrameAnswer}, mac[:]...))
	r.answered(q, true, "")
}

// answered ends a question that was ours to answer.
func (r *Room) answered(q *question, ok bool, reason string) {
	delete(r.questions.theirs, q.stream)
	r.emit(Attested{Member: q.member, Policy: q.Policy, OK: ok, Given: true, Reason: reason})
	x := r.streams.byID[q.stream]
	switch {
	case x == nil:
	case ok:
		r.hangUp(x)
	default:
		r.reset(x)
	}
}

// tookAnswer checks the answer to our question.
func (r *Room) tookAnswer(x *exchange, body []byte) bool {
	q := r.questions.ours
	mac, err := record.ParseAnswer(body)
	if err != nil || q == nil || q.stream != x.id {
		return false
	}
	if !q.proof.CheckAnswer(q.Append(nil), mac) {
		return false
	}
	q.proof.Erase()
	r.questions.ours = nil
	r.emit(Attested{Member: q.member, Policy: q.Policy, OK: true})
	r.hangUp(x)
	return true
}

// questionOver is called when a stream with a question has ended.
func (r *Room) questionOver(x *exchange) {
	if q := r.questions.ours; q != nil && q.stream == x.id {
		r.askOver(q, "refused, or not answered in time")
	}
	if q := r.questions.theirs[x.id]; q != nil {
		r.answered(q, false, "who asked is not here any more")
	}
}

// wakeQuestions sees to being woken when a question's time is over.
func (r *Room) wakeQuestions() {
	if q := r.questions.ours; q != nil {
		r.wakeAt(q.until)
	}
	for _, q := range r.questions.theirs {
		if !q.allowed {
			r.wakeAt(q.until)
		}
	}
}

// expireQuestions takes silence for a no.
func (r *Room) expireQuestions() {
	if q := r.questions.ours; q != nil {
		if !q.until.After(r.now) {
			if x := r.streams.byID[q.stream]; x != nil {
				r.reset(x)
			}
			r.askOver(q, "refused, or not answered in time")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.questions.theirs)) {
		q := r.questions.theirs[id]
		if !q.allowed && !q.until.After(r.now) {
			r.answered(q, false, "you did not answer in time")
		}
	}
}
