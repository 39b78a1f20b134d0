package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"coterie/room"
)

// loopback is any free port on this machine.
func loopback() []ma.Multiaddr { return []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")} }

// until waits until holds is true of the member's status.
func (m *member) until(t testing.TB, what string, holds func(Status) bool) Status {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		st := m.Status()
		if holds(st) {
			return st
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in %v: %s\n%+v", m.name, patience, what, st)
		}
		m.await(20 * time.Millisecond)
	}
}

// bare starts a host that is no member.
func bare(t testing.TB) host.Host {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(key, loopback())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// connect connects a member to a host, and waits until it knows what that speaks.
func (m *member) connect(t testing.TB, h host.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m.gate.name(h.ID(), true)
	if err := m.host.Connect(ctx, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

// TestAbout: who is in another room of the same name is counted there and not as
// a peer of ours; who is in ours, in an unlisted one, or a relay, has a clock only.
func TestAbout(t *testing.T) {
	key := issue(t, "ONE", "TWO")
	ours, other, unlisted := descriptor(t, "ONE"), descriptor(t, "TWO"), descriptor(t, "TWO")
	unlisted.Tag = bytes.Repeat([]byte{7}, 16)
	a := join(t, ours, "ann", key)
	join(t, ours, "bob", key, a.Addresses()[0])
	join(t, other, "cat", key, a.Addresses()[0])
	join(t, other, "dan", key, a.Addresses()[0])
	hidden := join(t, unlisted, "eve", key, a.Addresses()[0])
	r, _ := relay(t)
	a.connect(t, r.host)
	st := a.until(t, "the clocks of five, and the room of two", func(st Status) bool {
		return st.Clocks == 5 && len(st.Elsewhere) == 1 && st.Elsewhere[0].Peers == 2 && len(st.Room.Members) == 2
	})
	if got := st.Elsewhere[0].Room.ID(); got != other.ID() {
		t.Errorf("another room %x", got)
	}
	if st.Room.Heard != 1 {
		t.Errorf("%d peers heard in the room, not 1", st.Room.Heard)
	}
	if st.Newer != 0 || st.Speaking != 5 {
		t.Errorf("%d speak the protocol, %d of them a later one", st.Speaking, st.Newer)
	}
	if st.Ahead.Abs() > time.Second {
		t.Errorf("our clock is ahead of itself by %v", st.Ahead)
	}
	// For the sake of an unlisted room no name is asked for.
	st = hidden.until(t, "a clock", func(st Status) bool { return st.Clocks == 1 })
	if len(st.Elsewhere) != 0 {
		t.Errorf("who is in an unlisted room asked for its name: %+v", st.Elsewhere)
	}
}

// TestAboutNeedsName: who does not know the name is told no room, and after some
// answers nothing at all.
func TestAboutNeedsName(t *testing.T) {
	a := join(t, descriptor(t, "ONE"), "ann", issue(t, "ONE"))
	h := bare(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Connect(ctx, peer.AddrInfo{ID: a.Self(), Addrs: a.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	ask := func(name string) ([]byte, error) {
		s, err := h.NewStream(ctx, a.Self(), ProtocolAbout)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		q := aboutName(name)
		s.Write(q[:])
		return io.ReadAll(s)
	}
	for name, rooms := range map[string]int{"den": 1, "": 0, "dem": 0} {
		b, err := ask(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseAbout(b, name); err != nil || len(got.rooms) != rooms {
			t.Errorf("%q: %d rooms, %v", name, len(got.rooms), err)
		}
	}
	answers := 0
	for range 4 * tellBurst {
		if b, err := ask("den"); err == nil && len(b) > 0 {
			answers++
		}
	}
	if answers > tellBurst {
		t.Errorf("%d answers at once", answers)
	}
}

// TestAboutHostile: whatever is answered that the protocol does not have, the
// whole of it is dropped, within bounded time and memory.
func TestAboutHostile(t *testing.T) {
	ours, other := descriptor(t, "ONE"), descriptor(t, "TWO")
	a := join(t, ours, "ann", issue(t, "ONE"))
	named, tagged := descriptor(t, "TWO"), descriptor(t, "TWO")
	named.Name = "dem"
	tagged.Tag = bytes.Repeat([]byte{7}, 16)
	raw := func(rooms ...*room.Descriptor) []byte {
		b := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMilli()))
		b = append(b, byte(len(rooms)))
		for _, d := range rooms {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(d.Bytes()))), d.Bytes()...)
		}
		return b
	}
	good := raw(other)
	for _, test := range []struct {
		what   string
		answer []byte
		rooms  int // -1: an error
	}{
		{"another room", good, 1},
		{"ours", raw(ours), 1},
		{"a room of another name", raw(named), -1},
		{"an unlisted room", raw(tagged), -1},
		{"five rooms", raw(other, other, other, other, other), -1},
		{"more behind it", append(slices.Clone(good), 0), -1},
		{"cut short", good[:len(good)-1], -1},
		{"a time without end", append(bytes.Repeat([]byte{255}, 8), 0), -1},
		{"nothing", nil, -1},
		{"what does not end", append(slices.Clone(good), make([]byte, 1<<20)...), -1},
	} {
		h := bare(t)
		sent := make(chan int, 8)
		h.SetStreamHandler(ProtocolAbout, func(s network.Stream) {
			defer s.Close()
			n, _ := io.Copy(s, bytes.NewReader(test.answer))
			sent <- int(n)
		})
		a.connect(t, h)
		got, _, err := a.askAbout(t.Context(), h.ID())
		if ok := err == nil; ok != (test.rooms >= 0) || ok && len(got.rooms) != test.rooms {
			t.Errorf("%s: %d rooms, %v", test.what, len(got.rooms), err)
		}
	}
	st := a.until(t, "the answers that are good", func(st Status) bool { return st.Clocks == 2 })
	if len(st.Elsewhere) != 1 || st.Elsewhere[0].Peers != 1 {
		t.Errorf("rooms %+v", st.Elsewhere)
	}
}

// TestAboutLimits: an answer has at most four rooms and 8 KiB, whatever there is.
func TestAboutLimits(t *testing.T) {
	var rooms []*room.Descriptor
	for range 3 {
		rooms = append(rooms, descriptor(t, strings.Repeat("ATTRIBUTE or ", 300)+"ONE"))
	}
	for range 6 {
		rooms = append(rooms, descriptor(t, "ONE"))
	}
	b := encodeAbout(time.Now(), rooms)
	got, err := parseAbout(b, "den")
	if err != nil || len(b) > maxAbout || len(got.rooms) != maxAboutRooms {
		t.Errorf("%d bytes, %d rooms, %v", len(b), len(got.rooms), err)
	}
	// .. and more is not read.
	b = append(binary.BigEndian.AppendUint64(nil, 1), 4)
	for _, d := range append(rooms[:3:3], rooms[3]) {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(d.Bytes()))), d.Bytes()...)
	}
	if len(b) <= maxAbout {
		t.Fatalf("%d bytes are not too many", len(b))
	}
	if _, err := parseAbout(b, "den"); err == nil {
		t.Errorf("%d bytes are read", len(b))
	}
}

