package room

import (
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

// An intruder is a hostile peer whose key does not satisfy the policy:
//
//	f  floods: contributions, edges, presences, joins, commits and messages of peers that proved nothing
//	r  replays: all records and publications it sees, others' encapsulations as its own
//	p  proves: dials proofs all the time, and answers wrongly or not at all
//
// All of them answer streams, say hello as if they were many, and introduce
// themselves when dialled. (Peers that run the protocol as it is, with a key
// that does not satisfy the policy, are rooms: kind o.)
type intruder struct {
	node     *simNode
	kind     byte
	rng      *rand.Rand
	self     peer.ID
	identity ed25519.PrivateKey
	room     ake.Hash
	working  ed25519.PrivateKey
	presence *record.Presence
	days     map[abe.Period]*intruderDay
	peers    []peer.ID
	streams  map[StreamID]*assault
	stolen   [][]byte // records and publications
	borrowed []byte   // an encapsulation of somebody else's
	out      Ready
	next     StreamID
}

type intruderDay struct {
	contribution  *record.Contribution
	encapsulation []byte
}

// An assault is a stream as the intruder has it.
type assault struct {
	peer     peer.ID
	protocol string
	dialler  bool
}

func newIntruder(s *simNode, kind byte, identity ed25519.PrivateKey, seed [32]byte) *intruder {
	pub := [32]byte(identity.Public().(ed25519.PublicKey))
	id := peerOf(pub)
	x := &intruder{
		node: s, kind: kind, rng: rand.New(rand.NewChaCha8(seed)), self: id, identity: identity, room: s.net.desc.ID(),
		working: ed25519.NewKeyFromSeed(seed[:]), days: make(map[abe.Period]*intruderDay), streams: make(map[StreamID]*assault), next: 1,
	}
	x.presence = &record.Presence{}
	x.presence.Sign(x.room, x.working)
	x.out.Wake = s.clock().Add(time.Second)
	return x
}

func (x *intruder) Self() peer.ID { return x.self }

func (x *intruder) Ready() Ready {
	out := x.out
	x.out = Ready{Wake: out.Wake}
	return out
}

func (x *intruder) Computed(time.Time, TaskID, any) {}

func (x *intruder) PeerConnected(_ time.Time, p peer.ID) { x.peers = append(x.peers, p) }

func (x *intruder) PeerDisconnected(_ time.Time, p peer.ID) {
	x.peers = slices.DeleteFunc(x.peers, func(q peer.ID) bool { return p == q })
}

func (x *intruder) StreamOpened(_ time.Time, id StreamID, p peer.ID, _ [32]byte, protocol string) {
	x.streams[id] = &assault{peer: p, protocol: protocol}
}

func (x *intruder) StreamClosed(_ time.Time, id StreamID) { delete(x.streams, id) }

// day is the intruder's part in a day: its own encapsulation, or a borrowed one.
func (x *intruder) day(now time.Time) *intruderDay {
	d := dayOf(now)
	if x.days[d] == nil {
		ctx := &ake.Context{Room: x.room, Identity: [32]byte(x.identity.Public().(ed25519.PublicKey)), Serial: 1, Period: d, Working: x.presence.Working}
		var b [32]byte
		binary.BigEndian.PutUint64(b[:], x.rng.Uint64())
		seed, err := ake.SecretFromBytes(b[:])
		if err != nil {
			panic(err)
		}
		enc := fakeDerive(seed, ctx, fakeEncapsulation(seed, ctx))
		if x.kind == 'r' && x.borrowed != nil {
			enc.Bytes = x.borrowed
		}
		x.days[d] = &intruderDay{record.NewContribution(x.identity, ctx, enc), enc.Bytes}
	}
	return x.days[d]
}

func (x *intruder) open(p peer.ID, protocol string) StreamID {
	id := x.next
	x.next += 2
	x.streams[id] = &assault{peer: p, protocol: protocol, dialler: true}
	x.out.Open = append(x.out.Open, Open{Stream: id, Peer: p, Protocol: protocol})
	return id
}

func (x *intruder) send(id StreamID, frames ...[]byte) {
	for _, f := range frames {
		x.out.Send = append(x.out.Send, Frame{Stream: id, Data: f})
	}
}

func (x *intruder) hello(now time.Time) []byte {
	h := &record.Hello{Room: x.room}
	h.Days = []record.HelloDay{{Period: dayOf(now), CID: x.day(now).contribution.ID(), Size: uint32(x.rng.IntN(50))}}
	h.Digest[0] = byte(x.rng.Uint32())
	return h.Encode()
}

func (x *intruder) hash() (h ake.Hash) {
	for i := range 4 {
		binary.BigEndian.PutUint64(h[i*8:], x.rng.Uint64())
	}
	return h
}

func (x *intruder) keep(b []byte) {
	if len(x.stolen) < 400 {
		x.stolen = append(x.stolen, slices.Clone(b))
	}
}

// fits reports whether what it saw is one of the records of the set.
func fits(b []byte) bool { return b[0] >= record.TypeContribution && b[0] <= record.TypeCommit }

func (x *intruder) StreamFrame(now time.Time, id StreamID, data []byte) {
	st := x.streams[id]
	if st == nil || len(data) == 0 {
		return
	}
	switch data[0] {
	case record.FrameHello:
		if !st.dialler {
			x.send(id, x.hello(now))
		}
		x.send(id, (&record.Ask{}).Encode())
	case record.FrameAsk:
		if x.kind == 'r' && len(x.stolen) > 0 {
			x.send(id, x.stolenRecords()...)
		}
		x.send(id, []byte{record.FrameDone})
	case record.FrameRecords:
		if fields, err := record.ParseFields(data[1:]); err == nil {
			for _, f := range fields {
				x.keep(f)
			}
		}
	case record.FrameProve1:
		if x.rng.IntN(3) > 0 {
			d := x.day(now)
			x.send(id, record.EncodeFields(record.FrameProve2, d.contribution.Append(nil), x.presence.Append(nil), d.encapsulation))
		}
	case record.FrameProve2:
		if fields, err := record.ParseFields(data[1:]); err == nil && len(fields) == 3 && x.borrowed == nil {
			x.borrowed = slices.Clone(fields[2])
			x.days = make(map[abe.Period]*intruderDay)
			x.keep(append([]byte{record.TypeContribution}, fields[0]...))
			x.keep(append([]byte{record.TypePresence}, fields[1]...))
		}
		if x.rng.IntN(2) == 0 { // a wrong proof; otherwise silence
			h := x.hash()
			x.send(id, record.EncodeFields(record.FrameProve3, h[:], x.day(now).encapsulation))
		}
	case record.FrameProve3:
		h := x.hash()
		x.send(id, record.EncodeFields(record.FrameProve4, h[:], h[:]))
	}
}

// stolenRecords are as many of what it saw as fit into one frame.
func (x *intruder) stolenRecords() [][]byte {
	var fields [][]byte
	size := 0
	for range 40 {
		b := x.stolen[x.rng.IntN(len(x.stolen))]
		if size += len(b); size > 64<<10 {
			break
		}
		if fits(b) {
			fields = append(fields, b)
		}
	}
	return [][]byte{record.EncodeFields(record.FrameRecords, fields...)}
}

func (x *intruder) Publication(_ time.Time, _ peer.ID, data []byte) Verdict {
	x.keep(data)
	return Verdict(x.rng.IntN(2)) // it passes on half of what it gets
}

func (x *intruder) Tick(now time.Time) {
	x.out.Wake = now.Add(time.Duration(500+x.rng.IntN(6000)) * time.Millisecond)
	if len(x.streams) > 64 {
		x.streams = make(map[StreamID]*assault)
	}
	for _, p := range x.peers {
		switch x.kind {
		case 'f':
			id := x.open(p, ProtocolSync)
			x.send(id, x.hello(now))
			flood := floodOf(dayOf(now))
			at := x.rng.IntN(len(flood) - 30)
			x.send(id, record.EncodeFields(record.FrameRecords, flood[at:at+30]...))
		case 'r':
			if len(x.stolen) > 0 {
				id := x.open(p, ProtocolSync)
				x.send(id, x.hello(now))
				x.send(id, x.stolenRecords()...)
			}
			x.prove(now, p)
		case 'p':
			for range 1 + x.rng.IntN(8) {
				x.prove(now, p)
			}
		}
	}
	switch x.kind {
	case 'f':
		x.publishFlood(now)
	case 'r':
		if len(x.stolen) > 0 {
			x.out.Publish = append(x.out.Publish, x.stolen[x.rng.IntN(len(x.stolen))])
		}
	}
}

func (x *intruder) prove(now time.Time, p peer.ID) {
	id := x.open(p, ProtocolProve)
	x.send(id, record.EncodeFields(record.FrameProve1, x.day(now).contribution.Append(nil), x.presence.Append(nil)))
}

// publishFlood publishes one of each kind that nothing supports.
func (x *intruder) publishFlood(now time.Time) {
	d := x.day(now)
	cid := d.contribution.ID()
	edge := func(from, to ake.Hash) *record.Edge {
		e := &record.Edge{Period: d.contribution.Period, From: from, To: to}
		e.Sign(x.room, x.working)
		return e
	}
	from := x.hash()
	join := &record.Join{Contribution: d.contribution, Presence: x.presence, In: edge(from, cid), Out: edge(cid, from), Encapsulation: d.encapsulation}

	list := record.List{{Identity: d.contribution.Identity, CID: cid, Presence: x.presence.ID()}, {Identity: x.hash(), CID: x.hash(), Presence: x.hash()}}
	list.Sort()
	commit := &record.Commit{
		Brief: record.Brief{Header: record.Header{Period: d.contribution.Period, Height: 1 + uint64(x.rng.IntN(1<<20)), By: cid, Members: 2, List: list.Hash()}, Secret: x.hash()},
		Form:  record.ListWhole, Added: list,
	}
	commit.SetEvidence(nil)
	commit.ComputeID()
	commit.Sign(x.room, x.working)

	message := &record.Message{Epoch: x.hash(), Sealed: make([]byte, 256+16)}
	x.out.Publish = append(x.out.Publish,
		join.Append([]byte{record.TypeJoin}), record.Encode(commit), message.Append([]byte{record.TypeMessage}))
}

var floods sync.Map // by day: encoded records, made once

// floodOf are contributions with presences and edges among each other, all
// properly signed, of peers that proved themselves to nobody.
func floodOf(day abe.Period) [][]byte {
	if f, ok := floods.Load(day); ok {
		return f.([][]byte)
	}
	f := makeFlood(day, 120)
	floods.Store(day, f)
	return f
}

func floodSeed(i int) ake.Secret {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	s, err := ake.SecretFromBytes(b[:])
	if err != nil {
		panic(err)
	}
	return s
}

func makeFlood(day abe.Period, n int) [][]byte {
	room := simDescriptor().ID()
	var out [][]byte
	var last ake.Hash
	for i := range n {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		seed[31] = 0xf1
		identity := ed25519.NewKeyFromSeed(seed[:])
		seed[31] = 0xf2
		working := ed25519.NewKeyFromSeed(seed[:])
		ctx := &ake.Context{Room: room, Identity: [32]byte(identity.Public().(ed25519.PublicKey)), Serial: uint64(i), Period: day, Working: [32]byte(working.Public().(ed25519.PublicKey))}
		c := record.NewContribution(identity, ctx, fakeDerive(floodSeed(i), ctx, seed[:]))
		p := &record.Presence{}
		p.Sign(room, working)
		e := &record.Edge{Period: day, From: c.ID(), To: last}
		e.Sign(room, working)
		last = c.ID()
		out = append(out, record.Encode(c), record.Encode(p), record.Encode(e))
	}
	return out
}
