package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	manet "github.com/multiformats/go-multiaddr/net"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

var (
	hostileTime   = flag.Duration("hostile.time", 2*time.Second, "how long each program of TestHostilePrograms goes on")
	hostileForged = flag.Int("hostile.forged", 2000, "how many contributions one of them forges")
)

const (
	hostilePace = 100 * time.Millisecond // between messages of the room
	// hostileFloor is what nobody notices: a median below it is not compared. On loopback
	// one of a quiet room is a few milliseconds, and the programs have the same processors.
	hostileFloor = 500 * time.Millisecond
	// hostileMemory is how much more of it may be in use afterwards, and hostilePeak at
	// any time: of five members and those who attack them, which are all in this process.
	hostileMemory = 128 << 20
	hostilePeak   = 768 << 20
)

// An attack is what hostile programs have in hand.
type attack struct {
	t       *testing.T
	room    *room.Descriptor
	members []*member
	stolen  *abe.Key
	tape    [][]byte // what was published in the room so far
}

// stranger is a host that is connected to all members.
func (a *attack) stranger(ctx context.Context) host.Host {
	h := bare(a.t)
	a.connect(ctx, h)
	return h
}

// connect connects a stranger, also one that was hung up on.
func (a *attack) connect(ctx context.Context, h host.Host) {
	for _, m := range a.members {
		h.Connect(ctx, peer.AddrInfo{ID: m.Self(), Addrs: m.host.Addrs()})
	}
}

// publisher is a stranger on the room's topic. Where the program's time is over before, the
// program ends.
func (a *attack) publisher(ctx context.Context) (topic *pubsub.Topic) {
	h := a.stranger(ctx)
	ps, err := newGossip(ctx, h, newForwarders(), pubsub.NewAllowlistSubscriptionFilter(a.room.Topic()))
	if err == nil {
		topic, err = ps.Join(a.room.Topic())
	}
	if err != nil {
		if ctx.Err() == nil {
			a.t.Error(err)
		}
		runtime.Goexit()
	}
	return topic
}

// protocols are those that a member answers.
func (a *attack) protocols() []protocol.ID { return a.members[0].host.Mux().Protocols() }

// every calls f in so many goroutines, again and again, until ctx ends.
func every(ctx context.Context, pause time.Duration, n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				f(i)
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
}

