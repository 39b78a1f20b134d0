package node

import (
	"context"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

var matrixAll = flag.Bool("matrix", false, "TestMatrix goes through all pairs of networks, with limits of time")

// An ending is a kind of network at which a member may be.
type ending struct {
	name string
	// open: others reach it. cone: one of its ports is the same to all whom it dials.
	open, cone bool
	tcp443     bool   // nothing else gets out
	rules      string // of the address translator, if there is one
}

var endings = []ending{
	{name: "none", open: true},
	{name: "cone", cone: true},
	{name: "symmetric", rules: `flush chain ip nat out
add rule ip nat out oifname "wan" masquerade fully-random`},
	{name: "UDP blocked", cone: true, rules: "insert rule ip filter through meta l4proto udp drop"},
	{name: "TCP 443 only", tcp443: true, rules: `insert rule ip filter through oifname "wan" drop
insert rule ip filter through oifname "wan" tcp dport 443 accept`},
}

// direct reports whether two members at such networks can reach each other without a relay.
// Who gets out to port 443 alone reaches nobody who listens at another.
func (e ending) direct(o ending) bool {
	return !e.tcp443 && !o.tcp443 && (e.open || o.open || e.cone && o.cone)
}

// put makes such a network, and returns where a member in it is.
func (e ending) put(w *internet, who string, net int) string {
	if e.open {
		return w.host(who, net)
	}
	router, inside := w.home(who+"s", net, who)
	if e.rules != "" {
		w.filter(router, e.rules)
	}
	return inside[0]
}

// TestMatrix: two members who know a relay alone chat, at whatever networks they are; they
// reach each other directly then where that is possible, and are told that they do not
// where it is not.
func TestMatrix(t *testing.T) {
	t.Parallel()
	some := []string{"none, TCP 443 only", "cone, UDP blocked"} // TestDirect has others of these
	for i, x := range endings {
		for _, y := range endings[i:] {
			name := x.name + ", " + y.name
			if !*matrixAll && !slices.Contains(some, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newInternet(t)
				ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
				defer cancel()
				ns, ip := w.host("relay", 1), "45.10.1.2"
				relay := w.play(ctx, ns, part{Name: "relay", Relay: true, Listen: []string{
					"/ip4/" + ip + "/tcp/4001", "/ip4/" + ip + "/udp/4001/quic-v1", "/ip4/" + ip + "/tcp/443/ws",
				}})
				at := strings.Fields(relay.await(t, "at "))
				a := w.play(ctx, x.put(w, "ann", 11), part{Name: "ann", Bootstrap: at})
				time.Sleep(time.Second)
				bob := y.put(w, "bob", 12)
				began := time.Now()
				b := w.play(ctx, bob, part{Name: "bob", Bootstrap: at})
				b.together(2)
				b.tell("say here I am")
				a.await(t, "heard here I am")
				chat := time.Since(began)
				if chat > 10*time.Second && *matrixAll {
					t.Errorf("they chat %v after the second began", chat)
				}
				report := func(how string, d time.Duration) {
					t.Logf("| %s | %s | %.1f s | %s | %.1f s |", x.name, y.name, chat.Seconds(), how, d.Seconds())
				}
				if !x.direct(y) {
					for _, p := range []*player{a, b} {
						p.reaches(t, "relayed no-a") // no address, or no answer
					}
					report("relayed; why", time.Since(began)-chat)
					return
				}
				for _, p := range []*player{a, b} {
					p.reaches(t, "direct after ")
				}
				late := time.Since(began) - chat
				report("direct", late)
				if late > 5*time.Second && *matrixAll {
					t.Errorf("they reach each other directly %v after they chat", late)
				}
				b.tell("say directly")
				a.await(t, "heard directly")
			})
		}
	}
}
