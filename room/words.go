package room

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// Words for some: PROTOCOL.md §9.6. Everybody has the message, and only those read it
// whose key satisfies its policy. All others open it, too, and find nothing: nobody can
// tell by what a member does whether it could.

const (
	// wordsAtOnce is how many words for some are opened as they come, and wordsRate
	// how many more a second: each costs what a proof costs.
	wordsAtOnce = 20
	wordsRate   = 20. / 60
	// maxClosedWords is how many wait to be opened. The branch with most makes room.
	maxClosedWords = 4096
	// wordsMark is added to a message's counter where a journal has what came of its words: it
	// goes there when the message goes.
	wordsMark = 1 << 63
)

var (
	// ErrWordsPolicy is returned for a policy to which no words can be said.
	ErrWordsPolicy = errors.New("the policy is too large to say words to it")
	// ErrNoWords is returned if the room's Encapsulator knows no other policies.
	ErrNoWords = errors.New("this peer can say nothing to some alone")
)

// A Whisperer is an Encapsulator that can also say words to some: under other policies of
// its domain.
type Whisperer interface {
	// MakeWords makes the encapsulation of words for those who satisfy a policy on a day.
	MakeWords(seed ake.Secret, policy *abe.Policy, day abe.Day, c *ake.WordsContext) ([]byte, ake.WordsKey, error)
	// OpenWords opens one; the error is ake.ErrNotOpened. It takes as long if it does not open.
	OpenWords(policy *abe.Policy, day abe.Day, c *ake.WordsContext, enc []byte) (ake.WordsKey, error)
}

// MakeWords is one ABE encryption.
func (s *ABE) MakeWords(seed ake.Secret, policy *abe.Policy, day abe.Day, c *ake.WordsContext) ([]byte,
	ake.WordsKey, error) {
	dp, err := s.key.Domain().ForDay(policy, day)
	if err != nil {
		return nil, ake.WordsKey{}, err
	}
	return ake.MakeWords(seed, dp, c)
}

// OpenWords is one ABE decryption and one encryption.
func (s *ABE) OpenWords(policy *abe.Policy, day abe.Day, c *ake.WordsContext, enc []byte) (ake.WordsKey, error) {
	dp, err := s.key.Domain().ForDay(policy, day)
	if err != nil {
		return ake.WordsKey{}, err
	}
	return ake.OpenWords(s.key, dp, c, enc)
}

// Reading is whether words for some can be read here.
type Reading byte

const (
	ForAll    Reading = iota // they are words for all
	Read                     // they are opened, or our own
	Unread                   // our key does not open them
	NotOpened                // they wait for their turn to be opened
)

// Opened: words for some that were shown before they were opened were opened now, or are
// found not to open. The message is as in Delivered.
type Opened struct{ Delivered }

// words is what came of one message for some.
type words struct {
	reading Reading
	key     ake.WordsKey
	holds   bool // its author's log is shown on when it is opened
}

// A closedWords waits to be opened.
type closedWords struct {
	logRef
	*words
	branch, author [32]byte
	asked          *asked // it is a question from outside
}

// closed are all of them, and whose turn it is.
type closed struct {
	queue   []*closedWords
	opening bool
	pace    pace
	turn    int              // counts what was opened
	turns   map[[32]byte]int // the last turns of branches and of authors
}

// An address is to whom held words are said, and what was made for them.
type address struct {
	policy *abe.Policy
	making bool
	made   *ake.WordsContext // what the others are for
	enc    []byte
	key    ake.WordsKey
	err    error
}

// CheckWords says why words cannot be said to those who satisfy a policy. The errors are
// ErrWordsPolicy, ErrTooLong and ErrText.
func CheckWords(policy *abe.Policy, text string) error {
	limit := record.MaxWords(policy)
	switch {
	case limit < 0:
		return ErrWordsPolicy
	case len(text) > limit:
		return fmt.Errorf("%w: %d bytes; the limit is %d", ErrTooLong, len(text), limit)
	case !utf8.ValidString(text):
		return ErrText
	}
	return nil
}

// SendTo is Send for words that only those read whose keys satisfy a policy. The errors
// are those of Send and CheckWords, and ErrNoWords.
func (r *Room) SendTo(now time.Time, ref any, policy *abe.Policy, text string) error {
	if _, can := r.cfg.Encapsulator.(Whisperer); !can {
		return ErrNoWords
	}
	if err := CheckWords(policy, text); err != nil {
		return err
	}
	return r.say(now, held{ref: ref, kind: record.KindTo, text: text, to: &address{policy: policy}})
}

