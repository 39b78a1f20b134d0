package room

import (
	"crypto/ed25519"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

var (
	liveSeeds = flag.Int("live.seeds", 100, "how many seeds TestFuzzLive runs")
	liveSeed  = flag.Uint64("live.seed", 1, "the first of them")
	liveKeep  = flag.Int("live.keep", 1, "after how many failures TestFuzzLive stops")
)

// Bounds on a run of a room with a mutator in it.
const (
	liveEvents  = 20_000           // events in one virtual second
	liveHeap    = 512 << 20        // bytes in use, of all rooms of all runs at once
	liveHang    = time.Minute      // of real time for one run
	liveMend    = 10 * time.Minute // virtual: until the honest are together again
	liveSpread  = time.Minute      // virtual: until a message of each has reached all
	liveMaySend = 2                // they may send at least one in so many of the seconds
)

// A chooser makes all choices of a run: from a seed, or from the bytes of a fuzz
// target. When these are used up every choice is 0, which always is to do nothing.
type chooser struct {
	rng *rand.Rand
	in  []byte
}

// n is a number below k.
func (c *chooser) n(k int) int {
	switch {
	case k <= 1:
		return 0
	case c.rng != nil:
		return c.rng.IntN(k)
	case len(c.in) == 0:
		return 0
	case k > 256 && len(c.in) > 1:
		v := int(binary.BigEndian.Uint16(c.in))
		c.in = c.in[2:]
		return v % k
	}
	v := int(c.in[0])
	c.in = c.in[1:]
	return v % k
}

// one holds once in k times.
func (c *chooser) one(k int) bool { return c.n(k) == k-1 }

// over reports whether all later choices are to do nothing.
func (c *chooser) over() bool { return c.rng == nil && len(c.in) == 0 }

// fill makes up bytes.
func (c *chooser) fill(b []byte) {
	h := ake.Sum("made up", []byte{byte(c.n(256)), byte(c.n(256))})
	for i := range b {
		b[i] = h[i%len(h)]
	}
}

// A live is a run: honest members, and a mutator among them.
type live struct {
	*network
	c       *chooser
	pieces  map[[32]byte]*memPieces // by identity
	files   map[string][]byte       // that honest members sent, by name
	honest  []*simNode
	mutator *mutator
	looker  looker
	short   bool
	started int
	said    int
	ticks   int // seconds of honest members while the mutator was there
	free    int // .. in which they might have sent
}

func (w *live) stepped(s *simNode) {
	if s.room != nil {
		w.looker.count++
		w.looker.bounds(s)
	}
}
func (w *live) took(*simNode, Event)       {}
func (w *live) saved(*simNode, Saved)      {}
func (w *live) arriving(*simNode, []byte)  {}
func (w *live) opening(*simNode, [32]byte) {}

// runLive runs a room with a mutator. It returns what broke, nil for nothing.
func runLive(seed uint64, c *chooser, short bool) (w *live, failed *failure) {
	n := newNetwork(nil, seed)
	w = &live{network: n, c: c, short: short, pieces: make(map[[32]byte]*memPieces), files: make(map[string][]byte)}
	w.looker.w = &sim{network: n}
	w.looker.procs = make(map[*simNode]*seenOf)
	n.watch = w
	n.configure = w.keepsFiles
	var began time.Time
	n.failed = func(rule, format string, args ...any) {
		panic(&failure{rule, fmt.Sprintf(format, args...), n.now.Sub(began)})
	}
	dog := time.AfterFunc(liveHang, func() {
		fmt.Fprintf(os.Stderr, "seed %d has been running for %v\n", seed, liveHang)
		debug.SetTraceback("all")
		panic("a room hangs")
	})
	defer dog.Stop()
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *failure:
			failed = x
		default:
			failed = &failure{"panic", fmt.Sprintf("%v\n%s", x, debug.Stack()), n.now.Sub(began)}
		}
	}()
	w.begin()
	began = n.now
	w.run()
	return w, nil
}

// pass lets virtual time pass, with the bound on events.
func (w *live) pass(d time.Duration) {
	for d > 0 {
		step := min(d, time.Second)
		w.maxSteps = w.steps + liveEvents
		w.network.run(step)
		d -= step
	}
}

