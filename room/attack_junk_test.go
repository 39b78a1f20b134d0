package room

import (
	"encoding/binary"
	"testing"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// junk is what strangers and members can publish without end that nobody wants, by name: each
// call makes another one. All have the right form, and are of what the topic shows to
// everybody.
func (n *network) junk(x *stranger, member, eve *simNode) map[string]func() []byte {
	day, k := member.room.today(), uint32(0)
	cid, enc, h := member.own(), member.day().own.encapsulation, member.room.head
	number := func() [32]byte { k++; return ake.Sum("junk", binary.BigEndian.AppendUint32(nil, k)) }
	in := func(from ake.Hash) *record.Edge {
		e := &record.Edge{Period: day, From: from, To: x.contribution.ID()}
		sig := number()
		copy(e.Signature[:], sig[:])
		return e
	}
	join := func(from ake.Hash) []byte {
		j := &record.Join{
			Contribution: x.contribution, Presence: x.presence(), Encapsulation: x.enc,
			In: in(from), Out: x.edge(day, x.contribution.ID(), from),
		}
		return j.Append([]byte{record.TypeJoin})
	}
	last := make([]byte, 0)
	return map[string]func() []byte{
		"a join by a stranger": func() []byte { return join(number()) },
		"a join by a member":   func() []byte { return join(cid) },
		"a join of a member": func() []byte { // with an edge of which nobody has heard
			o := member.day().own
			e := in(cid)
			e.To = o.cid
			e.From = eve.own()
			out := &record.Edge{Period: day, From: o.cid, To: eve.own()}
			p := member.room.presence
			j := &record.Join{Contribution: o.contribution, Presence: p, In: e, Out: out, Encapsulation: enc}
			return j.Append([]byte{record.TypeJoin})
		},
		"a message of no epoch": func() []byte {
			m := &record.Message{Epoch: number(), Sealed: make([]byte, 256+16)}
			return m.Append([]byte{record.TypeMessage})
		},
		"a message of the epoch": func() []byte {
			m := &record.Message{Epoch: h.commit.ID(), Sealed: make([]byte, 256+16)}
			w := number()
			copy(m.Sealed, w[:])
			return m.Append([]byte{record.TypeMessage})
		},
		"the largest message of the epoch": func() []byte {
			m := &record.Message{Epoch: h.commit.ID(), Sealed: make([]byte, 20480+16)}
			w := number()
			copy(m.Sealed, w[:])
			return m.Append([]byte{record.TypeMessage})
		},
		"a commit by a stranger": func() []byte { k++; return record.Encode(strangeCommit(day, int(k), 2, 0)) },
		"a commit by a member": func() []byte {
			k++
			c := strangeCommit(day, int(k), 2, 0)
			c.By = cid
			c.ComputeID()
			return record.Encode(c)
		},
		"a leave": func() []byte {
			k++
			p := &record.Presence{Serial: uint64(k) + 1e9, Left: true}
			p.Sign(n.desc.ID(), x.working)
			p.Working = member.room.workingID
			return record.Encode(p)
		},
		"nothing": func() []byte { return last },
	}
}

// BenchmarkJunk: what it costs a member to find that a publication is nothing, forty
// strangers being connected.
func BenchmarkJunk(b *testing.B) {
	n := newNetwork(b, 520)
	all := n.party("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "eve")
	strangers := n.strangers(40)
	for _, x := range strangers {
		for _, m := range all {
			n.connect(x.node, m)
		}
	}
	n.run(5e9)
	ann := all[0]
	for what, make := range n.junk(strangers[0], all[1], all[9]) {
		b.Run(what, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				data := make()
				b.StartTimer()
				if v := ann.room.Publication(ann.clock(), strangers[0].self, data); v == Accept {
					b.Fatal("taken")
				}
				b.StopTimer()
				ann.room.Ready()
				b.StartTimer()
			}
		})
	}
}
