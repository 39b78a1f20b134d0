package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/room"
)

// An onlooker is a peer on topics, without a key or a room.
type onlooker struct {
	host   host.Host
	pubsub *pubsub.PubSub
}

// onlook starts an onlooker that is connected to one peer.
func onlook(t *testing.T, to peer.ID, addrs []ma.Multiaddr, opts ...pubsub.Option) *onlooker {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h, err := newHost(drawIdentity(t), []ma.Multiaddr{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); h.Close() })
	opts = append([]pubsub.Option{pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithMessageIdFn(contentID),
		pubsub.WithPeerOutboundQueueSize(queueSize), // a full one is tried again after the test
	}, opts...)
	ps, err := pubsub.NewGossipSub(ctx, h, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(ctx, peer.AddrInfo{ID: to, Addrs: addrs}); err != nil {
		t.Fatal(err)
	}
	return &onlooker{h, ps}
}

func (o *onlooker) join(t *testing.T, name string) *pubsub.Topic {
	t.Helper()
	topic, err := o.pubsub.Join(name)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

// eventually waits until holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

func on(topic *pubsub.Topic, p peer.ID) bool {
	return slices.Contains(topic.ListPeers(), p)
}

// publications gives what an onlooker receives.
func (o *onlooker) publications(t *testing.T, topic *pubsub.Topic) func() *pubsub.Message {
	t.Helper()
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	return func() *pubsub.Message {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		m, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// TestEnvelopesNameNobody: whoever is on the topic without a key sees publications,
// and not who made them: no author, none of an author's numbers, no signature.
func TestEnvelopesNameNobody(t *testing.T) {
	d := descriptor(t, `ONE`)
	ann := join(t, d, "ann", issue(t, "ONE"))
	bob := join(t, d, "bob", issue(t, "ONE"), ann.Addresses()[0])
	together(t, ann, bob)
	eve := onlook(t, ann.Self(), ann.host.Addrs())
	topic := eve.join(t, d.Topic())
	next := eve.publications(t, topic)
	eventually(t, "eve on the topic", func() bool { return on(ann.topic.topic, eve.host.ID()) })
	refused := false
	for i := range 10 {
		ann.say(t, fmt.Sprint("number ", i))
		m := next()
		if m.From != nil || m.Seqno != nil || m.Signature != nil || m.Key != nil {
			t.Fatalf("the envelope says from %x, seqno %x, signature %x, key %x", m.From, m.Seqno, m.Signature, m.Key)
		}
		// What has the form of a publication, and is forged, is no fault of whoever
		// forwards it: a relay cannot tell.
		forged := append([]byte(nil), m.Data...)
		forged[len(forged)-1] ^= 1
		if !room.WellFormed(forged) {
			continue
		}
		var verdict room.Verdict
		bob.do(func() { verdict = bob.room.Publication(bob.now(), ann.Self(), forged) })
		refused = refused || verdict == room.Reject
		if got := bob.judge(context.Background(), ann.Self(), message(forged)); got == pubsub.ValidationReject {
			t.Error("the forwarder is blamed for what it cannot see")
		}
	}
	t.Logf("the room rejects forged publications: %v", refused)
	bob.leave(t)
	ann.leave(t)
}

func message(data []byte) *pubsub.Message { return &pubsub.Message{Message: &pb.Message{Data: data}} }

// scores are those that a node or relay has given, as last seen.
type scores struct {
	mu   sync.Mutex
	last map[peer.ID]float64
}

func (s *scores) option() pubsub.Option {
	return pubsub.WithPeerScoreInspect(func(all map[peer.ID]float64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last = all
	}, 20*time.Millisecond)
}

func (s *scores) of(p peer.ID) (score float64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	score, known = s.last[p]
	return score, known
}

// TestGarbageIsScoredDown: a peer that brings what has not the form of a
// publication is listened to no longer, by members and by relays; those that bring
// publications are none the worse.
func TestGarbageIsScoredDown(t *testing.T) {
	d := descriptor(t, `ONE`)
	var atRelay, atAnn scores
	r, err := NewRelay(RelayConfig{Listen: loopback()})
	if err != nil {
		t.Fatal(err)
	}
	r.gossip = []pubsub.Option{atRelay.option()}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	n, err := New(Config{Room: d, Key: issue(t, "ONE"), Name: "ann", Listen: loopback(), Bootstrap: r.Addresses()})
	if err != nil {
		t.Fatal(err)
	}
	n.gossip = []pubsub.Option{atAnn.option()}
	ann := follow(t, n, "ann")
	bob := join(t, d, "bob", issue(t, "ONE"), r.Addresses()...)
	together(t, ann, bob)

	for _, victim := range []struct {
		name   string
		self   peer.ID
		addrs  []ma.Multiaddr
		scores *scores
		honest []peer.ID
	}{
		{"a relay", r.Self(), r.host.Addrs(), &atRelay, []peer.ID{ann.Self(), bob.Self()}},
		{"a member", ann.Self(), ann.host.Addrs(), &atAnn, []peer.ID{r.Self()}},
	} {
		mallory := onlook(t, victim.self, victim.addrs, pubsub.WithNoAuthor(), pubsub.WithFloodPublish(true))
		topic := mallory.join(t, d.Topic())
		eventually(t, victim.name+" on the topic", func() bool { return on(topic, victim.self) })
		for i := range 40 {
			if err := topic.Publish(ctx, fmt.Append(nil, "garbage for ", victim.name, i)); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, victim.name+" ignores mallory", func() bool {
			score, _ := victim.scores.of(mallory.host.ID())
			return score < graylistScore
		})
		bob.say(t, "said beside "+victim.name)
		everybodyHears(t, "said beside "+victim.name, ann)
		for _, p := range victim.honest {
			if score, known := victim.scores.of(p); score != 0 || !known {
				t.Errorf("%s gives an honest peer %v (known: %v)", victim.name, score, known)
			}
		}
	}
	bob.leave(t)
	ann.leave(t)
}

// TestForwardersHaveARate: what one member brings beyond its rate another does not even
// look at, nor what all who are no members bring beyond theirs, and it is not known then:
// members bring it.
func TestForwardersHaveARate(t *testing.T) {
	d := descriptor(t, `ONE`)
	ann := join(t, d, "ann", issue(t, "ONE"))
	bob := join(t, d, "bob", issue(t, "ONE"), ann.Addresses()[0])
	together(t, ann, bob)
	f := ann.forwarders
	has := func(p peer.ID) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.of[p] != nil
	}
	eventually(t, "ann knows bob as a member", func() bool {
		f.knows.Lock()
		defer f.knows.Unlock()
		return f.members[bob.Self()]
	})
	// brings is how many of so many publications somebody brings.
	brings := func(p peer.ID, n int) int {
		rpc := &pubsub.RPC{RPC: pb.RPC{Publish: make([]*pb.Message, n)}}
		if err := f.inspect(p, rpc); err != nil {
			t.Fatal(err)
		}
		return len(rpc.Publish)
	}
	eve := onlook(t, ann.Self(), ann.host.Addrs())
	topic := eve.join(t, d.Topic())
	eventually(t, "eve on the topic", func() bool { return on(topic, ann.Self()) })
	before := time.Now()
	if err := topic.Publish(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what eve brings is counted", func() bool { return has(strangers) || has(eve.host.ID()) })
	if !has(strangers) {
		t.Fatal("eve has a rate of her own")
	}
	looked := 0
	for range 40 {
		looked += brings(drawPeer(t), forwardBurst)
	}
	if most := forwardBurst + forwardRate*(int(time.Since(before).Seconds())+1); looked < forwardBurst-1 || looked > most {
		t.Errorf("of forty strangers %d are looked at, of %d", looked, most)
	}
	if bobs := brings(bob.Self(), 1000); bobs != 1000 {
		t.Errorf("of bob's, %d of 1000 are looked at", bobs)
	}
	before = time.Now()
	if bobs, most := brings(bob.Self(), 3*forwardBurst),
		forwardBurst+forwardRate*(int(time.Since(before).Seconds())+1); bobs > most {
		t.Errorf("of bob's, %d are looked at, of %d", bobs, most)
	}
	bob.leave(t)
	ann.leave(t)
}

func drawPeer(t *testing.T) peer.ID {
	t.Helper()
	h, err := newHost(drawIdentity(t), []ma.Multiaddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	return h.ID()
}

// relayFor starts a relay that carries few topics.
func relayFor(t *testing.T, rooms int) *Relay {
	t.Helper()
	r, err := NewRelay(RelayConfig{Listen: loopback()})
	if err != nil {
		t.Fatal(err)
	}
	r.most = rooms
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *Relay) carries(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rooms[topic] != nil
}

func drawTopic(t *testing.T) string {
	return fmt.Sprintf("%s%x", topicPrefix, drawIdentity(t)[:32])
}

// subscribe subscribes to topics, and waits until the relay has seen it.
func (o *onlooker) subscribe(t *testing.T, r *Relay, topics ...string) {
	t.Helper()
	for _, name := range topics {
		if _, err := o.join(t, name).Relay(); err != nil {
			t.Fatal(err)
		}
	}
	last := topics[len(topics)-1]
	eventually(t, "the subscription", func() bool {
		r.mu.Lock()
		ps := r.pubsub
		r.mu.Unlock()
		return ps != nil && slices.Contains(ps.ListPeers(last), o.host.ID())
	})
}

// TestRelayFilled: one peer that subscribes to as many topics as a relay carries
// has a share of them, and others find room.
func TestRelayFilled(t *testing.T) {
	r := relayFor(t, maxRelayRooms)
	mallory := onlook(t, r.Self(), r.host.Addrs())
	var many []string
	for range maxRelayRooms + 44 {
		many = append(many, drawTopic(t))
	}
	mallory.subscribe(t, r, many...)
	honest := drawTopic(t)
	for range 2 {
		onlook(t, r.Self(), r.host.Addrs()).subscribe(t, r, honest)
	}
	eventually(t, "the honest room carried", func() bool { return r.carries(honest) })
	if n := r.Stats().Rooms; n > roomShare+1 {
		t.Errorf("%d rooms", n)
	}
}

// TestRelayFull: where every place is taken, a room of the peer with most gives way
// to those of peers with few, until all have alike.
func TestRelayFull(t *testing.T) {
	r := relayFor(t, 2*roomShare)
	rooms := func(p *onlooker) (n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, room := range r.rooms {
			if room.by == p.host.ID() {
				n++
			}
		}
		return n
	}
	var greedy []*onlooker
	for range 2 {
		p := onlook(t, r.Self(), r.host.Addrs())
		greedy = append(greedy, p)
		for range roomShare {
			name := drawTopic(t)
			p.subscribe(t, r, name)
			eventually(t, "a room carried", func() bool { return r.carries(name) })
		}
	}
	late := onlook(t, r.Self(), r.host.Addrs())
	for range 5 {
		name := drawTopic(t)
		late.subscribe(t, r, name)
		eventually(t, "a room of the late one carried", func() bool { return r.carries(name) })
	}
	if a, b, c := rooms(greedy[0]), rooms(greedy[1]), rooms(late); a+b+c != 2*roomShare || a < 5 || b < 5 || c != 5 {
		t.Errorf("%d, %d and %d rooms", a, b, c)
	}
	// One more would only take turns.
	if r.place(drawTopic(t), late.host.ID()) {
		t.Error("equals take each other's rooms")
	}
	honest := onlook(t, r.Self(), r.host.Addrs())
	name := drawTopic(t)
	honest.subscribe(t, r, name)
	eventually(t, "a room of somebody new carried", func() bool { return r.carries(name) })
}

// TestRelayRoomsOfOneAddress: one address has half of a relay's rooms, whichever and however
// many peers it makes of itself, and leaves the last quarter to addresses with few.
func TestRelayRoomsOfOneAddress(t *testing.T) {
	const most = 64
	r := relayFor(t, most)
	r.site = func(p peer.ID) string { return strings.Split(string(p), "/")[0] }
	ask := func(site string, times int) (got int) {
		for i := range times {
			p, name := peer.ID(fmt.Sprint(site, "/", i)), drawTopic(t)
			if r.place(name, p) {
				r.mu.Lock()
				r.rooms[name] = &relayedTopic{by: p}
				r.mu.Unlock()
				got++
			}
		}
		return got
	}
	for _, c := range []struct {
		site  string
		times int
		want  int
	}{
		{"mallory", 2 * most, most / 2},
		{"campus", most, most / 4}, // then but a quarter is left
		{"home", fewPlaces + 1, most / 4},
		{"late", 1, 0},
	} {
		if got := ask(c.site, c.times); got != c.want {
			t.Errorf("%s got %d rooms, want %d", c.site, got, c.want)
		}
	}
	r.mu.Lock()
	clear(r.rooms) // they have no topics
	r.mu.Unlock()
}

// TestTopicHasItsTurn: however many streams have something for the room, what comes by the topic does
// not wait for all of them: of two turns it has about one.
func TestTopicHasItsTurn(t *testing.T) {
	ann := join(t, descriptor(t, `ONE`), "ann", issue(t, "ONE"))
	const busy, publications = 200, 20
	over := make(chan struct{})
	var turns atomic.Int64 // that streams have had
	work := func() {
		turns.Add(1)
		time.Sleep(time.Millisecond) // what a frame takes: else goroutines come too late for their turns
	}
	var wg, begun sync.WaitGroup
	for range busy {
		begun.Add(1)
		wg.Go(func() {
			ann.do(work)
			begun.Done()
			for {
				select {
				case <-over:
					return
				default:
					ann.do(work)
				}
			}
		})
	}
	begun.Wait()
	eve := drawPeer(t)
	before := turns.Load()
	for range publications {
		ann.judge(t.Context(), eve, &pubsub.Message{Message: &pb.Message{Data: []byte{0}}})
	}
	had := turns.Load() - before
	close(over)
	wg.Wait()
	if had > publications*busy/2 {
		t.Errorf("%d publications waited for %d turns of %d streams", publications, had, busy)
	}
	ann.leave(t)
}