func (w *live) wait(d time.Duration, rule string, holds func() bool) {
	for end := w.now.Add(d); !holds(); w.pass(100 * time.Millisecond) {
		if w.now.After(end) {
			w.fail(rule, "still not after %v\n%s", d, w.describe())
		}
	}
}

func (w *live) start() *simNode {
	w.started++
	var disk *memJournal
	if w.c.one(2) {
		disk = new(memJournal)
	}
	return w.startAs(newIdentity(w.seed32()), disk)
}

func (w *live) startAs(identity ed25519.PrivateKey, disk *memJournal) *simNode {
	s := w.startOn(disk, fmt.Sprintf("h%d", w.started), always, identity, w.seed32(), 0)
	w.honest = append(w.honest, s)
	return s
}

// run is a whole run.
func (w *live) run() {
	c := w.c
	if c.one(4) {
		w.desc = &Descriptor{Name: w.desc.Name, Policy: w.desc.Policy, History: 24 * time.Hour}
	}
	if c.one(2) {
		w.takesQuestions()
	}
	for range 2 + c.n(2) {
		w.start()
	}
	insider := !c.one(4)
	late := c.one(2) || w.aboutToForget() || !insider
	m := w.addMutator(insider)
	w.connectHonest()
	if !late {
		w.meet(m)
	}
	everybody := func() bool {
		h := w.honest[0].room.head
		return h != nil && len(h.list) == len(w.honest)+w.there(m, late) && !slices.ContainsFunc(w.honest, func(s *simNode) bool {
			return s.room.head == nil || s.room.head.commit.ID() != h.commit.ID()
		})
	}
	w.wait(time.Minute, "start", everybody)
	for _, s := range w.honest {
		w.say(s)
	}
	w.pass(2 * time.Second)
	if w.aboutToForget() {
		// It comes when yesterday is all but over.
		over := abe.DayOf(w.now).Start().Add(earlyDay)
		w.pass(over.Sub(w.now) - time.Duration(1+c.n(12))*time.Second)
	}
	m.active = true
	if late {
		w.meet(m)
	}
	w.mutate()
	m.active = false
	w.part(m)
	w.mends()
}

// begin chooses the time of day.
func (w *live) begin() {
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	switch w.c.n(4) {
	case 2:
		w.now = day.Add(24*time.Hour - 45*time.Second) // midnight comes
	case 3:
		w.now = day.Add(earlyDay - 40*time.Second) // yesterday is forgotten
	}
}

func (w *live) aboutToForget() bool {
	left := abe.DayOf(w.now).Start().Add(earlyDay).Sub(w.now)
	return left > 0 && left < time.Minute
}

func (w *live) there(m *mutator, late bool) int {
	if late || m.outside {
		return 0
	}
	return 1
}

func (w *live) connectHonest() {
	for i, a := range w.honest {
		for _, b := range w.honest[:i] {
			w.connect(a, b)
		}
	}
}

func (w *live) meet(m *mutator) {
	for _, s := range w.honest {
		w.connect(s, m.node)
	}
}

func (w *live) say(s *simNode) string {
	w.said++
	text := fmt.Sprintf("%s #%d", s.name, w.said)
	s.room.Send(s.clock(), text, record.KindText, text)
	w.drain(s)
	return text
}

// saySome says something to some: one in four of what is said while there is a mutator.
func (w *live) saySome(s *simNode) {
	if w.said%4 == 1 && len(s.messages) > 0 {
		w.said++
		s.room.SendAbout(s.clock(), nil, record.KindReply+byte(w.said/4%4), s.messages[w.said*31%len(s.messages)].ID,
			strings.Repeat(fmt.Sprintf("%s #%d", s.name, w.said), map[bool]int{true: 1}[w.said/4%4 < 3]))
		w.drain(s)
		return
	}
	if w.said%6 == 2 {
		w.sendFile(s, simSizes[1+w.said/6%(len(simSizes)-1)])
		return
	}
	if w.said%4 != 3 {
		w.say(s)
		return
	}
	w.said++
	s.room.SendTo(s.clock(), nil, simPolicy(w.said/4), fmt.Sprintf("%s #%d, to some", s.name, w.said))
	w.drain(s)
}

