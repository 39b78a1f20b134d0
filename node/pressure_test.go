package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// TestMemoryIsShort: when a relay uses more memory than it may, the peer with most
// streams gives way, one at a time, and nobody does who has few; what is only not
// collected yet is no reason.
func TestMemoryIsShort(t *testing.T) {
	refused := make(chan Refusal, 16)
	r, err := NewRelay(RelayConfig{
		Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
		Limits: Limits{Memory: 64 << 20}, Refused: func(x Refusal) { refused <- x },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.host.Close()
	if !r.watched {
		t.Error("nobody looks at its memory")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hold := make(chan struct{})
	defer close(hold)
	r.host.SetStreamHandler("/test", func(s network.Stream) { <-hold; s.Reset() })
	connect := func(streams int) host.Host {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h, err := newHost(key, []ma.Multiaddr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		if _, err := (&Node{host: h}).dial(ctx, r.Addresses()[0]); err != nil {
			t.Fatal(err)
		}
		for range streams {
			s, err := h.NewStream(ctx, r.Self(), "/test")
			if err != nil {
				t.Fatal(err)
			}
			s.Write([]byte{1})
		}
		return h
	}
	few, many := connect(1), connect(40)
	connected := func(h host.Host) bool { return r.host.Network().Connectedness(h.ID()) == network.Connected }
	for n := 0; n < 40; { // until the relay has them all
		n = 0
		for _, c := range r.host.Network().ConnsToPeer(many.ID()) {
			n += len(c.GetStreams())
		}
		if ctx.Err() != nil {
			t.Fatalf("%d streams have come", n)
		}
		time.Sleep(10 * time.Millisecond)
	}
	calls := 0
	r.used = func() int64 {
		if calls++; calls == 1 {
			return 65 << 20 // most of which is not collected yet
		}
		return 1 << 20
	}
	r.relieve()
	if calls != 2 || !connected(few) || !connected(many) {
		t.Error("somebody gave way to what is not used any more")
	}
	r.used = func() int64 {
		if connected(many) {
			return 65 << 20
		}
		return 1 << 20
	}
	r.relieve()
	r.relieve()
	if connected(many) || !connected(few) {
		t.Errorf("many: %v, few: %v", connected(many), connected(few))
	}
	if x := <-refused; x.From != "127.0.0.1" || len(refused) != 0 {
		t.Errorf("the relay says %+v, and %d more", x, len(refused))
	}
	if n := usedMemory(); n <= 0 {
		t.Errorf("%d bytes are used", n)
	}
	if p, _, _ := heaviest(nil); p != peer.ID("") {
		t.Errorf("of nobody, %v is the heaviest", p)
	}
}
