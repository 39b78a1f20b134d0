package node

import (
	"context"
	"flag"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	idleMembers = flag.Int("idle.members", 0, "members of TestIdleTraffic; 0: none")
	idleTime    = flag.Duration("idle.time", time.Minute, "how long they are watched, after as long")
)

// TestIdleTraffic: what each member of a room sends and receives on one local network
// while nobody says anything.
func TestIdleTraffic(t *testing.T) {
	if *idleMembers == 0 {
		t.Skip("it measures, for minutes: -idle.members N")
	}
	w := newInternet(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	lan := w.lan("lan")
	var spaces []string
	var members []*player
	for i := range *idleMembers {
		ns := w.space(fmt.Sprint("m", i))
		w.plug(lan, ns, "eth0", fmt.Sprintf("192.168.50.%d/24", 10+i), "")
		w.filter(ns, "table inet count {\n chain in {\n type filter hook input priority 0\n udp dport 5353 counter\n }\n}")
		spaces = append(spaces, ns)
		members = append(members, w.play(ctx, ns, part{Name: fmt.Sprint("m", i), MDNS: true}))
	}
	for _, m := range members {
		m.together(len(members))
	}
	sum := func() (in, out, mdns int) {
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
			in += n(`(?s)RX:.*?\n\s*(\d+)`, "ip", "-s", "link", "show", "eth0")
			out += n(`(?s)TX:.*?\n\s*(\d+)`, "ip", "-s", "link", "show", "eth0")
			mdns += n(`bytes (\d+)`, "nft", "list", "table", "inet", "count")
		}
		return in, out, mdns
	}
	time.Sleep(*idleTime)
	in0, out0, mdns0 := sum()
	time.Sleep(*idleTime)
	in, out, mdns := sum()
	per := func(a, b int) string {
		return fmt.Sprintf("%.2f kB/s", float64(b-a)/float64(len(spaces))/idleTime.Seconds()/1000)
	}
	t.Logf("%d members: in %s, of that mDNS %s, out %s each", len(spaces), per(in0, in), per(mdns0, mdns), per(out0, out))
}
