package chat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/health"
	"coterie/cmd/coterie/people"
	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/node"
)

const (
	// aloneAfter is after how long alone it is said what is being tried.
	aloneAfter = 8 * time.Second
	// judgeAfter is how long what happens is gathered before health is judged.
	judgeAfter = 100 * time.Millisecond
)

// look looks how things stand, beside the room.
func (r *Room) look() {
	r.beside(func() { r.fresh(func() {}) })
}

// fresh looks how things stand, beside the room, and then calls f in its goroutine.
func (r *Room) fresh(f func()) {
	st, link := r.node.Status(), r.Link()
	r.post(func() {
		r.compare(st, link)
		f()
	})
}

// compare tells what differs from the look before.
func (r *Room) compare(st node.Status, link string) {
	last := r.state.Status
	if before := r.state.Snapshot.Link; before != link && before != "" {
		r.show(LinkChanged{link, linkReach(link)})
	}
	r.show(Snapshot{st, link, health.Now(r.facts(st))})
	before := make(map[peer.ID]node.Path)
	for _, p := range last.Peers {
		before[p.Peer] = p
	}
	for _, p := range st.Peers {
		old, had := before[p.Peer]
		delete(before, p.Peer)
		measured := old.RTT == 0 && p.RTT > 0
		if !had || measured || old.Kind != p.Kind || old.Transport != p.Transport || old.Relay != p.Relay {
			r.show(PathChanged{p})
		}
	}
	for _, p := range slices.Sorted(maps.Keys(before)) {
		r.show(PathChanged{node.Path{Peer: p, Kind: node.NoPath}})
	}
	suspect := make(map[peer.ID]bool)
	for _, m := range last.Room.Members {
		suspect[m.Peer] = m.Suspect
	}
	for _, m := range st.Room.Members {
		if was, had := suspect[m.Peer]; m.Suspect && !was || had && was && !m.Suspect {
			r.show(MemberState{m.Member, m.Suspect})
		}
	}
	r.warnOfOthers(st)
	r.judge()
}

// judgeSoon has health judged in a moment, once for all that happens until then.
func (r *Room) judgeSoon() {
	if r.soon == nil {
		r.soon = time.After(judgeAfter)
	}
}

// judge tells which items of health are new, and which are over.
func (r *Room) judge() {
	r.soon = nil
	if r.state.Status.Uptime == 0 {
		return // nothing was looked at yet
	}
	before := make(map[health.Code]health.Item)
	for _, i := range r.watch.Shown() {
		before[i.Code] = i
	}
	shown := r.watch.Step(r.cfg.Now(), r.facts(r.state.Status))
	for _, i := range shown {
		old, had := before[i.Code]
		delete(before, i.Code)
		if !had || old.Text != i.Text || old.Hint != i.Hint {
			r.show(HealthChanged{i, true, shown})
		}
		r.warnOf(i)
	}
	for _, code := range slices.Sorted(maps.Keys(before)) {
		r.show(HealthChanged{before[code], false, shown})
	}
}

// warnedOf are the items of health that are warned of as well, once, with their codes.
var warnedOf = map[health.Code]string{health.Clock: "clock", health.Old: "peer-newer"}

func (r *Room) warnOf(i health.Item) {
	if code := warnedOf[i.Code]; code != "" {
		text := strings.TrimSuffix(i.Text, ".")
		r.warnOnce(cli.Fail(code, "%s", strings.ToLower(text[:1])+text[1:]).Hint("%s", i.Hint))
	}
}

// warnOnce warns, unless it has warned so before.
func (r *Room) warnOnce(w *cli.Error) {
	if !r.warned[w.Code] {
		r.warned[w.Code] = true
		r.show(Warning{Err: w})
	}
}

// facts are all that is known of the room's health.
func (r *Room) facts(st node.Status) health.Facts {
	s := r.state
	f := health.Facts{
		KeyDays: s.KeyDays(r.cfg.Now()), Expires: s.Expires.String(),
		Bootstraps: len(r.cfg.Bootstrap), Members: len(st.Room.Members), MaySend: st.Room.MaySend,
		Held:   r.box.held() - r.unsaid,
		Others: st.Room.Heard, Skew: st.Ahead.Round(time.Second), SkewOf: st.Clocks,
		SetBack: st.SetBack.Round(time.Second), ClockApart: s.clockApart,
		Newer: st.Newer, Peers: st.Speaking, Version: st.Version, UDPBlocked: st.UDPBlocked, Mute: st.Mute,
		ByRelay: r.cfg.ByRelay,
	}
	if s.Joined() {
		f.Members, f.Parted = len(s.Readers()), s.parted()
	} else {
		f.Refusals = len(s.refused)
	}
	for _, e := range r.namesakes(st) {
		f.Elsewhere = append(f.Elsewhere, e.Text+"; "+e.Hints[0])
	}
	names := people.NewNames("")
	for _, m := range st.Room.Members {
		names.Take(m.Peer, m.Name, r.cfg.Now())
	}
	for _, m := range st.Room.Members {
		if m.Differs {
			f.Differ = append(f.Differ, names.Show(m.Peer))
		}
		if !m.Self && m.Known > m.Have {
			f.Missing += int(m.Known - m.Have)
		}
	}
	for _, path := range st.Peers {
		switch {
		case path.IsRelay:
			f.Relays++
		case path.Kind == node.Relayed:
			f.Relayed++
		case path.Kind == node.Direct:
			f.Direct++
		}
	}
	return f
}

// stillAlone says once, while nobody is here, what is being tried.
func (r *Room) stillAlone() {
	waited := r.cfg.Now().Sub(r.began)
	if r.wondered || r.state.Joined() || waited < aloneAfter {
		return
	}
	r.wondered = true
	r.show(StillAlone{aloneText(waited, len(r.state.Relays()), r.cfg.Bootstrap, r.state.Status.MDNS)})
}

// aloneText is what is said when nobody of the room was met for a while, of so many relays
// that are connected.
func aloneText(waited time.Duration, relays int, addrs []ma.Multiaddr, mdns bool) string {
	if relays > 0 {
		return fmt.Sprintf("nobody of the room is at %s that answered (%d s)", text.Plural(relays, "relay"),
			int(waited.Seconds()))
	}
	return fmt.Sprintf("nobody answered yet (%d s)%s", int(waited.Seconds()), tryingText(addrs, mdns))
}

// tryingText is where others are looked for.
func tryingText(addrs []ma.Multiaddr, mdns bool) string {
	const most = 3
	var hosts []string
	for _, m := range addrs {
		if h := Host(m); !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	n := len(hosts)
	if n > most {
		hosts = append(hosts[:most], fmt.Sprintf("and %d more", n-most))
	}
	if mdns {
		hosts = append(hosts, "local network")
	}
	if len(hosts) == 0 {
		return "; no address is known to try: --bootstrap gives one, or others come here"
	}
	return ". Trying: " + strings.Join(hosts, ", ")
}
