package room

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// A transcript is what was said in one epoch: the logs of its members
// (PROTOCOL.md §9.1). It outlives the epoch's keys, the records of its day and,
// with a journal, the process.
type transcript struct {
	*record.Transcript
	id            ake.Hash
	ownIndex      int         // this peer's place in the list, or -1: it was away, or it came as history
	reader        bool        // this peer is in the list, or was away
	logs          []authorLog // by place in the list, once anybody said something; see log
	count         int         // messages held
	since         time.Time   // when the first came
	lastSaid      uint64      // the latest time that an author gave, in milliseconds
	saved         bool
	servedBy      [32]byte  // the identity that served it; zeros for an epoch of this process, or from its journal
	past          bool      // what is said in it is history: we were not there, or cannot tell who was
	ours          bool      // we took its commit ourselves, or so said our journal
	heardAt       time.Time // when something new was last heard of it
	owner         *account  // of the branch that pays for it
	committerOnly bool      // nobody but the committer spoke

	digest   ake.Hash // of what is held; zeros when it has to be worked out
	receipts receipts
}

// An authorLog is what one author said in one epoch.
type authorLog struct {
	account        *account                 // of the author's branch; nil: they said nothing
	ids            []ake.Hash               // of messages 1 .. len(ids)
	chain          [][record.ChainSize]byte // over the first chainStep of them, and so on; see chainAt
	lastChain      [record.ChainSize]byte   // over the first chained, which was asked for last
	chained        uint64
	ahead          map[uint64]ake.Hash       // ids of messages beyond the first gap
	bodies         map[uint64]*record.Signed // those in memory; a journal has all
	secondMessages map[uint64]*record.Signed // second messages under one counter, of the least maxSecondMessages
	brokenReported bool                      // it was told that the author's chain does not hold
	bytes          int64                     // on disk
	sizes          []uint16                  // of messages 1 .. len(sizes), there
	gone           uint64                    // up to here messages are not kept; see shorten
	words          map[uint64]*words         // what came of messages for some
	outside        map[uint64]bool           // which are questions from outside, or answers
	about          map[uint64]ake.Hash       // which change what is shown of others: the targets
	aboutLog       *aboutLog                 // what these are noted under

	shown        uint64      // the last one shown
	unnamed      bool        // the next one waits for its author's name
	gapSince     time.Time   // when the next one was first waited for
	reportedGaps [][2]uint64 // what the user was told is missing: first and last
}

// log is that of the member in a place of the list. In most epochs of a large room
// nobody says anything, so it is made when it is first looked at.
func (t *transcript) log(index int) *authorLog {
	if t.logs == nil {
		t.logs = make([]authorLog, len(t.List))
	}
	return &t.logs[index]
}

// have is the counter up to which everything is held.
func (l *authorLog) have() uint64 { return uint64(len(l.ids)) }

// id finds the id under which a counter is held.
func (l *authorLog) id(counter uint64) (ake.Hash, bool) {
	if counter >= 1 && counter <= l.have() {
		return l.ids[counter-1], true
	}
	id, ok := l.ahead[counter]
	return id, ok
}

// highest is the greatest counter held.
func (l *authorLog) highest() uint64 {
	high := l.have()
	for c := range l.ahead {
		high = max(high, c)
	}
	return high
}

// take notes the id of a message that is not held yet.
func (l *authorLog) take(counter uint64, id ake.Hash) {
	if counter == l.have()+1 && len(l.ahead) == 0 {
		l.ids = append(l.ids, id)
		return
	}
	if l.ahead == nil {
		l.ahead = make(map[uint64]ake.Hash)
	}
	l.ahead[counter] = id
	for {
		next, ok := l.ahead[l.have()+1]
		if !ok {
			return
		}
		delete(l.ahead, l.have()+1)
		l.ids = append(l.ids, next)
	}
}

// chainStep is of how many messages one chain is kept.
const chainStep = 64

// chainAt is the chain over the first messages, which is made when it is asked
// for: an author who goes on contradicting themselves does not have it made anew
// for each time.
func (l *authorLog) chainAt(upto uint64) (c [record.ChainSize]byte) {
	for uint64(len(l.chain)) < upto/chainStep {
		n := uint64(len(l.chain)) * chainStep
		l.chain = append(l.chain, l.chainFrom(n, n+chainStep))
	}
	from := upto / chainStep * chainStep
	if l.chained < from || l.chained > upto {
		l.lastChain, l.chained = l.chainFrom(from, upto), upto
		return l.lastChain
	}
	l.lastChain = chainOver(l.lastChain, l.ids[l.chained:upto])
	l.chained = upto
	return l.lastChain
}

