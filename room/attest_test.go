package room

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// An asking suite also knows other policies: who holds what is a list.
type askingSuite struct {
	*fakeSuite
	holds   map[string]bool // policies
	asked   int
	opening int
}

func fakeQuestion(seed ake.Secret, c *ake.QuestionContext) *ake.Encapsulated {
	day := []byte{byte(c.Period >> 24), byte(c.Period >> 16), byte(c.Period >> 8), byte(c.Period)}
	h := ake.Sum("coterie/2 question", c.Room[:], day, c.Asker[:], c.Prover[:], []byte(c.Policy))
	bind := ake.Sum("coterie/2 question bind", h[:])
	return &ake.Encapsulated{
		Proof: ake.Proof{Secret: ake.Expand(seed, "coterie/2 prove", h[:])},
		Bytes: append(append([]byte("fake"), seed.Bytes()...), bind[:]...),
	}
}

func (s *askingSuite) Ask(seed ake.Secret, _ *abe.Policy, c *ake.QuestionContext) (*ake.Encapsulated, error) {
	s.asked++
	return fakeQuestion(seed, c), nil
}

func (s *askingSuite) OpenQuestion(policy *abe.Policy, c *ake.QuestionContext, enc []byte) (*ake.Encapsulated, error) {
	s.opening++
	if !s.holds[policy.String()] || len(enc) != fakeSize {
		return nil, ake.ErrNotOpened
	}
	seed, err := ake.SecretFromBytes(enc[4:36])
	if err != nil {
		return nil, err
	}
	made := fakeQuestion(seed, c)
	if !bytes.Equal(made.Bytes, enc) {
		return nil, ake.ErrNotOpened
	}
	return made, nil
}

const professor = `"Professor"`

