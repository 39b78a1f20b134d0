package relay

import (
	"bytes"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/drive"
	"coterie/node"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMemorySize(t *testing.T) {
	for s, want := range map[string]int64{"32MiB": 32 << 20, "2GiB": 2 << 30, "65536KiB": 64 << 20} {
		if n, ok := memorySize(s); !ok || n != want {
			t.Errorf("%s: %d, %v", s, n, ok)
		}
	}
}

// TestJournal: a minute has one line, if something is new; refusals have ten lines,
// and the rest are counted.
func TestJournal(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 31, 0, 0, time.UTC)
	now := func() time.Time { return at }
	var plain, objects bytes.Buffer
	l := &journal{out: lines.NewJSON(&objects, now), plain: &plain, now: now}
	for i := range 1000 {
		l.refused(node.Refusal{What: "connection", From: fmt.Sprintf("192.0.2.%d", i%256),
			Why: "its address has all 512 connections that one may have"})
	}
	st := node.RelayStats{Peers: 2, Connections: 3, Rooms: 1, Reservations: 2, Circuits: 1, Forwarded: 12,
		Bytes: 1_234_567, Refused: 1000}
	l.minute(st)
	l.minute(st)
	st.Bytes += 2000
	l.minute(st)
	l.refused(node.Refusal{What: "circuit", From: "192.0.2.7", Why: "all 10 circuits are taken"})
	l.ended(st, at.Add(-time.Hour))
	got := strings.Split(strings.TrimSpace(plain.String()), "\n")
	want := []string{
		"-- 09:31 refused a connection from 192.0.2.9: its address has all 512 connections that one may have; more in " +
			"this minute are counted only",
		"-- 09:31 2 peers, 3 connections, 1 room, 2 reservations, 1 circuit; 1.2 MB in and out, 1,000 refused",
		"-- 09:31 2 peers, 3 connections, 1 room, 2 reservations, 1 circuit; 2.0 kB in and out, 0 refused",
		"-- 09:31 refused a circuit from 192.0.2.7: all 10 circuits are taken",
		"-- 09:31 stopped after 1h0m0s: 1.2 MB in and out, 12 records forwarded, 1,000 refused",
	}
	if len(got) != maxRefusalLines-1+len(want) || !slices.Equal(got[max(len(got)-len(want), 0):], want) {
		t.Errorf("got\n%s", plain.String())
	}
	if n := strings.Count(objects.String(), `"event":"refused"`); n != maxRefusalLines+1 {
		t.Errorf("%d events of refusals", n)
	}
	sch, err := drive.ReadSchema("../lines/testdata/relay.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(strings.TrimSpace(objects.String()), "\n") {
		if _, err := sch.Check([]byte(l)); err != nil {
			t.Errorf("%v in %s", err, l)
		}
	}
	for _, part := range []string{
		`{"event":"refused","what":"connection","from":"192.0.2.0","why":"its address has all 512 connections that one may have","time":"2026-11-23T09:31:00.000Z"}`,
		`{"event":"relaying","peers":2,"connections":3,"rooms":1,"reservations":2,"circuits":1,"forwarded":12,"bytes":1234567,"refused":1000,"time":"2026-11-23T09:31:00.000Z"}`,
	} {
		if !strings.Contains(objects.String(), part+"\n") {
			t.Errorf("no %s in\n%s", part, objects.String())
		}
	}
}
