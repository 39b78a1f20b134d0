package kms

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"coterie/kms/keyfile"
)

// TestCheckRelays: which texts are taken for addresses.
func TestCheckRelays(t *testing.T) {
	for _, good := range []string{
		"relay.ntnu.no", "relay.ntnu.no:443", "10.0.0.7", "10.0.0.7:4001", "[fd00::1]", "[fd00::1]:4001", "localhost:4001",
		"relay.ntnu.no:4001/p2p/12D3KooWQpP1Td1epjYGqz4Hhuc4fcHYVwdzMeQNLxSUhCkJt6DR",
		"/dnsaddr/ntnu.no", "/dns/relay.ntnu.no/tcp/443/wss/p2p/12D3KooWQpP1Td1epjYGqz4Hhuc4fcHYVwdzMeQNLxSUhCkJt6DR",
		"/ip4/192.0.2.7/udp/4001/quic-v1",
	} {
		if err := CheckRelays([]string{good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "relay", "https://relay.ntnu.no", "relay.ntnu.no:", "relay.ntnu.no:port", "::1", "/", "/ip4/", "/tcp/4001",
		"/p2p/x", "a b.no", "relay.ntnu.no\n",
		"/ip4/1.2.3.4/tcp/4001/", "/dns/\u00e5.no/tcp/1", "/dns/" + strings.Repeat("x", 255),
	} {
		if err := CheckRelays([]string{bad}); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
	if CheckRelays(nil) != nil {
		t.Error("none are refused")
	}
}

// TestDomainRelays: keys carry the relays that the domain's file has when they are
// issued; a backup keeps them, and a restored domain has them.
func TestDomainRelays(t *testing.T) {
	relaysOf := func(a *Authority, name string) []string {
		t.Helper()
		k, err := keyfile.LoadKey(issue(t, a, name).Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k.Domain().Relays()
	}
	a := domain(t)
	files := a.files
	if got := relaysOf(a, "1.key"); len(got) != 0 {
		t.Errorf("without relays a key has %v", got)
	}
	want := []string{"relay.ntnu.no", "/dnsaddr/ntnu.no"}
	if _, err := SetRelays(files, want); err != nil {
		t.Fatal(err)
	}
	a = reopen(t, files)
	if got := relaysOf(a, "2.key"); !slices.Equal(got, want) {
		t.Errorf("a key has %v", got)
	}
	to := t.TempDir()
	if _, err := a.Backup(rand.Reader, to, opened, morning); err != nil {
		t.Fatal(err)
	}
	if d, err := keyfile.LoadDomain(files.in(to).Domain()); err != nil || !slices.Equal(d.Relays(), want) {
		t.Errorf("the backup has %v, %v", d.Relays(), err)
	}
	home := files.in(t.TempDir())
	if _, err := Restore(files.in(to), home, opened); err != nil {
		t.Fatal(err)
	}
	if d, err := keyfile.LoadDomain(home.Domain()); err != nil || !slices.Equal(d.Relays(), want) {
		t.Errorf("restored, it has %v, %v", d.Relays(), err)
	}
	if _, err := SetRelays(files, nil); err != nil {
		t.Fatal(err)
	}
	if got := relaysOf(reopen(t, files), "3.key"); len(got) != 0 {
		t.Errorf("taken away, a key has %v", got)
	}
	if _, err := SetRelays(files, []string{"nonsense"}); err == nil {
		t.Error("nonsense is written")
	}
	if _, err := SetRelays(home.in(t.TempDir()), want); err == nil {
		t.Error("a domain that is not there has relays")
	}
}
