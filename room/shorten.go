package room

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// What is kept of what was said has a bound in bytes, too: PROTOCOL.md §9.1. The branch
// with most gives way. Of its author with most what is oldest goes, but for the ids: so two
// members compare as before, and nothing that went is fetched again.

const (
	// entryCost is about what an entry takes on disk besides its text: ids, signature,
	// seal and its share of a page.
	entryCost = 400
	// wordsCost is what it takes to note what came of words for some.
	wordsCost = 200
	// maxRestIDs is how many ids are saved in one piece.
	maxRestIDs = 16384
	// orphansEvery is how often what lost its edit or withdrawal is looked for.
	orphansEvery = time.Second
)

// limitsOf are the limits for so many bytes on disk, 0 for no bound: a quarter is for
// lists, ids, and what pages waste.
func limitsOf(keep int64) logLimits {
	if keep <= 0 {
		return logLimits{maxTranscripts, maxPlaces, maxMessages, 0}
	}
	return logLimits{
		transcripts: maxTranscripts,
		places:      int(min(maxPlaces, max(keep/4096, 2*record.MaxMembers))),
		messages:    int(min(maxMessages, keep/1024)),
		bytes:       keep / 4 * 3,
	}
}

// Shortened: of what an author said in an epoch, the first messages are not kept any more,
// since what is kept has a bound.
type Shortened struct {
	Author      Member
	Epoch       ake.Hash
	First, Last uint64 // counters
	Count       int    // of those that were held
	// Since and Until are the author's times of the first and the last; zeros if they
	// are not known.
	Since, Until time.Time
	// Before: it went earlier, and is found missing now.
	Before bool
}

func (Shortened) event() {}

// A Rest is what stays of an author's messages First .. Last in an epoch: their ids, zeros
// where none was held.
type Rest struct {
	First, Last  uint64
	Since, Until uint64 // the author's times of the first and the last, in milliseconds
	Lamport      uint64 // of the last
	IDs          []ake.Hash
}

func (r *Rest) append(b []byte) []byte {
	for _, n := range [3]uint64{r.Since, r.Until, r.Lamport} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, id := range r.IDs {
		b = append(b, id[:]...)
	}
	return b
}

// ParseRest takes what stays of messages as it was saved.
func ParseRest(s Saved) (*Rest, error) {
	n := (len(s.Data) - 24) / len(ake.Hash{})
	if n < 1 || len(s.Data) != 24+n*len(ake.Hash{}) || n > maxRestIDs || uint64(n) > s.Counter ||
		s.Counter > maxAuthorLog {
		return nil, fmt.Errorf("%w: rest of a log", record.ErrForm)
	}
	r := &Rest{First: s.Counter - uint64(n) + 1, Last: s.Counter, IDs: make([]ake.Hash, n)}
	for i, to := range [3]*uint64{&r.Since, &r.Until, &r.Lamport} {
		*to = binary.BigEndian.Uint64(s.Data[8*i:])
	}
	for i := range r.IDs {
		r.IDs[i] = ake.Hash(s.Data[24+i*len(ake.Hash{}):])
	}
	return r, nil
}

// Shortened is what is said of it.
func (r *Rest) Shortened(author Member, epoch ake.Hash) Shortened {
	s := Shortened{Author: author, Epoch: epoch, First: r.First, Last: r.Last, Before: true}
	for _, id := range r.IDs {
		if id != (ake.Hash{}) {
			s.Count++
		}
	}
	for _, at := range [2]struct {
		from uint64
		to   *time.Time
	}{{r.Since, &s.Since}, {r.Until, &s.Until}} {
		if at.from > 0 {
			*at.to = time.UnixMilli(int64(min(at.from, 1<<52)))
		}
	}
	return s
}

// JoinShortened makes one of each author's.
func JoinShortened(all []Shortened) (out []Shortened) {
	place := make(map[peer.ID]int)
	for _, s := range all {
		i, ok := place[s.Author.Peer]
		if !ok {
			place[s.Author.Peer] = len(out)
			out = append(out, s)
			continue
		}
		o := &out[i]
		o.Count += s.Count
		if o.Since.IsZero() || !s.Since.IsZero() && s.Since.Before(o.Since) {
			o.Since = s.Since
		}
		if s.Until.After(o.Until) {
			o.Until = s.Until
		}
	}
	return out
}

