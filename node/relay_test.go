package node

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// relay starts a relay on loopback, and keeps what it forwards.
func relay(t *testing.T) (*Relay, func() []byte) {
	t.Helper()
	var mu sync.Mutex
	var tape []byte
	r, err := NewRelay(RelayConfig{
		Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
		Watch: func(_ string, data []byte) {
			mu.Lock()
			defer mu.Unlock()
			tape = append(tape, data...)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r, func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Clone(tape)
	}
}

// behind starts a member that can be reached through a relay only.
func behind(t *testing.T, r *Relay, d *room.Descriptor, name string, key *abe.Key) *member {
	t.Helper()
	n, err := New(Config{Room: d, Key: key, Name: name, Listen: []ma.Multiaddr{}, Bootstrap: r.Addresses()})
	if err != nil {
		t.Fatal(err)
	}
	return follow(t, n, name)
}

// follow runs a node and keeps its events.
func follow(t testing.TB, n *Node, name string) *member {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{Node: n, name: name, cancel: cancel, done: make(chan error, 1), news: make(chan struct{})}
	go func() { m.done <- n.Run(ctx) }()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		for e := range n.Events() {
			m.mu.Lock()
			m.events = append(m.events, e)
			close(m.news)
			m.news = make(chan struct{})
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-followed
	})
	return m
}

// TestThroughRelay: members that can reach nobody but the relay find each other,
// prove themselves, chat and ask for proofs through it; it reads nothing.
func TestThroughRelay(t *testing.T) {
	r, tape := relay(t)
	d := descriptor(t, "ONE")
	ann, bob := behind(t, r, d, "ann", issue(t, "ONE")), behind(t, r, d, "bob", issue(t, "ONE", "TWO"))
	see[room.EpochStarted](t, ann, "an epoch of two", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	see[room.EpochStarted](t, bob, "an epoch of two", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	const text = "through the relay, and not for it"
	if err := ann.Send(nil, record.KindText, text); err != nil {
		t.Fatal(err)
	}
	see[room.Delivered](t, bob, "the message", func(e room.Delivered) bool { return e.Message.Text == text })

	path := ann.Path(bob.Self())
	if path.Kind != Relayed || path.Relay != r.Self() || path.Transport != "tcp" {
		t.Errorf("ann reaches bob by %+v", path)
	}
	if path := ann.Path(r.Self()); path.Kind != Direct || !path.IsRelay {
		t.Errorf("ann reaches the relay by %+v", path)
	}
	pong, err := ann.Ping(context.Background(), bob.Self())
	if err != nil || pong.RTT <= 0 || pong.Kind != Relayed {
		t.Errorf("ping: %+v %v", pong, err)
	}
	if path := ann.Path(bob.Self()); path.RTT <= 0 {
		t.Error("the round trip was not noted")
	}
	if _, err := ann.Ping(context.Background(), fakePeer(t)); !errors.Is(err, ErrNotConnected) {
		t.Errorf("ping of a stranger: %v", err)
	}
	st := ann.Status()
	if len(st.Room.Members) != 2 || !st.Room.MaySend || st.BytesIn == 0 || st.BytesOut == 0 || len(st.Relays) != 1 ||
		st.Goroutine == 0 || len(st.Fellows) != 1 {
		t.Errorf("status %+v", st)
	}
	if s := r.Stats(); s.Rooms != 1 || s.Forwarded == 0 || s.Peers != 2 {
		t.Errorf("the relay says %+v", s)
	}
	if got := tape(); len(got) == 0 || bytes.Contains(got, []byte(text)) {
		t.Errorf("the relay saw %d bytes, the text among them", len(got))
	}

	policy, err := abe.ParsePolicy("TWO")
	if err != nil {
		t.Fatal(err)
	}
	if err := ann.Ask(bob.Self(), policy); err != nil {
		t.Fatal(err)
	}
	asked := see[room.Asked](t, bob, "the question", func(room.Asked) bool { return true })
	if err := bob.Answer(asked.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := see[room.Attested](t, ann, "the answer", func(room.Attested) bool { return true }); !got.OK {
		t.Errorf("ann is told %+v", got)
	}
	if err := bob.Ask(ann.Self(), policy); err != nil {
		t.Fatal(err)
	}
	asked = see[room.Asked](t, ann, "the question", func(room.Asked) bool { return true })
	if err := ann.Answer(asked.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := see[room.Attested](t, bob, "the outcome", func(e room.Attested) bool { return !e.Given }); got.OK {
		t.Error("ann proved what she does not hold")
	}
}

// see waits for an event of a kind.
func see[E Event](t *testing.T, m *member, what string, holds func(E) bool) E {
	t.Helper()
	limit := time.After(patience)
	next := 0
	for {
		m.mu.Lock()
		for ; next < len(m.events); next++ {
			if e, ok := m.events[next].(E); ok && holds(e) {
				m.mu.Unlock()
				return e
			}
		}
		news := m.news
		m.mu.Unlock()
		select {
		case <-news:
		case <-limit:
			t.Fatalf("%s did not see %s", m.name, what)
		}
	}
}

func fakePeer(t *testing.T) peer.ID {
	p, err := peer.IDFromBytes(append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, bytes.Repeat([]byte{7}, 32)...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRelayTellsSubscribersAlone: who is on a topic is told to those on it, and to
// nobody else.
func TestRelayTellsSubscribersAlone(t *testing.T) {
	r, _ := relay(t)
	d := descriptor(t, "ONE")
	ann := behind(t, r, d, "ann", issue(t, "ONE"))
	bob := behind(t, r, d, "bob", issue(t, "ONE"))
	see[room.EpochStarted](t, ann, "an epoch of two", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	other, err := room.NewDescriptor(authority(t).Domain(), "elsewhere", d.Policy, 0)
	if err != nil {
		t.Fatal(err)
	}
	eve := behind(t, r, other, "eve", issue(t, "ONE"))
	see[Bootstrapped](t, eve, "the relay", func(Bootstrapped) bool { return true })
	ask := func(m *member, topic string) []peer.ID {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s, err := m.host.NewStream(network.WithNoDial(ctx, "test"), r.Self(), ProtocolPeers)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.Write(hashOfTopic(t, topic))
		s.CloseWrite()
		peers, err := readPeers(s)
		if err != nil {
			t.Fatal(err)
		}
		return peers
	}
	if got := ask(ann, d.Topic()); len(got) != 1 || got[0] != bob.Self() {
		t.Errorf("ann is told %v", got)
	}
	if got := ask(eve, d.Topic()); len(got) != 0 {
		t.Errorf("eve is told %v", got)
	}
}

func hashOfTopic(t *testing.T, topic string) []byte {
	raw, err := topicHash(topic)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestRelayBounds: a forwarder's rate, the form of what is forwarded, and which
// topics are carried.
func TestRelayBounds(t *testing.T) {
	now := time.Now()
	r := newForwarders()
	took := 0
	for range 3 * forwardBurst {
		if r.allow("flooder", now) {
			took++
		}
	}
	if took != forwardBurst {
		t.Errorf("%d of a flood at one moment", took)
	}
	if !r.allow("other", now) {
		t.Error("another one has to wait for the flooder")
	}
	if !r.allow("flooder", now.Add(time.Second)) {
		t.Error("the flooder waits for ever")
	}
	for i := range maxForwarders + 10 {
		r.allow(peer.ID([]byte{byte(i), byte(i >> 8), 1}), now)
	}
	if len(r.of) > maxForwarders {
		t.Errorf("%d forwarders are remembered", len(r.of))
	}
	if room.WellFormed(nil) || room.WellFormed([]byte{record.TypeMessage, 1, 2}) || room.WellFormed([]byte{99}) {
		t.Error("nonsense has the form of a publication")
	}
	f := roomFilter{newSubscriptions(), func(peer.ID) bool { return false }}
	yes, topic := true, "coterie/2/"+string(bytes.Repeat([]byte("a1"), ake.HashSize))
	var subs []*pb.RPC_SubOpts
	for _, s := range []string{topic, "coterie/2/", "coterie/3/" + topic[10:], topic + "00", "coterie/2/" +
		string(bytes.Repeat([]byte("A1"), ake.HashSize)), "other"} {
		subs = append(subs, &pb.RPC_SubOpts{Subscribe: &yes, Topicid: &s})
	}
	got, err := f.FilterIncomingSubscriptions("x", subs)
	if err != nil || len(got) != 1 || got[0].GetTopicid() != topic || len(f.subscriptions.take()) != 1 {
		t.Errorf("%d of %d subscriptions, %v", len(got), len(subs), err)
	}
	for range 2 * maxRelayRooms {
		subs = append(subs, subs[0])
	}
	if _, err := f.FilterIncomingSubscriptions("x", subs); err == nil {
		t.Error("any number of subscriptions is taken")
	}
}

// FuzzReadPeers: no answer of a relay's makes a peer panic, or names more than it
// may.
func FuzzReadPeers(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 2})
	f.Add(bytes.Repeat([]byte{0}, 5000))
	f.Fuzz(func(t *testing.T, b []byte) {
		if peers, err := readPeers(bytes.NewReader(b)); err == nil && len(peers) > maxIntroduced {
			t.Fatalf("%d peers", len(peers))
		}
	})
}

// TestRekeyAndRename: a member starts an epoch of the same members, and calls
// itself something else; the others see both.
func TestRekeyAndRename(t *testing.T) {
	d := descriptor(t, "ONE")
	ann := join(t, d, "ann", issue(t, "ONE"))
	if err := ann.Rekey(); !errors.Is(err, room.ErrAlone) {
		t.Errorf("alone: %v", err)
	}
	if err := ann.Send("mine", record.KindText, "x"); err != nil {
		t.Fatal(err)
	}
	if got := ann.Drop(nil); len(got) != 1 || got[0].Text != "x" || got[0].Ref != "mine" {
		t.Errorf("dropped %+v", got)
	}
	bob := join(t, d, "bob", issue(t, "ONE"), ann.Addresses()[0])
	first := see[room.EpochStarted](t, bob, "an epoch", func(e room.EpochStarted) bool { return len(e.Members) == 2 })
	if err := ann.SetName("anna"); err != nil {
		t.Fatal(err)
	}
	see[room.Renamed](t, bob, "the new name", func(e room.Renamed) bool { return e.Member.Name == "anna" })
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = bob.Rekey(); !errors.Is(err, room.ErrTooSoon) {
			break
		}
		select {
		case <-time.After(200 * time.Millisecond): // an epoch has to be a few seconds old
		case <-bob.done:
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	see[room.EpochStarted](t, ann, "the next epoch", func(e room.EpochStarted) bool {
		return e.Previous == first.ID && e.Reason == room.ReasonRekey && len(e.Members) == 2
	})
}
