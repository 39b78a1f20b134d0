package channel

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
)

const protocolID = "/coterie/2/channel"

// host makes a libp2p host whose identity is the process'.
func (p *process) host(t testing.TB, opts ...libp2p.Option) host.Host {
	t.Helper()
	pub, raw, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.identity = [32]byte(pub)
	key, err := crypto.UnmarshalEd25519PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.Identity(key), libp2p.DisableMetrics(), libp2p.DisableRelay(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// standOn makes a channel between two hosts that can reach each other.
func standOn(t testing.TB, ann, bob process, a, b host.Host) (*Session, *Session) {
	t.Helper()
	streams := make(chan network.Stream)
	b.SetStreamHandler(protocolID, func(s network.Stream) { streams <- s })
	if err := a.Connect(context.Background(), peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}); err != nil {
		t.Fatal(err)
	}
	s, err := a.NewStream(context.Background(), b.ID(), protocolID)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		s   *Session
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		s, err := Answer(context.Background(), <-streams, bob.to(ann))
		answered <- answer{s, err}
	}()
	x, err := Dial(context.Background(), s, ann.to(bob))
	if err != nil {
		t.Fatal(err)
	}
	got := <-answered
	if got.err != nil {
		t.Fatal(got.err)
	}
	return x, got.s
}

// TestOverLibp2p: a channel over TCP and over QUIC; and when the connection below
// is gone, both ends are cut.
func TestOverLibp2p(t *testing.T) {
	for _, address := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		t.Run(address, func(t *testing.T) {
			ann, bob := newProcess(t), newProcess(t)
			a, b := ann.host(t, libp2p.ListenAddrStrings(address)), bob.host(t, libp2p.ListenAddrStrings(address))
			defer a.Close()
			defer b.Close()
			x, y := standOn(t, ann, bob, a, b)
			go echo(y)
			text := make([]byte, 1<<20)
			rand.Read(text)
			st := open(t, x, "echo")
			go func() {
				st.Write(text)
				st.CloseWrite()
			}()
			if got, err := io.ReadAll(st); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%d bytes: %v", len(got), err)
			}
			st.Close()
			b.Network().ClosePeer(a.ID())
			<-x.Done()
			<-y.Done()
			if _, err := x.Open(context.Background(), "echo"); !errors.Is(err, ErrCut) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLogsDoNotDelay: while one stream carries 8 MiB, 300 bytes on another arrive
// within a fifth of a second: 25 ms away and at 20 Mbit/s, where a window takes
// 105 ms and all of it three and a half seconds.
func TestLogsDoNotDelay(t *testing.T) {
	if raceDetector {
		// https://github.com/golang/go/issues/78156
		before := runtime.GOMAXPROCS(1)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
	synctest.Test(t, func(t *testing.T) {
		net := &simnet.Simnet{LatencyFunc: simnet.StaticLatency(25 * time.Millisecond)}
		net.Start()
		defer net.Close()
		link := simnet.LinkSettings{BitsPerSecond: 20_000_000}
		on := func(i int) []libp2p.Option {
			return []libp2p.Option{
				libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", simnet.IntToPublicIPv4(i))),
				simlibp2p.QUICSimnet(net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
				libp2p.DisableIdentifyAddressDiscovery(),
			}
		}
		ann, bob := newProcess(t), newProcess(t)
		a, b := ann.host(t, on(0)...), bob.host(t, on(1)...)
		defer a.Close()
		defer b.Close()
		x, y := standOn(t, ann, bob, a, b)
		defer x.Abort()

		const logs, size = 8 << 20, 300
		bulk := open(t, x, "log")
		got, _ := accept(t, y)
		begun, whole := time.Now(), make(chan time.Duration, 1)
		go func() {
			bulk.Write(make([]byte, logs))
			bulk.CloseWrite()
		}()
		go func() {
			n, err := io.Copy(io.Discard, got)
			if n != logs || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			whole <- time.Since(begun)
		}()
		time.Sleep(500 * time.Millisecond)
		secrets := open(t, x, "secret")
		in, _ := accept(t, y)
		var worst time.Duration
		for range 20 {
			sent := time.Now()
			if _, err := secrets.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(in, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			worst = max(worst, time.Since(sent))
			time.Sleep(50 * time.Millisecond)
		}
		select {
		case took := <-whole:
			t.Fatalf("the logs were over after %v", took)
		default:
		}
		took := <-whole
		t.Logf("300 bytes took %v at worst, 8 MiB %v", worst, took)
		if worst > 200*time.Millisecond {
			t.Errorf("300 bytes took %v", worst)
		}
		if took > 10*time.Second {
			t.Errorf("8 MiB took %v", took)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	ann, bob := newProcess(b), newProcess(b)
	h, o := ann.host(b, libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")), bob.host(b,
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	defer h.Close()
	defer o.Close()
	if err := h.Connect(context.Background(), peer.AddrInfo{ID: o.ID(), Addrs: o.Addrs()}); err != nil {
		b.Fatal(err)
	}
	o.SetStreamHandler("/plain", func(s network.Stream) {
		defer s.Close()
		io.Copy(s, s)
	})
	o.SetStreamHandler(protocolID, func(s network.Stream) {
		x, err := Answer(context.Background(), s, bob.to(ann))
		if err != nil {
			b.Error(err)
			return
		}
		echo(x)
	})
	dial := func() *Session {
		s, err := h.NewStream(context.Background(), o.ID(), protocolID)
		if err != nil {
			b.Fatal(err)
		}
		x, err := Dial(context.Background(), s, ann.to(bob))
		if err != nil {
			b.Fatal(err)
		}
		return x
	}
	one := make([]byte, 1)
	b.Run("plain stream", func(b *testing.B) {
		for b.Loop() {
			s, err := h.NewStream(context.Background(), o.ID(), "/plain")
			if err != nil {
				b.Fatal(err)
			}
			s.Write(one)
			if _, err := io.ReadFull(s, one); err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
	b.Run("channel", func(b *testing.B) {
		for b.Loop() {
			dial().Abort()
		}
	})
	b.Run("stream in a channel", func(b *testing.B) {
		x := dial()
		defer x.Abort()
		for b.Loop() {
			s := open(b, x, "echo")
			s.Write(one)
			if _, err := io.ReadFull(s, one); err != nil {
				b.Fatal(err)
			}
			s.CloseWrite()
			io.Copy(io.Discard, s)
			s.Close()
		}
	})
}
