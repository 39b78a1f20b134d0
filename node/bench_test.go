package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/node/store"
	"coterie/room"
	"coterie/room/record"
)

// BenchmarkMessages is five peers on loopback, all connected to all: a room, and
// beside it plain gossipsub that carries as many bytes between as many hosts.
//
//	go test ./node -run '^$' -bench Messages -benchtime 5000x
//
// Paces are off: with them a member sends no more than 1,000 at once and 100 a second, and no more
// than 2,000 at once and 200 a second are taken from one forwarder; the rest comes when logs are compared.
//
// burst sends as fast as can be, with at most 250 on the way: messages/s is until the last of the four others has
// the last one. single sends one when all have had the one before: ns/op is until
// all four have it, and p50-us the median over all deliveries.
func BenchmarkMessages(b *testing.B) {
	defer slog.SetLogLoggerLevel(slog.SetLogLoggerLevel(slog.LevelError)) // as the program has it
	for _, shape := range []string{"burst", "single"} {
		b.Run(shape+"/gossipsub", func(b *testing.B) { benchPlain(b, shape, pubsub.StrictSign) })
		b.Run(shape+"/unsigned", func(b *testing.B) { benchPlain(b, shape, pubsub.StrictNoSign) })
		b.Run(shape+"/coterie", func(b *testing.B) { benchRoom(b, shape) })
	}
}

const (
	benchPeers  = 5
	benchText   = 100 // bytes of text; a room makes 337 of it
	benchBytes  = 337
	benchWindow = 250
)

// A meter counts what arrives, and how long it took.
type meter struct {
	mu       sync.Mutex
	more     *sync.Cond // one more has arrived
	sent     time.Time
	took     []time.Duration
	arrived  [benchPeers]int // at each
	want     int             // at each of the others
	complete chan struct{}
}

func newMeter() *meter {
	m := &meter{}
	m.more = sync.NewCond(&m.mu)
	return m
}

func (m *meter) send(want int) {
	m.mu.Lock()
	m.sent, m.arrived, m.want = time.Now(), [benchPeers]int{}, want
	m.complete = make(chan struct{})
	m.mu.Unlock()
}

// least is how many have arrived at each of the others.
func (m *meter) least() int { return slices.Min(m.arrived[1:]) }

// await waits until so many have.
func (m *meter) await(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.least() < n {
		m.more.Wait()
	}
}

func (m *meter) got(peer int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took = append(m.took, time.Since(m.sent))
	m.more.Signal()
	if m.arrived[peer]++; m.arrived[peer] == m.want && m.least() == m.want {
		close(m.complete)
	}
}

// run sends b.N messages in one of the two shapes.
func (m *meter) run(b *testing.B, shape string, send func(i int)) {
	wait := func(d time.Duration) {
		select {
		case <-m.complete:
		case <-time.After(d):
			b.Fatalf("%d of %d deliveries", m.arrived[1:], m.want)
		}
	}
	m.took = nil
	b.ResetTimer()
	if shape == "burst" {
		m.send(b.N)
		for i := range b.N {
			// No more on the way than queues hold: what plain gossipsub loses would never
			// arrive.
			m.await(i - benchWindow)
			send(i)
		}
		wait(time.Minute)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		return
	}
	for i := range b.N {
		m.send(1)
		send(i)
		wait(30 * time.Second)
	}
	b.StopTimer()
	slices.Sort(m.took)
	b.ReportMetric(float64(m.took[len(m.took)/2].Nanoseconds())/1000, "p50-us")
}

func benchRoom(b *testing.B, shape string) {
	began := time.Now()
	// Noon: from the evening on members prove themselves for the next day, which takes what is measured.
	noon := began.UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	d := descriptor(b, "ONE")
	m := newMeter()
	var all []*Node
	var ready sync.WaitGroup
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	ready.Add(benchPeers)
	for i := range benchPeers {
		cfg := Config{
			Room: d, Key: issue(b, "ONE"), Rate: -1,
			Now:    func() time.Time { return noon.Add(time.Since(began)) },
			Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}, Store: benchStore(b, d),
		}
		for _, n := range all {
			cfg.Bootstrap = append(cfg.Bootstrap, n.Addresses()[0])
		}
		n, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, n)
		running.Go(func() { n.Run(ctx) })
		running.Go(func() {
			whole := false
			for e := range n.Events() {
				switch e := e.(type) {
				case room.EpochStarted:
					if len(e.Members) == benchPeers && !whole {
						whole = true
						ready.Done()
					}
				case room.Delivered:
					if i > 0 {
						m.got(i)
					}
				}
			}
		})
	}
	ready.Wait()
	meshed := time.NewTimer(2 * time.Second)
	<-meshed.C
	text := strings.Repeat("x", benchText)
	m.run(b, shape, func(int) {
		for {
			err := all[0].Send(nil, record.KindText, text)
			if err == nil {
				return
			}
		}
	})
}

func benchPlain(b *testing.B, shape string, signatures pubsub.MessageSignaturePolicy) {
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	m := newMeter()
	var hosts []host.Host
	var topics []*pubsub.Topic
	for i := range benchPeers {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
		if err != nil {
			b.Fatal(err)
		}
		defer h.Close()
		ps, err := pubsub.NewGossipSub(ctx, h,
			pubsub.WithMessageSignaturePolicy(signatures), pubsub.WithMessageIdFn(contentID),
			pubsub.WithFloodPublish(true), pubsub.WithPeerOutboundQueueSize(queueSize), pubsub.WithValidateQueueSize(queueSize))
		if err != nil {
			b.Fatal(err)
		}
		t, err := ps.Join("plain")
		if err != nil {
			b.Fatal(err)
		}
		sub, err := t.Subscribe(pubsub.WithBufferSize(1 << 16))
		if err != nil {
			b.Fatal(err)
		}
		running.Go(func() {
			for {
				if _, err := sub.Next(ctx); err != nil {
					return
				}
				if i > 0 {
					m.got(i)
				}
			}
		})
		for _, o := range hosts {
			if err := h.Connect(ctx, peer.AddrInfo{ID: o.ID(), Addrs: o.Addrs()}); err != nil {
				b.Fatal(err)
			}
		}
		hosts, topics = append(hosts, h), append(topics, t)
	}
	meshed := time.NewTimer(2 * time.Second)
	<-meshed.C
	m.run(b, shape, func(int) {
		data := make([]byte, benchBytes)
		rand.Read(data)
		if err := topics[0].Publish(ctx, data); err != nil {
			b.Fatal(fmt.Errorf("publishing: %w", err))
		}
	})
}

func benchStore(b testing.TB, d *room.Descriptor) Store {
	s, err := store.Open(store.Config{Path: filepath.Join(b.TempDir(), "room.db"), Key: [32]byte{1}, Room: d.ID()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return NewStore(s)
}
