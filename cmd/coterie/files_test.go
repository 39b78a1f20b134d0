//go:build unix

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestSixJoinsAtOnce: six rooms that are joined in one moment are remembered, all six.
func TestSixJoinsAtOnce(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			_, stderr, status := run(t, dir, "", "join", fmt.Sprint("room", i), "--plain", "--key", "ann.key", "--policy", thePolicy,
				"--listen", "/ip4/127.0.0.1/tcp/0")
			if status != 0 {
				t.Errorf("room%d: status %d: %s", i, status, stderr)
			}
		})
	}
	all.Wait()
	stdout, stderr, _ := run(t, dir, "", "rooms")
	for i := range 6 {
		if !strings.Contains(stdout, fmt.Sprint("room", i, " ")) {
			t.Errorf("room%d is not remembered: %s%s", i, stdout, stderr)
		}
	}
}
