package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
)

// identityWork is scrypt's work factor: age's own default.
const identityWork = 18

func (a *app) changeCommand() *cobra.Command {
	var identity, old, fresh string
	var none bool
	cmd := &cobra.Command{
		Use:   "passphrase",
		Short: "give your identity a new passphrase",
		Long: "Give your identity a new passphrase. The identity itself, and every key made for you, stays the same. " +
			"Copies made before keep the old passphrase.",
		Example: `  coterie passphrase`,
		Args:    cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			if none && fresh != "" {
				return cli.Usage("--no-passphrase and --new-passphrase-file exclude each other")
			}
			return a.changePassphrase(identity, old, fresh, none)
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "the identity `FILE` (default: your own)")
	cmd.Flags().StringVar(&old, "passphrase-file", "", "the passphrase until now is the first line of `FILE`")
	cmd.Flags().StringVar(&fresh, "new-passphrase-file", "", "the new one is the first line of `FILE`")
	cmd.Flags().BoolVar(&none, "no-passphrase", false, "leave the identity without one")
	return cmd
}

func (a *app) changePassphrase(flag, old, fresh string, none bool) error {
	path, err := a.IdentityPath(flag)
	if err != nil {
		return err
	}
	data, err := keyfile.ReadSecret(path)
	if err != nil {
		return err
	}
	defer clear(data)
	// Whatever it is, it has to be an identity, and to open.
	opts := cli.PassphraseOptions{File: old, Name: profile.Tilde(path)}
	if _, err := cli.Identities(path, opts)(); err != nil {
		return err
	}
	plain := data
	if keyfile.KindOf(data) != keyfile.Identity {
		err := cli.WithPassphrase("The passphrase of "+profile.Tilde(path)+" until now:", opts, func(p []byte) (err error) {
			plain, err = keyfile.DecryptPassphrase(path, data, p)
			return err
		})
		if err != nil {
			return err
		}
		defer clear(plain)
	}
	var passphrase []byte
	if !none {
		passphrase, err = cli.NewPassphrase(cli.NewPassphraseOptions{
			File: fresh, Ask: "New passphrase (empty: none):", Again: "Once more:",
			Hint: "--new-passphrase-file FILE, or --no-passphrase",
		})
		if err != nil {
			return err
		}
		defer clear(passphrase)
	}
	out := plain
	if len(passphrase) > 0 {
		if out, err = keyfile.EncryptPassphrase(plain, passphrase, identityWork); err != nil {
			return err
		}
	}
	if err := a.ReplaceSecret(path, out); err != nil {
		return err
	}
	state := "has a new passphrase"
	if len(passphrase) == 0 {
		state = "has no passphrase now: whoever copies it has your keys"
	}
	_, err = fmt.Fprintf(a.stdout, "%s %s. Copies made before keep the old one.\n", cli.Clean(profile.Tilde(path)), state)
	return err
}
