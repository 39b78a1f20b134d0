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

// A waitingMessage is of an epoch that we do not know yet.
type waitingMessage struct {
	message *record.Message
	since   time.Time
}

// Send sends a message, or holds it until somebody else can read it; an event
// tells which. The ref comes back in the events. The errors are ErrTooLong,
// ErrText, ErrLeft and ErrHeldFull; then nothing was done.
func (r *Room) Send(now time.Time, ref any, kind byte, text string) error {
	if err := checkText(text, record.MaxText); err != nil {
		return err
	}
	return r.say(now, held{ref: ref, kind: kind, text: text})
}

func checkText(text string, limit int) error {
	switch {
	case len(text) > limit:
		return fmt.Errorf("%w: %d bytes; the limit is %d", ErrTooLong, len(text), limit)
	case !utf8.ValidString(text):
		return ErrText
	}
	return nil
}

// say sends a message, or puts it behind those that wait.
func (r *Room) say(now time.Time, m held) error {
	r.advance(now)
	if r.closed {
		return ErrLeft
	}
	r.flush()
	o := &r.outbox
	m.at = r.now
	switch {
	case m.to == nil && r.nextHeld() < 0 && r.maySend() && r.maySendNow():
		if err := r.seal(m); err != nil {
			r.emit(Failed{Doing: "sending a message", Err: err})
		}
	case len(o.held) >= maxHeld || o.bytes+len(m.text) > maxHeldBytes:
		return ErrHeldFull
	default:
		o.number++
		m.number = o.number
		o.held, o.bytes = append(o.held, m), o.bytes+len(m.text)
		r.flush()
	}
	r.finish()
	return nil
}

// Held is how many messages wait.
func (r *Room) Held() int { return len(r.outbox.held) }

// accompanied reports whether anybody else is a living member.
func (r *Room) accompanied() bool {
	g := r.days[r.today()]
	return g != nil && len(r.living(g)) > 1 && len(r.neighbours) > 0
}

// maySend is PROTOCOL.md §8.5.
func (r *Room) maySend() bool {
	h := r.head
	if h == nil || !h.isReadable() || len(h.list) < 2 || len(r.neighbours) == 0 {
		return false
	}
	p := h.commit.Period
	if r.days[p] == nil || r.now.After((p + 1).Start().Add(dayGrace)) {
		return false
	}
	// Whose key the notice names reads what is said under a head of before it.
	if p.Notice() != r.notices.number() || !r.hasHeard() {
		return false
	}
	return !r.stopped()
}

// hasHeard reports whether those who are here, since we were alone, have said hello, and so
// which notice they have. We wait for that a short time.
func (r *Room) hasHeard() bool {
	until := r.outbox.hearsUntil
	if !r.now.Before(until) {
		return true
	}
	for _, n := range r.neighbours {
		if n.hello == nil || n.hello.Notice > r.notices.number() {
			r.wakeAt(until)
			return false
		}
	}
	return true
}

// A stop is a time in which we sent nothing, since our head listed somebody who had
// gone.
type stop struct {
	until time.Time
	took  time.Duration
}

// stopped reports whether our head lists somebody who is gone. That stops us until
// another is the head, but for maxStopped of a minute at most where many are still
// here: then one member makes others leave, and reads along itself.
func (r *Room) stopped() bool {
	h := r.head
	if h == nil || !r.listsGone(r.days[h.commit.Period], h) {
		return false
	}
	if h.stoppedSince.IsZero() {
		h.stoppedSince = r.now
	}
	if !r.mayGoOn(h) {
		return true
	}
	until := h.stoppedSince.Add(r.stopsLeft())
	if !r.now.Before(until) {
		return false
	}
	r.wakeAt(until)
	return true
}

// stopsLeft is for how much longer we may be stopped.
func (r *Room) stopsLeft() time.Duration {
	left := maxStopped
	for _, s := range r.outbox.stops {
		if r.now.Sub(s.until) < time.Minute {
			left -= s.took
		}
	}
	return max(left, 0)
}

// mayGoOn reports whether what is said under a head that lists somebody who is gone
// is bounded by time: many of it are still here, and it lists nobody whom our user cut.
func (r *Room) mayGoOn(h *epoch) bool {
	here := 0
	for _, n := range h.nodes {
		ev, gone := r.gone(r.days[h.commit.Period], n)
		if gone && ev.Kind == record.EvidenceCut {
			return false
		}
		if !gone {
			here++
		}
	}
	return here >= leastHere
}

// noteStop notes for how long a head stopped us.
func (r *Room) noteStop(h *epoch) {
	r.outbox.stops = slices.DeleteFunc(r.outbox.stops, func(s stop) bool { return r.now.Sub(s.until) >= time.Minute })
	if h == nil || h.stoppedSince.IsZero() {
		return
	}
	s := stop{r.now, r.now.Sub(h.stoppedSince)}
	if left := r.stopsLeft(); s.took > left && r.mayGoOn(h) {
		s = stop{h.stoppedSince.Add(left), left}
	}
	r.outbox.stops = append(r.outbox.stops, s)
}

// listsGone reports whether somebody in the head's list is gone.
func (r *Room) listsGone(g *graph, h *epoch) bool {
	if h.gone.version == r.version && !r.newRecords {
		return h.gone.yes
	}
	h.gone = listsGone{version: r.version}
	for _, n := range h.nodes {
		if _, gone := r.gone(g, n); gone {
			h.gone.yes = true
			break
		}
	}
	return h.gone.yes
}

