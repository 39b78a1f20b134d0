package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/node"
)

// relayReport is how often a relay says what it does, if that has changed.
const relayReport = time.Minute

func (a *app) relayCommand() *cobra.Command {
	var (
		listen []string
		asJSON bool
		key    string
	)
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "carry rooms for others, without a key and without reading them",
		Long: `Carry rooms for others: a peer without a key. It forwards what is said in the rooms of those who connect to it, and their connections to each
other; it can read nothing. Members give its address with --bootstrap. It runs until it is interrupted.`,
		Example: `  coterie relay --listen /ip4/0.0.0.0/tcp/4001 --listen /ip4/0.0.0.0/udp/4001/quic-v1`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("key") {
				return withCode("relay-no-key", cli.Usage("coterie relay takes no --key: it must not be able to read"))
			}
			return a.relay(listen, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&listen, "listen", nil, "listen on `MULTIADDR`; may be given several times (default: any free port)")
	flags.BoolVar(&asJSON, "json", false, "one JSON object a line")
	flags.StringVar(&key, "key", "", "")
	flags.MarkHidden("key")
	return cmd
}

// withCode gives an error of wrong usage a code of its own.
func withCode(code string, e *cli.Error) *cli.Error {
	e.Code = code
	return e
}

func (a *app) relay(listen []string, asJSON bool) error {
	out := newJSON(io.Discard, a.stderr, a.now)
	if asJSON {
		out = newJSON(a.stdout, a.stderr, a.now)
	}
	out.hello()
	addrs, err := addresses("--listen", listen)
	if err != nil {
		return out.fatal(err)
	}
	r, err := node.NewRelay(node.RelayConfig{Listen: addrs})
	if err != nil {
		return out.fatal(nodeError(err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	all := []string{}
	for _, m := range r.Addresses() {
		all = append(all, m.String())
	}
	out.put(newObject("ready").add("peer", r.Self()).add("addrs", all))
	if !asJSON {
		fmt.Fprintf(a.stdout, "Relaying for whoever connects; it can read nothing. Members begin here with one of\n\n")
		for _, m := range all {
			fmt.Fprintf(a.stdout, "  --bootstrap %s\n", m)
		}
		fmt.Fprintln(a.stdout)
	}
	tick := time.NewTicker(relayReport)
	defer tick.Stop()
	var last node.RelayStats
	for {
		select {
		case <-tick.C:
			st := r.Stats()
			if st == last {
				continue
			}
			last = st
			out.put(newObject("relaying").add("peers", st.Peers).add("rooms", st.Rooms).add("forwarded", st.Forwarded).add("time", stamp(a.now())))
			if !asJSON {
				fmt.Fprintf(a.stdout, "-- %s %s, %s, %s forwarded\n", a.now().Format("15:04"), cli.Plural(st.Peers, "peer"), cli.Plural(st.Rooms, "room"), cli.Plural(st.Forwarded, "record"))
			}
		case err := <-ended:
			if err != nil {
				return out.fatal(err)
			}
			out.bye("signal", 0, cli.StatusDone)
			return nil
		}
	}
}
