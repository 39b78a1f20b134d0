package room

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

var (
	simSchedules = flag.Int("sim.schedules", 200, "how many schedules TestSimulate runs")
	simSeed      = flag.Uint64("sim.seed", 1, "the seed of the first")
	simSkew      = flag.Int("sim.skew", 0, "up to how many seconds some clocks are off, beyond two minutes")
	simKeep      = flag.Int("sim.keep", 1, "after how many failures TestSimulate stops")
	simShrink    = flag.Bool("sim.shrink", true, "shrink what fails")
)

// A failure is a broken rule.
type failure struct {
	rule string
	text string
	at   time.Duration
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %s (after %v)", f.rule, f.text, f.at) }

// A sim is a run of a schedule.
type sim struct {
	*network
	schedule *schedule
	began    time.Time
	peers    []*simPeer
	wanted   map[[2]int]bool
	cuts     map[[2]int]bool
	parts    []int
	said     int
	changes  int                    // of the members, counted from outside
	lastWas  time.Duration          // when the last step was taken
	restAt   time.Duration          // from the last step until all was right
	revoked  []uint64               // the keys that the domain named in its newest notice ..
	notices  map[uint32]*abe.Notice // .. and all notices

	looker
	asked   map[string]string  // for whom each question from outside is
	answers map[string]peer.ID // who gave each answer
	files   simFiles
}

// A simPeer is somebody with an identity, and a process at times.
type simPeer struct {
	index    int
	kind     byte
	identity ed25519.PrivateKey
	proc     *simNode
	starts   int
	leftAt   time.Time // when one of its processes last left for good
	disk     memJournal
	notice   *abe.Notice // the newest that one of its processes took

	pieces *memPieces // of files
	spoils int        // what it makes of the pieces that it serves
	spoilt bool       // it has ever made anything of them
}

// serial is that of its key.
func (p *simPeer) serial() uint64 { return uint64(p.index) + 1 }

func (p *simPeer) running() bool { return p.proc != nil && !p.proc.down }

// run runs the schedule until everything is at rest; the failure is nil if no
// rule was broken.
func (s *schedule) run() (w *sim, failed *failure) {
	n := newNetwork(nil, s.seed)
	n.now = s.begin()
	n.maxSteps = 3_000_000
	if s.history {
		d := *n.desc
		d.History = 24 * time.Hour
		n.desc = &d
	}
	if s.asked {
		n.takesQuestions()
	}
	n.loss, n.dup = float64(s.loss)/100, float64(s.dup)/100
	ms := func(i int) time.Duration { return time.Duration(i) * time.Millisecond }
	n.delay, n.jitter, n.notice = ms(s.delay), ms(s.jitter), ms(s.notice)
	w = &sim{
		asked: make(map[string]string), answers: make(map[string]peer.ID), network: n, schedule: s, began: n.now,
		wanted: make(map[[2]int]bool), cuts: make(map[[2]int]bool), notices: make(map[uint32]*abe.Notice), files: newSimFiles(),
	}
	n.configure = w.configure
	if s.files > 0 {
		n.rewrite = w.serve
	}
	w.looker.init(w)
	n.watch = &w.looker
	n.failed = func(rule, format string, args ...any) {
		panic(&failure{rule, fmt.Sprintf(format, args...), n.now.Sub(w.began)})
	}
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *failure:
			failed = x
		default:
			failed = &failure{"panic", fmt.Sprintf("%v\n%s", x, debug.Stack()), n.now.Sub(w.began)}
		}
	}()
	for i, kind := range []byte(s.peers) {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], s.seed)
		seed[8] = byte(i)
		w.peers = append(w.peers, &simPeer{index: i, kind: kind, identity: ed25519.NewKeyFromSeed(seed[:]),
			pieces: newMemPieces()})
	}
	w.looker.know()
	for _, st := range s.steps {
		if d := w.began.Add(ms(st.ms)).Sub(n.now); d > 0 {
			n.run(d)
		}
		w.do(st)
	}
	w.lastWas = n.now.Sub(w.began)
	w.rest()
	return w, nil
}

