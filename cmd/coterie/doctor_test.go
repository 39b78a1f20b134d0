package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"
)

// diagnose runs the doctor in a home, with what the settings there say, and
// returns its lines by check.
func diagnose(t *testing.T, dir, at, settings string, args ...string) (map[string]string, int) {
	t.Helper()
	config := filepath.Join(at, "config", "coterie")
	if err := os.MkdirAll(config, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "config.toml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := runAt(t, dir, at, "", append([]string{"doctor"}, args...)...)
	if stderr != "" {
		t.Errorf("stderr %s", stderr)
	}
	found := make(map[string]string)
	for _, l := range strings.Split(stdout, "\n") {
		if f := strings.Fields(l); len(f) > 2 && len(l) > 21 && (f[0] == "ok" || f[0] == "warn" || f[0] == "FAIL") {
			found[f[1]] += f[0] + " " + l[21:] + "\n"
		}
	}
	return found, status
}

const onLoopback = "listen = [\"/ip4/127.0.0.1/tcp/0\", \"/ip4/127.0.0.1/udp/0/quic-v1\"]\n"

func expect(t *testing.T, found map[string]string, want map[string]string) {
	t.Helper()
	for check, pattern := range want {
		if pattern == "" && found[check] == "" {
			continue
		}
		if !regexp.MustCompile(`^` + pattern + `\n$`).MatchString(found[check]) {
			t.Errorf("%s: %q, not %s", check, found[check], pattern)
		}
	}
}

// TestDoctor: what the doctor says, line by line, with a room that runs, one that
// does not, and nobody there at all.
func TestDoctor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience) // three looks at the network
	defer cancel()
	alone, status := diagnose(t, dir, homeOf(dir, "nobody"), onLoopback)
	expect(t, alone, map[string]string{
		"version": `ok coterie .+, protocol 2, go1.+`, "terminal": `ok none: plain lines`,
		"clock": `ok nobody told theirs, to compare`,
		"port":  `ok tcp \d+, udp \d+ free`, "udp": `ok nobody answered .+`, "reachable": `ok nobody answered .+`,
		"mdns":      `ok off: .+`,
		"self-test": `ok demo --check: all 9 checks passed in .+`, "room": ``, "bootstrap": ``, "key": ``,
	})
	if status != 0 {
		t.Errorf("status %d: %v", status, alone)
	}

	ann := peerProcess(ctx, t, dir, "ann", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at.Addrs[0])
	aliveIn(ctx, t, ann, bob)
	var quic string
	for _, a := range at.Addrs {
		if strings.Contains(a, "/quic-v1") {
			quic = a
		}
	}
	settings := onLoopback + fmt.Sprintf("bootstrap = [%q, \"/ip4/127.0.0.1/tcp/1\"]\n", quic)
	// In bob's home the room runs.
	settings += "mdns = false\n"
	found, status := diagnose(t, dir, homeOf(dir, "bob"), settings, "--room", "den")
	expect(t, found, map[string]string{
		"history": `warn den: encrypted with a key stored beside it`, "policy": `ok satisfied through .+; encapsulate \d+ ms, open and compare \d+ ms on this machine`,
		"clock": `ok differs by 0.\d s from the median of 1 peer`, "udp": `ok works, address 127.0.0.1:\d+, the same for 1 peer`,
		"reachable": `ok on this computer; nobody elsewhere was asked`, "mdns": `ok off \(mdns = false\)`, "room": `ok den: 1 member answered; 1 direct, 0 relayed`,
		"bootstrap": `ok .+, a member, \d+ ms; protocol 2\nok .+quic.+, a member, \d+ ms; protocol 2\nFAIL /ip4/127.0.0.1/tcp/1: port: connection refused: nobody listens on that port`,
	})
	if status != 1 {
		t.Errorf("status %d with a bootstrap address that fails", status)
	}
	// A link knows of the room, which does not run in this home.
	found, _ = diagnose(t, dir, homeOf(dir, "nobody"), onLoopback, "--room", at.Link)
	expect(t, found, map[string]string{"room": `ok den does not run here now; 1 member answered`,
		"history": `ok den: nothing is kept here`})
	finish(ctx, t, ann, bob)
}

// TestDoctorTrouble: a wrong clock, a network without UDP, and what is wrong with an
// address: protocol, identity, name, or a login page in between.
func TestDoctorTrouble(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	ann := peerProcess(ctx, t, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	deaf, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	far, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableMetrics(),
		libp2p.AddrsFactory(func(a []ma.Multiaddr) []ma.Multiaddr {
			return append(a, ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", deaf.LocalAddr().(*net.UDPAddr).Port)))
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	far.SetStreamHandler("/coterie/3/prove", nil)
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>Log in to use this network, and accept its terms of use, all of them, to the end</html>",
			http.StatusNetworkAuthenticationRequired)
	}))
	defer login.Close()
	page := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", login.Listener.Addr().(*net.TCPAddr).Port)
	t.Setenv(shifted, "3h2m0s")
	found, status := diagnose(t, dir, homeOf(dir, "nobody"), onLoopback+fmt.Sprintf("bootstrap = [%q, %q, %q, %q, %q]\n",
		at.Addrs[0],
		far.Addrs()[0].String()+"/p2p/"+far.ID().String(), far.Addrs()[0].String()+"/p2p/"+at.Peer,
		"/dns4/nowhere.invalid/tcp/4001/p2p/"+at.Peer, page))
	expect(t, found, map[string]string{
		"clock": `FAIL This computer's clock is 3 h 2 min ahead of the others \(median of 1\).`,
		"udp":   `warn does not get out of this network; TCP and relays are used`,
		"bootstrap": `ok .+, a member, \d+ ms; protocol 2\nFAIL .+: protocol: it answers, and speaks version 3\n` +
			`FAIL .+: identity: another peer answers there\nFAIL .+: name: .+\nFAIL .+: portal: something answers that is no peer`,
	})
	if status != 1 {
		t.Errorf("status %d", status)
	}
	finish(ctx, t, ann)
}

// TestDoctorJSON: what is sent with a report says the same, without addresses and
// ids.
func TestDoctorJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixtures(t, dir)
	const id = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
	at := homeOf(dir, "nobody")
	diagnose(t, dir, at, onLoopback+fmt.Sprintf("bootstrap = [\"/ip4/127.0.0.77/tcp/1/p2p/%s\"]\n", id))
	for _, test := range []struct {
		args  []string
		whole bool
	}{{[]string{"doctor", "--json"}, false}, {[]string{"doctor", "--json", "--full"}, true}} {
		stdout, _, _ := runAt(t, dir, at, "", test.args...)
		if strings.Contains(stdout, id) != test.whole || strings.Contains(stdout, "127.0.0.77") != test.whole {
			t.Errorf("%q: %s", test.args, stdout)
		}
		checks := 0
		for _, l := range strings.Split(strings.TrimSpace(stdout), "\n") {
			var o struct{ Event, Check, Result, Text string }
			if err := json.Unmarshal([]byte(l), &o); err != nil || o.Event != "check" || o.Check == "" || o.Result == "" ||
				o.Text == "" {
				t.Errorf("%v in %s", err, l)
			}
			checks++
		}
		if checks < 10 {
			t.Errorf("%d checks", checks)
		}
	}
}
