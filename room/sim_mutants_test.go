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
	{"a listed peer need not be in my component", "accept.go",
		`if m == nil || !members[entry.CID] {`, `if _ = members; m == nil {`, "TestForgedCommits", "0"},
	{"prevs' lists need not be contained", "accept.go",
		`if !removed[cid] && e.list.Index(cid) < 0 {`, `if false && removed[cid] {`, "TestForgedCommits", "0"},
	{"wraps are not made again", "../crypto/ake/commit.go",
		`if err != nil || !hmac.Equal(again, wraps) {`, `if _ = again; err != nil {`, "TestForgedCommits", "0"},
	{"one secret has two one-time keys", "../crypto/ake/commit.go",
		`if !hmac.Equal(r.Public[:], rpub[:]) {`, `if false {`, "TestForgedCommits", "0"},
	{"terms are not compared with their commitment", "records.go",
		`n.term == nil && t.Term.Commitment() == n.contribution.Term {`, `n.term == nil {`, "TestWrongTerms", "0"},
	{"leaving is not absorbing", "graph.go",
		`case n.Left == p.newest.Left && n.Serial > p.newest.Serial:`, `case n.Serial > p.newest.Serial:`, "TestLeaveIsAbsorbing", "0"},
	{"what waits is not tried again", "records.go",
		`for _, rec := range waiting {`, `for _, rec := range waiting[:0] {`, "TestOrderFree", "0"},
	{"authors are not checked", "transcript.go",
		`return c != nil && m.Verify(r.id, c) == nil`, `return c != nil`, "TestMessageForgery", "0"},
	{"one sends although somebody left", "message.go",
		`if _, gone := r.gone(g, h.list[i].CID); gone {`, `if _, gone := r.gone(g, h.list[i].CID); gone && false {`, "TestSimulate", "100"},
	{"the later process does not count", "graph.go",
		`return a.Serial > b.Serial`, `return a.Serial < b.Serial`, "TestSimulate", "60"},
	{"of two commits of one height the later counts", "accept.go",
		`	return compareHashes(a.commit.ID(), b.commit.ID()) > 0
`, `	return a.since.After(b.since)
`, "TestSimulate", "100"},
	{"commits for the day before the head's", "commit.go",
		`day = max(day, r.head.commit.Day)`, `day = max(day, 0)`, "TestRegressions", "0"},
	{"a proof is not asked for before opening", "prove.go",
		`if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Newcomer, x.theirs.ID(), o.cid, ake.Hash(f[0])) {`,
		`if len(f[0]) != ake.HashSize {`, "TestSimulate", "200"},
	{"whoever I vouched for is a member", "graph.go",
		`	queue := []ake.Hash{g.own.cid}
	g.component[g.own.cid] = true`, `	for cid, n := range g.nodes {
		g.component[cid] = n.contribution != nil
	}
	queue := []ake.Hash{g.own.cid}
	g.component[g.own.cid] = true`, "TestForgedCommits", "0"},
	{"logs are not passed on", "logs.go",
		`if m != nil {
				r.sendBody(x, m)`, `if m != nil && r.head != nil && t.id == r.head.commit.ID() {
				r.sendBody(x, m)`, "TestSimulate", "200"},
	{"the dead are members", "liveness.go",
		`if p != nil && (p.dead() || r.silent(p)) {`, `if p != nil && p.dead() {`, "TestSimulate", "30"},
	{"one sends although the head drops somebody alive", "message.go",
		`!r.wronged(g, h)`, `true`, "TestHeadThatDropsTheLiving", "0"},
	{"somebody dead may be listed", "accept.go",
		` || p.dead() && m.Working != r.workingID`, ``, "TestBeatsWithheld", "0"},
	{"one committer's commits without end", "accept.go",
		`if of[by] < maxCommitsAuthor {`, `if true {`, "TestCommitFlood", "0"},
	{"every word on silence counts", "accept.go",
		`e.slander = !e.named && r.slanders(g, e, by); e.slander`, `false`, "TestFalseWords", "0"},
	{"an epoch in which nothing was said yet is forgotten", "transcript.go",
		` && r.now.Sub(t.since) > emptyTime`, ``, "TestTranscriptBeforeItsMessages", "0"},
	{"beats on the topic for ever", "liveness.go",
		`r.now.Sub(p.heard) <= limit && `, ``, "TestRegressions", "0"},
}