// ask hands a question to a peer, as somebody whom nobody knows.
func (w *sim) ask(s *simNode, text string, policy int) {
	q := &record.Outside{Period: abe.PeriodOf(s.room.notices.number(), abe.DayOf(w.now))}
	if policy > 0 {
		q.For = simPolicies[policy-1]
	}
	in, err := inquire(source{rand.NewChaCha8(ake.Sum(text))}, w.desc, q, text,
		func(seed ake.Secret, c *ake.OutsideContext) ([]byte, ake.WordsKey, error) {
			enc, key := fakeOutside(seed, c)
			return enc, key, nil
		})
	if err != nil {
		w.fail("ask", "%v", err)
	}
	w.asked[text] = q.For
	id := s.next
	s.next += 2
	s.room.StreamOpened(s.clock(), id, peerOf(ake.Sum("asker", []byte(text))), [32]byte{}, ProtocolOutside)
	s.room.StreamFrame(s.clock(), id, record.EncodeOutside(topicOf(w.desc), in.Question))
	s.room.StreamClosed(s.clock(), id)
	w.drain(s)
}

// do takes a step.
func (w *sim) do(st step) {
	if st.do != "part" && st.do != "loss" && (st.a >= len(w.peers) || st.b >= len(w.peers)) {
		return
	}
	p := func() *simPeer { return w.peers[st.a] }
	switch st.do {
	case "start":
		w.startPeer(p())
	case "crash":
		if p().running() {
			w.changes++
			w.stop(p().proc)
		}
	case "crash!":
		if p().running() {
			w.changes++
			p().proc.crash = []string{"before", "amid", "after", "unwritten", "written"}[st.b%5]
		}
	case "leave", "away":
		if s := p().proc; p().running() && s.room != nil && !s.paused {
			w.changes++
			if st.do == "leave" {
				s.room.Leave(s.clock())
				p().leftAt = w.now
			} else {
				s.room.GoAway(s.clock())
			}
			w.drain(s)
			w.at(time.Second, func() { w.stop(s) })
		}
	case "say", "to":
		if s := p().proc; p().running() && s.room != nil && !s.paused {
			w.said++
			text := fmt.Sprintf("%s #%d", s.name, w.said)
			err := error(nil)
			if st.do == "to" {
				err = s.room.SendTo(s.clock(), text, simPolicy(st.b), text)
			} else {
				err = s.room.Send(s.clock(), text, record.KindText, text)
			}
			if err == nil {
				w.typed(s)
			}
			w.drain(s)
		}
	case "about":
		if s := p().proc; p().running() && s.room != nil && !s.paused {
			w.about(s, record.KindReply+byte(st.b%4))
		}
	case "file", "fetch", "keep", "unfile", "lose", "full", "spoil":
		if s := p().proc; p().running() && s.room != nil && !s.paused && w.schedule.files > 0 {
			w.file(s, st)
		}
	case "ask":
		if s := p().proc; p().running() && s.room != nil && !s.paused && w.desc.Questions {
			w.said++
			w.ask(s, fmt.Sprintf("question #%d", w.said), st.b)
		}
	case "answer":
		if s := p().proc; p().running() && s.room != nil && !s.paused && w.desc.Questions {
			w.said++
			if all := s.room.OutsideQuestions(); len(all) > 0 {
				text := fmt.Sprintf("answer #%d of %s", w.said, s.name)
				w.answers[text] = s.room.self
				err := s.room.AnswerOutside(s.clock(), all[len(all)-1].Number, text)
				if err != nil && !errors.Is(err, ErrNobodyHears) && !errors.Is(err, ErrLeft) {
					w.fail("answer", "%s: %v", s.name, err)
				}
				w.drain(s)
			}
		}
	case "pause":
		if p().running() {
			w.pause(p().proc)
		}
	case "resume":
		if p().running() {
			w.resume(p().proc)
		}
	case "mesh":
		w.mesh()
	case "connect":
		w.wanted[pair(st.a, st.b)] = true
		w.wire(st.a, st.b)
	case "drop":
		w.wanted[pair(st.a, st.b)] = false
		w.wire(st.a, st.b)
	case "cut", "mend":
		w.cuts[[2]int{st.a, st.b}] = st.do == "cut"
		w.wire(st.a, st.b)
	case "part":
		w.changes++
		w.parts = append(w.parts, st.a)
		w.wireAll()
	case "heal":
		w.changes++
		w.parts = nil
		w.wireAll()
	case "whole":
		w.changes++
		w.parts, w.cuts = nil, make(map[[2]int]bool)
		w.mesh()
		w.wireAll()
	case "revoke":
		w.revoke(p(), w.peers[st.b])
	case "loss":
		w.loss = float64(st.a) / 100
	default:
		panic("no such step: " + st.do)
	}
}

