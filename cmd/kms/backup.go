package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/kms"
	"coterie/kms/keyfile"
)

func (a *app) backupCommand() *cobra.Command {
	var f domainFlags
	cmd := &cobra.Command{
		Use:     "backup FOLDER",
		Short:   "copy the domain to a stick or folder, and check that the copy opens",
		Example: `  kms backup /media/usb`,
		Args:    cli.Args("FOLDER"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			files, err := f.files()
			if err != nil {
				return err
			}
			locked, err := kms.Read(files)
			if err != nil {
				return err
			}
			o := &opener{f: &f}
			defer o.close()
			authority, err := o.open(locked)
			if err != nil {
				return err
			}
			a.use(cmd, &f, authority)
			known, err := authority.Backup(a.rand, args[0], o.open, a.now())
			if known == nil {
				return damagedCopy(err, files, "move it away and run it again")
			}
			base := filepath.Base(files.Prefix())
			fmt.Fprintf(cmd.OutOrStdout(), "Copied %s, %s, %s; read back and opened: good. %s issued.\n",
				cli.Clean(base+".domain"), cli.Clean(base+".master"), cli.Clean(base+".ledger"),
				cli.Plural(issuedKeys(known.Issues), "key"))
			switch {
			case locked.Encrypted:
				fmt.Fprintln(cmd.OutOrStdout(), "Without the passphrase this copy is useless: keep it elsewhere, on paper.")
			case locked.Sealed:
				fmt.Fprintln(cmd.OutOrStdout(), "Without your identity this copy is useless: keep it elsewhere.")
			default:
				warnPlain(cmd.ErrOrStderr(), kms.At(filepath.Join(args[0], base)))
			}
			return err
		}),
	}
	f.addWriting(cmd)
	return cmd
}

// damagedCopy says what to do about a damaged ledger that is not the domain's own
// but a copy.
func damagedCopy(err error, own kms.Files, hint string) error {
	var line *kms.LedgerError
	if errors.As(err, &line) && line.Path != own.Ledger() {
		return cli.Fail("ledger-damaged", "%v", line).Hint("%s", hint).Because(err)
	}
	return err
}

// issuedKeys is how many keys were issued, as far as is known.
func issuedKeys(issues []kms.Issue) int {
	n := 0
	for _, i := range issues {
		if !i.Void && !i.Torn {
			n++
		}
	}
	return n
}

func (a *app) restoreCommand() *cobra.Command {
	var f domainFlags
	var skip int
	cmd := &cobra.Command{
		Use:   "restore FOLDER",
		Short: "bring back a domain that is lost or damaged, from its backup",
		Example: `  kms restore /media/usb
  kms restore /media/usb --skip 20        if up to 20 keys were issued after the backup`,
		Args: cli.Args("FOLDER"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			if skip < 0 || skip > 100_000 {
				return cli.Usage("--skip: 0 to 100,000")
			}
			from, to, err := restoreFiles(args[0], f.domain)
			if err != nil {
				return err
			}
			o := &opener{f: &f}
			defer o.close()
			out, err := kms.Restore(from, to, o.open)
			if err != nil {
				return damagedCopy(err, to, "use another backup")
			}
			warnRemoved(cmd.ErrOrStderr(), out.Removed...)
			if err := printRestored(cmd, to, out, skip > 0); err != nil {
				return err
			}
			locked, err := kms.Read(to)
			if err != nil {
				return err
			}
			authority, err := o.open(locked)
			if err != nil {
				return err
			}
			a.use(cmd, &f, authority)
			domain := authority.Domain()
			fmt.Fprintf(cmd.OutOrStdout(), "They are of the domain %s, fingerprint %s: compare it with what members have.\n",
				cli.Clean(domain.Name()), domain.Fingerprint())
			if !locked.Encrypted && !locked.Sealed {
				warnPlain(cmd.ErrOrStderr(), to)
			}
			if skip == 0 {
				return nil
			}
			if err := authority.Skip(a.rand, skip, a.now()); err != nil {
				return err
			}
			first := len(out.Record.Issues) + 1
			text := fmt.Sprintf("Numbers %d to %d stay unused.", first, first+skip-1)
			if skip == 1 {
				text = fmt.Sprintf("Number %d stays unused.", first)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		}),
	}
	f.addWriting(cmd)
	cmd.Flags().IntVar(&skip, "skip", 0, "leave the next `N` numbers unused: keys that were issued after the backup "+
		"may have them")
	return cmd
}

