package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	ma "github.com/multiformats/go-multiaddr"
)

// TestRefusedIsTold: who finds no place at a relay is told that it refused, over
// QUIC, or hung up, over TCP; and the relay says whom it refused, and why. When there
// is a place again, they get in.
func TestRefusedIsTold(t *testing.T) {
	refused := make(chan Refusal, 16)
	r, err := NewRelay(RelayConfig{
		Listen:  []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0"), ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1")},
		Limits:  Limits{Connections: 1},
		Refused: func(x Refusal) { refused <- x },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	defer func() { cancel(); <-done }()
	dialler := func() *Node {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h, err := newHost(key, []ma.Multiaddr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return &Node{host: h}
	}
	limit, stop := context.WithTimeout(ctx, patience)
	defer stop()
	first := dialler()
	for _, a := range r.Addresses()[:1] {
		if _, err := first.dial(limit, a); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range r.Addresses() {
		second := dialler()
		_, err := second.dial(limit, a)
		var told *RefusedError
		if !errors.As(err, &told) || told.Sure != (transportOf(a) == "quic") || errors.Is(err, ErrRefused) != told.Sure {
			t.Errorf("%s: %v", a, err)
		}
		if err != nil && strings.Contains(err.Error(), ": ") {
			t.Errorf("what is shown of %q is what is behind its last colon", err)
		}
		select {
		case x := <-refused:
			if x != (Refusal{"connection", "127.0.0.1", "all 1 connections are taken"}) {
				t.Errorf("the relay says %+v", x)
			}
		case <-limit.Done():
			t.Fatal("the relay says nothing")
		}
	}
	if st := r.Stats(); st.Refused < 2 || st.Connections != 1 || st.Peers != 1 {
		t.Errorf("the relay says %+v", st)
	}
	first.host.Close()
	for {
		if _, err := dialler().dial(limit, r.Addresses()[0]); err == nil {
			break
		} else if limit.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // until the relay has seen that the first is gone
	}
}

// TestRelayRefuses: who is given no circuit by a relay is told so, by whom and why, once.
func TestRelayRefuses(t *testing.T) {
	r, err := NewRelay(RelayConfig{Listen: loopback(), Limits: Limits{Circuits: 1}}) // half of which one address may have
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	r.circuits.open.Store(1)
	d := descriptor(t, "ONE")
	ann := behind(t, r, d, "ann", issue(t, "ONE"))
	behind(t, r, d, "bob", issue(t, "ONE"))
	e := see[RelayRefused](t, ann, "a refusal", func(RelayRefused) bool { return true })
	if e.Relay != r.Self() || e.What != "circuit" || e.Why == "" {
		t.Errorf("%+v", e)
	}
	for what, err := range map[string]error{
		"it is full": client.ReservationError{Status: pb.Status_RESERVATION_REFUSED},
		"":           client.ReservationError{Status: pb.Status_CONNECTION_FAILED},
	} {
		if why := relayWhy(err); why != what {
			t.Errorf("%v: %q", err, why)
		}
	}
	n := &Node{inputs: make(chan func(), 8), events: make(chan Event, 8), ended: make(chan struct{})}
	go func() {
		for f := range n.inputs {
			f()
		}
	}()
	full := client.ReservationError{Status: pb.Status_RESERVATION_REFUSED}
	for _, err := range []error{full, full, nil, full} {
		n.refusedByRelay(r.Self(), "place", err)
	}
	close(n.inputs)
	if len(n.events) != 2 {
		t.Errorf("%d events, not one for each time that it began", len(n.events))
	}
}
