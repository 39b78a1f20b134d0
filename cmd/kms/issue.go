package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
)

// issueFlags are the flags of kms issue as they were typed.
type issueFlags struct {
	domainFlags
	attributes              []string
	expires, from, name, to string
	output                  string
}

func (a *app) issueCommand() *cobra.Command {
	var f issueFlags
	cmd := &cobra.Command{
		Use:   "issue --domain NAME --attr A [--attr A]... [--to age1...] -o FILE",
		Short: "issue a key: record it in the ledger and write it to a file",
		Example: `  kms issue --domain NTNU --attr NTNU --attr "5th year" --name "Kari Nordmann" --to age1... -o kari.key
  kms issue --domain NTNU --attr Professor --attr dept=Telematics --expires 2026-12-31 --to age1... -o prof.key`,
		Args: cli.Args(),
		RunE: told(func(cmd *cobra.Command, _ []string) error { return a.issue(cmd, f) }),
	}
	f.add(cmd)
	cmd.Flags().StringArrayVar(&f.attributes, "attr", nil, "an attribute `A`: NTNU, \"5th year\", dept=Telematics, age=21; give one --attr for each")
	cmd.Flags().StringVar(&f.expires, "expires", kms.DefaultExpires, "when it lapses: `TIME` such as 90d, 2y (at most 5y) or 2026-12-31")
	cmd.Flags().StringVar(&f.from, "from", "", "the first `DAY` it is valid, such as 2026-12-01 (default today, UTC)")
	cmd.Flags().StringVar(&f.name, "name", "", "`NAME` of the person, for the ledger")
	cmd.Flags().StringVar(&f.to, "to", "", "seal the key for this age `RECIPIENT`, age1...")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "write the key to `FILE`, which must not exist")
	cmd.MarkFlagRequired("attr")
	cmd.MarkFlagRequired("output")
	return cmd
}

func (a *app) issue(cmd *cobra.Command, f issueFlags) error {
	now := a.now()
	// All that was typed is checked before the passphrase is asked for.
	request, err := f.request(abe.DayOf(now))
	if err != nil {
		return err
	}
	authority, err := f.open()
	if err != nil {
		return err
	}
	issued, err := authority.Issue(a.rand, request, now)
	stderr := cmd.ErrOrStderr()
	if issued != nil {
		warnBefore(stderr, issued)
	}
	if err != nil {
		return err
	}
	if err := printIssued(cmd.OutOrStdout(), issued, request); err != nil {
		return err
	}
	warnAfter(stderr, issued, request)
	return nil
}

func (f *issueFlags) request(today abe.Day) (kms.Request, error) {
	r := kms.Request{Name: f.name, To: f.to, From: today, Path: f.output}
	var err error
	if r.Attributes, err = abe.ParseAttributes(f.attributes); err != nil {
		return r, err
	}
	if f.from != "" {
		if r.From, err = abe.ParseDay(f.from); err != nil {
			return r, cli.Usage("--from: %v", err)
		}
	}
	if r.Expires, err = kms.ParseExpires(f.expires, r.From); err != nil {
		return r, cli.Usage("--expires: %v", err)
	}
	if r.Expires <= today {
		return r, cli.Usage("such a key lapsed on %s", r.Expires)
	}
	if f.to != "" {
		if _, err := keyfile.ParseRecipient(f.to); err != nil {
			return r, badRecipient(f.to)
		}
	}
	if f.output == "" || filepath.Base(f.output) == string(filepath.Separator) {
		return r, cli.Usage("-o wants the name of a file")
	}
	return r, nil
}

// badRecipient says what is wrong with --to. It quotes nothing: the mistake may
// have been to give the secret half.
func badRecipient(to string) error {
	if strings.HasPrefix(strings.ToUpper(to), "AGE-SECRET-KEY-") {
		return cli.Usage("--to wants the recipient, which begins with age1; this is the secret half").
			Hint("the line '# public key:' of that file has the recipient; and the secret is in your shell's history now")
	}
	return cli.Usage("--to is not an age recipient (%s; an X25519 one begins with age1 and has 62)", cli.Plural(len(to), "character")).
		Hint("age-keygen -o FILE makes an identity and prints its recipient")
}

// warnBefore tells what was found on the way to the new key.
func warnBefore(w io.Writer, issued *kms.Issued) {
	if issued.Torn != nil {
		cli.Warn(w, cli.Fail("ledger-torn", "%v, as by a crash while it was written; that is on record now, and its number stays unused", issued.Torn))
	}
	for _, n := range issued.Voided {
		cli.Warn(w, cli.Fail("void", "an earlier run recorded key %d and was interrupted before it wrote it; the ledger has it as void now", n))
	}
	for _, s := range issued.Spelling {
		cli.Warn(w, cli.Fail("attr-unknown", "%s is new; %s %s", s.Attribute, haveKeys(s.Keys), s.Like).
			Hint("names are exact; if it is misspelt, issue another key and do not hand out this one"))
	}
}

func haveKeys(n int) string {
	if n == 1 {
		return "1 key has"
	}
	return cli.Count(n) + " keys have"
}

// printIssued names what was made, what is secret in it, and what comes next.
func printIssued(w io.Writer, issued *kms.Issued, r kms.Request) error {
	var b strings.Builder
	verb := "Issued"
	if issued.Finished {
		verb = "An earlier run was interrupted; finished"
	}
	fmt.Fprintf(&b, "%s key %d", verb, issued.Number)
	if r.Name != "" {
		fmt.Fprintf(&b, " to %s", cli.Clean(r.Name))
	}
	fmt.Fprintf(&b, ".\n\n  attributes  %s\n", cli.Clean(strings.Join(issued.Attributes, ", ")))
	fmt.Fprintf(&b, "  valid       %s to %s (%s)\n", issued.From, issued.Expires, cli.Plural(int(issued.Expires-issued.From), "day"))
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
	fmt.Fprintf(&b, " It lapses on %s; issue another before that.\n", issued.Expires)
	_, err := io.WriteString(w, b.String())
	return err
}

// warnAfter says what an unsealed key is.
func warnAfter(w io.Writer, issued *kms.Issued, r kms.Request) {
	if r.To != "" {
		return
	}
	meaning := "has these attributes"
	if r.Name != "" {
		meaning = "is " + r.Name
	}
	cli.Warn(w, cli.Fail("not-sealed", "%s is not sealed: whoever copies this file %s", r.Path, meaning).
		Hint("have its owner run 'age-keygen -o identity' and issue with --to and the age1... it prints"))
}
