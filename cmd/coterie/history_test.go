package main

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/text"
	"coterie/crypto/ake"
	"coterie/node"
	"coterie/node/store"
	"coterie/room"
)

// TestReadBack: what was said comes back from the disk in its order, with who said
// it, as much as was asked for.
func TestReadBack(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	bob, at := first(ctx, t, dir, "bob")
	ann := peerProcess(ctx, t, dir, "ann", "--bootstrap", at)
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
	kept := &chat.History{Store: node.NewStore(s), Room: id, Self: self}
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
		past, _, all, err := kept.Back(c.before, time.Time{}, c.n)
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
	if past, _, all, err := kept.Back(time.Now().Add(time.Hour), time.Now().Add(-time.Hour), 1); len(past) != 6 || !all ||
		err != nil {
		t.Errorf("all since an hour ago: %d, all %v, %v", len(past), all, err)
	}
	said, _, _, err := kept.Back(time.Now().Add(time.Hour), time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	byAnn := func(d room.Delivered) bool { return d.Author.Name == "ann" }
	for _, c := range []struct {
		q    chat.Query
		want string
		n    int
	}{
		{chat.Query{Words: "ann", Limit: 10}, "[ann 2 ann 1 ann 0]", 3},
		{chat.Query{Words: text.Fold("ÀNN"), Limit: 2}, "[ann 2 ann 1]", 3},
		{chat.Query{Words: "", From: byAnn, Limit: 10}, "[ann 2 ann 1 ann 0]", 3},
		{chat.Query{Words: "n 1", After: time.Now().Add(-time.Hour), Before: time.Now().Add(time.Hour), Limit: 10}, "[ann 1]",
			1},
		{chat.Query{Words: "n 1", After: time.UnixMilli(int64(said[5].Message.Time)), Limit: 10}, "[]", 0},
		{chat.Query{Words: "n 1", Before: time.UnixMilli(int64(said[0].Message.Time)), Limit: 10}, "[]", 0},
		{chat.Query{Words: "2", Ignored: map[peer.ID]bool{self: true}, Limit: 10}, "[bob 2]", 1},
	} {
		// What is in memory as well is found once.
		for _, memory := range [][]room.Delivered{nil, said[4:], said} {
			q := c.q
			if err := kept.Search(ctx, &q, memory); err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, d := range q.Found {
				texts = append(texts, d.Message.Text)
			}
			if got := fmt.Sprint(texts); got != c.want || q.Total != c.n {
				t.Errorf("%+v: %s, %d in all; want %s, %d", c.q, got, q.Total, c.want, c.n)
			}
		}
	}
}
