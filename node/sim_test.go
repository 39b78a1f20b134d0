package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// Rooms on real libp2p hosts, over QUIC, in virtual time. What is measured is
// the network's time and the protocol's own delays, and of computing the
// attribute-based work, which takes the time below: all else takes no virtual
// time at all.
const (
	simLatency     = 25 * time.Millisecond // one way
	simEncapsulate = 32 * time.Millisecond // 4 leaves, with those of the day
	simOpen        = 50 * time.Millisecond // opening, and making it again
	simBandwidth   = 20_000_000            // bits a second, each way
)

// virtual runs a test in virtual time.
func virtual(t *testing.T, f func(*sim)) {
	t.Helper()
	if raceDetector {
		// Timers that fire at once in a bubble upset the race detector:
		// https://github.com/golang/go/issues/78156
		before := runtime.GOMAXPROCS(1)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(9 * time.Hour) // bubbles begin at midnight, when rooms renew
		policy, err := abe.ParsePolicy(`"NTNU" or "admin"`)
		if err != nil {
			t.Fatal(err)
		}
		s := &sim{t: t, room: &room.Descriptor{Name: "den", Policy: policy}}
		s.net = &simnet.Simnet{LatencyFunc: s.latency, Logger: slog.New(slog.DiscardHandler)}
		s.net.Start()
		defer s.end()
		f(s)
	})
}

// large skips a test of a hundred hosts where it would take minutes.
func large(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("a hundred hosts on one processor under the race detector take minutes")
	}
	if testing.Short() {
		t.Skip("a hundred hosts take a while")
	}
}

// A sim is a network of rooms' members.
type sim struct {
	t       *testing.T
	net     *simnet.Simnet
	room    *room.Descriptor
	members []*simMember
	now     func() time.Time // the wall clock of who is added next; nil: the right one

	apart   atomic.Pointer[map[string]bool] // the addresses that are cut off from all others; nil: none
	packets atomic.Int64

	mu     sync.Mutex
	opened int // openings so far
}

// latency is how long a packet takes. One from one part of a network that is cut to the other
// goes nowhere.
func (s *sim) latency(p *simnet.Packet) time.Duration {
	s.packets.Add(1)
	if apart := s.apart.Load(); apart != nil && (*apart)[ipOf(p.From)] != (*apart)[ipOf(p.To)] {
		p.To = &net.UDPAddr{IP: net.IPv4zero}
	}
	return simLatency
}

func ipOf(a net.Addr) string {
	host, _, _ := net.SplitHostPort(a.String())
	return host
}

// A simMember is one peer, and what it has told, with the time.
type simMember struct {
	*Node
	sim   *sim
	name  string
	host  host.Host
	began time.Time
	done  chan struct{}
	begun bool
	gone  bool
	ip    string
	cut   bool // it is in the part that is cut off
	made  *simMade
	bytes *protocolBytes
	takes func(at time.Time, e Event) // instead of keeping events, if set
	// epochID and epochOf are the epoch that it is in, and how many are, for whoever takes events.
	epochID ake.Hash
	epochOf int

	mu     sync.Mutex
	events []timedEvent
}

type timedEvent struct {
	at    time.Time
	event Event
}

// add begins a member that dials others first.
func (s *sim) add(bootstrap ...*simMember) *simMember {
	s.t.Helper()
	m := s.make(bootstrap...)
	m.begin()
	return m
}

