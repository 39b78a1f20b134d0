package room

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// What we have to say and cannot yet: PROTOCOL.md §9.4. It waits on the disk, too.

// maxHeldBytes is how many bytes of text wait.
const maxHeldBytes = 1 << 20

// A held message waits for an epoch under which it may be sent.
type held struct {
	ref      any
	number   uint64 // by which the disk has it
	at       time.Time
	kind     byte
	text     string
	to       *address // of words for some
	reported bool     // our user was told that it waits
	saved    bool     // it is on the disk
	agreed   bool     // our user wants it sent, however long it has waited
}

// A HeldNumber is the Ref of a message that was held by an earlier process.
type HeldNumber uint64

// A HeldMessage waits until somebody else can read it.
type HeldMessage struct {
	Ref  any
	Kind byte
	Text string
	// Target is the message that it is about, of kinds 6 to 9; Text are the words then.
	Target ake.Hash
	To     string    // of words for some: the policy
	At     time.Time // when it was written
	// Asks: it waits for a word of our user too.
	Asks bool
}

// An outbox is what we have to say, and how fast we may.
type outbox struct {
	held       []held
	number     uint64 // of the last one
	bytes      int    // of their texts
	pace       pace
	stops      []stop
	reported   reportedUnsaid
	hearsUntil time.Time // since we were alone: until when we wait to hear of notices
}

// reportedUnsaid is what our user was told of what waits for their word.
type reportedUnsaid struct {
	count int
	here  bool // while somebody could read it
}

// heldName is under which name the disk has a message that waits.
func heldName(number uint64) string { return fmt.Sprintf("%s%016x", HeldPrefix, number) }

// HeldPrefix is how the names of messages that wait begin: see Saved.
const HeldPrefix = "held "

// encode is a held message as it is saved.
func (m *held) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(m.at.UnixMilli()))
	b = append(b, m.kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.policy())))
	b = append(b, m.policy()...)
	return append(b, m.text...)
}

// policy is that of words for some.
func (m *held) policy() string {
	if m.to == nil {
		return ""
	}
	return m.to.policy.String()
}

// parseHeld takes what encode made. ok is false for what no process of ours saved.
func parseHeld(b []byte) (m held, ok bool) {
	if len(b) < 11 {
		return m, false
	}
	m = held{at: time.UnixMilli(int64(binary.BigEndian.Uint64(b))), kind: b[8], reported: true, saved: true}
	n := int(binary.BigEndian.Uint16(b[9:]))
	if b = b[11:]; n > len(b) || len(b)-n > record.MaxText || (n > 0) != (m.kind == record.KindTo) {
		return m, false
	}
	if n > 0 {
		policy, err := abe.ParsePolicy(string(b[:n]))
		if err != nil {
			return m, false
		}
		m.to = &address{policy: policy}
	}
	m.text = string(b[n:])
	if _, err := record.ParseAbout(m.kind, m.text); record.IsAbout(m.kind) && err != nil {
		return m, false
	}
	return m, true
}

// recallHeld reads back what waited when the last process ended.
func (r *Room) recallHeld() error {
	all, err := r.cfg.Journal.Named(HeldPrefix)
	if err != nil {
		return fmt.Errorf("reading back what was not sent: %w", err)
	}
	slices.SortFunc(all, func(a, b Saved) int { return strings.Compare(a.Name, b.Name) })
	o := &r.outbox
	for _, s := range all {
		var number uint64
		if _, err := fmt.Sscanf(s.Name, HeldPrefix+"%016x", &number); err != nil || number <= o.number ||
			heldName(number) != s.Name {
			continue
		}
		m, ok := parseHeld(s.Data)
		if !ok {
			continue
		}
		o.number = number
		m.ref, m.number = HeldNumber(number), number
		o.held, o.bytes = append(o.held, m), o.bytes+len(m.text)
	}
	if len(o.held) > 0 {
		r.emit(Restored{r.HeldMessages()})
	}
	return nil
}

// asks reports whether a held message has waited for so long that it is not sent
// without a word of our user.
func (r *Room) asks(m *held) bool {
	return !m.agreed && r.cfg.Hold > 0 && r.now.Sub(m.at).Abs() > r.cfg.Hold
}

// nextHeld is the place of the first message that may go out, or -1.
func (r *Room) nextHeld() int {
	return slices.IndexFunc(r.outbox.held, func(m held) bool { return !r.asks(&m) })
}