func (r *Room) wordsContext(t *transcript, index int, counter uint64, policy string) *ake.WordsContext {
	return &ake.WordsContext{Room: r.id, Epoch: t.id, Author: t.List[index].CID, Counter: counter, Policy: policy}
}

// addressed reports whether what is needed to send held words was made for the message that
// comes next. If it was made for another, since the head is another, it is made anew.
func (r *Room) addressed(a *address) bool {
	e := r.head
	t := r.logs.transcripts[e.commit.ID()]
	if t == nil {
		return false // there was no room for it
	}
	want := r.wordsContext(t, e.ownIndex, e.keys.Chain(e.ownIndex).Upcoming(), a.policy.String())
	if a.made != nil && *a.made == *want || a.err != nil {
		return true
	}
	whisperer, can := r.cfg.Encapsulator.(Whisperer)
	if a.making || !can {
		return false
	}
	a.making = true
	seed, policy, day := r.draw(), a.policy, e.commit.Period.Day()
	type made struct {
		enc []byte
		key ake.WordsKey
		err error
	}
	r.task(func() any {
		defer seed.Erase()
		enc, key, err := whisperer.MakeWords(seed, policy, day, want)
		return made{enc, key, err}
	}, func(result any) {
		m := result.(made)
		a.making, a.made, a.enc, a.key, a.err = false, want, m.enc, m.key, m.err
	})
	return false
}

// sealWords is the body's text of words for some.
func (a *address) sealWords(text string) (string, error) {
	if a.err != nil {
		return "", a.err
	}
	sealed, err := a.key.Seal(text)
	if err != nil {
		return "", err
	}
	w := record.Words{Policy: a.policy.String(), Encapsulation: a.enc, Sealed: sealed}
	return string(w.Append(nil)), nil
}

// readWords puts into what is shown of a message the words in it, if they can be read.
func readWords(d *Delivered, w *words) {
	if d.Message.Kind != record.KindTo {
		return
	}
	in, err := record.ParseWords(d.Message.Text)
	d.Message.Text, d.Reading = "", NotOpened
	if err != nil {
		return
	}
	d.To = in.Policy
	if w == nil {
		return
	}
	if d.Reading = w.reading; w.reading == Read {
		if d.Message.Text, err = w.key.Open(in.Sealed); err != nil {
			d.Reading = Unread
		}
	}
}

// noteWords notes what came of words.
func (l *authorLog) noteWords(counter uint64, w *words) {
	if l.words == nil {
		l.words = make(map[uint64]*words)
	}
	l.words[counter] = w
}

// queueWords has the words of a message opened: at once, if nobody's wait and there have not
// been too many, and then the author's log is shown on when that is done.
func (r *Room) queueWords(t *transcript, index int, counter uint64, live bool) {
	l := t.log(index)
	if l.words[counter] != nil {
		return
	}
	c := &r.words
	w := &closedWords{logRef{t, index, counter}, &words{reading: NotOpened}, r.authorBranch(t, index),
		ake.Sum("author", t.List[index].Identity[:]), nil} // so that no author is a branch
	if _, can := r.cfg.Encapsulator.(Whisperer); !can {
		w.reading = Unread
		l.noteWords(counter, w.words)
		return
	}
	if len(c.queue) >= maxClosedWords && !r.makeRoomForWords(w.branch) {
		return
	}
	c.pace.refill(r.now, wordsRate, wordsAtOnce)
	atOnce, waiting := 0, 0
	for _, o := range c.queue {
		if o.holds {
			atOnce++
		}
		if o.asked == nil {
			waiting++
		}
	}
	w.holds = live && atOnce == waiting && float64(atOnce)+1 <= c.pace.tokens
	l.noteWords(counter, w.words)
	c.queue = append(c.queue, w)
}

// makeRoomForWords lets go of the last that wait of the branch of which most do, unless it
// is the newcomer's own.
func (r *Room) makeRoomForWords(own [32]byte) bool {
	waiting := make(map[[32]byte]int)
	for _, w := range r.words.queue {
		waiting[w.branch]++
	}
	most := own
	for i := range r.words.queue {
		if b := r.words.queue[i].branch; waiting[b] > waiting[most] {
			most = b
		}
	}
	for i := len(r.words.queue) - 1; most != own && i >= 0; i-- {
		if w := r.words.queue[i]; w.branch == most && !w.holds {
			delete(w.t.log(w.index).words, w.counter)
			r.words.queue = slices.Delete(r.words.queue, i, i+1)
			return true
		}
	}
	return false
}