// chainFrom is the chain over the first upto, from that over the first n, which is kept.
func (l *authorLog) chainFrom(n, upto uint64) (c [record.ChainSize]byte) {
	if n > 0 {
		c = l.chain[n/chainStep-1]
	}
	return chainOver(c, l.ids[n:upto])
}

func chainOver(c [record.ChainSize]byte, ids []ake.Hash) [record.ChainSize]byte {
	for i := range ids {
		h := ake.Sum("coterie/2 log", c[:], ids[i][:])
		copy(c[:], h[:])
	}
	return c
}

// replace puts another id in the place of one that is held.
func (l *authorLog) replace(counter uint64, id ake.Hash) {
	if _, ok := l.ahead[counter]; ok {
		l.ahead[counter] = id
		return
	}
	l.ids[counter-1] = id
	l.chain = l.chain[:min(uint64(len(l.chain)), (counter-1)/chainStep)]
	l.lastChain, l.chained = [record.ChainSize]byte{}, 0
}

// held is what another is told of this log.
func (l *authorLog) held() record.Held {
	h := record.Held{Upto: l.have(), Chain: l.chainAt(l.have())}
	if high := l.highest(); high > l.have() {
		h.Ahead = make([]bool, high-l.have()-1)
		for c := range l.ahead {
			h.Ahead[c-l.have()-2] = true
		}
	}
	return h
}

// sum is the digest of what is held.
func (t *transcript) sum(room ake.Hash) ake.Hash {
	if t.digest != (ake.Hash{}) {
		return t.digest
	}
	fields := [][]byte{t.id[:]}
	for i := range t.logs {
		l := t.log(i)
		if l.have() == 0 && len(l.ahead) == 0 {
			continue
		}
		b := binary.BigEndian.AppendUint32(nil, uint32(i))
		b = binary.BigEndian.AppendUint64(b, l.have())
		c := l.chainAt(l.have())
		b = append(b, c[:]...)
		for _, counter := range slices.Sorted(maps.Keys(l.ahead)) {
			b = binary.BigEndian.AppendUint64(b, counter)
			id := l.ahead[counter]
			b = append(b, id[:]...)
		}
		fields = append(fields, b)
		for _, counter := range slices.Sorted(maps.Keys(l.secondMessages)) {
			id := l.secondMessages[counter].ID(room)
			fields = append(fields, append(binary.BigEndian.AppendUint64(nil, counter), id[:]...))
		}
	}
	t.digest = ake.Sum("coterie/2 transcript", fields...)
	return t.digest
}

// beginTranscript begins the transcript of an epoch that we are in.
func (r *Room) beginTranscript(e *epoch) {
	id := e.commit.ID()
	if t := r.logs.transcripts[id]; t != nil {
		if t.past { // somebody else told us of it first
			t.past, t.servedBy = false, [32]byte{}
		}
		t.ours = true
		return
	}
	head := &record.Transcript{Brief: e.commit.Brief, List: e.list, Away: e.away,
		Authors: make([]*record.Contribution, len(e.list))}
	for i, n := range e.nodes {
		head.Authors[i] = n.contribution
	}
	r.keepTranscript(&transcript{Transcript: head, id: id, ours: true})
}

// keepTranscript begins a transcript, if there is room or can be made.
func (r *Room) keepTranscript(t *transcript) bool {
	a := r.committerAccount(t)
	if !r.roomForTranscript(len(t.List), a, t.ours) {
		return false
	}
	t.since, t.heardAt = r.now, r.now
	t.ownIndex, t.reader = t.List.Of(r.identity), t.reads(r.identity)
	t.charge(a)
	r.logs.places += len(t.List)
	r.logs.transcripts[t.id] = t
	return true
}

// lists reports whether a peer was in the epoch.
func (t *transcript) lists(identity [32]byte) bool { return t.List.Of(identity) >= 0 }

// reads reports whether what was said in the epoch is for a peer: it was here, or away.
func (t *transcript) reads(identity [32]byte) bool {
	return t.lists(identity) || t.Away.Of(identity) >= 0
}

// expiry is when a transcript is dropped, by everybody's clock alike: logs are
// kept for the room's history, and for a day at least.
func (r *Room) expiry(day abe.Day) time.Time {
	return (day + 1).Start().Add(max(r.cfg.Descriptor.History, minRetention))
}

// keepsDay reports whether what was said on a day is kept now: it is not over, and
// no more than an hour ahead.
func (r *Room) keepsDay(day abe.Day) bool {
	return r.now.Before(r.expiry(day)) && !r.now.Add(earlyDay).Before(day.Start())
}

// latestTime is the latest that an author can have said something in an epoch, whatever
// they say.
func (t *transcript) latestTime(time uint64) uint64 {
	return min(time, uint64((t.Brief.Period + 1).Start().Add(earlyDay).UnixMilli()))
}

