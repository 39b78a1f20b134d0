package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/node/store"
	"coterie/room"
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
		past, all, err := readBack(node.NewStore(s), id, self, c.before, time.Time{}, c.n)
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
	if past, all, err := readBack(node.NewStore(s), id, self, time.Now().Add(time.Hour), time.Now().Add(-time.Hour), 1); len(past) != 6 || !all || err != nil {
		t.Errorf("all since an hour ago: %d, all %v, %v", len(past), all, err)
	}
	said, _, err := readBack(node.NewStore(s), id, self, time.Now().Add(time.Hour), time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	byAnn := func(d room.Delivered) bool { return d.Author.Name == "ann" }
	for _, c := range []struct {
		q    search
		want string
		n    int
	}{
		{search{words: "ann", limit: 10}, "[ann 2 ann 1 ann 0]", 3},
		{search{words: text.Fold("ÀNN"), limit: 2}, "[ann 2 ann 1]", 3},
		{search{words: "", from: byAnn, limit: 10}, "[ann 2 ann 1 ann 0]", 3},
		{search{words: "n 1", after: time.Now().Add(-time.Hour), before: time.Now().Add(time.Hour), limit: 10}, "[ann 1]", 1},
		{search{words: "n 1", after: timeOf(said[5].Message.Time), limit: 10}, "[]", 0},
		{search{words: "n 1", before: timeOf(said[0].Message.Time), limit: 10}, "[]", 0},
		{search{words: "2", ignored: map[peer.ID]bool{self: true}, limit: 10}, "[bob 2]", 1},
	} {
		// What is in memory as well is found once.
		for _, memory := range [][]room.Delivered{nil, said[4:], said} {
			q := c.q
			if err := q.look(ctx, memory, node.NewStore(s), id, self); err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, d := range q.found {
				texts = append(texts, d.Message.Text)
			}
			if got := fmt.Sprint(texts); got != c.want || q.total != c.n {
				t.Errorf("%+v: %s, %d in all; want %s, %d", c.q, got, q.total, c.want, c.n)
			}
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
