package room

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// What is kept of questions from outside, and what gives way: PROTOCOL.md §9.7.

// An asked is a question that is kept, or whose answers came before it.
type asked struct {
	id       ake.Hash
	question *record.Outside // nil: only answers are here
	shown    OutsideQuestion
	*words
	by      payer   // is charged for it
	others  []payer // took it, too
	kept    int     // counts what is kept: its order
	until   time.Time
	replies []reply
}

// A reply is an answer as it is kept, whether it opens or not.
type reply struct {
	*record.OutsideAnswer
	author ake.Hash // its cid
	by     payer
	tried  bool // it was read, or cannot be
	shown  OutsideAnswer
}

// A payer is to whom something is charged: a branch, and in it an author.
type payer struct{ branch, author [32]byte }

// charges count what is charged to each.
type charges map[[32]byte]int

func (c charges) add(p payer) {
	c[p.branch]++
	c[p.author]++
}

// more orders those first who are charged more.
func (c charges) more(a, b payer) int {
	return cmp.Or(c[b.branch]-c[a.branch], c[b.author]-c[a.author])
}

// noteOutside keeps a question from outside, or an answer to one, that came as a message.
func (r *Room) noteOutside(t *transcript, index int, m *record.Signed, history bool) {
	l := t.log(index)
	if l.outside == nil {
		l.outside = make(map[uint64]bool)
	}
	l.outside[m.Counter] = true
	at := time.UnixMilli(int64(min(m.Time, 1<<52)))
	by := payer{r.authorBranch(t, index), ake.Sum("author", t.List[index].Identity[:])} // so that no author is a branch
	if m.Kind == record.KindAnswer {
		if in, err := record.ParseOutsideAnswer([]byte(m.Text)); err == nil {
			a := r.asked(in.Question, by)
			a.addReply(reply{OutsideAnswer: in, author: m.CID, by: by, shown: OutsideAnswer{
				ID: in.Question, By: r.author(t, index), Self: t.List[index].Identity == r.identity, At: at, History: history,
			}})
			for _, n := range a.readReplies() {
				r.emit(n)
			}
		}
		return
	}
	q, err := record.ParseOutside([]byte(m.Text))
	if err != nil || !adjacent(q.Period.Day(), t.Brief.Period.Day()) || r.now.After(outsideOver(q)) {
		return
	}
	a := r.asked(q.ID(r.id), by)
	if a.question != nil { // another member took it, too
		if by != a.by && len(a.others) < maxPayers-1 && !slices.Contains(a.others, by) {
			a.others = append(a.others, by)
		}
		return
	}
	a.question, a.by, a.until = q, by, outsideOver(q)
	a.shown = OutsideQuestion{ID: a.id, By: r.author(t, index), At: at, For: q.For, History: history}
	if w := l.words[m.Counter]; w != nil {
		a.words = w // it was opened by an earlier process, or could not be
		return
	}
	a.words = &words{reading: NotOpened}
	l.noteWords(m.Counter, a.words)
	if _, can := r.cfg.Encapsulator.(Outsider); !can {
		a.reading = Unread
		return
	}
	r.words.queue = append(r.words.queue, &closedWords{
		logRef: logRef{t, index, m.Counter}, words: a.words, branch: by.branch,
		author: ake.Sum("question", t.List[index].Identity[:]), asked: a, // so that words and questions take turns
	})
}

// asked is what is kept under a question's id; if there is no room, in place of another.
func (r *Room) asked(id ake.Hash, by payer) *asked {
	o := &r.outside
	if a := o.byID[id]; a != nil {
		return a
	}
	if o.byID == nil {
		o.byID = make(map[ake.Hash]*asked)
	}
	if len(o.byID) >= maxOutside {
		c := o.charges()
		c.add(by)
		o.charge(c)
		last := slices.MinFunc(slices.Collect(maps.Values(o.byID)), func(a, b *asked) int {
			return cmp.Or(c.more(a.by, b.by), differ(a.answered(), b.answered()), a.kept-b.kept)
		})
		delete(o.byID, last.id)
		r.words.queue = slices.DeleteFunc(r.words.queue, func(w *closedWords) bool { return w.asked == last })
	}
	o.kept++
	a := &asked{id: id, by: by, kept: o.kept, words: &words{reading: NotOpened},
		until: r.now.Add(OutsideDays * 24 * time.Hour)}
	o.byID[id] = a
	return a
}

