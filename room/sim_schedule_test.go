package room

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A schedule is all that happens in one run of the simulator. It can be drawn
// from a seed, made shorter, and written down as a Go literal.
type schedule struct {
	seed  uint64 // of the network's and the nodes' randomness
	start string // time of day
	// peers has a letter for each: m satisfies the policy; l does until the end
	// of the day on which the run starts; o never does, but runs the protocol
	// all the same; f, r and p are hostile (sim_outsiders_test.go). v satisfies the policy
	// until its key is revoked, and leaves when it learns of that; w takes no notice.
	peers string
	skew  []int // of the peers' clocks, in seconds

	history bool // newcomers get what was said within a day
	asked   bool // the room takes questions from outside
	files   int  // how many MiB each keeps of files; 0: none are sent

	loss, dup             int // percent
	delay, jitter, notice int // ms
	steps                 []step
}

// A step happens at a time, in milliseconds from the start. What cannot be done
// at that time (to start what runs) is not done.
type step struct {
	ms   int
	do   string
	a, b int
}

// What can be done:
//
//	start a       start a process of peer a
//	crash a       end it without a word
//	crash! a b    end it at its next publication: before (b=0), after it reached one neighbour (1), or after (2);
//	              or when it next saves something: before (3) or after (4)
//	leave a       leave; the process ends a second later
//	say a         send a message
//	to a b        say something to some: to those who satisfy simPolicies[b]
//	about a b     say something of kind 6 + b about a message, whether it counts or not
//	ask a b       somebody outside hands a question to peer a: for all, or for those who satisfy simPolicies[b-1]
//	answer a      peer a answers the last question that it reads
//	file a b      send a file of the size simSizes[b]
//	fetch a b     have one of the files fetched that it is shown, by number
//	keep a b      read one of them
//	unfile a      withdraw one of one's own
//	lose a b      the disk loses a quarter of its pieces
//	full a b      the disk takes no pieces (b=1), or does again (0)
//	spoil a b     from now on peer a serves pieces (0), garbage (1), says that it has none (2), or nothing (3)
//	pause a       suspend the process
//	resume a
//	mesh          connect all peers
//	connect a b   connect two
//	drop a b      disconnect them
//	cut a b       what a sends to b is lost, the other direction works
//	mend a b
//	part g        disconnect the peers in the set of bits g from the others
//	heal          undo all partitions
//	whole         undo all partitions, cuts and disconnections
//	loss a        lose a percent from now on
//	revoke a b    the domain revokes the key of peer a, too; peer b is brought the notice

// generate draws a schedule.
func generate(seed uint64) *schedule { return draw(seed, true) }

