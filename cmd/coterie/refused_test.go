package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/node"
)

// TestBootstrapRefused: that somebody is there and refuses is another thing than
// that nobody is, and both are said.
func TestBootstrapRefused(t *testing.T) {
	e := node.BootstrapFailed{
		Addresses: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.7/tcp/4001"), ma.StringCast("/ip4/192.0.2.7/udp/4001/quic-v1"), ma.StringCast("/ip4/192.0.2.8/tcp/4001")},
		Errors:    []error{fmt.Errorf("dialling: %w", &node.RefusedError{}), &node.RefusedError{Sure: true}, syscall.ECONNREFUSED},
	}
	got := bootstrapError(e)
	if got.Code != "bootstrap-refused" || got.Text != "/ip4/192.0.2.7/udp/4001/quic-v1 refused the connection" || len(got.Hints) != 2 {
		t.Errorf("%s: %s %q", got.Code, got.Text, got.Hints)
	}
	want := "/ip4/192.0.2.7/tcp/4001   hung up at once, it may be full or have as many connections as it takes from your network\n" +
		"/ip4/192.0.2.8/tcp/4001   connection refused"
	if lines := strings.Join(got.Details, "\n"); lines != want {
		t.Errorf("details\n%s", lines)
	}
	e.Addresses, e.Errors = e.Addresses[:1], e.Errors[:1]
	if got := bootstrapError(e); got.Code != "bootstrap-unreachable" || !strings.Contains(strings.Join(got.Details, ""), "hung up at once") {
		t.Errorf("over TCP alone: %s %q", got.Code, got.Details)
	}
}
