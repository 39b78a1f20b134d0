package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	_ "unsafe" // for linkname

	"github.com/libp2p/go-libp2p/core/network"

	"coterie/crypto/ake"
	"coterie/room"
	"coterie/room/record"
)

// checkSignature is package record's. A room of a thousand in one process would check the
// same signatures a thousand times, which is most of what forming it takes.
//
//go:linkname checkSignature coterie/room/record.checkSignature
var checkSignature func(pub ed25519.PublicKey, message, sig []byte) bool

// checkOnce has this process check each signature once while a test runs. What it returns
// counts how often one was to be checked.
func checkOnce(tb testing.TB) *atomic.Int64 {
	before, asked := checkSignature, new(atomic.Int64)
	var right sync.Map
	checkSignature = func(pub ed25519.PublicKey, message, sig []byte) bool {
		asked.Add(1)
		h := sha256.New()
		for _, b := range [][]byte{pub, sig, message} {
			h.Write(b)
		}
		key := [sha256.Size]byte(h.Sum(nil))
		if _, ok := right.Load(key); ok {
			return true
		}
		if !before(pub, message, sig) {
			return false
		}
		right.Store(key, nil)
		return true
	}
	tb.Cleanup(func() { checkSignature = before })
	return asked
}

// A founder is a member of a room that is formed at once: what others know of it.
type founder struct {
	*simMember
	contribution *record.Contribution
	presence     *record.Presence
	name         *record.Name
	in, out      *record.Edge // between it and who let it in; nil: nobody did
}

// formed makes a room of n that stands: each has let in four others, all know all, and are
// in one epoch. It takes no proofs, and no network: the records are the ones that the members
// would have made, and each member is told them by another, in the frames of PROTOCOL.md §11.3.
// What is measured begins here, so none of them has begun to take part.
func (s *sim) formed(n int) {
	s.t.Helper()
	all := make([]*founder, n)
	for i := range all {
		all[i] = &founder{simMember: s.make()}
	}
	each := func(do func(i int, f *founder)) {
		var wg sync.WaitGroup
		for i, f := range all {
			wg.Go(func() { do(i, f) })
		}
		wg.Wait()
	}
	each(func(i int, f *founder) {
		for _, t := range f.room.Ready().Tasks {
			f.room.Computed(f.now(), t.ID, t.Run()) // its encapsulation
		}
		id, w := s.room.ID(), f.room.WorkingKey()
		f.contribution = record.NewContribution(f.cfg.Identity, f.made.context, f.made.encapsulated)
		f.presence = &record.Presence{Addresses: f.addresses()}
		f.presence.Sign(id, w)
		f.name = &record.Name{Serial: f.contribution.Serial, Text: f.cfg.Name}
		f.name.Sign(id, w)
	})
	edge := func(from, to *founder) *record.Edge {
		e := &record.Edge{Period: from.contribution.Period, From: from.contribution.ID(), To: to.contribution.ID()}
		e.Sign(s.room.ID(), from.room.WorkingKey())
		return e
	}
	each(func(i int, f *founder) {
		if i > 0 {
			f.in, f.out = edge(all[(i-1)/4], f), edge(f, all[(i-1)/4])
		}
	})
	terms, secret := termsOf(all), s.firstCommit(all)
	each(func(me int, f *founder) {
		from := all[max(1, 4*me+1)%n]
		if 4*me+1 >= n {
			from = all[(me-1)/4]
		}
		f.told(from, record.EncodeRecords(recordsFor(all, me)), append(terms, secret))
	})
}

// recordsFor are those of all others, from a member outwards, so that none has to wait.
func recordsFor(all []*founder, me int) (out []record.Record) {
	meet := func(f *founder, there, back *record.Edge) {
		out = append(out, there, f.contribution, back, f.presence, f.name)
	}
	var visit func(i, from int)
	visit = func(i, from int) {
		if up := (i - 1) / 4; i > 0 && up != from {
			meet(all[up], all[i].out, all[i].in)
			visit(up, i)
		}
		for c := 4*i + 1; c <= 4*i+4 && c < len(all); c++ {
			if c != from {
				meet(all[c], all[c].in, all[c].out)
				visit(c, i)
			}
		}
	}
	visit(me, -1)
	return out
}