// isHistory reports whether the room's history option gives a transcript to
// those who were not there: something in it was said within that time.
func (r *Room) isHistory(t *transcript) bool {
	h := r.cfg.Descriptor.History
	return h > 0 && t.count > 0 && r.now.Sub(time.UnixMilli(int64(t.lastSaid))) <= h
}

// expireTranscripts drops what is over, and what is empty and has no epoch any
// more; it looks once a second.
func (r *Room) expireTranscripts() {
	if r.now.Sub(r.logs.expiredAt) < time.Second {
		return
	}
	r.logs.expiredAt = r.now
	for id, t := range r.logs.transcripts {
		switch {
		case t.count == 0 && r.commits[id] == nil && r.now.Sub(t.since) > emptyTime:
			r.dropTranscript(t)
		case t.count > 0 && r.now.After(r.expiry(t.Brief.Period.Day())):
			r.dropTranscript(t)
		}
	}
	for id, day := range r.logs.dropped {
		if r.now.After(r.expiry(day)) {
			delete(r.logs.dropped, id)
		}
	}
}

// dropTranscript forgets what was said in an epoch, and takes it no more. One in
// which nothing was said may come again.
func (r *Room) dropTranscript(t *transcript) {
	delete(r.logs.transcripts, t.id)
	delete(r.receipts.changed, t.id)
	t.owner.places -= len(t.List)
	r.logs.places -= len(t.List)
	if t.count == 0 {
		return
	}
	for i := range t.logs {
		r.dropChanges(t.log(i), t.log(i).highest())
		if l := t.log(i); l.account != nil {
			l.account.messages -= len(l.ids) + len(l.ahead)
		}
		r.addBytes(t.log(i), -t.log(i).bytes)
	}
	r.forgetFiles(func(f *file) bool { return f.ref.t == t })
	r.logs.messages -= t.count
	r.logs.inMemory = slices.DeleteFunc(r.logs.inMemory, func(ref logRef) bool { return ref.t == t })
	if len(r.logs.dropped) >= maxRemembered {
		clear(r.logs.dropped) // of days long over
	}
	r.logs.dropped[t.id] = t.Brief.Period.Day()
	if t.saved {
		// What is forgotten goes before what is saved.
		r.ready.Save = slices.DeleteFunc(r.ready.Save, func(s Saved) bool { return s.Epoch == t.id })
		r.ready.Forget = append(r.ready.Forget, t.id)
	}
}

// A logRef names a message whose body is in memory.
type logRef struct {
	t       *transcript
	index   int
	counter uint64
}

// authentic checks the author's signature.
func (r *Room) authentic(t *transcript, index int, m *record.Signed) bool {
	c := t.Authors[index]
	return c != nil && r.takesKind(m.Kind) && m.Verify(r.id, c) == nil
}

// logMessage takes a message whose signature was checked, uses up its key, has it saved
// and shows what can be shown. It returns false if nothing is new.
func (r *Room) logMessage(from *exchange, t *transcript, index int, m *record.Signed) bool {
	l := t.log(index)
	id := m.ID(r.id)
	if was, ok := l.id(m.Counter); ok {
		return was != id && m.Counter > l.gone && r.takeSecondMessage(t, index, m, id, was)
	}
	if m.Counter-l.have() > ake.MaxSkip || m.Counter > maxAuthorLog {
		return false
	}
	by := l.account
	if by == nil {
		by = r.authorAccount(t, index)
	}
	if !r.roomForMessage(t, by) {
		return false
	}
	r.checkPrevious(t, index, m, id)
	l.take(m.Counter, id)
	r.countMessage(t, index)
	t.digest, t.lastSaid, t.heardAt = ake.Hash{}, max(t.lastSaid, t.latestTime(m.Time)), r.now
	if e := r.commits[t.id]; e != nil && e.isReadable() {
		e.keys.Chain(index).Use(m.Counter)
	}
	r.hearLamport(m.Lamport)
	r.cacheBody(t, index, m)
	r.save(t, index, m)
	r.countBytes(l, m.Counter, savedBytes(m.Kind, len(m.Text)))
	if isOutside(m.Kind) {
		r.noteOutside(t, index, m, false)
	}
	if m.Kind == record.KindFile {
		r.noteFile(t, index, m, false)
	}
	if changes(m.Kind) {
		r.noteChange(t, index, noteOf(r.id, m))
		r.withdrawFile(m, t.List[index].Identity)
	}
	if m.Kind == record.KindTo {
		r.queueWords(t, index, m.Counter, !t.past && t.ownIndex >= 0 && m.Counter > l.shown)
	}
	if m.Counter <= l.shown {
		r.deliver(from, t, index, m, l.shownAfter(m.Counter))
	}
	r.show(from, t, index)
	r.reportFilled(t, index)
	r.shorten()
	return true
}

