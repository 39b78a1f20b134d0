package room

import (
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
)

// Who gives way where the transcripts are full: PROTOCOL.md §9.1. A member can make
// up others, epochs and words of theirs without end, but all that hangs on its
// branch. So what is kept is charged to branches, and the one with most gives way.

// An account is what is kept for the sake of one branch. Branches are named by the
// identity of the neighbour on which they hang: that outlives a day's graph.
type account struct {
	places   int   // in the lists of the transcripts that are charged to it
	messages int   // that its members said
	bytes    int64 // of these, on disk
	checks   pace  // of signatures in transcripts that its members serve
}

// logs are all transcripts, and what they cost.
type logs struct {
	transcripts map[ake.Hash]*transcript
	dropped     map[ake.Hash]abe.Day    // those that are over: they are not taken again
	messages    int                     // in all transcripts
	bytes       int64                   // of these, on disk
	unsaved     []Saved                 // what stays of messages, where that could not be saved
	places      int                     // in their lists
	limits      logLimits               // of these
	inMemory    []logRef                // messages whose bodies are, oldest first
	gaps        map[*authorLog]logRef   // logs in which something is missing
	allowances  map[[32]byte]*allowance // by peer
	accounts    map[[32]byte]*account   // by branch
	expiredAt   time.Time               // when transcripts were last looked over
	spreadAt    time.Time               // when to compare, since others may lack what came; zero: never
	orphans     map[ake.Hash][32]byte   // what was edited or withdrawn by changes that were just dropped; its author
	orphansAt   time.Time               // when these were last looked for

	recountedVersion uint64 // of what accounts say
	recountedAt      time.Time
}

// logLimits are how much is kept of what was said. Tests make them smaller.
type logLimits struct {
	transcripts int
	places      int // in their lists
	messages    int
	bytes       int64 // of messages on disk; 0: no bound
}

// branchOf is the branch of a peer: on the day of a contribution, or now. Our own
// is ourselves. ok is false if it hangs on nobody we know of.
func (r *Room) branchOf(day abe.Period, cid ake.Hash, identity [32]byte) (branch [32]byte, ok bool) {
	if identity == r.identity {
		return r.identity, true
	}
	for _, d := range [2]abe.Period{day, r.today()} {
		g := r.days[d]
		if g == nil {
			continue
		}
		b := g.branch(cid)
		if c := g.newest[identity]; b == (ake.Hash{}) && c != nil {
			b = g.branch(c.ID())
		}
		if b != (ake.Hash{}) {
			return g.contribution(b).Identity, true
		}
	}
	return branch, false
}

// account finds or begins a branch's. Those who hang on nobody share one.
func (l *logs) account(branch [32]byte) *account {
	a := l.accounts[branch]
	if a == nil {
		a = new(account)
		l.accounts[branch] = a
	}
	return a
}

// serverAccount is that of a member that serves transcripts.
func (r *Room) serverAccount(identity [32]byte) *account {
	b, _ := r.branchOf(r.today(), ake.Hash{}, identity)
	return r.logs.account(b)
}

// authorAccount is that of an author; if nobody knows who that is, that of the
// member that served the transcript.
func (r *Room) authorAccount(t *transcript, index int) *account {
	return r.logs.account(r.authorBranch(t, index))
}

// authorBranch is the branch that account is of.
func (r *Room) authorBranch(t *transcript, index int) [32]byte {
	e := &t.List[index]
	b, ok := r.branchOf(t.Brief.Period, e.CID, e.Identity)
	if !ok {
		b, _ = r.branchOf(r.today(), ake.Hash{}, t.servedBy)
	}
	return b
}

// committerAccount is that of whoever began the epoch; of one that we did not take
// ourselves, that of the member that served it.
func (r *Room) committerAccount(t *transcript) *account {
	if !t.ours {
		return r.serverAccount(t.servedBy)
	}
	return r.authorAccount(t, t.List.Index(t.Brief.By))
}

// charge makes an account pay for a transcript, in place of the one that did.
func (t *transcript) charge(a *account) {
	if t.owner != nil {
		t.owner.places -= len(t.List)
	}
	a.places += len(t.List)
	t.owner = a
}

// chargeAuthor notes that an author, for the first time, said something in a transcript.
// Of all branches of which somebody spoke the one with least pays for it: what one
// said is not lost because another spoke, too.
func (r *Room) chargeAuthor(t *transcript, index int, a *account) {
	t.log(index).account = a
	if t.count == 0 {
		t.committerOnly = t.List[index].CID == t.Brief.By
		t.charge(a)
		return
	}
	t.committerOnly = false
	if t.owner.places > a.places+len(t.List) {
		t.charge(a)
	}
}

// countMessage counts one more message.
func (r *Room) countMessage(t *transcript, index int) {
	l := t.log(index)
	if l.account == nil {
		r.chargeAuthor(t, index, r.authorAccount(t, index))
		l.account.bytes += l.bytes // of names
	}
	l.account.messages++
	t.count++
	r.logs.messages++
}