// mutate lets the mutator act for a while, and the honest members talk, come and
// go.
func (w *live) mutate() {
	c, m := w.c, w.mutator
	seconds := 10 + c.n(20)
	if w.short {
		seconds = 10
	}
	join, leave, again := c.n(3*seconds), c.n(6*seconds), c.n(6*seconds)
	for i := 1; i <= seconds && !c.over(); i++ {
		for range 1 + c.n(4) {
			w.deliver(m.node, m.act)
			w.pass(time.Duration(50+c.n(200)) * time.Millisecond)
		}
		w.pass(300 * time.Millisecond)
		if i == join {
			s := w.start()
			w.connectHonest()
			w.connect(s, m.node)
		}
		if i == leave && len(w.honest) > 2 {
			s := w.honest[0]
			w.honest = w.honest[1:]
			s.room.Leave(s.clock())
			w.drain(s)
			w.pass(100 * time.Millisecond)
			w.stop(s)
		}
		if i == again && len(w.honest) > 2 { // it crashes, and comes back
			s := w.honest[0]
			w.honest = w.honest[1:]
			w.stop(s)
			w.pass(time.Second)
			w.started++
			next := w.startAs(s.room.cfg.Identity, s.journal)
			w.connectHonest()
			w.connect(next, m.node)
		}
		for _, s := range w.honest {
			w.ticks++
			if s.room.maySend() {
				w.free++
			}
		}
		if s := w.honest[c.n(len(w.honest))]; s.room.head != nil {
			w.saySome(s)
			w.fetchSome(s)
		}
	}
	var mem runtime.MemStats
	if runtime.ReadMemStats(&mem); mem.HeapAlloc > liveHeap {
		runtime.GC()
		if runtime.ReadMemStats(&mem); mem.HeapAlloc > liveHeap {
			w.fail("heap", "%d MiB are in use", mem.HeapAlloc>>20)
		}
	}
}

// part ends the mutator, with a word or without.
func (w *live) part(m *mutator) {
	if w.c.one(2) {
		m.Room.Leave(m.node.clock())
		w.drain(m.node)
		w.pass(100 * time.Millisecond)
	}
	w.stop(m.node)
}

// mends: the honest members come together and hear each other.
func (w *live) mends() {
	w.wait(liveMend, "together", func() bool { return together(w.honest...) })
	for _, s := range w.honest {
		text := w.say(s)
		w.wait(liveSpread, "heard", func() bool {
			return !slices.ContainsFunc(w.honest, func(s *simNode) bool { return !s.heard(text) })
		})
	}
	for _, s := range w.honest {
		for _, o := range w.honest {
			if target := differAbout(s, o); target != nil {
				w.fail("about", "%s and %s differ about %x", s.name, o.name, target[:4])
			}
		}
	}
	w.filesMend()
	if w.ticks >= 30 && w.free*liveMaySend < w.ticks {
		w.fail("send", "honest members might send in %d of %d seconds", w.free, w.ticks)
	}
}

// A mutator is a room whose frames and publications are changed before they go
// out, and which says what no room would. An insider has a key that satisfies the
// policy.
type mutator struct {
	*Room
	w       *live
	node    *simNode
	outside bool
	active  bool
	rate    int  // one in so many of its own frames and publications is changed; 0: none
	slow    bool // it holds half of its frames back
	out     Ready
	next    StreamID
	streams []StreamID // that it opened, or that were opened to it
	frames  map[byte][][]byte
	pubs    map[byte][][]byte
	other   []ed25519.PrivateKey // identities that it made up
	changed int
	asked   []*Inquiry // the last questions from outside that it made
}

func (w *live) addMutator(insider bool) *mutator {
	name := "insider"
	if !insider {
		name = "outsider"
	}
	s := w.add(name, insider)
	m := &mutator{
		Room: s.room, w: w, node: s, outside: !insider, next: 1<<40 + 1, rate: []int{0, 16, 8, 4, 2}[w.c.n(5)],
		slow:   w.c.one(4),
		frames: make(map[byte][][]byte), pubs: make(map[byte][][]byte),
	}
	s.room, s.actor = nil, m
	w.mutator = m
	return m
}