// attacks are the hostile programs. Each ends with its context.
var attacks = []struct {
	name string
	do   func(ctx context.Context, a *attack)
}{
	{"connection flood", func(ctx context.Context, a *attack) {
		every(ctx, 5*time.Millisecond, 10, func(i int) {
			_, at, err := manet.DialArgs(a.members[i%len(a.members)].host.Addrs()[0])
			if err != nil {
				return
			}
			if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", at); err == nil {
				time.AfterFunc(time.Second, func() { c.Close() }) // and says nothing
			}
		})
	}},
	{"stream flood", func(ctx context.Context, a *attack) {
		h, all := a.stranger(ctx), a.protocols()
		every(ctx, time.Millisecond, 10, func(i int) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			h.NewStream(ctx, a.members[i%len(a.members)].Self(), all[mathrand.IntN(len(all))]) // and leaves it open
		})
	}},
	{"slow streams", func(ctx context.Context, a *attack) {
		h, all := a.stranger(ctx), a.protocols()
		every(ctx, time.Millisecond, 50, func(i int) {
			s, err := h.NewStream(ctx, a.members[i%len(a.members)].Self(), all[i%len(all)])
			if err != nil {
				return
			}
			defer s.Reset()
			for ctx.Err() == nil {
				if _, err := s.Write([]byte{0}); err != nil {
					return
				}
				time.Sleep(200 * time.Millisecond)
			}
		})
	}},
	{"garbage on each protocol", func(ctx context.Context, a *attack) {
		h, all := a.stranger(ctx), a.protocols()
		every(ctx, 5*time.Millisecond, len(all), func(i int) {
			s, err := h.NewStream(network.WithNoDial(ctx, "test"), a.members[mathrand.IntN(len(a.members))].Self(), all[i])
			if err != nil {
				a.connect(ctx, h)
				return
			}
			defer s.Reset()
			s.SetDeadline(time.Now().Add(time.Second))
			b := make([]byte, mathrand.IntN(64<<10))
			rand.Read(b)
			if len(b) > 8 && mathrand.IntN(2) == 0 {
				copy(b, []byte{0, 0, 0x10, 0}) // the length of a frame
			}
			s.Write(b)
			s.CloseWrite()
			s.Read(make([]byte, 1<<10))
		})
	}},
	{"topic spam", func(ctx context.Context, a *attack) {
		topics := []*pubsub.Topic{a.publisher(ctx), a.publisher(ctx)}
		every(ctx, 2*time.Millisecond, len(topics), func(i int) {
			b := make([]byte, 1<<10)
			rand.Read(b)
			if i == 0 { // it has the form of a message
				m := &record.Message{Sealed: b}
				rand.Read(m.Header[:])
				b = m.Append([]byte{record.TypeMessage})
			}
			topics[i].Publish(ctx, b)
		})
	}},
	{"forged contributions", func(ctx context.Context, a *attack) {
		var sponsor ake.Hash
		for _, b := range a.tape {
			if b[0] == record.TypeJoin {
				if j, err := record.ParseJoin(b[1:]); err == nil {
					sponsor = j.In.From
				}
			}
		}
		topics := []*pubsub.Topic{a.publisher(ctx), a.publisher(ctx), a.publisher(ctx)}
		for i := 0; i < *hostileForged && ctx.Err() == nil; i++ {
			topics[i%len(topics)].Publish(ctx, forgedJoin(a.room, sponsor))
		}
	}},
	{"what was recorded, replayed", func(ctx context.Context, a *attack) {
		topics := []*pubsub.Topic{a.publisher(ctx), a.publisher(ctx)}
		h := a.stranger(ctx)
		every(ctx, time.Millisecond, 4, func(i int) {
			b := a.tape[mathrand.IntN(len(a.tape))]
			if i < len(topics) {
				topics[i].Publish(ctx, b)
				return
			}
			// As records of a comparison, which nothing has seen before.
			s, err := h.NewStream(ctx, a.members[mathrand.IntN(len(a.members))].Self(), protocol.ID(room.ProtocolSync))
			if err != nil {
				return
			}
			defer s.Reset()
			s.SetDeadline(time.Now().Add(time.Second))
			s.Write(append([]byte{0, 0, byte(len(b) >> 8), byte(len(b))}, b...))
		})
	}},
	{"joins with a stolen key", func(ctx context.Context, a *attack) {
		every(ctx, 100*time.Millisecond, 2, func(i int) {
			n, err := New(Config{
				Room: a.room, Key: a.stolen, Listen: loopback(), Bootstrap: a.members[i].Addresses(), Name: "sybil",
			})
			if err != nil {
				return
			}
			go func() {
				for range n.Events() {
				}
			}()
			stay, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			n.Run(stay)
		})
	}},
}

// forgedJoin is a join of nobody, with edges that nobody signed.
func forgedJoin(d *room.Descriptor, sponsor ake.Hash) []byte {
	_, identity, _ := ed25519.GenerateKey(rand.Reader)
	_, working, _ := ed25519.GenerateKey(rand.Reader)
	now := time.Now()
	ctx := &ake.Context{Room: d.ID(), Serial: uint64(now.UnixMilli()), Period: abe.PeriodOf(0, abe.DayOf(now))}
	copy(ctx.Identity[:], identity.Public().(ed25519.PublicKey))
	copy(ctx.Working[:], working.Public().(ed25519.PublicKey))
	var raw [32]byte
	rand.Read(raw[:])
	seed, _ := ake.SecretFromBytes(raw[:])
	e := simEncapsulated(seed, ctx)
	c := record.NewContribution(identity, ctx, e)
	p := &record.Presence{Serial: ctx.Serial}
	p.Sign(ctx.Room, working)
	j := &record.Join{
		Contribution: c, Presence: p, Encapsulation: e.Bytes,
		In:  &record.Edge{Period: ctx.Period, From: sponsor, To: c.ID()},
		Out: &record.Edge{Period: ctx.Period, From: c.ID(), To: sponsor},
	}
	j.In.Sign(ctx.Room, working) // it is the sponsor's to sign
	j.Out.Sign(ctx.Room, working)
	return j.Append([]byte{record.TypeJoin})
}

