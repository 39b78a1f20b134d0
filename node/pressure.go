package node

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// pressureLook is how often a relay looks at how much memory it uses.
const pressureLook = time.Second

// watchMemory keeps a relay within its memory. Whoever sends through it to somebody
// who does not read leaves what was sent here: a quarter of a megabyte a stream, of
// which the library lets anybody have many. If memory is short, whoever has most
// streams of the address with most gives way.
func (r *Relay) watchMemory(ctx context.Context) {
	tick := time.NewTicker(pressureLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.relieve()
		case <-ctx.Done():
			return
		}
	}
}

// usedMemory is how many bytes are in use, or were until a moment ago.
func usedMemory() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(s[0].Value.Uint64())
}

// relieve ends one peer's connections, if memory is short also without what nobody
// uses any more.
func (r *Relay) relieve() {
	if r.used() <= r.cfg.Limits.Memory {
		return
	}
	runtime.GC()
	if r.used() <= r.cfg.Limits.Memory {
		return
	}
	p, shown, streams := heaviest(r.host.Network().Conns())
	if p == "" {
		return
	}
	r.refuse(Refusal{
		What: "connection", From: shown, Why: fmt.Sprintf("memory is short, and peer %s has most streams, %d", p, streams),
	})
	r.host.Network().ClosePeer(p)
}

// heaviest is the peer with most streams, of the address with most.
func heaviest(conns []network.Conn) (heavy peer.ID, shown string, streams int) {
	ofSite, ofPeer, shownAs := make(map[string]int), make(map[string]map[peer.ID]int), make(map[string]string)
	most := ""
	for _, c := range conns {
		site, s := siteOf(c.RemoteMultiaddr())
		if ofPeer[site] == nil {
			ofPeer[site], shownAs[site] = make(map[peer.ID]int), s
		}
		n := len(c.GetStreams())
		ofSite[site] += n
		ofPeer[site][c.RemotePeer()] += n
		if ofSite[site] > ofSite[most] {
			most = site
		}
	}
	for p, n := range ofPeer[most] {
		if n > streams {
			heavy, streams = p, n
		}
	}
	return heavy, shownAs[most], streams
}