// TestMedianClock: half of those asked cannot make a clock look wrong that is
// right, and fewer than half cannot make one look right that is wrong.
func TestMedianClock(t *testing.T) {
	const h = time.Hour
	for _, test := range []struct {
		all  []time.Duration
		want time.Duration
	}{
		{nil, 0},
		{[]time.Duration{3 * h}, 3 * h},
		{[]time.Duration{0, 90 * h}, 0},
		{[]time.Duration{-90 * h, 1}, 1},
		{[]time.Duration{0, 1, 90 * h, 90 * h}, 1},
		{[]time.Duration{3 * h, 3 * h, 0}, 3 * h},
		{[]time.Duration{-3 * h, -3*h + 1, 1 << 62, 0, -3 * h}, -3*h + 1},
	} {
		var k peerReports
		for i, d := range test.all {
			k.take(peer.ID(rune('a'+i)), about{}, d)
		}
		if got, of := k.clock(); got != test.want || of != len(test.all) {
			t.Errorf("%v: %v of %d", test.all, got, of)
		}
	}
}

// FuzzParseAbout: no bytes make it panic, and an answer that is taken is within
// the limits and written again as it was.
func FuzzParseAbout(f *testing.F) {
	d := descriptor(f, "ONE and TWO")
	whole := encodeAbout(time.Now(), []*room.Descriptor{d, d})
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(encodeAbout(time.Unix(0, 0), nil))
	tagged := *d
	tagged.Tag = make([]byte, 16)
	f.Add(append(binary.BigEndian.AppendUint16([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1}, uint16(len(tagged.Bytes()))),
		tagged.Bytes()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAbout(b, "den")
		if err != nil {
			return
		}
		for _, d := range a.rooms {
			if d.Name != "den" || len(d.Tag) > 0 {
				t.Fatalf("took a room that was not asked for: %+v", d)
			}
		}
		if again := encodeAbout(a.clock, a.rooms); len(b) > maxAbout || !bytes.Equal(again, b) {
			t.Fatalf("%x is written again as %x", b, again)
		}
	})
}

// TestVersions: who speaks a later protocol and not ours is told apart from who
// speaks both, or anything else.
func TestVersions(t *testing.T) {
	for _, test := range []struct {
		protocols string
		want      int
	}{
		{"", 0}, {"/ipfs/ping/1.0.0 /meshsub/1.1.0", 0}, {"/coterie/2/prove", 2}, {"/coterie/2/prove /coterie/2/sync", 2},
		{"/coterie/3/x /coterie/2/prove", 2}, {"/coterie/0/x", 0}, {"/coterie/2", 0}, {"/coterie/02/x", 0},
		{"/coterie/2000/x", 0},
		{"/coterie/99999999999999999999/x", 0}, {"/coterie/-2/x", 0}, {"coterie/2/x", 0},
	} {
		var known []protocol.ID
		for _, p := range strings.Fields(test.protocols) {
			known = append(known, protocol.ID(p))
		}
		if got := versionIn(known); got != test.want {
			t.Errorf("%q: %d", test.protocols, got)
		}
	}
}

// TestNewer: a peer of a later protocol is counted as such.
func TestNewer(t *testing.T) {
	a := join(t, descriptor(t, "ONE"), "ann", issue(t, "ONE"))
	later, other := bare(t), bare(t)
	later.SetStreamHandler("/coterie/3/prove", func(s network.Stream) { s.Reset() })
	a.connect(t, later)
	a.connect(t, other)
	a.until(t, "one of a later protocol", func(st Status) bool {
		return len(st.Peers) == 2 && st.Newer == 1 && st.Speaking == 1 && st.Version == 3
	})
}
