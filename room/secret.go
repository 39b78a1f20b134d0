package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// How the secret of a commit spreads: PROTOCOL.md §8.2. Whoever has it hands it,
// over channels, to the listed processes that may lack it, with the commit and the
// terms that go with it; whoever lacks it for too long asks.

// A chase is how a secret or a term that we lack is asked for.
type chase struct {
	next  time.Time         // when to ask again
	asked map[[32]byte]bool // which processes

	compareAt   time.Time // when to compare with those who sent it, for what it refers to; zero: never
	compareWith []peer.ID
}

// lack notes that somebody sent a commit, or its secret, that refers to what we do not know.
// The topic mostly brings that a moment later: a join goes one hop further than the commit that
// lists who joins. To compare at once would have each member tell another all it knows.
func (r *Room) lack(e *epoch, from peer.ID) {
	c := &e.chase
	if c.compareAt.IsZero() {
		c.compareAt, c.compareWith = r.now.Add(tail(int(e.commit.Members))/4), nil
	}
	switch {
	case slices.Contains(c.compareWith, from):
	case len(c.compareWith) < maxReferrers:
		c.compareWith = append(c.compareWith, from)
	default: // strangers who were first keep nobody out
		c.compareWith[r.random(maxReferrers)] = from
	}
}

// tookSecret takes a commit's secret from another process. Which commit it is for
// is in it, so that who brings it cannot give it to another.
func (r *Room) tookSecret(x *exchange, body []byte) bool {
	h, err := record.ParseHandover(body)
	if err != nil || !x.inside() {
		return false
	}
	defer h.D.Erase()
	if !ake.Fits(h.Commit.Core(), h.D, h.Commit.Secret) {
		return false
	}
	pace := r.checks(x)
	if pace.refill(r.now, recordRate, recordsAtOnce); pace.tokens < 1 {
		return true // it is asked for again
	}
	switch r.add(h.Commit) {
	case kept:
		pace.tokens -= commitCost
	case refused:
		return false
	case waits:
		r.compareSoon(x.peer) // for its committer
	}
	e := r.commits[h.Commit.ID()]
	if e == nil {
		return true
	}
	e.secretHolders[x.working] = true
	if !e.wasRead() && e.d == nil { // what was read does not come back
		d := h.D
		e.d = &d
		r.newRecords = true
		r.handOver(e)
	}
	r.retryWaiting()
	if !e.hasList() {
		// Whoever brings it has the list.
		r.wantFrom(x.working, e.commit.ID())
	} else if !e.isReadable() {
		r.lack(e, x.peer) // what it refers to
	}
	return true
}

// handOver hands a commit's secret to all listed processes with whom we have a
// channel.
func (r *Room) handOver(e *epoch) {
	if e.d == nil {
		return
	}
	for _, w := range r.channels.sorted() {
		r.handOverTo(r.channels.byKey[w], e)
	}
}

// headAndAbove are the commits that a process may lack the secret of, and not be past:
// our head and those above it.
func (r *Room) headAndAbove() (out []*epoch) {
	for _, id := range sortedHashes(r.commits) {
		if e := r.commits[id]; e.d != nil && e.hasList() && (e == r.head || r.isAbove(e)) {
			out = append(out, e)
		}
	}
	return out
}

// listsProcess reports whether a commit lists a contribution of the process at the
// other end of a channel.
func (r *Room) listsProcess(e *epoch, ch *channel) bool {
	i := e.list.Of(ch.identity)
	if i < 0 {
		return false
	}
	c := r.days[e.commit.Period].contribution(e.list[i].CID)
	return c != nil && c.Working == ch.working
}

// handOverTo hands it to one of them, once.
func (r *Room) handOverTo(ch *channel, e *epoch) {
	if !ch.up || e.d == nil || !e.hasList() || e.secretHolders[ch.working] || !r.listsProcess(e, ch) {
		return
	}
	x := r.openChannelStream(ch, ProtocolSync)
	r.handOverOn(x, ch, e)
	r.sendDone(x)
}

// handOverOn hands it over on a stream. What the other may lack comes first, and goes
// even if we lack the secret.
func (r *Room) handOverOn(x *exchange, ch *channel, e *epoch) {
	if e.secretHolders[ch.working] || !r.listsProcess(e, ch) {
		return
	}
	r.sendNewTerms(x, ch, r.days[e.commit.Period], e.list)
	if e.d == nil {
		return
	}
	e.secretHolders[ch.working] = true
	c := e.commit
	if len(c.Append(nil)) > maxPublishedCommit {
		c = c.Bare()
	}
	h := record.Handover{D: *e.d, Commit: c}
	r.send(x, h.Encode())
	h.D.Erase()
}

