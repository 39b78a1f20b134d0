package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	golog "github.com/ipfs/go-log/v2"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multihash"

	"coterie/crypto/ake"
)

// Members of a room who began at different relays find each other through a
// distributed hash table of the relays: PROTOCOL.md §10.3. Each offers itself under a
// key of the room's topic and the hour, and looks for others there.

const (
	dhtPrefix   = "/coterie"
	dhtProtocol = protocol.ID(dhtPrefix + "/kad/1.0.0")

	offerTime   = time.Hour        // for which an offer stands
	offerAgain  = 20 * time.Minute // it is made
	offerSoon   = 10 * time.Second // .. if it failed, or our addresses have changed
	offerSkew   = 5 * time.Minute  // that clocks may be off
	maxOffered  = 4                // addresses in an offer
	seekTime    = 10 * time.Second
	seekAgain   = time.Minute // the same one is dialled
	seekLook    = time.Second
	dhtRefresh  = 30 * time.Minute
	dhtCleanup  = 10 * time.Minute
	othersRetry = 30 * time.Second // at other relays
)

// meetingKey is what members of a room offer themselves under in an hour.
func meetingKey(topic []byte, at time.Time) cid.Cid {
	hour := binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/int64(time.Hour/time.Second)))
	sum := ake.Sum("coterie/2 meet", topic, hour)
	hash, err := multihash.Encode(sum[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // of a constant length
	}
	return cid.NewCidV1(cid.Raw, hash)
}

// quietDHT keeps the library from writing to the screen. It has a logger of its own.
var quietDHT = sync.OnceFunc(func() { golog.SetupLogging(golog.Config{Level: golog.LevelFatal}) })

// newDHT makes a host's part of the table. A member looks and offers, a relay keeps
// what is offered, as far as the hook lets it.
func newDHT(h host.Host, mode dht.ModeOpt, more ...dht.Option) (*dht.IpfsDHT, error) {
	quietDHT()
	d, err := dht.New(h, append([]dht.Option{
		dht.ProtocolPrefix(dhtPrefix), dht.Mode(mode), dht.DisableValues(), dht.AddressFilter(offered),
		dht.RoutingTableRefreshPeriod(dhtRefresh),
		dht.ProviderManagerOpts(records.ProvideValidity(offerTime), records.ProviderAddrTTL(offerTime),
			records.CleanupInterval(dhtCleanup)),
	}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("starting the table of relays: %w", err)
	}
	return d, nil
}

// offered are the addresses in an offer: those at which strangers can be reached. Those
// of a private network are nobody's business, unless there are no others.
func offered(all []ma.Multiaddr) []ma.Multiaddr {
	var via, public, near []ma.Multiaddr
	for _, a := range all {
		switch {
		case relayOf(a) != "":
			via = append(via, a)
		case manet.IsPublicAddr(a):
			public = append(public, a)
		default:
			near = append(near, a)
		}
	}
	if len(via)+len(public) > 0 {
		near = nil
	}
	via = via[:min(len(via), maxOffered/2)]
	out := slices.Concat(via, public, near)
	return out[:min(len(out), maxOffered)]
}

// keepsTable reports whether a peer is one of those that keep the table.
func keepsTable(h host.Host, p peer.ID) bool {
	known, err := h.Peerstore().SupportsProtocols(p, dhtProtocol)
	return err == nil && len(known) > 0
}

// meetAfar offers this node to the room's others, and looks for them, until ctx ends.
// It begins when somebody is connected who keeps the table.
func (n *Node) meetAfar(ctx context.Context) {
	topic, err := topicHash(n.cfg.Room.Topic())
	if err != nil {
		return
	}
	n.afar.begin(ctx, n, seekAgain, false)
	defer n.afar.trials.Wait()
	defer n.afar.set(false)
	tick := time.NewTicker(seekLook)
	defer tick.Stop()
	for !slices.ContainsFunc(n.host.Network().Peers(), func(p peer.ID) bool { return keepsTable(n.host, p) }) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	table, err := newDHT(n.host, dht.ModeClient)
	if err != nil {
		return
	}
	defer table.Close()
	var offers offers
	var q questions
	for {
		if table.RoutingTable().Size() > 0 {
			n.offer(ctx, table, topic, &offers)
			if q.due(time.Now(), n.company()) {
				n.findOthers(ctx, table, meetingKey(topic, n.now()))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// offers are those that a node has made.
type offers struct {
	at   string // its addresses
	next map[string]time.Time
}

// offer makes those that are due.
func (n *Node) offer(ctx context.Context, table *dht.IpfsDHT, topic []byte, o *offers) {
	addrs := table.FilteredAddrs()
	if len(addrs) == 0 {
		return
	}
	if at := fmt.Sprint(addrs); at != o.at {
		o.at, o.next = at, make(map[string]time.Time)
	}
	now := n.now()
	for _, hour := range []time.Time{now.Add(-offerSkew), now.Add(offerSkew)} {
		key := meetingKey(topic, hour)
		if time.Now().Before(o.next[key.String()]) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, seekTime)
		err := table.Provide(ctx, key, true)
		cancel()
		again := offerAgain
		if err != nil {
			again = offerSoon
		}
		o.next[key.String()] = time.Now().Add(again)
	}
}

// findOthers looks once for others, and dials those that are found.
func (n *Node) findOthers(ctx context.Context, table *dht.IpfsDHT, key cid.Cid) {
	ctx, cancel := context.WithTimeout(ctx, seekTime)
	defer cancel()
	for info := range table.FindProvidersAsync(ctx, key, maxIntroduced) {
		if info.ID != n.host.ID() {
			info.Addrs = info.Addrs[:min(len(info.Addrs), maxOffered)]
			go n.afar.HandlePeerFound(info)
		}
	}
}

// company is how many members are connected.
func (n *Node) company() int {
	connected := 0
	for _, m := range n.fellows.now(n) {
		if n.host.Network().Connectedness(m.ID) == network.Connected {
			connected++
		}
	}
	return connected
}
