//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
	"coterie/crypto/abe"
)

// untilMidnight is by how much a clock must be ahead for midnight to be so far
// away.
func untilMidnight(d time.Duration) time.Duration {
	now := time.Now()
	return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Add(-d).Sub(now)
}

// A guest is a process of a test, with its own clock.
type guest struct {
	name    string
	ahead   time.Duration
	expires int // the day after the last one of its key, counted from its today
}

// gather starts guests, each with a key of one domain, and waits until they are
// in one epoch.
func gather(ctx context.Context, t *testing.T, guests ...guest) []*drive.Peer {
	t.Helper()
	peers := come(ctx, t, guests...)
	aliveIn(ctx, t, peers...)
	return peers
}

// come starts guests, each with a key of one domain.
func come(ctx context.Context, t *testing.T, guests ...guest) []*drive.Peer {
	t.Helper()
	dir := t.TempDir()
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := abe.ParseAttributes([]string{"ONE", "TWO"})
	if err != nil {
		t.Fatal(err)
	}
	var peers []*drive.Peer
	var at string
	for _, g := range guests {
		today := abe.DayOf(time.Now().Add(g.ahead))
		key, err := master.Issue(rand.Reader, abe.Grant{Attributes: attributes, Generation: 1, From: today - 1,
			Expires: today + abe.Day(g.expires)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := key.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, g.name+".key"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		var args []string
		if at != "" {
			args = []string{"--bootstrap", at}
		}
		p := peerWith(ctx, t, dir, append(home(homeOf(dir, g.name)), shifted+"="+g.ahead.String()), g.name, args...)
		ready, err := p.Ready(ctx)
		if err != nil {
			t.Fatal(err, p.Stderr())
		}
		if at == "" {
			at = ready.Addrs[0]
		}
		peers = append(peers, p)
	}
	return peers
}

// talk lets each say something, which all others hear.
func talk(ctx context.Context, t *testing.T, about string, peers ...*drive.Peer) {
	t.Helper()
	for _, p := range peers {
		if err := p.Say(about + ", says " + p.Name); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range peers {
		for _, q := range peers {
			if p != q {
				if _, err := q.Heard(ctx, about+", says "+p.Name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestMidnight: processes whose day changes while they talk are in the new day's
// epoch with those whose keys are valid then, and, two minutes after midnight,
// without the one whose key lapsed, which is told so and reads nothing of that
// day.
func TestMidnight(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	ahead := untilMidnight(30 * time.Second)
	turn := time.Now().Add(30 * time.Second)
	all := gather(ctx, t, guest{"ann", ahead, 30}, guest{"bob", ahead, 30}, guest{"cyn", ahead, 1})
	ann, bob, cyn := all[0], all[1], all[2]
	if time.Now().After(turn) {
		t.Fatal("it is past midnight before all are there: the test shows nothing")
	}
	talk(ctx, t, "before midnight", all...)
	lapsed, err := cyn.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var next [2]drive.Event
	for i, p := range all[:2] {
		next[i], err = p.Wait(ctx, "an epoch without cyn", func(e drive.Event) bool {
			return e.Event == "epoch" && e.Size == 2 && !slices.Contains(e.Members, lapsed.Peer) && e.At.After(turn)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if next[0].Reason != "expired" {
		t.Errorf("the reason is %q", next[0].Reason)
	}
	if _, err := cyn.Wait(ctx, "its health", func(e drive.Event) bool {
		return e.Event == "health" &&
			e.Code == "EXPIRED" && e.State == "on"
	}); err != nil {
		t.Error(err)
	}
	talk(ctx, t, "after midnight", ann, bob)
	events, _ := cyn.Events()
	for _, e := range events {
		if e.Event == "message" && slices.Contains([]string{"after midnight, says ann", "after midnight, says bob"}, e.Text) {
			t.Errorf("cyn was shown %q", e.Text)
		}
	}
	finish(ctx, t, ann, bob)
	if err := cyn.Quit(); err != nil {
		t.Fatal(err)
	}
	if _, err := cyn.Exit(ctx); err != nil {
		t.Error(err)
	}
}

// settle waits until for some seconds each has been in an epoch of all: of one day,
// and, where it is tomorrow for some, of the next as well.
func settle(ctx context.Context, t *testing.T, all ...*drive.Peer) {
	t.Helper()
	for since := time.Now(); time.Since(since) < 5*time.Second; {
		if slices.ContainsFunc(all, func(p *drive.Peer) bool { return p.Epoch().Size != len(all) }) {
			since = time.Now()
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("they do not settle in one epoch")
		}
	}
}

// TestSkewedClocks: processes whose clocks are an hour apart talk, at noon in one
// epoch, and when for some of them it is tomorrow in one of each day: what either
// says all can read.
func TestSkewedClocks(t *testing.T) {
	for _, base := range []time.Duration{12 * time.Hour, 25 * time.Minute} {
		t.Run(fmt.Sprint(base, " before midnight"), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			ahead := untilMidnight(base)
			all := come(ctx, t, guest{"ann", ahead, 30}, guest{"bob", ahead + 30*time.Minute, 30},
				guest{"cyn", ahead - 30*time.Minute, 30})
			settle(ctx, t, all...)
			talk(ctx, t, "hello", all...)
			finish(ctx, t, all...)
		})
	}
}
