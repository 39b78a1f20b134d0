package room

import (
	"crypto/ed25519"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Channels between processes: PROTOCOL.md §11.2. The driver makes them; here is
// decided with whom.

// A Channel asks for a channel to a process of a peer, or for its end. If it
// cannot be had, the driver calls ChannelClosed.
type Channel struct {
	Peer    peer.ID
	Working [32]byte
	End     bool
}

// A channel is what the room knows of one.
type channel struct {
	peer       peer.ID
	identity   [32]byte
	working    [32]byte
	cid        ake.Hash // of a contribution of that process
	up         bool
	drawn      time.Time // when we chose it; zero: the other did
	tried      time.Time // when we last asked for it
	termsKnown map[ake.Hash]bool
	// fresh: the two have just proved themselves, and tell each other all.
	fresh bool
}

// channels are those that there are, and those that are wanted.
type channels struct {
	byKey      map[[32]byte]*channel // by working key
	drawAt     time.Time             // when one is drawn anew
	drawn      time.Time             // when that was last done
	considerAt time.Time
}

const (
	drawnChannels = 4 // that a member opens itself
	allChannels   = 9 // in a room of so many, everybody has one with everybody
	drawPeriod    = 5 * time.Minute
	redrawPeriod  = 2 * time.Second // while there is something that nobody of those gives us
	channelRetry  = 2 * time.Second
	channelWait   = time.Second // for the one with the lower peer id to ask first
	channelTime   = 15 * time.Second
)

// WorkingKey is this process' working key, for its end of channels. It is in
// memory alone.
func (r *Room) WorkingKey() ed25519.PrivateKey { return r.working }

// Identity is the identity key in a peer id; zeros for other kinds of keys, which
// have no place in a room.
func Identity(p peer.ID) [32]byte {
	id, _ := identityOf(p)
	return id
}

// Admits reports whether a channel to a process of a peer may be: it is a living
// member, as far as we know, and not us. It changes nothing.
func (r *Room) Admits(p peer.ID, working [32]byte) bool {
	_, ok := r.livingProcess(p, working)
	return ok && !r.closed
}

// livingProcess finds a contribution of a living member's process.
func (r *Room) livingProcess(p peer.ID, working [32]byte) (ake.Hash, bool) {
	identity, ok := identityOf(p)
	if !ok || p == r.self || working == r.workingID {
		return ake.Hash{}, false
	}
	for _, d := range r.sortedDays() {
		g := r.days[d]
		for _, c := range g.byIdentity[identity] {
			if c.Working == working && g.members()[c.ID()] {
				if _, gone := r.gone(g, g.node(c.ID())); !gone {
					return c.ID(), true
				}
			}
		}
	}
	return ake.Hash{}, false
}

// GivesWay finds which of some peers, of which there is at least one, is to be without a
// channel, or without an answer to what it asks, where not all can have one: the first
// that is no living member; if there is none, the one who comes last when all take turns.
// So those that one member made up are in the way of each other alone.
func (r *Room) GivesWay(peers []peer.ID) (which int) {
	g := r.days[r.today()]
	if g == nil || g.own == nil {
		return 0
	}
	cids := make(map[ake.Hash]int)
	for i, p := range peers {
		c := g.newest[Identity(p)]
		if c == nil || !g.members()[c.ID()] {
			return i
		}
		if _, gone := r.gone(g, g.node(c.ID())); gone {
			return i
		}
		cids[c.ID()] = i
	}
	for _, cid := range g.turns([]ake.Hash{g.own.cid}) {
		if i, ok := cids[cid]; ok {
			which = i
			delete(cids, cid)
		}
	}
	for _, i := range slices.Sorted(maps.Values(cids)) {
		return i // it hangs on nobody
	}
	return which
}

// ChannelOpened tells the room of a channel that stands, whoever asked for it.
func (r *Room) ChannelOpened(now time.Time, p peer.ID, working [32]byte) {
	r.advance(now)
	if cid, ok := r.livingProcess(p, working); ok && !r.closed {
		r.channelUp(r.channel(p, working, cid))
	} else {
		r.ready.Channels = append(r.ready.Channels, Channel{Peer: p, Working: working, End: true})
	}
	r.finish()
}

// ChannelClosed tells the room that a channel is over, or could not be had.
func (r *Room) ChannelClosed(now time.Time, p peer.ID, working [32]byte) {
	r.advance(now)
	if ch := r.channels.byKey[working]; ch != nil && ch.peer == p {
		ch.up, ch.termsKnown, r.channels.considerAt = false, nil, r.now
		if ch.drawn.IsZero() {
			delete(r.channels.byKey, working)
		}
	}
	r.finish()
}

func (r *Room) channel(p peer.ID, working [32]byte, cid ake.Hash) *channel {
	ch := r.channels.byKey[working]
	if ch == nil {
		identity, _ := identityOf(p)
		ch = &channel{peer: p, identity: identity, working: working, cid: cid}
		r.channels.byKey[working] = ch
	}
	return ch
}

func (r *Room) channelUp(ch *channel) {
	if ch.up {
		return
	}
	r.channels.considerAt = r.now
	ch.up, ch.termsKnown = true, make(map[ake.Hash]bool)
	r.hasAgain(ch.working)
	for _, e := range r.commits {
		delete(e.secretHolders, ch.working)
	}
	if ch.fresh {
		ch.fresh = false
		r.tellAll(ch)
	} else {
		for _, e := range r.headAndAbove() {
			r.handOverTo(ch, e)
		}
	}
	if n := r.neighbours[ch.peer]; n != nil {
		n.compareNow(r.now)
	}
}

func (c *channels) sorted() [][32]byte {
	return slices.SortedFunc(maps.Keys(c.byKey), func(a, b [32]byte) int { return compareHashes(a, b) })
}

// channelTo is the channel with a peer's living process that is up, if any.
func (r *Room) channelTo(p peer.ID) *channel {
	for _, w := range r.channels.sorted() {
		if ch := r.channels.byKey[w]; ch.peer == p && ch.up {
			return ch
		}
	}
	return nil
}

// openChannelStream opens a stream inside a channel.
func (r *Room) openChannelStream(ch *channel, protocol string) *exchange {
	x := r.openStream(ch.peer, protocol)
	x.working = ch.working
	r.ready.Open[len(r.ready.Open)-1].Working = ch.working
	return x
}

// considerChannels asks for the channels we want, and ends those with processes
// that are no living members any more.
func (r *Room) considerChannels() {
	if r.channels.considerAt.After(r.now) {
		r.wakeAt(r.channels.considerAt)
		return
	}
	r.channels.considerAt = r.now.Add(considerPeriod)
	defer func() { r.wakeAt(r.channels.considerAt) }()
	for _, w := range r.channels.sorted() {
		ch := r.channels.byKey[w]
		if cid, ok := r.livingProcess(ch.peer, w); ok {
			ch.cid = cid
			continue
		}
		r.endChannel(ch)
	}
	g := r.days[r.today()]
	if g == nil || g.own == nil {
		return
	}
	near := func(cid ake.Hash) bool { return r.neighbours[g.nodes[cid].peer] != nil }
	if living := r.living(g); len(living) <= allChannels {
		for _, cid := range living {
			if cid != g.own.cid && near(cid) {
				r.wantChannel(g, cid)
			}
		}
	} else {
		r.drawChannels(g, near)
	}
	for _, w := range r.channels.sorted() {
		r.tryChannel(r.channels.byKey[w])
	}
}

// drawSoon has a channel drawn anew: those that there are do not give what we lack. Where a
// network was cut in two, they are all on this side.
func (r *Room) drawSoon() {
	c := &r.channels
	c.drawAt = minTime(c.drawAt, maxTime(r.now, c.drawn.Add(redrawPeriod)))
	c.considerAt = minTime(c.considerAt, c.drawAt)
}

// drawChannels keeps a few channels to members drawn at random along the branches,
// one of them drawn anew every five minutes, and when drawSoon says so.
func (r *Room) drawChannels(g *graph, near func(ake.Hash) bool) {
	n := 0
	var oldest *channel
	for _, w := range r.channels.sorted() {
		ch := r.channels.byKey[w]
		if ch.drawn.IsZero() {
			continue
		}
		if !ch.up && r.now.Sub(ch.drawn) > channelTime {
			r.endChannel(ch)
			continue
		}
		if n++; oldest == nil || ch.drawn.Before(oldest.drawn) {
			oldest = ch
		}
	}
	if n > drawnChannels && !r.channels.drawAt.After(r.now) {
		r.endChannel(oldest)
		n--
	}
	for n < drawnChannels || n == drawnChannels && !r.channels.drawAt.After(r.now) {
		if n == drawnChannels {
			r.channels.drawAt, r.channels.drawn = r.now.Add(drawPeriod), r.now
		}
		cid := r.descend(g, func(cid ake.Hash) bool {
			c := g.contribution(cid)
			ch := r.channels.byKey[c.Working]
			_, absent := r.absent(g, g.node(cid))
			return near(cid) && !absent && (ch == nil || ch.drawn.IsZero())
		})
		if cid == (ake.Hash{}) {
			break
		}
		r.wantChannel(g, cid)
		n++
	}
	if r.channels.drawAt.After(r.now) {
		r.channels.considerAt = minTime(r.channels.considerAt, r.channels.drawAt)
	}
}

func (r *Room) endChannel(ch *channel) {
	if ch.up || !ch.tried.IsZero() {
		r.ready.Channels = append(r.ready.Channels, Channel{Peer: ch.peer, Working: ch.working, End: true})
	}
	delete(r.channels.byKey, ch.working)
}

// wantChannel notes that we want a channel to a member.
func (r *Room) wantChannel(g *graph, cid ake.Hash) *channel {
	p, working := g.nodes[cid].peer, g.nodes[cid].contribution.Working
	if _, ok := r.livingProcess(p, working); !ok {
		return nil
	}
	ch := r.channel(p, working, cid)
	if ch.drawn.IsZero() {
		ch.drawn, r.channels.considerAt = r.now, r.now
	}
	return ch
}

// tryChannel asks for a channel that is wanted and is not there.
func (r *Room) tryChannel(ch *channel) {
	if ch.up || ch.drawn.IsZero() || r.neighbours[ch.peer] == nil {
		return
	}
	at := ch.drawn
	if ch.peer < r.self && !ch.fresh {
		at = at.Add(channelWait) // it asks; we do if nothing comes
	}
	if !ch.tried.IsZero() {
		at = maxTime(at, ch.tried.Add(channelRetry))
	}
	if at.After(r.now) {
		r.channels.considerAt = minTime(r.channels.considerAt, at)
		return
	}
	ch.tried = r.now
	r.ready.Channels = append(r.ready.Channels, Channel{Peer: ch.peer, Working: ch.working})
}

// tellAll sends everything we know to a process with which we have just proved
// ourselves: PROTOCOL.md §7.
func (r *Room) tellAll(ch *channel) {
	x := r.openChannelStream(ch, ProtocolSync)
	r.send(x, record.EncodeRecords(r.records(true))...)
	var terms []ake.MemberTerm
	for _, d := range r.sortedDays() {
		g := r.days[d]
		if !r.livesAs(g, ch) {
			continue
		}
		for _, n := range g.roster() {
			if cid := n.contribution.ID(); n.term != nil {
				terms = append(terms, ake.MemberTerm{CID: cid, Term: *n.term})
				ch.termsKnown[cid] = true
			}
		}
	}
	r.sendTerms(x, terms)
	r.tellBeats(x, nil)
	for _, e := range r.headAndAbove() {
		r.handOverOn(x, ch, e)
	}
	r.sendDone(x)
}

// livesAs reports whether the process at the other end of a channel is a living
// member of a day.
func (r *Room) livesAs(g *graph, ch *channel) bool {
	for _, c := range g.byIdentity[ch.identity] {
		if c.Working == ch.working && g.members()[c.ID()] {
			_, gone := r.gone(g, g.node(c.ID()))
			return !gone
		}
	}
	return false
}
