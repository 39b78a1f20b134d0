package room

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/room/record"
)

// A Verdict is what becomes of a publication: PROTOCOL.md §10.
type Verdict int

const (
	// Accept: it is forwarded.
	Accept Verdict = iota
	// Ignore: it is dropped, and nobody is blamed.
	Ignore
	// Reject: it is dropped, and whoever forwarded it is blamed. Only what a relay,
	// which knows no room, can tell from the bytes alone: else honest relays would be
	// blamed for what others made.
	Reject
)

// Publication takes what arrived on the topic, from a forwarder.
func (r *Room) Publication(now time.Time, from peer.ID, data []byte) Verdict {
	r.advance(now)
	if r.closed {
		return Ignore
	}
	v := r.publication(from, data)
	if v == Accept {
		r.finish() // of what is not taken nothing follows
	}
	return v
}

func (r *Room) publication(from peer.ID, data []byte) Verdict {
	if len(data) == 0 || len(data) > record.MaxPublication {
		return Reject
	}
	switch data[0] {
	case record.TypePresence:
		p, err := record.ParsePresence(data[1:])
		if err != nil || !p.Last() {
			return Reject
		}
		if known := r.processes[p.Working]; known != nil && known.misbehaved {
			return Ignore
		}
		return r.verdict(from, r.asNews(r.add(p), r.processes[p.Working].leftAt(p)))
	case record.TypeCommit:
		c, err := record.ParseCommit(data[1:])
		if err != nil {
			return Reject
		}
		o := known
		if g := r.days[c.Period]; g != nil && !g.members()[c.By] {
			o = waits // and it is not kept: who is not known may have been made up
			r.compareSoon(from)
		} else {
			o = r.asNews(r.add(c), r.commitReceived(c))
		}
		v := r.verdict(from, o)
		r.retryWaiting()
		if e := r.commits[c.ID()]; e != nil && !e.fits() {
			r.lack(e, from) // what it refers to
		}
		return v
	case record.TypeJoin:
		j, err := record.ParseJoin(data[1:])
		if err != nil {
			return Reject
		}
		return r.takeJoin(from, j)
	case record.TypeMessage:
		m, err := record.ParseMessage(data[1:])
		if err != nil {
			return Reject
		}
		v := r.receive(m)
		if e := r.commits[m.Epoch]; (e == nil || !e.fits()) && r.head != nil {
			r.compareSoon(from)
		}
		return v
	}
	return Reject
}

// verdict translates what became of a record. What waits is passed on by those
// who are in no epoch: they cannot know better.
func (r *Room) verdict(from peer.ID, o outcome) Verdict {
	switch o {
	case kept:
		return Accept
	case waits:
		if r.head == nil {
			return Accept
		}
		r.compareSoon(from)
	}
	return Ignore
}

// asNews makes news of what is known, if a stream brought it a moment ago: those
// after us on the topic may have no such stream. since is when the very same
// came; zero if what is known is another, so that nobody makes us forward a
// garbled copy.
func (r *Room) asNews(o outcome, since time.Time) outcome {
	if o == known && !since.IsZero() && r.now.Sub(since) < forwardTime {
		return kept
	}
	return o
}

// leftAt is when we heard that the process left in these words.
func (p *process) leftAt(left *record.Presence) time.Time {
	if p == nil || p.presences[left.ID()] == nil {
		return time.Time{}
	}
	return p.leftSince
}

// commitReceived is when a commit came with this signature, if this copy's list is right.
func (r *Room) commitReceived(c *record.Commit) time.Time {
	e := r.commits[c.ID()]
	if e == nil || !e.hasList() || e.commit.Signature != c.Signature {
		return time.Time{}
	}
	if c.Form != record.ListOmitted {
		base := new(epoch)
		if p := r.commits[c.Base]; c.Form == record.ListChanges && p != nil {
			base = p
		}
		if _, _, err := c.Rebuild(base.list, base.away); err != nil {
			return time.Time{}
		}
	}
	return e.since
}

// takeJoin takes what a newcomer publishes of itself: PROTOCOL.md §10.1.
func (r *Room) takeJoin(from peer.ID, j *record.Join) Verdict {
	g := r.days[j.Contribution.Period]
	if g == nil {
		return Ignore
	}
	sponsor := g.contribution(j.In.From)
	if sponsor == nil || !g.members()[sponsor.ID()] {
		return r.verdict(from, waits)
	}
	if j.Verify(r.id, sponsor) != nil {
		return Ignore
	}
	news := r.add(j.In) == kept
	news = r.add(j.Contribution) == kept || news
	news = r.add(j.Out) == kept || news
	news = r.add(j.Presence) == kept || news
	n := g.nodes[j.Contribution.ID()]
	if n != nil && n.term == nil && n.encapsulation == nil && !n.opened {
		news = r.keepEncapsulation(g, n, j.Encapsulation) || news
	}
	if !news && (n == nil || r.asNews(known, n.since) == known) {
		return Ignore
	}
	return Accept
}

// publishJoin publishes what two peers showed each other of us, with our
// encapsulation: whoever lacks our term can open it.
func (r *Room) publishJoin(x *exchange) {
	o := x.graph.own
	j := &record.Join{
		Contribution: o.contribution, Presence: r.presence,
		In: x.edgeReceived, Out: x.edgeSent, Encapsulation: o.encapsulation,
	}
	o.published = true
	r.publish(j.Append([]byte{record.TypeJoin}))
}
