//go:build !windows

package node

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

var scaleMembers = flag.String("scale.members", "10",
	"sizes of TestScale, as 10,100; 1000 takes minutes and gigabytes, so that no test run has it")

var scaleParts = flag.String("scale.parts", "chat,joins,leaves,churn,cut", "what happens in TestScale, in this order")

var scaleLinks = flag.String("scale.links", "quic,plain", "what hosts of TestScale dial each other over, in one run "+
	"after the other: QUIC, or links without packets and encryption, which cost less")

var scaleHeap = flag.String("scale.heap", "", "a file for the heap's profile of TestScale, while the room is quiet")

// TestScale is the life of a room on real libp2p hosts in virtual time: people come and go, one
// by one and twenty in a minute; talk; are cut off from each other, and find each other again.
// It begins from a room that stands (formed), and logs what each part took. It fails, at any
// size, if somebody does not come into an epoch that they belong into, or does not hear what was
// said for them.
//
//	go test ./node -run '^TestScale$' -v -timeout 1h -scale.members 100,300 -scale.links plain -cpuprofile cpu.out
func TestScale(t *testing.T) {
	for _, text := range strings.Split(*scaleMembers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, links := range strings.Split(*scaleLinks, ",") {
			t.Run(text+"/"+links, func(t *testing.T) {
				if n > 50 {
					large(t)
				}
				if n > 500 { // it is to fit, at the price of more work for the collector
					defer debug.SetMemoryLimit(debug.SetMemoryLimit(14 << 30))
				}
				lived := *scaleParts
				if raceDetector {
					lived = "joins" // all of it takes minutes on one processor
				}
				liveScale(t, n, links, lived)
			})
		}
	}
}

// TestHalvesReunite: a room whose network was cut in two is one again, and everybody has
// heard everything, within ten seconds of its healing; also where each half has more members
// than one keeps connections to, so that nobody is short of any.
func TestHalvesReunite(t *testing.T) {
	for _, n := range []int{10, 24} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			if raceDetector {
				t.Skip("it takes minutes on one processor under the race detector")
			}
			liveScale(t, n, "quic", "cut")
		})
	}
}

func liveScale(t *testing.T, n int, links, parts string) {
	checks := checkOnce(t)
	virtual(t, func(s *sim) {
		switch links {
		case "plain":
			s.links = &linkNet{apart: s.isApart, hosts: make(map[string]*linkHost)}
		case "quic":
		default:
			t.Fatalf("there are no links %q", links)
		}
		(&scale{sim: s, checks: checks, rng: rand.New(rand.NewPCG(uint64(n), 0)),
			changes: make(map[changeOf]*change), said: make(map[string]*saying)}).live(n, parts)
	})
}

// A scale is such a room, and what is written down of it.
type scale struct {
	*sim
	checks    *atomic.Int64 // of signatures
	published atomic.Int64  // publications that came, with copies
	rng       *rand.Rand
	number    int                   // of messages
	of        map[protocol.ID]int64 // bytes of protocols, before this part
	healed    time.Time             // when the network was whole again

	mu      sync.Mutex
	changes map[changeOf]*change
	said    map[string]*saying // by their text
	count
}

// A count is what is counted in one part of a room's life.
type count struct {
	ids              map[ake.Hash]bool // of epochs that began
	entered          int               // how often somebody entered one
	began            time.Time
	real, cpu        time.Duration
	bytes            int64 // before it, and so below
	checks0, copies0 int64
}

// A changeOf is who comes, or goes.
type changeOf struct {
	who   peer.ID
	joins bool
}

// A change is that somebody did.
type change struct {
	at   time.Time
	took map[peer.ID]time.Duration // until a member was in an epoch with it
}

// A saying is a message.
type saying struct {
	at      time.Time
	by      *simMember
	readers []peer.ID // once it went out
	took    map[peer.ID]time.Duration
}

// watch has a member's events written down: numbers alone, since a thousand lists of a thousand
// for each epoch would be most of the memory.
func (sc *scale) watch(m *simMember) {
	m.takes = func(at time.Time, e Event) { sc.take(m, at, e) }
	m.gossip = append(m.gossip, pubsub.WithAppSpecificRpcInspector(func(p peer.ID, rpc *pubsub.RPC) error {
		sc.published.Add(int64(len(rpc.GetPublish())))
		return m.forwarders.inspect(p, rpc)
	}))
}

