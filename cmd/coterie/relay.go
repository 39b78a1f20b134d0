package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

const (
	// relayReport is how often a relay says what it does, if that has changed.
	relayReport = time.Minute
	// relayStop is how long it may take to hang up.
	relayStop = 10 * time.Second
	// A relay takes half of the memory that is there, if it is not told otherwise,
	// and not more than maxRelayMemory.
	maxRelayMemory = 1 << 30
	minRelayMemory = 32 << 20
)

// relayFlags is what is given to coterie relay.
type relayFlags struct {
	listen, announce  []string
	others            []string
	file              string
	asJSON, addresses bool
	memory, metrics   string
	limits            node.Limits
}

func (a *app) relayCommand() *cobra.Command {
	var (
		f   relayFlags
		key string
	)
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
			return a.relay(f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.listen, "listen", nil,
		"listen on `ADDR`; may be given several times (default: port 4001, TCP and QUIC)")
	flags.StringArrayVar(&f.announce, "announce", nil,
		"others reach this computer at `HOST[:PORT]`, or at a multiaddr; may be given several times")
	flags.StringArrayVar(&f.others, "bootstrap", nil,
		"know the relay at `ADDR`: members of a room who began at either find each other; may be given several times")
	flags.StringVar(&f.file, "identity", "",
		"the relay's own key is in `FILE`, drawn at the first start (default: relay.key in the data folder)")
	flags.StringVar(&f.memory, "memory", "",
		"take `SIZE` of memory, such as 512MiB (default: half of what is there, at most 1GiB)")
	flags.IntVar(&f.limits.Connections, "connections", 0, "let in `N` connections (default: one for 256 KiB of memory)")
	flags.IntVar(&f.limits.PerAddress, "per-address", 0, "of them `N` from one address (default: half)")
	flags.IntVar(&f.limits.Circuits, "circuits", 0, "carry `N` connections of others (default: four for each connection)")
	flags.StringVar(&f.metrics, "metrics", "", house.MetricsHelp)
	flags.BoolVar(&f.addresses, "print-address", false, "print what members give to --bootstrap, and end")
	flags.BoolVar(&f.asJSON, "json", false, "one JSON object a line")
	flags.StringVar(&key, "key", "", "")
	flags.MarkHidden("key")
	return cmd
}

// withCode gives an error of wrong usage a code of its own.
func withCode(code string, e *cli.Error) *cli.Error {
	e.Code = code
	return e
}

// relayPort is where a relay listens if it is not told otherwise.
func relayPort() []string {
	listen := []string{"/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1"}
	if l, err := net.Listen("tcp6", "[::]:0"); err == nil { // a machine without IPv6 is no reason to stop
		l.Close()
		listen = append(listen, "/ip6/::/tcp/4001", "/ip6/::/udp/4001/quic-v1")
	}
	return listen
}

// config is what the flags say.
func (f *relayFlags) config() (node.RelayConfig, error) {
	cfg := node.RelayConfig{Limits: f.limits}
	for flag, n := range map[string]int{
		"--connections": f.limits.Connections, "--per-address": f.limits.PerAddress, "--circuits": f.limits.Circuits,
	} {
		if n < 0 || n > math.MaxInt32 {
			return cfg, cli.Usage("%s: %d is not a number of connections", flag, n)
		}
	}
	listen := f.listen
	if len(listen) == 0 {
		listen = relayPort()
	}
	var err error
	if cfg.Listen, err = profile.Addresses("--listen", listen); err != nil {
		return cfg, err
	}
	if cfg.Announce, err = profile.Addresses("--announce", f.announce); err != nil {
		return cfg, err
	}
	if cfg.Others, err = profile.Addresses("--bootstrap", f.others); err != nil {
		return cfg, err
	}
	for _, m := range cfg.Others {
		if err := node.CheckBootstrap(m); err != nil {
			return cfg, cli.Usage("--bootstrap: %v", err).Hint("outside your own network an address ends in /p2p/PEER")
		}
	}
	for _, m := range cfg.Announce {
		if _, err := m.ValueForProtocol(ma.P_P2P); err == nil {
			return cfg, cli.Usage("--announce: %s has a peer id, which the relay adds itself", m).Hint("leave out /p2p/...")
		}
	}
	cfg.Limits.Memory = min(max(node.Memory()/2, minRelayMemory), maxRelayMemory)
	if f.memory != "" {
		n, ok := memorySize(f.memory)
		if !ok || n < minRelayMemory {
			return cfg, cli.Usage("--memory: %q is not a size of memory", f.memory).
				Hint("such as 512MiB or 2GiB; at least 32MiB")
		}
		cfg.Limits.Memory = n
	}
	return cfg, nil
}

