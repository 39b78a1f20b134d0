package node

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/room"
)

// TestEventsNobodyReads: a node whose events nobody reads can be left all the
// same.
func TestEventsNobodyReads(t *testing.T) {
	policy, err := abe.ParsePolicy(`"NTNU"`)
	if err != nil {
		t.Fatal(err)
	}
	for _, leave := range []string{"by the context", "by Leave"} {
		t.Run(leave, func(t *testing.T) {
			n, err := New(Config{
				Room: &room.Descriptor{Name: "den", Policy: policy}, Suite: (*simSuite)(new(sim)),
				Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- n.Run(ctx) }()
			// One too many, so that the room waits for a reader: this call, or the
			// room's own events, which take their places, too.
			blocked := make(chan bool, 1)
			go func() {
				for range eventBuffer {
					n.do(func() { n.emit("nobody reads this") })
				}
				blocked <- n.do(func() { n.emit("nor this") })
			}()
			for len(n.events) < eventBuffer {
				runtime.Gosched()
			}
			if leave == "by Leave" {
				n.Leave()
			} else {
				cancel()
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			<-blocked // whether it was emitted or came too late
			read := 0
			for range n.Events() {
				read++
			}
			if read < eventBuffer {
				t.Errorf("%d events of %d were lost", eventBuffer-read, eventBuffer)
			}
		})
	}
}

// TestSlowReaderIsBounded: what is queued for a peer that reads nothing is
// bounded, and the stream then ends with what is queued.
func TestSlowReaderIsBounded(t *testing.T) {
	n := new(Node)
	frame := make([]byte, 1<<20)
	var streams []*stream
	for range 2 * maxQueues / maxQueue {
		s := n.newStream(2, "slow")
		for range 2 * maxQueue / len(frame) {
			s.write(frame)
		}
		if !s.finishing {
			t.Error("the stream goes on")
		}
		if s.size > maxQueue {
			t.Errorf("%d bytes on one stream", s.size)
		}
		streams = append(streams, s)
	}
	if q := n.queued.Load(); q > maxQueues || q < maxQueues/2 {
		t.Errorf("%d bytes on all", q)
	}
	for _, s := range streams {
		s.drop()
		s.write(frame)
	}
	if q := n.queued.Load(); q != 0 {
		t.Errorf("%d bytes are still counted", q)
	}
}

// TestHostLivesOn: a node takes its handlers off a host that is not its own, and
// a second one can use it.
func TestHostLivesOn(t *testing.T) {
	virtual(t, func(s *sim) {
		m := s.add()
		m.Leave()
		<-m.done
		for _, p := range m.host.Mux().Protocols() {
			if strings.HasPrefix(fmt.Sprint(p), "/coterie/") {
				t.Errorf("%s is still handled", p)
			}
		}
		if !slices.ContainsFunc(m.host.Network().ListenAddresses(), func(ma.Multiaddr) bool { return true }) {
			t.Error("the host was closed")
		}
	})
}
