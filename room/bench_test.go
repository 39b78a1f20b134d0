package room

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"coterie/crypto/abe"
	"coterie/crypto/ake"
	"coterie/room/record"
)

var benchSizes = []int{2, 16, 64, 128, 1000}

// benchSuite makes encapsulations that cost nothing.
type benchSuite struct{}

func (benchSuite) Encapsulate(seed ake.Secret, c *ake.Context, _ []uint64) (*ake.Encapsulated, error) {
	return fakeDerive(seed, c, fakeEncapsulation(seed, c)), nil
}

func (benchSuite) Open(*ake.Context, []uint64, []byte) (*ake.Encapsulated, error) {
	return nil, ake.ErrNotOpened
}

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
	day := dayOf(k.now)
	begin := func() *Room {
		r, err := New(Config{
			Descriptor: simDescriptor(), Identity: benchKey(tb), Encapsulator: benchSuite{},
			ValidOn: func(d abe.Day) bool { return d == day.Day() }, Rand: rand.Reader, Now: k.now,
			Rate: -1,
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
		in, out := &record.Edge{Period: day, From: ca.ID(), To: c.ID()}, &record.Edge{Period: day, From: c.ID(), To: ca.ID()}
		in.Sign(room, wa)
		out.Sign(room, w)
		for _, r := range []*Room{k.a, k.b} {
			for _, rec := range []record.Record{out, ca, k.a.presence, in, c, out, p} {
				r.add(rec)
			}
			r.addTerm(&ake.MemberTerm{CID: c.ID(), Term: term})
			r.addTerm(&ake.MemberTerm{CID: ca.ID(), Term: *k.g.nodes[ca.ID()].term})
			r.retryWaiting()
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
			Room: room, Serial: 1, Period: day,
			Working: [32]byte(w.Public().(ed25519.PublicKey)),
		}
		identity := benchKey(tb)
		ctx.Identity = [32]byte(identity.Public().(ed25519.PublicKey))
		seed, err := ake.NewSecret(rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		enc, _ := benchSuite{}.Encapsulate(seed, ctx, nil)
		p := &record.Presence{Serial: 1}
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
	k.hand(tb, k.a.head)
	if k.b.head == nil || k.b.head.commit.ID() != k.a.head.commit.ID() {
		tb.Fatal("the two are not in one epoch")
	}
	k.a.Ready()
	k.b.Ready()
}

// commit makes a commit to all there are, and returns what goes on the topic.
func (k *benchRoom) commit(tb testing.TB) []byte {
	k.a.Ready()
	before := k.a.head
	if err := k.a.commit(k.g, k.a.nextList(k.g)); err != nil {
		tb.Fatal(err)
	}
	if k.a.head == before {
		tb.Fatal("the commit is not its committer's head")
	}
	for _, p := range k.a.Ready().Publish {
		if p[0] == record.TypeCommit {
			return p
		}
	}
	tb.Fatal("no commit was published")
	return nil
}

// hand hands the secret of an epoch to the second, as in a channel.
func (k *benchRoom) hand(tb testing.TB, e *epoch) {
	x := &exchange{peer: k.a.self, identity: k.a.identity, working: k.a.workingID}
	if !k.b.tookSecret(x, handover(e.commit, *e.d)[1:]) {
		tb.Fatal("the secret was not taken")
	}
}

// undo takes back what followed an epoch.
func undo(r *Room, before *epoch) {
	for id, e := range r.commits {
		if e != before {
			delete(r.commits, id)
			delete(r.logs.transcripts, id)
		}
	}
	for _, g := range r.days {
		g.height = before.commit.Height
	}
	before.status = commitRead
	r.head, r.ready = before, Ready{}
	r.version++
}

func benchKey(tb testing.TB) ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// A yardstick is one plain signature, made and verified: what a commit cannot cost less
// than, at its two ends. It is timed beside the commits, since the speed of a
// machine wavers.
type yardstick struct {
	key   ed25519.PrivateKey
	text  []byte
	times []time.Duration
}

func newYardstick(tb testing.TB) *yardstick {
	return &yardstick{key: benchKey(tb), text: make([]byte, 64)}
}

func (p *yardstick) run(b *testing.B) {
	start := time.Now()
	if !ed25519.Verify(p.key.Public().(ed25519.PublicKey), p.text, ed25519.Sign(p.key, p.text)) {
		b.Fatal("not verified")
	}
	p.times = append(p.times, time.Since(start))
}

func (p *yardstick) report(b *testing.B) {
	slices.Sort(p.times)
	b.ReportMetric(float64(p.times[len(p.times)/2]), "ns/sign+verify")
}

// BenchmarkCommit makes a commit that lets in one newcomer, from the choice of the list
// to what is published and told the user: one signature; the hash of the list; the
// change to the list before; the epoch's keys, for which each member's term is hashed
// with the list (BenchmarkAttributes of crypto/ake has that alone); the draw by which
// others' turns are judged; and whether all listed are still here. The proof tree and
// the members are known by then. Beside it, one signature made and verified, and the
// bytes that go on the topic.
func BenchmarkCommit(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k, p := newBenchRoom(b, n), newYardstick(b)
			before := k.a.head
			size := 0
			for b.Loop() {
				b.StopTimer()
				p.run(b)
				undo(k.a, before)
				b.StartTimer()
				size = len(k.commit(b))
			}
			b.ReportMetric(float64(size), "bytes")
			p.report(b)
		})
	}
}

