package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/internal/cli"
)

func (a *app) saveCommand() *cobra.Command {
	var linger time.Duration
	cmd := &cobra.Command{
		Use:   "save ROOM N|ID [PATH]",
		Short: "save a file that was sent in a room that coterie up has open",
		Long: "Save a file that was sent in a room that coterie up has open: by its number, as coterie read shows it, or " +
			"by the id of\nits message, as coterie read --json does. It goes to PATH, or into this folder, and overwrites " +
			"nothing; standard output says\nwhere it is. The exit status is 1 if nobody who is there has it: coterie up goes " +
			"on asking, and saves it then.",
		Example: `  coterie save exam 1
  coterie save exam 1 ~/plans/`,
		Args:              cli.Args("ROOM", "N", "[PATH]"),
		ValidArgsFunction: a.completeSave,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := chat.Save{Path: chat.Path("./")}
			if id, err := hex.DecodeString(args[1]); err == nil && len(id) == len(c.ID) {
				copy(c.ID[:], id)
			} else if c.Number, err = strconv.Atoi(args[1]); err != nil || c.Number < 1 {
				return cli.Usage("%q is no number of a file", args[1]).Hint("coterie read %s", cli.Quote(args[0]))
			}
			if len(args) > 2 && args[2] != "" {
				c.Path = chat.Path(args[2])
			}
			home, e, err := a.at(args[0])
			if err != nil {
				return err
			}
			path, err := home.Save(cmd.Context(), e, linger, c)
			if err == nil {
				// A script is to find the file by it.
				if out, ok := a.stdout.(*os.File); ok && term.IsTerminal(int(out.Fd())) {
					path = cli.Clean(path)
				}
				_, err = fmt.Fprintln(a.stdout, path)
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&linger, "linger", 30*time.Second, "wait so long for more of it to come")
	return cmd
}
