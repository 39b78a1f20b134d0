package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/house"
	"coterie/cmd/internal/cli"
)

func (a *app) exportCommand() *cobra.Command {
	var f house.Flags
	cmd := &cobra.Command{
		Use:   "export ROOM FILE",
		Short: "write what is kept of a room that is not open to a new file, in clear",
		Example: `  coterie export exam exam.txt
  coterie export exam exam.jsonl      (JSON lines; in an open room: /export FILE)`,
		Args:              cli.Args("ROOM", "FILE"),
		ValidArgsFunction: a.completeRooms,
		RunE: func(_ *cobra.Command, args []string) error {
			done, err := a.Export(args[0], args[1], f)
			if err == nil {
				_, err = fmt.Fprintln(a.stdout, done.Text())
			}
			return err
		},
	}
	cmd.Flags().StringVar(&f.Key, "key", "", "of several rooms of that name the one with this key `FILE`")
	cmd.Flags().StringVar(&f.Identity, "identity", "", "the identity `FILE` that opens what is kept")
	cmd.Flags().StringVar(&f.PassphraseFile, "passphrase-file", "", "read its passphrase from `FILE`")
	return cmd
}