func simPolicy(i int) *abe.Policy {
	p, err := abe.ParsePolicy(simPolicies[i%len(simPolicies)])
	if err != nil {
		panic(err)
	}
	return p
}

// configure has a peer begin with its key, and the newest notice that it knows.
func (w *sim) configure(s *simNode, c *Config) {
	p := w.kinds[[32]byte(c.Identity.Public().(ed25519.PublicKey))]
	c.Serial, c.Notice = p.serial(), p.notice
	w.keepsFiles(p, c)
	if p.kind == 'w' {
		c.CheckNotice = nil
	}
}

// revoke makes a notice that names a peer's key, and those before.
func (w *sim) revoke(p, to *simPeer) {
	if p.kind != 'v' && p.kind != 'w' || slices.Contains(w.revoked, p.serial()) {
		return
	}
	w.changes += 2
	w.revoked = append(w.revoked, p.serial())
	n := noticeAt(w.now.Add(time.Duration(len(w.notices))*time.Second), w.revoked...)
	w.notices[n.Number] = n
	for _, q := range append([]*simPeer{to}, w.peers...) {
		if s := q.proc; q.running() && s.room != nil && !s.paused && q.kind != 'w' {
			s.room.TakeNotice(s.clock(), n)
			w.drain(s)
			return
		}
	}
}

func pair(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

func (w *sim) mesh() {
	for a := range w.peers {
		for b := range a {
			w.wanted[pair(a, b)] = true
			w.wire(a, b)
		}
	}
}

func (w *sim) wireAll() {
	for a := range w.peers {
		for b := range a {
			w.wire(a, b)
		}
	}
}

// wire makes the link between two peers what it should be.
func (w *sim) wire(a, b int) {
	x, y := w.peers[a], w.peers[b]
	if a == b || !x.running() || !y.running() {
		return
	}
	up := w.wanted[pair(a, b)]
	for _, g := range w.parts {
		up = up && g>>a&1 == g>>b&1
	}
	l := x.proc.links[y.proc]
	if !up {
		w.disconnect(x.proc, y.proc)
		return
	}
	if l == nil || !l.up {
		l = w.connect(x.proc, y.proc)
	}
	w.cutOff(l, x.proc, w.cuts[[2]int{a, b}])
	w.cutOff(l, y.proc, w.cuts[[2]int{b, a}])
}

func (w *sim) startPeer(p *simPeer) {
	if p.running() {
		return
	}
	if p.kind == 'v' && p.notice.Names(p.serial()) {
		return // it knows better
	}
	w.changes++
	p.starts++
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], w.seed)
	seed[8], seed[9] = byte(p.index), byte(p.starts)
	name := fmt.Sprintf("%c%d.%d", p.kind, p.index, p.starts)
	skew := time.Duration(w.schedule.skew[p.index]) * time.Second
	first := abe.DayOf(w.began)
	switch p.kind {
	case 'v', 'w', 'm':
		p.proc = w.startOn(&p.disk, name, func(abe.Day) bool { return true }, p.identity, seed, skew)
	case 'l':
		p.proc = w.startOn(&p.disk, name, func(d abe.Day) bool { return d <= first }, p.identity, seed, skew)
	case 'f', 'r', 'p':
		p.proc = w.newNode(name, skew)
		p.proc.actor = newIntruder(p.proc, p.kind, p.identity, seed)
		w.drain(p.proc)
	default:
		p.proc = w.startValid(name, func(abe.Day) bool { return false }, p.identity, seed, skew)
	}
	p.proc.peer = p.index
	for i := range w.peers {
		w.wire(p.index, i)
	}
}