// openWords opens the words whose turn it is: one at a time, those first that their authors'
// logs wait for; then branches take turns, and in each its authors.
func (r *Room) openWords() {
	c := &r.words
	if c.opening || len(c.queue) == 0 {
		return
	}
	if !c.pace.spend(1, r.now, wordsRate, wordsAtOnce) {
		r.wakeAt(c.pace.next(wordsRate))
		return
	}
	c.queue = slices.DeleteFunc(c.queue, func(w *closedWords) bool {
		if w.asked != nil {
			return r.outside.byID[w.asked.id] != w.asked
		}
		return r.logs.transcripts[w.t.id] != w.t
	})
	if len(c.queue) == 0 {
		return
	}
	next := 0
	for i, w := range c.queue {
		if c.before(w, c.queue[next]) {
			next = i
		}
	}
	w := c.queue[next]
	if c.queue = slices.Delete(c.queue, next, next+1); len(c.queue) == 0 {
		clear(c.turns)
	}
	if c.turns == nil {
		c.turns = make(map[[32]byte]int)
	}
	c.turn++
	c.turns[w.branch], c.turns[w.author] = c.turn, c.turn
	if w.asked != nil {
		r.openOutside(w)
		return
	}
	r.openOne(w)
}

func (c *closed) before(w, o *closedWords) bool {
	if w.holds != o.holds {
		return w.holds
	}
	if w.holds {
		return false // in the order in which they came
	}
	return cmp.Or(c.turns[w.branch]-c.turns[o.branch], c.turns[w.author]-c.turns[o.author]) < 0
}

// openOne opens the words of one message, off the loop. Whatever comes of it, nothing is
// sent, and as much is done.
func (r *Room) openOne(w *closedWords) {
	m := r.body(w.t, w.index, w.counter)
	if m == nil || m.Kind != record.KindTo {
		r.openedWords(w, nil)
		return
	}
	in, err := record.ParseWords(m.Text)
	if err != nil {
		r.openedWords(w, nil)
		return
	}
	policy, err := abe.ParsePolicy(in.Policy)
	if err != nil {
		r.openedWords(w, nil)
		return
	}
	whisperer := r.cfg.Encapsulator.(Whisperer)
	ctx, day := r.wordsContext(w.t, w.index, w.counter, in.Policy), w.t.Brief.Period.Day()
	r.words.opening = true
	r.task(func() any {
		key, err := whisperer.OpenWords(policy, day, ctx, in.Encapsulation)
		if err != nil {
			return nil
		}
		return &key
	}, func(result any) {
		r.words.opening = false
		key, _ := result.(*ake.WordsKey)
		r.openedWords(w, key)
	})
}

// openedWords notes what came of an opening, has it saved, and shows it.
func (r *Room) openedWords(w *closedWords, key *ake.WordsKey) {
	if w.reading = Unread; key != nil {
		w.reading, w.key = Read, *key
	}
	if r.logs.transcripts[w.t.id] != w.t {
		return
	}
	r.saveWords(w.t, w.index, w.counter, w.words)
	if w.holds {
		w.holds = false
		r.show(nil, w.t, w.index)
		return
	}
	if m := r.body(w.t, w.index, w.counter); m != nil {
		d := Delivered{
			ID: m.ID(r.id), Author: r.author(w.t, w.index), Self: w.index == w.t.ownIndex, Message: m.Body,
			Epoch: m.Epoch, Received: r.now, Day: w.t.Brief.Period.Day(), History: w.t.past, Hearsay: w.t.past,
			Away: w.t.reader && w.t.ownIndex < 0,
		}
		readWords(&d, w.words)
		r.applyChanges(&d, w.t, w.index)
		r.emit(Opened{d})
	}
}

// saveWords has what came of words kept beside their message: their key, if they opened.
func (r *Room) saveWords(t *transcript, index int, counter uint64, w *words) {
	if r.cfg.Journal == nil || counter <= t.log(index).gone {
		return
	}
	data := []byte{0}
	if w.reading == Read {
		data = w.key.Append([]byte{1})
	}
	r.ready.Save = append(r.ready.Save,
		Saved{Epoch: t.id, Author: index, Counter: wordsMark | counter, At: r.now, Data: data, Note: data})
}

// savedWords is what a journal has of the words of a message; nil: they were not opened.
func savedWords(j Journal, epoch ake.Hash, author int, counter uint64) (*words, error) {
	marks, err := j.Messages(epoch, author, wordsMark|counter, wordsMark|counter)
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	return parseWords(marks[len(marks)-1]), nil
}

// parseWords takes what came of words as it was saved.
func parseWords(s Saved) *words {
	if len(s.Note) == 1+ake.SecretSize && s.Note[0] == 1 {
		if key, err := ake.SecretFromBytes(s.Note[1:]); err == nil {
			return &words{reading: Read, key: ake.WordsKey{Secret: key}}
		}
	}
	return &words{reading: Unread}
}
