package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
)

// policyFlags are the flags of kms policy as they were typed.
type policyFlags struct {
	key, identity, domain, passphraseFile, was string
	as                                         []string
	who                                        bool
}

func (a *app) policyCommand() *cobra.Command {
	var f policyFlags
	cmd := &cobra.Command{
		Use:   "policy 'POLICY'",
		Short: "explain a room's policy, and say who may enter",
		Example: `  kms policy '("NTNU" and "5th year") or "Professor"'
  kms policy '("NTNU" and "5th year") or "Professor"' --as NTNU --as "4th year"
  kms policy '2 of (NTNU, SINTEF, dept = "Telematics") and age >= 18' --key kari.key
  kms policy '"NTNU"' --who                         whose keys on record it lets in today
  kms policy '"NTNU"' --was '"NTNU" or "Professor"' whom that change puts out, and lets in`,
		Args: cli.Args("'POLICY'"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			if f.key != "" && len(f.as) > 0 {
				return cli.Usage("--key and --as exclude each other")
			}
			if f.key != "" && f.domain != "" {
				return cli.Usage("--key and --domain exclude each other")
			}
			if f.who || f.was != "" {
				if f.key != "" || len(f.as) > 0 {
					return cli.Usage("--who and --was look at the record, --key and --as do not: give one or the other")
				}
				return a.policyWho(cmd, args[0], f)
			}
			return a.policy(cmd, args[0], f)
		}),
	}
	cmd.Flags().StringArrayVar(&f.as, "as", nil, "would somebody with attribute `A` satisfy it? give one --as for each")
	cmd.Flags().StringVar(&f.key, "key", "", "does the key in `FILE` satisfy it?")
	cmd.Flags().StringVar(&f.identity, "identity", "", "open a sealed key with the age identities in `FILE`")
	cmd.Flags().StringVar(&f.domain, "domain", "", "hold its names against what the domain `NAME` has issued")
	cmd.Flags().BoolVar(&f.who, "who", false, "whose keys on record does it let in today?")
	cmd.Flags().StringVar(&f.was, "was", "", "in place of the policy `POLICY`: whom does it put out, and whom let in?")
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "",
		"the identity's or the domain's passphrase is the first line of `FILE`")
	cmd.RegisterFlagCompletionFunc("domain", completeDomains)
	cmd.MarkFlagFilename("key", "key")
	return cmd
}

func (a *app) policy(cmd *cobra.Command, expr string, f policyFlags) error {
	p, err := abe.ParsePolicy(expr)
	if err != nil {
		return err
	}
	// Everything that can be wrong comes before the first line of output.
	h := holder{generation: firstGeneration}
	switch {
	case f.key != "":
		key, err := keyfile.LoadKey(f.key, cli.Identities(f.identity, cli.PassphraseOptions{File: f.passphraseFile}))
		if err != nil {
			return err
		}
		h = holder{attributes: key.Attributes(), generation: key.Generation(), path: f.key, key: key}
	case len(f.as) > 0:
		if h.attributes, err = abe.ParseAttributes(f.as); err != nil {
			return err
		}
	}
	var known *kms.Record
	if f.domain != "" {
		domain := &domainFlags{domain: f.domain, passphraseFile: f.passphraseFile, identity: f.identity}
		if _, known, err = a.openRecord(cmd, domain); known == nil {
			return err
		}
		h.generation = known.Generation
	}
	if err := printPolicy(cmd.OutOrStdout(), p); err != nil {
		return err
	}
	if known != nil {
		warnUnissued(cmd.ErrOrStderr(), p, known)
	}
	if f.key == "" && len(f.as) == 0 {
		return nil
	}
	return a.judge(cmd, p, h)
}

// firstGeneration is the generation of --as, which has no key to look at.
const firstGeneration = 1

// holder is whom a policy is held against. key is nil for --as.
type holder struct {
	attributes []abe.Attribute
	generation uint32
	path       string
	key        *abe.Key
}

// warnUnissued says which names of a policy nobody has, while many have one that
// differs in case or a letter.
func warnUnissued(w io.Writer, p *abe.Policy, known *kms.Record) {
	count := kms.CountAttributes(known.Issues)
	var attributes []abe.Attribute
	for _, m := range p.Explain(nil, 0).Missing {
		// A comparison is not an attribute, and does not parse as one.
		if a, err := abe.ParseAttribute(m.Attribute); err == nil {
			attributes = append(attributes, a)
		}
	}
	for _, s := range kms.CheckSpelling(attributes, count) {
		cli.Warn(w, cli.Fail("attr-unknown", "policy: %s is used but this domain has issued %s %s", quoted(s.Attribute),
			quoted(s.Like), times(s.Keys)))
	}
}

// quoted writes an attribute as policies have it.
func quoted(attribute string) string {
	if strings.ContainsAny(attribute, `"=`) {
		return attribute
	}
	return `"` + attribute + `"`
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return cli.Count(n) + " times"
}

// maxAlternatives is how many ways to satisfy a policy are written out.
const maxAlternatives = 16

func printPolicy(w io.Writer, p *abe.Policy) error {
	var b strings.Builder
	// This line is copied into --policy, and one character more is another room.
	// A canonical text has no character that could do harm on a terminal, so it is
	// printed as it is, whatever its length.
	fmt.Fprintf(&b, "policy     %s\n", p)
	switch ways := p.Alternatives(maxAlternatives); {
	case ways == nil:
		fmt.Fprintf(&b, "means      more than %d ways to satisfy it\n", maxAlternatives)
	case len(ways) == 1:
		fmt.Fprintf(&b, "means      %s\n", cli.Clean(ways[0]))
	default:
		for i, way := range ways {
			head := "means      any of: "
			if i > 0 {
				head = strings.Repeat(" ", len(head))
			}
			fmt.Fprintf(&b, "%s %s\n", head, cli.Clean(way))
		}
	}
	cost := p.Cost()
	fmt.Fprintf(&b, "leaves     %s (and 4 for the day)\n", cli.Count(p.Leaves()))
	fmt.Fprintf(&b, "cost       encapsulate about %s ms, open about %s ms, %s\n",
		cli.Count(cost.Encapsulate.Milliseconds()), cli.Count(cost.Open.Milliseconds()), cli.Size(cost.Size))
	_, err := io.WriteString(w, b.String())
	return err
}

// judge says whether h satisfies the policy, and if not, what is missing.
func (a *app) judge(cmd *cobra.Command, p *abe.Policy, h holder) error {
	e := p.Explain(h.attributes, h.generation)
	if !e.Satisfied {
		var b strings.Builder
		b.WriteString("not satisfied\n")
		width := 0
		for _, m := range e.Missing {
			width = max(width, text.Width(cli.Clean(m.Attribute)))
		}
		for _, m := range e.Missing {
			attribute := cli.Clean(m.Attribute)
			fmt.Fprintf(&b, "  missing  %s%s   for %s\n", attribute, strings.Repeat(" ", width-text.Width(attribute)),
				cli.Clean(m.For))
		}
		io.WriteString(cmd.ErrOrStderr(), b.String())
		return cli.Silent(cli.StatusFailed)
	}
	until := ""
	if h.key != nil {
		today := abe.DayOf(a.now())
		if today >= h.key.Expires() {
			return cli.KeyExpired(h.path, h.key, today)
		}
		if today < h.key.From() {
			return cli.Fail("key-not-yet", "%s is valid from %s, in %s", h.path, h.key.From(),
				cli.Plural(int(h.key.From()-today), "day"))
		}
		until = "; until " + h.key.Expires().String()
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "satisfied  through %s%s\n", cli.Clean(e.Through), until)
	return err
}
