package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// issueFlags are the flags of kms issue as they were typed.
type issueFlags struct {
	domainFlags
	attributes                            []string
	request, code, name, to               string
	csv, expires, from, output            string
	unchecked, yes, force, dryRun, asJSON bool
}

func (a *app) issueCommand() *cobra.Command {
	var f issueFlags
	cmd := &cobra.Command{
		Use:   "issue (--request FILE | --attr A... [--to age1...] | --csv FILE) -o FILE",
		Short: "make a key for somebody, or for everybody in a table",
		Example: `  kms issue --domain NTNU --request kari.request -o kari.key
  kms issue --domain NTNU --csv members.csv -o keys/ --dry-run`,
		Args: cli.Args(),
		RunE: a.withReminder(func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			if f.csv != "" {
				return a.issueSheet(cmd, &f)
			}
			return a.issue(cmd, &f)
		}),
	}
	f.addWriting(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.request, "request", "", "issue what was asked for in `FILE`")
	flags.StringVar(&f.code, "code", "",
		"the request's six `WORDS`, as its author said them; otherwise they are asked for")
	flags.BoolVar(&f.unchecked, "unchecked", false, "do not ask for the six words; the ledger remembers")
	flags.StringArrayVar(&f.attributes, "attr", nil, "an attribute `A`: NTNU, \"5th year\", dept=Telematics, age=21; "+
		"one --attr for each")
	flags.StringVar(&f.name, "name", "", "`NAME` of the person, for the ledger")
	flags.StringVar(&f.to, "to", "", "seal the key for this age `RECIPIENT`, age1...")
	flags.StringVar(&f.csv, "csv", "", "issue a key for each row of `FILE`")
	flags.BoolVar(&f.dryRun, "dry-run", false, "with --csv: check all rows, say what would be issued, and stop")
	flags.StringVar(&f.expires, "expires", "", "when it lapses: `TIME` such as 90d (the default), 2y or 2026-12-31")
	flags.StringVar(&f.from, "from", "", "the first `DAY` it is valid, such as 2026-12-01 (default today, UTC)")
	flags.StringVarP(&f.output, "output", "o", "", "write the key to `FILE`; with --csv, the keys to this folder")
	flags.BoolVar(&f.force, "force", false, "overwrite FILE; the key in it stays valid until it lapses")
	flags.BoolVar(&f.asJSON, "json", false, "print an object for each key that was made")
	flags.BoolVar(&f.yes, "yes", false, "ask nothing but the passphrase and the six words")
	cmd.MarkFlagRequired("output")
	cmd.MarkFlagFilename("csv", "csv", "tsv", "txt")
	cmd.MarkFlagFilename("request", "request")
	return cmd
}

