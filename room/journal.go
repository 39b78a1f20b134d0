package room

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Saved is something to be kept on disk: the head of a transcript, a message in
// it, what an author calls itself, or what stays of messages that need not be kept. It must
// be safe before anything of the same Ready is sent, published or shown; then a process that
// dies loses nothing it has told anybody of.
type Saved struct {
	// Name: it is none of these, but a small value by that name, which takes the place of the one
	// before; without Data there is none any more.
	Name  string
	Epoch ake.Hash
	// Author is the author's place in the epoch's list, or Head.
	Author  int
	Counter uint64 // 0 for a head, and for a name
	// Rest: the author's messages up to Counter go, and Data stays of them; see ParseRest.
	Rest bool
	At   time.Time
	Data []byte
	// Note is what is needed of a message when a room is opened; see Journal.
	Note []byte
}

// Head is the Author of what says who was in an epoch; it comes before all else
// of that epoch.
const Head = -1

// A Journal is where a room reads back what Ready asked to have saved. It never
// holds keys: no epoch's secret, and no process' working or ephemeral key.
type Journal interface {
	// Load yields all that was saved and not forgotten, until yield returns false: the
	// heads, then what stays of messages, then the rest, each in the order in which it
	// was saved.
	Load(yield func(Saved) bool) error
	// Notes is as Load, but names come before messages, and of these there is the Note alone: a
	// room that is opened need not read all that was ever said.
	Notes(yield func(Saved) bool) error
	// Messages are one author's messages in one epoch with counters from .. to.
	Messages(epoch ake.Hash, author int, from, to uint64) ([]Saved, error)
	// Named are the values whose names begin so, in any order.
	Named(prefix string) ([]Saved, error)
}

// save asks for a message, and for what says who its author is, to be kept.
func (r *Room) save(t *transcript, index int, m *record.Signed) {
	if r.cfg.Journal == nil {
		return
	}
	if m.Counter <= t.log(index).gone {
		return // it is not kept
	}
	r.ready.Save, r.logs.unsaved = append(r.ready.Save, r.logs.unsaved...), nil
	name := r.learnName(t, index)
	switch {
	case !t.saved:
		t.saved = true
		r.ready.Save = append(r.ready.Save, Saved{Epoch: t.id, Author: Head, At: r.now, Data: t.saveHead()})
	case name != nil:
		r.ready.Save = append(r.ready.Save, Saved{Epoch: t.id, Author: index, At: r.now, Data: name.Append(nil)})
		r.addBytes(t.log(index), entryCost)
	}
	r.ready.Save = append(r.ready.Save,
		NewSaved(r.id, t.id, index, m, r.now))
}

// NewSaved is a message as it is saved.
func NewSaved(room, epoch ake.Hash, index int, m *record.Signed, at time.Time) Saved {
	n := noteOf(room, m)
	return Saved{Epoch: epoch, Author: index, Counter: m.Counter, At: at, Data: m.AppendLog(nil), Note: n.append(nil)}
}

// A note is what a room that is opened needs of a message.
type note struct {
	id            ake.Hash
	time, lamport uint64
	kind          byte
	text          int      // its length
	target        ake.Hash // of what changes what is shown of another

	counter uint64 // not part of it: the disk has it beside it
}

// noteOf is the note of a message.
func noteOf(room ake.Hash, m *record.Signed) note {
	n := note{id: m.ID(room), time: m.Time, lamport: m.Lamport, kind: m.Kind, text: len(m.Text), counter: m.Counter}
	if changes(m.Kind) {
		copy(n.target[:], m.Text)
	}
	return n
}

// empty reports whether nothing follows the target.
func (n *note) empty() bool { return n.text == len(n.target) }

const noteSize = 32 + 8 + 8 + 1 + 2

func (n *note) append(b []byte) []byte {
	b = append(b, n.id[:]...)
	b = binary.BigEndian.AppendUint64(b, n.time)
	b = append(binary.BigEndian.AppendUint64(b, n.lamport), n.kind)
	b = binary.BigEndian.AppendUint16(b, uint16(n.text))
	if changes(n.kind) {
		b = append(b, n.target[:]...)
	}
	return b
}

