package room

import (
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// beatPeriod is P of PROTOCOL.md §7.3: how often each of n processes beats.
func beatPeriod(n int) time.Duration {
	return max(15*time.Second, time.Duration(n)*60*time.Millisecond)
}

// silenceTime is after how long without a beat a process of n is silent.
func silenceTime(n int) time.Duration {
	return max(90*time.Second, 5*beatPeriod(n))
}

// stallTime is how late the clock may be looked at before the time in between
// does not count: comparisons alone look at it every few seconds.
const stallTime = 20 * time.Second

// advance moves the room's clock. Time in which this process did not run says
// nothing about the others' silence.
func (r *Room) advance(now time.Time) {
	if gap := now.Sub(r.now); gap > stallTime {
		for _, p := range r.processes {
			p.heard, p.led = p.heard.Add(gap), p.led.Add(gap)
		}
		r.heardAny = r.heardAny.Add(gap)
	}
	r.now = now
}

// size is how many take part, ourselves included, on the day with most.
func (r *Room) size() int {
	n := 1
	for _, g := range r.days {
		n = max(n, len(g.members()))
	}
	return n
}

// beat signs our next sign of life when it is due.
func (r *Room) beat() {
	own := r.process(r.workingID)
	if r.beatAt.After(r.now) {
		return
	}
	b := &record.Beat{Serial: uint64(r.now.UnixMilli())}
	if own.beat != nil && own.beat.Serial >= b.Serial {
		b.Serial = own.beat.Serial + 1
	}
	if own.dead() && own.obit >= b.Serial {
		b.Serial = own.obit + 1
	}
	b.Sign(r.id, r.working)
	own.beat, own.heard, own.led = b, r.now, r.now
	r.beatAt = r.now.Add(beatPeriod(r.size()))
	if r.shout || r.shouts() {
		r.shout = false
		r.publish(b.Append([]byte{record.TypeBeat}))
	}
}

// shouts reports whether our beats go to the topic, too: as long as somebody who
// called us silent, or whom we did, is heard there, and not over streams. So who
// hears nothing does not go on telling others that it is there.
func (r *Room) shouts() bool {
	limit := silenceTime(r.size())
	for w := range r.deaf {
		p := r.processes[w]
		if p != nil && r.now.Sub(p.heard) <= limit && r.now.Sub(p.led) > limit {
			return true
		}
	}
	return false
}

// tookBeats takes the beats another peer has heard. It returns false for what
// no process signed.
func (r *Room) tookBeats(body []byte) bool {
	fields, err := record.ParseFields(body)
	if err != nil {
		return false
	}
	seen := make(map[[32]byte]bool)
	for _, f := range fields {
		b, err := record.ParseBeat(f)
		if err != nil || seen[b.Working] {
			return false
		}
		seen[b.Working] = true
		o := r.addBeat(b)
		if o == refused {
			return false
		}
		if p := r.processes[b.Working]; o == kept || o == known && *p.beat == *b && p.led.Before(p.heard) {
			p.led = r.now
			if b.Working != r.workingID {
				r.heardAny = r.now
			}
		}
	}
	return true
}

// addBeat takes a sign of life.
func (r *Room) addBeat(b *record.Beat) outcome {
	p := r.processes[b.Working]
	if p == nil || !r.hasWorking(b.Working) {
		return waits // who is in no epoch passes it on, for others
	}
	if p.beat != nil && p.beat.Serial >= b.Serial {
		return known
	}
	if b.Verify(r.id) != nil {
		return refused
	}
	if p.dead() {
		r.changed = true
		if b.Serial > p.obit && r.now.Sub(p.buried) < silenceTime(r.size())/2 {
			r.wrong[p.accuser]++
		}
	}
	p.beat, p.heard = b, r.now
	return kept
}

// tellBeats sends a peer the beats that were heard since it was last told. What
// came over the topic alone goes no other way, so that a beat on a stream shows
// that streams lead to its process.
func (r *Room) tellBeats(x *exchange) {
	since := time.Time{}
	if n := r.neighbours[x.peer]; n != nil {
		since = n.beatsTold
	}
	var fields [][]byte
	for w, p := range r.processes {
		if p.beat != nil && !p.led.Before(p.heard) && !p.led.Before(since) && r.hasWorking(w) {
			fields = append(fields, p.beat.Append(nil))
		}
	}
	slices.SortFunc(fields, slices.Compare)
	if len(fields) > 0 {
		r.send(x, record.EncodeFields(record.FrameBeats, fields...))
	}
}

func (p *process) serial() uint64 {
	if p.beat == nil {
		return 0
	}
	return p.beat.Serial
}

// dead reports whether an accepted commit called the process silent, and
// nothing was heard of it since: this everybody comes to see alike.
func (p *process) dead() bool { return p.isDead && p.serial() <= p.obit }

// silent reports whether nothing was heard of the process for too long, while
// something was heard of others. This is our own view only.
func (r *Room) silent(p *process) bool {
	n := r.size()
	return r.now.Sub(p.heard) > silenceTime(n) && r.now.Sub(r.heardAny) <= 2*beatPeriod(n) && len(r.neighbours) > 0
}

// absent reports why a contribution is not to be listed: it is gone, or its
// process is silent.
func (r *Room) absent(g *graph, cid ake.Hash) (record.Evidence, bool) {
	if ev, gone := r.gone(g, cid); gone {
		return ev, true
	}
	c := g.contribution(cid)
	if c == nil || c.Working == r.workingID {
		return record.Evidence{}, false
	}
	p := r.processes[c.Working]
	if p != nil && (p.dead() || r.silent(p)) {
		return record.Evidence{Kind: record.EvidenceSilent, CID: cid, Ref: record.SilentRef(p.serial())}, true
	}
	return record.Evidence{}, false
}

// bury notes what an accepted commit says of silent processes, and whose word it
// is.
func (r *Room) bury(g *graph, c *record.Commit) {
	for i := range c.Removals {
		ev := &c.Removals[i]
		if m := g.contribution(ev.CID); m != nil && ev.Kind == record.EvidenceSilent {
			p, by := r.process(m.Working), g.contribution(c.By)
			if p.serial() > ev.Serial() || m.Working == r.workingID {
				r.wrong[by.Identity]++
			} else if !p.isDead || ev.Serial() > p.obit {
				p.accuser, p.buried = by.Identity, r.now
			}
			p.obit = max(p.obit, ev.Serial())
			p.isDead = true
			r.changed = true
			switch {
			case m.Working == r.workingID:
				// Our beats do not reach them the usual way: by any path, then, since
				// streams need both directions and gossip does not.
				r.shout, r.beatAt, r.deaf[by.Working] = true, r.now, true
			case by.Working == r.workingID:
				r.deaf[m.Working] = true
			}
		}
	}
}

// wronged reports whether the head drops as silent somebody who was heard since,
// and not too long ago: then it is not sent under it (PROTOCOL.md §8.4).
func (r *Room) wronged(g *graph, h *epoch) bool {
	return r.drops(h, h.list, func(e *epoch) bool { return true }, func(ev *record.Evidence) bool {
		c := g.contribution(ev.CID)
		if c == nil || !g.members()[ev.CID] {
			return false
		}
		p := r.processes[c.Working]
		_, gone := r.gone(g, ev.CID)
		return !gone && p != nil && p.serial() > ev.Serial() && !p.dead() && !r.silent(p)
	})
}

// drops reports whether a commit, or one it rests on, calls somebody silent for
// whom holds is true, and who is not in the list. Of those it rests on only those
// count for which rests is true, and that rest on one another so.
func (r *Room) drops(e *epoch, list record.List, rests func(*epoch) bool, holds func(*record.Evidence) bool) bool {
	seen := map[ake.Hash]bool{e.commit.ID(): true}
	queue := []*epoch{e}
	for len(queue) > 0 {
		c := queue[0].commit
		queue = queue[1:]
		for i := range c.Removals {
			if ev := &c.Removals[i]; ev.Kind == record.EvidenceSilent && list.Index(ev.CID) < 0 && holds(ev) {
				return true
			}
		}
		for _, id := range c.Prevs {
			if p := r.commits[id]; p != nil && !seen[id] && rests(p) {
				seen[id] = true
				queue = append(queue, p)
			}
		}
	}
	return false
}

// slanders reports whether a commit drops as silent somebody of whom we know
// better, in the words of a peer that was wrong too often: those it rests on
// count, unless they were accepted. So an insider can make others wait a few
// times a day.
func (r *Room) slanders(g *graph, e *epoch, by *record.Contribution) bool {
	held := func(p *epoch) bool { return p.slander && p.status != accepted }
	if r.wrong[by.Identity] < maxWrong {
		if !slices.ContainsFunc(e.commit.Prevs, func(id ake.Hash) bool { return r.commits[id] != nil && held(r.commits[id]) }) {
			return false
		}
	}
	return r.drops(e, e.list, held, func(ev *record.Evidence) bool {
		_, absent := r.absent(g, ev.CID)
		return !absent
	})
}
