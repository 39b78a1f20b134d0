package room

import (
	"unicode/utf8"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// maxQuote is how many bytes are quoted of a message.
const maxQuote = 512

// A Quote is the beginning of the message that a reply answers, as it is here.
type Quote struct {
	Author    Member
	Self      bool
	Text      string
	Withdrawn bool
	Time      uint64 // that is shown, in milliseconds
}

// quote is the beginning of a message that an author answers, as it is here; nil: it is not, or is for
// some.
func (r *Room) quote(id ake.Hash, by *transcript, index int) *Quote {
	ref, ok := r.find(id, by, index)
	if !ok {
		return nil
	}
	m := r.body(ref.t, ref.index, ref.counter)
	if m == nil || !takesAbout(record.KindReply, m.Kind) || m.ID(r.id) != id {
		return nil
	}
	d := Delivered{ID: id, Author: r.author(ref.t, ref.index), Self: ref.index == ref.t.ownIndex, Message: m.Body,
		Received: r.now, Day: ref.t.Brief.Period.Day(), History: true}
	readFile(&d)
	r.about.of.applyWords(&d, ref.t.List[ref.index].Identity, r.viewer())
	return d.quoted()
}

// quoted is what is quoted of a message as it is shown.
func (d *Delivered) quoted() *Quote {
	q := &Quote{Author: d.Author, Self: d.Self, Text: d.Message.Text, Withdrawn: d.Withdrawn,
		Time: uint64(d.ShownAt().UnixMilli())}
	for n := maxQuote; len(q.Text) > maxQuote; n-- {
		if utf8.RuneStart(q.Text[n]) {
			q.Text = q.Text[:n]
		}
	}
	return q
}

// Quotes puts quotes into replies to messages that are among them.
func Quotes(all []Delivered) {
	at := make(map[ake.Hash]int, len(all))
	for i := range all {
		at[all[i].ID] = i
	}
	for i := range all {
		d := &all[i]
		if target, ok := at[d.ReplyTo]; ok && d.Quote == nil && takesAbout(record.KindReply, all[target].Message.Kind) {
			d.Quote = all[target].quoted()
		}
	}
}