// attackMutants takes out, for each attack that DESIGN.md §3.10 names, what the
// room is defended by. (MessageForgery and OrderFree: above.)
var attackMutants = []mutant{
	{"terms are added up, as in the thesis", "../crypto/ake/epoch.go",
		`	return Secret{b: Sum("coterie/1 kabe", sums...)}`, `	var x Hash
	for _, s := range sums {
		for i := range x {
			x[i] ^= s[i]
		}
	}
	return Secret{b: x}`, "TestCancellingReplay", "0"},
	{"matrices of a ciphertext are not looked at", "../crypto/abe/skeleton.go",
		`if p.gap == 0 && !bytes.Equal(b[:n], p.fixed) {`, `if p.gap == 0 && !bytes.Equal(b[:n], p.fixed) && false {`, "../crypto/abe TestCrashCiphertext", "0"},
	{"what opens need not hold the term that was promised", "prove.go",
		`if err != nil || opened.Term.Commitment() != x.theirs.Term {`, `if err != nil {`, "TestBranchProbe", "0"},
	{"what waits is not bounded", "records.go",
		`if len(r.limbo) >= maxLimbo {`, `if false {`, "TestUnprovenFlood", "0"},
	{"a stranger need not open what it is sent", "prove.go",
		`if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Newcomer, x.theirs.ID(), o.cid, ake.Hash(f[0])) {`,
		`if len(f[0]) != ake.HashSize {`, "TestLeakedTerms", "0"},
	{"hello is not signed", "compare.go",
		` && x.theirHello.Verify(r.own, c.Working) == nil`, ``, "TestStolenDisk", "0"},
	{"members of one day are given another's terms", "compare.go",
		`n.term != nil && lives[g] && g.members()[cid]`, `n.term != nil && g.members()[cid]`, "TestLapsedStays", "0"},
	{"who left may commit", "accept.go",
		`if _, gone := r.gone(g, c.By); gone && !e.named {`, `if false {`, "TestLeaverCommits", "0"},
	{"a sponsor need not open what it is sent", "prove.go",
		`if len(f[0]) != ake.HashSize || !o.proof.Check(ake.Sponsor, o.cid, x.theirs.ID(), ake.Hash(f[0])) {`,
		`if _ = o; len(f[0]) != ake.HashSize {`, "TestSybilSurround", "0"},
	{"one sends although somebody alive was dropped", "message.go",
		`!r.wronged(g, h)`, `true`, "TestSilentOmission", "0"},
	{"heights are not bounded", "accept.go",
		`if c.Height > r.mostHeight(c.Day) {`, `if false {`, "TestHeightInflation", "0"},
	{"void commits are forgotten", "accept.go",
		`			e.void, e.barred = !ok, !ok
			return true`, `			e.void, e.barred = !ok, !ok
			return ok`, "TestMergePartition", "0"},
	{"keys are kept", "head.go",
		`r.now.Sub(e.superseded) > keysKept {`, `r.now.Sub(e.superseded) > 100*keysKept {`, "TestEpochReplay", "0"},
	{"two halves are given two secrets", "../crypto/ake/commit.go",
		`if err != nil || !hmac.Equal(again, wraps) {`, `if _ = again; err != nil {`, "TestSplitCommit", "0"},
	{"one sends although a listed one left", "message.go",
		`if _, gone := r.gone(g, h.list[i].CID); gone {`, `if _, gone := r.gone(g, h.list[i].CID); gone && false {`, "TestLeaveSecrecy", "0"},
	{"ephemeral keys are kept", "rotate.go",
		`			delete(r.ephemeral, pub)`, `			_ = pub`, "TestForwardSecrecyEscrow", "0"},
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
