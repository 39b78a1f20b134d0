package node

import (
	"context"
	"sync"
	"time"

	dhtpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"
)

// What a relay keeps of the table is bounded, whoever offers: of each key, of each
// peer, and in all; one address has a share, and the last quarter is for those with
// few. The library has no bounds of its own. It calls allow before it looks at a
// request, and takes what that leaves in it.

const (
	maxOffers     = 1 << 14
	keyOffers     = 128 // under one key
	peerOffers    = 64  // of one peer
	maxOfferAddr  = 256 // bytes of an address
	requestRate   = 10
	requestBurst  = 200
	maxRequesters = 4096 // whose rates are remembered
)

// keptOffers are the offers that a relay keeps.
type keptOffers struct {
	refused func(Refusal) // may be nil

	mu    sync.Mutex
	until map[offerID]offerKept
	key   map[string]int
	peer  map[peer.ID]int
	site  map[string]int
	sites map[keySite]int // of one key
	sweep time.Time
	paces *paces[peer.ID]
}

type offerID struct {
	key  string
	peer peer.ID
}

type keySite struct{ key, site string }

type offerKept struct {
	until time.Time
	site  string
}

func newKeptOffers(refused func(Refusal)) *keptOffers {
	return &keptOffers{
		refused: refused, until: make(map[offerID]offerKept), key: make(map[string]int), peer: make(map[peer.ID]int),
		site: make(map[string]int), sites: make(map[keySite]int), paces: newPaces[peer.ID](requestRate, requestBurst,
			maxRequesters),
	}
}

// allow sees a request before the library does.
func (k *keptOffers) allow(_ context.Context, s network.Stream, m *dhtpb.Message) {
	p := s.Conn().RemotePeer()
	if !k.pace(p, time.Now()) {
		s.Reset()
		m.Key = nil // the library refuses that
		return
	}
	if m.GetType() != dhtpb.Message_ADD_PROVIDER {
		return
	}
	site, shown := siteOf(s.Conn().RemoteMultiaddr())
	own := ownOffer(m.ProviderPeers, p)
	m.ProviderPeers = nil
	if own == nil || !isMeeting(m.Key) {
		return
	}
	if why := k.take(string(m.Key), p, site, time.Now()); why != "" {
		if k.refused != nil {
			k.refused(Refusal{What: "offer", From: shown, Why: why})
		}
		return
	}
	m.ProviderPeers = []*dhtpb.Message_Peer{own}
}

// isMeeting reports whether a key has the form of those of members.
func isMeeting(key []byte) bool {
	m, err := multihash.Decode(key)
	return err == nil && m.Code == multihash.SHA2_256 && len(m.Digest) == 32
}

// ownOffer is a peer's offer of itself, with a few addresses; nil: there is none.
func ownOffer(all []*dhtpb.Message_Peer, p peer.ID) *dhtpb.Message_Peer {
	for _, o := range all {
		if string(o.GetId()) != string(p) {
			continue
		}
		var addrs [][]byte
		for _, b := range o.GetAddrs() {
			if len(b) > maxOfferAddr || len(addrs) == maxOffered {
				continue
			}
			if _, err := ma.NewMultiaddrBytes(b); err == nil {
				addrs = append(addrs, b)
			}
		}
		o.Addrs = addrs
		return o
	}
	return nil
}

// take finds a place for an offer, or says why there is none. Made again, it keeps
// the one it has.
func (k *keptOffers) take(key string, p peer.ID, site string, now time.Time) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.After(k.sweep) {
		k.forget(now)
		k.sweep = now.Add(time.Minute)
	}
	id := offerID{key, p}
	if kept, ok := k.until[id]; ok {
		kept.until = now.Add(offerTime)
		k.until[id] = kept
		return ""
	}
	all, ofKey := k.site[site], k.sites[keySite{key, site}]
	if site == "" {
		all, ofKey = 0, 0 // this computer
	}
	if k.peer[p] >= peerOffers {
		return "it has made as many offers as one may"
	}
	if why := roomFor("offers", len(k.until), maxOffers, all, maxOffers/2); why != "" {
		return why
	}
	if why := roomFor("offers under this key", k.key[key], keyOffers, ofKey, keyOffers/2); why != "" {
		return why
	}
	k.until[id] = offerKept{now.Add(offerTime), site}
	k.key[key]++
	k.peer[p]++
	k.site[site]++
	k.sites[keySite{key, site}]++
	return ""
}

// forget forgets what has had its time. k.mu is held.
func (k *keptOffers) forget(now time.Time) {
	for id, kept := range k.until {
		if now.Before(kept.until) {
			continue
		}
		delete(k.until, id)
		less(k.key, id.key)
		less(k.peer, id.peer)
		less(k.site, kept.site)
		less(k.sites, keySite{id.key, kept.site})
	}
}

func less[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}

func (k *keptOffers) pace(p peer.ID, now time.Time) bool {
	return k.paces.allow(p, now)
}
