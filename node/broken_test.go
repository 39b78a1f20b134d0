package node

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/room"
	"coterie/room/record"
)

// TestBrokenRoom: should the room's state break, Run says so and returns, nobody
// waits for the loop for ever, and the error names the place and no contents.
func TestBrokenRoom(t *testing.T) {
	policy, err := abe.ParsePolicy(`"NTNU"`)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		breaks func()
		worker bool // in one of these
		says   string
	}{
		"by a division": {breaks: func() {
			var zero []int
			_ = 1 / len(zero)
		}, says: "integer divide by zero"},
		"by a value":  {breaks: func() { panic("the epoch's secret") }, says: "a panic with a string"},
		"in a worker": {breaks: func() { panic("the epoch's secret") }, worker: true, says: "a panic with a string"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := New(Config{
				Room: &room.Descriptor{Name: "den", Policy: policy}, Suite: (*simSuite)(new(sim)),
				Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
			})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- n.Run(context.Background()) }()
			// The node's own goroutines hand the loop things at any time, and so do these.
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for n.do(func() {}) {
					}
				})
			}
			if test.worker {
				n.queue(room.Task{Run: func() any { test.breaks(); return nil }})
			} else if n.do(test.breaks) {
				t.Error("what broke was said to have run")
			}
			var broken *BrokenError
			if err := <-done; !errors.As(err, &broken) {
				t.Fatalf("Run returned %v", err)
			}
			wg.Wait()
			for range n.Events() {
			}
			text := broken.Error()
			if !strings.Contains(text, test.says) || !strings.Contains(text, "node.TestBrokenRoom") ||
				!strings.Contains(text, "broken_test.go:") {
				t.Errorf("it says %q", text)
			}
			if strings.Contains(text, "secret") {
				t.Errorf("it says too much: %q", text)
			}
			if err := n.Send(nil, record.KindText, "is anybody there?"); !errors.Is(err, ErrEnded) {
				t.Errorf("sending: %v", err)
			}
			n.Leave()
		})
	}
}
