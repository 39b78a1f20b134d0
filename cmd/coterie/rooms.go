package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
)

func (a *app) roomsCommand() *cobra.Command {
	var asJSON bool
	var move string
	cmd := &cobra.Command{
		Use:   "rooms",
		Short: "list the rooms you joined, and how to join them again",
		Example: `  coterie rooms
  coterie rooms --move exam       (their domain has a new master key: prints what to send the members)`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			rooms, err := a.Rooms()
			if err != nil {
				return err
			}
			if move != "" {
				return a.moveRoom(rooms, move)
			}
			return a.printRooms(rooms, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().StringVar(&move, "move", "", "print what to tell the members when `ROOM` moves to a new domain")
	cmd.RegisterFlagCompletionFunc("move", a.completeRooms)
	return cmd
}

func (a *app) printRooms(rooms []profile.Room, asJSON bool) error {
	slices.SortStableFunc(rooms, func(x, y profile.Room) int { return y.Last.Compare(x.Last) })
	if !asJSON && len(rooms) == 0 {
		_, err := fmt.Fprintln(a.stdout, "No room was joined yet.\n\n  coterie join ROOM --key FILE --policy 'POLICY'")
		return err
	}
	for _, r := range rooms {
		if asJSON {
			o := lines.NewObject("room").Add("room", r.Name).Add("domain", r.Domain).Add("domain_id", r.DomainID).
				Add("policy", r.Policy).
				Add("key", r.Key).Add("unlisted", r.Tag != "").Add("addresses", len(r.Addresses)).
				Add("last", lines.Stamp(r.Last))
			if _, err := a.stdout.Write(o.Line()); err != nil {
				return err
			}
			continue
		}
		note := ""
		if r.Tag != "" {
			note = "   unlisted"
		}
		if _, err := fmt.Fprintf(a.stdout, "%-16s %-12s last %s   %s   %s%s\n", cli.Clean(r.Name), cli.Clean(r.Domain),
			r.Last.Local().Format("2006-01-02"),
			cli.Clean(profile.Tilde(r.Key)), cli.Clean(r.Policy), note); err != nil {
			return err
		}
	}
	return nil
}

// moveRoom says what to tell the members when the room's domain has to be
// replaced: a room belongs to its domain, so a new domain means a new room.
func (a *app) moveRoom(rooms []profile.Room, name string) error {
	i := slices.IndexFunc(rooms, func(r profile.Room) bool { return r.Name == name })
	if i < 0 {
		return profile.NoRoom(name, len(rooms) > 0)
	}
	r := rooms[i]
	_, err := fmt.Fprintf(a.stdout, `The room %s belongs to the domain %s. With a new domain it is another room; nobody can be moved by force.
Say this in the room, where the members can see who says it:

  %s moves to a new domain. Compare the new domain's fingerprint with the operator, ask for a new key, and join with
  coterie join %s --key NEW.key --policy %s
`, cli.Clean(r.Name), cli.Clean(r.Domain), cli.Clean(r.Name), cli.Quote(r.Name), cli.Quote(r.Policy))
	return err
}

func (a *app) forgetCommand() *cobra.Command {
	var yes bool
	var policy string
	cmd := &cobra.Command{
		Use:   "forget ROOM",
		Short: "erase what this computer remembers of a room",
		Example: `  coterie forget exam
  coterie forget exam --policy NTNU      (of two rooms called exam, the one with this policy)`,
		Args:              cli.Args("ROOM"),
		ValidArgsFunction: a.completeRooms,
		RunE:              func(_ *cobra.Command, args []string) error { return a.forget(args[0], policy, yes) },
	}
	cmd.Flags().StringVar(&policy, "policy", "", "only the room of that name with this policy, `POLICY`")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) forget(name, policy string, yes bool) error {
	if policy != "" {
		p, err := abe.ParsePolicy(policy)
		if err != nil {
			return err
		}
		policy = p.String()
	}
	f, err := a.Forgetting(func(r profile.Room) bool { return r.Name == name && (policy == "" || r.Policy == policy) })
	if err != nil {
		return err
	}
	defer f.Close()
	gone := f.Rooms
	if len(gone) == 0 {
		rooms, err := a.Rooms()
		if err != nil {
			return err
		}
		return profile.NoRoom(name, len(rooms) > 0)
	}
	if !yes {
		question := fmt.Sprintf("Forget %s, with its history, policy and addresses? Your key stays.", cli.Clean(name))
		if len(gone) > 1 {
			question = fmt.Sprintf("Forget all %d rooms called %s, with their history, policies and addresses? Your keys stay.",
				len(gone), cli.Clean(name))
			for _, r := range gone {
				question += "\n  " + cli.Clean(r.Policy)
			}
			question += "\nFor one of them: --policy 'POLICY'."
		}
		ok, err := cli.Confirm(question, "--yes")
		if err != nil {
			return err
		}
		if !ok {
			return cli.Fail("not-done", "nothing was forgotten")
		}
	}
	if err := f.Erase(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "Forgot %s. The key file %s is still there.\n", cli.Clean(name),
		cli.Clean(profile.Tilde(gone[0].Key)))
	return err
}
