package room

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"coterie/crypto/ake"
	"coterie/room/record"
)

var (
	// ErrTooLong is returned for a text over record.MaxText bytes.
	ErrTooLong = errors.New("the message is too long")
	// ErrText is returned for a text that is not UTF-8.
	ErrText = errors.New("the message is not UTF-8")
	// ErrLeft is returned for a message after Leave.
	ErrLeft = errors.New("this peer has left the room")
	// ErrHeldFull is returned when too many messages wait already.
	ErrHeldFull = errors.New("too many messages wait for a reader")
	// ErrSuperseded: a later process of the same peer takes part, so that this
	// one is no member any more. If the user did not start it, somebody else has
	// the peer's identity key and a key that satisfies the policy.
	ErrSuperseded = errors.New("another process takes part as this peer")
)

// A held message waits for an epoch under which it may be sent.
type held struct {
	ref  any
	kind byte
	text string
}

// An authorLog is what one author said in one epoch: PROTOCOL.md §9.1.
type authorLog struct {
	messages map[uint64]*record.Signed
	have     uint64    // everything up to here was here
	shown    uint64    // the last one shown
	last     ake.Hash  // id of the last one, when it is our own log
	gapSince time.Time // when one first waited for another
	// holeSince is when the one waited for that is still missing, although later
	// ones were shown.
	holeSince time.Time
}

type logRef struct {
	epoch   ake.Hash
	index   int
	counter uint64
}

// A waiting message is of an epoch that we do not know yet.
type waiting struct {
	message *record.Message
	since   time.Time
}

// Send sends a message, or holds it until somebody else can read it; an event
// tells which. The ref comes back in the events. The errors are ErrTooLong,
// ErrText, ErrLeft and ErrHeldFull; then nothing was done.
func (r *Room) Send(now time.Time, ref any, kind byte, text string) error {
	r.advance(now)
	switch {
	case r.closed:
		return ErrLeft
	case len(text) > record.MaxText:
		return fmt.Errorf("%w: %d bytes; the limit is %d", ErrTooLong, len(text), record.MaxText)
	case !utf8.ValidString(text):
		return ErrText
	case len(r.held) >= maxHeld:
		return ErrHeldFull
	}
	r.held = append(r.held, held{ref: ref, kind: kind, text: text})
	r.flush()
	if len(r.held) > 0 {
		r.emit(Held{Ref: ref, Bytes: len(text), Alone: !r.accompanied()})
	}
	r.finish()
	return nil
}

// Held is how many messages wait.
func (r *Room) Held() int { return len(r.held) }

// accompanied reports whether anybody else is a living member.
func (r *Room) accompanied() bool {
	g := r.graph(r.today())
	return g != nil && len(r.living(g)) > 1 && len(r.neighbours) > 0
}

// maySend is PROTOCOL.md §8.4.
func (r *Room) maySend() bool {
	h := r.head
	if h == nil || h.keys == nil || len(h.list) < 2 || len(r.neighbours) == 0 {
		return false
	}
	g := r.graph(h.commit.Day)
	if g == nil || r.now.After((h.commit.Day + 1).Start().Add(dayGrace)) {
		return false
	}
	if r.missesAny(g, h) {
		return false
	}
	return !r.wronged(g, h)
}

// missesAny reports whether somebody in the head's list is gone.
func (r *Room) missesAny(g *graph, h *epoch) bool {
	if h.checked == r.stamp && !r.changed {
		return h.misses
	}
	h.checked, h.misses = r.stamp, false
	for i := range h.list {
		if _, gone := r.gone(g, h.list[i].CID); gone {
			h.misses = true
			break
		}
	}
	return h.misses
}

// flush sends what is held, in order, if that may be.
func (r *Room) flush() {
	for len(r.held) > 0 && r.maySend() {
		m := r.held[0]
		r.held = r.held[1:]
		if err := r.seal(m); err != nil {
			r.emit(Failed{Doing: "sending a message", Err: err})
		}
	}
}