func parseNote(b []byte) (n note, ok bool) {
	if len(b) < noteSize {
		return n, false
	}
	n.id = ake.Hash(b)
	n.time, n.lamport = binary.BigEndian.Uint64(b[32:]), binary.BigEndian.Uint64(b[40:])
	n.kind, n.text = b[48], int(binary.BigEndian.Uint16(b[49:]))
	if b = b[noteSize:]; changes(n.kind) && len(b) == len(n.target) {
		n.target, b = ake.Hash(b), nil
	}
	return n, len(b) == 0
}

// saveHead is the head of a transcript as it is saved: whether it is past, and
// what it is.
func (t *transcript) saveHead() []byte {
	b := []byte{0}
	if t.past {
		b[0] = 1
	}
	return t.Append(b)
}

// NotSaved tells the room of what could not be saved: the heads among it are
// saved again before the next message of theirs, and so is what stays of messages.
func (r *Room) NotSaved(all []Saved) {
	for _, s := range all {
		if s.Name != "" {
			r.notSavedHeld(s)
		} else if t := r.logs.transcripts[s.Epoch]; t != nil && s.Author == Head {
			t.saved = false
		} else if t != nil && s.Rest {
			r.logs.unsaved = append(r.logs.unsaved, s)
		}
	}
}

// learnName puts what an author calls itself into the transcript, and returns it
// if that is new.
func (r *Room) learnName(t *transcript, index int) *record.Name {
	p := r.processes[t.Authors[index].Working]
	if p == nil || p.name == nil || !t.SetName(p.name) {
		return nil
	}
	return p.name
}

// body is a message that is held; nil if it cannot be had any more.
func (r *Room) body(t *transcript, index int, counter uint64) *record.Signed {
	l := t.log(index)
	if m := l.bodies[counter]; m != nil {
		return m
	}
	if id, ok := l.id(counter); ok {
		for _, m := range r.bodies(t, index, counter, counter) {
			if m.ID(r.id) == id {
				return m
			}
		}
	}
	return nil
}

// bodies reads an author's messages back.
func (r *Room) bodies(t *transcript, index int, from, to uint64) []*record.Signed {
	if r.cfg.Journal == nil || !t.saved {
		return nil
	}
	saved, err := r.cfg.Journal.Messages(t.id, index, from, to)
	if err != nil {
		r.emit(Failed{Doing: "reading back what was said", Err: err})
		return nil
	}
	var out []*record.Signed
	for _, s := range saved {
		if m, err := record.ParseLog(s.Data); err == nil && m.Epoch == t.id && t.List.Index(m.CID) == index {
			out = append(out, m)
		}
	}
	return out
}

