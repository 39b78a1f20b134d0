package room

// What is shown of what was said: PROTOCOL.md §9.1.

import (
	"time"

	"coterie/room/record"
)

// show shows an author's messages in order, as far as none is missing.
func (r *Room) show(from *exchange, t *transcript, index int) {
	l := t.log(index)
	for {
		if _, ok := l.id(l.shown + 1); !ok || l.holds() {
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

// holds reports whether the next message is being opened, and shown then.
func (l *authorLog) holds() bool {
	w := l.words[l.shown+1]
	return w != nil && w.holds
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
		Message: m.Body, Epoch: m.Epoch, Received: r.now, Late: late, History: t.past, Hearsay: t.past,
		Away: t.reader && t.ownIndex < 0,
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