// draw draws a schedule, with notices or without.
func draw(seed uint64, withNotices bool) *schedule {
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	s := &schedule{
		seed: seed, start: "09:00:00",
		loss: pick(0, 0, 2, 10, 20), dup: pick(0, 0, 5, 20),
		delay: pick(5, 25, 25, 100, 200), jitter: pick(0, 5, 50, 400), notice: pick(0, 0, 1000, 10000),
	}
	disk := rand.New(rand.NewPCG(seed, 2))
	s.history = disk.IntN(4) == 0
	n := 2 + rng.IntN(7)
	s.peers = strings.Repeat("m", n)
	switch rng.IntN(12) {
	case 0:
		s.start = "17:59:20"
	case 1:
		s.start = "23:58:40"
	case 2:
		s.start = "23:59:40"
		if *simSkew == 0 { // else whose key has lapsed is a matter of opinion
			s.peers = s.peers[1:] + "l"
		}
	case 3:
		s.start = "00:04:30"
	}
	if rng.IntN(3) == 0 {
		s.peers += string("oofrp"[rng.IntN(5)])
	}
	if rng.IntN(6) == 0 {
		s.peers += string("ofrp"[rng.IntN(4)])
	}
	total := len(s.peers)
	for range total {
		skew := 0
		if rng.IntN(4) == 0 {
			skew = rng.IntN(241) - 120
			if *simSkew > 0 && rng.IntN(2) == 0 {
				skew = rng.IntN(2**simSkew+1) - *simSkew
			}
		}
		s.skew = append(s.skew, skew)
	}

	add := func(ms int, do string, a, b int) { s.steps = append(s.steps, step{ms, do, a, b}) }
	switch rng.IntN(4) {
	case 0: // a random tree, and a few more
		for i := 1; i < total; i++ {
			add(0, "connect", rng.IntN(i), i)
		}
		for range rng.IntN(total) {
			if a, b := rng.IntN(total), rng.IntN(total); a != b {
				add(0, "connect", min(a, b), max(a, b))
			}
		}
	default:
		add(0, "mesh", 0, 0)
	}
	spread := pick(1, 2000, 20000)
	for i := range total {
		add(rng.IntN(spread), "start", i, 0)
	}
	length := pick(10000, 30000, 60000)
	if rng.IntN(6) == 0 {
		length = 300000 // long enough to be taken for dead, and to come back
	}
	for range 3 + rng.IntN(30) {
		ms, a, b := rng.IntN(length), rng.IntN(total), rng.IntN(total)
		again := ms + 1000 + rng.IntN(length/2)
		switch rng.IntN(16) {
		case 0, 1, 2, 3:
			add(ms, "say", a, 0)
		case 4:
			add(ms, "crash", a, 0)
			if rng.IntN(2) == 0 {
				add(again, "start", a, 0)
			}
		case 5:
			at := rng.IntN(3)
			if disk.IntN(2) == 0 {
				at = 3 + disk.IntN(2)
			}
			add(ms, "crash!", a, at)
			add(again, "start", a, 0)
		case 6, 7:
			add(ms, [2]string{"leave", "away"}[disk.IntN(2)], a, 0)
			if rng.IntN(2) == 0 {
				add(again, "start", a, 0)
			}
		case 8:
			add(ms, "pause", a, 0)
			add(again, "resume", a, 0)
		case 9:
			add(ms, "drop", a, b)
			add(again, "connect", a, b)
		case 10:
			add(ms, "cut", a, b)
			if rng.IntN(2) == 0 {
				add(again, "mend", a, b)
			}
		case 11:
			add(ms, "part", rng.IntN(1<<total), 0)
			add(again, "heal", 0, 0)
		case 12:
			for i := range total {
				if rng.IntN(2) == 0 {
					add(ms+rng.IntN(200), "say", i, 0)
				}
			}
		case 13:
			add(ms, "start", a, 0)
		case 14:
			add(ms, "connect", a, b)
		case 15:
			add(ms, "loss", pick(0, 20, 50), 0)
			add(again, "loss", s.loss, 0)
		}
	}
	notices := rand.New(rand.NewPCG(seed, 3))
	if n >= 3 && notices.IntN(4) == 0 && withNotices {
		peers := []byte(s.peers)
		for i := range 1 + notices.IntN(2) {
			peers[i] = "vw"[notices.IntN(2)]
			add(notices.IntN(length), "revoke", i, notices.IntN(total))
		}
		s.peers = string(peers)
	}
	// The end: everybody is awake; partitions heal or one stays.
	last := 0
	for _, st := range s.steps {
		last = max(last, st.ms)
	}
	for i := range total {
		add(last+1, "resume", i, 0)
	}
	switch rng.IntN(4) {
	case 0:
		add(last+1, "whole", 0, 0)
		add(last+1, "loss", 0, 0)
	case 1:
		add(last+1, "heal", 0, 0)
		add(last+2, "part", rng.IntN(1<<total), 0)
	case 2:
		add(last+1, "heal", 0, 0)
		for range 1 + rng.IntN(3) {
			add(last+2, "cut", rng.IntN(total), rng.IntN(total))
		}
	}
	if seed >= firstToSeed {
		words := rand.New(rand.NewPCG(seed, 3))
		for i := range s.steps {
			if st := &s.steps[i]; st.do == "say" && words.IntN(3) == 0 {
				st.do, st.b = "to", words.IntN(len(simPolicies))
			}
		}
	}
	if seed >= firstAskSeed {
		asks := rand.New(rand.NewPCG(seed, 4))
		s.asked = asks.IntN(3) > 0
		for i := range s.steps {
			if st := &s.steps[i]; s.asked && (st.do == "say" || st.do == "to") && asks.IntN(2) == 0 {
				st.do, st.b = [2]string{"ask", "answer"}[asks.IntN(2)], asks.IntN(len(simPolicies)+1)
			}
		}
		for range 4 {
			if ms := last/3 + asks.IntN(last+1); s.asked {
				add(ms, "ask", asks.IntN(total), asks.IntN(len(simPolicies)+1))
				add(ms+asks.IntN(10000), "answer", asks.IntN(total), 0)
			}
		}
	}
	if seed >= firstAboutSeed {
		about := rand.New(rand.NewPCG(seed, 5))
		for range 5 + about.IntN(30) {
			add(last/4+about.IntN(last+1), "about", about.IntN(total), about.IntN(4))
		}
	}
	if seed >= firstFileSeed {
		s.drawFiles(last, add)
	}
	slices.SortStableFunc(s.steps, func(a, b step) int { return a.ms - b.ms })
	return s
}