// keep remembers what was seen, some of each type.
func (m *mutator) keep(in map[byte][][]byte, data []byte) {
	if len(data) == 0 {
		return
	}
	const most = 24
	if k := in[data[0]]; len(k) < most {
		in[data[0]] = append(k, data)
	} else {
		k[m.changed%most] = data
		m.changed++
	}
}

func (m *mutator) StreamOpened(now time.Time, id StreamID, p peer.ID, working [32]byte, protocol string) {
	m.streams = append(m.streams, id)
	m.Room.StreamOpened(now, id, p, working, protocol)
}

func (m *mutator) StreamClosed(now time.Time, id StreamID) {
	m.streams = slices.DeleteFunc(m.streams, func(x StreamID) bool { return x == id })
	m.Room.StreamClosed(now, id)
}

func (m *mutator) StreamFrame(now time.Time, id StreamID, data []byte) {
	m.keep(m.frames, data)
	m.Room.StreamFrame(now, id, data)
}

func (m *mutator) Publication(now time.Time, from peer.ID, data []byte) Verdict {
	m.keep(m.pubs, data)
	return m.Room.Publication(now, from, data)
}

// Ready is what the room wants done, changed.
func (m *mutator) Ready() Ready {
	out := m.Room.Ready()
	for _, o := range out.Open {
		m.streams = append(m.streams, o.Stream)
	}
	for _, f := range out.Send {
		m.keep(m.frames, f.Data)
	}
	for _, p := range out.Publish {
		m.keep(m.pubs, p)
	}
	if m.active && m.slow {
		out.Send = slices.DeleteFunc(out.Send, func(f Frame) bool {
			late := m.w.c.one(2)
			if late {
				m.later(time.Duration(m.w.c.n(10_000))*time.Millisecond, f)
			}
			return late
		})
	}
	if m.active && m.rate > 0 {
		var frames []Frame
		for _, f := range out.Send {
			if f.Data[0] == record.FramePiece && m.w.c.one(3) {
				frames = append(frames, Frame{Stream: f.Stream, Data: m.changePiece(f.Data[1:])})
				if m.w.c.one(2) {
					frames = append(frames, f)
				}
				continue
			}
			if !m.w.c.one(m.rate) {
				frames = append(frames, f)
				continue
			}
			frames = append(frames, m.changeFrame(f)...)
		}
		var pubs [][]byte
		for _, p := range out.Publish {
			if !m.w.c.one(m.rate) {
				pubs = append(pubs, p)
				continue
			}
			switch m.w.c.n(6) {
			case 0:
				pubs = append(pubs, p)
			case 1: // dropped
			case 2:
				pubs = append(pubs, p, m.change(p, true))
			default:
				pubs = append(pubs, m.change(p, true))
			}
		}
		out.Send, out.Publish = frames, pubs
	}
	out.Open = append(out.Open, m.out.Open...)
	out.Channels = append(out.Channels, m.out.Channels...)
	out.Send = append(out.Send, m.out.Send...)
	out.Hang = append(out.Hang, m.out.Hang...)
	out.Publish = slices.DeleteFunc(append(out.Publish, m.out.Publish...), func(p []byte) bool { return len(p) == 0 })
	m.out = Ready{}
	return out
}

// changeFrame is what becomes of a frame of the room's own.
func (m *mutator) changeFrame(f Frame) []Frame {
	c := m.w.c
	with := func(data []byte) Frame { return Frame{Stream: f.Stream, Data: data} }
	switch c.n(12) {
	case 0:
		return []Frame{f}
	case 1:
		return nil
	case 2:
		return []Frame{f, f}
	case 3: // later
		m.later(time.Duration(1+c.n(14))*time.Second, f)
		return nil
	case 4:
		m.later(time.Duration(1+c.n(200))*time.Millisecond, f)
		return nil
	case 5: // one seen before, in its place or in front of it
		if p := m.pooled(m.frames); p != nil {
			return []Frame{with(p), f}
		}
	case 6:
		if p := m.pooled(m.frames); p != nil {
			return []Frame{with(p)}
		}
	case 7: // on another stream
		if len(m.streams) > 0 {
			return []Frame{{Stream: m.streams[c.n(len(m.streams))], Data: f.Data}}
		}
	case 8:
		return []Frame{with(m.change(f.Data, false)), f}
	}
	return []Frame{with(m.change(f.Data, false))}
}

