package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
)

func (a *app) domainCommand() *cobra.Command {
	var relays []string
	var none bool
	cmd := &cobra.Command{
		Use:   "domain [NAME]",
		Short: "show or change the relays where members find each other",
		Long: `
A domain's file may name relays, and each key carries those that the file has when it is issued: with such a key
alone, coterie finds the others. Keys that were issued keep theirs until they are renewed.`[1:],
		Example: `  kms domain NTNU
  kms domain NTNU --relay relay.ntnu.no --relay /dnsaddr/ntnu.no
  kms domain NTNU --no-relays`,
		Args:              cli.Args("[NAME]"),
		ValidArgsFunction: completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			f := domainFlags{}
			if len(args) > 0 {
				f.domain = args[0]
			}
			files, err := f.files()
			if err != nil {
				return err
			}
			if none && len(relays) > 0 {
				return cli.Usage("--relay and --no-relays exclude each other")
			}
			if err := checkRelays(relays); err != nil {
				return err
			}
			if none || len(relays) > 0 {
				d, err := kms.SetRelays(files, relays)
				if err != nil {
					return err
				}
				return printRelays(cmd.OutOrStdout(), d, true)
			}
			d, err := keyfile.LoadDomain(files.Domain())
			if err != nil {
				return err
			}
			return printRelays(cmd.OutOrStdout(), d, false)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	addRelays(cmd, &relays)
	flags.BoolVar(&none, "no-relays", false, "name no relays any more")
	return cmd
}

func addRelays(cmd *cobra.Command, relays *[]string) {
	cmd.Flags().StringArrayVar(relays, "relay", nil,
		"members begin at `ADDR`, such as relay.ntnu.no; may be given several times")
}

func checkRelays(relays []string) error {
	if err := kms.CheckRelays(relays); err != nil {
		return cli.Usage("--relay: %v", err).
			Hint("such as relay.ntnu.no, 192.0.2.7:4001/p2p/... or what 'coterie relay --print-address' prints")
	}
	return nil
}

// printRelays says where members of a domain begin.
func printRelays(w io.Writer, d *abe.Domain, changed bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "domain %s, fingerprint %s\n", cli.Clean(d.Name()), d.Fingerprint())
	for _, r := range d.Relays() {
		fmt.Fprintf(&b, "  relay  %s\n", cli.Clean(r))
	}
	switch {
	case len(d.Relays()) == 0:
		b.WriteString("  no relays: members find each other on one local network, by --bootstrap or by a link\n")
	case changed:
		b.WriteString("Keys issued from now on carry this. Versions of coterie and kms before this one cannot read them.\n")
	}
	if changed {
		b.WriteString("Keys issued before keep what they have until they are renewed. " +
			"Copy the file as well:  kms backup FOLDER\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