func (sc *scale) take(m *simMember, at time.Time, e Event) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	note := func(p peer.ID, joins bool) {
		if c := sc.changes[changeOf{p, joins}]; c != nil && c.took[m.Self()] == 0 {
			c.took[m.Self()] = at.Sub(c.at)
		}
	}
	switch e := e.(type) {
	case room.EpochStarted:
		m.epochID, m.epochOf = e.ID, len(e.Members)
		sc.ids[e.ID] = true
		sc.entered++
		if e.Reason == room.ReasonFirst {
			note(m.Self(), true)
			return
		}
		for _, j := range e.Joined {
			note(j.Peer, true)
		}
		for _, l := range e.Left {
			note(l.Peer, false)
		}
	case room.Sent:
		if s := sc.said[fmt.Sprint(e.Ref)]; s != nil {
			s.readers = e.Readers
		}
	case room.Delivered:
		if s := sc.said[e.Message.Text]; s != nil && !e.Self && s.took[m.Self()] == 0 {
			s.took[m.Self()] = at.Sub(s.at)
		}
	case room.Failed:
		sc.t.Errorf("%s: %s: %v", m.name, e.Doing, e.Err)
	}
}

// live is that life.
func (sc *scale) live(n int, lived string) {
	t, start := sc.t, realTime()
	sc.formed(n)
	for _, m := range sc.members {
		e, _, _ := m.epoch(time.Time{})
		if m.epochID, m.epochOf, m.events = e.ID, len(e.Members), nil; m.epochOf != n {
			t.Fatalf("%s is in an epoch of %d", m.name, m.epochOf)
		}
		sc.watch(m)
	}
	t.Logf("%d members, formed in %v of real time", n, (realTime() - start).Round(time.Millisecond))
	sc.begin()
	for _, m := range sc.members {
		m.begin()
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(30 * time.Second)
	sc.agree(0)
	sc.report("connecting, and 30 s")
	sc.memory()

	parts := map[string]func(){"chat": sc.partChat, "joins": sc.partJoins, "leaves": sc.partLeaves, "churn": sc.partChurn,
		"cut": sc.partCut}
	for _, what := range strings.Split(lived, ",") {
		if parts[what] == nil {
			t.Fatalf("there is no part %q", what)
		}
		sc.begin()
		parts[what]()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d members: %v of real time in all, %v of processors', %d MB of the system's memory", n,
		(realTime() - start).Round(time.Second), computed().Round(time.Second), mem.Sys>>20)
}

const scaleFew = 5 // how many come, or go, one by one

func (sc *scale) partChat() {
	sc.chat(30*time.Second, nil)
	sc.report("30 s of chat")
}

func (sc *scale) partJoins() {
	for range scaleFew {
		sc.join(sc.someone())
		sc.agree(30 * time.Second)
		time.Sleep(5 * time.Second)
	}
	sc.report(fmt.Sprintf("%d joins", scaleFew))
}

func (sc *scale) partLeaves() {
	for range scaleFew {
		sc.leave(sc.someone())
		sc.agree(30 * time.Second)
		time.Sleep(5 * time.Second)
	}
	sc.report(fmt.Sprintf("%d leaves", scaleFew))
}

func (sc *scale) partChurn() {
	sc.chat(time.Minute, func(second int) {
		switch second % 6 {
		case 0:
			sc.join(sc.someone())
		case 3:
			sc.leave(sc.someone())
		}
	})
	sc.agree(30 * time.Second)
	sc.report("a minute of chat, with 20 changes")
}

// healTime is how long it may take until all is well after a network is whole again.
const healTime = 10 * time.Second

func (sc *scale) partCut() {
	living := sc.living()
	for i, m := range living {
		m.cut = i%2 == 0
	}
	sc.cutNet()
	sc.chat(time.Minute, func(second int) {
		if second == 20 { // nobody else knows what is needed to take the other half's epoch
			sc.join(living[0]).cut = true
			sc.cutNet()
			sc.join(living[1])
		}
	})
	sc.apart.Store(nil)
	sc.healed = time.Now()
	sc.agree(2 * time.Minute)
	took := time.Since(sc.healed)
	sc.t.Logf("%d members, cut in two for a minute, with a newcomer in each: in one epoch %v after that",
		len(living), took.Round(time.Millisecond))
	if took > healTime {
		sc.t.Errorf("they are in one epoch %v after their network healed, want %v", took, healTime)
	}
	for deadline := time.Now().Add(3 * time.Minute); sc.unheard() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Second)
	}
	sc.report("a minute cut in two, and what follows")
}