// savedBytes is about what a message takes on disk besides its seal.
func savedBytes(kind byte, text int) int {
	if kind == record.KindTo || kind == record.KindQuestion {
		return text + wordsCost
	}
	return text
}

// countBytes counts what a message takes on disk: n bytes, and entryCost.
func (r *Room) countBytes(l *authorLog, counter uint64, n int) {
	if r.cfg.Journal == nil || counter <= l.gone {
		return
	}
	for uint64(len(l.sizes)) < counter {
		l.sizes = append(l.sizes, 0)
	}
	// Of one counter a disk has two at most.
	n = min(n+entryCost, 2*(record.MaxText+entryCost)-int(l.sizes[counter-1]))
	l.sizes[counter-1] += uint16(n)
	r.addBytes(l, int64(n))
}

// addBytes counts what a log takes on disk.
func (r *Room) addBytes(l *authorLog, n int64) {
	l.bytes += n
	r.logs.bytes += n
	if l.account != nil {
		l.account.bytes += n
	}
}

// shorten lets go of what is over the bound, and of a little more, so that it has not to
// be done for each message.
func (r *Room) shorten() {
	limit := r.logs.limits.bytes
	if limit == 0 || r.cfg.Journal == nil || r.logs.bytes <= limit {
		return
	}
	r.recount()
	goal := limit - limit/64
	for r.logs.bytes > goal {
		most, second := r.logs.largest()
		if most == nil || !r.shortenAccount(most, goal, second) {
			return // what cannot be made shorter is bounded by the other limits
		}
	}
}

// largest is the account with most bytes, and how many the next one has.
func (l *logs) largest() (most *account, second int64) {
	var who [32]byte
	for b, a := range l.accounts {
		switch {
		case most == nil:
			most, who = a, b
		case a.bytes > most.bytes || a.bytes == most.bytes && compareHashes(ake.Hash(b), ake.Hash(who)) < 0:
			most, who, second = a, b, most.bytes
		default:
			second = max(second, a.bytes)
		}
	}
	return most, second
}

// shortenAccount makes the logs of an account shorter, of the author with most first and of theirs
// the oldest, until all is within the goal or another account has more. So what was withdrawn goes
// before the withdrawal, which may be in a later epoch. It returns false if nothing went.
func (r *Room) shortenAccount(a *account, goal, second int64) (some bool) {
	var all []logRef
	of := make(map[[32]byte]int64) // bytes of an author
	for _, t := range r.logs.transcripts {
		for i := range t.logs {
			if l := t.log(i); l.account == a && l.bytes > 0 {
				all = append(all, logRef{t: t, index: i})
				of[t.List[i].Identity] += l.bytes
			}
		}
	}
	slices.SortFunc(all, func(x, y logRef) int {
		one, two := x.t.List[x.index].Identity, y.t.List[y.index].Identity
		return cmp.Or(cmp.Compare(of[two], of[one]), bytes.Compare(one[:], two[:]),
			cmp.Compare(x.t.Brief.Period, y.t.Brief.Period), cmp.Compare(x.t.Brief.Height, y.t.Brief.Height),
			compareHashes(x.t.id, y.t.id), x.index-y.index)
	})
	for _, x := range all {
		if r.logs.bytes <= goal || some && a.bytes < second {
			break
		}
		some = r.shortenLog(x.t, x.index, r.logs.bytes-goal) || some
	}
	return some
}

// shortenLog lets go of the beginning of a log: of as much as is asked for, or all.
func (r *Room) shortenLog(t *transcript, index int, much int64) bool {
	l := t.log(index)
	upto, freed := l.gone, int64(0)
	for upto < min(uint64(len(l.sizes)), l.gone+maxRestIDs) && freed < much {
		freed += int64(l.sizes[upto])
		upto++
	}
	if freed == 0 {
		return false
	}
	e := r.letGo(t, index, upto).Shortened(r.author(t, index), t.id)
	e.Before = false
	r.emit(e)
	return true
}

