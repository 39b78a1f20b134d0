package room

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// Messages about messages: PROTOCOL.md §9.8. What is shown of a message follows from what
// one holds, in whatever order it came: so it is worked out when the message is shown, and
// what is about a message that is not here waits for it.

const (
	// MaxReactions is how many are shown of a message.
	MaxReactions = 64
	// maxAlike is how many edits, reactions or withdrawals of one peer are kept of a target:
	// the last counts, and others if that is not held any more.
	maxAlike = 8
	// maxFound is how many of the messages shown last are found by their ids at once; others
	// are looked for, findsAtOnce at once and findRate a second, for those of one branch half of that and
	// a fifth: anybody can name what is not here.
	maxFound    = 8192
	findRate    = 10.
	findsAtOnce = 50.
)

var (
	// ErrNoTarget is returned for what is about a message that is not here.
	ErrNoTarget = errors.New("that message is not here")
	// ErrTarget is returned for what cannot be about such a message.
	ErrTarget = errors.New("that cannot be about such a message")
	// ErrTargetTo is the same for words for some.
	ErrTargetTo = errors.New("those words are for some, and what is about them all would read")
	// ErrNotYours is returned for an edit or a withdrawal of what another said.
	ErrNotYours = errors.New("that message is not yours")
	// ErrWithdrawn is returned for what is about a message that was withdrawn.
	ErrWithdrawn = errors.New("that message was withdrawn")
	// ErrNoWordsLeft is returned for an edit or a reply without words.
	ErrNoWordsLeft = errors.New("there are no words in it")
)

// A Reaction is what one member shows of what they think of a message.
type Reaction struct {
	By   peer.ID
	Text string
}

// Changed: something was said about a message that was shown, and counts. Kind is that of
// the reaction, the edit or the withdrawal; the first without a Text is taken back.
type Changed struct {
	Target   ake.Hash
	Kind     byte
	By       Member
	Self     bool
	Text     string
	Time     uint64 // the author's, in milliseconds
	Received time.Time
	Day      abe.Day // of its epoch
	History  bool
	Away     bool // said while we were away
	// Of is the beginning of what it is about, as it is now.
	Of Quote
	// Shown are, of a message with so many reactions that not all may be shown, those that are.
	Shown []Reaction
}

func (Changed) event() {}

// At is when it was said, as that is shown.
func (c Changed) At() time.Time {
	return Delivered{Message: record.Body{Time: c.Time}, Received: c.Received, Day: c.Day, History: c.History,
		Away: c.Away}.ShownAt()
}

// Change is what a face makes of a change of what it shows.
func (d *Delivered) Change(c Changed) {
	switch c.Kind {
	case record.KindWithdrawal:
		d.Withdrawn, d.Edited, d.Message.Text, d.Reactions, d.File = true, false, "", nil, nil
	case record.KindEdit:
		d.Edited, d.Message.Text = true, c.Text
	case record.KindReaction:
		// Not in place: others may share the slice.
		all := make([]Reaction, 0, len(d.Reactions)+1)
		for _, r := range d.Reactions {
			if r.By != c.By.Peer {
				all = append(all, r)
			}
		}
		if c.Text != "" && (len(all) < MaxReactions || c.Self) {
			all = append(all, Reaction{c.By.Peer, c.Text})
		}
		if d.Reactions = all[max(0, len(all)-MaxReactions):]; c.Shown != nil {
			d.Reactions = c.Shown
		}
	}
}

// takesAbout reports whether a message of one kind can be about one of another.
func takesAbout(kind, target byte) bool {
	switch target {
	case record.KindText, record.KindAction, record.KindReply:
		return true
	case record.KindTo:
		return kind == record.KindWithdrawal
	case record.KindFile:
		return kind != record.KindEdit
	}
	return false
}

// changes reports whether messages of a kind change what is shown of others, and are not
// shown themselves.
func changes(kind byte) bool { return record.IsAbout(kind) && kind != record.KindReply }

// An aboutLog is where something about messages was said, and by whom.
type aboutLog struct {
	epoch    ake.Hash
	author   int
	identity [32]byte
}

