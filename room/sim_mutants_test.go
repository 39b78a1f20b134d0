package room

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var simMutants = flag.Bool("sim.mutants", false, "run TestMutants, which takes minutes")

type mutant struct {
	name, file, old, with string
	run                   string // the test that must fail, behind its package if that is another
	schedules             string
}

// mutants are changes to the protocol's code, each of which takes out one rule.
// The simulator, or the test named, must notice.
var mutants = []mutant{
	// Which commits fit, and which of them is the head.
	{"a listed peer need not be in my component", "accept.go",
		`if m == nil || !members[entry.CID] {`, `if _ = members; m == nil {`, "TestForgedCommits", "0"},
	{"a listed identity need not be the contribution's", "accept.go",
		`if m.Identity != entry.Identity {`, `if false {`, "TestForgedCommits", "0"},
	{"a listed presence need not be here", "accept.go",
		`p == nil || p.bodies[entry.Presence] == nil {`, `p == nil {`, "TestForgedCommits", "0"},
	{"heights are not bounded", "accept.go",
		`if c.Height > r.mostHeight(c.Day) {`, `if false {`, "TestHeightInflation", "0"},
	{"a committer need not list itself", "record/commit.go",
		` || list.Index(h.By) < 0 {`, ` {`, "TestForgedCommits", "0"},
	{"commits are not signed", "accept.go",
		`if c.Verify(r.id, by) != nil {`, `if false {`, "TestSplitCommit", "0"},
	{"a head may leave out who is here", "head.go",
		`return r.leavesOut(e) == nil`, `return true`, "TestSilentOmission", "0"},
	{"a head may list who is gone", "head.go",
		`if r.missesAny(g, e) {`, `if _ = g; false {`, "TestForgedCommits", "0"},
	{"tomorrow's commit is a head today", "head.go",
		`if abe.DayOf(r.now.Add(dayTurn)) < e.commit.Day {`, `if false {`, "TestDayTurn", "0"},
	{"who has not renewed by midnight is left out at once", "head.go",
		`if r.now.After(day.Start().Add(dayTurn)) {`, `if true {`, "TestLapsedStays", "0"},
	{"who has not renewed is waited for without end", "head.go",
		`if r.now.After(day.Start().Add(dayTurn)) {`, `if false {`, "TestLapsedStays", "0"},
	{"omissions are not spoken of", "head.go",
		`r.emit(LeftOut{`, `_ = (LeftOut{`, "TestSilentOmission", "0"},
	{"of two commits of one height the later counts", "accept.go",
		`	return compareHashes(a.commit.ID(), b.commit.ID()) > 0
`, `	return a.since.After(b.since)
`, "TestSimulate", "100"},
	{"commits for the day before the head's", "commit.go",
		`day = max(day, r.head.commit.Day)`, `day = max(day, 0)`, "TestRegressions", "0"},

	// Secrets.
	{"a secret need not be the commit's", "secret.go",
		`if !ake.Fits(h.Commit.Core(), h.D, h.Commit.Secret) {`, `if false {`, "TestSplitCommit", "0"},
	{"secrets are handed to whom the commit does not list", "secret.go",
		`if e.gave[ch.working] || !r.listsProcess(e, ch.working) {`, `if e.gave[ch.working] {`, "TestBackwardSecrecy", "0"},
	{"secrets are taken outside channels", "secret.go",
		`if err != nil || !x.inside() {`, `if err != nil {`, "TestStolenDisk", "0"},
	{"whoever lacks a secret does not ask", "secret.go",
		`r.askFor(e)
		c.next`, `c.next`, "TestAsksForSecret", "0"},
	{"a withheld secret makes us commit at once each time", "commit.go",
		`r.patience = r.now.Add(r.waits)`, `r.patience = r.now`, "TestWithheldSecrets", "0"},
	{"secrets are kept", "head.go",
		`!e.dUntil.IsZero() && r.now.After(e.dUntil) {`, `false {`, "TestForwardSecrecyEscrow", "0"},
	{"header keys are kept", "message.go",
		`e.keys.Step(s - headerSteps)`, `_ = s`, "TestForwardSecrecyEscrow", "0"},
	{"header keys of any time are taken", "message.go",
		`m.Step > e.step(r.now)+headerSteps {`, `false {`, "TestStepAhead", "0"},
	{"an old head is not renewed", "commit.go",
		`return r.now.Sub(h.since) >= rotatePeriod`, `return false`, "TestForwardSecrecyEscrow", "0"},

	// Channels, and what goes into them alone.
	{"channels with whoever was vouched for", "channel.go",
		`if c.Working == working && g.members()[c.ID()] {
				if _, gone := r.gone(g, c.ID()); !gone {
					return`, `if c.Working == working {
				if _, gone := r.gone(g, c.ID()); !gone {
					return`, "TestAdmits", "0"},
	{"channels with who is gone", "channel.go",
		`if _, gone := r.gone(g, c.ID()); !gone {
					return`, `if _, gone := r.gone(g, c.ID()); !gone || true {
					return`, "TestAdmits", "0"},
	{"channels with any process of a member", "channel.go",
		`if c.Working == working && g.members()[c.ID()] {
				if`, `if g.members()[c.ID()] {
				if`, "TestAdmits", "0"},
	{"channels with our own peer", "channel.go",
		`if !ok || p == r.self || working == r.workingID {`, `if !ok || working == r.workingID {`, "TestAdmits", "0"},
	{"terms are taken outside channels", "compare.go",
		`if err != nil || !x.inside() {`, `if err != nil {`, "TestStolenDisk", "0"},
	{"terms are given outside channels", "compare.go",
		`		if x.inside() {
			var terms []ake.MemberTerm`, `		if lives[r.days[r.today()]] = true; true {
			var terms []ake.MemberTerm`, "TestStolenDisk", "0"},
	{"names are given outside channels", "compare.go",
		`if o := r.offer(x.inside()); o.digest != x.theirHello.Digest {
			has`, `if o := r.offer(true); o.digest != x.theirHello.Digest {
			has`, "TestStolenDisk", "0"},
	{"transcripts are taken outside channels", "compare.go",
		`return x.inside() && r.tookTranscript(x, body)`, `return r.tookTranscript(x, body)`, "TestLogsInside", "0"},
	{"logs are taken outside channels", "compare.go",
		`return x.inside() && r.tookLog(x, body)`, `return r.tookLog(x, body)`, "TestLogsInside", "0"},
	{"logs are spoken of outside channels", "compare.go",
		`if x.inside() {
		h.Logs`, `if true {
		h.Logs`, "TestStolenDisk", "0"},

	// Who is a member.
	{"terms are not compared with their commitment", "records.go",
		`n.term == nil && t.Term.Commitment() == n.contribution.Term {`, `n.term == nil {`, "TestWrongTerms", "0"},
	{"leaving is not absorbing", "graph.go",
		`case n.Left == p.newest.Left && n.Serial > p.newest.Serial:`, `case n.Serial > p.newest.Serial:`, "TestLeaveIsAbsorbing", "0"},
	{"what waits is not tried again", "records.go",
		`for _, rec := range waiting {`, `for _, rec := range waiting[:0] {`, "TestOrderFree", "0"},
	{"the later process does not count", "graph.go",
		`return a.Serial > b.Serial`, `return a.Serial < b.Serial`, "TestAdmits", "0"},
	{"whoever I vouched for is a member", "graph.go",
		`	queue := []ake.Hash{g.own.cid}
	g.component[g.own.cid] = true`, `	for cid, n := range g.nodes {
		g.component[cid] = n.contribution != nil
	}
	queue := []ake.Hash{g.own.cid}
	g.component[g.own.cid] = true`, "TestForgedCommits", "0"},
	{"who let us in already may prove itself again", "prove.go",
		`if n := g.nodes[c.ID()]; n != nil && n.out[g.own.cid] != nil {`, `if false {`, "TestProvedAlready", "0"},
	{"what was opened is answered at once", "prove.go",
		`began, wait := r.now, r.answerTime()`, `began, wait := r.now, time.Millisecond`, "TestAnswerTime", "0"},
	{"what does not open ends at once", "prove.go",
		`			r.at(x.due, func() {
				if r.exchanges[x.id] == x {
					r.reset(x)`, `			r.at(r.now, func() {
				if r.exchanges[x.id] == x {
					r.reset(x)`, "TestAnswerTime", "0"},
	{"the dead are members", "liveness.go",
		`if p != nil && r.silent(p) {`, `if p != nil && false {`, "TestSilentPeerIsDropped", "0"},
	{"the dead are members while nobody is heard", "liveness.go",
		`p.lost = true //`, `return true //`, "TestDeadStaySilent", "0"},
	{"beats of the future are taken", "liveness.go",
		`if b.Serial > uint64(r.now.Add(maxAhead).UnixMilli()) {`, `if false {`, "TestBeatAhead", "0"},
	{"beats are not signed", "liveness.go",
		`if b.Verify(r.id) != nil {`, `if false {`, "TestForgedBeats", "0"},
	{"a clock that stood still calls others silent", "liveness.go",
		`if gap := now.Sub(r.now); gap > stallTime {`, `if gap := now.Sub(r.now); false {`, "TestSuspendAndResume", "0"},

	// Shares of what is full.
	{"one member's word puts others on its branch", "tree.go",
		`if _, back := n.in[to]; !back || !members[to] {`, `if !members[to] {`, "TestTree", "0"},
	{"branches do not take turns", "tree.go",
		`c := children[turns[at]%len(children)]
			turns[at]++`, `c := children[turns[at]%len(children)]
			if empty[c] {
				turns[at]++
			}`, "TestTree", "0"},
	{"edges to nobody without end", "graph.go",
		`if len(g.promised) >= maxPromised && g.promised[e.To] == nil {`, `if false {`, "TestPromisedEdges", "0"},
	{"edges to nobody push out others'", "graph.go",
		`if len(of[b]) > len(of[most]) {`, `if len(of[b]) > 0 {`, "TestPromisedEdges", "0"},
	{"whom I vouched for makes room", "graph.go",
		`if g.nodes[g.own.cid].out[last] != nil || from`, `if from`, "TestMakeRoom", "0"},
	{"whom I vouch for is refused", "graph.go",
		` || from != g.own.cid && of[g.branch(from)]`, ` || of[g.branch(from)]`, "TestMakeRoom", "0"},
	{"who has most is given room", "graph.go",
		` || from != g.own.cid && of[g.branch(from)]+1 >= of[g.branch(last)] {`, ` {`, "TestMakeRoom", "0"},
	{"commits without end", "accept.go",
		`if len(r.commits) < maxCommits {`, `if true {`, "TestCommitFlood", "0"},
	{"one branch's commits push out others'", "accept.go",
		`of[branch] = append(of[branch], e)`, `of[ake.Hash{}], _ = append(of[ake.Hash{}], e), branch`, "TestCommitFloodOfMany", "0"},
	{"a branch without commits is given no room", "accept.go",
		`if len(of[b]) > len(of[most]) {`, `if false {`, "TestCommitFloodOfMany", "0"},
	{"strangers' commits without end", "records.go",
		`if len(r.strange) >= maxStrange {`, `if false {`, "TestStrangeCommits", "0"},
	{"strangers' terms without end", "records.go",
		`if len(r.orphans) >= maxOrphans {`, `if false {`, "TestOrphanTerms", "0"},
	{"pairs of presences without end", "graph.go",
		`p.pairs < maxPairs && `, ``, "TestMisbehaviourPairs", "0"},
	{"whoever says nothing keeps others from proving themselves", "exchange.go",
		`if len(idle) == 0 {`, `if true {`, "TestAnswerSlots", "0"},

	// The topic.
	{"a join's encapsulation may be any", "record/join.go",
		`case ake.HashEncapsulation(j.Encapsulation) != j.Contribution.Encapsulation:`, `case false:`, "TestJoinEncapsulation", "0"},
	{"encapsulations from the topic are opened at once", "open.go",
		`if at := e.since.Add(2 * tail(len(e.list))); at.After(r.now) {`, `if at := e.since; at.After(r.now) {`, "TestOpenPublished", "0"},
	{"encapsulations from the topic are opened without end", "open.go",
		`if len(r.openings) >= maxOpenings {`, `if false {`, "TestOpenPublished", "0"},
	{"encapsulations from the topic are kept without end", "open.go",
		`if total > maxEncapsulations {`, `if false {`, "TestOpenPublished", "0"},
	{"presences go over the topic", "publish.go",
		`if err != nil || !p.Left {`, `if err != nil {`, "TestTopicTakesLeavesOnly", "0"},
	{"garbled copies are forwarded", "publish.go",
		`if e == nil || e.list == nil || e.commit.Signature != c.Signature {`, `if e == nil || e.list == nil {`, "TestForwardWhatStreamsBrought", "0"},

	// What is said.
	{"authors are not checked", "transcript.go",
		`return c != nil && m.Verify(r.id, c) == nil`, `return c != nil`, "TestMessageForgery", "0"},
	{"one sends although somebody left", "message.go",
		`if _, gone := r.gone(g, h.list[i].CID); gone {`, `if _, gone := r.gone(g, h.list[i].CID); gone && false {`, "TestSimulate", "100"},
	{"logs are not passed on", "logs.go",
		`if m != nil {
				r.sendBody(x, m)`, `if m != nil && r.head != nil && t.id == r.head.commit.ID() {
				r.sendBody(x, m)`, "TestSimulate", "200"},
	{"an epoch in which nothing was said yet is forgotten", "transcript.go",
		` && r.now.Sub(t.since) > emptyTime`, ``, "TestTranscriptBeforeItsMessages", "0"},
	{"the user is not asked before a question is opened", "attest.go",
		`case !allow:`, `case false:`, "TestProveNeedsConsent", "0"},
	{"a question is answered for whoever passes it on", "attest.go",
		`q.Asker != c.ID() || c.Working != x.working || `, ``, "TestProveRelayedQuestion", "0"},
}

