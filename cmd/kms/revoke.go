package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
)

func (a *app) revokeCommand() *cobra.Command {
	var f domainFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke [NUMBER]",
		Short: "a key was lost or stolen: make the notice that shuts it out of all rooms",
		Long: `Make a notice that says that a key is good no more. Bring it into a room, and its members pass it on: whoever has
it says nothing more that the key can read. The notice has the number of the key and no name. A notice has place for eight keys that
have not lapsed. Without a number, the newest notice is written again.`,
		Example: `  kms revoke 17
  coterie join exam --notice NTNU.notice          takes it into the room; or /notice NTNU.notice in an open one`,
		Args: cli.Args("[NUMBER]"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.writeNotice(cmd, &f)
			}
			number, err := keyNumber(args[0])
			if err != nil {
				return err
			}
			return a.revoke(cmd, &f, number, yes)
		}),
	}
	f.addWriting(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// writeNotice writes the newest notice again.
func (a *app) writeNotice(cmd *cobra.Command, f *domainFlags) error {
	authority, err := a.open(cmd, f)
	if err != nil {
		return err
	}
	n, err := authority.WriteNotice()
	if errors.Is(err, kms.ErrNoNotice) {
		return cli.Fail("no-notice", "no key of %s was revoked, as far as its ledger says", authority.Domain().Name()).
			Hint("kms revoke NUMBER; kms list shows the numbers")
	}
	if err != nil {
		return err
	}
	return a.printNotice(cmd, f, n)
}

func (a *app) revoke(cmd *cobra.Command, f *domainFlags, number uint64, yes bool) error {
	authority, known, err := a.openRecord(cmd, f)
	if known == nil {
		return err
	}
	if number <= uint64(len(known.Issues)) && !yes && !known.Issues[number-1].Revoked {
		cli.Tell("  %d  %s", number, cli.Clean(describeIssue(known.Issues[number-1])))
		if err := confirm("Revoke this key for good?", "--yes"); err != nil {
			return err
		}
	}
	n, issue, again, err := authority.Revoke(a.rand, number, a.now())
	var full *kms.FullNoticeError
	var over *kms.LapsedError
	switch {
	case errors.As(err, &full):
		e := cli.Fail("notice-full", "%v", full).
			Hint("shut out all keys so far, and give everybody else a new one: kms norenew %d, kms generation --next, "+
				"kms renew --all", number)
		if full.Free != 0 {
			e.Hint("on %s the first of those lapses, and makes place", full.Free)
		}
		return e
	case errors.As(err, &over):
		return cli.Fail("key-lapsed", "%v: it opens nothing any more", over)
	case err != nil:
		return err
	}
	whose := fmt.Sprintf("Key %d", number)
	if issue.Name != "" {
		whose = fmt.Sprintf("%s's key %d", issue.Name, number)
	}
	is := "is revoked"
	if again {
		is = "was revoked already; its notice is written again"
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s.\n\n", cli.Clean(whose), is); err != nil {
		return err
	}
	return a.printNotice(cmd, f, n)
}

func (a *app) printNotice(cmd *cobra.Command, f *domainFlags, n *abe.Notice) error {
	files, err := f.files()
	if err != nil {
		return err
	}
	path := cli.Quote(files.Notice())
	_, err = fmt.Fprintf(cmd.OutOrStdout(), `  notice  of %s UTC; it names %s, of at most %d
  wrote   %s, which is no secret

Next: bring it into each room:   coterie join ROOM --notice %[5]s    or in an open one:  /notice %[5]s
      Members pass it on. Nothing that they say from then on can be read with such a key.
      Its owner asks for another key, as the first time:  kms issue --request FILE
`, n.Time().Format("2006-01-02 15:04"), cli.Plural(len(n.Serials), "key"), abe.MaxRevoked, cli.Clean(files.Notice()), path)
	return err
}
