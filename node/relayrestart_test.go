package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/room"
	"coterie/room/record"
)

// TestRelayRestarts: a relay that starts again with its key, at its address, is found
// again by those who can reach each other through it alone; what was said meanwhile
// arrives.
func TestRelayRestarts(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	run := func(listen ma.Multiaddr) (*Relay, func()) {
		r, err := NewRelay(RelayConfig{Listen: []ma.Multiaddr{listen}, Identity: key})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		return r, func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	r, stop := run(ma.StringCast("/ip4/127.0.0.1/tcp/0"))
	at, _ := peer.SplitAddr(r.Addresses()[0])
	d := descriptor(t, "ONE")
	ann, bob := behind(t, r, d, "ann", issue(t, "ONE")), behind(t, r, d, "bob", issue(t, "ONE"))
	for _, m := range []*member{ann, bob} {
		see[room.EpochStarted](t, m, "an epoch of two", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	}
	stop()
	if err := ann.Send(nil, record.KindText, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, stop = run(at)
	defer stop()
	see[room.Delivered](t, bob, "what was said meanwhile",
		func(e room.Delivered) bool { return e.Message.Text == "meanwhile" })
	t.Logf("%v after it was back", time.Since(began).Round(10*time.Millisecond))
}