// memorySize reads a number of MiB or GiB.
func memorySize(s string) (int64, bool) {
	for unit, size := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseUint(digits, 10, 32)
			return int64(n) * size, err == nil && int64(n) <= 1<<42/size
		}
	}
	return 0, false
}

func (a *app) relay(f relayFlags) error {
	if f.addresses {
		return a.relayAddresses(f)
	}
	out := lines.NewJSON(io.Discard, a.now)
	log := &relayLog{out: out, plain: a.stdout, now: a.now}
	if f.asJSON {
		out = lines.NewJSON(a.stdout, a.now)
		log.out, log.plain = out, nil
	}
	out.Hello()
	cfg, err := f.config()
	if err != nil {
		return out.Fatal(err)
	}
	path, err := a.RelayKeyPath(f.file)
	if err != nil {
		return out.Fatal(err)
	}
	lock, err := profile.LockRelayKey(path)
	if err != nil {
		return out.Fatal(err)
	}
	defer lock.Close()
	a.Tidy(path)
	if cfg.Identity, err = profile.RelayIdentity(path); err != nil {
		return out.Fatal(err)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.Limits.Memory)
	}
	cfg.Refused = log.refused
	registry, stop, err := house.ServeMetrics(f.metrics)
	if err != nil {
		return out.Fatal(err)
	}
	defer stop()
	cfg.Metrics = registry
	r, err := node.NewRelay(cfg)
	if err != nil {
		return out.Fatal(chat.NodeError(err))
	}
	return a.runRelay(r, out, log)
}

// runRelay lets a relay run until a signal; a second one ends it at once.
func (a *app) runRelay(r *node.Relay, out *lines.JSON, log *relayLog) error {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	began := a.now()
	log.ready(r)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	tick := time.NewTicker(relayReport)
	defer tick.Stop()
	done := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case <-tick.C:
			log.minute(r.Stats())
			continue
		case <-done:
			stop()
			done, late = nil, time.After(relayStop)
			continue
		case err := <-ended:
			if err != nil {
				return out.Fatal(err)
			}
		case <-late:
		}
		log.ended(r.Stats(), began)
		out.Bye("signal", 0, 0, cli.StatusDone)
		return nil
	}
}

// ready says where the relay is, and what it takes.
func (l *relayLog) ready(r *node.Relay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, public := []string{}, false
	for _, m := range r.Addresses() {
		all = append(all, m.String())
		public = public || node.IsName(m) || manet.IsPublicAddr(m)
	}
	limits := r.Limits()
	l.out.Put(lines.NewObject("ready").Add("peer", r.Self()).Add("addrs", all).Add("memory", limits.Memory).
		Add("connections", limits.Connections).Add("per_address", limits.PerAddress).Add("circuits", limits.Circuits))
	if l.plain == nil {
		return
	}
	fmt.Fprintf(l.plain, "Relaying for whoever connects; it can read nothing. Members begin here with one of\n\n")
	for _, m := range all {
		fmt.Fprintf(l.plain, "  --bootstrap %s\n", m)
	}
	if !public {
		fmt.Fprintln(l.plain, "\nNone of these is an address of the internet.",
			"If others reach this computer by one: --announce HOST")
	}
	fmt.Fprintf(l.plain, "\nLimits: %d MiB of memory, %s, %s of them from one address, %s.\n", limits.Memory>>20,
		cli.Plural(limits.Connections, "connection"), cli.Count(limits.PerAddress), cli.Plural(limits.Circuits, "circuit"))
	if files := node.Files(); files > 0 && files < limits.Connections {
		fmt.Fprintf(l.plain, "The process may have so few files open (ulimit -n) that over TCP %s fit.\n",
			cli.Plural(files, "connection"))
	}
	fmt.Fprintln(l.plain)
}

// relayAddresses prints what a relay with these flags has for addresses, one a
// line, those that reach furthest first; it does not listen.
func (a *app) relayAddresses(f relayFlags) error {
	if f.asJSON {
		return cli.Usage("--print-address and --json exclude each other")
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	path, err := a.RelayKeyPath(f.file)
	if err != nil {
		return err
	}
	if cfg.Identity, err = profile.RelayIdentityToShow(path); err != nil {
		return err
	}
	all, err := node.RelayAddresses(cfg)
	if err != nil {
		return err
	}
	for _, m := range all {
		if _, err := fmt.Fprintln(a.stdout, m); err != nil {
			return cli.Describe(err)
		}
	}
	return nil
}
