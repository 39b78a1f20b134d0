package main

import (
	"github.com/spf13/cobra"

	"coterie/cmd/coterie/doctor"
	"coterie/cmd/internal/cli"
)

func (a *app) doctorCommand() *cobra.Command {
	f := doctor.Options{Profile: &a.Profile, In: a.stdin, Out: a.stdout, Now: a.now}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "check this computer, your key and the way to a room",
		Long:  "Check this computer, your key and the way to a room. The exit status is 0 if nothing failed.",
		Example: `  coterie doctor
  coterie doctor --key kari.key --room exam
  coterie doctor --json        (to send with a report: addresses and ids are shortened)`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error { return doctor.Run(f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.Key, "key", "", "your key `FILE` (default: that of the room, or of the settings)")
	flags.StringVar(&f.Room, "room", "", "a `ROOM` that you joined, or a link")
	flags.StringVar(&f.Identity, "identity", "", "open a sealed key with the age identities in `FILE`")
	flags.StringVar(&f.PassphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	flags.BoolVar(&f.JSON, "json", false, "one JSON object a line")
	flags.BoolVar(&f.Full, "full", false, "do not shorten addresses and ids")
	cmd.RegisterFlagCompletionFunc("key", completeFiles("key"))
	cmd.RegisterFlagCompletionFunc("room", a.completeRooms)
	return cmd
}
