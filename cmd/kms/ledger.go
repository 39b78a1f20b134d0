package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/kms"
)

func (a *app) ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "check the record of keys (the ledger), or erase somebody from it"}
	cmd.AddCommand(a.ledgerVerifyCommand(), a.ledgerForgetCommand())
	return cmd
}

func (a *app) ledgerVerifyCommand() *cobra.Command {
	var f domainFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "check every entry and the chain they form",
		Long: "Check every entry and the chain they form. The last hash stands for all of them: written down, it shows " +
			"later whether\nthe ledger still has what it had.",
		Example: `  kms ledger verify --domain NTNU`,
		Args:    cli.Args(),
		RunE: a.withReminder(func(cmd *cobra.Command, _ []string) error {
			authority, err := a.open(cmd, &f)
			if err != nil {
				return err
			}
			known, err := authority.Record()
			if known == nil {
				return err
			}
			files, filesErr := f.files()
			if filesErr != nil {
				return filesErr
			}
			_, printErr := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s, each bound to the one before: good\nlast entry %s, "+
				"hash %x-%x-%x-%x\n",
				cli.Clean(files.Ledger()), plural(known.Entries, "entry", "entries"), cli.Plural(len(known.Issues), "key"),
				known.Last.Format("2006-01-02 15:04 UTC"), known.Head[0:2], known.Head[2:4], known.Head[4:6], known.Head[6:8])
			if err != nil {
				return err
			}
			return printErr
		}),
	}
	f.add(cmd)
	return cmd
}

func (a *app) ledgerForgetCommand() *cobra.Command {
	var f domainFlags
	var number uint64
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget (NAME | --number N)",
		Short: "erase a person's name and recipient from the record",
		Long: "Erase a person's name and recipient from the record. Attributes and dates stay, and so do all hashes. " +
			"Keys of that\nperson stay valid until they lapse and cannot be renewed.",
		Example: `  kms ledger forget "Kari Nordmann"
  kms ledger forget --number 12`,
		Args: cli.Args("[NAME]"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 == (number != 0) {
				return cli.Missing(cmd, "NAME or --number")
			}
			choose := func(i kms.Issue) bool { return i.Number == number }
			whom := fmt.Sprintf("key %d", number)
			if len(args) == 1 {
				choose = func(i kms.Issue) bool { return i.Name == args[0] }
				whom = args[0]
			}
			authority, known, err := a.openRecord(cmd, &f)
			if known == nil {
				return err
			}
			var found []kms.Issue
			for _, i := range known.Issues {
				if choose(i) && !i.Torn && !i.Forgotten {
					found = append(found, i)
				}
			}
			if len(found) == 0 {
				return cli.Fail("no-key", "no key on record is that of %s", whom).Hint("kms list shows the names; they are exact")
			}
			if !yes {
				for _, i := range found {
					cli.Tell("  %d  %s", i.Number, cli.Clean(describeIssue(i)))
				}
				if err := confirm("Erase name and recipient of "+plural(len(found), "this key", "these keys")+" for good?",
					"--yes"); err != nil {
					return err
				}
			}
			gone, err := authority.Forget(a.rand, a.now(), choose)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "Erased name and recipient from %s; the chain is as it was.\n",
				plural(len(gone), "entry", "entries")); err != nil {
				return err
			}
			cli.Warn(cmd.ErrOrStderr(), cli.Fail("forget", "older backups still have them, and so may the disk until it "+
				"writes over the place").
				Hint("kms backup /media/usb replaces the ledger there"))
			return nil
		}),
	}
	f.addWriting(cmd)
	cmd.Flags().Uint64Var(&number, "number", 0, "erase it from the entry of key `N`")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
