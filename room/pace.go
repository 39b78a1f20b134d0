package room

import (
	"time"

	"coterie/room/record"
)

// A pace is how many messages somebody may send: a token bucket. A member holds
// back what is above, so nothing of an honest one's is ever dropped; receivers
// take no more from the topic, with some slack for messages that travelled
// together. (PROTOCOL.md §9) It is no rate.Limiter since it has no clock and no lock, as
// nothing in a room has, and since several are looked at before any is taken from.
type pace struct {
	tokens float64
	at     time.Time // when tokens was right; zero: the bucket is full
}

const (
	defaultRate = 100  // messages a second
	burstTime   = 10   // seconds' worth of messages that may come at once
	paceSlack   = 1.25 // of receivers

	freeSkips   = 16     // keys that a message may step over at no cost
	skipRate    = 20000  // .. and all messages a second
	skipsAtOnce = 100000 // .. and at once

	allowanceRate  = 1 << 20  // bytes of logs a second, to one peer
	allowanceBytes = 32 << 20 // .. and at once
)

// refill puts in what has come since.
func (p *pace) refill(now time.Time, rate, burst float64) {
	if p.at.IsZero() {
		p.tokens = burst
	} else if d := now.Sub(p.at); d > 0 {
		p.tokens = min(burst, p.tokens+d.Seconds()*rate)
	}
	p.at = now
}

// spend takes so many tokens, if they are there.
func (p *pace) spend(n float64, now time.Time, rate, burst float64) bool {
	if p.refill(now, rate, burst); p.tokens < n {
		return false
	}
	p.tokens -= n
	return true
}

// take takes the token of a message.
func (p *pace) take(now time.Time, rate float64) bool { return p.spend(1, now, rate, rate*burstTime) }

// paceOf finds or begins the pace of somebody, and forgets those that are full again.
func paceOf(all map[[32]byte]*pace, who [32]byte, now time.Time, rate, burst float64) *pace {
	p := all[who]
	if p == nil {
		for o, p := range all {
			if p.refill(now, rate, burst); p.tokens == burst {
				delete(all, o)
			}
		}
		p = new(pace)
		all[who] = p
	}
	p.refill(now, rate, burst)
	return p
}

// next is when there will be a token again.
func (p *pace) next(rate float64) time.Time {
	return p.at.Add(time.Duration((1-p.tokens)/rate*float64(time.Second)).Truncate(time.Millisecond) + time.Millisecond)
}

// maySkip reports whether so many keys of a chain may be stepped over for a message of
// which nothing is checked yet but its header, which any member can make.
func (r *Room) maySkip(keys uint64) bool {
	return keys <= freeSkips || r.skips.spend(float64(keys), r.now, skipRate, skipsAtOnce)
}

// logAllowance is how many bytes of logs a peer may be sent now: 32 MiB, and 1 MiB
// more each second. Who wants more, or the same again and again, waits.
func (r *Room) logAllowance(identity [32]byte) int {
	a := r.logs.allowances[identity]
	if a == nil {
		return allowanceBytes
	}
	a.sent.refill(r.now, allowanceRate, allowanceBytes)
	return int(a.sent.tokens)
}

// sendRecords sends records that a peer asked for, at the cost of its allowance. They may
// take it below zero, so that whoever was sent many logs is sent records all the same. It
// returns false if that is too much: the rest waits for another comparison.
func (r *Room) sendRecords(x *exchange, records []record.Record) bool {
	for _, f := range record.EncodeRecords(records) {
		if r.logAllowance(x.identity) <= -allowanceBytes {
			return false
		}
		r.servedLogs(x.identity, len(f))
		r.send(x, f)
	}
	return true
}

// mayTell reports whether a peer may be told what we hold, in so many bytes: at the cost of
// its allowance, if it began. Strangers, who can be as many as they like, are told nothing:
// they are asked for all they have.
func (r *Room) mayTell(x *exchange, bytes int) bool {
	switch {
	case !r.isKnown(x.identity):
		return false
	case x.dialler:
		return true
	case r.logAllowance(x.identity) <= -allowanceBytes:
		return false
	}
	r.servedLogs(x.identity, bytes)
	return true
}

// servedLogs notes that a peer was sent bytes of logs.
func (r *Room) servedLogs(identity [32]byte, bytes int) {
	if bytes <= 0 {
		return
	}
	p := &r.allowance(identity).sent
	p.refill(r.now, allowanceRate, allowanceBytes)
	p.tokens -= float64(bytes)
}

// An allowance is what a peer may be sent, and what it may have us check.
type allowance struct{ sent, records pace }

// allowance finds or begins a peer's, and forgets those that are full again.
func (r *Room) allowance(identity [32]byte) *allowance {
	for who, a := range r.logs.allowances {
		if len(r.logs.allowances) < 64 {
			break
		}
		a.sent.refill(r.now, allowanceRate, allowanceBytes)
		a.records.refill(r.now, recordRate, recordsAtOnce)
		if a.sent.tokens == allowanceBytes && a.records.tokens == recordsAtOnce {
			delete(r.logs.allowances, who)
		}
	}
	a := r.logs.allowances[identity]
	if a == nil {
		a = new(allowance)
		r.logs.allowances[identity] = a
	}
	return a
}

// costOf is what it costs to take a record: a commit is gone through, and passed on.
func costOf(rec record.Record) float64 {
	if rec.Type() == record.TypeCommit {
		return commitCost
	}
	return 1
}

// checks is at what pace we take records and beats from a peer: each costs a signature.
// Strangers have one together.
func (r *Room) checks(x *exchange) *pace {
	if !r.isKnown(x.identity) {
		return &r.allowance([32]byte{}).records
	}
	return &r.allowance(x.identity).records
}

// rate is how many messages a second one member may send; 0 for no limit.
func (r *Room) rate() float64 {
	switch {
	case r.cfg.Rate < 0:
		return 0
	case r.cfg.Rate == 0:
		return defaultRate
	}
	return float64(r.cfg.Rate)
}

// maySendNow reports whether our own pace allows another message.
func (r *Room) maySendNow() bool {
	rate := r.rate()
	if t := r.logs.transcripts[r.head.commit.ID()]; t == nil || t.ownHave() >= maxAuthorLog {
		return false // our log of this epoch is full; the next begins within the hour
	}
	if rate == 0 || r.outbox.pace.take(r.now, rate) {
		return true
	}
	r.wakeAt(r.outbox.pace.next(rate))
	return false
}

// takesFrom reports whether an author's pace allows another message from the
// topic. What is above is not passed on; those who hold it tell the others when
// they compare. Only a message that is the author's takes a token: took.
func (r *Room) takesFrom(t *transcript, index int) bool {
	rate := r.rate() * paceSlack
	p := r.processes[t.Authors[index].Working]
	if rate == 0 || p == nil {
		return true
	}
	p.pace.refill(r.now, rate, rate*burstTime)
	return p.pace.tokens >= 1
}

// countFrom notes that a message of an author came from the topic.
func (r *Room) countFrom(t *transcript, index int) {
	if p := r.processes[t.Authors[index].Working]; p != nil && r.rate() > 0 {
		p.pace.take(r.now, r.rate()*paceSlack)
	}
}