// cutNet cuts the network in two.
func (sc *scale) cutNet() {
	cut := make(map[string]bool)
	for _, m := range sc.members {
		if m.cut {
			cut[m.ip] = true
		}
	}
	sc.apart.Store(&cut)
}

// realTime is the time outside the bubble, since some moment, and computed what the process has
// computed: on a computer that has other work, the second says more.
func realTime() time.Duration {
	var tv syscall.Timeval
	syscall.Gettimeofday(&tv)
	return time.Duration(tv.Nano())
}

func computed() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// someone is a member drawn at random, but not one who has just come.
func (sc *scale) someone() *simMember {
	living := slices.DeleteFunc(sc.living(), func(m *simMember) bool { return time.Since(m.began) < 10*time.Second })
	return living[sc.rng.IntN(len(living))]
}

func (sc *scale) join(by *simMember) *simMember {
	at := time.Now()
	m := sc.make(by)
	sc.watch(m)
	sc.mu.Lock()
	sc.changes[changeOf{m.Self(), true}] = &change{at: at, took: make(map[peer.ID]time.Duration)}
	sc.mu.Unlock()
	m.begin()
	return m
}

func (sc *scale) leave(m *simMember) {
	sc.mu.Lock()
	sc.changes[changeOf{m.Self(), false}] = &change{at: time.Now(), took: make(map[peer.ID]time.Duration)}
	sc.mu.Unlock()
	m.leave()
}

// chat has somebody say something each second.
func (sc *scale) chat(d time.Duration, also func(second int)) {
	for second := range int(d / time.Second) {
		if also != nil {
			also(second)
		}
		time.Sleep(time.Duration(sc.rng.IntN(1000)) * time.Millisecond)
		m := sc.someone()
		sc.number++
		text := fmt.Sprint("number ", sc.number)
		sc.mu.Lock()
		sc.said[text] = &saying{at: time.Now(), by: m, took: make(map[peer.ID]time.Duration)}
		sc.mu.Unlock()
		if err := m.Send(text, record.KindText, text); err != nil {
			sc.t.Fatalf("%s: %v", m.name, err)
		}
		time.Sleep(time.Until(sc.began.Add(time.Duration(second+1) * time.Second)))
	}
}

// agree lets time pass until the living members, and nobody else, are in one epoch.
func (sc *scale) agree(limit time.Duration) {
	sc.t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		living := sc.living()
		in := make(map[ake.Hash]int)
		sc.mu.Lock()
		for _, m := range living {
			if m.epochOf == len(living) {
				in[m.epochID]++
			}
		}
		sc.mu.Unlock()
		for _, k := range in {
			if k == len(living) {
				return
			}
		}
		if !time.Now().Before(deadline) {
			of := make(map[string]int)
			for _, m := range living {
				of[fmt.Sprintf("%x of %d", m.epochID.Short(), m.epochOf)]++
			}
			sc.t.Fatalf("%d members are not in one epoch after %v, but in %v", len(living), limit, of)
		}
	}
}

// begin begins a part.
func (sc *scale) begin() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.changes, sc.said = make(map[changeOf]*change), make(map[string]*saying)
	sc.count = count{ids: make(map[ake.Hash]bool), began: time.Now(), real: realTime(), cpu: computed(),
		bytes:   sc.received(),
		checks0: sc.checks.Load(), copies0: sc.published.Load()}
}

func (sc *scale) received() (sum int64) {
	for _, m := range sc.members {
		sum += m.bytes.in.Load()
	}
	return sum
}

