package node

import (
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// TestQUICFirst: over TCP a peer is dialled well after QUIC, so that there is one connection
// and not two; at once, if there is no other way.
func TestQUICFirst(t *testing.T) {
	tcp, quic := ma.StringCast("/ip4/192.168.1.2/tcp/4001"), ma.StringCast("/ip4/192.168.1.2/udp/4001/quic-v1")
	delays := func(addrs ...ma.Multiaddr) map[string]time.Duration {
		out := make(map[string]time.Duration)
		for _, a := range quicFirst(addrs) {
			out[transportOf(a.Addr)] = a.Delay
		}
		return out
	}
	if d := delays(tcp, quic); len(d) != 2 || d["quic"] != 0 || d["tcp"] < tcpDelay {
		t.Error("both are dialled after", d)
	}
	if d := delays(tcp); len(d) != 1 || d["tcp"] != 0 {
		t.Error("over TCP alone it is dialled after", d)
	}
}
