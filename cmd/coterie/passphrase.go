package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
)

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
			path, open, err := a.ChangePassphrase(identity, old, fresh, none)
			if err != nil {
				return err
			}
			state := "has a new passphrase"
			if open {
				state = "has no passphrase now: whoever copies it has your keys"
			}
			_, err = fmt.Fprintf(a.stdout, "%s %s. Copies made before keep the old one.\n",
				cli.Clean(profile.Tilde(path)), state)
			return err
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "the identity `FILE` (default: your own)")
	cmd.Flags().StringVar(&old, "passphrase-file", "", "the passphrase until now is the first line of `FILE`")
	cmd.Flags().StringVar(&fresh, "new-passphrase-file", "", "the new one is the first line of `FILE`")
	cmd.Flags().BoolVar(&none, "no-passphrase", false, "leave the identity without one")
	return cmd
}