// attackMutants takes out, for each attack that DESIGN.md §3.10 names, what the
// room is defended by. (MessageForgery and OrderFree: above.)
var attackMutants = []mutant{
	{"terms are added up, as in the thesis", "../crypto/ake/epoch.go",
		`		copy(summand[4:], m[:])
		h.Write(summand[:])
	}
	var key Secret
	h.Sum(key.b[:0])
`, `		for j := range m {
			summand[4+j] ^= m[j]
		}
	}
	var key Secret
	copy(key.b[:], summand[4:])
`, "TestCancellingReplay", "0"},
	{"matrices of a ciphertext are not looked at", "../crypto/abe/skeleton.go",
		`if p.gap == 0 && !bytes.Equal(b[:n], p.fixed) {`, `if p.gap == 0 && !bytes.Equal(b[:n], p.fixed) && false {`, "../crypto/abe TestCrashCiphertext", "0"},
	{"what opens need not hold the term that was promised", "prove.go",
		`if err != nil || opened.Term.Commitment() != x.theirs.Term {`, `if err != nil {`, "TestBranchProbe", "0"},
	{"what waits is not bounded", "records.go",
		`if len(r.limbo) >= maxLimbo {`, `if false {`, "TestUnprovenFlood", "0"},
	{"a stranger need not open what it is sent", "prove.go",
		`if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Newcomer, x.theirs.ID(), o.cid, ake.Hash(f[0])) {`,
		`if len(f[0]) != ake.HashSize {`, "TestLeakedTerms", "0"},
	{"members of one day are given another's terms", "compare.go",
		`n.term != nil && lives[g] && g.members()[cid]`, `n.term != nil && g.members()[cid]`, "TestLapsedStays", "0"},
	{"who left may commit", "head.go",
		`if r.missesAny(g, e) {`, `if _ = g; false {`, "TestLeaverCommits", "0"},
	{"a sponsor need not open what it is sent", "prove.go",
		`if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Sponsor, o.cid, x.theirs.ID(), ake.Hash(f[0])) {`,
		`if _ = o; len(f[0]) != ake.HashSize {`, "TestSybilSurround", "0"},
	{"a secret nobody has stands above all for good", "commit.go",
		`Height: g.height + 1, By: g.own.cid,`, `Height: func() uint64 {
			if r.head == nil {
				return 0
			}
			return r.head.commit.Height
		}() + 1, By: g.own.cid,`, "TestSplitCommit", "0"},
	{"keys are kept", "head.go",
		`r.now.Sub(e.superseded) > keysKept:`, `r.now.Sub(e.superseded) > 100*keysKept:`, "TestEpochReplay", "0"},
	{"one sends although a listed one left", "message.go",
		`if _, gone := r.gone(g, h.list[i].CID); gone {`, `if _, gone := r.gone(g, h.list[i].CID); gone && false {`, "TestLeaveSecrecy", "0"},
	{"what was said is for everybody", "logs.go",
		`if !listed && !r.isHistory(t) {`, `if false {`, "TestBackwardSecrecy", "0"},
}

