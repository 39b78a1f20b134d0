package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// zone is a resolver of what is in it: IP addresses, and records behind "_dnsaddr.".
type zone struct {
	ips, txt map[string][]string
	broken   bool
	asked    int
}

func (z *zone) LookupIPAddr(_ context.Context, name string) (out []net.IPAddr, err error) {
	z.asked++
	if z.ips[name] == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	for _, s := range z.ips[name] {
		out = append(out, net.IPAddr{IP: net.ParseIP(s)})
	}
	return out, nil
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.asked++
	if z.broken {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	if z.txt[name] == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return z.txt[name], nil
}

// TestResolve: where names lead, as their records have it; what is no address of
// somebody known, and not on a private network, is not dialled.
func TestResolve(t *testing.T) {
	const (
		one = "12D3KooWQpP1Td1epjYGqz4Hhuc4fcHYVwdzMeQNLxSUhCkJt6DR"
		two = "12D3KooWLKM6MjERosGuwj8W4PJjkNPuUDgeKcXeSGoqRVvrXPo8"
	)
	long := []string{"dnsaddr=/dnsaddr/loop"}
	for i := range 100 {
		long = append(long, fmt.Sprintf("dnsaddr=/ip4/192.0.2.%d/tcp/4001/p2p/%s", i, one))
	}
	z := &zone{
		ips: map[string][]string{
			"relay": {"192.0.2.1"}, "public": {"192.0.2.1", "8.8.8.8"}, "home": {"10.0.0.7", "8.8.8.8", "fd00::1"},
			"bad": {"8.8.8.8"}, "long": {"8.8.8.8"},
		},
		txt: map[string][]string{
			"_dnsaddr.relay": {"v=spf1", "dnsaddr=/ip4/192.0.2.1/tcp/4001/p2p/" + one,
				"dnsaddr=/dns/relay/udp/4001/quic-v1/p2p/" + one},
			"_dnsaddr.two":   {"dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/" + one, "dnsaddr=/ip4/192.0.2.2/tcp/1/p2p/" + two},
			"_dnsaddr.leads": {"dnsaddr=/dnsaddr/two", "dnsaddr=/dnsaddr/leads", "dnsaddr=/dnsaddr/nowhere"},
			"_dnsaddr.bad": {"dnsaddr=nonsense", "dnsaddr=", "dnsaddr=/ip4/192.0.2.1/tcp/1", "dnsaddr=/p2p/" + one,
				"dnsaddr=/ip4/1.2.3.4/tcp/1/p2p/" + two + "/p2p-circuit/p2p/" + one},
			"_dnsaddr.long":   long,
			"_dnsaddr.loop":   {"dnsaddr=/dnsaddr/loop2"},
			"_dnsaddr.loop2":  {"dnsaddr=/dnsaddr/loop"},
			"_dnsaddr.nobody": {"hello"},
		},
	}
	for i := range 50 {
		z.txt[fmt.Sprintf("_dnsaddr.chain%d", i)] = []string{fmt.Sprintf("dnsaddr=/dnsaddr/chain%d", i+1)}
	}
	for _, test := range []struct {
		in   string
		want string
		err  error
	}{
		{"/ip4/10.0.0.7/tcp/1", "/ip4/10.0.0.7/tcp/1", nil},
		{"/dns/relay/tcp/443/p2p/" + two, "/dns/relay/tcp/443/p2p/" + two, nil},
		{"/dns/relay/tcp/443", "/dns/relay/tcp/443/p2p/ONE /ip4/192.0.2.1/tcp/4001/p2p/ONE " +
			"/dns/relay/udp/4001/quic-v1/p2p/ONE", nil},
		{"/dnsaddr/relay", "/ip4/192.0.2.1/tcp/4001/p2p/ONE /dns/relay/udp/4001/quic-v1/p2p/ONE", nil},
		{"/dnsaddr/two/p2p/" + two, "/ip4/192.0.2.2/tcp/1/p2p/TWO", nil},
		{"/dnsaddr/leads", "/ip4/192.0.2.1/tcp/1/p2p/ONE /ip4/192.0.2.2/tcp/1/p2p/TWO", nil},
		{"/dns/home/tcp/1", "/ip4/10.0.0.7/tcp/1 /ip6/fd00::1/tcp/1", nil},
		{"/dns4/home/udp/1/quic-v1", "/ip4/10.0.0.7/udp/1/quic-v1", nil},
		{"/dns6/home/tcp/1", "/ip6/fd00::1/tcp/1", nil},
		{"/dns/public/tcp/1", "", ErrNeedsPeer},
		{"/dns/bad/tcp/1", "", ErrNeedsPeer},
		{"/dnsaddr/bad", "", ErrNeedsPeer},
		{"/dnsaddr/nobody", "", ErrNeedsPeer},
		{"/dnsaddr/loop", "", ErrNeedsPeer},
		{"/dnsaddr/chain0", "", ErrNeedsPeer},
		{"/dnsaddr/two/p2p/12D3KooWGhxenRiFMgRH3naa9xkCVzUgY8z3JWF7ALw2DoTnfBvV", "", ErrNeedsPeer},
		{"/dns/nowhere/tcp/1", "", ErrNoSuchName},
		{"/dns/nowhere/tcp/1/p2p/" + one, "", ErrNoSuchName},
	} {
		z.asked = 0
		var got []string
		all, err := resolve(t.Context(), z, ma.StringCast(test.in))
		for _, a := range all {
			got = append(got, a.String())
		}
		text := strings.NewReplacer(one, "ONE", two, "TWO").Replace(strings.Join(got, " "))
		want := strings.NewReplacer(one, "ONE", two, "TWO").Replace(test.want)
		if text != want || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s: %s, %v; want %s, %v", test.in, text, err, want, test.err)
		}
		if z.asked > maxNames+1 {
			t.Errorf("%s: %d names were looked up", test.in, z.asked)
		}
	}
	if all, err := resolve(t.Context(), z, ma.StringCast("/dnsaddr/long")); err != nil || len(all) != maxTargets {
		t.Errorf("a long record leads to %d addresses, %v", len(all), err)
	}
	z.broken = true
	if _, err := resolve(t.Context(), z, ma.StringCast("/dns/public/tcp/1")); err == nil || errors.Is(err, ErrNeedsPeer) {
		t.Errorf("with a name server that fails: %v", err)
	}
}

