package room

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room/record"
)

// A frozen is a newcomer right after its proof, and all that its sponsor knew
// much later.
type frozen struct {
	newcomer *simNode
	at       time.Time // where its clock stands
	from     *simNode
	records  [][]byte
	terms    []ake.MemberTerm
	secrets  [][]byte // commits handed over
}

// freeze runs a room in which others join, leave and start epochs while the
// newcomer is suspended. The same seed gives the same.
func freeze(seed uint64) *frozen {
	n := newNetwork(nil, seed)
	n.failed = func(rule, format string, args ...any) { panic(rule + ": " + fmt.Sprintf(format, args...)) }
	until := func(holds func() bool) {
		for range 100000 {
			if holds() {
				return
			}
			n.run(time.Millisecond)
		}
		panic("it does not come to that\n" + n.describe())
	}
	var all []*simNode
	for i := range 5 {
		all = append(all, n.add(fmt.Sprint("p", i), true))
		n.connectAll()
		until(func() bool { return i == 0 || together(all...) })
	}
	newcomer := n.add("newcomer", true)
	n.run(time.Second)
	n.connect(newcomer, all[0])
	until(func() bool { return newcomer.room.inComponent(all[0].room.identity) })
	n.pause(newcomer)
	at := n.now
	n.run(3 * time.Second)

	late := n.add("late", true)
	n.connect(late, all[1])
	n.run(3 * time.Second)
	all[3].room.Leave(n.now)
	n.drain(all[3])
	n.run(2 * time.Second)
	n.stop(all[4])
	again := n.start("p4 again", true, all[4].room.cfg.Identity)
	n.connect(again, all[0])
	n.connect(again, all[2])
	n.run(5 * time.Second)

	f := &frozen{newcomer: newcomer, at: at, from: all[0]}
	r := all[0].room
	for _, rec := range r.records(true) {
		f.records = append(f.records, record.Encode(rec))
	}
	for _, id := range sortedHashes(r.commits) {
		if e := r.commits[id]; e.list != nil {
			f.records = append(f.records, record.Encode(e.whole()))
			if e.d != nil {
				f.secrets = append(f.secrets, handover(e.commit.Bare(), *e.d))
			}
		}
	}
	g := r.days[r.today()]
	for _, cid := range sortedHashes(g.members()) {
		if t := g.nodes[cid].term; t != nil {
			f.terms = append(f.terms, ake.MemberTerm{CID: cid, Term: *t})
		}
	}
	return f
}

// feed gives the newcomer frames as in the channel with its sponsor.
func (f *frozen) feed(frames ...[]byte) {
	for _, b := range frames {
		f.at = f.at.Add(time.Microsecond)
		r := f.newcomer.room
		id := f.newcomer.next
		f.newcomer.next += 2
		streamOpened(r, f.at, id, f.from.room.self, f.from.room.workingID, ProtocolSync)
		r.StreamFrame(f.at, id, b)
		r.StreamClosed(f.at, id)
	}
}

// state is what must not depend on order.
func (f *frozen) state() string {
	r := f.newcomer.room
	s := fmt.Sprintf("members %x", r.living(r.days[r.today()]))
	if h := r.head; h != nil {
		s += fmt.Sprintf(", epoch %x, sid %x, height %d", h.commit.ID(), h.sid, h.commit.Height)
	}
	return s
}

// TestOrderFree: the same records, permuted, some of them twice, split over
// several frames and over time, give the same members, sid and epoch; and to
// hear them once more changes nothing.
func TestOrderFree(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for _, seed := range []uint64{1, 2} {
		var want string
		for round := range rounds {
			f := freeze(seed)
			rng := rand.New(rand.NewPCG(seed, uint64(round)))
			records := f.records
			if round == 0 {
				t.Logf("%d records, %d terms, of which %d commits", len(records), len(f.terms), len(f.from.room.commits))
			}
			var frames [][]byte
			for range 2 { // the second time, nothing changes
				var all [][]byte
				for _, b := range records {
					for range 1 + rng.IntN(2) {
						all = append(all, b)
					}
				}
				if round > 0 {
					rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				}
				frames = nil
				for len(all) > 0 {
					k := min(len(all), 1+rng.IntN(12))
					frames = append(frames, record.EncodeFields(record.FrameRecords, all[:k]...))
					all = all[k:]
				}
				at := rng.IntN(len(frames) + 1)
				frames = append(frames[:at:at], append([][]byte{record.EncodeTerms(f.terms)}, frames[at:]...)...)
				at = rng.IntN(len(frames) + 1)
				frames = append(frames[:at:at], append(f.secrets[:len(f.secrets):len(f.secrets)], frames[at:]...)...)
				f.feed(frames...)
				// Terms and secrets of whom nobody knows yet came too early.
				f.feed(record.EncodeTerms(f.terms))
				f.feed(f.secrets...)
				switch got := f.state(); {
				case want == "":
					want = got
					r, x := f.newcomer.room, f.from.room
					if r.head == nil || r.head.commit.ID() != x.head.commit.ID() || r.head.sid != x.head.sid {
						t.Fatalf("the newcomer and its sponsor disagree: %s\n%s", f.newcomer.describe(), f.from.describe())
					}
				case got != want:
					t.Fatalf("seed %d, round %d:\n%s\nand not\n%s\n%s", seed, round, got, want, f.newcomer.describe())
				}
			}
		}
	}
}
