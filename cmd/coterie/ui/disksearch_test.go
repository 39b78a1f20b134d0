package ui

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"coterie/cmd/coterie/chat"
	"coterie/room"
)

// kept is a room with so many messages on disk, oldest first, and none in memory.
func kept(s *stage, n int) (all []room.Delivered) {
	for i := range n {
		d := room.Delivered{Author: mAnn, History: true}
		d.ID[0], d.ID[1], d.ID[31] = byte(i>>8), byte(i), 9
		d.Message.Text = fmt.Sprintf("old line %d", i)
		d.Message.Time = uint64(s.now.Add(time.Duration(i-n) * time.Minute).UnixMilli())
		all = append(all, d)
	}
	return all
}

// TestSearchOnDisk: a search goes through what is kept as well, tells how many
// there are, and fetches what it goes to with all that was said since; one question
// at a time is open, and an answer that comes late counts for nothing.
func TestSearchOnDisk(t *testing.T) {
	s := newStage(t, 80, 12, func(c *Config) { c.Kept = true })
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	disk := kept(s, 700)
	disk[5].Message.Text, disk[600].Message.Text = "Blåbær", "blåbær again"
	s.say(mAnn, "BLABÆR now")
	s.press("ctrl+f")
	s.types("blab")
	var asks []chat.Search
	for _, c := range s.b.did {
		if q, ok := c.(chat.Search); ok {
			asks = append(asks, q)
		}
	}
	if len(asks) != 1 || asks[0].Words != "b" || asks[0].From != "" {
		t.Fatalf("asked %+v", asks)
	}
	s.do(chat.Found{Ref: asks[0].Ref, Total: 900})
	q, _ := asked[chat.Search](s.b)
	if q.Words != "blab" {
		t.Fatalf("asked for %q", q.Words)
	}
	s.types("ær")
	n := len(s.b.did)
	s.do(chat.Found{Ref: asks[0].Ref, Total: 800}) // once more
	if s.contains("of 800") || len(s.b.did) != n {
		t.Errorf("a late answer:\n%s", s.screen())
	}
	s.do(chat.Found{Ref: q.Ref, Total: 3, Messages: []room.Delivered{disk[600], disk[5]}})
	q, _ = asked[chat.Search](s.b)
	if q.Words != "blabær" {
		t.Fatalf("asked for %q", q.Words)
	}
	s.do(chat.Found{Ref: q.Ref, Total: 3, Messages: []room.Delivered{disk[600], disk[5]}})
	if !s.contains("search (1 of 3): blabær") || !s.contains("BLABÆR now") {
		t.Fatalf("got\n%s", s.screen())
	}
	for i, at := range []int{600, 5} {
		s.b.did = nil
		s.press("enter")
		older, ok := asked[chat.Older](s.b)
		if !ok || older.Since.UnixMilli() != int64(disk[at].Message.Time) || !older.Before.After(older.Since) {
			t.Fatalf("asked %+v", s.b.did)
		}
		from := slices.IndexFunc(disk, func(d room.Delivered) bool {
			return !chat.TimeOf(d.Message.Time).Before(
				older.Since)
		})
		to := slices.IndexFunc(disk, func(d room.Delivered) bool { return !chat.TimeOf(d.Message.Time).Before(older.Before) })
		if to < 0 {
			to = len(disk)
		}
		s.do(chat.Earlier{Messages: disk[from:to], Since: older.Since})
		if !s.contains(fmt.Sprintf("search (%d of 3)", i+2)) || !s.contains(disk[at].Message.Text) {
			t.Fatalf("got\n%s", s.screen())
		}
	}
	s.b.did = nil
	s.press("enter")
	if _, ok := asked[chat.Older](s.b); ok {
		t.Error("asked for more than there is")
	}
	s.press("down", "down")
	if !s.contains("search (1 of 3)") {
		t.Errorf("got\n%s", s.screen())
	}
}

// TestSearchTooFarBack: what cannot be fetched is shown as a list, with how many
// there are.
func TestSearchTooFarBack(t *testing.T) {
	s := newStage(t, 80, 12, func(c *Config) { c.Kept = true })
	s.epoch(1, room.ReasonFirst, nil, nil, mAnn, mKari)
	disk := kept(s, 700)
	s.types("/search from:ann after:2026-11-01 old line 3")
	s.enter()
	q, ok := asked[chat.Search](s.b)
	if !ok || q.Words != "old line 3" || q.From != "ann" || !q.Begin || q.After.IsZero() {
		t.Fatalf("asked %+v", q)
	}
	s.do(chat.Found{Ref: q.Ref, Total: 111, Messages: []room.Delivered{disk[399], disk[3]}})
	older, ok := asked[chat.Older](s.b)
	if !ok {
		t.Fatal("not asked for")
	}
	s.do(chat.Earlier{Messages: disk[600:], Since: older.Since})
	for _, want := range []string{"111 found; the newest 2", "ann: old line 399", "ann: old line 3"} {
		if !s.contains(want) {
			t.Errorf("no %q in\n%s", want, s.screen())
		}
	}
	s.b.did = nil
	s.press("esc", "esc")
	// Without a disk nothing is asked.
	s = newStage(t, 80, 12)
	s.types("/search x")
	s.enter()
	if _, ok := asked[chat.Search](s.b); ok {
		t.Error("asked a disk that is not there")
	}
}
