package room

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var simMutants = flag.Bool("sim.mutants", false, "run TestMutants, which takes minutes")

// A mutant is a change to one file that takes out one rule.
type mutant struct {
	name, file, old, with string
	run                   string // the test that must fail, behind its package if that is another
}

// mutants take out, one by one, the rules of the protocol's code. The test named
// must notice.
var mutants = []mutant{
	// Members and proofs: PROTOCOL.md §7.
	{"whoever was vouched for is a member", "graph.go",
		`	if g.component != nil && to.member && !from.member {`, `	if g.component != nil && from.member && !to.member {
		g.grow(e.To)
	}
	if g.component != nil && to.member && !from.member {`, "TestAdmits"},
	{"the later process does not count", "graph.go",
		`return a.Serial > b.Serial`, `return a.Serial < b.Serial`, "TestAdmits"},
	{"a later process counts before it is a member", "graph.go",
		`n != c && g.members()[n.ID()] {`, `n != c {`, "TestMadeUpLater"},
	{"leaving is not absorbing", "process.go",
		`case n.Ends() == p.newest.Ends() && n.Serial > p.newest.Serial:`, `case n.Serial > p.newest.Serial:`, "TestLeaveIsAbsorbing"},
	{"misbehaviour has no consequences", "graph.go",
		`if p != nil && p.misbehaved {`, `if p != nil && p.misbehaved && false {`, "TestMisbehaviour"},
	{"pairs of presences without end", "process.go",
		`p.pairs < maxPairs &&`, ``, "TestMisbehaviourPairs"},
	{"presences without end", "process.go",
		`if len(p.presences) >= maxPresences {`, `if false {`, "TestBounds"},
	{"edges in one direction make a branch", "tree.go",
		`if _, back := n.in[to]; !back || !members[to] {`, `if !members[to] {`, "TestTree"},
	{"branches take no turns", "tree.go",
		`turns[at] = append(turns[at], c)`, `turns[at] = append([]ake.Hash{c}, turns[at]...)`, "TestTree"},
	{"rings of members make no room", "graph.go",
		`hangs := g.tree().parent`, `hangs := g.members()`, "TestMakeRoom"},
	{"who made room is looked for", "accept.go",
		`if n == nil || n.term == nil {
			return // its`, `if n.term == nil {
			return // its`, "TestListedMadeRoom"},
	{"a process without a term keeps all from committing", "head.go",
		` || !r.listable(g.nodes[c.ID()]) {`, ` {`, "TestTermlessProcess"},
	{"who refuses a head that others have waits for ever", "commit.go",
		`case !differs && e.isReadable() && r.leavesOut(e) != nil:`, `case !differs && false:`, "TestSilentOmission"},
	{"whose key is revoked reads on until all have come over", "message.go",
		`p.Notice() != r.notices.number() ||`, ``, "TestRevokedStays"},
	{"who is back speaks before they hear of a notice", "message.go",
		`until := r.outbox.hearsUntil`, `until := time.Time{}`, "TestRevokedReturn"},
	{"who is revoked keeps all waiting for two minutes", "head.go",
		`return r.begins(p).Add(noticeTurn)`, `return r.begins(p).Add(dayTurn)`, "TestRevokedStays"},
	{"after a notice nobody waits for who was listed a day ahead", "away.go",
		`last = min(last, g.period.Day())`, ``, "TestDayAhead"},
	{"a notice lets an insider leave out who was listed a day ahead", "away.go",
		`last = min(last, e.commit.Period.Day())`, ``, "TestDayAhead"},
	{"what was on a stream that broke off is not sent again", "exchange.go",
		`delete(n.sentWhole, id)`, `_ = id`, "TestBrokenOff"},
	{"who is back and cannot be listed is told nothing", "away.go",
		`		if unlisted(identity) && !r.leftForGood(identity) {
			take(identity, a.day)`, `		if unlisted(identity) && g.newest[identity] == nil && !r.leftForGood(identity) {
			take(identity, a.day)`, "TestBackAndNotListed"},
	{"who hangs on nobody counts in a full room", "head.go",
		`return g.nodes[cid] != nil && !counts[cid]`, `return false`, "TestFullRoomLeavesOut"},
	{"promised edges without end", "graph.go",
		`if len(g.promised) >= maxPromised && g.promised[e.To] == nil {`, `if false {`, "TestPromisedEdges"},
	{"any promised edge makes room", "graph.go",
		`delete(g.promised, branchWithMost(g.branch(e.From), of)[0])`, `delete(g.promised, sortedHashes(g.promised)[0])`, "TestPromisedEdges"},
	{"who has most is given room", "graph.go",
		` || from != g.own.cid && of[g.branch(from)]+1 >= of[g.branch(last)] {`, ` || of == nil {`, "TestMakeRoom"},
	{"whom I vouched for makes room", "graph.go",
		`if g.nodes[g.own.cid].out[last] != nil || from`, `if from`, "TestMakeRoom"},
	{"anybody makes room", "graph.go",
		`last := order[len(order)-1]`, `last := sortedHashes(g.nodes)[0]`, "TestMakeRoom"},
	{"what was said is shown before its day", "ready.go",
		`at.Before(first)`, `false`, "TestShownAt"},
	{"what was said is shown after its day", "ready.go",
		`at.After(last)`, `false`, "TestShownAt"},
	{"a change that was said while one was away is shown at arrival", "about.go",
		`		Away: c.Away}`, `	}`, "TestShownAt"},
	{"terms without contributions are not bounded", "records.go",
		`if len(w.termOrder) >= maxWaitingTerms {`, `if false {`, "TestOrphanTerms"},
	{"what waits is not bounded", "records.go",
		`if len(w.records) >= maxWaitingRecords {`, `if false {`, "TestBounds"},
	{"what waits is not tried again", "records.go",
		`for _, rec := range records {`, `for _, rec := range records[:0] {`, "TestOrderFree"},
	{"commits of strangers without end", "records.go",
		`if len(w.commits) >= maxWaitingCommits {`, `if false {`, "TestStrangeCommits"},
	{"terms are not compared with their commitment", "records.go",
		`n.term == nil && t.Term.Commitment() == n.contribution.Term {`, `n.term == nil {`, "TestWrongTerms"},
	{"what opens need not hold the term that was promised", "prove.go",
		`if err != nil || opened.Term.Commitment() != x.theirs.Term {`, `if err != nil {`, "TestBranchProbe"},
	{"another encapsulation than was promised is opened", "prove.go",
		`if ake.HashEncapsulation(enc) != x.theirs.Encapsulation {`, `if false {`, "TestOtherEncapsulation"},
	{"a stranger need not open what it is sent", "prove.go",
		`if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Newcomer, x.theirs.ID(), o.cid, ake.Hash(f[0])) {`,
		`if len(f[0]) != ake.HashSize {`, "TestLeakedTerms"},
	{"a sponsor need not open what it is sent", "prove.go",
		`if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Sponsor, o.cid, x.theirs.ID(), ake.Hash(f[0])) {`,
		`if _ = o; len(f[0]) != ake.HashSize {`, "TestSybilSurround"},
	{"who let us in already proves itself again", "prove.go",
		`n != nil && n.out[g.own.cid] != nil {`, `n != nil && false {`, "TestProvedAlready"},
	{"one answers as soon as it is opened", "prove.go",
		`max(leastAnswer, 2*r.encapsulationTime)`, `time.Millisecond`, "TestAnswerTime"},
	{"what does not open ends at once", "prove.go",
		`r.doAt(x.answerAt, func() {
				if r.streams.byID[x.id] == x {
					r.reset(x)`, `r.doAt(r.now, func() {
				if r.streams.byID[x.id] == x {
					r.reset(x)`, "TestAnswerTime"},
	{"what opens is answered at once", "prove.go",
		`x.opened = opened
		r.doAt(x.answerAt, func() {`, `x.opened = opened
		r.doAt(r.now, func() {`, "TestAnswerTime"},
	{"those who say nothing keep others from proving", "exchange.go",
		`if len(idle) == 0 {`, `if true {`, "TestAnswerSlots"},
	{"one peer has many proofs at once", "exchange.go",
		`if x.peer == p {
			return false`, `if false {
			return false`, "TestAnswerSlots"},
	{"a beat of the future counts", "liveness.go",
		`if b.Serial > uint64(r.now.Add(maxAhead).UnixMilli()) {`, `if false {`, "TestBeatAhead"},
	{"beats need no signature", "liveness.go",
		`if b.Verify(r.id) != nil {`, `if false {`, "TestForgedBeats"},
	{"the silent are members", "liveness.go",
		`n.contribution.Working != r.workingID && r.silent(p) {`, `r.silent(p) && false {`, "TestSilentPeerIsDropped"},
	{"silence ends when nobody is heard", "liveness.go",
		`p.silent = true // until it is heard again, and not only until nobody is`, `return true`, "TestDeadStaySilent"},
	{"time in which one did not run counts as silence", "liveness.go",
		`p.heardAt = p.heardAt.Add(gap)`, `_, _ = p, gap`, "TestSuspendAndResume"},

	// What waits: PROTOCOL.md §9.4.
	{"what waits is not saved", "held.go",
		`if !m.saved && r.cfg.Journal != nil {`, `if !m.saved && false {`, "TestHeldSurvives"},
	{"what was sent waits on", "held.go",
		`		r.eraseHeld(m)
	}`, `	}`, "TestHeldOnce"},
	{"what waited long is sent without a word", "held.go",
		`return !m.agreed && r.cfg.Hold > 0 && r.now.Sub(m.at).Abs() > r.cfg.Hold`, `return false`, "TestHeldAsks"},
	{"what waits has no bound in bytes", "message.go",
		` || o.bytes+len(m.text) > maxHeldBytes`, ``, "TestHeldBounded"},
	{"what cannot be erased is said again", "held.go",
		`r.logs.unsaved = append(r.logs.unsaved, s) // else`, `_ = s // else`, "TestHeldSaved"},
	{"who left says later what waited", "room.go",
		`		r.Drop(now, nil)
`, ``, "TestHeldBounded"},

	// What may be missing: PROTOCOL.md §9.5.
	{"old news end an absence", "absence.go",
		` || !x.dialler || x.began.Before(a.backAt)`, ``, "TestAbsenceTold"},
	{"who was away too knows all", "absence.go",
		`		case first.IsZero():
			to = from`, `		case true:
			to = from`, "TestAbsenceMissing"},
	{"who came later knows all", "absence.go",
		`		case whole.After(from):
			to = minTime(to, maxTime(whole, last))`, `		case whole.IsZero():`, "TestAbsenceLater"},
	{"who is away is not waited for with what they have", "absence.go",
		`if r.head == nil || len(r.head.away) > 0 {
		return false`, `if r.head == nil {
		return false`, "TestAbsenceAll"},
	{"what may be missing is forgotten", "absence.go",
		`a.from = at[2]; a.from.IsZero()`, `a.from = at[1]; a.from.IsZero()`, "TestAbsenceAgain"},
	{"what is not kept any more is told as come", "absence.go",
		`a.lost, a.whole = true, at`, `_ = until`, "TestAbsenceLost"},

	// Commits: PROTOCOL.md §8.
	{"a listed peer need not be in my component", "accept.go",
		`if n == nil || !n.member {`, `if n == nil {`, "TestForgedCommits"},
	{"a listed presence need not be held", "accept.go",
		`if p := r.processOf(n); p == nil || p.presences[entry.Presence] == nil {`, `if r.processOf(n) == nil {`, "TestForgedCommits"},
	{"a listed identity is not compared", "accept.go",
		`if nodes[i].contribution.Identity != e.list[i].Identity {`, `if false {`, "TestForgedCommits"},
	{"what keeps a commit from fitting is looked for each time", "accept.go",
		`if r.listed(g, &e.list[e.lacks]) == nil {`, `if false {`, "TestNeverFitting"},
	{"a commit needs no signature", "accept.go",
		`if c.Verify(r.id, by) != nil {`, `if false {`, "TestSplitCommit"},
	{"a committer need not be a member", "accept.go",
		`if by == nil || !g.members()[c.By] {`, `if by == nil {`, "TestStrangerCommits"},
	{"heights are not bounded", "accept.go",
		`high := e.commit.Height > r.mostHeight(e.commit.Period)`, `high := false`, "TestHeightInflation"},
	{"commits without end", "accept.go",
		`if len(r.commits) < maxCommits {`, `if true {`, "TestCommitFlood"},
	{"one branch's commits keep others out", "tree.go",
		`if len(of[b]) > len(of[most]) {`, `if false {`, "TestCommitFloodOfMany"},
	{"dropped commits are taken again", "accept.go",
		` || r.droppedCommits.lately(c.ID(), r.now)`, ``, "TestDroppedCommit"},
	{"a dropped commit is never taken again", "accept.go",
		`return ok && now.Sub(at) < droppedTime`, `return ok && !at.IsZero()`, "TestDroppedCommit"},
	{"epochs that are over are taken again", "accept.go",
		`if _, over := r.retired[c.ID()]; over || r`, `if r`, "TestDroppedCommit"},
	{"of two commits of one height the lesser counts", "accept.go",
		`	return compareHashes(a.commit.ID(), b.commit.ID()) > 0
`, `	return a.since.After(b.since)
`, "TestSeeds"},
	{"what d is committed to is not compared", "secret.go",
		`if !ake.Fits(h.Commit.Core(), h.D, h.Commit.Secret) {`, `if false {`, "TestSplitCommit"},
	{"the commitment to d is not bound to its commit", "../crypto/ake/commit.go",
		`Sum("coterie/2 commit secret", core, d.b[:])`, `Sum("coterie/2 commit secret", d.b[:])`, "../crypto/ake TestCommitSecret"},
	{"d is handed to those who are not listed", "secret.go",
		`if e.secretHolders[ch.working] || !r.listsProcess(e, ch) {`, `if e.secretHolders[ch.working] {`, "TestBackwardSecrecy"},
	{"d is taken outside a channel", "secret.go",
		`if err != nil || !x.inside() {`, `if err != nil {`, "TestStolenDisk"},
	{"nobody asks for d", "secret.go",
		`		r.askFor(e)
`, `		_ = r.askFor
`, "TestAsksForSecret"},
	{"those who leave stop one without end", "message.go",
		`if !r.now.Before(until) {
		return false
	}
	r.wakeAt`, `r.wakeAt`, "TestStopped"},
	{"nobody's leave stops one", "message.go",
		`r.wakeAt(until)
	return true`, `return false`, "TestStopped"},
	{"a room that waits has long slots", "commit.go",
		`		unit = tail(n) / 4
`, ``, "TestStopped"},
	{"terms come with secrets alone", "secret.go",
		`	r.spreadTermsAt = time.Time{}
	g :=`, `	return
	g :=`, "TestWithheldTerms"},
	{"new terms are told to who is no living member", "secret.go",
		`len(lacks) > 0 && r.livesAs(g, ch) {`, `len(lacks) > 0 {`, "TestRevokedTerms"},
	{"a secret is waited for as long as a term", "commit.go",
		`if e.d != nil {
				long *= 2 // a term can be opened`, `if true {
			long *= 2 // a term can be opened`, "TestWithheldTerms"},
	{"d is kept", "head.go",
		`if e.wasRead() && r.now.Sub(e.readAt) > keysKept {`, `if false {`, "TestForwardSecrecyEscrow"},
	{"keys are kept", "head.go",
		`r.now.Sub(e.supersededAt) > keysKept:`, `r.now.Sub(e.supersededAt) > 100*keysKept:`, "TestEpochReplay"},
	{"a head may leave out somebody who is here", "head.go",
		`return !r.bringsBack(e) && r.leavesOut(e) == nil`, `return !r.bringsBack(e)`, "TestSilentOmission"},
	{"a first head may leave out somebody who is here", "head.go",
		`		return r.firstLeavesOut(e)`, `		return nil`, "TestFirstHead"},
	{"people are not told of omissions", "head.go",
		`r.emit(LeftOut{`, `_ = (LeftOut{`, "TestSilentOmission"},
	{"a head of the next day is one at once", "head.go",
		`if abe.DayOf(r.now.Add(dayTurn)) < e.commit.Period.Day() {`, `if false {`, "TestDayTurn"},
	{"who has not renewed is left out at once", "head.go",
		`if r.now.After(over) {`, `if true {`, "TestLapsedStays"},
	{"who has not renewed counts without end", "head.go",
		`if r.now.After(over) {`, `if false {`, "TestLapsedStays"},
	{"a secret that nobody has stands above all for good", "commit.go",
		`Height: g.height + 1, By: g.own.cid,`, `Height: func() uint64 {
			if r.head == nil {
				return 1
			}
			return r.head.commit.Height + 1
		}(), By: g.own.cid,`, "TestLateSecret"},
	{"who left comes back by another's word", "head.go",
		`return !r.bringsBack(e) && r.leavesOut(e) == nil`, `return r.leavesOut(e) == nil`, "TestForgedCommits"},
	{"a head that leaves a change undone puts it off", "commit.go",
		`!earliest.IsZero() && earliest.Before(r.turn.first)`, `!earliest.IsZero()`, "TestManyHeads"},
	{"a change is new after each head", "head.go",
		`turn{last: r.now, since: r.turn.since,`, `turn{last: r.now,`, "TestManyHeads"},
	{"a head that leaves out whom one let in ends one's turn", "head.go",
		`since: r.turn.since, letIn: r.turn.letIn}`, `since: r.turn.since}`, "TestSponsorGoesOn"},
	{"who lets somebody in waits for those before it", "commit.go",
		`	if sponsor {
		return at`, `	if false {
		return at`, "TestSponsorGoesOn"},
	{"no seniors in a full room", "tree.go",
		`	if g.head != nil {
		for i := range`, `	if false {
		for i := range`, "TestFullRoom"},
	{"who came late gives places away", "commit.go",
		`r.now.Before(r.committing.lateSince.Add(juniorTime))`, `false`, "TestFullRoom"},
	{"who knows the same is told all again", "compare.go",
		`case len(a.Have) == 0 && len(a.Beats) > 0:`, `case false:`, "TestJoinTellsLittle"},
	{"a commit before its join has all compared", "publish.go",
		`r.lack(e, from) // what it refers to`, `r.compareSoon(from)`, "TestJoinTellsLittle"},
	{"yesterday is proven by strangers", "dial.go",
		`theirs.Period != r.today() && !r.provedToday(n)`, `theirs.Period > r.today() && !r.provedToday(n)`, "TestAnyHour"},
	{"who takes part from tomorrow on waits for midnight", "dial.go",
		`if g == nil || g.own == nil {
		return true`, `if g == nil || g.own == nil {
		return false`, "TestKeyOfTomorrow"},
	{"tomorrow is proven by strangers", "dial.go",
		`if theirs.Period != r.today() && `, `if theirs.Period < r.today() && `, "TestStrangerAtOnce"},
	{"one cut is a member all the same", "graph.go",
		`	if len(g.cut) == 0 {
		return nil`, `	if true {
		return nil`, "TestCut"},
	{"who hangs on one cut alone stays", "graph.go",
		`(here == nil || here[from])`, `(here == nil || !g.cut[g.nodes[from].contribution.Identity])`, "TestCutHangersOn"},
	{"one goes on under a head that lists one cut", "graph.go",
		`if len(r.cut) > 0 && g != nil && g.own != nil && !g.members()[cid] {`, `if false {`, "TestCut"},
	{"one speaks to one cut while others leave", "message.go",
		`if gone && ev.Kind == record.EvidenceCut {
			return false`, `if gone && ev.Kind == 0 {
			return false`, "TestCutInCrowd"},
	{"one proves oneself to one cut", "prove.go",
		` || r.cut[c.Identity] {`, ` {`, "TestCutComesBack"},
	{"one sends although a listed one left", "message.go",
		`return !r.stopped()`, `return true`, "TestLeaveSecrecy"},
	{"commits for the day before the head's", "commit.go",
		`day = max(day, r.head.commit.Period)`, `day = max(day, 0)`, "TestRegressions"},
	{"heads are not renewed", "commit.go",
		`return r.now.Sub(h.since) >= rotatePeriod`, `return false`, "TestHourlyRotation"},
	{"a whole list may have another hash", "record/commit.go",
		`if len(list) != int(h.Members) || list.Hash() != h.List || list.Index(h.By) < 0 {`, `if len(list) != int(h.Members) || list.Index(h.By) < 0 {`, "./record TestRebuild"},
	{"a list may have another size", "record/commit.go",
		`if len(list) != int(h.Members) || list.Hash() != h.List || list.Index(h.By) < 0 {`, `if list.Hash() != h.List || list.Index(h.By) < 0 {`, "./record TestRebuild"},
	{"a committer need not be in its list", "record/commit.go",
		`list.Hash() != h.List || list.Index(h.By) < 0 {`, `list.Hash() != h.List {`, "./record TestRebuild"},
	{"a list may have a contribution twice", "record/commit.go",
		`return len(cids) == len(list)`, `return true`, "./record TestListWithAContributionTwice"},
	{"a list may have a peer twice", "record/commit.go",
		`bytes.Compare(list[i-1].Identity[:], list[i].Identity[:]) >= 0`, `bytes.Compare(list[i-1].Identity[:], list[i].Identity[:]) > 0`, "./record TestRebuild"},
	{"evidence is not bound to its commit", "record/commit.go",
		`case c.evidenceHash() != c.Header.Evidence:`, `case false:`, "./record TestBitFlips"},
	{"a commit is verified by another's contribution", "record/commit.go",
		`if by.ID() != c.By || by.Period != c.Period {`, `if false {`, "./record TestCommitOfAnother"},

	// The topic: PROTOCOL.md §10, and what it hands over: §8.2.
	{"a join with another's encapsulation", "record/join.go",
		`case ake.HashEncapsulation(j.Encapsulation) != j.Contribution.Encapsulation:`, `case false:`, "TestJoinEncapsulation"},
	{"a join of two strangers' edges", "record/join.go",
		`if j.In.To != j.Contribution.ID() || j.Out.To != j.In.From || j.In.Period != j.Out.Period {`, `if false {`, "./record TestJoinAcrossDays"},
	{"a published encapsulation is opened at once", "open.go",
		`at.After(r.now) {`, `at.After(r.now) && false {`, "TestOpenPublished"},
	{"published encapsulations are opened without end", "open.go",
		`if len(r.proofs.publishedOpenings) >= maxOpenings {`, `if false {`, "TestOpenPublished"},
	{"what no commit needs is opened", "open.go",
		`if !e.lists(n.contribution.Identity, cid) || n.term != nil || n.encapsulation == nil {`, `if n.term != nil || n.encapsulation == nil {`, "TestOpenUnlisted"},
	{"what was opened in vain is opened again", "publish.go",
		` && !n.opened {`, ` {`, "TestOpenUnlisted"},
	{"published encapsulations are kept without end", "open.go",
		`for total > maxEncapsulations {`, `for false {`, "TestOpenPublished"},
	{"presences go over the topic", "publish.go",
		`if err != nil || !p.Last() {`, `if err != nil {`, "TestTopicTakesLeavesOnly"},
	{"what a stream brought first is not passed on", "publish.go",
		`r.now.Sub(since) < forwardTime {`, `false {`, "TestForwardWhatStreamsBrought"},

	// Messages: PROTOCOL.md §9.
	{"authors are not checked", "transcript.go",
		`return c != nil && r.takesKind(m.Kind) && m.Verify(r.id, c) == nil`, `return c != nil`, "TestMessageForgery"},
	{"messages need no signature", "record/message.go",
		`return verify(author.Working[:], "message", room, m.signedPart(), m.Signature[:])`, `return nil`, "./record TestMessageOfAnother"},
	{"a message is verified by another's contribution", "record/message.go",
		`if author.ID() != m.CID {`, `if false {`, "./record TestMessageOfAnotherDay"},
	{"header keys are kept", "message.go",
		`if s := e.step(r.now); s > headerSteps {`, `if s := e.step(r.now); false && s > headerSteps {`, "TestForwardSecrecyEscrow"},
	{"a header key far ahead is taken", "message.go",
		` || m.Step > e.step(r.now)+headerSteps {`, ` {`, "TestStepAhead"},
	{"one sends as fast as one likes", "pace.go",
		`if rate == 0 || r.outbox.pace.take(r.now, rate) {`, `if true {`, "TestPace"},
	{"one takes what comes however fast", "pace.go",
		`return p.pace.tokens >= 1`, `return true`, "TestFlood"},
	{"gaps are not told", "gaps.go",
		`if age >= gapReportTime && `, `if age >= gapReportTime && false && `, "TestLateGap"},

	// Channels, and what is said in them alone: PROTOCOL.md §11.2.
	{"a stream outside a channel is as good as one inside", "compare.go",
		`return x.working != [32]byte{}`, `return true`, "TestStolenDisk"},
	{"terms are told outside a channel", "compare.go",
		`		if x.inside() {
			var terms []ake.MemberTerm`, `		if lives[r.days[r.today()]] = true; true {
			var terms []ake.MemberTerm`, "TestStolenDisk"},
	{"terms are taken outside a channel", "compare.go",
		`if err != nil || !x.inside() {`, `if err != nil {`, "TestStolenDisk"},
	{"logs are taken outside a channel", "compare.go",
		`return x.inside() && r.tookLog(x, body)`, `return r.tookLog(x, body)`, "TestLogsInside"},
	{"transcripts are taken outside a channel", "compare.go",
		`return x.inside() && r.tookTranscript(x, body)`, `return r.tookTranscript(x, body)`, "TestLogsInside"},
	{"how much one holds is taken outside a channel", "compare.go",
		`return x.inside() && r.tookHave(x, body)`, `return r.tookHave(x, body)`, "TestOutsideAChannel"},
	{"names are told outside a channel", "compare.go",
		`if names && p.name != nil {`, `if p.name != nil {`, "TestStolenDisk"},
	{"questions are taken outside a channel", "exchange.go",
		`ok = inside && r.mayAsk(p)`, `ok = r.mayAsk(p)`, "TestOutsideAChannel"},
	// Away: PROTOCOL.md §8.6.
	{"nobody is away", "away.go",
		`take(h.away[i].Identity, h.away[i].Day)`, `_ = i`, "TestAwayOverNight"},
	{"who falls asleep is not away", "away.go",
		`				take(e.Identity, h.commit.Period.Day())`, `				_ = e`, "TestAsleep"},
	{"who left is away", "away.go",
		`p.newest != nil && p.newest.Left`, `p.misbehaved`, "TestAway"},
	{"who is away is waited for for ever", "away.go",
		`last <= day && r.expiry(last).After(day.Start())`, `last <= day`, "TestAwayOverNight"},
	{"away from tomorrow", "away.go",
		`last <= day && r.expiry(last).After(day.Start())`, `r.expiry(last).After(day.Start())`, "TestForgedCommits"},
	{"who is away is left out", "head.go",
		`for i := range r.head.away {`, `for i := range r.head.away[:0] {`, "TestAwayOmitted"},
	{"who is away was here long ago", "away.go",
		`return i < 0 || e.away[i].Day < last`, `return i < 0`, "TestAwayOmitted"},
	{"a last presence is too old", "records.go",
		`p.Ends() <= n.Ends() && (p.Last() ||`, `(p.Last() && p.Ends() <= n.Ends() ||`, "TestLeftForSome"},
	{"who misbehaved has left, for some", "away.go",
		`p != nil && !p.misbehaved && p.newest`, `p != nil && p.newest`, "TestLeftForSome"},
	{"parts that meet forget who is away", "away.go",
		`			take(identity, a.day)`, `		_ = take`, "TestAwayMeet"},
	{"disks do not tell who is away", "journal.go",
		`	if last != nil {
		r.readers`, `	if false {
		r.readers`, "TestAllAway"},
	{"whoever was away reads, whatever their key", "logs.go",
		`g.isNoEarlier(t.Brief.Period) && (`, `(`, "TestLapsedStays"},
	// Notices: PROTOCOL.md §7.7.
	{"a forged notice counts", "notice.go",
		`case r.cfg.CheckNotice(n) != nil:`, `case false:`, "TestForgedNotice"},
	{"an old notice counts", "notice.go",
		`case n.Number < s.number() || n.Equal(s.newest) ||`, `case n.Equal(s.newest) ||`, "TestForgedNotice"},
	{"a notice from far ahead counts", "notice.go",
		`case n.Time().After(r.now.Add(maxAhead)):`, `case false:`, "TestForgedNotice"},
	{"what is no notice ends no stream", "notice.go",
		`return r.addNotice(n) != refused`, `r.addNotice(n)
	return true`, "TestForgedNotice"},
	{"a forged notice on the disk counts", "room.go",
		` && cfg.CheckNotice(cfg.Notice) == nil {`, ` {`, "TestNewcomerLearnsNotice"},
	{"notices without end", "notice.go",
		`at.After(r.now) {
		if s.waits`, `false {
		if s.waits`, "TestNoticesHaveAPace"},
	{"what waits is never taken", "notice.go",
		`	r.takeNotice(s.waits)`, `	_ = s`, "TestNoticesHaveAPace"},
	{"two notices with one number are not told of", "notice.go",
		`if !s.forked {`, `if false {`, "TestTwoNotices"},
	{"notices are not passed on", "compare.go",
		`	r.tellNotice(x)
`, ``, "TestNewcomerLearnsNotice"},
	{"a notice is encapsulated without", "days.go",
		`Encapsulate(seed, ctx, revoked)`, `Encapsulate(seed, ctx, revoked[:0])`, "TestRevokedOpens"},
	{"proofs of before the notice go on", "prove.go",
		`d.Notice() == r.notices.number() && `, ``, "TestRevokedStays"},
	{"who stays before the notice counts for ever", "head.go",
		`return r.begins(p).Add(noticeTurn)`, `return r.begins(p).Add(24 * time.Hour)`, "TestRevokedStays"},
	{"who has not come over yet does not count", "head.go",
		`if r.now.After(over) {`, `if r.now.After(day.Start().Add(noticeTurn)) {`, "TestNoticeNothingLost"},
	{"whose key lapses reads on after a notice", "graph.go",
		`g.period.Day() >= p.Day() && `, ``, "TestRegressions"},
	{"whose key is revoked is told what is said later", "graph.go",
		` && g.period.Notice() >= p.Notice()`, ``, "TestRevokedStays"},
	{"whose key is revoked takes part on", "days.go",
		` || r.revoked() {`, ` {`, "TestRevokedOpens"},
	{"what was before a notice is kept", "notice.go",
		`p.Notice() != r.notices.number() && r.now.After(r.notices.takenAt.Add(dayGrace))`, `false`, "TestRevokedStays"},
	{"all that was before notices is kept", "notice.go",
		`		if p.Notice() != was {`, `		if p.Notice() > was {`, "TestNoticesHaveAPace"},
	{"who is away without end", "away.go",
		`(ok || len(rs) < maxReaders)`, `true`, "TestAwayBounded"},
	{"who is cut is away", "away.go",
		`return true // it hangs`, `return false // it hangs`, "TestCut"},
	{"a stream brings back a channel that is over", "exchange.go",
		`ok = ch != nil && ch.up && ch.peer == p && r.Admits(p, working)`, `if ok = ch != nil; ok {
			r.channelUp(ch)
		}`, "TestStreamAfterItsChannel"},
	{"members of one day are given another's terms", "compare.go",
		`n.term != nil && lives[g] && g.members()[cid]`, `n.term != nil && g.members()[cid]`, "TestLapsedStays"},
	{"who lives on one day is told another's terms", "channel.go",
		`if !r.livesAs(g, ch) {`, `if false {`, "TestTermsOfTheDay"},
	{"a channel to one who is gone", "channel.go",
		`if _, gone := r.gone(g, g.node(c.ID())); !gone {`, `if r.gone(g, g.node(c.ID())); true {`, "TestAdmits"},
	{"a channel to one who was vouched for", "channel.go",
		`if c.Working == working && g.members()[c.ID()] {
				if`, `if c.Working == working {
				if`, "TestAdmits"},
	{"a channel to whatever process", "channel.go",
		`if c.Working == working && g.members()[c.ID()] {
				if`, `if g.members()[c.ID()] {
				if`, "TestAdmits"},
	{"a channel to another process of one's own", "channel.go",
		`if !ok || p == r.self || working == r.workingID {`, `if !ok || working == r.workingID {`, "TestAdmits"},
	{"a channel to one's own working key", "channel.go",
		`if !ok || p == r.self || working == r.workingID {`, `if !ok || p == r.self {`, "TestBorrowedKey"},
	{"channels to those who are gone are kept", "channel.go",
		`		r.endChannel(ch)
	}
	g := r.days[r.today()]`, `	}
	g := r.days[r.today()]`, "TestChannelsEnd"},

	// Logs: PROTOCOL.md §11.4.
	{"logs are not passed on", "logs.go",
		`if m != nil {
				r.sendBody(x, m)`, `if m != nil && index == t.ownIndex {
				r.sendBody(x, m)`, "TestHistory"},
	{"what was said is for everybody", "logs.go",
		`if listed || g.isNoEarlier(t.Brief.Period) && (wasAway || r.isHistory(t)) {`, `if true || wasAway {`, "TestBackwardSecrecy"},
	{"who was in an epoch need not prove it", "logs.go",
		`return c.Working == x.working`, `return true`, "TestLogsOfTheProcess"},
	{"a transcript that does not list this peer is taken", "logs.go",
		`if !t.reads(r.identity) && r.cfg.Descriptor.History == 0 {`, `if false {`, "TestMadeUpTranscript"},
	{"transcripts need no signature", "logs.go",
		`if head.VerifyOf(r.id, unknown) != nil {`, `if false {`, "TestMadeUpTranscript"},
	{"whoever serves a transcript is believed", "logs.go",
		`!t.reads(r.identity) || !r.allProved(head)`, `!t.reads(r.identity)`, "TestMadeUpTranscript"},
	{"logs are served without end", "pace.go",
		`return int(a.sent.tokens)`, `return allowanceBytes`, "TestGreedy"},
	{"a have without an ask is answered", "logs.go",
		`if err != nil || !x.gotAsk || x.sentTold || x.gotHaves`, `if err != nil || x.sentTold || x.gotHaves`, "TestHaveWithoutAsk"},
	{"a have from the beginning is compared with the end", "transcript.go",
		`	from := upto / chainStep * chainStep
`, `	from := upto / chainStep * chainStep
	if upto == 0 {
		return l.lastChain
	}
`, "TestChainOfNothing"},
	{"a chain over what was replaced stays", "transcript.go",
		`	l.lastChain, l.chained = [record.ChainSize]byte{}, 0
`, ``, "TestChainAt"},
	{"chains that are kept stay when what is below is replaced", "transcript.go",
		`(counter-1)/chainStep)]`, `counter)]`, "TestChainAt"},
	{"second messages are not read back", "journal.go",
		`	r.recallSeconds(seconds)
`, ``, "TestRecallSeconds"},
	{"which of two messages counts changes at a restart", "journal.go",
		`if compareHashes(n.id, was) < 0 {`, `if false {`, "TestRecallSeconds"},
	{"an epoch in which nothing was said yet is forgotten", "transcript.go",
		` && r.now.Sub(t.since) > emptyTime`, ``, "TestTranscriptBeforeItsMessages"},
	{"forks without end", "transcript.go",
		`if len(l.secondMessages) > maxSecondMessages {`, `if false {`, "TestBounds"},
	{"messages need not name each other", "transcript.go",
		`r.checkPrevious(t, index, m, id)
	l.take`, `l.take`, "TestBrokenChain"},
	{"two messages under one counter are nobody's business", "transcript.go",
		`return was != id && m.Counter > l.gone && r.takeSecondMessage(t, index, m, id, was)`, `return was != id && false`, "TestEquivocation"},
	{"what is kept has no bound in bytes", "shorten.go",
		`r.logs.bytes <= limit {`, `true {`, "TestFloodOfBytes"},
	{"who says least gives way", "shorten.go",
		`case a.bytes > most.bytes ||`, `case a.bytes < most.bytes ||`, "TestLargestAccount"},
	{"what does not stay is not remembered", "shorten.go",
		`if _, ok := l.id(c); !ok && id`, `if _, ok := l.id(c); false && !ok && id`, "TestFloodOfBytes"},
	{"second messages cost nothing", "transcript.go",
		`if l.secondMessages[m.Counter] == nil {
		r.countBytes`, `if false {
		r.countBytes`, "TestForksOfBytes"},

	// Questions: PROTOCOL.md §7.6.
	{"questions are answered without the user", "attest.go",
		`	r.emit(Asked{ID: open.id, Member: open.member, Policy: q.Policy})
`, `	r.emit(Asked{ID: open.id, Member: open.member, Policy: q.Policy})
	r.Answer(r.now, open.id, true)
`, "TestProveNeedsConsent"},

	// Keys: package ake.
	{"terms are added up", "../crypto/ake/epoch.go",
		`		copy(summand[4:], m[:])
		h.Write(summand[:])
	}
	var key Secret
	h.Sum(key.b[:0])`, `		for j := range m {
			summand[4+j] ^= m[j]
		}
	}
	var key Secret
	copy(key.b[:], summand[4:])`, "../crypto/ake TestCancellingReplay"},
	{"a term does not name its member", "../crypto/ake/epoch.go",
		`copy(inner[sha256.BlockSize+1+HashSize:], m.Identity[:])`, `_ = m.Identity`, "../crypto/ake TestAttributes"},
	{"d is not part of the secret", "../crypto/ake/epoch.go",
		`	ikm = d.Append(ikm)
`, ``, "../crypto/ake TestEpochSecret"},
	{"the epoch is not part of the secret", "../crypto/ake/epoch.go",
		`hkdf.Extract(sha256.New, ikm, epoch[:])`, `hkdf.Extract(sha256.New, ikm, nil)`, "../crypto/ake TestEpochSecret"},
	{"chains can be made again", "../crypto/ake/epoch.go",
		`k.root.Erase() // else`, `// else`, "../crypto/ake TestChainsAreMadeOnce"},
	{"header keys can be had again", "../crypto/ake/epoch.go",
		`k.header, k.step = key, step`, `k.header = key`, "../crypto/ake TestHeaderSteps"},
	{"an author's last key is kept", "../crypto/ake/chain.go",
		`	c.key.Erase()
	c.key = n`, `	_ = n`, "../crypto/ake TestChain"},
	{"keys stepped over without end", "../crypto/ake/chain.go",
		`for ; len(c.skipped) > MaxSkip; c.oldest++ {`, `for ; false; c.oldest++ {`, "../crypto/ake TestJumpingAuthor"},
	{"a chain steps over any number of keys", "../crypto/ake/chain.go",
		`	if counter-c.next > MaxSkip {
		return Secret{}, ErrSkip
	}
`, `	if counter-c.next > 2*MaxSkip {
		return Secret{}, ErrSkip
	}
`, "../crypto/ake TestJunkCounters"},
	{"both roles answer alike", "../crypto/ake/contribution.go",
		`	if role == Newcomer {
`, `	if role = Newcomer; false {
`, "../crypto/ake TestProof"},
	{"an answer names nobody", "../crypto/ake/contribution.go",
		`authenticate(p.Secret, []byte(role), newcomer[:], sponsor[:])`, `authenticate(p.Secret, []byte(role))`, "../crypto/ake TestProof"},
	{"what opens need not be made of its own coins", "../crypto/ake/contribution.go",
		`if err != nil || !ok || !hmac.Equal(again, enc) {`, `if _ = again; err != nil || !ok {`, "../crypto/ake TestCoinsOfItsOwn"},
	{"an encapsulation is not bound to its context", "../crypto/ake/contribution.go",
		`bind := Sum("coterie/2 bind", c.Bytes())`, `bind := Sum("coterie/2 bind")`, "../crypto/ake TestVectorsContributions"},
	{"the matrices of a ciphertext are not looked at", "../crypto/abe/skeleton.go",
		`if p.gap == 0 && !bytes.Equal(b[:n], p.fixed) {`, `if p.gap == 0 && !bytes.Equal(b[:n], p.fixed) && false {`, "../crypto/abe TestCrashCiphertext"},

	// Channels themselves: package channel.
	{"the list of what is too high is not made", "accept.go",
		`if !e.hasList() {
		if o`, `if !e.hasList() && !high {
		if o`, "TestTooHighForSome"},
	{"why a commit was no head holds for ever", "head.go",
		`w.left != nil && r.misses(e, w.left, w.last) || w.left == nil`, `w.left != nil || w.left == nil`, "TestWitness"},
	{"records are sent without end", "pace.go",
		`if r.logAllowance(x.identity) <= -allowanceBytes {`, `if false {`, "TestGreedyForRecords"},
	{"strangers are told what we hold", "pace.go",
		`case !r.isKnown(x.identity):`, `case false:`, "TestGreedyForRecords"},
	{"short ids and beats cost no allowance", "pace.go",
		`case r.logAllowance(x.identity) <= -allowanceBytes:`, `case false:`, "TestGreedyForRecords"},
	{"those under a greater head that leaves others out wait their turns", "commit.go",
		`func(_ int, entry *record.Entry) { yes = yes || e.lists(entry.Identity, entry.CID) }`, `func(int, *record.Entry) {}`, "TestListedBeside"},
	{"who was just let in is waited for for ever", "commit.go",
		`if at = maxTime(at, until); !until.After(r.now) {`, `if at = maxTime(at, until); false {`, "TestAwaitingEnds"},
	{"terms of nobody are known to be known", "compare.go",
		`if r.addTerm(&terms[i]) && ch != nil && ch.up {`, `if r.addTerm(&terms[i]); ch != nil && ch.up {`, "TestTermsOfNobody"},
	{"people are told of each omission", "head.go",
		`if !r.committing.omissionsReported.spend(`, `if false && !r.committing.omissionsReported.spend(`, "TestOmissionsArePaced"},
	{"records are taken without end", "compare.go",
		`pace.refill(r.now, recordRate, recordsAtOnce); pace.tokens < 1`, `pace.refill(r.now, recordRate, recordsAtOnce); false`,
		"TestRecordsHaveAPace"},
	{"commits are handed over without end", "secret.go",
		`pace.refill(r.now, recordRate, recordsAtOnce); pace.tokens < 1`, `pace.refill(r.now, recordRate, recordsAtOnce); false`,
		"TestHandoversHaveAPace"},
	{"beats are taken without end", "liveness.go",
		`pace.refill(r.now, recordRate, recordsAtOnce); pace.tokens < 1`, `pace.refill(r.now, recordRate, recordsAtOnce); false`,
		"TestRecordsHaveAPace"},
	{"no question gives way", "attest.go",
		`i := r.GivesWay(append(peers, p))`, `i := len(open)`, "TestQuestionsTakeTurns"},
	{"those listed for longest keep the places for channels", "channel.go",
		`g.turns([]ake.Hash{g.own.cid})`, `g.order()`, "TestChannelsTakeTurns"},
	{"strangers have a rate each on the topic", "../node/pace.go",
		`if f.members != nil && !f.members[from] {`, `if false {`, "../node TestForwardersHaveARate"},
	{"who was connected is not dialled again", "../node/connect.go",
		`dial = append(lost[:min(len(lost), lostAtOnce)], others...)`, `dial = others`, "../node TestLostAreDialled"},
	{"all who were connected are dialled at once", "../node/connect.go",
		`lost[:min(len(lost), lostAtOnce)]`, `lost`, "../node TestLostAreDialled"},
	{"who was connected is dialled without end", "../node/connect.go",
		`max(now.Sub(a.since)/lostShare, connectEvery)`, `connectEvery`, "../node TestLostAreDialled"},
	{"a channel is not drawn for what those there do not give", "secret.go",
		`r.drawSoon()`, ``, "../node TestHalvesReunite"},
	{"channels are drawn anew without end", "channel.go",
		`c.drawn.Add(redrawPeriod)`, `c.drawn`, "TestDrawsArePaced"},
	{"what was said elsewhere is not passed on", "logs.go",
		`r.logs.spreadAt = r.now.Add(spreadTime)`, ``, "../node TestHalvesReunite"},
	{"over TCP one dials as soon as over QUIC", "../node/host.go",
		`max(a.Delay, tcpDelay)`, `a.Delay`, "../node TestQUICFirst"},
	{"who was not reached is tried no sooner", "../node/nearby.go",
		`min(nearbyRetry-l.again, 0)`, `0`, "../node TestNearbyBounds"},
	{"who has enough company dials all that are found", "../node/nearby.go",
		`if n.company() >= wantPeers && n.isFellow(info.ID) {`, `if false {`, "../node TestNearbyEnough"},
	{"any channel that was answered gives way", "../node/tunnel.go",
		`i := n.room.GivesWay(append(peers, p))`, `i := 0`, "../node TestStrangersChannels"},
	{"a channel is of no room and no peers", "../node/channel/verify.go",
		`if state.NegotiatedProtocol != alpn {`, `if false {`, "../node/channel TestVerify"},
	{"a channel does not name its room", "../node/channel/channel.go",
		`labelled(alpnLabel, c.Room[:], dialler[:], answerer[:])`, `labelled(alpnLabel, dialler[:], answerer[:])`, "../node/channel TestNames"},
	{"a channel does not name its dialler", "../node/channel/channel.go",
		`labelled(alpnLabel, c.Room[:], dialler[:], answerer[:])`, `labelled(alpnLabel, c.Room[:], dialler[:0], answerer[:])`, "../node/channel TestNames"},
	{"a channel does not name its answerer", "../node/channel/channel.go",
		`labelled(alpnLabel, c.Room[:], dialler[:], answerer[:])`, `labelled(alpnLabel, c.Room[:], dialler[:], answerer[:0])`, "../node/channel TestNames"},
	{"a channel's ends have no roles", "../node/channel/channel.go",
		`	if !dials {
		dialler, answerer = c.Remote, c.Self
	}`, `	if string(dialler[:]) > string(answerer[:]) {
		dialler, answerer = c.Remote, c.Self
	}`, "../node/channel TestSwappedNames"},
	{"a channel to its own working key", "../node/channel/verify.go",
		`if w == own {`, `if false {`, "../node/channel TestVerify"},
	{"a channel admits anybody", "../node/channel/verify.go",
		`if !admits(w) {`, `if false {`, "../node/channel TestVerify"},
	{"a channel takes sessions of before", "../node/channel/verify.go",
		`if state.DidResume {`, `if false {`, "../node/channel TestVerify"},
	{"a channel takes other key agreements", "../node/channel/verify.go",
		`if state.CurveID != tls.X25519MLKEM768 {`, `if false {`, "../node/channel TestVerify"},
	{"a channel's end has many certificates", "../node/channel/verify.go",
		`if len(state.PeerCertificates) != 1 {`, `if false {`, "../node/channel TestVerify"},
	{"a channel stands before the other end has judged", "../node/channel/channel.go",
		`if b[0] != firstByte {`, `if false {`, "../node/channel TestFirstByte"},

	// Others.
	{"header keys are kept (2)", "message.go",
		`e.keys.Step(s - headerSteps)`, `_ = s`, "TestForwardSecrecyEscrow"},
	{"names are given outside channels", "compare.go",
		`switch o := r.offer(x.inside()); {
		case len(a.Have)`, `switch o := r.offer(true); {
		case len(a.Have)`, "TestStolenDisk"},
	{"logs are spoken of outside channels", "compare.go",
		`if x.inside() {
		h.Logs`, `if true {
		h.Logs`, "TestStolenDisk"},
	{"what was opened is answered at once", "prove.go",
		`began, wait := r.now, r.answerTime()`, `began, wait := r.now, time.Millisecond`, "TestAnswerTime"},
	{"beats are told by places of other records", "liveness.go",
		`o.digest == x.digest && len(named)`, `len(named)`, "TestBeatsByPlace"},
	{"beats are told to who has them", "liveness.go",
		`p.seconds() > has[w] && `, ``, "TestBeatsComeOnce"},
	{"who comes again and again is always next", "exchange.go",
		`return maxTime(n.since, n.lastCompared)`, `return n.lastCompared`, "TestTurnsOfComparisons"},
	{"a clock that stood still calls others silent", "liveness.go",
		`if gap := now.Sub(r.now); gap > stallTime {`, `if gap := now.Sub(r.now); false {`, "TestSuspendAndResume"},
	{"edges to nobody push out others'", "tree.go",
		`if len(of[b]) > len(of[most]) {`, `if len(of[b]) > 0 {`, "TestPromisedEdges"},
	{"one branch's commits push out others'", "accept.go",
		`of[branch] = append(of[branch], e)`, `of[ake.Hash{}], _ = append(of[ake.Hash{}], e), branch`, "TestCommitFloodOfMany"},
	{"garbled copies are forwarded", "publish.go",
		`if e == nil || !e.hasList() || e.commit.Signature != c.Signature {`, `if e == nil || !e.hasList() {`, "TestForwardWhatStreamsBrought"},
	{"one sends although somebody left", "message.go",
		`if _, gone := r.gone(g, n); gone {`, `if _, gone := r.gone(g, n); gone && false {`, "TestSimulate"},
	{"the user is not asked before a question is opened", "attest.go",
		`case !allow:`, `case false:`, "TestProveNeedsConsent"},
	{"one sends although a listed one left (2)", "message.go",
		`if _, gone := r.gone(g, n); gone {`, `if _, gone := r.gone(g, n); gone && false {`, "TestLeaveSecrecy"},

	// Words for some: PROTOCOL.md §9.6.
	{"who cannot read words compares with others", "words.go",
		`r.saveWords(w.t, w.index, w.counter, w.words)
	if w.holds {`, `r.saveWords(w.t, w.index, w.counter, w.words)
	if key == nil {
		r.compareSoon("")
	}
	if w.holds {`, "TestWordsTellNothing"},
	{"words are opened without end", "words.go",
		`if !c.pace.spend(1, r.now, wordsRate, wordsAtOnce) {`, `if false {`, "TestWordsTakeTurns"},
	{"words are opened in the order in which they come", "words.go",
		`return cmp.Or(c.turns[w.branch]-c.turns[o.branch], c.turns[w.author]-c.turns[o.author]) < 0`, `return false`, "TestWordsTakeTurns"},
	{"authors of one branch have no turns", "words.go",
		`, c.turns[w.author]-c.turns[o.author]) < 0`, `) < 0`, "TestWordsQueue"},
	{"no words make room", "words.go",
		`if b := r.words.queue[i].branch; waiting[b] > waiting[most] {`, `if b := r.words.queue[i].branch; waiting[b] < 0 {`, "TestWordsQueue"},
	{"logs wait for words that have no turn", "words.go",
		`w.holds = live && atOnce == waiting && float64(atOnce)+1 <= c.pace.tokens`, `w.holds = live`, "TestWordsTakeTurns"},
	{"logs wait for no words", "words.go",
		`w.holds = live && atOnce`, `w.holds = false && live && atOnce`, "TestWords"},
	{"words are made for one head and said under another", "words.go",
		`a.made != nil && *a.made == *want`, `a.made != nil`, "TestWordsOfAnotherHead"},
	{"what came of words is not kept", "words.go",
		`r.saveWords(w.t, w.index, w.counter, w.words)`, ``, "TestWordsStay"},
	{"an author's words are not kept", "message.go",
		`defer r.saveWords(t, e.ownIndex, counter, w)`, ``, "TestWordsStay"},
	{"the key of what did not open is kept", "words.go",
		`if w.reading = Unread; key != nil {`, `if w.reading = Read; key != nil {`, "TestWords"},
	{"words that wait are forgotten with their process", "journal.go",
		`r.queueWords(ref.t, ref.index, ref.counter, false)`, `_ = ref`, "TestWordsAreOpenedLater"},
	{"a gap is given up before words that are being opened", "gaps.go",
		`if l.holds() {
			continue
		}
		next`, `next`, "TestWordsBeforeGap"},
	{"words are not bound to their number", "../crypto/ake/words.go",
		`binary.BigEndian.AppendUint64(nil, c.Counter)`, `nil`, "../crypto/ake TestWordsAreBound"},
	{"words are not bound to their author", "../crypto/ake/words.go",
		`c.Epoch[:], c.Author[:]`, `c.Epoch[:]`, "../crypto/ake TestWordsAreBound"},
	{"words are padded as one likes", "../crypto/ake/words.go",
		`len(plain) > minWords && n <= len(plain)/2 || `, ``, "../crypto/ake TestWordsSealed"},

	{"strangers take as many turns as members", "due.go",
		`if r.membersTurn = !r.membersTurn; r.membersTurn {`, `if false {`, "TestMuteStrangers"},

	// About a message: PROTOCOL.md §9.8.
	{"anybody edits and withdraws", "about.go",
		`c.kind == o.kind && c.identity == o.identity`, `c.kind == o.kind`, "TestAttackAbout"},
	{"people are told that somebody edited what is not theirs", "about.go",
		`if m.Kind != record.KindReaction && author != by {`, `if m.Kind != record.KindReaction && author != by && false {`, "TestAttackAbout"},
	{"words for some are edited, and reacted to", "about.go",
		`return kind == record.KindWithdrawal
`, `return true
`, "TestAttackAbout"},
	{"one sends what tells all who reads words for some", "about.go",
		`case m.Kind == record.KindTo && kind != record.KindWithdrawal:`, `case false:`, "TestAttackAbout"},
	{"one sends edits of what others said", "about.go",
		`(kind == record.KindEdit || kind == record.KindWithdrawal) && author != r.identity:`, `kind == record.KindEdit && author == author && false:`, "TestAttackAbout"},
	{"the edit that came last counts", "about.go",
		`cmp.Compare(b.lamport, a.lamport), compareHashes(b.id, a.id))`, `0)`, "TestAboutOrderFree"},
	{"what is withdrawn can be edited", "about.go",
		`d.Withdrawn, d.Message.Text, d.File = true, "", nil
		return`, `d.Withdrawn, d.Message.Text, d.File = true, "", nil`, "TestAboutOrderFree"},
	{"a change of what is withdrawn is told", "about.go",
		`gone && m.Kind != record.KindWithdrawal {`, `gone && false {`, "TestSimulateAbout"},
	{"an older change is told", "about.go",
		`!ok || last.id != id {`, `!ok || last.id != id && false {`, "TestChangesAreTold"},
	{"a change is told of what was not shown", "about.go",
		`if !ok || ref.counter > ref.t.log(ref.index).shown {`, `if !ok {`, "TestChangesAreTold"},
	{"both of two changes under one counter count", "transcript.go",
		`r.replaceChange(t, index, m)`, `r.noteChange(t, index, noteOf(r.id, m))`, "TestAboutOrderFree"},
	{"after a restart both count", "journal.go",
		`id == n.id && n.note.counter > l.gone {`, `id != n.id || n.note.counter > l.gone {`, "TestAboutOrderFree"},
	{"after a restart nothing was edited", "journal.go",
		`r.recallChanges(about)`, ``, "TestAbout"},
	{"reactions without end", "about.go",
		`out = out[:most]`, ``, "TestAttackManyReactions"},
	{"made-up members' reactions hide others'", "about.go",
		`turn[a.id] - turn[b.id] })`, `0 })`, "TestAttackManyReactions"},
	{"edits of one message without end", "about.go",
		`if last-first >= maxAlike {`, `if false {`, "TestAttackManyReactions"},
	{"one looks for what is not here without end", "about.go",
		`if min(p.tokens, all.tokens) < 1 {`, `if false {`, "TestFindIsPaced"},
	{"one has nobody look for what others name", "about.go",
		`min(p.tokens, all.tokens) < 1`, `all.tokens < 1`, "TestFindIsPaced"},
	{"what is read back has changes that do not count", "history.go",
		`if err == nil && again {`, `if false {`, "TestChangeIsSecond"},
	{"what was withdrawn is back when the withdrawal is not kept", "shorten.go",
		`			cmp.Compare(x.t.Brief.Period, y.t.Brief.Period), cmp.Compare(x.t.Brief.Height, y.t.Brief.Height),
`, `			cmp.Compare(y.t.Brief.Height, x.t.Brief.Height),
`, "TestWithdrawnStaysSo"},
	{"what was withdrawn is back when the withdrawal gives way", "room.go",
		`	r.letGoOrphans()
`, `	_ = r.letGoOrphans
`, "TestOrphansGo"},
	{"all is looked through for each withdrawal that gives way", "shorten.go",
		`r.logs.orphansAt.Add(orphansEvery)`, `r.logs.orphansAt.Add(0 * orphansEvery)`, "TestOrphansGo"},
	{"what lets go of a message passes it on", "shorten.go",
		`			delete(l.bodies, c)
`, `			_ = c
`, "TestOrphansGo"},
	{"anybody's change has what it is about go", "shorten.go",
		`ok && orphans[id] == by {`, `ok && orphans[id] != [32]byte{} {`, "TestOrphansGo"},
	{"one message brings all clocks to their end", "transcript.go",
		`theirs <= mostLamport(r.now)`, `theirs < 1<<62`, "TestClaimedTime"},
	{"an answer stands above its question", "order.go",
		`repliesBelow(all)`, ``, "TestReplyBelow"},
	{"what is about a message stays when its epoch goes", "transcript.go",
		`r.dropChanges(t.log(i), t.log(i).highest())`, ``, "TestAboutGoes"},
	// Questions from outside: PROTOCOL.md §9.7.
	{"questions from outside are taken without end", "outside.go",
		`if !o.pace.spend(1, r.now, rate, atOnce) {`, `if !o.pace.spend(0, r.now, rate, atOnce) {`, "TestOutsideFlood"},
	{"a large room takes as many questions as all its members would", "outside.go",
		`share := float64(fewTakers) / float64(max(n, fewTakers))`, `share := float64(min(n, 1))`, "TestOutsideCrowd"},
	{"who asks first is taken first", "outside.go",
		`i := r.random(len(o.queue))
		w := o.queue[i]`, `i := 0
		w := o.queue[i]`, "TestOutsideIsDrawn"},
	{"yesterday is not proven", "days.go",
		`r.contribute(today - 1) //`, `//`, "TestYesterdayToo"},
	{"questions are kept without end", "asked.go",
		`if len(o.byID) >= maxOutside {`, `if false {`, "TestOutsideInsider"},
	{"whoever brought questions, the oldest gives way", "asked.go",
		`return cmp.Or(c.more(a.by, b.by), differ(`, `return cmp.Or(differ(`, "TestOutsideInsider"},
	{"in a branch authors have no turns", "asked.go",
		`return cmp.Or(c[b.branch]-c[a.branch], c[b.author]-c[a.author])`, `return c[b.branch] - c[a.branch]`, "TestOutsideInsider"},
	{"the newest answer gives way", "asked.go",
		`if c.more(a.replies[i].by, a.replies[last].by) <= 0 {`, `if true {`, "TestOutsideInsider"},
	{"only answers that open are served", "outside.go",
		`	for i := range a.replies {
		out = append(out, a.replies[i].Box)`, `	for i := range a.replies {
		if a.reading == Read && a.replies[i].shown.Number == 0 {
			continue
		}
		out = append(out, a.replies[i].Box)`, "TestOutsideProbing"},
	{"only questions that open are passed on", "outside.go",
		`		o.queue = append(o.queue, waitingOutside{x, q})
`, `		if key, err := r.cfg.Encapsulator.(Outsider).OpenOutside(q.For, q.Context(r.id), nil, q.Encapsulation); err != nil ||
			key.IsZero() {
			r.reply(x, record.ReplyTaken, nil)
			return
		}
		o.queue = append(o.queue, waitingOutside{x, q})
`, "TestOutsideProbing"},
	{"questions for other rooms are taken", "outside.go",
		`if to != topic {`, `if to != topic && false {`, "TestOutsideOtherRoom"},
	{"questions of any day are taken", "outside.go",
		`case !adjacent(q.Period.Day(), day):`, `case day == 0:`, "TestOutsideOtherRoom"},
	{"questions of before a notice are taken", "outside.go",
		`case q.Period.Notice() != r.notices.number():`, `case false:`, "TestOutsideNotice"},
	{"who is alone takes questions", "outside.go",
		`case !r.maySend():
		r.reply(x, record.ReplyLater, nil)`, `case false:
		r.reply(x, record.ReplyLater, nil)`, "TestOutsideAlone"},
	{"a room takes questions though it does not say so", "outside.go",
		`return r.cfg.Descriptor.Questions || !isOutside(kind)`, `return true`, "TestOutsideNotAllowed"},
	{"any token fetches answers", "outside.go",
		`&& a.question.Token == of {`, `&& of != (ake.Hash{}) {`, "TestOutside"},
	{"a question that two took is two", "asked.go",
		`if a.question != nil { // another`, `if false { // another`, "TestOutsideTwice"},
	{"a question is opened again by each process", "asked.go",
		`if w := l.words[m.Counter]; w != nil {`, `if w := l.words[m.Counter]; w != nil && false {`, "TestOutsideStays"},
	{"questions are kept for ever", "asked.go",
		`if r.now.After(a.until) {`, `if r.now.After(a.until.Add(1000 * time.Hour)) {`, "TestOutsideStays"},
	{"in the evening an older process says whether somebody left", "away.go",
		`if last == nil || c.Serial > last.contribution.Serial {`, `if last == nil {`, "TestLeavesInTheEvening"},
	{"a name that is on its way is not waited for", "show.go",
		`l.holds() || r.awaitName(t, index) {`, `l.holds() {`, "TestNameFirst"},
	{"a name that does not come is waited for", "show.go",
		`!r.now.Before(r.head.since.Add(nameTime)) {`, `false {`, "TestNameFirst"},
	{"questions are shown as messages are", "show.go",
		`if isOutside(m.Kind) {`, `if false {`, "TestOutside"},
	{"an answer that the asker reads otherwise is shown", "../crypto/ake/outside.go",
		`if err != nil || !opened || !hmac.Equal(again, ct) {`, `if err != nil || !opened || len(again) != len(ct) {`,
		"../crypto/ake TestReplies"},
	{"answers are passed off as one's own", "../crypto/ake/outside.go",
		`"coterie/2 outside seed", question[:], author[:], ct)`, `"coterie/2 outside seed", question[:], ct)`, "../crypto/ake TestReplies"},
	{"another's copy of an answer takes its place", "asked.go",
		`return o.author == n.author && string(o.Box) == string(n.Box)`, `return string(o.Box) == string(n.Box)`, "TestOutsideCopied"},
	{"whoever takes what others took pays for it", "asked.go",
		`if c.more(a.by, p) < 0 {`, `if false {`, "TestOutsideTaken"},
	{"answers are read where the question opens alone", "outside.go",
		`if a.question == nil || a.reading == NotOpened || a.reading == Read && a.shown.Number == 0 {`,
		`if a.question == nil || a.shown.Number == 0 {`, "TestOutsideReplyWork"},
	{"answers that do not open are read again and again", "outside.go",
		`		n.tried = true
`, `		n.tried = n.shown.Number > 0
`, "TestOutsideReplyWork"},
	{"answers to what is not kept any more come first", "asked.go",
		`return a.question != nil && len(a.replies) > 0`, `return len(a.replies) > 0`, "TestOutsideAnswersAlone"},
	{"whoever has the asker's key makes answers", "../crypto/ake/outside.go",
		`Expand(k.Secret, "coterie/2 outside answer"`, `Expand(Secret{}, "coterie/2 outside answer"`, "../crypto/ake TestReplies"},
	{"answers are not sealed to the asker", "../crypto/ake/outside.go",
		`question[:], ct, ss)`, `question[:], ct)`, "../crypto/ake TestReplies"},
	{"questions are not bound to their room", "../crypto/ake/outside.go",
		`"coterie/2 outside context", c.Room[:], `, `"coterie/2 outside context", `, "../crypto/ake TestOutsideIsBound"},
}

