package room

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

var benchSizes = []int{2, 16, 64, 128, 1000}

// benchSuite makes encapsulations that cost nothing.
type benchSuite struct{}

func (benchSuite) Encapsulate(seed ake.Secret, c *ake.Context) (*ake.Encapsulated, error) {
	return fakeDerive(seed, c, fakeEncapsulation(seed, c)), nil
}

func (benchSuite) Open(*ake.Context, []byte) (*ake.Encapsulated, error) { return nil, ake.ErrNotOpened }

// A benchRoom is two members of a room of n. The others are there as records
// only: the first let all of them in, and they the first. The last is in the
// members, and not yet in the epoch of both.
type benchRoom struct {
	now  time.Time
	a, b *Room
	g    *graph // the first's
}

func newBenchRoom(tb testing.TB, n int) *benchRoom {
	tb.Helper()
	k := &benchRoom{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	day := abe.DayOf(k.now)
	begin := func() *Room {
		r, err := New(Config{
			Descriptor: simDescriptor(), Identity: benchKey(tb), Suite: benchSuite{},
			ValidOn: func(d abe.Day) bool { return d == day }, Rand: rand.Reader, Now: k.now,
		})
		if err != nil {
			tb.Fatal(err)
		}
		for _, t := range r.Ready().Tasks {
			r.Computed(k.now, t.ID, t.Run())
		}
		return r
	}
	k.a, k.b = begin(), begin()
	k.g = k.a.days[day]
	room, ca, wa := k.a.id, k.g.own.contribution, k.a.working
	// admit makes both take somebody.
	admit := func(c *record.Contribution, w ed25519.PrivateKey, p *record.Presence, term ake.Term) {
		in, out := &record.Edge{Day: day, From: ca.ID(), To: c.ID()}, &record.Edge{Day: day, From: c.ID(), To: ca.ID()}
		in.Sign(room, wa)
		out.Sign(room, w)
		for _, r := range []*Room{k.a, k.b} {
			for _, rec := range []record.Record{out, ca, k.a.presence, in, c, out, p} {
				r.add(rec)
			}
			r.addTerm(&ake.SealedTerm{CID: c.ID(), Term: term})
			r.addTerm(&ake.SealedTerm{CID: ca.ID(), Term: *k.g.nodes[ca.ID()].term})
			r.settle()
		}
	}
	own := k.b.days[day].own.contribution
	admit(own, k.b.working, k.b.presence, *k.b.days[day].nodes[own.ID()].term)
	for i := 2; i < n; i++ {
		if i == n-1 {
			k.begin(tb)
		}
		w := benchKey(tb)
		ctx := &ake.Context{
			Room: room, Serial: 1, Day: day,
			Working: [32]byte(w.Public().(ed25519.PublicKey)),
		}
		identity := benchKey(tb)
		ctx.Identity = [32]byte(identity.Public().(ed25519.PublicKey))
		seed, err := ake.NewSecret(rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		enc, _ := benchSuite{}.Encapsulate(seed, ctx)
		p := &record.Presence{Serial: 1, Ephemeral: [32]byte(benchX25519(tb).PublicKey().Bytes())}
		p.Sign(room, w)
		admit(record.NewContribution(identity, ctx, enc), w, p, enc.Term)
	}
	if n == 2 {
		k.begin(tb)
	}
	return k
}

// begin brings both into the epoch of all there are.
func (k *benchRoom) begin(tb testing.TB) {
	k.commit(tb)
	k.b.add(k.a.head.commit)
	k.b.settle()
	if k.b.head == nil || k.b.head.commit.ID() != k.a.head.commit.ID() {
		tb.Fatal("the two are not in one epoch")
	}
	k.a.Ready()
	k.b.Ready()
}

// commit makes the first commit to all there are.
func (k *benchRoom) commit(tb testing.TB) {
	list := k.a.nextList(k.g)
	if err := k.a.commit(k.g, list, k.a.prevs(k.g, list)); err != nil {
		tb.Fatal(err)
	}
}

// undo takes back what followed an epoch.
func undo(r *Room, before *epoch) {
	for id, e := range r.commits {
		if e != before {
			delete(r.commits, id)
		}
	}
	clear(r.named)
	before.named, before.superseded = false, time.Time{}
	r.head, r.ready = before, Ready{}
}

func benchKey(tb testing.TB) ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func benchX25519(tb testing.TB) *ecdh.PrivateKey {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// BenchmarkCommit makes a commit that lets in one newcomer: how long, also as a
// multiple of n X25519 operations, and its size. What is there to do is n of
// these, one for each but the committer and one for r.pub, and one Ed25519
// signature, which is about half of one; all else is hashing. Each commit is
// held against n operations that are timed next to it, and the medians are
// compared, since the speed of a machine wavers.
func BenchmarkCommit(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := newBenchRoom(b, n)
			before := k.a.head
			key, pub := benchX25519(b), benchX25519(b).PublicKey()
			var commits, others []time.Duration
			for b.Loop() {
				undo(k.a, before)
				start := time.Now()
				k.commit(b)
				commits = append(commits, time.Since(start))
				b.StopTimer()
				start = time.Now()
				for range n {
					if _, err := key.ECDH(pub); err != nil {
						b.Fatal(err)
					}
				}
				others = append(others, time.Since(start))
				b.StartTimer()
			}
			slices.Sort(commits)
			slices.Sort(others)
			middle := len(commits) / 2
			b.ReportMetric(float64(commits[middle])/float64(others[middle]), "of-n-X25519")
			b.ReportMetric(float64(len(record.Encode(k.a.head.commit))), "bytes")
		})
	}
}

// BenchmarkReceiveCommit takes the same commit at another member, which makes
// sure that all got the same secret.
func BenchmarkReceiveCommit(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := newBenchRoom(b, n)
			before := k.b.head
			k.commit(b)
			data := record.Encode(k.a.head.commit)
			for b.Loop() {
				undo(k.b, before)
				if v := k.b.publication(k.a.self, data); v != Accept || k.b.head == before {
					b.Fatal("not taken")
				}
			}
		})
	}
}

// BenchmarkMessage sends 100 bytes at one member and takes them at another.
func BenchmarkMessage(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := newBenchRoom(b, n)
			k.a.PeerConnected(k.now, k.b.self) // who is connected to nobody sends nothing
			text := bytes.Repeat([]byte("x"), 100)
			i := uint32(0)
			for b.Loop() {
				i++
				binary.BigEndian.PutUint32(text, i&0x7f7f7f7f)
				if err := k.a.Send(k.now, nil, record.KindText, string(text)); err != nil {
					b.Fatal(err)
				}
				for _, p := range k.a.Ready().Publish {
					if v := k.b.Publication(k.now, k.a.self, p); p[0] == record.TypeMessage && v != Accept {
						b.Fatal("not taken")
					}
				}
				k.b.Ready()
			}
		})
	}
}

// TestCommitSize: a commit that lets in one newcomer has at most 40 bytes a
// member and 500, and what changed.
func TestCommitSize(t *testing.T) {
	for _, n := range benchSizes {
		if n == 2 {
			continue // nobody was there before
		}
		k := newBenchRoom(t, n)
		k.commit(t)
		if got := len(k.a.head.list); got != n {
			t.Fatalf("a commit for %d, want %d", got, n)
		}
		const changed = 3*32 + 2*32 // an entry, a term
		if size, limit := len(record.Encode(k.a.head.commit)), 40*n+500+changed; size > limit {
			t.Errorf("a commit for %d has %d bytes, the limit is %d", n, size, limit)
		}
	}
}