// check finds what does not go together.
func (f *issueFlags) check(cmd *cobra.Command) error {
	exclude := func(flags ...string) error {
		var given []string
		for _, name := range flags {
			if cmd.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		if len(given) > 1 {
			return cli.Usage("%s exclude each other", strings.Join(given, " and "))
		}
		return nil
	}
	for _, flags := range [][]string{{"request", "to", "csv"}, {"code", "unchecked"}, {"csv", "name"}, {"csv", "attr"},
		{"csv", "code"}, {"csv", "force"}} {
		if err := exclude(flags...); err != nil {
			return err
		}
	}
	switch {
	case f.request == "" && f.csv == "" && len(f.attributes) == 0:
		return cli.Missing(cmd, "--request, --attr or --csv")
	case (f.code != "" || f.unchecked) && f.request == "":
		return cli.Usage("--code and --unchecked belong to --request")
	case f.dryRun && f.csv == "":
		return cli.Usage("--dry-run belongs to --csv")
	case f.output == "" || f.csv == "" && filepath.Base(f.output) == string(filepath.Separator):
		return cli.Usage("-o wants the name of a file")
	}
	return nil
}

func (a *app) issue(cmd *cobra.Command, f *issueFlags) error {
	now, stderr := a.now(), cmd.ErrOrStderr()
	// All that was typed is checked before the passphrase is asked for.
	r, asked, err := f.parse(abe.DayOf(now))
	if err != nil {
		return err
	}
	authority, known, err := a.openRecord(cmd, &f.domainFlags)
	if known == nil {
		return err
	}
	if err := f.expire(&r, known.Limit, abe.DayOf(now)); err != nil {
		return err
	}
	if asked != nil {
		if err := f.checkRequest(stderr, authority.Domain(), asked, &r); err != nil {
			return err
		}
	}
	if err := confirmSpelling(stderr, kms.CheckSpelling(r.Attributes, kms.CountAttributes(known.Issues)),
		f.yes); err != nil {
		return err
	}
	err = a.issueOne(cmd, authority, r, f.asJSON, f.named())
	var exists *keyfile.ExistsError
	var unwritten *kms.NotWrittenError
	if errors.As(err, &exists) && !errors.As(err, &unwritten) {
		return cli.Fail("exists", "%s exists", exists.Path).Hint("--force overwrites it; the old key stays valid until it " +
			"lapses").Because(err)
	}
	return err
}

// issueOne makes one key, and says what came of it.
func (a *app) issueOne(cmd *cobra.Command, authority *kms.Authority, r kms.Request, asJSON bool, domain string) error {
	issued, err := authority.Issue(a.rand, r, a.now())
	if issued != nil {
		warnFound(cmd.ErrOrStderr(), issued.Torn, issued.Voided)
	}
	if err != nil {
		return err
	}
	if asJSON {
		err = printIssuedLines(cmd.OutOrStdout(), []kms.Issued{*issued})
	} else {
		err = printIssued(cmd.OutOrStdout(), issued, r, domain)
	}
	if err == nil {
		warnUnsealed(cmd.ErrOrStderr(), r)
	}
	return err
}

// parse checks what was typed. asked is the request, if there is one.
func (f *issueFlags) parse(today abe.Day) (r kms.Request, asked *request.Request, err error) {
	r = kms.Request{Name: f.name, To: f.to, From: today, Path: f.output, Force: f.force}
	if r.Attributes, err = abe.ParseAttributes(f.attributes); err != nil {
		return r, nil, err
	}
	if err := request.CheckName(f.name); err != nil {
		return r, nil, err
	}
	if f.from != "" {
		if r.From, err = abe.ParseDay(f.from); err != nil {
			return r, nil, cli.Usage("--from: %v", err)
		}
	}
	if f.to != "" {
		if _, err := keyfile.ParseRecipient(f.to); err != nil {
			return r, nil, badRecipient(f.to)
		}
	}
	if err := f.expire(&r, 0, today); err != nil {
		return r, nil, err
	}
	if f.request == "" {
		return r, nil, nil
	}
	if asked, err = request.Load(f.request); err != nil {
		return r, nil, err
	}
	r.To = asked.Recipient
	if r.Name == "" {
		r.Name = asked.Name
	}
	if len(f.attributes) == 0 {
		var texts []string
		for _, attribute := range asked.Want {
			texts = append(texts, attribute.String())
		}
		r.Attributes, err = abe.ParseAttributes(texts)
	}
	return r, asked, err
}

// expire sets when the key lapses. limit is the domain's, in days.
func (f *issueFlags) expire(r *kms.Request, limit int, today abe.Day) (err error) {
	expires := f.expires
	if expires == "" {
		expires = kms.DefaultExpires(limit)
	}
	if r.Expires, err = kms.ParseExpires(expires, r.From); err != nil {
		return cli.Usage("--expires: %v", err)
	}
	if r.Expires <= today {
		return cli.Usage("such a key lapsed on %s", r.Expires)
	}
	return nil
}

// checkRequest shows what is asked for and has the six words compared. They are
// never shown: whoever reads them would not ask for them.
func (f *issueFlags) checkRequest(stderr io.Writer, domain *abe.Domain, asked *request.Request, r *kms.Request) error {
	if !asked.IsFor(domain.Fingerprint()) {
		return cli.Fail("wrong-domain", "%s asks another domain than %s %s", f.request, domain.Name(), domain.Fingerprint())
	}
	who := asked.Name
	if who == "" {
		who = "Somebody without a name"
	}
	fmt.Fprintf(stderr, "%s asks for  %s\n", cli.Clean(who), attributeText(asked.Want))
	if len(f.attributes) > 0 {
		fmt.Fprintf(stderr, "You give  %s\n", attributeText(r.Attributes))
	}
	code, err := asked.Code()
	if err != nil {
		return err
	}
	switch {
	case f.unchecked:
		r.Check = kms.Unchecked
		cli.Warn(stderr, cli.Fail("unchecked", "nobody compared the six words of %s: whoever carried it may have put "+
			"their own recipient into it", f.request))
	case f.code != "":
		typed, err := normalWords(f.code)
		if err != nil {
			return cli.Usage("--code: %v", err)
		}
		if typed != code {
			return wrongWords(f.request)
		}
		r.Check = kms.Checked
	default:
		// Having typed the words for what is on the screen is a yes to it.
		if err := askWords(f.request, code); err != nil {
			return err
		}
		r.Check = kms.Checked
		fmt.Fprintln(stderr, "They match.")
		return nil
	}
	if len(f.attributes) > 0 || f.yes {
		return nil
	}
	return confirm("Issue that?", "say with --attr what to issue, or --yes")
}

// confirm asks, and makes an error of a no.
func confirm(question, otherwise string) error {
	yes, err := cli.Confirm(question, otherwise)
	if err == nil && !yes {
		err = cli.Fail("no", "nothing was done")
	}
	return err
}

// confirmSpelling asks about each attribute that may be misspelt.
func confirmSpelling(stderr io.Writer, found []kms.Spelling, yes bool) error {
	for _, s := range found {
		text := fmt.Sprintf("%s is new; %s %s", s.Attribute, haveKeys(s.Keys), s.Like)
		if yes {
			cli.Warn(stderr, cli.Fail("attr-unknown", "%s", text))
			continue
		}
		ok, err := cli.Confirm(text+"      Issue anyway?", "")
		var unasked *cli.Error
		if errors.As(err, &unasked) && unasked.Code == "no-terminal" {
			return cli.Fail("attr-unknown", "%s; nothing was issued", text).Hint("names are exact; --yes issues it anyway")
		}
		if err != nil {
			return err
		}
		if !ok {
			return cli.Fail("attr-unknown", "nothing was issued")
		}
	}
	return nil
}

func haveKeys(n int) string {
	if n == 1 {
		return "1 key has"
	}
	return cli.Count(n) + " keys have"
}

// badRecipient says what is wrong with --to. It quotes nothing: the mistake may
// have been to give the secret half.
func badRecipient(to string) error {
	if strings.HasPrefix(strings.ToUpper(to), "AGE-SECRET-KEY-") {
		return cli.Usage("--to wants the recipient, which begins with age1; this is the secret half").
			Hint("the line '# public key:' of that file has the recipient; and the secret is in your shell's history now")
	}
	return cli.Usage("--to is not an age recipient (%s; an X25519 one begins with age1 and has 62)",
		cli.Plural(len(to), "character")).
		Hint("have its owner run 'coterie request' and issue with --request")
}

// warnFound tells what was found on the way to new keys.
func warnFound(w io.Writer, torn *kms.TornError, voided []uint64) {
	if torn != nil {
		cli.Warn(w, cli.Fail("ledger-torn", "%v, as by a crash while it was written; that is on record now, and its "+
			"number stays unused", torn))
	}
	for _, n := range voided {
		cli.Warn(w, cli.Fail("void", "an earlier run recorded key %d and was interrupted before it wrote it; the ledger "+
			"has it as void now", n))
	}
}

func attributeText(attributes []abe.Attribute) string {
	var texts []string
	for _, a := range attributes {
		texts = append(texts, a.String())
	}
	return cli.Attributes(texts)
}

// issuedLine is a key that was made, for machines.
type issuedLine struct {
	Number     uint64   `json:"no"`
	Name       string   `json:"name"`
	Attributes []string `json:"attributes"`
	From       string   `json:"from"`
	Expires    string   `json:"expires"`
	File       string   `json:"file"`
	Sealed     bool     `json:"sealed"`
	Renews     uint64   `json:"renews,omitempty"`
}

func printIssuedLines(w io.Writer, keys []kms.Issued) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, k := range keys {
		line := issuedLine{k.Number, k.Name, k.Attributes, k.From.String(), k.Expires.String(), k.Path, k.Recipient != "",
			k.Renews}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// printIssued names what was made, what is secret in it, and what comes next.
func printIssued(w io.Writer, issued *kms.Issued, r kms.Request, domain string) error {
	var b strings.Builder
	verb := "Issued"
	if issued.Finished {
		verb = "An earlier run was interrupted; finished"
	}
	fmt.Fprintf(&b, "%s key %d", verb, issued.Number)
	if r.Name != "" {
		fmt.Fprintf(&b, " to %s", cli.Clean(r.Name))
	}
	fmt.Fprintf(&b, ".\n\n  attributes  %s\n", cli.Attributes(issued.Attributes))
	fmt.Fprintf(&b, "  valid       %s to %s (%s)\n", issued.From, issued.Expires,
		cli.Plural(int(issued.Expires-issued.From), "day"))
	if r.To != "" {
		fmt.Fprintf(&b, "  sealed for  %s; nobody else can open it, you included\n", keyfile.ShortRecipient(r.To))
	}
	path := cli.Clean(r.Path)
	fmt.Fprintf(&b, "  wrote       %s (%s)\n\n", path, cli.Size(issued.Size))
	if r.To != "" {
		fmt.Fprintf(&b, "Next: send %s by any channel.", path)
	} else {
		fmt.Fprintf(&b, "Next: hand over %s where nobody else can copy it.", path)
	}
	fmt.Fprintf(&b, "\nIt lapses on %s unless you renew it:  kms renew%s %d\n", issued.Expires, cli.Clean(domain),
		issued.Number)
	_, err := io.WriteString(w, b.String())
	return err
}

// warnUnsealed says what an unsealed key is.
func warnUnsealed(w io.Writer, r kms.Request) {
	if r.To != "" {
		return
	}
	meaning, who := "has these attributes", "its owner"
	if r.Name != "" {
		meaning, who = "is "+r.Name, "them"
	}
	cli.Warn(w, cli.Fail("not-sealed", "%s is not sealed: whoever copies this file %s", r.Path, meaning).
		Hint("have %s run 'coterie request' and issue with --request", who))
}