func (m *mutator) later(d time.Duration, f Frame) {
	m.w.at(d, func() { m.w.deliver(m.node, func() { m.out.Send = append(m.out.Send, f) }) })
}

// pooled is something seen before; nil if nothing was.
func (m *mutator) pooled(in map[byte][][]byte) []byte {
	var types []byte
	for t := range in {
		types = append(types, t)
	}
	if len(types) == 0 {
		return nil
	}
	slices.Sort(types)
	of := in[types[m.w.c.n(len(types))]]
	return of[m.w.c.n(len(of))]
}

// act does something that no room does.
func (m *mutator) act() {
	if !m.active {
		return
	}
	c := m.w.c
	switch c.n(14) {
	case 0:
	case 12, 13: // a file, of which it serves what it likes
		m.Room.SendFile(m.node.clock(), nil, "some file", simBytes()[c.n(1<<16):][:simSizes[1+c.n(4)]])
	case 1: // on a stream that is there
		if len(m.streams) == 0 {
			return
		}
		id := m.streams[c.n(len(m.streams))]
		for range 1 + c.n(3) {
			m.out.Send = append(m.out.Send, Frame{Stream: id, Data: m.frame()})
		}
	case 2, 3, 4, 5: // on a new one
		m.converse()
	case 6, 7:
		for range 1 + c.n(3) {
			m.out.Publish = append(m.out.Publish, m.publication())
		}
	case 8:
		if len(m.streams) > 0 {
			m.out.Hang = append(m.out.Hang, Hang{Stream: m.streams[c.n(len(m.streams))], Reset: c.one(2)})
		}
	case 9:
		s := m.w.honest[c.n(len(m.w.honest))]
		m.w.disconnect(s, m.node)
		m.w.at(time.Duration(c.n(3000))*time.Millisecond, func() {
			if !m.node.down && !s.down {
				m.w.connect(s, m.node)
			}
		})
	case 10: // records of its own making
		to := m.w.honest[c.n(len(m.w.honest))]
		inside := c.one(2)
		m.sequence(to, ProtocolSync, inside, append([][]byte{m.hello(m.toward(to, inside))}, record.EncodeRecords(m.madeUp())...))
	case 11: // a commit with its secret, and perhaps the topic's copy of it
		m.hands(m.w.honest[c.n(len(m.w.honest))])
	}
}

func (m *mutator) toward(to *simNode, inside bool) *exchange {
	x := &exchange{peer: to.room.self, identity: to.room.identity}
	if inside {
		x.working = to.room.workingID
	}
	return x
}

// sequence opens a stream and sends frames on it, some of them later.
func (m *mutator) sequence(to *simNode, protocol string, inside bool, frames [][]byte) {
	c := m.w.c
	o := Open{Stream: m.next, Peer: to.actor.Self(), Protocol: protocol}
	if inside {
		o.Working = to.room.workingID
		if m.node.tunnels[to] == nil {
			m.out.Channels = append(m.out.Channels, Channel{Peer: o.Peer, Working: o.Working})
		}
	}
	m.next += 2
	m.streams = append(m.streams, o.Stream)
	m.out.Open = append(m.out.Open, o)
	for i, f := range frames {
		switch c.n(16) {
		case 13:
			m.out.Send = append(m.out.Send, Frame{Stream: o.Stream, Data: f}, Frame{Stream: o.Stream, Data: f})
		case 14:
			m.later(time.Duration(c.n(12000))*time.Millisecond, Frame{Stream: o.Stream, Data: f})
		case 15:
			if i > 0 {
				m.out.Send = append(m.out.Send, Frame{Stream: o.Stream, Data: frames[i-1]})
			}
			m.out.Send = append(m.out.Send, Frame{Stream: o.Stream, Data: f})
		default:
			m.out.Send = append(m.out.Send, Frame{Stream: o.Stream, Data: f})
		}
	}
	if c.one(4) {
		m.out.Hang = append(m.out.Hang, Hang{Stream: o.Stream})
	}
}

