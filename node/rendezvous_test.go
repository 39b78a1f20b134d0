package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	dhtpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/ake"
)

// TestTwoRelays: members in homes that let nobody in, who know one relay each, and not
// the same, find each other, since their relays know each other.
func TestTwoRelays(t *testing.T) {
	t.Parallel()
	w := newInternet(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	_, one := w.relay(ctx, w.host("one", 1), "45.10.1.2")
	_, two := w.relay(ctx, w.host("two", 2), "45.10.2.2", one[0])
	_, three := w.relay(ctx, w.host("three", 3), "45.10.3.2", two[0])
	_, ann := w.home("anns", 11, "ann")
	_, bob := w.home("bobs", 12, "bob")
	a := w.play(ctx, ann[0], part{Name: "ann", Bootstrap: one})
	b := w.play(ctx, bob[0], part{Name: "bob", Bootstrap: three})
	t.Log("bob is in after", b.together(2))
	a.tell("say across")
	b.await(t, "heard across")
}

// TestMeetingKey: another topic and another hour have another key; within an hour it
// is one.
func TestMeetingKey(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one := meetingKey(make([]byte, ake.HashSize), at)
	other := make([]byte, ake.HashSize)
	other[0] = 1
	if !isMeeting(one.Hash()) {
		t.Error("no relay would keep it")
	}
	if one != meetingKey(make([]byte, ake.HashSize), at.Add(time.Hour-time.Nanosecond)) {
		t.Error("it changes within an hour")
	}
	if one == meetingKey(make([]byte, ake.HashSize), at.Add(time.Hour)) || one == meetingKey(other, at) {
		t.Error("another hour or topic has the same")
	}
}

// TestOffersAreBounded: of one key, one peer and one address a relay keeps a share, and
// for an hour; another address has places then, too.
func TestOffersAreBounded(t *testing.T) {
	k := newKeptOffers(nil)
	now := time.Now()
	kept := 0
	for i := range 1000 {
		if k.take("key", peer.ID(fmt.Sprint("sybil", i)), "1.2.3.4", now) == "" {
			kept++
		}
	}
	if kept != keyOffers/2 {
		t.Errorf("of one address %d of %d under a key are kept", kept, keyOffers)
	}
	if why := k.take("key", "ann", "5.6.7.8", now); why != "" {
		t.Errorf("another's is not: %s", why)
	}
	if why := k.take("key", "sybil1", "1.2.3.4", now.Add(time.Minute)); why != "" {
		t.Errorf("one that is made again: %s", why)
	}
	for i := range 1000 {
		k.take(fmt.Sprint(i), "greedy", "9.9.9.9", now)
	}
	if n := k.peer["greedy"]; n != peerOffers {
		t.Errorf("of one peer %d are kept", n)
	}
	for i := range 2 * maxOffers {
		k.take(fmt.Sprint(i), peer.ID(fmt.Sprint("p", i)), "4.4.4.4", now)
	}
	if n := k.site["4.4.4.4"]; n > maxOffers/2 {
		t.Errorf("of one address %d are kept", n)
	}
	if why := k.take("other", "bob", "5.6.7.8", now); why != "" {
		t.Errorf("then another's is not: %s", why)
	}
	k.take("late", "late", "5.6.7.8", now.Add(offerTime+2*time.Minute))
	if len(k.until) != 1 || len(k.key) != 1 || len(k.peer) != 1 || len(k.site) != 1 || len(k.sites) != 1 {
		t.Errorf("after an hour %d are kept", len(k.until))
	}
}

// TestOwnOffer: a peer offers itself alone, with a few addresses that are some.
func TestOwnOffer(t *testing.T) {
	good := ma.StringCast("/ip4/45.10.1.2/tcp/1").Bytes()
	addrs := [][]byte{{1, 2, 3}, make([]byte, 1000), good, good, good, good, good, good}
	got := ownOffer([]*dhtpb.Message_Peer{{Id: []byte("another"), Addrs: addrs}, {Id: []byte("me"), Addrs: addrs}}, "me")
	if got == nil || string(got.Id) != "me" || len(got.Addrs) != maxOffered {
		t.Errorf("kept is %v", got)
	}
	if ownOffer([]*dhtpb.Message_Peer{{Id: []byte("another"), Addrs: addrs}}, "me") != nil {
		t.Error("another's is kept")
	}
	if isMeeting([]byte("any key at all")) || isMeeting(nil) {
		t.Error("any key is taken")
	}
}

// TestOffered: in an offer are addresses that strangers can use, if there are any.
func TestOffered(t *testing.T) {
	near, public := ma.StringCast("/ip4/192.168.1.2/tcp/1"), ma.StringCast("/ip4/45.10.1.2/tcp/1")
	if got := offered([]ma.Multiaddr{near, public}); len(got) != 1 || !got[0].Equal(public) {
		t.Errorf("offered are %v", got)
	}
	if got := offered([]ma.Multiaddr{near}); len(got) != 1 {
		t.Errorf("offered are %v", got)
	}
}

// TestRelaysCarryNothingForEachOther: a relay does not carry a room since another that
// it knows does; it would never end.
func TestRelaysCarryNothingForEachOther(t *testing.T) {
	one, _ := relay(t)
	two, err := NewRelay(RelayConfig{Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
		Others: one.Addresses()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- two.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	d, e := descriptor(t, "ONE"), descriptor(t, "TWO")
	behind(t, one, d, "ann", issue(t, "ONE"))
	rooms := func(r *Relay) (names []string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for name := range r.rooms {
			names = append(names, name)
		}
		return names
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not in %v: %s", patience, what)
			}
		}
	}
	until("the relays know each other", func() bool {
		return keepsTable(two.host, one.Self()) &&
			keepsTable(one.host, two.Self())
	})
	until("one carries ann's room", func() bool { return len(rooms(one)) == 1 })
	// What one says of ann's room is at two before what it hears of bob's.
	behind(t, two, e, "bob", issue(t, "TWO"))
	until("two carries bob's room", func() bool { return len(rooms(two)) > 0 })
	if got := rooms(two); len(got) != 1 || got[0] != e.Topic() {
		t.Errorf("two carries %v, and bob is in %s", got, e.Topic())
	}
	if got := rooms(one); len(got) != 1 || got[0] != d.Topic() {
		t.Errorf("one carries %v, and ann is in %s", got, d.Topic())
	}
}
