package chat

import (
	"context"
	"errors"
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
		Addresses: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.7/tcp/4001"), ma.StringCast("/ip4/192.0.2.7/udp/4001/quic-v1"),
			ma.StringCast("/ip4/192.0.2.8/tcp/4001")},
		Errors: []error{fmt.Errorf("dialling: %w", &node.RefusedError{}), &node.RefusedError{Sure: true},
			syscall.ECONNREFUSED},
	}
	got := bootstrapError(e)
	if got.Code != "bootstrap-refused" || got.Text != "/ip4/192.0.2.7/udp/4001/quic-v1 refused the connection" ||
		len(got.Hints) != 2 {
		t.Errorf("%s: %s %q", got.Code, got.Text, got.Hints)
	}
	want := "/ip4/192.0.2.7/tcp/4001   hung up at once, it may be full or have as many connections as it takes from " +
		"your network\n" +
		"/ip4/192.0.2.8/tcp/4001   connection refused: nobody listens on that port"
	if lines := strings.Join(got.Details, "\n"); lines != want {
		t.Errorf("details\n%s", lines)
	}
	e.Addresses, e.Errors = e.Addresses[:1], e.Errors[:1]
	if got := bootstrapError(e); got.Code != "bootstrap-unreachable" || !strings.Contains(strings.Join(got.Details, ""),
		"hung up at once") {
		t.Errorf("over TCP alone: %s %q", got.Code, got.Details)
	}
}

// TestBootstrapNames: a name that does not exist, and one that does not say who is
// there, are called that, where nothing else was given.
func TestBootstrapNames(t *testing.T) {
	both := []ma.Multiaddr{ma.StringCast("/dns/relay.ntnu.no/tcp/4001"),
		ma.StringCast("/dns/relay.ntnu.no/udp/4001/quic-v1")}
	for _, test := range []struct {
		err  error
		also bool
		code string
		text string
	}{
		{fmt.Errorf("relay.ntnu.no: %w", node.ErrNoSuchName), false, "bootstrap-name", "there is no name relay.ntnu.no"},
		{fmt.Errorf("relay.ntnu.no: %w", node.ErrNeedsPeer), false, "bootstrap-needs-peer",
			"relay.ntnu.no has no record that says which peer is there"},
		{fmt.Errorf("relay.ntnu.no: %w", node.ErrNeedsPeer), true, "bootstrap-unreachable",
			"none of 3 bootstrap addresses answered"},
	} {
		e := node.BootstrapFailed{Addresses: both, Errors: []error{test.err, test.err}}
		if test.also {
			e.Addresses = append(both[:2:2], ma.StringCast("/ip4/192.0.2.8/tcp/4001"))
			e.Errors = append(e.Errors, syscall.ECONNREFUSED)
		}
		if got := bootstrapError(e); got.Code != test.code || got.Text != test.text || len(got.Hints) == 0 {
			t.Errorf("%v: %s: %s %q", test.err, got.Code, got.Text, got.Hints)
		}
	}
}

// TestBootstrapTroubles: one address that is of no use is one line that says why, and
// a clock is called a clock.
func TestBootstrapTroubles(t *testing.T) {
	at := ma.StringCast("/ip4/192.0.2.7/tcp/4001")
	for _, test := range []struct {
		err  error
		code string
		text string
	}{
		{syscall.ECONNREFUSED, "bootstrap-unreachable",
			"192.0.2.7 tcp 4001: connection refused: nobody listens on that port"},
		{context.DeadlineExceeded, "bootstrap-unreachable", "192.0.2.7 tcp 4001: no answer"},
		{errors.New("message did not have trailing newline"), "bootstrap-unreachable",
			"192.0.2.7 tcp 4001: something answers that is no peer"},
		{errors.New("x509: certificate has expired or is not yet valid: current time"), "clock",
			"192.0.2.7 tcp 4001 answers, and this computer's clock and theirs are more than an hour apart"},
	} {
		got := bootstrapError(node.BootstrapFailed{Addresses: []ma.Multiaddr{at}, Errors: []error{test.err}})
		if got.Code != test.code || got.Text != test.text || len(got.Hints) == 0 {
			t.Errorf("%v: %s: %s %q", test.err, got.Code, got.Text, got.Hints)
		}
	}
}