// recall reads back what this peer knew when its last process ended, and shows
// the end of it. Of most messages it reads their notes only. It is long because what is saved has many
// kinds, each of which waits for an epoch that is read before it.
func (r *Room) recall() error {
	var lately []recalled
	var rests []lateRest
	seconds := make(map[logRef][]uint64)
	var closed []logRef // words for some, opened or not
	var outside savedOutside
	var files []logRef
	var about []recalledNote
	forgotten := make(map[ake.Hash]bool)
	forget := func(id ake.Hash) {
		if !forgotten[id] {
			forgotten[id] = true
			r.ready.Forget = append(r.ready.Forget, id)
		}
	}
	err := readJournal(r.cfg.Journal, r.id, savedReader{
		lost: forget,
		head: func(s Saved, head savedHead) bool {
			t := &transcript{Transcript: head.Transcript, id: s.Epoch, past: head.past, ours: !head.past}
			if !r.keepsDay(head.Brief.Period.Day()) || !r.keepTranscript(t) {
				return false
			}
			t.saved, t.since = true, s.At
			return true
		},
		noted: func(s Saved, n note) {
			t := r.logs.transcripts[s.Epoch]
			if t == nil {
				forget(s.Epoch) // it gave way to others
				return
			}
			fresh := r.recallMessage(t, s, n, seconds)
			if changes(n.kind) { // of two under one counter the later one may count
				n.counter = s.Counter
				about = append(about, recalledNote{logRef{t, s.Author, s.Counter}, n})
				return
			}
			if !fresh {
				return
			}
			if n.kind == record.KindFile {
				files = append(files, logRef{t, s.Author, s.Counter})
			}
			if n.kind == record.KindTo {
				closed = append(closed, logRef{t, s.Author, s.Counter})
			}
			if isOutside(n.kind) {
				outside.add(logRef{t, s.Author, s.Counter})
				return
			}
			if lately = append(lately, recalled{logRef{t, s.Author, s.Counter}, n.id, s.At}); len(lately) > 2*r.cfg.Replay {
				lately = append([]recalled(nil), lately[len(lately)-r.cfg.Replay:]...)
			}
		},
		rest: func(s Saved, _ savedHead) {
			if t := r.logs.transcripts[s.Epoch]; t != nil {
				if rest, ok := r.recallRest(t, s); ok {
					rests = append(rests, lateRest{rest, t, s.Author})
				}
			}
		},
		words: func(s Saved) {
			if t := r.logs.transcripts[s.Epoch]; t != nil {
				t.log(s.Author).noteWords(s.Counter-wordsMark, parseWords(s))
			}
		},
		named: func(s Saved) {
			if t := r.logs.transcripts[s.Epoch]; t != nil {
				r.addBytes(t.log(s.Author), entryCost)
			}
		},
	})
	if err != nil {
		return err
	}
	r.recallSeconds(seconds)
	r.recallChanges(about)
	for _, ref := range slices.Backward(closed) { // of too many the newest
		if len(r.words.queue) >= maxClosedWords {
			break
		}
		r.queueWords(ref.t, ref.index, ref.counter, false)
	}
	r.recallOutside(outside)
	r.recallFiles(files)
	var last *transcript // that we were in
	for _, t := range r.logs.transcripts {
		if t.ours && t.ownIndex >= 0 && (last == nil || cmp.Or(cmp.Compare(t.Brief.Period, last.Brief.Period),
			cmp.Compare(t.Brief.Height, last.Brief.Height)) > 0) {
			last = t
		}
		for i := range t.logs {
			r.show(nil, t, i) // what waits for a gap goes on waiting
		}
	}
	if last != nil {
		r.readers.noteAll(last.Brief.Period.Day(), last.List, last.Away, time.Time{})
	}
	cut := len(lately) > r.cfg.Replay
	shown := r.readLately(lately[max(0, len(lately)-r.cfg.Replay):])
	r.shorten()
	if len(shown) == 0 && len(rests) == 0 {
		return nil
	}
	InOrder(shown)
	slices.SortStableFunc(rests, func(a, b lateRest) int { return cmp.Compare(a.Lamport, b.Lamport) })
	r.emit(Past{})
	over := Past{Over: true, Count: len(shown)}
	for i, d := range shown {
		rests = r.showRests(rests, d.Message.Lamport, i == 0 && cut)
		if at := time.UnixMilli(int64(d.Message.Time)); over.Oldest.IsZero() || at.Before(over.Oldest) {
			over.Oldest = at
		}
		r.emit(d)
	}
	r.showRests(rests, 1<<63, false)
	r.emit(over)
	return nil
}

// A recalledNote is that of a change.
type recalledNote struct {
	logRef
	note
}

// recallChanges takes those that count.
func (r *Room) recallChanges(all []recalledNote) {
	for _, n := range all {
		l := n.t.log(n.index)
		if id, _ := l.id(n.note.counter); id == n.id && n.note.counter > l.gone {
			r.noteChange(n.t, n.index, n.note)
		}
	}
}

// recalled is a message that was recalled lately.
type recalled struct {
	logRef
	id ake.Hash
	at time.Time
}

