// Package relay is coterie relay: what is typed for it, checked, and what it says while it runs.
package relay

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

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/house"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/node"
)

const (
	// reportTime is how often a relay says what it does, if that has changed.
	reportTime = time.Minute
	// stopTime is how long it may take to hang up.
	stopTime = 10 * time.Second
	// A relay takes half of the memory that is there, if it is not told otherwise,
	// and not more than maxRelayMemory.
	maxRelayMemory = 1 << 30
	minRelayMemory = 32 << 20
)

// Options are what is given to coterie relay.
type Options struct {
	Listen, Announce []string
	Bootstrap        []string // other relays
	Identity         string   // the file of its key; empty: the usual one
	JSON             bool
	PrintAddress     bool // print its addresses, and end
	Memory, Metrics  string
	Limits           node.Limits

	Endings []os.Signal // a first one stops it in order, a second at once
}

// usualPort is where a relay listens if it is not told otherwise.
func usualPort() []string {
	listen := []string{"/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1"}
	if l, err := net.Listen("tcp6", "[::]:0"); err == nil { // a machine without IPv6 is no reason to stop
		l.Close()
		listen = append(listen, "/ip6/::/tcp/4001", "/ip6/::/udp/4001/quic-v1")
	}
	return listen
}

// config is what they say.
func (o *Options) config() (node.RelayConfig, error) {
	cfg := node.RelayConfig{Limits: o.Limits}
	for flag, n := range map[string]int{
		"--connections": o.Limits.Connections, "--per-address": o.Limits.PerAddress, "--circuits": o.Limits.Circuits,
	} {
		if n < 0 || n > math.MaxInt32 {
			return cfg, cli.Usage("%s: %d is not a number of connections", flag, n)
		}
	}
	listen := o.Listen
	if len(listen) == 0 {
		listen = usualPort()
	}
	var err error
	if cfg.Listen, err = profile.Addresses("--listen", listen); err != nil {
		return cfg, err
	}
	if cfg.Announce, err = profile.Addresses("--announce", o.Announce); err != nil {
		return cfg, err
	}
	if cfg.Others, err = profile.Addresses("--bootstrap", o.Bootstrap); err != nil {
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
	if o.Memory != "" {
		n, ok := memorySize(o.Memory)
		if !ok || n < minRelayMemory {
			return cfg, cli.Usage("--memory: %q is not a size of memory", o.Memory).
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

// Run lets a relay run until a signal. The profile is where its key is, and what it prints on.
func Run(h *house.House, o Options) error {
	if o.PrintAddress {
		return printAddresses(h, o)
	}
	out := lines.NewJSON(io.Discard, h.Now)
	log := &journal{out: out, plain: h.Stdout, now: h.Now}
	if o.JSON {
		out = lines.NewJSON(h.Stdout, h.Now)
		log.out, log.plain = out, nil
	}
	out.Hello()
	cfg, err := o.config()
	if err != nil {
		return out.Fatal(err)
	}
	path, err := h.RelayKeyPath(o.Identity)
	if err != nil {
		return out.Fatal(err)
	}
	lock, err := profile.LockRelayKey(path)
	if err != nil {
		return out.Fatal(err)
	}
	defer lock.Close()
	h.Tidy(path)
	if cfg.Identity, err = profile.RelayIdentity(path); err != nil {
		return out.Fatal(err)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.Limits.Memory)
	}
	cfg.Refused = log.refused
	registry, stop, err := house.ServeMetrics(o.Metrics)
	if err != nil {
		return out.Fatal(err)
	}
	defer stop()
	cfg.Metrics = registry
	r, err := node.NewRelay(cfg)
	if err != nil {
		return out.Fatal(chat.NodeError(err))
	}
	return run(h, r, out, log, o.Endings)
}

// run lets it run until a signal; a second one ends it at once.
func run(h *house.House, r *node.Relay, out *lines.JSON, log *journal, endings []os.Signal) error {
	ctx, stop := signal.NotifyContext(context.Background(), endings...)
	defer stop()
	began := h.Now()
	log.ready(r)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	tick := time.NewTicker(reportTime)
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
			done, late = nil, time.After(stopTime)
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

// printAddresses prints what a relay with these flags has for addresses, one a
// line, those that reach furthest first; it does not listen.
func printAddresses(h *house.House, o Options) error {
	if o.JSON {
		return cli.Usage("--print-address and --json exclude each other")
	}
	cfg, err := o.config()
	if err != nil {
		return err
	}
	path, err := h.RelayKeyPath(o.Identity)
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
		if _, err := fmt.Fprintln(h.Stdout, m); err != nil {
			return cli.Describe(err)
		}
	}
	return nil
}