// seal signs, encrypts and publishes one message under the head:
// PROTOCOL.md §9.
func (r *Room) seal(m held) error {
	e := r.head
	t := r.logs.transcripts[e.commit.ID()]
	text := m.text
	if m.to != nil {
		var err error
		if text, err = m.to.sealWords(m.text); err != nil {
			return err
		}
	}
	counter, key := e.keys.Chain(e.ownIndex).Next()
	defer key.Erase()
	r.lamport++
	signed := &record.Signed{
		Body: record.Body{
			Counter: counter, Time: uint64(r.now.UnixMilli()),
			Lamport: r.lamport, Kind: m.kind, Text: text,
		},
		Epoch: t.id, CID: e.list[e.ownIndex].CID,
	}
	signed.Previous, _ = t.log(e.ownIndex).id(counter - 1)
	signed.Sign(r.id, r.working)

	out := &record.Message{Epoch: signed.Epoch, Step: e.step(r.now)}
	guard := r.draw()
	copy(out.Guard[:], guard.Bytes())
	var err error
	if out.Sealed, err = ake.SealMessage(key, r.id, out.Epoch, out.Guard, signed.Content()); err != nil {
		return err
	}
	header, err := e.keys.SealHeader(r.id, out.Epoch, out.Step, out.Guard, out.Sealed, uint32(e.ownIndex), counter)
	if err != nil {
		return err
	}
	copy(out.Header[:], header)
	r.publish(out.Append([]byte{record.TypeMessage}))

	if e.readers == nil {
		for i, n := range e.nodes {
			if i != e.ownIndex {
				e.readers = append(e.readers, n.peer)
			}
		}
	}
	if !isOutside(m.kind) {
		r.emit(Sent{Ref: m.ref, ID: signed.ID(r.id), Counter: counter, Epoch: out.Epoch, Readers: e.readers, To: m.policy()})
	}
	if m.to != nil {
		w := &words{reading: Read, key: m.to.key}
		t.log(e.ownIndex).noteWords(counter, w)
		defer r.saveWords(t, e.ownIndex, counter, w)
	}
	r.logMessage(nil, t, e.ownIndex, signed)
	if r.receipts.chaseAt.IsZero() {
		r.receipts.chaseAt = r.now.Add(chaseReceiptsPeriod)
	}
	return nil
}

// receive takes an encrypted message from the topic.
func (r *Room) receive(m *record.Message) Verdict {
	e := r.commits[m.Epoch]
	if e == nil || !e.wasRead() {
		return r.waitFor(m)
	}
	if !e.isReadable() || m.Step > e.step(r.now)+headerSteps {
		return Ignore // too late, or by a clock far ahead
	}
	index, counter, err := e.keys.OpenHeader(r.id, m.Epoch, m.Step, m.Guard, m.Sealed, m.Header[:])
	if errors.Is(err, ake.ErrSpent) {
		return Ignore // too late: the logs will have it
	}
	if err != nil || int(index) >= len(e.list) || counter == 0 {
		return Ignore
	}
	t := r.logs.transcripts[m.Epoch]
	if t == nil {
		return Ignore
	}
	if _, ok := t.log(int(index)).id(counter); ok {
		return Ignore // a copy
	}
	if !r.takesFrom(t, int(index)) {
		return Ignore
	}
	chain := e.keys.Chain(int(index))
	if !r.maySkip(chain.Ahead(counter)) {
		return Ignore // any member can claim that; if it is true, the logs will have it
	}
	key, err := chain.Peek(counter)
	if err != nil {
		return Ignore
	}
	defer key.Erase()
	content, err := ake.OpenMessage(key, r.id, m.Epoch, m.Guard, m.Sealed)
	if err != nil {
		return Ignore
	}
	cid := e.list[index].CID
	signed, err := record.ParseContent(m.Epoch, cid, content)
	if err != nil || signed.Counter != counter || !r.authentic(t, int(index), signed) {
		return Ignore
	}
	r.countFrom(t, int(index))
	if !r.logMessage(nil, t, int(index), signed) {
		return Ignore
	}
	return Accept
}

// step is which of an epoch's header keys is in use: one a minute. (PROTOCOL.md §9)
func (e *epoch) step(now time.Time) uint16 {
	return uint16(min(max(now.Sub(e.since), 0)/time.Minute, ake.MaxSteps-1-headerSteps))
}

// headerSteps is by how many steps the clocks of two members, or the arrival of a
// commit, may be apart.
const headerSteps = 3

// eraseHeaders erases the header keys that no message on its way needs.
func (r *Room) eraseHeaders() {
	for _, e := range r.commits {
		if e.isReadable() {
			if s := e.step(r.now); s > headerSteps {
				e.keys.Step(s - headerSteps)
			}
		}
	}
}

// waitFor keeps a message until its epoch is known, within bounds. A peer that
// is in no epoch only passes it on.
func (r *Room) waitFor(m *record.Message) Verdict {
	r.waiting.addMessage(m, r.now)
	if r.head == nil {
		return Accept
	}
	return Ignore
}

// retryMessages tries the messages that waited for an epoch.
func (r *Room) retryMessages() {
	all := r.waiting.messages
	r.waiting.messages = nil
	for _, w := range all {
		if e := r.commits[w.message.Epoch]; e != nil && e.isReadable() {
			r.receive(w.message)
		} else {
			r.waiting.messages = append(r.waiting.messages, w)
		}
	}
}

// expireMessages gives up on unknown epochs.
func (r *Room) expireMessages() {
	r.waiting.messages = slices.DeleteFunc(r.waiting.messages,
		func(w waitingMessage) bool { return r.now.Sub(w.since) > pendingTime })
	r.eraseHeaders()
	r.expireGaps()
	r.expireTranscripts()
}
