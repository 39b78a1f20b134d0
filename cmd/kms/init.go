package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/cmd/internal/text"
	"coterie/kms"
	"coterie/kms/words"
)

func (a *app) initCommand() *cobra.Command {
	var passphraseFile, longest string
	var plain bool
	var relays []string
	cmd := &cobra.Command{
		Use:   "init NAME",
		Short: "make a domain: what members get, the master key, and the record of keys",
		Example: `  kms init NTNU
  kms init NTNU --max-expires 120d
  kms init NTNU --relay relay.ntnu.no`,
		Args: cli.Args("NAME"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			if plain && passphraseFile != "" {
				return cli.Usage("--no-passphrase and --passphrase-file exclude each other")
			}
			limit, err := kms.ParseLimit(longest)
			if err != nil {
				return cli.Usage("--max-expires: %v", err)
			}
			if err := checkRelays(relays); err != nil {
				return err
			}
			files := kms.At(args[0])
			prepared, err := kms.Prepare(a.rand, files)
			if err != nil {
				return err
			}
			if err := prepared.WithRelays(relays); err != nil {
				return err
			}
			protection := kms.Protection{WorkFactor: a.workFactor}
			if !plain {
				if protection.Passphrase, err = a.newPassphrase("Passphrase for the master key (empty: make one for me):",
					passphraseFile); err != nil {
					return err
				}
				defer clear(protection.Passphrase)
			}
			domain, err := prepared.Write(a.rand, protection, limit, a.now())
			if err != nil {
				return err
			}
			warnRemoved(cmd.ErrOrStderr(), prepared.Removed...)
			if plain {
				warnPlain(cmd.ErrOrStderr(), files)
			}
			return a.printDomain(cmd.OutOrStdout(), files, domain.Name(), domain.Fingerprint(), plain)
		}),
	}
	cmd.Flags().StringVar(&longest, "max-expires", "", "let no key last longer than `TIME`, such as 120d")
	addRelays(cmd, &relays)
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "take the passphrase from the first line of `FILE`")
	cmd.Flags().BoolVar(&plain, "no-passphrase", false, "leave the master key unencrypted")
	return cmd
}

func warnPlain(w io.Writer, files kms.Files) {
	cli.Warn(w, cli.Fail("no-passphrase", "%s is not encrypted: whoever copies this file can mint any key",
		files.Master()).
		Hint("fit for trying only; otherwise:  kms passphrase %s", cli.Quote(files.Prefix())))
}

func (a *app) printDomain(w io.Writer, files kms.Files, name, fingerprint string, plain bool) error {
	secret := "secret: with its passphrase anyone can mint any key"
	if plain {
		secret = "secret: whoever has it can mint any key"
	}
	width := max(text.Width(cli.Clean(files.Domain())), text.Width(cli.Clean(files.Master())))
	pad := func(s string) string {
		s = cli.Clean(s)
		return s + strings.Repeat(" ", width-text.Width(s))
	}
	_, err := fmt.Fprintf(w, `Created the domain %[1]s.

  %[2]s   public: give it to everybody         %[1]s %[3]s
  %[4]s   %[5]s
  %[6]s   what you issue, encrypted

Nothing can repair a lost master key. Copy it now:
  kms backup /media/usb
Next: issue a key. Kari makes kari.request with coterie request:
  kms issue --domain %[7]s --request kari.request -o kari.key
To try it without one:
  kms issue --domain %[7]s --name Kari --attr Professor -o kari.key
`, cli.Clean(name), pad(files.Domain()), fingerprint, pad(files.Master()), secret, pad(files.Ledger()),
		cli.Clean(cli.Quote(files.Prefix())))
	return err
}

// newPassphrase returns the passphrase of a master key: out of a file, typed
// twice, or made and typed once.
func (a *app) newPassphrase(question, file string) ([]byte, error) {
	return cli.NewPassphrase(cli.NewPassphraseOptions{
		File: file, Ask: question, Again: "Type it once more:",
		Make: func() (string, error) { return words.Random(a.rand, words.Passphrase) },
		Hint: "--passphrase-file FILE, or --no-passphrase",
	})
}
