package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/chat"
	"coterie/cmd/coterie/lines"
	"coterie/cmd/internal/cli"
	"coterie/kms/keyfile"
	"coterie/node"
)

// relayReport is how often a relay says what it does, if that has changed.
const relayReport = time.Minute

func (a *app) relayCommand() *cobra.Command {
	var (
		listen []string
		asJSON bool
		key    string
		file   string
	)
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "carry rooms for others, without a key and without reading them",
		Long: `Carry rooms for others: a peer without a key. It forwards what is said in the rooms of those who connect to it, and their connections to each
other; it can read nothing. Members give its address with --bootstrap. It runs until it is interrupted. Its peer id is part of its address: the key
of that is kept in a file, so that the address stays as it is when the relay starts again.`,
		Example: `  coterie relay
  coterie relay --listen /ip4/0.0.0.0/tcp/443`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("key") {
				return withCode("relay-no-key", cli.Usage("coterie relay takes no --key: it must not be able to read"))
			}
			return a.relay(listen, file, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&listen, "listen", nil, "listen on `MULTIADDR`; may be given several times (default: port 4001, TCP and QUIC)")
	flags.StringVar(&file, "identity", "", "the relay's own key is in `FILE`, drawn at the first start (default: relay.key in the data folder)")
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

// relayPort is where a relay listens if it is not told otherwise.
func relayPort() []string {
	listen := []string{"/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1"}
	if l, err := net.Listen("tcp6", "[::]:0"); err == nil { // a machine without IPv6 is no reason to stop
		l.Close()
		listen = append(listen, "/ip6/::/tcp/4001", "/ip6/::/udp/4001/quic-v1")
	}
	return listen
}

// relayKey is the first line of a relay's key file; the seed follows, in hexadecimal.
const relayKey = "coterie-relay 1\n"

// relayIdentity reads the relay's key from a file, or draws it and writes it there.
func (a *app) relayIdentity(path string) (ed25519.PrivateKey, error) {
	if path == "" {
		dir, err := a.DataDir()
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("keeping the relay's key: %w", err)
		}
		path = filepath.Join(dir, "relay.key")
	}
	b, err := keyfile.ReadSecret(path)
	var none *keyfile.NotExistError
	if errors.As(err, &none) {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		if err := keyfile.WriteSecret(path, fmt.Appendf(nil, "%s%x\n", relayKey, seed)); err != nil {
			return nil, fmt.Errorf("keeping the relay's key: %w", err)
		}
		return ed25519.NewKeyFromSeed(seed), nil
	}
	if err != nil {
		return nil, err
	}
	digits, ok := strings.CutPrefix(string(b), relayKey)
	seed, err := hex.DecodeString(strings.TrimSuffix(digits, "\n"))
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, cli.Fail("relay-key", "%s is not a relay's key", path).
			Hint("move it away: the relay then draws a new one, and has another address")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func (a *app) relay(listen []string, file string, asJSON bool) error {
	out := lines.NewJSON(io.Discard, a.now)
	if asJSON {
		out = lines.NewJSON(a.stdout, a.now)
	}
	out.Hello()
	if len(listen) == 0 {
		listen = relayPort()
	}
	addrs, err := addresses("--listen", listen)
	if err != nil {
		return out.Fatal(err)
	}
	identity, err := a.relayIdentity(file)
	if err != nil {
		return out.Fatal(err)
	}
	r, err := node.NewRelay(node.RelayConfig{Listen: addrs, Identity: identity})
	if err != nil {
		return out.Fatal(chat.NodeError(err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	all := []string{}
	for _, m := range r.Addresses() {
		all = append(all, m.String())
	}
	out.Put(lines.NewObject("ready").Add("peer", r.Self()).Add("addrs", all))
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
			out.Put(lines.NewObject("relaying").Add("peers", st.Peers).Add("rooms", st.Rooms).Add("forwarded", st.Forwarded).Add("time", lines.Stamp(a.now())))
			if !asJSON {
				fmt.Fprintf(a.stdout, "-- %s %s, %s, %s forwarded\n", a.now().Format("15:04"), cli.Plural(st.Peers, "peer"), cli.Plural(st.Rooms, "room"), cli.Plural(st.Forwarded, "record"))
			}
		case err := <-ended:
			if err != nil {
				return out.Fatal(err)
			}
			out.Bye("signal", 0, cli.StatusDone)
			return nil
		}
	}
}
