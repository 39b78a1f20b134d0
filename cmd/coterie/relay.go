package main

import (
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/relay"
	"coterie/cmd/internal/cli"

	"github.com/spf13/cobra"
)

func (a *app) relayCommand() *cobra.Command {
	var f relay.Options
	var key string
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "carry rooms for others, without a key and without reading them",
		Long: `
Carry rooms for others: a peer without a key. It forwards what is said in the rooms of those who connect to it, and
their connections to each other; it can read nothing. Members give its address with --bootstrap. It runs until it is
interrupted. Its own key is kept in a file, so its address stays as it is when it starts again.`[1:],
		Example: `  coterie relay
  coterie relay --announce relay.ntnu.no --listen 0.0.0.0:4001 --listen /ip4/0.0.0.0/tcp/443/ws
  coterie relay --print-address`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("key") {
				return withCode("relay-no-key", cli.Usage("coterie relay takes no --key: it must not be able to read"))
			}
			f.Endings = endings()
			return relay.Run(&a.House, f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.Listen, "listen", nil,
		"listen on `ADDR`; may be given several times (default: port 4001, TCP and QUIC)")
	flags.StringArrayVar(&f.Announce, "announce", nil,
		"others reach this computer at `HOST[:PORT]`, or at a multiaddr; may be given several times")
	flags.StringArrayVar(&f.Bootstrap, "bootstrap", nil,
		"know the relay at `ADDR`: members of a room who began at either find each other; may be given several times")
	flags.StringVar(&f.Identity, "identity", "",
		"the relay's own key is in `FILE`, drawn at the first start (default: relay.key in the data folder)")
	flags.StringVar(&f.Memory, "memory", "",
		"take `SIZE` of memory, such as 512MiB (default: half of what is there, at most 1GiB)")
	flags.IntVar(&f.Limits.Connections, "connections", 0, "let in `N` connections (default: one for 256 KiB of memory)")
	flags.IntVar(&f.Limits.PerAddress, "per-address", 0, "of them `N` from one address (default: half)")
	flags.IntVar(&f.Limits.Circuits, "circuits", 0, "carry `N` connections of others (default: four for each connection)")
	flags.StringVar(&f.Metrics, "metrics", "", house.MetricsHelp)
	flags.BoolVar(&f.PrintAddress, "print-address", false, "print what members give to --bootstrap, and end")
	flags.BoolVar(&f.JSON, "json", false, "one JSON object a line")
	flags.StringVar(&key, "key", "", "")
	flags.MarkHidden("key")
	return cmd
}

// withCode gives an error of wrong usage a code of its own.
func withCode(code string, e *cli.Error) *cli.Error {
	e.Code = code
	return e
}
