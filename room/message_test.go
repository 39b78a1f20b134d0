package room

import (
	"fmt"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/room/record"
)

// TestPace: what one types above the pace waits and is sent in order; nobody
// drops any of it.
func TestPace(t *testing.T) {
	n := newNetwork(t, 91)
	all := n.party("ann", "bob")
	ann, bob := all[0], all[1]
	const burst, rate = defaultRate * burstTime, defaultRate
	for i := range burst + 50 {
		ann.say(fmt.Sprint("number ", i))
	}
	if k := len(ann.sent); k != burst {
		t.Errorf("%d of %d were sent at once", k, burst+50)
	}
	for _, h := range ann.held {
		t.Errorf("told that %d bytes are held although all can read", h.Bytes)
	}
	took := n.until(time.Second, "all are sent", func() bool { return len(ann.sent) == burst+50 })
	if took < 49*time.Second/rate {
		t.Errorf("50 more took %v", took)
	}
	n.until(time.Second, "all have arrived", func() bool { return len(bob.messages) == burst+50 })
	for i, m := range bob.messages {
		if m.Message.Text != fmt.Sprint("number ", i) || m.Late {
			t.Fatalf("message %d is %q", i, m.Message.Text)
		}
	}
}

// TestFlood: an insider who keeps no pace makes nobody pass on more than the
// pace allows; what one member took all the same reaches the others in time.
func TestFlood(t *testing.T) {
	n := newNetwork(t, 92)
	all := n.party("ann", "bob", "cyn")
	ann, bob, cyn := all[0], all[1], all[2]
	n.disconnect(ann, cyn)
	e := ann.room.head
	accepted := 0
	for i := range uint64(3000) {
		counter, key := e.keys.Chain(e.ownIndex).Next()
		body := record.Body{Counter: counter, Time: 1, Lamport: i, Kind: record.KindText, Text: fmt.Sprint("flood ", i)}
		if bob.room.Publication(n.now, ann.room.self, ann.write(t, e, e.ownIndex, key, counter, body)) == Accept {
			accepted++
		}
	}
	n.drain(bob)
	if limit := defaultRate * burstTime * paceSlack; accepted > int(limit) || accepted < defaultRate*burstTime {
		t.Errorf("bob passes on %d messages that came at once", accepted)
	}
	n.until(time.Minute, "cyn has them too", func() bool { return len(cyn.messages) == len(bob.messages) })
}

// TestShownAt: the author's time is shown, but not later than arrival; and arrival's
// where the two are far apart, but for what was said before.
func TestShownAt(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		said, want time.Duration // from arrival
		history    bool
	}{
		{-time.Second, -time.Second, false}, {time.Hour, 0, false}, {-time.Hour, 0, false},
		{-time.Hour, -time.Hour, true}, {time.Hour, 0, true},
	} {
		d := Delivered{Received: at, History: c.history, Message: record.Body{Time: uint64(at.Add(c.said).UnixMilli())}}
		if got := d.ShownAt().Sub(at); got != c.want {
			t.Errorf("said %v from arrival, history %v: shown %v", c.said, c.history, got)
		}
	}
	// What was said is of its epoch's day, whatever its author says, and came before it was read.
	today := abe.DayOf(at)
	for _, c := range []struct {
		said time.Time
		want time.Duration // from the beginning of the day
	}{
		{time.Unix(0, 0), -dayGrace}, {today.Start().Add(-dayGrace), -dayGrace}, {today.Start().Add(time.Hour), time.Hour},
		{today.Start().Add(36 * time.Hour), 24*time.Hour + dayGrace},
		{time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), 24*time.Hour + dayGrace},
	} {
		d := Delivered{Received: at.AddDate(0, 0, 7), Day: today, History: true}
		d.Message.Time = uint64(c.said.UnixMilli())
		if got := d.ShownAt().Sub(today.Start()); got != c.want {
			t.Errorf("of %v is shown %v after the day began, not %v", c.said, got, c.want)
		}
		if d.Received = today.Start().Add(2 * time.Hour); d.ShownAt().After(d.Received) {
			t.Errorf("of %v is shown %v, and it came before", c.said, d.ShownAt())
		}
	}
	// A change that was said while we were away was said when its author says.
	for _, away := range []bool{false, true} {
		c := Changed{Time: uint64(at.Add(-time.Hour).UnixMilli()), Received: at, Day: today, Away: away}
		if want := map[bool]time.Time{false: at, true: at.Add(-time.Hour)}[away]; !c.At().Equal(want) {
			t.Errorf("away %v: a change is shown at %v, not %v", away, c.At(), want)
		}
	}
	never := Delivered{Message: record.Body{Time: 1 << 63}}
	if never.ShownAt().Year() < 2000 {
		t.Error("a time beyond all wraps around")
	}
}

// TestNameFirst: what a newcomer says waits for their name, if that is on its way; but not for long.
func TestNameFirst(t *testing.T) {
	for _, comes := range []bool{true, false} {
		n := newNetwork(t, 93)
		all := n.party("ann", "bob")
		ann, bob := all[0], all[1]
		var name *record.Name
		for _, p := range bob.room.processes {
			if p.name != nil && p.name.Text == "ann" {
				name, p.name = p.name, nil
			}
		}
		bob.room.head.since = n.now // it came just now
		ann.say("one")
		ann.say("two")
		n.run(300 * time.Millisecond)
		if len(bob.messages) > 0 {
			t.Fatalf("shown as %q", bob.messages[0].Author.Name)
		}
		want := ""
		if comes {
			bob.room.addName(name)
			want = "ann"
		}
		n.until(2*time.Second, "both are shown", func() bool { return len(bob.messages) == 2 })
		for i, text := range []string{"one", "two"} {
			if m := bob.messages[i]; m.Author.Name != want || m.Message.Text != text || m.Late {
				t.Errorf("shown as %q by %q, late %v", m.Message.Text, m.Author.Name, m.Late)
			}
		}
	}
}
