package room

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// about says something about a message: of half of them whether it may or not.
func (w *sim) about(s *simNode, kind byte) {
	w.said++
	target := ake.Sum("no message")
	if n := len(s.messages); n > 0 && w.said%9 > 0 {
		target = s.messages[w.said*31%n].ID
	}
	a := record.About{Target: target}
	switch kind {
	case record.KindReply, record.KindEdit:
		a.Words = fmt.Sprintf("%s about #%d", s.name, w.said)
	case record.KindReaction:
		a.Words = []string{"", "+", "-", "!"}[w.said%4]
	}
	var err error
	if w.said%2 == 0 {
		err = s.room.SendAbout(s.clock(), a.Words, kind, target, a.Words)
	} else {
		err = s.room.say(s.clock(), held{ref: a.Words, kind: kind, text: a.Text()})
	}
	if err == nil {
		w.typed(s)
	}
	w.drain(s)
}

// views are what a process has shown of messages, as a face keeps them.
func (k *looker) views(s *simNode) map[ake.Hash]*Delivered {
	o := k.of(s)
	if o.views == nil {
		o.views = make(map[ake.Hash]*Delivered)
	}
	return o.views
}

// changed is what a face makes of an event.
func (k *looker) changed(s *simNode, e Changed) {
	d := k.views(s)[e.Target]
	if d == nil {
		k.w.fail("about", "%s is told of a change of what it was not shown", s.name)
	}
	d.Change(e)
}

// changedText: only an author changes words, in whichever process.
func (k *looker) changedText(s *simNode, d Delivered) {
	p := k.ids[d.Author.Peer]
	if d.Withdrawn && d.Message.Text != "" || d.Edited && !strings.HasPrefix(d.Message.Text, fmt.Sprintf("%c%d.", p.kind, p.index)) {
		k.w.fail("about", "%s shows %q as of %s", s.name, d.Message.Text, d.Author.Name)
	}
}

// shownAs is what is shown of a message, without the order of reactions.
func shownAs(d *Delivered) string {
	by := make(map[string]string)
	for _, r := range d.Reactions {
		by[string(r.By)] = r.Text
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q %v %v %x", d.Message.Text, d.Edited, d.Withdrawn, d.ReplyTo[:4])
	for _, p := range slices.Sorted(maps.Keys(by)) {
		fmt.Fprintf(&b, " %x %q", p[len(p)-4:], by[p])
	}
	return b.String()
}

// changesAgree: what each process has shown, event after event, is what it would show now;
// and it is the same at all who hold the same.
func (k *looker) changesAgree(comp []*simNode) *failure {
	for _, s := range comp {
		r := s.room
		for id, d := range k.views(s) {
			ref, ok := r.find(id, nil, 0)
			if !ok || d.Reading == NotOpened {
				continue
			}
			now := Delivered{ID: id, Message: r.body(ref.t, ref.index, ref.counter).Body}
			readFile(&now)
			readWords(&now, ref.t.log(ref.index).words[ref.counter])
			r.about.of.apply(&now, ref.t.List[ref.index].Identity, r.viewer())
			if a, b := shownAs(d), shownAs(&now); a != b {
				return &failure{rule: "rest-about", text: fmt.Sprintf("%s shows %s, and holds %s", s.name, a, b)}
			}
		}
		for _, o := range comp {
			if target := differAbout(s, o); target != nil {
				return &failure{rule: "rest-about", text: fmt.Sprintf("%s and %s differ about %x", s.name, o.name, target[:4])}
			}
		}
	}
	return nil
}

// differAbout is a message of which two that hold the same of what was said about it do not
// show the same; nil: there is none.
func differAbout(a, b *simNode) *ake.Hash {
	both := func(c change) bool {
		t, x := a.room.logs.transcripts[c.epoch], b.room.logs.transcripts[c.epoch]
		return t != nil && x != nil && t.sum(a.room.id) == x.sum(b.room.id)
	}
	for target := range a.room.about.of {
		if !slices.Equal(counting(a.room, target, both), counting(b.room, target, both)) {
			return &target
		}
	}
	return nil
}

// counting are the changes that count of a target, of those for which ok holds.
func counting(r *Room, target ake.Hash, ok func(change) bool) (out []ake.Hash) {
	var last *change
	for _, c := range r.about.of[target] {
		if ok(c) && (last == nil || !last.alike(&c)) {
			out = append(out, c.id)
			last = &c
		}
	}
	return out
}

// TestSimulateAbout: schedules in which members say what changes what others are shown of
// messages, and what must not.
func TestSimulateAbout(t *testing.T) {
	count := 60
	if testing.Short() {
		count = 10
	}
	var edited, withdrawn, reactions, replies int
	for i := range uint64(count) {
		s := generate(firstAboutSeed + i)
		w, f := s.runWatched()
		if f != nil {
			s.report(t, f)
		}
		for _, o := range w.looker.procs {
			for _, d := range o.views {
				reactions += len(d.Reactions)
				if d.Edited {
					edited++
				}
				if d.Withdrawn {
					withdrawn++
				}
				if d.Quote != nil {
					replies++
				}
			}
		}
	}
	if least := count; edited < least || withdrawn < least || reactions < least || replies < least {
		t.Errorf("the test shows little: %d edited, %d withdrawn, %d reactions, %d quotes", edited, withdrawn, reactions, replies)
	}
	t.Logf("%d edited, %d withdrawn, %d reactions, %d quotes", edited, withdrawn, reactions, replies)
}