// make makes a member that does nothing yet.
func (s *sim) make(bootstrap ...*simMember) *simMember {
	s.t.Helper()
	_, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(identity)
	if err != nil {
		s.t.Fatal(err)
	}
	i := len(s.members)
	link := simnet.LinkSettings{BitsPerSecond: simBandwidth}
	ip, counted := simnet.IntToPublicIPv4(i).String(), new(protocolBytes)
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", ip)),
		libp2p.BandwidthReporter(counted),
		simlibp2p.QUICSimnet(s.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
		libp2p.DisableIdentifyAddressDiscovery(), // stalls in virtual time
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	var addrs []ma.Multiaddr
	for _, b := range bootstrap {
		addrs = append(addrs, b.Addresses()...)
	}
	m := &simMember{sim: s, name: fmt.Sprintf("%02d", i), host: h, began: time.Now(), done: make(chan struct{}),
		ip: ip, bytes: counted, made: &simMade{Encapsulator: (*simSuite)(s)}}
	m.Node, err = New(Config{
		Room: s.room, Identity: identity, Host: h, Suite: m.made, Bootstrap: addrs, Name: m.name,
		Now: s.now,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.members = append(s.members, m)
	return m
}

// begin has a member take part.
func (m *simMember) begin() {
	m.begun = true
	go func() {
		if err := m.Run(context.Background()); err != nil {
			m.sim.t.Errorf("%s: %v", m.name, err)
		}
	}()
	go func() {
		defer close(m.done)
		for e := range m.Events() {
			m.took(e)
		}
	}()
}

func (m *simMember) took(e Event) {
	if m.takes != nil {
		m.takes(time.Now(), e)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, timedEvent{time.Now(), e})
}

// simMade remembers the first encapsulation that a member made.
type simMade struct {
	room.Encapsulator
	context      *ake.Context
	encapsulated *ake.Encapsulated
}

func (m *simMade) Encapsulate(seed ake.Secret, c *ake.Context, not []uint64) (*ake.Encapsulated, error) {
	e, err := m.Encapsulator.Encapsulate(seed, c, not)
	if m.encapsulated == nil {
		m.context, m.encapsulated = c, e
	}
	return e, err
}

// protocolBytes counts what a host sends and receives on streams, by protocol.
type protocolBytes struct {
	traffic
	mu sync.Mutex
	of map[protocol.ID][2]int64 // received, sent
}

func (b *protocolBytes) LogRecvMessageStream(n int64, p protocol.ID, _ peer.ID) { b.add(p, n, 0) }
func (b *protocolBytes) LogSentMessageStream(n int64, p protocol.ID, _ peer.ID) { b.add(p, 0, n) }

func (b *protocolBytes) add(p protocol.ID, in, out int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = make(map[protocol.ID][2]int64)
	}
	b.of[p] = [2]int64{b.of[p][0] + in, b.of[p][1] + out}
}

// leave leaves the room, and takes the host down when that is done.
func (m *simMember) leave() {
	m.gone = true
	m.Leave()
	go func() {
		<-m.done
		m.host.Close()
	}()
}

// end stops everything: a bubble ends when all its goroutines have.
func (s *sim) end() {
	for _, m := range s.members {
		m.Leave()
	}
	for _, m := range s.members {
		if m.begun {
			<-m.done
		}
		m.host.Close()
	}
	s.net.Close()
}

func (s *sim) living() []*simMember {
	return slices.DeleteFunc(slices.Clone(s.members), func(m *simMember) bool { return m.gone })
}

func (m *simMember) each(f func(at time.Time, e Event)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		f(e.at, e.event)
	}
}

// epoch is the last epoch, since when, and how many there were after a time.
func (m *simMember) epoch(after time.Time) (last room.EpochStarted, at time.Time, n int) {
	m.each(func(t time.Time, e Event) {
		if e, ok := e.(room.EpochStarted); ok {
			last, at = e, t
			if t.After(after) {
				n++
			}
		}
	})
	return last, at, n
}

// together lets time pass until the living members, and nobody else, are in one
// epoch. It returns how long after a time that was, and the greatest number of
// epochs that anybody saw in between.
func (s *sim) together(after time.Time, limit time.Duration) (took time.Duration, epochs int) {
	s.t.Helper()
	living := s.living()
	for deadline := time.Now().Add(limit); ; {
		first, _, _ := living[0].epoch(after)
		same, last := len(first.Members) == len(living), time.Time{}
		epochs = 0
		for _, m := range living {
			e, at, n := m.epoch(after)
			same = same && e.ID == first.ID && e.SID == first.SID
			epochs = max(epochs, n)
			if at.After(last) {
				last = at
			}
		}
		if same {
			return last.Sub(after), epochs
		}
		if time.Now().After(deadline) {
			for _, m := range living {
				e, at, n := m.epoch(after)
				s.t.Logf("%s: epoch %x of %d, since %v, number %d", m.name, e.ID.Short(), len(e.Members), at.Sub(after), n)
			}
			s.t.Fatalf("%d members did not come into one epoch within %v", len(living), limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// calm makes a room of n, and lets it come to rest. Each dials one who was there
// before.
func (s *sim) calm(n int) {
	s.t.Helper()
	s.grow(n)
	start := time.Now()
	took, _ := s.together(start, 2*time.Minute)
	s.t.Logf("a room of %d came together %v after its last member", n, took)
	time.Sleep(10 * time.Second)
}

// grow begins n members that know of each other through one chain of addresses.
func (s *sim) grow(n int) []*simMember {
	began := []*simMember{s.add()}
	for len(began) < n {
		began = append(began, s.add(began[(len(began)-1)/4]))
		time.Sleep(50 * time.Millisecond)
	}
	return began
}

func (s *sim) openings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// simSuite is attribute-based work that takes its time and hides nothing: an
// encapsulation is its seed.
type simSuite sim

func (s *simSuite) Encapsulate(seed ake.Secret, c *ake.Context, _ []uint64) (*ake.Encapsulated, error) {
	time.Sleep(simEncapsulate)
	return simEncapsulated(seed, c), nil
}

func (s *simSuite) Open(c *ake.Context, _ []uint64, enc []byte) (*ake.Encapsulated, error) {
	s.mu.Lock()
	s.opened++
	s.mu.Unlock()
	time.Sleep(simOpen)
	if len(enc) != simEncapsulationSize {
		return nil, ake.ErrNotOpened
	}
	seed, err := ake.SecretFromBytes(enc[:ake.SecretSize])
	if err != nil {
		return nil, ake.ErrNotOpened
	}
	return simEncapsulated(seed, c), nil
}

// simEncapsulationSize is that of a real one of 4 leaves and those of the day.
const simEncapsulationSize = 5 << 10

func simEncapsulated(seed ake.Secret, c *ake.Context) *ake.Encapsulated {
	h := ake.Sum("coterie/2 context", c.Bytes())
	return &ake.Encapsulated{
		Term:  ake.Term{Secret: ake.Expand(seed, "coterie/2 term", h[:])},
		Proof: ake.Proof{Secret: ake.Expand(seed, "coterie/2 proof", h[:])},
		Bytes: append(seed.Bytes(), make([]byte, simEncapsulationSize-ake.SecretSize)...),
	}
}

// story tells what happened to a member after a time, for whoever looks for
// lost milliseconds.
func (m *simMember) story(after time.Time) {
	m.each(func(at time.Time, e Event) {
		if at.Before(after) {
			return
		}
		text := ""
		switch e := e.(type) {
		case room.EpochStarted:
			text = fmt.Sprintf("%x of %d (%s) by %s", e.ID.Short(), len(e.Members), e.Reason, e.Committer.ShortString())
		case Connected:
			text = fmt.Sprintf("%s gone %v", e.Peer.ShortString(), e.Gone)
		case room.Proved:
			text = fmt.Sprintf("%s in %v", e.Peer.ShortString(), e.Took)
		}
		m.sim.t.Logf("%8v %s %T %s", at.Sub(after), m.name, e, text)
	})
}

func (s *sim) story(after time.Time) {
	if testing.Verbose() {
		for _, m := range s.members {
			m.story(after)
		}
	}
}

// spread tells how the last epoch spread.
func (s *sim) spread(after time.Time) {
	var all []time.Duration
	for _, m := range s.living() {
		_, at, _ := m.epoch(after)
		all = append(all, at.Sub(after).Round(time.Millisecond))
	}
	slices.Sort(all)
	s.t.Logf("members came into the epoch after %v", all)
}

// within logs what something took, and fails at twice the goal: time is virtual,
// but which goroutine runs first is not, and a rank or two may come late.
func (s *sim) within(what string, took, goal time.Duration) {
	s.t.Helper()
	s.t.Logf("%s: %v, the goal is %v", what, took, goal)
	if took > 2*goal {
		s.t.Errorf("%s: %v, twice the goal of %v", what, took, goal)
	}
}

// TestJoinAndLeaveOf10 is from a peer's start, and from its leave, to everybody
// in the new epoch.
func TestJoinAndLeaveOf10(t *testing.T) { joinAndLeave(t, 10, 500*time.Millisecond) }

// TestJoinAndLeaveOf40 is the same in a larger room.
func TestJoinAndLeaveOf40(t *testing.T) {
	large(t)
	joinAndLeave(t, 40, time.Second)
}

var simMembers = flag.Int("sim.members", 0, "how many members TestJoinAndLeaveOfMany has")

// TestJoinAndLeaveOfMany is the same in as large a room as one has patience for; room's
// TestLargeRoom has hundreds in seconds, without libp2p.
//
//	go test ./node -run JoinAndLeaveOfMany -v -timeout 2h -sim.members 100
func TestJoinAndLeaveOfMany(t *testing.T) {
	if *simMembers == 0 {
		t.Skip("a hundred hosts take minutes: -sim.members says how many")
	}
	joinAndLeave(t, *simMembers, time.Second)
}

func joinAndLeave(t *testing.T, n int, limit time.Duration) {
	virtual(t, func(s *sim) {
		s.calm(n - 1)
		opened, start := s.openings(), time.Now()
		m := s.add(s.members[3])
		took, epochs := s.together(start, time.Minute)
		s.within(fmt.Sprintf("a join to a room of %d", n), took, limit)
		if epochs != 1 {
			t.Errorf("a join made %d epochs", epochs)
		}
		if got := s.openings() - opened; got != 2 {
			t.Errorf("a join cost %d openings", got)
		}
		if t.Failed() {
			s.spread(start)
			m.story(start)
			s.members[3].story(start)
		}

		time.Sleep(10 * time.Second)
		start = time.Now()
		s.members[5].leave()
		took, epochs = s.together(start, time.Minute)
		s.within(fmt.Sprintf("a leave from a room of %d", n), took, limit)
		if epochs != 1 {
			t.Errorf("a leave made %d epochs", epochs)
		}
		if t.Failed() {
			s.spread(start)
		}
	})
}

// heardBy is what a member heard of another, in order.
func (m *simMember) heardBy(author peer.ID) (texts []string) {
	m.each(func(_ time.Time, e Event) {
		if d, ok := e.(room.Delivered); ok && d.Author.Peer == author && !d.Self {
			texts = append(texts, d.Message.Text)
		}
	})
	return texts
}

func (m *simMember) say(text string) {
	m.sim.t.Helper()
	if err := m.Send(nil, record.KindText, text); err != nil {
		m.sim.t.Fatalf("%s: %v", m.name, err)
	}
}

// TestTwentyJoins: 20 peers that come within 0.4 seconds are let in by a few epochs.
func TestTwentyJoins(t *testing.T) {
	large(t)
	virtual(t, func(s *sim) {
		s.calm(10)
		old, start := s.living(), time.Now()
		for i := range 20 {
			s.add(old[i%len(old)])
			time.Sleep(20 * time.Millisecond)
		}
		took, _ := s.together(start, time.Minute)
		t.Logf("after the last of 20 joins in 0.4 s: %v", took-400*time.Millisecond)
		s.spread(start)
		for _, m := range old {
			if _, _, n := m.epoch(start); n > 8 {
				t.Errorf("%s went through %d epochs", m.name, n)
			}
		}
		s.epochs(start)
	})
}

// epochs logs the epochs after a time.
func (s *sim) epochs(after time.Time) {
	members := make(map[ake.Hash]int)
	began := make(map[ake.Hash]time.Time)
	in := make(map[ake.Hash]int)
	for _, m := range s.living() {
		m.each(func(at time.Time, e Event) {
			if e, ok := e.(room.EpochStarted); ok && at.After(after) {
				if began[e.ID].IsZero() || at.Before(began[e.ID]) {
					began[e.ID] = at
				}
				in[e.ID]++
				members[e.ID] = len(e.Members)
			}
		})
	}
	for id := range began {
		s.t.Logf("epoch %x after %v: of %d, %d came into it", id.Short(), began[id].Sub(after), members[id], in[id])
	}
}

// TestMergeOfTwoRoomsOf12: one connection and one proof make one room of two.
func TestMergeOfTwoRoomsOf12(t *testing.T) {
	large(t)
	mergeRooms(t, 12)
}

func TestMergeOfTwoRoomsOf5(t *testing.T) { mergeRooms(t, 5) }

func mergeRooms(t *testing.T, n int) {
	virtual(t, func(s *sim) {
		one, other := s.grow(n), s.grow(n)
		time.Sleep(20 * time.Second)
		for _, m := range s.members {
			if e, _, _ := m.epoch(time.Now()); len(e.Members) != n {
				t.Fatalf("%s is in an epoch of %d", m.name, len(e.Members))
			}
		}
		opened, start := s.openings(), time.Now()
		far := other[n/3].host
		err := one[n/2].host.Connect(context.Background(), peer.AddrInfo{ID: far.ID(), Addrs: far.Addrs()})
		if err != nil {
			t.Fatal(err)
		}
		took, epochs := s.together(start, time.Minute)
		s.within(fmt.Sprintf("a merge of two rooms of %d", n), took, 2*time.Second)
		if got := s.openings() - opened; got != 2 {
			t.Errorf("%d openings, want two", got)
		}
		// One commit takes all in; another, made before that arrived, may cross it.
		if epochs > 2 {
			t.Errorf("%d epochs", epochs)
		}
		if t.Failed() {
			s.spread(start)
			s.epochs(start)
		}
	})
}

// TestFirstMessage: what is typed right after the start arrives at everybody who
// is there, a hundred times of a hundred.
func TestFirstMessage(t *testing.T) {
	runs := 100
	if raceDetector || testing.Short() {
		runs = 10
	}
	for run := range runs {
		virtual(t, func(s *sim) {
			a := s.add()
			b := s.add(a)
			if run%2 == 0 {
				s.together(time.Now(), time.Minute)
			} // otherwise the newcomer comes while the two are meeting, perhaps
			time.Sleep(time.Duration(run) * 17 * time.Millisecond)
			_, _, met := a.epoch(time.Time{})
			c := s.add([]*simMember{a, b}[run%2])
			c.say("hello, all")
			for limit := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				readers := c.readers()
				arrived := len(readers) == 2 || len(readers) == 1 && met == 0
				for _, m := range []*simMember{a, b} {
					if slices.Contains(readers, m.Self()) && len(m.heardBy(c.Self())) != 1 {
						arrived = false
					}
				}
				if arrived {
					break
				}
				if time.Now().After(limit) {
					t.Errorf("run %d: sent to %d, heard %q and %q", run, len(readers), a.heardBy(c.Self()), b.heardBy(c.Self()))
					s.story(c.began)
					break
				}
			}
		})
	}
}

// readers are those for whom the member's first message was encrypted: the
// members of the epoch in which it went out.
func (m *simMember) readers() (readers []peer.ID) {
	m.each(func(_ time.Time, e Event) {
		if e, ok := e.(room.Sent); ok && readers == nil {
			readers = e.Readers
		}
	})
	return readers
}

// TestBurst: 500 messages that one member sends at once arrive whole and in
// order at all others.
func TestBurst(t *testing.T) {
	messages := 500
	if raceDetector && testing.Short() {
		messages = 100
	}
	virtual(t, func(s *sim) {
		s.calm(10)
		start, author := time.Now(), s.members[4]
		var sent []string
		for i := range messages {
			sent = append(sent, fmt.Sprintf("%d %0100d", i, i))
			author.say(sent[i])
		}
		var heard time.Duration
		for limit := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			all := true
			for _, m := range s.members {
				all = all && (m == author || len(m.heardBy(author.Self())) >= len(sent))
			}
			if heard = time.Since(start); all || time.Now().After(limit) {
				break
			}
		}
		t.Logf("%d messages at 9 others after %v", messages, heard)
		for _, m := range s.members {
			if got := m.heardBy(author.Self()); m != author && !slices.Equal(got, sent) {
				t.Errorf("%s heard %d, and not in order", m.name, len(got))
			}
		}
	})
}