// TestHostilePrograms: whatever programs from outside do to a room of five, and one with
// a stolen key, its members go on and hear each other as fast as before, or at least as
// fast as anybody notices; what they take is bounded.
func TestHostilePrograms(t *testing.T) {
	if raceDetector && testing.Short() {
		t.Skip("the detector makes the programs slow, and not the room's fault")
	}
	d := descriptor(t, "ONE")
	a := &attack{t: t, room: d, stolen: issue(t, "ONE")}
	spy := newSpy(t, d)
	for i := range 5 {
		cfg := Config{Room: d, Key: issue(t, "ONE")}
		if i > 0 {
			cfg.Bootstrap = a.members[0].Addresses()
		}
		a.members = append(a.members, start(t, fmt.Sprint("member ", i), cfg))
		spy.connect(t, a.members[i])
	}
	together(t, a.members...)
	if !slices.Contains(a.protocols(), protocol.ID(room.ProtocolSync)) {
		t.Fatalf("a member answers %v", a.protocols())
	}
	a.latency(t, "warming up", 5*hostilePace)
	quiet, _ := a.latency(t, "quiet", *hostileTime)
	for _, program := range attacks {
		t.Run(program.name, func(t *testing.T) {
			a.t, a.tape = t, spy.heard()
			before := used()
			ctx, stop := context.WithTimeout(t.Context(), patience+*hostileTime)
			done := make(chan struct{})
			go func() {
				defer close(done)
				program.do(ctx, a)
			}()
			under, peak := a.latency(t, program.name, *hostileTime)
			stop()
			<-done
			if under > max(2*quiet, hostileFloor) {
				t.Errorf("median latency %v, and %v while nothing happens", under, quiet)
			}
			after := settled(before)
			t.Logf("median %v, quiet %v; in use before %d MiB, at most %d MiB, after %d MiB", under.Round(100*time.Microsecond),
				quiet.Round(100*time.Microsecond), before>>20, peak>>20, after>>20)
			if after > before+hostileMemory || peak > before+hostilePeak {
				t.Errorf("memory: before %d MiB, at most %d MiB, after %d MiB", before>>20, peak>>20, after>>20)
			}
		})
	}
	text := "we are still here"
	a.members[4].say(t, text)
	everybodyHears(t, text, a.members...)
	for _, m := range a.members {
		m.leave(t)
	}
}

// used is how much memory is in use; settled, once what is over is gone, or later.
func used() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func settled(before int64) (now int64) {
	for deadline := time.Now().Add(patience / 2); time.Now().Before(deadline); time.Sleep(time.Second) {
		if now = used(); now <= before+hostileMemory/2 {
			break
		}
	}
	return now
}

// latency has the members talk for a while. It returns the median time until another
// member has a message, and how much memory was in use at most.
func (a *attack) latency(t *testing.T, what string, during time.Duration) (median time.Duration, peak int64) {
	t.Helper()
	var all []time.Duration
	var m runtime.MemStats
	next := time.NewTicker(hostilePace)
	defer next.Stop()
	for end, i := time.Now().Add(during), 0; time.Now().Before(end); i++ {
		from := a.members[i%len(a.members)]
		text := fmt.Sprintf("%s %d", what, i)
		began := time.Now()
		from.say(t, text)
		var wg sync.WaitGroup
		took := make([]time.Duration, len(a.members))
		for j, m := range a.members {
			wg.Go(func() {
				if m.hears(text) {
					took[j] = time.Since(began)
				}
			})
		}
		wg.Wait()
		for j, d := range took {
			if d == 0 {
				t.Fatalf("%s has not heard %q in %v", a.members[j].name, text, patience)
			}
			if a.members[j] != from {
				all = append(all, d)
			}
		}
		runtime.ReadMemStats(&m)
		peak = max(peak, int64(m.HeapAlloc))
		<-next.C
	}
	slices.Sort(all)
	return all[len(all)/2], peak
}

// hears waits until a member has a message, and forgets what it had before.
func (m *member) hears(text string) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		m.mu.Lock()
		events, news := m.events, m.news
		if heard(events, text) {
			m.events = slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
				_, message := e.(room.Delivered)
				return message
			})
			m.mu.Unlock()
			return true
		}
		m.mu.Unlock()
		select {
		case <-news:
		case <-time.After(time.Second):
		}
	}
	return false
}

// A spy is on the room's topic, and keeps what is published.
type spy struct {
	host host.Host
	mu   sync.Mutex
	tape [][]byte
}

func newSpy(t *testing.T, d *room.Descriptor) *spy {
	s := &spy{host: bare(t)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ps, err := newGossip(ctx, s.host, newForwarders(), pubsub.NewAllowlistSubscriptionFilter(d.Topic()))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(d.Topic())
	if err != nil {
		t.Fatal(err)
	}
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			m, err := sub.Next(ctx)
			if err != nil {
				return
			}
			s.mu.Lock()
			if room.WellFormed(m.Data) && len(s.tape) < 10_000 {
				s.tape = append(s.tape, m.Data)
			}
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *spy) connect(t *testing.T, m *member) {
	if err := s.host.Connect(t.Context(), peer.AddrInfo{ID: m.Self(), Addrs: m.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

func (s *spy) heard() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tape)
}
