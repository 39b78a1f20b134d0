package relay

import (
	"fmt"
	"io"
	"sync"
	"time"

	manet "github.com/multiformats/go-multiaddr/net"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

// maxRefusalLines is how many refusals have a line of their own in one minute. The
// rest are counted: a flood must not fill a disk.
const maxRefusalLines = 10

// A journal writes what a relay does: a line a minute, and one for what it refuses.
type journal struct {
	out   *lines.JSON
	plain io.Writer // nil with --json
	now   func() time.Time

	mu    sync.Mutex
	lines int // of refusals, in this minute
	last  node.RelayStats
}

// refused is called by the relay, from any goroutine.
func (l *journal) refused(r node.Refusal) {
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
func (l *journal) minute(st node.RelayStats) {
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
func (l *journal) ended(st node.RelayStats, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say("stopped after %s: %s in and out, %s forwarded, %s refused", l.now().Sub(began).Round(time.Second),
		cli.Size(int(st.Bytes)), cli.Plural(st.Forwarded, "record"), cli.Count(st.Refused))
}

func (l *journal) say(format string, a ...any) {
	if l.plain != nil {
		fmt.Fprintf(l.plain, "-- %s %s\n", l.now().Format("15:04"), cli.Clean(fmt.Sprintf(format, a...)))
	}
}

// ready says where the relay is, and what it takes.
func (l *journal) ready(r *node.Relay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, public := []string{}, false
	for _, m := range r.Addresses() {
		all = append(all, m.String())
		public = public || node.IsName(m) || manet.IsPublicAddr(m)
	}
	limits := r.Limits()
	l.out.Put(lines.NewObject("ready").Add("peer", r.Self()).Add("addrs", all).Add("memory", limits.Memory).
		Add("connections", limits.Connections).Add("per_address", limits.PerAddress).Add("circuits", limits.Circuits))
	if l.plain == nil {
		return
	}
	fmt.Fprintf(l.plain, "Relaying for whoever connects; it can read nothing. Members begin here with one of\n\n")
	for _, m := range all {
		fmt.Fprintf(l.plain, "  --bootstrap %s\n", m)
	}
	if !public {
		fmt.Fprintln(l.plain, "\nNone of these is an address of the internet.",
			"If others reach this computer by one: --announce HOST")
	}
	fmt.Fprintf(l.plain, "\nLimits: %d MiB of memory, %s, %s of them from one address, %s.\n", limits.Memory>>20,
		cli.Plural(limits.Connections, "connection"), cli.Count(limits.PerAddress), cli.Plural(limits.Circuits, "circuit"))
	if files := node.Files(); files > 0 && files < limits.Connections {
		fmt.Fprintf(l.plain, "The process may have so few files open (ulimit -n) that over TCP %s fit.\n",
			cli.Plural(files, "connection"))
	}
	fmt.Fprintln(l.plain)
}