// restoreFiles are the backup's files, and those of the same name here or where
// domain says.
func restoreFiles(folder, domain string) (from, to kms.Files, err error) {
	if domain == "" {
		if from, err = onlyDomain(folder); err != nil {
			return from, to, cli.Usage("%s has no domain's files, or those of several", folder).
				Hint("kms restore %s --domain NAME", cli.Quote(folder))
		}
		return from, kms.At(filepath.Base(from.Prefix())), nil
	}
	to = kms.At(domain)
	return kms.At(filepath.Join(folder, filepath.Base(to.Prefix()))), to, nil
}

func printRestored(cmd *cobra.Command, to kms.Files, out *kms.Restored, skipped bool) error {
	var b strings.Builder
	if len(out.Written) == 0 {
		b.WriteString("Nothing was missing.")
	} else {
		var names []string
		for _, path := range out.Written {
			names = append(names, cli.Clean(path))
		}
		fmt.Fprintf(&b, "Restored %s.", strings.Join(names, ", "))
	}
	fmt.Fprintf(&b, " %s issued, the last entry is of %s.\n", cli.Plural(issuedKeys(out.Record.Issues), "key"),
		out.Record.Last.Format("2006-01-02 15:04 UTC"))
	if out.Longer {
		fmt.Fprintf(&b, "Kept %s: it has all of the copy, and more.\n", cli.Clean(to.Ledger()))
	}
	if _, err := fmt.Fprint(cmd.OutOrStdout(), b.String()); err != nil {
		return err
	}
	if out.Aside != "" {
		cli.Warn(cmd.ErrOrStderr(), cli.Fail("ledger-damaged", "the damaged ledger is %s now", out.Aside))
	}
	if slices.Contains(out.Written, to.Ledger()) && !skipped {
		cli.Warn(cmd.ErrOrStderr(), cli.Fail("restored", "keys that were issued after the copy are on no record, and "+
			"their numbers would be given again").
			Hint("if there may be any: run it once more with --skip and how many"))
	}
	return nil
}

func (a *app) passphraseCommand() *cobra.Command {
	var f domainFlags
	var newFile string
	var plain bool
	cmd := &cobra.Command{
		Use:     "passphrase [NAME]",
		Short:   "give the master key another passphrase",
		Example: `  kms passphrase NTNU`,
		Args:    cli.Args("[NAME]"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			if plain && newFile != "" {
				return cli.Usage("--no-passphrase and --new-passphrase-file exclude each other")
			}
			if len(args) == 1 {
				f.domain = args[0]
			}
			authority, err := a.open(cmd, &f)
			if err != nil {
				return err
			}
			files, err := f.files()
			if err != nil {
				return err
			}
			protection := kms.Protection{WorkFactor: a.workFactor}
			if !plain {
				if protection.Passphrase, err = a.newPassphrase("New passphrase (empty: make one for me):", newFile); err != nil {
					return err
				}
				defer clear(protection.Passphrase)
			}
			if err := authority.Protect(protection); err != nil {
				return err
			}
			if plain {
				warnPlain(cmd.ErrOrStderr(), files)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `%s has the new passphrase.
Old copies keep the old one: replace them or destroy them.   kms backup /media/usb
`, cli.Clean(files.Master()))
			return err
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&newFile, "new-passphrase-file", "", "take the new one from the first line of `FILE`")
	cmd.Flags().BoolVar(&plain, "no-passphrase", false, "leave the master key unencrypted")
	return cmd
}

func (a *app) successorCommand() *cobra.Command {
	var f domainFlags
	var to, output string
	cmd := &cobra.Command{
		Use:   "successor --to age1...",
		Short: "let somebody else make keys: a copy of the master key for them alone",
		Long: `Write a second copy of the master key, sealed for an age recipient: whoever has that identity can mint any key without
knowing the passphrase. An age file is either for a passphrase or for recipients, so it is a file of its own.`,
		Example: `  kms successor --to age1... -o NTNU.successor`,
		Args:    cli.Args(),
		RunE: a.withReminder(func(cmd *cobra.Command, _ []string) error {
			recipient, err := keyfile.ParseRecipient(to)
			if err != nil {
				return badRecipient(to)
			}
			authority, err := a.open(cmd, &f)
			if err != nil {
				return err
			}
			files, err := f.files()
			if err != nil {
				return err
			}
			if output == "" {
				output = files.Prefix() + ".successor"
			}
			if err := authority.Successor(recipient, output); err != nil {
				return err
			}
			base := filepath.Base(files.Prefix())
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `Wrote %[1]s, sealed for %[2]s: secret, for whoever has that identity can mint any key of %[3]s.

Next: give it to its owner with copies of %[3]s.domain and %[3]s.ledger. As %[3]s.master beside them it opens with:
      kms list --identity FILE
`, cli.Clean(output), keyfile.ShortRecipient(to), cli.Clean(base))
			return err
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the successor's age `RECIPIENT`, age1...")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE` (default: NAME.successor)")
	cmd.MarkFlagRequired("to")
	return cmd
}
