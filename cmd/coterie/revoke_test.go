//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coterie/cmd/internal/drive"
	"coterie/crypto/abe"
)

// TestRevoke: a laptop is stolen, and goes on in the room. A member brings the domain's
// notice, and the others pass it on: whoever has the key is told so and is out, reads nothing
// of what is said then, and does not come back. Who is not there learns of it later.
func TestRevoke(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	dir := t.TempDir()
	master, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := abe.ParseAttributes([]string{"ONE", "TWO"})
	if err != nil {
		t.Fatal(err)
	}
	today := abe.DayOf(time.Now())
	peers := make(map[string]*drive.Peer)
	at := []string{}
	start := func(name string, args ...string) *drive.Peer {
		p := peerProcess(ctx, t, dir, name, append(args, at...)...)
		ready, err := p.Ready(ctx)
		if err != nil {
			t.Fatal(err, p.Stderr())
		}
		if len(at) == 0 {
			at = []string{"--bootstrap", ready.Addrs[0]}
		}
		peers[name] = p
		return p
	}
	for i, name := range []string{"ann", "bob", "cyn", "dan"} {
		key, err := master.Issue(rand.Reader, abe.Grant{Serial: uint64(i + 1), Attributes: attributes, Generation: 1,
			From: today - 1, Expires: today + 30})
		if err != nil {
			t.Fatal(err)
		}
		b, err := key.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".key"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ann, bob, cyn := start("ann"), start("bob"), start("cyn")
	aliveIn(ctx, t, ann, bob, cyn)
	talk(ctx, t, "before", ann, bob, cyn)

	write := func(name string, m *abe.MasterKey, serials ...uint64) string {
		n, err := m.Revoke(uint32(time.Now().Unix()), serials)
		if err != nil {
			t.Fatal(err)
		}
		file, err := n.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bring := func(p *drive.Peer, path string) {
		line, _ := json.Marshal(map[string]string{"notice": path})
		if err := p.Write(string(line)); err != nil {
			t.Fatal(err)
		}
	}
	// Another domain of that name revokes nobody here.
	other, err := abe.Setup(rand.Reader, "NTNU")
	if err != nil {
		t.Fatal(err)
	}
	bring(ann, write("other.notice", other, 2))
	defer func() {
		if t.Failed() {
			t.Log(ann.Stdout())
		}
	}()
	if _, err := ann.Wait(ctx, "it is refused", func(e drive.Event) bool {
		return e.Event == "error" && e.Code == "notice-foreign"
	}); err != nil {
		t.Fatal(err)
	}

	path := write("NTNU.notice", master, 3)
	bring(ann, path)
	for _, p := range []*drive.Peer{ann, bob} {
		if _, err := p.Wait(ctx, "the notice", func(e drive.Event) bool { return e.Event == "notice" }); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := cyn.Exit(ctx); err != nil || status != 1 {
		t.Errorf("cyn: status %d, %v", status, err)
	}
	if !strings.Contains(cyn.Stdout(), `"key-revoked"`) || !strings.Contains(cyn.Stdout(), "ask the operator of NTNU") {
		t.Errorf("cyn is told: %s", cyn.Stdout())
	}
	gone, err := cyn.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*drive.Peer{ann, bob} {
		if _, err := p.Wait(ctx, "an epoch without cyn", func(e drive.Event) bool {
			return e.Event == "epoch" && e.Size == 2 && !slices.Contains(e.Members, gone.Peer)
		}); err != nil {
			t.Fatal(err)
		}
	}
	talk(ctx, t, "after", ann, bob)

	// The same profile again: it knows. Another profile with the key: it is told.
	again := peerProcess(ctx, t, dir, "cyn", at...)
	if status, err := again.Exit(ctx); err != nil || status != 1 || !strings.Contains(again.Stdout(), `"key-revoked"`) {
		t.Errorf("cyn again: status %d, %v: %s", status, err, again.Stdout())
	}
	if err := os.Rename(filepath.Join(dir, "cyn.key"), filepath.Join(dir, "thief.key")); err != nil {
		t.Fatal(err)
	}
	thief := peerProcess(ctx, t, dir, "thief", at...)
	if status, err := thief.Exit(ctx); err != nil || status != 1 || !strings.Contains(thief.Stdout(), `"key-revoked"`) {
		t.Errorf("the thief: status %d, %v: %s", status, err, thief.Stdout())
	}
	for _, p := range []*drive.Peer{again, thief} {
		events, _ := p.Events()
		if slices.ContainsFunc(events, func(e drive.Event) bool {
			return e.Event == "message" && strings.HasPrefix(e.Text, "after")
		}) {
			t.Errorf("%s reads what was said after", p.Name)
		}
	}
	// Who comes later knows no notice, is told, and takes part.
	dan := start("dan")
	if _, err := dan.Wait(ctx, "the notice", func(e drive.Event) bool { return e.Event == "notice" }); err != nil {
		t.Fatal(err)
	}
	aliveIn(ctx, t, ann, bob, dan)
	talk(ctx, t, "later", ann, bob, dan)
	finish(ctx, t, ann, bob, dan)
	// Given at the start, it counts at once.
	if err := os.Rename(filepath.Join(dir, "thief.key"), filepath.Join(dir, "eve.key")); err != nil {
		t.Fatal(err)
	}
	eve := peerProcess(ctx, t, dir, "eve", "--notice", path)
	if status, err := eve.Exit(ctx); err != nil || status != 1 || !strings.Contains(eve.Stdout(), `"key-revoked"`) {
		t.Errorf("eve: status %d, %v: %s", status, err, eve.Stdout())
	}
}