func termsOf(all []*founder) (frames [][]byte) {
	var terms []ake.MemberTerm
	for _, f := range all {
		terms = append(terms, ake.MemberTerm{CID: f.contribution.ID(), Term: f.made.encapsulated.Term})
	}
	slices.SortFunc(terms, func(a, b ake.MemberTerm) int { return bytes.Compare(a.CID[:], b.CID[:]) })
	for chunk := range slices.Chunk(terms, record.MaxMembers) {
		frames = append(frames, record.EncodeTerms(chunk))
	}
	return frames
}

// firstCommit is the first one's, and its secret, as it is handed over.
func (s *sim) firstCommit(all []*founder) []byte {
	var list record.List
	for _, f := range all {
		c := f.contribution
		list = append(list, record.Entry{Identity: c.Identity, CID: c.ID(), Presence: f.presence.ID()})
	}
	list.Sort()
	by := all[0].contribution
	c := &record.Commit{Brief: record.Brief{Header: record.Header{
		Period: by.Period, Height: 1, By: by.ID(), Members: uint32(len(list)), List: list.Hash(),
		Away: record.Away(nil).Hash(),
	}}}
	c.SetEvidence(nil)
	d, err := ake.NewSecret(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	c.Secret = ake.CommitSecret(c.Core(), d)
	c.ComputeID()
	c.Sign(s.room.ID(), all[0].room.WorkingKey())
	return (&record.Handover{D: d, Commit: c.Whole(list, nil)}).Encode()
}

// told has a member be told, by another, records on a stream, and then all else in a channel.
func (f *founder) told(by *founder, records, inside [][]byte) {
	const plain, channelled = 1 << 40, 1<<40 + 2 // streams that the node does not use
	from, working := by.Self(), by.contribution.Working
	r := f.room
	r.StreamOpened(f.now(), plain, from, [32]byte{}, room.ProtocolSync)
	for _, frame := range records {
		r.StreamFrame(f.now(), plain, frame)
	}
	r.StreamClosed(f.now(), plain)
	r.ChannelOpened(f.now(), from, working)
	r.StreamOpened(f.now(), channelled, from, working, room.ProtocolSync)
	for _, frame := range inside {
		r.StreamFrame(f.now(), channelled, frame)
	}
	r.StreamClosed(f.now(), channelled)
	r.ChannelClosed(f.now(), from, working)
	for _, e := range r.Ready().Events {
		f.took(e)
	}
}

// TestFormed: a room that was formed at once is one like others: who comes is let in, all hear
// what is said, and who leaves is out.
func TestFormed(t *testing.T) {
	for _, n := range []int{2, 3, 12} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			checkOnce(t)
			virtual(t, func(s *sim) {
				s.formed(n)
				for _, m := range s.members {
					if e, _, _ := m.epoch(time.Time{}); len(e.Members) != n {
						t.Fatalf("%s is in an epoch of %d", m.name, len(e.Members))
					}
					m.begin()
				}
				time.Sleep(5 * time.Second)
				start := time.Now()
				m := s.add(s.members[0])
				s.together(start, 10*time.Second)
				m.say("hello")
				time.Sleep(time.Second)
				for _, o := range s.members[:n] {
					if got := o.heardBy(m.Self()); len(got) != 1 {
						t.Errorf("%s heard %q", o.name, got)
					}
				}
				start = time.Now()
				s.members[1].leave()
				s.together(start, 10*time.Second)
			})
		})
	}
}

// TestLivingNear: members that are near are counted without listing all, those that left not; and
// each has as many as it wants.
func TestLivingNear(t *testing.T) {
	checkOnce(t)
	virtual(t, func(s *sim) {
		s.formed(12)
		for _, m := range s.members {
			m.begin()
		}
		look := func() {
			t.Helper()
			time.Sleep(10 * time.Second)
			for _, m := range s.living() {
				var near, connected int
				m.do(func() {
					near = m.room.LivingNear()
					for _, o := range m.room.OtherMembers() {
						if m.host.Network().Connectedness(o.ID) == network.Connected {
							connected++
						}
					}
				})
				if near != connected || near < wantPeers {
					t.Errorf("%s: %d living members near, %d connected", m.name, near, connected)
				}
			}
		}
		look()
		s.members[3].Leave() // its host stays, and so do its connections
		s.members[3].gone = true
		look()
	})
}