// firstFileSeed is the first seed of which files are sent.
const firstFileSeed = 40_000_000

// firstAboutSeed is the first seed of which some messages are about others.
const firstAboutSeed = 30_000_000

// firstAskSeed is the first seed of which some rooms take questions from outside.
const firstAskSeed = 20_000_000

// firstToSeed is the first seed of which some of the messages are words for some: those
// below mean what they meant before there were any.
const firstToSeed = 9_000_000

// String is the schedule as a Go literal.
func (s *schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schedule{\n\tseed: %d, start: %q, peers: %q, skew: %#v,\n", s.seed, s.start, s.peers, s.skew)
	if s.history {
		fmt.Fprintf(&b, "\thistory: true,\n")
	}
	if s.asked {
		fmt.Fprintf(&b, "\tasked: true,\n")
	}
	if s.files > 0 {
		fmt.Fprintf(&b, "\tfiles: %d,\n", s.files)
	}
	fmt.Fprintf(&b, "\tloss: %d, dup: %d, delay: %d, jitter: %d, notice: %d,\n\tsteps: []step{\n", s.loss, s.dup, s.delay, s.jitter, s.notice)
	for _, st := range s.steps {
		fmt.Fprintf(&b, "\t\t{%d, %q, %d, %d},\n", st.ms, st.do, st.a, st.b)
	}
	b.WriteString("\t},\n}")
	return b.String()
}

func (s *schedule) begin() time.Time {
	at, err := time.Parse("2006-01-02 15:04:05", "2026-11-23 "+s.start)
	if err != nil {
		panic(err)
	}
	return at
}

// with is the schedule with other steps.
func (s *schedule) with(steps []step) *schedule {
	t := *s
	t.steps = steps
	return &t
}

// shrink leaves out whatever the failure does not need: delta debugging over the
// steps, then over what else makes a run hard to follow. fails must report
// whether a schedule fails in the same way; it is called at most budget times.
func (s *schedule) shrink(budget int, fails func(*schedule) bool) *schedule {
	try := func(t *schedule) bool {
		if budget <= 0 {
			return false
		}
		budget--
		return fails(t)
	}
	steps := func() {
		for size := max(len(s.steps)/2, 1); ; size /= 2 {
			for i := 0; i < len(s.steps); {
				t := s.with(slices.Delete(slices.Clone(s.steps), i, min(i+size, len(s.steps))))
				if try(t) {
					s = t
				} else {
					i += size
				}
			}
			if size <= 1 {
				return
			}
		}
	}
	steps()
	for _, simpler := range []func(t *schedule){
		func(t *schedule) { t.history = false },
		func(t *schedule) { t.asked = false },
		func(t *schedule) { t.loss = 0 },
		func(t *schedule) { t.dup = 0 },
		func(t *schedule) { t.jitter = 0 },
		func(t *schedule) { t.notice = 0 },
		func(t *schedule) { t.delay = 25 },
		func(t *schedule) { t.start = "09:00:00" },
		func(t *schedule) { t.skew = make([]int, len(t.skew)) },
	} {
		t := *s
		simpler(&t)
		if try(&t) {
			s = &t
		}
	}
	steps()
	return s
}
