package room

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// Saved is something to be kept on disk: the head of a transcript, a message in
// it, what an author calls itself, or what stays of messages that need not be kept. It must
// be safe before anything of the same Ready is sent, published or shown; then a process that
// dies loses nothing it has told anybody of.
type Saved struct {
	Epoch ake.Hash
	// Author is the author's place in the epoch's list, or Head.
	Author  int
	Counter uint64 // 0 for a head, and for a name
	// Rest: the author's messages up to Counter go, and Data stays of them; see ParseRest.
	Rest bool
	At   time.Time
	Data []byte
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
	// Messages are one author's messages in one epoch with counters from .. to.
	Messages(epoch ake.Hash, author int, from, to uint64) ([]Saved, error)
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
		Saved{Epoch: t.id, Author: index, Counter: m.Counter, At: r.now, Data: m.AppendLog(nil)})
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
		if t := r.logs.transcripts[s.Epoch]; t != nil && s.Author == Head {
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
// the end of it.
func (r *Room) recall() error {
	var lately []Delivered
	var rests []lateRest
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
		said: func(s Saved, _ savedHead, m *record.Signed) bool {
			t := r.logs.transcripts[s.Epoch]
			if t == nil {
				forget(s.Epoch) // it gave way to others
				return true
			}
			if d, ok := r.recallMessage(t, s.Author, m, s.At); ok {
				if lately = append(lately, d); len(lately) > 2*r.cfg.Replay {
					lately = append([]Delivered(nil), lately[len(lately)-r.cfg.Replay:]...)
				}
			}
			return true
		},
		rest: func(s Saved, _ savedHead) {
			if t := r.logs.transcripts[s.Epoch]; t != nil {
				if rest, ok := r.recallRest(t, s); ok {
					rests = append(rests, lateRest{rest, t, s.Author})
				}
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
	r.shorten()
	cut := len(lately) > r.cfg.Replay
	if lately = lately[max(0, len(lately)-r.cfg.Replay):]; len(lately) == 0 && len(rests) == 0 {
		return nil
	}
	inOrder(lately)
	slices.SortStableFunc(rests, func(a, b lateRest) int { return cmp.Compare(a.Lamport, b.Lamport) })
	r.emit(Past{})
	over := Past{Over: true, Count: len(lately)}
	for i, d := range lately {
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

// inOrder sorts messages as people read them: by Lamport time, and those of one
// author by counter, whatever times they gave.
func inOrder(all []Delivered) {
	slices.SortStableFunc(all, func(a, b Delivered) int { return cmp.Compare(a.Message.Lamport, b.Message.Lamport) })
	type author struct {
		epoch ake.Hash
		peer  peer.ID
	}
	places := make(map[author][]int)
	for i := range all {
		a := author{all[i].Epoch, all[i].Author.Peer}
		places[a] = append(places[a], i)
	}
	for _, at := range places {
		said := make([]Delivered, len(at))
		for i, place := range at {
			said[i] = all[place]
		}
		slices.SortFunc(said, func(a, b Delivered) int { return cmp.Compare(a.Message.Counter, b.Message.Counter) })
		for i, place := range at {
			all[place] = said[i]
		}
	}
}

// recallMessage takes one that was saved, as shown.
func (r *Room) recallMessage(t *transcript, index int, m *record.Signed, at time.Time) (Delivered, bool) {
	l := t.log(index)
	id := m.ID(r.id)
	if was, ok := l.id(m.Counter); ok {
		if was == id {
			return Delivered{}, false
		}
		r.keepSecondMessage(t, index, m, id, was)
		return Delivered{}, false
	}
	if m.Counter-l.have() > ake.MaxSkip {
		return Delivered{}, false // too much before it was not saved; the others have it
	}
	l.take(m.Counter, id)
	l.shown = max(l.shown, m.Counter)
	r.countMessage(t, index)
	t.lastSaid, t.heardAt = max(t.lastSaid, t.latestTime(m)), at
	r.hearLamport(m)
	r.cacheBody(t, index, m)
	r.countBytes(t, index, m)
	return Delivered{
		ID: id, Author: r.author(t, index), Self: index == t.ownIndex,
		Message: m.Body, Epoch: t.id, Received: at, History: true, Hearsay: t.past,
	}, true
}
