package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"coterie/cmd/coterie/ui"
)

// wonderAfter is after how long alone it is said what is being tried.
const wonderAfter = 8 * time.Second

// stillAlone: nobody has answered for a while.
type stillAlone struct{ text string }

// wonder says once, while nobody is here, what is being tried.
func (s *session) wonder() {
	waited := s.app.now().Sub(s.began)
	if s.wondered || len(s.members) > 0 || waited < wonderAfter {
		return
	}
	s.wondered = true
	s.out.event(s, stillAlone{fmt.Sprintf("nobody answered yet (%d s)%s", int(waited.Seconds()), tryingText(s.plan.beginAt(), s.last.status.MDNS))})
}

// tryingText is where others are looked for.
func tryingText(addrs []ma.Multiaddr, mdns bool) string {
	const most = 3
	var hosts []string
	for _, m := range addrs {
		if h := ui.Host(m); !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	n := len(hosts)
	if n > most {
		hosts = append(hosts[:most], fmt.Sprintf("and %d more", n-most))
	}
	if mdns {
		hosts = append(hosts, "local network")
	}
	if len(hosts) == 0 {
		return "; no address is known to try: --bootstrap gives one, or others come here"
	}
	return ". Trying: " + strings.Join(hosts, ", ")
}
