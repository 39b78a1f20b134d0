package profile

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/node"
)

// usualPort is that of a relay, and of whoever is given as a host alone.
const usualPort = "4001"

// Addresses reads what is given to a flag or stands in the settings: multiaddrs,
// HOST:PORT, or HOST for its usual port, unless it is to be listened on.
func Addresses(flag string, texts []string) ([]ma.Multiaddr, error) {
	toListen := strings.TrimLeft(flag, "-") == "listen"
	var out []ma.Multiaddr
	for _, s := range texts {
		m, err := ma.NewMultiaddr(s)
		if err == nil && len(m) > 0 {
			out = append(out, m)
			continue
		}
		at := s
		if host, ok := bareHost(s); ok && !toListen {
			at = host
		}
		both, err := fromHost(at)
		if err != nil {
			hint := "such as relay.ntnu.no, 10.0.0.7:4001 or /ip4/10.0.0.7/tcp/4001"
			if toListen {
				hint = "such as 0.0.0.0:4001 or /ip4/0.0.0.0/tcp/4001"
			}
			return nil, cli.Usage("%s: %q is not an address", flag, s).Hint("%s", hint)
		}
		out = append(out, both...)
	}
	return out, nil
}

// bareHost gives a host without a port the usual one. One word without a dot is
// no host: it may be anything that was mistyped.
func bareHost(s string) (string, bool) {
	host, id, hasID := strings.Cut(s, "/p2p/")
	inner, ok := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if ip, err := netip.ParseAddr(inner); ok && closed && err == nil && ip.Is6() {
		host = inner
	} else if host != "localhost" && (!strings.Contains(host, ".") || !hostName.MatchString(host)) {
		return "", false // also ::1:7101, of which nobody knows where its port begins
	}
	at := net.JoinHostPort(host, usualPort)
	if hasID {
		at += "/p2p/" + id
	}
	return at, true
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

// DomainRelays are the relays that a key's domain names, where we begin as well.
// What is no address, or cannot be dialled, is passed over with a warning: it is its
// authority's mistake, and no reason to stay out.
func DomainRelays(d *abe.Domain, warn func(*cli.Error)) (out []ma.Multiaddr) {
	for _, r := range d.Relays() {
		all, err := Addresses("relay", []string{r})
		for _, m := range all {
			if err == nil {
				err = node.CheckBootstrap(m)
			}
		}
		if err != nil {
			warn(cli.Fail("domain-relay", "the key names a relay that is of no use: %s", cli.Clean(r)).
				Hint("tell whoever runs %s: kms domain", cli.Clean(d.Name())).Because(err))
			continue
		}
		out = append(out, all...)
	}
	return out
}