// A change is one edit, reaction or withdrawal.
type change struct {
	*aboutLog
	counter, lamport uint64
	id               ake.Hash
	kind             byte
	empty            bool // there are no words in it
}

// compareChanges orders by kind and author, then the last first.
func compareChanges(a, b change) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), bytes.Compare(a.identity[:], b.identity[:]),
		cmp.Compare(b.lamport, a.lamport), compareHashes(b.id, a.id))
}

func (c *change) alike(o *change) bool { return c.kind == o.kind && c.identity == o.identity }

// changesOf are what was said about messages, by target, in order.
type changesOf map[ake.Hash][]change

// add takes one, and reports whether it is the last of its kind by its author.
func (of changesOf) add(target ake.Hash, c change) bool {
	all := of[target]
	at, held := slices.BinarySearchFunc(all, c, compareChanges)
	if held {
		return false
	}
	all = slices.Insert(all, at, c)
	first, last := at, at
	for first > 0 && all[first-1].alike(&c) {
		first--
	}
	for last+1 < len(all) && all[last+1].alike(&c) {
		last++
	}
	if last-first >= maxAlike {
		all = slices.Delete(all, last, last+1)
	}
	of[target] = all
	return at == first
}

// remove takes those away of which gone is true.
func (of changesOf) remove(target ake.Hash, gone func(change) bool) {
	if of[target] = slices.DeleteFunc(of[target], gone); len(of[target]) == 0 {
		delete(of, target)
	}
}

// last is the last of its kind by an author.
func (of changesOf) last(target ake.Hash, kind byte, identity [32]byte) (change, bool) {
	all := of[target]
	want := change{aboutLog: &aboutLog{identity: identity}, kind: kind, lamport: 1<<64 - 1}
	for i := range want.id {
		want.id[i] = 0xff
	}
	at, _ := slices.BinarySearchFunc(all, want, compareChanges)
	if at == len(all) || !all[at].alike(&want) {
		return change{}, false
	}
	return all[at], true
}

// A viewer is for whom it is worked out what is shown.
type viewer struct {
	self   [32]byte
	branch func(identity [32]byte) [32]byte // PROTOCOL.md §7.3; nil: nobody knows
	read   func(change) (words string, ok bool)
}

// reactions are those that are shown, of each peer the last: one's own, and of too many the
// first, by turns of branches.
func (of changesOf) reactions(target ake.Hash, v viewer) (out []change) {
	var own []change
	for i, c := range of[target] {
		if c.kind != record.KindReaction || i > 0 && of[target][i-1].alike(&c) || c.empty {
			continue
		}
		if c.identity == v.self {
			own = append(own, c)
			continue
		}
		out = append(out, c)
	}
	most := MaxReactions - len(own)
	said := func(a, b change) int { return cmp.Or(cmp.Compare(a.lamport, b.lamport), compareHashes(a.id, b.id)) }
	slices.SortFunc(out, said)
	if len(out) > most {
		if v.branch != nil {
			turns, turn := make(map[[32]byte]int), make(map[ake.Hash]int, len(out))
			for _, c := range out {
				b := v.branch(c.identity)
				turn[c.id] = turns[b]
				turns[b]++
			}
			slices.SortStableFunc(out, func(a, b change) int { return turn[a.id] - turn[b.id] })
		}
		out = out[:most]
	}
	out = append(out, own...)
	slices.SortFunc(out, said)
	return out
}

// apply puts into what is shown of a message what was said about it.
func (of changesOf) apply(d *Delivered, author [32]byte, v viewer) {
	of.applyWords(d, author, v)
	if d.Withdrawn || !takesAbout(record.KindReaction, d.Message.Kind) || len(of[d.ID]) == 0 {
		return
	}
	d.Reactions = of.shown(d.ID, v)
}

// shown are the reactions to a message that are shown, with their words.
func (of changesOf) shown(target ake.Hash, v viewer) (out []Reaction) {
	for _, c := range of.reactions(target, v) {
		if words, ok := v.read(c); ok {
			out = append(out, Reaction{peerOf(c.identity), words})
		}
	}
	return out
}

