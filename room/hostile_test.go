package room

import (
	"encoding/binary"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// FuzzRoom gives a member in an epoch whatever a peer may send: publications,
// and frames on streams of all protocols, in a channel and outside. It must not panic, must not lose its
// head, and must go on talking to the other members.
//
// The input is a list of pieces: a byte for the kind, two for the length, bytes.
func FuzzRoom(f *testing.F) {
	n := newNetwork(f, 1)
	a, b := n.add("ann", true), n.add("bob", true)
	n.connectAll()
	n.run(3 * time.Second)
	g := a.room.days[a.room.today()]
	piece := func(kind byte, data []byte) []byte {
		out := append([]byte{kind}, 0, 0)
		binary.BigEndian.PutUint16(out[1:], uint16(len(data)))
		return append(out, data...)
	}
	var all []byte
	add := func(kind byte, data []byte) {
		f.Add(piece(kind, data))
		all = append(all, piece(kind, data)...)
	}
	add(publishes, record.Encode(a.room.presence))
	add(publishes, record.Encode(a.room.head.commit))
	add(publishes, record.Encode(a.room.head.commit.Bare()))
	add(publishes, (&record.Join{
		Contribution: g.own.contribution, Presence: a.room.presence, Encapsulation: g.own.encapsulation,
		In: sortedEdges(g)[0], Out: sortedEdges(g)[1],
	}).Append([]byte{record.TypeJoin}))
	add(proves, record.EncodeFields(record.FrameProve1, g.own.contribution.Append(nil), a.room.presence.Append(nil)))
	add(proves, record.EncodeFields(record.FrameProve3, make([]byte, 32), g.own.encapsulation))
	add(compares, b.helloTo(a))
	for _, frame := range record.EncodeRecords(b.room.records(true)) {
		add(compares, frame)
	}
	hello, err := record.ParseHello(a.helloTo(b)[1:])
	if err != nil {
		f.Fatal(err)
	}
	add(compares, b.room.ask(&exchange{peer: a.room.self, identity: a.room.identity, working: a.room.workingID, theirHello: hello}).Encode())
	add(compares, (&record.Ask{Logs: true}).Encode())
	add(compares, (&record.Have{Epoch: a.room.head.commit.ID(), Held: make([]record.Held, 2)}).Encode())
	for _, x := range a.room.logs.transcripts {
		add(compares, x.Append([]byte{record.FrameTranscript}))
	}
	add(compares, []byte{record.FrameTold})
	add(compares, record.EncodeTerms([]ake.MemberTerm{{CID: g.own.cid}}))
	add(compares, record.EncodeWant([]ake.Hash{a.room.head.commit.ID()}))
	if d := a.room.head.d; d != nil {
		add(compares, handover(a.room.head.commit, *d))
		add(compares, handover(a.room.head.commit.Bare(), *d))
	}
	beat := a.room.process(a.room.workingID).beat
	add(compares, record.EncodeFields(record.FrameBeats, beat.Append(nil)))
	add(compares, []byte{record.FrameDone})
	f.Add(all)

	f.Fuzz(func(t *testing.T, in []byte) {
		n := newNetwork(silentTB{t}, 1)
		a, b := n.add("ann", true), n.add("bob", true)
		n.connectAll()
		n.until(5*time.Second, "one epoch", func() bool { return together(a, b) })
		head := a.room.head
		streams := map[byte]StreamID{proves: 1000, compares: 1002, asks: 1004, outside: 1006}
		a.room.StreamOpened(a.clock(), streams[proves], b.room.Self(), [32]byte{}, ProtocolProve)
		streamOpened(a.room, a.clock(), streams[compares], b.room.Self(), b.room.workingID, ProtocolSync)
		streamOpened(a.room, a.clock(), streams[asks], b.room.Self(), b.room.workingID, ProtocolAsk)
		a.room.StreamOpened(a.clock(), streams[outside], b.room.Self(), [32]byte{}, ProtocolSync)
		for len(in) >= 3 {
			kind, size := in[0]%5, int(binary.BigEndian.Uint16(in[1:]))
			in = in[3:]
			data := in[:min(size, len(in))]
			in = in[len(data):]
			if kind == publishes {
				a.room.Publication(a.clock(), b.room.Self(), data)
			} else {
				a.room.StreamFrame(a.clock(), streams[kind], data)
			}
			n.drain(a)
		}
		n.run(time.Second)
		if a.room.head == nil || better(head, a.room.head) {
			t.Error("the head went back")
		}
		b.say("still here?")
		n.until(20*time.Second, "the other member is heard", func() bool { return a.heard("still here?") })
	})
}

// The kinds of pieces.
const (
	publishes byte = iota
	proves
	compares
	asks
	outside
)

// sortedEdges are a graph's edges, in the order of their ids.
func sortedEdges(g *graph) (out []*record.Edge) {
	for _, id := range sortedHashes(g.edges) {
		out = append(out, g.edges[id])
	}
	return out
}

// silentTB is a test without the line that each network logs.
type silentTB struct{ testing.TB }

func (silentTB) Logf(string, ...any) {}
