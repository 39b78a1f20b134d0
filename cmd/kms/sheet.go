package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
)

// maxSheet bounds a sheet in bytes.
const maxSheet = 64 << 20

// issueSheet issues a key for each row of a table.
func (a *app) issueSheet(cmd *cobra.Command, f *issueFlags) error {
	data, err := keyfile.ReadPublicUpTo(f.csv, maxSheet)
	if err != nil {
		return err
	}
	first := kms.Request{From: abe.DayOf(a.now())}
	if f.from != "" {
		if first.From, err = abe.ParseDay(f.from); err != nil {
			return cli.Usage("--from: %v", err)
		}
	}
	if err := f.expire(&first, 0, abe.DayOf(a.now())); err != nil {
		return err
	}
	authority, known, err := a.openRecord(cmd, &f.domainFlags)
	if known == nil {
		return err
	}
	expires := f.expires
	if expires == "" {
		expires = kms.DefaultExpires(known.Limit)
	}
	sheet := kms.Sheet{
		Data: data, Folder: filepath.Dir(f.csv), Out: f.output, From: first.From, Expires: expires, Limit: known.Limit,
		Fingerprint: authority.Domain().Fingerprint(),
	}
	rows, err := sheet.Rows()
	if err != nil {
		return sheetError(f.csv, err)
	}
	today := abe.DayOf(a.now())
	p := planRows(rows, known, today)
	if err := p.checkFiles(f.csv); err != nil {
		return err
	}
	if f.dryRun {
		return p.print(cmd.OutOrStdout(), authority.Domain().Name(), known)
	}
	stderr := cmd.ErrOrStderr()
	if err := p.print(stderr, authority.Domain().Name(), known); err != nil {
		return err
	}
	if len(p.todo) > 0 && !f.yes {
		if err := confirm("Issue them?", "--yes, after a look at --dry-run"); err != nil {
			return err
		}
	}
	out, err := a.issueMany(cmd, authority, kms.Batch{
		Folder: f.output,
		// Once more, with the ledger locked: another run may have issued some.
		Choose: func(r *kms.Record) ([]kms.Request, error) {
			p = planRows(rows, r, today)
			var requests []kms.Request
			for _, row := range p.todo {
				requests = append(requests, row.Request)
			}
			return requests, p.checkFiles(f.csv)
		},
	}, p.there())
	if err != nil {
		return err
	}
	return printMany(cmd.OutOrStdout(), authority, f.output, out, f.asJSON)
}

// plan is what is to be done about a sheet's rows.
type plan struct {
	todo []kms.Row
	done []doneRow // issued already
}

// doneRow is a row and the key that was issued for it.
type doneRow struct {
	kms.Row
	issue kms.Issue
}

// planRows finds out which rows were issued already: today, with the same
// recipient and attributes, or on any day if the key is in its file. A key stands
// for one row only, so that two keys without recipient and name are two.
func planRows(rows []kms.Row, known *kms.Record, today abe.Day) plan {
	var p plan
	of := make(map[string][]kms.Issue)
	for _, issue := range known.Issues {
		if !issue.Void && !issue.Torn {
			of[issue.Grant()] = append(of[issue.Grant()], issue)
		}
	}
	for _, row := range rows {
		grant := row.Grant()
		at := slices.IndexFunc(of[grant], func(i kms.Issue) bool {
			return abe.DayOf(i.Made) == today || isFile(row.Path, i.File)
		})
		if at < 0 {
			p.todo = append(p.todo, row)
			continue
		}
		p.done = append(p.done, doneRow{row, of[grant][at]})
		of[grant] = slices.Delete(of[grant], at, at+1)
	}
	return p
}

func isFile(path string, sum [32]byte) bool {
	data, err := keyfile.ReadPublic(path)
	return err == nil && sha256.Sum256(data) == sum
}

// there are the keys of the rows that were issued already, as far as they are in
// their files.
func (p plan) there() []kms.Issued {
	var keys []kms.Issued
	for _, d := range p.done {
		if isFile(d.Path, d.issue.File) {
			keys = append(keys, kms.Issued{Issue: d.issue, Path: d.Path})
		}
	}
	return keys
}

// checkFiles makes sure that no file is in the way.
func (p plan) checkFiles(path string) error {
	var problems []kms.Problem
	for _, row := range p.todo {
		if _, err := os.Lstat(row.Path); err == nil {
			problems = append(problems, kms.Problem{Line: row.Line, Text: row.Path +
				" exists and is another key; choose another folder"})
		}
	}
	if len(problems) > 0 {
		return sheetError(path, &kms.SheetError{Problems: problems})
	}
	return nil
}

// maxProblems is how many problems are written out.
const maxProblems = 50