// report says what a part took, when it is over, and whether all was as it should be.
func (sc *scale) report(what string) {
	sc.t.Helper()
	sc.mu.Lock()
	defer sc.mu.Unlock()
	living := sc.living()
	n, took := int64(len(living)), time.Since(sc.began)
	sc.t.Logf("%d members, %s: %d epochs, %.1f entered by each; %.2f kB/s, %d publications with copies and %d signatures "+
		"to check for each; %v of virtual and %v of real time, %v of processors'",
		n, what, len(sc.ids), float64(sc.entered)/float64(n),
		float64(sc.received()-sc.bytes)/float64(n)/took.Seconds()/1000, (sc.published.Load()-sc.copies0)/n,
		(sc.checks.Load()-sc.checks0)/n, took.Round(time.Second), (realTime() - sc.real).Round(10*time.Millisecond),
		(computed() - sc.cpu).Round(10*time.Millisecond))
	for _, joins := range []bool{true, false} {
		var all []time.Duration
		for of, c := range sc.changes {
			if of.joins != joins {
				continue
			}
			for _, m := range living {
				if d, ok := c.took[m.Self()]; ok {
					all = append(all, d)
				} else if m.began.Before(c.at) || m.Self() == of.who {
					sc.t.Errorf("%s: %s saw no epoch with a change that joins: %v", what, m.name, joins)
				}
			}
		}
		change := map[bool]string{true: "a join", false: "a leave"}[joins]
		sc.quantiles(n, what+": "+change+", until a member was in the epoch", all)
	}
	var delays, late []time.Duration
	for text, s := range sc.said {
		if s.readers == nil {
			sc.t.Errorf("%s: message %s did not go out", what, text)
		}
		for _, m := range living {
			if d, ok := s.took[m.Self()]; ok && m.cut == s.by.cut {
				delays = append(delays, d)
			} else if ok {
				late = append(late, s.at.Add(d).Sub(sc.healed))
				if late[len(late)-1] > healTime && s.at.Before(sc.healed) {
					sc.t.Errorf("%s: %s heard message %s %v after that", what, m.name, text, late[len(late)-1])
				}
			} else if slices.Contains(s.readers, m.Self()) {
				sc.t.Errorf("%s: %s did not hear message %s", what, m.name, text)
			}
		}
	}
	sc.quantiles(n, what+": a message, until a member had it", delays)
	sc.protocols()
	sc.quantiles(n, what+": a message of the other half, after that, until a member had it", late)
}

// protocols says what came by which protocol, to each.
func (sc *scale) protocols() {
	sum := make(map[protocol.ID]int64)
	for _, m := range sc.members {
		m.bytes.mu.Lock()
		for p, n := range m.bytes.of {
			sum[p] += n[0]
		}
		m.bytes.mu.Unlock()
	}
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(sum)) {
		if kB := (sum[p] - sc.of[p]) / int64(len(sc.members)) / 1000; kB > 0 {
			lines = append(lines, fmt.Sprintf("%s %d kB", p, kB))
		}
	}
	sc.of = sum
	sc.t.Logf("%d members, received by each: %s", len(sc.members), strings.Join(lines, ", "))
}

// unheard is how often a message was not heard that was sent to a member.
func (sc *scale) unheard() (n int) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, m := range sc.living() {
		for _, s := range sc.said {
			if s.by != m && s.took[m.Self()] == 0 && slices.Contains(s.readers, m.Self()) {
				n++
			}
		}
	}
	return n
}

func (sc *scale) quantiles(n int64, what string, all []time.Duration) {
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[int(q*float64(len(all)-1))].Round(time.Millisecond) }
	sc.t.Logf("%d members, %s: p50 %v, p95 %v, most %v", n, what, at(0.5), at(0.95), at(1))
}

// memory says what a member takes.
func (sc *scale) memory() {
	runtime.GC()
	if *scaleHeap != "" {
		f, err := os.Create(*scaleHeap)
		if err == nil {
			err = errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
		}
		if err != nil {
			sc.t.Error(err)
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	sc.t.Logf("%d members: %d kB of memory each", len(sc.members),
		(mem.HeapAlloc+mem.StackInuse)/uint64(len(sc.members))>>10)
}