// givesWay orders transcripts by which goes first: those in which nothing was said;
// then those of the branch with most; of these what only whoever served it vouches
// for, then that in which nobody but its committer spoke, then the oldest.
func (t *transcript) givesWay(o *transcript) bool {
	switch {
	case (t.count == 0) != (o.count == 0):
		return t.count == 0
	case t.owner.places != o.owner.places:
		return t.owner.places > o.owner.places
	case t.ours != o.ours:
		return !t.ours
	case t.committerOnly != o.committerOnly:
		return t.committerOnly
	case !t.since.Equal(o.since):
		return t.since.Before(o.since)
	}
	return compareHashes(t.id, o.id) < 0
}

// leastNeeded is the transcript that gives way first, of those for which ok holds; never
// that of the head.
func (r *Room) leastNeeded(ok func(*transcript) bool) *transcript {
	var first *transcript
	for _, t := range r.logs.transcripts {
		if r.head != nil && t.id == r.head.commit.ID() || !ok(t) {
			continue
		}
		if first == nil || t.givesWay(first) {
			first = t
		}
	}
	return first
}

// roomForTranscript makes room for one of so many places. What only the account that
// serves it vouches for displaces nothing better of the same: then it returns false.
func (r *Room) roomForTranscript(places int, by *account, ours bool) bool {
	for len(r.logs.transcripts) >= r.logs.limits.transcripts || r.logs.places+places > r.logs.limits.places {
		r.recount()
		t := r.leastNeeded(func(*transcript) bool { return true })
		if t == nil {
			return ours
		}
		if !ours && t.count > 0 && (t.owner.places < by.places+places || t.owner == by && t.ours) {
			return false
		}
		r.dropTranscript(t)
	}
	return true
}

// roomForMessage makes room for one more message of an account. One that has half of
// all has enough, and of a full table the one with most gives way: it has no more
// taken, and what it said goes for the sake of others, oldest first.
func (r *Room) roomForMessage(t *transcript, a *account) bool {
	if r.logs.messages < r.logs.limits.messages && a.messages < r.logs.limits.messages/2 {
		return true
	}
	r.recount()
	own := r.logs.account(r.identity)
	if a != own && a.messages >= r.logs.limits.messages/2 {
		return false
	}
	for r.logs.messages >= r.logs.limits.messages || a.messages >= r.logs.limits.messages/2 {
		most := a
		for _, b := range r.logs.accounts {
			if b.messages > most.messages {
				most = b
			}
		}
		if most == a && a != own {
			return false
		}
		first := r.leastNeeded(func(o *transcript) bool { return o != t && 2*o.saidBy(most) > o.count })
		if first == nil {
			first = r.leastNeeded(func(o *transcript) bool { return o != t && o.count > 0 })
		}
		if first == nil {
			return a == own
		}
		r.dropTranscript(first)
	}
	return true
}

// saidBy is how many of the messages are of an account.
func (t *transcript) saidBy(a *account) (n int) {
	for i := range t.logs {
		if l := t.log(i); l.account == a {
			n += len(l.ids) + len(l.ahead)
		}
	}
	return n
}

// recount charges all that is kept to the branches as they are now, once a minute at
// most: who hung on another may have proved itself to us since. Of whom nobody knows
// any more on whom they hang, it stays as it was.
func (r *Room) recount() {
	if r.logs.recountedVersion == r.version || r.now.Sub(r.logs.recountedAt) < time.Minute {
		return
	}
	r.logs.recountedVersion, r.logs.recountedAt = r.version, r.now
	for _, a := range r.logs.accounts {
		a.places, a.messages, a.bytes = 0, 0, 0
	}
	for _, id := range sortedHashes(r.logs.transcripts) {
		t := r.logs.transcripts[id]
		owner := t.owner
		t.owner = nil
		count := t.count
		t.count, t.committerOnly = 0, false
		for i := range t.logs {
			l := t.log(i)
			if l.account == nil {
				continue
			}
			e := &t.List[i]
			a := l.account
			if b, ok := r.branchOf(t.Brief.Period, e.CID, e.Identity); ok {
				a = r.logs.account(b)
			}
			r.chargeAuthor(t, i, a)
			n := len(l.ids) + len(l.ahead)
			a.messages += n
			a.bytes += l.bytes
			t.count += n
		}
		t.count = count
		if t.owner == nil {
			t.charge(owner)
		}
	}
	for b, a := range r.logs.accounts {
		if a.places == 0 && a.messages == 0 && a.bytes == 0 && r.now.Sub(a.checks.at) > time.Minute {
			delete(r.logs.accounts, b)
		}
	}
}

// mayCheck takes so many signatures from what an account may have us check. What is
// above waits for another comparison.
func (r *Room) mayCheck(a *account, signatures int) bool {
	return a.checks.spend(float64(signatures), r.now, checkRate, checksAtOnce)
}