// applyWords is apply without the reactions, of which each is read where it is: a quote has none.
func (of changesOf) applyWords(d *Delivered, author [32]byte, v viewer) {
	if d.Message.Kind == record.KindReply {
		if a, err := record.ParseAbout(record.KindReply, d.Message.Text); err == nil {
			d.ReplyTo, d.Message.Text = a.Target, a.Words
		}
	}
	if len(of[d.ID]) == 0 {
		return
	}
	if _, ok := of.last(d.ID, record.KindWithdrawal, author); ok && takesAbout(record.KindWithdrawal, d.Message.Kind) {
		d.Withdrawn, d.Message.Text, d.File = true, "", nil
		return
	}
	if takesAbout(record.KindEdit, d.Message.Kind) {
		if c, ok := of.last(d.ID, record.KindEdit, author); ok {
			if words, ok := v.read(c); ok {
				d.Edited, d.Message.Text = true, words
			}
		}
	}
}

// wordsAbout are the words of a message about another.
func wordsAbout(m *record.Signed) (string, bool) {
	if m == nil {
		return "", false
	}
	a, err := record.ParseAbout(m.Kind, m.Text)
	if err != nil {
		return "", false
	}
	return a.Words, true
}

// An abouts is what a room knows of it.
type abouts struct {
	of    changesOf
	found map[ake.Hash]logRef // of those shown last
	order []ake.Hash          // of these, oldest first
	pace  pace
	paces map[[32]byte]*pace // by branch
}

// noteChange takes a change that counts: it reports whether it is the last of its kind.
func (r *Room) noteChange(t *transcript, index int, n note) bool {
	l := t.log(index)
	if l.about == nil {
		l.about = make(map[uint64]ake.Hash)
		l.aboutLog = &aboutLog{t.id, index, t.List[index].Identity}
	}
	l.about[n.counter] = n.target
	return r.about.of.add(n.target, change{l.aboutLog, n.counter, n.lamport, n.id, n.kind, n.empty()})
}

// replaceChange has another message under a counter count in the place of one that did.
func (r *Room) replaceChange(t *transcript, index int, m *record.Signed) {
	l := t.log(index)
	if target, ok := l.about[m.Counter]; ok {
		delete(l.about, m.Counter)
		r.about.of.remove(target, func(c change) bool { return c.aboutLog == l.aboutLog && c.counter == m.Counter })
	}
	if changes(m.Kind) {
		r.noteChange(t, index, noteOf(r.id, m))
	}
}

// found notes where a message is that was shown.
func (r *Room) noteFound(id ake.Hash, ref logRef) {
	a := &r.about
	if _, ok := a.found[id]; !ok {
		a.order = append(a.order, id)
	}
	if a.found[id] = ref; len(a.order) > maxFound {
		delete(a.found, a.order[0])
		a.order = a.order[1:]
	}
}

// find is where a message is that an author names; no transcript: our user does.
func (r *Room) find(id ake.Hash, by *transcript, index int) (ref logRef, ok bool) {
	if ref, ok := r.about.found[id]; ok && r.logs.transcripts[ref.t.id] == ref.t {
		if held, _ := ref.t.log(ref.index).id(ref.counter); held == id {
			return ref, true
		}
	}
	if by != nil && index != by.ownIndex && !r.mayLook(r.authorBranch(by, index)) {
		return ref, false
	}
	for _, t := range r.logs.transcripts {
		for i := range t.logs {
			l := t.log(i)
			if at := slices.Index(l.ids, id); at >= 0 {
				return logRef{t, i, uint64(at) + 1}, true
			}
			for c, held := range l.ahead {
				if held == id {
					return logRef{t, i, c}, true
				}
			}
		}
	}
	return ref, false
}

// mayLook reports whether a message may be looked for that those of a branch name.
func (r *Room) mayLook(branch [32]byte) bool {
	all := &r.about.pace
	all.refill(r.now, findRate, findsAtOnce)
	p := paceOf(r.about.paces, branch, r.now, findRate/5, findsAtOnce/2)
	if min(p.tokens, all.tokens) < 1 {
		return false
	}
	p.tokens--
	all.tokens--
	return true
}

// read reads the words of a change.
func (r *Room) readChange(c change) (string, bool) {
	t := r.logs.transcripts[c.epoch]
	if t == nil {
		return "", false
	}
	m := r.body(t, c.author, c.counter)
	if m == nil || m.ID(r.id) != c.id {
		return "", false
	}
	return wordsAbout(m)
}