// maxPayers is how many of those who took a question may come to be charged for it: the first.
const maxPayers = 8

// charge charges each question to who is charged least of those who took it, as of now: else whoever
// takes what others took, and then makes up many, would have theirs give way with its own.
func (o *outsides) charge(c charges) {
	for _, a := range slices.SortedFunc(maps.Values(o.byID), func(a, b *asked) int { return a.kept - b.kept }) {
		for i, p := range a.others {
			if c.more(a.by, p) < 0 {
				c[a.by.branch]--
				c[a.by.author]--
				a.by, a.others[i] = p, a.by
				c.add(p)
			}
		}
	}
}

// answered reports whether a question was answered, as far as answers that came without it count.
func (a *asked) answered() bool { return a.question != nil && len(a.replies) > 0 }

// charges are those of all questions.
func (o *outsides) charges() charges {
	c := make(charges)
	for _, a := range o.byID {
		c.add(a.by)
	}
	return c
}

// outsideOver is until when a question is kept.
func outsideOver(q *record.Outside) time.Time { return (q.Period.Day() + 1 + OutsideDays).Start() }

// adjacent reports whether two days are one, or next to each other.
func adjacent(a, b abe.Day) bool { return a <= b+1 && b <= a+1 }

// differ orders what is false before what is true.
func differ(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// addReply keeps an answer; of too many, the newest of who is charged most gives way.
func (a *asked) addReply(n reply) {
	if slices.ContainsFunc(a.replies, func(o reply) bool {
		return o.author == n.author && string(o.Box) == string(n.Box)
	}) {
		return // another's copy of it is no answer, and keeps none from being read
	}
	a.replies = append(a.replies, n)
	if len(a.replies) <= record.MaxReplies {
		return
	}
	c, last := make(charges), 0
	for i := range a.replies {
		c.add(a.replies[i].by)
	}
	for i := range a.replies {
		if c.more(a.replies[i].by, a.replies[last].by) <= 0 {
			last = i
		}
	}
	a.replies = slices.Delete(a.replies, last, last+1)
}

// expireOutside forgets questions whose time is over.
func (r *Room) expireOutside() {
	for id, a := range r.outside.byID {
		if r.now.After(a.until) {
			delete(r.outside.byID, id)
		}
	}
}

// A savedOutside are the questions and answers that a journal has, of each author the newest.
type savedOutside struct {
	of map[[32]byte][]numbered
	n  int
}

type numbered struct {
	logRef
	n int // in the journal's order
}

func (s *savedOutside) add(ref logRef) {
	if s.of == nil {
		s.of = make(map[[32]byte][]numbered)
	}
	s.n++
	author := ref.t.List[ref.index].Identity
	all := append(s.of[author], numbered{ref, s.n})
	s.of[author] = all[max(len(all)-2*maxOutside, 0):]
}

// recallOutside keeps again what an earlier process kept.
func (r *Room) recallOutside(s savedOutside) {
	var all []numbered
	for _, refs := range s.of {
		all = append(all, refs...)
	}
	slices.SortFunc(all, func(a, b numbered) int { return a.n - b.n })
	for _, ref := range all {
		if m := r.body(ref.t, ref.index, ref.counter); m != nil && isOutside(m.Kind) {
			r.noteOutside(ref.t, ref.index, m, true)
		}
	}
	for _, a := range slices.SortedFunc(maps.Values(r.outside.byID), func(a, b *asked) int { return a.kept - b.kept }) {
		r.showOutside(a) // with what was answered
	}
}