// cacheBody keeps a body in memory, in place of the oldest.
func (r *Room) cacheBody(t *transcript, index int, m *record.Signed) {
	l := t.log(index)
	if l.bodies == nil {
		l.bodies = make(map[uint64]*record.Signed)
	}
	l.bodies[m.Counter] = m
	r.logs.inMemory = append(r.logs.inMemory, logRef{t, index, m.Counter})
	if len(r.logs.inMemory) > maxBodiesInMemory {
		old := r.logs.inMemory[0]
		r.logs.inMemory = r.logs.inMemory[1:]
		delete(old.t.log(old.index).bodies, old.counter)
	}
}

// checkPrevious checks that an author's messages name each other: PROTOCOL.md §9.
func (r *Room) checkPrevious(t *transcript, index int, m *record.Signed, id ake.Hash) {
	l := t.log(index)
	fork := func(counter uint64, one, two ake.Hash) {
		if o := l.secondMessages[counter]; !l.brokenReported && one != two && (o == nil || o.ID(r.id) != two) {
			l.brokenReported = true
			r.equivocated(t, index, counter, one, two)
		}
	}
	if before, ok := l.id(m.Counter - 1); ok {
		fork(m.Counter-1, before, m.Previous)
	}
	if next := l.bodies[m.Counter+1]; next != nil {
		fork(m.Counter, id, next.Previous)
	}
}

// takeSecondMessage takes a second message that its author signed with one counter. Of all
// such the two with the least ids are kept, and the least counts for comparing,
// so that all who have met agree; the first that was here stays the one shown.
// It returns false if nothing is new.
func (r *Room) takeSecondMessage(t *transcript, index int, m *record.Signed, id, was ake.Hash) bool {
	l := t.log(index)
	second := l.secondMessages[m.Counter]
	switch {
	case second != nil && compareHashes(second.ID(r.id), id) <= 0:
		return false
	case second == nil && len(l.secondMessages) >= maxSecondMessages &&
		m.Counter > slices.Max(slices.Collect(maps.Keys(l.secondMessages))) && compareHashes(was, id) < 0:
		return false // it is known well enough by now what kind of author that is
	}
	r.keepSecondMessage(t, index, m, id, was)
	t.digest = ake.Hash{}
	if second == nil {
		r.equivocated(t, index, m.Counter, was, id) // once for each counter
	}
	r.save(t, index, m)
	return true
}

// keepSecondMessage keeps a second message under one counter beside the first: the one of
// the lesser id counts as what was said, for everybody alike.
func (r *Room) keepSecondMessage(t *transcript, index int, m *record.Signed, id, was ake.Hash) {
	l := t.log(index)
	if l.secondMessages[m.Counter] == nil {
		r.countBytes(l, m.Counter, len(m.Text))
	}
	if compareHashes(id, was) > 0 {
		l.addSecondMessage(m.Counter, m)
		return
	}
	first := r.body(t, index, m.Counter)
	l.replace(m.Counter, id)
	r.cacheBody(t, index, m)
	l.addSecondMessage(m.Counter, first)
	r.replaceChange(t, index, m)
}

// hearLamport moves our clock past an author's, unless it is far beyond what was ever said. What may
// be heard grows faster than anybody talks: whoever brings clocks to that end holds them there for a
// moment, and not for good.
func (r *Room) hearLamport(theirs uint64) {
	if theirs <= mostLamport(r.now) {
		r.lamport = max(r.lamport, theirs)
	}
}

// mostLamport is the greatest Lamport time that is heard now: below 2^53, as long as calendars have days.
func mostLamport(now time.Time) uint64 {
	return uint64(min(max(now.Add(24*time.Hour).UnixMilli(), 0), 1<<42-1)) * lamportRate
}

// addSecondMessage keeps a second message, of the least counters.
func (l *authorLog) addSecondMessage(counter uint64, m *record.Signed) {
	if m == nil {
		return
	}
	if l.secondMessages == nil {
		l.secondMessages = make(map[uint64]*record.Signed)
	}
	l.secondMessages[counter] = m
	if len(l.secondMessages) > maxSecondMessages {
		delete(l.secondMessages, slices.Max(slices.Collect(maps.Keys(l.secondMessages))))
	}
}

func (r *Room) equivocated(t *transcript, index int, counter uint64, a, b ake.Hash) {
	if compareHashes(a, b) > 0 {
		a, b = b, a
	}
	r.emit(Equivocated{Author: r.author(t, index), Epoch: t.id, Counter: counter, IDs: [2]ake.Hash{a, b}})
}
