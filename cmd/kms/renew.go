package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/request"
)

// renewFlags are the flags of kms renew as they were typed.
type renewFlags struct {
	domainFlags
	expiring, expires, output string
	all, yes, dryRun, asJSON  bool
	add, drop                 []string
}

func (a *app) renewCommand() *cobra.Command {
	var f renewFlags
	cmd := &cobra.Command{
		Use:   "renew (NUMBER... | --expiring 14d | --all) [-o FILE]",
		Short: "give people new keys, before the old ones lapse or after",
		Example: `  kms renew 1
  kms renew 2 --drop "5th year" --attr "6th year"
  kms renew --expiring 14d -o renewed/`,
		Args: cobra.ArbitraryArgs,
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error { return a.renew(cmd, &f, args) }),
	}
	f.addWriting(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.expiring, "expiring", "", "all that lapse within `TIME`, such as 14d, and were not renewed yet")
	flags.BoolVar(&f.all, "all", false, "all that are valid and were not renewed yet")
	flags.StringArrayVar(&f.add, "attr", nil, "give the new keys the attribute `A`, too; dept=X replaces another dept")
	flags.StringArrayVar(&f.drop, "drop", nil, "do not give the new keys the attribute `A`")
	flags.StringVar(&f.expires, "expires", "", "when they lapse: `TIME` such as 90d or 2026-12-31 (default: each lasts "+
		"as long as the old one)")
	flags.StringVarP(&f.output, "output", "o", "", "write to this folder; for a single number, to this `FILE`")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be issued, and stop")
	flags.BoolVar(&f.asJSON, "json", false, "print an object for each key that was made")
	flags.BoolVar(&f.yes, "yes", false, "ask nothing but the passphrase")
	return cmd
}

func (a *app) renew(cmd *cobra.Command, f *renewFlags, args []string) error {
	n, err := a.renewal(cmd, f, args)
	if err != nil {
		return err
	}
	authority, known, err := a.openRecord(cmd, &f.domainFlags)
	if known == nil {
		return err
	}
	requests, err := n.Choose(known)
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	if err := confirmSpelling(stderr, kms.CheckSpelling(n.Add, kms.CountAttributes(known.Issues)), f.yes); err != nil {
		return err
	}
	if len(n.Numbers) == 1 && !f.dryRun {
		return a.renewOne(cmd, f, authority, known, n)
	}
	var rows []kms.Row
	for _, r := range requests {
		rows = append(rows, kms.Row{Request: r})
	}
	show := stderr
	if f.dryRun {
		show = cmd.OutOrStdout()
	}
	if err := (plan{todo: rows}).print(show, authority.Domain().Name(), known); err != nil || f.dryRun {
		return err
	}
	if len(requests) > 0 && !f.yes {
		if err := confirm("Issue them?", "--yes, after a look at --dry-run"); err != nil {
			return err
		}
	}
	out, err := a.issueMany(cmd, authority, kms.Batch{Folder: n.Folder, Choose: n.Choose}, nil)
	if err != nil {
		return err
	}
	return printMany(cmd.OutOrStdout(), authority, n.Folder, out, f.asJSON)
}

// renewal reads what was typed.
func (a *app) renewal(cmd *cobra.Command, f *renewFlags, args []string) (*kms.Renewal, error) {
	n := &kms.Renewal{Today: abe.DayOf(a.now()), Folder: f.output}
	for _, text := range args {
		number, err := keyNumber(text)
		if err != nil {
			return nil, err
		}
		n.Numbers = append(n.Numbers, number)
	}
	var err error
	switch {
	case len(n.Numbers) == 0 && f.expiring == "" && !f.all:
		return nil, cli.Missing(cmd, "NUMBER, --expiring or --all")
	case len(n.Numbers) > 0 && (f.expiring != "" || f.all), f.expiring != "" && f.all:
		return nil, cli.Usage("numbers, --expiring and --all exclude each other")
	case len(n.Numbers) != 1 && f.output == "" && !f.dryRun:
		return nil, cli.Missing(cmd, "--output")
	case f.all:
		n.Until = kms.LastDay
	case f.expiring != "":
		if n.Until, err = kms.ParseExpires(f.expiring, n.Today); err != nil {
			return nil, cli.Usage("--expiring: %v", err)
		}
	}
	if n.Add, err = abe.ParseAttributes(f.add); err != nil {
		return nil, err
	}
	for _, text := range f.drop {
		attribute, err := abe.ParseAttribute(text)
		if err != nil {
			return nil, err
		}
		n.Drop = append(n.Drop, attribute)
	}
	if f.expires != "" {
		expires, err := kms.ParseExpires(f.expires, n.Today)
		if err != nil {
			return nil, cli.Usage("--expires: %v", err)
		}
		n.Expires = func(abe.Day) abe.Day { return expires }
	}
	return n, nil
}

func keyNumber(text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || number == 0 {
		return 0, cli.Usage("%q is not the number of a key", text).Hint("kms list shows the numbers")
	}
	return number, nil
}