// BenchmarkReceiveCommit takes the same commit from the topic at another member, and
// then its secret, until it is the head: one signature checked, and the same hashes.
func BenchmarkReceiveCommit(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k, p := newBenchRoom(b, n), newYardstick(b)
			before := k.b.head
			data := k.commit(b)
			for b.Loop() {
				b.StopTimer()
				p.run(b)
				undo(k.b, before)
				b.StartTimer()
				if v := k.b.publication(k.a.self, data); v != Accept {
					b.Fatal("not taken")
				}
				k.hand(b, k.a.head)
				if k.b.head == before {
					b.Fatal("not the head")
				}
			}
			b.ReportMetric(float64(len(data)), "bytes")
			p.report(b)
		})
	}
}

// BenchmarkJoin takes from the topic what a newcomer publishes of itself. The
// signatures are checked, its encapsulation is hashed and kept, and nothing is
// opened.
func BenchmarkJoin(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k, p := newBenchRoom(b, n), newYardstick(b)
			data := k.join(b)
			for b.Loop() {
				b.StopTimer()
				p.run(b)
				k.b.ready = Ready{}
				g := k.b.days[k.g.period]
				j, err := record.ParseJoin(data[1:])
				if err != nil {
					b.Fatal(err)
				}
				j.Contribution.ComputeID(k.b.id)
				if g.nodes[j.Contribution.ID()] != nil {
					g.remove(j.Contribution.ID())
					delete(k.b.processes, j.Contribution.Working)
				}
				b.StartTimer()
				if v := k.b.publication(k.a.self, data); v != Accept {
					b.Fatal("not taken")
				}
			}
			b.ReportMetric(float64(len(data)), "bytes")
			p.report(b)
		})
	}
}

// join is what a newcomer publishes whom the first lets in.
func (k *benchRoom) join(tb testing.TB) []byte {
	identity, w := benchKey(tb), benchKey(tb)
	ctx := &ake.Context{
		Room: k.a.id, Serial: 1, Period: k.g.period,
		Identity: [32]byte(identity.Public().(ed25519.PublicKey)), Working: [32]byte(w.Public().(ed25519.PublicKey)),
	}
	seed, err := ake.NewSecret(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	enc, err := benchSuite{}.Encapsulate(seed, ctx, nil)
	if err != nil {
		tb.Fatal(err)
	}
	c := record.NewContribution(identity, ctx, enc)
	p := &record.Presence{Serial: 1}
	p.Sign(k.a.id, w)
	in, out := &record.Edge{Period: k.g.period, From: k.g.own.cid, To: c.ID()}, &record.Edge{Period: k.g.period, From: c.ID(), To: k.g.own.cid}
	in.Sign(k.a.id, k.a.working)
	out.Sign(k.a.id, w)
	return (&record.Join{Contribution: c, Presence: p, In: in, Out: out, Encapsulation: enc.Bytes}).Append([]byte{record.TypeJoin})
}

// BenchmarkMessage sends 100 bytes at one member and takes them at another.
func BenchmarkMessage(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := newBenchRoom(b, n)
			k.a.PeerConnected(k.now, k.b.self) // who is connected to nobody sends nothing
			k.a.outbox.hearsUntil = k.now      // .. nor who has just met somebody who says nothing
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

// TestCommitSize: a commit that lets in one newcomer has at most 700 bytes on the
// topic and what changed, at any size of the room; handed over with its secret, no
// more than that and the secret.
func TestCommitSize(t *testing.T) {
	for _, n := range benchSizes {
		if n == 2 {
			continue // nobody was there before
		}
		k := newBenchRoom(t, n)
		data := k.commit(t)
		if got := len(k.a.head.list); got != n {
			t.Fatalf("a commit for %d, want %d", got, n)
		}
		if size, limit := len(data), 700+96; size > limit {
			t.Errorf("a commit for %d has %d bytes, the limit is %d", n, size, limit)
		}
		if size, limit := len(handover(k.a.head.commit, *k.a.head.d)), len(data)+ake.SecretSize; size > limit {
			t.Errorf("a commit for %d is handed over in %d bytes, the limit is %d", n, size, limit)
		}
	}
}

// BenchmarkWraps is what groups do that have no tree and no attributes: whoever starts an epoch
// draws a key, and encrypts it for each member's X25519 key; each takes its own. It stands beside
// BenchmarkCommit and BenchmarkReceiveCommit. Nothing is signed in it.
func BenchmarkWraps(b *testing.B) {
	x25519 := func() *ecdh.PrivateKey {
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		return k
	}
	sealer := func(ours *ecdh.PrivateKey, theirs *ecdh.PublicKey) cipher.AEAD {
		shared, err := ours.ECDH(theirs)
		if err != nil {
			b.Fatal(err)
		}
		key, err := hkdf.Key(sha256.New, shared, nil, "wrap", chacha20poly1305.KeySize)
		if err != nil {
			b.Fatal(err)
		}
		a, err := chacha20poly1305.New(key)
		if err != nil {
			b.Fatal(err)
		}
		return a
	}
	nonce, secret := make([]byte, chacha20poly1305.NonceSize), make([]byte, 32)
	for _, n := range benchSizes {
		var members []*ecdh.PrivateKey
		for range n {
			members = append(members, x25519())
		}
		make := func() (from *ecdh.PublicKey, wraps [][]byte) {
			ours := x25519()
			for _, m := range members[1:] {
				wraps = append(wraps, sealer(ours, m.PublicKey()).Seal(nil, nonce, secret, nil))
			}
			return ours.PublicKey(), wraps
		}
		b.Run(fmt.Sprintf("make/%d", n), func(b *testing.B) {
			bytes := 0
			for b.Loop() {
				from, wraps := make()
				bytes = len(from.Bytes()) + len(wraps)*len(wraps[0])
			}
			b.ReportMetric(float64(bytes), "bytes")
		})
		b.Run(fmt.Sprintf("take/%d", n), func(b *testing.B) {
			from, wraps := make()
			for b.Loop() {
				if _, err := sealer(members[n-1], from).Open(nil, nonce, wraps[n-2], nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