func askedPolicy(t testing.TB) *abe.Policy {
	p, err := abe.ParsePolicy(professor)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asking is a room of the named, all of whom know other policies; those in holds
// satisfy the one that is asked for.
func asking(t *testing.T, seed uint64, holds string, names ...string) (*network, []*simNode, map[*simNode]*askingSuite) {
	n := newNetwork(t, seed)
	all := n.party(names...)
	suites := make(map[*simNode]*askingSuite)
	for _, s := range all {
		suites[s] = &askingSuite{fakeSuite: s.room.cfg.Encapsulator.(*fakeSuite), holds: map[string]bool{professor: s.name == holds}}
		s.room.cfg.Encapsulator = suites[s]
	}
	return n, all, suites
}

func (s *simNode) asks(to *simNode, policy *abe.Policy) error {
	err := s.room.Ask(s.clock(), to.room.Self(), policy)
	s.net.drain(s)
	return err
}

func (s *simNode) answers(id string, allow bool) error {
	err := s.room.Answer(s.clock(), id, allow)
	s.net.drain(s)
	return err
}

func shown[E Event](s *simNode) (out []E) {
	for _, e := range s.shown {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// asked waits for the question, and answers it.
func (n *network) asked(s *simNode) Asked {
	n.until(5*time.Second, s.name+" is asked", func() bool { return len(shown[Asked](s)) > 0 })
	all := shown[Asked](s)
	return all[len(all)-1]
}

func (n *network) attested(s *simNode) Attested {
	n.until(2*time.Minute, s.name+" is told", func() bool { return len(shown[Attested](s)) > 0 })
	all := shown[Attested](s)
	return all[len(all)-1]
}

// TestProveToOne: who holds the attribute and says yes proves it; the asker
// learns so, and nobody else sees anything.
func TestProveToOne(t *testing.T) {
	n, all, suites := asking(t, 71, "prof", "ann", "prof", "kari")
	ann, prof, kari := all[0], all[1], all[2]
	if err := ann.asks(prof, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	if err := ann.asks(kari, askedPolicy(t)); !errors.Is(err, ErrAsking) {
		t.Errorf("a second question beside the first: %v", err)
	}
	q := n.asked(prof)
	if q.Policy != professor || q.Member.Peer != ann.room.Self() {
		t.Errorf("asked %+v", q)
	}
	n.run(10 * time.Second)
	if suites[prof].opening != 0 {
		t.Error("opened before the user allowed it")
	}
	if err := prof.answers(q.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := n.attested(ann); !got.OK || got.Given || got.Member.Peer != prof.room.Self() {
		t.Errorf("ann is told %+v", got)
	}
	if got := n.attested(prof); !got.OK || !got.Given {
		t.Errorf("prof is told %+v", got)
	}
	if len(shown[Attested](kari))+len(shown[Asked](kari)) > 0 {
		t.Error("kari heard of it")
	}
	if err := prof.answers(q.ID, true); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("answered twice: %v", err)
	}
	if suites[prof].opening != 1 || suites[ann].asked != 1 {
		t.Errorf("%d openings for one question", suites[prof].opening)
	}
}

// TestProveNeedsConsent: a no and silence open nothing; to the asker a no, a key
// that does not satisfy the policy, and silence look alike.
func TestProveNeedsConsent(t *testing.T) {
	var reasons []string
	for _, how := range []string{"no", "silence", "cannot"} {
		holds := "prof"
		if how == "cannot" {
			holds = "nobody"
		}
		n, all, suites := asking(t, 72, holds, "ann", "prof")
		ann, prof := all[0], all[1]
		if err := ann.asks(prof, askedPolicy(t)); err != nil {
			t.Fatal(err)
		}
		q := n.asked(prof)
		if how == "silence" {
			n.run(QuestionTime + 2*time.Second)
			if err := prof.answers(q.ID, true); !errors.Is(err, ErrNoQuestion) {
				t.Errorf("answered after a minute: %v", err)
			}
			if len(shown[Attested](prof)) != 1 {
				t.Error("prof is not told that the time is over")
			}
		} else {
			if err := prof.answers(q.ID, how == "cannot"); err != nil {
				t.Fatal(err)
			}
		}
		got := n.attested(ann)
		if got.OK {
			t.Errorf("%s: proved", how)
		}
		reasons = append(reasons, got.Reason)
		if opened := suites[prof].opening; how != "cannot" && opened != 0 {
			t.Errorf("%s: %d openings", how, opened)
		}
		if err := prof.answers(q.ID, true); !errors.Is(err, ErrNoQuestion) {
			t.Errorf("%s: answered after it was over: %v", how, err)
		}
	}
	if reasons[0] != reasons[1] || reasons[1] != reasons[2] {
		t.Errorf("the asker can tell: %q", reasons)
	}
}

// TestProveRelayedQuestion: mallory, who is a member and no professor, passes
// ann's question on to prof as if it were her own, and prof's answer back. prof's
// user allows whatever he is asked, and still nothing comes of it.
func TestProveRelayedQuestion(t *testing.T) {
	n, all, suites := asking(t, 73, "prof", "ann", "prof", "mallory")
	ann, prof, mallory := all[0], all[1], all[2]
	if err := ann.asks(mallory, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	n.asked(mallory)
	var theirs *question
	for _, q := range mallory.room.questions.theirs {
		theirs = q
	}
	for _, forge := range []func(q *record.Question){
		func(*record.Question) {}, // as it is
		func(q *record.Question) { // in her own name
			g := mallory.room.days[mallory.room.today()]
			q.Asker, q.Prover = g.own.cid, prof.room.days[q.Period].own.cid
		},
	} {
		q := *theirs.Question
		forge(&q)
		before := suites[prof].opening
		ch := mallory.room.channelTo(prof.room.Self())
		if ch == nil {
			t.Fatal("mallory has no channel with prof")
		}
		x := mallory.room.openChannelStream(ch, ProtocolAsk)
		mallory.room.send(x, q.Append([]byte{record.FrameQuestion}))
		n.drain(mallory)
		n.run(time.Second)
		for _, asked := range shown[Asked](prof) {
			prof.answers(asked.ID, true)
		}
		n.run(15 * time.Second)
		if got := shown[Attested](prof); len(got) > 0 && got[len(got)-1].OK {
			t.Errorf("prof answered another's question (%d openings)", suites[prof].opening-before)
		}
	}
	if suites[prof].opening == 0 {
		t.Error("nothing was opened: the test shows nothing")
	}
}

// TestProveAnswerIsForOne: an answer that a third peer plays back, as an answer to
// its own stream, is refused: a fresh question has a fresh seed and key.
func TestProveAnswerIsForOne(t *testing.T) {
	n, all, _ := asking(t, 74, "prof", "ann", "prof", "mallory")
	ann, prof, mallory := all[0], all[1], all[2]
	if err := ann.asks(prof, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	q := n.asked(prof)
	var answer []byte
	n.watch = frames(func(to *simNode, data []byte) {
		if to == ann && data[0] == record.FrameAnswer {
			answer = bytes.Clone(data)
		}
	})
	prof.answers(q.ID, true)
	if !n.attested(ann).OK || answer == nil {
		t.Fatal("no answer to play back")
	}
	n.watch = nil
	n.run(20 * time.Second)
	if err := ann.asks(mallory, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	n.asked(mallory)
	for id := range mallory.room.questions.theirs {
		mallory.room.send(mallory.room.streams.byID[id], answer)
	}
	n.drain(mallory)
	n.run(time.Second)
	got := shown[Attested](ann)
	if last := got[len(got)-1]; last.OK && last.Member.Peer == mallory.room.Self() {
		t.Error("an answer to another question was taken")
	}
	if len(got) != 2 {
		t.Errorf("%d outcomes of two questions", len(got))
	}
}

// TestProveStrangers: who is no member, or has a member's identity key alone, is
// not even shown to the user; nor is a member that asks again at once.
func TestProveStrangers(t *testing.T) {
	n, all, suites := asking(t, 75, "prof", "ann", "prof")
	ann, prof := all[0], all[1]
	g := ann.room.days[ann.room.today()]
	question := func() *record.Question {
		q := &record.Question{
			Period: g.period, Asker: g.own.cid, Prover: prof.room.days[g.period].own.cid,
			Nonce: ake.Sum("nonce"), Policy: professor,
		}
		seed := floodSeed(3)
		q.Encapsulation = fakeQuestion(seed, ann.room.questionContext(q)).Bytes
		return q
	}
	ask := func(x *spy, q *record.Question) {
		n.connect(x.node, prof)
		n.run(100 * time.Millisecond)
		x.open(prof, ProtocolAsk, q.Append([]byte{record.FrameQuestion}))
		n.run(time.Second)
	}
	stranger := n.addSpy("stranger", nil)
	ask(stranger, question())
	thief := n.addSpy("thief", ann.room.cfg.Identity)
	ask(thief, question())
	if len(shown[Asked](prof)) > 0 {
		t.Fatal("a stranger's question was shown")
	}
	n.stop(thief.node)
	n.run(time.Second)

	if err := ann.asks(prof, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	first := n.asked(prof)
	prof.answers(first.ID, false)
	n.attested(ann)
	if err := ann.asks(prof, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	n.run(5 * time.Second)
	if asked := shown[Asked](prof); len(asked) != 1 {
		t.Errorf("%d questions in a few seconds", len(asked))
	}
	if suites[prof].opening != 0 {
		t.Error("something was opened")
	}
	if err := ann.room.Ask(ann.clock(), stranger.self, askedPolicy(t)); err == nil {
		t.Error("a stranger can be asked")
	}
}

// frames is a watcher that sees what arrives on streams and on the topic.
type frames func(to *simNode, data []byte)

func (frames) stepped(*simNode)                   {}
func (frames) took(*simNode, Event)               {}
func (f frames) arriving(s *simNode, data []byte) { f(s, data) }
func (frames) opening(*simNode, [32]byte)         {}
func (frames) saved(*simNode, Saved)              {}

// TestQuestionsNotTaken: a question is taken from the very process that asks, for this one, for
// today, in canonical text, once a stream; else the user is not shown it.
func TestQuestionsNotTaken(t *testing.T) {
	n, all, _ := asking(t, 77, "prof", "ann", "prof", "cyn")
	ann, prof, cyn := all[0].room, all[1].room, all[2].room
	g := ann.days[ann.today()]
	x := func() *exchange {
		return &exchange{id: 1001, identity: ann.identity, working: ann.workingID, protocol: ProtocolAsk}
	}
	question := func() *record.Question {
		q := &record.Question{
			Period: g.period, Asker: g.own.cid, Prover: prof.days[g.period].own.cid, Nonce: ake.Sum("nonce"), Policy: professor,
		}
		q.Encapsulation = fakeQuestion(floodSeed(3), ann.questionContext(q)).Bytes
		return q
	}
	for what, change := range map[string]func(*exchange, *record.Question){
		"by another process":      func(x *exchange, _ *record.Question) { x.working = cyn.workingID },
		"outside a channel":       func(x *exchange, _ *record.Question) { x.working = [32]byte{} },
		"as another member":       func(_ *exchange, q *record.Question) { q.Asker = cyn.days[g.period].own.cid },
		"by another member":       func(x *exchange, _ *record.Question) { x.identity, x.working = cyn.identity, cyn.workingID },
		"for another member":      func(_ *exchange, q *record.Question) { q.Prover = cyn.days[g.period].own.cid },
		"of yesterday":            func(_ *exchange, q *record.Question) { q.Period-- },
		"of tomorrow":             func(_ *exchange, q *record.Question) { q.Period++ },
		"not in canonical text":   func(_ *exchange, q *record.Question) { q.Policy = "Professor" },
		"of a policy that is not": func(_ *exchange, q *record.Question) { q.Policy = `"Professor" and` },
	} {
		x, q := x(), question()
		change(x, q)
		if prof.tookQuestion(x, q.Append(nil)) || len(prof.questions.theirs) > 0 {
			t.Errorf("%s: it is taken", what)
		}
	}
	if !prof.tookQuestion(x(), question().Append(nil)) || len(prof.questions.theirs) != 1 {
		t.Fatal("the right one is not taken: the test shows nothing")
	}
	n.run(askerPeriod)
	if prof.tookQuestion(x(), question().Append(nil)) {
		t.Error("a second one on a stream is taken")
	}
	delete(prof.questions.theirs, 1001)

	if err := all[0].asks(all[0], askedPolicy(t)); !errors.Is(err, ErrNotMember) {
		t.Errorf("asking oneself: %v", err)
	}
	long, err := abe.ParsePolicy(`"` + strings.Repeat("x", 100) + `"` + strings.Repeat(` or "`+strings.Repeat("y", 100)+`"`, 5))
	if err != nil {
		t.Fatal(err)
	}
	if err := all[0].asks(all[1], long); !errors.Is(err, ErrQuestionPolicy) {
		t.Errorf("a long policy: %v", err)
	}
	// Who is silent neither asks nor is asked.
	n.pause(all[0])
	n.until(10*time.Minute, "ann is silent", func() bool { return len(prof.head.list) == 2 })
	if prof.tookQuestion(x(), question().Append(nil)) {
		t.Error("a question of who is silent is taken")
	}
	if err := all[1].asks(all[0], askedPolicy(t)); !errors.Is(err, ErrNotMember) {
		t.Errorf("asking who is silent: %v", err)
	}
}

// TestLateYes: a yes after a minute, or when the day is over, opens nothing.
func TestLateYes(t *testing.T) {
	n, all, suites := asking(t, 78, "prof", "ann", "prof")
	ann, prof := all[0], all[1]
	if err := ann.asks(prof, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	id := n.asked(prof).ID
	if err := prof.room.Answer(prof.clock().Add(QuestionTime+time.Second), id, true); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("after more than a minute: %v", err)
	}

	n, midnight := near(t, 79, time.Hour)
	all = n.party("ann", "prof")
	ann, prof = all[0], all[1]
	for _, s := range all {
		suites[s] = &askingSuite{fakeSuite: s.room.cfg.Encapsulator.(*fakeSuite), holds: map[string]bool{professor: true}}
		s.room.cfg.Encapsulator = suites[s]
	}
	n.run(midnight.Sub(n.now) - 10*time.Second)
	if err := ann.asks(prof, askedPolicy(t)); err != nil {
		t.Fatal(err)
	}
	id = n.asked(prof).ID
	n.run(20 * time.Second)
	if err := prof.answers(id, true); err != nil {
		t.Fatal(err)
	}
	if a := n.attested(prof); a.OK || suites[prof].opening != 0 {
		t.Errorf("after midnight: %+v, %d openings", a, suites[prof].opening)
	}
	if a := n.attested(ann); a.OK {
		t.Error("ann believes it")
	}
}
