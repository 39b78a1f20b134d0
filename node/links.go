package node

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// linksLook is how often it is looked which networks this computer is on. The library
// looks every minute.
const linksLook = time.Second

// followLinks lets others be looked for at once when this computer is on other
// networks than before, until ctx ends.
func (n *Node) followLinks(ctx context.Context) {
	if !n.ownsHost || !n.listensBeyond() {
		return
	}
	last, links := linksText(), linkNets()
	tick := time.NewTicker(linksLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := linksText()
		if now == last {
			continue
		}
		was := links
		last, links = now, linkNets()
		for _, c := range n.host.Network().Conns() {
			if stranded(c, was, links) {
				c.Close()
			}
		}
		n.moves.Add(1)
		n.tryAgain()
		n.wakeConnector()
	}
}

// stranded reports whether a connection can do nothing any more: its other end is on
// a network that this computer has left; or it is over TCP, and our end's address is
// gone. Over QUIC it may go on from another address.
func stranded(c network.Conn, was, links []*net.IPNet) bool {
	if isRelayed(c) {
		return false // it ends with the one to the relay
	}
	if far, err := manet.ToIP(c.RemoteMultiaddr()); err == nil && !far.IsLoopback() && contains(was, far) &&
		!contains(links, far) {
		return true
	}
	near, err := manet.ToIP(c.LocalMultiaddr())
	if err != nil || near.IsUnspecified() || transportOf(c.LocalMultiaddr()) == "quic" {
		return false
	}
	for _, l := range links {
		if l.IP.Equal(near) {
			return false
		}
	}
	return true
}

// seenLinks is what was seen last, by any room of this process: all of them ask for it,
// and to look is most of what a room without company does.
var seenLinks struct {
	sync.Mutex
	at   time.Time
	text string
}

// linksText is the networks that this computer is on, as text, as of half a second ago
// at most.
func linksText() string {
	s := &seenLinks
	s.Lock()
	defer s.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= linksLook/2 {
		s.text, s.at = readLinks(), time.Now()
	}
	return s.text
}

// readLinks asks the system which networks this computer is on.
func readLinks() string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		fmt.Fprint(&b, i.Name, i.Flags&net.FlagRunning != 0)
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if l, ok := a.(*net.IPNet); ok && (l.IP.To4() != nil || !l.IP.IsLinkLocalUnicast()) {
				fmt.Fprint(&b, " ", a)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// linkNets are the networks that this machine is on.
func linkNets() []*net.IPNet {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []*net.IPNet
	for _, a := range all {
		if l, ok := a.(*net.IPNet); ok {
			out = append(out, l)
		}
	}
	return out
}

// interfaceAddrs are the addresses on which the node listens now. The library's are up
// to a minute old.
func (n *Node) interfaceAddrs() ([]ma.Multiaddr, error) {
	own, err := manet.InterfaceMultiaddrs()
	if err != nil {
		return nil, err
	}
	var out []ma.Multiaddr
	for _, l := range n.host.Network().ListenAddresses() {
		if at, err := manet.ResolveUnspecifiedAddress(l, own); err == nil {
			out = append(out, at...)
		}
	}
	return out, nil
}
