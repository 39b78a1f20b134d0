package profile

import (
	"strings"
	"testing"
)

// TestAddresses: a host and a port will do where an address is wanted, and stand for
// TCP and QUIC; what is neither is an error.
func TestAddresses(t *testing.T) {
	const id = "12D3KooWQpP1Td1epjYGqz4Hhuc4fcHYVwdzMeQNLxSUhCkJt6DR"
	for text, want := range map[string]string{
		"/ip4/10.0.0.7/tcp/4001": "/ip4/10.0.0.7/tcp/4001",
		"10.0.0.7:4001":          "/ip4/10.0.0.7/tcp/4001 /ip4/10.0.0.7/udp/4001/quic-v1",
		"[::1]:7101":             "/ip6/::1/tcp/7101 /ip6/::1/udp/7101/quic-v1",
		"relay.ntnu.no:443/p2p/" + id: "/dns/relay.ntnu.no/tcp/443/p2p/" + id +
			" /dns/relay.ntnu.no/udp/443/quic-v1/p2p/" + id,
		"relay.ntnu.no": "/dns/relay.ntnu.no/tcp/4001 /dns/relay.ntnu.no/udp/4001/quic-v1",
		"10.0.0.7":      "/ip4/10.0.0.7/tcp/4001 /ip4/10.0.0.7/udp/4001/quic-v1",
		"::1":           "", "[x]": "", "[::1": "", "[10.0.0.7]": "", "[fe80::1%eth0]": "",
		"[::1]":                  "/ip6/::1/tcp/4001 /ip6/::1/udp/4001/quic-v1",
		"localhost":              "/dns/localhost/tcp/4001 /dns/localhost/udp/4001/quic-v1",
		"10.0.0.7/p2p/" + id:     "/ip4/10.0.0.7/tcp/4001/p2p/" + id + " /ip4/10.0.0.7/udp/4001/quic-v1/p2p/" + id,
		"/dnsaddr/relay.ntnu.no": "/dnsaddr/relay.ntnu.no",
		"":                       "", "10.0.0.7/p2p/": "", "relay.ntnu.no/p2p/nobody": "",
		"https://relay.ntnu.no": "", "fe80::1%eth0": "", ".": "", "a..b": "", ":4001": "", "10.0.0.7:": "",
		"10.0.0.7:port":  "",
		"10.0.0.7:70000": "", "10.0.0.7:4001/p2p/nobody": "", "a b:1": "", "a/b:1": "", "[fe80::1%eth0]:1": "",
		"::1:7101": "", "nonsense": "", "/nonsense": "", strings.Repeat("a", 64) + ":1": "",
	} {
		var got []string
		all, err := Addresses("--bootstrap", []string{text})
		for _, a := range all {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"relay.ntnu.no", "10.0.0.7", "::1"} {
		if all, err := Addresses("--listen", []string{text}); err == nil {
			t.Errorf("%q is listened on at %v, which nobody said", text, all)
		}
	}
}
