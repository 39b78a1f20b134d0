package node

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/room"
	"coterie/room/record"
)

// An internet of network namespaces: a hub that routes, hosts with addresses of the
// internet, and homes behind address translators.
type internet struct {
	t   *testing.T
	n   int32 // of this process
	dir string
	hub string
}

var internets atomic.Int32

func newInternet(t *testing.T) *internet {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for tool, of := range map[string]string{"ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("address translators in network namespaces need %s, of %s", tool, of)
		}
	}
	w := &internet{t: t, n: internets.Add(1), dir: t.TempDir()}
	w.hub = w.space("hub")
	w.forward(w.hub)
	for file, b := range map[string]func() ([]byte, error){
		"key":  issue(t, "ONE").MarshalBinary,
		"room": func() ([]byte, error) { return descriptor(t, "ONE").Bytes(), nil },
	} {
		raw, err := b()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, file), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *internet) run(name string, args ...string) {
	w.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// in runs ip in a namespace.
func (w *internet) in(ns string, command string) {
	w.t.Helper()
	w.run("ip", append([]string{"-n", ns}, strings.Fields(command)...)...)
}

func (w *internet) name(what string) string {
	return fmt.Sprintf("net%d-%d-%s", os.Getpid(), w.n, what)
}

func (w *internet) space(what string) string {
	w.t.Helper()
	name := w.name(what)
	w.run("ip", "netns", "add", name)
	w.t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	w.in(name, "link set lo up")
	return name
}

func (w *internet) forward(ns string) {
	w.t.Helper()
	w.run("ip", "netns", "exec", ns, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
}

func (w *internet) filter(ns, rules string) {
	w.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", ns, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("nft: %v\n%s", err, out)
	}
}

// host is one with the address 45.10.net.2.
func (w *internet) host(what string, net int) string {
	w.t.Helper()
	ns, port := w.space(what), fmt.Sprint("i", net)
	w.in(w.hub, fmt.Sprintf("link add %s type veth peer name wan netns %s", port, ns))
	w.in(w.hub, fmt.Sprintf("addr add 45.10.%d.1/24 dev %s", net, port))
	w.in(w.hub, fmt.Sprintf("link set %s up", port))
	w.in(ns, fmt.Sprintf("addr add 45.10.%d.2/24 dev wan", net))
	w.in(ns, "link set wan up")
	w.in(ns, fmt.Sprintf("route add default via 45.10.%d.1", net))
	return ns
}

// home is a home behind 45.10.net.2, and what is in it, at 192.168.net.10 and on. The
// translator keeps ports where it can, and lets nothing in that was not begun inside.
func (w *internet) home(what string, net int, members ...string) (router string, inside []string) {
	w.t.Helper()
	router = w.host(what, net)
	w.forward(router)
	w.in(router, "link add br0 type bridge mcast_snooping 0")
	w.in(router, fmt.Sprintf("addr add 192.168.%d.1/24 dev br0", net))
	w.in(router, "link set br0 up")
	w.filter(router, `
table ip nat {
	chain in { type nat hook prerouting priority -100; }
	chain out { type nat hook postrouting priority 100; oifname "wan" masquerade; }
}
table ip filter {
	chain in { type filter hook input priority 0; ct state established,related accept; iifname "wan" drop; }
	chain through {
		type filter hook forward priority 0
		ct state established,related accept
		ct status dnat accept
		iifname "wan" drop
	}
}`)
	for i, m := range members {
		ns := w.space(m)
		w.plug(router, ns, "eth0", fmt.Sprintf("192.168.%d.%d/24", net, 10+i), fmt.Sprintf("192.168.%d.1", net))
		inside = append(inside, ns)
	}
	return router, inside
}

// plug connects a namespace to the bridge in another, with an address there.
func (w *internet) plug(bridge, ns, dev, addr, gateway string) {
	w.t.Helper()
	port := fmt.Sprintf("p%s-%s", addr[strings.LastIndex(addr, ".")+1:strings.Index(addr, "/")], dev)
	w.in(bridge, fmt.Sprintf("link add %s type veth peer name %s netns %s", port, dev, ns))
	w.in(bridge, fmt.Sprintf("link set %s master br0 up", port))
	w.in(ns, fmt.Sprintf("addr add %s dev %s", addr, dev))
	w.in(ns, fmt.Sprintf("link set %s up", dev))
	if gateway != "" {
		w.in(ns, "route add default via "+gateway)
	}
}

// A part is what a process in a namespace is to be.
type part struct {
	Name      string
	Dir       string
	Relay     bool
	Listen    []string
	Bootstrap []string
	MDNS      bool
	MapPorts  bool
}

// play starts a member or a relay in a namespace.
func (w *internet) play(ctx context.Context, ns string, p part) *player {
	w.t.Helper()
	p.Dir = w.dir
	b, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return &player{t: w.t, name: p.Name, rolePlayer: role(ctx, w.t, ns, "part", string(b))}
}

// relay starts a relay on port 4001 of an address.
func (w *internet) relay(ctx context.Context, ns, ip string, others ...string) (*player, []string) {
	w.t.Helper()
	p := w.play(ctx, ns, part{Name: "relay", Relay: true, Bootstrap: others,
		Listen: []string{"/ip4/" + ip + "/tcp/4001", "/ip4/" + ip + "/udp/4001/quic-v1"}})
	return p, strings.Fields(p.await(w.t, "at "))
}

// A player is such a process.
type player struct {
	t    *testing.T
	name string
	*rolePlayer
}

func (p *player) tell(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

// together waits until an epoch of so many is in force, and returns after how long
// from its start.
func (p *player) together(n int) string {
	p.t.Helper()
	return p.await(p.t, fmt.Sprintf("epoch %d after ", n))
}

// playPart is one process of an internet.
func playPart(t *testing.T, raw string) {
	var p part
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		t.Fatal(err)
	}
	addrs := func(in []string) []ma.Multiaddr {
		out := []ma.Multiaddr{}
		for _, s := range in {
			out = append(out, ma.StringCast(s))
		}
		return out
	}
	if p.Relay {
		playOneRelay(t, "at", RelayConfig{Listen: addrs(p.Listen), Others: addrs(p.Bootstrap)})
		return
	}
	file := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, err := abe.ParseKey(file("key"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := room.ParseDescriptor(file("room"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Room: d, Key: key, Name: p.Name, Bootstrap: addrs(p.Bootstrap), MDNS: p.MDNS, MapPorts: p.MapPorts}
	if p.Listen != nil {
		cfg.Listen = addrs(p.Listen)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	playMember(t, n)
}

// playOneRelay says where it is, after a word.
func playOneRelay(t *testing.T, word string, cfg RelayConfig) {
	r, err := NewRelay(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	fmt.Print(word)
	for _, a := range r.Addresses() {
		fmt.Print(" ", a)
	}
	fmt.Println()
	untilTold()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// playMember says what it sees: epochs, what others say, and how they are reached; and
// says what it is told to.
func playMember(t *testing.T, n *Node) {
	began := time.Now()
	since := func() time.Duration { return time.Since(began).Round(10 * time.Millisecond) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	alone := time.After(3 * time.Second)
	paths := make(map[string]PathKind)
	offline := true
	for {
		select {
		case e, ok := <-n.Events():
			if !ok {
				if err := <-done; err != nil {
					t.Error(err)
				}
				return
			}
			switch e := e.(type) {
			case room.EpochStarted:
				fmt.Println("epoch", len(e.Members), "after", since())
			case room.Delivered:
				fmt.Println("heard", e.Message.Text)
			}
		case l, ok := <-lines:
			if !ok {
				cancel()
				lines = nil
				continue
			}
			if text, is := strings.CutPrefix(l, "say "); is {
				if err := n.Send(nil, record.KindText, text); err != nil {
					t.Error(err)
				}
			}
		case <-alone:
			if len(n.Status().Fellows) == 0 {
				fmt.Println("alone")
			}
		case <-tick.C:
			s := n.Status()
			if now := s.Mute || len(s.Peers) == 0; now != offline {
				offline = now
				fmt.Println(map[bool]string{true: "offline", false: "online"}[now], "after", since())
			}
			for _, f := range s.Fellows {
				kind, why := n.Reached(f.ID)
				if paths[f.ID.String()+string(why)] != kind {
					paths[f.ID.String()+string(why)] = kind
					fmt.Println(strings.TrimSpace(fmt.Sprint(kind, " ", why)), "after", since(), n.Path(f.ID).Address)
				}
			}
		}
	}
}

// noMulticast lets nothing through that is for all on the network.
const noMulticast = `
table ip quiet {
	chain out {
		type filter hook output priority 0
		ip daddr 224.0.0.0/4 drop
	}
}
table ip6 quiet {
	chain out {
		type filter hook output priority 0
		ip6 daddr ff00::/8 udp dport 5353 drop
	}
}`
