package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/drive"
	"coterie/kms/keyfile"
)

// TestKeyAlone: with keys whose domain names a relay, two members who were given
// nothing else find each other there; it is not remembered, since the key has it.
func TestKeyAlone(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	relay := started(ctx, t, "relay", append([]string{asProcess + "=1"}, home(dir+"/relay")...), exe, "relay",
		"--json", "--listen", "/ip4/127.0.0.1/tcp/0")
	defer func() { relay.Signal(syscall.SIGTERM); relay.Exit(ctx) }()
	at, err := relay.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyfile.LoadKey(filepath.Join(dir, "ann.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if k, err = k.WithRelays([]string{"/ip4/192.0.2.1/tcp/1", at.Addrs[0]}); err != nil {
		t.Fatal(err)
	}
	b, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "with.key"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{"key with.key": "relay       " + at.Addrs[0] + "\n",
		"key with.key --json": `"relays":["/ip4/192.0.2.1/tcp/1","` + at.Addrs[0] + `"]`} {
		if stdout, stderr, status := run(t, dir, "", strings.Fields(args)...); status != 0 ||
			!strings.Contains(stdout, want) {
			t.Errorf("coterie %s: status %d, %s %s", args, status, stdout, stderr)
		}
	}
	found, _ := diagnose(t, dir, homeOf(dir, "nobody"), onLoopback, "--key", "with.key")
	if said := found["bootstrap"]; !strings.Contains(said, "ok "+at.Addrs[0]+", ") ||
		!strings.Contains(said, "warn the key names a relay that is of no use: /ip4/192.0.2.1/tcp/1\n") {
		t.Errorf("doctor says %q", said)
	}
	var both []*drive.Peer
	for _, name := range []string{"ann", "bob"} {
		env := append([]string{asProcess + "=1"}, home(filepath.Join(dir, name))...)
		// They listen nowhere that the other could find by itself.
		p := started(ctx, t, name, env, exe, "join", "den", "--json", "--key", filepath.Join(dir, "with.key"),
			"--policy", "ONE", "--listen", "/ip4/127.0.0.1/tcp/0")
		both = append(both, p)
		defer func() { p.Signal(syscall.SIGTERM); p.Exit(ctx) }()
	}
	aliveIn(ctx, t, both...)
	for _, p := range both {
		if _, err := p.Wait(ctx, "the warning", func(e drive.Event) bool {
			return e.Event == "warning" &&
				e.Code == "domain-relay"
		}); err != nil {
			t.Error(err) // of the first one, which has no peer id
		}
		p.Quit()
		if _, err := p.Exit(ctx); err != nil {
			t.Error(err)
		}
	}
	rooms, err := os.ReadFile(filepath.Join(dir, "ann", "config", "coterie", "rooms.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(rooms), `"`+at.Addrs[0]+`"`) {
		t.Errorf("the key's relay is remembered:\n%s", rooms)
	}
}

// TestDomainRelays: what a domain names and nobody can dial is passed over, with a
// warning, and the rest is used.
func TestDomainRelays(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	k, err := keyfile.LoadKey(filepath.Join(dir, "ann.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := k.Domain().WithRelays([]string{"relay.ntnu.no", "nonsense", "192.0.2.7:4001", "10.0.0.7", "/dnsaddr/ntnu.no",
		"/p2p-circuit", "!"})
	if err != nil {
		t.Fatal(err)
	}
	warnings := 0
	var got []string
	for _, a := range profile.DomainRelays(d, func(e *cli.Error) {
		if warnings++; e.Code != "domain-relay" || len(e.Hints) == 0 {
			t.Errorf("%+v", e)
		}
	}) {
		got = append(got, a.String())
	}
	want := []string{
		"/dns/relay.ntnu.no/tcp/4001", "/dns/relay.ntnu.no/udp/4001/quic-v1", "/ip4/10.0.0.7/tcp/4001",
		"/ip4/10.0.0.7/udp/4001/quic-v1", "/dnsaddr/ntnu.no",
	}
	if !slices.Equal(got, want) || warnings != 4 {
		t.Errorf("%d warnings, %v", warnings, got)
	}
}
