package room

// What is shown of what was said: PROTOCOL.md §9, §9.1.

import (
	"time"

	"coterie/room/record"
)

// show shows an author's messages in order, as far as none is missing.
func (r *Room) show(from *exchange, t *transcript, index int) {
	l := t.log(index)
	for {
		if _, ok := l.id(l.shown + 1); !ok || l.holds() || r.awaitName(t, index) {
			break
		}
		l.shown++
		if m := r.body(t, index, l.shown); m != nil {
			r.deliver(from, t, index, m, false)
		}
	}
	switch waits := len(l.ahead) > 0 && l.highest() > l.shown; {
	case !waits:
		l.gapSince = time.Time{}
		delete(r.logs.gaps, l)
	case l.gapSince.IsZero():
		l.gapSince = r.now
		r.logs.gaps[l] = logRef{t: t, index: index}
		r.compareSoon("")
	}
}

// shownAfter reports whether a later message than one that came now was shown: not of those that
// are shown otherwise.
func (l *authorLog) shownAfter(counter uint64) bool {
	if len(l.outside) == 0 && len(l.about) == 0 {
		return true
	}
	for c := counter + 1; c <= l.shown; c++ {
		if _, ok := l.id(c); ok && !l.outside[c] {
			if _, about := l.about[c]; !about {
				return true
			}
		}
	}
	return false
}

// holds reports whether the next message is being opened, or its author's name is on its way: it is
// shown then.
func (l *authorLog) holds() bool {
	w := l.words[l.shown+1]
	return w != nil && w.holds || l.unnamed
}

// awaitName reports whether the author's name may still come: channels bring it to who is new, and
// what they say on the topic can be faster. It is waited for a second from when their commit came.
func (r *Room) awaitName(t *transcript, index int) bool {
	if r.head == nil || r.head.commit.ID() != t.id || index == t.ownIndex || r.author(t, index).Name != "" ||
		!r.now.Before(r.head.since.Add(nameTime)) {
		return false
	}
	t.log(index).unnamed = true
	r.names.awaited = append(r.names.awaited, logRef{t: t, index: index})
	return true
}

// showNamed shows what waited for its author's name.
func (r *Room) showNamed() {
	all := r.names.awaited
	r.names.awaited = nil
	for _, ref := range all {
		if r.logs.transcripts[ref.t.id] == ref.t {
			ref.t.log(ref.index).unnamed = false
			r.show(nil, ref.t, ref.index) // or it waits on
		}
	}
	if len(r.names.awaited) > 0 {
		r.wakeAt(r.head.since.Add(nameTime))
	}
}

// deliver shows one message; late tells that later ones of its author were shown
// before.
func (r *Room) deliver(from *exchange, t *transcript, index int, m *record.Signed, late bool) {
	if isOutside(m.Kind) {
		return // shown otherwise
	}
	if changes(m.Kind) {
		r.tellChange(t, index, m)
		return
	}
	d := Delivered{
		ID: m.ID(r.id), Author: r.author(t, index), Self: index == t.ownIndex,
		Message: m.Body, Epoch: m.Epoch, Received: r.now, Day: t.Brief.Period.Day(), Late: late, History: t.past,
		Hearsay: t.past, Away: t.reader && t.ownIndex < 0,
	}
	readWords(&d, t.log(index).words[m.Counter])
	r.showFile(&d)
	r.noteFound(d.ID, logRef{t, index, m.Counter})
	r.applyChanges(&d, t, index)
	r.countAbsent(m, d.Self)
	if (d.History || d.Away) && from != nil {
		d.By = from.peer
		from.countHistory(r, d)
	}
	r.emit(d)
}

// author is the member in a place of an epoch's list.
func (r *Room) author(t *transcript, index int) Member {
	e := &t.List[index]
	m := r.member(e.CID, e.Identity)
	if m.Name == "" {
		m.Name = nameIn(t.Transcript, index)
	}
	return m
}