// readLately reads messages, in the order in which they were saved.
func (r *Room) readLately(all []recalled) []Delivered {
	of := make(map[logRef][]recalled) // by log
	for _, m := range all {
		of[logRef{t: m.t, index: m.index}] = append(of[logRef{t: m.t, index: m.index}], m)
	}
	read := make(map[ake.Hash]*record.Signed, len(all))
	for l, said := range of {
		slices.SortFunc(said, func(a, b recalled) int { return cmp.Compare(a.counter, b.counter) })
		for len(said) > 0 {
			n := 1
			for n < len(said) && n < sendAtOnce && said[n].counter-said[n-1].counter < 16 {
				n++
			}
			for _, m := range r.bodies(l.t, l.index, said[0].counter, said[n-1].counter) {
				read[m.ID(r.id)] = m
			}
			said = said[n:]
		}
	}
	var out []Delivered
	var refs []logRef
	for _, s := range all {
		if m := read[s.id]; m != nil {
			r.cacheBody(s.t, s.index, m)
			d := Delivered{
				ID: s.id, Author: r.author(s.t, s.index), Self: s.index == s.t.ownIndex, Message: m.Body, Epoch: s.t.id,
				Received: s.at, Day: s.t.Brief.Period.Day(), History: true, Hearsay: s.t.past,
			}
			readWords(&d, s.t.log(s.index).words[s.counter])
			r.showFile(&d)
			r.noteFound(d.ID, s.logRef)
			out, refs = append(out, d), append(refs, s.logRef)
		}
	}
	for i, ref := range refs {
		r.applyChanges(&out[i], ref.t, ref.index)
	}
	return out
}

// A lateRest is what is not kept any more, and where it would stand.
type lateRest struct {
	*Rest
	t     *transcript
	index int
}

// showRests says what is missing before a message, and returns what belongs after it. Those
// that are skipped belong to what is not shown either.
func (r *Room) showRests(rests []lateRest, before uint64, skip bool) []lateRest {
	var here []Shortened
	n := 0
	for n < len(rests) && rests[n].Lamport < before {
		here = append(here, rests[n].Shortened(r.author(rests[n].t, rests[n].index), rests[n].t.id))
		n++
	}
	if !skip {
		for _, s := range JoinShortened(here) {
			r.emit(s)
		}
	}
	return rests[n:]
}

// recallMessage takes one that was saved, as shown, and reports whether it is new. Where it is a second
// one under its counter, that is noted in seconds.
func (r *Room) recallMessage(t *transcript, s Saved, n note, seconds map[logRef][]uint64) bool {
	l := t.log(s.Author)
	if was, ok := l.id(s.Counter); ok {
		if was == n.id || s.Counter <= l.gone {
			return false
		}
		if compareHashes(n.id, was) < 0 {
			l.replace(s.Counter, n.id) // for everybody alike
		}
		r.countBytes(l, s.Counter, savedBytes(n.kind, n.text))
		ref := logRef{t: t, index: s.Author}
		counters := seconds[ref]
		if at, ok := slices.BinarySearch(counters, s.Counter); !ok && at < maxSecondMessages {
			counters = slices.Insert(counters, at, s.Counter)
			seconds[ref] = counters[:min(len(counters), maxSecondMessages)]
		}
		return false
	}
	if s.Counter-l.have() > ake.MaxSkip {
		return false // too much before it was not saved; the others have it
	}
	l.take(s.Counter, n.id)
	l.shown = max(l.shown, s.Counter)
	r.countMessage(t, s.Author)
	t.lastSaid, t.heardAt = max(t.lastSaid, t.latestTime(n.time)), s.At
	r.hearLamport(n.lamport)
	r.countBytes(l, s.Counter, savedBytes(n.kind, n.text))
	return true
}

// recallSeconds reads back second messages under one counter, of the least.
func (r *Room) recallSeconds(seconds map[logRef][]uint64) {
	for ref, counters := range seconds {
		l := ref.t.log(ref.index)
		for _, c := range counters {
			first, _ := l.id(c)
			var second *record.Signed // of the others that of the least id
			for _, m := range r.bodies(ref.t, ref.index, c, c) {
				if id := m.ID(r.id); id != first && (second == nil || compareHashes(id, second.ID(r.id)) < 0) {
					second = m
				}
			}
			l.addSecondMessage(c, second)
		}
	}
}