// TestMutants takes one rule out of the protocol at a time, by an overlay over
// the package's files, and sees that a test fails. Without -sim.mutants it only
// sees that each still applies.
func TestMutants(t *testing.T) {
	for _, m := range append(mutants, attackMutants...) {
		t.Run(m.name, func(t *testing.T) {
			began := time.Now()
			file, err := filepath.Abs(m.file)
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(source, []byte(m.old)); n != 1 {
				t.Fatalf("%s has %q %d times", m.file, m.old, n)
			}
			if !*simMutants {
				t.Skip("it applies; it runs with -sim.mutants")
			}
			dir := t.TempDir()
			changed := filepath.Join(dir, "mutant.go")
			if err := os.WriteFile(changed, bytes.Replace(source, []byte(m.old), []byte(m.with), 1), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			args := []string{"test", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-timeout", "150s"}
			if m.schedules == "0" {
				args = append(args, "-short")
			}
			if pkg, test, ok := strings.Cut(m.run, " "); ok {
				args = append(args, "-run", "^("+test+")$", pkg)
			} else {
				args = append(args, "-run", "^("+m.run+")$", ".", "-sim.schedules="+m.schedules, "-sim.shrink=false")
			}
			cmd := exec.CommandContext(ctx, "go", args...)
			out, err := cmd.CombinedOutput()
			text := string(out)
			switch {
			case err == nil:
				t.Errorf("nothing noticed")
			case !strings.Contains(text, "--- FAIL") && !strings.Contains(text, "panic: "):
				t.Errorf("it does not run:\n%s", text)
			default:
				_, why, _ := strings.Cut(text, "--- FAIL")
				if i := strings.IndexByte(why, '\n'); i >= 0 {
					why = why[i+1:]
				}
				line, _, _ := strings.Cut(strings.TrimSpace(why), "\n")
				t.Logf("%v: %.160s", time.Since(began).Round(100*time.Millisecond), line)
			}
		})
	}
}
