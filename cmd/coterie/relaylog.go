package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

// maxRefusalLines is how many refusals have a line of their own in one minute. The
// rest are counted: a flood must not fill a disk.
const maxRefusalLines = 10

// A relayLog writes what a relay does: a line a minute, and one for what it refuses.
type relayLog struct {
	out   *lines.JSON
	plain io.Writer // nil with --json
	now   func() time.Time

	mu    sync.Mutex
	lines int // of refusals, in this minute
	last  node.RelayStats
}

// refused is called by the relay, from any goroutine.
func (l *relayLog) refused(r node.Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines++; l.lines > maxRefusalLines {
		return
	}
	more := ""
	if l.lines == maxRefusalLines {
		more = "; more in this minute are counted only"
	}
	l.out.Put(lines.NewObject("refused").Add("what", r.What).Add("from", r.From).Add("why", r.Why).Add("time",
		lines.Stamp(l.now())))
	l.say("refused a %s from %s: %s%s", r.What, r.From, r.Why, more)
}

// minute tells what is new since the last time.
func (l *relayLog) minute(st node.RelayStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = 0
	if st == l.last {
		return
	}
	carried, refused := st.Bytes-l.last.Bytes, st.Refused-l.last.Refused
	l.last = st
	l.out.Put(lines.NewObject("relaying").Add("peers", st.Peers).Add("connections", st.Connections).Add("rooms", st.Rooms).
		Add("reservations", st.Reservations).Add("circuits", st.Circuits).Add("forwarded", st.Forwarded).
		Add("bytes", st.Bytes).Add("refused", st.Refused).Add("time", lines.Stamp(l.now())))
	l.say("%s, %s, %s, %s, %s; %s in and out, %s refused", cli.Plural(st.Peers, "peer"), cli.Plural(st.Connections,
		"connection"),
		cli.Plural(st.Rooms, "room"), cli.Plural(st.Reservations, "reservation"), cli.Plural(st.Circuits, "circuit"),
		cli.Size(int(carried)), cli.Count(refused))
}

// ended is the last line.
func (l *relayLog) ended(st node.RelayStats, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say("stopped after %s: %s in and out, %s forwarded, %s refused", l.now().Sub(began).Round(time.Second),
		cli.Size(int(st.Bytes)), cli.Plural(st.Forwarded, "record"), cli.Count(st.Refused))
}

func (l *relayLog) say(format string, a ...any) {
	if l.plain != nil {
		fmt.Fprintf(l.plain, "-- %s %s\n", l.now().Format("15:04"), cli.Clean(fmt.Sprintf(format, a...)))
	}
}