// letGo lets go of the beginning of a log, up to a message at most maxRestIDs further.
func (r *Room) letGo(t *transcript, index int, upto uint64) *Rest {
	l := t.log(index)
	rest := &Rest{First: l.gone + 1, Last: upto}
	freed := int64(0)
	for c := rest.First; c <= upto; c++ {
		id, _ := l.id(c)
		rest.IDs = append(rest.IDs, id)
		if c <= uint64(len(l.sizes)) {
			freed += int64(l.sizes[c-1])
			l.sizes[c-1] = 0
		}
	}
	for c := rest.First; c <= rest.Last && rest.Since == 0; c++ {
		if m := r.body(t, index, c); m != nil {
			rest.Since = m.Time
		} else if c > rest.First+16 {
			break
		}
	}
	if m := r.body(t, index, rest.Last); m != nil {
		rest.Until, rest.Lamport = m.Time, m.Lamport
	}
	for c := range l.secondMessages {
		if c <= rest.Last {
			delete(l.secondMessages, c) // the disk lets go of them, too
			t.digest = ake.Hash{}
		}
	}
	for c := range l.bodies {
		if c <= rest.Last {
			delete(l.bodies, c)
		}
	}
	l.gone = rest.Last
	r.forgetFiles(func(f *file) bool { return f.ref.t == t && f.ref.index == index && f.ref.counter <= l.gone })
	r.dropChanges(l, rest.Last)
	r.addBytes(l, -freed)
	if r.cfg.Journal != nil {
		r.ready.Save = append(r.ready.Save, Saved{
			Epoch: t.id, Author: index, Counter: rest.Last, Rest: true, At: r.now, Data: rest.append(nil),
		})
	}
	return rest
}

// dropChanges forgets those of a log up to a counter. What they edited or withdrew is an orphan.
func (r *Room) dropChanges(l *authorLog, upto uint64) {
	targets := make(map[ake.Hash]bool)
	for c, target := range l.about {
		if c <= upto {
			targets[target] = true
			delete(l.about, c)
		}
	}
	for target := range targets {
		goes := func(c change) bool { return c.aboutLog == l.aboutLog && c.counter <= upto }
		for _, kind := range [2]byte{record.KindEdit, record.KindWithdrawal} {
			if c, ok := r.about.of.last(target, kind, l.aboutLog.identity); ok && goes(c) {
				r.logs.orphans[target] = c.identity
			}
		}
		r.about.of.remove(target, goes)
	}
}

// letGoOrphans lets go of what was edited or withdrawn by what is not kept any more: it would be shown as
// it was before. With it goes what its author said before it in that epoch; and if that has changes in it,
// what these are about, a second later: so nobody has us look for long.
func (r *Room) letGoOrphans() {
	at := r.logs.orphansAt.Add(orphansEvery)
	if len(r.logs.orphans) == 0 || at.After(r.now) {
		if len(r.logs.orphans) > 0 {
			r.wakeAt(at)
		}
		return
	}
	orphans, authors := r.logs.orphans, make(map[[32]byte]bool)
	r.logs.orphans, r.logs.orphansAt = make(map[ake.Hash][32]byte), r.now
	for _, identity := range orphans {
		authors[identity] = true
	}
	var last []logRef // in each log
	for _, t := range r.logs.transcripts {
		for i := range t.logs {
			by, l := t.List[i].Identity, t.log(i)
			for c := l.highest(); authors[by] && c > l.gone; c-- {
				if id, ok := l.id(c); ok && orphans[id] == by {
					last = append(last, logRef{t, i, c})
					break
				}
			}
		}
	}
	slices.SortFunc(last, func(a, b logRef) int { return cmp.Or(compareHashes(a.t.id, b.t.id), a.index-b.index) })
	for _, ref := range last {
		for l := ref.t.log(ref.index); l.gone < ref.counter; {
			r.letGo(ref.t, ref.index, min(ref.counter, l.gone+maxRestIDs))
		}
	}
	if len(r.logs.orphans) > 0 {
		r.wakeAt(r.now.Add(orphansEvery))
	}
}

// recallRest takes what stays of messages as it was saved.
func (r *Room) recallRest(t *transcript, s Saved) (*Rest, bool) {
	rest, err := ParseRest(s)
	if err != nil || s.Author < 0 || s.Author >= len(t.List) {
		return nil, false
	}
	l := t.log(s.Author)
	for i, id := range rest.IDs {
		c := rest.First + uint64(i)
		if _, ok := l.id(c); !ok && id != (ake.Hash{}) {
			l.take(c, id)
			r.countMessage(t, s.Author)
		}
	}
	l.gone, l.shown = max(l.gone, rest.Last), max(l.shown, rest.Last)
	t.lastSaid = max(t.lastSaid, t.latestTime(rest.Until))
	r.hearLamport(rest.Lamport)
	return rest, true
}