// renewOne renews a single key, into a file called after the person and the day
// on which it lapses unless another is asked for.
func (a *app) renewOne(cmd *cobra.Command, f *renewFlags, authority *kms.Authority, known *kms.Record,
	n *kms.Renewal) error {
	requests, err := n.Choose(known)
	if err != nil {
		return err
	}
	r := requests[0]
	switch info, err := os.Stat(f.output); {
	case f.output == "":
		r.Path = request.FileName(r.Name) + "-" + r.Expires.String() + ".key"
	case err == nil && info.IsDir():
	case os.IsPathSeparator(f.output[len(f.output)-1]):
		if err := os.MkdirAll(f.output, 0o700); err != nil {
			return err
		}
	default:
		r.Path = f.output
	}
	return a.issueOne(cmd, authority, r, f.asJSON, f.named())
}

func (a *app) norenewCommand() *cobra.Command {
	var f domainFlags
	var because string
	var undo bool
	cmd := &cobra.Command{
		Use:   "norenew NUMBER",
		Short: "somebody leaves: their key is not to be renewed",
		Example: `  kms norenew 3 --because left
  kms norenew 3 --undo`,
		Args: cli.Args("NUMBER"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			number, err := keyNumber(args[0])
			if err != nil {
				return err
			}
			if undo && because != "" {
				return cli.Usage("--undo and --because exclude each other")
			}
			authority, err := a.open(cmd, &f)
			if err != nil {
				return err
			}
			key, err := authority.Mark(a.rand, number, !undo, because, a.now())
			if err != nil {
				return err
			}
			return a.printMarked(cmd, key, undo)
		}),
	}
	f.addWriting(cmd)
	cmd.Flags().StringVar(&because, "because", "", "put `REASON` on record; it cannot be erased again, so name nobody")
	cmd.Flags().BoolVar(&undo, "undo", false, "it may be renewed after all")
	return cmd
}

func (a *app) printMarked(cmd *cobra.Command, key kms.Issue, undo bool) error {
	whose := fmt.Sprintf("Key %d", key.Number)
	if key.Name != "" {
		whose = fmt.Sprintf("%s's key %d", key.Name, key.Number)
	}
	whose = cli.Clean(whose)
	today := abe.DayOf(a.now())
	if undo {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s may be renewed.\n", whose)
		return err
	}
	if key.Expires <= today {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s lapsed on %s and will not be renewed.\n", whose, key.Expires)
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s stays valid until %s and will not be renewed.\n"+
		"Until then it opens rooms, unless you revoke it.\n", whose, key.Expires)
	next := uint32(2)
	if known, _ := a.opened.Record(); known != nil {
		next = known.Generation + 1
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "hint: at once: kms revoke %d; or for more than eight keys: kms generation --next, "+
		"renew everybody else, and rooms with  … and generation = %d\n", key.Number, next)
	return err
}

func (a *app) generationCommand() *cobra.Command {
	var f domainFlags
	var next, yes bool
	cmd := &cobra.Command{
		Use:   "generation [--next]",
		Short: "shut out all older keys, where rooms ask for it",
		Long: `Every key carries the generation of its domain. When a key must be of no use before it lapses, raise the number, renew
everybody else, and make rooms whose policy asks for it:  ... and generation = 2`,
		Example: `  kms generation
  kms generation --next`,
		Args: cli.Args(),
		RunE: a.withReminder(func(cmd *cobra.Command, _ []string) error {
			authority, known, err := a.openRecord(cmd, &f)
			if known == nil {
				return err
			}
			live := liveKeys(known.Issues, abe.DayOf(a.now()))
			if !next {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "generation %d; %s valid, %d of them of this generation\n",
					known.Generation, plural(len(live), "key is", "keys are"), ofGeneration(live, known.Generation))
				return errors.Join(err, nil)
			}
			if !yes {
				question := fmt.Sprintf("Raise the generation to %d? Rooms that ask for it shut out all of today's %s until "+
					"each is renewed.", known.Generation+1, plural(len(live), "valid key", "valid keys"))
				if err := confirm(question, "--yes"); err != nil {
					return err
				}
			}
			generation, err := authority.Raise(a.rand, a.now())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `Generation %[1]d: every key issued from now on carries it.

Next: mark who is to stay out:    kms norenew%[2]s NUMBER
      renew everybody else:       kms renew%[2]s --all -o renewed/
      and make new rooms with:    ... and generation = %[1]d
Rooms that do not ask for it are as they were.
`, generation, cli.Clean(f.named()))
			return err
		}),
	}
	f.addWriting(cmd)
	cmd.Flags().BoolVar(&next, "next", false, "raise it by one")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// liveKeys are those that are valid today and were not replaced.
func liveKeys(issues []kms.Issue, today abe.Day) []kms.Issue {
	var live []kms.Issue
	for _, i := range issues {
		if state, _ := i.StateOn(today); (state == kms.Valid || state == kms.Renew) && i.RenewedBy == 0 {
			live = append(live, i)
		}
	}
	return live
}

func ofGeneration(issues []kms.Issue, generation uint32) int {
	n := 0
	for _, i := range issues {
		if i.Generation == generation {
			n++
		}
	}
	return n
}
