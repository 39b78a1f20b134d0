package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
)

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "config",
		Short:   "say which settings are in force, and from where",
		Example: `  coterie config`,
		Args:    cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.Settings()
			if err != nil {
				return err
			}
			rooms, err := a.Rooms()
			if err != nil {
				return err
			}
			path, err := a.RoomsPath()
			if err != nil {
				return err
			}
			c.Each(rooms, path, func(name, value, from string) {
				if err == nil {
					_, err = fmt.Fprintf(a.stdout, "%-19s %-28s %s\n", cli.Clean(name), cli.Clean(value),
						cli.Clean(from))
				}
			})
			return err
		},
	}
}
