package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/node"
	"coterie/node/store"
)

// TestReadBack: what was said comes back from the disk in its order, with who said
// it, as much as was asked for.
func TestReadBack(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bob := peerProcess(ctx, t, dir, "bob")
	at, err := bob.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ann := peerProcess(ctx, t, dir, "ann", "--bootstrap", at.Addrs[0])
	aliveIn(ctx, t, ann, bob)
	me, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := ann.Say(fmt.Sprintf("ann %d", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Heard(ctx, fmt.Sprintf("ann %d", i)); err != nil {
			t.Fatal(err)
		}
		if err := bob.Say(fmt.Sprintf("bob %d", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := ann.Heard(ctx, fmt.Sprintf("bob %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	leave(ctx, t, ann, bob)

	var id ake.Hash
	if _, err := hex.Decode(id[:], []byte(me.RoomID)); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(homeOf(dir, "ann"), "*", "coterie", "rooms", "*.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	key, _, err := store.DataKey(found[0], id, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{Path: found[0], Key: key, Room: id})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	self, err := peer.Decode(me.Peer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		before time.Time
		n      int
		all    bool
		want   string
	}{
		{time.Now().Add(time.Hour), 10, true, "[ann 0 bob 0 ann 1 bob 1 ann 2 bob 2]"},
		{time.Now().Add(time.Hour), 6, true, "[ann 0 bob 0 ann 1 bob 1 ann 2 bob 2]"},
		{time.Now().Add(time.Hour), 2, false, "[ann 2 bob 2]"},
		{time.Now().Add(-time.Hour), 10, true, "[]"},
	} {
		past, all, err := readBack(node.NewStore(s), id, self, c.before, c.n)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, d := range past {
			texts = append(texts, d.Message.Text)
			if name := d.Message.Text[:3]; d.Author.Name != name || d.Self != (name == "ann") || !d.History {
				t.Errorf("%q is by %q, self %v", d.Message.Text, d.Author.Name, d.Self)
			}
		}
		if got := fmt.Sprint(texts); got != c.want || all != c.all {
			t.Errorf("the last %d: %s, all %v; want %s, %v", c.n, got, all, c.want, c.all)
		}
	}
	d := &disk{store: s}
	since := time.UnixMilli(1700000000123)
	d.setUnread(id, since)
	if got, at := d.unread(); got != id || !at.Equal(since) {
		t.Errorf("the mark is %x, %v", got, at)
	}
	d.setUnread(ake.Hash{}, since)
	if got, _ := d.unread(); got != (ake.Hash{}) {
		t.Error("the mark stays")
	}
}