// flush sends what is held, in order, if that may be. The rest is saved.
func (r *Room) flush() {
	o := &r.outbox
	for {
		i := r.nextHeld()
		if i < 0 || !r.maySend() || o.held[i].to != nil && !r.addressed(o.held[i].to) || !r.maySendNow() {
			break
		}
		m := o.held[i]
		o.held, o.bytes = slices.Delete(o.held, i, i+1), o.bytes-len(m.text)
		if err := r.seal(m); err != nil {
			r.emit(Failed{Doing: "sending a message", Err: err})
		}
		r.eraseHeld(m)
	}
	r.hold()
	r.tellUnsaid()
}

// hold tells our user of what waits for a reader, and has it saved; not what only keeps the pace.
func (r *Room) hold() {
	if len(r.outbox.held) > 0 && !r.maySend() {
		r.saveHeld()
	}
}

// saveHeld is hold for all that waits.
func (r *Room) saveHeld() {
	for i := range r.outbox.held {
		m := &r.outbox.held[i]
		if !m.reported {
			m.reported = true
			r.emit(Held{Ref: m.ref, Bytes: len(m.text), Alone: !r.accompanied()})
		}
		if !m.saved && r.cfg.Journal != nil {
			m.saved = true
			r.ready.Save = append(r.ready.Save, Saved{Name: heldName(m.number), At: r.now, Data: m.encode()})
		}
	}
}

// eraseHeld erases a message that waits no more: together with what was saved of it as
// said, so that it is one or the other at any time.
func (r *Room) eraseHeld(m held) {
	if m.saved {
		r.ready.Save = append(r.ready.Save, Saved{Name: heldName(m.number), At: r.now})
	}
}

// tellUnsaid tells our user what waits for their word: when it begins to, and when somebody
// has come who could read it.
func (r *Room) tellUnsaid() {
	a := &r.outbox.reported
	count, oldest := 0, time.Time{}
	for i := range r.outbox.held {
		switch m := &r.outbox.held[i]; {
		case r.asks(m):
			if count++; oldest.IsZero() || m.at.Before(oldest) {
				oldest = m.at
			}
		case r.cfg.Hold > 0 && !m.agreed:
			r.wakeAt(m.at.Add(r.cfg.Hold + time.Millisecond))
		}
	}
	if count == 0 {
		*a = reportedUnsaid{}
		return
	}
	here := r.maySend()
	if count > a.count || here && !a.here {
		r.emit(Unsaid{Count: count, Oldest: oldest, Here: here})
	}
	a.count, a.here = count, here || a.here && r.accompanied()
}

// HeldMessages are those that wait, in their order.
func (r *Room) HeldMessages() []HeldMessage {
	out := make([]HeldMessage, len(r.outbox.held))
	for i := range r.outbox.held {
		out[i] = r.heldMessage(&r.outbox.held[i])
	}
	return out
}

func (r *Room) heldMessage(m *held) HeldMessage {
	h := HeldMessage{Ref: m.ref, Kind: m.kind, Text: m.text, To: m.policy(), At: m.at, Asks: r.asks(m)}
	if a, err := record.ParseAbout(m.kind, m.text); err == nil {
		h.Target, h.Text = a.Target, a.Words
	}
	if f, err := record.ParseFile(m.text); err == nil && m.kind == record.KindFile {
		h.Text = f.Name
	}
	return h
}

// SendHeld sends what waits, however long it has: now, or as soon as somebody can read
// it. It returns how many had waited for that word.
func (r *Room) SendHeld(now time.Time) (n int) {
	r.advance(now)
	for i := range r.outbox.held {
		if m := &r.outbox.held[i]; r.asks(m) {
			m.agreed = true
			n++
		}
	}
	r.finish()
	return n
}

// Drop gives up on the held messages that which is true of, all if it is nil,
// and returns them in their order.
func (r *Room) Drop(now time.Time, which func(HeldMessage) bool) []HeldMessage {
	r.advance(now)
	var out []HeldMessage
	o := &r.outbox
	o.held = slices.DeleteFunc(o.held, func(h held) bool {
		m := r.heldMessage(&h)
		if which != nil && !which(m) {
			return false
		}
		out = append(out, m)
		r.droppedHeld(&h)
		o.bytes -= len(h.text)
		r.eraseHeld(h)
		return true
	})
	r.finish()
	return out
}

// notSavedHeld notes that the disk does not have what it was to have.
func (r *Room) notSavedHeld(s Saved) {
	if len(s.Data) == 0 {
		r.logs.unsaved = append(r.logs.unsaved, s) // else it would be said again
		return
	}
	for i := range r.outbox.held {
		if m := &r.outbox.held[i]; heldName(m.number) == s.Name {
			m.saved = false
		}
	}
}