func (r *Room) viewer() viewer {
	branch := func(identity [32]byte) [32]byte {
		b, _ := r.branchOf(r.today(), ake.Hash{}, identity)
		return b
	}
	return viewer{r.identity, branch, r.readChange}
}

// applyChanges puts into what is shown of a message what was said about it, and the quote of
// what it answers.
func (r *Room) applyChanges(d *Delivered, t *transcript, index int) {
	r.about.of.apply(d, t.List[index].Identity, r.viewer())
	if d.ReplyTo != (ake.Hash{}) {
		d.Quote = r.quote(d.ReplyTo, t, index)
	}
}

// Reactions are those to a message that are shown now. What was read back does not know whose branch
// each is of, and which ones are shown of too many.
func (r *Room) Reactions(target ake.Hash) []Reaction { return r.about.of.shown(target, r.viewer()) }

// tellChange tells of a change that was said now, if it counts, and its target is here.
func (r *Room) tellChange(t *transcript, index int, m *record.Signed) {
	a, err := record.ParseAbout(m.Kind, m.Text)
	if err != nil {
		return
	}
	id, by := m.ID(r.id), t.List[index].Identity
	if last, ok := r.about.of.last(a.Target, m.Kind, by); !ok || last.id != id {
		return
	}
	ref, ok := r.find(a.Target, t, index)
	if !ok || ref.counter > ref.t.log(ref.index).shown {
		return // it is shown so when it comes
	}
	target := r.body(ref.t, ref.index, ref.counter)
	if target == nil || !takesAbout(m.Kind, target.Kind) {
		return
	}
	author := ref.t.List[ref.index].Identity
	if m.Kind != record.KindReaction && author != by {
		return
	}
	if _, gone := r.about.of.last(a.Target, record.KindWithdrawal, author); gone && m.Kind != record.KindWithdrawal {
		return
	}
	e := Changed{
		Target: a.Target, Kind: m.Kind, By: r.author(t, index), Self: index == t.ownIndex, Text: a.Words, Time: m.Time,
		Received: r.now, Day: t.Brief.Period.Day(), History: t.past,
		Away: t.reader && t.ownIndex < 0,
	}
	d := Delivered{ID: a.Target, Author: r.author(ref.t, ref.index), Self: ref.index == ref.t.ownIndex,
		Received: r.now, Day: ref.t.Brief.Period.Day(), History: true}
	d.Message = target.Body
	readFile(&d)
	r.about.of.applyWords(&d, author, r.viewer())
	e.Of = *d.quoted()
	if e.Kind == record.KindReaction {
		if all := r.about.of.shown(a.Target, r.viewer()); len(all) >= MaxReactions {
			e.Shown = all
		}
	}
	r.emit(e)
}

// SendAbout is Send for what is about another message: of kinds 6 to 9. The errors are those
// of Send, and those of this file.
func (r *Room) SendAbout(now time.Time, ref any, kind byte, target ake.Hash, words string) error {
	least, most := record.WordsAbout(kind)
	switch {
	case !record.IsAbout(kind):
		return ErrTarget
	case len(words) < least:
		return ErrNoWordsLeft
	}
	if err := checkText(words, most); err != nil {
		return err
	}
	at, ok := r.find(target, nil, 0)
	if !ok {
		return ErrNoTarget
	}
	m := r.body(at.t, at.index, at.counter)
	if m == nil {
		return ErrNoTarget
	}
	author := at.t.List[at.index].Identity
	switch {
	case m.Kind == record.KindTo && kind != record.KindWithdrawal:
		return ErrTargetTo
	case !takesAbout(kind, m.Kind):
		return ErrTarget
	case (kind == record.KindEdit || kind == record.KindWithdrawal) && author != r.identity:
		return ErrNotYours
	}
	if _, gone := r.about.of.last(target, record.KindWithdrawal, author); gone {
		return fmt.Errorf("%w", ErrWithdrawn)
	}
	a := record.About{Target: target, Words: words}
	return r.say(now, held{ref: ref, kind: kind, text: a.Text()})
}