// seal signs, encrypts and publishes one message under the head:
// PROTOCOL.md §9.
func (r *Room) seal(m held) error {
	e := r.head
	own := e.list[e.mine]
	log := &e.logs[e.mine]
	counter, key := e.chains[e.mine].Next()
	defer key.Erase()
	r.lamport++
	signed := &record.Signed{
		Body: record.Body{
			Counter: counter, Previous: log.last, Time: uint64(r.now.UnixMilli()),
			Lamport: r.lamport, Kind: m.kind, Text: m.text,
		},
		Epoch: e.commit.ID(), CID: own.CID,
	}
	signed.Sign(r.id, r.working)
	log.last = signed.ID(r.id)

	out := &record.Message{Epoch: signed.Epoch}
	guard := r.draw()
	copy(out.Guard[:], guard.Bytes())
	var err error
	if out.Sealed, err = ake.SealMessage(key, r.id, out.Epoch, out.Guard, signed.Content()); err != nil {
		return err
	}
	header, err := e.keys.SealHeader(r.id, out.Epoch, out.Guard, out.Sealed, uint32(e.mine), counter)
	if err != nil {
		return err
	}
	copy(out.Header[:], header)
	r.publish(out.Append([]byte{record.TypeMessage}))

	if e.readers == nil {
		for i := range e.list {
			if i != e.mine {
				e.readers = append(e.readers, r.member(e.list[i].CID, e.list[i].Identity).Peer)
			}
		}
	}
	r.emit(Sent{Ref: m.ref, ID: log.last, Counter: counter, Epoch: out.Epoch, Readers: e.readers})
	r.log(e, e.mine, signed)
	return nil
}

// receive takes an encrypted message from the topic.
func (r *Room) receive(m *record.Message) Verdict {
	e := r.commits[m.Epoch]
	if e == nil || e.status != accepted {
		return r.waitFor(m)
	}
	if e.keys == nil {
		return Ignore // not ours to read, or too late
	}
	index, counter, err := e.keys.OpenHeader(r.id, m.Epoch, m.Guard, m.Sealed, m.Header[:])
	if err != nil || int(index) >= len(e.list) || counter == 0 {
		return Reject
	}
	if l := &e.logs[index]; counter <= l.have || l.messages[counter] != nil {
		return Ignore // a copy
	}
	key, err := e.chains[index].Peek(counter)
	if err != nil {
		return Ignore
	}
	defer key.Erase()
	content, err := ake.OpenMessage(key, r.id, m.Epoch, m.Guard, m.Sealed)
	if err != nil {
		return Reject
	}
	cid := e.list[index].CID
	signed, err := record.ParseContent(m.Epoch, cid, content)
	if err != nil || signed.Counter != counter || !r.authentic(e, signed) {
		return Reject
	}
	r.log(e, int(index), signed)
	return Accept
}

// authentic checks the author's signature.
func (r *Room) authentic(e *epoch, m *record.Signed) bool {
	g := r.graph(e.commit.Day)
	if g == nil {
		return false
	}
	c := g.contribution(m.CID)
	return c != nil && m.Verify(r.id, c) == nil
}

// waitFor keeps a message until its epoch is known, within bounds. A peer that
// is in no epoch only passes it on.
func (r *Room) waitFor(m *record.Message) Verdict {
	if len(r.waiting) >= maxWaiting {
		r.waiting = r.waiting[1:]
	}
	r.waiting = append(r.waiting, waiting{message: m, since: r.now})
	if r.head == nil {
		return Accept
	}
	return Ignore
}

// reopen tries the messages that waited for an epoch.
func (r *Room) reopen() {
	all := r.waiting
	r.waiting = nil
	for _, w := range all {
		if e := r.commits[w.message.Epoch]; e != nil && e.status == accepted {
			r.receive(w.message)
		} else {
			r.waiting = append(r.waiting, w)
		}
	}
}

// log takes a message whose signature was checked, uses up its key, and shows
// what can be shown.
func (r *Room) log(e *epoch, index int, m *record.Signed) {
	l := &e.logs[index]
	if l.messages == nil {
		l.messages = make(map[uint64]*record.Signed)
	}
	if m.Counter <= l.have || l.messages[m.Counter] != nil || m.Counter-l.have > ake.MaxSkip {
		return
	}
	l.messages[m.Counter] = m
	for l.messages[l.have+1] != nil {
		l.have++
	}
	if e.chains != nil {
		e.chains[index].Use(m.Counter)
	}
	r.lamport = max(r.lamport, m.Lamport)
	r.logOrder = append(r.logOrder, logRef{m.Epoch, index, m.Counter})
	if len(r.logOrder) > maxLog {
		old := r.logOrder[0]
		r.logOrder = r.logOrder[1:]
		if oe := r.commits[old.epoch]; oe != nil && oe.logs != nil {
			delete(oe.logs[old.index].messages, old.counter)
		}
	}
	if m.Counter <= l.shown {
		r.deliver(e, index, m, true)
	}
	r.show(e, index, l.have)
}

