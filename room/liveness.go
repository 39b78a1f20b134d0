package room

import (
	"math"
	"slices"
	"time"

	"coterie/room/record"
)

// beatPeriod is P of PROTOCOL.md §7.5: how often each of n processes beats.
func beatPeriod(n int) time.Duration {
	return max(20*time.Second, time.Duration(n)*60*time.Millisecond)
}

// silenceTime is after how long without a beat a process of n is silent.
func silenceTime(n int) time.Duration {
	return max(leastSilence, 4*beatPeriod(n))
}

const leastSilence = 90 * time.Second

// stallTime is how late the clock may be looked at before the time in between
// does not count: comparisons alone look at it every few seconds.
const stallTime = 20 * time.Second

// maxAhead is how far a serial, which is a time, may be ahead of our clock: as far
// as clocks may differ in one room.
const maxAhead = earlyDay

// advance moves the room's clock. Time in which this process did not run says
// nothing about the others' silence.
func (r *Room) advance(now time.Time) {
	if gap := now.Sub(r.now); gap > stallTime {
		for _, p := range r.processes {
			p.heardAt = p.heardAt.Add(gap)
		}
		r.lastHeard = r.lastHeard.Add(gap)
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
	b.Sign(r.id, r.working)
	own.beat, own.heardAt = b, r.now
	r.beatAt = r.now.Add(beatPeriod(r.size()))
}

// tookBeats takes the beats another peer has heard. It returns false for what
// no process signed.
func (r *Room) tookBeats(x *exchange, body []byte) bool {
	fields, err := record.ParseFields(body)
	if err != nil {
		return false
	}
	seen := make(map[[32]byte]bool)
	pace := r.checks(x)
	for _, f := range fields {
		if pace.refill(r.now, recordRate, recordsAtOnce); pace.tokens < 1 {
			return true
		}
		b, err := record.ParseBeat(f)
		if err != nil || seen[b.Working] {
			return false
		}
		seen[b.Working] = true
		switch r.addBeat(b) {
		case refused:
			return false
		case kept:
			pace.tokens--
			if b.Working != r.workingID {
				r.lastHeard = r.now
			}
		}
	}
	return true
}

// addBeat takes a sign of life.
func (r *Room) addBeat(b *record.Beat) outcome {
	p := r.processes[b.Working]
	if p == nil || !r.hasWorking(b.Working) {
		return waits
	}
	if p.beat != nil && p.beat.Serial >= b.Serial {
		return known
	}
	if b.Serial > uint64(r.now.Add(maxAhead).UnixMilli()) {
		return foreign // by a clock that is far ahead: not yet
	}
	if b.Verify(r.id) != nil {
		return refused
	}
	if r.silent(p) {
		r.reconsider = true
		r.version++
	}
	p.beat, p.heardAt, p.silent = b, r.now, false
	return kept
}

// beats are the serials of the beats of an offer's processes, in seconds.
func (r *Room) beats(o *offer) []uint32 {
	out := make([]uint32, len(o.workings))
	for i, w := range o.workings {
		if p := r.processes[w]; p != nil {
			out[i] = p.seconds()
		}
	}
	return out
}

// tellBeats sends a peer the beats that are newer than those that it named. Its names go by
// place, so they count only if it has the records that we have: those of our hello.
func (r *Room) tellBeats(x *exchange, named []uint32) {
	has := make(map[[32]byte]uint32)
	if o := r.offer(x.inside()); o.digest == x.digest && len(named) == len(o.workings) {
		for i, w := range o.workings {
			has[w] = named[i]
		}
	}
	var fields [][]byte
	for w, p := range r.processes {
		if p.beat != nil && p.seconds() > has[w] && r.hasWorking(w) {
			fields = append(fields, p.beat.Append(nil))
		}
	}
	if len(fields) > 0 && r.mayTell(x, len(fields)*len(fields[0])) {
		slices.SortFunc(fields, slices.Compare)
		r.send(x, record.EncodeFields(record.FrameBeats, fields...))
	}
}

// seconds is the serial of its beat in seconds; 0: it has none.
func (p *process) seconds() uint32 { return uint32(min(p.serial()/1000, math.MaxUint32)) }

func (p *process) serial() uint64 {
	if p.beat == nil {
		return 0
	}
	return p.beat.Serial
}

// silent reports whether nothing was heard of the process for too long, while
// something was heard of others. This is our own view only.
func (r *Room) silent(p *process) bool {
	if !p.silent && r.now.Sub(p.heardAt) > leastSilence && len(r.neighbours) > 0 {
		if n := r.size(); r.now.Sub(p.heardAt) > silenceTime(n) && r.now.Sub(r.lastHeard) <= 2*beatPeriod(n) {
			p.silent = true // until it is heard again, and not only until nobody is
		}
	}
	return p.silent
}

// absent reports why a node is not to be listed: it is gone, or its process is silent.
func (r *Room) absent(g *graph, n *node) (record.Evidence, bool) {
	if ev, gone := r.gone(g, n); gone || n == nil {
		return ev, gone
	}
	cid, p := n.contribution.ID(), r.processOf(n)
	if p != nil && n.contribution.Working != r.workingID && r.silent(p) {
		return record.Evidence{Kind: record.EvidenceSilent, CID: cid, Ref: record.SilentRef(p.serial())}, true
	}
	return record.Evidence{}, false
}