// rest lets time pass until everything is as it should be, then sees whether it
// stays so.
func (w *sim) rest() {
	if skew := w.schedule.skew; slices.Max(skew)-slices.Min(skew) > int(earlyDay/time.Second) {
		// Their clocks are too far apart for one room: only no rule may break.
		w.run(2 * time.Minute)
		w.finally()
		return
	}
	limit, calm := 240*time.Second, 20*time.Second
	if len(w.notices) > 0 {
		limit += 3 * time.Minute
	}
	end := w.now.Add(limit)
	if midnight := abe.DayOf(w.began) + 1; w.now.Add(limit).After(midnight.Start()) {
		end = maxTime(end, midnight.Start().Add(limit+5*time.Minute))
	}
	for _, s := range w.nodes {
		s.crash = "" // whoever has not published anything by now does not crash any more
	}
	began := w.now
	w.run(2 * time.Second)
	for {
		bad := w.atRest()
		if bad == nil {
			commits := w.commits
			w.restAt = w.now.Sub(began)
			w.run(calm)
			if bad = w.atRest(); bad == nil && w.commits == commits {
				break
			} else if bad == nil {
				bad = &failure{"rest-commits", fmt.Sprintf("%d more commits in a calm of %v", w.commits-commits, calm), 0}
			}
		}
		if w.now.After(end) {
			w.fail(bad.rule, "still, %v after the last step: %s\n%s", w.now.Sub(began), bad.text, w.describe())
		}
		w.run(3 * time.Second)
	}
	w.finally()
}

// describe adds who is connected to whom.
func (w *sim) describe() string {
	var b strings.Builder
	b.WriteString(w.network.describe())
	for _, s := range w.nodes {
		if s.down {
			continue
		}
		fmt.Fprintf(&b, "%s:", s.name)
		for _, far := range w.nodes {
			if l := s.links[far]; l != nil && l.carries(s) {
				fmt.Fprintf(&b, " -> %s", far.name)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// runWatched is run, with a word if it takes much too long.
func (s *schedule) runWatched() (*sim, *failure) {
	dog := time.AfterFunc(30*time.Second, func() {
		fmt.Fprintf(os.Stderr, "seed %d has been running for 30 s\n%v\n", s.seed, s)
	})
	defer dog.Stop()
	return s.run()
}

// report says what failed and, in as few events as possible, how to make it
// fail.
func (s *schedule) report(t *testing.T, f *failure) {
	t.Helper()
	t.Errorf("seed %d, %d steps: %v", s.seed, len(s.steps), f)
	if !*simShrink || f.rule == "steps" {
		t.Logf("%v", s)
		return
	}
	small := s.shrink(400, func(c *schedule) bool {
		_, g := c.runWatched()
		return g != nil && g.rule == f.rule
	})
	_, g := small.runWatched()
	if g == nil {
		g = &failure{text: "not again"}
	}
	t.Logf("in %d steps: %v\n%v", len(small.steps), g, small)
}

// TestSameSeed: a schedule runs the same way each time, to the byte: nothing goes by the
// order of a map.
func TestSameSeed(t *testing.T) {
	for _, seed := range []uint64{7000016, 7000059} {
		var first uint64
		for i := range 3 {
			w, f := generate(seed).run()
			if f != nil {
				t.Fatal(f)
			}
			if i == 0 {
				first = w.looker.all
			} else if w.looker.all != first {
				t.Errorf("seed %d runs another way", seed)
				break
			}
		}
	}
}

// TestSimulate runs schedules of the simulator, as many at once as there
// are processors. A failure prints its seed and shrinks to a table for
// TestRegressions.
func TestSimulate(t *testing.T) {
	if testing.Short() {
		*simSchedules = min(*simSchedules, 20)
	}
	// A schedule keeps little and throws much away.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var mu sync.Mutex
	var steps, commits, changes, opens, begun int
	var rest, worst time.Duration
	failed := make(map[uint64]func())
	began := time.Now()
	// next is the seed of the next schedule; none is left, or enough have failed.
	next := func() (seed uint64, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if begun == *simSchedules || len(failed) >= *simKeep {
			return 0, false
		}
		begun++
		return *simSeed + uint64(begun) - 1, true
	}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed, ok := next(); ok; seed, ok = next() {
				s := generate(seed)
				w, f := s.runWatched()
				mu.Lock()
				steps += w.network.steps
				commits += w.commits
				changes += w.changes
				opens += w.opens
				rest += w.restAt
				worst = max(worst, w.restAt)
				if f != nil {
					failed[seed] = func() { s.report(t, f) }
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	for _, seed := range slices.Sorted(maps.Keys(failed)) {
		failed[seed]()
	}
	t.Logf("%d schedules from seed %d in %v: %d events, %d changes, %d commits, %d openings; at rest after %v on average, %v at most",
		begun, *simSeed, time.Since(began).Round(time.Millisecond), steps, changes, commits, opens, (rest / time.Duration(max(begun, 1))).Round(time.Millisecond), worst)
}
