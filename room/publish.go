package room

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// A Verdict is what becomes of a publication: PROTOCOL.md §10.
type Verdict int

const (
	// Accept: it is forwarded.
	Accept Verdict = iota
	// Ignore: it is dropped, and nobody is blamed.
	Ignore
	// Reject: it is dropped, and whoever forwarded it is blamed.
	Reject
)

// Publication takes what arrived on the topic, from a forwarder.
func (r *Room) Publication(now time.Time, from peer.ID, data []byte) Verdict {
	r.advance(now)
	if r.closed {
		return Ignore
	}
	v := r.publication(from, data)
	r.finish()
	return v
}

func (r *Room) publication(from peer.ID, data []byte) Verdict {
	if len(data) == 0 || len(data) > record.MaxPublication {
		return Reject
	}
	switch data[0] {
	case record.TypePresence:
		p, err := record.ParsePresence(data[1:])
		if err != nil || !p.Left {
			return Reject
		}
		return r.verdict(from, r.again(r.add(p), r.processes[p.Working].leftAt(p)))
	case record.TypeCommit:
		c, err := record.ParseCommit(data[1:])
		if err != nil {
			return Reject
		}
		v := r.verdict(from, r.again(r.add(c), r.cameAs(c)))
		r.settle()
		if e := r.commits[c.ID()]; e != nil && e.status != accepted {
			r.askSoon(from) // for what it refers to
		}
		return v
	case record.TypeBeat:
		b, err := record.ParseBeat(data[1:])
		if err != nil {
			return Reject
		}
		return r.verdict(from, r.again(r.addBeat(b), r.processes[b.Working].heardAt(b)))
	case record.TypeNews:
		n, err := record.ParseNews(data[1:])
		if err != nil {
			return Reject
		}
		return r.news(from, n)
	case record.TypeJoin:
		j, err := record.ParseJoin(data[1:])
		if err != nil {
			return Reject
		}
		return r.join(from, j)
	case record.TypeMessage:
		m, err := record.ParseMessage(data[1:])
		if err != nil {
			return Reject
		}
		v := r.receive(m)
		if e := r.commits[m.Epoch]; (e == nil || e.status != accepted) && r.head != nil {
			r.askSoon(from)
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
	case refused:
		return Reject
	case waits:
		if r.head == nil {
			return Accept
		}
		r.askSoon(from)
	}
	return Ignore
}

// again makes news of what is known, if a stream brought it a moment ago: those
// after us on the topic may have no such stream. since is when the very same
// came; zero if what is known is another, so that nobody makes us forward a
// garbled copy.
func (r *Room) again(o outcome, since time.Time) outcome {
	if o == known && !since.IsZero() && r.now.Sub(since) < forwardTime {
		return kept
	}
	return o
}

// leftAt is when we heard that the process left in these words.
func (p *process) leftAt(left *record.Presence) time.Time {
	if p == nil || p.bodies[left.ID()] == nil {
		return time.Time{}
	}
	return p.leftSince
}

// heardAt is when we heard this beat, if it is the last.
func (p *process) heardAt(b *record.Beat) time.Time {
	if p == nil || p.beat == nil || *p.beat != *b {
		return time.Time{}
	}
	return p.heard
}

// cameAs is when a commit came with this tag and signature, if this copy's list
// is right.
func (r *Room) cameAs(c *record.Commit) time.Time {
	e := r.commits[c.ID()]
	if e == nil || !e.signed || e.commit.Tag != c.Tag || e.commit.Signature != c.Signature {
		return time.Time{}
	}
	var base record.List
	if c.Base != record.WholeList {
		p := r.commits[c.Prevs[c.Base]]
		if p == nil {
			return time.Time{}
		}
		base = p.list
	}
	if _, err := c.Rebuild(base); err != nil {
		return time.Time{}
	}
	return e.since
}

// join takes a sponsor's word on a newcomer: PROTOCOL.md §10.1.
func (r *Room) join(from peer.ID, j *record.Join) Verdict {
	g := r.graph(j.Contribution.Day)
	if g == nil {
		return Ignore
	}
	sponsor := g.contribution(j.In.From)
	if sponsor == nil || !g.members()[sponsor.ID()] {
		return r.verdict(from, waits)
	}
	if j.Verify(r.id, sponsor) != nil {
		return Reject
	}
	news := r.add(j.In) == kept
	news = r.add(j.Contribution) == kept || news
	news = r.add(j.Out) == kept || news
	news = r.add(j.Presence) == kept || news
	if e := r.commits[j.Epoch]; e != nil && e.keys != nil {
		plain, err := e.keys.OpenJoin(j.Nonce, j.Sealed, j.Associated())
		if err != nil {
			return Reject
		}
		secret, err := record.ParseJoinSecret(plain)
		clear(plain)
		if err != nil {
			return Reject
		}
		r.addTerm(&ake.SealedTerm{CID: j.Contribution.ID(), Term: secret.Term})
		if secret.Name != nil && secret.Name.Working == j.Contribution.Working {
			r.add(secret.Name)
		}
	}
	if n := g.nodes[j.Contribution.ID()]; !news && (n == nil || r.again(known, n.since) == known) {
		return Ignore
	}
	return Accept
}

// publishJoin spreads the news of a newcomer that we let in.
func (r *Room) publishJoin(x *exchange) {
	e := r.head
	if e == nil || e.keys == nil {
		return // whoever is here has just heard it
	}
	j := &record.Join{
		Contribution: x.theirs, Presence: x.presence,
		In: x.edgeSent, Out: x.edgeReceived, Epoch: e.commit.ID(),
	}
	n := r.draw()
	copy(j.Nonce[:], n.Bytes())
	secret := record.JoinSecret{Term: *x.graph.nodes[x.theirs.ID()].term}
	if p := r.processes[x.theirs.Working]; p != nil {
		secret.Name = p.name
	}
	plain := secret.Append(nil)
	defer clear(plain)
	var err error
	if j.Sealed, err = e.keys.SealJoin(j.Nonce, plain, j.Associated()); err != nil {
		r.emit(Failed{Doing: "telling the others of a newcomer", Err: err})
		return
	}
	j.Sign(r.id, r.working)
	r.publish(j.Append([]byte{record.TypeJoin}))
}

// news takes the news of a commit that is too large to be published.
func (r *Room) news(from peer.ID, n *record.News) Verdict {
	g := r.graph(n.Day)
	if g == nil {
		return Ignore
	}
	epoch := n.Epoch()
	if e := r.commits[epoch]; e != nil {
		if !e.signed || e.commit.Tag != n.Tag || e.commit.Signature != n.Signature {
			return Ignore
		}
		return r.verdict(from, r.again(known, e.since))
	}
	by := g.contribution(n.By)
	if by == nil {
		return r.verdict(from, waits)
	}
	if n.Verify(r.id, by) != nil {
		return Reject
	}
	r.pull(from, epoch)
	return Accept
}