// sheetError says what is wrong with a sheet, and where.
func sheetError(path string, err error) error {
	var bad *kms.SheetError
	if !errors.As(err, &bad) {
		return err
	}
	e := cli.Fail("csv", "%s: %s, nothing issued", path, cli.Plural(len(bad.Problems), "problem")).Because(err)
	shown := bad.Problems[:min(len(bad.Problems), maxProblems)]
	width := 0
	for _, p := range shown {
		width = max(width, text.Width(cli.Clean(p.Where())))
	}
	for _, p := range shown {
		where := cli.Clean(p.Where())
		e.Detail(where + strings.Repeat(" ", width-text.Width(where)) + "  " + p.Text)
	}
	if more := len(bad.Problems) - len(shown); more > 0 {
		e.Detail(fmt.Sprintf("and %d more", more))
	}
	return e
}

// print sums up what is to be issued.
func (p plan) print(w io.Writer, domain string, known *kms.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s for %s\n", cli.Plural(len(p.todo), "key"), cli.Clean(domain))
	if len(p.todo) > 0 {
		attributes, expire := make(map[string]int), make(map[string]int)
		unchecked, unsealed := 0, 0
		for _, row := range p.todo {
			for _, a := range row.Attributes {
				attributes[a.String()]++
			}
			expire[row.Expires.String()]++
			if row.Check == kms.Unchecked {
				unchecked++
			}
			if row.To == "" {
				unsealed++
			}
		}
		fmt.Fprintf(&b, "  attributes  %s\n", cli.Clean(attributeCounts(attributes, known)))
		var days []string
		for day := range expire {
			days = append(days, day)
		}
		slices.Sort(days)
		for i, day := range days {
			days[i] = day + ": " + strconv.Itoa(expire[day])
		}
		fmt.Fprintf(&b, "  expire      %s\n", strings.Join(days, " · "))
		if unchecked > 0 {
			fmt.Fprintf(&b, "  unchecked   %s without a code\n", cli.Plural(unchecked, "request"))
		}
		p.printNoDomain(&b)
		if unsealed > 0 {
			fmt.Fprintf(&b, "  not sealed  %s without a recipient: whoever copies the file has it\n",
				cli.Plural(unsealed, "key"))
		}
	}
	if len(p.done) > 0 {
		fmt.Fprintf(&b, "  skipped     %s that were issued already\n", cli.Plural(len(p.done), "row"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// maxNoDomain is how many rows are written out whose requests name no domain.
const maxNoDomain = 10

// printNoDomain says which requests do not say for which domain they are: they may be meant for
// another one.
func (p plan) printNoDomain(b *strings.Builder) {
	var rows []string
	for _, row := range p.todo {
		if row.NoDomain != "" {
			who := row.Name
			if who == "" {
				who = "somebody without a name"
			}
			rows = append(rows, cli.Clean(fmt.Sprintf("%s, line %d, %s", who, row.Line, row.NoDomain)))
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "  no domain   %s: asked of any domain, perhaps not of yours\n", cli.Plural(len(rows), "request"))
	for _, row := range rows[:min(len(rows), maxNoDomain)] {
		fmt.Fprintf(b, "              %s\n", row)
	}
	if more := len(rows) - maxNoDomain; more > 0 {
		fmt.Fprintf(b, "              and %d more\n", more)
	}
}

// attributeCounts lists the attributes of new keys, the most frequent first, and
// apart from them those that may be misspelt.
func attributeCounts(count map[string]int, known *kms.Record) string {
	all := kms.CountAttributes(known.Issues)
	issued := make(map[string]bool)
	for a := range all {
		issued[a] = true
	}
	for a, n := range count {
		all[a] += n
	}
	var names []string
	for a := range count {
		names = append(names, a)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(count[b]-count[a], strings.Compare(a, b))
	})
	var usual, odd []string
	for _, a := range names {
		text := a + " " + cli.Count(count[a])
		if like, ok := misspelt(a, all, issued); ok {
			odd = append(odd, fmt.Sprintf("new: %s   <- spelling? (%s %s)", text, like.Like, cli.Count(like.Keys)))
		} else {
			usual = append(usual, text)
		}
	}
	return strings.Join(slices.Insert(odd, 0, strings.Join(usual, " · ")), "   ")
}

// misspelt says whether a, which nobody has yet, is near one that more have.
func misspelt(a string, all map[string]int, issued map[string]bool) (kms.Spelling, bool) {
	if issued[a] {
		return kms.Spelling{}, false
	}
	own := all[a]
	attribute, err := abe.ParseAttribute(a)
	if err != nil {
		return kms.Spelling{}, false
	}
	all[a] = 0
	found := kms.CheckSpelling([]abe.Attribute{attribute}, all)
	all[a] = own
	if len(found) == 0 || found[0].Keys <= own {
		return kms.Spelling{}, false
	}
	return found[0], true
}
