package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"coterie/cmd/coterie/house"
	"coterie/cmd/internal/drive"
)

// TestMetrics: numbers of a peer and of a relay are there for whoever measures, on this
// computer alone; no name, no room, no peer and no text is in them.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	atRelay, atAnn := freePort(t), freePort(t)
	relay := relayProcess(ctx, t, dir, "--metrics", atRelay)
	there, err := relay.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ann := peerProcess(ctx, t, dir, "ann", "--bootstrap", there.Addrs[0], "--metrics", "127.0.0.1:"+atAnn)
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", there.Addrs[0])
	if _, err := drive.Together(ctx, ann, bob); err != nil {
		t.Fatal(err)
	}
	const text = "nothing for the meter"
	for _, p := range []*drive.Peer{bob, ann} {
		if err := p.Say(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []*drive.Peer{ann, bob} {
		if _, err := p.Wait(ctx, "both messages", func() func(drive.Event) bool {
			n := 0
			return func(e drive.Event) bool {
				if e.Event == "message" && e.Text == text {
					n++
				}
				return n == 2
			}
		}()); err != nil {
			t.Fatal(err)
		}
	}
	read := func(port string) string {
		t.Helper()
		r, err := http.Get("http://127.0.0.1:" + port + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s %v: %s", r.Status, err, b)
		}
		return string(b)
	}
	value := func(from, name string) float64 {
		t.Helper()
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(from)
		if m == nil {
			t.Errorf("no %s in\n%s", name, from)
			return -1
		}
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	peer, carrier := read(atAnn), read(atRelay)
	for name, want := range map[string]float64{
		"coterie_members": 2, "coterie_messages_sent_total": 1, "coterie_messages_received_total": 1,
		"coterie_messages_held":             0,
		`coterie_connections{path="relay"}`: 1, "coterie_relay_refusals_total": 0,
	} {
		if got := value(peer, name); got != want {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
	if value(peer, "coterie_epoch_age_seconds") < 0 || value(peer, `coterie_bytes_total{direction="in"}`) <= 0 {
		t.Error("no age, or no bytes")
	}
	for name, want := range map[string]float64{
		"coterie_relay_peers": 2, "coterie_relay_rooms": 1, "coterie_relay_refused_total": 0,
	} {
		if got := value(carrier, name); got != want {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
	ready, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, numbers := range []string{peer, carrier} {
		if !strings.Contains(numbers, "\nlibp2p_swarm_connections_opened_total{") {
			t.Errorf("nothing of libp2p's own in\n%s", numbers)
		}
		for _, secret := range []string{ready.Peer, there.Peer, ready.RoomID, "den", "ann", text, "THREE", "12D3Koo"} {
			if secret == "" || regexp.MustCompile(`\b`+regexp.QuoteMeta(secret)+`\b`).MatchString(numbers) {
				t.Errorf("%q is in the numbers", secret)
			}
		}
	}
	finish(ctx, t, ann, bob)
	relay.Signal(os.Interrupt)
	relay.Exit(ctx)
	if c, err := net.Dial("tcp", "127.0.0.1:"+atAnn); err == nil {
		c.Close()
		t.Error("it is served after the end")
	}
}

// TestMetricsAddress: a port alone is of this computer, and what is no address is said.
func TestMetricsAddress(t *testing.T) {
	port := freePort(t)
	for _, at := range []string{port, ":" + port, "127.0.0.1:" + port} {
		_, end, err := house.ServeMetrics(at)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp4", "127.0.0.1:"+port)
		if err == nil {
			l.Close()
			t.Errorf("%s: nothing is there", at)
		}
		end()
	}
	for _, at := range []string{"a:b:c", "127.0.0.1:none", "[::1"} {
		if _, _, err := house.ServeMetrics(at); err == nil {
			t.Errorf("%s is taken", at)
		}
	}
}
