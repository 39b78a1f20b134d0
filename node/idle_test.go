package node

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	idleMembers = flag.Int("idle.members", 0, "members of TestIdleTraffic; 0: none")
	idleTime    = flag.Duration("idle.time", 2*time.Minute, "how long they are watched, after as long")
)

const idleAtOnce = 10

// roomForNeighbours fails where the kernel cannot keep who is where for so many members: it has
// one table for all namespaces, and drops packets when that is full.
func roomForNeighbours(t *testing.T, members int) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
	if err != nil {
		t.Fatal(err)
	}
	if most, _ := strconv.Atoi(strings.TrimSpace(string(b))); members*members > most {
		t.Fatalf("for %d members, this first: sysctl -w net.ipv4.neigh.default.gc_thresh3=%d", members, 4*members*members)
	}
}

// TestIdleTraffic: what each member of a room sends and receives on one local network
// while nobody says anything.
func TestIdleTraffic(t *testing.T) {
	if *idleMembers == 0 {
		t.Skip("it measures, for minutes: -idle.members N")
	}
	roomForNeighbours(t, *idleMembers)
	w := newInternet(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*patience+2**idleTime)
	defer cancel()
	lan := w.lan("lan")
	var spaces []string
	var members []*player
	for i := range *idleMembers {
		ns := w.space(fmt.Sprint("m", i))
		w.plug(lan, ns, "eth0", fmt.Sprintf("192.168.50.%d/24", 10+i), "")
		w.filter(ns, "table inet count {\n chain in {\n type filter hook input priority 0\n"+
			" udp dport 5353 counter comment \"mdns\"\n udp dport != 5353 counter comment \"udp\"\n"+
			" tcp dport 1-65535 counter comment \"tcp\"\n }\n}")
		spaces = append(spaces, ns)
		members = append(members, w.play(ctx, ns, part{Name: fmt.Sprint("m", i), MDNS: true}))
		// A few at a time: a hundred who begin at once on one computer wait for each other.
		if n := i + 1; n%idleAtOnce == 0 || n == *idleMembers {
			for _, m := range members {
				m.together(n)
			}
		}
	}
	type counted struct{ in, out, mdns, udp, datagrams, tcp, segments int }
	sum := func() (c counted) {
		for _, ns := range spaces {
			n := func(re, name string, args ...string) int {
				b, err := exec.Command("ip", append([]string{"netns", "exec", ns, name}, args...)...).Output()
				m := regexp.MustCompile(re).FindStringSubmatch(strings.TrimSpace(string(b)))
				if err != nil || m == nil {
					t.Fatalf("%s: %v: %s", name, err, b)
				}
				v, _ := strconv.Atoi(m[1])
				return v
			}
			of := func(what, kind string) int {
				re := map[string]string{"bytes": `bytes (\d+)`, "packets": `packets (\d+) bytes \d+`}[what]
				return n(re+`.* comment "`+kind+`"`, "nft", "list", "table", "inet", "count")
			}
			c.in += n(`(?s)RX:.*?\n\s*(\d+)`, "ip", "-s", "link", "show", "eth0")
			c.out += n(`(?s)TX:.*?\n\s*(\d+)`, "ip", "-s", "link", "show", "eth0")
			c.mdns += of("bytes", "mdns")
			c.udp, c.datagrams = c.udp+of("bytes", "udp"), c.datagrams+of("packets", "udp")
			c.tcp, c.segments = c.tcp+of("bytes", "tcp"), c.segments+of("packets", "tcp")
		}
		return c
	}
	time.Sleep(*idleTime)
	before := sum()
	time.Sleep(*idleTime)
	after := sum()
	per := func(a, b int) string {
		return fmt.Sprintf("%.2f kB/s", float64(b-a)/float64(len(spaces))/idleTime.Seconds()/1000)
	}
	rate := func(a, b int) string {
		return fmt.Sprintf("%.1f/s", float64(b-a)/float64(len(spaces))/idleTime.Seconds())
	}
	t.Logf("%d members: in %s, of that mDNS %s, out %s each", len(spaces), per(before.in, after.in),
		per(before.mdns, after.mdns), per(before.out, after.out))
	t.Logf("%d members: in by QUIC %s in %s, by TCP %s in %s each", len(spaces), per(before.udp, after.udp),
		rate(before.datagrams, after.datagrams), per(before.tcp, after.tcp), rate(before.segments, after.segments))
}
