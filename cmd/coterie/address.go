package main

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
)

// addresses reads what is given to a flag or stands in the settings: multiaddrs, or
// HOST:PORT.
func addresses(flag string, texts []string) ([]ma.Multiaddr, error) {
	var out []ma.Multiaddr
	for _, s := range texts {
		m, err := ma.NewMultiaddr(s)
		if err == nil {
			out = append(out, m)
			continue
		}
		both, err := fromHost(s)
		if err != nil {
			return nil, cli.Usage("%s: %q is not an address", flag, s).Hint("such as 10.0.0.7:4001 or /ip4/10.0.0.7/tcp/4001")
		}
		out = append(out, both...)
	}
	return out, nil
}

// fromHost takes HOST:PORT for its addresses over TCP and QUIC. The host is a number
// or a name, and /p2p/PEER may follow.
func fromHost(s string) ([]ma.Multiaddr, error) {
	s, id, hasID := strings.Cut(s, "/p2p/")
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, err
	}
	kind := "dns"
	if ip, err := netip.ParseAddr(host); err == nil {
		kind = "ip6"
		if ip.Is4() {
			kind = "ip4"
		}
	} else if !hostName.MatchString(host) {
		return nil, errors.New("no host")
	}
	var out []ma.Multiaddr
	for _, end := range []string{"/tcp/" + port, "/udp/" + port + "/quic-v1"} {
		if hasID {
			end += "/p2p/" + id
		}
		m, err := ma.NewMultiaddr("/" + kind + "/" + host + end)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

var hostName = regexp.MustCompile(`^[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?$`)
