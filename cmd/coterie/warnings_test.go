package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/drive"
)

// TestElsewhere: who types another policy, another history, or has the key of
// another domain, is alone, not joining for ever, and both sides are told why,
// once.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	ann, at := first(ctx, t, dir, "ann")
	told := func(p *drive.Peer, code, text, hint string) {
		t.Helper()
		w, err := p.Wait(ctx, code, func(e drive.Event) bool { return e.Event == "warning" && e.Code == code })
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.Text, text) || w.Hint != hint {
			t.Errorf("%s: %q %q", p.Name, w.Text, w.Hint)
		}
		h, err := p.Wait(ctx, "why", func(e drive.Event) bool {
			return e.Event == "health" && e.Code == "ALONE" && strings.Contains(e.Hint, text)
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(h.Hint, hint) {
			t.Errorf("%s: %q", p.Name, h.Hint)
		}
	}
	const fingerprint = "compare the fingerprint with your operator"
	for _, test := range []struct {
		name, code, text, hint string
		args                   []string
	}{
		{"bob", "policy-differs", `1 peer nearby has a room "den" of NTNU with another policy: ("ONE" or "THREE") and ("TWO" or "FOUR")`,
			"same name, other policy = other room; coterie join den --policy …", []string{"--policy", "THREE"}},
		{"dan", "policy-differs", `1 peer nearby has a room "den" of NTNU with the same policy and no history`,
			"same name, other history = other room; coterie join den --history 0", []string{"--history", "7d", "--key", dir +
				"/bob.key"}},
		{"foreign", "same-name-domain", `1 peer nearby has a room "den" of another domain: `, fingerprint, nil},
	} {
		p := peerProcess(ctx, t, dir, test.name, append([]string{"--bootstrap", at}, test.args...)...)
		told(p, test.code, test.text, test.hint)
		// By then peers were met off the topic as well.
		if _, err := p.Wait(ctx, "what it tries", func(e drive.Event) bool {
			return e.Event == "state" &&
				e.Step == "discover"
		}); err != nil {
			t.Fatal(err)
		}
		events, _ := p.Events()
		for _, e := range events {
			if e.Event == "health" && e.Code == "JOINING" {
				t.Errorf("%s says that it joins: %q", test.name, e.Text)
			}
		}
		if err := p.Quit(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Exit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	told(ann, "policy-differs", `1 peer nearby has a room "den" of NTNU with another policy: "THREE"`,
		"same name, other policy = other room; coterie join den --policy …")
	told(ann, "same-name-domain", `1 peer nearby has a room "den" of another domain: `, fingerprint)
	warnings := 0
	events, _ := ann.Events()
	for _, e := range events {
		if e.Event == "warning" && e.Code == "policy-differs" {
			warnings++
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings, not one", warnings)
	}
}

// TestClockWarning: whose clock is wrong by hours is told so, by the others'
// median, and nobody else.
func TestClockWarning(t *testing.T) {
	ctx, dir := stage(t)
	ann, bob, at := pair(ctx, t, dir)
	next, err := bob.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(shifted, "3h2m0s")
	cyn := peerProcess(ctx, t, dir, "cyn", "--key", dir+"/ann.key", "--bootstrap", at, "--bootstrap", next.Addrs[0])
	w, err := cyn.Wait(ctx, "the warning", func(e drive.Event) bool { return e.Event == "warning" && e.Code == "clock" })
	if err != nil {
		t.Fatal(err)
	}
	if w.Text != "this computer's clock is 3 h 2 min ahead of the others (median of 2)" &&
		w.Text != "this computer's clock is 3 h 2 min ahead of the others (median of 1)" {
		t.Errorf("text %q", w.Text)
	}
	if w.Hint != "set the clock; until then your key and their messages may seem expired" {
		t.Errorf("hint %q", w.Hint)
	}
	if _, err := cyn.Wait(ctx, "its health", func(e drive.Event) bool {
		return e.Event == "health" && e.Code == "CLOCK" &&
			e.State == "on"
	}); err != nil {
		t.Fatal(err)
	}
	events, _ := ann.Events()
	for _, e := range events {
		if e.Code == "CLOCK" || e.Code == "clock" {
			t.Errorf("ann is told %q", e.Text)
		}
	}
	finish(ctx, t, ann, bob, cyn)
}

// TestPeerNewer: somebody of a later version is there, and that is said.
func TestPeerNewer(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	later, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	later.SetStreamHandler("/coterie/3/prove", func(s network.Stream) { s.Reset() })
	ann := peerProcess(ctx, t, dir, "ann", "--bootstrap", later.Addrs()[0].String()+"/p2p/"+later.ID().String())
	w, err := ann.Wait(ctx, "the warning", func(e drive.Event) bool {
		return e.Event == "warning" &&
			e.Code == "peer-newer"
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.Text != "1 of 1 peer speaks protocol 3 and cannot be heard" || !strings.HasPrefix(w.Hint, "update") {
		t.Errorf("%q %q", w.Text, w.Hint)
	}
	finish(ctx, t, ann)
}

// TestNetBlocked: where TCP gets out and UDP does not, that is said.
func TestNetBlocked(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	// A socket that never answers stands for a network that lets no UDP out.
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
	ann := peerProcess(ctx, t, dir, "ann", "--bootstrap", far.Addrs()[0].String()+"/p2p/"+far.ID().String())
	w, err := ann.Wait(ctx, "the warning", func(e drive.Event) bool {
		return e.Event == "warning" &&
			e.Code == "net-blocked"
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.Text != "UDP does not get out of this network; using TCP and relays" {
		t.Errorf("%q", w.Text)
	}
	finish(ctx, t, ann)
}