// FuzzResolve: whatever a record says, what is dialled has a peer id.
func FuzzResolve(f *testing.F) {
	f.Add("dnsaddr=/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWQpP1Td1epjYGqz4Hhuc4fcHYVwdzMeQNLxSUhCkJt6DR")
	f.Add("dnsaddr=/dnsaddr/x")
	f.Add("dnsaddr=/p2p-circuit")
	f.Fuzz(func(t *testing.T, record string) {
		z := &zone{txt: map[string][]string{"_dnsaddr.x": {record}}}
		all, err := resolve(t.Context(), z, ma.StringCast("/dnsaddr/x"))
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("%v, %v", all, err)
		}
		for _, a := range all {
			if transport, id := peer.SplitAddr(a); id == "" || len(transport) == 0 || relayOf(a) != "" {
				t.Fatal(a)
			}
		}
	})
}

// TestBeginByName: a name is enough to begin, if its records say who is there; a
// record that names somebody else leads to nobody.
func TestBeginByName(t *testing.T) {
	r, _ := relay(t)
	at := r.Addresses()[0]
	z := &zone{
		ips: map[string][]string{"relay": {"127.0.0.1"}},
		txt: map[string][]string{
			"_dnsaddr.relay": {"dnsaddr=" + at.String()},
			"_dnsaddr.other": {"dnsaddr=" + strings.Replace(at.String(), r.Self().String(), fakePeer(t).String(), 1)},
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, key := descriptor(t, "ONE"), issue(t, "ONE")
	for _, test := range []struct {
		name string
		err  error
	}{{"/dnsaddr/relay", nil}, {"/dnsaddr/other", ErrWrongPeer}, {"/dnsaddr/nowhere", ErrNeedsPeer}} {
		n, err := New(Config{Room: d, Key: key, Listen: []ma.Multiaddr{},
			Bootstrap: []ma.Multiaddr{ma.StringCast(test.name)}})
		if err != nil {
			t.Fatal(err)
		}
		n.dns = z
		id, err := n.dial(ctx, n.cfg.Bootstrap[0])
		if !errors.Is(err, test.err) || err == nil && id != r.Self() {
			t.Errorf("%s: %v, %v", test.name, id, err)
		}
		n.closeHost()
	}
	port, err := at.ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{Room: d, Key: key, Listen: []ma.Multiaddr{},
		Bootstrap: []ma.Multiaddr{ma.StringCast("/dns/localhost/tcp/" + port)}})
	if err != nil {
		t.Fatal(err)
	}
	m := follow(t, n, "ann")
	see[Bootstrapped](t, m, "the relay", func(e Bootstrapped) bool { return e.Peer == r.Self() })
	if !slices.Contains(n.host.Network().Peers(), r.Self()) {
		t.Error("the relay is not connected")
	}
}
