package node

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// A syncBuffer is a buffer that several may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestGossipLogsToUs: gossipsub tells the process' logger, and not standard error, which is its own
// way and would stand in the middle of what is said.
func TestGossipLogsToUs(t *testing.T) {
	before, flags := slog.Default(), log.Flags()
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
	}()
	var said syncBuffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&said, nil)))
	r, err := NewRelay(RelayConfig{Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	// It says when it ends.
	for until := time.Now().Add(patience); !strings.Contains(said.String(), "pubsub"); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("it said %q", said.String())
		}
	}
}
