package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"coterie/room"
)

// directly waits until both reach each other directly, says after how long, and lets
// the relay die: they go on.
func directly(t *testing.T, relay, a, b *player) {
	t.Helper()
	for _, p := range []*player{a, b} {
		t.Log(p.name, "direct", p.reaches(t, "direct after "))
	}
	relay.cmd.Process.Kill()
	relay.cmd.Wait()
	began := time.Now()
	for i := range 5 {
		a.tell("say from a %d", i)
		b.tell("say from b %d", i)
	}
	a.await(t, "heard from b 4")
	b.await(t, "heard from a 4")
	t.Log("heard each other without the relay in", time.Since(began).Round(10*time.Millisecond))
}

// TestDirect: two members that met through a relay reach each other directly then,
// where that is possible; that the relay dies costs them nothing. Where it is not,
// they are told why.
func TestDirect(t *testing.T) {
	t.Parallel()
	const noUDP = "add rule ip filter through meta l4proto udp drop"
	for _, test := range []struct {
		name string
		// build makes what is beside the relay, and returns where ann and bob are.
		build   func(w *internet) (ann, bob string)
		listen  []string // ann's
		overTCP bool
		web     bool // the relay has WebSocket alone
		never   bool
	}{
		{name: "homes", build: func(w *internet) (string, string) {
			_, ann := w.home("anns", 11, "ann")
			_, bob := w.home("bobs", 12, "bob")
			return ann[0], bob[0]
		}},
		{name: "homes without UDP", overTCP: true, build: func(w *internet) (string, string) {
			ra, ann := w.home("anns", 11, "ann")
			rb, bob := w.home("bobs", 12, "bob")
			for _, r := range []string{ra, rb} {
				w.filter(r, "insert"+noUDP[3:])
			}
			return ann[0], bob[0]
		}},
		// Nobody sees a port at which they listen.
		{name: "homes that came by WebSocket", web: true, build: func(w *internet) (string, string) {
			_, ann := w.home("anns", 11, "ann")
			rb, bob := w.home("bobs", 12, "bob")
			w.filter(rb, "insert"+noUDP[3:])
			return ann[0], bob[0]
		}},
		{name: "one on the internet", build: func(w *internet) (string, string) {
			_, bob := w.home("bobs", 12, "bob")
			return w.host("ann", 11), bob[0]
		}},
		// The port that others see is not the one that is forwarded.
		{name: "a forwarded port", listen: []string{"/ip4/0.0.0.0/udp/4001/quic-v1"},
			build: func(w *internet) (string, string) {
				ra, ann := w.home("anns", 11, "ann")
				rb, bob := w.home("bobs", 12, "bob")
				w.filter(ra, `flush chain ip nat out
add rule ip nat out oifname "wan" masquerade random
add rule ip nat in iifname "wan" udp dport 4001 dnat to 192.168.11.10`)
				w.filter(rb, `flush chain ip nat out
add rule ip nat out oifname "wan" masquerade random`)
				return ann[0], bob[0]
			}},
		{name: "one network without multicast", build: func(w *internet) (string, string) {
			_, both := w.home("home", 11, "ann", "bob")
			for _, ns := range both {
				w.filter(ns, noMulticast)
			}
			return both[0], both[1]
		}},
		{name: "homes whose ports are never the same", never: true, build: func(w *internet) (string, string) {
			ra, ann := w.home("anns", 11, "ann")
			rb, bob := w.home("bobs", 12, "bob")
			for _, r := range []string{ra, rb} {
				w.filter(r, `flush chain ip nat out
add rule ip nat out oifname "wan" masquerade fully-random`)
			}
			return ann[0], bob[0]
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newInternet(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			listen := []string{"/ip4/45.10.1.2/tcp/4001", "/ip4/45.10.1.2/udp/4001/quic-v1"}
			if test.web {
				listen = []string{"/ip4/45.10.1.2/tcp/443/ws"}
			}
			relay := w.play(ctx, w.host("relay", 1), part{Name: "relay", Relay: true, Listen: listen})
			at := strings.Fields(relay.await(t, "at "))
			ann, bob := test.build(w)
			a := w.play(ctx, ann, part{Name: "ann", Bootstrap: at, Listen: test.listen, MDNS: true})
			b := w.play(ctx, bob, part{Name: "bob", Bootstrap: at, MDNS: true})
			t.Log("bob is in after", b.together(2))
			if test.never {
				t.Log("relayed,", a.reaches(t, "relayed no-answer after "), "as ann sees it")
				b.reaches(t, "relayed no-answer after ")
				return
			}
			directly(t, relay, a, b)
		})
	}
}

// TestMappedPorts: a member whose router maps ports when it is asked is reached
// directly, though no hole can be punched.
func TestMappedPorts(t *testing.T) {
	if _, err := exec.LookPath("miniupnpd"); err != nil {
		t.Skip("a router that maps ports needs miniupnpd, of miniupnpd-nftables")
	}
	t.Parallel()
	w := newInternet(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	relay, at := w.relay(ctx, w.host("relay", 1), "45.10.1.2")
	ra, ann := w.home("anns", 11, "ann")
	rb, bob := w.home("bobs", 12, "bob")
	for _, r := range []string{ra, rb} {
		w.filter(r, `flush chain ip nat out
add rule ip nat out oifname "wan" masquerade fully-random`)
	}
	w.filter(ra, `table inet upnp {
	chain miniupnpd { }
	chain prerouting {
		type nat hook prerouting priority -100
		jump prerouting_miniupnpd
	}
	chain prerouting_miniupnpd { }
	chain postrouting_miniupnpd { }
}`)
	w.in(ann[0], "route add 239.0.0.0/8 dev eth0")
	conf := filepath.Join(w.dir, "upnp.conf")
	if err := os.WriteFile(conf, []byte(`ext_ifname=wan
listening_ip=br0
http_port=5000
enable_upnp=yes
enable_natpmp=yes
secure_mode=no
system_uptime=yes
uuid=00000000-0000-0000-0000-000000000001
upnp_table_name=upnp
upnp_nat_table_name=upnp
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1-65535 0.0.0.0/0 1-65535
`), 0o600); err != nil {
		t.Fatal(err)
	}
	router := exec.CommandContext(ctx, "ip", "netns", "exec", ra, "miniupnpd", "-d", "-f", conf)
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { router.Process.Kill(); router.Wait() }()
	a := w.play(ctx, ann[0], part{Name: "ann", Bootstrap: at, MapPorts: true})
	b := w.play(ctx, bob[0], part{Name: "bob", Bootstrap: at})
	t.Log("bob is in after", b.together(2))
	directly(t, relay, a, b)
}

// TestMayDial: of the addresses that others name those are dialled that everybody can
// reach, those of the networks that this computer is on, and of a private network on
// which somebody is connected.
func TestMayDial(t *testing.T) {
	own := ""
	for _, l := range linkNets() {
		if !l.IP.IsLoopback() && l.IP.To4() != nil {
			own = "/ip4/" + l.IP.String()
		}
	}
	const lo, far, away = "/ip4/127.0.0.1/tcp/1", "/ip4/10.250.250.250/tcp/1", "/ip4/10.250.7.7/udp/1/quic-v1"
	for _, test := range []struct {
		conn, dial string
		may        bool
	}{
		{"", "/ip4/45.10.1.2/tcp/1", true}, {"", "/ip6/2a0f::1/udp/1/quic-v1", true}, {"", own + "/tcp/1", true},
		{"", lo, false}, {lo, "/ip4/127.0.0.1/tcp/2", true}, {lo, "/ip6/::1/tcp/2", false}, {"", far, false},
		{away, far, true},
		{lo, far, false}, {away, lo, false}, {away, "/ip4/192.168.250.1/tcp/1", false},
		{away + "/p2p/12D3KooWS3NeBLrMHNjxjCqMdWHAmSQpywLHQUgQcixFXh9SBDQC/p2p-circuit", far, false},
		{"", "/ip4/0.0.0.0/tcp/1", false}, {"", "/ip4/169.254.169.254/tcp/80", false}, {"", "/ip4/224.0.0.1/tcp/1", false},
		{"", "/ip4/255.255.255.255/tcp/1", false}, {"", "/dns4/example.org/tcp/1", false}, {"", "/ip6/ff02::1/tcp/1", false},
	} {
		if test.dial == "/tcp/1" {
			continue // this computer is on no network
		}
		var conns fakeNetwork
		if test.conn != "" {
			conns.at = ma.StringCast(test.conn)
		}
		if got := mayDial(conns, ma.StringCast(test.dial)); got != test.may {
			t.Errorf("connected to %q, %s may be dialled: %v", test.conn, test.dial, got)
		}
	}
}

// A fakeNetwork has one connection at most.
type fakeNetwork struct {
	network.Network
	at ma.Multiaddr
}

type fakeConn struct {
	network.Conn
	at ma.Multiaddr
}

func (c fakeConn) RemoteMultiaddr() ma.Multiaddr { return c.at }

func (n fakeNetwork) Conns() []network.Conn {
	if n.at == nil {
		return nil
	}
	return []network.Conn{fakeConn{at: n.at}}
}

// TestPunchBounds: a hole is punched for fellow members alone, now and then, to a few
// addresses of the internet.
func TestPunchBounds(t *testing.T) {
	d := descriptor(t, "ONE")
	a := join(t, d, "ann", issue(t, "ONE"))
	b := join(t, d, "bob", issue(t, "ONE"), a.Addresses()...)
	see[room.EpochStarted](t, a, "an epoch of two", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	var named []ma.Multiaddr
	for i := range 20 {
		named = append(named, ma.StringCast(fmt.Sprintf("/ip4/45.10.1.%d/udp/1/quic-v1", i)),
			ma.StringCast(fmt.Sprintf("/ip4/10.0.0.%d/tcp/1", i)))
	}
	f := punchFilter{a.Node}
	if got := f.FilterRemote(b.Self(), named); len(got) != directAddrs || slices.ContainsFunc(got, manet.IsPrivateAddr) {
		t.Errorf("dialled are %v", got)
	}
	for range 100 {
		f.FilterRemote(b.Self(), named)
	}
	if got := f.FilterRemote(b.Self(), named); got != nil {
		t.Errorf("after a hundred holes %v are dialled", got)
	}
	stranger, err := peer.IDFromPrivateKey(func() crypto.PrivKey {
		k, _,
			_ := crypto.GenerateEd25519Key(rand.Reader)
		return k
	}())
	if err != nil {
		t.Fatal(err)
	}
	if got := f.FilterRemote(stranger, named); got != nil {
		t.Errorf("for a stranger %v are dialled", got)
	}
}

// TestTrialsAreRare: a member that comes through a relay again and again is not
// dialled more often.
func TestTrialsAreRare(t *testing.T) {
	var d directs
	now := time.Now()
	p := peer.ID("bob")
	d.meet(p, now, false)
	d.peers[p].trials, d.peers[p].next = 5, now.Add(directRarely)
	d.forget(now.Add(directRarely / 2))
	if d.meet(p, now.Add(directRarely/2), false); d.peers[p].trials != 5 {
		t.Error("who comes again is new")
	}
	if d.forget(now.Add(3 * directRarely)); len(d.peers) != 0 {
		t.Error("who does not come again is remembered for ever")
	}
}