// show shows an author's messages in order, up to a counter; what is missing
// in between is skipped.
func (r *Room) show(e *epoch, index int, upTo uint64) {
	l := &e.logs[index]
	for ; l.shown < upTo; l.shown++ {
		if m := l.messages[l.shown+1]; m != nil {
			r.deliver(e, index, m, false)
		}
	}
	l.gapSince = time.Time{}
	if r.highest(l) > l.shown {
		l.gapSince = r.now
		r.askSoon("")
	}
}

// deliver shows one message; late tells that later ones of its author were shown
// before.
func (r *Room) deliver(e *epoch, index int, m *record.Signed, late bool) {
	r.emit(Delivered{
		ID: m.ID(r.id), Author: r.member(e.list[index].CID, e.list[index].Identity), Self: index == e.mine,
		Message: m.Body, Epoch: m.Epoch, Received: r.now, Late: late,
	})
}

func (r *Room) highest(l *authorLog) uint64 {
	high := l.have
	for c := range l.messages {
		high = max(high, c)
	}
	return high
}

// expireMessages gives up on gaps and on unknown epochs.
func (r *Room) expireMessages() {
	r.waiting = slices.DeleteFunc(r.waiting, func(w waiting) bool { return r.now.Sub(w.since) > pendingTime })
	for _, e := range r.logEpochs() {
		for i := range e.logs {
			l := &e.logs[i]
			if !l.gapSince.IsZero() && r.now.Sub(l.gapSince) >= gapTime {
				// What comes after is shown; what is missing is still asked for, and
				// shown late.
				l.holeSince = l.gapSince
				r.show(e, i, r.highest(l))
			}
			if !l.holeSince.IsZero() && r.now.Sub(l.holeSince) >= keysKept {
				l.have, l.holeSince = max(l.have, l.shown), time.Time{}
			}
		}
	}
}

// logEpochs are the last epochs we were in, newest first. The logs of older
// ones are dropped.
func (r *Room) logEpochs() []*epoch {
	var out []*epoch
	for _, e := range r.commits {
		if e.logs != nil {
			out = append(out, e)
		}
	}
	// By arrival, not by rank: after a merge or a restart the newest may be low.
	slices.SortFunc(out, func(a, b *epoch) int {
		if c := b.since.Compare(a.since); c != 0 && a != r.head && b != r.head {
			return c
		}
		if a == r.head || b != r.head && better(a, b) {
			return -1
		}
		return 1
	})
	if len(out) > maxLogEpochs {
		for _, e := range out[maxLogEpochs:] {
			e.erase()
			e.logs = nil
			r.spend(e)
		}
		out = out[:maxLogEpochs]
	}
	return out
}

// have is, per place in the list, up to where we have everything.
func (e *epoch) have() []uint64 {
	out := make([]uint64, len(e.logs))
	for i := range e.logs {
		out[i] = e.logs[i].have
	}
	return out
}

// sendLog answers an ask with what the asker lacks, if it was a member of that
// epoch.
func (r *Room) sendLog(x *exchange, a *record.AskEpoch) {
	e := r.commits[a.Epoch]
	if e == nil || e.logs == nil || len(a.Have) != len(e.logs) {
		return
	}
	if !r.mayRead(e, x) {
		return
	}
	for i := range e.logs {
		l := &e.logs[i]
		for c := a.Have[i] + 1; c > a.Have[i] && c <= r.highest(l); c++ {
			if m := l.messages[c]; m != nil {
				r.send(x, m.AppendLog([]byte{record.FrameLog}))
			}
		}
	}
}

// missed reports whether a commit lists us that we could not take while it was
// new, because what it rests on, or our key for it, is gone. What was said under
// it is signed by its authors, who thereby say that they were in that epoch.
func (r *Room) missed(e *epoch) bool {
	g := r.graph(e.commit.Day)
	if g == nil || g.own == nil || e.logs != nil || e.list == nil {
		return false
	}
	_, over := r.spent[e.commit.ID()]
	return !over && e.list.Index(g.own.cid) >= 0
}

// tookLog takes a message that another member passes on. It returns false for
// one that its author did not sign.
func (r *Room) tookLog(m *record.Signed) bool {
	e := r.commits[m.Epoch]
	if e == nil || e.logs == nil && !r.missed(e) {
		return true
	}
	if e.logs == nil {
		e.logs = make([]authorLog, len(e.list))
	}
	index := e.list.Index(m.CID)
	if index < 0 {
		return false
	}
	if l := &e.logs[index]; m.Counter <= l.have || l.messages[m.Counter] != nil {
		return true
	}
	if !r.authentic(e, m) {
		return false
	}
	r.log(e, index, m)
	return true
}
