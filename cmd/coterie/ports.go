package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/internal/cli"
	"coterie/node"
)

func nodeError(err error) error {
	var l *node.ListenError
	if errors.As(err, &l) && errors.Is(err, node.ErrPortTaken) {
		return cli.Fail("port-taken", "%s is in use by another program%s", portText(l.Addresses[0]), holderText(l.Addresses[0])).
			Hint("leave out --listen to get any free port, or stop the other one").Because(err)
	}
	if errors.As(err, &l) {
		return cli.Fail("listen", "cannot listen on %s: %s", l.Addresses[0], cli.Clean(lastLine(l.Err))).
			Hint("leave out --listen to get any free port").Because(err)
	}
	return err
}

// lastLine is the part of a nested network error that a person can use.
func lastLine(err error) string {
	s := strings.TrimSpace(err.Error())
	if i := strings.LastIndex(s, "\n"); i >= 0 {
		s = s[i+1:]
	}
	if i := strings.LastIndex(s, ": "); i >= 0 {
		s = s[i+2:]
	}
	return strings.TrimRight(strings.TrimSpace(s), "]")
}

// portText is an address as people know it: tcp 4001.
func portText(a ma.Multiaddr) string {
	for _, proto := range []int{ma.P_TCP, ma.P_UDP} {
		if port, err := a.ValueForProtocol(proto); err == nil {
			return fmt.Sprintf("%s %s", ma.ProtocolWithCode(proto).Name, port)
		}
	}
	return a.String()
}

func listeningText(addrs []ma.Multiaddr) string {
	seen := make(map[string]bool)
	var out []string
	for _, a := range addrs {
		if t := portText(a); !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return "on no port: nobody can dial this peer"
	}
	return strings.Join(out, ", ")
}

// holderText is which program has the port of an address, where that can be found
// out: " (coterie, pid 4122)".
func holderText(a ma.Multiaddr) string {
	for _, proto := range []string{"tcp", "udp"} {
		value, err := a.ValueForProtocol(ma.ProtocolWithName(proto).Code)
		if err != nil {
			continue
		}
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return ""
		}
		pid, name := portHolder("/proc", proto, uint16(port))
		if pid == 0 {
			return ""
		}
		return fmt.Sprintf(" (%s, pid %d)", name, pid)
	}
	return ""
}