// converse opens a stream to somebody and holds one half of a conversation.
func (m *mutator) converse() {
	c := m.w.c
	to := m.w.honest[c.n(len(m.w.honest))]
	inside := !m.outside && !c.one(4)
	protocol := []string{ProtocolSync, ProtocolSync, ProtocolSync, ProtocolProve, ProtocolAsk, ProtocolOutside, ProtocolFile}[c.n(7)]
	x := m.toward(to, inside)
	var frames [][]byte
	switch protocol {
	case ProtocolProve:
		inside = inside && c.one(8)
		if g := m.ownDay(); g != nil {
			frames = append(frames, record.EncodeFields(record.FrameProve1, g.own.contribution.Append(nil), m.presence.Append(nil)))
		}
	case ProtocolOutside:
		inside = inside && c.one(8)
		for range 1 + c.n(2) {
			frames = append(frames, m.outsideFrame())
		}
	case ProtocolFile:
		frames = append(frames, m.seek())
	case ProtocolSync:
		frames = append(frames, m.hello(x))
		h, err := record.ParseHello(to.room.hello(m.theirSide(inside))[1:])
		if err == nil && !c.one(3) {
			x.theirHello = h
			frames = append(frames, m.Room.ask(x).Encode())
		}
	}
	for i := range frames {
		if c.one(6) {
			frames[i] = m.change(frames[i], false)
		}
	}
	for range 1 + c.n(4) {
		frames = append(frames, m.frame())
	}
	m.sequence(to, protocol, inside, frames)
}

func (m *mutator) theirSide(inside bool) *exchange {
	x := &exchange{peer: m.self, identity: m.Room.identity}
	if inside {
		x.working = m.workingID
	}
	return x
}

func (m *mutator) ownDay() *graph {
	var own []*graph
	for _, d := range m.sortedDays() {
		if g := m.days[d]; g.own != nil {
			own = append(own, g)
		}
	}
	if len(own) == 0 {
		return nil
	}
	return own[m.w.c.n(len(own))]
}

// TestFuzzLive runs rooms with a mutator in them, from seeds. A failure prints its
// seed: -live.seed=N -live.seeds=1 runs it again.
func TestFuzzLive(t *testing.T) {
	seeds := *liveSeeds
	if testing.Short() {
		seeds = min(seeds, 12)
	}
	var begun, failures atomic.Int64
	var events, ticks, free atomic.Int64
	var mu sync.Mutex
	began := time.Now()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for failures.Load() < int64(*liveKeep) {
				i := begun.Add(1) - 1
				if i >= int64(seeds) {
					return
				}
				seed := *liveSeed + uint64(i)
				w, f := runLive(seed, &chooser{rng: rand.New(rand.NewPCG(seed, 1))}, false)
				events.Add(int64(w.steps))
				ticks.Add(int64(w.ticks))
				free.Add(int64(w.free))
				if i%500 == 499 {
					t.Logf("%d runs", i+1)
				}
				if f != nil {
					failures.Add(1)
					mu.Lock()
					t.Errorf("seed %d, after %d runs: %v", seed, i+1, f)
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d runs from seed %d in %v: %d events; honest members might send in %d of %d seconds",
		min(begun.Load(), int64(seeds)), *liveSeed, time.Since(began).Round(time.Millisecond), events.Load(), free.Load(), ticks.Load())
}

// FuzzLive is the same run, in which each choice of the mutator is read from the
// input: a byte for most, two for the few with more than 256 outcomes.
func FuzzLive(f *testing.F) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 2))
		in := make([]byte, 300)
		for i := range in {
			in[i] = byte(rng.Uint32())
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 {
			return
		}
		if _, failed := runLive(1, &chooser{in: in}, true); failed != nil {
			t.Fatal(failed)
		}
	})
}
