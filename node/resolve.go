package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Names, and what their records say of who is there. A record of type TXT at
// _dnsaddr.NAME has an address with a peer id, "dnsaddr=/dns/NAME/tcp/4001/p2p/ID",
// or leads to another name, "dnsaddr=/dnsaddr/NAME".

const (
	maxRecords   = 32 // that are looked at, of one name
	maxTargets   = 16 // addresses that one leads to
	maxNames     = 8  // that are looked up for one
	resolveTime  = 3 * time.Second
	recordPrefix = "dnsaddr="
	recordName   = "_dnsaddr."
)

// ErrNoSuchName is returned for a name that does not exist.
var ErrNoSuchName = errors.New("there is no such name")

// ErrNoNameServer is returned for a name where nobody answers who knows names.
var ErrNoNameServer = errors.New("no name server answers")

// A names looks names up: net.Resolver does.
type names interface {
	LookupIPAddr(context.Context, string) ([]net.IPAddr, error)
	LookupTXT(context.Context, string) ([]string, error)
}

// nameOf is the name in an address, if it begins with one.
func nameOf(a ma.Multiaddr) string {
	if !IsName(a) {
		return ""
	}
	return a[0].Value()
}

// nameError is what a lookup that failed says to people.
func nameError(name string, err error) error {
	var d *net.DNSError
	switch {
	case errors.As(err, &d) && d.IsNotFound:
		return fmt.Errorf("%s: %w", name, ErrNoSuchName)
	case errors.As(err, &d) && d.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", name, ErrNoNameServer)
	}
	return fmt.Errorf("looking up %s: %w", name, err)
}

// absent reports whether a lookup found nothing, and did not fail.
func absent(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}

// resolve finds out where an address with a name leads, and who is there. Those
// without a name lead to themselves. What it returns has a peer id, or is on this
// computer or a private network.
func resolve(ctx context.Context, dns names, a ma.Multiaddr) ([]ma.Multiaddr, error) {
	name := nameOf(a)
	if name == "" {
		return []ma.Multiaddr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	transport, id := peer.SplitAddr(a)
	record := a[0].Protocol().Code == ma.P_DNSADDR
	if id != "" && !record {
		ips, err := dns.LookupIPAddr(ctx, name)
		if err == nil && len(ips) == 0 {
			err = &net.DNSError{Name: name, IsNotFound: true}
		}
		if err != nil {
			return nil, nameError(name, err)
		}
		return []ma.Multiaddr{a}, nil // libp2p looks it up itself
	}
	targets, err := targetsOf(ctx, dns, name)
	if id != "" {
		targets = slices.DeleteFunc(targets, func(t ma.Multiaddr) bool { _, p := peer.SplitAddr(t); return p != id })
	}
	if record {
		if err != nil && !absent(err) {
			return nil, nameError(name, err)
		}
		if len(targets) == 0 {
			return nil, fmt.Errorf("%s: %w", name, ErrNeedsPeer)
		}
		return targets, nil
	}
	if len(targets) > 0 {
		// Whoever the record names may be at the port that was given, too.
		var out []ma.Multiaddr
		for _, t := range targets {
			_, p := peer.SplitAddr(t)
			if with, err := ma.NewComponent("p2p", p.String()); err == nil && p != "" {
				out = append(out, transport.AppendComponent(with))
			}
		}
		return unique(append(out, targets...)), nil
	}
	here, failed := own(ctx, dns, a)
	if errors.Is(failed, ErrNeedsPeer) && err != nil && !absent(err) {
		failed = nameError(name, err) // there may be a record
	}
	return here, failed
}

// own are the addresses of a name that are on this computer or a private network,
// where somebody may be dialled without knowing who it is.
func own(ctx context.Context, dns names, a ma.Multiaddr) ([]ma.Multiaddr, error) {
	name := nameOf(a)
	ips, err := dns.LookupIPAddr(ctx, name)
	if err == nil && len(ips) == 0 {
		err = &net.DNSError{Name: name, IsNotFound: true}
	}
	if err != nil {
		return nil, nameError(name, err)
	}
	var out []ma.Multiaddr
	for _, ip := range ips[:min(len(ips), maxTargets)] {
		four := ip.IP.To4() != nil
		if four && a[0].Protocol().Code == ma.P_DNS6 || !four && a[0].Protocol().Code == ma.P_DNS4 {
			continue
		}
		at, err := manet.FromIP(ip.IP)
		if err == nil && (manet.IsIPLoopback(at) || manet.IsPrivateAddr(at)) {
			out = append(out, append(at, a[1:]...))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrNeedsPeer)
	}
	return out, nil
}

// targetsOf are the addresses in a name's records, and in those that they lead to,
// as far as they may be dialled. The error is the first name's.
func targetsOf(ctx context.Context, dns names, name string) (out []ma.Multiaddr, err error) {
	if name == "localhost" {
		return nil, nil // it has no records: RFC 6761
	}
	asked := []string{name}
	for i := 0; i < len(asked) && len(out) < maxTargets; i++ {
		records, failed := dns.LookupTXT(ctx, recordName+asked[i])
		if failed != nil {
			if i == 0 {
				err = failed
			}
			continue
		}
		for _, r := range records[:min(len(records), maxRecords)] {
			text, ok := strings.CutPrefix(r, recordPrefix)
			a, bad := ma.NewMultiaddr(text)
			if !ok || bad != nil || len(a) == 0 {
				continue
			}
			if a[0].Protocol().Code == ma.P_DNSADDR {
				if next := a[0].Value(); len(asked) < maxNames && !slices.Contains(asked, next) {
					asked = append(asked, next)
				}
				continue
			}
			if transport, id := peer.SplitAddr(a); len(transport) > 0 && id != "" && relayOf(a) == "" && len(out) < maxTargets {
				out = append(out, a)
			}
		}
	}
	return unique(out), err
}
