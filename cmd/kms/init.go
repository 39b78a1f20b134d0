package main

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/kms"
	"coterie/kms/keyfile"
	"coterie/kms/words"
)

func (a *app) initCommand() *cobra.Command {
	var passphraseFile string
	var plain bool
	cmd := &cobra.Command{
		Use:   "init NAME",
		Short: "make a domain: NAME.domain, NAME.master and NAME.ledger",
		Example: `  kms init NTNU
  kms init NTNU --passphrase-file FILE`,
		Args: cli.Args("NAME"),
		RunE: told(func(cmd *cobra.Command, args []string) error {
			if plain && passphraseFile != "" {
				return cli.Usage("--no-passphrase and --passphrase-file exclude each other")
			}
			files := kms.At(args[0])
			prepared, err := kms.Prepare(a.rand, files)
			if err != nil {
				return err
			}
			protection := kms.Protection{WorkFactor: a.workFactor}
			if !plain {
				if protection.Passphrase, err = a.newPassphrase(passphraseFile); err != nil {
					return err
				}
				defer clear(protection.Passphrase)
			}
			domain, err := prepared.Write(a.rand, protection, a.now())
			if err != nil {
				return err
			}
			if plain {
				cli.Warn(cmd.ErrOrStderr(), cli.Fail("no-passphrase", "%s is not encrypted: whoever copies this file can mint any key", files.Master()).
					Hint("fit for trying only; otherwise remove the three files and leave out --no-passphrase"))
			}
			return a.printDomain(cmd.OutOrStdout(), files, domain.Name(), domain.Fingerprint(), plain)
		}),
	}
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "take the passphrase from the first line of `FILE`")
	cmd.Flags().BoolVar(&plain, "no-passphrase", false, "leave the master key unencrypted")
	return cmd
}

func (a *app) printDomain(w io.Writer, files kms.Files, name, fingerprint string, plain bool) error {
	secret := "secret: with its passphrase anyone can mint any key"
	if plain {
		secret = "secret: whoever has it can mint any key"
	}
	width := len(cli.Clean(files.Domain()))
	_, err := fmt.Fprintf(w, `Created the domain %[1]s.

  %[3]*[2]s   public: give it to everybody         %[1]s %[4]s
  %[3]*[5]s   %[6]s
  %[3]*[7]s   what you issue, encrypted

Nothing can repair a lost master key.   Copy it now:   cp -p %[8]s /media/usb
Next                                    issue a key:   kms issue --domain %[9]s --attr %[1]s --to age1... -o kari.key
`, cli.Clean(name), cli.Clean(files.Domain()), -width, fingerprint, cli.Clean(files.Master()), secret, cli.Clean(files.Ledger()),
		cli.Clean(cli.Quote(files.Prefix())+".*"), cli.Clean(cli.Quote(files.Prefix())))
	return err
}

// errNotTheSame lets cli.WithPassphrase ask again.
var errNotTheSame = fmt.Errorf("not the same: %w", keyfile.ErrWrongPassphrase)

// newPassphrase returns the passphrase of a new master key: out of a file, typed
// twice, or made and typed once.
func (a *app) newPassphrase(file string) ([]byte, error) {
	if file != "" {
		return cli.Passphrase("", cli.PassphraseOptions{File: file})
	}
	passphrase, err := cli.Passphrase("Passphrase for the master key (empty: make one for me):",
		cli.PassphraseOptions{AllowEmpty: true, Hint: "--passphrase-file FILE, or --no-passphrase"})
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		made, err := words.Random(a.rand, words.Passphrase)
		if err != nil {
			return nil, err
		}
		passphrase = []byte(made)
		// To the terminal and nowhere else: standard output may be a file.
		if err := cli.Tell("Made one. It is stored nowhere and will not be shown again:\n\n    %s\n", made); err != nil {
			return nil, err
		}
	}
	err = cli.WithPassphrase("Type it once more:", cli.PassphraseOptions{}, func(again []byte) error {
		if subtle.ConstantTimeCompare(passphrase, again) != 1 {
			return errNotTheSame
		}
		return nil
	})
	if errors.Is(err, errNotTheSame) {
		err = cli.Fail("wrong-passphrase", "the two passphrases differ; nothing was made").Hint("run it again")
	}
	if err != nil {
		clear(passphrase)
		return nil, err
	}
	return passphrase, nil
}