// TestMutants takes one rule out of the protocol at a time, and sees that a test
// fails. Without -sim.mutants it only sees that each still applies.
//
// All mutants of a package are in one binary, by an overlay over its files: each is
// a copy of the function that it changes, which is called in place of the function
// when COTERIE_MUTANT is the mutant's number.
func TestMutants(t *testing.T) {
	files := make(map[string][]int)
	for i := range mutants {
		m := &mutants[i]
		source, err := os.ReadFile(m.file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(source, []byte(m.old)); n != 1 {
			t.Errorf("%s: %s has %q %d times", m.name, m.file, m.old, n)
		}
		files[m.file] = append(files[m.file], i)
	}
	if t.Failed() || !*simMutants {
		return
	}
	dir := t.TempDir()
	buildMutants(t, dir, files)
	for i := range mutants {
		t.Run(mutants[i].name, func(t *testing.T) {
			t.Parallel()
			mutants[i].notice(t, dir, i+1)
		})
	}
}

// pkg is the package of the test that is to notice, and the test.
func (m *mutant) pkg() (pkg, test string) {
	if pkg, test, ok := strings.Cut(m.run, " "); ok {
		return pkg, test
	}
	return ".", m.run
}

// buildMutants builds the tests of all packages with all mutants.
func buildMutants(t *testing.T, dir string, files map[string][]int) {
	replace := make(map[string]string)
	put := func(over, text string) {
		over, err := filepath.Abs(over)
		if err != nil {
			t.Fatal(err)
		}
		if replace[over] == "" {
			replace[over] = filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		}
		if err := os.WriteFile(replace[over], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, of := range files {
		name, text, err := withMutants(file, of)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		put(file, text)
		put(filepath.Join(filepath.Dir(file), "mutant_number.go"), fmt.Sprintf(`package %s

import "os"

var mutantNumber = os.Getenv("COTERIE_MUTANT")
`, name))
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir + "/"}
	pkgs := make(map[string]bool)
	for i := range mutants {
		if pkg, _ := mutants[i].pkg(); !pkgs[pkg] {
			pkgs[pkg] = true
			args = append(args, pkg)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("the mutants do not build: %v\n%s", err, out)
	}
}

// withMutants is a file with some mutants in it, and its package's name.
func withMutants(file string, of []int) (name, text string, err error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return "", "", err
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	copies := ""
	calls := make(map[int]string) // by the offset of the body they begin
	for _, i := range of {
		m := &mutants[i]
		from := strings.Index(string(source), m.old)
		var f *ast.FuncDecl
		for _, d := range parsed.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && at(d.Body.Lbrace) < from && from+len(m.old) <= at(d.End()) {
				f = d
			}
		}
		if f == nil {
			return "", "", fmt.Errorf("%q is in no function", m.old)
		}
		called := fmt.Sprintf("%sMutant%d", f.Name.Name, i+1)
		copies += fmt.Sprintf("\n%s%s%s%s%s\n", source[at(f.Pos()):at(f.Name.Pos())], called, source[at(f.Name.End()):from], m.with, source[from+len(m.old):at(f.End())])
		if f.Recv != nil {
			called = f.Recv.List[0].Names[0].Name + "." + called
		}
		var params []string
		for _, p := range f.Type.Params.List {
			for _, n := range p.Names {
				if params = append(params, n.Name); isEllipsis(p.Type) {
					params[len(params)-1] += "..."
				}
			}
		}
		call := fmt.Sprintf("%s(%s)", called, strings.Join(params, ", "))
		if f.Type.Results != nil {
			call = "return " + call
		} else {
			call += "; return"
		}
		calls[at(f.Body.Lbrace)+1] += fmt.Sprintf("\nif mutantNumber == \"%d\" { %s }\n", i+1, call)
	}
	text, done := "", 0
	for _, offset := range slices.Sorted(maps.Keys(calls)) {
		text += string(source[done:offset]) + calls[offset]
		done = offset
	}
	return parsed.Name.Name, text + string(source[done:]) + copies, nil
}

func isEllipsis(e ast.Expr) bool {
	_, ok := e.(*ast.Ellipsis)
	return ok
}

// notice runs the test that is to notice, with the mutant of a number.
func (m *mutant) notice(t *testing.T, dir string, number int) {
	began := time.Now()
	pkg, test := m.pkg()
	path, err := filepath.Abs(pkg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, filepath.Base(path)+".test"), "-test.run", "^("+test+")$", "-test.failfast", "-test.v", "-test.timeout", "5m")
	if pkg == "." {
		cmd.Args = append(cmd.Args, "-sim.shrink=false", "-sim.schedules=100")
	}
	cmd.Dir = path
	cmd.Env = append(os.Environ(), fmt.Sprintf("COTERIE_MUTANT=%d", number))
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case err == nil && !strings.Contains(text, "--- PASS"):
		t.Errorf("there is no %s", m.run)
	case err == nil:
		t.Errorf("%s does not notice", m.run)
	case strings.Contains(text, "panic: test timed out"):
		t.Errorf("%s does not end, which a slow computer may be the reason for", m.run)
	case !strings.Contains(text, "--- FAIL") && !strings.Contains(text, "panic: "):
		t.Errorf("it does not run: %v\n%s", err, text)
	default:
		why := "it does not end"
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); strings.Contains(line, "_test.go:") && !strings.Contains(line, ": seed ") || strings.HasPrefix(line, "panic: ") {
				why = line
				break
			}
		}
		t.Logf("%v: %.160s", time.Since(began).Round(10*time.Millisecond), why)
	}
}