// spreadTerms passes on, over channels, the terms of those whom the head does not list yet.
// Secrets mostly brought them before. But whoever let somebody in may withhold the secret,
// and who commits in its place is to list the newcomer, too.
func (r *Room) spreadTerms() {
	if r.spreadTermsAt.IsZero() {
		return
	}
	if r.spreadTermsAt.After(r.now) {
		r.wakeAt(r.spreadTermsAt)
		return
	}
	r.spreadTermsAt = time.Time{}
	g := r.days[r.today()]
	if g == nil || g.own == nil || r.head == nil {
		return
	}
	var list record.List
	r.nextList(g).WithoutCID(r.head.list, func(_ int, e *record.Entry) { list = append(list, *e) })
	for _, w := range r.channels.sorted() {
		ch := r.channels.byKey[w]
		told := func(e record.Entry) bool { return ch.termsKnown[e.CID] || g.nodes[e.CID].contribution.Working == w }
		if lacks := slices.DeleteFunc(slices.Clone(list), told); ch.up && len(lacks) > 0 && r.livesAs(g, ch) {
			x := r.openChannelStream(ch, ProtocolSync)
			r.sendNewTerms(x, ch, g, lacks)
			r.sendDone(x)
		}
	}
}

// sendNewTerms sends the terms and names of those listed that the other process was
// not told yet.
func (r *Room) sendNewTerms(x *exchange, ch *channel, g *graph, list record.List) {
	var terms []ake.MemberTerm
	var names []record.Record
	for i := range list {
		cid := list[i].CID
		if ch.termsKnown[cid] {
			continue
		}
		n := g.nodes[cid]
		if n == nil {
			if term, ok := r.waiting.terms[cid]; ok {
				ch.termsKnown[cid] = true
				terms = append(terms, ake.MemberTerm{CID: cid, Term: term})
			}
			continue
		}
		if n.term == nil {
			continue
		}
		ch.termsKnown[cid] = true
		terms = append(terms, ake.MemberTerm{CID: cid, Term: *n.term})
		if p := r.processes[n.contribution.Working]; p != nil && p.name != nil {
			names = append(names, p.name)
		}
	}
	r.send(x, record.EncodeRecords(names)...)
	r.sendTerms(x, terms)
}

// chase asks for what keeps us from reading a commit that others may have taken:
// its list, its secret, terms. (PROTOCOL.md §8.2)
func (r *Room) chase() {
	for _, e := range r.above() {
		if !e.mayBeUnread() {
			continue
		}
		c := &e.chase
		if !c.compareAt.IsZero() {
			if c.compareAt.After(r.now) {
				r.wakeAt(c.compareAt)
			} else {
				for _, p := range c.compareWith {
					r.compareSoon(p)
				}
				c.compareAt, c.compareWith = time.Time{}, nil
			}
		}
		if c.next.IsZero() {
			c.next = e.since.Add(tail(int(e.commit.Members)))
		}
		if c.next.After(r.now) {
			r.wakeAt(c.next)
			continue
		}
		r.askFor(e)
		r.drawSoon()
		c.next = r.now.Add(2 * tail(int(e.commit.Members)))
		r.wakeAt(c.next)
	}
}

// askFor asks two processes that were not asked yet, on different branches if that
// can be, and the committer.
func (r *Room) askFor(e *epoch) {
	c := &e.chase
	if c.asked == nil {
		c.asked = make(map[[32]byte]bool)
	}
	g := r.days[e.commit.Period]
	branches := make(map[ake.Hash]bool)
	n := 0
	var all [][32]byte
	for _, w := range r.channels.sorted() {
		if r.channels.byKey[w].up {
			all = append(all, w)
		}
	}
	for pass := range 2 {
		for _, i := range r.shuffled(len(all)) {
			w := all[i]
			var branch ake.Hash
			by := g != nil && g.contribution(e.commit.By) != nil && g.contribution(e.commit.By).Working == w
			if g != nil {
				branch = g.branch(r.channels.byKey[w].cid)
			}
			if c.asked[w] || !by && (n >= 2 || pass == 0 && branches[branch]) {
				continue
			}
			if !by {
				n++
			}
			branches[branch], c.asked[w] = true, true
			r.wantFrom(w, e.commit.ID())
		}
	}
	if n == 0 {
		clear(c.asked) // all were asked: from the beginning
	}
}

// wantFrom asks a process for a commit, its secret, and what goes with it.
func (r *Room) wantFrom(w [32]byte, epoch ake.Hash) {
	ch := r.channels.byKey[w]
	if ch == nil || !ch.up {
		return
	}
	x := r.openChannelStream(ch, ProtocolSync)
	x.sentDone = true
	r.send(x, record.EncodeWant([]ake.Hash{epoch}))
}

// tookWant answers with the commits that are held; a listed process is handed
// their secrets, too.
func (r *Room) tookWant(x *exchange, body []byte) bool {
	epochs, err := record.ParseWant(body)
	if err != nil || x.dialler || x.theirHello != nil || x.gotAsk {
		return false
	}
	x.gotAsk = true
	for _, id := range epochs {
		e := r.commits[id]
		if e == nil || !e.hasList() || !r.inComponent(x.identity) || !r.sendRecords(x, []record.Record{e.whole()}) {
			continue
		}
		if ch := r.channels.byKey[x.working]; ch != nil && ch.up {
			ch.termsKnown = make(map[ake.Hash]bool) // it asks because something is missing
			delete(e.secretHolders, x.working)
			r.handOverOn(x, ch, e)
		}
	}
	r.sendDone(x)
	return true
}

// shuffled are the numbers below n in random order.
func (r *Room) shuffled(n int) []int {
	out := make([]int, n)
	for i := range out {
		j := r.random(i + 1)
		out[i], out[j] = out[j], i
	}
	return out
}
